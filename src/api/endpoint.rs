//! What an endpoint is, and what most have in common.

use std::sync::Arc;
use std::time::Duration;

use axum::routing::{MethodRouter, get};
use serde_json::Value;

use super::guard::USUAL_LIMIT;
use super::{ApiParts, openapi, schemas};
use crate::model::Scope;

/// A form, made when the document is written.
pub type Schema = fn() -> Value;

/// One endpoint.
pub struct Endpoint {
    /// `get`, `post`, `delete`
    pub method: &'static str,
    /// As the router has it; `{*id}` takes slashes.
    pub path: &'static str,
    /// In one line.
    pub summary: &'static str,
    /// Any of these is needed; open to everybody without.
    pub scopes: &'static [Scope],
    /// The audit log's word for it; none when it only looks.
    pub action: Option<&'static str>,
    /// What may stand behind the question mark.
    pub query: &'static [Param],
    /// The body that is taken: its kind and its schema.
    pub body: Option<(&'static str, Schema)>,
    /// What is answered when all is well: status, kind, schema.
    pub answers: &'static [(u16, &'static str, Schema)],
    /// What else may be answered, besides what every endpoint may.
    pub fails: &'static [u16],
    /// Whether answers have an `ETag`.
    pub tagged: bool,
    /// Whether people look at it in a browser.
    pub is_page: bool,
    /// Whether it counts for the rate limit.
    pub counted: bool,
    /// An answer may take so long.
    pub limit: Duration,
    /// Who answers.
    pub handler: fn() -> MethodRouter<Arc<ApiParts>>,
}

/// Something that may stand behind the question mark.
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// In one line.
    pub doc: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What it may be.
    pub schema: Schema,
}

/// A list that goes on.
pub(super) const LIMIT: Param = optional("limit", "At most so many, and 1000 at most.", schemas::limit);
pub(super) const AFTER: Param = optional(
    "after",
    "The list goes on after this: the `next` of the page before.",
    schemas::text,
);
pub(super) const SINCE: Param = optional("since", "Nothing that is older: RFC 3339.", schemas::moment);
pub(super) const WAIT: Param = optional(
    "wait",
    "Answer once it has ended, or after so long: `60s`, which is the longest too.",
    schemas::duration,
);

pub(super) const fn optional(name: &'static str, doc: &'static str, schema: Schema) -> Param {
    Param {
        name,
        doc,
        required: false,
        schema,
    }
}

pub(super) const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html";
pub(super) const TEXT: &str = "text/plain";
pub(super) const STREAM: &str = "text/event-stream";

pub(super) const OPEN: &[Scope] = &[];
pub(super) const READ: &[Scope] = &[Scope::Read];
pub(super) const OPERATE: &[Scope] = &[Scope::Operate];
pub(super) const TRIGGER: &[Scope] = &[Scope::Trigger];
/// Who may trigger may see what came of it.
pub(super) const SEE_RUNS: &[Scope] = &[Scope::Trigger, Scope::Read];
pub(super) const ADMIN: &[Scope] = &[Scope::Admin];

/// Answers may wait for a minute here.
pub(super) const WAITING_LIMIT: Duration = Duration::from_secs(90);

/// What most have in common.
pub(super) const LOOK: Endpoint = Endpoint {
    method: "get",
    path: "",
    summary: "",
    scopes: READ,
    action: None,
    query: &[],
    body: None,
    answers: &[],
    fails: &[],
    tagged: false,
    is_page: false,
    counted: true,
    limit: USUAL_LIMIT,
    handler: || get(openapi::document),
};

pub(super) const PAGE: Endpoint = Endpoint {
    is_page: true,
    answers: &[(200, HTML, schemas::text)],
    ..LOOK
};

pub(super) const CHANGE: Endpoint = Endpoint {
    method: "post",
    scopes: OPERATE,
    ..LOOK
};

pub(super) const CALL: Endpoint = Endpoint {
    scopes: OPEN,
    answers: &[(200, TEXT, schemas::text)],
    fails: &[404, 413],
    ..LOOK
};
