//! Exit codes, reports, and what is printed.

use std::net::TcpListener;

use clap::CommandFactory;

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
        (
            &["run", "passing", "failing", "warning", "--fail-on", "warning"],
            2,
        ),
        (&["run", "failing", "blind"], 2),
        (&["run", "blind", "warning", "--fail-on", "warning"], 3),
        (&["run", "passing", "blind", "warning"], 3),
        (&["run", "passing", "warning", "--fail-on", "warning"], 1),
        (&["run", "passing", "warning"], 0),
        (&["run", "passing", "--repeat", "2"], 0),
        (&["run", "failing", "--repeat", "2"], 2),
        (&["run", "passing", "--repeat", "0"], 64),
        (&["run", "passing", "--at-once", "0"], 64),
        (&["run", "passing", "--junit", "/proc/nowhere/r.xml"], 70),
        (&["run", "failing", "--json", "/proc/nowhere/r.json"], 70),
        (
            &["run", "passing", "--record", "--store", "postgres://db.example/x"],
            64,
        ),
        (&["completions", "no-such-shell"], 64),
        (&["import", "no-such-file.har"], 64),
        (&["man"], 0),
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
fn a_signal_in_the_middle_is_its_exit_code() {
    let folder = Folder::new();
    // Accepts, and never answers.
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http: {{ url: \"http://{}/\" }}\n", "127.0.0.1:1");
    folder
        .write("haetae.yaml", "defaults: { every: 1m, timeout: 30s }\n")
        .write("checks/refused.yaml", &refused)
        .write(
            "checks/hung.yaml",
            &format!("http: {{ url: \"http://{}/\" }}\n", hung.local_addr().unwrap()),
        );
    for (signal, code) in [
        (rustix::process::Signal::INT, 130),
        (rustix::process::Signal::TERM, 143),
    ] {
        let mut child = crate::support::program(folder.path())
            .arg("run")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        assert!(line.contains("refused"), "{line}");
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

/// Every command there is, subcommands too, as it is typed.
fn commands(command: &clap::Command, before: &[String]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for below in command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
    {
        let path: Vec<String> = before
            .iter()
            .cloned()
            .chain([below.get_name().to_owned()])
            .collect();
        all.extend(commands(below, &path));
        all.push(path);
    }
    all
}

#[test]
fn help_has_examples_everywhere() {
    let folder = Folder::new();
    let all = commands(&haetae::cli::Args::command(), &[]);
    assert!(all.len() > 20, "{all:?}");
    for path in all.iter().map(Vec::as_slice).chain([&[][..]]) {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let answer = output(folder.path(), &args);
        assert_eq!(answer.status.code(), Some(0), "{args:?}");
        assert!(text(&answer.stdout).contains("Examples:"), "{args:?}");
    }
}

#[test]
fn every_command_has_a_manual_page_and_is_completed() {
    let folder = Folder::new();
    let pages = folder.path().join("man");
    let answer = output(folder.path(), &["man", "--out", pages.to_str().unwrap()]);
    assert_eq!(answer.status.code(), Some(0), "{}", text(&answer.stderr));
    let main = text(&output(folder.path(), &["man"]).stdout);
    assert!(
        main.contains(".TH haetae 1") && main.contains("haetae\\-run(1)"),
        "{main}"
    );
    for path in commands(&haetae::cli::Args::command(), &[]) {
        let page = std::fs::read_to_string(pages.join(format!("haetae-{}.1", path.join("-")))).unwrap();
        assert!(page.contains("Examples:"), "{path:?}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&output(folder.path(), &["completions", shell]).stdout);
        assert!(
            script.contains("import") && script.contains("fail-on"),
            "{shell}: {script}"
        );
    }
    let script = folder.path().join("haetae.bash");
    std::fs::write(&script, output(folder.path(), &["completions", "bash"]).stdout).unwrap();
    let completed = std::process::Command::new("bash")
        .arg("-c")
        .arg(format!(
            ". {}; COMP_WORDS=(haetae run --ju); COMP_CWORD=2; _haetae haetae --ju run; echo ${{COMPREPLY[@]}}",
            script.display()
        ))
        .output()
        .unwrap();
    assert_eq!(text(&completed.stdout).trim(), "--junit --junit-steps");
}

#[test]
fn a_new_folder_is_sound_and_keeps_what_was_there() {
    let folder = Folder::new();
    let first = output(folder.path(), &["init", "watch"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(text(&first.stderr).contains("validate --no-secrets"));
    let watch = folder.path().join("watch");
    let validated = output(&watch, &["validate", "--no-secrets"]);
    let said = format!("{}{}", text(&validated.stdout), text(&validated.stderr));
    assert_eq!(validated.status.code(), Some(0), "{said}");
    assert!(said.contains("3 checks, 2 channels: all fine"), "{said}");
    let listed = text(&output(&watch, &["list"]).stdout);
    assert!(
        listed.contains("web/front-page") && listed.contains("web/log-in"),
        "{listed}"
    );
    std::fs::write(
        watch.join("haetae.yaml"),
        "defaults: { every: 2m, timeout: 9s }\n",
    )
    .unwrap();
    std::fs::remove_file(watch.join("checks/web/front-page.yaml")).unwrap();
    let second = output(&watch, &["init"]);
    assert_eq!(second.status.code(), Some(0));
    assert!(text(&second.stderr).contains("haetae.yaml is there already and was left alone"));
    assert!(text(&second.stdout).contains("front-page.yaml"));
    let kept = std::fs::read_to_string(watch.join("haetae.yaml")).unwrap();
    assert_eq!(kept, "defaults: { every: 2m, timeout: 9s }\n");
    assert!(
        std::fs::read_to_string(watch.join(".gitignore"))
            .unwrap()
            .contains("/data/")
    );
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
