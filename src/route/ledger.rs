//! Who has heard of which incident, and what is to be done about it later.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Policy, matching::routes_at_some_time};
use crate::model::{ChannelName, Check, CheckId, Heard, Incident, IncidentId, Labels, Level, Timestamp};

/// Something to be done about an incident at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Todo {
    /// See whether what holds it back has ended.
    Reconsider,
    /// Tell a channel that it still goes on.
    Remind(ChannelName),
    /// Take the next escalation step of a route.
    Escalate(String),
}

/// Open incidents, and those that may reopen.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    incidents: BTreeMap<IncidentId, Incident>,
    open_of: HashMap<CheckId, IncidentId>,
    /// Which open incidents a channel was told of under a group key.
    groups: HashMap<(ChannelName, String), BTreeSet<IncidentId>>,
    agenda: BTreeSet<(Timestamp, IncidentId, Todo)>,
    /// The same by incident, so that its entries can be taken back without a search.
    agenda_of: HashMap<IncidentId, Vec<(Timestamp, Todo)>>,
}

impl Ledger {
    /// An incident that is open or was lately.
    #[must_use]
    pub fn get(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id)
    }

    /// The open incident of a check.
    #[must_use]
    pub fn open_of(&self, check: &CheckId) -> Option<&Incident> {
        self.incidents.get(self.open_of.get(check)?)
    }

    /// Every open incident.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open_of.values().filter_map(|id| self.incidents.get(id))
    }

    /// Every incident, the ones that are over too.
    pub fn all(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// Takes in an incident as it is now. While it is held back, `again` is when that should
    /// be looked at; reminders and escalations wait for it too.
    pub fn put(&mut self, incident: Incident, check: &Check, policy: &Policy, again: Option<Timestamp>) {
        self.forget(&incident.id);
        if incident.is_open() {
            self.open_of.insert(incident.check.clone(), incident.id.clone());
            for (channel, heard) in told(&incident) {
                self.groups
                    .entry((channel.clone(), heard.group_key.clone()))
                    .or_default()
                    .insert(incident.id.clone());
            }
            let entries = agenda(&incident, check, policy, again);
            for (at, todo) in &entries {
                self.agenda.insert((*at, incident.id.clone(), todo.clone()));
            }
            self.agenda_of.insert(incident.id.clone(), entries);
        }
        self.incidents.insert(incident.id.clone(), incident);
    }

    fn forget(&mut self, id: &IncidentId) {
        for (at, todo) in self.agenda_of.remove(id).unwrap_or_default() {
            self.agenda.remove(&(at, id.clone(), todo));
        }
        let Some(known) = self.incidents.get(id) else {
            return;
        };
        if self.open_of.get(&known.check) == Some(id) {
            self.open_of.remove(&known.check);
        }
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

    /// When there is something to be done next.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(at, _, _)| *at)
    }

    /// What is to be done by now.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<(IncidentId, Todo)> {
        self.agenda
            .iter()
            .take_while(|(at, _, _)| *at <= now)
            .map(|(_, id, todo)| (id.clone(), todo.clone()))
            .collect()
    }

    /// What a channel was told latest, and worst, under a group key of other incidents that
    /// still go on.
    #[must_use]
    pub fn told_in_group(
        &self,
        channel: &ChannelName,
        group_key: &str,
        except: &IncidentId,
    ) -> Option<(Timestamp, Level)> {
        let members = self.groups.get(&(channel.clone(), group_key.to_owned()))?;
        members
            .iter()
            .filter(|id| *id != except)
            .filter_map(|id| self.incidents.get(id)?.heard.get(channel))
            .map(|heard| (heard.at, heard.told))
            .reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
    }

    /// Drops what is over and can no longer reopen.
    pub fn prune(&mut self, resolved_before: Timestamp) {
        self.incidents
            .retain(|_, incident| incident.resolved.is_none_or(|at| at >= resolved_before));
    }
}

fn told(incident: &Incident) -> impl Iterator<Item = (&ChannelName, &Heard)> {
    incident.heard.iter().filter(|(_, heard)| heard.told != Level::Ok)
}

/// Only the routes that the incident is on now remind and escalate, not those it has left;
/// and none once somebody takes care of it.
fn agenda(
    incident: &Incident,
    check: &Check,
    policy: &Policy,
    again: Option<Timestamp>,
) -> Vec<(Timestamp, Todo)> {
    let mut entries: Vec<(Timestamp, Todo)> = again.map(|at| (at, Todo::Reconsider)).into_iter().collect();
    if incident.acknowledged.is_some() {
        return entries;
    }
    let not_before = |at: Timestamp| again.map_or(at, |again| at.max(again));
    let labels = Labels {
        check,
        level: incident.level,
        now: incident.opened,
    };
    for route in routes_at_some_time(&policy.routes, labels) {
        let Some(on) = incident.routes.iter().find(|on| on.route == route.name) else {
            continue;
        };
        if let Some(step) = route.escalate.get(on.steps) {
            entries.push((
                not_before(on.since + step.after),
                Todo::Escalate(route.name.clone()),
            ));
        }
        if let Some(repeat) = route.repeat_every {
            for (channel, _) in told(incident).filter(|(_, heard)| heard.route == route.name) {
                let at = incident.heard[channel].at + repeat;
                entries.push((not_before(at), Todo::Remind(channel.clone())));
            }
        }
    }
    entries
}
