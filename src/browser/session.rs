//! One WebDriver session, with an end to every wait.

use std::time::Duration;

use fantoccini::elements::{Element, ElementRef};
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, timeout, timeout_at};

use super::driver::can_sandbox;
use super::pool::{Browsers, Lease};
use super::scenario::Surroundings;

/// What runs inside the page.
const PAGE_SCRIPT: &str = include_str!("page.js");
/// The key under which WebDriver hands out elements (WebDriver 2, § 12).
const ELEMENT_KEY: &str = "element-6066-11e4-a52e-4f735466cecf";
/// A command that has not answered so long after its step's time is over never will.
const SLACK: Duration = Duration::from_secs(1);
/// Ending a session politely may take this long.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a command gave no answer to work with.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// The page does not let the browser answer: the target's fault.
    Hung(String),
    /// The browser or its driver is gone: ours.
    Lost(String),
    /// The browser says no; asking again may help.
    Refused(String),
    /// The page is still loading when its time is up.
    StillLoading,
}

/// A session with its client.
pub struct Session {
    client: Client,
    /// Nothing waits longer than this.
    hard_limit: Instant,
}

impl Session {
    /// Opens a session with a fresh, isolated profile.
    ///
    /// # Errors
    /// In words for people.
    pub async fn open(
        pool: &Browsers,
        lease: &Lease<'_>,
        surroundings: &Surroundings,
        hard_limit: Instant,
    ) -> Result<Self, String> {
        let capabilities = capabilities(pool, surroundings);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| format!("this machine has no trusted certificates: {error}"))?
            .https_or_http()
            .enable_http1()
            .build();
        let url = lease.url();
        let client = if lease.is_own() {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(capabilities);
            timeout_at(hard_limit, builder.connect(&url)).await
        } else {
            let mut builder = ClientBuilder::new(connector);
            builder.capabilities(capabilities);
            timeout_at(hard_limit, builder.connect(&url)).await
        };
        let client = client
            .map_err(|_| "the browser did not start in time".to_owned())?
            .map_err(|error| {
                format!(
                    "the browser could not be started: {}",
                    first_line(&error.to_string())
                )
            })?;
        let session = Self { client, hard_limit };
        session.set_time_zone(surroundings).await;
        Ok(session)
    }

    async fn set_time_zone(&self, surroundings: &Surroundings) {
        if let Some(zone) = &surroundings.timezone {
            let command = Vendor {
                path: "goog/cdp/execute",
                body: json!({ "cmd": "Emulation.setTimezoneOverride", "params": { "timezoneId": zone } }),
            };
            if let Err(trouble) = self.call(self.hard_limit, self.client.issue_cmd(command)).await {
                tracing::warn!(?trouble, "time zone could not be set");
            }
        }
    }

    /// The port on which our own browser listens for its developer tools.
    #[must_use]
    pub fn debugger_port(&self) -> Option<u16> {
        let options = self.client.capabilities()?.get("goog:chromeOptions")?;
        let address = options.get("debuggerAddress")?.as_str()?;
        address.rsplit_once(':')?.1.parse().ok()
    }

    async fn call<T>(
        &self,
        limit: Instant,
        command: impl Future<Output = Result<T, CmdError>>,
    ) -> Result<T, Trouble> {
        let limit = self.hard_limit.min(limit.max(Instant::now()) + SLACK);
        match timeout_at(limit, command).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(trouble_of(&error)),
            Err(_) => Err(Trouble::Hung(
                "the page does not respond (a script that never ends?)".into(),
            )),
        }
    }

    /// Runs one of `page.js`'s operations.
    pub async fn page(&self, limit: Instant, query: Json) -> Result<Json, Trouble> {
        self.call(limit, self.client.execute(PAGE_SCRIPT, vec![query]))
            .await
    }

    /// Opens a URL and waits until the page has loaded.
    pub async fn go_to(&self, limit: Instant, url: &str) -> Result<(), Trouble> {
        self.give_load_time(limit).await?;
        self.call(limit, self.client.goto(url)).await
    }

    async fn give_load_time(&self, limit: Instant) -> Result<(), Trouble> {
        let left = limit
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        let timeouts = fantoccini::wd::TimeoutConfiguration::new(None, Some(left), None);
        self.call(limit, self.client.update_timeouts(timeouts)).await
    }

    /// `back`, `forward` and `reload`.
    pub async fn travel(&self, limit: Instant, way: super::scenario::Travel) -> Result<(), Trouble> {
        use super::scenario::Travel;
        self.give_load_time(limit).await?;
        match way {
            Travel::Back => self.call(limit, self.client.back()).await,
            Travel::Forward => self.call(limit, self.client.forward()).await,
            Travel::Reload => self.call(limit, self.client.refresh()).await,
        }
    }

    /// The element that an answer of [`Session::page`] refers to.
    #[must_use]
    pub fn element(&self, answer: &Json) -> Option<Element> {
        let id = answer.get("element")?.get(ELEMENT_KEY)?.as_str()?;
        let reference = ElementRef::from(id.to_owned());
        Some(Element::from_element_id(self.client.clone(), reference))
    }

    /// Clicks.
    pub async fn click(&self, limit: Instant, element: &Element) -> Result<(), Trouble> {
        self.call(limit, element.click()).await
    }

    /// Empties a field.
    pub async fn clear(&self, limit: Instant, element: &Element) -> Result<(), Trouble> {
        self.call(limit, element.clear()).await
    }

    /// Types into an element.
    pub async fn send_keys(&self, limit: Instant, element: &Element, text: &str) -> Result<(), Trouble> {
        self.call(limit, element.send_keys(text)).await
    }

    /// Moves, presses and releases.
    pub async fn perform(
        &self,
        limit: Instant,
        actions: fantoccini::actions::Actions,
    ) -> Result<(), Trouble> {
        self.call(limit, self.client.perform_actions(actions)).await
    }

    /// Looks into a frame from now on.
    pub async fn enter_frame(&self, limit: Instant, element: &Element) -> Result<(), Trouble> {
        self.call(limit, element.enter_frame()).await
    }

    /// Looks at the page around the frame again.
    pub async fn leave_frame(&self, limit: Instant) -> Result<(), Trouble> {
        self.call(limit, self.client.enter_parent_frame()).await
    }

    /// What the window shows, as PNG.
    pub async fn screenshot(&self, limit: Instant) -> Result<Vec<u8>, Trouble> {
        self.call(limit, self.client.screenshot()).await
    }

    /// The page as it stands now, as HTML.
    pub async fn source(&self, limit: Instant) -> Result<String, Trouble> {
        self.call(limit, self.client.source()).await
    }

    /// Console entries since the last call: level and text. Empty where the browser has
    /// no such log.
    pub async fn console(&self, limit: Instant) -> Vec<(String, String)> {
        let command = Vendor {
            path: "se/log",
            body: json!({ "type": "browser" }),
        };
        let Ok(entries) = self.call(limit, self.client.issue_cmd(command)).await else {
            return Vec::new();
        };
        let text = |entry: &Json, key: &str| {
            entry
                .get(key)
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        entries
            .as_array()
            .map(|entries| {
                entries
                    .iter()
                    .map(|entry| (text(entry, "level"), text(entry, "message")))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// Ends the session; false when the browser did not end it by itself.
    pub async fn close(self) -> bool {
        matches!(timeout(CLOSE_TIMEOUT, self.client.close()).await, Ok(Ok(())))
    }
}

fn trouble_of(error: &CmdError) -> Trouble {
    match error {
        CmdError::Standard(said) => match said.error {
            ErrorStatus::Timeout => Trouble::StillLoading,
            ErrorStatus::InvalidSessionId | ErrorStatus::NoSuchWindow => {
                Trouble::Lost(format!("the browser is gone: {}", first_line(&said.message)))
            }
            ErrorStatus::UnknownError if said.message.contains("crash") => {
                Trouble::Lost("the browser tab crashed".into())
            }
            ErrorStatus::UnknownError if said.message.contains("net::ERR_") => {
                Trouble::Refused(network_error(&said.message))
            }
            _ => Trouble::Refused(first_line(&said.message)),
        },
        CmdError::Failed(_) | CmdError::FailedC(_) | CmdError::Lost(_) => {
            Trouble::Lost("the browser's driver is gone".into())
        }
        other => Trouble::Refused(first_line(&other.to_string())),
    }
}

/// `net::ERR_CONNECTION_REFUSED` in words.
fn network_error(message: &str) -> String {
    let code: String = message
        .split("net::ERR_")
        .nth(1)
        .unwrap_or_default()
        .chars()
        .take_while(|c| c.is_ascii_uppercase() || *c == '_')
        .collect();
    let words = match code.as_str() {
        "CONNECTION_REFUSED" => "the server refused the connection",
        "CONNECTION_RESET" => "the server reset the connection",
        "CONNECTION_TIMED_OUT" | "TIMED_OUT" => "the connection timed out",
        "EMPTY_RESPONSE" => "the server closed the connection without an answer",
        "NAME_NOT_RESOLVED" => "the name does not resolve",
        "TOO_MANY_REDIRECTS" => "it redirects in a circle",
        code if code.starts_with("CERT_") => "the certificate is not valid",
        _ => "the page could not be loaded",
    };
    format!("{words} (ERR_{code})")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn capabilities(pool: &Browsers, surroundings: &Surroundings) -> fantoccini::wd::Capabilities {
    let settings = &pool.settings;
    let mut args = vec![
        format!(
            "--window-size={},{}",
            surroundings.viewport.0, surroundings.viewport.1
        ),
        "--no-first-run".into(),
        "--no-default-browser-check".into(),
        "--disable-gpu".into(),
        "--disable-quic".into(),
        "--disable-dev-shm-usage".into(),
        "--disable-background-networking".into(),
        "--disable-component-update".into(),
        "--disable-sync".into(),
        "--disable-extensions".into(),
        "--disable-default-apps".into(),
        "--mute-audio".into(),
    ];
    if !settings.headed {
        args.push("--headless".into());
    }
    if settings.url.is_none() && !can_sandbox() {
        args.push("--no-sandbox".into());
    }
    let mut options = json!({});
    if let Some(locale) = &surroundings.locale {
        args.push(format!("--lang={locale}"));
        args.push(format!("--accept-lang={locale}"));
        options["prefs"] = json!({ "intl.accept_languages": locale });
    }
    if let Some(binary) = pool.binary() {
        options["binary"] = json!(binary);
    }
    options["args"] = json!(args);
    let step_ms = u64::try_from(settings.step_timeout.as_millis()).unwrap_or(10_000);
    let all = json!({
        "browserName": "chrome",
        "pageLoadStrategy": "normal",
        "unhandledPromptBehavior": "dismiss and notify",
        "timeouts": { "implicit": 0, "pageLoad": step_ms, "script": step_ms },
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": options,
    });
    match all {
        Json::Object(map) => map,
        _ => fantoccini::wd::Capabilities::new(),
    }
}

/// A command that only some browsers have.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Json,
}

impl fantoccini::wd::WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
