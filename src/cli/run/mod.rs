//! `haetae run`: one run now, without a server and without a database.

mod go;
mod in_the_way;
mod notify;
mod progress;
mod rates;
mod record;
mod reports;
mod scenario;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Context, Exit};
use crate::app::services_with_evidence;
use crate::browser::clean_leftovers;
use crate::check::{Pool, Runnable};
use crate::config::Project;
use crate::decode::SecretMode;
use crate::model::{CheckId, Level};
use crate::report::{Judged, worst};
use go::{Limits, run_all};
use in_the_way::standing_in_the_way;
pub(super) use progress::{Progress, print_summary};
use rates::{rates, worst_of_each};
use record::Keeper;
pub(super) use reports::write_by_rename;
use reports::{Told, write_reports};

pub(super) use scenario::{can_show, finish_try, scenario_to_try};

/// Light checks that run at once.
const LIGHT_AT_ONCE: usize = 64;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae run                                     every enabled check\n  haetae run partners/payment                    one check\n  haetae run 'partners/**' tag:money --fail-on warning\n  haetae run tag:smoke --junit target/haetae.xml --artifacts target/haetae\n  haetae run shop/buy --html report.html         what happened, with pictures, in one file\n  haetae run shop/buy --repeat 20                how often does it pass?\n  haetae run tag:smoke --at-once 8 --record      kept in the history\n\nIt judges the single run: fail_after and recover_after play no part, and nobody is alerted without --notify.\nCtrl-C and SIGTERM leave complete reports of what ran.\nExit codes: 0 fine, 1 warning (with --fail-on warning), 2 critical, 3 could not be measured."
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
    /// Cases of scenarios are their steps
    #[arg(long, requires = "junit")]
    junit_steps: bool,
    /// Run each check so many times, one after the other; the worst counts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
    /// How many run at once; browsers never more than the settings say
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_096))]
    at_once: Option<u32>,
    /// Keep the results in the store, as the history of these checks
    #[arg(long)]
    record: bool,
    /// The store for --record; without it the settings'
    #[arg(long, value_name = "URL", env = "HAETAE_STORE_URL")]
    store: Option<String>,
    /// Tell those whom the routes name of what was found
    #[arg(long)]
    notify: bool,
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

/// Runs the chosen checks, and reports.
pub async fn run(context: &Context, args: RunArgs) -> Exit {
    let mut project = context.load(SecretMode::Ask, args.vars.clone());
    let chosen = match chosen(context, &project, &args) {
        Ok(chosen) => chosen,
        Err(exit) => return exit,
    };
    let keeper = match keeper(&project, &args).await {
        Ok(keeper) => keeper,
        Err(why) => {
            eprintln!("{why}");
            return Exit::Usage;
        }
    };
    project.settings.browsers.headed = args.headed;
    if chosen.iter().any(|runnable| runnable.pool == Pool::Browser) {
        let _ = clean_leftovers();
    }
    let services = services_with_evidence(&project, args.artifacts.clone(), &context.redactor);
    let limits = limits(&args, &project);
    let progress = Progress::new(chosen.len() * limits.repeat, is_json_on_stdout(&args));
    let (runs, ended) = run_all(&chosen, &services, limits, progress).await;
    // Whoever ends us may not wait for long: reports come before browsers are put away.
    let exit = report(&args, &chosen, &runs, ended).await;
    let told = tell(context, &project, &args, keeper, &runs).await;
    services.browsers.shut_down().await;
    if told.is_err() && exit == Exit::Fine {
        Exit::Internal
    } else {
        exit
    }
}

/// The store, where results are to be kept: who cannot should know before anything runs.
async fn keeper(project: &Project, args: &RunArgs) -> Result<Option<Keeper>, String> {
    if !args.record {
        return Ok(None);
    }
    let url = args.store.as_ref().unwrap_or(&project.settings.store_url);
    Keeper::open(url, &project.root).await.map(Some)
}

/// What is to be run, or why nothing is.
fn chosen(context: &Context, project: &Project, args: &RunArgs) -> Result<Vec<Runnable>, Exit> {
    let chosen = project.choose(&args.selectors);
    let in_the_way = standing_in_the_way(project, chosen.as_deref().unwrap_or_default(), args.notify);
    if !in_the_way.is_empty() {
        context.print_problems(in_the_way);
        return Err(Exit::Configuration);
    }
    let ids = chosen.map_err(|message| {
        eprintln!("{message}");
        Exit::Usage
    })?;
    let chosen: Vec<Runnable> = ids
        .iter()
        .filter_map(|id| project.checks.get(id))
        .cloned()
        .collect();
    let shows = args.headed && chosen.iter().any(|runnable| runnable.pool == Pool::Browser);
    if shows && !can_show(project) {
        eprintln!(
            "there is no screen here to show a browser on; leave out --headed, or log in with a desktop (ssh -X)"
        );
        return Err(Exit::Usage);
    }
    Ok(chosen)
}

fn limits(args: &RunArgs, project: &Project) -> Limits {
    let wanted = args.at_once.map(|limit| limit as usize);
    let browsers = project.settings.browsers.at_once;
    Limits {
        light: wanted.unwrap_or(LIGHT_AT_ONCE),
        browsers: wanted.map_or(browsers, |limit| limit.min(browsers)),
        repeat: args.repeat as usize,
    }
}

fn is_json_on_stdout(args: &RunArgs) -> bool {
    args.json.as_ref().is_some_and(|path| path.as_os_str() == "-")
}

/// Writes the reports and the summary; says how the program ends.
async fn report(args: &RunArgs, chosen: &[Runnable], runs: &[Judged], ended: Option<Exit>) -> Exit {
    let fail_on = args.fail_on.level();
    let rates = if args.repeat > 1 {
        rates(runs, fail_on)
    } else {
        Vec::new()
    };
    let ran: BTreeSet<&CheckId> = runs.iter().map(|run| &run.record.check).collect();
    let not_run = chosen.iter().map(|runnable| &runnable.check.id);
    let told = Told {
        all: runs,
        worst: worst_of_each(runs, &rates),
        rates,
        not_run: not_run.filter(|id| !ran.contains(id)).cloned().collect(),
        ended_by: match ended {
            Some(Exit::Interrupted) => Some("SIGINT"),
            Some(Exit::Terminated) => Some("SIGTERM"),
            _ => None,
        },
    };
    if let Err(exit) = write_reports(args, &told).await {
        return exit;
    }
    print_summary(runs, told.not_run.len(), &told.rates, is_json_on_stdout(args));
    ended.unwrap_or_else(|| Exit::of_worst(worst(runs), fail_on))
}

/// Keeps the results and tells people, as far as either is wanted.
async fn tell(
    context: &Context,
    project: &Project,
    args: &RunArgs,
    keeper: Option<Keeper>,
    runs: &[Judged],
) -> Result<(), ()> {
    let mut failed = Vec::new();
    if let Some(keeper) = keeper
        && let Err(why) = keeper.keep(runs).await
    {
        failed.push(format!("the results could not be kept: {why}"));
    }
    if args.notify
        && let Err(why) = notify::notify(context, project, &worst_of_each(runs, &[])).await
    {
        failed.push(why);
    }
    for why in &failed {
        eprintln!("{why}");
    }
    if failed.is_empty() { Ok(()) } else { Err(()) }
}
