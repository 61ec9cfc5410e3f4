//! Chrome's recorder: the JSON that the Recorder panel of the DevTools exports.
//!
//! Invariant: every step of the recording is a step, a note, or does nothing by itself.

use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use super::keys::{Key, chord, key};
use super::locator::{Kind, Target};
use super::recorder_form::{Presence, Recorded, Recording, fact, locators, long_wait, presence, steady_path};
use super::scenario::{Act, Draft, Fact, Frame, Step, Tab, Typing, Verb, escaped};
use super::selector::fold;
use super::words::is_lasting;

const RECORDER: &str = "Chrome DevTools Recorder";

/// Pages that a browser shows before anything was asked for.
const EMPTY_PAGES: &[&str] = &["about:blank", "chrome://newtab", "chrome://new-tab-page"];

/// What a step depends on that came before it.
struct Reader {
    draft: Draft,
    /// Modifiers that are held.
    held: Vec<&'static str>,
    /// Targets by the order in which they were met; the first is the main one.
    tabs: Vec<String>,
    /// None after a tab was closed.
    tab: Option<usize>,
    /// The page that is shown.
    at: Option<Url>,
    /// Frames that were told of already.
    told: Vec<Vec<usize>>,
}

/// Reads a recording.
///
/// # Errors
/// When it is not one.
pub fn read(json: &Json) -> Result<Draft, String> {
    let recording = Recording::deserialize(json)
        .map_err(|_| "a recording of Chrome needs a `title` that is text and `steps` that are a list")?;
    let mut reader = Reader {
        draft: Draft::new(&fold(&recording.title), RECORDER),
        held: Vec::new(),
        tabs: vec!["main".to_owned()],
        tab: Some(0),
        at: None,
        told: Vec::new(),
    };
    if let Some(ms) = long_wait(recording.timeout) {
        reader.draft.leave_out(
            "the recording's `timeout`",
            &format!("steps may take {ms}ms each; set `step_timeout` in haetae.yaml, or `within` at a step"),
        );
    }
    let mut clicked_there: Option<Url> = None;
    for (at, step) in recording.steps.iter().enumerate() {
        let number = at + 1;
        match Recorded::deserialize(step) {
            Ok(step) => clicked_there = reader.step(number, &step, clicked_there.take()),
            // What was wrong is not said: it could show what was typed.
            Err(_) => reader.draft.leave_out(
                &format!("step {number}"),
                "it does not have the form of a recorded step; write it anew",
            ),
        }
    }
    Ok(reader.draft)
}

impl Reader {
    /// Takes a step. `came_to` is where the step before it led; the answer is where this one does.
    fn step(&mut self, number: usize, step: &Recorded, came_to: Option<Url>) -> Option<Url> {
        let place = format!("step {number} `{}`", step.kind);
        match step.kind.as_str() {
            "setViewport" => self.view(&place, step),
            "navigate" => self.navigate(&place, step, came_to.as_ref()),
            "click" | "doubleClick" | "hover" => self.point(&place, step),
            "change" => self.change(&place, step),
            "keyDown" => self.press(&place, step),
            "keyUp" => self.release(&step.key),
            "waitForElement" => self.look(&place, step),
            "close" => self.close(&place, step),
            // Acting scrolls by itself.
            "scroll" => {}
            other => self.draft.leave_out(&place, &instead_of(other, &step.name)),
        }
        let came_to = came_to.filter(|_| matches!(step.kind.as_str(), "keyUp" | "scroll" | "setViewport"));
        self.arrive(&place, step).or(came_to)
    }

    fn view(&mut self, place: &str, step: &Recorded) {
        self.draft.view(place, step.width as u64, step.height as u64);
        if step.is_mobile {
            self.draft.leave_out(
                place,
                "a phone was imitated; only the size of its page is kept, in `viewport`",
            );
        }
    }

    fn navigate(&mut self, place: &str, step: &Recorded, came_to: Option<&Url>) {
        if EMPTY_PAGES.iter().any(|page| step.url.starts_with(page)) {
            return;
        }
        let url = Url::parse(&step.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = url else {
            self.draft
                .leave_out(place, "only pages at http and https addresses are opened");
            return;
        };
        // The step before has led here already.
        if came_to == Some(&url) {
            return;
        }
        self.enter(place, step);
        let address = self.draft.address(place, &url);
        self.draft.push(place, Act::Open(address));
        self.at = Some(url);
    }

    fn point(&mut self, place: &str, step: &Recorded) {
        let verb = match (step.kind.as_str(), step.button.as_deref().unwrap_or("primary")) {
            ("doubleClick", _) => Verb::DoubleClick,
            ("hover", _) => Verb::Hover,
            (_, "primary") => Verb::Click,
            (_, "secondary") => Verb::RightClick,
            _ => {
                let why = "only the left and the right button are pressed; `tab: new` with `open:` opens a link in a tab of its own";
                self.draft.leave_out(place, why);
                return;
            }
        };
        if let Some(target) = self.target(place, step) {
            self.act(place, step, Act::On(verb, target));
        }
    }

    fn change(&mut self, place: &str, step: &Recorded) {
        let Some(target) = self.target(place, step) else {
            return;
        };
        let file = step.value.rsplit_once("fakepath\\").map(|(_, name)| name);
        let text = escaped(&step.value);
        let act = match target.kind() {
            Kind::File => self.upload(place, file.unwrap_or(&step.value), target),
            _ if file.is_some() => self.upload(place, file.unwrap_or_default(), target),
            Kind::List => Act::Choose {
                option: text,
                from: target,
            },
            Kind::Box if matches!(step.value.as_str(), "false" | "off" | "") => {
                Act::On(Verb::Uncheck, target)
            }
            Kind::Box => Act::On(Verb::Check, target),
            Kind::Radio => Act::On(Verb::Click, target),
            Kind::Text | Kind::Unknown if text.is_empty() => Act::On(Verb::Clear, target),
            Kind::Text | Kind::Unknown => Act::Type {
                into: target,
                text,
                typing: Typing::Whole,
                press: None,
            },
        };
        self.act(place, step, act);
    }

    /// A recording holds a file's name alone.
    fn upload(&mut self, place: &str, name: &str, to: Target) -> Act {
        self.draft.leave_out(
            place,
            "the file itself is not in the recording; put it beside the check, and its path behind `file:`",
        );
        Act::Upload {
            file: escaped(name),
            to,
        }
    }

    fn press(&mut self, place: &str, step: &Recorded) {
        match key(&step.key) {
            // A key that is held repeats itself.
            Key::Modifier(modifier) if self.held.contains(&modifier) => {}
            Key::Modifier(modifier) => self.held.push(modifier),
            Key::Silent => {}
            Key::Unknown => self.draft.leave_out(
                place,
                &format!(
                    "there is no key `{}`; docs/browser.md lists those of `press:`",
                    step.key
                ),
            ),
            pressed @ (Key::Named(_) | Key::Sign(_)) => {
                if let Some(keys) = chord(&self.held, &pressed) {
                    self.act(place, step, Act::Press(keys));
                }
            }
        }
    }

    fn release(&mut self, name: &str) {
        if let Key::Modifier(released) = key(name) {
            self.held.retain(|modifier| *modifier != released);
        }
    }

    fn look(&mut self, place: &str, step: &Recorded) {
        let Some(target) = self.target(place, step) else {
            return;
        };
        let facts: Vec<Fact> = step
            .properties
            .iter()
            .filter_map(|(name, value)| fact(name, value))
            .collect();
        let unread = step.properties.len() - facts.len();
        match presence(step) {
            Presence::Gone => self.act(place, step, Act::On(Verb::NotSee, target.clone())),
            Presence::Counted(fact) => self.act(place, step, Act::Expect(fact, Some(target.clone()))),
            // What holds for an element says that it is there, too.
            Presence::There if facts.is_empty() => self.act(place, step, Act::On(Verb::See, target.clone())),
            Presence::There => {}
        }
        for fact in facts {
            self.act(place, step, Act::Expect(fact, Some(target.clone())));
        }
        if unread > 0 || !step.attributes.is_empty() {
            self.draft.leave_out(
                place,
                "of properties only text, value, checked and disabled are looked at, and no attributes; write them into a selector: `see: { css: '[aria-expanded=\"true\"]' }`",
            );
        }
    }

    fn close(&mut self, place: &str, step: &Recorded) {
        let target = step.target.as_deref().unwrap_or("main");
        // The main page is closed when the scenario ends.
        if target == "main" {
            return;
        }
        self.enter(place, step);
        self.draft.push(place, Act::Tab(Tab::Close));
        self.tabs.retain(|tab| tab != target);
        self.tab = None;
    }

    /// Adds a step, in its tab and in its frame.
    fn act(&mut self, place: &str, step: &Recorded, act: Act) {
        self.enter(place, step);
        let frames: Vec<Frame> = step
            .frame
            .iter()
            .map(|index| Frame::Number(index.saturating_add(1)))
            .collect();
        if !step.frame.is_empty() && !self.told.contains(&step.frame) {
            self.told.push(step.frame.clone());
            self.draft.leave_out(
                place,
                "the name of the frame: the recording has its number alone; put its title, label, name or id in the place of `{ css: iframe, nth: … }`",
            );
        }
        self.draft.steps.push(Step {
            place: place.to_owned(),
            frames,
            within_ms: long_wait(step.timeout),
            act,
        });
    }

    /// Turns to the tab of a step.
    fn enter(&mut self, place: &str, step: &Recorded) {
        let target = step.target.as_deref().unwrap_or("main");
        let known = self.tabs.iter().position(|tab| tab == target);
        if known.is_some() && known == self.tab {
            return;
        }
        let tab = known.unwrap_or_else(|| {
            self.tabs.push(target.to_owned());
            self.draft.leave_out(
                place,
                "whether this is a new tab or a frame of another site; for a frame write `inside: { frame: … }` in the place of `tab:`",
            );
            self.tabs.len() - 1
        });
        self.tab = Some(tab);
        self.draft.push(place, Act::Tab(Tab::Number(tab + 1)));
    }

    fn target(&mut self, place: &str, step: &Recorded) -> Option<Target> {
        let target = Target::new(step.selectors.iter().flat_map(locators));
        if target.is_none() {
            self.draft.leave_out(
                place,
                "it has no selector that can be used; write the step with what a person reads there",
            );
        }
        target
    }

    /// Waits for the page that a step led to; the answer is that page.
    fn arrive(&mut self, place: &str, step: &Recorded) -> Option<Url> {
        let event = step
            .asserted_events
            .iter()
            .rfind(|event| event.kind == "navigation")?;
        let url = event.url.as_deref().and_then(|url| Url::parse(url).ok());
        if let Some(url) = &url {
            if let Some(part) = self.new_part(url) {
                self.draft.push(place, Act::WaitUrl(part));
            }
            self.at = Some(url.clone());
            if let Some(tab) = self
                .tab
                .filter(|tab| *tab > 0)
                .and_then(|tab| self.tabs.get_mut(tab))
            {
                url.as_str().clone_into(tab);
            }
        }
        if step.kind == "navigate" {
            return None;
        }
        let title = fold(event.title.as_deref().unwrap_or_default());
        let host = url.as_ref().and_then(Url::host_str).unwrap_or("://");
        // A page without a title is called by its address for a while.
        if !title.is_empty() && is_lasting(&title) && !title.contains("://") && !title.starts_with(host) {
            self.draft
                .push(place, Act::Expect(Fact::Title(escaped(&title)), None));
        }
        url
    }

    /// What is new about an address, as far as it will be the same in the next run.
    fn new_part(&self, url: &Url) -> Option<String> {
        let same_site = |other: &Url| other.origin() == url.origin();
        if self
            .at
            .as_ref()
            .is_some_and(|at| same_site(at) && at.path() == url.path())
        {
            return None;
        }
        let path = steady_path(url);
        match &self.draft.first_page {
            Some(first) if same_site(first) => (path.len() > 1).then(|| escaped(&path)),
            _ => Some(escaped(&format!("{}{path}", url.origin().ascii_serialization()))),
        }
    }
}

/// What to write in the place of a step that has no counterpart.
fn instead_of(kind: &str, name: &str) -> String {
    match kind {
        "waitForExpression" => {
            "it waits until a script in the page is content; write `see:` or `wait_for:` with what it waits for"
                .to_owned()
        }
        "emulateNetworkConditions" => "networks are not imitated; put a threshold on `duration`".to_owned(),
        "customStep" => format!("`{name}` belongs to an extension of the recorder; write what it does as steps"),
        _ => "there is no such step here; docs/browser.md lists the verbs".to_owned(),
    }
}
