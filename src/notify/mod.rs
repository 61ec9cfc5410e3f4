//! The kinds of channel: a table, a trait, one file per kind; and the outbox that sends.
//!
//! Invariants: a slow channel delays no other; a message exists in the store before it is
//! sent; a webhook's address leaves the process only in the request to it.

mod action;
mod backoff;
mod common;
mod courier;
mod dooray;
mod email;
mod message;
mod outbox;
mod slack;
mod transport;
mod watchdog;
mod webhook;
mod words;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::decode::{Node, Reader, Spec};
use crate::model::{AttemptResult, ChannelName, IncidentId, Message, SharedRedactor};
use crate::store::Store;

pub use backoff::next_attempt;
pub use courier::{Courier, News, Picked};
pub use outbox::{Listener, Outbox, OutboxNews, OutboxOptions};
pub use transport::Transport;
pub use watchdog::{WATCHDOG, Watchdog, read_watchdog};

/// Every kind, one line each.
pub static KINDS: &[&ChannelKind] = &[
    &slack::KIND,
    &dooray::KIND,
    &email::KIND,
    &webhook::KIND,
    &action::KIND,
];

/// One kind of channel.
#[derive(Debug)]
pub struct ChannelKind {
    /// The key in YAML.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// The keys of its block.
    pub settings: &'static Spec,
    /// Reads the block; none when there were problems.
    pub read: fn(&Node, &mut Reader<'_>) -> Option<Arc<dyn Sender>>,
}

/// What a sender works with.
pub struct Desk<'a> {
    /// The channel that it sends to.
    pub channel: &'a ChannelName,
    /// How receivers are reached.
    pub transport: &'a Transport,
    /// What it remembers between messages is kept there.
    pub store: &'a dyn Store,
    /// The mask over what it says of itself.
    pub redactor: &'a SharedRedactor,
    /// Who hears of actions that have ended.
    pub listener: &'a Listener,
}

/// A button that somebody pressed in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pressed {
    /// About which incident.
    pub incident: IncidentId,
    /// What is wanted.
    pub kind: PressKind,
    /// Who.
    pub by: String,
}

/// What a button wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PressKind {
    /// Somebody takes care of it.
    Acknowledge,
    /// Nothing more for so long.
    Silence(Duration),
}

/// Takes messages to one place.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Sends one message, once. Ends within the transport's time-out.
    async fn send(&self, message: &Message, desk: &Desk<'_>) -> AttemptResult;

    /// What would be sent, for people to look at; without secrets.
    fn preview(&self, message: &Message) -> String;

    /// What a signed request from the receiver asks for; none when it is not signed for this
    /// channel.
    fn pressed(&self, _timestamp: &str, _signature: &str, _body: &[u8]) -> Option<Result<Pressed, String>> {
        None
    }

    /// The pause the receiver wants between two messages.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// A place where people read.
#[derive(Clone)]
pub struct Channel {
    /// Its name in routes.
    pub name: ChannelName,
    /// Its kind's name.
    pub kind: &'static str,
    /// How it is reached.
    pub sender: Arc<dyn Sender>,
    /// Where to turn when it does not take messages.
    pub fallback: Vec<ChannelName>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel({}, {})", self.name, self.kind)
    }
}
