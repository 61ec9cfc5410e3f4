//! The webhook of Dooray: takes what is documented, and is strict about the advised sizes.
//!
//! How the real service words its refusals is not known. So that senders must look at both, this one
//! uses both ways: a body that can't be read is a 400, one that breaks a rule a 200 whose header says
//! that it was not successful.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use url::Url;

use super::chat::{Answer, Dialect, Part, Refusal, list, text};
use super::knobs::HookState;

const MAX_ATTACHMENTS: usize = 20;
const MAX_TEXT: usize = 4000;
const PROPERTIES: [&str; 4] = ["botName", "botIconImage", "text", "attachments"];
const ATTACHMENT_PROPERTIES: [&str; 4] = ["title", "titleLink", "text", "color"];

/// How Dooray reads and answers.
pub(super) const DIALECT: Dialect = Dialect {
    parse,
    accept,
    read,
    warnings,
    refusal_in,
    answer,
};

fn parse(content_type: &str, body: &[u8]) -> Result<Value, Refusal> {
    let unreadable = |why: String| Refusal::new(StatusCode::BAD_REQUEST, "unreadable_body", why);
    if content_type != "application/json" {
        return Err(unreadable(format!("content type `{content_type}`")));
    }
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| unreadable("not a JSON object".to_owned()))
}

fn accept(payload: &Value) -> Result<(), Refusal> {
    check(payload).map_err(|why| Refusal::new(StatusCode::OK, "invalid_message", why))
}

fn check(payload: &Value) -> Result<(), String> {
    for key in ["botName", "botIconImage", "text"] {
        check_text(payload, key)?;
    }
    check_address(payload, "botIconImage")?;
    let attachments: &[Value] = match payload.get("attachments") {
        None => &[],
        Some(Value::Array(attachments)) => attachments.as_slice(),
        Some(_) => return Err("`attachments` is not a list".to_owned()),
    };
    if attachments.len() > MAX_ATTACHMENTS {
        return Err(format!(
            "{} attachments, not {MAX_ATTACHMENTS}",
            attachments.len()
        ));
    }
    for (index, attachment) in attachments.iter().enumerate() {
        check_attachment(attachment).map_err(|why| format!("attachment {index}: {why}"))?;
    }
    if text(payload, "text").is_none() && attachments.is_empty() {
        return Err("neither `text` nor `attachments`".to_owned());
    }
    Ok(())
}

fn check_attachment(attachment: &Value) -> Result<(), String> {
    if !attachment.is_object() {
        return Err("not an object".to_owned());
    }
    for key in ATTACHMENT_PROPERTIES {
        check_text(attachment, key)?;
    }
    check_address(attachment, "titleLink")?;
    if text(attachment, "title").is_none() && text(attachment, "text").is_none() {
        return Err("neither `title` nor `text`".to_owned());
    }
    Ok(())
}

fn check_text(object: &Value, key: &str) -> Result<(), String> {
    match object.get(key) {
        None => Ok(()),
        Some(Value::String(text)) if text.chars().count() <= MAX_TEXT => Ok(()),
        Some(Value::String(_)) => Err(format!("`{key}` has more than {MAX_TEXT} characters")),
        Some(_) => Err(format!("`{key}` is not text")),
    }
}

fn check_address(object: &Value, key: &str) -> Result<(), String> {
    let Some(address) = text(object, key) else {
        return Ok(());
    };
    match Url::parse(address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        Ok(_) | Err(_) => Err(format!("`{key}` is no web address")),
    }
}

fn read(payload: &Value) -> Vec<Part> {
    let mut parts = Vec::new();
    parts.extend(text(payload, "botName").map(|name| Part::Heading(name.to_owned())));
    parts.extend(text(payload, "text").map(plain));
    for attachment in list(payload, "attachments") {
        let title = text(attachment, "title");
        parts.extend(title.map(|title| match text(attachment, "titleLink") {
            Some(target) => Part::Link {
                label: title.to_owned(),
                target: target.to_owned(),
            },
            None => plain(title),
        }));
        parts.extend(text(attachment, "text").map(plain));
    }
    parts
}

fn plain(text: &str) -> Part {
    Part::Plain(text.to_owned())
}

fn warnings(payload: &Value) -> Vec<String> {
    let mut warnings = unknown_properties(payload, &PROPERTIES);
    for attachment in list(payload, "attachments") {
        warnings.extend(unknown_properties(attachment, &ATTACHMENT_PROPERTIES));
        let color = text(attachment, "color").filter(|color| !looks_like_color(color));
        warnings.extend(color.map(|color| format!("`{color}` is no colour")));
    }
    warnings.sort();
    warnings.dedup();
    warnings
}

fn unknown_properties(object: &Value, known: &[&str]) -> Vec<String> {
    let properties = object.as_object().into_iter().flat_map(Map::keys);
    properties
        .filter(|key| !known.contains(&key.as_str()))
        .map(|key| format!("unknown property `{key}`"))
        .collect()
}

/// A name such as `red`, or `#rrggbb`.
fn looks_like_color(color: &str) -> bool {
    match color.strip_prefix('#') {
        Some(digits) => {
            matches!(digits.len(), 3 | 6) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        }
        None => color.bytes().all(|letter| letter.is_ascii_alphabetic()),
    }
}

fn refusal_in(state: HookState) -> Option<Refusal> {
    let (status, code) = match state {
        HookState::Ok | HookState::Slow => return None,
        HookState::Limited => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        HookState::Failing => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        HookState::Refusing => (StatusCode::OK, "refused"),
    };
    Some(Refusal::new(status, code, ""))
}

fn answer(verdict: Result<(), &Refusal>) -> Answer {
    let (status, result_code, message) = match verdict {
        Ok(()) => (StatusCode::OK, 0, ""),
        Err(refusal) => (refusal.status, -1, refusal.code),
    };
    let body = json!({
        "header": {
            "isSuccessful": verdict.is_ok(),
            "resultCode": result_code,
            "resultMessage": message,
        },
        "result": null,
    });
    Answer {
        status,
        content_type: "application/json",
        body: body.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_objects_are_read() {
        let json_type = "application/json";
        for (content_type, body) in [(json_type, "[]"), (json_type, "{"), ("text/plain", "{}")] {
            let status = parse(content_type, body.as_bytes()).map_err(|refusal| refusal.status);
            assert_eq!(status, Err(StatusCode::BAD_REQUEST), "{content_type} {body}");
        }
        assert_eq!(parse(json_type, b"{}"), Ok(json!({})));
    }

    #[test]
    fn a_message_within_the_rules_is_taken() {
        let attachment = json!({
            "title": "결제", "titleLink": "https://a.example/1", "text": "x", "color": "red",
        });
        for payload in [
            json!({"text": "가".repeat(4000)}),
            json!({"botName": "Haetae", "text": "hi", "attachments": []}),
            json!({"attachments": vec![attachment; 20]}),
        ] {
            assert_eq!(check(&payload), Ok(()), "{payload}");
        }
    }

    #[test]
    fn a_message_against_the_rules_is_refused_with_its_reason() {
        let cases = [
            (json!({}), "neither `text` nor `attachments`"),
            (json!({"text": ""}), "neither `text` nor `attachments`"),
            (json!({"text": 1}), "`text` is not text"),
            (json!({"text": null}), "`text` is not text"),
            (
                json!({"text": "x".repeat(4001)}),
                "`text` has more than 4000 characters",
            ),
            (
                json!({"text": "x", "attachments": {}}),
                "`attachments` is not a list",
            ),
            (
                json!({"text": "x", "botIconImage": "icon"}),
                "`botIconImage` is no web address",
            ),
            (
                json!({"attachments": [{"color": "red"}]}),
                "attachment 0: neither `title` nor `text`",
            ),
            (
                json!({"attachments": [{"title": "x", "titleLink": "db.example:5432"}]}),
                "attachment 0: `titleLink` is no web address",
            ),
            (
                json!({"attachments": vec![json!({"text": "x"}); 21]}),
                "21 attachments, not 20",
            ),
        ];
        for (payload, why) in cases {
            assert_eq!(check(&payload), Err(why.to_owned()), "{payload}");
        }
    }

    #[test]
    fn a_message_is_read_from_top_to_bottom() {
        let payload = json!({
            "botName": "Haetae",
            "text": "Payment is *critical*\nsince 09:00",
            "attachments": [
                {"title": "Runbook", "titleLink": "https://wiki.example/pay", "text": "a < b"},
                {"title": "Owner"},
            ],
        });
        let told: Vec<String> = read(&payload).iter().map(Part::readable).collect();
        assert_eq!(
            told,
            [
                "Haetae",
                "Payment is *critical*\nsince 09:00",
                "Runbook (https://wiki.example/pay)",
                "a < b",
                "Owner",
            ]
        );
    }

    #[test]
    fn what_the_service_may_not_understand_is_warned_about() {
        let payload = json!({
            "text": "x", "channel": "ops",
            "attachments": [
                {"text": "x", "color": "#f00"}, {"text": "x", "color": "#12"}, {"text": "x", "footer": "y"},
            ],
        });
        assert_eq!(
            warnings(&payload),
            [
                "`#12` is no colour",
                "unknown property `channel`",
                "unknown property `footer`",
            ]
        );
    }

    #[test]
    fn a_refusal_may_be_a_200() {
        let refusal = refusal_in(HookState::Refusing).unwrap();
        let refused = answer(Err(&refusal));
        assert_eq!(refused.status, StatusCode::OK);
        assert!(
            refused.body.contains(r#""isSuccessful":false"#),
            "{}",
            refused.body
        );
        assert!(answer(Ok(())).body.contains(r#""isSuccessful":true"#));
    }
}
