//! Jobs that call.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::servers::free_port;
use crate::support::{Folder, Running, output, program, text};

const TOKEN: &str = "5f1c7a0be3d94426";
const RESULTS: &str = "/api/v1/results?check=a&limit=1";

fn folder(rhythm: &str) -> Folder {
    let folder = Folder::new();
    folder.write("token", TOKEN);
    folder.write(
        "checks/a.yaml",
        &format!("every: 100ms\ntimeout: 1s\nheartbeat: {{ token: \"${{file:token}}\", {rhythm} }}\n"),
    );
    folder
}

/// Calls, and gives the status.
async fn call(running: &Running, method: &str, path: &str, body: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/v1/heartbeats/{path}", running.address);
    let request = client.request(method.parse().unwrap(), url).body(body.to_owned());
    request.send().await.unwrap().status().as_u16()
}

/// Waits for a run of this level whose headline has this part.
async fn wait(running: &Running, level: &str, part: &str) -> Value {
    let answer = running
        .wait(RESULTS, part, |answer| {
            let newest = &answer["results"][0];
            newest["level"] == level && newest["headline"].as_str().unwrap().contains(part)
        })
        .await;
    answer["results"][0].clone()
}

#[tokio::test]
async fn a_job_begins_fails_and_succeeds() {
    let folder = folder("grace: 1h");
    let running = Running::start(&folder).await;
    let newest = wait(&running, "ok", "").await;
    assert!(newest["measured"]["since_last"]["value"].is_f64(), "{newest:#}");
    assert_eq!(newest["measured"]["job_duration"], Value::Null);

    let said = "disk full\u{7}\nat block 7";
    assert_eq!(call(&running, "POST", &format!("{TOKEN}/fail"), said).await, 200);
    let newest = wait(&running, "critical", "the job failed").await;
    assert!(
        newest["headline"].as_str().unwrap().ends_with("ago: disk full"),
        "{newest:#}"
    );
    let excerpt = &newest["detail"]["outcome"]["evidence"]["excerpt"];
    assert_eq!(excerpt, "disk full\nat block 7");

    assert_eq!(call(&running, "POST", &format!("{TOKEN}/start"), "").await, 200);
    assert_eq!(call(&running, "POST", TOKEN, "").await, 200);
    let newest = wait(&running, "ok", "").await;
    let took = newest["measured"]["job_duration"]["value"].as_f64().unwrap();
    assert!((0.0..60_000.0).contains(&took), "{newest:#}");

    // As old crontabs do it.
    assert_eq!(call(&running, "GET", &format!("{TOKEN}/fail"), "").await, 200);
    wait(&running, "critical", "the job failed").await;
    assert_eq!(call(&running, "HEAD", TOKEN, "").await, 200);
    wait(&running, "ok", "").await;
    running.stop().await;
}

#[tokio::test]
async fn silence_is_told_and_so_is_a_job_that_does_not_end() {
    let folder = folder("period: 200ms, grace: 300ms");
    let running = Running::start(&folder).await;
    wait(
        &running,
        "critical",
        "the job has never called, and was waited for",
    )
    .await;
    assert_eq!(call(&running, "POST", TOKEN, "").await, 200);
    wait(&running, "critical", "no success for").await;
    running.stop().await;

    let folder = self::folder("period: 1h, grace: 300ms");
    let running = Running::start(&folder).await;
    assert_eq!(call(&running, "POST", &format!("{TOKEN}/start"), "").await, 200);
    wait(&running, "critical", "and did not end").await;
    assert_eq!(call(&running, "POST", TOKEN, "").await, 200);
    wait(&running, "ok", "").await;
    running.stop().await;
}

#[tokio::test]
async fn a_call_has_the_check_look_at_once() {
    let folder = folder("grace: 1h");
    folder.write(
        "checks/a.yaml",
        "cron: \"0 0 29 2 *\"\ntimeout: 1s\nfail_after: 1\nrecover_after: 1\nheartbeat: { token: \"${file:token}\", grace: 1h }\n",
    );
    let running = Running::start(&folder).await;
    assert_eq!(
        call(&running, "POST", &format!("{TOKEN}/fail"), "no space").await,
        200
    );
    wait(&running, "critical", "no space").await;
    // What is believed follows the run a moment later.
    running
        .wait("/api/v1/checks/a", "the level", |answer| {
            answer.to_string().contains("\"critical\"")
        })
        .await;
    assert_eq!(call(&running, "POST", TOKEN, "").await, 200);
    wait(&running, "ok", "").await;
    running.stop().await;
}

#[tokio::test]
async fn a_wrong_token_is_nobodys_and_no_token_is_shown() {
    let folder = folder("grace: 1h");
    let running = Running::start(&folder).await;
    for path in ["5f1c7a0be3d94427", "5f1c7a0be3d94427/fail", "x", "a/start", "%00"] {
        assert_eq!(call(&running, "POST", path, "").await, 404, "{path}");
    }
    assert_eq!(call(&running, "DELETE", TOKEN, "").await, 405);
    let said = format!("the token is {TOKEN}, is it not");
    assert_eq!(call(&running, "POST", &format!("{TOKEN}/fail"), &said).await, 200);
    wait(&running, "critical", "the job failed").await;
    for path in ["/metrics", "/", "/checks/a", "/api/v1/checks/a", RESULTS] {
        let (status, text) = running.get(path).await;
        assert!(status == 200 && !text.contains(TOKEN), "{path}: {text}");
    }
    running.stop().await;
    for name in ["haetae.db", "haetae.db-wal"] {
        let bytes = std::fs::read(folder.path().join("data").join(name)).unwrap_or_default();
        let found = bytes
            .windows(TOKEN.len())
            .any(|window| window == TOKEN.as_bytes());
        assert!(!found, "the token stands in {name}");
    }
}

#[tokio::test]
async fn a_restart_and_a_reload_forget_no_call() {
    let folder = folder("grace: 1h");
    let running = Running::start(&folder).await;
    let since = |newest: &Value| newest["measured"]["since_last"]["value"].as_f64().unwrap();
    // Nobody has called yet: the wait goes on over the restart.
    let answer = running
        .wait(RESULTS, "a while", |answer| {
            answer["results"][0]["measured"]["since_last"]["value"].as_f64() > Some(200.0)
        })
        .await;
    let before = answer["results"][0].clone();
    running.stop().await;
    let running = Running::start(&folder).await;
    let after = running
        .wait(RESULTS, "a new run", |answer| {
            answer["results"][0]["started"] != before["started"]
        })
        .await;
    assert!(
        since(&after["results"][0]) > since(&before),
        "{before:#}\n{after:#}"
    );

    assert_eq!(
        call(&running, "POST", &format!("{TOKEN}/fail"), "first").await,
        200
    );
    wait(&running, "critical", "first").await;
    let changed =
        "name: Changed\nevery: 100ms\ntimeout: 1s\nheartbeat: { token: \"${file:token}\", grace: 2h }\n";
    folder.write("checks/a.yaml", changed);
    running
        .wait("/api/v1/checks/a", "the reload", |answer| {
            answer.to_string().contains("Changed")
        })
        .await;
    let (_, last) = running.get(RESULTS).await;
    let last: Value = serde_json::from_str(&last).unwrap();
    running
        .wait(RESULTS, "two more runs", |answer| {
            answer["results"][0]["started"] != last["results"][0]["started"]
        })
        .await;
    wait(&running, "critical", "first").await;
    running.stop().await;
}

#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let folder = folder("grace: 1h");
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut server = program(folder.path())
        .args(["serve", "--listen", &listen])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("http://{listen}/api/v1/heartbeats/{TOKEN}/fail");
    let called = Command::new("curl")
        .args([
            "-fsS",
            "--retry",
            "40",
            "--retry-delay",
            "1",
            "--retry-connrefused",
            "-d",
            "power cut",
            &url,
        ])
        .output()
        .unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(called.status.success(), "{}", text(&called.stderr));
    let running = Running::start(&folder).await;
    wait(&running, "critical", "power cut").await;
    running.stop().await;
}

#[test]
fn a_single_run_hears_nobody() {
    let folder = folder("grace: 1h");
    let answer = output(folder.path(), &["run"]);
    let said = format!("{}{}", text(&answer.stdout), text(&answer.stderr));
    assert_eq!(answer.status.code(), Some(3), "{said}");
    assert!(said.contains("only `haetae serve` hears them"), "{said}");
}
