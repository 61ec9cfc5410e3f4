//! Runs that somebody asks a server for, deployments, and events.

use std::io::BufRead;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Folder, PATIENCE, Running, Site, program, text};

async fn post(running: &Running, path: &str, body: Value) -> (u16, Value) {
    send(running, reqwest::Method::POST, path, Some(body)).await
}

async fn send(running: &Running, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method, format!("http://{}{path}", running.address));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Checks that are due once an hour, so that whatever runs was asked for: good, bad, hung.
fn project(site: &Site, hung: &str) -> Folder {
    let folder = Folder::new();
    folder
        .with_alerts(site)
        .write(
            "haetae.yaml",
            "defaults: { cron: \"0 0 1 1 *\", timeout: 20s, timezone: UTC }\n",
        )
        .write(
            "checks/shop/good.yaml",
            &format!(
                "name: Shop\ntags: [smoke]\nhttp: {{ url: {}/shop/login }}\n",
                site.shop()
            ),
        )
        .write(
            "checks/partner.yaml",
            &format!(
                "fail_after: 1\nhttp: {{ url: {}/health }}\nexpect: {{ status: 200 }}\n",
                site.partner()
            ),
        )
        .write(
            "checks/off.yaml",
            &format!("enabled: false\nhttp: {{ url: {}/shop/login }}\n", site.shop()),
        )
        .write(
            "checks/hung.yaml",
            &format!("http: {{ url: \"http://{hung}/\" }}\n"),
        );
    folder
}

/// Accepts, and never answers.
fn hung() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_triggered_run_is_done_at_once_shows_in_the_history_and_leaves_incidents_alone() {
    let site = Site::start().await;
    site.control("partner=dead").await;
    let (_hung, address) = hung();
    let folder = project(&site, &address);
    let running = Running::start(&folder).await;
    let link = "https://jenkins.example/job/shop-deploy/214/";
    let body = json!({
        "select": ["tag:smoke", "partner", "off"], "reason": "Jenkins build shop-deploy #214", "link": link,
        "by": "jenkins", "idempotency_key": "build-214",
    });
    let (status, run) = post(&running, "/api/v1/runs?wait=30s", body.clone()).await;
    assert_eq!(
        (status, &run["state"], &run["worst"]),
        (202, &json!("finished"), &json!("critical")),
        "{run:#}"
    );
    assert_eq!((&run["done"], &run["total"]), (&json!(3), &json!(3)));
    let id = run["id"].as_str().unwrap().to_owned();
    // The same key is the same run; other checks under it are a mistake.
    let (status, again) = post(&running, "/api/v1/runs", body.clone()).await;
    assert_eq!((status, again["id"].as_str()), (200, Some(id.as_str())));
    let other = json!({ "select": ["off"], "idempotency_key": "build-214" });
    assert_eq!(post(&running, "/api/v1/runs", other).await.0, 409);
    // The history says why, and nobody was told.
    let results = running
        .wait(
            "/api/v1/results?check=partner",
            "the run in the history",
            |answer| answer["results"].as_array().is_some_and(|rows| !rows.is_empty()),
        )
        .await;
    let tag = &results["results"][0]["triggered"];
    assert_eq!(
        (tag["reason"].as_str(), tag["link"].as_str()),
        (Some("Jenkins build shop-deploy #214"), Some(link))
    );
    let (_, page) = running.get("/checks/partner").await;
    assert!(
        page.contains("Jenkins build shop-deploy #214") && page.contains(link),
        "{page}"
    );
    let (status, page) = running.get(&format!("/runs/{id}")).await;
    assert!(status == 200 && page.contains("partner"), "{status} {page}");
    let check = running.json("/api/v1/checks/partner").await;
    assert_eq!(
        (&check["status"]["level"], &check["status"]["runs"]),
        (&json!("ok"), &json!(0))
    );
    assert_eq!(running.json("/api/v1/incidents").await["incidents"], json!([]));
    // The report is one that another parser reads.
    let (status, xml) = running.get(&format!("/api/v1/runs/{id}/junit.xml")).await;
    assert_eq!(status, 200, "{xml}");
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().attribute("failures"), Some("1"));
    // It outlives the process.
    running.stop().await;
    let running = Running::start(&folder).await;
    let kept = running.json(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(kept["state"], "finished");
    assert_eq!(
        post(&running, "/api/v1/runs", body).await.0,
        200,
        "the key holds after a restart"
    );
    assert_eq!(running.json("/api/v1/runs").await["runs"][0]["id"], json!(id));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_triggered_run_counts_for_incidents_when_asked_to() {
    let site = Site::start().await;
    site.control("partner=dead").await;
    let (_hung, address) = hung();
    let folder = project(&site, &address);
    let running = Running::start(&folder).await;
    let body = json!({ "select": ["partner"], "notify": true, "reason": "by hand" });
    let (_, run) = post(&running, "/api/v1/runs?wait=30s", body).await;
    assert_eq!(run["worst"], "critical");
    site.wait_for_messages("slack", 1).await;
    let open = running.json("/api/v1/incidents?state=open").await;
    assert_eq!(open["incidents"][0]["check"], "partner");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_what_runs_and_frees_the_check_for_the_next() {
    let site = Site::start().await;
    let (listener, address) = hung();
    let folder = project(&site, &address);
    let running = Running::start(&folder).await;
    let begun = tokio::time::Instant::now();
    let (_, run) = post(
        &running,
        "/api/v1/runs",
        json!({ "select": ["hung", "shop/good"] }),
    )
    .await;
    let id = run["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/runs/{id}");
    running.wait(&path, "the good one", |run| run["done"] == 1).await;
    assert_eq!(running.get(&format!("{path}/junit.xml")).await.0, 409);
    // The same check asked for again waits for the run before: no check is doubled.
    let (_, second) = post(&running, "/api/v1/runs", json!({ "select": ["hung"] })).await;
    let (status, cancelled) = send(&running, reqwest::Method::DELETE, &path, None).await;
    assert_eq!((status, &cancelled["state"]), (200, &json!("cancelled")));
    assert_eq!(send(&running, reqwest::Method::DELETE, &path, None).await.0, 409);
    let (status, xml) = running.get(&format!("{path}/junit.xml")).await;
    assert!(
        status == 200 && xml.contains("tests=\"1\""),
        "what ran by then is reported: {xml}"
    );
    // Two connections: the first run's, and that of the second, which began when the first was cancelled.
    let accepted =
        tokio::task::spawn_blocking(move || (listener.accept().is_ok(), listener.accept().is_ok()));
    assert_eq!(
        tokio::time::timeout(PATIENCE, accepted).await.unwrap().unwrap(),
        (true, true)
    );
    let second = format!("/api/v1/runs/{}", second["id"].as_str().unwrap());
    send(&running, reqwest::Method::DELETE, &second, None).await;
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "nobody waited for the time-out of 20s"
    );
    assert_eq!(
        send(&running, reqwest::Method::DELETE, "/api/v1/runs/none", None)
            .await
            .0,
        404
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let site = Site::start().await;
    let (_hung, address) = hung();
    let folder = project(&site, &address);
    let running = Running::start(&folder).await;
    for (body, detail) in [
        (json!({ "select": ["partnr"] }), "did you mean `partner`?"),
        (json!({ "select": ["tag:none"] }), "matches no enabled check"),
        (json!({}), "missing field `select`"),
        (
            json!({ "select": ["partner"], "link": "javascript:alert(1)" }),
            "https://",
        ),
        (
            json!({ "select": ["partner"], "idempotency_key": " " }),
            "must say something",
        ),
        (
            json!({ "select": ["partner"], "resaon": "x" }),
            "unknown field `resaon`",
        ),
        (
            json!({ "select": ["partner"], "reason": "x".repeat(501) }),
            "longer than 500",
        ),
    ] {
        let (status, problem) = post(&running, "/api/v1/runs", body.clone()).await;
        let said = problem["detail"].as_str().unwrap();
        assert!(status == 400 && said.contains(detail), "{body}: {status} {said}");
    }
    assert_eq!(running.json("/api/v1/runs").await["runs"], json!([]));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_quiet_warms_up_and_says_whether_all_came_good() {
    let site = Site::start().await;
    let (_hung, address) = hung();
    let folder = project(&site, &address);
    let running = Running::start(&folder).await;
    let deployment = |verify: &str| {
        json!({
            "match": { "check": "partner" }, "quiet_for": "5m", "note": "shop 2.14",
            "warm_up": ["partner"], "verify": [verify], "verify_for": "0s",
        })
    };
    let (status, good) = post(&running, "/api/v1/deployments?wait=30s", deployment("partner")).await;
    assert_eq!(
        (status, &good["deployment"]["state"]),
        (201, &json!("verified")),
        "{good:#}"
    );
    let warm_up = good["deployment"]["warm_up"].as_str().unwrap();
    let warm_up = running.json(&format!("/api/v1/runs/{warm_up}")).await;
    let reason = warm_up["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("warm-up of the deployment") && reason.ends_with("shop 2.14"),
        "{reason}"
    );
    // A bad one fails, the warm-up counts for nothing, and alerts are quiet meanwhile.
    site.control("partner=dead").await;
    let (_, bad) = post(&running, "/api/v1/deployments?wait=30s", deployment("partner")).await;
    assert_eq!(bad["deployment"]["state"], "failed", "{bad:#}");
    assert!(
        bad["deployment"]["bad"][0]
            .as_str()
            .unwrap()
            .starts_with("partner critical: "),
        "{bad:#}"
    );
    assert_eq!(running.json("/api/v1/incidents").await["incidents"], json!([]));
    let body = json!({ "select": ["partner"], "notify": true });
    post(&running, "/api/v1/runs?wait=30s", body).await;
    let open = running
        .wait("/api/v1/incidents?state=open", "the incident", |answer| {
            answer["incidents"]
                .as_array()
                .is_some_and(|list| !list.is_empty())
        })
        .await;
    assert_eq!(open["incidents"][0]["held"]["why"], "deployment", "{open:#}");
    let id = bad["deployment"]["id"].as_str().unwrap();
    assert_eq!(
        running.json(&format!("/api/v1/deployments/{id}")).await["deployment"]["state"],
        "failed"
    );
    let silences = running.json("/api/v1/silences").await;
    assert_eq!(silences["silences"].as_array().unwrap().len(), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_deploys_and_learns_whether_all_came_good() {
    let site = Site::start().await;
    site.control("partner=dead").await;
    let (_hung, address) = hung();
    let folder = project(&site, &address);
    let running = Running::start(&folder).await;
    let server = format!("http://{}", running.address);
    let args = [
        "deploy",
        "--check",
        "x",
        "--quiet-for",
        "1m",
        "--note",
        "n",
        "--verify-for",
        "0s",
        "--server",
        &server,
        "--verify",
    ];
    let run = async |what: &'static str| {
        let mut command = program(folder.path());
        command.args(args).arg(what);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    };
    assert_eq!(run("shop/good").await.status.code(), Some(0));
    let failed = run("partner").await;
    assert_eq!(failed.status.code(), Some(2), "{}", text(&failed.stderr));
    assert!(
        text(&failed.stdout).contains("not well\n  partner critical"),
        "{}",
        text(&failed.stdout)
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trigger_has_the_exit_codes_and_reports_of_run() {
    let site = Site::start().await;
    site.control("partner=dead").await;
    let (_hung, address) = hung();
    let folder = project(&site, &address);
    folder
        .write("checks/blind.yaml", "browser: { url: \"http://127.0.0.1:1/\" }\nsteps: [{ open: / }]\n")
        .write(
            "checks/warning.yaml",
            &format!("http: {{ url: {}/shop/login }}\nthresholds: {{ response_time: {{ warning: above 0ms }} }}\n", site.shop()),
        )
        .write(
            "haetae.yaml",
            "defaults: { cron: \"0 0 1 1 *\", timeout: 20s, timezone: UTC }\nwebdriver: { command: no-such-chromedriver }\n",
        );
    let running = Running::start(&folder).await;
    let server = format!("http://{}", running.address);
    let run = async |args: &[&str]| {
        let mut command = program(folder.path());
        command
            .args(["trigger", "--server", &server, "--reason", "a test"])
            .args(args);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    };
    for (args, code) in [
        (&["shop/good"][..], 0),
        (&["warning"], 0),
        (&["warning", "--fail-on", "warning"], 1),
        (&["partner"], 2),
        (&["blind"], 3),
        (&["partner", "blind", "warning"], 2),
        (&["nothing"], 64),
        (&["hung", "--timeout", "1s"], 3),
        (&["shop/good", "--timeout", "1"], 64),
    ] {
        let answer = run(args).await;
        assert_eq!(
            answer.status.code(),
            Some(code),
            "{args:?}: {}{}",
            text(&answer.stdout),
            text(&answer.stderr)
        );
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trigger_writes_the_reports_that_pipelines_read() {
    let site = Site::start().await;
    site.control("partner=dead").await;
    let (_hung, address) = hung();
    let folder = project(&site, &address);
    let running = Running::start(&folder).await;
    let (junit, json_file) = (folder.path().join("out/r.xml"), folder.path().join("out/r.json"));
    let mut command = program(folder.path());
    command
        .args(["trigger", "shop/good", "partner", "--server"])
        .arg(format!("http://{}", running.address))
        .arg("--junit")
        .arg(&junit)
        .arg("--json")
        .arg(&json_file);
    let answer = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status.code(), Some(2));
    let said = text(&answer.stdout);
    assert!(
        said.contains("critical partner") && said.contains("2 run: 1 ok, 1 critical"),
        "{said}"
    );
    let xml = std::fs::read_to_string(junit).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().attribute("tests"), Some("2"));
    let whole: Value = serde_json::from_slice(&std::fs::read(json_file).unwrap()).unwrap();
    assert_eq!(
        (&whole["worst"], &whole["state"]),
        (&json!("critical"), &json!("finished"))
    );
    running.stop().await;
    let nobody = program(folder.path())
        .args(["trigger", "--server", "http://127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(70));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_the_run_on_the_server() {
    let site = Site::start().await;
    let (_hung, address) = hung();
    let folder = project(&site, &address);
    let running = Running::start(&folder).await;
    let mut child = program(folder.path())
        .args([
            "trigger",
            "hung",
            "shop/good",
            "--server",
            &format!("http://{}", running.address),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let code = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert!(
            line.contains("shop/good"),
            "what is done is shown at once: {line}"
        );
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        child.wait().unwrap().code()
    });
    assert_eq!(
        tokio::time::timeout(PATIENCE, code).await.unwrap().unwrap(),
        Some(130)
    );
    let runs = running.json("/api/v1/runs").await;
    assert_eq!(runs["runs"][0]["state"], "cancelled", "{runs:#}");
    running.stop().await;
}

/// A stream of events, read as it comes.
struct Listener {
    answer: reqwest::Response,
    rest: String,
}

impl Listener {
    async fn open(running: &Running, path: &str, last: Option<&str>) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.get(format!("http://{}{path}", running.address));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self {
            answer,
            rest: String::new(),
        }
    }

    /// The next event: kind, data, number.
    async fn next(&mut self) -> Option<(String, Value, String)> {
        loop {
            if let Some((block, rest)) = self.rest.clone().split_once("\n\n") {
                rest.clone_into(&mut self.rest);
                let field = |name: &str| {
                    let mut lines = block.lines();
                    let found = lines.find_map(|line| line.strip_prefix(name));
                    found.unwrap_or_default().trim().to_owned()
                };
                if !field("event:").is_empty() {
                    let data = serde_json::from_str(&field("data:")).unwrap();
                    return Some((field("event:"), data, field("id:")));
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk())
                .await
                .expect("no event comes");
            self.rest += &text(&chunk.unwrap()?);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_as_they_happen_and_again_to_who_comes_back() {
    let site = Site::start().await;
    site.control("partner=dead").await;
    let (_hung, address) = hung();
    let folder = project(&site, &address);
    let running = Running::start(&folder).await;
    let mut listener = Listener::open(&running, "/api/v1/events?kind=check,incident,delivery", None).await;
    let body = json!({ "select": ["partner"], "notify": true });
    post(&running, "/api/v1/runs?wait=30s", body).await;
    let (kind, data, first) = listener.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &data["check"], &data["to"]),
        ("check", &json!("partner"), &json!("critical"))
    );
    let (kind, data, _) = listener.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &data["change"], &data["to"]),
        ("incident", &json!("opened"), &json!("critical"))
    );
    let (kind, data, last) = listener.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &data["channel"], &data["result"]),
        ("delivery", &json!("oncall"), &json!("sent"))
    );
    // Who comes back with the number of an event gets what came after it.
    let mut again = Listener::open(&running, "/api/v1/events?kind=incident,delivery", Some(&first)).await;
    assert_eq!(again.next().await.unwrap().0, "incident");
    assert_eq!(again.next().await.unwrap().2, last);
    let mut too_late = Listener::open(&running, "/api/v1/events", Some("1")).await;
    assert_eq!(too_late.next().await.unwrap().0, "gap");
    // A run's own events end with it.
    let (_, run) = post(
        &running,
        "/api/v1/runs",
        json!({ "select": ["partner", "shop/good"] }),
    )
    .await;
    let path = format!("/api/v1/runs/{}/events", run["id"].as_str().unwrap());
    let mut following = Listener::open(&running, &path, None).await;
    let mut kinds = Vec::new();
    while let Some((kind, _, _)) = following.next().await {
        kinds.push(kind);
    }
    assert_eq!(kinds, ["check", "check", "end"]);
    // Listeners do not hold up the end.
    let begun = tokio::time::Instant::now();
    running.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(listener.next().await.is_none());
}
