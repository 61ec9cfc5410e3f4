//! What tests share: a demo, a project folder, the program.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use haetae::app::{App, AppOptions};
use haetae::clock::wall_now;
use haetae::config::{LoadOptions, Project, load};
use haetae::decode::SecretMode;
use haetae::demo::{Demo, DemoOptions};
use haetae::model::SharedRedactor;
use haetae::schedule::RunnerOptions;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Nothing that is awaited in a test takes longer, unless something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(40);

pub const SLACK_TOKEN: &str = "xoxb-slack-hook-token-8842";
pub const DOORAY_TOKEN: &str = "dooray-hook-token-5519";
pub const SHOP_PASSWORD: &str = "let-me-in-to-the-demo";

/// The TLS provider that `main` installs.
pub fn provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A demo on free ports.
pub struct Site {
    pub demo: Demo,
    client: reqwest::Client,
}

impl Site {
    pub async fn start() -> Self {
        provider();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = DemoOptions {
            listen: any,
            partner_listen: any,
        };
        Self {
            demo: Demo::start(options).await.unwrap(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    pub fn shop(&self) -> String {
        format!("http://{}", self.demo.site())
    }

    pub fn partner(&self) -> String {
        format!("http://{}", self.demo.partner())
    }

    /// Turns a knob: `partner=slow`.
    pub async fn control(&self, knob: &str) {
        let url = format!("{}/demo/control", self.shop());
        let (key, value) = knob.split_once('=').unwrap();
        let value: Value = value.parse::<i64>().map_or_else(|_| value.into(), Value::from);
        let body = serde_json::json!({ key: value });
        let answer = self.client.post(url).json(&body).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{knob}: {}",
            answer.text().await.unwrap()
        );
    }

    /// Every message of a service, the oldest first.
    pub async fn inbox(&self, service: &str) -> Vec<Value> {
        let url = format!("{}/inbox.json?service={service}", self.shop());
        self.client.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Waits until a service has so many messages.
    pub async fn wait_for_messages(&self, service: &str, count: usize) -> Vec<Value> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let messages = self.inbox(service).await;
            if messages.len() >= count {
                return messages;
            }
            assert!(
                tokio::time::Instant::now() < until,
                "{service} has {} of {count} messages: {messages:#?}",
                messages.len()
            );
            let after = messages
                .last()
                .map_or(0, |message| message["id"].as_i64().unwrap());
            let url = format!(
                "{}/inbox.json?service={service}&after={after}&wait_ms=1000",
                self.shop()
            );
            let _ = self.client.get(url).send().await;
        }
    }

    /// The messages' first lines, for comparison.
    pub async fn headlines(&self, service: &str) -> Vec<String> {
        self.inbox(service)
            .await
            .iter()
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A project folder that is removed at the end.
pub struct Folder {
    pub dir: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("checks")).unwrap();
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// The usual two channels on a demo: criticals to Slack, the rest to Dooray.
    pub fn with_alerts(&self, site: &Site) -> &Self {
        let shop = site.shop();
        self.write(
            "alerts/a.yaml",
            &format!(
                "channels:
  oncall: {{ slack: {{ webhook: \"{shop}/slack/services/T1/B1/{SLACK_TOKEN}\" }} }}
  watch: {{ dooray: {{ webhook: \"{shop}/dooray/services/1/2/{DOORAY_TOKEN}\" }} }}
routes:
  - {{ name: critical, match: {{ level: critical }}, to: [oncall], group_wait: 50ms }}
  - {{ name: rest, to: [watch], group_wait: 50ms }}
"
            ),
        )
    }

    /// The partner, watched closely.
    pub fn with_partner(&self, site: &Site) -> &Self {
        self.write(
            "checks/partners/payment.yaml",
            &format!(
                "name: Payment gateway
every: 150ms
timeout: 2s
http: {{ url: {}/health }}
expect: {{ status: 200, json: {{ $.status: UP }} }}
measure: {{ workers: {{ json: $.workers }} }}
thresholds:
  response_time: {{ warning: above 300ms, critical: above 1900ms }}
  workers: {{ warning: outside 3..50 }}
",
                site.partner()
            ),
        )
    }

    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            root: self.path().to_owned(),
            vars: Vec::new(),
            secrets: SecretMode::Ask,
            now: wall_now(),
        }
    }

    pub fn load(&self) -> Project {
        load(&self.load_options())
    }

    /// The project's problems as they are printed.
    pub fn problems(&self) -> String {
        let all: Vec<String> = self.load().problems.iter().map(ToString::to_string).collect();
        all.join("\n")
    }
}

/// A haetae in this process.
pub struct Running {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start(folder: &Folder) -> Self {
        provider();
        let project = folder.load();
        assert!(project.is_sound(), "{}", folder.problems());
        let options = AppOptions {
            load: folder.load_options(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            store_url: "sqlite://data/haetae.db".into(),
            redactor: SharedRedactor::default(),
            runner: RunnerOptions::default(),
            watch_files: true,
            access: haetae::app::AccessRules::default(),
        };
        let app = App::start(project, options).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        Self {
            address: app.address(),
            stop,
            task: tokio::spawn(app.run(async {
                let _ = stopped.await;
            })),
        }
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the shutdown hangs")
            .unwrap();
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .get(format!("http://{}{path}", self.address))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub async fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until something holds of an answer.
    pub async fn wait(&self, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.json(path).await;
            if holds(&answer) {
                return answer;
            }
            assert!(
                tokio::time::Instant::now() < until,
                "{what} did not come: {answer:#}"
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

/// The program itself, in a folder.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haetae"));
    command
        .arg("-C")
        .arg(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

pub fn output(folder: &Path, args: &[&str]) -> Output {
    program(folder).args(args).output().unwrap()
}

/// Every check of a folder, once: exit code, what was said, and the JSON report.
pub fn run_all(folder: &Folder) -> (Option<i32>, String, Value) {
    let (json, artifacts) = (folder.path().join("r.json"), folder.path().join("artifacts"));
    let args = [
        "run",
        "--json",
        json.to_str().unwrap(),
        "--artifacts",
        artifacts.to_str().unwrap(),
    ];
    let answer = output(folder.path(), &args);
    let report = serde_json::from_slice(&std::fs::read(&json).unwrap_or_default()).unwrap_or_default();
    let said = format!("{}{}", text(&answer.stdout), text(&answer.stderr));
    (answer.status.code(), said, report)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Processes (not yet reaped ones aside) that were started with temporary files in a folder
/// of this haetae process.
pub fn browser_processes_of(pid: u32) -> Vec<String> {
    let mark = format!("TMPDIR={}/haetae-browser-{pid}-", std::env::temp_dir().display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment
            .windows(mark.len())
            .any(|window| window == mark.as_bytes())
        {
            found.push(std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default());
        }
    }
    found
}

/// Folders that browsers of this haetae process left.
pub fn browser_folders_of(pid: u32) -> Vec<PathBuf> {
    let prefix = format!("haetae-browser-{pid}-");
    std::fs::read_dir(std::env::temp_dir())
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
        })
        .collect()
}
