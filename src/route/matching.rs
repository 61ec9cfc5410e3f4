//! Routes and what they match.

use std::time::Duration;

use crate::model::{Calendar, ChannelName, Labels, Level, Matcher};

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
    /// News is held until then and told as one summary.
    pub digest: Option<Calendar>,
    /// Who is told besides while nobody takes care of it, the earliest first.
    pub escalate: Vec<Escalation>,
}

/// One step of an escalation.
#[derive(Debug, Clone, PartialEq)]
pub struct Escalation {
    /// How long after the route first told of the incident.
    pub after: Duration,
    /// Who is told then.
    pub to: Vec<ChannelName>,
}

impl Route {
    /// What this incident is told together with: equal keys go into one message.
    #[must_use]
    pub fn group_key(&self, labels: Labels<'_>) -> String {
        let check = labels.check;
        let mut key = self.name.clone();
        if self.digest.is_some() {
            return key;
        }
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

/// The routes that take an incident at this level now, in order: the first match, and those
/// after it while each says `continue`. Unknown goes where warnings go when no route takes it.
#[must_use]
pub fn matching_routes<'r>(routes: &'r [Route], labels: Labels<'_>) -> Vec<&'r Route> {
    or_as_warning(labels, |labels| {
        take(routes, |route| route.matcher.matches(labels))
    })
}

/// The same, as if it were always in their hours.
#[must_use]
pub fn routes_at_some_time<'r>(routes: &'r [Route], labels: Labels<'_>) -> Vec<&'r Route> {
    or_as_warning(labels, |labels| {
        take(routes, |route| route.matcher.matches_at_some_time(labels))
    })
}

fn or_as_warning<'r>(labels: Labels<'_>, take: impl Fn(Labels<'_>) -> Vec<&'r Route>) -> Vec<&'r Route> {
    let taken = take(labels);
    if taken.is_empty() && labels.level == Level::Unknown {
        return take(Labels {
            level: Level::Warning,
            ..labels
        });
    }
    taken
}

fn take(routes: &[Route], fits: impl Fn(&Route) -> bool) -> Vec<&Route> {
    let mut taken = Vec::new();
    for route in routes {
        if fits(route) {
            taken.push(route);
            if !route.goes_on {
                break;
            }
        }
    }
    taken
}
