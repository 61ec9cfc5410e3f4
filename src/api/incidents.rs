//! `/api/v1/incidents`, `/api/v1/deliveries`

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::ApiProblem;
use super::router::Parts;
use crate::model::IncidentId;

const MOST_ROWS: u32 = 1_000;

/// Which incidents.
#[derive(Deserialize)]
pub struct IncidentQuery {
    state: Option<String>,
    limit: Option<u32>,
}

/// Incidents, the newest first.
pub async fn list(
    State(parts): Parts,
    Query(query): Query<IncidentQuery>,
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
    let limit = query.limit.unwrap_or(100).min(MOST_ROWS);
    let incidents = parts.store.incidents(open_only, limit).await?;
    Ok(Json(json!({ "incidents": incidents })))
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

/// How many deliveries.
#[derive(Deserialize)]
pub struct DeliveryQuery {
    limit: Option<u32>,
}

/// Deliveries, the newest first.
pub async fn deliveries(
    State(parts): Parts,
    Query(query): Query<DeliveryQuery>,
) -> Result<Json<Value>, ApiProblem> {
    let limit = query.limit.unwrap_or(100).min(MOST_ROWS);
    let rows = parts.store.deliveries(None, limit).await?;
    Ok(Json(json!({ "deliveries": rows })))
}
