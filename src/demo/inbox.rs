//! The inbox: takes messages as the chat services do and keeps the newest for people and scripts.
//!
//! Invariant: the token, a webhook's secret, is neither kept nor shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::wall_now;

use super::chat::Refusal;
use super::knobs::{HookState, Knobs};
use super::markup::Markup;
use super::messages::{Message, Service, Store, Wanted};
use super::{content_type, inbox_page, pause};

/// How much is kept of a body that can't be read.
const MAX_UNREADABLE: usize = 4096;
const MAX_ON_PAGE: usize = 200;
const SLOW_ANSWER: Duration = Duration::from_secs(5);
const LONGEST_WAIT_MS: u64 = 60_000;

/// The messages and those who wait for them.
pub(super) struct Inbox {
    store: Mutex<Store>,
    newest: watch::Sender<u64>,
    knobs: watch::Receiver<Knobs>,
    stopping: CancellationToken,
}

impl Inbox {
    /// An empty inbox.
    pub(super) fn new(knobs: watch::Receiver<Knobs>, stopping: CancellationToken) -> Self {
        Self {
            store: Mutex::default(),
            newest: watch::Sender::new(0),
            knobs,
            stopping,
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wanted, as soon as there is any of it; nothing when the wait is over.
    async fn find_in_time(&self, wanted: &Wanted) -> Vec<Arc<Message>> {
        let mut newest = self.newest.subscribe();
        let arrival = async {
            loop {
                newest.mark_unchanged();
                let found = self.store().find(wanted);
                if !found.is_empty() || newest.changed().await.is_err() {
                    return found;
                }
            }
        };
        let wait = Duration::from_millis(wanted.wait_ms.min(LONGEST_WAIT_MS));
        tokio::select! {
            biased;
            found = arrival => found,
            () = pause(&self.stopping, wait) => Vec::new(),
        }
    }

    /// Keeps a message and wakes those who wait for one.
    fn keep(&self, message: Message) {
        let id = self.store().add(message);
        self.newest.send_replace(id);
    }

    /// Judges and keeps a message; the answer comes late while the service is slow.
    async fn receive(&self, service: Service, hook: String, content_type: &str, body: &[u8]) -> Response {
        let state = service.state(*self.knobs.borrow());
        let parsed = (service.dialect().parse)(content_type, body);
        let verdict = verdict(service, state, &parsed);
        let answer = (service.dialect().answer)(verdict.as_ref().copied());
        self.keep(Message {
            id: 0,
            received: wall_now(),
            service,
            hook,
            status: answer.status,
            error: verdict.as_ref().err().map(|refusal| refusal.code),
            warnings: warnings(service, &parsed, &verdict),
            payload: parsed.unwrap_or_else(|_| unreadable(body)),
            size: body.len(),
        });
        if state == HookState::Slow {
            pause(&self.stopping, SLOW_ANSWER).await;
        }
        answer.into_response()
    }
}

/// The state of the service decides first, then the message itself.
fn verdict(service: Service, state: HookState, parsed: &Result<Value, Refusal>) -> Result<(), Refusal> {
    if let Some(refusal) = (service.dialect().refusal_in)(state) {
        return Err(refusal);
    }
    match parsed {
        Ok(payload) => (service.dialect().accept)(payload),
        Err(refusal) => Err(refusal.clone()),
    }
}

/// What the sender should know, and the real service would not tell.
fn warnings(service: Service, parsed: &Result<Value, Refusal>, verdict: &Result<(), Refusal>) -> Vec<String> {
    let read = parsed.as_ref().map(service.dialect().warnings);
    let mut warnings = read.unwrap_or_default();
    let why = verdict.as_ref().err().map(|refusal| refusal.why.clone());
    warnings.extend(why.filter(|why| !why.is_empty()));
    warnings
}

/// The inbox's routes.
pub(super) fn router(inbox: Arc<Inbox>) -> Router {
    Router::new()
        .route("/slack/services/{team}/{bot}/{token}", post(from_slack))
        .route("/dooray/services/{tenant}/{bot}/{token}", post(from_dooray))
        .route("/inbox", get(page))
        .route("/inbox.json", get(messages))
        .route("/inbox/clear", post(clear))
        .with_state(inbox)
}

async fn from_slack(
    State(inbox): State<Arc<Inbox>>,
    Path((_team, bot, _token)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = content_type(&headers);
    inbox.receive(Service::Slack, bot, &content_type, &body).await
}

async fn from_dooray(
    State(inbox): State<Arc<Inbox>>,
    Path((_tenant, bot, _token)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = content_type(&headers);
    inbox.receive(Service::Dooray, bot, &content_type, &body).await
}

async fn page(State(inbox): State<Arc<Inbox>>, Query(wanted): Query<Wanted>) -> Markup {
    let found = inbox.store().find(&wanted);
    let newest: Vec<Arc<Message>> = found.into_iter().rev().take(MAX_ON_PAGE).collect();
    inbox_page::page(&newest, wanted.service)
}

async fn messages(State(inbox): State<Arc<Inbox>>, Query(wanted): Query<Wanted>) -> Json<Vec<Value>> {
    let found = inbox.find_in_time(&wanted).await;
    Json(found.iter().map(|message| message.to_json()).collect())
}

async fn clear(State(inbox): State<Arc<Inbox>>) -> Redirect {
    inbox.store().clear();
    Redirect::to("/inbox")
}

fn unreadable(body: &[u8]) -> Value {
    let kept = body.get(..MAX_UNREADABLE).unwrap_or(body);
    Value::from(String::from_utf8_lossy(kept).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inbox() -> Inbox {
        let (_, knobs) = watch::channel(Knobs::default());
        Inbox::new(knobs, CancellationToken::new())
    }

    #[tokio::test]
    async fn a_wait_ends_with_the_message_or_with_the_time() {
        let inbox = inbox();
        let wanted = |wait_ms| Wanted {
            wait_ms,
            ..Wanted::default()
        };
        assert!(inbox.find_in_time(&wanted(20)).await.is_empty());

        let wanted = wanted(30_000);
        let hook = "oncall".to_owned();
        let (found, _) = tokio::join!(
            inbox.find_in_time(&wanted),
            inbox.receive(Service::Slack, hook, "application/json", br#"{"text":"hi"}"#),
        );
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_refusing_service_refuses_the_best_message() {
        let fine = Ok(json!({"text": "hi"}));
        let refusal = verdict(Service::Slack, HookState::Refusing, &fine).unwrap_err();
        assert_eq!(refusal.code, "no_service");
        assert_eq!(verdict(Service::Slack, HookState::Slow, &fine), Ok(()));
    }

    #[test]
    fn a_body_that_cannot_be_read_is_kept_in_part() {
        assert_eq!(unreadable(b"not json"), json!("not json"));
        let long = unreadable(&[b'x'; 10_000]);
        assert_eq!(long.as_str().unwrap().len(), MAX_UNREADABLE);
    }
}
