//! Monitors of Uptime Kuma that ask by HTTP.

use serde_json::Value as Json;

use super::gatus_conditions::{json_value, status_node};
use super::sheet::{Entry, Pairs, env, is_secret_name, literal, pair_of, without_user};
use super::value::Value;
use super::yaml::Node;

/// Adds an `http` check.
pub fn http(entry: &mut Entry, monitor: &Value, at: &str, owner: &str) {
    let (url, auth) = without_user(monitor.get("url").text().unwrap_or_default(), owner);
    let mut http = vec![pair_of("url", literal(&url))];
    if let Some(method) = monitor.get("method").text().filter(|method| *method != "GET") {
        http.push(pair_of("method", Node::bare(method)));
    }
    headers(entry, monitor, at, owner, &mut http);
    body(monitor, owner, &mut http);
    let auth = auth.or_else(|| login(entry, monitor, at, owner, &mut http));
    http.extend(auth.map(|auth| pair_of("auth", auth)));
    if let Some(redirects) = monitor.get("maxredirects").number().filter(|n| *n < 10.0) {
        http.push(pair_of("follow_redirects", Node::bare(&(redirects as u64))));
    }
    if monitor.get("ignoreTls").is_true() {
        http.push(pair_of("insecure_tls", Node::bare("true")));
    }
    entry.set_map("http", http);
    let mut expect: Pairs = Vec::new();
    match statuses(monitor) {
        Some(codes) if codes != (200..=299).collect::<Vec<_>>() => {
            expect.push(pair_of("status", status_node(&codes)));
        }
        Some(_) => {}
        None => {
            entry.leave_out(at, "its accepted status codes cannot be read");
        }
    }
    let kind = monitor.get("type").text().unwrap_or_default();
    if let Some(keyword) = monitor.get("keyword").text().filter(|_| kind == "keyword") {
        let rule = if monitor.get("invertKeyword").is_true() {
            "not_contains"
        } else {
            "contains"
        };
        expect.push(pair_of("body", Node::one(rule, literal(keyword))));
    }
    if kind == "json-query" {
        expect.extend(json_query(entry, monitor, at));
    }
    entry.expect(vec![expect]);
    if monitor.get("expiryNotification").is_true() {
        entry.leave_out(
            at,
            "the notice before its certificate expires (Kuma's settings say how long before): `thresholds: { certificate_left: { warning: below 21d } }`",
        );
    }
}

/// `200-299` and `404`, as Kuma lists them.
fn statuses(monitor: &Value) -> Option<Vec<u16>> {
    let mut codes = Vec::new();
    let listed = monitor.get("accepted_statuscodes");
    if !listed.is_there() {
        return Some((200..=299).collect());
    }
    for text in listed.texts() {
        match text.split_once('-') {
            Some((first, last)) => codes.extend(first.parse::<u16>().ok()?..=last.parse().ok()?),
            None => codes.push(text.parse().ok()?),
        }
    }
    codes.retain(|code| (100..=599).contains(code));
    codes.sort_unstable();
    codes.dedup();
    (!codes.is_empty()).then_some(codes)
}

fn headers(entry: &mut Entry, monitor: &Value, at: &str, owner: &str, http: &mut Pairs) {
    let Some(text) = monitor.get("headers").text() else {
        return;
    };
    let Ok(Json::Object(map)) = serde_json::from_str::<Json>(text) else {
        entry.leave_out(at, "its headers, which are no JSON object");
        return;
    };
    let pairs: Pairs = map
        .iter()
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let value = if is_secret_name(name) {
                env(&[owner, name])
            } else {
                literal(&text)
            };
            pair_of(name, value)
        })
        .collect();
    if !pairs.is_empty() {
        http.push(pair_of("headers", Node::Map(pairs)));
    }
}

fn body(monitor: &Value, owner: &str, http: &mut Pairs) {
    let Some(text) = monitor.get("body").text() else {
        return;
    };
    match serde_json::from_str::<Json>(text) {
        Ok(json)
            if monitor
                .get("httpBodyEncoding")
                .text()
                .is_none_or(|kind| kind == "json") =>
        {
            http.push(pair_of("json", json_node(&json, owner)));
        }
        _ => http.push(pair_of("body", literal(text))),
    }
}

/// JSON as YAML; what a name says is secret is named instead.
pub fn json_node(json: &Json, owner: &str) -> Node {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => Node::bare(&json.to_string()),
        Json::String(text) => literal(text),
        Json::Array(items) => Node::List(items.iter().map(|item| json_node(item, owner)).collect()),
        Json::Object(map) => Node::Map(
            map.iter()
                .map(|(key, value)| {
                    let secret = is_secret_name(key) && value.as_str().is_some_and(|text| !text.is_empty());
                    let node = if secret {
                        env(&[owner, key])
                    } else {
                        json_node(value, owner)
                    };
                    pair_of(key, node)
                })
                .collect(),
        ),
    }
}

fn login(entry: &mut Entry, monitor: &Value, at: &str, owner: &str, http: &mut Pairs) -> Option<Node> {
    let text = |key: &str| monitor.get(key).text();
    match text("authMethod") {
        Some("ntlm") => {
            entry.leave_out(at, "logging in by NTLM");
            None
        }
        Some("mtls") => {
            let pairs = vec![
                pair_of("certificate", env(&[owner, "CERTIFICATE"])),
                pair_of("key", env(&[owner, "KEY"])),
            ];
            http.push(pair_of("client_certificate", Node::Map(pairs)));
            None
        }
        Some("oauth2-cc") => {
            let mut pairs = vec![
                pair_of("token_url", literal(text("oauth_token_url").unwrap_or_default())),
                pair_of("client_id", literal(text("oauth_client_id").unwrap_or_default())),
                pair_of("client_secret", env(&[owner, "CLIENT_SECRET"])),
            ];
            pairs.extend(text("oauth_scopes").map(|scopes| pair_of("scope", literal(scopes))));
            Some(Node::one("oauth2", Node::Map(pairs)))
        }
        _ => {
            let user = text("basic_auth_user")?;
            let basic = vec![
                pair_of("user", literal(user)),
                pair_of("password", env(&[owner, "PASSWORD"])),
            ];
            Some(Node::one("basic", Node::Map(basic)))
        }
    }
}

/// Kuma asks in `JSONata`; a plain path is a path everywhere.
fn json_query(entry: &mut Entry, monitor: &Value, at: &str) -> Option<(String, Node)> {
    let query = monitor.get("jsonPath").text().unwrap_or("$");
    let expected = monitor.get("expectedValue").text().unwrap_or_default();
    let below = query
        .strip_prefix("$.")
        .or_else(|| query.strip_prefix('$'))
        .unwrap_or(query);
    let is_path = below
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']'));
    let path = if below.is_empty() {
        "$".to_owned()
    } else if below.starts_with('[') {
        format!("${below}")
    } else {
        format!("$.{below}")
    };
    if !is_path || serde_json_path::JsonPath::parse(&path).is_err() {
        entry.leave_out(at, &format!("its query `{query}` (JSONata) for `{expected}`: write it as JSONPath under `expect: {{ json: … }}`"));
        return None;
    }
    let number = Node::bare(expected);
    let rule = match monitor.get("jsonPathOperator").text().unwrap_or("==") {
        "==" => json_value(expected),
        "!=" => Node::one("not", json_value(expected)),
        "contains" => Node::one("contains", literal(expected)),
        operator if expected.parse::<f64>().is_ok() => {
            let key = if operator.starts_with('<') { "max" } else { "min" };
            let mut pairs = vec![pair_of(key, number.clone())];
            if operator.len() == 1 {
                pairs.push(pair_of("not", number));
            }
            Node::Map(pairs)
        }
        operator => {
            entry.leave_out(at, &format!("its comparison `{operator}` with `{expected}`"));
            return None;
        }
    };
    Some(pair_of("json", Node::Map(vec![pair_of(&path, rule)])))
}
