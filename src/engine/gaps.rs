//! Checks without a result: nothing said is not "all is well".

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::{Engine, is_own};
use crate::model::{
    Check, CheckId, Confirmation, Level, Outcome, Reason, RunId, RunRecord, Schedule, Timestamp, Verdict,
    Window, format_duration,
};
use crate::route::Policy;

/// What a run may take beyond its time-out, and its result until it is here.
const SLACK: Duration = Duration::from_secs(10);
/// The engine itself stood still for so long: then it is no check's fault.
const STOOD_STILL: Duration = Duration::from_secs(30);

/// By when each check must have had a result.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    deadlines: BTreeSet<(Timestamp, CheckId)>,
    deadline_of: HashMap<CheckId, Timestamp>,
    looked: Option<Timestamp>,
}

impl Gaps {
    pub(super) fn new(policy: &Policy, now: Timestamp) -> Self {
        let mut gaps = Self::default();
        gaps.rearm(policy, now);
        gaps
    }

    /// Waits anew for every check that is watched.
    pub(super) fn rearm(&mut self, policy: &Policy, now: Timestamp) {
        *self = Self {
            looked: Some(now),
            ..Self::default()
        };
        for check in policy.checks.values().filter(|check| check.enabled) {
            self.seen(check, now);
        }
    }

    /// A check has had a result.
    pub(super) fn seen(&mut self, check: &Check, now: Timestamp) {
        if let Some(before) = self.deadline_of.remove(&check.id) {
            self.deadlines.remove(&(before, check.id.clone()));
        }
        if let Some(deadline) = deadline(check, now) {
            self.deadlines.insert((deadline, check.id.clone()));
            self.deadline_of.insert(check.id.clone(), deadline);
        }
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}

/// Two intervals after the last result, and what a run may take.
fn deadline(check: &Check, now: Timestamp) -> Option<Timestamp> {
    let second = match &check.schedule {
        Schedule::Every(interval) => now + interval.saturating_mul(2),
        Schedule::Cron(calendar) => calendar.next_after(calendar.next_after(now)?)?,
    };
    Some(second + check.timeout + SLACK)
}

impl Engine {
    /// A check without a result for two intervals could not be measured, and that is
    /// believed at once.
    pub(super) fn miss_results(&mut self, now: Timestamp) {
        let looked = self.gaps.looked.replace(now).unwrap_or(now);
        let next = self.gaps.next();
        if next.is_none_or(|next| next > now) {
            return;
        }
        if next.is_some_and(|next| now.since(next) > STOOD_STILL) && now.since(looked) > STOOD_STILL {
            let policy = Arc::clone(&self.policy);
            self.gaps.rearm(&policy, now);
            return;
        }
        while let Some((at, id)) = self.gaps.deadlines.first().cloned().filter(|(at, _)| *at <= now) {
            self.gaps.deadlines.remove(&(at, id.clone()));
            self.gaps.deadline_of.remove(&id);
            let Some(check) = self.policy.watched(&id).cloned() else {
                continue;
            };
            self.gaps.seen(&check, now);
            if !is_own(&id) {
                self.miss_result(&check, now);
            }
        }
    }

    fn miss_result(&mut self, check: &Arc<Check>, now: Timestamp) {
        let when = match &check.schedule {
            Schedule::Every(interval) => format!("every {}", format_duration(*interval)),
            Schedule::Cron(calendar) => format!("by {calendar}"),
        };
        let why = format!("no result for two intervals ({when}): its runs do not end, or never start");
        let record = RunRecord {
            run: RunId(String::new()),
            check: check.id.clone(),
            started: now,
            took: Duration::ZERO,
            outcome: Outcome::not_measured(why.clone()),
            verdict: Verdict {
                level: Level::Unknown,
                reasons: vec![(Level::Unknown, Reason::NotMeasured(why))],
            },
        };
        let at_once = Confirmation {
            fail_after: Window::in_a_row(1),
            ..check.confirmation
        };
        self.step(check, record, &at_once, now);
    }
}
