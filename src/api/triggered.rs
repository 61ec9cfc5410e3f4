//! Triggered runs: beginning, keeping and finding them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::ApiParts;
use super::access::Caller;
use super::oncall::bounded;
use super::problem::ApiProblem;
use crate::check::Runnable;
use crate::clock::wall_now;
use crate::model::{Level, RunState, Timestamp, TriggerTag, TriggeredCheck, TriggeredRun};
use crate::report::Judged;
use crate::schedule::{Asked as AskedToRun, Order};
use crate::store::{OperationKind, OperationRow};

/// The same key means the same run for so long.
pub const KEY_HOLDS: Duration = Duration::from_hours(24);
/// A build's address has at most so many characters.
const LONGEST_LINK: usize = 2_000;
const MOST_SELECTORS: usize = 1_000;

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

/// A run that was asked for with this key less than a day ago.
///
/// # Errors
/// When the store cannot be read.
pub async fn by_key(parts: &ApiParts, key: &str) -> Result<Option<Arc<TriggeredRun>>, ApiProblem> {
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

/// A run as the store has it. One that is not known here any more has ended, whatever the
/// store says.
///
/// # Errors
/// When it does not read back.
pub fn from_store(body: Value) -> Result<Arc<TriggeredRun>, ApiProblem> {
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

/// A run once it has ended, or after so long.
pub async fn wait_for(parts: &ApiParts, run: Arc<TriggeredRun>, wait: Duration) -> Arc<TriggeredRun> {
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

/// When a deadline comes, for those who wait in turns.
#[must_use]
pub fn left(until: Timestamp) -> Duration {
    until.since(wall_now())
}
