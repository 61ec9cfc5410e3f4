//! An endpoint of Gatus as a kind of check: its address says which.

use url::Url;

use super::gatus::{text, value_of};
use super::gatus_conditions::Conditions;
use super::gatus_http::http;
use super::sheet::{Entry, Pairs, pair_of};
use super::value::Value;
use super::yaml::Node;

/// Adds kind, expectations and thresholds; false when there is no kind for it.
pub fn add(entry: &mut Entry, endpoint: &Value, conditions: &Conditions) -> bool {
    let url = endpoint.get("url").text().unwrap_or_default();
    if endpoint.get("dns").is_there() {
        dns(entry, endpoint, url, conditions);
        return true;
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let address = rest.trim_end_matches('/');
    match scheme {
        "http" | "https" => http(entry, endpoint, url, conditions),
        "tcp" | "tls" => tcp(entry, endpoint, scheme, address, conditions),
        "udp" if endpoint.get("body").text().is_some() => {
            let sent = text(endpoint.get("body").text().unwrap_or_default());
            entry.set_map(
                "udp",
                vec![pair_of("address", text(address)), pair_of("send", sent)],
            );
            talk(entry, conditions);
            times(entry, conditions, "response_time");
        }
        "icmp" => {
            let mut ping = vec![pair_of("host", text(address)), pair_of("count", Node::bare("1"))];
            ping.extend(ip(entry, endpoint));
            entry.set_map("ping", ping);
            no_body(entry, endpoint, conditions);
            times(entry, conditions, "round_trip_time");
        }
        "starttls" => {
            let mut tls = vec![
                pair_of("address", text(address)),
                pair_of("starttls", Node::bare("smtp")),
            ];
            tls.extend(insecure(endpoint));
            entry.set_map("tls", tls);
            no_body(entry, endpoint, conditions);
            times(entry, conditions, "duration");
        }
        "ws" | "wss" => websocket(entry, endpoint, url, conditions),
        "grpc" | "grpcs" => grpc(entry, endpoint, scheme, address, conditions),
        "ssh" => ssh(entry, endpoint, address, conditions),
        "udp" => {
            return without(
                entry,
                endpoint,
                "an UDP endpoint without a body: nobody answers who was not asked; write a `udp` check that sends something",
            );
        }
        other => {
            return without(
                entry,
                endpoint,
                &format!("there is no check for `{other}://` addresses"),
            );
        }
    }
    true
}

fn without(entry: &mut Entry, endpoint: &Value, why: &str) -> bool {
    let url = endpoint.get("url").text().unwrap_or_default();
    entry.leave_out(&endpoint.get("url").at, &format!("`{url}`: {why}"));
    false
}

/// Adds a check of the domain's registration.
pub fn add_domain(entry: &mut Entry, endpoint: &Value, bounds: &[(&str, String)]) {
    let url = endpoint.get("url").text().unwrap_or_default();
    let host = Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    entry.set_map(
        "domain",
        vec![pair_of("name", text(&host.unwrap_or_else(|| url.to_owned())))],
    );
    entry.set_map("thresholds", critical("registration_left", bounds));
}

fn critical(name: &str, bounds: &[(&str, String)]) -> Pairs {
    // Of several bounds in one direction the narrowest would win; Gatus files have one.
    let Some((word, amount)) = bounds.first() else {
        return Vec::new();
    };
    vec![pair_of(
        name,
        Node::one("critical", Node::Bare(format!("{word} {amount}"))),
    )]
}

/// Adds bounds on how long it took, and how long the certificate is valid.
pub fn times(entry: &mut Entry, conditions: &Conditions, response: &str) {
    let mut thresholds = critical(response, &conditions.response_time);
    thresholds.extend(critical("certificate_left", &conditions.certificate));
    for extra in [&conditions.response_time, &conditions.certificate] {
        for (word, amount) in extra.iter().skip(1) {
            entry.leave_out(
                "",
                &format!("a second bound of one time, `{word} {amount}`: a threshold holds one"),
            );
        }
    }
    entry.set_map("thresholds", thresholds);
}

/// The version of IP that is insisted on.
pub fn ip(entry: &mut Entry, endpoint: &Value) -> Option<(String, Node)> {
    let network = endpoint.find(&["client", "network"]);
    match network.text()? {
        "ip4" => Some(pair_of("ip", Node::bare("4"))),
        "ip6" => Some(pair_of("ip", Node::bare("6"))),
        "ip" => None,
        other => {
            entry.leave_out(&network.at, &format!("`client.network: {other}` is not known"));
            None
        }
    }
}

fn insecure(endpoint: &Value) -> Option<(String, Node)> {
    endpoint
        .find(&["client", "insecure"])
        .is_true()
        .then(|| pair_of("insecure_tls", Node::bare("true")))
}

fn tcp(entry: &mut Entry, endpoint: &Value, scheme: &str, address: &str, conditions: &Conditions) {
    let mut tcp = vec![pair_of("address", text(address))];
    if scheme == "tls" {
        tcp.push(pair_of("tls", Node::bare("true")));
        tcp.extend(insecure(endpoint));
    }
    if let Some(body) = endpoint.get("body").text() {
        tcp.push(pair_of("send", text(body)));
    }
    entry.set_map("tcp", tcp);
    talk(entry, conditions);
    times(entry, conditions, "response_time");
}

fn websocket(entry: &mut Entry, endpoint: &Value, url: &str, conditions: &Conditions) {
    let owner = entry.id.clone().unwrap_or_default();
    let mut pairs = vec![pair_of("url", text(url))];
    let headers = endpoint.get("headers").entries().iter();
    let headers: Pairs = headers
        .map(|(name, value)| pair_of(name, value_of(name, value.text().unwrap_or_default(), &owner)))
        .collect();
    if !headers.is_empty() {
        pairs.push(pair_of("headers", Node::Map(headers)));
    }
    if let Some(body) = endpoint.get("body").text() {
        pairs.push(pair_of("send", text(body)));
    }
    pairs.extend(insecure(endpoint));
    entry.set_map("websocket", pairs);
    talk(entry, conditions);
    times(entry, conditions, "response_time");
}

fn grpc(entry: &mut Entry, endpoint: &Value, scheme: &str, address: &str, conditions: &Conditions) {
    let mut pairs = vec![pair_of("address", text(address))];
    if scheme == "grpcs" {
        pairs.push(pair_of("tls", Node::bare("true")));
        pairs.extend(insecure(endpoint));
    }
    entry.set_map("grpc", pairs);
    no_body(entry, endpoint, conditions);
    times(entry, conditions, "response_time");
}

/// The banner is looked at; logging in is another matter.
fn ssh(entry: &mut Entry, endpoint: &Value, address: &str, conditions: &Conditions) {
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port {
        address.to_owned()
    } else {
        format!("{address}:22")
    };
    if endpoint.find(&["ssh", "username"]).text().is_some() {
        entry.leave_out(
            &endpoint.get("ssh").at,
            "logging in by SSH and running a command there: the check looks at the server's greeting; a `command` check with `argv: [ssh, …]` can do more",
        );
    }
    no_body(entry, endpoint, conditions);
    entry.set_map("tcp", vec![pair_of("address", text(&address))]);
    entry.expect(vec![vec![pair_of("matches", Node::text("^SSH-"))]]);
    times(entry, conditions, "response_time");
}

fn dns(entry: &mut Entry, endpoint: &Value, server: &str, conditions: &Conditions) {
    let query = endpoint.get("dns");
    let name = query.get("query-name").text().unwrap_or_default();
    let kind = query.get("query-type").text().unwrap_or("A");
    let mut pairs = vec![
        pair_of("name", text(name.trim_end_matches('.'))),
        pair_of("type", Node::bare(kind)),
    ];
    if !server.is_empty() {
        pairs.push(pair_of("server", text(server)));
    }
    entry.set_map("dns", pairs);
    let mut blocks: Vec<Pairs> = Vec::new();
    for rules in &conditions.body {
        let (key, value) = rules[0].clone();
        let rule = match key.as_str() {
            "equals" => Node::one("contains", value),
            _ => Node::one("each", Node::Map(rules.clone())),
        };
        blocks.push(vec![pair_of("answers", rule)]);
    }
    let codes: Vec<Node> = conditions.rcodes.iter().map(Node::bare).collect();
    match codes.as_slice() {
        [] => {}
        [Node::Bare(usual)] if usual == "NOERROR" => {}
        [one] => first_of(&mut blocks).push(pair_of("rcode", one.clone())),
        several => first_of(&mut blocks).push(pair_of("rcode", Node::List(several.to_vec()))),
    }
    entry.expect(blocks);
    for (path, _) in &conditions.json {
        entry.leave_out(
            &endpoint.at,
            &format!("a condition on `{path}`: a DNS answer is no JSON"),
        );
    }
    times(entry, conditions, "response_time");
}

fn first_of(blocks: &mut Vec<Pairs>) -> &mut Pairs {
    if blocks.is_empty() {
        blocks.push(Vec::new());
    }
    &mut blocks[0]
}

/// What was said must be so: `contains` and `matches` are what a dialogue knows.
fn talk(entry: &mut Entry, conditions: &Conditions) {
    let mut blocks: Vec<Pairs> = Vec::new();
    for rules in &conditions.body {
        match rules.first() {
            Some((key, Node::Text(exact))) if key == "equals" => {
                let whole = format!("^{}$", regex::escape(exact));
                blocks.push(vec![pair_of("matches", Node::text(&whole))]);
            }
            Some((key, value)) if matches!(key.as_str(), "matches" | "contains") => {
                blocks.push(vec![pair_of(key, value.clone())]);
            }
            Some((key, _)) => {
                entry.leave_out(
                    "",
                    &format!(
                        "a condition on [BODY] that is `{key}`: a dialogue knows `contains` and `matches`"
                    ),
                );
            }
            None => {}
        }
    }
    for (path, _) in &conditions.json {
        entry.leave_out(
            "",
            &format!("a condition on [BODY] at `{path}`: only http checks look into JSON"),
        );
    }
    status_elsewhere(entry, conditions);
    if blocks.len() > 1 {
        entry.leave_out("", "several conditions on [BODY]: the first one is expected");
        blocks.truncate(1);
    }
    entry.expect(blocks);
}

fn no_body(entry: &mut Entry, endpoint: &Value, conditions: &Conditions) {
    for (at, what) in body_conditions(endpoint, conditions) {
        entry.leave_out(&at, &what);
    }
    status_elsewhere(entry, conditions);
}

fn status_elsewhere(entry: &mut Entry, conditions: &Conditions) {
    if conditions.statuses.is_some() {
        entry.leave_out("", "a condition on [STATUS]: only http checks have one");
    }
}

/// Conditions on content, where there is none.
fn body_conditions(endpoint: &Value, conditions: &Conditions) -> Vec<(String, String)> {
    if conditions.body.is_empty() && conditions.json.is_empty() {
        return Vec::new();
    }
    vec![(
        endpoint.get("conditions").at.clone(),
        "its conditions on [BODY]: this kind of check has no body to look at".to_owned(),
    )]
}
