//! Tokens, the audit log, and what was asked for and takes a while.

use async_trait::async_trait;

use super::{DeliveryRow, ResultRow, StoreError};
use crate::model::{AuditEntry, CheckId, Incident, Timestamp, Token, TokenDigest};

/// What kind of operation a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// A triggered run.
    Run,
    /// A deployment.
    Deployment,
}

impl OperationKind {
    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Deployment => "deployment",
        }
    }
}

/// A triggered run or a deployment, as the store keeps it.
#[derive(Debug, Clone)]
pub struct OperationRow {
    /// Its id.
    pub id: String,
    /// Which of the two.
    pub kind: OperationKind,
    /// The same key within a day means the same operation.
    pub key: Option<String>,
    /// When it was asked for.
    pub created: Timestamp,
    /// All of it.
    pub body: serde_json::Value,
}

/// Where a list goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// After the row with this name.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Which incidents a list holds.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    /// Only those that are not over.
    pub open_only: bool,
    /// Only those of this check.
    pub check: Option<CheckId>,
    /// Only those opened since.
    pub since: Option<Timestamp>,
}

/// The part of the store that people and pipelines use. Another process may write here while
/// a server runs: what it wrote is seen at the next look.
#[async_trait]
pub trait AccessStore: Send + Sync {
    /// Adds a token. False when the name is taken.
    async fn add_token(&self, token: &Token, digest: &TokenDigest) -> Result<bool, StoreError>;

    /// Every token, by name.
    async fn tokens(&self) -> Result<Vec<(Token, TokenDigest)>, StoreError>;

    /// Notes that a token was used.
    async fn token_used(&self, name: &str, at: Timestamp) -> Result<(), StoreError>;

    /// Takes a token away. False when there is none of this name.
    async fn revoke_token(&self, name: &str) -> Result<bool, StoreError>;

    /// Writes down what somebody changed; its id is given here.
    async fn audit(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// What was changed, the latest first.
    async fn audit_log(&self, since: Option<Timestamp>, page: &Page) -> Result<Vec<AuditEntry>, StoreError>;

    /// Keeps an operation as it is now.
    async fn keep_operation(&self, row: &OperationRow) -> Result<(), StoreError>;

    /// An operation by its id.
    async fn operation(&self, kind: OperationKind, id: &str)
    -> Result<Option<serde_json::Value>, StoreError>;

    /// An operation by its key, asked for since then.
    async fn operation_by_key(
        &self,
        kind: OperationKind,
        key: &str,
        since: Timestamp,
    ) -> Result<Option<serde_json::Value>, StoreError>;

    /// Operations, the latest first.
    async fn operations(
        &self,
        kind: OperationKind,
        page: &Page,
    ) -> Result<Vec<serde_json::Value>, StoreError>;

    /// Incidents, the newest first; the page goes on after an incident's id.
    async fn incidents_page(&self, filter: &IncidentFilter, page: &Page)
    -> Result<Vec<Incident>, StoreError>;

    /// A check's runs since then, the newest first, each with the name by which the list goes
    /// on after it.
    async fn results_page(
        &self,
        check: &CheckId,
        since: Option<Timestamp>,
        page: &Page,
    ) -> Result<Vec<(String, ResultRow)>, StoreError>;

    /// Deliveries, the newest first; the page goes on after a delivery's key.
    async fn deliveries_page(&self, page: &Page) -> Result<Vec<DeliveryRow>, StoreError>;
}
