//! Rows as values.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::model::{CheckId, IncidentId, Timestamp};
use crate::store::{DeliveryRow, ResultRow, StoreError};

pub(super) fn json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    Ok(serde_json::from_str(text)?)
}

pub(super) fn moment(row: &SqliteRow, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_unix_us(row.try_get(column)?))
}

pub(super) fn maybe_moment(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    let us: Option<i64> = row.try_get(column)?;
    Ok(us.map(Timestamp::from_unix_us))
}

pub(super) fn count(row: &SqliteRow, column: &str) -> Result<u32, StoreError> {
    let number: i64 = row.try_get(column)?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

pub(super) fn delivery_row(row: &SqliteRow) -> Result<DeliveryRow, StoreError> {
    let told: Option<String> = row.try_get("told")?;
    Ok(DeliveryRow {
        key: row.try_get("key")?,
        channel: row.try_get("channel")?,
        route: row.try_get("route")?,
        group_key: row.try_get("group_key")?,
        form: row.try_get("form")?,
        status: row.try_get("status")?,
        due: moment(row, "due_us")?,
        created: moment(row, "created_us")?,
        attempts: count(row, "attempts")?,
        last_error: row.try_get("last_error")?,
        settled: maybe_moment(row, "settled_us")?,
        incidents: told
            .unwrap_or_default()
            .split(',')
            .filter(|id| !id.is_empty())
            .map(|id| IncidentId(id.to_owned()))
            .collect(),
    })
}

pub(super) fn result_row(check: &CheckId, row: &SqliteRow) -> Result<ResultRow, StoreError> {
    let took_us: i64 = row.try_get("took_us")?;
    let detail: Option<String> = row.try_get("detail")?;
    Ok(ResultRow {
        check: check.clone(),
        run: row.try_get("run_id")?,
        started: moment(row, "started_us")?,
        took_ms: u64::try_from(took_us / 1_000).unwrap_or(0),
        level: row.try_get("level")?,
        headline: row.try_get("headline")?,
        attempts: count(row, "attempts")?,
        measured: json(row, "measured")?,
        detail: detail.map(|text| serde_json::from_str(&text)).transpose()?,
    })
}
