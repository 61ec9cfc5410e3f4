//! `command`: runs a program as Nagios runs its plugins.
//!
//! Invariant: no shell reads anything, and nothing that a run started outlives it.

mod perfdata;
mod plugin;
mod process;
mod range;
mod read;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::process::Command;

use self::plugin::Said;
use self::process::{Ended, How, KEPT_BYTES};
use super::attempt::Limit;
use super::capture::{Answered, Capture};
use super::expect::broken;
use super::http::scope;
use super::matcher::Matcher;
use super::net::fault::Fault;
use super::{Kind, Pool, Probe, RunContext};
use crate::model::{Level, Outcome, Quantity, RunScope, Text, Unfilled, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "command",
    doc: "Runs a program as Nagios runs its plugins: exit code, message, performance data.",
    settings: &read::COMMAND,
    expect: &read::COMMAND_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[],
    read: read::read,
};

/// A message is told up to so many characters.
const LONGEST_MESSAGE: usize = 500;
/// More than this of what it wrote is no help.
const LONGEST_EXCERPT: usize = 2_000;
/// So many of a plugin's numbers are measured.
const MOST_NUMBERS: usize = 200;
/// Where programs are looked for when haetae itself has no `PATH`.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct CommandProbe {
    program: Text,
    arguments: Vec<Text>,
    env: Vec<(String, Text)>,
    directory: Option<Text>,
    expects: Vec<(Level, Option<Matcher>)>,
    captures: Vec<Capture>,
    attempt_timeout: std::time::Duration,
}

#[async_trait]
impl Probe for CommandProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        let limit = Limit::new(run.deadline, self.attempt_timeout);
        match self.ended(run, &limit).await {
            Ok(ended) => self.look(run, &ended, &limit),
            Err(fault) => fault.into_outcome(),
        }
    }

    fn extra_measures(&self) -> Vec<(String, Option<Unit>)> {
        self.captures
            .iter()
            .map(|capture| (capture.name.clone(), capture.unit()))
            .collect()
    }

    fn measures_any_name(&self) -> bool {
        true
    }
}

impl CommandProbe {
    async fn ended(&self, run: &RunContext, limit: &Limit) -> Result<Ended, Fault> {
        let captured = BTreeMap::new();
        let command = self
            .command(&scope(run, &captured), &run.services.project_dir)
            .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
        let directory = command.as_std().get_current_dir().map(Path::to_path_buf);
        process::run(command, &run.id.0, limit.until())
            .await
            .map_err(|error| Fault::ours(self.not_started(&error, directory.as_deref())))
    }

    fn command(&self, scope: &RunScope<'_>, project: &Path) -> Result<Command, Unfilled> {
        let program = self.program.fill(scope)?;
        // With a slash in it a program is a path; a relative one lies in the project folder.
        let program = match program.contains('/') {
            true => project.join(program),
            false => PathBuf::from(program),
        };
        let directory = match &self.directory {
            Some(text) => project.join(text.fill(scope)?),
            None => project.to_path_buf(),
        };
        let mut command = Command::new(program);
        command
            .current_dir(directory)
            .env_clear()
            .env("PATH", search_path())
            .env("LANG", "C.UTF-8");
        for argument in &self.arguments {
            command.arg(argument.fill(scope)?);
        }
        for (name, text) in &self.env {
            command.env(name, text.fill(scope)?);
        }
        Ok(command)
    }

    fn not_started(&self, error: &io::Error, directory: Option<&Path>) -> String {
        let program = self.program.as_written();
        if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
            return format!(
                "`{program}` was not run: there is no folder {}",
                directory.display()
            );
        }
        match error.kind() {
            io::ErrorKind::NotFound if program.contains('/') => {
                format!("`{program}` was not run: there is no such program, or not what its first line names")
            }
            io::ErrorKind::NotFound => format!(
                "`{program}` was not run: it is in none of {}",
                search_path().to_string_lossy()
            ),
            io::ErrorKind::PermissionDenied => {
                format!("`{program}` was not run: haetae's user may not execute it")
            }
            _ => format!("`{program}` was not run: {error}"),
        }
    }

    /// Exit code, message, numbers, expectations.
    fn look(&self, run: &RunContext, ended: &Ended, limit: &Limit) -> Outcome {
        let output = ended.stdout.text();
        let said = Said::parse(&output);
        let mut outcome = self.meaning(ended, &said, limit);
        outcome.fact("command", self.written());
        if let How::Code(code) = ended.how {
            outcome.fact("exit_code", code.to_string());
        }
        if !said.message.is_empty() {
            outcome.fact("message", cut(&said.message, LONGEST_MESSAGE));
        }
        self.measure(run, &output, &said, &mut outcome);
        if outcome.has_answer() {
            let captured = BTreeMap::new();
            if let Err(unfilled) = self.expectations(&output, &scope(run, &captured), &mut outcome) {
                return Outcome::not_measured(unfilled.to_string());
            }
        }
        if !outcome.has_answer() || !outcome.broken.is_empty() {
            outcome.evidence.excerpt = excerpt(&output, &ended.stderr.text());
        }
        if ended.stdout.cut {
            let kept = KEPT_BYTES / 1_024;
            outcome
                .remarks
                .push(format!("only the first {kept}KiB of what it wrote were read"));
        }
        if ended.left_behind {
            let what = "what it left running was ended; a check starts nothing that stays";
            outcome.remarks.push(what.to_owned());
        }
        outcome
    }

    /// The plugin's own verdict.
    fn meaning(&self, ended: &Ended, said: &Said, limit: &Limit) -> Outcome {
        let program = self.program.as_written();
        let message = || match said.message.as_str() {
            "" => match ended.stderr.text().lines().next().map(str::trim) {
                Some(line) if !line.is_empty() => cut(line, LONGEST_MESSAGE),
                _ => "it said nothing".to_owned(),
            },
            text => cut(text, LONGEST_MESSAGE),
        };
        let failed = |level| {
            let mut outcome = Outcome::seen();
            let mut told = broken(level, message());
            told.detail = cut(&said.long, LONGEST_EXCERPT);
            outcome.broken.push(told);
            outcome
        };
        match ended.how {
            How::Code(0) => Outcome::seen(),
            How::Code(1) => failed(Level::Warning),
            How::Code(2) => failed(Level::Critical),
            How::Code(3) => Outcome::not_measured(message()),
            How::Code(code) => Outcome::not_measured(format!(
                "`{program}` ended with code {code}, which is none of 0 to 3: {}",
                message()
            )),
            How::Signal(signal) => Outcome::not_measured(format!(
                "`{program}` was ended by signal {}: {}",
                signal_name(signal),
                message()
            )),
            How::Late => Outcome::no_answer(format!(
                "`{program}` did not end within {} and was killed",
                limit.text
            )),
            How::TooMuch => Outcome::not_measured(format!(
                "`{program}` wrote more than {}MiB and was killed",
                process::MOST_BYTES / 1_048_576
            )),
            How::Lost => Outcome::not_measured(format!("nobody can say how `{program}` ended")),
        }
    }

    fn measure(&self, run: &RunContext, output: &str, said: &Said, outcome: &mut Outcome) {
        let numbers: Vec<(&str, Quantity)> = said
            .data
            .iter()
            .filter_map(|datum| Some((datum.label.as_str(), datum.quantity()?)))
            .collect();
        let by_label = |label: &str| {
            numbers
                .iter()
                .find(|(name, _)| *name == label)
                .map(|(_, number)| *number)
        };
        let json: Option<Json> = serde_json::from_str(output).ok();
        let answered = Answered {
            body: output,
            json: json.as_ref(),
            header: &|_| None,
            perfdata: &by_label,
        };
        let named = self
            .captures
            .iter()
            .filter_map(|capture| Some((capture.name.as_str(), capture.number(&answered)?)));
        for (name, number) in numbers.iter().copied().take(MOST_NUMBERS).chain(named) {
            match other_unit(run, name, number) {
                Some(why) => outcome.remarks.push(why),
                None => outcome.measure(name, number),
            }
        }
        for datum in said.data.iter().take(MOST_NUMBERS) {
            if let Some(why) = datum.own_alert() {
                outcome.fact(&datum.label, why);
            }
        }
        if numbers.len() > MOST_NUMBERS {
            let what = format!(
                "of its {} numbers the first {MOST_NUMBERS} were measured",
                numbers.len()
            );
            outcome.remarks.push(what);
        }
        if let Some(first) = said.odd.first() {
            outcome.remarks.push(match said.odd.len() {
                1 => cut(first, LONGEST_MESSAGE),
                count => format!("{}, and {} more like it", cut(first, LONGEST_MESSAGE), count - 1),
            });
        }
    }

    fn expectations(
        &self,
        output: &str,
        scope: &RunScope<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Unfilled> {
        let output = Json::String(output.trim_end().to_owned());
        for (level, matcher) in &self.expects {
            if let Some(matcher) = matcher {
                for what in matcher.broken("the output", Some(&output), scope)? {
                    outcome.broken.push(broken(*level, what));
                }
            }
        }
        Ok(())
    }

    /// The command as the user wrote it: secrets stand in it by their names.
    fn written(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        let line: Vec<&str> = words.map(Text::as_written).collect();
        cut(&line.join(" "), LONGEST_MESSAGE)
    }
}

/// Why a number cannot be held against the threshold that is set on it. A plugin says its
/// units only when it runs; comparing seconds with a plain number would be a guess.
fn other_unit(run: &RunContext, name: &str, number: Quantity) -> Option<String> {
    let thresholds = run
        .check
        .thresholds
        .iter()
        .filter(|threshold| threshold.covers(name));
    thresholds
        .flat_map(|threshold| [threshold.warning, threshold.critical])
        .flatten()
        .find_map(|bound| {
            let unit = bound.unit().filter(|unit| *unit != number.unit)?;
            Some(format!(
                "`{name}` is {}, {number}, and its threshold `{bound}` is for {}",
                number.unit.dimension(),
                unit.dimension()
            ))
        })
}

fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into())
}

fn excerpt(output: &str, errors: &str) -> Option<String> {
    let (output, errors) = (output.trim(), errors.trim());
    let text = match (output.is_empty(), errors.is_empty()) {
        (true, true) => return None,
        (false, true) => output.to_owned(),
        (true, false) => errors.to_owned(),
        (false, false) => format!("{}\nstderr: {errors}", cut(output, LONGEST_EXCERPT / 2)),
    };
    Some(cut(&text, LONGEST_EXCERPT))
}

fn cut(text: &str, room: usize) -> String {
    match text.char_indices().nth(room) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn signal_name(signal: i32) -> String {
    let names = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
    ];
    names
        .iter()
        .find(|(number, _)| *number == signal)
        .map_or_else(|| signal.to_string(), |(_, name)| format!("{signal} ({name})"))
}
