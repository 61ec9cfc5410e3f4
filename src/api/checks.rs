//! `/api/v1/checks`, `/api/v1/results`

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::extract::{Asked, and_one, cut, listed, page};
use super::problem::ApiProblem;
use super::router::Parts;
use crate::check::Runnable;
use crate::model::{CheckId, Level, Schedule, Timestamp, format_duration, is_in_group};
use crate::status::CheckStatus;
use crate::store::ResultRow;

/// Filters of the list.
#[derive(Deserialize)]
pub struct Filter {
    group: Option<String>,
    level: Option<String>,
    tag: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

/// Every check that fits, in order of ids.
pub async fn list(State(parts): Parts, Asked(filter): Asked<Filter>) -> Result<Json<Value>, ApiProblem> {
    let page = page(filter.limit, filter.after, 1_000)?;
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
    let id = |check: &Value| check["id"].as_str().unwrap_or_default().to_owned();
    listed("checks", cut(checks, &page, id), &page, id)
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
    since: Option<Timestamp>,
    limit: Option<u32>,
    after: Option<String>,
}

/// A check's runs, the newest first.
pub async fn results(
    State(parts): Parts,
    Asked(query): Asked<ResultsQuery>,
) -> Result<Json<Value>, ApiProblem> {
    let id = CheckId::parse(&query.check).map_err(|_| ApiProblem::not_found("there is no such check"))?;
    let page = page(query.limit, query.after, 100)?;
    let rows = parts
        .store
        .results_page(&id, query.since, &and_one(&page))
        .await?;
    let (names, rows): (Vec<String>, Vec<ResultRow>) = rows.into_iter().unzip();
    let last = names.get(page.limit as usize - 1).cloned().unwrap_or_default();
    listed("results", rows, &page, |_| last.clone())
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
