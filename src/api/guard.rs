//! What stands before every endpoint: how much is asked, who asks, what is written down.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::ApiParts;
use super::access::{Caller, Claim, address, claim, find_token};
use super::limiter::Limiter;
use super::problem::ApiProblem;
use super::table::Endpoint;
use crate::clock::wall_now;
use crate::model::{AuditEntry, Scope};

/// Bodies are no larger.
pub const LARGEST_REQUEST_BYTES: usize = 256 * 1024;
/// A list that is larger has no tag.
const LARGEST_TAGGED_BYTES: usize = 32 * 1024 * 1024;
/// So much of what was sent along is kept in the audit log.
const LONGEST_DETAIL: usize = 4_000;
/// A client may ask so often at once, and so often a second in the long run.
const BURST: u32 = 1_000;
const PER_SECOND: f64 = 100.0;
/// An address may fail to log in so often at once, and so often a second in the long run.
const FAILURES_AT_ONCE: u32 = 10;
const FAILURES_PER_SECOND: f64 = 0.1;

/// Counts what clients ask.
pub struct Gate {
    requests: Mutex<Limiter>,
    failures: Mutex<Limiter>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            requests: Mutex::new(Limiter::new(BURST, PER_SECOND)),
            failures: Mutex::new(Limiter::new(FAILURES_AT_ONCE, FAILURES_PER_SECOND)),
        }
    }
}

impl Gate {
    fn count(limiter: &Mutex<Limiter>, client: &str) -> Result<(), ApiProblem> {
        let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.take(client, Instant::now()).map_err(ApiProblem::too_many)
    }

    /// Counts a log-in that failed. Known tokens are let through whatever was counted: 256
    /// bits are not found by trying, and a neighbour's old token must lock nobody out. What is
    /// bounded is the work and the log.
    ///
    /// # Errors
    /// When there were too many.
    pub fn failed(&self, client: &str) -> Result<(), ApiProblem> {
        Self::count(&self.failures, client)
    }
}

/// An endpoint's guard.
#[derive(Clone)]
pub struct Guard {
    /// What requests are answered from.
    pub parts: Arc<ApiParts>,
    /// What is asked.
    pub endpoint: &'static Endpoint,
    /// Counts.
    pub gate: Arc<Gate>,
}

/// Who did it, where a handler knows better than the request's head.
#[derive(Debug, Clone)]
pub struct DoneBy {
    /// By way of what.
    pub who: String,
    /// The person.
    pub by: String,
}

/// Lets a request through to its handler, or says why not.
pub async fn guard(
    State(guard): State<Guard>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    // A body cannot be shared between threads, its head can.
    let head = Head {
        headers: request.headers().clone(),
        path: request.uri().path().to_owned(),
    };
    match admit(&guard, peer, &head).await {
        Ok(caller) => pass(&guard, caller, request, next).await,
        Err(refusal) => refusal,
    }
}

struct Head {
    headers: HeaderMap,
    path: String,
}

async fn admit(guard: &Guard, peer: SocketAddr, head: &Head) -> Result<Caller, Response> {
    let client = address(&head.headers, peer.ip());
    if guard.endpoint.counted {
        Gate::count(&guard.gate.requests, &client).map_err(IntoResponse::into_response)?;
    }
    let caller = who_asks(guard, peer, head, client).await?;
    if caller.may(guard.endpoint.scopes) {
        return Ok(caller);
    }
    let needed = words(guard.endpoint.scopes);
    let problem = ApiProblem::forbidden(format!(
        "`{}` may not do this: it needs the scope {needed}",
        caller.name
    ));
    let scope = guard.endpoint.scopes.first().map_or("", |scope| scope.as_str());
    Err(problem
        .challenge(&format!(
            "Bearer realm=\"haetae\", error=\"insufficient_scope\", scope=\"{scope}\""
        ))
        .into_response())
}

fn words(scopes: &[Scope]) -> String {
    let words: Vec<String> = scopes
        .iter()
        .map(|scope| format!("`{}`", scope.as_str()))
        .collect();
    words.join(" or ")
}

async fn who_asks(guard: &Guard, peer: SocketAddr, head: &Head, client: String) -> Result<Caller, Response> {
    let everything = |name: &str| Caller {
        name: name.to_owned(),
        scopes: vec![Scope::Admin],
        address: client.clone(),
    };
    let rules = guard.parts.access;
    let is_open = guard.endpoint.scopes.is_empty();
    let token = match claim(rules, &head.headers, peer.ip()) {
        Claim::Local => return Ok(everything("local")),
        Claim::Nobody if rules.insecure => return Ok(everything("anonymous")),
        _ if is_open => {
            return Ok(Caller {
                name: "anonymous".into(),
                scopes: Vec::new(),
                address: client,
            });
        }
        Claim::Nobody => return Err(log_in(guard, head)),
        Claim::Token(token) => token,
    };
    match find_token(&*guard.parts.store, &token, wall_now()).await {
        Ok(Some(token)) => Ok(Caller {
            name: token.name,
            scopes: token.scopes,
            address: client,
        }),
        Ok(None) => Err(unknown(guard, head, &client)),
        Err(error) => Err(ApiProblem::from(error).into_response()),
    }
}

/// A token that is none.
fn unknown(guard: &Guard, head: &Head, client: &str) -> Response {
    if let Err(problem) = guard.gate.failed(client) {
        return problem.into_response();
    }
    tracing::warn!(
        address = client,
        "somebody asked with a token that is not known, or has ended"
    );
    // In a browser the cookie may be an old one.
    if !head.headers.contains_key(header::AUTHORIZATION) {
        return log_in(guard, head);
    }
    ApiProblem::unauthorized("this token is not known, or has ended")
        .challenge("Bearer realm=\"haetae\", error=\"invalid_token\"")
        .into_response()
}

/// People are shown where to log in, programs are told.
fn log_in(guard: &Guard, head: &Head) -> Response {
    let accepts_pages = head
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kinds| kinds.contains("text/html"));
    if guard.endpoint.is_page && accepts_pages {
        let next: String = url::form_urlencoded::byte_serialize(head.path.as_bytes()).collect();
        return Redirect::to(&format!("/login?next={next}")).into_response();
    }
    ApiProblem::unauthorized("a token is needed: `Authorization: Bearer …`; `haetae token create` makes one")
        .challenge("Bearer realm=\"haetae\"")
        .into_response()
}

async fn pass(guard: &Guard, caller: Caller, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(caller.clone());
    let asked = request.headers().get(header::IF_NONE_MATCH).cloned();
    let target = request.uri().path().to_owned();
    let mut sent = Bytes::new();
    if guard.endpoint.action.is_some() {
        let (head, body) = request.into_parts();
        let Ok(bytes) = to_bytes(body, LARGEST_REQUEST_BYTES).await else {
            return ApiProblem::too_large().into_response();
        };
        sent = bytes.clone();
        request = Request::from_parts(head, Body::from(bytes));
    }
    let Ok(response) = timeout(guard.endpoint.limit, next.run(request)).await else {
        return ApiProblem::unavailable("this took too long").into_response();
    };
    if let Some(action) = guard.endpoint.action
        && response.status().is_success()
    {
        let done_by = response.extensions().get::<DoneBy>().cloned();
        note(guard, &caller, action, target, &sent, done_by).await;
    }
    if guard.endpoint.tagged {
        return tag(response, asked.as_ref()).await;
    }
    response
}

/// Writes down what was changed.
async fn note(
    guard: &Guard,
    caller: &Caller,
    action: &str,
    target: String,
    sent: &Bytes,
    done_by: Option<DoneBy>,
) {
    let redactor = guard.parts.redactor.current();
    let text = String::from_utf8_lossy(sent);
    let clean = redactor.clean(&text);
    let is_short = clean.len() <= LONGEST_DETAIL;
    let detail: Value = match serde_json::from_str(&clean) {
        Ok(detail) if is_short => detail,
        Ok(_) => Value::String("too long to be kept".into()),
        Err(_) => Value::Null,
    };
    let by = detail.get("by").and_then(Value::as_str).map(str::to_owned);
    let entry = AuditEntry {
        id: 0,
        at: wall_now(),
        who: done_by
            .as_ref()
            .map_or_else(|| caller.name.clone(), |done| done.who.clone()),
        by: done_by.map(|done| done.by).or(by).filter(|by| !by.is_empty()),
        address: Some(caller.address.clone()),
        what: action.to_owned(),
        target: redactor.clean(&target).into_owned(),
        detail,
    };
    if let Err(error) = guard.parts.store.audit(&entry).await {
        tracing::error!(%error, action, who = entry.who, "what was changed could not be written into the audit log");
    }
}

/// Gives an answer its tag, and leaves the body out when it is known already.
async fn tag(response: Response, asked: Option<&HeaderValue>) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_TAGGED_BYTES).await else {
        return ApiProblem::unavailable("the answer is too large: ask for less with `limit`").into_response();
    };
    let sum = digest(&SHA256, &bytes);
    let hex: String = sum.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{hex}\"");
    if let Ok(value) = HeaderValue::from_str(&tag) {
        head.headers.insert(header::ETAG, value);
    }
    let known = asked.and_then(|value| value.to_str().ok()).is_some_and(|tags| {
        tags.split(',')
            .map(|known| known.trim().trim_start_matches("W/"))
            .any(|known| known == tag || known == "*")
    });
    if known {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(bytes))
}

/// An answer may take so long unless it waits for something.
pub const USUAL_LIMIT: Duration = Duration::from_secs(30);
