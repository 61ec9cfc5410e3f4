//! Jobs that call.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::ApiParts;
use super::problem::ApiProblem;
use super::router::Parts;
use crate::check::Runnable;
use crate::check::heartbeat::TokenKey;
use crate::clock::wall_now;
use crate::model::{Level, Ping, PingKind, Pings};
use crate::schedule::Order;

/// So much of what a job says is kept.
const LONGEST_WORDS: usize = 1_000;

/// A job has done its work.
pub async fn success(
    State(parts): Parts,
    Path(token): Path<String>,
    body: Bytes,
) -> Result<&'static str, ApiProblem> {
    take(&parts, &token, PingKind::Success, &body).await
}

/// A job begins.
pub async fn start(
    State(parts): Parts,
    Path(token): Path<String>,
    body: Bytes,
) -> Result<&'static str, ApiProblem> {
    take(&parts, &token, PingKind::Start, &body).await
}

/// A job could not do its work.
pub async fn fail(
    State(parts): Parts,
    Path(token): Path<String>,
    body: Bytes,
) -> Result<&'static str, ApiProblem> {
    take(&parts, &token, PingKind::Fail, &body).await
}

/// Writes the call down, then lets the checks know.
async fn take(
    parts: &Arc<ApiParts>,
    token: &str,
    kind: PingKind,
    body: &Bytes,
) -> Result<&'static str, ApiProblem> {
    let key = TokenKey::of(token);
    let called = called_by(parts, &key);
    if called.is_empty() {
        return Err(ApiProblem::not_found("no check waits for calls by this token"));
    }
    let ping = Ping {
        at: wall_now(),
        kind,
        said: match kind {
            PingKind::Fail => words(parts, body),
            PingKind::Success | PingKind::Start => String::new(),
        },
    };
    let pings = parts.store.ping(&key.name(), &ping).await?;
    let before = parts.services.heartbeats.take(&key, pings.clone());
    for runnable in called {
        let level = parts.status.check(&runnable.check.id).level;
        if is_news(kind, &before, &pings, level) {
            // When so much is asked of the runner already, the regular look will do.
            let _ = parts
                .orders
                .try_send(Order::Recheck(runnable.check.id.clone(), Duration::ZERO));
        }
    }
    Ok("ok\n")
}

/// The checks that wait for calls by this token. Every check is looked at, whichever fits.
fn called_by(parts: &ApiParts, key: &TokenKey) -> Vec<Runnable> {
    let project = parts.project();
    project
        .checks
        .values()
        .filter(|runnable| runnable.probe.called_by().is_some_and(|theirs| theirs.is(key)))
        .cloned()
        .collect()
}

/// Whether a check should look at once: a failure begins, or a trouble may be over.
fn is_news(kind: PingKind, before: &Pings, after: &Pings, level: Level) -> bool {
    match kind {
        PingKind::Start => false,
        PingKind::Success => level != Level::Ok,
        PingKind::Fail => before.failing_since().is_none() && after.failing_since().is_some(),
    }
}

/// What a job says, fit to be kept: no secrets, no control characters, not too much.
fn words(parts: &ApiParts, body: &Bytes) -> String {
    let text = String::from_utf8_lossy(body);
    let clean = parts.services.redactor.current().clean(&text).into_owned();
    let printable = clean.chars().filter(|c| *c == '\n' || !c.is_control());
    let words: String = printable.take(LONGEST_WORDS).collect();
    words.trim().to_owned()
}
