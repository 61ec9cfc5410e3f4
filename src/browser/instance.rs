//! One browser that runs: its driver, its WebDriver session, its BiDi connection.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::bidi::{Bidi, BidiError};
use super::driver::{Driver, can_sandbox, find_browser};
use super::memory::{MemoryGuard, Used};
use super::pool::BrowserSettings;
use super::visit::USUAL_VIEWPORT;
use super::words::first_line;
use crate::check::net::targets::TargetPolicy;

/// A browser answers a question that no page is needed for within this time, or says
/// something else in it, or is hung.
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// An empty page is there within this time.
const SHOW_TIMEOUT: Duration = Duration::from_secs(5);
/// Ending a session politely may take this long.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// What haetae listens for.
const EVENTS: &[&str] = &[
    "log.entryAdded",
    "network.responseStarted",
    "network.fetchError",
    "browsingContext.contextCreated",
    "browsingContext.contextDestroyed",
    "browsingContext.navigationStarted",
    "browsingContext.domContentLoaded",
    "browsingContext.load",
    "browsingContext.fragmentNavigated",
    "browsingContext.userPromptOpened",
    "browsingContext.userPromptClosed",
];
/// What only some browsers tell.
const EXTRA_EVENTS: &[&str] = &[
    "browsingContext.navigationFailed",
    "browsingContext.navigationAborted",
    "browsingContext.historyUpdated",
    "browsingContext.downloadWillBegin",
    "browsingContext.downloadEnd",
    "goog:cdp.Inspector.targetCrashed",
];

/// A browser that runs.
pub struct Instance {
    /// Commands and events.
    pub bidi: Bidi,
    /// `chrome-headless-shell 156.0.8078.79`
    pub name: String,
    session: Mutex<Option<Client>>,
    driver: Mutex<Option<Driver>>,
    memory: Option<MemoryGuard>,
    folder: Option<PathBuf>,
    targets: Arc<TargetPolicy>,
    own_ports: Vec<u16>,
    /// Runs that were given to it so far.
    pub runs: AtomicU32,
    /// Runs that have it now.
    pub active: AtomicU32,
    retired: AtomicBool,
}

impl Instance {
    /// Starts a driver and a browser of our own.
    ///
    /// # Errors
    /// In words for people.
    pub async fn start(
        settings: &BrowserSettings,
        targets: &Arc<TargetPolicy>,
        number: u64,
        limit: Instant,
    ) -> Result<Self, String> {
        let mut driver = Driver::start(&settings.command, number).await?;
        targets.deny_own_port(driver.port);
        let url = format!("http://127.0.0.1:{}/", driver.port);
        let capabilities = chromium(settings, &targets.browser_rules());
        let opened = open(&url, capabilities, true, limit).await;
        let (client, bidi, told) = match opened {
            Ok(opened) => opened,
            Err(why) => {
                targets.release_own_port(driver.port);
                driver.end().await;
                return Err(why);
            }
        };
        let debugger = debugger_port(&told);
        let own_ports: Vec<u16> = std::iter::once(driver.port).chain(debugger).collect();
        for port in &own_ports {
            targets.deny_own_port(*port);
        }
        let memory = driver.id().map(|id| MemoryGuard::start(id, settings.page_memory));
        Ok(Self {
            bidi,
            name: browser_name(&told),
            session: Mutex::new(Some(client)),
            folder: Some(driver.folder().to_path_buf()),
            driver: Mutex::new(Some(driver)),
            memory,
            targets: Arc::clone(targets),
            own_ports,
            runs: AtomicU32::new(0),
            active: AtomicU32::new(0),
            retired: AtomicBool::new(false),
        })
    }

    /// Opens a session at a WebDriver that somebody else runs.
    ///
    /// # Errors
    /// In words for people.
    pub async fn attach(
        url: &str,
        settings: &BrowserSettings,
        targets: &Arc<TargetPolicy>,
        limit: Instant,
    ) -> Result<Self, String> {
        // The path would be dropped without a slash at the end.
        let url = format!("{}/", url.trim_end_matches('/'));
        let capabilities = match settings.remote_browser.as_str() {
            "firefox" => firefox(),
            _ => chromium(settings, &[]),
        };
        let (client, bidi, told) = open(&url, capabilities, false, limit).await?;
        Ok(Self {
            bidi,
            name: browser_name(&told),
            session: Mutex::new(Some(client)),
            driver: Mutex::new(None),
            folder: None,
            memory: None,
            targets: Arc::clone(targets),
            own_ports: Vec::new(),
            runs: AtomicU32::new(0),
            active: AtomicU32::new(0),
            retired: AtomicBool::new(false),
        })
    }

    /// Whether the browser as such answers, whatever its pages do.
    pub async fn answers(&self) -> bool {
        let heard = self.bidi.heard();
        let limit = Instant::now() + PING_TIMEOUT;
        match self.bidi.call(limit, "browser.getUserContexts", json!({})).await {
            Err(BidiError::Silent) => self.bidi.heard() > heard,
            Err(BidiError::Closed) => false,
            Ok(_) | Err(BidiError::Said(..)) => true,
        }
    }

    /// Whether it can still show a page: one that answers may have lost what makes them.
    pub async fn shows_pages(&self) -> bool {
        let limit = Instant::now() + SHOW_TIMEOUT;
        let Ok(created) = self
            .bidi
            .call(limit, "browser.createUserContext", json!({}))
            .await
        else {
            return false;
        };
        let user = json!({ "userContext": created["userContext"] });
        let tab = json!({ "type": "tab", "userContext": created["userContext"] });
        let shown = self.bidi.call(limit, "browsingContext.create", tab).await.is_ok();
        self.bidi.post("browser.removeUserContext", &user);
        shown
    }

    /// Whether another run may have it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.retired.load(Ordering::Acquire) && !self.bidi.is_closed()
    }

    /// Where it may put files; none when it runs elsewhere.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// Gives it to no other run; ended when the last one has left.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// What its processes use, and whether a page was ended for using too much lately.
    #[must_use]
    pub fn memory(&self) -> Used {
        self.memory.as_ref().map(MemoryGuard::used).unwrap_or_default()
    }

    /// Ends the browser, its driver and all their processes. Runs that have it notice.
    pub async fn end(&self) {
        self.retire();
        let session = self.session.lock().await.take();
        let driver = self.driver.lock().await.take();
        if let Some(mut driver) = driver {
            // The kill is quicker than asking, and leaves as little; but then fantoccini
            // would ask a driver that is gone when it is dropped, which is harmless.
            driver.end().await;
        } else if let Some(client) = session {
            let _ = timeout(CLOSE_TIMEOUT, client.close()).await;
        }
        for port in &self.own_ports {
            self.targets.release_own_port(*port);
        }
    }
}

async fn open(
    url: &str,
    capabilities: fantoccini::wd::Capabilities,
    is_own: bool,
    limit: Instant,
) -> Result<(Client, Bidi, Json), String> {
    let client = if is_own {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        timeout_at(limit, builder.connect(url)).await
    } else {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| format!("this machine has no trusted certificates: {error}"))?
            .https_or_http()
            .enable_http1()
            .build();
        let mut builder = ClientBuilder::new(connector);
        builder.capabilities(capabilities);
        timeout_at(limit, builder.connect(url)).await
    };
    let client = client
        .map_err(|_| "the browser did not start in time".to_owned())?
        .map_err(|error| {
            format!(
                "the browser could not be started: {}",
                first_line(&error.to_string())
            )
        })?;
    let told = client.capabilities().map(|map| json!(map)).unwrap_or_default();
    let Some(events) = told.get("webSocketUrl").and_then(Json::as_str).map(str::to_owned) else {
        let _ = timeout(CLOSE_TIMEOUT, client.close()).await;
        return Err(
            "this WebDriver does not speak BiDi (it gave no webSocketUrl); Selenium Grid 4, ChromeDriver and geckodriver do".into(),
        );
    };
    let bidi = timeout_at(limit, Bidi::connect(&events))
        .await
        .map_err(|_| "the browser did not start in time".to_owned())
        .and_then(|connected| connected);
    match bidi {
        Ok(bidi) => {
            subscribe(&bidi, limit).await?;
            Ok((client, bidi, told))
        }
        Err(why) => {
            let _ = timeout(CLOSE_TIMEOUT, client.close()).await;
            Err(why)
        }
    }
}

async fn subscribe(bidi: &Bidi, limit: Instant) -> Result<(), String> {
    bidi.call(limit, "session.subscribe", json!({ "events": EVENTS }))
        .await
        .map_err(|error| format!("the browser does not tell what happens in it: {error:?}"))?;
    for event in EXTRA_EVENTS {
        // Older browsers do not know them all; what they would tell is then missing.
        let _ = bidi
            .call(limit, "session.subscribe", json!({ "events": [event] }))
            .await;
    }
    Ok(())
}

/// The port on which our own browser listens for its developer tools.
fn debugger_port(told: &Json) -> Option<u16> {
    let address = told.get("goog:chromeOptions")?.get("debuggerAddress")?.as_str()?;
    address.rsplit_once(':')?.1.parse().ok()
}

fn browser_name(told: &Json) -> String {
    let text = |key: &str| told.get(key).and_then(Json::as_str).unwrap_or_default();
    format!("{} {}", text("browserName"), text("browserVersion"))
        .trim()
        .to_owned()
}

fn chromium(settings: &BrowserSettings, rules: &[String]) -> fantoccini::wd::Capabilities {
    let mut args: Vec<String> = [
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
        "--disable-default-apps",
        "--disable-client-side-phishing-detection",
        "--disable-hang-monitor",
        "--disable-popup-blocking",
        "--mute-audio",
        "--disable-features=BackForwardCache,Translate,OptimizationHints,MediaRouter,PaintHolding",
    ]
    .map(str::to_owned)
    .to_vec();
    if !settings.headed {
        args.push("--headless".into());
        args.push("--hide-scrollbars".into());
    }
    let (width, height) = USUAL_VIEWPORT;
    args.push(format!("--window-size={width},{height}"));
    let is_own = settings.url.is_none();
    if is_own && !can_sandbox() {
        args.push("--no-sandbox".into());
    }
    if !rules.is_empty() {
        args.push(format!("--host-resolver-rules={}", rules.join(", ")));
    }
    let mut options = json!({ "args": args });
    if let Some(binary) = binary(settings) {
        options["binary"] = json!(binary);
    }
    as_map(json!({
        "browserName": "chrome",
        "webSocketUrl": true,
        "unhandledPromptBehavior": { "default": "ignore" },
        "goog:chromeOptions": options,
    }))
}

fn firefox() -> fantoccini::wd::Capabilities {
    as_map(json!({
        "browserName": "firefox",
        "webSocketUrl": true,
        "unhandledPromptBehavior": { "default": "ignore" },
        "moz:firefoxOptions": { "args": ["-headless"] },
    }))
}

fn as_map(all: Json) -> fantoccini::wd::Capabilities {
    match all {
        Json::Object(map) => map,
        _ => fantoccini::wd::Capabilities::new(),
    }
}

/// The browser program; none leaves the choice to the driver.
fn binary(settings: &BrowserSettings) -> Option<PathBuf> {
    match (&settings.url, &settings.program) {
        (Some(_), _) => None,
        (None, Some(program)) => Some(program.clone()),
        (None, None) => find_browser(settings.headed),
    }
}
