//! The form of a recording by Chrome, as far as a check can use it.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use url::Url;

use super::locator::{Locator, Way, from_recorder};
use super::scenario::{Fact, USUAL_WAIT_MS, escaped};
use super::selector::{fold, is_id, looks_generated};

/// A recording.
#[derive(Deserialize)]
pub struct Recording {
    /// Its name.
    pub title: String,
    /// Milliseconds that a step may take.
    pub timeout: Option<f64>,
    /// What was done; read one by one, so that one bad step spoils no other.
    pub steps: Vec<Json>,
}

/// A step of any kind; what it lacks is empty.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Recorded {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// `main`, or the address of another tab.
    pub target: Option<String>,
    /// The frame's place among its neighbours, from the outermost on, from 0.
    pub frame: Vec<usize>,
    /// Ways to find the element.
    pub selectors: Vec<Selector>,
    /// What it led to.
    pub asserted_events: Vec<AssertedEvent>,
    /// Milliseconds that a step may take.
    pub timeout: Option<f64>,
    /// Of `navigate`.
    pub url: String,
    /// Of `change`.
    pub value: String,
    /// Of `keyDown` and `keyUp`.
    pub key: String,
    /// `primary` when absent.
    pub button: Option<String>,
    /// Of `setViewport`.
    pub width: f64,
    /// Of `setViewport`.
    pub height: f64,
    /// Whether a phone was imitated.
    pub is_mobile: bool,
    /// Of `waitForElement`: `>=`, `==` or `<=`.
    pub operator: Option<String>,
    /// How many there are to be.
    pub count: Option<u64>,
    /// Whether it is to be seen.
    pub visible: Option<bool>,
    /// What the element is to be in the page's own eyes: `{ value: … }`.
    pub properties: Map<String, Json>,
    /// What is to stand in the element's tag.
    pub attributes: Map<String, Json>,
    /// Of `customStep`.
    pub name: String,
}

/// One selector, or the way to it through shadow roots.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Selector {
    /// As it is.
    One(String),
    /// From the outermost element on.
    Path(Vec<String>),
}

/// What the recorder saw happen after a step.
#[derive(Deserialize)]
pub struct AssertedEvent {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The page.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
}

/// What a `waitForElement` says of the element's being there.
pub enum Presence {
    /// At least one is.
    There,
    /// None is.
    Gone,
    /// So many are.
    Counted(Fact),
}

/// What a `waitForElement` waits for.
pub fn presence(step: &Recorded) -> Presence {
    match (step.operator.as_deref().unwrap_or(">="), step.count) {
        _ if step.visible == Some(false) => Presence::Gone,
        ("==" | "<=", Some(0)) => Presence::Gone,
        ("==", count) => Presence::Counted(Fact::Count(count.unwrap_or(1))),
        ("<=", count) => Presence::Counted(Fact::AtMost(count.unwrap_or(1))),
        (_, None | Some(0 | 1)) => Presence::There,
        (_, Some(count)) => Presence::Counted(Fact::AtLeast(count)),
    }
}

/// What a property is to be, where it can be looked at.
pub fn fact(name: &str, value: &Json) -> Option<Fact> {
    match (name, value) {
        ("innerText" | "textContent", Json::String(text)) => Some(Fact::Text(escaped(&fold(text)))),
        ("value", Json::String(text)) => Some(Fact::Value(escaped(text))),
        ("checked", Json::Bool(is)) => Some(Fact::Checked(*is)),
        ("disabled", Json::Bool(is)) => Some(Fact::Enabled(!is)),
        _ => None,
    }
}

/// A path up to the first part that looks made up: `/orders/10023` → `/orders/`.
pub fn steady_path(url: &Url) -> String {
    let mut path = String::new();
    for part in url.path().split('/').skip(1) {
        path.push('/');
        if looks_generated(part) || (!part.is_empty() && part.chars().all(|c| c.is_ascii_digit())) {
            break;
        }
        path.push_str(part);
    }
    path
}

/// The ways in a selector.
pub fn locators(selector: &Selector) -> Vec<Locator> {
    let parts: &[String] = match selector {
        Selector::One(part) => std::slice::from_ref(part),
        Selector::Path(parts) => parts,
    };
    let Some((last, outer)) = parts.split_last() else {
        return Vec::new();
    };
    let mut outside: Option<Box<Locator>> = None;
    for part in outer {
        if let Some(way) = from_recorder(&escaped(part)).into_iter().next() {
            let inside = outside.take();
            outside = Some(Box::new(Locator { way, inside }));
        }
    }
    from_recorder(&escaped(last))
        .into_iter()
        .map(|way| {
            // An id is looked for through shadow roots, and says enough without them.
            let alone = matches!(&way, Way::Css(css) if is_id(css)) || matches!(way, Way::TestId(_));
            let inside = outside.clone().filter(|_| !alone);
            Locator { way, inside }
        })
        .collect()
}

/// Milliseconds, when a step may take longer than usual.
pub fn long_wait(timeout: Option<f64>) -> Option<u64> {
    timeout.map(|ms| ms as u64).filter(|ms| *ms > USUAL_WAIT_MS)
}
