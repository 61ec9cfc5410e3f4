//! A WebDriver session and its BiDi connection: at a driver of our own, or at a WebDriver that
//! somebody else runs.
//!
//! Invariant: a session that came too late for whoever asked for it is ended, not left to hold
//! a place of the grid.

use std::time::Duration;

use fantoccini::error::{CmdError, NewSessionError};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

use super::bidi::Bidi;
use super::capabilities;
use super::pool::BrowserSettings;
use super::words::first_line;
use crate::check::net::fault::Fault;

/// Ending a session politely may take this long; Firefox takes its time.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// A request for a session that nobody waits for any more is listened to for so long: grids
/// give one up after 5 minutes unless told otherwise.
const LATE_SESSION: Duration = Duration::from_mins(6);
/// A driver that has one session at a time is asked again after this.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// A session that runs.
pub struct Session {
    /// It, for its end.
    pub client: Client,
    /// Commands and events.
    pub bidi: Bidi,
    /// What the driver said of the browser.
    pub told: Json,
}

/// Ends a session; the browser goes with it.
pub async fn close(client: Client) {
    let _ = timeout(CLOSE_TIMEOUT, client.close()).await;
}

/// Opens one at a driver of our own.
///
/// # Errors
/// In words for people.
pub async fn own(url: &str, capabilities: Capabilities, limit: Instant) -> Result<Session, String> {
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    let client = timeout_at(limit, builder.connect(url))
        .await
        .map_err(|_| "the browser did not start in time".to_owned())?
        .map_err(|error| {
            format!(
                "the browser could not be started: {}",
                first_line(&error.to_string())
            )
        })?;
    with_events(client, None, limit).await
}

/// Opens one at a WebDriver that somebody else runs.
///
/// # Errors
/// In words for people.
pub async fn remote(url: &str, settings: &BrowserSettings, limit: Instant) -> Result<Session, String> {
    // The path would be dropped without a slash at the end.
    let url = Url::parse(&format!("{}/", url.trim_end_matches('/')))
        .map_err(|error| format!("`{url}` is no address of a WebDriver: {error}"))?;
    let browser = settings.remote_browser.as_str();
    loop {
        match ask(&url, capabilities::remote(settings), limit).await {
            Some(Ok(client)) => return with_events(client, Some(&url), limit).await,
            Some(Err(error)) if is_taken(&error) => {
                if Instant::now() + ASK_AGAIN >= limit {
                    return Err(format!(
                        "the WebDriver at {} has one session at a time, and somebody has it: set `browsers: {{ at_once: 1 }}`, or put a Selenium Grid in front of it",
                        shown(&url)
                    ));
                }
                sleep(ASK_AGAIN).await;
            }
            Some(Err(error)) => return Err(why_none(&url, browser, &error)),
            None => {
                return Err(format!(
                    "the WebDriver at {} gave no session in time: no place for {browser} is free, or it has none",
                    shown(&url)
                ));
            }
        }
    }
}

/// Asks for a session; none when it does not come in time. A grid goes on with a request that
/// nobody waits for any more, so the session that may still come is waited for, and ended.
async fn ask(
    url: &Url,
    capabilities: Capabilities,
    limit: Instant,
) -> Option<Result<Client, NewSessionError>> {
    let connector = match hyper_rustls::HttpsConnectorBuilder::new().with_native_roots() {
        Ok(connector) => connector.https_or_http().enable_http1().build(),
        Err(error) => return Some(Err(NewSessionError::Lost(error))),
    };
    let mut builder = ClientBuilder::new(connector);
    builder.capabilities(capabilities);
    let (give, given) = oneshot::channel();
    let url = url.to_string();
    tokio::spawn(async move {
        let asked = timeout(LATE_SESSION, builder.connect(&url)).await;
        if let Ok(answer) = asked
            && let Err(Ok(client)) = give.send(answer)
        {
            close(client).await;
        }
    });
    timeout_at(limit, given).await.ok()?.ok()
}

/// geckodriver has one session at a time, and refuses another.
fn is_taken(error: &NewSessionError) -> bool {
    matches!(error, NewSessionError::SessionNotCreated(said) if said.message.contains("Session is already started"))
}

fn why_none(url: &Url, browser: &str, error: &NewSessionError) -> String {
    let at = shown(url);
    let unreached = |fault: Option<Fault>, otherwise: String| {
        let why = fault.map_or(otherwise, |fault| fault.what);
        format!("the WebDriver at {at} cannot be reached: {}", first_line(&why))
    };
    let refused = |said: &str| {
        if said.contains("New session request timed out") {
            format!(
                "the grid at {at} gave no session in its own time: no place for {browser} is free, or none of its nodes has it"
            )
        } else {
            format!(
                "the WebDriver at {at} does not start {browser}: {}",
                first_line(said)
            )
        }
    };
    let stranger = |said: &str| format!("what answers at {at} is no WebDriver: {}", first_line(said));
    match error {
        NewSessionError::SessionNotCreated(said) => refused(&said.message),
        NewSessionError::FailedC(cause) => unreached(Fault::from_chain(cause, &at), cause.to_string()),
        NewSessionError::Failed(cause) => unreached(Fault::from_chain(cause, &at), cause.to_string()),
        NewSessionError::Lost(cause) => unreached(Fault::from_io(cause, &at), cause.to_string()),
        // Grids say so when a node fails them.
        NewSessionError::NotW3C(answer) => match answer.get("message").and_then(Json::as_str) {
            Some(said) => refused(said),
            None => stranger(&answer.as_str().map_or_else(|| answer.to_string(), str::to_owned)),
        },
        NewSessionError::UnexpectedError(CmdError::Standard(said)) => refused(&said.message),
        other => stranger(&other.to_string()),
    }
}

/// An address without what is in it to log in.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

async fn with_events(client: Client, grid: Option<&Url>, limit: Instant) -> Result<Session, String> {
    let told = client.capabilities().map(|map| json!(map)).unwrap_or_default();
    let Some(events) = told.get("webSocketUrl").and_then(Json::as_str) else {
        close(client).await;
        return Err(
            "this WebDriver does not speak BiDi (it gave no webSocketUrl); Selenium Grid 4, ChromeDriver and geckodriver do".into(),
        );
    };
    let events = grid.map_or_else(|| events.to_owned(), |grid| events_at(grid, events));
    let bidi = timeout_at(limit, Bidi::connect(&events))
        .await
        .map_err(|_| "the browser did not start in time".to_owned())
        .and_then(|connected| connected);
    match bidi {
        Ok(bidi) => Ok(Session { client, bidi, told }),
        Err(why) => {
            close(client).await;
            Err(why)
        }
    }
}

/// Where the events of a session are. A grid hands them on itself, so they can be had where it
/// was asked for the session; what it believes to be its own address is often good inside of
/// its container only. A driver by itself has another port for them, which only it knows.
fn events_at(asked: &Url, told: &str) -> String {
    let Some(path) = Url::parse(told).ok().map(|told| told.path().to_owned()) else {
        return told.to_owned();
    };
    if !path.ends_with("/se/bidi") {
        return told.to_owned();
    }
    let mut events = asked.clone();
    let scheme = if asked.scheme() == "https" { "wss" } else { "ws" };
    let prefix = asked.path().trim_end_matches('/');
    let path = if path.starts_with(prefix) {
        path
    } else {
        format!("{prefix}{path}")
    };
    events.set_path(&path);
    match events.set_scheme(scheme) {
        Ok(()) => events.to_string(),
        Err(()) => told.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(asked: &str, told: &str) -> String {
        events_at(&Url::parse(asked).unwrap(), told)
    }

    #[test]
    fn a_grids_events_are_had_where_it_was_asked() {
        let told = "ws://172.18.0.2:4444/session/ab/se/bidi";
        assert_eq!(at("http://grid:4444/", told), "ws://grid:4444/session/ab/se/bidi");
        assert_eq!(
            at("https://grid.example/", told),
            "wss://grid.example/session/ab/se/bidi"
        );
        assert_eq!(
            at("https://qa:pw@grid.example/hub/", told),
            "wss://qa:pw@grid.example/hub/session/ab/se/bidi"
        );
        let told = "ws://172.18.0.2:4444/hub/session/ab/se/bidi";
        assert_eq!(
            at("http://grid:4444/hub/", told),
            "ws://grid:4444/hub/session/ab/se/bidi"
        );
    }

    #[test]
    fn a_drivers_events_are_had_where_it_says() {
        let told = "ws://127.0.0.1:9222/session/ab";
        assert_eq!(at("http://127.0.0.1:4444/", told), told);
    }

    #[test]
    fn what_went_wrong_names_the_webdriver_and_no_password() {
        let url = Url::parse("http://qa:pw@grid:4444/").unwrap();
        let say = |answer: Json| why_none(&url, "firefox", &NewSessionError::NotW3C(answer));
        assert_eq!(
            say(json!({ "error": "unknown error", "message": "Process unexpectedly closed\nat x" })),
            "the WebDriver at http://grid:4444 does not start firefox: Process unexpectedly closed"
        );
        assert_eq!(
            say(json!("<html>")),
            "what answers at http://grid:4444 is no WebDriver: <html>"
        );
    }
}
