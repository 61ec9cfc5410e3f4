//! Dooray by incoming webhook: plain text and coloured attachments; no edits, no threads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::message::{Paragraph, colour, cut, paragraphs, summary};
use super::slack::read_webhook;
use super::transport::may_pass;
use super::{ChannelKind, Desk, Sender};
use crate::decode::{Fields, Key, Node, Reader, Shape, Spec};
use crate::model::{AttemptResult, Message, Secret};

/// The table's line.
pub static KIND: ChannelKind = ChannelKind {
    name: "dooray",
    doc: "A Dooray channel, by an incoming webhook.",
    settings: &DOORAY,
    read: read_settings,
};

static DOORAY: Spec = Spec {
    name: "dooray",
    example: "dooray: { webhook: \"${env:DOORAY_WEBHOOK}\", bot_name: Haetae }",
    keys: &[
        Key::required(
            "webhook",
            Shape::Text,
            "The incoming webhook's address; it is the secret.",
        ),
        Key::or("bot_name", Shape::Plain, "Haetae", "Who speaks."),
        Key::new(
            "bot_icon",
            Shape::Plain,
            "The address of a picture of who speaks.",
        ),
    ],
};

/// The service's rate is not documented; a second between messages is polite.
const PAUSE: Duration = Duration::from_secs(1);
/// Dooray shows up to 20 attachments.
const MOST_PARAGRAPHS: usize = 19;
const LONGEST_TEXT: usize = 4_000;

struct Dooray {
    webhook: Secret,
    bot_name: String,
    bot_icon: Option<String>,
}

fn read_settings(node: &Node, reader: &mut Reader<'_>) -> Option<Arc<dyn Sender>> {
    let fields = Fields::open(node, &DOORAY, reader)?;
    let webhook = read_webhook(fields.get("webhook")?, "hook.dooray.com", reader)?;
    Some(Arc::new(Dooray {
        webhook,
        bot_name: fields
            .get("bot_name")
            .and_then(|node| reader.plain(node))
            .unwrap_or_else(|| "Haetae".into()),
        bot_icon: fields.get("bot_icon").and_then(|node| reader.plain(node)),
    }))
}

#[async_trait]
impl Sender for Dooray {
    async fn send(&self, message: &Message, desk: &Desk<'_>) -> AttemptResult {
        let body = self.body(message).to_string();
        match desk.transport.post(self.webhook.reveal(), body).await {
            Ok(said) => result_of(said.status, &said.body, said.after),
            Err(result) => result,
        }
    }

    fn preview(&self, message: &Message) -> String {
        serde_json::to_string_pretty(&self.body(message)).unwrap_or_default()
    }

    fn pause(&self) -> Duration {
        PAUSE
    }
}

/// Success is 2xx whose body does not say `isSuccessful: false`; an empty body counts.
fn result_of(status: u16, body: &str, after: Option<Duration>) -> AttemptResult {
    let answer: Json = serde_json::from_str(body).unwrap_or(Json::Null);
    let header = answer.get("header");
    let refused = header.and_then(|header| header.get("isSuccessful")) == Some(&Json::Bool(false));
    if (200..300).contains(&status) && !refused {
        return AttemptResult::Sent;
    }
    let said = header
        .and_then(|header| header.get("resultMessage"))
        .and_then(Json::as_str)
        .unwrap_or(body);
    let why = format!("{status} {}", cut(said.trim(), 200));
    if may_pass(status) {
        AttemptResult::Retry { after, why }
    } else {
        AttemptResult::Dead { why }
    }
}

impl Dooray {
    fn body(&self, message: &Message) -> Json {
        let all = paragraphs(message);
        let mut attachments: Vec<Json> = all.iter().take(MOST_PARAGRAPHS).map(attachment).collect();
        if all.len() > MOST_PARAGRAPHS {
            attachments.push(json!({ "text": format!("and {} more", all.len() - MOST_PARAGRAPHS) }));
        }
        let mut body = json!({
            "botName": self.bot_name,
            "text": cut(&summary(message), LONGEST_TEXT),
            "attachments": attachments,
        });
        if let Some(icon) = &self.bot_icon {
            body["botIconImage"] = json!(icon);
        }
        body
    }
}

fn attachment(paragraph: &Paragraph) -> Json {
    let mut lines = paragraph.reasons.clone();
    let facts: Vec<String> = paragraph
        .facts
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    lines.push(facts.join("  ·  "));
    lines.extend(
        paragraph
            .links
            .iter()
            .map(|(words, url)| format!("{words}: {url}")),
    );
    let mut attachment = json!({
        "title": paragraph.headline,
        "text": cut(&lines.join("\n"), LONGEST_TEXT),
        "color": colour(paragraph.level),
    });
    // Dooray opens a message's title: the incident before the runbook.
    if let Some((_, url)) = paragraph.links.last() {
        attachment["titleLink"] = json!(url);
    }
    attachment
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::message::tests::{message, notice};

    #[test]
    fn a_critical_message_reads_well() {
        let dooray = Dooray {
            webhook: Secret::new(String::new()),
            bot_name: "Haetae".into(),
            bot_icon: None,
        };
        let body = dooray.body(&message(vec![notice()]));
        insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
    }

    #[test]
    fn success_is_2xx_that_does_not_say_otherwise() {
        let sent = |status, body| result_of(status, body, None) == AttemptResult::Sent;
        assert!(sent(200, ""));
        assert!(sent(200, r#"{"header":{"isSuccessful":true,"resultCode":"0"}}"#));
        assert!(!sent(200, r#"{"header":{"isSuccessful":false,"resultCode":-1}}"#));
        assert!(!sent(404, ""));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_a_refusal_is_final() {
        let retries = |status| matches!(result_of(status, "", None), AttemptResult::Retry { .. });
        assert!(retries(429) && retries(408) && retries(503));
        assert!(!retries(400) && !retries(404));
        assert!(!retries(200));
    }
}
