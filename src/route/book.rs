//! The ledger of open incidents, and what each transition owes to whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::matching::{Labels, Route, matching_routes};
use crate::model::{
    ChannelName, Check, CheckId, Heard, Incident, IncidentId, Level, Notice, Owed, Timestamp, Transition,
    TransitionKind,
};

/// Why a transition is told to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// No route takes it.
    NoRoute,
    /// The route that takes it says `to: []`.
    ToNobody,
    /// It gets better, and nobody had heard that it was worse.
    NobodyHeard,
    /// The check is no longer watched.
    NoLongerWatched,
}

impl Silence {
    /// The words stored with the transition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRoute => "no route takes it",
            Self::ToNobody => "its route says `to: []`",
            Self::NobodyHeard => "no channel had heard of it",
            Self::NoLongerWatched => "the check is no longer watched",
        }
    }
}

/// What a transition comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// The incident after it, with its ledger.
    pub incident: Incident,
    /// What is owed; empty when there is a reason for silence.
    pub owed: Vec<Owed>,
    /// Why nobody is told.
    pub silence: Option<Silence>,
}

/// Open incidents and those that may reopen, with who has heard of them.
#[derive(Debug, Clone, Default)]
pub struct Book {
    incidents: BTreeMap<IncidentId, Incident>,
    /// Which open incidents a channel was told of under a group key.
    groups: HashMap<(ChannelName, String), BTreeSet<IncidentId>>,
    /// When which incident is due to be told again.
    reminders: BTreeSet<(Timestamp, IncidentId, ChannelName)>,
    /// The same reminders by incident, so that one can be taken back without a search.
    reminders_of: HashMap<IncidentId, Vec<(Timestamp, ChannelName)>>,
}

impl Book {
    /// Takes up an incident from the store.
    pub fn restore(&mut self, incident: Incident, check: Option<&Check>, routes: &[Route]) {
        if incident.resolved.is_none() {
            self.index(&incident);
            if let Some(check) = check {
                self.remind(&incident, check, routes);
            }
        }
        self.incidents.insert(incident.id.clone(), incident);
    }

    /// An incident that is open or was lately.
    #[must_use]
    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id)
    }

    /// Every open incident, oldest id first.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents
            .values()
            .filter(|incident| incident.resolved.is_none())
    }

    /// When the next reminder is due.
    #[must_use]
    pub fn next_reminder(&self) -> Option<Timestamp> {
        self.reminders.first().map(|(due, _, _)| *due)
    }

    /// What a transition owes to whom. The book itself is left as it is, so that a store
    /// that fails leaves no trace; [`Book::commit`] takes the result in.
    #[must_use]
    pub fn plan(
        &self,
        transition: &Transition,
        check: &Check,
        routes: &[Route],
        facts: &[(String, String)],
    ) -> Telling {
        let mut incident = self.after(transition);
        let notice = notice_of(transition, check, facts);
        let labels = Labels {
            check,
            level: transition.to,
        };
        let (owed, silence) = match transition.kind {
            TransitionKind::Closed => (Vec::new(), Some(Silence::NoLongerWatched)),
            TransitionKind::Opened | TransitionKind::Reopened | TransitionKind::Worsened => {
                self.news_of_worse(&mut incident, labels, routes, &notice)
            }
            TransitionKind::Improved | TransitionKind::Resolved => {
                self.news_of_better(&mut incident, transition, routes, &notice)
            }
        };
        Telling {
            incident,
            owed,
            silence,
        }
    }

    /// The incident as the transition leaves it, before anybody is told.
    fn after(&self, transition: &Transition) -> Incident {
        let known = self.incidents.get(&transition.incident);
        let mut incident = known.cloned().unwrap_or_else(|| Incident {
            id: transition.incident.clone(),
            check: transition.check.clone(),
            level: transition.to,
            worst: transition.to,
            opened: transition.opened,
            resolved: None,
            headline: String::new(),
            heard: BTreeMap::new(),
        });
        incident.level = transition.to;
        incident.worst = incident.worst.max(transition.to);
        incident.resolved = (transition.to == Level::Ok).then_some(transition.at);
        if transition.to != Level::Ok {
            incident.headline = transition.verdict.headline();
        }
        incident
    }

    /// Opened and worsened go where the new level routes.
    fn news_of_worse(
        &self,
        incident: &mut Incident,
        labels: Labels<'_>,
        routes: &[Route],
        notice: &Notice,
    ) -> (Vec<Owed>, Option<Silence>) {
        let taken = matching_routes(routes, labels);
        if taken.is_empty() {
            return (Vec::new(), Some(Silence::NoRoute));
        }
        let mut owed: Vec<Owed> = Vec::new();
        for route in taken {
            let group_key = route.group_key(labels);
            for channel in &route.to {
                if owed.iter().any(|other| other.channel == *channel) {
                    continue;
                }
                let due = self.due(channel, &group_key, route, &incident.id, labels.level, notice.at);
                let heard = Heard {
                    worst: incident
                        .heard
                        .get(channel)
                        .map_or(labels.level, |heard| heard.worst.max(labels.level)),
                    route: route.name.clone(),
                    group_key: group_key.clone(),
                    at: due,
                };
                incident.heard.insert(channel.clone(), heard);
                owed.push(Owed {
                    channel: channel.clone(),
                    route: route.name.clone(),
                    group_key: group_key.clone(),
                    due,
                    notice: notice.clone(),
                });
            }
        }
        let silence = owed.is_empty().then_some(Silence::ToNobody);
        (owed, silence)
    }

    /// Improved goes to those who heard the worse level, resolved to all who heard.
    fn news_of_better(
        &self,
        incident: &mut Incident,
        transition: &Transition,
        routes: &[Route],
        notice: &Notice,
    ) -> (Vec<Owed>, Option<Silence>) {
        let is_over = transition.kind == TransitionKind::Resolved;
        let mut owed = Vec::new();
        for (channel, heard) in &mut incident.heard {
            if !is_over && heard.worst < transition.from {
                continue;
            }
            let interval = routes.iter().find(|route| route.name == heard.route);
            let due = match interval {
                Some(route) => self.due(
                    channel,
                    &heard.group_key,
                    route,
                    &incident.id,
                    Level::Ok,
                    notice.at,
                ),
                None => notice.at,
            };
            heard.at = due;
            owed.push(Owed {
                channel: channel.clone(),
                route: heard.route.clone(),
                group_key: heard.group_key.clone(),
                due,
                notice: notice.clone(),
            });
        }
        if !is_over {
            // The next worsening is news again for those who now hear that it got better.
            for heard in incident.heard.values_mut() {
                heard.worst = heard.worst.min(transition.to);
            }
        }
        let silence = owed.is_empty().then_some(Silence::NobodyHeard);
        (owed, silence)
    }

    /// A new group waits `group_wait` for company. A group that was told already waits for
    /// its `group_interval`, unless this is worse than all it was told.
    fn due(
        &self,
        channel: &ChannelName,
        group_key: &str,
        route: &Route,
        id: &IncidentId,
        level: Level,
        now: Timestamp,
    ) -> Timestamp {
        let soon = now + route.group_wait;
        let told: Vec<&Heard> = self
            .groups
            .get(&(channel.clone(), group_key.to_owned()))
            .into_iter()
            .flatten()
            .filter(|other| *other != id)
            .filter_map(|other| self.incidents.get(other)?.heard.get(channel))
            .collect();
        let latest = told.iter().map(|heard| heard.at).max();
        let worst = told.iter().map(|heard| heard.worst).max();
        match (latest, worst) {
            (Some(latest), Some(worst)) if level <= worst => soon.max(latest + route.group_interval),
            _ => soon,
        }
    }

    /// Takes in what was written to the store.
    pub fn commit(&mut self, telling: &Telling, check: &Check, routes: &[Route]) {
        let incident = &telling.incident;
        self.forget(&incident.id);
        if incident.resolved.is_none() {
            self.index(incident);
            self.remind(incident, check, routes);
        }
        self.incidents.insert(incident.id.clone(), incident.clone());
    }

    /// Reminders that are due, as transitions of nothing: each with the incident's ledger
    /// moved on. [`Book::commit`] takes them in like any other telling.
    #[must_use]
    pub fn due_reminders<'c>(
        &self,
        now: Timestamp,
        check_of: impl Fn(&CheckId) -> Option<&'c Check>,
    ) -> Vec<Telling> {
        let mut tellings: BTreeMap<IncidentId, Telling> = BTreeMap::new();
        for (due, id, channel) in &self.reminders {
            if *due > now {
                break;
            }
            let Some(known) = self.incidents.get(id) else {
                continue;
            };
            let Some(check) = check_of(&known.check) else {
                continue;
            };
            let telling = tellings.entry(id.clone()).or_insert_with(|| Telling {
                incident: known.clone(),
                owed: Vec::new(),
                silence: None,
            });
            let Some(heard) = telling.incident.heard.get_mut(channel) else {
                continue;
            };
            heard.at = now;
            telling.owed.push(Owed {
                channel: channel.clone(),
                route: heard.route.clone(),
                group_key: heard.group_key.clone(),
                due: now,
                notice: reminder_of(known, check, now),
            });
        }
        tellings.into_values().collect()
    }

    /// Ends an incident whose check is no longer watched. Nobody is told.
    pub fn close(&mut self, transition: &Transition) -> Telling {
        let incident = self.after(transition);
        self.forget(&incident.id);
        self.incidents.insert(incident.id.clone(), incident.clone());
        Telling {
            incident,
            owed: Vec::new(),
            silence: Some(Silence::NoLongerWatched),
        }
    }

    /// Plans reminders anew under other routes.
    pub fn reroute<'c>(&mut self, routes: &[Route], check_of: impl Fn(&CheckId) -> Option<&'c Check>) {
        self.reminders.clear();
        self.reminders_of.clear();
        let open: Vec<Incident> = self.open().cloned().collect();
        for incident in open {
            if let Some(check) = check_of(&incident.check) {
                self.remind(&incident, check, routes);
            }
        }
    }

    /// Drops resolved incidents that can no longer reopen.
    pub fn prune(&mut self, resolved_before: Timestamp) {
        self.incidents
            .retain(|_, incident| incident.resolved.is_none_or(|at| at >= resolved_before));
    }

    fn index(&mut self, incident: &Incident) {
        for (channel, heard) in &incident.heard {
            self.groups
                .entry((channel.clone(), heard.group_key.clone()))
                .or_default()
                .insert(incident.id.clone());
        }
    }

    fn remind(&mut self, incident: &Incident, check: &Check, routes: &[Route]) {
        let labels = Labels {
            check,
            level: incident.level,
        };
        for (channel, heard) in &incident.heard {
            // Only the route that the incident is on now reminds, not one it has left.
            let repeat = matching_routes(routes, labels)
                .into_iter()
                .find(|route| route.name == heard.route)
                .and_then(|route| route.repeat_every);
            if let Some(repeat) = repeat {
                let due = heard.at + repeat;
                self.reminders.insert((due, incident.id.clone(), channel.clone()));
                self.reminders_of
                    .entry(incident.id.clone())
                    .or_default()
                    .push((due, channel.clone()));
            }
        }
    }

    fn forget(&mut self, id: &IncidentId) {
        for (due, channel) in self.reminders_of.remove(id).unwrap_or_default() {
            self.reminders.remove(&(due, id.clone(), channel));
        }
        if let Some(known) = self.incidents.get(id) {
            for (channel, heard) in &known.heard {
                let key = (channel.clone(), heard.group_key.clone());
                if let Some(members) = self.groups.get_mut(&key) {
                    members.remove(id);
                    if members.is_empty() {
                        self.groups.remove(&key);
                    }
                }
            }
        }
    }
}

fn notice_of(transition: &Transition, check: &Check, facts: &[(String, String)]) -> Notice {
    Notice {
        incident: transition.incident.clone(),
        check: check.id.clone(),
        name: check.name.clone(),
        description: check.description.clone(),
        owner: check.owner.clone(),
        runbook: check.runbook.clone(),
        change: Some(transition.kind),
        from: transition.from,
        level: transition.to,
        at: transition.at,
        opened: transition.opened,
        reasons: transition
            .verdict
            .reasons
            .iter()
            .map(|(_, reason)| reason.to_string())
            .collect(),
        facts: facts.to_vec(),
    }
}

fn reminder_of(incident: &Incident, check: &Check, now: Timestamp) -> Notice {
    Notice {
        incident: incident.id.clone(),
        check: check.id.clone(),
        name: check.name.clone(),
        description: check.description.clone(),
        owner: check.owner.clone(),
        runbook: check.runbook.clone(),
        change: None,
        from: incident.level,
        level: incident.level,
        at: now,
        opened: incident.opened,
        reasons: vec![incident.headline.clone()],
        facts: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
