//! The store in domain verbs.
//!
//! Invariants: a change of state is written at once, durably, together with what it owes to
//! whom; a message exists here before anyone tries to send it.

mod access;
#[cfg(test)]
mod contract;
mod sqlite;

use async_trait::async_trait;

use crate::alert::{Batch, CheckState};
use crate::judge::HourMean;
use crate::model::{
    AttemptResult, ChannelName, CheckId, Delivery, Incident, IncidentId, Ping, Pings, Quiet, TimelineEntry,
    Timestamp, Transition, TriggerTag,
};

pub use access::{AccessStore, IncidentFilter, OperationKind, OperationRow, Page};
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
    /// Silences and deployments that have not ended.
    pub quiets: Vec<Quiet>,
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
    /// What it is told together with.
    pub group_key: String,
    /// How its news is put together: `changes`, `digest`, `storm`.
    pub form: String,
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
    /// When it was sent, given up or dropped.
    pub settled: Option<Timestamp>,
    /// Which incidents it tells of.
    pub incidents: Vec<IncidentId>,
}

/// One attempt to send a delivery.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AttemptRow {
    /// When.
    pub at: Timestamp,
    /// `sent`, `retry`, `dead`
    pub result: String,
    /// What the channel said; empty when it took it.
    pub said: String,
}

/// How a channel fares.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ChannelRow {
    /// Its name.
    pub channel: String,
    /// Messages that are still to be sent.
    pub owed: u64,
    /// Messages that were given up.
    pub dead: u64,
    /// When the oldest that is still to be sent was first owed.
    pub oldest_owed: Option<Timestamp>,
    /// When a message was last taken.
    pub last_sent: Option<Timestamp>,
    /// What the channel said to the message that has waited longest after an attempt.
    pub last_error: Option<String>,
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
    /// Who asked for it, and what for; none when it was due.
    pub triggered: Option<TriggerTag>,
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
    /// The audit log before this goes.
    pub audit: Timestamp,
}

/// Keeps everything that must survive.
#[async_trait]
pub trait Store: AccessStore {
    /// What must be known before the first run. `reopens_since`: incidents resolved after
    /// this are remembered too.
    async fn remember(&self, reopens_since: Timestamp) -> Result<Remembered, StoreError>;

    /// Writes a batch, wholly or not at all. What is owed joins a delivery of the same
    /// channel and group that no sender has touched yet, or makes a new one. What is owed
    /// under one of the keys in `sent` has left already, from memory.
    async fn record(&self, batch: &Batch, sent: &[String]) -> Result<(), StoreError>;

    /// Claims the earliest delivery that is due on a channel, until `lease`. A delivery waits
    /// while an earlier one on the channel about the same incident is not settled, and all
    /// wait while one that the channel did not take waits for its next attempt: what comes
    /// late comes in order. One that was tried too often holds up no other any more.
    async fn claim(
        &self,
        channel: &ChannelName,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<Delivery>, StoreError>;

    /// When something may next be claimed on a channel; none when nothing is owed.
    async fn next_due(&self, channel: &ChannelName) -> Result<Option<Timestamp>, StoreError>;

    /// Notes that a delivery says nothing of these incidents any more.
    async fn leave_out(&self, key: &str, incidents: &[IncidentId]) -> Result<(), StoreError>;

    /// Whether the channel has been told of an incident, by a message that it took.
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

    /// Takes given-up deliveries up again: the one of this key, or all. Returns how many.
    async fn resend(&self, key: Option<&str>, now: Timestamp) -> Result<u64, StoreError>;

    /// What a channel remembers of a topic.
    async fn receipt(
        &self,
        channel: &ChannelName,
        topic: &str,
    ) -> Result<Option<serde_json::Value>, StoreError>;

    /// Has a channel remember something of a topic.
    async fn keep_receipt(
        &self,
        channel: &ChannelName,
        topic: &str,
        receipt: &serde_json::Value,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Takes a job's call: what is known of the job then. `job` is its token's digest.
    async fn ping(&self, job: &str, ping: &Ping) -> Result<Pings, StoreError>;

    /// What is known of every job that ever called.
    async fn heartbeats(&self) -> Result<Vec<(String, Pings)>, StoreError>;

    /// Takes back the leases of senders that are gone: nobody else sends from this store.
    async fn release_leases(&self) -> Result<u64, StoreError>;

    /// Incidents, the newest first.
    async fn incidents(&self, open_only: bool, limit: u32) -> Result<Vec<Incident>, StoreError>;

    /// One incident.
    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError>;

    /// What happened in an incident, in order.
    async fn transitions(&self, id: &IncidentId) -> Result<Vec<TransitionRow>, StoreError>;

    /// What else happened to an incident, in order.
    async fn timeline(&self, id: &IncidentId) -> Result<Vec<TimelineEntry>, StoreError>;

    /// The latest incidents of a check, the newest first.
    async fn incidents_of(&self, check: &CheckId, limit: u32) -> Result<Vec<Incident>, StoreError>;

    /// Silences and deployments, the latest to end first; ended ones too when asked for.
    async fn quiets(&self, now: Timestamp, ended_too: bool, limit: u32) -> Result<Vec<Quiet>, StoreError>;

    /// The attempts to send a delivery, in order.
    async fn attempts(&self, key: &str) -> Result<Vec<AttemptRow>, StoreError>;

    /// How every channel fares that was ever owed anything.
    async fn channels(&self) -> Result<Vec<ChannelRow>, StoreError>;

    /// Deliveries, the newest first; of one incident or of all.
    async fn deliveries(
        &self,
        incident: Option<&IncidentId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError>;

    /// A check's runs, the newest first.
    async fn results(&self, check: &CheckId, limit: u32) -> Result<Vec<ResultRow>, StoreError>;

    /// Hour by hour, what a check measured since then: the measurement of this name and those
    /// of its subjects (`name.…`).
    async fn hours(
        &self,
        check: &CheckId,
        measurement: &str,
        since: Timestamp,
    ) -> Result<Vec<HourMean>, StoreError>;

    /// Every value that a check measured since then, the oldest first: the measurement of
    /// this name and those of its subjects.
    async fn values(
        &self,
        check: &CheckId,
        measurement: &str,
        since: Timestamp,
    ) -> Result<Vec<(String, Timestamp, f64)>, StoreError>;

    /// How many deliveries are owed and how many are dead.
    async fn delivery_counts(&self) -> Result<(u64, u64), StoreError>;

    /// Removes what is older than the horizon, in small pieces. Returns how many rows.
    async fn prune(&self, horizon: Horizon) -> Result<u64, StoreError>;

    /// Finishes writing and closes.
    async fn close(&self);
}
