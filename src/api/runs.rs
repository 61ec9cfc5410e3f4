//! `/api/v1/runs`: checks run now because somebody asks.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::ApiParts;
use super::access::Caller;
use super::extract::{Asked, Body, and_one, listed, page};
use super::oncall::{Paging, bounded};
use super::problem::ApiProblem;
use super::router::Parts;
use super::triggered::{
    begin, by_key, choose, find, from_store, judged, named, read_key, read_link, settled, wait_for,
};
use crate::clock::wall_now;
use crate::model::{Level, RunId, RunState, TriggerTag, TriggeredRun, parse_duration};
use crate::report::junit::junit;
use crate::schedule::Order;
use crate::store::OperationKind;

/// An answer waits at most so long.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Nothing of it comes for so long: the connection is shown to live.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// What is to be run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triggering {
    select: Vec<String>,
    idempotency_key: Option<String>,
    #[serde(default)]
    reason: String,
    link: Option<String>,
    #[serde(default)]
    notify: bool,
    #[serde(default)]
    by: String,
}

/// How long an answer may wait.
#[derive(Deserialize)]
pub struct Waiting {
    wait: Option<String>,
}

impl Waiting {
    /// The time, bounded.
    ///
    /// # Errors
    /// When it is not a duration.
    pub fn span(&self) -> Result<Duration, ApiProblem> {
        let Some(text) = &self.wait else {
            return Ok(Duration::ZERO);
        };
        let span = parse_duration(text).map_err(|why| ApiProblem::bad_request(format!("`wait`: {why}")))?;
        Ok(span.min(LONGEST_WAIT))
    }
}

/// Has checks run now, before what is due. The same idempotency key within a day gives the
/// same run.
pub async fn trigger(
    State(parts): Parts,
    Extension(caller): Extension<Caller>,
    Asked(waiting): Asked<Waiting>,
    Body(request): Body<Triggering>,
) -> Result<Response, ApiProblem> {
    let wait = waiting.span()?;
    let key = read_key(request.idempotency_key)?;
    let tag = TriggerTag {
        id: RunId::new().0,
        reason: bounded("reason", request.reason)?,
        link: read_link(request.link)?,
        by: named(&caller, request.by)?,
        notify: request.notify,
    };
    let beginning = parts.triggers.beginning.lock().await;
    if let Some(key) = &key
        && let Some(known) = by_key(&parts, key).await?
    {
        if known.select != request.select {
            return Err(ApiProblem::conflict(format!(
                "the key `{key}` was used for other checks less than a day ago"
            )));
        }
        drop(beginning);
        let known = wait_for(&parts, known, wait).await;
        return Ok((StatusCode::OK, located(&known), Json(to_json(&known))).into_response());
    }
    let chosen = choose(&parts, &request.select)?;
    let mut coming = begin(&parts, tag, request.select, chosen, key).await?;
    drop(beginning);
    settled(&mut coming, wait).await;
    let run = Arc::clone(&coming.borrow());
    Ok((StatusCode::ACCEPTED, located(&run), Json(to_json(&run))).into_response())
}

fn located(run: &TriggeredRun) -> [(HeaderName, String); 1] {
    [(header::LOCATION, format!("/api/v1/runs/{}", run.tag.id))]
}

fn to_json(run: &TriggeredRun) -> Value {
    let mut value = json!(run);
    value["done"] = json!(run.done());
    value["total"] = json!(run.checks.len());
    value["page"] = json!(format!("/runs/{}", run.tag.id));
    value
}

/// Triggered runs, the latest first, without what each check saw.
pub async fn list(State(parts): Parts, Asked(paging): Asked<Paging>) -> Result<Json<Value>, ApiProblem> {
    let page = page(paging.limit, paging.after, 50)?;
    let rows = parts
        .store
        .operations(OperationKind::Run, &and_one(&page))
        .await?;
    let mut runs = Vec::with_capacity(rows.len());
    for row in rows {
        let kept = from_store(row)?;
        let run = match parts.triggers.runs.watch(&kept.tag.id) {
            Some(going) => Arc::clone(&going.borrow()),
            None => kept,
        };
        let mut value = to_json(&run);
        if let Some(fields) = value.as_object_mut() {
            fields.remove("checks");
        }
        runs.push(value);
    }
    listed("runs", runs, &page, |run| {
        run["id"].as_str().unwrap_or_default().to_owned()
    })
}

/// One triggered run; with `wait` once it has ended, or the time is over.
pub async fn show(
    State(parts): Parts,
    Path(id): Path<String>,
    Asked(waiting): Asked<Waiting>,
) -> Result<Json<Value>, ApiProblem> {
    let wait = waiting.span()?;
    let run = find(&parts, &id).await?;
    Ok(Json(to_json(&*wait_for(&parts, run, wait).await)))
}

/// Ends one early: what has not begun does not, what runs is abandoned.
pub async fn cancel(State(parts): Parts, Path(id): Path<String>) -> Result<Json<Value>, ApiProblem> {
    let run = find(&parts, &id).await?;
    if run.state != RunState::Running {
        return Err(ApiProblem::conflict(format!("the run `{id}` has ended already")));
    }
    let cancelled = parts.triggers.runs.cancel(&id, wall_now());
    parts
        .bulletin
        .tell("run", json!({ "id": id, "state": RunState::Cancelled, "done": run.done(), "total": run.checks.len(), "worst": run.worst }));
    let _ = parts.orders.send(Order::Cancel(id.clone())).await;
    Ok(Json(to_json(&cancelled.unwrap_or(run))))
}

/// From which level on a test case has failed.
#[derive(Deserialize)]
pub struct FailOn {
    fail_on: Option<String>,
}

/// The report that build servers read.
pub async fn report(
    State(parts): Parts,
    Path(id): Path<String>,
    Asked(asked): Asked<FailOn>,
) -> Result<Response, ApiProblem> {
    let fail_on = match asked.fail_on.as_deref() {
        None | Some("critical") => Level::Critical,
        Some("warning") => Level::Warning,
        Some(other) => {
            return Err(ApiProblem::bad_request(format!(
                "`{other}` is no level to fail on: warning, critical"
            )));
        }
    };
    let run = find(&parts, &id).await?;
    if run.state == RunState::Running {
        return Err(ApiProblem::conflict(format!(
            "the run `{id}` still goes on; ask /api/v1/runs/{id}?wait=60s first"
        )));
    }
    let xml = junit(&judged(&run), fail_on).map_err(|error| ApiProblem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, "application/xml")], xml).into_response())
}

/// Where a listener stands.
struct Following {
    coming: Option<watch::Receiver<Arc<TriggeredRun>>>,
    run: Arc<TriggeredRun>,
    told: Vec<bool>,
    over: bool,
    parts: Arc<ApiParts>,
}

/// Its checks as they are done, then its end; for one that is over, all at once.
pub async fn follow(
    State(parts): Parts,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiProblem> {
    let run = find(&parts, &id).await?;
    let following = Following {
        coming: parts.triggers.runs.watch(&id),
        told: vec![false; run.checks.len()],
        run,
        over: false,
        parts,
    };
    let stream = stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)))
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.news() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            if self.run.state != RunState::Running {
                self.over = true;
                let data = json!({ "id": self.run.tag.id, "state": self.run.state, "worst": self.run.worst });
                return event("end", &data);
            }
            let coming = self.coming.as_mut()?;
            tokio::select! {
                changed = coming.changed() => changed.ok()?,
                () = self.parts.stop.cancelled() => return None,
            }
            self.run = Arc::clone(&coming.borrow_and_update());
        }
    }

    /// A check that is done and has not been told of.
    fn news(&mut self) -> Option<Event> {
        let news = self
            .run
            .checks
            .iter()
            .zip(&mut self.told)
            .find(|(part, told)| part.run.is_some() && !**told);
        let (part, told) = news?;
        *told = true;
        event("check", &json!(part))
    }
}

/// An event with JSON in it.
pub fn event(kind: &str, data: &Value) -> Option<Event> {
    Event::default().event(kind).json_data(data).ok()
}
