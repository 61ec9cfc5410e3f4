//! What is wrong with haetae itself: incidents of checks that nobody wrote.
//!
//! They are routed like all others (`match: { group: haetae }`), deduplicated, acknowledged
//! and resolved like all others; only that what is wrong with a channel is told elsewhere.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use crate::alert;
use crate::model::{
    ChannelName, Check, CheckId, Confirmation, Form, Level, Notice, Outcome, Owed, Priority, Purpose, Reason,
    Retry, Schedule, Timestamp, Verdict, Window,
};

/// The folder that belongs to haetae itself.
const FOLDER: &str = "haetae/";
const CHANNEL: &str = "haetae/channel/";
/// haetae's view of the network.
pub(super) const SIGHT: &str = "haetae/sight";
/// The check whose runs go out as heartbeats.
pub const WATCHDOG: &str = "haetae/watchdog";
const STORE: &str = "haetae/store";

/// Whether a check is haetae's own.
#[must_use]
pub fn is_own(id: &CheckId) -> bool {
    id.as_str().starts_with(FOLDER)
}

/// The channel that an own check is about.
pub(super) fn channel_of(id: &CheckId) -> Option<ChannelName> {
    id.as_str()
        .strip_prefix(CHANNEL)
        .map(|name| ChannelName(name.into()))
}

/// The check that beats: it is scheduled, run, judged and written like any other.
#[must_use]
pub fn watchdog_check(every: Duration) -> Check {
    Check {
        schedule: Schedule::Every(every),
        timeout: every.min(Duration::from_secs(10)),
        ..blank(own_id(WATCHDOG), "haetae's heartbeat")
    }
}

/// An id below `haetae/`; other characters than an id may have become `-`.
fn own_id(text: &str) -> CheckId {
    CheckId::parse(text)
        .or_else(|proposal| CheckId::parse(&proposal))
        .unwrap_or_else(|_| unreachable!("a proposal is an id"))
}

/// Stands for a check whose definition is gone, or never was in a file.
#[must_use]
pub fn stand_in(id: &CheckId) -> Check {
    blank(id.clone(), id.as_str())
}

pub(super) fn stranger(id: &CheckId) -> Arc<Check> {
    Arc::new(blank(id.clone(), id.as_str()))
}

fn blank(id: CheckId, name: &str) -> Check {
    Check {
        id,
        name: name.to_owned(),
        description: None,
        owner: None,
        runbook: None,
        tags: vec!["haetae".into()],
        kind: "haetae",
        schedule: Schedule::Every(Duration::from_mins(1)),
        timeout: Duration::from_secs(10),
        attempt_timeout: Duration::from_secs(10),
        retry: Retry::default(),
        thresholds: Vec::new(),
        confirmation: Confirmation {
            fail_after: Window::in_a_row(1),
            recover_after: Window::in_a_row(1),
            recheck_every: None,
        },
        depends_on: Vec::new(),
        target: String::new(),
        priority: Priority::High,
        enabled: true,
        fingerprint: 0,
        place: "built in".into(),
    }
}

impl Engine {
    /// Whether a check is in the configuration, or haetae's own and still of use.
    pub(super) fn is_watched(&self, id: &CheckId) -> bool {
        match channel_of(id) {
            Some(channel) => {
                self.policy.channels.contains_key(&channel) || channel == ChannelName::watchdog()
            }
            None => is_own(id) || self.policy.watched(id).is_some(),
        }
    }

    pub(super) fn own_check(&mut self, id: &CheckId) -> Arc<Check> {
        let made = self.own.entry(id.clone()).or_insert_with(|| {
            let (name, description) = match (channel_of(id), id.as_str()) {
                (Some(channel), _) => (
                    format!("Channel {channel}"),
                    "Messages do not reach it; they wait and are tried again",
                ),
                (None, SIGHT) => (
                    "haetae's own network".into(),
                    "Nothing is said about targets while haetae cannot see them",
                ),
                (None, STORE) => (
                    "haetae's store".into(),
                    "Critical messages are sent from memory until it can be written",
                ),
                (None, _) => (id.to_string(), "haetae itself"),
            };
            let mut check = blank(id.clone(), &name);
            check.description = Some(description.to_owned());
            Arc::new(check)
        });
        Arc::clone(made)
    }

    /// A channel fails, or works again.
    pub(super) fn channel_state(&mut self, channel: &ChannelName, trouble: Option<String>, now: Timestamp) {
        self.own_state(&own_id(&format!("{CHANNEL}{channel}")), trouble, now);
    }

    /// The store cannot be written, or can again.
    pub(super) fn store_state(&mut self, trouble: Option<String>, now: Timestamp) {
        self.own_state(&own_id(STORE), trouble, now);
    }

    /// haetae cannot see, or can again.
    pub(super) fn sight_state(&mut self, trouble: Option<String>, now: Timestamp) {
        self.own_state(&own_id(SIGHT), trouble, now);
    }

    fn own_state(&mut self, id: &CheckId, trouble: Option<String>, now: Timestamp) {
        let known = self.states.get(id);
        if trouble.is_none() && known.is_none_or(|state| state.level() == Level::Ok) {
            return;
        }
        let check = self.own_check(id);
        let verdict = match trouble {
            None => Verdict::default(),
            Some(why) => Verdict {
                level: Level::Critical,
                reasons: vec![(Level::Critical, Reason::NoAnswer(why))],
            },
        };
        let state = self.states.remove(id).unwrap_or_default();
        let incident = self.new_incident();
        let (state, transition) = alert::step(state, id, &verdict, &check.confirmation, now, now, incident);
        self.states.insert(id.clone(), state.clone());
        self.pending_states.insert(id.clone(), state);
        if let Some(transition) = transition {
            self.take_transition(transition, &Outcome::seen(), now);
        }
    }

    /// A heartbeat goes out with the next batch.
    pub(super) fn beat(&mut self, now: Timestamp) {
        let id = own_id(WATCHDOG);
        let notice = Notice {
            purpose: Purpose::Heartbeat,
            ..super::telling::notice(
                &crate::model::Incident::new(crate::model::IncidentId(String::new()), id.clone(), now),
                &blank(id, "haetae"),
                None,
                now,
            )
        };
        let key = self.new_key();
        let owed = Owed {
            channel: ChannelName::watchdog(),
            route: String::new(),
            group_key: WATCHDOG.into(),
            due: now,
            form: Form::Changes,
            notice,
        };
        self.pending.heartbeat = Some((key, owed));
    }
}
