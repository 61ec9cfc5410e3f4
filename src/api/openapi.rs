//! `/api/openapi.json`: the table as an `OpenAPI` 3.1 document. Beside it the endpoints that
//! are about the process itself.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::uri::Scheme;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::endpoint::{Endpoint, Param};
use super::problem::ApiProblem;
use super::router::Parts;
use super::schemas;
use super::table::ENDPOINTS;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The store can be read.
pub async fn readyz(State(parts): Parts) -> Result<&'static str, ApiProblem> {
    parts.store.delivery_counts().await?;
    Ok("ready\n")
}

/// Asks for a reload.
pub async fn reload(State(parts): Parts) -> Response {
    parts.reload_wanted.notify_one();
    let body = json!({ "accepted": true, "result": "shown at / and in the log" });
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

/// The document.
pub async fn document() -> Json<Value> {
    Json(written())
}

fn written() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in ENDPOINTS {
        let path = endpoint.path.replace("{*", "{");
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[endpoint.method] = operation(endpoint);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "haetae",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Synthetic monitoring and health checks. Loopback needs no token; every other address does, as `Authorization: Bearer …`. A check's id may hold slashes: in a path they stand as they are or as `%2F`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas::components(),
            "securitySchemes": { "token": {
                "type": Scheme::HTTP.as_str(), "scheme": "bearer",
                "description": "Made by `haetae token create --scope …`: `read` looks, `trigger` runs and deploys, `operate` does on-call work and both of these, `admin` everything.",
            } },
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<Value> = endpoint.query.iter().map(query_parameter).collect();
    parameters.extend(path_parameters(endpoint.path));
    if endpoint.tagged {
        parameters.push(json!({
            "name": "If-None-Match", "in": "header", "required": false, "schema": schemas::text(),
            "description": "The `ETag` of an answer that is known already.",
        }));
    }
    let words: Vec<&str> = endpoint.scopes.iter().map(|scope| scope.as_str()).collect();
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "responses": responses(endpoint),
        "parameters": parameters,
        "security": if words.is_empty() { json!([]) } else { json!([{ "token": [] }, {}]) },
    });
    if !words.is_empty() {
        operation["description"] = json!(format!("Needs a token with the scope {}.", words.join(" or ")));
    }
    if let Some((kind, schema)) = endpoint.body {
        operation["requestBody"] = json!({ "required": true, "content": { kind: { "schema": schema() } } });
    }
    operation
}

fn operation_id(endpoint: &Endpoint) -> String {
    let words: Vec<String> = endpoint
        .path
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && *word != "api" && *word != "v1")
        .map(str::to_owned)
        .collect();
    let what = if words.is_empty() {
        "overview".to_owned()
    } else {
        words.join("_")
    };
    // A page and what scripts read may be of the same thing.
    let of = if endpoint.is_page { "page_" } else { "" };
    format!("{}_{of}{what}", endpoint.method)
}

fn query_parameter(param: &Param) -> Value {
    json!({
        "name": param.name, "in": "query", "required": param.required,
        "description": param.doc, "schema": (param.schema)(),
    })
}

fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({
                "name": name.trim_start_matches('*'), "in": "path", "required": true,
                "schema": { "type": "string", "minLength": 1 },
            })
        })
        .collect()
}

fn responses(endpoint: &Endpoint) -> Value {
    let mut responses = Map::new();
    for (status, kind, schema) in endpoint.answers {
        let response = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "description": "as asked" }));
        if !kind.is_empty() {
            response["content"][*kind] = json!({ "schema": schema() });
        }
        if endpoint.tagged {
            response["headers"] = json!({ "ETag": { "schema": schemas::text() } });
        }
    }
    for status in failures(endpoint) {
        responses
            .entry(status.to_string())
            .or_insert_with(|| problem(status));
    }
    if endpoint.tagged {
        responses.insert("304".into(), json!({ "description": "as it is known" }));
    }
    if endpoint.is_page && !endpoint.scopes.is_empty() {
        responses
            .entry("303".to_owned())
            .or_insert_with(|| json!({ "description": "to the log-in, for browsers" }));
    }
    Value::Object(responses)
}

/// Statuses that an endpoint may answer with when all is not well.
fn failures(endpoint: &Endpoint) -> BTreeSet<u16> {
    let mut statuses: BTreeSet<u16> = endpoint.fails.iter().copied().collect();
    // Another host's name, a bad store, a bug.
    statuses.extend([403, 500, 503]);
    if endpoint.counted {
        statuses.insert(429);
    }
    if !endpoint.scopes.is_empty() {
        statuses.insert(401);
    }
    if endpoint.body.is_some() {
        statuses.extend([400, 413, 415]);
    }
    if !endpoint.query.is_empty() {
        statuses.insert(400);
    }
    if endpoint.path.contains('{') {
        // What is no text in UTF-8 names nothing.
        statuses.extend([400, 404]);
    }
    statuses
}

fn problem(status: u16) -> Value {
    let what = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("a problem");
    let mut response = json!({
        "description": what,
        "content": { "application/problem+json": { "schema": schemas::reference("Problem") } },
    });
    match status {
        429 => response["headers"] = json!({ "Retry-After": { "schema": { "type": "string" } } }),
        401 => response["headers"] = json!({ "WWW-Authenticate": { "schema": { "type": "string" } } }),
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_endpoint_and_every_reference_is_there() {
        let document = written();
        let operations: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|methods| methods.as_object().unwrap().len())
            .sum();
        assert_eq!(operations, ENDPOINTS.len());
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        let mut ids: Vec<String> = ENDPOINTS.iter().map(operation_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), ENDPOINTS.len());
    }

    #[test]
    fn whatever_changes_something_is_written_down_and_needs_a_token() {
        for endpoint in ENDPOINTS {
            let only_for_browsers = ["/login", "/logout"].contains(&endpoint.path);
            let has_its_token_in_the_path = endpoint.path.contains("{token}");
            if endpoint.method == "get" || only_for_browsers || has_its_token_in_the_path {
                continue;
            }
            assert!(endpoint.action.is_some(), "{} {}", endpoint.method, endpoint.path);
            let is_signed = endpoint.path == "/slack/interactions";
            assert!(is_signed || !endpoint.scopes.is_empty(), "{}", endpoint.path);
        }
    }
}
