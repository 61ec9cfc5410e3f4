//! Rows as values.

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::judge::HourMean;
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
    let triggered: Option<String> = row.try_get("triggered")?;
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
        triggered: triggered.map(|text| serde_json::from_str(&text)).transpose()?,
    })
}

/// The measurements of a name, and of its subjects, out of the runs since then. Those that
/// somebody asked for say nothing of what is usual: they may have been meant to warm up.
const MEASURED: &str = "FROM results r, json_each(r.measured) m
     WHERE r.check_id = $1 AND r.started_us >= $2 AND r.triggered IS NULL
       AND (m.key = $3 OR substr(m.key, 1, length($3) + 1) = $3 || '.')";

pub(super) async fn hours(
    reader: &SqlitePool,
    check: &CheckId,
    measurement: &str,
    since: Timestamp,
) -> Result<Vec<HourMean>, StoreError> {
    let query = format!(
        "SELECT m.key AS name, MIN(r.started_us) AS at_us, COUNT(*) AS runs,
                AVG(json_extract(m.value, '$.value')) AS mean
         {MEASURED} GROUP BY m.key, r.started_us / 3600000000"
    );
    let found = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(check.as_str())
        .bind(since.as_unix_us())
        .bind(measurement)
        .fetch_all(reader)
        .await?;
    let hour = |row: &SqliteRow| {
        Ok(HourMean {
            measurement: row.try_get("name")?,
            at: moment(row, "at_us")?,
            count: count(row, "runs")?,
            mean: row.try_get("mean")?,
        })
    };
    found.iter().map(hour).collect()
}

pub(super) async fn values(
    reader: &SqlitePool,
    check: &CheckId,
    measurement: &str,
    since: Timestamp,
) -> Result<Vec<(String, Timestamp, f64)>, StoreError> {
    let query = format!(
        "SELECT m.key AS name, r.started_us, CAST(json_extract(m.value, '$.value') AS REAL) AS value
         {MEASURED} ORDER BY r.started_us"
    );
    let found = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(check.as_str())
        .bind(since.as_unix_us())
        .bind(measurement)
        .fetch_all(reader)
        .await?;
    let value = |row: &SqliteRow| {
        Ok((
            row.try_get("name")?,
            moment(row, "started_us")?,
            row.try_get("value")?,
        ))
    };
    found.iter().map(value).collect()
}
