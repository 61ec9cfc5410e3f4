//! `/metrics` as a real Prometheus takes it, and the dashboard that ships here.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use tokio::time::Instant;

use crate::faults::{Authority, Certificate, issue, tls_echo};
use crate::servers::{Server, program_of};
use crate::support::{Folder, PATIENCE, Running, Site, text};

/// A path of the repository.
fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Checks of several kinds: some are well, the partner is not, and its message is sent.
async fn world() -> (Site, Folder, Running) {
    let site = Site::start().await;
    let folder = Folder::new();
    let authority = Authority::new();
    let port = tls_echo(&issue(&authority, Certificate::Good), b"ready").port();
    folder
        .with_alerts(&site)
        .with_partner(&site)
        .write("ca.pem", &authority.pem)
        .write(
            "checks/shop/page.yaml",
            &format!(
                "every: 200ms\ntimeout: 2s\nhttp: {{ url: \"{}/\" }}\nexpect: {{ status: 200 }}\n",
                site.shop()
            ),
        )
        .write(
            "checks/mail.yaml",
            &format!(
                "every: 200ms\ntimeout: 2s\ntcp: {{ address: \"localhost:{port}\", tls: true, ca: \"${{file:ca.pem}}\" }}\nexpect: {{ contains: ready }}\n"
            ),
        );
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    site.wait_for_messages("slack", 1).await;
    let ran = |answer: &Value| {
        let checks = answer["checks"].as_array().unwrap();
        checks
            .iter()
            .all(|check| check["status"]["last_level"].is_string())
    };
    running.wait("/api/v1/checks", "a run of every check", ran).await;
    (site, folder, running)
}

/// `promtool check metrics`: what it says, and whether it is content.
fn promtool(metrics: &str) -> (bool, String) {
    let mut promtool = Command::new(program_of("promtool"))
        .args(["check", "metrics", "--extended"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(metrics.as_bytes()).unwrap();
    drop(stdin);
    let answer = promtool.wait_with_output().unwrap();
    let said = text(&answer.stderr);
    (answer.status.success() && said.is_empty(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_is_content_with_the_metrics() {
    let (_site, _folder, running) = world().await;
    let (status, metrics) = running.get("/metrics").await;
    assert_eq!(status, 200);
    let (content, said) = promtool(&metrics);
    assert!(content, "{said}\n{metrics}");
    for line in [
        "probe_success{check=\"partners/payment\",group=\"partners\",kind=\"http\",instance=\"partners/payment\",target=\"127.0.0.1\"} 0",
        "probe_http_status_code{check=\"shop/page\",group=\"shop\",kind=\"http\",instance=\"shop/page\",target=\"127.0.0.1\"} 200",
        "haetae_incidents_open{level=\"critical\"} 1",
        "haetae_permits{pool=\"browser\"} 2",
        "haetae_deliveries_total{channel=\"oncall\",result=\"sent\"} 1",
        "probe_ssl_earliest_cert_expiry{check=\"mail\",",
    ] {
        assert!(
            metrics.lines().any(|found| found.starts_with(line)),
            "{line}:\n{metrics}"
        );
    }
    // Were promtool content with anything, the above would show nothing.
    let (content, said) = promtool("# TYPE a counter\na 1\n");
    assert!(!content && said.contains("_total"), "{said}");
    running.stop().await;
}

/// A Prometheus with the configuration that ships here, but for address and pace.
fn prometheus(haetae: SocketAddr) -> Server {
    Server::start(|port, dir| {
        let config = std::fs::read_to_string(shipped("examples/prometheus/prometheus.yml")).unwrap();
        let config = config.replace("127.0.0.1:8600", &haetae.to_string()).replace(
            "scrape_interval: 15s",
            "scrape_interval: 300ms\n  scrape_timeout: 300ms",
        );
        std::fs::write(dir.join("prometheus.yml"), config).unwrap();
        std::fs::copy(shipped("examples/prometheus/rules.yml"), dir.join("rules.yml")).unwrap();
        let mut command = Command::new(program_of("prometheus"));
        command.current_dir(dir).args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            &format!("--web.listen-address=127.0.0.1:{port}"),
        ]);
        command
    })
}

/// What Prometheus answers to a query: its series, or what is wrong with it.
async fn ask(prometheus: SocketAddr, query: &str) -> Result<Vec<Value>, String> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut url = Url::parse(&format!("http://{prometheus}/api/v1/query")).unwrap();
    url.query_pairs_mut().append_pair("query", query);
    let answer: Value = client.get(url).send().await.unwrap().json().await.unwrap();
    match answer["data"]["result"].as_array() {
        Some(series) => Ok(series.clone()),
        None => Err(answer["error"].to_string()),
    }
}

/// Asks until there is a series.
async fn series(prometheus: SocketAddr, query: &str) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = ask(prometheus, query).await;
        let found = found.unwrap_or_else(|error| panic!("{query}: {error}"));
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < until, "no series for {query}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A query as Grafana sends it when everything is chosen.
fn filled_in(expression: &str) -> String {
    let filled = expression
        .replace("$__rate_interval", "1m")
        .replace("$__range", "5m")
        .replace("$group", ".*")
        .replace("$check", ".*")
        .replace("$job", ".*");
    assert!(
        !filled.contains('$'),
        "{expression} has a variable that the dashboard does not"
    );
    filled
}

/// Every string under a key of this name.
fn strings_of<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                match inner {
                    Value::String(text) if name == key => found.push(text),
                    _ => strings_of(inner, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| strings_of(item, key, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_of_the_dashboard_shows_something() {
    let (_site, _folder, running) = world().await;
    let prometheus = prometheus(running.address);
    let dashboard = std::fs::read(shipped("examples/grafana/haetae.json")).unwrap();
    let dashboard: Value = serde_json::from_slice(&dashboard).unwrap();

    let up = series(prometheus.address, "up{job=\"haetae\"} == 1").await;
    assert_eq!(up.len(), 1);
    let success = series(prometheus.address, "probe_success{instance=\"shop/page\"}").await;
    let metric = &success[0]["metric"];
    assert!(
        metric["check"] == "shop/page" && metric["job"] == "haetae",
        "{success:#?}"
    );

    let mut expressions = Vec::new();
    strings_of(&dashboard["panels"], "expr", &mut expressions);
    assert!(expressions.len() > 20, "{expressions:?}");
    for expression in expressions {
        series(prometheus.address, &filled_in(expression)).await;
    }
    let mut variables = Vec::new();
    strings_of(&dashboard["templating"], "definition", &mut variables);
    assert!(variables.len() > 2, "{variables:?}");
    for variable in variables {
        let inner = variable.trim_start_matches("label_values(").trim_end_matches(')');
        let (metric, label) = inner.rsplit_once(", ").unwrap();
        let found = series(prometheus.address, &filled_in(metric)).await;
        assert!(
            found.iter().any(|series| series["metric"][label].is_string()),
            "{variable}"
        );
    }
    running.stop().await;
}

#[test]
fn the_rules_that_ship_here_are_sound() {
    for (what, file) in [("rules", "rules.yml"), ("config", "prometheus.yml")] {
        let answer = Command::new(program_of("promtool"))
            .args(["check", what])
            .arg(shipped("examples/prometheus").join(file))
            .output()
            .unwrap();
        assert!(
            answer.status.success(),
            "{}{}",
            text(&answer.stdout),
            text(&answer.stderr)
        );
    }
}
