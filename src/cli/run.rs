//! `haetae run`: one run now, without a server and without a database.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Context, Exit, use_colours};
use crate::app::services_with_evidence;
use crate::browser::clean_leftovers;
use crate::check::{Pool, Runnable, Services};
use crate::clock::wall_now;
use crate::config::Project;
use crate::decode::{Problem, SecretMode, Severity};
use crate::evidence::read_files;
use crate::judge::{Past, judge};
use crate::model::{CheckId, Level, Reason, RunRecord, format_duration};
use crate::report::{Judged, html::html, junit::junit, worst};
use crate::schedule::{Finished, Job, run_once};

/// Light checks that run at once.
const LIGHT_AT_ONCE: usize = 64;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae run                                     every enabled check\n  haetae run partners/payment                    one check\n  haetae run 'partners/**' tag:money --fail-on warning\n  haetae run tag:smoke --junit target/haetae.xml --artifacts target/haetae\n  haetae run shop/buy --html report.html         what happened, with pictures, in one file\n\nIt judges the single run: fail_after and recover_after play no part, and nobody is alerted.\nExit codes: 0 fine, 1 warning (with --fail-on warning), 2 critical, 3 could not be measured."
)]
pub struct RunArgs {
    /// Ids, globs, tag:x, group:x; none = all enabled
    selectors: Vec<String>,
    /// From which level on the run has failed
    #[arg(long, value_enum, default_value = "critical")]
    fail_on: FailOn,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a report for people: one HTML file, pictures included
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write everything as JSON; - is stdout
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where screenshots and page sources go; below the current folder, whatever -C says
    #[arg(long, value_name = "DIR", default_value = "haetae-artifacts")]
    artifacts: PathBuf,
    /// A value for ${vars.NAME}
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = super::parse_var)]
    vars: Vec<(String, String)>,
    /// Show the browser's window
    #[arg(long)]
    headed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    Warning,
    Critical,
}

impl FailOn {
    pub(super) fn level(self) -> Level {
        match self {
            Self::Warning => Level::Warning,
            Self::Critical => Level::Critical,
        }
    }
}

/// Runs the chosen checks once each, and reports.
pub async fn run(context: &Context, args: RunArgs) -> Exit {
    let mut project = context.load(SecretMode::Ask, args.vars.clone());
    let chosen = project.choose(&args.selectors);
    let in_the_way = standing_in_the_way(&project, chosen.as_deref().unwrap_or_default());
    if !in_the_way.is_empty() {
        context.print_problems(in_the_way);
        return Exit::Configuration;
    }
    let chosen: Vec<Runnable> = match chosen {
        Ok(ids) => ids
            .iter()
            .filter_map(|id| project.checks.get(id))
            .cloned()
            .collect(),
        Err(message) => {
            eprintln!("{message}");
            return Exit::Usage;
        }
    };
    let shows = args.headed && chosen.iter().any(|runnable| runnable.pool == Pool::Browser);
    if shows && !can_show(&project) {
        eprintln!(
            "there is no screen here to show a browser on; leave out --headed, or log in with a desktop (ssh -X)"
        );
        return Exit::Usage;
    }
    project.settings.browsers.headed = args.headed;
    if chosen.iter().any(|runnable| runnable.pool == Pool::Browser) {
        let _ = clean_leftovers();
    }
    let services = services_with_evidence(&project, args.artifacts.clone(), &context.redactor);
    let json_on_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let progress = Progress::new(chosen.len(), json_on_stdout);
    let (runs, ended) = run_all(&chosen, &services, project.settings.browsers.at_once, progress).await;
    services.browsers.shut_down().await;
    if let Err(exit) = write_reports(&args, &runs).await {
        return exit;
    }
    print_summary(&runs, chosen.len(), json_on_stdout);
    ended.unwrap_or_else(|| Exit::of_worst(worst(&runs), args.fail_on.level()))
}

/// Whether a window would be seen: on a screen of this machine, or where the grid runs.
pub(super) fn can_show(project: &Project) -> bool {
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    has_screen || project.settings.browsers.url.is_some()
}

/// The browser check that a file or an id names.
pub(super) fn scenario_to_try(context: &Context, project: &Project, file: &str) -> Result<Runnable, Exit> {
    let inside = Path::new(file)
        .strip_prefix(&project.root)
        .map_or_else(|_| file.to_owned(), |path| path.display().to_string());
    let id = inside.trim_start_matches("./").trim_start_matches("checks/");
    let id = id
        .strip_suffix(".yaml")
        .or_else(|| id.strip_suffix(".yml"))
        .unwrap_or(id);
    let chosen = project.choose(&[id.to_owned()]).map_err(|message| {
        eprintln!("{message}");
        Exit::Usage
    })?;
    let in_the_way: Vec<&Problem> = standing_in_the_way(project, &chosen)
        .into_iter()
        .filter(|problem| problem.check.as_ref().is_none_or(|id| chosen.contains(id)))
        .collect();
    if !in_the_way.is_empty() {
        context.print_problems(in_the_way);
        return Err(Exit::Configuration);
    }
    match chosen.as_slice() {
        [id] => match project.checks.get(id) {
            Some(runnable) if runnable.pool == Pool::Browser => Ok(runnable.clone()),
            _ => {
                eprintln!("`{id}` is no browser check: only those have steps to walk through");
                Err(Exit::Usage)
            }
        },
        several => {
            eprintln!("`{file}` names {} checks; name one", several.len());
            Err(Exit::Usage)
        }
    }
}

/// Runs one scenario under the eyes of a person, and tells what came of it.
pub(super) async fn finish_try(runnable: &Runnable, services: &Arc<Services>) -> Exit {
    let chosen = std::slice::from_ref(runnable);
    let (runs, ended) = run_all(chosen, services, 1, Progress::new(1, false)).await;
    services.browsers.shut_down().await;
    ended.unwrap_or_else(|| Exit::of_worst(worst(&runs), Level::Critical))
}

/// Errors anywhere keep a run from starting. A value that is missing does so only where a
/// chosen check needs it: a pipeline need not know the secrets of all others, nor webhooks.
fn standing_in_the_way<'p>(project: &'p Project, chosen: &[CheckId]) -> Vec<&'p Problem> {
    project
        .problems
        .iter()
        .filter(|problem| match problem.severity {
            Severity::Error => true,
            Severity::Missing => problem.check.as_ref().is_some_and(|id| chosen.contains(id)),
            Severity::Warning => false,
        })
        .collect()
}

/// Runs everything with bounded concurrency; ends early on SIGINT or SIGTERM with what is
/// done by then.
async fn run_all(
    chosen: &[Runnable],
    services: &Arc<Services>,
    browsers_at_once: usize,
    mut progress: Progress,
) -> (Vec<Judged>, Option<Exit>) {
    let light = Arc::new(Semaphore::new(LIGHT_AT_ONCE));
    let browsers = Arc::new(Semaphore::new(browsers_at_once.max(1)));
    let mut tasks: JoinSet<Option<Finished>> = JoinSet::new();
    for runnable in chosen {
        let permits = match runnable.pool {
            Pool::Light => Arc::clone(&light),
            Pool::Browser => Arc::clone(&browsers),
        };
        let (runnable, services) = (runnable.clone(), Arc::clone(services));
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await.ok()?;
            let job = Job {
                runnable,
                due: wall_now(),
            };
            Some(run_once(job, services).await)
        });
    }
    let mut runs = Vec::new();
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return (runs, Some(Exit::Internal));
    };
    let ended = loop {
        tokio::select! {
            done = tasks.join_next() => match done {
                None => break None,
                Some(Ok(Some(finished))) => {
                    let judged = judged(finished);
                    progress.tell(&judged);
                    runs.push(judged);
                }
                Some(_) => {}
            },
            _ = interrupt.recv() => break Some(Exit::Interrupted),
            _ = terminate.recv() => break Some(Exit::Terminated),
        }
    };
    progress.finish();
    tasks.shutdown().await;
    runs.sort_by(|a, b| a.record.check.cmp(&b.record.check));
    (runs, ended)
}

fn judged(mut finished: Finished) -> Judged {
    let check = finished.job.runnable.check;
    let verdict = judge(
        &finished.outcome,
        &check.thresholds,
        &Past::default(),
        finished.started,
    );
    for threshold in &check.thresholds {
        for bound in threshold.relative() {
            let what = format!(
                "`{}: {bound}` is not judged here: only a server knows what was before",
                threshold.measurement
            );
            finished.outcome.remarks.push(what);
        }
    }
    Judged {
        name: check.name.clone(),
        place: check.place.clone(),
        record: RunRecord {
            run: finished.run,
            check: check.id.clone(),
            started: finished.started,
            took: finished.took,
            outcome: finished.outcome,
            verdict,
        },
    }
}

/// A line per check that is done, and on a terminal how many are.
pub(super) struct Progress {
    total: usize,
    done: usize,
    live: bool,
    colours: bool,
    /// Stdout is taken by data.
    to_stderr: bool,
}

impl Progress {
    pub(super) fn new(total: usize, to_stderr: bool) -> Self {
        Self {
            total,
            done: 0,
            live: io::stderr().is_terminal(),
            colours: if to_stderr {
                use_colours(&io::stderr())
            } else {
                use_colours(&io::stdout())
            },
            to_stderr,
        }
    }

    fn line(&self, text: &str) {
        say(text, self.to_stderr);
    }

    pub(super) fn tell(&mut self, run: &Judged) {
        self.done += 1;
        self.clear();
        let verdict = &run.record.verdict;
        let took = format_duration(run.record.took);
        let flaky = if run.record.is_flaky() {
            "  (flaky: passed on a retry)"
        } else {
            ""
        };
        self.line(&format!(
            "{} {}  {took}{flaky}",
            self.word(verdict.level),
            run.record.check
        ));
        if verdict.level > Level::Ok {
            self.line(&format!("         at {}", run.place));
        }
        for (level, reason) in &verdict.reasons {
            self.line(&format!("         {level}: {reason}"));
            if let Reason::Broken { detail, .. } = reason {
                for line in detail.lines() {
                    self.line(&format!("           {line}"));
                }
            }
        }
        if let Some(excerpt) = &run.record.outcome.evidence.excerpt {
            self.line(&format!(
                "         received: {}",
                excerpt.replace('\n', "\n         ")
            ));
        }
        for file in &run.record.outcome.evidence.files {
            self.line(&format!("         {}: {}", file.what, file.path.display()));
        }
        for remark in &run.record.outcome.remarks {
            self.line(&format!("         remark: {remark}"));
        }
        if self.live && self.done < self.total {
            eprint!("{} of {} done", self.done, self.total);
            let _ = io::stderr().flush();
        }
    }

    fn word(&self, level: Level) -> String {
        let word = format!("{:<8}", level.as_str());
        let paint = match level {
            Level::Ok => "32",
            Level::Warning => "33",
            Level::Unknown => "35",
            Level::Critical => "31",
        };
        if self.colours {
            format!("\x1b[{paint}m{word}\x1b[0m")
        } else {
            word
        }
    }

    fn clear(&self) {
        if self.live {
            eprint!("\r\x1b[K");
        }
    }

    pub(super) fn finish(&self) {
        self.clear();
    }
}

/// Data goes to stdout; when a file of data does, everything else goes to stderr.
fn say(text: &str, to_stderr: bool) {
    if to_stderr {
        eprintln!("{text}");
    } else {
        out!("{text}");
    }
}

pub(super) fn print_summary(runs: &[Judged], chosen: usize, to_stderr: bool) {
    let count = |level: Level| {
        runs.iter()
            .filter(|run| run.record.verdict.level == level)
            .count()
    };
    let parts: Vec<String> = Level::ALL
        .into_iter()
        .map(|level| (level, count(level)))
        .filter(|(_, count)| *count > 0)
        .map(|(level, count)| format!("{count} {level}"))
        .collect();
    let cut = if runs.len() < chosen {
        format!("; {} not run", chosen - runs.len())
    } else {
        String::new()
    };
    say(
        &format!("{} run: {}{cut}", runs.len(), parts.join(", ")),
        to_stderr,
    );
}

async fn write_reports(args: &RunArgs, runs: &[Judged]) -> Result<(), Exit> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        eprintln!("{} cannot be written: {error}", path.display());
        Exit::Internal
    };
    if let Some(path) = &args.junit {
        let xml = junit(runs, args.fail_on.level()).map_err(|error| failed(path, &error))?;
        write_by_rename(path, xml.as_bytes()).map_err(|error| failed(path, &error))?;
    }
    if let Some(path) = &args.html {
        let (pictures, sources) = read_files(runs).await;
        let page = html(runs, &pictures, &sources, wall_now()).map_err(|error| failed(path, &error))?;
        write_by_rename(path, page.as_bytes()).map_err(|error| failed(path, &error))?;
    }
    if let Some(path) = &args.json {
        let rows: Vec<_> = runs
            .iter()
            .map(|run| json!({ "name": run.name, "run": run.record }))
            .collect();
        let text = format!("{:#}\n", json!({ "worst": worst(runs), "runs": rows }));
        if path.as_os_str() == "-" {
            out!("{}", text.trim_end());
        } else {
            write_by_rename(path, text.as_bytes()).map_err(|error| failed(path, &error))?;
        }
    }
    Ok(())
}

/// A reader never sees half a file.
pub(super) fn write_by_rename(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let part = path.with_file_name(name);
    std::fs::write(&part, content)?;
    std::fs::rename(&part, path)
}
