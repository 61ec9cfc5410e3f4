//! The store in domain verbs.
//!
//! Invariants: a change of state is written at once, durably, together with what it owes to
//! whom; a message exists here before anyone tries to send it.

#[cfg(test)]
mod contract;
mod sqlite;

use async_trait::async_trait;

use crate::alert::CheckState;
use crate::model::{
    AttemptResult, ChannelName, CheckId, Delivery, Incident, IncidentId, Owed, RunRecord, Timestamp,
    Transition,
};

pub use sqlite::SqliteStore;

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened, and trying again will not help.
    #[error("the store {place} cannot be opened: {why}")]
    Open {
        /// Which store.
        place: String,
        /// In words for people.
        why: String,
    },
    /// The database said no; may pass (locked, disk full).
    #[error("the store failed")]
    Database(#[from] sqlx::Error),
    /// What is stored does not read back: another version wrote it.
    #[error("the store holds something unreadable")]
    Content(#[from] serde_json::Error),
}

/// What is remembered over a restart.
#[derive(Debug, Default)]
pub struct Remembered {
    /// The state of every check that has one.
    pub states: Vec<(CheckId, CheckState)>,
    /// Open incidents, and those resolved lately enough to reopen.
    pub incidents: Vec<Incident>,
}

/// A change of one incident, with all it owes.
#[derive(Debug, Clone)]
pub struct Change {
    /// What changed; none for a reminder.
    pub transition: Option<Transition>,
    /// The incident after it.
    pub incident: Incident,
    /// What is owed, each with the key it gets if it makes a delivery of its own.
    pub owed: Vec<(String, Owed)>,
    /// Why nobody is told.
    pub silence: Option<&'static str>,
}

/// What is written together, in one durable transaction.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Runs for the history.
    pub runs: Vec<RunRecord>,
    /// Runs that were due and did not happen, because the one before still ran.
    pub late: Vec<(CheckId, Timestamp)>,
    /// The latest state of each check that ran.
    pub states: Vec<(CheckId, CheckState)>,
    /// Checks that are no longer watched.
    pub forgotten: Vec<CheckId>,
    /// Changes of incidents.
    pub changes: Vec<Change>,
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
            && self.changes.is_empty()
    }
}

/// A delivery as pages and scripts see it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DeliveryRow {
    /// Stays the same over repeats.
    pub key: String,
    /// To whom.
    pub channel: String,
    /// By which route.
    pub route: String,
    /// Where it stands.
    pub status: String,
    /// Not before this.
    pub due: Timestamp,
    /// When it was first owed.
    pub created: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What the channel said last, unless it took it.
    pub last_error: Option<String>,
    /// Which incidents it tells of.
    pub incidents: Vec<IncidentId>,
}

/// A run as the history keeps it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ResultRow {
    /// The check.
    pub check: CheckId,
    /// The run.
    pub run: String,
    /// When it started.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// `ok`, `warning`, `unknown`, `critical`, or `late`: not run.
    pub level: String,
    /// The worst reason in one line.
    pub headline: String,
    /// How often the target was asked.
    pub attempts: u32,
    /// Name → number with its unit.
    pub measured: serde_json::Value,
    /// Outcome and verdict, unless all was well.
    pub detail: Option<serde_json::Value>,
}

/// A transition as the history keeps it, with why nobody was told.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TransitionRow {
    /// What changed.
    pub transition: Transition,
    /// Why nobody was told, if nobody was.
    pub silence: Option<String>,
}

/// How long what is kept. Runs and what has been told are counted from when they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Runs before this go.
    pub results: Timestamp,
    /// Resolved incidents, and settled deliveries, before this go.
    pub incidents: Timestamp,
}

/// Keeps everything that must survive.
#[async_trait]
pub trait Store: Send + Sync {
    /// What must be known before the first run. `reopens_since`: incidents resolved after
    /// this are remembered too.
    async fn remember(&self, reopens_since: Timestamp) -> Result<Remembered, StoreError>;

    /// Writes a batch, wholly or not at all. What is owed joins a delivery of the same
    /// channel and group that no sender has touched yet, or makes a new one.
    async fn record(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Claims the next delivery that is due on a channel, until `lease`. A delivery waits
    /// while an earlier one on the channel about the same incident is not settled.
    async fn claim(
        &self,
        channel: &ChannelName,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<Delivery>, StoreError>;

    /// When something may next be claimed on a channel; none when nothing is owed.
    async fn next_due(&self, channel: &ChannelName) -> Result<Option<Timestamp>, StoreError>;

    /// Which of these incidents the channel has been told of, by a message that it took.
    async fn has_heard(&self, channel: &ChannelName, incident: &IncidentId) -> Result<bool, StoreError>;

    /// Records one attempt. After [`AttemptResult::Retry`] the delivery waits until `next`,
    /// or is dead when there is none.
    async fn settle(
        &self,
        key: &str,
        at: Timestamp,
        result: &AttemptResult,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// Marks a delivery as not needed.
    async fn drop_delivery(&self, key: &str, at: Timestamp, why: &str) -> Result<(), StoreError>;

    /// Takes back the leases of senders that are gone: nobody else sends from this store.
    async fn release_leases(&self) -> Result<u64, StoreError>;

    /// Incidents, the newest first.
    async fn incidents(&self, open_only: bool, limit: u32) -> Result<Vec<Incident>, StoreError>;

    /// One incident.
    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError>;

    /// What happened in an incident, in order.
    async fn transitions(&self, id: &IncidentId) -> Result<Vec<TransitionRow>, StoreError>;

    /// Deliveries, the newest first; of one incident or of all.
    async fn deliveries(
        &self,
        incident: Option<&IncidentId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError>;

    /// A check's runs, the newest first.
    async fn results(&self, check: &CheckId, limit: u32) -> Result<Vec<ResultRow>, StoreError>;

    /// How many deliveries are owed and how many are dead.
    async fn delivery_counts(&self) -> Result<(u64, u64), StoreError>;

    /// Removes what is older than the horizon, in small pieces. Returns how many rows.
    async fn prune(&self, horizon: Horizon) -> Result<u64, StoreError>;

    /// Finishes writing and closes.
    async fn close(&self);
}
