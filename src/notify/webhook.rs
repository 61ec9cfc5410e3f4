//! A webhook of one's own, in the formats that others understand.
//!
//! Formats: `haetae` (ours), `alertmanager` (webhook version 4), `pagerduty` (Events API v2),
//! `cloudevents` (1.0, batched JSON).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use url::Url;

use super::message::{cut, latest, paragraphs, summary, worst};
use super::transport::{Said, may_pass};
use super::{ChannelKind, Desk, Sender};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{AttemptResult, Level, Message, Notice, Purpose, Secret, Timestamp};

/// The table's line.
pub static KIND: ChannelKind = ChannelKind {
    name: "webhook",
    doc: "Any HTTP receiver: haetae's own format, Alertmanager's, PagerDuty's or CloudEvents.",
    settings: &WEBHOOK,
    read: read_settings,
};

const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

static WEBHOOK: Spec = Spec {
    name: "webhook",
    example: "webhook: { url: \"${env:PAGER_URL}\", format: pagerduty, routing_key: \"${env:PAGER_KEY}\" }",
    keys: &[
        Key::new(
            "url",
            Shape::Text,
            "Where it is posted; PagerDuty's own address without one.",
        ),
        Key::or(
            "format",
            Shape::Choice(&["haetae", "alertmanager", "pagerduty", "cloudevents"]),
            "haetae",
            "What the receiver understands.",
        ),
        Key::new(
            "routing_key",
            Shape::Text,
            "PagerDuty's integration key; a secret.",
        ),
        Key::new(
            "bearer",
            Shape::Text,
            "Sent as `Authorization: Bearer …`; a secret.",
        ),
        Key::new("headers", Shape::Map(&Shape::Text), "Further headers."),
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Haetae,
    Alertmanager,
    PagerDuty,
    CloudEvents,
}

struct Webhook {
    url: Secret,
    format: Format,
    routing_key: Secret,
    headers: Vec<(String, Secret)>,
}

fn read_settings(node: &Node, reader: &mut Reader<'_>) -> Option<Arc<dyn Sender>> {
    let fields = Fields::open(node, &WEBHOOK, reader)?;
    let formats = [
        ("haetae", Format::Haetae),
        ("alertmanager", Format::Alertmanager),
        ("pagerduty", Format::PagerDuty),
        ("cloudevents", Format::CloudEvents),
    ];
    let format = match fields.get("format") {
        Some(node) => reader.choice(node, &formats)?,
        None => Format::Haetae,
    };
    let mut headers = Vec::new();
    if let Some(node) = fields.get("headers") {
        for entry in reader.entries(node) {
            let value = reader.text(&entry.node).and_then(|text| text.constant());
            headers.extend(value.map(|value| (entry.key.to_lowercase(), Secret::new(value))));
        }
    }
    if let Some(node) = fields.get("bearer") {
        reader.refuse_literal_secret(node, "a token");
        let token = reader.text(node)?.constant().unwrap_or_default();
        headers.push(("authorization".into(), Secret::new(format!("Bearer {token}"))));
    }
    let routing_key = match fields.get("routing_key") {
        Some(node) => {
            reader.refuse_literal_secret(node, "a routing key");
            reader.text(node)?.constant().unwrap_or_default()
        }
        // Others that speak PagerDuty's language have the key in their address.
        None if format == Format::PagerDuty && fields.get("url").is_none() => {
            reader.report(
                Problem::error(fields.place(), "PagerDuty needs `routing_key`")
                    .hint("write `routing_key: \"${env:PAGERDUTY_KEY}\"`"),
            );
            return None;
        }
        None => String::new(),
    };
    Some(Arc::new(Webhook {
        url: read_url(&fields, format, reader)?,
        format,
        routing_key: Secret::new(routing_key),
        headers,
    }))
}

fn read_url(fields: &Fields<'_>, format: Format, reader: &mut Reader<'_>) -> Option<Secret> {
    let Some(node) = fields.get("url") else {
        if format == Format::PagerDuty {
            return Some(Secret::new(PAGERDUTY.to_owned()));
        }
        reader.report(Problem::error(fields.place(), "`webhook` needs `url`").hint(WEBHOOK.example));
        return None;
    };
    let address = reader.text(node)?.constant().unwrap_or_default();
    let fits =
        Url::parse(&address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !fits && !address.is_empty() {
        let problem = Problem::error(&node.place, "this is not an http or https address");
        reader.report(problem.without_line());
        return None;
    }
    Some(Secret::new(address))
}

#[async_trait]
impl Sender for Webhook {
    async fn send(&self, message: &Message, desk: &Desk<'_>) -> AttemptResult {
        // PagerDuty takes one event at a time, and knows one that it has had by its key: a
        // repeat after half of them does no harm.
        for body in self.bodies(message) {
            let mut request = desk
                .transport
                .client()
                .post(self.url.reveal())
                .header("content-type", self.content_type())
                .header("x-haetae-delivery", &message.key)
                .body(body.to_string());
            for (name, value) in &self.headers {
                request = request.header(name, value.reveal());
            }
            let said = match desk.transport.exchange(request).await {
                Ok(said) => said,
                Err(result) => return result,
            };
            if !(200..300).contains(&said.status) {
                return refused(&said);
            }
        }
        AttemptResult::Sent
    }

    fn preview(&self, message: &Message) -> String {
        let bodies: Vec<String> = self
            .bodies(message)
            .iter()
            .map(|body| serde_json::to_string_pretty(body).unwrap_or_default())
            .collect();
        let shown = bodies.join("\n");
        match self.routing_key.reveal() {
            "" => shown,
            key => shown.replace(key, crate::model::MASK),
        }
    }

    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

fn refused(said: &Said) -> AttemptResult {
    let why = format!("{} {}", said.status, cut(said.body.trim(), 200));
    if may_pass(said.status) {
        AttemptResult::Retry {
            after: said.after,
            why,
        }
    } else {
        AttemptResult::Dead { why }
    }
}

impl Webhook {
    fn content_type(&self) -> &'static str {
        match self.format {
            Format::CloudEvents => "application/cloudevents-batch+json; charset=utf-8",
            Format::Haetae | Format::Alertmanager | Format::PagerDuty => "application/json; charset=utf-8",
        }
    }

    fn bodies(&self, message: &Message) -> Vec<Json> {
        match self.format {
            Format::Haetae => vec![haetae(message)],
            Format::Alertmanager => vec![alertmanager(message)],
            Format::PagerDuty => latest(message)
                .into_iter()
                .filter(|notice| notice.purpose != Purpose::Note)
                .map(|notice| self.pagerduty(message, notice))
                .collect(),
            Format::CloudEvents => vec![cloudevents(message)],
        }
    }

    /// docs: Events API v2. The key is the incident, so that all of it is one alert there.
    fn pagerduty(&self, message: &Message, notice: &Notice) -> Json {
        let is_over = notice.level == Level::Ok;
        let mut event = json!({
            "event_action": if is_over { "resolve" } else { "trigger" },
            "dedup_key": notice.incident,
        });
        if !self.routing_key.reveal().is_empty() {
            event["routing_key"] = json!(self.routing_key.reveal());
        }
        if is_over {
            return event;
        }
        let only = Message {
            notices: vec![notice.clone()],
            ..message.clone()
        };
        event["payload"] = json!({
            "summary": cut(&summary(&only), 1_024),
            "source": if notice.target.is_empty() { notice.check.as_str() } else { &notice.target },
            "severity": match notice.level {
                Level::Critical => "critical",
                Level::Unknown => "error",
                Level::Warning | Level::Ok => "warning",
            },
            "timestamp": notice.at,
            "component": notice.check,
            "group": notice.check.group(),
            "class": notice.kind,
            "custom_details": { "reasons": notice.reasons, "owner": notice.owner, "note": notice.note },
        });
        let links: Vec<Json> = paragraphs(&only)
            .iter()
            .flat_map(|paragraph| &paragraph.links)
            .map(|(text, href)| json!({ "href": href, "text": text }))
            .collect();
        event["links"] = links.into();
        event
    }
}

fn haetae(message: &Message) -> Json {
    json!({
        "version": 1,
        "delivery": message.key,
        "form": message.form,
        "summary": summary(message),
        "level": worst(message),
        "notices": message.notices,
        "url": message.public_url,
    })
}

/// prometheus.io, "Alerting", `webhook_config`: `endsAt` is zero while it fires.
fn alertmanager(message: &Message) -> Json {
    const NEVER: &str = "0001-01-01T00:00:00Z";
    let base = message.public_url.clone().unwrap_or_default();
    let alerts: Vec<Json> = latest(message)
        .into_iter()
        .map(|notice| {
            let is_over = notice.level == Level::Ok;
            json!({
                "status": if is_over { "resolved" } else { "firing" },
                "labels": {
                    "alertname": notice.check, "check": notice.check, "group": notice.check.group(),
                    "severity": if is_over { notice.from } else { notice.level }, "kind": notice.kind,
                },
                "annotations": {
                    "summary": notice.name, "description": notice.reasons.join("; "),
                    "runbook_url": notice.runbook.clone().unwrap_or_default(),
                    "owner": notice.owner.clone().unwrap_or_default(),
                },
                "startsAt": notice.opened,
                "endsAt": if is_over { notice.at.to_string() } else { NEVER.to_owned() },
                "generatorURL": format!("{base}/incidents/{}", notice.incident),
                "fingerprint": notice.incident,
            })
        })
        .collect();
    let is_over = worst(message) == Level::Ok;
    json!({
        "version": "4",
        "groupKey": message.key,
        "truncatedAlerts": 0,
        "status": if is_over { "resolved" } else { "firing" },
        "receiver": "haetae",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": base,
        "alerts": alerts,
    })
}

/// cloudevents.io 1.0: source and id together name the event over repeats.
fn cloudevents(message: &Message) -> Json {
    let source = message.public_url.clone().unwrap_or_else(|| "haetae".into());
    let when = |at: Timestamp| at.to_string();
    message
        .notices
        .iter()
        .enumerate()
        .map(|(n, notice)| {
            let kind = match (notice.purpose, notice.change) {
                (Purpose::News, Some(change)) => change.as_str(),
                (Purpose::Escalation, _) => "escalated",
                (Purpose::Note, _) => "note",
                (Purpose::News | Purpose::Reminder | Purpose::Heartbeat, _) => "reminder",
            };
            json!({
                "specversion": "1.0",
                "id": format!("{}-{n}", message.key),
                "source": source,
                "type": format!("haetae.incident.{kind}"),
                "subject": notice.check,
                "time": when(notice.at),
                "datacontenttype": "application/json",
                "data": notice,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::message::tests::{message, notice};

    fn webhook(format: Format) -> Webhook {
        Webhook {
            url: Secret::new(String::new()),
            format,
            routing_key: Secret::new("routing-key-of-the-team".into()),
            headers: Vec::new(),
        }
    }

    fn over() -> Notice {
        let mut over = notice();
        over.from = over.level;
        over.level = Level::Ok;
        over
    }

    #[test]
    fn a_repeat_is_the_same_event_to_pagerduty_and_the_end_resolves_it() {
        let pager = webhook(Format::PagerDuty);
        let began = pager.bodies(&message(vec![notice()]));
        let ended = pager.bodies(&message(vec![over()]));
        assert_eq!(began[0]["event_action"], "trigger");
        assert_eq!(began[0]["payload"]["severity"], "critical");
        assert_eq!(ended[0]["event_action"], "resolve");
        assert_eq!(began[0]["dedup_key"], ended[0]["dedup_key"]);
        let shown = pager.preview(&message(vec![notice()]));
        assert!(!shown.contains("routing-key-of-the-team"), "{shown}");
    }

    #[test]
    fn alertmanagers_receivers_see_when_it_fires_and_when_it_ended() {
        let fires = alertmanager(&message(vec![notice()]));
        assert_eq!(fires["version"], "4");
        assert_eq!(fires["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
        let ended = alertmanager(&message(vec![over()]));
        assert_eq!(ended["status"], "resolved");
        assert_eq!(ended["alerts"][0]["labels"]["severity"], "critical");
    }

    #[test]
    fn cloudevents_keep_their_ids_over_repeats() {
        let both = message(vec![notice(), over()]);
        let events = cloudevents(&both);
        assert_eq!(events[0]["type"], "haetae.incident.opened");
        assert_ne!(events[0]["id"], events[1]["id"]);
        assert_eq!(events, cloudevents(&both));
    }
}
