//! Runs as traces and metrics, to a collector that is strict about OTLP's JSON.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::faults::{Bad, bad};
use crate::http::{respond, serve};
use crate::support::{Folder, PATIENCE, Running, Site};

const TOKEN: &str = "otel-token-4471-8810";

/// What a collector was told: path and body.
type Told = Arc<Mutex<Vec<(String, Value)>>>;

/// A collector; the first requests get these answers.
fn collector(first: &'static [&'static str]) -> (SocketAddr, Told) {
    let told = Told::default();
    let kept = Arc::clone(&told);
    let address = serve(move |asked, count, out| {
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let head = head.to_lowercase();
        let is_right = head.starts_with("post ")
            && head.contains("content-type: application/json")
            && head.contains(&format!("authorization: {TOKEN}"));
        match (first.get(count), serde_json::from_str(body)) {
            (Some(answer), _) => respond(out, answer, "retry-after: 0\r\n", ""),
            (None, Ok(body)) if is_right => {
                kept.lock().unwrap().push((path, body));
                respond(out, "200 OK", "", "{}");
            }
            (None, _) => respond(out, "400 Bad Request", "", ""),
        }
    });
    (address, told)
}

/// A shop that is well and a partner that is dead, exported.
async fn exported(collector: SocketAddr) -> (Site, Folder, Running) {
    let site = Site::start().await;
    site.control("partner=dead").await;
    let folder = Folder::new();
    folder
        .with_partner(&site)
        .write("token", TOKEN)
        .write(
            "haetae.yaml",
            &format!(
                "otel: {{ endpoint: \"http://{collector}/\", headers: {{ authorization: \"${{file:token}}\" }}, every: 100ms }}\n"
            ),
        )
        .write(
            "checks/shop/page.yaml",
            &format!("every: 100ms\ntimeout: 2s\nhttp: {{ url: \"{}/\" }}\n", site.shop()),
        );
    let running = Running::start(&folder).await;
    (site, folder, running)
}

/// The value of a counter of `/metrics`.
async fn exports(running: &Running, result: &str) -> u64 {
    let (_, metrics) = running.get("/metrics").await;
    let line = format!("haetae_otel_runs_total{{result=\"{result}\"}} ");
    let value = metrics.lines().find_map(|found| found.strip_prefix(&line));
    value.unwrap().parse().unwrap()
}

async fn wait_for_exports(running: &Running, result: &str, count: u64) {
    let until = Instant::now() + PATIENCE;
    while exports(running, result).await < count {
        assert!(Instant::now() < until, "no {count} runs were {result}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

fn is_id(value: &Value, length: usize) -> bool {
    let id = value.as_str().unwrap_or_default();
    id.len() == length && id.chars().all(|c| c.is_ascii_hexdigit()) && id.chars().any(|c| c != '0')
}

fn nanos(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}

fn assert_attributes(attributes: &Value) {
    for attribute in attributes.as_array().unwrap() {
        assert!(attribute["key"].is_string(), "{attribute}");
        let value = attribute["value"].as_object().unwrap();
        let (kind, value) = value.iter().next().unwrap();
        let fits = match kind.as_str() {
            "stringValue" => value.is_string(),
            "boolValue" => value.is_boolean(),
            // 64 bits are text in JSON.
            "intValue" => value.as_str().is_some_and(|text| text.parse::<i64>().is_ok()),
            _ => false,
        };
        assert!(fits, "{attribute}");
    }
}

/// The spans of a request, each looked at.
fn spans(body: &Value) -> Vec<Value> {
    let resource = &body["resourceSpans"][0];
    assert_attributes(&resource["resource"]["attributes"]);
    let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
    let mut known = HashSet::new();
    for span in spans {
        assert!(
            is_id(&span["traceId"], 32) && is_id(&span["spanId"], 16),
            "{span:#}"
        );
        assert!(
            nanos(&span["startTimeUnixNano"]) <= nanos(&span["endTimeUnixNano"]),
            "{span:#}"
        );
        assert!(matches!(span["kind"].as_u64(), Some(1 | 3)), "{span:#}");
        assert_attributes(&span["attributes"]);
        let code = span["status"]["code"].as_u64();
        assert!(code.is_none_or(|code| code <= 2), "{span:#}");
        let of = |id: &str| (span["traceId"].to_string(), span[id].to_string());
        assert!(
            span["parentSpanId"].is_null() || known.contains(&of("parentSpanId")),
            "{span:#}"
        );
        assert!(known.insert(of("spanId")), "twice: {span:#}");
    }
    spans.clone()
}

/// Names and units of a request's gauges, each point looked at.
fn gauges(body: &Value) -> Vec<(String, String)> {
    let metrics = &body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    let mut names = Vec::new();
    for metric in metrics.as_array().unwrap() {
        for point in metric["gauge"]["dataPoints"].as_array().unwrap() {
            assert!(
                point["asDouble"].is_number() && nanos(&point["timeUnixNano"]) > 0,
                "{metric:#}"
            );
            assert_attributes(&point["attributes"]);
        }
        let text = |key: &str| metric[key].as_str().unwrap().to_owned();
        names.push((text("name"), text("unit")));
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_become_traces_and_measurements_metrics() {
    // What may pass is tried again.
    let (address, told) = collector(&["503 Service Unavailable", "429 Too Many Requests"]);
    let (_site, _folder, running) = exported(address).await;
    wait_for_exports(&running, "sent", 6).await;
    assert_eq!(exports(&running, "dropped").await, 0);
    running.stop().await;
    let told = told.lock().unwrap();
    let bodies = |path: &str| {
        let of_path = told.iter().filter(move |(asked, _)| asked == path);
        of_path.map(|(_, body)| body.clone()).collect::<Vec<_>>()
    };
    let all: Vec<Value> = bodies("/v1/traces").iter().flat_map(spans).collect();
    let of = |name: &str| {
        all.iter()
            .filter(|span| span["name"] == name)
            .cloned()
            .collect::<Vec<_>>()
    };
    let page = &of("shop/page")[0];
    assert!(
        page["status"]["code"] == 1 && page["parentSpanId"].is_null(),
        "{page:#}"
    );
    let phases = of("processing");
    assert!(
        phases.iter().any(|phase| phase["parentSpanId"] == page["spanId"]),
        "{phases:#?}"
    );
    let partner = &of("partners/payment")[0];
    assert_eq!(partner["status"]["code"], 2);
    let why = partner["status"]["message"].as_str().unwrap();
    assert!(why.contains("connection refused"), "{why}");
    let names: HashSet<(String, String)> = bodies("/v1/metrics").iter().flat_map(gauges).collect();
    for (name, unit) in [
        ("response_time", "s"),
        ("body_size", "By"),
        ("status", "1"),
        ("level", "1"),
    ] {
        let wanted = (format!("haetae.check.{name}"), unit.to_owned());
        assert!(names.contains(&wanted), "{name}: {names:?}");
    }
    assert_eq!(
        told.len(),
        bodies("/v1/traces").len() + bodies("/v1/metrics").len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_or_hangs_delays_nothing() {
    let (refusing, _) = collector(&["400 Bad Request"; 500]);
    let (_site, _folder, running) = exported(refusing).await;
    wait_for_exports(&running, "dropped", 4).await;
    running.stop().await;

    let (_site, _folder, running) = exported(bad(Bad::Silent)).await;
    let runs = |answer: &Value| answer["status"]["runs"].as_u64() > Some(15);
    let page = running.wait("/api/v1/checks/shop/page", "runs", runs).await;
    assert_eq!(page["status"]["late"], 0, "{page:#}");
    let (_, page) = running.get("/").await;
    assert!(!page.contains(TOKEN));
    // `stop` fails when the end takes too long.
    running.stop().await;
}

#[test]
fn a_token_in_the_file_is_refused_and_so_is_no_address() {
    let folder = Folder::new();
    folder.write(
        "haetae.yaml",
        "otel: { endpoint: collector, headers: { authorization: \"Bearer abcdefgh12345678\" } }\n",
    );
    let problems = folder.problems();
    assert!(
        problems.contains("this is not an http or https address"),
        "{problems}"
    );
    assert!(problems.contains("${env:"), "{problems}");
}
