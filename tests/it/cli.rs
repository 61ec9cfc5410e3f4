//! Exit codes, reports, and what is printed.

use std::net::TcpListener;

use crate::support::{Folder, Site, output, text};

fn folder(site: &Site) -> Folder {
    let folder = Folder::new();
    let (shop, partner) = (site.shop(), site.partner());
    folder
        .write("haetae.yaml", "defaults: { every: 1m, timeout: 5s }\nwebdriver: { command: no-such-chromedriver }\n")
        .write("checks/passing.yaml", &format!("http: {{ url: {shop}/shop/login }}\n"))
        .write(
            "checks/warning.yaml",
            &format!("http: {{ url: {partner}/health }}\nmeasure: {{ workers: {{ json: $.workers }} }}\nthresholds: {{ workers: {{ warning: below 100 }} }}\n"),
        )
        .write(
            "checks/failing.yaml",
            &format!("http: {{ url: {partner}/health }}\nexpect: {{ json: {{ $.status: \"내려감 \\\"<&]]>\\u0001 🔥\" }} }}\n"),
        )
        .write("checks/blind.yaml", "browser: { url: \"http://127.0.0.1:1/\" }\nsteps: [{ open: / }]\n")
        .write("checks/off.yaml", &format!("enabled: false\nhttp: {{ url: {shop}/shop/login }}\n"));
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_are_those_of_the_contract() {
    let site = Site::start().await;
    let folder = folder(&site);
    for (args, code) in [
        (&["run", "passing"][..], 0),
        (&["run", "warning"], 0),
        (&["run", "warning", "--fail-on", "warning"], 1),
        (&["run", "failing"], 2),
        (&["run", "blind"], 3),
        (&["run", "passing", "warning", "failing", "blind"], 2),
        (&["run", "blind", "warning", "--fail-on", "warning"], 3),
        (&["run", "off"], 0),
        (&["run", "of*"], 64),
        (&["run", "no-such-check"], 64),
        (&["run", "tag:nobody"], 64),
        (&["run", "--no-such-flag"], 64),
        (&["no-such-command"], 64),
        (&["--help"], 0),
        (&["--version"], 0),
        (&["validate"], 0),
        (&["list"], 0),
        (&["show", "passing"], 0),
        (&["show", "pasing"], 64),
    ] {
        let answer = output(folder.path(), args);
        assert_eq!(
            answer.status.code(),
            Some(code),
            "{args:?}\n{}\n{}",
            text(&answer.stdout),
            text(&answer.stderr)
        );
    }
    folder.write("checks/broken.yaml", "every: 5\n");
    assert_eq!(output(folder.path(), &["run", "passing"]).status.code(), Some(78));
    assert_eq!(output(folder.path(), &["validate"]).status.code(), Some(78));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_junit_file_is_read_by_another_parser() {
    let site = Site::start().await;
    let folder = folder(&site);
    let file = folder.path().join("out/haetae.xml");
    let answer = output(
        folder.path(),
        &[
            "run",
            "passing",
            "warning",
            "failing",
            "blind",
            "--junit",
            file.to_str().unwrap(),
        ],
    );
    assert_eq!(answer.status.code(), Some(2));
    let xml = std::fs::read_to_string(&file).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let suite = document
        .descendants()
        .find(|node| node.has_tag_name("testsuite"))
        .unwrap();
    assert_eq!(suite.attribute("tests"), Some("4"));
    assert_eq!(suite.attribute("failures"), Some("1"));
    assert_eq!(suite.attribute("errors"), Some("1"));
    let failure = document
        .descendants()
        .find(|node| node.has_tag_name("failure"))
        .unwrap();
    let message = failure.attribute("message").unwrap();
    assert!(
        message.contains("내려감") && message.contains("<&]]>") && message.contains('🔥'),
        "{message}"
    );
    let warning = document
        .descendants()
        .find(|node| node.attribute("name") == Some("warning"))
        .and_then(|case| case.children().find(|node| node.has_tag_name("system-out")))
        .unwrap();
    assert!(warning.text().unwrap().contains("workers is 12, below 100"));
}

#[tokio::test(flavor = "multi_thread")]
async fn json_on_stdout_is_json_and_nothing_else_when_asked() {
    let site = Site::start().await;
    let folder = folder(&site);
    let file = folder.path().join("runs.json");
    let answer = output(
        folder.path(),
        &["run", "failing", "--json", file.to_str().unwrap()],
    );
    assert_eq!(answer.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(json["worst"], "critical");
    assert_eq!(json["runs"][0]["run"]["verdict"]["level"], "critical");
    let answer = output(folder.path(), &["run", "failing", "--json", "-"]);
    let json: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(json["worst"], "critical");
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_are_given_on_the_command_line() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.write("checks/a.yaml", "every: 1m\ntimeout: 5s\nvars: { base: \"http://127.0.0.1:1\" }\nhttp: { url: \"${vars.base}/shop/login\" }\n");
    assert_eq!(output(folder.path(), &["run"]).status.code(), Some(2));
    let var = format!("base={}", site.shop());
    assert_eq!(
        output(folder.path(), &["run", "--var", &var]).status.code(),
        Some(0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_asks_only_for_the_secrets_of_what_it_runs() {
    let site = Site::start().await;
    let folder = Folder::new();
    let shop = site.shop();
    folder
        .write("haetae.yaml", "defaults: { every: 1m, timeout: 5s }\n")
        .write("checks/open.yaml", &format!("http: {{ url: {shop}/shop/login }}\n"))
        .write(
            "checks/locked.yaml",
            &format!("http: {{ url: {shop}/shop/login, auth: {{ bearer: \"${{env:HAETAE_TEST_NOT_SET}}\" }} }}\n"),
        )
        .write("alerts/a.yaml", "channels: { c: { slack: { webhook: \"${env:HAETAE_TEST_NOT_SET_EITHER}\" } } }\nroutes: [{ name: all, to: [c] }]\n");
    assert_eq!(output(folder.path(), &["run", "open"]).status.code(), Some(0));
    let locked = output(folder.path(), &["run", "locked"]);
    assert_eq!(locked.status.code(), Some(78));
    assert!(text(&locked.stderr).contains("`HAETAE_TEST_NOT_SET` is not set"));
    let all = text(&output(folder.path(), &["validate"]).stderr);
    assert!(
        all.contains("HAETAE_TEST_NOT_SET`") && all.contains("HAETAE_TEST_NOT_SET_EITHER"),
        "{all}"
    );
    assert_eq!(
        output(folder.path(), &["validate", "--no-secrets"]).status.code(),
        Some(0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_the_middle_leaves_a_report_of_what_ran() {
    let site = Site::start().await;
    let folder = Folder::new();
    // Accepts, and never answers.
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hung.local_addr().unwrap();
    folder
        .write("haetae.yaml", "defaults: { every: 1m, timeout: 30s }\n")
        .write(
            "checks/fine.yaml",
            &format!("http: {{ url: {}/shop/login }}\n", site.shop()),
        )
        .write(
            "checks/hung.yaml",
            &format!("http: {{ url: \"http://{address}/\" }}\n"),
        );
    let report = folder.path().join("r.xml");
    let mut child = crate::support::program(folder.path())
        .args(["run", "--junit", report.to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert!(line.contains("fine"), "{line}");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let xml = std::fs::read_to_string(report).unwrap();
    assert!(xml.contains("tests=\"1\"") && xml.contains("fine"), "{xml}");
}

#[test]
fn help_has_examples_everywhere() {
    let folder = Folder::new();
    for command in [
        "serve", "run", "trigger", "deploy", "token", "validate", "list", "show", "schema", "demo",
    ] {
        let help = text(&output(folder.path(), &[command, "--help"]).stdout);
        assert!(help.contains("Examples:"), "{command}");
    }
}

#[test]
fn schemas_are_json_and_refuse_unknown_keys() {
    let folder = Folder::new();
    for which in ["check", "alerts", "settings"] {
        let answer = output(folder.path(), &["schema", which]);
        let schema: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        let definitions = schema["$defs"].as_object().unwrap();
        assert!(
            definitions
                .values()
                .all(|definition| definition["additionalProperties"] == false)
        );
    }
}
