//! Endpoints of Gatus that ask by HTTP.

use super::gatus::{text, value_of};
use super::gatus_conditions::{Conditions, matcher, status_node};
use super::gatus_kinds::{ip, times};
use super::sheet::{Entry, Pairs, pair_of, without_user};
use super::value::Value;
use super::yaml::Node;

/// Adds an `http` check.
pub fn http(entry: &mut Entry, endpoint: &Value, url: &str, conditions: &Conditions) {
    let owner = entry.id.clone().unwrap_or_default();
    let (url, auth) = without_user(url, &owner);
    let mut http = vec![pair_of("url", text(&url))];
    http.extend(auth.map(|auth| pair_of("auth", auth)));
    if let Some(method) = endpoint.get("method").text().filter(|method| *method != "GET") {
        http.push(pair_of("method", Node::bare(method)));
    }
    let headers: Pairs = endpoint
        .get("headers")
        .entries()
        .iter()
        .map(|(name, value)| pair_of(name, value_of(name, value.text().unwrap_or_default(), &owner)))
        .collect();
    if !headers.is_empty() {
        http.push(pair_of("headers", Node::Map(headers)));
    }
    if let Some(body) = endpoint.get("body").text() {
        if endpoint.get("graphql").is_true() {
            http.push(pair_of("json", Node::one("query", text(body))));
        } else {
            http.push(pair_of("body", text(body)));
        }
    }
    client(entry, endpoint, &mut http, &owner);
    entry.set_map("http", http);
    entry.expect(blocks(conditions));
    times(entry, conditions, "response_time");
}

/// `client:` of an HTTP endpoint.
fn client(entry: &mut Entry, endpoint: &Value, http: &mut Pairs, owner: &str) {
    for (key, value) in endpoint.get("client").entries() {
        let said = value.text().unwrap_or_default();
        match key.as_str() {
            "timeout" | "network" => {}
            "insecure" if value.is_true() => http.push(pair_of("insecure_tls", Node::bare("true"))),
            "ignore-redirect" if value.is_true() => http.push(pair_of("follow_redirects", Node::bare("0"))),
            "insecure" | "ignore-redirect" => {}
            "proxy-url" => http.push(pair_of("proxy", text(said))),
            "oauth2" => http.push(pair_of("auth", Node::one("oauth2", oauth2(value, owner)))),
            "tls" => {
                let file = |key: &str| {
                    Node::Text(format!("${{file:{}}}", value.get(key).text().unwrap_or_default()))
                };
                let pairs = vec![
                    pair_of("certificate", file("certificate-file")),
                    pair_of("key", file("private-key-file")),
                ];
                http.push(pair_of("client_certificate", Node::Map(pairs)));
            }
            _ => {
                entry.leave_out(
                    &value.at,
                    &format!("`client.{key}`: an http check has nothing like it"),
                );
            }
        }
    }
    http.extend(ip(entry, endpoint));
}

fn oauth2(value: &Value, owner: &str) -> Node {
    let scopes = value.get("scopes").texts().join(" ");
    let mut pairs = vec![
        pair_of(
            "token_url",
            text(value.get("token-url").text().unwrap_or_default()),
        ),
        pair_of(
            "client_id",
            text(value.get("client-id").text().unwrap_or_default()),
        ),
        pair_of(
            "client_secret",
            value_of(
                "secret",
                value.get("client-secret").text().unwrap_or_default(),
                owner,
            ),
        ),
    ];
    if !scopes.is_empty() {
        pairs.push(pair_of("scope", text(&scopes)));
    }
    Node::Map(pairs)
}

/// What must hold: a block holds each of `json` and `body` once.
fn blocks(conditions: &Conditions) -> Vec<Pairs> {
    let mut first: Pairs = Vec::new();
    // Without a condition on it, any status is good in Gatus; with none of ours, 2xx is.
    let codes = conditions
        .statuses
        .clone()
        .unwrap_or_else(|| (100..=599).collect());
    first.push(pair_of("status", status_node(&codes)));
    let mut blocks = vec![first];
    for (n, json) in conditions.json_blocks().into_iter().enumerate() {
        let pair = pair_of("json", Node::Map(json));
        if n == 0 {
            blocks[0].push(pair);
        } else {
            blocks.push(vec![pair]);
        }
    }
    for (n, rules) in conditions.body.iter().enumerate() {
        let pair = pair_of("body", matcher(rules.clone()));
        if n == 0 {
            blocks[0].push(pair);
        } else {
            blocks.push(vec![pair]);
        }
    }
    blocks
}
