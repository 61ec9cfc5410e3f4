//! The pipelines of `examples/jenkins/`: every shell line of theirs, as Jenkins runs it.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::faults::{Bad, bad, refused};
use crate::support::{Folder, PATIENCE, Running, Site, text};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/jenkins")
        .join(name)
}

fn pipeline(name: &str) -> String {
    std::fs::read_to_string(example(&format!("{name}.Jenkinsfile"))).unwrap()
}

/// What a pipeline gives to `sh`, in order.
fn shell_lines(pipeline: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = pipeline;
    while let Some(at) = ["sh '", "script: '"]
        .iter()
        .filter_map(|mark| rest.find(mark).map(|at| at + mark.len()))
        .min()
    {
        let (line, after) = rest[at..].split_once('\'').unwrap();
        assert!(!line.contains('\\'), "Groovy would change {line}");
        lines.push(line.to_owned());
        rest = after;
    }
    let steps = pipeline.matches(" sh '").count() + pipeline.matches(" sh(").count();
    assert_eq!(lines.len(), steps, "{pipeline}");
    lines
}

/// A workspace as Jenkins checks it out, with one check of this level.
struct Workspace {
    folder: Folder,
    env: BTreeMap<&'static str, String>,
}

impl Workspace {
    fn new(site: &Site, level: &str) -> Self {
        let folder = Folder::new();
        let partner = if level == "critical" {
            format!("http://{}", refused())
        } else {
            site.partner()
        };
        let bound = if level == "warning" { "1B" } else { "1MiB" };
        folder
            .write(
                "checks/shop/partner.yaml",
                &format!(
                    "every: 1h\ntimeout: 5s\ntags: [smoke]\nvars: {{ base_url: \"{partner}\" }}\nhttp: {{ url: \"${{vars.base_url}}/health\" }}\nthresholds: {{ body_size: {{ warning: above {bound} }} }}\n"
                ),
            )
            .write(
                "ci/haetae-http.sh",
                &std::fs::read_to_string(example("haetae-http.sh")).unwrap(),
            )
            .write("ci/deploy.sh", "echo \"$1\" > deployed\n")
            .write("ci/roll-back.sh", "touch rolled-back\n");
        let env = [
            ("BUILD_TAG", format!("jenkins-{level}")),
            ("JOB_NAME", "shop \"nightly\"".into()),
            ("BUILD_DISPLAY_NAME", "#214".into()),
            ("BUILD_URL", "https://ci.example/job/shop/214/".into()),
            ("SELECTORS", "tag:smoke shop/**".into()),
            ("FAIL_ON", "warning".into()),
            ("BASE_URL", partner),
            ("VERSION", "1.2".into()),
            ("HAETAE_MATCH", "{\"group\": \"shop\"}".into()),
            ("HAETAE_VERIFY_FOR", "1s".into()),
        ];
        Self {
            folder,
            env: env.into(),
        }
    }

    /// A shell line as Jenkins runs it.
    fn command(&self, line: &str) -> Command {
        let haetae = Path::new(env!("CARGO_BIN_EXE_haetae")).parent().unwrap();
        let path = format!("{}:{}", haetae.display(), std::env::var("PATH").unwrap());
        self.folder.write("script.sh", line);
        let mut command = Command::new("sh");
        command
            .args(["-xe", "script.sh"])
            .current_dir(self.folder.path())
            .envs(&self.env)
            .env("PATH", path)
            .stdin(Stdio::null());
        command
    }

    fn sh(&self, line: &str) -> (Option<i32>, String) {
        let answer = self.command(line).output().unwrap();
        let said = format!("{}{}", text(&answer.stdout), text(&answer.stderr));
        (answer.status.code(), said)
    }

    fn report(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("out/haetae.xml")).unwrap()
    }
}

/// The levels of a check, what haetae ends with, and what the JUnit report says.
const LEVELS: [(&str, i32, &str); 3] = [
    ("ok", 0, "failures=\"0\""),
    ("warning", 1, "type=\"warning\""),
    ("critical", 2, "type=\"critical\""),
];

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_with_the_program_report_and_end_as_they_say() {
    let site = Site::start().await;
    for name in ["agent", "container", "parameters", "nightly"] {
        let lines = shell_lines(&pipeline(name));
        for (level, code, part) in LEVELS {
            let workspace = Workspace::new(&site, level);
            let (last, first) = lines.split_last().unwrap();
            for line in first {
                assert_eq!(workspace.sh(line).0, Some(0), "{name}: {line}");
            }
            let (found, said) = workspace.sh(last);
            assert_eq!(found, Some(code), "{name}, {level}: {last}\n{said}");
            let report = workspace.report();
            assert!(report.contains(part), "{name}, {level}:\n{report}");
            assert!(workspace.folder.path().join("out/haetae.html").exists(), "{name}");
        }
    }
}

/// A haetae that serves the checks of a workspace.
async fn served(site: &Site, level: &str) -> (Workspace, Running) {
    let mut workspace = Workspace::new(site, level);
    let running = Running::start(&workspace.folder).await;
    let server = format!("http://{}", running.address);
    workspace.env.insert("HAETAE_SERVER", server);
    (workspace, running)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_with_curl_alone_has_a_server_run_checks() {
    let site = Site::start().await;
    for (level, code, part) in LEVELS {
        let (workspace, running) = served(&site, level).await;
        let (last, first) = {
            let mut lines = shell_lines(&pipeline("http"));
            (lines.pop().unwrap(), lines)
        };
        for line in first {
            assert_eq!(workspace.sh(&line).0, Some(0), "{line}");
        }
        let (found, said) = workspace.sh(&last);
        assert_eq!(found, Some(code), "{level}: {said}");
        assert!(workspace.report().contains(part), "{level}");
        // Asked again by the same build, it is the same run.
        assert_eq!(workspace.sh(&last).0, Some(code), "{level}");
        let runs = running.json("/api/v1/runs").await;
        assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs:#}");
        assert_eq!(runs["runs"][0]["reason"], "shop \"nightly\" #214");
        assert_eq!(runs["runs"][0]["link"], "https://ci.example/job/shop/214/");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_is_told() {
    let site = Site::start().await;
    let (mut workspace, running) = served(&site, "ok").await;
    let script = "sh ci/haetae-http.sh";
    for (env, arguments, code, part) in [
        (
            ("FAIL_ON", ""),
            "run out/haetae.xml tag:nothing",
            64,
            "matches no enabled check",
        ),
        (
            ("FAIL_ON", ""),
            "run out/haetae.xml",
            64,
            "haetae-http.sh run REPORT",
        ),
        (("FAIL_ON", ""), "quiet 5y note", 64, "answers 400"),
        (
            ("HAETAE_TOKEN", "wrong"),
            "run out/haetae.xml shop/partner",
            64,
            "answers 401",
        ),
        (("HAETAE_MATCH", ""), "quiet 5m note", 64, "HAETAE_MATCH="),
        (("HAETAE_SERVER", ""), "quiet 5m note", 2, "say where haetae is"),
    ] {
        let before = workspace.env.insert(env.0, env.1.to_owned());
        let (found, said) = workspace.sh(&format!("{script} {arguments}"));
        assert!(
            found == Some(code) && said.contains(part),
            "{arguments}: {found:?}, {said}"
        );
        assert!(
            !workspace.folder.path().join("out/haetae.xml").exists(),
            "{arguments}"
        );
        match before {
            Some(value) => workspace.env.insert(env.0, value),
            None => workspace.env.remove(env.0),
        };
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_build_cancels_what_it_asked_for() {
    let site = Site::start().await;
    let mut workspace = Workspace::new(&site, "ok");
    let silent = bad(Bad::Silent);
    workspace.folder.write(
        "checks/slow.yaml",
        &format!("every: 1h\ntimeout: 30s\nhttp: {{ url: \"http://{silent}/\" }}\n"),
    );
    let running = Running::start(&workspace.folder).await;
    let server = format!("http://{}", running.address);
    workspace.env.insert("HAETAE_SERVER", server);
    let mut build = workspace
        .command("sh ci/haetae-http.sh run out/haetae.xml slow")
        .process_group(0)
        .spawn()
        .unwrap();
    let state = |wanted: &'static str| move |answer: &Value| answer["runs"][0]["state"] == wanted;
    running
        .wait("/api/v1/runs", "the triggered run", state("running"))
        .await;
    let group = Pid::from_raw(i32::try_from(build.id()).unwrap()).unwrap();
    kill_process_group(group, Signal::TERM).unwrap();
    let ended = tokio::task::spawn_blocking(move || build.wait().unwrap());
    tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    running
        .wait("/api/v1/runs", "the end of the run", state("cancelled"))
        .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_quiet_and_lets_only_what_is_well_pass() {
    let site = Site::start().await;
    for (level, code, state) in [("ok", 0, "verified"), ("critical", 2, "failed")] {
        let (workspace, running) = served(&site, level).await;
        let lines = shell_lines(&pipeline("deploy"));
        let [clean, quiet, deploy, verify, roll_back] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        for line in [clean, quiet, deploy] {
            let (found, said) = workspace.sh(line);
            assert_eq!(found, Some(0), "{line}: {said}");
        }
        let silences = running.json("/api/v1/deployments").await;
        assert_eq!(silences["deployments"][0]["reason"], "deploying the shop 1.2");
        assert_eq!(silences["deployments"][0]["state"], "quiet", "{silences:#}");
        let (found, said) = workspace.sh(verify);
        assert!(
            found == Some(code) && said.contains(state),
            "{level}: {found:?} {said}"
        );
        assert!(
            workspace.report().contains("<testcase name=\"partner\""),
            "{level}"
        );
        if code == 2 {
            assert!(said.contains("connection refused"), "{said}");
            assert_eq!(workspace.sh(roll_back).0, Some(0));
        }
        running.stop().await;
    }
}

/// There is no Jenkins here to read the Groovy: what can be looked at without it.
#[test]
fn pipelines_decide_by_the_exit_code() {
    let decision = pipeline("agent");
    let decision = &decision[decision.find("// 1 is a warning").unwrap()..];
    for name in ["agent", "container", "http", "parameters", "nightly", "deploy"] {
        let pipeline = pipeline(name);
        for (open, close) in [('{', '}'), ('(', ')'), ('[', ']')] {
            assert_eq!(
                pipeline.matches(open).count(),
                pipeline.matches(close).count(),
                "{name}: {open}"
            );
        }
        assert_eq!(pipeline.matches("returnStatus: true").count(), 1, "{name}");
        assert!(pipeline.contains("skipOldReports: true"), "{name}");
        let decides = pipeline.ends_with(decision) && pipeline.contains("judge(code)");
        assert!(decides || pipeline.contains("if (code != 0) {"), "{name}");
    }
}

/// What the page shows is what was tried.
#[test]
fn the_page_shows_the_pipelines_as_they_are() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/jenkins.md")).unwrap();
    let all: String = ["agent", "container", "http", "parameters", "nightly", "deploy"]
        .map(pipeline)
        .concat();
    let blocks: Vec<&str> = page
        .split("```groovy\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() > 3, "{page}");
    for block in blocks {
        assert!(all.contains(block), "{block}");
    }
}
