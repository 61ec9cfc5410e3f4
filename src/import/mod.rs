//! What other programs keep, as checks in idiomatic YAML: recordings of browsers (Chrome's
//! recorder, Selenium IDE, HAR), descriptions of APIs (`OpenAPI`), configurations of other monitors
//! (Uptime Kuma, Gatus, `blackbox_exporter`).
//!
//! Invariant: text in, text out; no clock, no disk, no network. What cannot be carried over is
//! said, in the check at its place and beside it; passwords, tokens and cookies are in neither.

mod blackbox;
mod blackbox_http;
mod blackbox_kinds;
mod form;
mod gatus;
mod gatus_conditions;
mod gatus_http;
mod gatus_kinds;
mod har;
mod har_found;
mod har_request;
mod keys;
mod kuma;
mod kuma_http;
mod kuma_kinds;
mod locator;
mod openapi;
mod openapi_schema;
mod recorder;
mod recorder_form;
mod scenario;
mod scrape;
mod selector;
mod sheet;
mod side;
mod side_acts;
mod side_form;
mod tidy;
mod value;
mod words;
mod writing;
mod yaml;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use scenario::Draft;
use sheet::Sheet;
use value::Value;

pub use form::{FORMS, Form};

/// A file's name is made of at most so many characters of the title.
const LONGEST_NAME: usize = 60;

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// A file for every recording, and for every group, in it.
    pub checks: Vec<ImportedCheck>,
}

/// A file of checks: one made of a recording, or those of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedCheck {
    /// The recording's title, or the group, as a file name: `log-in.yaml`, `shop/api.yaml`.
    /// Different for every check of a file.
    pub file_name: String,
    /// The check.
    pub yaml: String,
    /// What could not be carried over: its place in the source, why, and what to write instead.
    pub left_out: Vec<String>,
}

/// What the user says besides the file.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Which form the file has, instead of what its content says.
    pub from: Option<Form>,
    /// Where modules and relative addresses point: `MODULE=ADDRESS`, or an address.
    pub targets: Vec<String>,
    /// A scrape configuration of Prometheus: its name and text.
    pub scrape: Option<(String, String)>,
    /// A check for each request of a recording, instead of a chain.
    pub apart: bool,
    /// The kinds of check that there are; empty means all that the format has.
    pub kinds: Vec<&'static str>,
}

/// Makes checks of a file; `file_name` is what they say they come from.
///
/// # Errors
/// When the text is nothing that is understood; the message says what is.
pub fn import(file_name: &str, text: &str, wishes: &Wishes) -> Result<Imported, String> {
    let json = serde_json::from_str::<Json>(text.trim_start_matches('\u{feff}')).ok();
    let by_json = wishes.from.or_else(|| json.as_ref().and_then(Form::of_json));
    let not_json = || "it is no JSON".to_owned();
    match by_json {
        Some(Form::Recorder) => recordings(vec![recorder::read(&json.ok_or_else(not_json)?)?], file_name),
        Some(Form::Side) => recordings(side::read(&json.ok_or_else(not_json)?)?, file_name),
        Some(Form::Har) => sheets(
            vec![har::read(&json.ok_or_else(not_json)?, file_name, wishes.apart)?],
            wishes,
        ),
        _ => configuration(file_name, text, wishes),
    }
}

fn configuration(file_name: &str, text: &str, wishes: &Wishes) -> Result<Imported, String> {
    let root = Value::read(file_name, text)?;
    let form = wishes.from.or_else(|| Form::of_value(&root));
    match form {
        Some(Form::OpenApi) => sheets(
            vec![openapi::read(
                &root,
                file_name,
                wishes.targets.first().map(String::as_str),
            )?],
            wishes,
        ),
        Some(Form::Kuma) => sheets(kuma::read(&root, file_name), wishes),
        Some(Form::Gatus) => sheets(gatus::read(&root, file_name), wishes),
        Some(Form::Blackbox) => {
            let mut scrapes = match &wishes.scrape {
                Some((name, text)) => scrape::read(&Value::read(name, text)?),
                None => scrape::Scrapes::default(),
            };
            scrapes
                .targets
                .extend(scrape::named(&wishes.targets, &blackbox::modules(&root)));
            sheets(blackbox::read(&root, file_name, scrapes)?, wishes)
        }
        Some(Form::Recorder | Form::Side | Form::Har) | None => {
            Err(form::older(&root).unwrap_or_else(form::not_understood))
        }
    }
}

fn sheets(sheets: Vec<Sheet>, wishes: &Wishes) -> Result<Imported, String> {
    let mut checks: Vec<ImportedCheck> = Vec::new();
    // What belongs to a file without checks must be said all the same.
    let mut homeless: Vec<String> = Vec::new();
    for mut sheet in sheets {
        sheet.tidy(&wishes.kinds);
        if sheet.checks.is_empty() {
            homeless.append(&mut sheet.left_out);
            continue;
        }
        sheet.left_out.splice(0..0, homeless.drain(..));
        checks.push(ImportedCheck {
            file_name: format!("{}.yaml", sheet.name),
            yaml: sheet.yaml(),
            left_out: sheet.all_left_out(),
        });
    }
    match (checks.last_mut(), homeless.is_empty()) {
        (None, true) => Err("there is nothing to watch in it".to_owned()),
        (None, false) => Err(format!("no check could be made of it: {}", homeless.join("; "))),
        (Some(last), _) => {
            for why in &homeless {
                last.yaml.insert_str(
                    0,
                    &format!("{}\n", yaml::comment(&format!("left out: {why}"), 0).join("\n")),
                );
            }
            last.left_out.append(&mut homeless);
            Ok(Imported { checks })
        }
    }
}

fn recordings(drafts: Vec<Draft>, file_name: &str) -> Result<Imported, String> {
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
