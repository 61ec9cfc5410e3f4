//! What people, and the parts that send, tell the engine.

use super::Engine;
use super::telling::notice;
use crate::model::{
    Acknowledged, ActionTaken, ChannelName, IncidentId, Level, Mark, MarkedAs, Notice, Owed, Purpose, Quiet,
    QuietKind, Timestamp, TransitionKind,
};

use crate::route::suppression;

/// Something told to the engine.
#[derive(Debug, Clone)]
pub enum Command {
    /// Somebody takes care of an incident.
    Acknowledge {
        /// Which.
        incident: IncidentId,
        /// Who.
        by: String,
        /// What they say; may be empty.
        note: String,
    },
    /// Somebody says what an incident was.
    Mark {
        /// Which.
        incident: IncidentId,
        /// What it was.
        verdict: MarkedAs,
        /// Who says so.
        by: String,
    },
    /// A silence or a deployment begins, now or later.
    Quieten(Quiet),
    /// It ends now.
    EndQuiet {
        /// Which.
        id: String,
        /// Who ends it.
        by: String,
    },
    /// An action has ended.
    ActionTaken {
        /// About which incident.
        incident: IncidentId,
        /// What it did.
        taken: ActionTaken,
    },
    /// A channel fails with these words, or works again.
    ChannelState {
        /// Which.
        channel: ChannelName,
        /// What is wrong.
        trouble: Option<String>,
    },
    /// A delivery has not been taken for too long: the channel's fallback is told.
    FallBack {
        /// Its key.
        delivery: String,
        /// The channel that does not take it.
        channel: ChannelName,
        /// What it says.
        notices: Vec<Notice>,
    },
    /// The store fails with these words, or works again.
    StoreState {
        /// What is wrong.
        trouble: Option<String>,
    },
}

/// Why a command is not carried out, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It makes no sense now.
    #[error("{0}")]
    Conflict(String),
}

impl Engine {
    /// Carries out a command.
    ///
    /// # Errors
    /// Why it is not.
    pub fn take_command(&mut self, command: Command, now: Timestamp) -> Result<(), Refusal> {
        match command {
            Command::Acknowledge { incident, by, note } => self.acknowledge(&incident, &by, note, now),
            Command::Mark {
                incident,
                verdict,
                by,
            } => self.mark(&incident, verdict, by, now),
            Command::Quieten(quiet) => {
                self.quieten(quiet, now);
                Ok(())
            }
            Command::EndQuiet { id, by } => self.end_quiet(&id, &by, now),
            Command::ActionTaken { incident, taken } => {
                self.action_taken(&incident, &taken, now);
                Ok(())
            }
            Command::ChannelState { channel, trouble } => {
                self.channel_state(&channel, trouble, now);
                Ok(())
            }
            Command::FallBack {
                delivery,
                channel,
                notices,
            } => {
                self.fall_back(delivery, &channel, &notices, now);
                Ok(())
            }
            Command::StoreState { trouble } => {
                self.store_state(trouble, now);
                Ok(())
            }
        }
    }

    fn acknowledge(
        &mut self,
        id: &IncidentId,
        by: &str,
        note: String,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut incident = self.known(id)?;
        if !incident.is_open() {
            return Err(Refusal::Conflict(format!("the incident {id} is over already")));
        }
        if let Some(ack) = incident.acknowledged.as_ref().filter(|ack| ack.by == by) {
            // Asked twice, for example by a button pressed twice.
            if ack.note == note {
                return Ok(());
            }
        }
        self.note(id, now, "acknowledged", by, note.clone());
        incident.acknowledged = Some(Acknowledged {
            by: by.to_owned(),
            at: now,
            level: incident.level,
            note,
        });
        self.keep(incident, now);
        Ok(())
    }

    fn mark(
        &mut self,
        id: &IncidentId,
        verdict: MarkedAs,
        by: String,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut incident = self.known(id)?;
        self.note(id, now, "marked", &by, verdict.as_str());
        incident.mark = Some(Mark { verdict, by, at: now });
        self.keep(incident, now);
        Ok(())
    }

    /// An incident that is not remembered any more can still be marked: see
    /// [`Engine::remember`].
    fn known(&self, id: &IncidentId) -> Result<crate::model::Incident, Refusal> {
        self.ledger
            .get(id)
            .cloned()
            .ok_or_else(|| Refusal::NotFound(format!("there is no incident `{id}`")))
    }

    /// Takes up an incident from the store that was over long ago, so that it can be marked.
    pub fn remember(&mut self, incident: crate::model::Incident) {
        if self.ledger.get(&incident.id).is_none() && !incident.is_open() {
            let check = super::own::stranger(&incident.check);
            self.ledger.put(incident, &check, &self.policy, None);
        }
    }

    /// Writes an incident whose telling does not change.
    fn keep(&mut self, incident: crate::model::Incident, now: Timestamp) {
        let check = self
            .check_of(&incident.check)
            .unwrap_or_else(|| super::own::stranger(&incident.check));
        let again = self.look_again(&incident, Some(&check), now);
        let held = incident.held.clone();
        self.owe(incident, &check, None, Vec::new(), held, again);
    }

    fn quieten(&mut self, quiet: Quiet, now: Timestamp) {
        let word = match quiet.kind {
            QuietKind::Silence => "silenced",
            QuietKind::Deployment => "deployment",
        };
        let covered: Vec<IncidentId> = self
            .ledger
            .open()
            .filter(|incident| {
                self.policy.watched(&incident.check).is_some_and(|check| {
                    quiet.matcher.matches(crate::model::Labels {
                        check,
                        level: incident.level,
                        now,
                    })
                })
            })
            .map(|incident| incident.id.clone())
            .collect();
        for id in covered {
            let text = format!("{} (until {})", quiet.reason, quiet.ends);
            self.note(&id, now, word, &quiet.by, text);
        }
        self.pending.quiets.push(quiet.clone());
        self.quiets.retain(|known| known.id != quiet.id);
        self.quiets.push(quiet);
    }

    fn end_quiet(&mut self, id: &str, by: &str, now: Timestamp) -> Result<(), Refusal> {
        let Some(at) = self.quiets.iter().position(|quiet| quiet.id == id) else {
            return Err(Refusal::NotFound(format!(
                "there is no silence `{id}` that has not ended"
            )));
        };
        let mut quiet = self.quiets.remove(at);
        quiet.ends = now;
        quiet.starts = quiet.starts.min(now);
        self.pending.quiets.push(quiet);
        // What it alone held back is told now.
        let held: Vec<IncidentId> = self
            .ledger
            .open()
            .filter(|incident| {
                matches!(&incident.held,
                    Some(crate::model::Suppression::Silence { id: held, .. } | crate::model::Suppression::Deployment { id: held, .. })
                        if held == id)
            })
            .map(|incident| incident.id.clone())
            .collect();
        for incident in held {
            self.note(
                &incident,
                now,
                "unsilenced",
                by,
                format!("silence {id} was ended"),
            );
            self.reconsider(&incident, now);
        }
        Ok(())
    }

    /// The result stands on the timeline, and those who heard of the incident hear of it.
    fn action_taken(&mut self, id: &IncidentId, taken: &ActionTaken, now: Timestamp) {
        let Some(mut incident) = self.ledger.get(id).cloned() else {
            return;
        };
        let by = taken.channel.to_string();
        self.note(id, now, "action_taken", &by, taken.said.clone());
        incident.action = Some(taken.clone());
        let Some(check) = self.check_of(&incident.check) else {
            return;
        };
        let heard: Vec<_> = incident
            .heard
            .iter()
            .filter(|(channel, heard)| **channel != taken.channel && heard.told != Level::Ok)
            .map(|(channel, heard)| (channel.clone(), heard.clone()))
            .collect();
        let mut owed = Vec::new();
        for (channel, heard) in heard {
            let mut said = notice(&incident, &check, None, now);
            said.purpose = Purpose::Note;
            said.note = Some(taken.said.clone());
            owed.push(self.hear_again(&mut incident, &channel, &heard, None, said, now));
        }
        let held = incident.held.clone();
        let again = self.look_again(&incident, Some(&check), now);
        self.owe(incident, &check, None, owed, held, again);
    }

    /// The fallback of a channel hears what the channel did not take, and from then on
    /// belongs to those who heard.
    fn fall_back(&mut self, delivery: String, channel: &ChannelName, notices: &[Notice], now: Timestamp) {
        let fallback = self.policy.channels.get(channel).cloned().unwrap_or_default();
        self.pending.fell_back.push(delivery);
        for said in notices
            .iter()
            .filter(|notice| notice.purpose != Purpose::Heartbeat)
        {
            let Some(mut incident) = self.ledger.get(&said.incident).cloned() else {
                continue;
            };
            let Some(check) = self.check_of(&incident.check) else {
                continue;
            };
            let mut owed: Vec<Owed> = Vec::new();
            // What holds back news by now holds back this too; the channel itself still gets it.
            if suppression(self.world(), &incident, &check, now).is_some() {
                continue;
            }
            let about = super::own::channel_of(&check.id);
            let others = fallback
                .iter()
                .filter(|other| *other != channel && about.as_ref() != Some(other));
            for other in others {
                let known = incident.heard.get(other).map_or(Level::Ok, |heard| heard.told);
                // The end is told to those who heard anyway.
                if !incident.is_open() || known >= incident.level {
                    continue;
                }
                // Another level since goes its own way.
                if incident.level != said.level {
                    continue;
                }
                let change = said.change.unwrap_or(TransitionKind::Opened);
                let mut said = notice(&incident, &check, Some(change), now);
                said.from = if change == TransitionKind::Opened {
                    Level::Ok
                } else {
                    said.from
                };
                said.note = Some(format!("told here because `{channel}` does not take messages"));
                let route = self.policy.routes.iter().position(|route| {
                    incident
                        .heard
                        .get(channel)
                        .is_some_and(|heard| heard.route == route.name)
                });
                let policy = std::sync::Arc::clone(&self.policy);
                let route = route.map(|at| &policy.routes[at]);
                owed.push(self.hear(&mut incident, &check, other, route, said, now));
            }
            if !owed.is_empty() {
                let names: Vec<String> = owed.iter().map(|owed| owed.channel.to_string()).collect();
                let text = format!("`{channel}` does not take messages; told to {}", names.join(", "));
                self.note(&said.incident, now, "fallback", "", text);
                let held = incident.held.clone();
                let again = self.look_again(&incident, Some(&check), now);
                self.owe(incident, &check, None, owed, held, again);
            }
        }
    }
}
