//! `haetae import` of other programs' files: what comes of it is sound, keeps no secret, and says
//! what it could not keep.

use std::path::Path;

use crate::support::{Folder, output, text};

fn sample(name: &str) -> String {
    format!("{}/tests/import/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Imports, and has the outcome validated; gives the checks and what was said.
fn imported(args: &[&str]) -> (String, String) {
    let folder = Folder::new();
    let args: Vec<&str> = std::iter::once("import").chain(args.iter().copied()).collect();
    let answer = output(folder.path(), &args);
    let said = text(&answer.stderr);
    assert_eq!(answer.status.code(), Some(0), "{args:?}\n{said}");
    let mut checks = Vec::new();
    gather(&folder.path().join("checks"), &mut checks);
    checks.sort();
    let validated = output(folder.path(), &["validate", "--no-secrets"]);
    assert_eq!(
        validated.status.code(),
        Some(0),
        "{args:?}\n{}\n{}",
        text(&validated.stderr),
        checks.join("\n")
    );
    for line in said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("left out: "))
    {
        let flat = |text: &str| {
            text.split_whitespace()
                .filter(|word| *word != "#")
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert!(
            flat(&checks.join("\n")).contains(&flat(line)),
            "not in the checks: {line}"
        );
    }
    (checks.join("\n"), said)
}

fn gather(folder: &Path, checks: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, checks);
        } else {
            checks.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

fn has(text: &str, all: &[&str]) {
    for part in all {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

#[test]
fn a_configuration_of_gatus_becomes_checks() {
    let (checks, _) = imported(&[&sample("gatus.yaml")]);
    has(
        &checks,
        &[
            "  - id: front-end\n    every: 5m\n    timeout: 10s\n    http: { url: https://twin.sh/health }\n    expect: { status: 200, json: { $.status: UP } }\n    thresholds: { response_time: { critical: above 150ms } }\n",
            "thresholds: { certificate_left: { critical: below 48h } }",
            "dns: { name: example.com, type: A, server: \"8.8.8.8\" }",
            "ping: { host: example.org, count: 1 }",
            "domain: { name: example.org }",
        ],
    );
    let (checks, _) = imported(&[&sample("gatus-backend.yaml")]);
    has(
        &checks,
        &["critical: above 1s", "id: check-if-website-is-pingable"],
    );
}

#[test]
fn what_gatus_has_and_haetae_has_not_is_said() {
    let (checks, said) = imported(&[&sample("gatus-more.yaml"), "--from", "gatus"]);
    has(
        &checks,
        &[
            "fail_after: 5",
            "recover_after: 3",
            "description: orders cannot be placed",
            "status: [200, 204]",
            "$.data.orders: { length: { min: 1 } }",
            "$.errors: { exists: false }",
            "- json: { $.kind: { not: b } }",
            "X-Trace: \"${env:TRACE_ID}\"",
            "expect: { contains: pong }",
            "tls: { address: smtp.example:587, starttls: smtp }",
            "tcp: { address: bastion.example:22 }",
            "heartbeat: { token: \"${env:JOBS_NIGHTLY_BACKUP_TOKEN}\", grace: 25h }",
            "enabled: false",
        ],
    );
    has(
        &said,
        &[
            "gatus-more.yaml:1: `alerting`",
            "[IP] == 10.0.0.1",
            "sctp://x.example:38412",
            "`no silence` has no `heartbeat.interval`",
            "logging in by SSH",
            "[CONNECTED] == false",
            "a condition on [STATUS]",
        ],
    );
    for secret in ["hard-coded-token", "not-to-be-seen", "potato-but-longer"] {
        assert!(!checks.contains(secret) && !said.contains(secret), "{secret}");
    }
}

#[test]
fn a_backup_of_uptime_kuma_becomes_checks_by_group() {
    let (checks, said) = imported(&[&sample("uptime-kuma.json")]);
    has(
        &checks,
        &[
            "  - id: pay-결제\n    name: Pay (결제)",
            "tags: [team=payments, critical]",
            "fail_after: 3\n    recover_after: 1\n    recheck_every: 10s",
            "expect: { status: [200..299, 404] }",
            "body: { contains: Welcome }",
            "body: { not_contains: maintenance }",
            "\"$.data.items[0].state\": true",
            "tcp: { address: queue.example:5672 }",
            "dns: { name: shop.example, type: MX, server: \"1.1.1.1\" }",
            "heartbeat: { token: \"${env:BACKUP_TOKEN}\", grace: 25h }",
            "query: SELECT count(*) FROM orders\n",
            "redis: { url: redis://cache.example:6379, password: \"${env:CACHE_PASSWORD}\" }",
            "- shop-web-1",
        ],
    );
    has(
        &said,
        &[
            "imported/shop.yaml",
            "`Ops Slack` (slack)",
            "$sum(items.price)",
            "of type `mqtt`",
            "it is upside down",
            "`UPDATE a SET b = 1`",
            "8.8.8.8",
            "shop.Orders/Get",
            "reminders while it is down",
        ],
    );
    for secret in [
        "9f8e7d6c",
        "secret-4711",
        "in-the-url-99",
        "body-secret",
        "push-token",
        "db-secret",
        "redis-secret",
        "secret-hook",
    ] {
        assert!(!checks.contains(secret) && !said.contains(secret), "{secret}");
    }
}

#[test]
fn modules_of_blackbox_exporter_are_pointed_at_what_prometheus_scrapes() {
    let (checks, said) = imported(&[&sample("blackbox.yml"), "--scrape", &sample("prometheus.yml")]);
    has(
        &checks,
        &[
            "  - id: pay.example-health\n    tags: [team=payments]\n    every: 30s\n    timeout: 5s\n    http:\n      url: http://pay.example/health\n",
            "body: { not_contains: Could not connect to database }",
            "body: { matches: Download the latest version here }",
            "starttls: smtp",
            "matches: (?mR)^250-AUTH",
            "ping: { host: \"10.0.0.1\", count: 1 }",
        ],
    );
    has(
        &said,
        &[
            "`file_sd_configs` of the job `mail`",
            "the job `node` asks no blackbox exporter",
            "the module `http_post_2xx`: nothing is asked with it",
            "source_ip_address",
        ],
    );
    let (checks, said) = imported(&[&sample("blackbox.yml"), "--target", "target.example:53"]);
    has(
        &checks,
        &[
            "$.foo: bar",
            "$.baz: { matches: ^q }",
            "body: \"${file:/files/body.txt}\"",
            "password: ${env:HTTP_BASIC_AUTH_EXAMPLE_TARGET_EXAMPLE_53_PASSWORD}",
            "token_url: https://api.example.com/token",
            "starttls: postgres",
            "dns:",
            "transport: tcp",
        ],
    );
    has(&said, &["prober `unix`", "fail_if_all_match_regexp", "PONG ${1}"]);
    for secret in ["mysecret", "secret_token", "Bearer token", "value: password"] {
        assert!(!checks.contains(secret), "{secret}");
    }
    let folder = Folder::new();
    let answer = output(folder.path(), &["import", &sample("blackbox.yml")]);
    assert_eq!(answer.status.code(), Some(64));
    has(
        &text(&answer.stderr),
        &["--scrape prometheus.yml", "`dns_tcp_example`"],
    );
}

#[test]
fn a_recorded_session_becomes_a_chain_without_its_secrets() {
    let (checks, said) = imported(&[&sample("session.har")]);
    has(
        &checks,
        &[
            "name: Order a book\n",
            "http: { url: https://shop.example/ }\nsteps:\n  - step: GET /\n",
            "measure: { access_token: { json: $.data.access_token } }",
            "auth: { bearer: \"${access_token}\" }",
            "url: /api/orders/${order}?api_key=${env:SHOP_EXAMPLE_API_KEY}",
            "form: { mail: qa@shop.example, token: \"${env:SHOP_EXAMPLE_TOKEN}\" }",
            "expect: { status: 201 }",
        ],
    );
    has(
        &said,
        &[
            "2 static files",
            "1 request to www.google-analytics.com",
            "entry 11 (GET https://shop.example/gone): it got no answer",
            "entry 10",
        ],
    );
    let (apart, _) = imported(&[&sample("session.har"), "--apart"]);
    has(&apart, &["checks:\n", "bearer: \"${env:SHOP_EXAMPLE_TOKEN}\""]);
    assert!(!checks.contains("/thanks") && !checks.contains("app.js"));
    for text in [&checks, &apart, &said] {
        assert!(!text.contains("-secret-"), "{text}");
    }
}

#[test]
fn operations_of_an_api_that_need_nothing_become_checks() {
    let (checks, said) = imported(&[&sample("openapi.yaml")]);
    has(
        &checks,
        &[
            "vars: { api: https://kr.api.example/v1 }",
            "  - id: health\n    name: Whether it works\n    http: { url: \"${vars.api}/health\" }\n",
            "$.status: { one_of: [UP, DOWN] }",
            "$.checked: { exists: true }",
            "$.parts['db-main']: { type: boolean }",
            "  - id: list-orders\n    tags: [orders]\n",
            "bearer: \"${env:ORDERS_API_TOKEN}\"",
            "expect: { status: [200, 204] }",
        ],
    );
    has(
        &said,
        &[
            "POST /orders: it may change",
            "GET /orders/{id}: it needs `id` (path)",
            "openapi.yaml:37: GET /report: it needs `from` (query)",
            "staging.api.example",
        ],
    );
    let (checks, _) = imported(&[&sample("openapi-31.json"), "--target", "https://pets.example"]);
    has(
        &checks,
        &[
            "https://pets.example/v2",
            "$.total: { type: number }",
            "$.next: { exists: true }",
            "X-Api-Key: \"${env:PETS_X_API_KEY}\"",
        ],
    );
}

#[test]
fn what_cannot_be_imported_says_why() {
    let folder = Folder::new();
    for (name, content, why) in [
        ("a.json", "{\"hello\": 1}", "this is nothing that is understood"),
        ("b.yaml", "swagger: '2.0'\n", "this is Swagger 2.0"),
        ("c.yaml", "scrape_configs: []\n", "--scrape prometheus.yml"),
        ("d.yaml", "a: [1\n", "neither JSON nor YAML"),
        (
            "e.json",
            "{\"openapi\": \"3.1.0\", \"paths\": {}}",
            "--target https://",
        ),
        ("f.json", "{\"log\": {\"entries\": []}}", "it holds no request"),
        (
            "g.json",
            "{\"monitorList\": []}",
            "there is nothing to watch in it",
        ),
        (
            "h.json",
            "{\"monitorList\": [{\"type\": \"mqtt\", \"name\": \"x\"}]}",
            "no check could be made of it",
        ),
    ] {
        folder.write(name, content);
        let path = folder.path().join(name);
        let answer = output(folder.path(), &["import", path.to_str().unwrap()]);
        let said = text(&answer.stderr);
        assert_eq!(answer.status.code(), Some(64), "{name}: {said}");
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[test]
fn names_and_texts_of_others_break_nothing() {
    let folder = Folder::new();
    let bad = "a\n- evil: ${env:HOME} # \"x\" 'y' {z} \u{2028} 결제 \u{7} %";
    let monitors = serde_json::json!({ "monitorList": [
        { "id": 1, "name": bad, "type": "keyword", "url": "https://shop.example/${x}?a=b#c", "description": bad, "interval": 60,
          "method": "POST", "keyword": bad, "body": bad, "tags": [{ "name": bad, "value": bad }] },
        { "id": 2, "name": "no address", "type": "port", "interval": 60 },
        { "id": 3, "name": "no url", "type": "http", "url": "https://", "interval": 60 },
        { "id": 4, "name": bad, "type": "http", "url": "https://a.example", "interval": 0.5, "maxretries": 200 },
        { "id": 5, "name": "", "type": "ping", "hostname": "a.example" },
        { "id": 6, "name": "x", "type": "postgres", "databaseConnectionString": "Server=x;Password=hidden-123" },
        { "id": 7, "name": "y", "type": bad },
    ] });
    let entries = serde_json::json!({ "log": { "pages": [{ "title": bad }], "entries": [
        { "request": { "method": "POST", "url": "https://shop.example/${x}/a'b?q=${y}", "headers": [{ "name": "X-A", "value": "${z}" }],
          "postData": { "mimeType": "application/json", "text": serde_json::json!({ bad: bad, "n": null, "l": [1, { "password": "hidden-123" }] }).to_string() } },
          "response": { "status": 200 } },
        { "request": { "method": "GET", "url": "https://shop.example/b" }, "response": { "status": 404 } },
    ] } });
    let api = serde_json::json!({ "openapi": "3.0.0", "info": { "title": bad }, "servers": [{ "url": "https://a.example" }],
        "loop": { "$ref": "#/loop" },
        "paths": { "/a b": { "get": { "summary": bad, "tags": [bad], "responses": { "200": { "content": { "application/json": { "schema": {
            "type": "object", "required": [bad, "it's", "ok"], "properties": { "ok": { "$ref": "#/loop" } } } } } } } } } } });
    let gatus = format!(
        "endpoints:\n- {{ name: {0}, group: \"x\\n../../etc\", url: \"https://a.example/$HOME/$$y\", conditions: [\"[BODY].${{a}} == ${{B}}\", \"[BODY] == ${{\"] }}\n- {{ name: i, url: \"icmp://10.0.0.1\", interval: 1ms }}\n",
        serde_json::json!(bad)
    );
    for (name, content) in [
        ("k.json", monitors.to_string()),
        ("s.har", entries.to_string()),
        ("o.json", api.to_string()),
        ("g.yaml", gatus),
    ] {
        folder.write(name, &content);
        let (checks, said) = imported(&[folder.path().join(name).to_str().unwrap()]);
        assert!(
            !checks.contains("\n- evil") && !said.contains("\n- evil"),
            "{checks}"
        );
        assert!(
            !checks.contains("hidden-123") && !said.contains("hidden-123"),
            "{checks}"
        );
        assert!(
            !checks.contains("name: \"a\\n- evil: $${"),
            "a name holds no values: {checks}"
        );
    }
}
