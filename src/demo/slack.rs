//! The webhook of Slack: takes what the service takes, and refuses the rest in its words.
//!
//! The answers to blocks within attachments are observed, not documented: a bad block there is
//! `invalid_attachments`, and so are blocks beside any of the older properties.

use axum::http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::blocks;
use super::chat::{Answer, Dialect, Part, Refusal, list, text};
use super::knobs::HookState;
use super::mrkdwn;
use super::slack_parts::read;

const MAX_ATTACHMENTS: usize = 100;
const ADVISED_ATTACHMENTS: usize = 20;
const ADVISED_TEXT: usize = 4000;

/// For the texts of all blocks together.
const MAX_BLOCKS_TEXT: usize = 13_200;

/// What may stand in an attachment beside `blocks`.
const BESIDE_BLOCKS: [&str; 3] = ["blocks", "color", "fallback"];

/// The properties of an attachment that hold text.
const ATTACHMENT_TEXTS: [&str; 13] = [
    "author_icon",
    "author_link",
    "author_name",
    "color",
    "fallback",
    "footer",
    "footer_icon",
    "image_url",
    "pretext",
    "text",
    "thumb_url",
    "title",
    "title_link",
];

/// How Slack reads and answers.
pub(super) const DIALECT: Dialect = Dialect {
    parse,
    accept,
    read,
    warnings,
    refusal_in,
    answer,
};

fn parse(content_type: &str, body: &[u8]) -> Result<Value, Refusal> {
    let payload = match content_type {
        "application/json" => serde_json::from_slice(body).ok(),
        "application/x-www-form-urlencoded" => form_urlencoded::parse(body)
            .find(|(key, _)| key == "payload")
            .and_then(|(_, payload)| serde_json::from_str(&payload).ok()),
        _ => {
            return Err(bad("invalid_payload", format!("content type `{content_type}`")));
        }
    };
    payload
        .filter(Value::is_object)
        .ok_or_else(|| bad("invalid_payload", "not a JSON object"))
}

fn accept(payload: &Value) -> Result<(), Refusal> {
    match payload.get("text") {
        None | Some(Value::Null | Value::String(_)) => {}
        Some(_) => return Err(bad("invalid_payload", "`text` is not text")),
    }
    let blocks = known_list(payload, "blocks", "invalid_blocks")?;
    let attachments = known_list(payload, "attachments", "invalid_attachments")?;
    let has_text = text(payload, "text").is_some_and(|text| !text.trim().is_empty());
    if !has_text && blocks.is_empty() && !attachments.iter().any(has_content) {
        return Err(bad("no_text", ""));
    }
    blocks::check(blocks).map_err(|why| bad("invalid_blocks", why))?;
    if attachments.len() > MAX_ATTACHMENTS {
        let why = format!("{} attachments, not {MAX_ATTACHMENTS}", attachments.len());
        return Err(bad("too_many_attachments", why));
    }
    for (index, attachment) in attachments.iter().enumerate() {
        check_attachment(attachment)
            .map_err(|why| bad("invalid_attachments", format!("attachment {index}: {why}")))?;
    }
    let length = all_blocks_length(blocks, attachments);
    if length > MAX_BLOCKS_TEXT {
        let why = format!("{length} characters in blocks, not {MAX_BLOCKS_TEXT}");
        return Err(bad("msg_blocks_too_long", why));
    }
    Ok(())
}

fn check_attachment(attachment: &Value) -> Result<(), String> {
    let properties = attachment.as_object().ok_or("not an object")?;
    for key in ATTACHMENT_TEXTS {
        match properties.get(key) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(_) => return Err(format!("`{key}` is not text")),
        }
    }
    let fields = properties.get("fields").and_then(Value::as_array);
    if properties.contains_key("fields") && fields.is_none() {
        return Err("`fields` is not a list".to_owned());
    }
    match properties.get("blocks") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(blocks)) => {
            let beside = |key: &&String| !BESIDE_BLOCKS.contains(&key.as_str());
            match properties.keys().find(beside) {
                Some(key) => Err(format!("`{key}` beside `blocks`")),
                None => blocks::check(blocks),
            }
        }
        Some(_) => Err("`blocks` is not a list".to_owned()),
    }
}

fn has_content(attachment: &Value) -> bool {
    let shown = [
        "text",
        "title",
        "pretext",
        "fallback",
        "author_name",
        "footer",
        "image_url",
    ];
    shown.iter().any(|key| text(attachment, key).is_some())
        || !list(attachment, "blocks").is_empty()
        || !list(attachment, "fields").is_empty()
}

fn all_blocks_length(blocks: &[Value], attachments: &[Value]) -> usize {
    let within_attachments: usize = attachments
        .iter()
        .map(|attachment| blocks::text_length(list(attachment, "blocks")))
        .sum();
    blocks::text_length(blocks) + within_attachments
}

/// A list, if given; anything else is refused.
fn known_list<'a>(payload: &'a Value, key: &str, code: &'static str) -> Result<&'a [Value], Refusal> {
    match payload.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) => Ok(list.as_slice()),
        Some(_) => Err(bad(code, format!("`{key}` is not a list"))),
    }
}

fn warnings(payload: &Value) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    for part in read(payload) {
        match part {
            Part::Marked(source) | Part::Notification(source) => {
                warnings.extend(mrkdwn::warnings(&source));
            }
            Part::Heading(_) | Part::Plain(_) | Part::Link { .. } => {}
        }
    }
    warnings.sort();
    warnings.dedup();
    let length = text(payload, "text").map_or(0, |text| text.chars().count());
    if length > ADVISED_TEXT {
        warnings.push(format!("the text has more than {ADVISED_TEXT} characters"));
    }
    if list(payload, "attachments").len() > ADVISED_ATTACHMENTS {
        warnings.push(format!("more than {ADVISED_ATTACHMENTS} attachments"));
    }
    warnings
}

fn refusal_in(state: HookState) -> Option<Refusal> {
    let (status, code) = match state {
        HookState::Ok | HookState::Slow => return None,
        HookState::Limited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
        HookState::Failing => (StatusCode::INTERNAL_SERVER_ERROR, "rollup_error"),
        HookState::Refusing => (StatusCode::NOT_FOUND, "no_service"),
    };
    Some(Refusal::new(status, code, ""))
}

/// Plain words but for the rate limit, which is told in JSON.
fn answer(verdict: Result<(), &Refusal>) -> Answer {
    let (status, code) = match verdict {
        Ok(()) => (StatusCode::OK, "ok"),
        Err(refusal) => (refusal.status, refusal.code),
    };
    let is_limited = status == StatusCode::TOO_MANY_REQUESTS;
    Answer {
        status,
        content_type: if is_limited {
            "application/json"
        } else {
            "text/plain; charset=utf-8"
        },
        body: if is_limited {
            json!({"ok": false, "error": code, "retry_after": 1}).to_string()
        } else {
            code.to_owned()
        },
    }
}

fn bad(code: &'static str, why: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(payload: &Value) -> &'static str {
        accept(payload).map_or_else(|refusal| refusal.code, |()| "ok")
    }

    fn section(length: usize) -> Value {
        json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(length)}})
    }

    #[test]
    fn json_and_the_payload_of_a_form_are_read() {
        let json_body = br#"{"text":"hi"}"#;
        let form_body = b"payload=%7B%22text%22%3A%22hi%22%7D";
        let expected = Ok(json!({"text": "hi"}));
        assert_eq!(parse("application/json", json_body), expected);
        assert_eq!(parse("application/x-www-form-urlencoded", form_body), expected);

        let json_type = "application/json";
        let form_type = "application/x-www-form-urlencoded";
        for (content_type, body) in [
            (json_type, "[]"),
            (json_type, "{"),
            (json_type, ""),
            (form_type, "text=hi"),
            (form_type, r#"{"text":"hi"}"#),
            ("text/plain", r#"{"text":"hi"}"#),
            ("", r#"{"text":"hi"}"#),
        ] {
            let code = parse(content_type, body.as_bytes()).map_err(|refusal| refusal.code);
            assert_eq!(code, Err("invalid_payload"), "{content_type} {body}");
        }
    }

    #[test]
    fn a_message_needs_something_to_show() {
        let cases = [
            (json!({"text": "hi"}), "ok"),
            (json!({"text": "hi", "some_day": 1, "blocks": null}), "ok"),
            (json!({"blocks": [{"type": "divider"}]}), "ok"),
            (json!({"attachments": [{"fallback": "hi"}]}), "ok"),
            (
                json!({"attachments": [{"color": "good", "blocks": [section(1)]}]}),
                "ok",
            ),
            (json!({}), "no_text"),
            (json!({"text": " "}), "no_text"),
            (json!({"text": null, "blocks": [], "attachments": []}), "no_text"),
            (json!({"attachments": [{"color": "good"}]}), "no_text"),
            (json!({"text": 7}), "invalid_payload"),
        ];
        for (payload, expected) in cases {
            assert_eq!(verdict(&payload), expected, "{payload}");
        }
    }

    #[test]
    fn blocks_and_attachments_are_refused_in_slacks_words() {
        let bad_block = json!({"type": "section"});
        let cases = [
            (json!({"blocks": [bad_block]}), "invalid_blocks"),
            (json!({"text": "hi", "blocks": "[]"}), "invalid_blocks"),
            (json!({"blocks": vec![section(1); 51]}), "invalid_blocks"),
            (json!({"text": "hi", "attachments": {}}), "invalid_attachments"),
            (json!({"text": "hi", "attachments": ["x"]}), "invalid_attachments"),
            (
                json!({"attachments": [{"text": "a", "title": 5}]}),
                "invalid_attachments",
            ),
            (
                json!({"attachments": [{"text": "a", "fields": 5}]}),
                "invalid_attachments",
            ),
            (
                json!({"attachments": [{"blocks": [bad_block]}]}),
                "invalid_attachments",
            ),
            (
                json!({"attachments": [{"blocks": [section(1)], "footer": "x"}]}),
                "invalid_attachments",
            ),
            (
                json!({"attachments": vec![json!({"text": "a"}); 101]}),
                "too_many_attachments",
            ),
        ];
        for (payload, expected) in cases {
            assert_eq!(verdict(&payload), expected, "{payload}");
        }
    }

    #[test]
    fn all_blocks_together_have_a_limit() {
        let four = || vec![section(3000); 4];
        let fits = json!({"blocks": four(), "attachments": [{"blocks": [section(1200)]}]});
        let exceeds = json!({"blocks": four(), "attachments": [{"blocks": [section(1201)]}]});
        assert_eq!(verdict(&fits), "ok");
        assert_eq!(verdict(&exceeds), "msg_blocks_too_long");
    }

    #[test]
    fn mentions_are_warned_about_wherever_they_would_work() {
        let payload = json!({
            "text": "<!channel> down",
            "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "<!here>"}}],
            "attachments": [{"text": "<@U123> look"}],
        });
        assert_eq!(
            warnings(&payload),
            ["mentions people: `!channel`", "mentions people: `@U123`"]
        );
    }

    #[test]
    fn answers_are_slacks() {
        let told = |state| {
            let refusal = refusal_in(state);
            let answer = answer(refusal.as_ref().map_or(Ok(()), Err));
            (answer.status.as_u16(), answer.body)
        };
        assert_eq!(told(HookState::Ok), (200, "ok".to_owned()));
        assert_eq!(told(HookState::Failing), (500, "rollup_error".to_owned()));
        assert_eq!(told(HookState::Refusing), (404, "no_service".to_owned()));
        let (status, body) = told(HookState::Limited);
        assert_eq!(status, 429);
        assert!(body.contains("rate_limited"), "{body}");
    }
}
