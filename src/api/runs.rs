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
use tokio::time::timeout;

use super::ApiParts;
use super::access::Caller;
use super::extract::{Asked, Body, and_one, listed, page};
use super::oncall::{Paging, bounded};
use super::problem::ApiProblem;
use super::router::Parts;
use crate::check::Runnable;
use crate::clock::wall_now;
use crate::model::{
    Level, RunId, RunState, Timestamp, TriggerTag, TriggeredCheck, TriggeredRun, parse_duration,
};
use crate::report::Judged;
use crate::report::junit::junit;
use crate::schedule::{Asked as AskedToRun, Order};
use crate::store::{OperationKind, OperationRow};

/// The same key means the same run for so long.
pub const KEY_HOLDS: Duration = Duration::from_hours(24);
/// An answer waits at most so long.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Nothing of it comes for so long: the connection is shown to live.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// A build's address has at most so many characters.
const LONGEST_LINK: usize = 2_000;
const MOST_SELECTORS: usize = 1_000;

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

/// The person that is named, or else who asks.
///
/// # Errors
/// When the name is too long.
pub fn named(caller: &Caller, by: String) -> Result<String, ApiProblem> {
    if by.trim().is_empty() {
        return Ok(caller.name.clone());
    }
    bounded("by", by)
}

/// An idempotency key.
///
/// # Errors
/// When it is empty or too long.
pub fn read_key(key: Option<String>) -> Result<Option<String>, ApiProblem> {
    key.map(|key| {
        if key.trim().is_empty() {
            return Err(ApiProblem::bad_request("`idempotency_key` must say something"));
        }
        bounded("idempotency_key", key)
    })
    .transpose()
}

/// An address of a page, and nothing that a browser would run.
///
/// # Errors
/// When it is something else.
pub fn read_link(link: Option<String>) -> Result<Option<String>, ApiProblem> {
    let Some(link) = link.filter(|link| !link.is_empty()) else {
        return Ok(None);
    };
    let is_page = link.starts_with("https://") || link.starts_with("http://");
    if !is_page || link.len() > LONGEST_LINK || link.chars().any(char::is_control) {
        return Err(ApiProblem::bad_request(
            "`link` is the address of a page: it begins with https:// or http://",
        ));
    }
    Ok(Some(link))
}

/// The checks that selectors mean.
///
/// # Errors
/// When one matches nothing.
pub fn choose(parts: &ApiParts, select: &[String]) -> Result<Vec<Runnable>, ApiProblem> {
    if select.len() > MOST_SELECTORS {
        return Err(ApiProblem::bad_request(format!(
            "more than {MOST_SELECTORS} selectors; use `group:x`, `tag:x` or a glob"
        )));
    }
    let project = parts.project();
    let ids = project.choose(select).map_err(ApiProblem::bad_request)?;
    Ok(ids
        .iter()
        .filter_map(|id| project.checks.get(id))
        .cloned()
        .collect())
}

async fn by_key(parts: &ApiParts, key: &str) -> Result<Option<Arc<TriggeredRun>>, ApiProblem> {
    let going = parts
        .triggers
        .runs
        .find(|run| run.idempotency_key.as_deref() == Some(key));
    if going.is_some() {
        return Ok(going);
    }
    let since = wall_now() - KEY_HOLDS;
    let body = parts
        .store
        .operation_by_key(OperationKind::Run, key, since)
        .await?;
    body.map(from_store).transpose()
}

/// One that is not known here any more has ended, whatever the store says.
fn from_store(body: Value) -> Result<Arc<TriggeredRun>, ApiProblem> {
    let mut run: TriggeredRun = serde_json::from_value(body).map_err(|error| ApiProblem::internal(&error))?;
    run.state = match run.state {
        RunState::Running => RunState::Interrupted,
        ended => ended,
    };
    Ok(Arc::new(run))
}

/// Begins a triggered run, and sees to it that it is kept when it has ended.
///
/// # Errors
/// When too many go on, or the store cannot be written.
pub async fn begin(
    parts: &Arc<ApiParts>,
    tag: TriggerTag,
    select: Vec<String>,
    checks: Vec<Runnable>,
    idempotency_key: Option<String>,
) -> Result<watch::Receiver<Arc<TriggeredRun>>, ApiProblem> {
    let part = |runnable: &Runnable| TriggeredCheck {
        check: runnable.check.id.clone(),
        name: runnable.check.name.clone(),
        place: runnable.check.place.clone(),
        run: None,
    };
    let run = TriggeredRun {
        tag: tag.clone(),
        select,
        idempotency_key,
        state: RunState::Running,
        worst: Level::Ok,
        created: wall_now(),
        ended: None,
        checks: checks.iter().map(part).collect(),
    };
    keep(parts, &run).await?;
    let too_many = |_| ApiProblem::unavailable("too many triggered runs go on already; ask again later");
    let coming = parts.triggers.runs.begin(&tag.id, run).map_err(too_many)?;
    let id = tag.id.clone();
    let asked = AskedToRun {
        tag: Arc::new(tag),
        checks,
    };
    if parts.orders.send(Order::Trigger(asked)).await.is_err() {
        parts.triggers.runs.put_away(&id);
        return Err(ApiProblem::unavailable("haetae is shutting down"));
    }
    parts
        .tasks
        .spawn(keep_when_over(Arc::clone(parts), id, coming.clone()));
    Ok(coming)
}

async fn keep_when_over(parts: Arc<ApiParts>, id: String, mut coming: watch::Receiver<Arc<TriggeredRun>>) {
    tokio::select! {
        _ = coming.wait_for(|run| run.state != RunState::Running) => {}
        () = parts.stop.cancelled() => {
            parts.triggers.runs.change(&id, |run| {
                run.end(RunState::Interrupted, wall_now());
                true
            });
        }
    }
    let run = Arc::clone(&coming.borrow());
    if let Err(error) = keep(&parts, &run).await {
        tracing::error!(?error, run = id, "a triggered run could not be kept");
    }
    parts.triggers.runs.put_away(&id);
}

async fn keep(parts: &ApiParts, run: &TriggeredRun) -> Result<(), ApiProblem> {
    let row = OperationRow {
        id: run.tag.id.clone(),
        kind: OperationKind::Run,
        key: run.idempotency_key.clone(),
        created: run.created,
        body: serde_json::to_value(run).map_err(|error| ApiProblem::internal(&error))?,
    };
    Ok(parts.store.keep_operation(&row).await?)
}

/// Waits until it has ended, at most so long.
pub async fn settled(coming: &mut watch::Receiver<Arc<TriggeredRun>>, wait: Duration) {
    let _ = timeout(wait, coming.wait_for(|run| run.state != RunState::Running)).await;
}

async fn wait_for(parts: &ApiParts, run: Arc<TriggeredRun>, wait: Duration) -> Arc<TriggeredRun> {
    let Some(mut coming) = parts.triggers.runs.watch(&run.tag.id) else {
        return run;
    };
    settled(&mut coming, wait).await;
    Arc::clone(&coming.borrow())
}

/// A triggered run, going on or over.
///
/// # Errors
/// When there is none, or the store cannot be read.
pub async fn find(parts: &ApiParts, id: &str) -> Result<Arc<TriggeredRun>, ApiProblem> {
    if let Some(coming) = parts.triggers.runs.watch(id) {
        return Ok(Arc::clone(&coming.borrow()));
    }
    let body = parts.store.operation(OperationKind::Run, id).await?;
    body.map_or_else(
        || Err(ApiProblem::not_found(format!("there is no triggered run `{id}`"))),
        from_store,
    )
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

/// What ran of it, as reports take it.
#[must_use]
pub fn judged(run: &TriggeredRun) -> Vec<Judged> {
    run.checks
        .iter()
        .filter_map(|part| {
            Some(Judged {
                record: part.run.clone()?,
                name: part.name.clone(),
                place: part.place.clone(),
            })
        })
        .collect()
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

/// When a deadline comes, for those who wait in turns.
#[must_use]
pub fn left(until: Timestamp) -> Duration {
    until.since(wall_now())
}
