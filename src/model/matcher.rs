//! What routes, silences, maintenance and inhibition match.

use serde::{Deserialize, Serialize};

use super::{Check, Glob, Hours, Level, Timestamp, is_in_group};

/// What matchers can see of an incident.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// The check.
    pub check: &'a Check,
    /// The level it is at.
    pub level: Level,
    /// Now.
    pub now: Timestamp,
}

/// Conditions that must all hold; an empty one holds for everything. The fields are called
/// as in YAML.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matcher {
    /// Any of these levels.
    #[serde(rename = "level", skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
    /// Any of these patterns over ids.
    #[serde(rename = "check", skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Glob>,
    /// Any of these groups or their subgroups.
    #[serde(rename = "group", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// All of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Any of these kinds.
    #[serde(rename = "kind", skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Any of these owners.
    #[serde(rename = "owner", skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// In any of these hours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub during: Vec<Hours>,
}

impl Matcher {
    /// Whether every condition holds.
    #[must_use]
    pub fn matches(&self, labels: Labels<'_>) -> bool {
        self.is_in_hours(labels.now) && self.matches_at_some_time(labels)
    }

    /// Whether every condition but the hours holds.
    #[must_use]
    pub fn matches_at_some_time(&self, labels: Labels<'_>) -> bool {
        let check = labels.check;
        let any = |list: &[String], holds: &dyn Fn(&str) -> bool| {
            list.is_empty() || list.iter().any(|item| holds(item))
        };
        (self.levels.is_empty() || self.levels.contains(&labels.level))
            && (self.checks.is_empty() || self.checks.iter().any(|glob| glob.matches(check.id.as_str())))
            && any(&self.groups, &|group| is_in_group(check.group(), group))
            && any(&self.kinds, &|kind| kind == check.kind)
            && any(&self.owners, &|owner| check.owner.as_deref() == Some(owner))
            && self.tags.iter().all(|tag| check.tags.contains(tag))
    }

    /// Whether the hours hold.
    #[must_use]
    pub fn is_in_hours(&self, now: Timestamp) -> bool {
        self.during.is_empty() || self.during.iter().any(|hours| hours.holds(now))
    }

    /// When its hours begin next; none without any.
    #[must_use]
    pub fn next_hours(&self, now: Timestamp) -> Option<Timestamp> {
        self.during.iter().filter_map(|hours| hours.next_start(now)).min()
    }

    /// Whether it names no condition at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
