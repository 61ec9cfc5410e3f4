//! The form of Selenium IDE's projects: commands, variables, keys among text.
//!
//! Invariant: a value that is only known at run time is told from one that is recorded.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value as Json;

use super::keys::{Key, chord, key};
use super::scenario::escaped;

/// A project; every test becomes a check.
#[derive(Deserialize)]
pub struct Project {
    /// What addresses are relative to.
    pub url: String,
    /// The tests.
    pub tests: Vec<Test>,
}

/// A test.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Test {
    /// As it was named.
    pub name: String,
    /// What it does; read one by one, so that one bad command spoils no other.
    pub commands: Vec<Json>,
}

/// A command.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Command {
    /// What it does.
    #[serde(rename = "command")]
    pub name: String,
    /// On which element, mostly.
    pub target: String,
    /// With which value.
    pub value: String,
    /// Other ways to find the element, each with the name of its finder.
    pub targets: Vec<Vec<String>>,
    /// Whether a window opens.
    pub opens_window: bool,
    /// The variable that names the window from here on.
    pub window_handle_name: String,
}

/// What is sent to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stroke {
    /// Text.
    Text(String),
    /// Keys pressed together.
    Press(String),
}

/// Variables of a test.
#[derive(Default)]
pub struct Variables {
    /// Stored by the test itself: put in where they are used.
    stored: BTreeMap<String, String>,
    /// Read from the page: known at run time.
    remembered: BTreeSet<String>,
}

impl Variables {
    /// Takes note of a value that stands in the test; it is as [`Variables::fill`] gave it.
    pub fn store(&mut self, name: &str, value: String) {
        self.remembered.remove(name);
        self.stored.insert(name.to_owned(), value);
    }

    /// Takes note of a value that is read from the page.
    ///
    /// # Errors
    /// When the scenario format could not use the name.
    pub fn remember(&mut self, name: &str) -> Result<(), String> {
        let fits = |c: char| c.is_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(fits) {
            return Err(format!(
                "`{name}` cannot be a name for what is remembered; write `remember: {{ name: … }}`"
            ));
        }
        self.stored.remove(name);
        self.remembered.insert(name.to_owned());
        Ok(())
    }

    /// A text as the scenario format wants it.
    ///
    /// # Errors
    /// When it uses a variable of which nothing is known.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            filled.push_str(before);
            let Some((name, after)) = behind.split_once('}') else {
                rest = &rest[before.len()..];
                break;
            };
            if let Some(value) = self.stored.get(name) {
                filled.push_str(value);
            } else if self.remembered.contains(name) {
                filled.push_str(&format!("${{{name}}}"));
            } else {
                return Err(format!(
                    "nothing is known of the variable `{name}` that it uses; write the step with a value, `${{env:…}}` or `${{vars.…}}`"
                ));
            }
            rest = after;
        }
        filled.push_str(&escaped(rest));
        Ok(filled)
    }
}

/// Takes `rust${KEY_ENTER}` apart. Variables stay in the text.
///
/// # Errors
/// When a key has no counterpart.
pub fn strokes(value: &str) -> Result<Vec<Stroke>, String> {
    let mut found = Vec::new();
    let mut held: Vec<&'static str> = Vec::new();
    let mut parts = value.split("${KEY_");
    type_text(parts.next().unwrap_or_default(), &mut held, &mut found)?;
    for part in parts {
        let (name, text) = part.split_once('}').unwrap_or((part, ""));
        match key(name) {
            Key::Modifier(modifier) => held.push(modifier),
            Key::Silent => {}
            pressed @ (Key::Named(_) | Key::Sign(_) | Key::Unknown) => {
                let keys = chord(&held, &pressed).ok_or_else(|| {
                    format!("there is no key `{name}`; docs/browser.md lists those of `press:`")
                })?;
                found.push(Stroke::Press(keys));
                held.clear();
            }
        }
        type_text(text, &mut held, &mut found)?;
    }
    Ok(found)
}

/// The first sign behind Control and its kin is a key, what follows is text.
fn type_text(text: &str, held: &mut Vec<&'static str>, found: &mut Vec<Stroke>) -> Result<(), String> {
    let mut rest = text;
    if let Some(first) = rest.chars().next()
        && held.iter().any(|modifier| *modifier != "Shift")
    {
        let keys = chord(held, &Key::Sign(first))
            .ok_or_else(|| format!("`{first}` cannot be pressed with other keys"))?;
        found.push(Stroke::Press(keys));
        held.clear();
        rest = &rest[first.len_utf8()..];
    }
    if !rest.is_empty() {
        found.push(Stroke::Text(rest.to_owned()));
    }
    Ok(())
}
