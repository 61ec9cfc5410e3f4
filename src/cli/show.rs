//! `haetae show`

use clap::Args;
use serde_json::json;

use super::{Context, Exit, print_table};
use crate::config::Effective;
use crate::decode::{SecretMode, Severity, nearest};
use crate::model::{CheckId, Quantity, format_duration};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  haetae show partners/payment\n  haetae show --settings")]
pub struct ShowArgs {
    /// The check's id
    #[arg(required_unless_present = "settings")]
    id: Option<String>,
    /// Show the effective settings instead
    #[arg(long, conflicts_with = "id")]
    settings: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// Prints every effective value and where it comes from; secrets as they are named.
pub fn show(context: &Context, args: &ShowArgs) -> Exit {
    let project = context.load(SecretMode::Skip, Vec::new());
    let Some(id) = &args.id else {
        context.print_problems(
            project
                .errors()
                .filter(|problem| problem.severity == Severity::Error),
        );
        print(&settings_rows(&project), args.json);
        return if project.is_sound() {
            Exit::Fine
        } else {
            Exit::Configuration
        };
    };
    let found = CheckId::parse(id).ok().and_then(|id| project.effective.get(&id));
    let Some(rows) = found else {
        let broken: Vec<_> = project
            .problems
            .iter()
            .filter(|problem| problem.check.as_ref().is_some_and(|check| check.as_str() == id))
            .collect();
        if !broken.is_empty() {
            context.print_problems(broken);
            return Exit::Configuration;
        }
        match nearest(id, project.checks.keys().map(CheckId::as_str)) {
            Some(near) => eprintln!("there is no check `{id}`; did you mean `{near}`?"),
            None => eprintln!("there is no check `{id}`; `haetae list` shows them all"),
        }
        return Exit::Usage;
    };
    print(rows, args.json);
    Exit::Fine
}

fn print(rows: &[Effective], as_json: bool) {
    if as_json {
        out!("{:#}", json!({ "values": rows }));
        return;
    }
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let value = row.value.replace('\n', "⏎");
            vec![row.key.clone(), value, format!("({})", row.origin)]
        })
        .collect();
    print_table(&table);
}

fn settings_rows(project: &crate::config::Project) -> Vec<Effective> {
    let settings = &project.settings;
    let row = |key: &str, value: String| {
        // `serve` takes these two from the environment before the file.
        let variable = match key {
            "store.url" => "HAETAE_STORE_URL",
            "listen" => "HAETAE_LISTEN",
            _ => "",
        };
        match std::env::var(variable) {
            Ok(value) => Effective {
                key: key.into(),
                value,
                origin: variable.into(),
            },
            Err(_) => Effective {
                key: key.into(),
                value,
                origin: project.settings.origin(key),
            },
        }
    };
    vec![
        row("store.url", settings.store_url.clone()),
        row("listen", settings.listen.to_string()),
        row(
            "public_url",
            settings.public_url.clone().unwrap_or_else(|| "none".into()),
        ),
        row("webdriver.command", settings.browsers.command.program.clone()),
        row(
            "webdriver.url",
            settings.browsers.url.clone().unwrap_or_else(|| "none".into()),
        ),
        row("webdriver.test_id", settings.browsers.test_id_attribute.clone()),
        row("browsers.at_once", settings.browsers.at_once.to_string()),
        row(
            "browsers.keep_evidence",
            format_duration(settings.retention.evidence),
        ),
        row(
            "browsers.evidence_limit",
            Quantity::bytes(settings.retention.evidence_bytes).to_string(),
        ),
        row(
            "browsers.memory",
            Quantity::bytes(settings.browsers.page_memory).to_string(),
        ),
        row("step_timeout", format_duration(settings.browsers.step_timeout)),
        row("retention.results", format_duration(settings.retention.results)),
        row(
            "retention.incidents",
            format_duration(settings.retention.incidents),
        ),
        row("retention.audit", format_duration(settings.retention.audit)),
        row("secrets.deny_literals", settings.deny_literal_secrets.to_string()),
    ]
}
