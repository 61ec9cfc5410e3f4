//! The prober `http` of `blackbox_exporter` as an `http` check.

use super::sheet::{Entry, Pairs, env, is_secret_name, literal, pair_of};
use super::value::Value;
use super::yaml::Node;
use super::{blackbox_kinds::file, gatus_conditions::json_value};

/// A check to be, with its parts apart.
struct Probe<'e> {
    entry: &'e mut Entry,
    owner: String,
    http: Pairs,
    headers: Pairs,
    /// Blocks of `expect`; the first one holds what stands once.
    blocks: Vec<Pairs>,
    is_https: bool,
}

/// Adds the check.
pub fn http(entry: &mut Entry, settings: &Value, address: &str) {
    let url = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let owner = entry.id.clone().unwrap_or_default();
    let (url, auth) = super::sheet::without_user(&url, &owner);
    let mut probe = Probe {
        is_https: url.starts_with("https://"),
        http: vec![pair_of("url", literal(&url))],
        headers: Vec::new(),
        blocks: vec![Vec::new()],
        entry,
        owner,
    };
    if let Some(auth) = auth {
        probe.put("auth", auth);
    }
    for (key, value) in settings.entries() {
        if !probe.request(key, value) && !probe.answer(key, value) {
            probe.leave_out(value, &format!("`{key}`: it is not known to the importer"));
        }
    }
    if !probe.headers.is_empty() {
        let headers = std::mem::take(&mut probe.headers);
        probe.put("headers", Node::Map(headers));
    }
    let Probe {
        entry, http, blocks, ..
    } = probe;
    entry.set_map("http", http);
    entry.expect(blocks);
}

impl Probe<'_> {
    fn put(&mut self, key: &str, value: Node) {
        self.http.push(pair_of(key, value));
    }

    fn leave_out(&mut self, value: &Value, why: &str) {
        self.entry.leave_out(&value.at, why);
    }

    /// What is sent, and how. False for keys of another sort.
    fn request(&mut self, key: &str, value: &Value) -> bool {
        let text = value.text().unwrap_or_default();
        match key {
            "method" if text == "GET" => {}
            "method" => self.put("method", Node::bare(text)),
            "headers" => self.add_headers(value),
            "http_headers" => self.http_headers(value),
            "body" => self.put("body", literal(text)),
            "body_file" => self.put("body", file(text)),
            "follow_redirects" if value.truth() == Some(false) => self.put("follow_redirects", Node::bare("0")),
            "no_follow_redirects" if value.is_true() => self.put("follow_redirects", Node::bare("0")),
            "follow_redirects" | "no_follow_redirects" => {}
            "basic_auth" => self.basic(value),
            "bearer_token" => self.put("auth", Node::one("bearer", env(&[&self.owner, "TOKEN"]))),
            "bearer_token_file" => self.put("auth", Node::one("bearer", file(text))),
            "authorization" => self.authorization(value),
            "oauth2" => self.oauth2(value),
            "tls_config" => self.tls(value),
            "proxy_url" => self.put("proxy", literal(text)),
            "preferred_ip_protocol" | "ip_protocol_fallback" => {}
            "enable_http2" if value.truth() == Some(false) => self.put("http_version", Node::bare("1.1")),
            "enable_http2" => {}
            "enable_http3" if value.truth() != Some(true) => {}
            "body_size_limit" if text.chars().all(|c| c.is_ascii_digit()) => self.put("max_body", Node::Bare(format!("{text}B"))),
            "body_size_limit" => self.put("max_body", Node::bare(text)),
            // Answers are unpacked, and names behind a proxy left to it, without being asked to.
            "compression" | "skip_resolve_phase_with_proxy" => {}
            "proxy_connect_header" => self.leave_out(value, "`proxy_connect_header`: credentials for a proxy stand in its address, `http://user:${env:PASSWORD}@proxy:3128`"),
            "enable_http3" | "no_proxy" | "proxy_from_environment" => {
                self.leave_out(value, &format!("`{key}`: an http check has nothing like it"));
            }
            _ => return false,
        }
        if key == "preferred_ip_protocol" {
            self.version_of_ip(value);
        }
        true
    }

    fn version_of_ip(&mut self, value: &Value) {
        let version = if value.text() == Some("ip4") { "4" } else { "6" };
        self.entry.leave_out(
            &value.at,
            &format!("`preferred_ip_protocol` prefers one version; `ip: {version}` in `http` insists on it"),
        );
    }

    fn add_headers(&mut self, headers: &Value) {
        for (name, value) in headers.entries() {
            let node = if is_secret_name(name) {
                env(&[&self.owner, name])
            } else {
                literal(value.text().unwrap_or_default())
            };
            self.headers.push(pair_of(name, node));
        }
    }

    fn http_headers(&mut self, headers: &Value) {
        for (name, value) in headers.entries() {
            let (values, files) = (value.get("values").texts(), value.get("files").texts());
            let secret = !value.get("secrets").items().is_empty() || is_secret_name(name);
            let node = match (values.first(), files.first()) {
                (_, Some(path)) => file(path),
                (Some(_), None) if secret => env(&[&self.owner, name]),
                (Some(_), None) => literal(&values.join(", ")),
                (None, None) => env(&[&self.owner, name]),
            };
            self.headers.push(pair_of(name, node));
        }
    }

    fn basic(&mut self, value: &Value) {
        let user = value.get("username").text().unwrap_or_default();
        let password = value
            .get("password_file")
            .text()
            .map_or_else(|| env(&[&self.owner, "PASSWORD"]), file);
        let basic = vec![pair_of("user", literal(user)), pair_of("password", password)];
        self.put("auth", Node::one("basic", Node::Map(basic)));
    }

    fn authorization(&mut self, value: &Value) {
        let token = value
            .get("credentials_file")
            .text()
            .map_or_else(|| env(&[&self.owner, "TOKEN"]), file);
        match value.get("type").text().unwrap_or("Bearer") {
            "Bearer" => self.put("auth", Node::one("bearer", token)),
            other => {
                self.entry
                    .remarks
                    .push(format!("The variable holds the whole header: `{other} …`."));
                self.headers
                    .push(pair_of("authorization", env(&[&self.owner, "AUTHORIZATION"])));
            }
        }
    }

    fn oauth2(&mut self, value: &Value) {
        let text = |key: &str| literal(value.get(key).text().unwrap_or_default());
        let secret = value
            .get("client_secret_file")
            .text()
            .map_or_else(|| env(&[&self.owner, "CLIENT_SECRET"]), file);
        let mut pairs = vec![
            pair_of("token_url", text("token_url")),
            pair_of("client_id", text("client_id")),
            pair_of("client_secret", secret),
        ];
        let scopes = value.get("scopes").texts().join(" ");
        if !scopes.is_empty() {
            pairs.push(pair_of("scope", literal(&scopes)));
        }
        let params = value.get("endpoint_params").entries().iter();
        // The grant is client credentials anyhow.
        let params: Pairs = params
            .filter(|(key, _)| key != "grant_type")
            .map(|(key, value)| pair_of(key, literal(value.text().unwrap_or_default())))
            .collect();
        if !params.is_empty() {
            pairs.push(pair_of("params", Node::Map(params)));
        }
        self.put("auth", Node::one("oauth2", Node::Map(pairs)));
    }

    fn tls(&mut self, value: &Value) {
        let (tls, left_out) = super::blackbox_kinds::tls_config(value, true);
        self.http.extend(tls);
        for (at, why) in left_out {
            self.entry.leave_out(&at, &why);
        }
    }

    /// What must come back. False for keys of another sort.
    fn answer(&mut self, key: &str, value: &Value) -> bool {
        match key {
            "valid_status_codes" => {
                let codes: Vec<Node> = value.texts().iter().map(|code| Node::bare(*code)).collect();
                match codes.as_slice() {
                    [] => {}
                    [one] => self.blocks[0].push(pair_of("status", one.clone())),
                    _ => self.blocks[0].push(pair_of("status", Node::List(codes))),
                }
            }
            "valid_http_versions" => self.versions(value),
            "fail_if_ssl" if value.is_true() => self.leave_out(
                value,
                "`fail_if_ssl`: a check does not look whether TLS was spoken; its address says so",
            ),
            "fail_if_not_ssl" if value.is_true() && !self.is_https => {
                self.leave_out(value, "`fail_if_not_ssl`: the address is `http://`; write `https://`, with `follow_redirects: 0` where a redirect may leave it");
            }
            "fail_if_ssl" | "fail_if_not_ssl" => {}
            "fail_if_body_matches_regexp" => {
                for pattern in value.items() {
                    self.absent(pattern, key, |rule| pair_of("body", rule));
                }
            }
            "fail_if_body_not_matches_regexp" => {
                for pattern in value.items() {
                    self.present(pattern, key, |rule| pair_of("body", rule));
                }
            }
            "fail_if_header_matches" => {
                for header in value.items() {
                    self.header_absent(header, key);
                }
            }
            "fail_if_header_not_matches" => {
                for header in value.items() {
                    let name = header.get("header").text().unwrap_or_default().to_owned();
                    if header.get("allow_missing").is_true() {
                        self.leave_out(
                            header,
                            &format!("`{key}`: that `{name}` may be missing; the check wants it"),
                        );
                    }
                    self.present(header.get("regexp"), key, |rule| header_pair(&name, rule));
                }
            }
            "fail_if_body_json_matches_cel" => self.leave_out(
                value,
                &format!("`{key}`: CEL; write it as JSONPath under `expect: {{ json: … }}`"),
            ),
            "fail_if_body_json_not_matches_cel" => self.cel(value),
            _ => return false,
        }
        true
    }

    fn versions(&mut self, value: &Value) {
        let versions = value.texts();
        let version = match versions.as_slice() {
            [] => return,
            ["HTTP/1.1"] => "1.1",
            ["HTTP/2" | "HTTP/2.0"] => "2",
            _ => {
                let why = format!(
                    "`valid_http_versions`: which of {} answered is not looked at; `http_version:` insists on one",
                    versions.join(", ")
                );
                return self.leave_out(value, &why);
            }
        };
        self.put("http_version", Node::bare(version));
    }

    /// Each pattern in a block of its own, since a matcher holds one.
    fn present(&mut self, pattern: &Value, key: &str, pair: impl Fn(Node) -> (String, Node)) {
        let text = pattern.text().unwrap_or_default();
        if regex::Regex::new(text).is_err() {
            return self.leave_out(
                pattern,
                &format!("`{key}`: `{text}` is no regular expression that haetae reads"),
            );
        }
        self.push(pair(Node::one("matches", literal(text))));
    }

    fn absent(&mut self, pattern: &Value, key: &str, pair: impl Fn(Node) -> (String, Node)) {
        let text = pattern.text().unwrap_or_default();
        if regex::escape(text) != text {
            return self.leave_out(
                pattern,
                &format!("`{key}`: that `{text}` does not match; `not_contains:` says it of a text"),
            );
        }
        self.push(pair(Node::one("not_contains", literal(text))));
    }

    fn header_absent(&mut self, header: &Value, key: &str) {
        let name = header.get("header").text().unwrap_or_default().to_owned();
        let pattern = header.get("regexp");
        if matches!(pattern.text(), Some(".*" | ".+" | "")) {
            self.push(header_pair(&name, Node::one("exists", Node::bare("false"))));
        } else {
            self.absent(pattern, key, |rule| header_pair(&name, rule));
        }
        if !header.get("allow_missing").is_true() {
            self.leave_out(header, &format!("`{key}`: that `{name}` must be there"));
        }
    }

    fn push(&mut self, pair: (String, Node)) {
        let free = self
            .blocks
            .iter_mut()
            .find(|block| block.iter().all(|(key, _)| *key != pair.0));
        match free {
            Some(block) => block.push(pair),
            None => self.blocks.push(vec![pair]),
        }
    }

    /// `body.foo == 'bar' && body.baz.startsWith('q')`: what is as simple is carried over.
    fn cel(&mut self, value: &Value) {
        let text = value.text().unwrap_or_default();
        let terms: Option<Vec<(String, Node)>> = text.split("&&").map(|term| cel_term(term.trim())).collect();
        match terms {
            Some(terms) => {
                for (path, rule) in terms {
                    self.push(pair_of("json", Node::Map(vec![pair_of(&path, rule)])));
                }
            }
            None => self.leave_out(
                value,
                &format!("the CEL expression `{text}`: write it as JSONPath under `expect: {{ json: … }}`"),
            ),
        }
    }
}

fn header_pair(name: &str, rule: Node) -> (String, Node) {
    pair_of("headers", Node::Map(vec![pair_of(name, rule)]))
}

fn cel_term(term: &str) -> Option<(String, Node)> {
    let path = |text: &str| {
        let path = format!("${}", text.trim().strip_prefix("body")?);
        serde_json_path::JsonPath::parse(&path).ok()?;
        Some(path)
    };
    let quoted = |text: &str| {
        let text = text.trim();
        let inner = text
            .strip_prefix('\'')
            .and_then(|text| text.strip_suffix('\''))
            .or_else(|| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')))?;
        (!inner.contains(['\'', '"', '\\'])).then(|| inner.to_owned())
    };
    if let Some((left, right)) = term.split_once("==") {
        let rule = match quoted(right) {
            Some(text) => literal(&text),
            None => match json_value(right.trim()) {
                bare @ Node::Bare(_) => bare,
                _ => return None,
            },
        };
        return Some((path(left)?, rule));
    }
    for (function, before, after) in [
        ("startsWith", "^", ""),
        ("endsWith", "", "$"),
        ("contains", "", ""),
    ] {
        if let Some((left, rest)) = term.split_once(&format!(".{function}(")) {
            let text = quoted(rest.strip_suffix(')')?)?;
            let regex = format!("{before}{}{after}", regex::escape(&text));
            return Some((path(left)?, Node::one("matches", literal(&regex))));
        }
    }
    None
}
