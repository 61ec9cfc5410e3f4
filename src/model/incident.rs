//! Incidents and what changes in them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ChannelName, CheckId, Level, Timestamp, Verdict};

/// An incident's name, short enough to be typed: ten characters of Crockford's base 32.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub String);

impl IncidentId {
    /// Makes an id from 50 bits of `entropy`.
    #[must_use]
    pub fn from_entropy(entropy: u64) -> Self {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        Self(
            (0..10)
                .map(|place| DIGITS[(entropy >> (place * 5) & 31) as usize] as char)
                .collect(),
        )
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// A worse level than ok is believed for the first time.
    Opened,
    /// The same problem came back within five minutes of resolving.
    Reopened,
    /// A worse level than before is believed.
    Worsened,
    /// A better level than before, but not ok.
    Improved,
    /// All is well again.
    Resolved,
    /// The check was removed or disabled while its incident was open; nobody is told.
    Closed,
}

impl TransitionKind {
    /// The word used in API and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reopened => "reopened",
            Self::Worsened => "worsened",
            Self::Improved => "improved",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }
}

/// A change in one check's incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Whose.
    pub incident: IncidentId,
    /// Of which check.
    pub check: CheckId,
    /// What changed.
    pub kind: TransitionKind,
    /// The level before.
    pub from: Level,
    /// The level now.
    pub to: Level,
    /// When it was believed.
    pub at: Timestamp,
    /// When the incident opened.
    pub opened: Timestamp,
    /// What the deciding run meant.
    pub verdict: Verdict,
}

/// What a channel has been told of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The worst level it was told.
    pub worst: Level,
    /// By which route.
    pub route: String,
    /// In which group of that route.
    pub group_key: String,
    /// When the latest message is due, or went.
    pub at: Timestamp,
}

/// One problem of one check, from the first believed failure to the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// Whose problem it is.
    pub check: CheckId,
    /// How bad it is now; ok once it is over.
    pub level: Level,
    /// The worst it has been.
    pub worst: Level,
    /// When it was first believed.
    pub opened: Timestamp,
    /// When it was over.
    pub resolved: Option<Timestamp>,
    /// What broke, in one line, as of the latest change.
    pub headline: String,
    /// The ledger: who was told.
    pub heard: BTreeMap<ChannelName, Heard>,
}
