//! Prometheus checks against a real server and bad ones.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::faults::{Authority, Bad, WRONG, bad, issue, refused, tls_echo};
use crate::http::{serve, wait};
use crate::servers::{Server, program_of};
use crate::support::{Folder, PATIENCE, run_all};

fn run(folder: &Folder, lines: &str) -> (Option<i32>, String, Value) {
    folder.write("checks/a.yaml", &format!("every: 1m\n{lines}"));
    let (code, said, report) = run_all(folder);
    (code, said, report["runs"][0]["run"]["outcome"].clone())
}

fn ask(folder: &Folder, address: SocketAddr, query: &str, more: &str) -> (Option<i32>, String, Value) {
    run(
        folder,
        &format!("timeout: 2s\nprometheus: {{ url: \"http://{address}/\", query: '{query}' }}\n{more}"),
    )
}

/// A Prometheus that watches itself, once it has done so.
#[allow(
    clippy::disallowed_methods,
    reason = "another process says in no other way that it is ready"
)]
fn prometheus(folder: &Folder) -> Server {
    let server = Server::start(|port, dir| {
        let config = format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: self\n    static_configs: [{{ targets: [\"127.0.0.1:{port}\"] }}]\n"
        );
        std::fs::write(dir.join("p.yml"), config).unwrap();
        let mut command = Command::new(program_of("prometheus"));
        command
            .current_dir(dir)
            .args(["--config.file=p.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command
    });
    let mut left = PATIENCE;
    while ask(folder, server.address, "up", "expect: { value: 1 }\n").0 != Some(0) {
        assert!(!left.is_zero(), "prometheus does not scrape itself");
        let pause = Duration::from_millis(200);
        thread::sleep(pause);
        left = left.saturating_sub(pause);
    }
    server
}

#[test]
fn prometheus_is_asked_and_its_refusals_are_told() {
    let folder = Folder::new();
    let server = prometheus(&folder);
    for (query, more, code, part) in [
        ("up{job=\"self\"}", "expect: { value: 1 }\n", 0, ""),
        (
            "scalar(up) * 3",
            "thresholds: { value: { critical: above 2 } }\n",
            2,
            "critical",
        ),
        (
            "sum(up) / 0",
            "thresholds: { value: { critical: above 2 } }\n",
            4,
            "the query gives +Inf",
        ),
        (
            "up{job=\"nothing\"}",
            "thresholds: { value: { critical: above 2 } }\n",
            4,
            "the query gives no sample",
        ),
        (
            "up{job=\"nothing\"}",
            "expect: { value: { min: 1 } }\n",
            2,
            "value is missing",
        ),
        (
            "sum(",
            "",
            4,
            "Prometheus does not take the query: invalid parameter",
        ),
        (
            "{__name__=~\"prometheus_tsdb_.*\"}",
            "",
            4,
            "and one number is wanted: {",
        ),
        (
            "up[5m]",
            "",
            4,
            "the query gives a matrix, and one number is wanted",
        ),
    ] {
        let (found, said, _) = ask(&folder, server.address, query, more);
        let fits = match code {
            4 => found != Some(0) && said.contains("unknown"),
            _ => found == Some(code),
        };
        assert!(
            said.contains(part) && fits,
            "{query}: {found:?}, wanted {part}:\n{said}"
        );
    }
    let (code, said, outcome) = run(
        &folder,
        &format!(
            "timeout: 2s\nprometheus: {{ url: \"http://{}\", query: '0.25', unit: s }}\n",
            server.address
        ),
    );
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(outcome["measurements"]["value"]["value"], 250.0, "{outcome}");
    assert_eq!(outcome["measurements"]["value"]["unit"], "ms", "{outcome}");
}

#[test]
fn who_we_are_is_sent_and_not_told() {
    let folder = Folder::new();
    folder.write("pw.txt", "a-token-of-the-test");
    let address = serve(|asked, _, out| {
        let known = asked.contains("authorization: Bearer a-token-of-the-test\r\n")
            && asked.contains("x-scope-orgid: shop\r\n")
            && asked.starts_with("GET /p/api/v1/query?query=up&timeout=");
        let (status, body) = match known {
            true => (
                "200 OK",
                r#"{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}"#,
            ),
            false => ("401 Unauthorized", "who are you"),
        };
        let length = body.len();
        let _ = write!(
            out,
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    });
    let ask = |auth: &str| {
        run(
            &folder,
            &format!(
                "timeout: 2s\nprometheus: {{ url: \"http://{address}/p\", query: up, headers: {{ X-Scope-OrgID: shop }}{auth} }}\n"
            ),
        )
    };
    let (code, said, _) = ask(", auth: { bearer: \"${file:pw.txt}\" }");
    assert_eq!(code, Some(0), "{said}");
    let (code, said, _) = ask("");
    assert!(
        code == Some(2) && said.contains("answers 401 with something that is not Prometheus's: who are you"),
        "{said}"
    );
}

#[test]
fn bad_servers_are_told_as_what_they_are() {
    let folder = Folder::new();
    let says = |address: SocketAddr, part: &str| {
        let lines = format!("timeout: 400ms\nprometheus: {{ url: \"http://{address}\", query: up }}\n");
        let (code, said, _) = run(&folder, &lines);
        assert!(
            said.contains(part) && code == Some(2),
            "{code:?}, wanted {part}:\n{said}"
        );
    };
    let answer = |status: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    };
    let said = |bytes: Vec<u8>| {
        serve(move |_, _, out| {
            let _ = out.write_all(&bytes);
        })
    };
    says(refused(), "connection refused");
    says(
        bad(Bad::Silent),
        "did not answer within 400ms (connected, no response yet)",
    );
    says(bad(Bad::Reset), "the connection");
    let stalls = serve(|_, _, out| {
        let _ = out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nha");
        wait(Duration::from_secs(2));
    });
    says(stalls, "within 400ms");
    let drips = serve(|_, _, out| {
        let _ = out.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while out.write_all(b" ").is_ok() {
            wait(Duration::from_millis(50));
        }
    });
    says(drips, "within 400ms");
    let endless = serve(|_, _, out| {
        let _ = out.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while out.write_all(&[b' '; 4096]).is_ok() {}
    });
    says(endless, "is larger than what is read of it (1048576 bytes)");
    says(
        said(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nha".to_vec()),
        "closed the connection in the middle of its answer",
    );
    says(said(b"+PONG\r\n".to_vec()), "another protocol?");
    says(said(answer("503 Unavailable", "starting")), "answers 503");
    let execution = r#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
    says(
        said(answer("422 Unprocessable", execution)),
        "failed, status 422: too many samples (execution)",
    );
    let empty = r#"{"status":"success","data":{}}"#;
    says(said(answer("200 OK", empty)), "lacks its data");
}

#[test]
fn wrong_certificates_are_told_as_what_they_are() {
    let authority = Authority::new();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    for (what, part) in WRONG {
        let port = tls_echo(&issue(&authority, *what), b"").port();
        let (code, said, _) = run(
            &folder,
            &format!(
                "timeout: 2s\nprometheus: {{ url: \"https://localhost:{port}\", query: up, ca: \"${{file:ca.pem}}\" }}\n"
            ),
        );
        assert!(said.contains(part) && code == Some(2), "{what:?}: {said}");
    }
}
