//! A project folder → typed, validated values; ALL problems collected.
//!
//! `validate`, `run` and `serve` call the same [`load`]. Invariant: a problem never shows a
//! secret, and a broken file never hides the problems of another.

mod alerts;
mod check_keys;
mod check_times;
mod checks;
mod files;
mod merge;
mod settings;
mod thresholds;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::check::Runnable;
use crate::decode::{Lookup, Problem, Reader, SecretMode, Severity, schema_of};
use crate::model::{CheckId, Secret, Text, Timestamp};
use crate::notify::Channel;
use crate::route::Route;

pub use checks::Met;
pub use merge::Effective;
pub use settings::{Retention, Settings};

/// How a project is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The project folder.
    pub root: PathBuf,
    /// `--var name=value`, stronger than every `vars:`.
    pub vars: Vec<(String, String)>,
    /// Whether secrets are looked up.
    pub secrets: SecretMode,
    /// Now, for cron expressions that never come.
    pub now: Timestamp,
}

/// Everything a project says.
pub struct Project {
    /// The project folder.
    pub root: PathBuf,
    /// `haetae.yaml`, with what holds where it is silent.
    pub settings: Settings,
    /// Every check that could be read, by id; disabled ones too.
    pub checks: BTreeMap<CheckId, Runnable>,
    /// Each check's effective values with their origin, for `show`.
    pub effective: BTreeMap<CheckId, Vec<Effective>>,
    /// Every check that was met, readable or not.
    pub met: BTreeMap<CheckId, Met>,
    /// Who can be told.
    pub channels: Vec<Channel>,
    /// Who is told what.
    pub routes: Vec<Route>,
    /// What must be masked.
    pub secrets: Vec<Secret>,
    /// What is wrong, in the order of files.
    pub problems: Vec<Problem>,
}

impl Project {
    /// Problems that keep the project from being used.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems
            .iter()
            .filter(|problem| problem.severity != Severity::Warning)
    }

    /// The checks that run.
    #[must_use]
    pub fn enabled(&self) -> Vec<Runnable> {
        self.checks
            .values()
            .filter(|runnable| runnable.check.enabled)
            .cloned()
            .collect()
    }

    /// Whether it can be used.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.errors().next().is_none()
    }
}

/// Loads a project folder. Whatever is wrong is in the result's problems.
#[must_use]
pub fn load(options: &LoadOptions) -> Project {
    let lookup = Machine {
        root: options.root.clone(),
    };
    let mut reader = Reader::new(&lookup, options.secrets);
    let files = files::find(&options.root, &mut reader);
    let mut settings = Settings::default();
    let mut defaults = None;
    if let Some(tree) = files
        .settings
        .and_then(|source| files::read(&source, &mut reader))
    {
        (settings, defaults) = settings::read(&tree, &mut reader);
    }
    reader.deny_literal_secrets = settings.deny_literal_secrets;
    for (name, text) in std::mem::take(&mut settings.vars) {
        reader.scope.set(name, text);
    }
    let overrides: Vec<(String, Text)> = options
        .vars
        .iter()
        .map(|(name, value)| (name.clone(), Text::literal(value)))
        .collect();
    for (name, text) in &overrides {
        reader.scope.set(name.clone(), text.clone());
    }
    let mut read = checks::Checks::new(defaults, overrides, options.now);
    for source in &files.checks {
        match files::read(source, &mut reader) {
            Some(tree) => read.file(source, &tree, &mut reader),
            None => files::must_hold_something(source, "check", &mut reader),
        }
    }
    let mut alerts = alerts::Alerts::default();
    for source in &files.alerts {
        match files::read(source, &mut reader) {
            Some(tree) => alerts.file(&tree, &mut reader),
            None => files::must_hold_something(source, "channel or route", &mut reader),
        }
    }
    alerts.finish(
        read.readable.values().map(|runnable| &*runnable.check),
        &mut reader,
    );
    let secrets = reader.take_secrets();
    Project {
        root: options.root.clone(),
        settings,
        checks: read.readable,
        effective: read.effective,
        met: read.met,
        channels: alerts.channels,
        routes: alerts.routes,
        secrets,
        problems: in_order(reader.problems),
    }
}

/// File by file as they were read, and within a file from top to bottom.
fn in_order(problems: Vec<Problem>) -> Vec<Problem> {
    let mut files: Vec<String> = Vec::new();
    let mut keyed: Vec<_> = problems
        .into_iter()
        .map(|problem| {
            let key = problem.place.as_ref().map_or((usize::MAX, 0, 0), |place| {
                let known = files.iter().position(|name| *name == place.source.name);
                let file = known.unwrap_or_else(|| {
                    files.push(place.source.name.clone());
                    files.len() - 1
                });
                (file, place.line, place.column)
            });
            (key, problem)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, problem)| problem).collect()
}

/// The JSON Schemas for editors: checks, alerts, settings.
#[must_use]
pub fn schemas() -> [(&'static str, serde_json::Value); 3] {
    [
        ("check", schema_of(check_keys::file_spec(), "haetae check file")),
        ("alerts", schema_of(&alerts::ALERTS, "haetae alerts file")),
        ("settings", schema_of(&settings::SETTINGS, "haetae.yaml")),
    ]
}

/// The machine haetae runs on: its environment and its files.
struct Machine {
    root: PathBuf,
}

/// A secret's file is read up to this size.
const LONGEST_SECRET_BYTES: u64 = 64 * 1024;

impl Lookup for Machine {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let path = self.root.join(Path::new(path));
        let size = std::fs::metadata(&path).map_err(|error| in_words(&error))?.len();
        if size > LONGEST_SECRET_BYTES {
            return Err(format!("it has {size} bytes; {LONGEST_SECRET_BYTES} is the most"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| in_words(&error))?;
        Ok(text.trim_end_matches(['\n', '\r']).to_owned())
    }
}

fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "haetae may not read it".into(),
        std::io::ErrorKind::InvalidData => "it is not text in UTF-8".into(),
        _ => error.to_string(),
    }
}
