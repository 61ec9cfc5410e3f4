//! `/api/v1/deployments`: quiet for a while, warmed up, verified.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::ApiParts;
use super::access::Caller;
use super::extract::{Asked, Body, and_one, listed, page};
use super::oncall::{Paging, bounded, matcher, new_id, said};
use super::problem::ApiProblem;
use super::router::Parts;
use super::runs::{KEY_HOLDS, Waiting, begin, choose, left, read_key, read_link};
use crate::check::Runnable;
use crate::clock::wall_now;
use crate::engine::Command;
use crate::mailbox::ask;
use crate::model::{
    Deployment, DeploymentState, Level, Quiet, QuietKind, RunId, RunState, Timestamp, TriggerTag,
    TriggeredRun, parse_duration,
};
use crate::store::{OperationKind, OperationRow};

/// A deployment is quiet for at most so long.
const LONGEST_DEPLOYMENT: Duration = Duration::from_hours(2);
/// What is not well is looked at again for so long, unless it is said otherwise.
const USUAL_VERIFYING: Duration = Duration::from_mins(1);
/// After so long each time.
const VERIFY_AGAIN: Duration = Duration::from_secs(5);
/// What is not well, in so many lines.
const MOST_BAD: usize = 100;

/// A release is under way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploying {
    r#match: Value,
    quiet_for: String,
    note: String,
    #[serde(default)]
    by: String,
    link: Option<String>,
    idempotency_key: Option<String>,
    #[serde(default)]
    warm_up: Vec<String>,
    #[serde(default)]
    verify: Vec<String>,
    verify_for: Option<String>,
}

/// What is to be run.
struct Plan {
    warm_up: Vec<Runnable>,
    verify: Vec<Runnable>,
    verify_for: Duration,
}

/// Quiets matching incidents while something is being released, warms up, and verifies.
pub async fn deploy(
    State(parts): Parts,
    Extension(caller): Extension<Caller>,
    Asked(waiting): Asked<Waiting>,
    Body(request): Body<Deploying>,
) -> Result<Response, ApiProblem> {
    let wait = waiting.span()?;
    let key = read_key(request.idempotency_key.clone())?;
    let plan = plan(&parts, &request)?;
    let deployment = read(&parts, &caller, request, &plan)?;
    let beginning = parts.triggers.beginning.lock().await;
    if let Some(key) = &key
        && let Some(known) = by_key(&parts, key).await?
    {
        drop(beginning);
        let known = wait_for(&parts, known, wait).await;
        return Ok(answer(StatusCode::OK, &known));
    }
    ask(&parts.commands, Command::Quieten(deployment.quiet.clone())).await?;
    keep(&parts, &deployment).await?;
    let id = deployment.quiet.id.clone();
    if deployment.state.is_over() {
        return Ok(answer(StatusCode::CREATED, &deployment));
    }
    let too_many = |_| ApiProblem::unavailable("too many deployments go on already; ask again later");
    let coming = parts
        .triggers
        .deployments
        .begin(&id, deployment)
        .map_err(too_many)?;
    drop(beginning);
    parts.tasks.spawn(carry_out(Arc::clone(&parts), id, plan));
    let begun = Arc::clone(&coming.borrow());
    Ok(answer(StatusCode::CREATED, &*wait_for(&parts, begun, wait).await))
}

fn plan(parts: &ApiParts, request: &Deploying) -> Result<Plan, ApiProblem> {
    let chosen = |select: &[String]| {
        if select.is_empty() {
            return Ok(Vec::new());
        }
        choose(parts, select)
    };
    let verify_for = match &request.verify_for {
        None => USUAL_VERIFYING,
        Some(text) => {
            parse_duration(text).map_err(|why| ApiProblem::bad_request(format!("`verify_for`: {why}")))?
        }
    };
    if verify_for > LONGEST_DEPLOYMENT {
        return Err(ApiProblem::bad_request("`verify_for` is 2h at most"));
    }
    Ok(Plan {
        warm_up: chosen(&request.warm_up)?,
        verify: chosen(&request.verify)?,
        verify_for,
    })
}

fn read(
    parts: &ApiParts,
    caller: &Caller,
    request: Deploying,
    plan: &Plan,
) -> Result<Deployment, ApiProblem> {
    let span = parse_duration(&request.quiet_for).map_err(|why| ApiProblem::bad_request(why.to_string()))?;
    if span.is_zero() || span > LONGEST_DEPLOYMENT {
        return Err(ApiProblem::bad_request(
            "`quiet_for` is more than nothing, and 2h at most",
        ));
    }
    let now = wall_now();
    let by = match (request.by.trim().is_empty(), caller.name.as_str()) {
        (true, "local" | "anonymous") => "a deployment".to_owned(),
        (true, name) => name.to_owned(),
        (false, _) => bounded("by", request.by)?,
    };
    Ok(Deployment {
        quiet: Quiet {
            id: new_id(),
            kind: QuietKind::Deployment,
            matcher: matcher(parts, &request.r#match)?,
            by,
            reason: said("note", request.note)?,
            starts: now,
            ends: now + span,
        },
        link: read_link(request.link)?,
        idempotency_key: read_key(request.idempotency_key)?,
        state: if !plan.warm_up.is_empty() {
            DeploymentState::WarmingUp
        } else if !plan.verify.is_empty() {
            DeploymentState::Verifying
        } else {
            DeploymentState::Quiet
        },
        warm_up: None,
        verify: Vec::new(),
        bad: Vec::new(),
    })
}

/// Warms up, verifies until all is well or the time is over, and keeps what came of it.
async fn carry_out(parts: Arc<ApiParts>, id: String, plan: Plan) {
    let ended = tokio::select! {
        state = work(&parts, &id, plan) => state,
        () = parts.stop.cancelled() => DeploymentState::Interrupted,
    };
    let deployment = change(&parts, &id, |deployment| deployment.state = ended);
    if let Some(deployment) = deployment
        && let Err(error) = keep(&parts, &deployment).await
    {
        tracing::error!(?error, deployment = id, "a deployment could not be kept");
    }
    parts.triggers.deployments.put_away(&id);
}

async fn work(parts: &Arc<ApiParts>, id: &str, plan: Plan) -> DeploymentState {
    if !plan.warm_up.is_empty() {
        let note = |deployment: &mut Deployment, run: &str| deployment.warm_up = Some(run.to_owned());
        let _ = run(parts, id, "warm-up", plan.warm_up, note).await;
    }
    if plan.verify.is_empty() {
        return DeploymentState::Quiet;
    }
    change(parts, id, |deployment| {
        deployment.state = DeploymentState::Verifying;
    });
    let until = wall_now() + plan.verify_for;
    let mut unproven = plan.verify;
    loop {
        let note = |deployment: &mut Deployment, run: &str| deployment.verify.push(run.to_owned());
        let bad = match run(parts, id, "verification", unproven.clone(), note).await {
            Ok(run) => what_is_bad(&run),
            Err(why) => vec![(None, why)],
        };
        let lines: Vec<String> = bad.iter().map(|(_, line)| line.clone()).take(MOST_BAD).collect();
        change(parts, id, |deployment| deployment.bad = lines);
        if bad.is_empty() {
            return DeploymentState::Verified;
        }
        if left(until) < VERIFY_AGAIN {
            return DeploymentState::Failed;
        }
        // What came good stays so: only the rest is looked at again.
        unproven.retain(|runnable| {
            bad.iter()
                .any(|(check, _)| check.as_ref().is_none_or(|check| *check == runnable.check.id))
        });
        sleep(VERIFY_AGAIN).await;
    }
}

fn what_is_bad(run: &TriggeredRun) -> Vec<(Option<crate::model::CheckId>, String)> {
    run.checks
        .iter()
        .filter_map(|part| {
            let line = match &part.run {
                None => "was not run".to_owned(),
                Some(run) if run.verdict.level <= Level::Warning => return None,
                Some(run) => format!("{}: {}", run.verdict.level, run.verdict.headline()),
            };
            Some((Some(part.check.clone()), format!("{} {line}", part.check)))
        })
        .collect()
}

/// Runs checks for a deployment, to their end.
async fn run(
    parts: &Arc<ApiParts>,
    id: &str,
    what: &str,
    checks: Vec<Runnable>,
    note: impl FnOnce(&mut Deployment, &str),
) -> Result<Arc<TriggeredRun>, String> {
    let deployment = parts.triggers.deployments.watch(id);
    let deployment = deployment.ok_or("the deployment has ended")?.borrow().clone();
    let tag = TriggerTag {
        id: RunId::new().0,
        reason: format!("{what} of the deployment {id}: {}", deployment.quiet.reason),
        link: deployment.link.clone(),
        by: deployment.quiet.by.clone(),
        notify: false,
    };
    let run_id = tag.id.clone();
    let select = checks
        .iter()
        .map(|runnable| runnable.check.id.to_string())
        .collect();
    let mut coming = begin(parts, tag, select, checks, None)
        .await
        .map_err(|_| "it could not be begun".to_owned())?;
    change(parts, id, |deployment| note(deployment, &run_id));
    let run = coming
        .wait_for(|run| run.state != RunState::Running)
        .await
        .map_err(|_| "it was lost".to_owned())?;
    Ok(Arc::clone(&run))
}

fn change(parts: &ApiParts, id: &str, change: impl FnOnce(&mut Deployment)) -> Option<Arc<Deployment>> {
    let mut before = None;
    let now = parts.triggers.deployments.change(id, |deployment| {
        before = Some(deployment.state);
        change(deployment);
        true
    })?;
    if before != Some(now.state) {
        let data = json!({ "id": id, "state": now.state, "note": now.quiet.reason, "bad": now.bad });
        parts.bulletin.tell("deployment", data);
    }
    Some(now)
}

async fn keep(parts: &ApiParts, deployment: &Deployment) -> Result<(), ApiProblem> {
    let row = OperationRow {
        id: deployment.quiet.id.clone(),
        kind: OperationKind::Deployment,
        key: deployment.idempotency_key.clone(),
        created: deployment.quiet.starts,
        body: serde_json::to_value(deployment).map_err(|error| ApiProblem::internal(&error))?,
    };
    Ok(parts.store.keep_operation(&row).await?)
}

async fn by_key(parts: &ApiParts, key: &str) -> Result<Option<Arc<Deployment>>, ApiProblem> {
    let going = parts
        .triggers
        .deployments
        .find(|deployment| deployment.idempotency_key.as_deref() == Some(key));
    if going.is_some() {
        return Ok(going);
    }
    let since: Timestamp = wall_now() - KEY_HOLDS;
    let body = parts
        .store
        .operation_by_key(OperationKind::Deployment, key, since)
        .await?;
    body.map(from_store).transpose()
}

fn from_store(body: Value) -> Result<Arc<Deployment>, ApiProblem> {
    let mut kept: Deployment = serde_json::from_value(body).map_err(|error| ApiProblem::internal(&error))?;
    if !kept.state.is_over() {
        kept.state = DeploymentState::Interrupted;
    }
    Ok(Arc::new(kept))
}

async fn wait_for(parts: &ApiParts, known: Arc<Deployment>, wait: Duration) -> Arc<Deployment> {
    let Some(mut coming) = parts.triggers.deployments.watch(&known.quiet.id) else {
        return known;
    };
    let _ = timeout(wait, over(&mut coming)).await;
    Arc::clone(&coming.borrow())
}

async fn over(coming: &mut watch::Receiver<Arc<Deployment>>) {
    let _ = coming.wait_for(|deployment| deployment.state.is_over()).await;
}

fn answer(status: StatusCode, deployment: &Deployment) -> Response {
    let place = format!("/api/v1/deployments/{}", deployment.quiet.id);
    let body = json!({ "deployment": deployment });
    (status, [(header::LOCATION, place)], Json(body)).into_response()
}

/// Deployments, the latest first.
pub async fn list(State(parts): Parts, Asked(paging): Asked<Paging>) -> Result<Json<Value>, ApiProblem> {
    let page = page(paging.limit, paging.after, 50)?;
    let rows = parts
        .store
        .operations(OperationKind::Deployment, &and_one(&page))
        .await?;
    let mut deployments = Vec::with_capacity(rows.len());
    for row in rows {
        let kept = from_store(row)?;
        let going = parts.triggers.deployments.watch(&kept.quiet.id);
        deployments.push(going.map_or(kept, |going| Arc::clone(&going.borrow())));
    }
    let rows: Vec<&Deployment> = deployments.iter().map(AsRef::as_ref).collect();
    listed("deployments", rows, &page, |deployment| {
        deployment.quiet.id.clone()
    })
}

/// One deployment; with `wait` once it is known whether all is well, or the time is over.
pub async fn show(
    State(parts): Parts,
    Path(id): Path<String>,
    Asked(waiting): Asked<Waiting>,
) -> Result<Json<Value>, ApiProblem> {
    let wait = waiting.span()?;
    let known = if let Some(coming) = parts.triggers.deployments.watch(&id) {
        Arc::clone(&coming.borrow())
    } else {
        let body = parts.store.operation(OperationKind::Deployment, &id).await?;
        let body = body.ok_or_else(|| ApiProblem::not_found(format!("there is no deployment `{id}`")))?;
        from_store(body)?
    };
    let now = wait_for(&parts, known, wait).await;
    Ok(Json(json!({ "deployment": *now })))
}
