//! `/api/v1/checks`, `/api/v1/results`

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::ApiProblem;
use super::router::Parts;
use crate::check::Runnable;
use crate::model::{CheckId, Level, Schedule, format_duration, is_in_group};
use crate::status::CheckStatus;

/// Rows in one answer.
const MOST_ROWS: u32 = 1_000;

/// Filters of the list.
#[derive(Deserialize)]
pub struct Filter {
    group: Option<String>,
    level: Option<String>,
    tag: Option<String>,
}

/// Every check that fits, in order of ids.
pub async fn list(State(parts): Parts, Query(filter): Query<Filter>) -> Result<Json<Value>, ApiProblem> {
    let level = match &filter.level {
        None => None,
        Some(word) => Some(Level::from_word(word).ok_or_else(|| {
            ApiProblem::bad_request(format!("`{word}` is not a level: ok, warning, unknown, critical"))
        })?),
    };
    let project = parts.project();
    let checks: Vec<Value> = project
        .checks
        .values()
        .filter(|runnable| {
            let check = &runnable.check;
            filter
                .group
                .as_ref()
                .is_none_or(|group| is_in_group(check.group(), group))
                && filter.tag.as_ref().is_none_or(|tag| check.tags.contains(tag))
        })
        .map(|runnable| (runnable, parts.status.check(&runnable.check.id)))
        .filter(|(_, status)| level.is_none_or(|level| status.level == level))
        .map(|(runnable, status)| to_json(runnable, &status))
        .collect();
    Ok(Json(json!({ "checks": checks })))
}

/// One check.
pub async fn show(State(parts): Parts, Path(id): Path<String>) -> Result<Json<Value>, ApiProblem> {
    let project = parts.project();
    let id = CheckId::parse(&id).map_err(|_| ApiProblem::not_found("there is no such check"))?;
    let runnable = project
        .checks
        .get(&id)
        .ok_or_else(|| ApiProblem::not_found(format!("there is no check `{id}`")))?;
    Ok(Json(to_json(runnable, &parts.status.check(&id))))
}

/// Which results.
#[derive(Deserialize)]
pub struct ResultsQuery {
    check: String,
    limit: Option<u32>,
}

/// A check's runs, the newest first.
pub async fn results(
    State(parts): Parts,
    Query(query): Query<ResultsQuery>,
) -> Result<Json<Value>, ApiProblem> {
    let id = CheckId::parse(&query.check).map_err(|_| ApiProblem::not_found("there is no such check"))?;
    let limit = query.limit.unwrap_or(100).min(MOST_ROWS);
    let rows = parts.store.results(&id, limit).await?;
    Ok(Json(json!({ "results": rows })))
}

fn to_json(runnable: &Runnable, status: &CheckStatus) -> Value {
    let check = &runnable.check;
    let schedule = match &check.schedule {
        Schedule::Every(interval) => json!({ "every": format_duration(*interval) }),
        Schedule::Cron(calendar) => json!({ "cron": calendar.to_string() }),
    };
    json!({
        "id": check.id,
        "name": check.name,
        "group": check.group(),
        "kind": check.kind,
        "tags": check.tags,
        "owner": check.owner,
        "enabled": check.enabled,
        "schedule": schedule,
        "status": status,
    })
}
