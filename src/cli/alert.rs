//! `haetae alert test`, `preview`, `resend`, `channels`

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::{ServerArgs, ask};
use super::{Context, Exit, print_table};
use crate::check::net::tls::TlsRoots;
use crate::clock::wall_now;
use crate::config::Project;
use crate::decode::SecretMode;
use crate::engine::{Engine, Memory, Run, stand_in};
use crate::model::{
    AttemptResult, Broken, Check, CheckId, Confirmation, Form, Incident, IncidentId, Level, Message, Outcome,
    Owed, Purpose, RunId, Window,
};
use crate::notify::{Channel, Desk, Listener, Transport};
use crate::store::SqliteStore;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae alert test oncall                              a marked test message\n  haetae alert preview partners/payment --level critical   what would be sent, to whom\n  haetae alert channels                                 how every channel fares\n  haetae alert resend                                   given-up messages, once more"
)]
pub struct AlertArgs {
    #[command(subcommand)]
    verb: AlertVerb,
}

#[derive(Debug, Subcommand)]
enum AlertVerb {
    /// Send a marked test message to a channel; an action is not run
    #[command(after_help = "Examples:\n  haetae alert test oncall")]
    Test {
        /// The channel
        channel: String,
    },
    /// Show what would be sent, to whom, if a check were at a level
    #[command(
        after_help = "Examples:\n  haetae alert preview partners/payment\n  haetae alert preview partners/payment --level warning"
    )]
    Preview {
        /// The check
        check: String,
        /// The level
        #[arg(long, default_value = "critical", value_parser = ["warning", "critical", "unknown"])]
        level: String,
    },
    /// Try given-up messages again: one by its key, or all
    #[command(after_help = "Examples:\n  haetae alert resend\n  haetae alert resend 7hq2m1xk0a")]
    Resend {
        /// The delivery's key
        key: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// How every channel fares
    #[command(after_help = "Examples:\n  haetae alert channels\n  haetae alert channels --json")]
    Channels(ServerArgs),
}

/// Does it.
pub async fn alert(context: &Context, args: AlertArgs) -> Exit {
    match args.verb {
        AlertVerb::Test { channel } => test(context, &channel).await,
        AlertVerb::Preview { check, level } => preview(context, &check, &level),
        AlertVerb::Resend { key, server } => resend(context, key, &server).await,
        AlertVerb::Channels(server) => channels(context, &server).await,
    }
}

fn sound(context: &Context, mode: SecretMode) -> Result<Project, Exit> {
    let project = context.load(mode, Vec::new());
    if project.is_sound() {
        return Ok(project);
    }
    context.print_problems(project.errors());
    Err(Exit::Configuration)
}

async fn test(context: &Context, name: &str) -> Exit {
    let project = match sound(context, SecretMode::Ask) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    let Some(channel) = project.channels.iter().find(|channel| *channel.name.0 == *name) else {
        let names: Vec<String> = project
            .channels
            .iter()
            .map(|channel| channel.name.to_string())
            .collect();
        eprintln!("there is no channel `{name}`; known are {}", names.join(", "));
        return Exit::Usage;
    };
    let (transport, store) = match (
        Transport::new(&TlsRoots::default()),
        SqliteStore::in_memory().await,
    ) {
        (Ok(transport), Ok(store)) => (transport, store),
        (Err(why), _) => return failed(&why),
        (_, Err(error)) => return failed(&error.to_string()),
    };
    let listener: Listener = Arc::new(|_| {});
    let desk = Desk {
        channel: &channel.name,
        transport: &transport,
        store: &store,
        redactor: &context.redactor,
        listener: &listener,
    };
    let message = test_message(&project, channel);
    let clean = |why: String| context.redactor.current().clean(&why).into_owned();
    match channel.sender.send(&message, &desk).await {
        AttemptResult::Sent => {
            out!("{name} took the test message");
            Exit::Fine
        }
        AttemptResult::Retry { why, .. } => {
            eprintln!("{name} did not take it, which may pass: {}", clean(why));
            Exit::Critical
        }
        AttemptResult::Dead { why } => {
            eprintln!("{name} refuses it for good: {}", clean(why));
            Exit::Critical
        }
    }
}

fn failed(why: &str) -> Exit {
    eprintln!("{why}");
    Exit::Internal
}

/// A message that no one takes for an incident, and no action for a call.
fn test_message(project: &Project, channel: &Channel) -> Message {
    let id = CheckId::parse("haetae/test").unwrap_or_else(|_| unreachable!("it is an id"));
    let check = Check {
        name: format!("TEST of channel {}, nothing is wrong", channel.name),
        description: Some("Sent by `haetae alert test`".into()),
        ..stand_in(&id)
    };
    let now = wall_now();
    let mut incident = Incident::new(IncidentId("haetae-test".into()), id, now);
    incident.level = Level::Warning;
    let mut notice = crate::engine::notice(&incident, &check, None, now);
    notice.purpose = Purpose::Reminder;
    Message {
        key: format!("test-{}", now.as_unix_us()),
        form: Form::Changes,
        language: project.settings.language,
        notices: vec![notice],
        public_url: project.settings.public_url.clone(),
    }
}

/// A run at that level through the real engine, with nothing behind it.
fn preview(context: &Context, check: &str, level: &str) -> Exit {
    let project = match sound(context, SecretMode::Skip) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    let known = CheckId::parse(check).ok().and_then(|id| project.checks.get(&id));
    let Some(known) = known else {
        eprintln!("there is no check `{check}`; `haetae list` shows them");
        return Exit::Usage;
    };
    let level = Level::from_word(level).unwrap_or(Level::Critical);
    let owed = owed(&project, &known.check, level);
    if owed.is_empty() {
        out!("nobody would be told: see `haetae validate --routes`, and maintenance now");
        return Exit::Fine;
    }
    let now = wall_now();
    for owed in owed {
        let wait = crate::model::format_duration(owed.due.since(now));
        out!("== {} by route `{}`, after {wait}", owed.channel, owed.route);
        let Some(channel) = project
            .channels
            .iter()
            .find(|channel| channel.name == owed.channel)
        else {
            continue;
        };
        let message = Message {
            key: "preview".into(),
            form: owed.form,
            language: project.settings.language,
            notices: vec![owed.notice],
            public_url: project.settings.public_url.clone(),
        };
        out!(
            "{}",
            context
                .redactor
                .current()
                .clean(&channel.sender.preview(&message))
        );
    }
    Exit::Fine
}

fn owed(project: &Project, check: &Check, level: Level) -> Vec<Owed> {
    let now = wall_now();
    let mut engine = Engine::new(Arc::clone(&project.policy), Memory::default(), 0, now);
    let mut outcome = Outcome::seen();
    let what = "an example of what a check says".to_owned();
    if level == Level::Unknown {
        outcome = Outcome::not_measured(what);
    } else {
        outcome.broken.push(Broken {
            level,
            what,
            detail: String::new(),
        });
    }
    let at_once = Check {
        confirmation: Confirmation {
            fail_after: Window::in_a_row(1),
            ..check.confirmation
        },
        thresholds: Vec::new(),
        enabled: true,
        ..check.clone()
    };
    let run = Run {
        check: Arc::new(at_once),
        id: RunId("preview".into()),
        started: now,
        took: Duration::ZERO,
        outcome,
    };
    engine.take_run(run, now);
    let changes = std::mem::take(&mut engine.pending().changes);
    changes
        .into_iter()
        .flat_map(|change| change.owed)
        .map(|(_, owed)| owed)
        .collect()
}

async fn resend(context: &Context, key: Option<String>, server: &ServerArgs) -> Exit {
    let body = key.map_or_else(|| json!({}), |key| json!({ "key": key }));
    match ask(
        context,
        server,
        Method::POST,
        "/api/v1/deliveries/resend",
        Some(body),
    )
    .await
    {
        Ok(answer) if server.json => out!("{answer:#}"),
        Ok(answer) => out!("{} messages are sent again", answer["resent"]),
        Err(exit) => return exit,
    }
    Exit::Fine
}

async fn channels(context: &Context, server: &ServerArgs) -> Exit {
    let answer = match ask(context, server, Method::GET, "/api/v1/channels", None).await {
        Ok(answer) => answer,
        Err(exit) => return exit,
    };
    if server.json {
        out!("{answer:#}");
        return Exit::Fine;
    }
    let mut rows = vec![
        [
            "CHANNEL",
            "KIND",
            "WAITING",
            "GIVEN UP",
            "LAST SENT",
            "LAST ERROR",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for channel in answer["channels"].as_array().into_iter().flatten() {
        let told = &channel["deliveries"];
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        rows.push(vec![
            text(&channel["channel"]),
            text(&channel["kind"]),
            text(&told["owed"]),
            text(&told["dead"]),
            text(&told["last_sent"]),
            text(&told["last_error"]),
        ]);
    }
    print_table(&rows);
    Exit::Fine
}
