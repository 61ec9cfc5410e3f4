//! `/api/v1/audit`: who changed what.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use super::extract::{Asked, and_one, listed, page};
use super::problem::ApiProblem;
use super::router::Parts;
use crate::model::Timestamp;

/// Which entries.
#[derive(Deserialize)]
pub struct AuditQuery {
    since: Option<Timestamp>,
    limit: Option<u32>,
    after: Option<String>,
}

/// What was changed, the latest first.
pub async fn list(State(parts): Parts, Asked(query): Asked<AuditQuery>) -> Result<Json<Value>, ApiProblem> {
    let page = page(query.limit, query.after, 100)?;
    let entries = parts.store.audit_log(query.since, &and_one(&page)).await?;
    listed("entries", entries, &page, |entry| entry.id.to_string())
}
