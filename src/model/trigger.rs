//! Runs that somebody asked a server for, and deployments.

use serde::{Deserialize, Serialize};

use super::{CheckId, Level, Quiet, RunRecord, Timestamp};

/// What a run that was asked for carries along: why, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerTag {
    /// The triggered run.
    pub id: String,
    /// What for; may be empty.
    pub reason: String,
    /// Where it came from: a build's address.
    pub link: Option<String>,
    /// Who asked.
    pub by: String,
    /// Whether its results count for incidents and alerts.
    pub notify: bool,
}

impl TriggerTag {
    /// What for, in words.
    #[must_use]
    pub fn what_for(&self) -> &str {
        if self.reason.is_empty() {
            "asked for"
        } else {
            &self.reason
        }
    }
}

/// Where a triggered run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Not every check is done.
    Running,
    /// Every check is done.
    Finished,
    /// Somebody ended it early.
    Cancelled,
    /// haetae ended before it did.
    Interrupted,
}

/// One check of a triggered run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggeredCheck {
    /// Which.
    pub check: CheckId,
    /// For people.
    pub name: String,
    /// Where it is written.
    pub place: String,
    /// The run, once it is over.
    pub run: Option<RunRecord>,
}

/// Several checks, run once each because somebody asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggeredRun {
    /// Why and by whom.
    #[serde(flatten)]
    pub tag: TriggerTag,
    /// What was asked for: ids, globs, `tag:x`, `group:x`; none means all that are enabled.
    pub select: Vec<String>,
    /// The same key within a day means the same run.
    pub idempotency_key: Option<String>,
    /// Where it stands.
    pub state: RunState,
    /// The worst level so far.
    pub worst: Level,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Its checks, in order of ids.
    pub checks: Vec<TriggeredCheck>,
}

impl TriggeredRun {
    /// How many checks are done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.checks.iter().filter(|check| check.run.is_some()).count()
    }

    /// Takes in a check's run. False when the check is not part of it or done already.
    pub fn take(&mut self, run: RunRecord, now: Timestamp) -> bool {
        let part = self
            .checks
            .iter_mut()
            .find(|part| part.check == run.check && part.run.is_none());
        let Some(part) = part.filter(|_| self.state == RunState::Running) else {
            return false;
        };
        self.worst = self.worst.max(run.verdict.level);
        part.run = Some(run);
        if self.done() == self.checks.len() {
            self.end(RunState::Finished, now);
        }
        true
    }

    /// Ends it, unless it has ended.
    pub fn end(&mut self, state: RunState, now: Timestamp) {
        if self.state == RunState::Running {
            self.state = state;
            self.ended = Some(now);
        }
    }

    /// Every check ran, and none was worse than ok, or a warning where those are let pass.
    #[must_use]
    pub fn came_good(&self, fail_on: Level) -> bool {
        let is_bad = match self.worst {
            Level::Ok => false,
            Level::Warning => fail_on == Level::Warning,
            Level::Unknown | Level::Critical => true,
        };
        self.state == RunState::Finished && !is_bad
    }
}

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// It is quiet; nothing was to be run.
    Quiet,
    /// Caches are being filled; what comes of it counts for nothing.
    WarmingUp,
    /// The checks are asked whether all is well.
    Verifying,
    /// All was well.
    Verified,
    /// It was not, for as long as was waited.
    Failed,
    /// haetae ended before it did.
    Interrupted,
}

impl DeploymentState {
    /// Whether nothing more comes.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Quiet | Self::Verified | Self::Failed | Self::Interrupted => true,
            Self::WarmingUp | Self::Verifying => false,
        }
    }
}

/// A release: quiet for a while, warmed up, verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The quiet time it makes; its id is the deployment's.
    #[serde(flatten)]
    pub quiet: Quiet,
    /// Where it came from.
    pub link: Option<String>,
    /// The same key within a day means the same deployment.
    pub idempotency_key: Option<String>,
    /// Where it stands.
    pub state: DeploymentState,
    /// The triggered run that warms up.
    pub warm_up: Option<String>,
    /// The triggered runs that verify, the latest last.
    pub verify: Vec<String>,
    /// What is not well as of the latest of them, a line each.
    pub bad: Vec<String>,
}
