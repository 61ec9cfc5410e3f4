//! A monitor of Uptime Kuma as a kind of check: its type says which.

use url::Url;

use super::kuma::push;
use super::kuma_http::http;
use super::sheet::{Entry, Pairs, env, literal, pair_of};
use super::value::Value;
use super::yaml::Node;

/// Adds kind and expectations; false when there is no kind for it.
pub fn add(entry: &mut Entry, monitor: &Value, at: &str) -> bool {
    let owner = entry.id.clone().unwrap_or_default();
    let host = monitor.get("hostname").text().unwrap_or_default();
    let port = monitor.get("port").text();
    let address = port.map_or_else(|| host.to_owned(), |port| join(host, port));
    match monitor.get("type").text().unwrap_or_default() {
        "http" | "keyword" | "json-query" => http(entry, monitor, at, &owner),
        "port" => {
            entry.set_map("tcp", vec![pair_of("address", literal(&address))]);
        }
        "ping" => {
            entry.set_map(
                "ping",
                vec![pair_of("host", literal(host)), pair_of("count", Node::bare("1"))],
            );
            if monitor
                .get("packetSize")
                .number()
                .is_some_and(|size| size != 56.0)
            {
                entry.leave_out(at, "the size of its packets: a ping has none to choose");
            }
        }
        "dns" => dns(entry, monitor, at),
        "push" => push(entry, monitor),
        "postgres" | "mysql" => sql(entry, monitor, at, &owner),
        "redis" => redis(entry, monitor, &owner),
        "grpc-keyword" => grpc(entry, monitor, at),
        "docker" => docker(entry, monitor),
        other => {
            let why = instead_of(other);
            entry.leave_out(at, &format!("the monitor of type `{other}`: {why}"));
            return false;
        }
    }
    if matches!(
        monitor.get("type").text(),
        Some("http" | "keyword" | "json-query")
    ) {
        return true;
    }
    if monitor.get("invertKeyword").is_true() && monitor.get("keyword").text().is_some() {
        entry.leave_out(at, "that its keyword must be absent");
    }
    true
}

fn join(host: &str, port: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        return format!("[{host}]:{port}");
    }
    format!("{host}:{port}")
}

fn dns(entry: &mut Entry, monitor: &Value, at: &str) {
    let name = monitor.get("hostname").text().unwrap_or_default();
    let mut pairs = vec![
        pair_of("name", literal(name)),
        pair_of(
            "type",
            Node::bare(monitor.get("dns_resolve_type").text().unwrap_or("A")),
        ),
    ];
    if let Some(server) = monitor.get("dns_resolve_server").text() {
        // Kuma takes several, and asks the first that answers.
        let (first, others) = server.split_once(',').unwrap_or((server, ""));
        let port = monitor.get("port").text().filter(|port| *port != "53");
        let address = port.map_or_else(|| first.trim().to_owned(), |port| join(first.trim(), port));
        pairs.push(pair_of("server", literal(&address)));
        if !others.is_empty() {
            entry.leave_out(
                at,
                &format!("its other servers, {}: a check asks one", others.trim()),
            );
        }
    }
    entry.set_map("dns", pairs);
}

/// Takes user and password out of a connection's address.
fn database(monitor: &Value, owner: &str) -> Pairs {
    let written = monitor.get("databaseConnectionString").text().unwrap_or_default();
    let Ok(mut url) = Url::parse(written) else {
        return vec![pair_of("url", env(&[owner, "URL"]))];
    };
    let had_password = url.password().is_some();
    let user = url.username().to_owned();
    let _ = url.set_password(None);
    let _ = url.set_username("");
    let own = monitor.get("radiusPassword").text().is_some();
    let mut pairs = vec![pair_of("url", literal(url.as_str()))];
    if !user.is_empty() {
        let user = percent_encoding::percent_decode_str(&user)
            .decode_utf8_lossy()
            .into_owned();
        pairs.push(pair_of("user", literal(&user)));
    }
    if had_password || own {
        pairs.push(pair_of("password", env(&[owner, "PASSWORD"])));
    }
    pairs
}

/// Whether a query is one statement that only reads, as `sql` checks want it.
fn only_reads(query: &str) -> bool {
    let upper = query.to_ascii_uppercase();
    let begins = ["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE"]
        .iter()
        .any(|word| upper.starts_with(word));
    begins && !query.contains(';') && !upper.contains(" INTO ") && !upper.contains("FOR UPDATE")
}

fn sql(entry: &mut Entry, monitor: &Value, at: &str, owner: &str) {
    let mut pairs = database(monitor, owner);
    if let Some((_, Node::Text(url))) = pairs.first_mut() {
        *url = url.replacen("postgresql://", "postgres://", 1);
    }
    let written = monitor.get("databaseQuery").text().unwrap_or("SELECT 1");
    let mut query = written.trim().trim_end_matches(';').trim_end();
    if !only_reads(query) {
        entry.leave_out(
            at,
            &format!("its query `{query}`: a check asks one statement that only reads"),
        );
        query = "SELECT 1";
    }
    pairs.push(pair_of("query", literal(query)));
    entry.set_map("sql", pairs);
}

fn redis(entry: &mut Entry, monitor: &Value, owner: &str) {
    let mut pairs = database(monitor, owner);
    if monitor.get("ignoreTls").is_true() {
        pairs.push(pair_of("insecure_tls", Node::bare("true")));
    }
    entry.set_map("redis", pairs);
}

fn grpc(entry: &mut Entry, monitor: &Value, at: &str) {
    let url = monitor.get("grpcUrl").text().unwrap_or_default();
    let address = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest)
        .trim_end_matches('/');
    let mut pairs = vec![pair_of("address", literal(address))];
    if monitor.get("grpcEnableTls").is_true() {
        pairs.push(pair_of("tls", Node::bare("true")));
    }
    let (service, method) = (
        monitor.get("grpcServiceName").text().unwrap_or_default(),
        monitor.get("grpcMethod").text().unwrap_or_default(),
    );
    let is_health = service.ends_with("Health") && method.eq_ignore_ascii_case("check");
    if !is_health {
        entry.leave_out(at, &format!("its call of `{service}/{method}` and the keyword in the answer: the check asks the server's health service"));
    }
    entry.set_map("grpc", pairs);
}

fn docker(entry: &mut Entry, monitor: &Value) {
    let container = monitor.get("docker_container").text().unwrap_or_default();
    let format = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}";
    let argv = ["docker", "inspect", "--format", format, container];
    let argv = argv.iter().map(|word| literal(word)).collect();
    let remark = "It asks the docker program of this machine; `DOCKER_HOST` in `env:` asks another one.";
    entry.remarks.push(remark.to_owned());
    entry.set_map("command", vec![pair_of("argv", Node::List(argv))]);
    let running = Node::one("matches", Node::text("^running( healthy)?\\s*$"));
    entry.expect(vec![vec![pair_of("output", running)]]);
}

/// What can be done about a type that there is no check for.
fn instead_of(kind: &str) -> &'static str {
    match kind {
        "real-browser" => "a `browser` check opens pages; write what it should see",
        "mqtt" | "kafka-producer" | "rabbitmq" => {
            "haetae does not speak it; a `command` check can call a client, a `tcp` check looks at the port"
        }
        "mongodb" | "sqlserver" | "radius" | "snmp" => {
            "haetae does not speak it; a `command` check can call a client"
        }
        "steam" | "gamedig" => "write an `udp` check that sends the game's own query",
        "tailscale-ping" => "a `command` check can call `tailscale ping`",
        _ => "it is not known to the importer",
    }
}
