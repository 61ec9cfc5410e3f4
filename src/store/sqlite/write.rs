//! Writing a batch, inside one transaction.

use std::collections::HashMap;

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::alert::{Batch, Change, Gather};
use crate::model::{Level, Owed, RunRecord, Timestamp};
use crate::store::StoreError;

/// Rows per statement: SQLite takes 32,766 parameters.
const ROWS_PER_STATEMENT: usize = 1_000;

/// Everything in it. What is owed under one of the keys in `sent` has left already.
pub(super) async fn batch(
    tx: &mut SqliteConnection,
    batch: &Batch,
    sent: &[String],
) -> Result<(), StoreError> {
    insert_runs(tx, batch).await?;
    upsert_states(tx, batch).await?;
    for check in &batch.forgotten {
        sqlx::query("DELETE FROM states WHERE check_id = $1")
            .bind(check.as_str())
            .execute(&mut *tx)
            .await?;
    }
    for change in &batch.changes {
        write_change(tx, change, sent).await?;
    }
    for gather in &batch.gathers {
        gather_news(tx, gather).await?;
    }
    for over in &batch.storms_over {
        sqlx::query(
            "UPDATE deliveries SET due_us = MIN(due_us, $3), form = 'storm_end'
             WHERE channel = $1 AND group_key = $2 AND status = 'waiting' AND attempts = 0",
        )
        .bind(&*over.channel.0)
        .bind(&over.group_key)
        .bind(over.due.as_unix_us())
        .execute(&mut *tx)
        .await?;
    }
    for quiet in &batch.quiets {
        sqlx::query(
            "INSERT INTO quiets (id, ends_us, quiet) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET ends_us = excluded.ends_us, quiet = excluded.quiet",
        )
        .bind(&quiet.id)
        .bind(quiet.ends.as_unix_us())
        .bind(serde_json::to_string(quiet)?)
        .execute(&mut *tx)
        .await?;
    }
    for entry in &batch.timeline {
        sqlx::query("INSERT INTO timeline (incident_id, at_us, entry) VALUES ($1, $2, $3)")
            .bind(&entry.incident.0)
            .bind(entry.at.as_unix_us())
            .bind(serde_json::to_string(entry)?)
            .execute(&mut *tx)
            .await?;
    }
    for key in &batch.fell_back {
        sqlx::query("UPDATE deliveries SET fell_back = 1 WHERE key = $1")
            .bind(key)
            .execute(&mut *tx)
            .await?;
    }
    if let Some((key, owed)) = &batch.heartbeat {
        // A heartbeat replaces those before it: an old one says nothing.
        sqlx::query("DELETE FROM deliveries WHERE channel = $1 AND status <> 'claimed'")
            .bind(&*owed.channel.0)
            .execute(&mut *tx)
            .await?;
        owe(tx, key, owed, sent).await?;
    }
    Ok(())
}

async fn insert_runs(tx: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    const COLUMNS: &str = "INSERT INTO results (check_id, run_id, started_us, took_us, level, headline, attempts, measured, detail, triggered) ";
    let asked: HashMap<_, _> = batch.triggered.iter().map(|(run, tag)| (run, tag)).collect();
    for chunk in batch.runs.chunks(ROWS_PER_STATEMENT) {
        let mut rows = Vec::with_capacity(chunk.len());
        for run in chunk {
            rows.push((
                run,
                serde_json::to_string(&run.outcome.measurements)?,
                detail(run)?,
                asked.get(&run.run).map(serde_json::to_string).transpose()?,
            ));
        }
        QueryBuilder::<Sqlite>::new(COLUMNS)
            .push_values(rows, |mut row, (run, measured, detail, triggered)| {
                row.push_bind(run.check.to_string())
                    .push_bind(run.run.0.clone())
                    .push_bind(run.started.as_unix_us())
                    .push_bind(i64::try_from(run.took.as_micros()).unwrap_or(i64::MAX))
                    .push_bind(run.verdict.level.as_str())
                    .push_bind(run.verdict.headline())
                    .push_bind(run.outcome.attempts)
                    .push_bind(measured)
                    .push_bind(detail)
                    .push_bind(triggered);
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
                    .push_bind(None::<String>)
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

async fn write_change(tx: &mut SqliteConnection, change: &Change, sent: &[String]) -> Result<(), StoreError> {
    let incident = &change.incident;
    sqlx::query(
        "INSERT INTO incidents (id, check_id, level, opened_us, resolved_us, incident) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET level = excluded.level, resolved_us = excluded.resolved_us,
             incident = excluded.incident",
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
        .bind(change.held.as_ref().map(ToString::to_string))
        .execute(&mut *tx)
        .await?;
    }
    for (key, owed) in &change.owed {
        owe(tx, key, owed, sent).await?;
    }
    Ok(())
}

/// What is owed joins a delivery of the same group that no sender has touched, or makes a
/// new one.
async fn owe(tx: &mut SqliteConnection, key: &str, owed: &Owed, sent: &[String]) -> Result<(), StoreError> {
    let has_left = sent.iter().any(|sent| sent == key);
    let waiting = if has_left { None } else { join(tx, owed).await? };
    let seq = match waiting {
        Some(seq) => seq,
        None => new_delivery(tx, key, owed, has_left).await?,
    };
    take_along(tx, seq, owed).await?;
    sqlx::query("INSERT INTO notices (delivery_seq, incident_id, notice) VALUES ($1, $2, $3)")
        .bind(seq)
        .bind(&owed.notice.incident.0)
        .bind(serde_json::to_string(&owed.notice)?)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

async fn join(tx: &mut SqliteConnection, owed: &Owed) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
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
    Ok(row.map(|row| row.try_get("seq")).transpose()?)
}

/// Earlier news of the same incident that still waits on the channel comes along: a critical
/// must not wait for the digest that holds the warning before it.
async fn take_along(tx: &mut SqliteConnection, seq: i64, owed: &Owed) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT MIN(d.due_us) AS due FROM notices n JOIN deliveries d ON d.seq = n.delivery_seq
         WHERE n.incident_id = $1 AND d.channel = $2 AND d.status = 'waiting' AND d.attempts = 0 AND d.seq <> $3",
    )
    .bind(&owed.notice.incident.0)
    .bind(&*owed.channel.0)
    .bind(seq)
    .fetch_one(&mut *tx)
    .await?;
    let Some(due_us) = row.try_get::<Option<i64>, _>("due")? else {
        return Ok(());
    };
    sqlx::query(
        "UPDATE notices SET delivery_seq = $3 WHERE incident_id = $1 AND delivery_seq IN (
             SELECT seq FROM deliveries WHERE channel = $2 AND status = 'waiting' AND attempts = 0)",
    )
    .bind(&owed.notice.incident.0)
    .bind(&*owed.channel.0)
    .bind(seq)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE deliveries SET due_us = MIN(due_us, $2) WHERE seq = $1 AND status = 'waiting'")
        .bind(seq)
        .bind(due_us)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "DELETE FROM deliveries WHERE channel = $1 AND status = 'waiting' AND attempts = 0 AND seq <> $2
           AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.delivery_seq = deliveries.seq)",
    )
    .bind(&*owed.channel.0)
    .bind(seq)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn new_delivery(
    tx: &mut SqliteConnection,
    key: &str,
    owed: &Owed,
    has_left: bool,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "INSERT INTO deliveries (key, channel, route, group_key, form, status, due_us, created_us, settled_us, attempts)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING seq",
    )
    .bind(key)
    .bind(&*owed.channel.0)
    .bind(&owed.route)
    .bind(&owed.group_key)
    .bind(owed.form.as_str())
    .bind(if has_left { "sent" } else { "waiting" })
    .bind(owed.due.as_unix_us())
    .bind(owed.due.as_unix_us())
    .bind(has_left.then(|| owed.due.as_unix_us()))
    .bind(i64::from(has_left))
    .fetch_one(&mut *tx)
    .await?;
    Ok(row.try_get("seq")?)
}

/// News of these incidents that no sender has touched goes into one delivery.
async fn gather_news(tx: &mut SqliteConnection, gather: &Gather) -> Result<(), StoreError> {
    const WAITING: &str = "channel = $1 AND status = 'waiting' AND attempts = 0";
    let channel = &*gather.channel.0;
    let into = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT MAX(seq) AS seq FROM deliveries WHERE {WAITING} AND group_key = $2"
    )))
    .bind(channel)
    .bind(&gather.into)
    .fetch_one(&mut *tx)
    .await?;
    let mut into: Option<i64> = into.try_get("seq")?;
    for incident in &gather.incidents {
        let waiting = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT DISTINCT delivery_seq AS seq FROM notices WHERE incident_id = $2
               AND delivery_seq IN (SELECT seq FROM deliveries WHERE {WAITING}) ORDER BY seq"
        )))
        .bind(channel)
        .bind(&incident.0)
        .fetch_all(&mut *tx)
        .await?;
        for row in waiting {
            let seq: i64 = row.try_get("seq")?;
            let Some(into) = into else {
                // The first of them becomes the one that the others join.
                sqlx::query("UPDATE deliveries SET group_key = $2, form = 'storm', due_us = $3, created_us = $3 WHERE seq = $1")
                    .bind(seq)
                    .bind(&gather.into)
                    .bind(gather.due.as_unix_us())
                    .execute(&mut *tx)
                    .await?;
                into = Some(seq);
                continue;
            };
            sqlx::query("UPDATE notices SET delivery_seq = $2 WHERE delivery_seq = $1 AND incident_id = $3")
                .bind(seq)
                .bind(into)
                .bind(&incident.0)
                .execute(&mut *tx)
                .await?;
        }
    }
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "DELETE FROM deliveries WHERE {WAITING} AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.delivery_seq = deliveries.seq)"
    )))
    .bind(channel)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
