//! `haetae list`

use clap::Args;
use serde_json::json;

use super::{Context, Exit, print_table};
use crate::check::Runnable;
use crate::decode::SecretMode;
use crate::model::{Schedule, Selector, format_duration};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  haetae list\n  haetae list 'partners/**' tag:money")]
pub struct ListArgs {
    /// Ids, globs, tag:x, group:x; none = all
    selectors: Vec<String>,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// Prints what is watched. Checks with errors are left out, and said so.
pub fn list(context: &Context, args: &ListArgs) -> Exit {
    let project = context.load(SecretMode::Skip, Vec::new());
    let selectors: Vec<Selector> = args.selectors.iter().map(|text| Selector::parse(text)).collect();
    let chosen: Vec<&Runnable> = project
        .checks
        .values()
        .filter(|runnable| {
            let check = &runnable.check;
            selectors.is_empty()
                || selectors
                    .iter()
                    .any(|selector| selector.matches(&check.id, &check.tags))
        })
        .collect();
    if args.json {
        let rows: Vec<_> = chosen
            .iter()
            .map(|runnable| {
                let check = &runnable.check;
                json!({
                    "id": check.id, "name": check.name, "kind": check.kind, "group": check.group(),
                    "tags": check.tags, "owner": check.owner, "enabled": check.enabled,
                    "when": when(runnable), "place": check.place,
                })
            })
            .collect();
        out!("{:#}", json!({ "checks": rows }));
    } else {
        let mut rows = vec![vec!["ID".into(), "KIND".into(), "WHEN".into(), "NAME".into()]];
        rows.extend(chosen.iter().map(|runnable| {
            let check = &runnable.check;
            vec![
                check.id.to_string(),
                check.kind.into(),
                when(runnable),
                check.name.clone(),
            ]
        }));
        print_table(&rows);
    }
    if project.is_sound() {
        return Exit::Fine;
    }
    context.print_problems(project.errors().filter(|problem| problem.place.is_none()));
    eprintln!("some files have errors, and their checks are not in this list; see `haetae validate`");
    Exit::Configuration
}

fn when(runnable: &Runnable) -> String {
    let check = &runnable.check;
    if !check.enabled {
        return "disabled".into();
    }
    match &check.schedule {
        Schedule::Every(interval) => format!("every {}", format_duration(*interval)),
        Schedule::Cron(calendar) => format!("cron {calendar}"),
    }
}
