//! A configuration of Gatus: its endpoints as checks, a file per group.

use super::gatus_conditions::Conditions;
use super::gatus_kinds;
use super::sheet::{
    Entry, Sheet, duration, env_name, free_id, go_duration, id_of, is_secret_name, named, pair_of,
};
use super::value::Value;
use super::yaml::Node;

/// Gatus' own when an endpoint says nothing.
const USUAL_INTERVAL_MS: u64 = 60_000;
const USUAL_TIMEOUT_MS: u64 = 10_000;
/// Ours at least.
const SHORTEST_INTERVAL_MS: u64 = 100;
/// Thresholds of an alert that says nothing.
const USUAL_FAILURES: u64 = 3;
const USUAL_SUCCESSES: u64 = 2;

/// Keys of an endpoint that are carried over, or that mean nothing here.
const KNOWN: &[&str] = &[
    "name",
    "group",
    "enabled",
    "url",
    "method",
    "body",
    "graphql",
    "headers",
    "interval",
    "conditions",
    "alerts",
    "client",
    "dns",
    "ssh",
    "extra-labels",
];

/// What a key besides the endpoints is, and where it belongs.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "alerting",
        "channels and routes belong into alerts/; see docs/alerts.md",
    ),
    (
        "storage",
        "haetae keeps its store by itself; `store:` in haetae.yaml says where",
    ),
    ("web", "`listen:` in haetae.yaml says where haetae serves"),
    ("ui", "the pages of haetae are not configured"),
    ("metrics", "haetae always serves /metrics"),
    ("security", "tokens of haetae are made with `haetae token create`"),
    (
        "maintenance",
        "`maintenance:` in alerts/ says when nothing is told",
    ),
    (
        "connectivity",
        "`blind_guard:` in haetae.yaml says what shows that our own network works",
    ),
    (
        "suites",
        "endpoints that follow each other are a chain: `steps:` of an http check",
    ),
    ("remote", "other instances are not asked"),
    ("tunneling", "haetae makes no SSH tunnels"),
    ("announcements", "haetae has none"),
];

/// Reads a configuration.
pub fn read(root: &Value, file_name: &str) -> Vec<Sheet> {
    let mut sheets: Vec<Sheet> = Vec::new();
    for key in ["endpoints", "services"] {
        for endpoint in root.get(key).items() {
            let entries = entries(endpoint, root);
            put(&mut sheets, endpoint, entries, file_name);
        }
    }
    for endpoint in root.get("external-endpoints").items() {
        put(&mut sheets, endpoint, vec![external(endpoint, root)], file_name);
    }
    let mut general = Vec::new();
    for (key, value) in root.entries() {
        if matches!(key.as_str(), "endpoints" | "services" | "external-endpoints") {
            continue;
        }
        let told = ELSEWHERE.iter().find(|(name, _)| name == key);
        let why = told.map_or("it is not known to the importer", |(_, why)| why);
        general.push(format!("{}: `{key}`: {why}", value.at));
    }
    if let Some(first) = sheets.first_mut() {
        first.left_out.splice(0..0, general);
    }
    sheets
}

/// Puts checks into the file of their group.
fn put(sheets: &mut Vec<Sheet>, endpoint: &Value, entries: Vec<Entry>, file_name: &str) {
    let group = endpoint.get("group").text().unwrap_or("gatus");
    let name = id_of(group);
    let known = sheets.iter().position(|sheet| sheet.name == name);
    let place = known.unwrap_or_else(|| {
        sheets.push(Sheet {
            name,
            head: vec![format!("Imported from {file_name}, a configuration of Gatus.")],
            ..Sheet::default()
        });
        sheets.len() - 1
    });
    for mut entry in entries {
        if entry.pairs.is_empty() {
            sheets[place].left_out.append(&mut entry.left_out);
            continue;
        }
        let wanted = entry.id.take().unwrap_or_default();
        entry.id = Some(free_id(&wanted, &sheets[place].checks));
        sheets[place].checks.push(entry);
    }
}

/// The checks of an endpoint: one, and one more when it asks for the domain besides.
fn entries(endpoint: &Value, root: &Value) -> Vec<Entry> {
    let name = endpoint.get("name").text().unwrap_or("endpoint");
    let mut conditions = Conditions::default();
    for condition in endpoint.get("conditions").items() {
        conditions.add(condition.text().unwrap_or_default(), &condition.at);
    }
    let mut found = Vec::new();
    let domain_alone = !conditions.domain.is_empty() && conditions.about_target == 0;
    if !domain_alone {
        let mut entry = begin(endpoint, root, name);
        for (at, why) in &conditions.left_out {
            entry.leave_out(at, why);
        }
        if conditions.inverted {
            entry.leave_out(
                &endpoint.at,
                "it is written, and switched off, since it would say the opposite",
            );
            entry.set("enabled", Node::bare("false"));
        }
        if gatus_kinds::add(&mut entry, endpoint, &conditions) {
            found.push(entry);
        } else {
            found.push(nothing(entry));
        }
    }
    if !conditions.domain.is_empty() {
        let name = if domain_alone {
            name.to_owned()
        } else {
            format!("{name} domain")
        };
        let mut entry = begin(endpoint, root, &name);
        if !domain_alone {
            // What cannot be carried over is said once, beside the other check.
            entry.left_out.clear();
        }
        gatus_kinds::add_domain(&mut entry, endpoint, &conditions.domain);
        found.push(entry);
    }
    found
}

/// What is left of an endpoint that no kind fits: its notes, beside a check that asks nobody.
fn nothing(mut entry: Entry) -> Entry {
    entry.pairs.clear();
    entry
}

/// Name, times and alerts.
fn begin(endpoint: &Value, root: &Value, name: &str) -> Entry {
    let mut entry = Entry {
        id: Some(id_of(name)),
        at: endpoint.at.clone(),
        ..Entry::default()
    };
    for (key, value) in endpoint.entries() {
        if !KNOWN.contains(&key.as_str()) {
            let why = match key.as_str() {
                "ui" => "what a page shows is not configured",
                "maintenance-windows" => "`maintenance:` in alerts/ says when nothing is told",
                _ => "it is not known to the importer",
            };
            entry.leave_out(&value.at, &format!("`{key}`: {why}"));
        }
    }
    if id_of(name) != name {
        entry.set("name", named(name));
    }
    if endpoint.get("enabled").truth() == Some(false) {
        entry.set("enabled", Node::bare("false"));
    }
    let labels = endpoint.get("extra-labels").entries();
    if !labels.is_empty() {
        let tags = labels
            .iter()
            .map(|(key, value)| named(&format!("{key}={}", value.text().unwrap_or_default())));
        entry.set("tags", Node::List(tags.collect()));
    }
    let time = |value: &Value, usual: u64| value.text().and_then(go_duration).unwrap_or(usual);
    let interval = time(endpoint.get("interval"), USUAL_INTERVAL_MS);
    let timeout = time(endpoint.find(&["client", "timeout"]), USUAL_TIMEOUT_MS);
    entry.set("every", Node::bare(&duration(interval.max(SHORTEST_INTERVAL_MS))));
    entry.set("timeout", Node::bare(&duration(timeout)));
    alerts(&mut entry, endpoint, root);
    entry
}

/// Alerts: how many failures are believed is the check's; who is told belongs into alerts/.
fn alerts(entry: &mut Entry, endpoint: &Value, root: &Value) {
    let mut numbers = Vec::new();
    for alert in endpoint.get("alerts").items() {
        let sort = alert.get("type").text().unwrap_or_default();
        let usual = root.find(&["alerting", sort, "default-alert"]);
        let either = |key: &str| {
            [alert.get(key), usual.get(key)]
                .into_iter()
                .find(|value| value.is_there())
        };
        if either("enabled").and_then(Value::truth) == Some(false) {
            continue;
        }
        let count = |key: &str, usual: u64| {
            either(key)
                .and_then(Value::number)
                .map_or(usual, |n| n as u64)
                .clamp(1, 50)
        };
        numbers.push((
            count("failure-threshold", USUAL_FAILURES),
            count("success-threshold", USUAL_SUCCESSES),
        ));
        entry.leave_out(&alert.at, &format!("the alert by `{sort}`: a route in alerts/ says who is told; its thresholds are `fail_after` and `recover_after`"));
        if let Some(words) = either("description").and_then(Value::text)
            && !entry.pairs.iter().any(|(key, _)| key == "description")
        {
            entry.set("description", named(words));
        }
    }
    if numbers.iter().any(|pair| *pair != numbers[0]) {
        entry.leave_out(
            &endpoint.get("alerts").at,
            "its alerts have thresholds of their own; the check has the lowest",
        );
    }
    let lowest = |numbers: &[u64]| numbers.iter().min().copied();
    let failures = lowest(&numbers.iter().map(|(fail, _)| *fail).collect::<Vec<_>>());
    let successes = lowest(&numbers.iter().map(|(_, recover)| *recover).collect::<Vec<_>>());
    entry.set_some("fail_after", failures.map(|n| Node::bare(&n)));
    entry.set_some("recover_after", successes.map(|n| Node::bare(&n)));
}

/// An external endpoint: a job calls, and silence is the failure.
fn external(endpoint: &Value, root: &Value) -> Entry {
    let name = endpoint.get("name").text().unwrap_or("endpoint");
    let silence = endpoint
        .find(&["heartbeat", "interval"])
        .text()
        .and_then(go_duration);
    let mut entry = Entry {
        id: Some(id_of(name)),
        at: endpoint.at.clone(),
        ..Entry::default()
    };
    let Some(silence) = silence.filter(|ms| *ms > 0) else {
        entry.leave_out(&endpoint.at, &format!("the external endpoint `{name}` has no `heartbeat.interval`: write a `heartbeat` check that says how long silence may last"));
        return entry;
    };
    entry.remarks.push(
        "The job calls another address now: POST /api/v1/heartbeats/TOKEN, see docs/kinds/heartbeat.md."
            .to_owned(),
    );
    if id_of(name) != name {
        entry.set("name", named(name));
    }
    entry.set("every", Node::bare("1m"));
    entry.set("timeout", Node::bare("1s"));
    alerts(&mut entry, endpoint, root);
    let group = endpoint.get("group").text().unwrap_or_default();
    let token = named(&format!("${{env:{}}}", env_name(&[group, name, "TOKEN"])));
    entry.set_map(
        "heartbeat",
        vec![
            pair_of("token", token),
            pair_of("grace", Node::bare(&duration(silence))),
        ],
    );
    entry
}

/// A text of the configuration: `$NAME` and `${NAME}` are the environment's, as in Gatus.
#[must_use]
pub fn text(raw: &str) -> Node {
    let mut out = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            out.push('$');
            rest = tail;
            continue;
        }
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let plain = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let (name, tail) = braced.unwrap_or_else(|| rest.split_at(plain));
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            out.push_str(&format!("${{env:{name}}}"));
            rest = tail;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Node::Text(out)
}

/// A header's or field's value: a secret one is named, unless the environment has it already.
#[must_use]
pub fn value_of(name: &str, raw: &str, owner: &str) -> Node {
    match text(raw) {
        Node::Text(text) if is_secret_name(name) && !text.contains("${") => super::sheet::env(&[owner, name]),
        node => node,
    }
}
