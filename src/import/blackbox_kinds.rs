//! The probers of `blackbox_exporter` besides `http`.

use super::sheet::{Entry, Pairs, env, is_secret_name, literal, pair_of};
use super::value::Value;
use super::yaml::Node;

/// What could not be carried over: where, and why.
pub type LeftOut = Vec<(String, String)>;

/// A file's content.
pub fn file(path: &str) -> Node {
    Node::Text(format!("${{file:{path}}}"))
}

/// `tls_config:` as keys of ours. `server_name` belongs to addresses, not to URLs.
pub fn tls_config(value: &Value, of_url: bool) -> (Pairs, LeftOut) {
    let (mut pairs, mut left_out) = (Vec::new(), Vec::new());
    let text = |key: &str| value.get(key).text();
    for (key, setting) in value.entries() {
        match key.as_str() {
            "insecure_skip_verify" if setting.is_true() => {
                pairs.push(pair_of("insecure_tls", Node::bare("true")));
            }
            "ca_file" => pairs.push(pair_of("ca", file(setting.text().unwrap_or_default()))),
            "cert_file" if of_url => {
                let key = file(text("key_file").unwrap_or_default());
                let both = vec![
                    pair_of("certificate", file(setting.text().unwrap_or_default())),
                    pair_of("key", key),
                ];
                pairs.push(pair_of("client_certificate", Node::Map(both)));
            }
            "server_name" if !of_url => pairs.push(pair_of(
                "server_name",
                literal(setting.text().unwrap_or_default()),
            )),
            "insecure_skip_verify" => {}
            "key_file" if of_url => {}
            other => left_out.push((
                setting.at.clone(),
                format!("`tls_config.{other}`: this kind of check has nothing like it"),
            )),
        }
    }
    (pairs, left_out)
}

fn add_tls(entry: &mut Entry, value: &Value) -> Pairs {
    let (pairs, left_out) = tls_config(value, false);
    for (at, why) in left_out {
        entry.leave_out(&at, &why);
    }
    pairs
}

/// Says what is set and has no counterpart; `known` are the keys that were looked at.
fn others(entry: &mut Entry, settings: &Value, known: &[&str]) {
    for (key, value) in settings.entries() {
        let quiet =
            known.contains(&key.as_str()) || key == "ip_protocol_fallback" || value.truth() == Some(false);
        if !quiet {
            let why = match key.as_str() {
                "preferred_ip_protocol" => {
                    "which version of IP is preferred: addresses are taken as they resolve"
                }
                _ => "this kind of check has nothing like it",
            };
            entry.leave_out(&value.at, &format!("`{key}`: {why}"));
        }
    }
}

/// The version of IP, where it is insisted on.
fn ip(settings: &Value) -> Option<(String, Node)> {
    let insists = settings.get("ip_protocol_fallback").truth() == Some(false);
    let version = settings.get("preferred_ip_protocol").text().unwrap_or("ip6");
    insists.then(|| pair_of("ip", Node::bare(if version == "ip4" { "4" } else { "6" })))
}

/// Adds a `ping`.
pub fn icmp(entry: &mut Entry, settings: &Value, address: &str) {
    let mut pairs = vec![
        pair_of("host", literal(address)),
        pair_of("count", Node::bare("1")),
    ];
    pairs.extend(ip(settings));
    let known: &[&str] = if ip(settings).is_some() {
        &["preferred_ip_protocol"]
    } else {
        &[]
    };
    others(entry, settings, known);
    entry.set_map("ping", pairs);
}

/// Adds a `tcp` check with its dialogue.
pub fn tcp(entry: &mut Entry, settings: &Value, address: &str) {
    let mut pairs = vec![pair_of("address", literal(address))];
    if settings.get("tls").is_true() {
        pairs.push(pair_of("tls", Node::bare("true")));
    }
    pairs.extend(add_tls(entry, settings.get("tls_config")));
    let (turns, starttls) = turns(entry, settings.get("query_response"), "\n");
    if let Some(protocol) = starttls {
        pairs.push(pair_of("starttls", Node::bare(protocol)));
    }
    if !turns.is_empty() {
        pairs.push(pair_of("dialogue", Node::List(turns)));
    }
    others(entry, settings, &["tls", "tls_config", "query_response"]);
    entry.set_map("tcp", pairs);
}

/// The turns of a dialogue; after `starttls` those behind the handshake, with the protocol.
fn turns(entry: &mut Entry, dialogue: &Value, ending: &str) -> (Vec<Node>, Option<&'static str>) {
    let mut turns = Vec::new();
    let mut starttls = None;
    for turn in dialogue.items() {
        if let Some(pattern) = turn.get("expect").text() {
            match regex::Regex::new(pattern) {
                Ok(_) => turns.push(Node::one(
                    "expect",
                    Node::one("matches", literal(&by_lines(pattern))),
                )),
                Err(_) => {
                    entry.leave_out(
                        &turn.at,
                        &format!("`expect: {pattern}` is no regular expression that haetae reads"),
                    );
                }
            }
        }
        if let Some(bytes) = turn.get("expect_bytes").text() {
            turns.push(Node::one("expect", literal(bytes)));
        }
        if let Some(text) = turn.get("send").text() {
            if refers_back(text) {
                entry.leave_out(
                    &turn.at,
                    &format!("`send: {text}` and what follows: a turn cannot use what an earlier one found"),
                );
                break;
            }
            turns.push(Node::one("send", literal(&format!("{text}{ending}"))));
        }
        if turn.get("starttls").is_true() {
            starttls = protocol_of(dialogue);
            if starttls.is_none() {
                entry.leave_out(
                    &turn.at,
                    "`starttls` of a protocol that is not known, and what follows it",
                );
                break;
            }
            // A check with `starttls:` greets and asks for TLS by itself.
            turns.clear();
        }
    }
    (turns, starttls)
}

/// The exporter looks at each line by itself.
fn by_lines(pattern: &str) -> String {
    if pattern.contains(['^', '$']) {
        return format!("(?mR){pattern}");
    }
    pattern.to_owned()
}

/// `${1}`, what a group of an earlier pattern found.
fn refers_back(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let rest = text[at + 1..].trim_start_matches('{');
        rest.starts_with(|c: char| c.is_ascii_alphanumeric())
    })
}

/// Which protocol asks for TLS in this way.
fn protocol_of(dialogue: &Value) -> Option<&'static str> {
    let sent: Vec<&str> = dialogue
        .items()
        .iter()
        .filter_map(|turn| turn.get("send").text())
        .collect();
    let begins = |start: &str| {
        sent.iter()
            .any(|text| text.to_ascii_uppercase().starts_with(start))
    };
    if begins("EHLO") || begins("HELO") {
        Some("smtp")
    } else if begins("STLS") {
        Some("pop3")
    } else if begins("AUTH TLS") {
        Some("ftp")
    } else if sent
        .iter()
        .any(|text| text.trim_start_matches('=').starts_with("AAAACATSFi8"))
    {
        Some("postgres")
    } else if sent
        .iter()
        .any(|text| text.to_ascii_uppercase().trim_end().ends_with(" STARTTLS"))
    {
        Some("imap")
    } else {
        None
    }
}

/// Adds a `dns` check.
pub fn dns(entry: &mut Entry, settings: &Value, server: &str) {
    let name = settings.get("query_name").text().unwrap_or_default();
    let mut pairs = vec![pair_of("name", literal(name.trim_end_matches('.')))];
    match settings.get("query_type").text() {
        Some(kind) if kind != "ANY" => pairs.push(pair_of("type", Node::bare(kind))),
        _ => {
            entry.leave_out(
                &settings.at,
                "asking for records of type ANY: the check asks for A",
            );
        }
    }
    pairs.push(pair_of("server", literal(server)));
    if settings.get("transport_protocol").text() == Some("tcp") {
        pairs.push(pair_of("transport", Node::bare("tcp")));
    }
    entry.set_map("dns", pairs);
    let mut blocks: Vec<Pairs> = answers(entry, settings.get("validate_answer_rrs"));
    let codes: Vec<Node> = settings
        .get("valid_rcodes")
        .texts()
        .iter()
        .map(|code| Node::bare(*code))
        .collect();
    if !codes.is_empty() && codes != [Node::bare("NOERROR")] {
        if blocks.is_empty() {
            blocks.push(Vec::new());
        }
        let rcode = if codes.len() == 1 {
            codes[0].clone()
        } else {
            Node::List(codes)
        };
        blocks[0].push(pair_of("rcode", rcode));
    }
    entry.expect(blocks);
    let known = [
        "query_name",
        "query_type",
        "transport_protocol",
        "valid_rcodes",
        "validate_answer_rrs",
    ];
    let recursion = settings.get("recursion_desired");
    if recursion.truth() == Some(false) {
        entry.leave_out(
            &recursion.at,
            "`recursion_desired: false`: the check always asks for recursion",
        );
    }
    others(
        entry,
        settings,
        &known.into_iter().chain(["recursion_desired"]).collect::<Vec<_>>(),
    );
}

/// Patterns over whole records, as far as they are about the value.
fn answers(entry: &mut Entry, rules: &Value) -> Vec<Pairs> {
    let mut blocks = Vec::new();
    for (key, patterns) in rules.entries() {
        for pattern in patterns.items() {
            let text = pattern.text().unwrap_or_default();
            let value = text.rsplit('\t').next().unwrap_or(text);
            let rule = match (key.as_str(), plain_value(value)) {
                ("fail_if_matches_regexp", Some(value)) => Node::one("not_contains", literal(&value)),
                ("fail_if_none_matches_regexp", Some(value)) => Node::one("contains", literal(&value)),
                ("fail_if_not_matches_regexp", Some(value)) => Node::one("each", literal(&value)),
                _ => {
                    entry.leave_out(&pattern.at, &format!("`{key}: {text}`: records are compared by their values; see `answers:` in docs/kinds/dns.md"));
                    continue;
                }
            };
            if value != text {
                entry.leave_out(
                    &pattern.at,
                    &format!("`{key}: {text}`: name, TTL and class of the record; its value is looked at"),
                );
            }
            blocks.push(vec![pair_of("answers", rule)]);
        }
    }
    blocks
}

/// An address that a pattern means as it is: `.*127.0.0.1` is `127.0.0.1`.
fn plain_value(pattern: &str) -> Option<String> {
    let value = pattern
        .trim_start_matches(".*")
        .trim_end_matches('$')
        .replace("\\.", ".");
    value.parse::<core::net::IpAddr>().is_ok().then_some(value)
}

/// Adds a `grpc` check.
pub fn grpc(entry: &mut Entry, settings: &Value, address: &str) {
    let mut pairs = vec![pair_of("address", literal(address))];
    pairs.extend(
        settings
            .get("service")
            .text()
            .map(|name| pair_of("service", literal(name))),
    );
    if settings.get("tls").is_true() {
        pairs.push(pair_of("tls", Node::bare("true")));
    }
    pairs.extend(add_tls(entry, settings.get("tls_config")));
    let owner = entry.id.clone().unwrap_or_default();
    let metadata = header_pairs(settings.get("metadata"), &owner);
    if !metadata.is_empty() {
        pairs.push(pair_of("metadata", Node::Map(metadata)));
    }
    others(entry, settings, &["service", "tls", "tls_config", "metadata"]);
    entry.set_map("grpc", pairs);
}

/// Adds a `websocket` check.
pub fn websocket(entry: &mut Entry, settings: &Value, address: &str) {
    let owner = entry.id.clone().unwrap_or_default();
    let url = if address.contains("://") {
        address.to_owned()
    } else {
        format!("ws://{address}")
    };
    let mut pairs = vec![pair_of("url", literal(&url))];
    let mut headers = header_pairs(settings.get("headers"), &owner);
    let client = settings.get("http_config");
    for (key, value) in client.entries() {
        match key.as_str() {
            "tls_config" => pairs.extend(add_tls(entry, value)),
            "basic_auth" | "authorization" | "bearer_token" => {
                entry
                    .remarks
                    .push("The variable holds the whole header: `Basic …` or `Bearer …`.".to_owned());
                headers.push(pair_of("authorization", env(&[&owner, "AUTHORIZATION"])));
            }
            _ => {
                entry.leave_out(
                    &value.at,
                    &format!("`http_config.{key}`: a websocket check has nothing like it"),
                );
            }
        }
    }
    if !headers.is_empty() {
        pairs.push(pair_of("headers", Node::Map(headers)));
    }
    let (turns, _) = turns(entry, settings.get("query_response"), "");
    if !turns.is_empty() {
        pairs.push(pair_of("dialogue", Node::List(turns)));
    }
    others(entry, settings, &["headers", "http_config", "query_response"]);
    entry.set_map("websocket", pairs);
}

/// Headers that hold one value or several, secret ones named.
fn header_pairs(headers: &Value, owner: &str) -> Pairs {
    headers
        .entries()
        .iter()
        .map(|(name, value)| {
            let node = if is_secret_name(name) {
                env(&[owner, name])
            } else {
                literal(&value.texts().join(", "))
            };
            pair_of(name, node)
        })
        .collect()
}
