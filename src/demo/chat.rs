//! What the two chat services have in common: a message in parts, a refusal, an answer.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::knobs::HookState;
use super::markup::Markup;
use super::mrkdwn;

/// How a service reads, judges and answers. There is one of these for each service.
pub(super) struct Dialect {
    /// The payload of a request with this media type and body.
    pub(super) parse: fn(&str, &[u8]) -> Result<Value, Refusal>,
    /// Whether the service would take the payload.
    pub(super) accept: fn(&Value) -> Result<(), Refusal>,
    /// The payload's parts in the order they are shown; works for refused payloads too.
    pub(super) read: fn(&Value) -> Vec<Part>,
    /// What the service would take, but not as the sender meant it.
    pub(super) warnings: fn(&Value) -> Vec<String>,
    /// What everybody is told while the service is in this state, whatever they send.
    pub(super) refusal_in: fn(HookState) -> Option<Refusal>,
    /// The words for a verdict.
    pub(super) answer: fn(Result<(), &Refusal>) -> Answer,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Heading(String),
    Plain(String),
    /// In Slack's text format.
    Marked(String),
    /// In Slack's text format, but only shown in the notification.
    Notification(String),
    Link {
        label: String,
        target: String,
    },
}

/// Why a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The service's own word for it.
    pub(super) code: &'static str,
    /// Where and what, which the real service keeps to itself; may be empty.
    pub(super) why: String,
}

/// What the sender gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Part {
    /// The part as a person reads it, in plain text.
    pub(super) fn readable(&self) -> String {
        match self {
            Self::Heading(text) | Self::Plain(text) => text.clone(),
            Self::Marked(source) | Self::Notification(source) => mrkdwn::readable(source),
            Self::Link { label, target } => format!("{label} ({target})"),
        }
    }

    /// The part as the inbox shows it.
    pub(super) fn html(&self) -> Markup {
        match self {
            Self::Heading(text) => wrapped("<h2>{{part}}</h2>", text.as_str().into()),
            Self::Plain(text) => wrapped("<p>{{part}}</p>", with_line_breaks(text)),
            Self::Marked(source) => wrapped("<p>{{part}}</p>", mrkdwn::html(source)),
            Self::Notification(source) => wrapped(
                r#"<p class="soft">Notification: {{part}}</p>"#,
                mrkdwn::html(source),
            ),
            Self::Link { label, target } => wrapped("<p>{{part}}</p>", mrkdwn::link(target, label)),
        }
    }
}

impl Refusal {
    /// A refusal for a reason that is told in full.
    pub(super) fn new(status: StatusCode, code: &'static str, why: impl Into<String>) -> Self {
        Self {
            status,
            code,
            why: why.into(),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let is_limited = self.status == StatusCode::TOO_MANY_REQUESTS;
        let retry_after = is_limited.then_some([(header::RETRY_AFTER, "1")]);
        (
            self.status,
            [(header::CONTENT_TYPE, self.content_type)],
            retry_after,
            self.body,
        )
            .into_response()
    }
}

/// A property that is text and not empty.
pub(super) fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    let text = object.get(key)?.as_str()?;
    (!text.is_empty()).then_some(text)
}

/// The elements of a property that is a list; none when it is not one.
pub(super) fn list<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The colour of the first attachment that has one.
pub(super) fn color(payload: &Value) -> Option<&str> {
    list(payload, "attachments")
        .iter()
        .find_map(|attachment| text(attachment, "color"))
}

fn wrapped(template: &'static str, part: Markup) -> Markup {
    Markup::fill(template, &[("part", part)])
}

fn with_line_breaks(text: &str) -> Markup {
    let mut html = Markup::default();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            html.push(&Markup::trusted("<br>"));
        }
        html.push(&line.into());
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_part_is_shown_in_its_own_way() {
        let cases = [
            (Part::Heading("a < *b*".into()), "a < *b*", "<h2>a &lt; *b*</h2>"),
            (Part::Plain("a\n*b*".into()), "a\n*b*", "<p>a<br>*b*</p>"),
            (
                Part::Marked("*a* &amp; b".into()),
                "*a* & b",
                "<p><b>a</b> &amp; b</p>",
            ),
            (
                Part::Notification("a".into()),
                "a",
                "<p class=\"soft\">Notification: a</p>",
            ),
            (
                Part::Link {
                    label: "a".into(),
                    target: "https://b.example".into(),
                },
                "a (https://b.example)",
                "<p><a href=\"https://b.example\" rel=\"noreferrer\">a</a></p>",
            ),
        ];
        for (part, readable, html) in cases {
            assert_eq!(part.readable(), readable);
            assert_eq!(part.html().as_str(), html);
        }
    }

    #[test]
    fn the_first_colour_counts() {
        let payload = json!({"attachments": [{}, {"color": "good"}, {"color": "danger"}]});
        assert_eq!(color(&payload), Some("good"));
        assert_eq!(color(&json!({"text": "x"})), None);
    }

    #[test]
    fn only_a_limited_sender_is_told_when_to_come_again() {
        let answer = |status| Answer {
            status,
            content_type: "text/plain",
            body: String::new(),
        };
        let limited = answer(StatusCode::TOO_MANY_REQUESTS).into_response();
        assert_eq!(limited.headers().get(header::RETRY_AFTER).unwrap(), "1");
        let failing = answer(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        assert_eq!(failing.headers().get(header::RETRY_AFTER), None);
    }
}
