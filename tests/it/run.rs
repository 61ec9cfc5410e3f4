//! What `haetae run` does besides running: repeating, reports, keeping, telling, and ending early.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Folder, Running, Site, output, program, text};

/// Answers every request by itself: `answer` is handed the number of the request.
fn server(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let most = Arc::new(AtomicUsize::new(0));
    let (at_once, most_seen) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&most));
    let (answer, asked) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (at_once, most, answer, asked) = (
                Arc::clone(&at_once),
                Arc::clone(&most_seen),
                Arc::clone(&answer),
                Arc::clone(&asked),
            );
            std::thread::spawn(move || {
                let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                let status = answer(asked.fetch_add(1, Ordering::SeqCst));
                // Whoever has the answer may ask again at once.
                at_once.fetch_sub(1, Ordering::SeqCst);
                reply(stream, &status);
            });
        }
    });
    (address, most)
}

fn reply(mut stream: TcpStream, status: &str) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    let _ = stream.write_all(
        format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}").as_bytes(),
    );
}

fn fine(_: usize) -> String {
    "200 OK".to_owned()
}

fn never() -> ! {
    loop {
        std::thread::park();
    }
}

fn settings(folder: &Folder) -> &Folder {
    folder.write("haetae.yaml", "defaults: { every: 1m, timeout: 20s }\n")
}

fn json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn repeating_finds_what_passes_only_now_and_then_and_the_worst_counts() {
    let (address, _) = server(|n| {
        if n % 3 == 1 {
            "500 Oops".into()
        } else {
            "200 OK".into()
        }
    });
    let (steady, _) = server(fine);
    let folder = Folder::new();
    settings(&folder)
        .write(
            "checks/flaky.yaml",
            &format!("http: {{ url: \"http://{address}/\" }}\n"),
        )
        .write(
            "checks/steady.yaml",
            &format!("http: {{ url: \"http://{steady}/\" }}\n"),
        );
    let (junit, report) = (folder.path().join("r.xml"), folder.path().join("r.json"));
    let answer = output(
        folder.path(),
        &[
            "run",
            "--repeat",
            "6",
            "--junit",
            junit.to_str().unwrap(),
            "--json",
            report.to_str().unwrap(),
        ],
    );
    let said = text(&answer.stdout);
    assert_eq!(answer.status.code(), Some(2), "{said}");
    assert!(said.contains("flaky passed 4 of 6 (66 %): flaky\n"), "{said}");
    assert!(said.contains("steady passed 6 of 6 (100 %)\n"), "{said}");
    assert!(said.contains("12 run: 10 ok, 2 critical"), "{said}");
    let report = json(&report);
    assert_eq!(report["runs"].as_array().unwrap().len(), 12);
    assert_eq!(report["rates"][0]["passed"], 4);
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(
        xml.contains("tests=\"2\"") && xml.contains("passed 4 of 6"),
        "{xml}"
    );
}

#[test]
fn no_more_run_at_once_than_is_allowed() {
    // Answers only when three are there.
    let together = std::sync::Barrier::new(3);
    let (address, most) = server(move |_| {
        together.wait();
        "200 OK".into()
    });
    let folder = Folder::new();
    settings(&folder);
    for n in 0..12 {
        folder.write(
            &format!("checks/{n}.yaml"),
            &format!("http: {{ url: \"http://{address}/\" }}\n"),
        );
    }
    let answer = output(folder.path(), &["run", "--at-once", "3"]);
    assert_eq!(answer.status.code(), Some(0), "{}", text(&answer.stderr));
    let most = most.load(Ordering::SeqCst);
    assert_eq!(most, 3, "at once");
}

#[test]
fn a_log_has_plain_lines_and_no_progress() {
    let (address, _) = server(fine);
    let folder = Folder::new();
    settings(&folder).write(
        "checks/a.yaml",
        &format!("http: {{ url: \"http://{address}/\" }}\n"),
    );
    let answer = output(folder.path(), &["run"]);
    let said = format!("{}{}", text(&answer.stdout), text(&answer.stderr));
    assert!(
        !said.contains(['\u{1b}', '\r']) && !said.contains("of 1 done"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_runs_are_the_history_of_the_server_that_comes_later() {
    let (address, _) = server(|_| "404 Gone".into());
    let folder = Folder::new();
    settings(&folder).write(
        "checks/shop/api.yaml",
        &format!("every: 1h\nhttp: {{ url: \"http://{address}/\" }}\n"),
    );
    folder.write("alerts/a.yaml", "routes: [{ name: nobody, to: [] }]\n");
    let answer = output(folder.path(), &["run", "--record", "--repeat", "3"]);
    assert_eq!(answer.status.code(), Some(2), "{}", text(&answer.stderr));
    let server = Running::start(&folder).await;
    let results = server.json("/api/v1/results?check=shop/api").await;
    let rows = results["results"].as_array().unwrap();
    assert!(
        rows.len() >= 3 && rows.iter().all(|row| row["level"] == "critical"),
        "{results:#}"
    );
    let incidents = server.json("/api/v1/incidents").await;
    assert_eq!(
        incidents["incidents"].as_array().unwrap().len(),
        0,
        "{incidents:#}"
    );
    // While it serves, the store is its own.
    let refused = output(folder.path(), &["run", "--record"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(
        text(&refused.stderr).contains("haetae trigger"),
        "{}",
        text(&refused.stderr)
    );
    assert!(!text(&refused.stdout).contains("shop/api"), "nothing runs");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_unless_asked_and_then_those_of_the_route() {
    let site = Site::start().await;
    let folder = Folder::new();
    settings(&folder).with_alerts(&site);
    let partner = site.partner();
    folder
        .write(
            "checks/pay.yaml",
            &format!("http: {{ url: {partner}/health }}\nexpect: {{ json: {{ $.status: DOWN }} }}\n"),
        )
        .write(
            "checks/slow.yaml",
            &format!(
                "http: {{ url: {partner}/health }}\nthresholds: {{ status: {{ warning: above 100 }} }}\n"
            ),
        )
        .write(
            "checks/fine.yaml",
            &format!("http: {{ url: {partner}/health }}\n"),
        );
    assert_eq!(output(folder.path(), &["run"]).status.code(), Some(2));
    assert!(site.inbox("slack").await.is_empty() && site.inbox("dooray").await.is_empty());
    let answer = output(folder.path(), &["run", "--notify"]);
    assert_eq!(answer.status.code(), Some(2));
    assert!(
        text(&answer.stderr).contains("told oncall"),
        "{}",
        text(&answer.stderr)
    );
    let (slack, dooray) = (site.headlines("slack").await, site.headlines("dooray").await);
    assert_eq!((slack.len(), dooray.len()), (1, 1), "{slack:?} {dooray:?}");
    assert!(
        slack[0].contains("pay") && !slack[0].contains("slow"),
        "{slack:?}"
    );
    assert!(dooray[0].contains("slow"), "{dooray:?}");
}

#[test]
fn asking_to_tell_wants_the_secrets_of_channels() {
    let (address, _) = server(fine);
    let folder = Folder::new();
    settings(&folder)
        .write("checks/a.yaml", &format!("http: {{ url: \"http://{address}/\" }}\n"))
        .write(
            "alerts/a.yaml",
            "channels: { c: { slack: { webhook: \"${env:HAETAE_TEST_NOT_SET}\" } } }\nroutes: [{ name: all, to: [c] }]\n",
        );
    assert_eq!(output(folder.path(), &["run"]).status.code(), Some(0));
    let answer = output(folder.path(), &["run", "--notify"]);
    assert_eq!(answer.status.code(), Some(78), "{}", text(&answer.stderr));
}

/// Every kind of awkward text there is, in one message.
const AWKWARD: &str = "expected \\\"a\\\" & <b> ]]> 'q' 결제 🔥 \\u0001\\u0008\\uFFFE \\x1b[31m end";

/// Validates a JUnit file against the schema of Jenkins' xUnit plugin, and reads it with another parser:
/// name, outcome and message of each case.
fn read_by_others(file: &std::path::Path) -> Vec<String> {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/junit/junit-10.xsd");
    let validated = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema", schema])
        .arg(file)
        .output()
        .expect("xmllint is missing: run scripts/install-junit-tools.sh");
    assert!(
        validated.status.success(),
        "{}\n{}",
        text(&validated.stderr),
        std::fs::read_to_string(file).unwrap()
    );
    let script = "
import sys, junitparser
for suite in junitparser.JUnitXml.fromfile(sys.argv[1]):
    for case in suite:
        for result in case.result or [None]:
            kind = type(result).__name__ if result is not None else 'ok'
            print(f'{suite.name}|{case.classname}|{case.name}|{kind}|{getattr(result, \"message\", None)}'.replace('\\n', ' '))
";
    let read = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(file)
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .unwrap();
    assert!(
        read.status.success(),
        "is junitparser missing? run scripts/install-junit-tools.sh\n{}",
        text(&read.stderr)
    );
    text(&read.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn jenkins_schema_and_another_parser_take_the_junit_file() {
    let (address, _) = server(fine);
    let folder = Folder::new();
    settings(&folder)
        .write(
            "checks/결제/승인.yaml",
            &format!("name: \"{AWKWARD}\"\nhttp: {{ url: \"http://{address}/\" }}\nexpect: {{ body: \"{AWKWARD}\" }}\n"),
        )
        .write("checks/fine.yaml", &format!("http: {{ url: \"http://{address}/\" }}\n"))
        .write("checks/late.yaml", &format!("http: {{ url: \"http://{address}/\" }}\nthresholds: {{ status: {{ warning: above 100 }} }}\n"))
        .write("checks/blind.yaml", "browser: { url: \"http://127.0.0.1:1/\" }\nsteps: [{ open: / }]\n")
        .write("haetae.yaml", "defaults: { every: 1m, timeout: 5s }\nwebdriver: { command: no-such-chromedriver }\n");
    let file = folder.path().join("r.xml");
    let answer = output(folder.path(), &["run", "--junit", file.to_str().unwrap()]);
    assert_eq!(answer.status.code(), Some(2), "{}", text(&answer.stderr));
    let cases = read_by_others(&file);
    assert_eq!(cases.len(), 4, "{cases:#?}");
    let find = |part: &str| cases.iter().find(|case| case.contains(part)).unwrap();
    let bad = find("|승인|");
    assert!(bad.starts_with("결제|결제|승인|Failure|"), "{bad}");
    assert!(
        bad.contains("]]> 'q' 결제 🔥") && bad.contains("end") && !bad.contains('\u{1}'),
        "{bad}"
    );
    assert!(find("|blind|").contains("|Error|"), "{cases:#?}");
    assert!(find("|fine|").ends_with("|ok|None"), "{cases:#?}");
    assert!(find("|late|").contains("|ok|"), "{cases:#?}");
}

#[test]
fn steps_are_cases_when_asked() {
    let (address, _) = server(|n| {
        if n == 1 {
            "500 Oops".into()
        } else {
            "200 OK".into()
        }
    });
    let folder = Folder::new();
    settings(&folder).write(
        "checks/shop/order.yaml",
        &format!("http: {{ url: \"http://{address}/\" }}\nsteps:\n  - {{ step: \"Log in <&]]>\", http: {{ url: /a }} }}\n  - {{ step: 주문, http: {{ url: /b }} }}\n  - {{ step: Look, http: {{ url: /c }} }}\n"),
    );
    let file = folder.path().join("r.xml");
    let args = ["run", "--junit-steps", "--junit", file.to_str().unwrap()];
    let answer = output(folder.path(), &args);
    assert_eq!(answer.status.code(), Some(2), "{}", text(&answer.stdout));
    let cases = read_by_others(&file);
    assert!(
        cases[0].starts_with("shop|shop.order|1. ") && cases[0].contains("|ok|"),
        "{cases:#?}"
    );
    assert!(
        cases[1].contains("|2. ") && cases[1].contains("|Failure|") && cases[1].contains("500"),
        "{cases:#?}"
    );
    assert_eq!(
        cases.iter().filter(|case| case.contains("|Failure|")).count(),
        1,
        "{cases:#?}"
    );
    // A bound of the whole has a case of its own.
    folder.write(
        "checks/shop/order.yaml",
        &format!("http: {{ url: \"http://{address}/\" }}\nsteps:\n  - {{ step: One, http: {{ url: /a }} }}\nthresholds: {{ status: {{ critical: above 100 }} }}\n"),
    );
    assert_eq!(output(folder.path(), &args).status.code(), Some(2));
    let cases = read_by_others(&file);
    assert_eq!(cases.len(), 2, "{cases:#?}");
    assert!(
        cases[0].contains("|ok|") && cases[1].contains("|order|Failure|"),
        "{cases:#?}"
    );
    assert_eq!(
        output(folder.path(), &["run", "--junit-steps"]).status.code(),
        Some(64)
    );
}

#[test]
fn two_hundred_checks_and_four_scenarios_leave_complete_reports_when_terminated() {
    // The first hundred are answered; the others, and the scenarios' pages, never.
    let (address, _) = server(|n| {
        if n >= 100 {
            never();
        }
        "200 OK".into()
    });
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let hung = hung.local_addr().unwrap();
    let folder = Folder::new();
    folder.write("haetae.yaml", "defaults: { every: 1m, timeout: 40s }\n");
    for n in 0..200 {
        folder.write(
            &format!("checks/api/{n}.yaml"),
            &format!("http: {{ url: \"http://{address}/\" }}\n"),
        );
    }
    for n in 0..4 {
        folder.write(
            &format!("checks/journey/{n}.yaml"),
            &format!("browser: {{ url: \"http://{hung}/\" }}\nsteps: [{{ open: / }}]\n"),
        );
    }
    let at = |name: &str| folder.path().join(name);
    let mut child = program(folder.path())
        .args(["run", "--junit"])
        .arg(at("r.xml"))
        .arg("--html")
        .arg(at("r.html"))
        .arg("--json")
        .arg(at("r.json"))
        .arg("--artifacts")
        .arg(at("artifacts"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..80 {
        said.next().unwrap().unwrap();
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{rest:#?}");
    let report = json(&at("r.json"));
    let ran = report["runs"].as_array().unwrap().len();
    let not_run = report["not_run"].as_array().unwrap().len();
    assert_eq!(report["ended_by"], "SIGTERM");
    assert_eq!(ran + not_run, 204);
    assert!((80..=100).contains(&ran), "{ran}");
    assert_eq!(read_by_others(&at("r.xml")).len(), ran);
    let page = std::fs::read_to_string(at("r.html")).unwrap();
    assert!(page.trim_end().ends_with("</html>"), "{}", page.len());
    assert!(
        rest.last()
            .unwrap()
            .contains(&format!("{ran} run: {ran} ok; {not_run} not run")),
        "{rest:#?}"
    );
}
