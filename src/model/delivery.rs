//! Messages owed to channels.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CheckId, IncidentId, Level, Timestamp, TransitionKind};

/// A channel's name, as `channels:` defines it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelName(pub Arc<str>);

impl ChannelName {
    /// The channel that heartbeats go to.
    #[must_use]
    pub fn watchdog() -> Self {
        Self("haetae/watchdog".into())
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a channel is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Something has changed.
    #[default]
    News,
    /// It still goes on.
    Reminder,
    /// It still goes on, and nobody has taken care of it.
    Escalation,
    /// Something was done about it.
    Note,
    /// haetae itself is alive; tells nothing of an incident.
    Heartbeat,
}

/// How the news of a delivery is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A paragraph per incident.
    #[default]
    Changes,
    /// What came together since the last summary.
    Digest,
    /// Many at once: how many, the worst, what they have in common.
    Storm,
    /// The same, at its end.
    StormEnd,
}

impl Form {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Digest => "digest",
            Self::Storm => "storm",
            Self::StormEnd => "storm_end",
        }
    }

    /// The form of this word; plain changes for any other.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "digest" => Self::Digest,
            "storm" => Self::Storm,
            "storm_end" => Self::StormEnd,
            _ => Self::Changes,
        }
    }
}

/// One change of one incident, with all that a message about it needs. It is written down
/// with the change, so that a repeat after a crash says the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The incident.
    pub incident: IncidentId,
    /// The check's id.
    pub check: CheckId,
    /// The check's name for people.
    pub name: String,
    /// What stops working.
    pub description: Option<String>,
    /// Who looks after it.
    pub owner: Option<String>,
    /// Where to read what to do.
    pub runbook: Option<String>,
    /// What changed; none for a reminder.
    pub change: Option<TransitionKind>,
    /// The level before the change.
    pub from: Level,
    /// The level now.
    pub level: Level,
    /// When.
    pub at: Timestamp,
    /// When the incident opened.
    pub opened: Timestamp,
    /// Why, the worst first, a line each.
    pub reasons: Vec<String>,
    /// The few facts worth reading on a phone: address, step, status.
    pub facts: Vec<(String, String)>,
    /// Why it is told.
    #[serde(default)]
    pub purpose: Purpose,
    /// The check's kind.
    #[serde(default)]
    pub kind: String,
    /// The check's tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The host that the check asks; empty when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// One more line: what held it back until now, what an action did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether the check is flapping.
    #[serde(default)]
    pub flapping: bool,
    /// Who takes care of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// The latest screenshot, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screenshot: Option<PathBuf>,
}

/// News that one channel is owed.
#[derive(Debug, Clone, PartialEq)]
pub struct Owed {
    /// To whom.
    pub channel: ChannelName,
    /// By which route.
    pub route: String,
    /// What it is told together with.
    pub group_key: String,
    /// Not before this.
    pub due: Timestamp,
    /// How it is put together with the rest of its group.
    pub form: Form,
    /// What is told.
    pub notice: Notice,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// To be sent when due.
    Waiting,
    /// A sender has it under a lease.
    Claimed,
    /// The channel took it.
    Sent,
    /// Given up.
    Dead,
    /// Not needed: it only says that something is over of which the channel never heard.
    Dropped,
}

impl DeliveryStatus {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}

/// One message owed to one channel. It exists in the store before anyone tries to send it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Stays the same over repeats.
    pub key: String,
    /// To whom.
    pub channel: ChannelName,
    /// By which route.
    pub route: String,
    /// What is told together; a delivery that no sender has touched takes further news of
    /// its group.
    pub group_key: String,
    /// Not before this.
    pub due: Timestamp,
    /// When it was first owed.
    pub created: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// How its news is put together.
    pub form: Form,
    /// Whether the channel's fallback has been told instead.
    pub fell_back: bool,
    /// What it says, oldest first.
    pub notices: Vec<Notice>,
}

/// What a channel is handed to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The delivery's key, the same over repeats.
    pub key: String,
    /// How its news is put together.
    pub form: Form,
    /// The language it is written in.
    pub language: Language,
    /// What it says, oldest first; never empty.
    pub notices: Vec<Notice>,
    /// Where pages of haetae are, for links; none when no address is known.
    pub public_url: Option<String>,
}

/// The language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

/// How one attempt to send ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptResult {
    /// The channel took it.
    Sent,
    /// May pass by itself.
    Retry {
        /// How long the channel asks to wait, when it does.
        after: Option<Duration>,
        /// What the channel said.
        why: String,
    },
    /// Will never be taken.
    Dead {
        /// What the channel said.
        why: String,
    },
}
