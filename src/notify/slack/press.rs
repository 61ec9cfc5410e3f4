//! Buttons in Slack: what they look like, and who may press them.
//!
//! docs.slack.dev, "Verifying requests from Slack": `v0=` and the HMAC-SHA256 of
//! `v0:timestamp:body`, at most five minutes old, compared in constant time.

use std::time::Duration;

use ring::hmac;
use serde_json::{Value as Json, json};

use crate::model::{IncidentId, Language, Timestamp};
use crate::notify::{PressKind, Pressed};

const OLDEST: Duration = Duration::from_mins(5);
const ACKNOWLEDGE: &str = "haetae_acknowledge";
const SILENCE: &str = "haetae_silence_1h";

/// The buttons below a message about one incident.
pub(super) fn buttons(incident: &IncidentId, language: Language) -> Json {
    let (acknowledge, silence) = match language {
        Language::En => ("Acknowledge", "Silence 1h"),
        Language::Ko => ("확인", "1시간 무음"),
    };
    let button = |text: &str, action: &str| {
        json!({
            "type": "button",
            "text": { "type": "plain_text", "text": text },
            "action_id": action,
            "value": incident,
        })
    };
    json!({
        "type": "actions",
        "elements": [button(acknowledge, ACKNOWLEDGE), button(silence, SILENCE)],
    })
}

/// Whether Slack has signed this request, lately.
pub(super) fn verify(secret: &str, timestamp: &str, signature: &str, body: &[u8], now: Timestamp) -> bool {
    let Ok(signed_s) = timestamp.parse::<i64>() else {
        return false;
    };
    let signed = Timestamp::from_unix_ms(signed_s.saturating_mul(1_000));
    if now.since(signed) > OLDEST || signed.since(now) > OLDEST {
        return false;
    }
    let Some(tag) = signature.strip_prefix("v0=").and_then(from_hex) else {
        return false;
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let text = [b"v0:", timestamp.as_bytes(), b":", body].concat();
    hmac::verify(&key, &text, &tag).is_ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

/// What was pressed, out of the form that Slack posts.
pub(super) fn read(body: &[u8]) -> Result<Pressed, String> {
    let payload = url::form_urlencoded::parse(body)
        .find(|(name, _)| name == "payload")
        .map(|(_, value)| value.into_owned())
        .ok_or("there is no `payload` in it")?;
    let payload: Json = serde_json::from_str(&payload).map_err(|_| "its `payload` is not JSON")?;
    let text = |pointer: &str| payload.pointer(pointer).and_then(Json::as_str);
    let kind = match text("/actions/0/action_id") {
        Some(ACKNOWLEDGE) => PressKind::Acknowledge,
        Some(SILENCE) => PressKind::Silence(Duration::from_hours(1)),
        _ => return Err("it is none of haetae's buttons".into()),
    };
    let incident = text("/actions/0/value").ok_or("it names no incident")?;
    let by = text("/user/username")
        .or_else(|| text("/user/name"))
        .or_else(|| text("/user/id"))
        .unwrap_or("somebody in Slack");
    Ok(Pressed {
        incident: IncidentId(incident.to_owned()),
        kind,
        by: by.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // docs.slack.dev, "Verifying requests from Slack", gives this example.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_ms(second * 1_000)
    }

    #[test]
    fn slacks_own_example_is_verified_and_anything_else_is_not() {
        let now = at(1_531_420_700);
        assert!(verify(SECRET, "1531420618", SIGNATURE, BODY.as_bytes(), now));
        assert!(!verify("another", "1531420618", SIGNATURE, BODY.as_bytes(), now));
        assert!(!verify(SECRET, "1531420619", SIGNATURE, BODY.as_bytes(), now));
        assert!(!verify(SECRET, "1531420618", SIGNATURE, b"other", now));
        assert!(!verify(SECRET, "1531420618", "v0=zz", BODY.as_bytes(), now));
        assert!(!verify(
            SECRET,
            "1531420618",
            SIGNATURE,
            BODY.as_bytes(),
            at(1_531_421_000)
        ));
    }

    #[test]
    fn a_pressed_button_names_incident_and_person() {
        let payload = json!({
            "type": "block_actions",
            "user": { "id": "U1", "username": "kim" },
            "actions": [{ "action_id": SILENCE, "value": "4k2m9xq7ab" }],
        });
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &payload.to_string())
            .finish();
        let pressed = read(body.as_bytes()).unwrap();
        assert_eq!(pressed.by, "kim");
        assert_eq!(pressed.incident, IncidentId("4k2m9xq7ab".into()));
        assert_eq!(pressed.kind, PressKind::Silence(Duration::from_hours(1)));
        assert!(read(b"payload={}").is_err());
    }
}
