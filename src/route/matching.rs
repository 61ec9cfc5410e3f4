//! Routes and what they match.

use std::time::Duration;

use crate::model::{ChannelName, Check, Glob, Level, is_in_group};

/// What routes can see of an incident.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// The check.
    pub check: &'a Check,
    /// The level it is at.
    pub level: Level,
}

/// Conditions that must all hold; an empty one holds for everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matcher {
    /// Any of these levels.
    pub levels: Vec<Level>,
    /// Any of these patterns over ids.
    pub checks: Vec<Glob>,
    /// Any of these groups or their subgroups.
    pub groups: Vec<String>,
    /// All of these tags.
    pub tags: Vec<String>,
    /// Any of these kinds.
    pub kinds: Vec<String>,
    /// Any of these owners.
    pub owners: Vec<String>,
}

impl Matcher {
    /// Whether every condition holds.
    #[must_use]
    pub fn matches(&self, labels: Labels<'_>) -> bool {
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
}

/// What is told together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The folder.
    Group,
    /// Each check by itself.
    Check,
    /// The level.
    Level,
    /// The owner.
    Owner,
    /// The kind.
    Kind,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// For people and for `explain`.
    pub name: String,
    /// What it takes.
    pub matcher: Matcher,
    /// Who is told; empty means nobody, on purpose.
    pub to: Vec<ChannelName>,
    /// What is told together.
    pub group_by: Vec<GroupBy>,
    /// How long a new group waits for company.
    pub group_wait: Duration,
    /// How long a group that has been told waits before it is told more.
    pub group_interval: Duration,
    /// How often an open incident is told again; never without.
    pub repeat_every: Option<Duration>,
    /// Whether later routes may match as well.
    pub goes_on: bool,
}

impl Route {
    /// What this incident is told together with: equal keys go into one message.
    #[must_use]
    pub fn group_key(&self, labels: Labels<'_>) -> String {
        let check = labels.check;
        let mut key = self.name.clone();
        for by in &self.group_by {
            key.push('|');
            key.push_str(match by {
                GroupBy::Group => check.group(),
                GroupBy::Check => check.id.as_str(),
                GroupBy::Level => labels.level.as_str(),
                GroupBy::Owner => check.owner.as_deref().unwrap_or_default(),
                GroupBy::Kind => check.kind,
            });
        }
        key
    }
}

/// The routes that take an incident at this level, in order: the first match, and those
/// after it while each says `continue`. Unknown goes where warnings go when no route takes it.
#[must_use]
pub fn matching_routes<'r>(routes: &'r [Route], labels: Labels<'_>) -> Vec<&'r Route> {
    let taken = take(routes, labels);
    if taken.is_empty() && labels.level == Level::Unknown {
        let as_warning = Labels {
            level: Level::Warning,
            ..labels
        };
        return take(routes, as_warning);
    }
    taken
}

fn take<'r>(routes: &'r [Route], labels: Labels<'_>) -> Vec<&'r Route> {
    let mut taken = Vec::new();
    for route in routes {
        if route.matcher.matches(labels) {
            taken.push(route);
            if !route.goes_on {
                break;
            }
        }
    }
    taken
}
