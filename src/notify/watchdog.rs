//! The watchdog: a heartbeat to a dead man's switch outside. It is scheduled, judged, written
//! and sent like a message, so that any of these stuck stops it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use super::transport::{may_pass, no_answer, read};
use super::{Channel, Desk, Sender};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{AttemptResult, ChannelName, Message, Secret};

/// The keys of `watchdog:`.
pub static WATCHDOG: Spec = Spec {
    name: "watchdog",
    example: "watchdog: { url: \"${env:DEADMAN_URL}\", every: 1m }",
    keys: &[
        Key::required(
            "url",
            Shape::Text,
            "Asked with GET for every heartbeat; often a secret.",
        ),
        Key::or("every", Shape::Duration, "1m", "How often."),
    ],
};

/// Where heartbeats go, and how often.
#[derive(Debug, Clone)]
pub struct Watchdog {
    /// How often.
    pub every: Duration,
    /// The channel that takes them.
    pub channel: Channel,
}

struct Heartbeats {
    url: Secret,
}

/// Reads `watchdog:`.
pub fn read_watchdog(node: &Node, reader: &mut Reader<'_>) -> Option<Watchdog> {
    let fields = Fields::open(node, &WATCHDOG, reader)?;
    let node = fields.get("url")?;
    let every = match fields.get("every") {
        Some(node) => reader.positive_duration(node),
        None => Some(Duration::from_mins(1)),
    };
    let address = reader.text(node)?.constant().unwrap_or_default();
    let fits = Url::parse(&address).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !fits && !address.is_empty() {
        let problem = Problem::error(&node.place, "this is not an http or https address");
        reader.report(problem.without_line());
        return None;
    }
    let sender = Arc::new(Heartbeats {
        url: Secret::new(address),
    });
    Some(Watchdog {
        every: every?,
        channel: Channel {
            name: ChannelName::watchdog(),
            kind: "watchdog",
            sender,
            fallback: Vec::new(),
        },
    })
}

#[async_trait]
impl Sender for Heartbeats {
    async fn send(&self, _: &Message, desk: &Desk<'_>) -> AttemptResult {
        let request = desk.transport.client().get(self.url.reveal());
        let said = match request.send().await {
            Ok(response) => read(response).await,
            Err(error) => return no_answer(error),
        };
        match said.status {
            200..300 => AttemptResult::Sent,
            status if may_pass(status) => AttemptResult::Retry {
                after: said.after,
                why: status.to_string(),
            },
            status => AttemptResult::Dead {
                why: status.to_string(),
            },
        }
    }

    fn preview(&self, _: &Message) -> String {
        "GET on the watchdog's address".into()
    }
}
