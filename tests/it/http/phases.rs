//! The times of the phases, against curl's of the same requests.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::versions::nginx;
use crate::faults::Authority;
use crate::servers::program_of;
use crate::support::{Folder, Running};

/// Ours and the name of curl's, both from the start: what was reached when.
const PHASES: &[(&str, &str, &[&str])] = &[
    ("name resolved", "time_namelookup", &["dns_time"]),
    ("connected", "time_connect", &["dns_time", "connect_time"]),
    (
        "secured",
        "time_appconnect",
        &["dns_time", "connect_time", "tls_time"],
    ),
    (
        "first byte",
        "time_starttransfer",
        &["dns_time", "connect_time", "tls_time", "first_byte_time"],
    ),
    ("done", "time_total", &["response_time"]),
];
const ROUNDS: usize = 15;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn curl(url: &str, port: u16, ca: &str) -> Vec<f64> {
    let wanted: Vec<String> = PHASES.iter().map(|(_, name, _)| format!("%{{{name}}}")).collect();
    let answer = Command::new(program_of("curl"))
        .args([
            "-s",
            "-o",
            "/dev/null",
            "--noproxy",
            "*",
            "--cacert",
            ca,
            "-w",
            &wanted.join(" "),
        ])
        .args(["--resolve", &format!("localhost:{port}:127.0.0.1"), url])
        .output()
        .unwrap();
    let line = crate::support::text(&answer.stdout);
    line.split(' ')
        .map(|seconds| seconds.parse::<f64>().unwrap() * 1_000.0)
        .collect()
}

/// What a haetae that has been running for a while measures, round by round.
async fn ours(folder: &Folder, rounds: usize) -> Vec<Vec<f64>> {
    let running = Running::start(folder).await;
    let path = "/api/v1/results?check=a&limit=100";
    let of = |answer: &Value| -> Vec<Value> {
        let rows = answer["results"].as_array().into_iter().flatten();
        rows.filter(|row| row["level"] == "ok").cloned().collect()
    };
    let enough = |answer: &Value| of(answer).len() >= rounds;
    let answer = running.wait(path, "so many results", enough).await;
    running.stop().await;
    of(&answer).iter().map(|row| times(&row["measured"])).collect()
}

fn times(measured: &Value) -> Vec<f64> {
    let ms = |name: &&str| measured[*name]["value"].as_f64().unwrap_or(0.0);
    let sum = |parts: &[&str]| parts.iter().map(ms).sum();
    PHASES.iter().map(|(_, _, parts)| sum(parts)).collect()
}

/// A server that makes both wait, so that there is something to compare: TLS by nginx, the
/// first byte after 120 ms, and the body 150 ms after that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phases_agree_with_curl() {
    let slow = super::serve(|_, _, out| {
        super::wait(Duration::from_millis(120));
        let _ = out
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab")
            .and_then(|()| out.flush());
        super::wait(Duration::from_millis(150));
        let _ = out.write_all(b"cd");
    });
    let authority = Authority::new();
    let more = format!("location / {{ proxy_pass http://{slow}; proxy_buffering off; }}");
    let server = nginx(&authority, "ssl", &more);
    let port = server.address.port();
    let url = format!("https://localhost:{port}/");
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem).write(
        "checks/a.yaml",
        &format!("every: 400ms\ntimeout: 5s\nhttp: {{ url: \"{url}\", ca: \"${{file:ca.pem}}\", resolve_to: 127.0.0.1 }}\n"),
    );
    let ca = folder.path().join("ca.pem");
    // Many rounds are for whoever wants figures: `HAETAE_TEST_CURL=1`, on a quiet machine.
    let strict = std::env::var_os("HAETAE_TEST_CURL").is_some();
    let rounds = if strict { ROUNDS } else { 2 };
    let by_us = ours(&folder, rounds).await;
    let by_curl: Vec<Vec<f64>> = (0..rounds)
        .map(|_| curl(&url, port, ca.to_str().unwrap()))
        .collect();
    let mut apart = Vec::new();
    for (at, (what, _, _)) in PHASES.iter().enumerate() {
        let of = |rounds: &[Vec<f64>]| median(rounds.iter().map(|times| times[at]).collect());
        let (theirs, ours) = (of(&by_curl), of(&by_us));
        eprintln!(
            "| {what} | {theirs:.2} ms | {ours:.2} ms | {:+.2} ms |",
            ours - theirs
        );
        if (ours - theirs).abs() > (theirs * 0.05).max(2.0) {
            apart.push(*what);
        }
    }
    assert!(!strict || apart.is_empty(), "{apart:?}");
    // What the server does on purpose is seen whatever the machine is doing.
    for times in by_us {
        assert!(times[3] >= 120.0 && times[4] - times[3] >= 140.0, "{times:?}");
    }
}
