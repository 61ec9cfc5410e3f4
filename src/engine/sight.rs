//! Whether haetae itself cannot see: the blind guard.
//!
//! When all controls are without answer, and so is the better part of all that was asked
//! since, then it is our own network or DNS that failed: one message about us, none about
//! targets.

use std::collections::HashMap;

use super::{Engine, Run};
use crate::model::{CheckId, Level, Timestamp, Verdict};
use crate::route::BlindGuard;

/// How one check was answered lately.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// When the latest run started.
    started: Timestamp,
    /// Since when there has been no answer.
    dark_since: Option<Timestamp>,
}

/// What haetae thinks of its own eyes.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    seen: HashMap<CheckId, Seen>,
    is_blind: bool,
}

enum View {
    Clear,
    /// The controls are dark; nothing else has been asked since.
    Doubtful,
    Blind {
        dark: usize,
        asked: usize,
    },
}

impl Sight {
    fn take_in(&mut self, id: &CheckId, started: Timestamp, is_dark: bool) {
        let before = self.seen.get(id).and_then(|seen| seen.dark_since);
        let dark_since = is_dark.then(|| before.unwrap_or(started));
        self.seen.insert(id.clone(), Seen { started, dark_since });
    }

    fn view(&self, guard: &BlindGuard) -> View {
        let controls: Option<Vec<Timestamp>> = guard
            .controls
            .iter()
            .map(|id| self.seen.get(id).and_then(|seen| seen.dark_since))
            .collect();
        let Some(since) = controls.and_then(|dark| dark.into_iter().min()) else {
            return View::Clear;
        };
        let others = || self.seen.iter().filter(|(id, _)| !guard.controls.contains(id));
        let asked = others().filter(|(_, seen)| seen.started >= since).count();
        let dark = others()
            .filter(|(_, seen)| seen.started >= since && seen.dark_since.is_some())
            .count();
        if asked == 0 && others().next().is_some() {
            return View::Doubtful;
        }
        if asked == 0 || dark as f64 >= guard.share * asked as f64 {
            return View::Blind { dark, asked };
        }
        View::Clear
    }
}

impl Engine {
    /// Looks at a run with the guard's eyes. Answers why the run says nothing about its
    /// target, when it does not.
    pub(super) fn look_at(&mut self, run: &Run, verdict: &Verdict, now: Timestamp) -> Option<String> {
        let guard = self.policy.blind_guard.clone()?;
        let is_dark = !run.outcome.has_answer() && verdict.level >= Level::Unknown;
        self.sight.take_in(&run.check.id, run.started, is_dark);
        let view = self.sight.view(&guard);
        let controls = || {
            let names: Vec<&str> = guard.controls.iter().map(CheckId::as_str).collect();
            names.join(", ")
        };
        match view {
            View::Blind { dark, asked } if !self.sight.is_blind => {
                self.sight.is_blind = true;
                let trouble = format!(
                    "haetae cannot see: {} without answer, and {dark} of {asked} checks asked since",
                    controls()
                );
                self.sight_state(Some(trouble), now);
            }
            View::Clear => {
                self.sight.is_blind = false;
                self.sight_state(None, now);
            }
            View::Blind { .. } | View::Doubtful => {}
        }
        let doubts = !matches!(view, View::Clear);
        (doubts && is_dark).then(|| {
            format!(
                "haetae itself may be without network ({} without answer)",
                controls()
            )
        })
    }
}
