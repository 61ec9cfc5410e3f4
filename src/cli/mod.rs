//! The command line: one file per subcommand; it prints, and decides nothing.

/// Like `println!`, but a reader that has gone (`| head`) ends the program in peace.
macro_rules! out {
    ($($text:tt)*) => {
        $crate::cli::line(&format!($($text)*))
    };
}

mod alert;
mod demo;
mod exit;
mod import;
mod list;
mod oncall;
mod remote;
mod run;
mod scenario;
mod schema;
mod serve;
mod show;
mod token;
mod trigger;
mod validate;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::clock::wall_now;
use crate::config::{LoadOptions, Project};
use crate::decode::{Problem, SecretMode, Severity};
use crate::model::SharedRedactor;
use crate::telemetry::{self, LogFormat};

pub use exit::Exit;

/// Watches services that other people depend on.
#[derive(Debug, Parser)]
#[command(
    name = "haetae",
    version,
    about = "Watches services that other people depend on, and tells the right people once",
    after_help = "Examples:\n  haetae demo                        a shop, a partner API and an inbox to try everything on\n  haetae serve                       schedule, judge, alert, on this folder\n  haetae run 'partners/**'           one run now, for people and for Jenkins\n  haetae validate                    every problem of every file\n\nExit codes: 0 fine, 1 warning (with --fail-on warning), 2 critical, 3 could not be measured,\n64 wrong usage, 70 internal error, 78 configuration has errors, 130/143 ended by a signal."
)]
pub struct Args {
    /// The project folder: the one that holds checks/ and alerts/
    #[arg(
        short = 'C',
        long = "directory",
        global = true,
        value_name = "DIR",
        default_value = "."
    )]
    directory: PathBuf,
    /// What is logged to stderr: error, warn, info, debug, trace, or tracing directives
    #[arg(long, global = true, value_name = "FILTER", env = "HAETAE_LOG")]
    log: Option<String>,
    /// How log lines look
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        env = "HAETAE_LOG_FORMAT"
    )]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Schedule, judge, alert, and serve API and dashboard
    Serve(serve::ServeArgs),
    /// One run now: ids, globs, tag:x, group:x; none = all enabled
    Run(run::RunArgs),
    /// Every problem of every file
    Validate(validate::ValidateArgs),
    /// What is watched
    List(list::ListArgs),
    /// One check with every effective value and where it comes from
    Show(show::ShowArgs),
    /// The same as run, done by a running server; waits for the result
    Trigger(trigger::TriggerArgs),
    /// A release: quiet for a while, warmed up, verified
    Deploy(trigger::DeployArgs),
    /// Who may ask a server that others can reach
    Token(token::TokenArgs),
    /// What is wrong now
    Incidents(oncall::IncidentsArgs),
    /// Take care of an incident: no reminders, no escalation, until it gets worse
    Ack(oncall::AckArgs),
    /// Tell nothing of what matches, until an end
    Silence(oncall::SilenceArgs),
    /// Say what an incident was: false, actioned, known
    Mark(oncall::MarkArgs),
    /// Why it did, or did not, alert: the whole chain
    Explain(oncall::ExplainArgs),
    /// Test a channel, preview a message, send given-up ones again
    Alert(alert::AlertArgs),
    /// Walk through a scenario while it is written
    Scenario(scenario::ScenarioArgs),
    /// Checks from recordings: Chrome DevTools Recorder JSON, Selenium IDE .side
    Import(import::ImportArgs),
    /// JSON Schemas for editors
    Schema(schema::SchemaArgs),
    /// A small shop, a partner API and an inbox, to try everything without the internet
    Demo(demo::DemoArgs),
}

/// Does what the command line says.
pub async fn main(args: Args) -> Exit {
    let redactor = SharedRedactor::default();
    // Only a server logs what goes well; the others answer on stdout.
    let usual = match args.command {
        Command::Serve(_) => "info,tokio_cron_scheduler=warn",
        _ => "warn",
    };
    telemetry::start(args.log.as_deref().unwrap_or(usual), args.log_format, &redactor);
    let context = Context {
        directory: args.directory,
        redactor,
    };
    match args.command {
        Command::Serve(args) => serve::serve(&context, args).await,
        Command::Scenario(args) => scenario::scenario(&context, args).await,
        Command::Import(args) => import::import(&context, &args),
        Command::Run(args) => run::run(&context, args).await,
        Command::Validate(args) => validate::validate(&context, &args),
        Command::List(args) => list::list(&context, &args),
        Command::Show(args) => show::show(&context, &args),
        Command::Trigger(args) => trigger::trigger(&context, args).await,
        Command::Deploy(args) => trigger::deploy(&context, args).await,
        Command::Token(args) => token::token(&context, args).await,
        Command::Incidents(args) => oncall::incidents(&context, args).await,
        Command::Ack(args) => oncall::ack(&context, args).await,
        Command::Silence(args) => oncall::silence(&context, args).await,
        Command::Mark(args) => oncall::mark(&context, args).await,
        Command::Explain(args) => oncall::explain(&context, args).await,
        Command::Alert(args) => alert::alert(&context, args).await,
        Command::Schema(args) => schema::schema(&args),
        Command::Demo(args) => demo::demo(args).await,
    }
}

/// What all subcommands share.
struct Context {
    directory: PathBuf,
    redactor: SharedRedactor,
}

impl Context {
    fn load_options(&self, secrets: SecretMode, vars: Vec<(String, String)>) -> LoadOptions {
        LoadOptions {
            root: self.directory.clone(),
            vars,
            secrets,
            now: wall_now(),
        }
    }

    /// Loads the project and learns its secrets, so that nothing that is printed shows one.
    fn load(&self, secrets: SecretMode, vars: Vec<(String, String)>) -> Project {
        let project = crate::config::load(&self.load_options(secrets, vars));
        self.redactor.learn(&project.secrets);
        project
    }

    /// Prints problems to stderr, secrets masked.
    fn print_problems<'p>(&self, problems: impl IntoIterator<Item = &'p Problem>) {
        let colours = use_colours(&io::stderr());
        let redactor = self.redactor.current();
        for problem in problems {
            let text = redactor.clean(&problem.to_string()).into_owned();
            let paint = match problem.severity {
                Severity::Error => "31",
                Severity::Missing | Severity::Warning => "33",
            };
            match text.split_once('\n') {
                Some((first, rest)) if colours => eprintln!("\x1b[{paint}m{first}\x1b[0m\n{rest}"),
                None if colours => eprintln!("\x1b[{paint}m{text}\x1b[0m"),
                _ => eprintln!("{text}"),
            }
        }
    }
}

/// Writes a line to stdout.
fn line(text: &str) {
    if writeln!(io::stdout(), "{text}").is_err() {
        std::process::exit(i32::from(Exit::Fine.code()));
    }
}

/// Colours only on a terminal, and not where `NO_COLOR` is set (no-color.org).
fn use_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Reads `--var name=value`.
fn parse_var(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("`{text}` is not of the form name=value"))
}

/// Columns as wide as their widest value; the last one as it comes.
fn print_table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|n| {
            rows.iter()
                .filter_map(|row| row.get(n))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(n, cell)| {
                let padding = if n + 1 == row.len() {
                    0
                } else {
                    widths[n] - cell.chars().count()
                };
                format!("{cell}{}", " ".repeat(padding))
            })
            .collect();
        out!("{}", cells.join("  ").trim_end());
    }
}
