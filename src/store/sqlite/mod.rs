//! The store on SQLite: one writer, WAL, `synchronous=FULL`.
//!
//! FULL, because NORMAL loses acknowledged commits at a power cut (measured), and a batch a
//! second costs next to nothing.

mod access;
mod rows;
mod write;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row};

use self::rows::{count, delivery_row, json, maybe_moment, moment, result_row};
use super::{
    AttemptRow, ChannelRow, DeliveryRow, Horizon, Remembered, ResultRow, Store, StoreError, TransitionRow,
};
use crate::alert::Batch;
use crate::judge::HourMean;
use crate::model::{
    AttemptResult, ChannelName, CheckId, Delivery, DeliveryStatus, Form, Incident, IncidentId, Notice, Ping,
    Pings, Quiet, TimelineEntry, Timestamp,
};

/// Another process may hold the write lock this long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A delivery that was tried so often holds up no other any more: the fault may be its own.
const HOLDS_UP_FOR_ATTEMPTS: i64 = 12;
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

impl SqliteStore {
    /// A store that is gone with the process: for simulations and replays.
    ///
    /// # Errors
    /// When SQLite refuses; in words for people.
    pub async fn in_memory() -> Result<Self, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::Open {
            place: "memory".into(),
            why: error.to_string(),
        };
        let options = SqliteConnectOptions::new()
            .in_memory(true)
            .foreign_keys(true)
            .disable_statement_logging();
        // One connection, which is the database, and never closed.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(|error| failed(&error))?;
        // Nothing is there that would have to be brought up to date step by step.
        for sql in SCHEMA {
            let script = sqlx::raw_sql(sqlx::SqlStr::from_static(sql));
            script.execute(&writer).await.map_err(|error| failed(&error))?;
        }
        Ok(Self {
            reader: writer.clone(),
            writer,
        })
    }
}

/// The tables, step by step as they came to be.
const SCHEMA: [&str; 4] = [
    include_str!("../migrations/sqlite/0001_first.sql"),
    include_str!("../migrations/sqlite/0002_alerts.sql"),
    include_str!("../migrations/sqlite/0003_heartbeats.sql"),
    include_str!("../migrations/sqlite/0004_api.sql"),
];

fn migrations() -> Migrator {
    let step = |version, name: &'static str, sql| {
        Migration::new(
            version,
            name.into(),
            MigrationType::Simple,
            sqlx::SqlStr::from_static(sql),
            false,
        )
    };
    Migrator::with_migrations(vec![
        step(1, "first", SCHEMA[0]),
        step(2, "alerts", SCHEMA[1]),
        step(3, "heartbeats", SCHEMA[2]),
        step(4, "api", SCHEMA[3]),
    ])
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
        remembered.quiets = self.quiets(reopens_since, false, u32::MAX).await?;
        Ok(remembered)
    }

    async fn record(&self, batch: &Batch, sent: &[String]) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        write::batch(&mut tx, batch, sent).await?;
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
               AND NOT EXISTS (
                 SELECT 1 FROM deliveries refused
                 WHERE refused.channel = d.channel AND refused.status = 'waiting' AND refused.due_us > $2
                   AND refused.attempts BETWEEN 1 AND $3)
             ORDER BY d.attempts > $3, d.seq LIMIT 1",
        )
        .bind(&*channel.0)
        .bind(now.as_unix_us())
        .bind(HOLDS_UP_FOR_ATTEMPTS)
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
            form: Form::from_word(row.try_get("form")?),
            fell_back: row.try_get("fell_back")?,
            notices: notices?,
        }))
    }

    async fn next_due(&self, channel: &ChannelName) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(
            "SELECT MAX(
                MIN(CASE d.status WHEN 'claimed' THEN MAX(d.due_us, d.lease_us) ELSE d.due_us END),
                COALESCE((SELECT MAX(refused.due_us) FROM deliveries refused
                          WHERE refused.channel = $1 AND refused.status = 'waiting'
                            AND refused.attempts BETWEEN 1 AND $2), 0)) AS next
             FROM deliveries d
             WHERE d.channel = $1 AND d.status IN ('waiting', 'claimed')
               AND NOT EXISTS (
                 SELECT 1 FROM notices mine
                 JOIN notices theirs ON theirs.incident_id = mine.incident_id AND theirs.delivery_seq < mine.delivery_seq
                 JOIN deliveries earlier ON earlier.seq = theirs.delivery_seq
                 WHERE mine.delivery_seq = d.seq AND earlier.channel = d.channel
                   AND earlier.status IN ('waiting', 'claimed'))",
        )
        .bind(&*channel.0)
        .bind(HOLDS_UP_FOR_ATTEMPTS)
        .fetch_one(&self.reader)
        .await?;
        let next: Option<i64> = row.try_get("next")?;
        Ok(next.map(Timestamp::from_unix_us))
    }

    async fn leave_out(&self, key: &str, incidents: &[IncidentId]) -> Result<(), StoreError> {
        for incident in incidents {
            sqlx::query(
                "UPDATE notices SET left_out = 1 WHERE incident_id = $2
                   AND delivery_seq = (SELECT seq FROM deliveries WHERE key = $1)",
            )
            .bind(key)
            .bind(&incident.0)
            .execute(&self.writer)
            .await?;
        }
        Ok(())
    }

    async fn has_heard(&self, channel: &ChannelName, incident: &IncidentId) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM notices n JOIN deliveries d ON d.seq = n.delivery_seq
             WHERE n.incident_id = $2 AND n.left_out = 0 AND d.channel = $1 AND d.status = 'sent') AS heard",
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

    async fn resend(&self, key: Option<&str>, now: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE deliveries SET status = 'waiting', due_us = $2, created_us = $2, attempts = 0,
                    settled_us = NULL, fell_back = 0
             WHERE status = 'dead' AND ($1 IS NULL OR key = $1)",
        )
        .bind(key)
        .bind(now.as_unix_us())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    async fn receipt(
        &self,
        channel: &ChannelName,
        topic: &str,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let row = sqlx::query("SELECT receipt FROM receipts WHERE channel = $1 AND topic = $2")
            .bind(&*channel.0)
            .bind(topic)
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| json(&row, "receipt")).transpose()
    }

    async fn keep_receipt(
        &self,
        channel: &ChannelName,
        topic: &str,
        receipt: &serde_json::Value,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO receipts (channel, topic, receipt, updated_us) VALUES ($1, $2, $3, $4)
             ON CONFLICT (channel, topic) DO UPDATE SET receipt = excluded.receipt, updated_us = excluded.updated_us",
        )
        .bind(&*channel.0)
        .bind(topic)
        .bind(serde_json::to_string(receipt)?)
        .bind(now.as_unix_us())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn ping(&self, job: &str, ping: &Ping) -> Result<Pings, StoreError> {
        let mut tx = self.writer.begin().await?;
        let row = sqlx::query("SELECT pings FROM heartbeats WHERE job = $1")
            .bind(job)
            .fetch_optional(&mut *tx)
            .await?;
        let known: Option<Pings> = row.map(|row| json(&row, "pings")).transpose()?;
        let pings = known.unwrap_or_default().after(ping);
        sqlx::query(
            "INSERT INTO heartbeats (job, pings, updated_us) VALUES ($1, $2, $3)
             ON CONFLICT (job) DO UPDATE SET pings = excluded.pings, updated_us = excluded.updated_us",
        )
        .bind(job)
        .bind(serde_json::to_string(&pings)?)
        .bind(ping.at.as_unix_us())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(pings)
    }

    async fn heartbeats(&self) -> Result<Vec<(String, Pings)>, StoreError> {
        let rows = sqlx::query("SELECT job, pings FROM heartbeats")
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("job")?, json(row, "pings")?)))
            .collect()
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

    async fn timeline(&self, id: &IncidentId) -> Result<Vec<TimelineEntry>, StoreError> {
        let rows = sqlx::query("SELECT entry FROM timeline WHERE incident_id = $1 ORDER BY id")
            .bind(&id.0)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| json(row, "entry")).collect()
    }

    async fn incidents_of(&self, check: &CheckId, limit: u32) -> Result<Vec<Incident>, StoreError> {
        let rows = sqlx::query(
            "SELECT incident FROM incidents WHERE check_id = $1 ORDER BY opened_us DESC LIMIT $2",
        )
        .bind(check.as_str())
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| json(row, "incident")).collect()
    }

    async fn quiets(&self, now: Timestamp, ended_too: bool, limit: u32) -> Result<Vec<Quiet>, StoreError> {
        let rows =
            sqlx::query("SELECT quiet FROM quiets WHERE $1 OR ends_us > $2 ORDER BY ends_us DESC LIMIT $3")
                .bind(ended_too)
                .bind(now.as_unix_us())
                .bind(limit)
                .fetch_all(&self.reader)
                .await?;
        rows.iter().map(|row| json(row, "quiet")).collect()
    }

    async fn attempts(&self, key: &str) -> Result<Vec<AttemptRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT a.at_us, a.result, a.said FROM attempts a JOIN deliveries d ON d.seq = a.delivery_seq
             WHERE d.key = $1 ORDER BY a.id",
        )
        .bind(key)
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(AttemptRow {
                    at: moment(row, "at_us")?,
                    result: row.try_get("result")?,
                    said: row.try_get("said")?,
                })
            })
            .collect()
    }

    async fn channels(&self) -> Result<Vec<ChannelRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT channel,
                    COUNT(*) FILTER (WHERE status IN ('waiting', 'claimed')) AS owed,
                    COUNT(*) FILTER (WHERE status = 'dead') AS dead,
                    MIN(created_us) FILTER (WHERE status IN ('waiting', 'claimed')) AS oldest_us,
                    MAX(settled_us) FILTER (WHERE status = 'sent') AS sent_us,
                    (SELECT w.last_error FROM deliveries w WHERE w.channel = d.channel AND w.attempts > 0
                       AND w.status IN ('waiting', 'claimed') ORDER BY w.seq LIMIT 1) AS last_error
             FROM deliveries d GROUP BY channel ORDER BY channel",
        )
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                let number = |name: &str| row.try_get::<i64, _>(name).map(|n| u64::try_from(n).unwrap_or(0));
                Ok(ChannelRow {
                    channel: row.try_get("channel")?,
                    owed: number("owed")?,
                    dead: number("dead")?,
                    oldest_owed: maybe_moment(row, "oldest_us")?,
                    last_sent: maybe_moment(row, "sent_us")?,
                    last_error: row.try_get("last_error")?,
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

    async fn hours(
        &self,
        check: &CheckId,
        measurement: &str,
        since: Timestamp,
    ) -> Result<Vec<HourMean>, StoreError> {
        rows::hours(&self.reader, check, measurement, since).await
    }

    async fn values(
        &self,
        check: &CheckId,
        measurement: &str,
        since: Timestamp,
    ) -> Result<Vec<(String, Timestamp, f64)>, StoreError> {
        rows::values(&self.reader, check, measurement, since).await
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
        let old_entries = "DELETE FROM timeline WHERE id IN (SELECT t.id FROM timeline t
             WHERE t.at_us < $1 AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = t.incident_id) LIMIT $2)";
        let old_quiets = "DELETE FROM quiets WHERE id IN (SELECT id FROM quiets WHERE ends_us < $1 LIMIT $2)";
        let old_receipts = "DELETE FROM receipts WHERE rowid IN (SELECT rowid FROM receipts
             WHERE updated_us < $1 LIMIT $2)";
        let old_audit = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_us < $1 LIMIT $2)";
        let old_operations = "DELETE FROM operations WHERE id IN (SELECT id FROM operations
             WHERE created_us < $1 LIMIT $2)";
        let mut removed = 0;
        for (statement, before) in [
            (old_runs, horizon.results),
            (old_deliveries, horizon.incidents),
            (old_incidents, horizon.incidents),
            (orphans, horizon.incidents),
            (old_entries, horizon.incidents),
            (old_quiets, horizon.incidents),
            (old_receipts, horizon.incidents),
            (old_audit, horizon.audit),
            (old_operations, horizon.results),
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
