//! `haetae scenario try`: a scenario, walked through while it is written.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::{Args, Subcommand};

use super::run::{can_show, finish_try, scenario_to_try};
use super::{Context, Exit};
use crate::app::services_with_evidence;
use crate::browser::{Failure, Offered, Pace, Step, Visit, offered};
use crate::decode::SecretMode;
use crate::model::format_duration;

/// Whoever writes a scenario has this long to look around.
const TRY_TIMEOUT: Duration = Duration::from_hours(4);
/// How long `--slow` waits before each step.
const SLOWLY: Duration = Duration::from_millis(800);

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae scenario try checks/shop/buy.yaml\n  haetae scenario try shop/buy --step"
)]
pub struct ScenarioArgs {
    #[command(subcommand)]
    command: ScenarioCommand,
}

#[derive(Debug, Subcommand)]
enum ScenarioCommand {
    /// Walk through it in a browser that you see, and stay open where it fails
    #[command(
        after_help = "Examples:\n  haetae scenario try checks/shop/buy.yaml            watch it go\n  haetae scenario try checks/shop/buy.yaml --slow     slowly enough to look on\n  haetae scenario try shop/buy --step                 Enter before each step\n  haetae scenario try shop/buy --headless             without a window, for a machine without a screen\n\nWhere a step fails, the browser stays open and what the page offers is printed as locators to copy.\nExit codes are those of `haetae run`."
    )]
    Try(TryArgs),
}

#[derive(Debug, Args)]
struct TryArgs {
    /// The check's file, or its id
    file: String,
    /// Wait for Enter before each step; q ends
    #[arg(long)]
    step: bool,
    /// Wait a moment before each step
    #[arg(long)]
    slow: bool,
    /// No window
    #[arg(long)]
    headless: bool,
    /// Where screenshots and page sources go
    #[arg(long, value_name = "DIR", default_value = "haetae-artifacts")]
    artifacts: PathBuf,
    /// A value for ${vars.NAME}
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = super::parse_var)]
    vars: Vec<(String, String)>,
}

/// Does what the command says.
pub async fn scenario(context: &Context, args: ScenarioArgs) -> Exit {
    let ScenarioCommand::Try(args) = args.command;
    try_out(context, args).await
}

async fn try_out(context: &Context, args: TryArgs) -> Exit {
    let mut project = context.load(SecretMode::Ask, args.vars.clone());
    if !args.headless && !can_show(&project) {
        eprintln!(
            "there is no screen here to show a browser on; add --headless, or log in with a desktop (ssh -X)"
        );
        return Exit::Usage;
    }
    let mut runnable = match scenario_to_try(context, &project, &args.file) {
        Ok(runnable) => runnable,
        Err(exit) => return exit,
    };
    project.settings.browsers.headed = !args.headless;
    if args.slow {
        project.settings.browsers.slow = SLOWLY;
    }
    let test_id_attribute = project.settings.browsers.test_id_attribute.clone();
    let mut services = services_with_evidence(&project, args.artifacts.clone(), &context.redactor);
    if let Some(services) = Arc::get_mut(&mut services) {
        services.browsers.pace = Some(Arc::new(Onlooker {
            waits: args.step,
            asks: io::stdin().is_terminal(),
            test_id_attribute,
        }));
    }
    // A person thinks longer than a machine waits.
    let mut check = (*runnable.check).clone();
    check.timeout = TRY_TIMEOUT;
    if args.step || args.slow {
        check.thresholds.clear();
    }
    runnable.check = Arc::new(check);
    finish_try(&runnable, &services).await
}

/// The person at the terminal.
struct Onlooker {
    /// Before each step.
    waits: bool,
    /// Whether anybody can answer.
    asks: bool,
    test_id_attribute: String,
}

#[async_trait]
impl Pace for Onlooker {
    async fn before(&self, step: &Step) -> bool {
        let place = &step.place;
        if !self.waits || step.act.is_group() {
            eprintln!("→ {}   {place}", step.written);
            return true;
        }
        eprintln!("→ {}   {place}   [Enter goes on, q ends]", step.written);
        line().await.is_none_or(|answer| answer.trim() != "q")
    }

    async fn after(&self, step: &Step, took: Duration, failed: Option<&str>) {
        if step.act.is_group() {
            return;
        }
        match failed {
            None => eprintln!("  done in {}", format_duration(took)),
            Some(why) if step.optional => eprintln!("  left out: {why}"),
            Some(why) => eprintln!("  failed after {}: {why}", format_duration(took)),
        }
    }

    async fn failed(&self, _: &Step, failure: &Failure, visit: &Visit) {
        if let Failure::Page { detail, .. } = failure {
            for line in detail {
                eprintln!("    {line}");
            }
        }
        let offers = offered(visit, &self.test_id_attribute).await;
        print_offers(&offers);
        if self.asks {
            eprintln!("The browser stays as it is. Enter closes it.");
            let _ = line().await;
        }
    }
}

fn print_offers(offers: &[Offered]) {
    if offers.is_empty() {
        return;
    }
    eprintln!("The page offers:");
    for offer in offers {
        let locator = &offer.locator;
        let step = match offer.verb.as_str() {
            "type" => format!("- type: {{ into: {locator}, text: … }}"),
            "choose" => format!("- choose: {{ option: …, from: {locator} }}"),
            verb => format!("- {verb}: {locator}"),
        };
        match &offer.called {
            Some(name) => eprintln!("  {step}   # {name}; others are called so too"),
            None => eprintln!("  {step}"),
        }
    }
}

/// A line from the terminal; none at its end.
async fn line() -> Option<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        match io::stdin().lock().read_line(&mut text) {
            Ok(count) if count > 0 => Some(text),
            _ => None,
        }
    });
    read.await.ok().flatten()
}
