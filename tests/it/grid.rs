//! Scenarios at a WebDriver that somebody else runs: geckodriver with Firefox, and a Selenium
//! Grid with Firefox and Chromium. `scripts/install-test-browsers.sh` installs them; without
//! them these tests say so and fail.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::faults::{Bad, bad};
use crate::pages::Pages;
use crate::servers::free_port;
use crate::support::{Folder, PATIENCE, SHOP_PASSWORD, Site, provider, run_all};

/// A cold Firefox, or a Java, on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(90);

/// A WebDriver that runs until it is dropped, with every browser of its own.
struct WebDriver {
    url: String,
    process: Child,
    client: reqwest::Client,
    _temporary: tempfile::TempDir,
}

impl WebDriver {
    async fn geckodriver() -> Self {
        let (port, events) = (free_port(), free_port());
        let mut command = Command::new(installed("bin/geckodriver"));
        command.args(["--binary", &firefox()]);
        command.args([
            "--port",
            &port.to_string(),
            "--websocket-port",
            &events.to_string(),
        ]);
        Self::start(command, port, tempfile::tempdir().unwrap()).await
    }

    /// Two places for Firefox, one for Chromium. A request for one waits for 60 s.
    async fn grid() -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("grid.toml");
        let shell = "/usr/lib/chromium/chromium-headless-shell";
        let chrome = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": if PathBuf::from(shell).exists() { shell } else { "/usr/bin/chromium" },
                "args": ["--no-sandbox"],
            },
        });
        let firefox = json!({ "browserName": "firefox", "moz:firefoxOptions": { "binary": firefox() } });
        let driver = |name: &str, program: &str, stereotype: &Value, sessions: u32| {
            format!(
                "[[node.driver-configuration]]\ndisplay-name = \"{name}\"\nwebdriver-executable = \"{program}\"\nstereotype = '{stereotype}'\nmax-sessions = {sessions}\n"
            )
        };
        let text = format!(
            "[server]\nport = {port}\nhost = \"127.0.0.1\"\n[sessionqueue]\nsession-request-timeout = 60\n[node]\ndetect-drivers = false\nselenium-manager = false\nmax-sessions = 3\noverride-max-sessions = true\n{}{}",
            driver("chrome", "/usr/bin/chromedriver", &chrome, 1),
            driver(
                "firefox",
                installed("bin/geckodriver").to_str().unwrap(),
                &firefox,
                2
            ),
        );
        std::fs::write(&settings, text).unwrap();
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-jar"]);
        command.arg(installed("selenium-server.jar"));
        command.args(["standalone", "--config"]).arg(settings);
        Self::start(command, port, folder).await
    }

    async fn start(mut command: Command, port: u16, temporary: tempfile::TempDir) -> Self {
        provider();
        let process = command
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/install-test-browsers.sh"));
        let mut driver = Self {
            url: format!("http://127.0.0.1:{port}"),
            process,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            _temporary: temporary,
        };
        let until = Instant::now() + START_PATIENCE;
        while driver.status().await["ready"] != true {
            let ended = driver.process.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "{command:?} did not start ({ended:?}); is it installed? scripts/install-test-browsers.sh"
            );
            sleep(Duration::from_millis(100)).await;
        }
        driver
    }

    async fn status(&self) -> Value {
        let answer = self.client.get(format!("{}/status", self.url)).send().await;
        let Ok(answer) = answer else { return Value::Null };
        let answer: Value = answer.json().await.unwrap_or_default();
        answer["value"].clone()
    }

    /// The sessions that a grid has now.
    async fn sessions(&self) -> Vec<String> {
        let status = self.status().await;
        let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
        nodes
            .iter()
            .flat_map(|node| node["slots"].as_array().cloned().unwrap_or_default())
            .filter_map(|slot| slot["session"]["sessionId"].as_str().map(str::to_owned))
            .collect()
    }

    async fn assert_no_session_is_left(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.sessions().await.is_empty() {
            assert!(Instant::now() < until, "{:?} are left", self.sessions().await);
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Takes a place, as somebody else would.
    async fn take(&self, browser: &str) -> String {
        let wanted = json!({ "browserName": browser, "goog:chromeOptions": { "args": ["--headless"] } });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } }).to_string();
        let answer = self
            .client
            .post(format!("{}/session", self.url))
            .header("content-type", "application/json; charset=utf-8")
            .body(body)
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["value"]["sessionId"].as_str().unwrap().to_owned()
    }

    async fn give_back(&self, session: &str) {
        let url = format!("{}/session/{session}", self.url);
        self.client.delete(url).send().await.unwrap();
    }

    fn kill(&mut self) {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let _ = kill_process_group(id.unwrap(), Signal::KILL);
        let _ = self.process.wait();
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        self.kill();
    }
}

fn installed(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("target/test-browsers")
        .join(name);
    assert!(
        path.exists(),
        "{} is not installed; run scripts/install-test-browsers.sh",
        path.display()
    );
    path
}

fn firefox() -> String {
    ["/usr/bin/firefox-esr", "/usr/bin/firefox"]
        .into_iter()
        .find(|path| PathBuf::from(path).exists())
        .expect("Firefox is not installed; run scripts/install-test-browsers.sh")
        .to_owned()
}

/// The demo shop's journey, at a WebDriver.
fn shop(site: &Site, at: &WebDriver, browser: &str, timeout: &str) -> Folder {
    let folder = Folder::new();
    folder.write("password.txt", SHOP_PASSWORD);
    let buy = concat!(env!("CARGO_MANIFEST_DIR"), "/checks/shop/buy.yaml");
    let buy = std::fs::read_to_string(buy).unwrap();
    // Waiting for a place is part of a run, and of no interest here.
    let (buy, _) = buy.rsplit_once("thresholds:").unwrap();
    let buy = buy
        .replace("${vars.demo}", &site.shop())
        .replace("checks/shop/qa-password.txt", "password.txt")
        .replace("timeout: 40s", &format!("timeout: {timeout}"));
    folder.write("checks/buy.yaml", &buy);
    settings(&folder, &at.url, browser);
    folder
}

fn settings(folder: &Folder, url: &str, browser: &str) {
    let text = format!("webdriver: {{ url: \"{url}\", browser: {browser} }}\nstep_timeout: 20s\n");
    folder.write("haetae.yaml", &text);
}

/// Verbs, locators and places, in one visit.
const VERBS: &str = "steps:
  - open: /
  - type: { into: Name, text: 안녕 Ada, clear: true }
  - expect: { value: 안녕 Ada, of: Name }
  - type: { into: Code, text: \"1234\", keys: true }
  - type: { into: Day, text: \"2026-12-31\" }
  - expect: { value: \"2026-12-31\", of: Day }
  - choose: { option: Large, from: Size }
  - check: I agree
  - expect: { checked: true, of: I agree }
  - click: Delete
  - dialog: accept
  - see: gone
  - inside: { frame: Pay }
    steps: [{ type: { into: Card, text: \"4111\" } }, { click: Send }, { see: paid }]
  - click: Shadow
  - see: opened
  - expect: { cookie: { theme: dark }, storage: { theme: dark } }
  - wait_for: idle
  - click: More
  - tab: 2
  - see: The other page
  - tab: close
  - open: /other
  - back
  - see: Delete
";

const HTML: &str = "<label>Name <input value=before></label><label>Code <input></label><label>Day <input type=date></label>\
    <label>Size <select><option>Small<option>Large</select></label><label><input type=checkbox> I agree</label>\
    <button onclick=\"out.textContent=confirm('Sure?')?'gone':'kept'\">Delete</button><p id=out></p>\
    <iframe title=Pay src=/pay></iframe><a href=/other target=_blank>More</a><x-card></x-card>\
    <script>document.cookie='theme=dark';localStorage.setItem('theme','dark');customElements.define('x-card',class extends HTMLElement{connectedCallback(){this.attachShadow({mode:'open'}).innerHTML='<button onclick=\"this.textContent=`opened`\">Shadow</button>'}})</script>";

#[tokio::test(flavor = "multi_thread")]
async fn firefox_at_a_geckodriver_goes_through_the_shop_and_every_verb() {
    let site = Site::start().await;
    let driver = WebDriver::geckodriver().await;
    let folder = shop(&site, &driver, "firefox", "120s");
    let pages = Pages::start(&[
        ("/", HTML),
        ("/other", "<p>The other page"),
        (
            "/pay",
            "<label>Card <input></label><button onclick=\"this.textContent='paid'\">Send</button>",
        ),
    ])
    .await;
    let verbs = format!(
        "every: 5m\ntimeout: 120s\nbrowser: {{ url: \"{}\", viewport: 900x700, locale: ko-KR, timezone: Asia/Seoul }}\n{VERBS}",
        pages.url()
    );
    // Two runs at once, at a driver that has one session at a time: one waits for the other.
    folder.write("checks/verbs.yaml", &verbs);
    let (code, said, report) = run_all(&folder);
    assert_eq!(code, Some(0), "{said}");
    let measured = &report["runs"][0]["run"]["outcome"]["measurements"];
    for name in ["duration", "step.Pay", "time_to_first_byte", "load", "requests"] {
        assert!(measured[name]["value"].is_number(), "{name}: {measured:#}");
    }

    site.control("shop=wrong").await;
    let (code, said, _) = run_all(&folder);
    assert_eq!(code, Some(2), "{said}");
    for part in ["fits: link \"Pay later\"", "screenshot: ", "page source: "] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }

    let check = format!(
        "every: 5m\ntimeout: 60s\nbrowser: {{ url: \"{}\" }}\nsteps:\n  - open: /\n  - expect: {{ download: a.csv }}\n",
        pages.url()
    );
    folder.write("checks/verbs.yaml", &check);
    std::fs::remove_file(folder.path().join("checks/buy.yaml")).unwrap();
    let (code, said, _) = run_all(&folder);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("`download:` cannot be looked at"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grid_serves_both_browsers_and_what_it_fails_at_is_never_the_pages_fault() {
    let site = Site::start().await;
    let mut grid = WebDriver::grid().await;
    for browser in ["chrome", "firefox"] {
        let (code, said, _) = run_all(&shop(&site, &grid, browser, "120s"));
        assert_eq!(code, Some(0), "{browser}: {said}");
        // The program has ended, and so has its session.
        assert_eq!(grid.sessions().await, Vec::<String>::new(), "{browser}");
    }

    // The only place is taken for a while, and a run cannot wait so long: the session that comes
    // too late for it is given back. Another check keeps the program going meanwhile.
    let taken = grid.take("chrome").await;
    let folder = shop(&site, &grid, "chrome", "120s");
    let buy = std::fs::read_to_string(folder.path().join("checks/buy.yaml")).unwrap();
    let hasty = buy
        .split("always:")
        .next()
        .unwrap()
        .replace("timeout: 120s", "timeout: 4s");
    folder.write("checks/buy.yaml", &hasty);
    let silent = bad(Bad::Silent);
    let waits =
        format!("every: 1m\ntimeout: 20s\ntcp: {{ address: \"{silent}\" }}\nexpect: {{ contains: x }}\n");
    folder.write("checks/waits.yaml", &waits);
    let run = tokio::task::spawn_blocking(move || (run_all(&folder), folder));
    sleep(Duration::from_secs(8)).await;
    grid.give_back(&taken).await;
    let ((_, said, report), folder) = run.await.unwrap();
    assert!(said.contains("no place for chrome is free"), "{said}");
    assert_eq!(report["runs"][0]["run"]["verdict"]["level"], "unknown", "{said}");
    grid.assert_no_session_is_left().await;

    // A run that can wait gets the place once it is free.
    std::fs::remove_file(folder.path().join("checks/waits.yaml")).unwrap();
    folder.write("checks/buy.yaml", &buy);
    let taken = grid.take("chrome").await;
    let run = tokio::task::spawn_blocking(move || (run_all(&folder), folder));
    sleep(Duration::from_secs(4)).await;
    grid.give_back(&taken).await;
    let ((code, said, _), folder) = run.await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    grid.assert_no_session_is_left().await;

    // A grid that is gone in the middle.
    site.control("shop=slow").await;
    let run = tokio::task::spawn_blocking(move || run_all(&folder));
    let until = Instant::now() + PATIENCE;
    while grid.sessions().await.is_empty() {
        assert!(Instant::now() < until && !run.is_finished());
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_secs(1)).await;
    grid.kill();
    let (code, said, _) = run.await.unwrap();
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("could not measure: the WebDriver at http://127.0.0.1:")
            && said.contains("cannot be reached"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_webdriver_or_not_there_is_told() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        "every: 1m\ntimeout: 10s\nbrowser: { url: \"http://127.0.0.1:1\" }\nsteps:\n  - open: /\n",
    );
    settings(&folder, &site.shop(), "firefox");
    let (code, said, _) = run_all(&folder);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("is no WebDriver"), "{said}");
    settings(&folder, &format!("http://127.0.0.1:{}", free_port()), "firefox");
    let (code, said, _) = run_all(&folder);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("cannot be reached: connection refused"), "{said}");
}
