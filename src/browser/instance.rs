//! One browser that runs: its driver, its WebDriver session, its BiDi connection.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use fantoccini::Client;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::bidi::{Bidi, BidiError};
use super::capabilities::chromium;
use super::driver::Driver;
use super::memory::{MemoryGuard, Used};
use super::pool::BrowserSettings;
use super::session::{self, Session};
use super::visit::USUAL_VIEWPORT;
use crate::check::net::targets::TargetPolicy;

/// A browser answers a question that no page is needed for within this time, or says
/// something else in it, or is hung.
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// An empty page is there within this time.
const SHOW_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// How large its pages are shown by themselves; none where that is not known.
    pub viewport: Option<(u32, u32)>,
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
        let opened = match session::own(&url, capabilities, limit).await {
            Ok(opened) => subscribe(&opened.bidi, limit).await.map(|()| opened),
            Err(why) => Err(why),
        };
        let Session { client, bidi, told } = match opened {
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
            // A window has bars, and a screen around it.
            viewport: (!settings.headed).then_some(USUAL_VIEWPORT),
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
        let Session { client, bidi, told } = session::remote(url, settings, limit).await?;
        subscribe(&bidi, limit).await?;
        Ok(Self {
            bidi,
            name: browser_name(&told),
            session: Mutex::new(Some(client)),
            driver: Mutex::new(None),
            folder: None,
            viewport: None,
            memory: None,
            targets: Arc::clone(targets),
            own_ports: Vec::new(),
            runs: AtomicU32::new(0),
            active: AtomicU32::new(0),
            retired: AtomicBool::new(false),
        })
    }

    /// Whether the browser as such answers, whatever its pages do; `last` is when to know it.
    pub async fn answers(&self, last: Instant) -> bool {
        let heard = self.bidi.heard();
        let limit = last.min(Instant::now() + PING_TIMEOUT);
        match self.bidi.call(limit, "browser.getUserContexts", json!({})).await {
            Err(BidiError::Silent) => self.bidi.heard() > heard,
            Err(BidiError::Closed) => false,
            Ok(_) | Err(BidiError::Said(..)) => true,
        }
    }

    /// Whether it can still show a page: one that answers may have lost what makes them.
    /// `last` is when to know it.
    pub async fn shows_pages(&self, last: Instant) -> bool {
        let limit = last.min(Instant::now() + SHOW_TIMEOUT);
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
        // Held until it is over: who asks while it ends waits for that.
        let mut ending = self.session.lock().await;
        let session = ending.take();
        let driver = self.driver.lock().await.take();
        if let Some(mut driver) = driver {
            // The kill is quicker than asking, and leaves as little; but then fantoccini
            // would ask a driver that is gone when it is dropped, which is harmless.
            driver.end().await;
        } else if let Some(client) = session {
            session::close(client).await;
        }
        for port in &self.own_ports {
            self.targets.release_own_port(*port);
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
