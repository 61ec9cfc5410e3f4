//! Incidents and what changes in them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

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
    /// It changes all the time, and keeps its level.
    FlappingBegan,
    /// It has calmed, and keeps its level.
    FlappingEnded,
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
            Self::FlappingBegan => "flapping_began",
            Self::FlappingEnded => "flapping_ended",
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
    /// Whether the check is flapping from now on.
    #[serde(default)]
    pub flapping: bool,
}

/// What a channel has been told of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The level it was told last; ok once it was told the end.
    #[serde(alias = "worst")]
    pub told: Level,
    /// By which route.
    pub route: String,
    /// In which group of that route.
    pub group_key: String,
    /// When the latest message is due, or went.
    pub at: Timestamp,
}

/// Why an incident, as it is now, is told to nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Suppression {
    /// A planned time in which it is not told.
    Maintenance {
        /// Which.
        name: String,
    },
    /// Somebody wants to hear nothing of it.
    Silence {
        /// Which silence.
        id: String,
        /// Who made it.
        by: String,
        /// What for.
        reason: String,
    },
    /// Something is being released.
    Deployment {
        /// Which quiet time.
        id: String,
        /// What is released.
        reason: String,
    },
    /// What it depends on is down.
    Dependency {
        /// The check it depends on.
        on: CheckId,
    },
    /// Another incident says it all.
    Inhibited {
        /// That incident's check.
        by: CheckId,
    },
    /// It changes all the time.
    Flapping,
    /// The route that takes it does so at other hours.
    OutsideHours {
        /// Which hours.
        hours: String,
    },
    /// Those whom it concerns know it already, at this level or a worse one.
    AlreadyTold,
    /// No route takes it.
    NoRoute,
    /// The route that takes it says `to: []`.
    ToNobody,
    /// It is over, and nobody had heard that it had begun.
    NobodyHeard,
    /// The check is no longer watched.
    NoLongerWatched,
}

impl Suppression {
    /// Every word that there is.
    pub const WORDS: [&'static str; 12] = [
        "maintenance",
        "silence",
        "deployment",
        "dependency",
        "inhibited",
        "flapping",
        "outside_hours",
        "already_told",
        "no_route",
        "to_nobody",
        "nobody_heard",
        "no_longer_watched",
    ];

    /// One word of [`Self::WORDS`], for metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Maintenance { .. } => "maintenance",
            Self::Silence { .. } => "silence",
            Self::Deployment { .. } => "deployment",
            Self::Dependency { .. } => "dependency",
            Self::Inhibited { .. } => "inhibited",
            Self::Flapping => "flapping",
            Self::OutsideHours { .. } => "outside_hours",
            Self::AlreadyTold => "already_told",
            Self::NoRoute => "no_route",
            Self::ToNobody => "to_nobody",
            Self::NobodyHeard => "nobody_heard",
            Self::NoLongerWatched => "no_longer_watched",
        }
    }
}

/// One line for people.
impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Maintenance { name } => write!(f, "in maintenance: {name}"),
            Self::Silence { id, by, reason } => write!(f, "silenced by {by}: {reason} (silence {id})"),
            Self::Deployment { reason, .. } => write!(f, "quiet during a deployment: {reason}"),
            Self::Dependency { on } => write!(f, "`{on}`, which it depends on, is down"),
            Self::Inhibited { by } => write!(f, "inhibited by the incident of `{by}`"),
            Self::Flapping => f.write_str("it is flapping"),
            Self::OutsideHours { hours } => write!(f, "its route takes it only during `{hours}`"),
            Self::AlreadyTold => f.write_str("those it concerns know it at this level or a worse one"),
            Self::NoRoute => f.write_str("no route takes it"),
            Self::ToNobody => f.write_str("its route says `to: []`"),
            Self::NobodyHeard => f.write_str("no channel had heard of it"),
            Self::NoLongerWatched => f.write_str("the check is no longer watched"),
        }
    }
}

/// Somebody takes care of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// How bad it was then; a worse level ends it.
    pub level: Level,
    /// What they say; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What people made of an incident, for the noise report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkedAs {
    /// Nothing was wrong.
    False,
    /// Somebody had to do something.
    Actioned,
    /// It was known, and nothing had to be done.
    Known,
}

impl MarkedAs {
    /// Every mark with its word.
    pub const ALL: [(&'static str, Self); 3] = [
        ("false", Self::False),
        ("actioned", Self::Actioned),
        ("known", Self::Known),
    ];

    /// The word used in CLI and API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::Actioned => "actioned",
            Self::Known => "known",
        }
    }
}

/// A mark on an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// What it was.
    #[serde(rename = "as")]
    pub verdict: MarkedAs,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A route that an incident is on, and how far it has escalated there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnRoute {
    /// The route's name.
    pub route: String,
    /// When the route first told of it.
    pub since: Timestamp,
    /// How many of its escalation steps have been taken.
    pub steps: usize,
}

/// What an action did about an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionTaken {
    /// By which channel.
    pub channel: ChannelName,
    /// When it ended.
    pub at: Timestamp,
    /// Whether it ran and succeeded.
    pub done: bool,
    /// In one line.
    pub said: String,
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
    /// Why, the worst first, a line each, as of the latest change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The few facts worth reading on a phone, as of the latest change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(String, String)>,
    /// The latest screenshot, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screenshot: Option<PathBuf>,
    /// The ledger: who was told.
    pub heard: BTreeMap<ChannelName, Heard>,
    /// Why the level as it is now was told to nobody, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Suppression>,
    /// Whether its check is flapping.
    #[serde(default)]
    pub flapping: bool,
    /// Who takes care of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// What people made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// The storm it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<String>,
    /// The routes that have told of it at its present level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<OnRoute>,
    /// The latest action about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionTaken>,
}

impl Incident {
    /// An incident that has just opened, of which nobody has heard.
    #[must_use]
    pub fn new(id: IncidentId, check: CheckId, opened: Timestamp) -> Self {
        Self {
            id,
            check,
            level: Level::Ok,
            worst: Level::Ok,
            opened,
            resolved: None,
            headline: String::new(),
            reasons: Vec::new(),
            facts: Vec::new(),
            screenshot: None,
            heard: BTreeMap::new(),
            held: None,
            flapping: false,
            acknowledged: None,
            mark: None,
            storm: None,
            routes: Vec::new(),
            action: None,
        }
    }

    /// Whether it still goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.resolved.is_none()
    }

    /// The worst level that some channel believes it to be at.
    #[must_use]
    pub fn told(&self) -> Level {
        self.heard
            .values()
            .map(|heard| heard.told)
            .max()
            .unwrap_or_default()
    }
}

/// Something that happened to an incident besides its transitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// To which.
    pub incident: IncidentId,
    /// When.
    pub at: Timestamp,
    /// One word: `acknowledged`, `held`, `told`, `storm`, `action_taken` …
    pub what: String,
    /// Who did it; empty for haetae itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// In one line.
    pub text: String,
}
