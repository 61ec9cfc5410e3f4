//! The control page: breaks parts of the demo on purpose, for people and for scripts.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use url::form_urlencoded;

use super::content_type;
use super::knobs::{Choice, Knobs, Problem, TargetState};
use super::markup::{Markup, site_page};

/// How long an answer waits for the partner's socket to follow the knob.
const FOLLOW_LIMIT: Duration = Duration::from_secs(2);

/// The owner of the knobs.
pub(super) struct Control {
    knobs: watch::Sender<Knobs>,
    partner_open: watch::Receiver<bool>,
}

/// Who asked decides how the answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Script,
    Page,
}

impl Control {
    /// `partner_open` tells whether the partner's socket listens at the moment.
    pub(super) fn new(knobs: watch::Sender<Knobs>, partner_open: watch::Receiver<bool>) -> Self {
        Self { knobs, partner_open }
    }

    fn turn(&self, change: &Map<String, Value>) -> Result<Knobs, Vec<Problem>> {
        let mut result = Err(Vec::new());
        self.knobs.send_if_modified(|knobs| {
            result = knobs.turned(change);
            match &result {
                Ok(turned) if *turned != *knobs => {
                    *knobs = *turned;
                    true
                }
                Ok(_) | Err(_) => false,
            }
        });
        result
    }

    /// Waits until the partner's socket is as the knob says: whoever turned it may rely on it.
    async fn partner_follows(&self, knobs: Knobs) {
        let wanted = knobs.partner != TargetState::Dead;
        let mut partner_open = self.partner_open.clone();
        let following = partner_open.wait_for(|open| *open == wanted);
        let followed = tokio::time::timeout(FOLLOW_LIMIT, following).await.is_ok();
        if !followed {
            tracing::warn!("demo partner does not follow its knob");
        }
    }
}

/// The control page's routes.
pub(super) fn router(control: Arc<Control>) -> Router {
    Router::new()
        .route("/demo/control", get(page).post(change))
        .route("/demo/control.json", get(positions))
        .with_state(control)
}

async fn page(State(control): State<Arc<Control>>) -> Markup {
    let knobs = *control.knobs.borrow();
    control_page(knobs)
}

async fn positions(State(control): State<Arc<Control>>) -> Json<Value> {
    let knobs = *control.knobs.borrow();
    Json(knobs.to_json())
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accepted| accepted.contains("text/html"))
}

async fn change(State(control): State<Arc<Control>>, headers: HeaderMap, body: Bytes) -> Response {
    let turned = read_change(&content_type(&headers), &body)
        .and_then(|(asker, change)| Ok((asker, control.turn(&change)?)));
    match turned {
        Ok((asker, knobs)) => {
            control.partner_follows(knobs).await;
            match asker {
                // `curl -d partner=slow` sends a form too, and wants to see what came of it.
                Asker::Page if wants_page(&headers) => Redirect::to("/demo/control").into_response(),
                Asker::Script | Asker::Page => Json(knobs.to_json()).into_response(),
            }
        }
        Err(problems) => refusal(&problems),
    }
}

/// Reads a change from JSON or a form.
///
/// What begins like a JSON object is one whatever its type says: `curl -d` calls everything a form.
fn read_change(content_type: &str, body: &[u8]) -> Result<(Asker, Map<String, Value>), Vec<Problem>> {
    let looks_like_json = body.trim_ascii_start().starts_with(b"{");
    if !looks_like_json && content_type == "application/x-www-form-urlencoded" {
        let pairs = form_urlencoded::parse(body);
        let change = pairs.map(|(key, value)| (key.into_owned(), Value::from(value.into_owned())));
        return Ok((Asker::Page, change.collect()));
    }
    match serde_json::from_slice(body) {
        Ok(change) => Ok((Asker::Script, change)),
        Err(error) => Err(vec![Problem {
            key: String::new(),
            message: format!("the body is not a JSON object: {error}"),
            allowed: vec![Knobs::default().to_json().to_string()],
        }]),
    }
}

/// RFC 9457 problem details.
fn refusal(problems: &[Problem]) -> Response {
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let body = json!({
        "type": "about:blank",
        "title": "the knobs can't be turned like this",
        "status": 400,
        "detail": messages.join("; "),
        "errors": problems,
    });
    (
        StatusCode::BAD_REQUEST,
        [(header::CONTENT_TYPE, "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}

fn control_page(knobs: Knobs) -> Markup {
    let content = Markup::fill(
        include_str!("pages/control.html"),
        &[
            ("shop", radio_buttons("shop", knobs.shop)),
            ("partner", radio_buttons("partner", knobs.partner)),
            ("slack", radio_buttons("slack", knobs.slack)),
            ("dooray", radio_buttons("dooray", knobs.dooray)),
            ("shop_delay_ms", knobs.shop_delay_ms.to_string().into()),
            ("partner_delay_ms", knobs.partner_delay_ms.to_string().into()),
            ("workers", knobs.workers.to_string().into()),
        ],
    );
    site_page("Control · haetae demo", content)
}

fn radio_buttons<C: Choice>(key: &str, current: C) -> Markup {
    let button = |choice: &C| {
        let checked = if *choice == current { " checked" } else { "" };
        Markup::fill(
            r#"<label><input type="radio" name="{{key}}" value="{{choice}}"{{checked}}> {{choice}}</label>"#,
            &[
                ("key", key.into()),
                ("choice", choice.name().into()),
                ("checked", Markup::trusted(checked)),
            ],
        )
    };
    C::ALL.iter().map(button).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_form_and_json_say_the_same() {
        let (form_asker, form) = read_change(FORM, b"shop=dead&workers=3").unwrap();
        let (script, change) = read_change("application/json", br#"{"shop":"dead","workers":3}"#).unwrap();
        assert_eq!((form_asker, script), (Asker::Page, Asker::Script));
        let turned = |change| Knobs::default().turned(change);
        assert_eq!(turned(&form), turned(&change));
    }

    #[test]
    fn json_sent_as_a_form_is_still_json() {
        let (asker, change) = read_change(FORM, b" {\"slack\":\"limited\"}").unwrap();
        assert_eq!(asker, Asker::Script);
        assert_eq!(change.get("slack"), Some(&json!("limited")));
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        for body in ["", "[]", "dead", "{"] {
            assert!(
                read_change("application/json", body.as_bytes()).is_err(),
                "{body}"
            );
        }
    }

    #[test]
    fn the_page_shows_the_current_positions() {
        let knobs = Knobs {
            shop: TargetState::Hang,
            workers: 7,
            ..Knobs::default()
        };
        let page = control_page(knobs);
        assert!(page.as_str().contains(r#"name="shop" value="hang" checked"#));
        assert!(page.as_str().contains(r#"name="partner" value="ok" checked"#));
        assert!(
            page.as_str()
                .contains(r#"name="workers" type="number" min="0" value="7""#)
        );
    }
}
