//! What browsers are asked for, and how they differ.

use std::path::PathBuf;

use fantoccini::wd::Capabilities;
use serde_json::{Value as Json, json};

use super::driver::{can_sandbox, find_browser};
use super::pool::BrowserSettings;
use super::visit::USUAL_VIEWPORT;

/// What a window needs above its page: tabs, address, the bar that says it is automated.
const BARS: u32 = 150;

/// What is asked of a WebDriver that somebody else runs.
pub fn remote(settings: &BrowserSettings) -> Capabilities {
    match settings.remote_browser.as_str() {
        "firefox" => firefox(settings),
        _ => chromium(settings, &[]),
    }
}

/// What is asked of a driver of our own: Chromium, with rules for names in its resolver.
pub fn chromium(settings: &BrowserSettings, rules: &[String]) -> Capabilities {
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
    // Without a window there are no bars either.
    let bars = if settings.headed { BARS } else { 0 };
    args.push(format!("--window-size={width},{}", height + bars));
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

fn firefox(settings: &BrowserSettings) -> Capabilities {
    let args: &[&str] = if settings.headed { &[] } else { &["-headless"] };
    as_map(json!({
        "browserName": "firefox",
        "webSocketUrl": true,
        "unhandledPromptBehavior": { "default": "ignore" },
        // A page that comes back out of a cache never tells that it is there; Chromium has
        // none either: `BackForwardCache`.
        "moz:firefoxOptions": { "args": args, "prefs": { "browser.sessionhistory.max_total_viewers": 0 } },
    }))
}

fn as_map(all: Json) -> Capabilities {
    match all {
        Json::Object(map) => map,
        _ => Capabilities::new(),
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
