//! Chains of requests against a small shop API that knows sessions and orders.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::{respond, serve};
use crate::support::{Folder, run_all};

type Log = Arc<Mutex<Vec<String>>>;

/// Log in for a cookie, order for an id, look at the order, delete it.
fn shop() -> (SocketAddr, Log) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    let address = serve(move |asked, _, out| {
        let line = asked.lines().next().unwrap_or_default();
        let (method, path) = line.split_once(' ').unwrap_or_default();
        let path = path.split(' ').next().unwrap_or_default();
        kept.lock().unwrap().push(format!("{method} {path}"));
        let json = "content-type: application/json\r\n";
        let known = asked.contains("cookie: session=s-1842") && asked.contains("x-shop: book");
        match (method, path) {
            ("POST", "/v1/log-in") => {
                let headers = format!("{json}set-cookie: session=s-1842; Path=/; HttpOnly\r\n");
                respond(out, "200 OK", &headers, r#"{"token":"t-very-secret-11"}"#);
            }
            _ if !known => respond(out, "401 Unauthorized", json, "{}"),
            ("POST", "/v1/orders") => {
                assert!(asked.contains(r#"{"token":"t-very-secret-11"}"#), "{asked}");
                respond(out, "201 Created", json, r#"{"id":"o-7","left":3}"#);
            }
            ("GET", "/v1/orders/o-7") => {
                respond(
                    out,
                    "200 OK",
                    json,
                    r#"{"state":"open","echo":"t-very-secret-11"}"#,
                );
            }
            ("DELETE", "/v1/orders/o-7") => respond(out, "204 No Content", "", ""),
            _ => respond(out, "404 Not Found", json, r#"{"error":"no such thing"}"#),
        }
    });
    (address, log)
}

fn chain(shop: SocketAddr, state: &str, more: &str) -> (Option<i32>, String, serde_json::Value) {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!(
            r#"every: 1m
timeout: 3s
http:
  url: http://{shop}/v1/
  headers: {{ x-shop: book }}
steps:
  - step: Log in
    http: {{ method: POST, url: log-in, json: {{ user: qa }} }}
    measure: {{ token: {{ json: $.token }} }}
    thresholds: {{ critical: above 10s }}
  - http: {{ method: POST, url: orders, json: {{ token: "${{token}}" }} }}
    expect: {{ status: 201 }}
    measure: {{ order: {{ json: $.id }}, left: {{ json: $.left }} }}
  - step: Look
    http: {{ url: "orders/${{order}}" }}
    expect: {{ json: {{ $.state: {state} }} }}
{more}always:
  - http: {{ method: DELETE, url: "orders/${{order}}" }}
thresholds:
  left: {{ warning: below 2 }}
  step.Look: {{ warning: above 10s }}
"#
        ),
    );
    let (code, said, report) = run_all(&folder);
    let outcome = report["runs"][0]["run"]["outcome"].clone();
    assert!(
        !format!("{said}{report}").contains("t-very-secret-11"),
        "{said}{report:#}"
    );
    (code, said, outcome)
}

fn steps(outcome: &serde_json::Value) -> Vec<String> {
    let steps = outcome["evidence"]["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| format!("{}: {}", step["step"].as_str().unwrap(), step["result"]))
        .collect()
}

#[test]
fn what_one_answers_is_used_by_the_next_and_cookies_are_shared() {
    let (address, log) = shop();
    let (code, said, outcome) = chain(address, "open", "");
    assert_eq!(code, Some(0), "{said}{outcome:#}");
    let done = "\"done\"";
    assert_eq!(
        steps(&outcome),
        [
            format!("Log in: {done}"),
            format!("POST orders: {done}"),
            format!("Look: {done}"),
            format!("DELETE orders/${{order}}: {done}"),
        ]
    );
    let asked = [
        "POST /v1/log-in",
        "POST /v1/orders",
        "GET /v1/orders/o-7",
        "DELETE /v1/orders/o-7",
    ];
    assert_eq!(*log.lock().unwrap(), asked);
    let measured = &outcome["measurements"];
    assert_eq!(
        (&measured["left"]["value"], &measured["status"]["value"]),
        (&3.0.into(), &200.0.into())
    );
    for name in [
        "step.Log in",
        "step.Look",
        "response_time",
        "connect_time",
        "duration",
    ] {
        assert!(
            measured[name]["value"].as_f64().unwrap() > 0.0,
            "{name}: {measured:#}"
        );
    }
}

#[test]
fn clean_up_runs_after_a_failure_and_hides_nothing() {
    let (address, log) = shop();
    let (code, said, outcome) = chain(address, "paid", "");
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains(r#"step 3 `Look`: $.state is "open", expected "paid""#),
        "{said}"
    );
    assert!(said.contains("•••"), "{said}");
    assert_eq!(log.lock().unwrap().last().unwrap(), "DELETE /v1/orders/o-7");
    assert_eq!(outcome["evidence"]["steps"][3]["result"], "done", "{outcome:#}");
}

#[test]
fn a_chain_stops_where_the_next_step_has_nothing_to_go_on_with() {
    let (address, log) = shop();
    let more = "  - http: { url: gone }\n    measure: { part: { json: $.part } }\n    expect: { status: 404 }\n  - http: { url: \"parts/${part}\" }\n";
    let (code, said, outcome) = chain(address, "open", more);
    assert_eq!(code, Some(2), "{said}");
    let why = "step 4 `GET gone`: the answer has no `part`, which a later step uses";
    assert!(said.contains(why), "{said}{outcome:#}");
    assert!(!log.lock().unwrap().iter().any(|line| line.contains("/parts/")));
}

#[test]
fn no_answer_in_a_chain_names_its_step_and_nothing_is_cleaned_up_that_never_was() {
    let refused = crate::faults::refused();
    let (code, said, outcome) = chain(refused, "open", "");
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("step 1 `Log in`: connection refused by 127.0.0.1"),
        "{said}"
    );
    let skipped = outcome["evidence"]["steps"][1]["result"]["skipped"]
        .as_str()
        .unwrap();
    assert_eq!(skipped, "there is no `order` to clean up after");
}

#[test]
fn clean_up_that_fails_is_remarked_on() {
    let server = serve(|asked, _, out| match asked.starts_with("DELETE") {
        true => respond(out, "500 Oh", "", ""),
        false => respond(out, "200 OK", "", ""),
    });
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!(
            "every: 1m\ntimeout: 3s\nhttp: {{ url: \"http://{server}/\" }}\nsteps: [{{ http: {{}} }}]\nalways: [{{ http: {{ method: DELETE }} }}]\n"
        ),
    );
    let (code, said, report) = run_all(&folder);
    assert_eq!(code, Some(0), "{said}");
    let remarks = report["runs"][0]["run"]["outcome"]["remarks"].to_string();
    assert!(
        remarks.contains("clean-up failed:") && remarks.contains("status is 500"),
        "{remarks}"
    );
}
