//! What time alone brings: reminders, escalations, the ends of suppressions and storms.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::telling::notice;
use crate::alert;
use crate::model::{
    ChannelName, Check, CheckId, Incident, IncidentId, Labels, Level, OnRoute, Owed, Purpose, Suppression,
    Timestamp,
};
use crate::route::{Policy, Todo, routes_at_some_time, suppression};

/// A reminder that is held back by what has no known end is looked at again after this.
const HELD_LOOK: Duration = Duration::from_mins(10);

impl Engine {
    /// When time alone brings something next.
    #[must_use]
    pub fn next_tick(&self) -> Option<Timestamp> {
        [
            self.ledger.next(),
            self.storms.next_look(self.policy.storm),
            self.gaps.next(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what time alone has brought by now.
    pub fn tick(&mut self, now: Timestamp) {
        self.quiets.retain(|quiet| quiet.ends > now);
        for (id, todo) in self.ledger.due(now) {
            match todo {
                Todo::Reconsider => self.reconsider(&id, now),
                Todo::Remind(channel) => self.remind(&id, &channel, now),
                Todo::Escalate(route) => self.escalate(&id, &route, now),
            }
        }
        self.end_storm_if_over(now);
        self.miss_results(now);
    }

    /// What held an incident back may have ended.
    pub(super) fn reconsider(&mut self, id: &IncidentId, now: Timestamp) {
        let Some(incident) = self.ledger.get(id).filter(|incident| incident.is_open()).cloned() else {
            return;
        };
        let by_run_alone = matches!(
            incident.held,
            Some(Suppression::Dependency { .. } | Suppression::Inhibited { .. } | Suppression::Flapping)
        );
        if !by_run_alone {
            self.settle(incident, None, now);
            return;
        }
        // Only its next run can tell.
        if let Some(check) = self.check_of(&incident.check) {
            self.ledger.put(incident, &check, &self.policy, None);
        }
    }

    fn remind(&mut self, id: &IncidentId, channel: &ChannelName, now: Timestamp) {
        let Some((mut incident, check)) = self.open_with_check(id) else {
            return;
        };
        if self.wait_for_quiet(&incident, &check, now) {
            return;
        }
        let Some(heard) = incident.heard.get(channel).cloned() else {
            return;
        };
        let mut said = notice(&incident, &check, None, now);
        said.purpose = Purpose::Reminder;
        let policy = Arc::clone(&self.policy);
        let route = policy.routes.iter().find(|route| route.name == heard.route);
        let owed = self.hear_again(&mut incident, channel, &heard, route, said, now);
        let held = incident.held.clone();
        self.owe(incident, &check, None, vec![owed], held, None);
    }

    fn escalate(&mut self, id: &IncidentId, route_name: &str, now: Timestamp) {
        let Some((mut incident, check)) = self.open_with_check(id) else {
            return;
        };
        if self.wait_for_quiet(&incident, &check, now) {
            return;
        }
        let policy = Arc::clone(&self.policy);
        let Some(route) = policy.routes.iter().find(|route| route.name == route_name) else {
            return;
        };
        let Some(on) = incident.routes.iter_mut().find(|on| on.route == route_name) else {
            return;
        };
        let Some(step) = route.escalate.get(on.steps) else {
            return;
        };
        on.steps += 1;
        let mut owed: Vec<Owed> = Vec::new();
        // What is wrong with a channel is not told there.
        let about = super::own::channel_of(&check.id);
        for channel in step.to.iter().filter(|channel| about.as_ref() != Some(channel)) {
            let known = incident.heard.get(channel).map(|heard| heard.told);
            if known.is_some_and(|known| known >= incident.level) {
                continue;
            }
            let mut said = notice(&incident, &check, None, now);
            said.purpose = Purpose::Escalation;
            owed.push(self.hear(&mut incident, &check, channel, Some(route), said, now));
        }
        let told: Vec<String> = owed.iter().map(|owed| owed.channel.to_string()).collect();
        if !told.is_empty() {
            self.note(id, now, "escalated", "", format!("to {}", told.join(", ")));
        }
        let held = incident.held.clone();
        self.owe(incident, &check, None, owed, held, None);
    }

    /// Whether a reminder has to wait, and until when.
    fn wait_for_quiet(&mut self, incident: &Incident, check: &Arc<Check>, now: Timestamp) -> bool {
        // What is held back must not come in by the back door of a reminder.
        let quieted = suppression(self.world(), incident, check, now);
        if quieted.is_none() && incident.held.is_none() {
            return false;
        }
        let until = quieted.and_then(|quieted| quieted.until);
        let again = until.unwrap_or(now + HELD_LOOK);
        self.ledger
            .put(incident.clone(), check, &self.policy, Some(again));
        true
    }

    fn open_with_check(&mut self, id: &IncidentId) -> Option<(Incident, Arc<Check>)> {
        let incident = self
            .ledger
            .get(id)
            .filter(|incident| incident.is_open())
            .cloned()?;
        let check = self.check_of(&incident.check)?;
        Some((incident, check))
    }

    /// Another configuration: what changed is counted anew, what is gone is closed, and
    /// nobody is told anything by this alone.
    pub fn take_policy(&mut self, next: Arc<Policy>, now: Timestamp) {
        for (id, check) in &next.checks {
            let changed = self
                .policy
                .checks
                .get(id)
                .is_some_and(|known| known.fingerprint != check.fingerprint);
            if changed && let Some(state) = self.states.get_mut(id) {
                state.restart_counting();
            }
        }
        self.policy = next;
        let policy = &self.policy;
        self.pasts.retain(|id, _| policy.checks.contains_key(id));
        self.gaps.rearm(&self.policy, now);
        let open: Vec<IncidentId> = self.ledger.open().map(|incident| incident.id.clone()).collect();
        for id in open {
            let Some((mut incident, check)) = self.open_with_check(&id) else {
                continue;
            };
            self.enter_routes(&mut incident, &check, now);
            let again = self.look_again(&incident, Some(&check), now);
            self.ledger.put(incident, &check, &self.policy, again);
        }
        self.close_unwatched(now);
    }

    /// Routes that are new to an incident remind and escalate from now on.
    fn enter_routes(&self, incident: &mut Incident, check: &Check, now: Timestamp) {
        if incident.told() == Level::Ok {
            return;
        }
        let labels = Labels {
            check,
            level: incident.level,
            now,
        };
        for route in routes_at_some_time(&self.policy.routes, labels) {
            if !incident.routes.iter().any(|on| on.route == route.name) {
                incident.routes.push(OnRoute {
                    route: route.name.clone(),
                    since: now,
                    steps: 0,
                });
            }
        }
    }

    /// Ends, in silence, what is no longer watched.
    pub(super) fn close_unwatched(&mut self, now: Timestamp) {
        let gone: Vec<CheckId> = self
            .states
            .keys()
            .filter(|id| !self.is_watched(id))
            .cloned()
            .collect();
        for id in gone {
            let state = self.states.remove(&id).unwrap_or_default();
            self.pending_states.remove(&id);
            self.pending.forgotten.push(id.clone());
            let Some(transition) = alert::close(state, &id, now) else {
                continue;
            };
            let Some(mut incident) = self.ledger.get(&transition.incident).cloned() else {
                continue;
            };
            incident.level = Level::Ok;
            incident.resolved = Some(now);
            for heard in incident.heard.values_mut() {
                heard.told = Level::Ok;
            }
            incident.held = None;
            self.storms.changed(&incident, now);
            let check = super::own::stranger(&id);
            let why = Some(Suppression::NoLongerWatched);
            self.owe(incident, &check, Some(transition), Vec::new(), why, None);
        }
    }
}
