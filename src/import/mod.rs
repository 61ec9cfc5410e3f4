//! Recordings of browsers as checks: what Chrome's recorder and Selenium IDE keep, in idiomatic YAML.
//!
//! Invariant: text in, text out; no clock, no disk, no network. What cannot be carried over is
//! said, in the check at its place and beside it; what was typed into a field for a password is
//! in neither.

mod keys;
mod locator;
mod recorder;
mod recorder_form;
mod scenario;
mod selector;
mod side;
mod side_acts;
mod side_form;
mod tidy;
mod words;
mod writing;
mod yaml;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use scenario::Draft;

/// A file's name is made of at most so many characters of the title.
const LONGEST_NAME: usize = 60;

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// A check for every recording in it.
    pub checks: Vec<ImportedCheck>,
}

/// A check made of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedCheck {
    /// The recording's title as a file name: `log-in.yaml`. Different for every check of a file.
    pub file_name: String,
    /// The check.
    pub yaml: String,
    /// What could not be carried over: its place in the recording, why, and what to write instead.
    pub left_out: Vec<String>,
}

/// Makes checks of a recording; `file_name` is what they say they come from.
///
/// # Errors
/// When the text is no recording that is understood; the message says which are.
pub fn import(file_name: &str, text: &str) -> Result<Imported, String> {
    let json: Json =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| not_understood())?;
    let drafts = if json.get("title").is_some() && json.get("steps").is_some() {
        vec![recorder::read(&json)?]
    } else if json.get("tests").is_some() && json.get("url").is_some() {
        side::read(&json)?
    } else {
        return Err(not_understood());
    };
    let drafts: Vec<Draft> = drafts
        .into_iter()
        .filter(|draft| !draft.steps.is_empty())
        .collect();
    if drafts.is_empty() {
        return Err("the recording has no steps; record something, and export it again".to_owned());
    }
    let mut taken: Vec<String> = Vec::new();
    let checks = drafts
        .into_iter()
        .map(|draft| {
            let draft = named(tidy::tidy(draft));
            let name = free_name(&slug(&draft.title), &taken);
            taken.push(name.clone());
            ImportedCheck {
                file_name: format!("{name}.yaml"),
                yaml: writing::write(&draft, file_name),
                left_out: writing::notes(&draft.steps),
            }
        })
        .collect();
    Ok(Imported { checks })
}

fn not_understood() -> String {
    "this is no recording that is understood: neither JSON of the Recorder panel in Chrome's DevTools (`title` and `steps`) nor a project of Selenium IDE (`.side`, with `url` and `tests`)"
        .to_owned()
}

/// A check needs a name, and a recording may have none.
fn named(mut draft: Draft) -> Draft {
    if draft.title.is_empty() {
        "Imported recording".clone_into(&mut draft.title);
    }
    draft
}

/// Letters of any script and digits, the rest as single dashes.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let short: String = slug.chars().take(LONGEST_NAME).collect();
    let short = short.trim_end_matches('-');
    if short.is_empty() {
        return "recording".to_owned();
    }
    short.to_owned()
}

/// Adds a number to a name that another check of the file has already.
fn free_name(name: &str, taken: &[String]) -> String {
    let others = (2..10_000).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned())
        .chain(others)
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| name.to_owned())
}
