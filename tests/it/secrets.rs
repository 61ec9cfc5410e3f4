//! A secret's text leaves the process only in the request it is meant for: nothing that is
//! logged, stored, served or reported holds one, with every receiver refusing.

use std::path::Path;
use std::process::Stdio;

use crate::support::{
    DOORAY_TOKEN, Folder, PATIENCE, SHOP_PASSWORD, SLACK_TOKEN, Site, output, program, text,
};

const TYPED: &str = "not-the-right-password-7731";

fn needles() -> Vec<String> {
    let mut all: Vec<String> = [SLACK_TOKEN, DOORAY_TOKEN, TYPED]
        .iter()
        .map(ToString::to_string)
        .collect();
    let encode = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    all.extend([SLACK_TOKEN, DOORAY_TOKEN, TYPED].iter().map(|text| encode(text)));
    all
}

fn assert_clean(what: &str, content: &[u8]) {
    for needle in needles() {
        assert!(
            !content
                .windows(needle.len())
                .any(|window| window == needle.as_bytes()),
            "{what} holds the secret {needle}"
        );
    }
}

fn assert_clean_folder(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            assert_clean_folder(&entry.path());
        } else {
            assert_clean(
                &entry.path().display().to_string(),
                &std::fs::read(entry.path()).unwrap(),
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(
    clippy::too_many_lines,
    reason = "one story: everything that could leak, looked at once"
)]
async fn no_secret_shows_up_anywhere_with_every_receiver_refusing() {
    let site = Site::start().await;
    let folder = Folder::new();
    let shop = site.shop();
    folder
        .write("typed.txt", TYPED)
        .write("slack.txt", &format!("{shop}/slack/services/T1/B1/{SLACK_TOKEN}"))
        .write(
            "dooray.txt",
            &format!("{shop}/dooray/services/1/2/{DOORAY_TOKEN}"),
        )
        .write(
            "alerts/a.yaml",
            "channels:
  oncall: { slack: { webhook: \"${file:slack.txt}\" } }
  watch: { dooray: { webhook: \"${file:dooray.txt}\" } }
routes:
  - { name: both, to: [oncall, watch], group_wait: 50ms }
",
        )
        // The page shows what was typed: in its text, its title and its address.
        .write(
            "checks/login.yaml",
            &format!(
                "every: 2s
timeout: 20s
fail_after: 1
browser: {{ url: \"{shop}\" }}
steps:
  - open: /shop/login
  - type: {{ into: E-mail, text: \"${{file:typed.txt}}\" }}
  - type: {{ into: Password, text: \"${{file:typed.txt}}\", press: Enter }}
  - {{ see: \"${{file:typed.txt}} is welcome\", within: 500ms }}
"
            ),
        )
        .write(
            "checks/api.yaml",
            &format!(
                "every: 500ms
timeout: 2s
fail_after: 1
http:
  url: \"{shop}/shop/search?q=${{file:typed.txt}}\"
  headers: {{ x-key: \"${{file:typed.txt}}\" }}
  auth: {{ basic: {{ user: me, password: \"${{file:typed.txt}}\" }} }}
expect: {{ body: {{ contains: \"${{file:typed.txt}} is welcome\" }} }}
"
            ),
        );
    site.control("slack=refusing").await;
    site.control("dooray=failing").await;
    let log = std::fs::File::create(folder.path().join("log.txt")).unwrap();
    let mut child = program(folder.path())
        .args(["--log", "trace", "serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::from(log.try_clone().unwrap()))
        .stderr(Stdio::from(log))
        .spawn()
        .unwrap();
    site.wait_for_messages("slack", 1).await;
    site.wait_for_messages("dooray", 2).await;
    let address = loop {
        let log = std::fs::read_to_string(folder.path().join("log.txt")).unwrap();
        if let Some((_, rest)) = log.split_once("dashboard: http://") {
            break rest.split('/').next().unwrap().to_owned();
        }
    };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| {
        let answer = client
            .get(format!("http://{address}{path}"))
            .send()
            .await
            .unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let until = tokio::time::Instant::now() + PATIENCE;
    let incidents = loop {
        let (_, body) = get("/api/v1/incidents").await;
        if body.contains("\"login\"") && body.contains("\"api\"") {
            break body;
        }
        assert!(tokio::time::Instant::now() < until, "{body}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let incidents: serde_json::Value = serde_json::from_str(&incidents).unwrap();
    let mut paths: Vec<String> = [
        "/",
        "/metrics",
        "/checks/login",
        "/checks/api",
        "/api/v1/checks",
        "/api/v1/deliveries",
        "/api/v1/results?check=login",
        "/api/v1/results?check=api",
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    for incident in incidents["incidents"].as_array().unwrap() {
        let id = incident["id"].as_str().unwrap();
        paths.push(format!("/incidents/{id}"));
        paths.push(format!("/api/v1/incidents/{id}"));
    }
    for path in paths {
        let (status, body) = get(&path).await;
        assert!(status.is_success(), "{path}: {status}");
        assert_clean(&path, body.as_bytes());
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert_clean("the log", &std::fs::read(folder.path().join("log.txt")).unwrap());
    assert_clean_folder(&folder.path().join("data"));
    for message in site
        .inbox("slack")
        .await
        .iter()
        .chain(&site.inbox("dooray").await)
    {
        assert_clean("a message", message.to_string().as_bytes());
    }

    let report = folder.path().join("report");
    std::fs::create_dir_all(&report).unwrap();
    let (xml, json) = (report.join("r.xml"), report.join("r.json"));
    let ran = output(
        folder.path(),
        &[
            "--log",
            "trace",
            "run",
            "--artifacts",
            report.to_str().unwrap(),
            "--junit",
            xml.to_str().unwrap(),
            "--json",
            json.to_str().unwrap(),
        ],
    );
    assert_eq!(ran.status.code(), Some(2), "{}", text(&ran.stdout));
    assert!(text(&ran.stdout).contains("•••"), "{}", text(&ran.stdout));
    assert_clean("stdout", &ran.stdout);
    assert_clean("stderr", &ran.stderr);
    assert_clean_folder(&report);
    for args in [
        &["show", "login"][..],
        &["show", "api"],
        &["validate"],
        &["validate", "--json", "--routes"],
        &["list", "--json"],
    ] {
        let answer = output(folder.path(), args);
        assert_clean(&args.join(" "), &[answer.stdout, answer.stderr].concat());
    }
}

#[test]
fn a_literal_secret_is_refused_without_being_shown() {
    let folder = Folder::new();
    folder
        .write(
            "checks/a.yaml",
            &format!("every: 1m\ntimeout: 1s\nhttp: {{ url: \"http://127.0.0.1:1/\", auth: {{ basic: {{ user: me, password: {SHOP_PASSWORD} }} }} }}\n"),
        )
        .write("alerts/a.yaml", "channels:\n  c: { slack: { webhook: https://hooks.slack.com/services/T0/B0/abcdef123456 } }\nroutes: [{ name: all, to: [c] }]\n");
    let answer = output(folder.path(), &["validate"]);
    assert_eq!(answer.status.code(), Some(78));
    let said = text(&answer.stderr);
    assert!(
        said.contains("checks/a.yaml:3:") && said.contains("a password must not stand in the file"),
        "{said}"
    );
    assert!(
        said.contains("alerts/a.yaml:2:") && said.contains("${env:NAME}"),
        "{said}"
    );
    assert!(
        !said.contains(SHOP_PASSWORD) && !said.contains("abcdef123456"),
        "{said}"
    );
}
