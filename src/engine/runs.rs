//! A run that is over: what it means, and what that changes.

use std::sync::Arc;
use std::time::Duration;

use super::own::WATCHDOG;
use super::{Engine, is_own};
use crate::alert::{self, CheckState};
use crate::judge::{Past, judge};
use crate::model::{
    Check, CheckId, Confirmation, Incident, Level, Outcome, Reason, RunId, RunRecord, Suppression, Timestamp,
    Transition, TransitionKind, TriggerTag, Verdict,
};
use crate::route::{Policy, ancestors};

/// A run that is over.
#[derive(Debug, Clone)]
pub struct Run {
    /// The check, as it was defined when it ran.
    pub check: Arc<Check>,
    /// The run.
    pub id: RunId,
    /// When it started.
    pub started: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What was seen; secrets are masked.
    pub outcome: Outcome,
}

/// What a run led to.
#[derive(Debug)]
pub struct Effect {
    /// The run, judged.
    pub record: RunRecord,
    /// What is believed now.
    pub state: CheckState,
    /// What changed.
    pub transition: Option<Transition>,
    /// Checks that should be looked at again, and how soon.
    pub recheck: Vec<(CheckId, Duration)>,
}

impl Engine {
    /// Judges a run and takes it in. None when its check is not watched any more.
    pub fn take_run(&mut self, run: Run, now: Timestamp) -> Option<Effect> {
        if run.check.id.as_str() == WATCHDOG {
            self.beat(now);
            return None;
        }
        self.policy.watched(&run.check.id)?;
        let nothing = Past::default();
        let past = self.pasts.get(&run.check.id).unwrap_or(&nothing);
        let mut verdict = judge(&run.outcome, &run.check.thresholds, past, run.started);
        let doubted = self.look_at(&run, &verdict, now);
        if doubted.is_none() {
            self.learn(&run);
        }
        if let Some(why) = &doubted {
            verdict = Verdict {
                level: Level::Unknown,
                reasons: vec![(Level::Unknown, Reason::NotMeasured(why.clone()))],
            };
        }
        self.gaps.seen(&run.check, now);
        let record = RunRecord {
            run: run.id,
            check: run.check.id.clone(),
            started: run.started,
            took: run.took,
            outcome: run.outcome,
            verdict,
        };
        // What haetae could not see says nothing about the target.
        if doubted.is_some() {
            let state = self.states.get(&run.check.id).cloned().unwrap_or_default();
            self.pending.runs.push(record.clone());
            return Some(Effect {
                record,
                state,
                transition: None,
                recheck: Vec::new(),
            });
        }
        let confirmation = run.check.confirmation;
        Some(self.step(&run.check, record, &confirmation, now))
    }

    /// Takes in a run that somebody asked for. Unless it is to count, it is judged and kept,
    /// and what is believed of its check stays as it is.
    pub fn take_triggered(
        &mut self,
        run: Run,
        tag: &TriggerTag,
        now: Timestamp,
    ) -> (RunRecord, Option<Effect>) {
        self.pending.triggered.push((run.id.clone(), tag.clone()));
        if tag.notify
            && let Some(effect) = self.take_run(run.clone(), now)
        {
            return (effect.record.clone(), Some(effect));
        }
        let nothing = Past::default();
        let past = self.pasts.get(&run.check.id).unwrap_or(&nothing);
        let record = RunRecord {
            verdict: judge(&run.outcome, &run.check.thresholds, past, run.started),
            run: run.id,
            check: run.check.id.clone(),
            started: run.started,
            took: run.took,
            outcome: run.outcome,
        };
        self.pending.runs.push(record.clone());
        (record, None)
    }

    /// What a run measured is part of the past of the next one.
    fn learn(&mut self, run: &Run) {
        let thresholds = &run.check.thresholds;
        if run.outcome.has_answer()
            && thresholds
                .iter()
                .any(|threshold| threshold.relative().next().is_some())
        {
            let past = self.pasts.entry(run.check.id.clone()).or_default();
            past.take(thresholds, &run.outcome.measurements, run.started);
        }
    }

    /// A due time that was missed.
    pub fn take_late(&mut self, check: CheckId, at: Timestamp) {
        self.pending.late.push((check, at));
    }

    pub(super) fn step(
        &mut self,
        check: &Arc<Check>,
        record: RunRecord,
        confirmation: &Confirmation,
        now: Timestamp,
    ) -> Effect {
        let state = self.states.remove(&check.id).unwrap_or_default();
        let id = self.new_incident();
        let (state, transition) = alert::step(
            state,
            &check.id,
            &record.verdict,
            confirmation,
            record.started,
            now,
            id,
        );
        self.states.insert(check.id.clone(), state.clone());
        self.pending_states.insert(check.id.clone(), state.clone());
        self.pending.runs.push(record.clone());
        match &transition {
            Some(transition) => self.take_transition(transition.clone(), &record.outcome, now),
            None => self.look_again_after_run(check, &record, now),
        }
        let recheck = self.rechecks(check, &record, &state);
        Effect {
            record,
            state,
            transition,
            recheck,
        }
    }

    /// What changed, told to whom it concerns.
    pub(super) fn take_transition(&mut self, transition: Transition, outcome: &Outcome, now: Timestamp) {
        let known = self.ledger.get(&transition.incident).cloned();
        let mut incident = known.unwrap_or_else(|| {
            Incident::new(
                transition.incident.clone(),
                transition.check.clone(),
                transition.opened,
            )
        });
        incident.level = transition.to;
        incident.worst = incident.worst.max(transition.to);
        incident.resolved = (transition.to == Level::Ok).then_some(transition.at);
        incident.flapping = transition.flapping;
        if transition.to != Level::Ok {
            describe(&mut incident, &transition.verdict, outcome);
        }
        let reopened = transition.kind == TransitionKind::Reopened;
        if incident
            .acknowledged
            .as_ref()
            .is_some_and(|ack| reopened || transition.to > ack.level)
        {
            incident.acknowledged = None;
            let why = if reopened { "it came back" } else { "it got worse" };
            self.note(&incident.id, now, "unacknowledged", "", why);
        }
        let began = matches!(transition.kind, TransitionKind::Opened | TransitionKind::Reopened);
        let gathered = if began && !is_own(&incident.check) {
            self.join_storm(&mut incident, now)
        } else {
            Vec::new()
        };
        self.storms.changed(&incident, now);
        self.settle(incident, Some(transition), now);
        self.pending.gathers.extend(gathered);
        self.end_storm_if_over(now);
    }

    /// A bad run may show that what held its incident back has ended.
    fn look_again_after_run(&mut self, check: &Check, record: &RunRecord, now: Timestamp) {
        let Some(incident) = self.ledger.open_of(&check.id) else {
            return;
        };
        if record.verdict.level == Level::Ok || incident.held.is_none() {
            return;
        }
        let incident = incident.clone();
        if self.is_fresh(&incident, check, record.started) {
            self.settle(incident, None, now);
        }
    }

    /// While what a check depends on was down, its own failures said nothing new: only a run
    /// that began after all that was well again does.
    fn is_fresh(&self, incident: &Incident, check: &Check, started: Timestamp) -> bool {
        !matches!(incident.held, Some(Suppression::Dependency { .. }))
            || ancestors(&self.policy, check).iter().all(|id| {
                let since = self.states.get(id).and_then(|state| state.last_since);
                since.is_none_or(|since| started >= since)
            })
    }

    /// An unsettled check is looked at again soon, and so is at once what could explain it:
    /// what it depends on, and the controls.
    fn rechecks(&self, check: &Check, record: &RunRecord, state: &CheckState) -> Vec<(CheckId, Duration)> {
        let mut rechecks = Vec::new();
        if !state.is_unsettled() {
            return rechecks;
        }
        if let Some(after) = check.confirmation.recheck_every {
            rechecks.push((check.id.clone(), after));
        }
        let at_once = |id: CheckId| (id, Duration::ZERO);
        let unexplained = |id: &CheckId| {
            let state = self.states.get(id);
            !state.is_some_and(|state| {
                state.looks_down() || state.last_since.is_some_and(|since| since >= record.started)
            })
        };
        rechecks.extend(
            ancestors(&self.policy, check)
                .into_iter()
                .filter(unexplained)
                .map(at_once),
        );
        if !record.outcome.has_answer() {
            rechecks.extend(
                controls(&self.policy, &check.id)
                    .filter(|id| unexplained(id))
                    .map(at_once),
            );
        }
        rechecks
    }
}

fn controls<'p>(policy: &'p Policy, except: &'p CheckId) -> impl Iterator<Item = CheckId> + 'p {
    policy
        .blind_guard
        .iter()
        .flat_map(|guard| guard.controls.iter())
        .filter(move |id| *id != except)
        .cloned()
}

/// What broke, for messages that may come later.
fn describe(incident: &mut Incident, verdict: &Verdict, outcome: &Outcome) {
    incident.headline = verdict.headline();
    incident.reasons = verdict
        .reasons
        .iter()
        .map(|(_, reason)| reason.to_string())
        .collect();
    incident.facts.clone_from(&outcome.evidence.facts);
    incident.screenshot = outcome
        .evidence
        .files
        .iter()
        .find(|file| file.what == "screenshot")
        .map(|file| file.path.clone());
}
