//! Tokens, the audit log, operations, and lists that go on.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::rows::{delivery_row, json, maybe_moment, moment, result_row};
use crate::model::{AuditEntry, CheckId, Incident, Scope, Timestamp, Token, TokenDigest};
use crate::store::{
    AccessStore, DeliveryRow, IncidentFilter, OperationKind, OperationRow, Page, ResultRow, StoreError,
};

#[async_trait]
impl AccessStore for SqliteStore {
    async fn add_token(&self, token: &Token, digest: &TokenDigest) -> Result<bool, StoreError> {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let done = sqlx::query(
            "INSERT INTO tokens (name, digest, scopes, created_us, expires_us) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
        )
        .bind(&token.name)
        .bind(&digest.0[..])
        .bind(scopes.join(" "))
        .bind(token.created.as_unix_us())
        .bind(token.expires.map(Timestamp::as_unix_us))
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn tokens(&self) -> Result<Vec<(Token, TokenDigest)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tokens ORDER BY name")
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(token_row).collect()
    }

    async fn token_used(&self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE tokens SET last_used_us = $2 WHERE name = $1")
            .bind(name)
            .bind(at.as_unix_us())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn revoke_token(&self, name: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM tokens WHERE name = $1")
            .bind(name)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO audit (at_us, who, by, address, what, target, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(entry.at.as_unix_us())
        .bind(&entry.who)
        .bind(&entry.by)
        .bind(&entry.address)
        .bind(&entry.what)
        .bind(&entry.target)
        .bind(entry.detail.to_string())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn audit_log(&self, since: Option<Timestamp>, page: &Page) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM audit WHERE ($1 IS NULL OR id < CAST($1 AS INTEGER)) AND at_us >= $2
             ORDER BY id DESC LIMIT $3",
        )
        .bind(&page.after)
        .bind(since.map_or(i64::MIN, Timestamp::as_unix_us))
        .bind(page.limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(audit_row).collect()
    }

    async fn keep_operation(&self, row: &OperationRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO operations (id, kind, key, created_us, body) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (id) DO UPDATE SET body = excluded.body",
        )
        .bind(&row.id)
        .bind(row.kind.as_str())
        .bind(&row.key)
        .bind(row.created.as_unix_us())
        .bind(row.body.to_string())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn operation(
        &self,
        kind: OperationKind,
        id: &str,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let row = sqlx::query("SELECT body FROM operations WHERE id = $1 AND kind = $2")
            .bind(id)
            .bind(kind.as_str())
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| json(&row, "body")).transpose()
    }

    async fn operation_by_key(
        &self,
        kind: OperationKind,
        key: &str,
        since: Timestamp,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let row = sqlx::query(
            "SELECT body FROM operations WHERE kind = $1 AND key = $2 AND created_us >= $3
             ORDER BY created_us DESC LIMIT 1",
        )
        .bind(kind.as_str())
        .bind(key)
        .bind(since.as_unix_us())
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| json(&row, "body")).transpose()
    }

    async fn operations(
        &self,
        kind: OperationKind,
        page: &Page,
    ) -> Result<Vec<serde_json::Value>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM operations WHERE kind = $1 AND ($2 IS NULL OR (created_us, id) <
                 (SELECT created_us, id FROM operations WHERE id = $2))
             ORDER BY created_us DESC, id DESC LIMIT $3",
        )
        .bind(kind.as_str())
        .bind(&page.after)
        .bind(page.limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| json(row, "body")).collect()
    }

    async fn incidents_page(
        &self,
        filter: &IncidentFilter,
        page: &Page,
    ) -> Result<Vec<Incident>, StoreError> {
        let rows = sqlx::query(
            "SELECT incident FROM incidents
             WHERE (NOT $1 OR resolved_us IS NULL) AND ($2 IS NULL OR check_id = $2) AND opened_us >= $3
               AND ($4 IS NULL OR (opened_us, id) < (SELECT opened_us, id FROM incidents WHERE id = $4))
             ORDER BY opened_us DESC, id DESC LIMIT $5",
        )
        .bind(filter.open_only)
        .bind(filter.check.as_ref().map(CheckId::as_str))
        .bind(filter.since.map_or(i64::MIN, Timestamp::as_unix_us))
        .bind(&page.after)
        .bind(page.limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| json(row, "incident")).collect()
    }

    async fn results_page(
        &self,
        check: &CheckId,
        since: Option<Timestamp>,
        page: &Page,
    ) -> Result<Vec<(String, ResultRow)>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM results WHERE check_id = $1 AND started_us >= $2
               AND ($3 IS NULL OR (started_us, id) < (SELECT started_us, id FROM results WHERE id = CAST($3 AS INTEGER)))
             ORDER BY started_us DESC, id DESC LIMIT $4",
        )
        .bind(check.as_str())
        .bind(since.map_or(i64::MIN, Timestamp::as_unix_us))
        .bind(&page.after)
        .bind(page.limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                let id: i64 = row.try_get("id")?;
                Ok((id.to_string(), result_row(check, row)?))
            })
            .collect()
    }

    async fn deliveries_page(&self, page: &Page) -> Result<Vec<DeliveryRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.*, (SELECT group_concat(DISTINCT n.incident_id) FROM notices n WHERE n.delivery_seq = d.seq) AS told
             FROM deliveries d WHERE $1 IS NULL OR d.seq < (SELECT seq FROM deliveries WHERE key = $1)
             ORDER BY d.seq DESC LIMIT $2",
        )
        .bind(&page.after)
        .bind(page.limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(delivery_row).collect()
    }
}

fn token_row(row: &SqliteRow) -> Result<(Token, TokenDigest), StoreError> {
    let scopes: &str = row.try_get("scopes")?;
    let stored: &[u8] = row.try_get("digest")?;
    let mut digest = [0; 32];
    if stored.len() == digest.len() {
        digest.copy_from_slice(stored);
    }
    let token = Token {
        name: row.try_get("name")?,
        scopes: scopes.split(' ').filter_map(Scope::from_word).collect(),
        created: moment(row, "created_us")?,
        expires: maybe_moment(row, "expires_us")?,
        last_used: maybe_moment(row, "last_used_us")?,
    };
    Ok((token, TokenDigest(digest)))
}

fn audit_row(row: &SqliteRow) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at: moment(row, "at_us")?,
        who: row.try_get("who")?,
        by: row.try_get("by")?,
        address: row.try_get("address")?,
        what: row.try_get("what")?,
        target: row.try_get("target")?,
        detail: json(row, "detail")?,
    })
}
