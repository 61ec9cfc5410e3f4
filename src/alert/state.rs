//! `step(state, verdict, policy, now) → (state, transition)`.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::flapping::Flapping;
use crate::model::{
    CheckId, Confirmation, IncidentId, Level, Reason, Timestamp, Transition, TransitionKind, Verdict, Window,
};

/// The same problem within this time of resolving reopens the incident.
const REOPENS_WITHIN: Duration = Duration::from_mins(5);

/// What is believed of a check.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No incident.
    #[default]
    Good,
    /// An incident is open.
    Bad(Open),
    /// All is well, but so recently that a relapse is the same incident.
    Recovered {
        /// The incident that was resolved.
        incident: IncidentId,
        /// When it had opened.
        opened: Timestamp,
        /// When it was resolved.
        resolved: Timestamp,
    },
}

/// An open incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Its name.
    pub incident: IncidentId,
    /// When it opened.
    pub opened: Timestamp,
    /// The level believed now.
    pub level: Level,
}

/// One check's state between two runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CheckState {
    /// What is believed.
    pub phase: Phase,
    /// The levels of the latest runs that measured something (never unknown), oldest first.
    known: VecDeque<Level>,
    /// The level that these runs alone have confirmed.
    known_level: Level,
    /// How many of `known` came after the latest worsening; only these count for recovery.
    since_worse: usize,
    /// Whether each of the latest runs could not measure, oldest first.
    blind: VecDeque<bool>,
    /// Whether could-not-measure is believed.
    is_blind: bool,
    /// The level of the very last run.
    pub last: Option<Level>,
    /// Since when the last runs have been at that level: when the first of them started.
    #[serde(default)]
    pub last_since: Option<Timestamp>,
    /// How much the level changes.
    #[serde(default)]
    flapping: Flapping,
}

impl CheckState {
    /// The level believed now.
    #[must_use]
    pub fn level(&self) -> Level {
        match &self.phase {
            Phase::Bad(open) => open.level,
            Phase::Good | Phase::Recovered { .. } => Level::Ok,
        }
    }

    /// Whether the last run was worse than what is believed, so that looking again soon
    /// would settle it.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.last.is_some_and(|last| last > self.level())
    }

    /// The open incident, if there is one.
    #[must_use]
    pub fn open(&self) -> Option<&Open> {
        match &self.phase {
            Phase::Bad(open) => Some(open),
            Phase::Good | Phase::Recovered { .. } => None,
        }
    }

    /// Whether the level changes all the time.
    #[must_use]
    pub fn is_flapping(&self) -> bool {
        self.flapping.goes_on()
    }

    /// Whether it is down, or was when it was last looked at.
    #[must_use]
    pub fn looks_down(&self) -> bool {
        self.level() == Level::Critical || self.last == Some(Level::Critical)
    }

    /// Forgets the latest runs but not what is believed: the definition has changed.
    pub fn restart_counting(&mut self) {
        self.known.clear();
        self.blind.clear();
        self.since_worse = 0;
        self.flapping = self.flapping.forgotten();
    }

    fn take_in(&mut self, level: Level, started: Timestamp) {
        if self.last != Some(level) {
            self.last_since = Some(started);
        }
        push(&mut self.blind, level == Level::Unknown);
        if level != Level::Unknown {
            push(&mut self.known, level);
            self.since_worse = (self.since_worse + 1).min(self.known.len());
            self.flapping.take_in(level);
        }
        self.last = Some(level);
    }

    /// Updates what the known runs and the blind ones confirm, each by itself.
    fn confirm(&mut self, policy: &Confirmation) {
        let worse = [Level::Critical, Level::Warning].into_iter().find(|level| {
            *level > self.known_level && agree(&self.known, policy.fail_after, |seen| seen >= level)
        });
        if let Some(level) = worse {
            self.known_level = level;
            self.since_worse = 0;
        } else {
            let fresh = self.known.len() - self.since_worse;
            let recent: VecDeque<Level> = self.known.range(fresh..).copied().collect();
            let better = [Level::Ok, Level::Warning].into_iter().find(|level| {
                *level < self.known_level && agree(&recent, policy.recover_after, |seen| seen <= level)
            });
            if let Some(level) = better {
                self.known_level = level;
            }
        }
        if self.is_blind {
            self.is_blind = !agree(&self.blind, policy.recover_after, |blind| !blind);
        } else {
            self.is_blind = agree(&self.blind, policy.fail_after, |blind| *blind);
        }
    }

    /// The worst of what is known, of not being able to measure, and of flapping, which is
    /// a warning by itself.
    fn believed(&self) -> Level {
        let blind = if self.is_blind { Level::Unknown } else { Level::Ok };
        let flapping = if self.is_flapping() {
            Level::Warning
        } else {
            Level::Ok
        };
        self.known_level.max(blind).max(flapping)
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T) {
    if ring.len() == Window::LONGEST {
        ring.pop_front();
    }
    ring.push_back(item);
}

fn agree<T>(ring: &VecDeque<T>, window: Window, fits: impl Fn(&T) -> bool) -> bool {
    ring.iter()
        .rev()
        .take(window.of)
        .filter(|item| fits(item))
        .count()
        >= window.needed
}

/// Takes one run's verdict into the state.
///
/// A level is believed when `fail_after` of the last runs were at it or worse, an improvement
/// when `recover_after` of the runs since were at it or better. Unknown runs are counted
/// apart, flapping is a warning by itself, and the believed level is the worst of the three.
/// `started` is when the run began; `new_incident` is used only when an incident opens.
#[must_use]
pub fn step(
    mut state: CheckState,
    check: &CheckId,
    verdict: &Verdict,
    policy: &Confirmation,
    started: Timestamp,
    now: Timestamp,
    new_incident: IncidentId,
) -> (CheckState, Option<Transition>) {
    let was_flapping = state.is_flapping();
    state.take_in(verdict.level, started);
    state.confirm(policy);
    let is_flapping = state.is_flapping();
    let to = state.believed();
    let from = state.level();
    let flips = (is_flapping != was_flapping).then_some(if is_flapping {
        TransitionKind::FlappingBegan
    } else {
        TransitionKind::FlappingEnded
    });
    let change = change(&state.phase, to, flips, now, new_incident);
    let Some((kind, incident, opened)) = change else {
        return (state, None);
    };
    state.phase = if to == Level::Ok {
        // The failures of this incident must not help to confirm the next one.
        state.known.clear();
        state.since_worse = 0;
        Phase::Recovered {
            incident: incident.clone(),
            opened,
            resolved: now,
        }
    } else {
        Phase::Bad(Open {
            incident: incident.clone(),
            opened,
            level: to,
        })
    };
    let transition = Transition {
        incident,
        check: check.clone(),
        kind,
        from,
        to,
        at: now,
        opened,
        verdict: with_flapping(verdict, &state),
        flapping: is_flapping,
    };
    (state, Some(transition))
}

/// What changes when `to` is believed from now on: what, in which incident, opened when.
/// `flips` says that flapping has begun or ended, which is news by itself where the level stays.
fn change(
    phase: &Phase,
    to: Level,
    flips: Option<TransitionKind>,
    now: Timestamp,
    new_incident: IncidentId,
) -> Option<(TransitionKind, IncidentId, Timestamp)> {
    match (phase, to) {
        (Phase::Good | Phase::Recovered { .. }, Level::Ok) => None,
        (Phase::Good, _) => Some((TransitionKind::Opened, new_incident, now)),
        (
            Phase::Recovered {
                incident,
                opened,
                resolved,
            },
            _,
        ) => Some(if now.since(*resolved) <= REOPENS_WITHIN {
            (TransitionKind::Reopened, incident.clone(), *opened)
        } else {
            (TransitionKind::Opened, new_incident, now)
        }),
        (Phase::Bad(open), level) => {
            let kind = match level.cmp(&open.level) {
                _ if level == Level::Ok => Some(TransitionKind::Resolved),
                Ordering::Greater => Some(TransitionKind::Worsened),
                Ordering::Less => Some(TransitionKind::Improved),
                Ordering::Equal => flips,
            };
            kind.map(|kind| (kind, open.incident.clone(), open.opened))
        }
    }
}

/// While it is flapping, that is one more reason; the only one when the run itself was fine.
fn with_flapping(verdict: &Verdict, state: &CheckState) -> Verdict {
    let mut verdict = verdict.clone();
    if state.is_flapping() {
        let share = state.flapping.share();
        verdict.reasons.push((Level::Warning, Reason::Flapping { share }));
    }
    verdict
}

/// Ends the open incident of a check that is no longer watched. Nobody is told.
#[must_use]
pub fn close(state: CheckState, check: &CheckId, now: Timestamp) -> Option<Transition> {
    let Phase::Bad(open) = state.phase else {
        return None;
    };
    Some(Transition {
        incident: open.incident,
        check: check.clone(),
        kind: TransitionKind::Closed,
        from: open.level,
        to: Level::Ok,
        at: now,
        opened: open.opened,
        verdict: Verdict::default(),
        flapping: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::format_duration;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    /// One character is one run, a minute after the one before: `.` ok, `w` warning,
    /// `x` critical, `?` unknown, `_` ten minutes without any.
    fn play_with(runs: &str, policy: &Confirmation) -> String {
        let check = CheckId::parse("a").unwrap();
        let mut state = CheckState::default();
        let mut now = Timestamp::from_unix_ms(0);
        let mut told = Vec::new();
        for (n, c) in runs.chars().enumerate() {
            let level = match c {
                '.' => Level::Ok,
                'w' => Level::Warning,
                'x' => Level::Critical,
                '?' => Level::Unknown,
                _ => {
                    now = now + Duration::from_mins(10);
                    continue;
                }
            };
            now = now + Duration::from_mins(1);
            let verdict = Verdict {
                level,
                reasons: Vec::new(),
            };
            let id = IncidentId(format!("#{n}"));
            let (next, transition) = step(state, &check, &verdict, policy, now, now, id);
            state = next;
            if let Some(t) = transition {
                let after = format_duration(t.at.since(t.opened));
                told.push(format!(
                    "{n}: {} {} {}→{} after {after}",
                    t.incident,
                    t.kind.as_str(),
                    t.from,
                    t.to
                ));
            }
        }
        told.join("\n")
    }

    fn play(runs: &str) -> String {
        play_with(runs, &Confirmation::default())
    }

    #[test]
    fn one_failure_alone_says_nothing() {
        assert_snapshot!(play("..x...x....w...x."), @"12: #12 opened ok→warning after 0ms");
    }

    #[test]
    fn two_in_a_row_open_and_two_good_ones_resolve() {
        assert_snapshot!(play(".xxx.x.."), @"
        2: #2 opened ok→critical after 0ms
        7: #2 resolved critical→ok after 5m
        ");
    }

    #[test]
    fn worsening_and_improving_stay_in_one_incident() {
        assert_snapshot!(play("wwxxww.."), @"
        1: #1 opened ok→warning after 0ms
        3: #1 worsened warning→critical after 2m
        5: #1 improved critical→warning after 4m
        7: #1 resolved warning→ok after 6m
        ");
    }

    #[test]
    fn a_warning_and_a_critical_run_are_a_warning_until_critical_is_confirmed() {
        assert_snapshot!(play("wxx"), @"
        1: #1 opened ok→warning after 0ms
        2: #1 worsened warning→critical after 1m
        ");
    }

    #[test]
    fn a_relapse_within_five_minutes_is_the_same_incident() {
        assert_snapshot!(play("xx..xx"), @"
        1: #1 opened ok→critical after 0ms
        3: #1 resolved critical→ok after 2m
        5: #1 reopened ok→critical after 4m
        ");
    }

    #[test]
    fn a_failure_long_after_is_another_incident() {
        assert_snapshot!(play("xx.._xx"), @"
        1: #1 opened ok→critical after 0ms
        3: #1 resolved critical→ok after 2m
        6: #6 opened ok→critical after 0ms
        ");
    }

    #[test]
    fn unknown_runs_neither_confirm_nor_reset() {
        assert_snapshot!(play(".x?x."), @"3: #3 opened ok→critical after 0ms");
        assert_snapshot!(play(".x?.x"), @"");
    }

    #[test]
    fn unknown_has_its_own_path_beside_a_known_level() {
        assert_snapshot!(play("??.."), @"
        1: #1 opened ok→unknown after 0ms
        3: #1 resolved unknown→ok after 2m
        ");
        assert_snapshot!(play("ww??ww.."), @"
        1: #1 opened ok→warning after 0ms
        3: #1 worsened warning→unknown after 2m
        5: #1 improved unknown→warning after 4m
        7: #1 resolved warning→ok after 6m
        ");
        assert_snapshot!(play("xx????.."), @"
        1: #1 opened ok→critical after 0ms
        7: #1 resolved critical→ok after 6m
        ");
    }

    #[test]
    fn flapping_is_a_warning_of_its_own_until_the_check_is_calm() {
        assert_snapshot!(play(".x.x.x.x...................."), @"
        6: #6 opened ok→warning after 0ms
        23: #6 resolved warning→ok after 17m
        ");
    }

    #[test]
    fn a_confirmed_critical_worsens_a_flapping_check() {
        assert_snapshot!(play(".x.x.x.xxxx"), @"
        6: #6 opened ok→warning after 0ms
        8: #6 worsened warning→critical after 2m
        ");
    }

    #[test]
    fn a_check_that_flaps_while_its_incident_is_open_keeps_it() {
        let policy = Confirmation {
            fail_after: Window::in_a_row(1),
            recover_after: Window::in_a_row(1),
            recheck_every: None,
        };
        assert_snapshot!(play_with(".x.x.x.x.x", &policy), @"
        1: #1 opened ok→critical after 0ms
        2: #1 resolved critical→ok after 1m
        3: #1 reopened ok→critical after 2m
        4: #1 resolved critical→ok after 3m
        5: #1 reopened ok→critical after 4m
        6: #1 improved critical→warning after 5m
        7: #1 worsened warning→critical after 6m
        8: #1 improved critical→warning after 7m
        9: #1 worsened warning→critical after 8m
        ");
    }

    #[test]
    fn two_of_three_is_a_window() {
        let policy = Confirmation {
            fail_after: Window { needed: 2, of: 3 },
            ..Confirmation::default()
        };
        assert_snapshot!(play_with("x..x.x.", &policy), @"5: #5 opened ok→critical after 0ms");
    }

    #[test]
    fn failures_of_a_resolved_incident_do_not_open_the_next() {
        let policy = Confirmation {
            fail_after: Window { needed: 2, of: 5 },
            recover_after: Window { needed: 2, of: 4 },
            recheck_every: None,
        };
        assert_snapshot!(play_with("..xx...x.", &policy), @"
        3: #3 opened ok→critical after 0ms
        5: #3 resolved critical→ok after 2m
        ");
    }

    #[test]
    fn a_last_run_worse_than_believed_is_unsettled() {
        let check = CheckId::parse("a").unwrap();
        let verdict = Verdict {
            level: Level::Critical,
            reasons: Vec::new(),
        };
        let now = Timestamp::from_unix_ms(0);
        let policy = Confirmation::default();
        let (state, _) = step(
            CheckState::default(),
            &check,
            &verdict,
            &policy,
            now,
            now,
            IncidentId("a".into()),
        );
        assert!(state.is_unsettled());
        let (state, _) = step(state, &check, &verdict, &policy, now, now, IncidentId("a".into()));
        assert!(!state.is_unsettled());
    }

    fn levels() -> impl Strategy<Value = Vec<Level>> {
        let level = prop_oneof![
            5 => Just(Level::Ok),
            3 => Just(Level::Warning),
            1 => Just(Level::Unknown),
            3 => Just(Level::Critical),
        ];
        proptest::collection::vec(level, 0..80)
    }

    fn windows() -> impl Strategy<Value = Window> {
        (1..4_usize, 0..4_usize).prop_map(|(needed, more)| Window {
            needed,
            of: needed + more,
        })
    }

    proptest! {
        /// Whatever the runs and the policy: changes follow from one another, nothing
        /// resolves that was not open, and a level is never believed that no run had.
        #[test]
        fn any_history_tells_one_consistent_story(
            runs in levels(),
            fail_after in windows(),
            recover_after in windows(),
        ) {
            let check = CheckId::parse("a").unwrap();
            let policy = Confirmation { fail_after, recover_after, recheck_every: None };
            let mut state = CheckState::default();
            let mut believed = Level::Ok;
            for (n, level) in runs.iter().enumerate() {
                let verdict = Verdict { level: *level, reasons: Vec::new() };
                let now = Timestamp::from_unix_ms(i64::try_from(n).unwrap() * 60_000);
                let id = IncidentId(format!("#{n}"));
                let before = state.open().map(|open| open.incident.clone());
                let (next, transition) = step(state, &check, &verdict, &policy, now, now, id);
                if let Some(t) = &transition {
                    prop_assert_eq!(t.from, believed);
                    let keeps_level = matches!(
                        t.kind,
                        TransitionKind::FlappingBegan | TransitionKind::FlappingEnded
                    );
                    prop_assert_eq!(t.from == t.to, keeps_level);
                    let was_open = before.is_some();
                    match t.kind {
                        TransitionKind::Opened | TransitionKind::Reopened => prop_assert!(!was_open && t.to > Level::Ok),
                        TransitionKind::Worsened => prop_assert!(was_open && t.to > t.from),
                        TransitionKind::Improved => prop_assert!(was_open && t.to < t.from && t.to > Level::Ok),
                        TransitionKind::Resolved => prop_assert!(was_open && t.to == Level::Ok),
                        TransitionKind::FlappingBegan => prop_assert!(was_open && t.flapping),
                        TransitionKind::FlappingEnded => prop_assert!(was_open && !t.flapping),
                        TransitionKind::Closed => prop_assert!(false, "only an unwatched check is closed"),
                    }
                    if let Some(before) = before {
                        prop_assert_eq!(&t.incident, &before);
                    }
                    believed = t.to;
                }
                prop_assert_eq!(next.level(), believed);
                let seen = runs[..=n].contains(&believed);
                prop_assert!(believed == Level::Ok || seen || next.is_flapping());
                state = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
                prop_assert_eq!(&state, &next);
            }
        }
    }
}
