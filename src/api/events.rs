//! `/api/v1/events`: what happens, as it happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::extract::Asked;
use super::problem::ApiProblem;
use super::router::Parts;
use super::runs::{SIGN_OF_LIFE, event};
use crate::bulletin::Event as Happened;

/// So many may listen at once.
const MOST_LISTENERS: usize = 100;
static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// Counts a listener for as long as it is there.
struct Seat;

impl Seat {
    fn take() -> Result<Self, ApiProblem> {
        let seat = Self;
        if LISTENERS.fetch_add(1, Ordering::Relaxed) >= MOST_LISTENERS {
            return Err(ApiProblem::unavailable(
                "too many listen already; ask again later",
            ));
        }
        Ok(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Which events.
#[derive(Deserialize)]
pub struct Which {
    kind: Option<String>,
}

struct Listening {
    missed: VecDeque<Arc<Happened>>,
    gap: bool,
    coming: broadcast::Receiver<Arc<Happened>>,
    kinds: Vec<String>,
    stop: CancellationToken,
    _seat: Seat,
}

/// Events from now on, or after `Last-Event-ID`. Who reads too slowly is let go, and may come
/// back with the number of the last event.
pub async fn events(
    State(parts): Parts,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiProblem> {
    let seat = Seat::take()?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = last
        .map(|text| {
            text.parse()
                .map_err(|_| ApiProblem::bad_request("`Last-Event-ID` is the number of an event"))
        })
        .transpose()?;
    let heard = parts.bulletin.listen(last);
    let listening = Listening {
        missed: heard.missed.into(),
        gap: heard.gap,
        coming: heard.coming,
        kinds: which
            .kind
            .iter()
            .flat_map(|kinds| kinds.split(','))
            .map(|kind| kind.trim().to_owned())
            .filter(|kind| !kind.is_empty())
            .collect(),
        stop: parts.stop.clone(),
        _seat: seat,
    };
    let stream = stream::unfold(listening, |mut listening| async move {
        let event = listening.next().await?;
        Some((Ok(event), listening))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)))
}

impl Listening {
    async fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.gap) {
            let why = "events before this are not kept any more: look at the lists anew";
            return event("gap", &json!({ "why": why }));
        }
        loop {
            let happened = if let Some(missed) = self.missed.pop_front() {
                missed
            } else {
                tokio::select! {
                    // Too slow, or the end.
                    heard = self.coming.recv() => heard.ok()?,
                    () = self.stop.cancelled() => return None,
                }
            };
            if self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == happened.kind) {
                return event(happened.kind, &happened.data).map(|event| event.id(happened.id.to_string()));
            }
        }
    }
}
