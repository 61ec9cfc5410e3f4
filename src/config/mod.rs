//! A project folder → typed, validated values; ALL problems collected.
//!
//! `validate`, `run` and `serve` call the same [`load`]. Invariant: a problem never shows a
//! secret, and a broken file never hides the problems of another.

mod alerts;
mod check_keys;
mod check_times;
mod checks;
mod choose;
mod depends;
mod files;
mod guards;
mod matchers;
mod matrix;
mod merge;
mod quieting;
mod settings;
mod thresholds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::check::Runnable;
use crate::decode::{Lookup, Problem, Reader, SecretMode, Severity, Source, schema_of};
use crate::engine::watchdog_check;
use crate::model::{CheckId, Hours, Language, Matcher, Secret, Text, Timestamp};
use crate::notify::Channel;
use crate::route::{Policy, StormLimit};

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
    /// Who is told what, and when.
    pub policy: Arc<Policy>,
    /// Hours of the week by name, for matchers that come later.
    pub windows: BTreeMap<String, Hours>,
    /// What must be masked.
    pub secrets: Vec<Secret>,
    /// What is wrong, in the order of files.
    pub problems: Vec<Problem>,
}

impl Project {
    /// Every problem once: what is wrong in a flow or a matrix is wrong in each check that
    /// has it.
    #[must_use]
    pub fn told(&self) -> Vec<&Problem> {
        let mut told = BTreeSet::new();
        let is_new = |problem: &&Problem| {
            let place = problem
                .place
                .as_ref()
                .map(|place| (place.source.name.clone(), place.line, place.column));
            told.insert((place, problem.message.clone()))
        };
        self.problems.iter().filter(is_new).collect()
    }

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

    /// What the scheduler runs: the checks, and haetae's own heartbeat.
    #[must_use]
    pub fn to_run(&self) -> Vec<Runnable> {
        let mut all = self.enabled();
        all.extend(
            self.settings
                .watchdog
                .as_ref()
                .map(|watchdog| crate::check::pulse::runnable(watchdog_check(watchdog.every))),
        );
        all
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
    let mut read = checks::Checks::new(
        defaults,
        overrides,
        std::mem::take(&mut settings.threshold_sets),
        options.now,
    );
    for source in &files.checks {
        match files::read(source, &mut reader) {
            Some(tree) => read.file(source, &tree, &mut reader),
            None => files::must_hold_something(source, "check", &mut reader),
        }
    }
    depends::check(&read.depends, &read.met, &read.readable, &mut reader);
    let alerts = read_alerts(&files.alerts, options.now, &mut reader);
    alerts.finish(
        read.readable.values().map(|runnable| &*runnable.check),
        &mut reader,
    );
    guards::check_controls(&settings.controls, &read.met, &mut reader);
    let secrets = reader.take_secrets();
    let policy = policy(&alerts, &read.readable, &settings);
    let mut channels = alerts.channels;
    channels.extend(
        settings
            .watchdog
            .as_ref()
            .map(|watchdog| watchdog.channel.clone()),
    );
    if settings.language == Language::Ko {
        reader.problems.iter_mut().for_each(Problem::tell_in_korean);
    }
    Project {
        root: options.root.clone(),
        settings,
        checks: read.readable,
        effective: read.effective,
        met: read.met,
        channels,
        policy: Arc::new(policy),
        windows: alerts.windows,
        secrets,
        problems: in_order(reader.problems),
    }
}

/// What the engine decides by.
fn policy(alerts: &alerts::Alerts, checks: &BTreeMap<CheckId, Runnable>, settings: &Settings) -> Policy {
    Policy {
        checks: checks
            .iter()
            .map(|(id, runnable)| (id.clone(), Arc::clone(&runnable.check)))
            .collect(),
        routes: alerts.routes.clone(),
        maintenance: alerts.maintenance.clone(),
        inhibit: alerts.inhibit.clone(),
        storm: alerts
            .storm
            .map_or(Some(StormLimit::default()), quieting::StormSetting::limit),
        channels: alerts
            .channels
            .iter()
            .map(|channel| (channel.name.clone(), channel.fallback.clone()))
            .collect(),
        blind_guard: settings.blind_guard.clone(),
    }
}

fn read_alerts(files: &[Arc<Source>], now: Timestamp, reader: &mut Reader<'_>) -> alerts::Alerts {
    let mut alerts = alerts::Alerts::new(now);
    let mut trees = Vec::new();
    for source in files {
        match files::read(source, reader) {
            Some(tree) => trees.push(tree),
            None => files::must_hold_something(source, "channel or route", reader),
        }
    }
    for tree in &trees {
        alerts.windows(tree, reader);
    }
    for tree in &trees {
        alerts.file(tree, reader);
    }
    alerts
}

/// Reads a matcher that somebody typed, in YAML or JSON, as a route's `match` would be.
///
/// # Errors
/// Every problem, in words for people.
pub fn read_matcher(text: &str, windows: &BTreeMap<String, Hours>) -> Result<Matcher, String> {
    let lookup = Machine { root: PathBuf::new() };
    let mut reader = Reader::new(&lookup, SecretMode::Skip);
    let source = Arc::new(Source {
        name: "match".into(),
        text: text.to_owned(),
    });
    let tree = files::read(&source, &mut reader);
    let matcher = tree.and_then(|tree| matchers::read_match(&tree, windows, &mut reader));
    let problems: Vec<String> = reader.problems.iter().map(Problem::in_one_line).collect();
    match matcher.filter(|_| problems.is_empty()) {
        Some(matcher) if matcher.is_empty() => Err("it names nothing, and would match every incident".into()),
        Some(matcher) => Ok(matcher),
        None => Err(problems.join("; ")),
    }
}

/// File by file as they were read, and within a file from top to bottom.
fn in_order(problems: Vec<Problem>) -> Vec<Problem> {
    let mut files: Vec<String> = Vec::new();
    // A flow is read wherever it is called; what is wrong in it is told once.
    let mut told = BTreeSet::new();
    let problems = problems.into_iter().filter(|problem| {
        let place = problem
            .place
            .as_ref()
            .map(|place| (place.source.name.clone(), place.line, place.column));
        place.is_none() || told.insert((place, problem.message.clone(), problem.check.clone()))
    });
    let mut keyed: Vec<_> = problems
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
pub fn schemas() -> [(&'static str, serde_json::Value); 4] {
    [
        ("check", schema_of(check_keys::file_spec(), "haetae check file")),
        ("flow", schema_of(&crate::browser::FLOW, "haetae flow file")),
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
