//! `haetae incidents`, `ack`, `mark`, `silence`, `explain`

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::remote::{ServerArgs, ask, who};
use super::{Context, Exit, print_table};
use crate::clock::wall_now;
use crate::model::{Timestamp, format_duration};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae incidents\n  haetae incidents --all --limit 20\n  haetae incidents --json | jq '.incidents[].id'"
)]
pub struct IncidentsArgs {
    /// Those that are over too
    #[arg(long)]
    all: bool,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    server: ServerArgs,
}

/// What is wrong now.
pub async fn incidents(context: &Context, args: IncidentsArgs) -> Exit {
    let state = if args.all { "all" } else { "open" };
    let path = format!("/api/v1/incidents?state={state}&limit={}", args.limit);
    let answer = match ask(context, &args.server, Method::GET, &path, None).await {
        Ok(answer) => answer,
        Err(exit) => return exit,
    };
    if args.server.json {
        out!("{answer:#}");
        return Exit::Fine;
    }
    let list = answer["incidents"].as_array().cloned().unwrap_or_default();
    if list.is_empty() {
        out!(
            "{}",
            if args.all {
                "no incident yet"
            } else {
                "nothing is wrong"
            }
        );
        return Exit::Fine;
    }
    let mut rows = vec![
        ["ID", "LEVEL", "FOR", "CHECK", "TOLD", "WHAT"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(list.iter().map(row));
    print_table(&rows);
    Exit::Fine
}

fn row(incident: &Value) -> Vec<String> {
    let text = |key: &str| incident[key].as_str().unwrap_or_default().to_owned();
    let moment = |key: &str| serde_json::from_value::<Timestamp>(incident[key].clone()).ok();
    let until = moment("resolved").unwrap_or_else(wall_now);
    let lasted = moment("opened").map(|opened| format_duration(until.since(opened)));
    let level = if moment("resolved").is_some() {
        "over".to_owned()
    } else {
        text("level")
    };
    let told = match (&incident["acknowledged"]["by"], &incident["held"]["why"]) {
        (Value::String(by), _) => format!("ack {by}"),
        (_, Value::String(why)) => format!("held: {}", why.replace('_', " ")),
        _ => incident["heard"]
            .as_object()
            .map(|heard| heard.keys().cloned().collect::<Vec<_>>().join(","))
            .filter(|names| !names.is_empty())
            .unwrap_or_else(|| "nobody".into()),
    };
    vec![
        text("id"),
        level,
        lasted.unwrap_or_default(),
        text("check"),
        told,
        text("headline"),
    ]
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae ack 4k2m9xq7ab\n  haetae ack 4k2m9xq7ab --note 'calling the bank' --by kim\n\nStops reminders and escalation until it gets worse."
)]
pub struct AckArgs {
    /// The incident
    incident: String,
    /// What the others should know
    #[arg(long, default_value = "")]
    note: String,
    /// Who takes care; without it who is logged in
    #[arg(long)]
    by: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Somebody takes care.
pub async fn ack(context: &Context, args: AckArgs) -> Exit {
    let by = who(args.by);
    let path = format!("/api/v1/incidents/{}/ack", args.incident);
    let body = json!({ "by": by, "note": args.note });
    match ask(context, &args.server, Method::POST, &path, Some(body)).await {
        Ok(answer) if args.server.json => out!("{answer:#}"),
        Ok(_) => out!(
            "{by} takes care of {}: no reminders, no escalation, until it gets worse",
            args.incident
        ),
        Err(exit) => return exit,
    }
    Exit::Fine
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae mark 4k2m9xq7ab false        nothing was wrong\n  haetae mark 4k2m9xq7ab actioned     somebody had to do something\n  haetae mark 4k2m9xq7ab known        known, and nothing to be done"
)]
pub struct MarkArgs {
    /// The incident
    incident: String,
    /// What it was
    #[arg(value_parser = ["false", "actioned", "known"])]
    what: String,
    /// Who says so; without it who is logged in
    #[arg(long)]
    by: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Somebody says what it was.
pub async fn mark(context: &Context, args: MarkArgs) -> Exit {
    let path = format!("/api/v1/incidents/{}/mark", args.incident);
    let body = json!({ "by": who(args.by), "as": args.what });
    match ask(context, &args.server, Method::POST, &path, Some(body)).await {
        Ok(answer) if args.server.json => out!("{answer:#}"),
        Ok(_) => out!("{} is marked as {}", args.incident, args.what),
        Err(exit) => return exit,
    }
    Exit::Fine
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae silence add --check 'partners/**' --for 2h --reason 'bank moves house'\n  haetae silence add --tag partner --level warning --for 1d --reason 'known, ticket 42' --by kim\n  haetae silence list\n  haetae silence expire 7hq2m1xk0a"
)]
pub struct SilenceArgs {
    #[command(subcommand)]
    verb: SilenceVerb,
}

#[derive(Debug, Subcommand)]
enum SilenceVerb {
    /// Tell nothing of what matches, until its end
    #[command(
        after_help = "Examples:\n  haetae silence add --check 'partners/**' --for 2h --reason 'bank moves house'\n  haetae silence add --tag partner --level warning --for 1d --reason 'ticket 42' --by kim"
    )]
    Add(AddArgs),
    /// Silences that have not ended
    #[command(after_help = "Examples:\n  haetae silence list\n  haetae silence list --json")]
    List(ServerArgs),
    /// End a silence now; what still holds is told
    #[command(after_help = "Examples:\n  haetae silence expire 7hq2m1xk0a")]
    Expire {
        /// Which
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Ids or globs, any of them
    #[arg(long)]
    check: Vec<String>,
    /// Groups with their subgroups, any of them
    #[arg(long)]
    group: Vec<String>,
    /// Tags, all of them
    #[arg(long)]
    tag: Vec<String>,
    /// Levels, any of them
    #[arg(long, value_parser = ["warning", "critical", "unknown"])]
    level: Vec<String>,
    /// Owners, any of them
    #[arg(long)]
    owner: Vec<String>,
    /// Kinds, any of them
    #[arg(long)]
    kind: Vec<String>,
    /// For how long from now: 30m, 2h, 1d
    #[arg(long = "for", value_name = "DURATION")]
    span: String,
    /// What for
    #[arg(long)]
    reason: String,
    /// Who; without it who is logged in
    #[arg(long)]
    by: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Silences.
pub async fn silence(context: &Context, args: SilenceArgs) -> Exit {
    match args.verb {
        SilenceVerb::Add(args) => add(context, args).await,
        SilenceVerb::List(server) => list(context, server).await,
        SilenceVerb::Expire { id, server } => {
            let path = format!("/api/v1/silences/{id}");
            match ask(context, &server, Method::DELETE, &path, None).await {
                Ok(answer) if server.json => out!("{answer:#}"),
                Ok(_) => out!("silence {id} is over; what still holds is told"),
                Err(exit) => return exit,
            }
            Exit::Fine
        }
    }
}

async fn add(context: &Context, args: AddArgs) -> Exit {
    let mut matcher = Map::new();
    for (key, values) in [
        ("check", &args.check),
        ("group", &args.group),
        ("tags", &args.tag),
        ("level", &args.level),
        ("owner", &args.owner),
        ("kind", &args.kind),
    ] {
        if !values.is_empty() {
            matcher.insert(key.into(), json!(values));
        }
    }
    if matcher.is_empty() {
        eprintln!("say what is silenced: --check, --group, --tag, --level, --owner or --kind");
        return Exit::Usage;
    }
    let body = json!({ "match": matcher, "for": args.span, "reason": args.reason, "by": who(args.by) });
    match ask(
        context,
        &args.server,
        Method::POST,
        "/api/v1/silences",
        Some(body),
    )
    .await
    {
        Ok(answer) if args.server.json => out!("{answer:#}"),
        Ok(answer) => {
            let text = |key: &str| answer["silence"][key].as_str().unwrap_or_default().to_owned();
            out!(
                "silence {} until {}; end it with `haetae silence expire {}`",
                text("id"),
                text("ends"),
                text("id")
            );
        }
        Err(exit) => return exit,
    }
    Exit::Fine
}

async fn list(context: &Context, server: ServerArgs) -> Exit {
    let answer = match ask(context, &server, Method::GET, "/api/v1/silences", None).await {
        Ok(answer) => answer,
        Err(exit) => return exit,
    };
    if server.json {
        out!("{answer:#}");
        return Exit::Fine;
    }
    let silences = answer["silences"].as_array().cloned().unwrap_or_default();
    if silences.is_empty() {
        out!("nothing is silenced");
        return Exit::Fine;
    }
    let mut rows = vec![
        ["ID", "KIND", "UNTIL", "BY", "REASON", "MATCH"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(silences.iter().map(|silence| {
        let mut cells: Vec<String> = ["id", "kind", "ends", "by", "reason"]
            .iter()
            .map(|key| silence[*key].as_str().unwrap_or_default().to_owned())
            .collect();
        cells.push(silence["match"].to_string());
        cells
    }));
    print_table(&rows);
    Exit::Fine
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae explain 4k2m9xq7ab          an incident: every step to every channel\n  haetae explain partners/payment    a check: its latest incident, or why there is none"
)]
pub struct ExplainArgs {
    /// An incident or a check
    what: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Why it did, or did not, alert.
pub async fn explain(context: &Context, args: ExplainArgs) -> Exit {
    let path = format!("/api/v1/explain/{}", args.what);
    match ask(context, &args.server, Method::GET, &path, None).await {
        Ok(answer) if args.server.json => out!("{answer:#}"),
        Ok(answer) => {
            for line in answer["lines"].as_array().into_iter().flatten() {
                out!("{}", line.as_str().unwrap_or_default());
            }
        }
        Err(exit) => return exit,
    }
    Exit::Fine
}
