//! Applications that none of us wrote: Django's admin, Verdaccio, TiddlyWiki. Their scenarios
//! are well as long as the application is, and name the cause when it is broken on purpose.
//!
//! `HAETAE_APP_RUNS=200` runs each scenario 200 times. Without the applications
//! (`scripts/install-test-apps.sh`) these tests say so and fail.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use haetae::app::services_with_evidence;
use haetae::check::{Runnable, Services};
use haetae::clock::wall_now;
use haetae::config::{LoadOptions, load};
use haetae::decode::SecretMode;
use haetae::model::{Outcome, SharedRedactor, StepResult};
use haetae::schedule::{Job, run_once};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::proxy::{Break, Proxy};
use crate::support::{Folder, PATIENCE, provider};

const PASSWORD: &str = "s3cret-of-the-app";
const VEIL: &str = "<div style=\"position:fixed;inset:0;z-index:99999;background:rgba(0,0,0,.4)\">We use cookies</div></body>";

/// An application that runs until it is dropped.
struct Application {
    name: &'static str,
    port: u16,
    process: Child,
    _data: tempfile::TempDir,
}

impl Application {
    async fn start(name: &'static str, first_page: &str) -> Self {
        provider();
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let data = tempfile::tempdir().unwrap();
        let script = format!("{}/tests/apps/{name}/start.sh", env!("CARGO_MANIFEST_DIR"));
        let process = Command::new(script)
            .arg(port.to_string())
            .env("HAETAE_APP_DATA", data.path())
            .env("HAETAE_APP_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut application = Self {
            name,
            port,
            process,
            _data: data,
        };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}{first_page}", application.url());
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return application;
            }
            let ended = application.process.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "{name} did not start ({ended:?}); is it installed? scripts/install-test-apps.sh"
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let _ = kill_process_group(id.unwrap(), Signal::KILL);
        let _ = self.process.wait();
    }
}

/// The scenario of an application, at an address.
struct Scenario {
    check: Runnable,
    services: Arc<Services>,
    _folder: Folder,
}

impl Scenario {
    fn of(name: &str, url: &str, step_timeout: &str) -> Self {
        let folder = Folder::new();
        let file = format!("{}/tests/apps/scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(file).unwrap();
        let text = text.replace("${env:HAETAE_APP_PASSWORD}", "${file:password.txt}");
        folder.write("password.txt", PASSWORD);
        folder.write("haetae.yaml", &format!("step_timeout: {step_timeout}\n"));
        folder.write("checks/app.yaml", &text);
        let project = load(&LoadOptions {
            root: folder.path().to_path_buf(),
            vars: vec![("app".to_owned(), url.to_owned())],
            secrets: SecretMode::Ask,
            now: wall_now(),
        });
        assert!(project.is_sound(), "{:?}", project.problems);
        let check = project.checks.values().next().unwrap().clone();
        let services = services_with_evidence(
            &project,
            folder.path().join("evidence"),
            &SharedRedactor::default(),
        );
        Self {
            check,
            services,
            _folder: folder,
        }
    }

    async fn run(&self) -> Outcome {
        let job = Job {
            runnable: self.check.clone(),
            due: wall_now(),
        };
        run_once(job, Arc::clone(&self.services)).await.outcome
    }

    async fn end(self) {
        self.services.browsers.shut_down().await;
    }
}

fn runs() -> usize {
    let asked = std::env::var("HAETAE_APP_RUNS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// Runs the scenario again and again, two at a time; not one may fail.
async fn stays_well(application: &Application) {
    let scenario = Arc::new(Scenario::of(application.name, &application.url(), "10s"));
    let mut going = JoinSet::new();
    let (mut started, mut done) = (0, 0);
    while done < runs() {
        while started < runs() && going.len() < 2 {
            started += 1;
            let scenario = Arc::clone(&scenario);
            going.spawn(async move { scenario.run().await });
        }
        let outcome = going.join_next().await.unwrap().unwrap();
        done += 1;
        if done % 20 == 0 {
            eprintln!("{}: {done} runs", application.name);
        }
        assert!(
            outcome.has_answer() && outcome.broken.is_empty(),
            "run {done} of {}: {:?} {:?}\n{:?}\n{:?}",
            application.name,
            outcome.answer,
            outcome.broken,
            outcome.remarks,
            outcome.evidence
        );
        assert!(outcome.evidence.steps.len() >= 8);
        let again = outcome
            .remarks
            .iter()
            .filter(|remark| remark.contains("once more"));
        assert_eq!(again.count(), 0, "{:?}", outcome.remarks);
    }
    scenario.services.browsers.shut_down().await;
}

/// Breaks the application in one way: the step and the words that tell it.
async fn is_noticed(application: &Application, breaks: Break, step: &str, said: &[&str]) {
    let proxy = Proxy::start(application.port, breaks).await;
    // Breaks that delay are to be noticed soon.
    let scenario = Scenario::of(application.name, &proxy.url(), "5s");
    let outcome = scenario.run().await;
    let failed: Vec<_> = outcome
        .evidence
        .steps
        .iter()
        .filter(|record| matches!(record.result, StepResult::Failed(_)))
        .collect();
    let first = failed
        .first()
        .unwrap_or_else(|| panic!("{} did not notice: {step}", application.name));
    assert!(
        first.step.contains(step),
        "{step}: {:?} {:?}",
        first,
        outcome.broken
    );
    let told = format!("{:?} {:?}", outcome.broken, outcome.evidence.failed_requests);
    for part in said {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    scenario.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn django_admin_stays_well_and_every_break_is_told() {
    let app = Application::start("django", "/admin/login/").await;
    stays_well(&app).await;
    let replace = Break::replace;
    is_noticed(
        &app,
        replace("/admin/login/", "value=\"Log in\"", "value=\"Sign in\""),
        "click: Log in",
        &["nothing called \\\"Log in\\\"", "Sign in"],
    )
    .await;
    is_noticed(
        &app,
        Break::status("POST", "/admin/library/article/add/", 500),
        "see: was added successfully",
        &["was added successfully", "500"],
    )
    .await;
    is_noticed(
        &app,
        Break::status("GET", "/static/admin/js/admin/DateTimeShortcuts.js", 404),
        "click: Today",
        &["nothing called \\\"Today\\\"", "DateTimeShortcuts.js", "404"],
    )
    .await;
    is_noticed(
        &app,
        replace("/delete/", "</body>", VEIL),
        "click: Yes, I",
        &["is covered by"],
    )
    .await;
    is_noticed(
        &app,
        replace(
            "/change/",
            "name=\"published\" id=\"id_published\">",
            "name=\"published\" id=\"id_published\" checked>",
        ),
        "expect: [{ of: { label: Title }",
        &["it is ticked"],
    )
    .await;
    is_noticed(
        &app,
        replace("/admin/logout/", "Logged out", "Session ended"),
        "see: Logged out",
        &["Session ended"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verdaccio_stays_well_and_every_break_is_told() {
    let app = Application::start("verdaccio", "/").await;
    stays_well(&app).await;
    is_noticed(
        &app,
        Break::status("", "/-/verdaccio/data/packages", 500),
        "see: Dark bread that keeps for a week",
        &["Dark bread", "/-/verdaccio/data/packages", "500"],
    )
    .await;
    is_noticed(
        &app,
        Break::status("", "/-/verdaccio/sec/login", 500),
        "wait_for: { gone: { role: dialog } }",
        &["is still there", "/-/verdaccio/sec/login"],
    )
    .await;
    is_noticed(
        &app,
        Break::replace(
            "/-/verdaccio/data/package/readme/oat-porridge",
            "Stir slowly",
            "Boil quickly",
        ),
        "see: Stir slowly, serve warm.",
        &["Boil quickly"],
    )
    .await;
    is_noticed(
        &app,
        Break::drops("", "/-/verdaccio/data/sidebar/oat-porridge"),
        "see: npm install oat-porridge@2.0.0",
        &["/-/verdaccio/data/sidebar/oat-porridge"],
    )
    .await;
    is_noticed(
        &app,
        Break::delays("", "/-/verdaccio/data/search/", Duration::from_secs(15)),
        "click: { role: option, name: oat-porridge }",
        &["oat-porridge"],
    )
    .await;
    is_noticed(
        &app,
        Break::replace("=/", "</body>", "<div style=\"position:fixed;top:0;right:0;width:420px;height:70px;z-index:99999;background:#fc0\">Sale</div></body>"),
        "click: Login",
        &["is covered by", "Sale"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tiddlywiki_stays_well_and_every_break_is_told() {
    let app = Application::start("tiddlywiki", "/").await;
    stays_well(&app).await;
    is_noticed(
        &app,
        Break::replace("=/", "Confirm changes to this tiddler", "Done"),
        "click: Confirm changes to this tiddler",
        &["nothing called"],
    )
    .await;
    is_noticed(
        &app,
        Break::replace("=/", "</body>", VEIL),
        "click: new tiddler",
        &["is covered by"],
    )
    .await;
    is_noticed(
        &app,
        Break::replace("=/", "Syncing Changes to the Server", "Something went wrong"),
        "see: Syncing Changes to the Server",
        &["Something went wrong"],
    )
    .await;
    is_noticed(
        &app,
        Break::replace("=/", "$tw.boot.boot(", "$tw.boot.boo("),
        "see: Syncing Changes to the Server",
        &["nothing called"],
    )
    .await;
    is_noticed(
        &app,
        Break::status("DELETE", "/bags/default/tiddlers/Note", 204),
        "see: 0 matches",
        &["0 matches"],
    )
    .await;
}
