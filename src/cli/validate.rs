//! `haetae validate`

use clap::Args;
use serde_json::json;

use super::{Context, Exit, print_table};
use crate::config::Project;
use crate::decode::{SecretMode, Severity};
use crate::model::{Labels, Level};
use crate::route::routes_at_some_time;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae validate\n  haetae validate --no-secrets          in CI, where the secrets are not\n  haetae validate --routes              who would hear of what\n  haetae validate --json | jq .problems"
)]
pub struct ValidateArgs {
    /// Do not ask for environment variables and files
    #[arg(long)]
    no_secrets: bool,
    /// Show each check's route per level
    #[arg(long)]
    routes: bool,
    /// For machines
    #[arg(long)]
    json: bool,
    /// A value for ${vars.NAME}
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = super::parse_var)]
    vars: Vec<(String, String)>,
}

/// Prints every problem of every file.
pub fn validate(context: &Context, args: &ValidateArgs) -> Exit {
    let mode = if args.no_secrets {
        SecretMode::Skip
    } else {
        SecretMode::Ask
    };
    let project = context.load(mode, args.vars.clone());
    let exit = if project.is_sound() {
        Exit::Fine
    } else {
        Exit::Configuration
    };
    if args.json {
        print_json(context, &project, args.routes);
        return exit;
    }
    let told = project.told();
    context.print_problems(told.iter().copied());
    if args.routes {
        print_routes(&project);
    }
    let warnings = told
        .iter()
        .filter(|problem| problem.severity == Severity::Warning)
        .count();
    let errors = told.len() - warnings;
    let files = plural(project.checks.len(), "check");
    match (errors, warnings) {
        (0, 0) => out!("{files}, {}: all fine", plural(project.channels.len(), "channel")),
        (0, warnings) => out!("{files}: no errors, {}", plural(warnings, "warning")),
        (errors, warnings) => eprintln!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
    exit
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn routes_of(
    project: &Project,
    runnable: &crate::check::Runnable,
    level: Level,
) -> Vec<(String, Vec<String>)> {
    let labels = Labels {
        check: &runnable.check,
        level,
        now: crate::clock::wall_now(),
    };
    routes_at_some_time(&project.policy.routes, labels)
        .into_iter()
        .map(|route| {
            (
                route.name.clone(),
                route.to.iter().map(ToString::to_string).collect(),
            )
        })
        .collect()
}

fn print_routes(project: &Project) {
    let mut rows = vec![vec![
        "CHECK".into(),
        "LEVEL".into(),
        "TOLD".into(),
        "BY ROUTE".into(),
    ]];
    for runnable in project.checks.values().filter(|runnable| runnable.check.enabled) {
        for level in [Level::Warning, Level::Critical, Level::Unknown] {
            let routes = routes_of(project, runnable, level);
            let told: Vec<String> = routes.iter().flat_map(|(_, to)| to.clone()).collect();
            let names: Vec<String> = routes.into_iter().map(|(name, _)| name).collect();
            rows.push(vec![
                runnable.check.id.to_string(),
                level.to_string(),
                if told.is_empty() {
                    "nobody".into()
                } else {
                    told.join(", ")
                },
                names.join(", "),
            ]);
        }
    }
    print_table(&rows);
}

fn print_json(context: &Context, project: &Project, with_routes: bool) {
    let told = project.told();
    let problems: Vec<_> = told.iter().map(|problem| problem.to_json()).collect();
    let count = |wanted: Severity| told.iter().filter(|problem| problem.severity == wanted).count();
    let mut answer = json!({
        "sound": project.is_sound(),
        "checks": project.checks.len(),
        "errors": count(Severity::Error),
        "missing_values": count(Severity::Missing),
        "warnings": count(Severity::Warning),
        "problems": problems,
    });
    if with_routes {
        let mut routes = serde_json::Map::new();
        for runnable in project.checks.values().filter(|runnable| runnable.check.enabled) {
            let levels: serde_json::Map<String, serde_json::Value> =
                [Level::Warning, Level::Critical, Level::Unknown]
                    .into_iter()
                    .map(|level| {
                        let taken: Vec<_> = routes_of(project, runnable, level)
                            .into_iter()
                            .map(|(name, to)| json!({ "route": name, "to": to }))
                            .collect();
                        (level.to_string(), json!(taken))
                    })
                    .collect();
            routes.insert(runnable.check.id.to_string(), levels.into());
        }
        answer["routes"] = routes.into();
    }
    out!("{}", context.redactor.current().clean(&format!("{answer:#}")));
}
