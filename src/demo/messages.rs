//! The messages of the inbox: what is kept of each, and how many are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::Timestamp;

use super::chat::{self, Dialect, Part};
use super::knobs::{HookState, Knobs};
use super::{dooray, slack};

const MAX_MESSAGES: usize = 2000;

/// For the bodies of all messages together.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The newest messages, the oldest first.
#[derive(Default)]
pub(super) struct Store {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    last_id: u64,
}

/// A message as it came in, with what it was told.
pub(super) struct Message {
    /// Given by the store: from 1, never used twice.
    pub(super) id: u64,
    pub(super) received: Timestamp,
    pub(super) service: Service,
    /// Which webhook: the part of its address before the token.
    pub(super) hook: String,
    pub(super) status: StatusCode,
    /// The service's word for the refusal; `None` when the message was taken.
    pub(super) error: Option<&'static str>,
    pub(super) warnings: Vec<String>,
    pub(super) payload: Value,
    /// Of the body it came in, in bytes.
    pub(super) size: usize,
}

/// A chat service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Service {
    Slack,
    Dooray,
}

/// Which messages a reader asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    pub(super) service: Option<Service>,
    /// Only messages with a greater id.
    pub(super) after: u64,
    /// How long to wait for the first such message.
    pub(super) wait_ms: u64,
}

impl Service {
    /// The name in addresses and JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Dooray => "dooray",
        }
    }

    /// How it reads, judges and answers.
    pub(super) fn dialect(self) -> &'static Dialect {
        match self {
            Self::Slack => &slack::DIALECT,
            Self::Dooray => &dooray::DIALECT,
        }
    }

    /// What its knob says.
    pub(super) fn state(self, knobs: Knobs) -> HookState {
        match self {
            Self::Slack => knobs.slack,
            Self::Dooray => knobs.dooray,
        }
    }
}

impl Message {
    /// The parts in the order they are shown.
    pub(super) fn parts(&self) -> Vec<Part> {
        match self.payload.as_str() {
            Some(unreadable) => vec![Part::Plain(unreadable.to_owned())],
            None => (self.service.dialect().read)(&self.payload),
        }
    }

    /// The colour of its bar, as the sender named it.
    pub(super) fn color(&self) -> Option<&str> {
        chat::color(&self.payload)
    }

    /// All of it, for scripts.
    pub(super) fn to_json(&self) -> Value {
        let text: Vec<String> = self.parts().iter().map(Part::readable).collect();
        json!({
            "id": self.id,
            "received_ms": self.received.as_unix_ms(),
            "service": self.service.name(),
            "hook": self.hook,
            "accepted": self.error.is_none(),
            "status": self.status.as_u16(),
            "error": self.error,
            "text": text.join("\n"),
            "color": self.color(),
            "warnings": self.warnings,
            "payload": self.payload,
        })
    }
}

impl Wanted {
    fn wants(&self, message: &Message) -> bool {
        message.id > self.after && self.service.is_none_or(|service| service == message.service)
    }
}

impl Store {
    /// Gives the message the next id, and returns it.
    pub(super) fn add(&mut self, mut message: Message) -> u64 {
        self.last_id += 1;
        message.id = self.last_id;
        self.bytes += message.size;
        self.messages.push_back(Arc::new(message));
        while self.messages.len() > MAX_MESSAGES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.messages.pop_front() else {
                break;
            };
            self.bytes -= oldest.size;
        }
        self.last_id
    }

    /// Forgets all messages, but not which ids were used.
    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.bytes = 0;
    }

    /// What is wanted of what is there, the oldest first.
    pub(super) fn find(&self, wanted: &Wanted) -> Vec<Arc<Message>> {
        self.messages
            .iter()
            .filter(|message| wanted.wants(message))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::wall_now;

    fn message(service: Service, size: usize) -> Message {
        Message {
            id: 0,
            received: wall_now(),
            service,
            hook: "oncall".to_owned(),
            status: StatusCode::OK,
            error: None,
            warnings: Vec::new(),
            payload: json!({"text": "a &amp; b", "attachments": [{"color": "good"}]}),
            size,
        }
    }

    #[test]
    fn the_oldest_messages_give_way() {
        let mut store = Store::default();
        for id in 1..=2001 {
            assert_eq!(store.add(message(Service::Slack, 10)), id);
        }
        assert_eq!(store.messages.len(), MAX_MESSAGES);
        assert_eq!(store.messages.front().unwrap().id, 2);
        assert_eq!(store.bytes, 20_000);

        store.add(message(Service::Slack, MAX_BYTES));
        assert_eq!(store.messages.len(), 1);
        store.clear();
        assert_eq!((store.messages.len(), store.bytes), (0, 0));
        assert_eq!(store.add(message(Service::Slack, 10)), 2003);
    }

    #[test]
    fn messages_are_found_by_service_and_age() {
        let mut store = Store::default();
        for service in [Service::Slack, Service::Dooray, Service::Slack] {
            store.add(message(service, 1));
        }
        let ids = |service, after| {
            let found = store.find(&Wanted {
                service,
                after,
                wait_ms: 0,
            });
            found.iter().map(|found| found.id).collect::<Vec<u64>>()
        };
        assert_eq!(ids(None, 0), [1, 2, 3]);
        assert_eq!(ids(None, 2), [3]);
        assert_eq!(ids(Some(Service::Dooray), 0), [2]);
        assert_eq!(ids(Some(Service::Dooray), 2), [0_u64; 0]);
    }

    #[test]
    fn a_message_in_json_has_all_that_tests_ask_for() {
        let mut json = message(Service::Slack, 1).to_json();
        json["received_ms"] = json!(0);
        let expected = json!({
            "id": 0, "received_ms": 0, "service": "slack", "hook": "oncall", "accepted": true,
            "status": 200, "error": null, "text": "a & b", "color": "good", "warnings": [],
            "payload": {"text": "a &amp; b", "attachments": [{"color": "good"}]},
        });
        assert_eq!(json, expected);
    }
}
