//! Everything the configuration says about who is told what.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Route;
use crate::model::{ChannelName, Check, CheckId, Maintenance, Matcher};

/// While some incident matches `when`, those that match `mute` are not told.
#[derive(Debug, Clone, PartialEq)]
pub struct Inhibit {
    /// What says it all.
    pub when: Matcher,
    /// What is not told then.
    pub mute: Matcher,
}

/// How many incidents in how much time are a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StormLimit {
    /// More than so many.
    pub over: usize,
    /// Within this time.
    pub within: Duration,
}

impl Default for StormLimit {
    /// Over 10 in a minute.
    fn default() -> Self {
        Self {
            over: 10,
            within: Duration::from_mins(1),
        }
    }
}

/// How haetae notices that it is the one who cannot see.
#[derive(Debug, Clone, PartialEq)]
pub struct BlindGuard {
    /// Checks of what answers whenever our own network works.
    pub controls: Vec<CheckId>,
    /// The share of all other checks asked since then that must be without answer too, 0 to 1.
    pub share: f64,
}

/// What decides who is told what, and when.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Every check, disabled ones too.
    pub checks: BTreeMap<CheckId, Arc<Check>>,
    /// Read top-down.
    pub routes: Vec<Route>,
    /// Planned quiet times.
    pub maintenance: Vec<Maintenance>,
    /// What mutes what.
    pub inhibit: Vec<Inhibit>,
    /// When many incidents become one summary; never without.
    pub storm: Option<StormLimit>,
    /// Every channel, and where to turn when it does not answer.
    pub channels: BTreeMap<ChannelName, Vec<ChannelName>>,
    /// When haetae doubts itself.
    pub blind_guard: Option<BlindGuard>,
}

impl Policy {
    /// A check that is watched.
    #[must_use]
    pub fn watched(&self, id: &CheckId) -> Option<&Arc<Check>> {
        self.checks.get(id).filter(|check| check.enabled)
    }
}
