//! Commands of Selenium IDE that act on elements, look at them, or keep what they show.
//!
//! Invariant: a command that names no element that can be found becomes a note.

use super::locator::{Kind, Locator, Target, Way, from_selenium};
use super::scenario::{Act, Answer, Fact, Step, Typing, Verb, escaped};
use super::selector::fold;
use super::side::{Done, Player};
use super::side_form::{Command, Stroke, strokes};

impl Player {
    /// The mouse.
    pub(super) fn point(&mut self, name: &str, command: &Command) -> Option<Done> {
        let verb = match name {
            "click" | "clickAt" => Verb::Click,
            "doubleClick" | "doubleClickAt" => Verb::DoubleClick,
            "contextMenu" => Verb::RightClick,
            "mouseOver" => Verb::Hover,
            "check" => Verb::Check,
            "uncheck" => Verb::Uncheck,
            "dragAndDropToObject" => {
                let to = self.only(&command.value);
                let both = self.element(command).and_then(|from| Ok((from, to?)));
                return Some(both.map(|(from, to)| vec![Act::Drag { from, to }]));
            }
            _ => return None,
        };
        if command.opens_window {
            self.tabs.push(vec![command.window_handle_name.clone()]);
        }
        Some(self.element(command).map(|target| vec![Act::On(verb, target)]))
    }

    /// Fields.
    pub(super) fn fill_in(&mut self, name: &str, command: &Command) -> Option<Done> {
        Some(match name {
            "type" => self.write(command),
            "sendKeys" => self.send_keys(command),
            "select" | "addSelection" => self.choose(command),
            _ => return None,
        })
    }

    fn write(&mut self, command: &Command) -> Done {
        let target = self.element(command)?;
        let text = self.variables.fill(&command.value)?;
        let file = text.rsplit_once("fakepath\\").map(|(_, name)| name.to_owned());
        if file.is_some() || target.kind() == Kind::File {
            self.leave_out(
                "the file itself is not in the recording; put it beside the check, and its path behind `file:`",
            );
            let file = file.unwrap_or(text);
            return Ok(vec![Act::Upload { file, to: target }]);
        }
        if text.is_empty() {
            return Ok(vec![Act::On(Verb::Clear, target)]);
        }
        Ok(vec![Act::Type {
            into: target,
            text,
            typing: Typing::Whole,
            press: None,
        }])
    }

    /// Text is typed behind what is there; keys go to the field, which has to have the focus.
    fn send_keys(&self, command: &Command) -> Done {
        let target = self.element(command)?;
        let mut acts = Vec::new();
        for stroke in strokes(&command.value)? {
            match stroke {
                Stroke::Text(text) => acts.push(Act::Type {
                    into: target.clone(),
                    text: self.variables.fill(&text)?,
                    typing: Typing::Behind,
                    press: None,
                }),
                Stroke::Press(keys) => {
                    let goes_there = |act: &Act| match act {
                        Act::Type { into: at, .. } | Act::On(Verb::Click, at) => at.is_same_as(&target),
                        _ => false,
                    };
                    let last = acts.last().or(self.draft.steps.last().map(|step| &step.act));
                    let has_focus = last.is_some_and(goes_there);
                    if !has_focus && acts.is_empty() {
                        acts.push(Act::On(Verb::Click, target.clone()));
                    }
                    acts.push(Act::Press(keys));
                }
            }
        }
        Ok(acts)
    }

    fn choose(&self, command: &Command) -> Done {
        let from = self.element(command)?;
        let value = self.variables.fill(&command.value)?;
        let option = match value.split_once('=') {
            Some(("label" | "value", option)) if !option.starts_with("regexp:") => option.to_owned(),
            Some(("label" | "value" | "index" | "id", _)) => {
                return Err(format!(
                    "it chooses the option by `{value}`; write `choose:` with the text that the option shows"
                ));
            }
            _ => value,
        };
        Ok(vec![Act::Choose { option, from }])
    }

    /// Results. A `verify` that fails ends a scenario as an `assert` does.
    pub(super) fn look(&self, name: &str, command: &Command) -> Option<Done> {
        let what = ["assert", "verify", "waitFor"]
            .iter()
            .find_map(|prefix| name.strip_prefix(*prefix))?;
        let waits = name.starts_with("waitFor");
        let of_element = |fact: Fact| {
            self.element(command)
                .map(|target| vec![Act::Expect(fact, Some(target))])
        };
        let filled = |text: &str| self.variables.fill(text);
        Some(match what {
            "Title" => filled(&command.target).map(|title| vec![Act::Expect(Fact::Title(title), None)]),
            "Text" => filled(&command.value).and_then(|text| of_element(Fact::Text(fold(&text)))),
            "NotText" => filled(&command.value).and_then(|text| of_element(Fact::OtherText(fold(&text)))),
            "Value" | "SelectedValue" => match command.value.as_str() {
                // Boxes have these two values here, whatever stands in their tag.
                "on" => of_element(Fact::Checked(true)),
                "off" => of_element(Fact::Checked(false)),
                value => filled(value).and_then(|value| of_element(Fact::Value(value))),
            },
            "Checked" => of_element(Fact::Checked(true)),
            "NotChecked" => of_element(Fact::Checked(false)),
            "Editable" | "ElementEditable" => of_element(Fact::Enabled(true)),
            "NotEditable" | "ElementNotEditable" => of_element(Fact::Enabled(false)),
            "ElementPresent" | "ElementVisible" => self
                .element(command)
                .map(|target| vec![Act::On(Verb::See, target)]),
            "ElementNotPresent" | "ElementNotVisible" => self.element(command).map(|target| {
                vec![match waits {
                    true => Act::WaitGone(target),
                    false => Act::On(Verb::NotSee, target),
                }]
            }),
            "Alert" | "Confirmation" | "Prompt" => Err(
                "what a dialog says is not looked at; `dialog:` before the step that opens it answers it"
                    .to_owned(),
            ),
            _ => return None,
        })
    }

    /// Values for later steps.
    pub(super) fn keep(&mut self, name: &str, command: &Command) -> Option<Done> {
        Some(match name {
            "store" => self.variables.fill(&command.target).map(|value| {
                self.variables.store(&command.value, value);
                Vec::new()
            }),
            "storeText" | "storeValue" => self.element(command).and_then(|target| {
                self.variables.remember(&command.value)?;
                Ok(vec![Act::Remember(command.value.clone(), target)])
            }),
            "executeScript" if !command.value.is_empty() => Err(format!(
                "`{}` is the result of a script; `remember:` keeps what an element shows",
                command.value
            )),
            "runScript" | "executeScript" => Ok(vec![Act::Script(escaped(&command.target))]),
            _ => return None,
        })
    }

    /// Dialogs. The answer stands before the step that opens one.
    pub(super) fn answer(&mut self, name: &str, command: &Command) -> Option<Done> {
        let says = || self.variables.fill(&command.target).map(Answer::Say);
        let (answer, is_open) = match name {
            "answerOnNextPrompt" => (says(), false),
            "webdriverAnswerOnVisiblePrompt" | "answerPrompt" => (says(), true),
            "chooseOkOnNextConfirmation" => (Ok(Answer::Accept), false),
            "webdriverChooseOkOnVisibleConfirmation" | "acceptConfirmation" | "acceptAlert" => {
                (Ok(Answer::Accept), true)
            }
            "chooseCancelOnNextConfirmation" | "chooseCancelOnNextPrompt" => (Ok(Answer::Dismiss), false),
            "webdriverChooseCancelOnVisibleConfirmation"
            | "webdriverChooseCancelOnVisiblePrompt"
            | "dismissConfirmation"
            | "dismissPrompt" => (Ok(Answer::Dismiss), true),
            _ => return None,
        };
        Some(answer.map(|answer| {
            let act = Act::Dialog(answer);
            if !is_open {
                return vec![act];
            }
            let opener = self
                .draft
                .steps
                .iter()
                .rposition(|step| !matches!(step.act, Act::LeftOut(_)));
            let step = Step {
                place: self.place.clone(),
                frames: self.frames.clone(),
                within_ms: None,
                act,
            };
            self.draft.steps.insert(opener.unwrap_or_default(), step);
            Vec::new()
        }))
    }

    /// The element of a command, with every way the recording has.
    fn element(&self, command: &Command) -> Result<Target, String> {
        let first = self.variables.fill(&command.target)?;
        let others = command.targets.iter().filter_map(|target| target.first());
        let ways: Vec<Way> = std::iter::once(first)
            .chain(others.filter_map(|target| self.variables.fill(target).ok()))
            .flat_map(|locator| from_selenium(&locator))
            .collect();
        target_of(ways)
    }

    fn only(&self, locator: &str) -> Result<Target, String> {
        target_of(from_selenium(&self.variables.fill(locator)?))
    }
}

fn target_of(ways: Vec<Way>) -> Result<Target, String> {
    Target::new(ways.into_iter().map(Locator::new)).ok_or_else(|| {
        "it has no locator that can be used; write the step with what a person reads there".to_owned()
    })
}
