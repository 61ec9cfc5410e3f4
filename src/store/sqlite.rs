//! The store on SQLite: one writer, WAL, `synchronous=FULL`.
//!
//! FULL, because NORMAL loses acknowledged commits at a power cut (measured), and a batch a
//! second costs next to nothing.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{Batch, Change, DeliveryRow, Horizon, Remembered, ResultRow, Store, StoreError, TransitionRow};
use crate::model::{
    AttemptResult, ChannelName, CheckId, Delivery, DeliveryStatus, Incident, IncidentId, Level, Notice, Owed,
    RunRecord, Timestamp,
};

/// Another process may hold the write lock this long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows per statement: SQLite takes 32,766 parameters.
const ROWS_PER_STATEMENT: usize = 1_000;
/// Rows removed per transaction, so that pruning holds up nobody.
const PRUNED_AT_ONCE: i64 = 2_000;

/// The store in a SQLite file.
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it if need be, and brings its tables up to date.
    ///
    /// # Errors
    /// When the file cannot be used, in words for people.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |why: String| StoreError::Open {
            place: path.display().to_string(),
            why,
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| failed(format!("the folder cannot be made: {error}")))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(|error| failed(error.to_string()))?;
        migrations()
            .run(&writer)
            .await
            .map_err(|error| failed(format!("its tables cannot be brought up to date: {error}")))?;
        let reader = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.read_only(true))
            .await
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { writer, reader })
    }
}

fn migrations() -> Migrator {
    Migrator::with_migrations(vec![Migration::new(
        1,
        "first".into(),
        MigrationType::Simple,
        sqlx::SqlStr::from_static(include_str!("migrations/sqlite/0001_first.sql")),
        false,
    )])
}

#[async_trait]
impl Store for SqliteStore {
    async fn remember(&self, reopens_since: Timestamp) -> Result<Remembered, StoreError> {
        let mut remembered = Remembered::default();
        for row in sqlx::query("SELECT check_id, state FROM states")
            .fetch_all(&self.reader)
            .await?
        {
            let Ok(check) = CheckId::parse(row.try_get("check_id")?) else {
                continue;
            };
            remembered.states.push((check, json(&row, "state")?));
        }
        let rows =
            sqlx::query("SELECT incident FROM incidents WHERE resolved_us IS NULL OR resolved_us >= $1")
                .bind(reopens_since.as_unix_us())
                .fetch_all(&self.reader)
                .await?;
        for row in rows {
            remembered.incidents.push(json(&row, "incident")?);
        }
        Ok(remembered)
    }

    async fn record(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        insert_runs(&mut tx, batch).await?;
        upsert_states(&mut tx, batch).await?;
        for check in &batch.forgotten {
            sqlx::query("DELETE FROM states WHERE check_id = $1")
                .bind(check.as_str())
                .execute(&mut *tx)
                .await?;
        }
        for change in &batch.changes {
            write_change(&mut tx, change).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn claim(
        &self,
        channel: &ChannelName,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<Delivery>, StoreError> {
        let mut tx = self.writer.begin().await?;
        let row = sqlx::query(
            "SELECT * FROM deliveries d
             WHERE d.channel = $1 AND d.due_us <= $2
               AND (d.status = 'waiting' OR (d.status = 'claimed' AND d.lease_us <= $2))
               AND NOT EXISTS (
                 SELECT 1 FROM notices mine
                 JOIN notices theirs ON theirs.incident_id = mine.incident_id AND theirs.delivery_seq < mine.delivery_seq
                 JOIN deliveries earlier ON earlier.seq = theirs.delivery_seq
                 WHERE mine.delivery_seq = d.seq AND earlier.channel = d.channel
                   AND earlier.status IN ('waiting', 'claimed'))
             ORDER BY d.due_us, d.seq LIMIT 1",
        )
        .bind(&*channel.0)
        .bind(now.as_unix_us())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let seq: i64 = row.try_get("seq")?;
        sqlx::query("UPDATE deliveries SET status = 'claimed', lease_us = $2 WHERE seq = $1")
            .bind(seq)
            .bind(lease.as_unix_us())
            .execute(&mut *tx)
            .await?;
        let notices = sqlx::query("SELECT notice FROM notices WHERE delivery_seq = $1 ORDER BY id")
            .bind(seq)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        let notices: Result<Vec<Notice>, StoreError> =
            notices.iter().map(|row| json(row, "notice")).collect();
        Ok(Some(Delivery {
            key: row.try_get("key")?,
            channel: channel.clone(),
            route: row.try_get("route")?,
            group_key: row.try_get("group_key")?,
            due: moment(&row, "due_us")?,
            created: moment(&row, "created_us")?,
            attempts: count(&row, "attempts")?,
            notices: notices?,
        }))
    }

    async fn next_due(&self, channel: &ChannelName) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(CASE status WHEN 'claimed' THEN MAX(due_us, lease_us) ELSE due_us END) AS next
             FROM deliveries WHERE channel = $1 AND status IN ('waiting', 'claimed')",
        )
        .bind(&*channel.0)
        .fetch_one(&self.reader)
        .await?;
        let next: Option<i64> = row.try_get("next")?;
        Ok(next.map(Timestamp::from_unix_us))
    }

    async fn has_heard(&self, channel: &ChannelName, incident: &IncidentId) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM notices n JOIN deliveries d ON d.seq = n.delivery_seq
             WHERE n.incident_id = $2 AND d.channel = $1 AND d.status = 'sent') AS heard",
        )
        .bind(&*channel.0)
        .bind(&incident.0)
        .fetch_one(&self.reader)
        .await?;
        Ok(row.try_get("heard")?)
    }

    async fn settle(
        &self,
        key: &str,
        at: Timestamp,
        result: &AttemptResult,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let (word, said) = match result {
            AttemptResult::Sent => ("sent", ""),
            AttemptResult::Retry { why, .. } => ("retry", why.as_str()),
            AttemptResult::Dead { why } => ("dead", why.as_str()),
        };
        let status = match (result, next) {
            (AttemptResult::Sent, _) => DeliveryStatus::Sent,
            (AttemptResult::Retry { .. }, Some(_)) => DeliveryStatus::Waiting,
            (AttemptResult::Retry { .. }, None) | (AttemptResult::Dead { .. }, _) => DeliveryStatus::Dead,
        };
        let mut tx = self.writer.begin().await?;
        sqlx::query(
            "INSERT INTO attempts (delivery_seq, at_us, result, said)
             SELECT seq, $2, $3, $4 FROM deliveries WHERE key = $1",
        )
        .bind(key)
        .bind(at.as_unix_us())
        .bind(word)
        .bind(said)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE deliveries SET status = $2, lease_us = NULL, attempts = attempts + 1,
                    due_us = COALESCE($3, due_us), settled_us = $4, last_error = NULLIF($5, '')
             WHERE key = $1",
        )
        .bind(key)
        .bind(status.as_str())
        .bind(next.map(Timestamp::as_unix_us))
        .bind((status != DeliveryStatus::Waiting).then_some(at.as_unix_us()))
        .bind(said)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn drop_delivery(&self, key: &str, at: Timestamp, why: &str) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE deliveries SET status = 'dropped', lease_us = NULL, settled_us = $2, last_error = $3 WHERE key = $1",
        )
        .bind(key)
        .bind(at.as_unix_us())
        .bind(why)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn release_leases(&self) -> Result<u64, StoreError> {
        let done =
            sqlx::query("UPDATE deliveries SET status = 'waiting', lease_us = NULL WHERE status = 'claimed'")
                .execute(&self.writer)
                .await?;
        Ok(done.rows_affected())
    }

    async fn incidents(&self, open_only: bool, limit: u32) -> Result<Vec<Incident>, StoreError> {
        let rows = sqlx::query(
            "SELECT incident FROM incidents WHERE NOT $1 OR resolved_us IS NULL ORDER BY opened_us DESC LIMIT $2",
        )
        .bind(open_only)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| json(row, "incident")).collect()
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        let row = sqlx::query("SELECT incident FROM incidents WHERE id = $1")
            .bind(&id.0)
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| json(&row, "incident")).transpose()
    }

    async fn transitions(&self, id: &IncidentId) -> Result<Vec<TransitionRow>, StoreError> {
        let rows =
            sqlx::query("SELECT transition, silence FROM transitions WHERE incident_id = $1 ORDER BY id")
                .bind(&id.0)
                .fetch_all(&self.reader)
                .await?;
        rows.iter()
            .map(|row| {
                Ok(TransitionRow {
                    transition: json(row, "transition")?,
                    silence: row.try_get("silence")?,
                })
            })
            .collect()
    }

    async fn deliveries(
        &self,
        incident: Option<&IncidentId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.*, (SELECT group_concat(DISTINCT n.incident_id) FROM notices n WHERE n.delivery_seq = d.seq) AS told
             FROM deliveries d
             WHERE $1 IS NULL OR EXISTS (SELECT 1 FROM notices n WHERE n.delivery_seq = d.seq AND n.incident_id = $1)
             ORDER BY d.seq DESC LIMIT $2",
        )
        .bind(incident.map(|id| id.0.clone()))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(delivery_row).collect()
    }

    async fn results(&self, check: &CheckId, limit: u32) -> Result<Vec<ResultRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM results WHERE check_id = $1 ORDER BY started_us DESC LIMIT $2")
            .bind(check.as_str())
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| result_row(check, row)).collect()
    }

    async fn delivery_counts(&self) -> Result<(u64, u64), StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) FILTER (WHERE status IN ('waiting', 'claimed')) AS owed,
                    COUNT(*) FILTER (WHERE status = 'dead') AS dead FROM deliveries",
        )
        .fetch_one(&self.reader)
        .await?;
        let number = |name: &str| row.try_get::<i64, _>(name).map(|n| u64::try_from(n).unwrap_or(0));
        Ok((number("owed")?, number("dead")?))
    }

    async fn prune(&self, horizon: Horizon) -> Result<u64, StoreError> {
        let old_runs =
            "DELETE FROM results WHERE id IN (SELECT id FROM results WHERE started_us < $1 LIMIT $2)";
        let old_deliveries = "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries
             WHERE created_us < $1 AND status NOT IN ('waiting', 'claimed') LIMIT $2)";
        let old_incidents = "DELETE FROM incidents WHERE id IN (SELECT id FROM incidents
             WHERE resolved_us IS NOT NULL AND resolved_us < $1 LIMIT $2)";
        let orphans = "DELETE FROM transitions WHERE id IN (SELECT t.id FROM transitions t
             WHERE t.at_us < $1 AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = t.incident_id) LIMIT $2)";
        let mut removed = 0;
        for (statement, before) in [
            (old_runs, horizon.results),
            (old_deliveries, horizon.incidents),
            (old_incidents, horizon.incidents),
            (orphans, horizon.incidents),
        ] {
            loop {
                let done = sqlx::query(statement)
                    .bind(before.as_unix_us())
                    .bind(PRUNED_AT_ONCE)
                    .execute(&self.writer)
                    .await?;
                removed += done.rows_affected();
                if done.rows_affected() < PRUNED_AT_ONCE.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(removed)
    }

    async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

async fn insert_runs(tx: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    const COLUMNS: &str = "INSERT INTO results (check_id, run_id, started_us, took_us, level, headline, attempts, measured, detail) ";
    for chunk in batch.runs.chunks(ROWS_PER_STATEMENT) {
        let mut rows = Vec::with_capacity(chunk.len());
        for run in chunk {
            rows.push((
                run,
                serde_json::to_string(&run.outcome.measurements)?,
                detail(run)?,
            ));
        }
        QueryBuilder::<Sqlite>::new(COLUMNS)
            .push_values(rows, |mut row, (run, measured, detail)| {
                row.push_bind(run.check.to_string())
                    .push_bind(run.run.0.clone())
                    .push_bind(run.started.as_unix_us())
                    .push_bind(i64::try_from(run.took.as_micros()).unwrap_or(i64::MAX))
                    .push_bind(run.verdict.level.as_str())
                    .push_bind(run.verdict.headline())
                    .push_bind(run.outcome.attempts)
                    .push_bind(measured)
                    .push_bind(detail);
            })
            .build()
            .execute(&mut *tx)
            .await?;
    }
    for chunk in batch.late.chunks(ROWS_PER_STATEMENT) {
        QueryBuilder::<Sqlite>::new(COLUMNS)
            .push_values(chunk, |mut row, (check, at)| {
                row.push_bind(check.to_string())
                    .push_bind("")
                    .push_bind(at.as_unix_us())
                    .push_bind(0_i64)
                    .push_bind("late")
                    .push_bind("not run: the run before was still going, or haetae stood still")
                    .push_bind(0_u32)
                    .push_bind("{}")
                    .push_bind(None::<String>);
            })
            .build()
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Good runs are kept as numbers only; the rest with all that was seen.
fn detail(run: &RunRecord) -> Result<Option<String>, StoreError> {
    let plain = run.verdict.level == Level::Ok && run.outcome.remarks.is_empty() && run.outcome.attempts <= 1;
    if plain {
        return Ok(None);
    }
    let detail = serde_json::json!({ "outcome": run.outcome, "verdict": run.verdict });
    Ok(Some(serde_json::to_string(&detail)?))
}

async fn upsert_states(tx: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    let at = batch.at.map_or(0, Timestamp::as_unix_us);
    for chunk in batch.states.chunks(ROWS_PER_STATEMENT) {
        let mut rows = Vec::with_capacity(chunk.len());
        for (check, state) in chunk {
            rows.push((check.to_string(), serde_json::to_string(state)?));
        }
        QueryBuilder::<Sqlite>::new("INSERT INTO states (check_id, state, updated_us) ")
            .push_values(rows, |mut row, (check, state)| {
                row.push_bind(check).push_bind(state).push_bind(at);
            })
            .push(" ON CONFLICT (check_id) DO UPDATE SET state = excluded.state, updated_us = excluded.updated_us")
            .build()
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn write_change(tx: &mut SqliteConnection, change: &Change) -> Result<(), StoreError> {
    let incident = &change.incident;
    sqlx::query(
        "INSERT INTO incidents (id, check_id, level, opened_us, resolved_us, incident) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET level = excluded.level, resolved_us = excluded.resolved_us, incident = excluded.incident",
    )
    .bind(&incident.id.0)
    .bind(incident.check.as_str())
    .bind(incident.level.as_str())
    .bind(incident.opened.as_unix_us())
    .bind(incident.resolved.map(Timestamp::as_unix_us))
    .bind(serde_json::to_string(incident)?)
    .execute(&mut *tx)
    .await?;
    if let Some(transition) = &change.transition {
        sqlx::query(
            "INSERT INTO transitions (incident_id, at_us, kind, transition, silence) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&transition.incident.0)
        .bind(transition.at.as_unix_us())
        .bind(transition.kind.as_str())
        .bind(serde_json::to_string(transition)?)
        .bind(change.silence)
        .execute(&mut *tx)
        .await?;
    }
    for (key, owed) in &change.owed {
        owe(tx, key, owed).await?;
    }
    Ok(())
}

/// Joins a delivery of the same group that no sender has touched, or makes a new one.
async fn owe(tx: &mut SqliteConnection, key: &str, owed: &Owed) -> Result<(), StoreError> {
    let waiting = sqlx::query(
        "UPDATE deliveries SET due_us = MIN(due_us, $3)
         WHERE seq = (SELECT MAX(seq) FROM deliveries
                      WHERE channel = $1 AND group_key = $2 AND status = 'waiting' AND attempts = 0)
         RETURNING seq",
    )
    .bind(&*owed.channel.0)
    .bind(&owed.group_key)
    .bind(owed.due.as_unix_us())
    .fetch_optional(&mut *tx)
    .await?;
    let seq: i64 = if let Some(row) = waiting {
        row.try_get("seq")?
    } else {
        let row = sqlx::query(
            "INSERT INTO deliveries (key, channel, route, group_key, status, due_us, created_us, attempts)
             VALUES ($1, $2, $3, $4, 'waiting', $5, $6, 0) RETURNING seq",
        )
        .bind(key)
        .bind(&*owed.channel.0)
        .bind(&owed.route)
        .bind(&owed.group_key)
        .bind(owed.due.as_unix_us())
        .bind(owed.notice.at.as_unix_us())
        .fetch_one(&mut *tx)
        .await?;
        row.try_get("seq")?
    };
    sqlx::query("INSERT INTO notices (delivery_seq, incident_id, notice) VALUES ($1, $2, $3)")
        .bind(seq)
        .bind(&owed.notice.incident.0)
        .bind(serde_json::to_string(&owed.notice)?)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

fn json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    Ok(serde_json::from_str(text)?)
}

fn moment(row: &SqliteRow, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_unix_us(row.try_get(column)?))
}

fn count(row: &SqliteRow, column: &str) -> Result<u32, StoreError> {
    let number: i64 = row.try_get(column)?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

fn delivery_row(row: &SqliteRow) -> Result<DeliveryRow, StoreError> {
    let told: Option<String> = row.try_get("told")?;
    Ok(DeliveryRow {
        key: row.try_get("key")?,
        channel: row.try_get("channel")?,
        route: row.try_get("route")?,
        status: row.try_get("status")?,
        due: moment(row, "due_us")?,
        created: moment(row, "created_us")?,
        attempts: count(row, "attempts")?,
        last_error: row.try_get("last_error")?,
        incidents: told
            .unwrap_or_default()
            .split(',')
            .filter(|id| !id.is_empty())
            .map(|id| IncidentId(id.to_owned()))
            .collect(),
    })
}

fn result_row(check: &CheckId, row: &SqliteRow) -> Result<ResultRow, StoreError> {
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
