//! The kinds of channel: a table, a trait, one file per kind; and the outbox that sends.
//!
//! Invariants: a slow channel delays no other; a message exists in the store before it is
//! sent; a webhook's address leaves the process only in the request to it.

mod backoff;
mod dooray;
mod message;
mod outbox;
mod slack;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::decode::{Node, Reader, Spec};
use crate::model::{AttemptResult, ChannelName, Message};

pub use backoff::next_attempt;
pub use outbox::{Outbox, OutboxOptions};
pub use transport::Transport;

/// Every kind, one line each.
pub static KINDS: &[&ChannelKind] = &[&slack::KIND, &dooray::KIND];

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

/// Takes messages to one place.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Sends one message, once. Ends within the transport's time-out.
    async fn send(&self, message: &Message, transport: &Transport) -> AttemptResult;

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
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel({}, {})", self.name, self.kind)
    }
}
