//! A check as the core sees it: everything but how it is measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Calendar, CheckId, Threshold};

/// One thing that is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Its name for scripts.
    pub id: CheckId,
    /// Its name for people; the id when none was given.
    pub name: String,
    /// What stops working when it fails.
    pub description: Option<String>,
    /// Who looks after it.
    pub owner: Option<String>,
    /// Where to read what to do.
    pub runbook: Option<String>,
    /// Free labels for routes and selectors.
    pub tags: Vec<String>,
    /// `http`, `tcp`, `browser` …
    pub kind: &'static str,
    /// When it runs.
    pub schedule: Schedule,
    /// The longest a whole run may take, retries included.
    pub timeout: Duration,
    /// The longest one attempt may take.
    pub attempt_timeout: Duration,
    /// What is tried again inside one run.
    pub retry: Retry,
    /// What a measurement must violate for a level.
    pub thresholds: Vec<Threshold>,
    /// When a level is believed.
    pub confirmation: Confirmation,
    /// While one of these is down, nothing is told of this one.
    pub depends_on: Vec<CheckId>,
    /// The host that is asked; empty when there is none.
    pub target: String,
    /// What is dropped last when the machine can't keep up.
    pub priority: Priority,
    /// A disabled check is kept, and not run.
    pub enabled: bool,
    /// Changes when, and only when, the definition changes.
    pub fingerprint: u64,
    /// Where it is written: `checks/partners/payment.yaml:2`.
    pub place: String,
}

impl Check {
    /// The folder it stands in; empty at the top.
    #[must_use]
    pub fn group(&self) -> &str {
        self.id.group()
    }
}

/// When a check is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// From start to start, at a phase that is stable per id.
    Every(Duration),
    /// At calendar times.
    Cron(Calendar),
}

/// Retries inside one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retry {
    /// How many after the first attempt, 0 to 3.
    pub times: u32,
    /// The first wait; each next one is twice as long, all with full jitter.
    pub wait: Duration,
}

/// `needed` of the last `of` runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How many runs must agree.
    pub needed: usize,
    /// Among how many of the latest.
    pub of: usize,
}

impl Window {
    /// The longest window that is kept in a check's state.
    pub const LONGEST: usize = 50;

    /// `count` runs in a row.
    #[must_use]
    pub const fn in_a_row(count: usize) -> Self {
        Self {
            needed: count,
            of: count,
        }
    }
}

/// When a level is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// For a worse level.
    pub fail_after: Window,
    /// For a better level.
    pub recover_after: Window,
    /// How soon to look again while a worse level is not yet believed.
    pub recheck_every: Option<Duration>,
}

impl Default for Confirmation {
    fn default() -> Self {
        Self {
            fail_after: Window::in_a_row(2),
            recover_after: Window::in_a_row(2),
            recheck_every: None,
        }
    }
}

/// What is dropped last when the machine can't keep up. Ordered from low to high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Waits for all others.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Goes before all others.
    High,
}
