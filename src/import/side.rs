//! Selenium IDE: the projects it keeps in `.side` files.
//!
//! Invariant: every command is a step, a note, or does nothing by itself.

use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use super::locator::{Locator, from_selenium};
use super::scenario::{Act, Draft, Fact, Frame, Step, Tab, USUAL_WAIT_MS};
use super::selector::fold;
use super::side_form::{Command, Project, Test, Variables};

const RECORDER: &str = "Selenium IDE";

/// What a command becomes: steps, or why there are none and what to write instead.
pub(super) type Done = Result<Vec<Act>, String>;

/// What is done with the commands between `if` and `end`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Branch {
    Kept,
    Skipped,
}

/// What a command depends on that came before it.
pub(super) struct Player {
    pub(super) draft: Draft,
    pub(super) place: String,
    base: Option<Url>,
    pub(super) variables: Variables,
    pub(super) frames: Vec<Frame>,
    /// The names of every tab, in the order of opening.
    pub(super) tabs: Vec<Vec<String>>,
    /// None after a tab was closed.
    tab: Option<usize>,
    branches: Vec<Branch>,
}

/// Reads a project; tests without commands are left aside.
///
/// # Errors
/// When it is not one.
pub fn read(json: &Json) -> Result<Vec<Draft>, String> {
    let project = Project::deserialize(json).map_err(
        |_| "a project of Selenium IDE needs a `url` that is text and `tests`, each with a `name` and `commands`",
    )?;
    let base = Url::parse(&project.url).ok();
    Ok(project
        .tests
        .iter()
        .filter(|test| !test.commands.is_empty())
        .map(|test| play(test, base.clone()))
        .collect())
}

fn play(test: &Test, base: Option<Url>) -> Draft {
    let mut player = Player {
        draft: Draft::new(&fold(&test.name), RECORDER),
        place: String::new(),
        base,
        variables: Variables::default(),
        frames: Vec::new(),
        tabs: vec![vec!["root".to_owned()]],
        tab: Some(0),
        branches: Vec::new(),
    };
    for (at, command) in test.commands.iter().enumerate() {
        let number = at + 1;
        match Command::deserialize(command) {
            Ok(command) => player.command(number, &command),
            // What was wrong is not said: it could show what was typed.
            Err(_) => player.draft.leave_out(
                &format!("step {number}"),
                "it does not have the form of a command; write it anew",
            ),
        }
    }
    player.draft
}

impl Player {
    fn command(&mut self, number: usize, command: &Command) {
        // Commands that were switched off stay off.
        if command.name.is_empty() || command.name.starts_with("//") {
            return;
        }
        self.place = format!("step {number} `{}`", command.name);
        // Older projects wait for pages explicitly; acting waits by itself.
        let name = command.name.trim_end_matches("AndWait");
        if self.branch(name) || self.branches.contains(&Branch::Skipped) {
            return;
        }
        let done = self
            .go(name, command)
            .or_else(|| self.point(name, command))
            .or_else(|| self.fill_in(name, command))
            .or_else(|| self.look(name, command))
            .or_else(|| self.keep(name, command))
            .or_else(|| self.answer(name, command))
            .unwrap_or_else(|| instead_of(name, command));
        match done {
            Ok(acts) => {
                for act in acts {
                    self.push(name, command, act);
                }
            }
            Err(why) => self.leave_out(&why),
        }
    }

    fn push(&mut self, name: &str, command: &Command, act: Act) {
        let of_page = matches!(act, Act::Open(_) | Act::Tab(_) | Act::Expect(Fact::Title(_), _));
        let wait: Option<u64> = name
            .starts_with("waitForElement")
            .then(|| command.value.trim().parse().ok())
            .flatten();
        self.draft.steps.push(Step {
            place: self.place.clone(),
            frames: if of_page { Vec::new() } else { self.frames.clone() },
            within_ms: wait.filter(|ms| *ms > USUAL_WAIT_MS),
            act,
        });
    }

    pub(super) fn leave_out(&mut self, why: &str) {
        let place = self.place.clone();
        self.draft.leave_out(&place, why);
    }

    /// Conditions and loops: what is inside happens once, what is behind `else` does not.
    fn branch(&mut self, name: &str) -> bool {
        let skipped = self.branches.contains(&Branch::Skipped);
        let told = match name {
            "if" => {
                self.branches.push(Branch::Kept);
                "a condition: the steps up to `end` or `else` always happen now; `if_seen: …` with `steps:` does them only when something is there"
            }
            "while" | "times" | "forEach" | "do" => {
                self.branches.push(Branch::Kept);
                "a loop: its steps happen once now; `wait_for:` or `see:` wait for something without one"
            }
            "else" | "elseIf" => {
                if let Some(branch) = self.branches.last_mut() {
                    *branch = Branch::Skipped;
                }
                "a condition: the steps from here to `end` are not kept; `if_seen: …` with `steps:` does steps only when something is there"
            }
            "end" | "repeatIf" => {
                self.branches.pop();
                return true;
            }
            _ => return false,
        };
        if !skipped {
            self.leave_out(told);
        }
        true
    }

    /// Pages, tabs, frames, and the window.
    fn go(&mut self, name: &str, command: &Command) -> Option<Done> {
        Some(match name {
            "open" => self.open(&command.target),
            "goBack" => Ok(vec![Act::Travel("back")]),
            "refresh" => Ok(vec![Act::Travel("reload")]),
            "selectWindow" => self.turn_to(&command.target),
            "selectFrame" => self.enter(&command.target),
            "close" => {
                if let Some(tab) = self.tab.take().filter(|tab| *tab < self.tabs.len()) {
                    self.tabs.remove(tab);
                }
                self.frames.clear();
                Ok(vec![Act::Tab(Tab::Close)])
            }
            "storeWindowHandle" => {
                if let Some(names) = self.tab.and_then(|tab| self.tabs.get_mut(tab)) {
                    names.push(command.target.clone());
                }
                Ok(Vec::new())
            }
            "setWindowSize" => {
                let size = command.target.split_once('x');
                let size: Option<(u64, u64)> = size.and_then(|(width, height)| {
                    Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
                });
                let (width, height) = size.unwrap_or_default();
                let place = self.place.clone();
                self.draft.view(&place, width, height);
                Ok(Vec::new())
            }
            _ => return None,
        })
    }

    fn open(&mut self, target: &str) -> Done {
        let target = self.variables.fill(target)?;
        let url = match &self.base {
            Some(base) => base.join(&target),
            None => Url::parse(&target),
        };
        let url = url
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or(
                "only pages at http and https addresses are opened; write `open:` with the whole address",
            )?;
        self.frames.clear();
        let place = self.place.clone();
        Ok(vec![Act::Open(self.draft.address(&place, &url))])
    }

    fn turn_to(&mut self, target: &str) -> Done {
        self.frames.clear();
        if let Some(title) = target.strip_prefix("title=") {
            self.tab = None;
            return Ok(vec![Act::Tab(Tab::Titled(self.variables.fill(title)?))]);
        }
        let handle = target
            .strip_prefix("handle=${")
            .and_then(|rest| rest.strip_suffix('}'));
        let tab = match (handle, target.strip_prefix("win_ser_")) {
            (Some(handle), _) => self
                .tabs
                .iter()
                .position(|names| names.iter().any(|name| name == handle)),
            (None, Some("local")) => Some(0),
            (None, Some(number)) => number.parse().ok(),
            (None, None) => None,
        };
        let tab =
            tab.ok_or("which tab is meant is not to be seen here; write `tab:` with its number or title")?;
        if self.tab == Some(tab) {
            return Ok(Vec::new());
        }
        self.tab = Some(tab);
        Ok(vec![Act::Tab(Tab::Number(tab.saturating_add(1)))])
    }

    fn enter(&mut self, target: &str) -> Done {
        let target = self.variables.fill(target)?;
        match target.split_once('=') {
            Some(("relative", "parent")) => {
                self.frames.pop();
            }
            Some(("relative", _)) => self.frames.clear(),
            Some(("index", number)) => {
                let number: usize = number.trim().parse().map_err(|_| "this frame has no number")?;
                self.frames.push(Frame::Number(number.saturating_add(1)));
                self.leave_out(
                    "the name of the frame: the recording has its number alone; put its title, label, name or id in the place of `{ css: iframe, nth: … }`",
                );
            }
            Some(("name" | "id", name)) => self.frames.push(Frame::Named(name.to_owned())),
            None => self.frames.push(Frame::Named(target)),
            Some(_) => {
                let way = from_selenium(&target)
                    .pop()
                    .ok_or("which frame is meant is not to be seen here; write `inside: { frame: … }`")?;
                self.frames.push(Frame::Found(Locator::new(way)));
            }
        }
        Ok(Vec::new())
    }
}

/// What does nothing by itself, and what to write in the place of what has no counterpart.
fn instead_of(name: &str, command: &Command) -> Done {
    match name {
        "echo" | "debugger" | "setSpeed" | "mouseOut" | "mouseMoveAt" | "windowMaximize" | "windowFocus"
        | "waitForPageToLoad" => Ok(Vec::new()),
        "pause" => Err(
            "a fixed wait; what comes next waits by itself, write `see:` for what must be there".to_owned(),
        ),
        "run" => Err(format!(
            "it runs the test `{}`; put the steps of that one here",
            command.target
        )),
        "submit" => {
            Err("it sends a form; `press: Enter` behind the last field, or a click on its button".to_owned())
        }
        _ if name.starts_with("store") => {
            Err("only texts and values are kept: `remember: { name: <element> }`".to_owned())
        }
        _ => Err("there is no such step here; docs/browser.md lists the verbs".to_owned()),
    }
}
