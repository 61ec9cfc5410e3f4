//! What is written together, in one durable transaction.

use super::CheckState;
use crate::model::{
    ChannelName, CheckId, Incident, IncidentId, Owed, Quiet, RunId, RunRecord, Suppression, TimelineEntry,
    Timestamp, Transition, TriggerTag,
};

/// A change of one incident, with all it owes.
#[derive(Debug, Clone)]
pub struct Change {
    /// What changed; none when only the telling did.
    pub transition: Option<Transition>,
    /// The incident after it.
    pub incident: Incident,
    /// What is owed, each with the key it gets if it makes a delivery of its own.
    pub owed: Vec<(String, Owed)>,
    /// Why nobody is told.
    pub held: Option<Suppression>,
}

/// News that still waits on a channel goes into one delivery: a storm's summary.
#[derive(Debug, Clone, PartialEq)]
pub struct Gather {
    /// On which channel.
    pub channel: ChannelName,
    /// Of which incidents.
    pub incidents: Vec<IncidentId>,
    /// Into the delivery of which group.
    pub into: String,
    /// When that is due, if there is none yet.
    pub due: Timestamp,
}

/// What waits in a storm's delivery goes out now: the storm is over.
#[derive(Debug, Clone, PartialEq)]
pub struct StormOver {
    /// On which channel.
    pub channel: ChannelName,
    /// The storm's group.
    pub group_key: String,
    /// When it goes out.
    pub due: Timestamp,
}

/// What is written together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Runs for the history.
    pub runs: Vec<RunRecord>,
    /// Of these runs somebody asked for, and why.
    pub triggered: Vec<(RunId, TriggerTag)>,
    /// Runs that were due and did not happen, because the one before still ran.
    pub late: Vec<(CheckId, Timestamp)>,
    /// The latest state of each check that ran.
    pub states: Vec<(CheckId, CheckState)>,
    /// Checks that are no longer watched.
    pub forgotten: Vec<CheckId>,
    /// Changes of incidents, in order.
    pub changes: Vec<Change>,
    /// After the changes.
    pub gathers: Vec<Gather>,
    /// After those.
    pub storms_over: Vec<StormOver>,
    /// Silences and deployments that were made or ended.
    pub quiets: Vec<Quiet>,
    /// What else happened to incidents.
    pub timeline: Vec<TimelineEntry>,
    /// Deliveries whose channel's fallback is told instead.
    pub fell_back: Vec<String>,
    /// A heartbeat that goes out with this batch, replacing those before it: key and what
    /// is owed.
    pub heartbeat: Option<(String, Owed)>,
    /// When it is written.
    pub at: Option<Timestamp>,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
            && self.late.is_empty()
            && self.states.is_empty()
            && self.forgotten.is_empty()
            && !self.is_urgent()
    }

    /// Whether something is in it that should be written at once.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        !(self.changes.is_empty()
            && self.gathers.is_empty()
            && self.storms_over.is_empty()
            && self.quiets.is_empty()
            && self.timeline.is_empty()
            && self.fell_back.is_empty()
            && self.heartbeat.is_none())
    }
}
