//! `/api/v1/incidents`, `/api/v1/deliveries`

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::extract::{Asked, and_one, listed, page};
use super::oncall::Paging;
use super::problem::ApiProblem;
use super::router::Parts;
use crate::model::{CheckId, IncidentId, Timestamp};
use crate::store::IncidentFilter;

const MOST_ROWS: u32 = 1_000;

/// Which incidents.
#[derive(Deserialize)]
pub struct IncidentQuery {
    state: Option<String>,
    check: Option<String>,
    since: Option<Timestamp>,
    limit: Option<u32>,
    after: Option<String>,
}

/// Incidents, the newest first.
pub async fn list(
    State(parts): Parts,
    Asked(query): Asked<IncidentQuery>,
) -> Result<Json<Value>, ApiProblem> {
    let open_only = match query.state.as_deref() {
        None | Some("all") => false,
        Some("open") => true,
        Some(other) => {
            return Err(ApiProblem::bad_request(format!(
                "`{other}` is not a state: open, all"
            )));
        }
    };
    let check = query.check.as_deref().map(CheckId::parse).transpose();
    let filter = IncidentFilter {
        open_only,
        check: check.map_err(|_| ApiProblem::bad_request("`check` is not the id of a check"))?,
        since: query.since,
    };
    let page = page(query.limit, query.after, 100)?;
    let incidents = parts.store.incidents_page(&filter, &and_one(&page)).await?;
    listed("incidents", incidents, &page, |incident| incident.id.to_string())
}

/// One incident with its timeline and its messages.
pub async fn show(State(parts): Parts, Path(id): Path<String>) -> Result<Json<Value>, ApiProblem> {
    let id = IncidentId(id);
    let incident = parts
        .store
        .incident(&id)
        .await?
        .ok_or_else(|| ApiProblem::not_found(format!("there is no incident `{id}`")))?;
    let transitions = parts.store.transitions(&id).await?;
    let timeline = parts.store.timeline(&id).await?;
    let deliveries = parts.store.deliveries(Some(&id), MOST_ROWS).await?;
    Ok(Json(json!({
        "incident": incident, "transitions": transitions, "timeline": timeline, "deliveries": deliveries,
    })))
}

/// Deliveries, the newest first.
pub async fn deliveries(State(parts): Parts, Asked(query): Asked<Paging>) -> Result<Json<Value>, ApiProblem> {
    let page = page(query.limit, query.after, 100)?;
    let rows = parts.store.deliveries_page(&and_one(&page)).await?;
    listed("deliveries", rows, &page, |row| row.key.clone())
}
