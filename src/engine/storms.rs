//! A storm's beginning and its end.

use std::time::Duration;

use super::Engine;
use super::telling::notice;
use crate::alert::{Gather, StormOver};
use crate::model::{ChannelName, Check, Form, Incident, IncidentId, Level, Owed, Purpose, Timestamp};
use crate::route::suppression;

/// What ends together waits so long for the last of it.
const END_WAIT: Duration = Duration::from_secs(2);

impl Engine {
    /// Counts an incident that has opened. When that makes a storm, those whose company made
    /// it become members too, and their news that has not left yet is gathered.
    pub(super) fn join_storm(&mut self, incident: &mut Incident, now: Timestamp) -> Vec<Gather> {
        let joined = self.storms.opened(&incident.id, now, self.policy.storm);
        if joined.is_empty() {
            return Vec::new();
        }
        // The storm has the name of the incident that made it one.
        let Some(storm) = self
            .storms
            .current()
            .map(|storm| (storm.id.clone(), storm.group_key()))
        else {
            return Vec::new();
        };
        let mut gathers: Vec<Gather> = Vec::new();
        for id in joined {
            if id == incident.id {
                incident.storm = Some(storm.0.clone());
                self.note(&id, now, "storm", "", format!("part of the storm {}", storm.0));
                continue;
            }
            self.gather(&id, &storm, &mut gathers, now);
        }
        gathers
    }

    fn gather(
        &mut self,
        id: &IncidentId,
        storm: &(String, String),
        gathers: &mut Vec<Gather>,
        now: Timestamp,
    ) {
        let Some(mut member) = self.ledger.get(id).cloned() else {
            return;
        };
        let Some(check) = self.check_of(&member.check) else {
            return;
        };
        member.storm = Some(storm.0.clone());
        self.storms.changed(&member, now);
        // Only what is due later may still be waiting.
        let waiting: Vec<ChannelName> = member
            .heard
            .iter()
            .filter(|(_, heard)| heard.told != Level::Ok && heard.at > now)
            .map(|(channel, _)| channel.clone())
            .collect();
        for channel in waiting {
            let due = self.storms.due(&channel, member.level, now);
            if let Some(heard) = member.heard.get_mut(&channel) {
                heard.group_key.clone_from(&storm.1);
                heard.at = due;
            }
            match gathers.iter_mut().find(|gather| gather.channel == channel) {
                Some(gather) => gather.incidents.push(id.clone()),
                None => gathers.push(Gather {
                    channel,
                    incidents: vec![id.clone()],
                    into: storm.1.clone(),
                    due,
                }),
            }
        }
        self.note(id, now, "storm", "", format!("part of the storm {}", storm.0));
        let again = self.look_again(&member, Some(&check), now);
        let held = member.held.clone();
        self.owe(member, &check, None, Vec::new(), held, again);
    }

    /// When the storm is over, what ended in it is told in one message per channel, with what
    /// is left.
    pub(super) fn end_storm_if_over(&mut self, now: Timestamp) {
        let Some(storm) = self.storms.take_ended(now, self.policy.storm) else {
            return;
        };
        let key = storm.group_key();
        let due = now + END_WAIT;
        for id in &storm.members {
            let Some(mut member) = self.ledger.get(id).cloned() else {
                continue;
            };
            let Some(check) = self.check_of(&member.check) else {
                continue;
            };
            let is_left = member.is_open()
                && member.acknowledged.is_none()
                && suppression(self.world(), &member, &check, now).is_none();
            let owed = if is_left {
                last_words(&mut member, &check, &key, now, due)
            } else {
                Vec::new()
            };
            member.storm = None;
            self.note(id, now, "storm", "", "the storm is over");
            let again = self.look_again(&member, Some(&check), now);
            let held = member.held.clone();
            self.owe(member, &check, None, owed, held, again);
        }
        self.pending
            .storms_over
            .extend(storm.channels().map(|channel| StormOver {
                channel: channel.clone(),
                group_key: key.clone(),
                due,
            }));
    }
}

/// What the end of a storm says of one that is left. Those who were told of it before it was
/// a storm know it, and whoever knows a better level only was never meant to hear of the worse.
fn last_words(member: &mut Incident, check: &Check, key: &str, now: Timestamp, due: Timestamp) -> Vec<Owed> {
    let mut said = notice(member, check, None, now);
    said.purpose = Purpose::Reminder;
    let heard = member
        .heard
        .iter_mut()
        .filter(|(_, heard)| heard.told == said.level && heard.group_key == key);
    let mut owed = Vec::new();
    for (channel, heard) in heard {
        heard.at = due;
        owed.push(Owed {
            channel: channel.clone(),
            route: heard.route.clone(),
            group_key: key.to_owned(),
            due,
            form: Form::StormEnd,
            notice: said.clone(),
        });
    }
    owed
}
