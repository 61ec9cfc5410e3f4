//! `--notify`: what was found goes where its level routes, at once.
//!
//! There is no incident behind it: `fail_after`, maintenance, silences and storms play no part, and
//! nothing is told when it is well again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::Context;
use crate::alert::Change;
use crate::check::net::tls::TlsRoots;
use crate::clock::wall_now;
use crate::config::Project;
use crate::engine::{Engine, Memory, Run};
use crate::model::{
    AttemptResult, ChannelName, Check, Confirmation, Level, Message, Notice, Owed, Purpose, Timestamp, Window,
};
use crate::notify::{Desk, Listener, Transport};
use crate::report::Judged;
use crate::route::Policy;
use crate::store::SqliteStore;

/// Sends a message to each channel that a finding routes to; says what became of each.
pub(super) async fn notify(context: &Context, project: &Project, runs: &[Judged]) -> Result<(), String> {
    let now = wall_now();
    let mut by_channel: BTreeMap<ChannelName, Vec<Notice>> = BTreeMap::new();
    for owed in owed(project, runs, now) {
        let mut notice = owed.notice;
        // An action is run for incidents, not for what somebody looked at.
        notice.purpose = Purpose::Reminder;
        by_channel.entry(owed.channel).or_default().push(notice);
    }
    let transport = Transport::new(&TlsRoots::default())?;
    let store = SqliteStore::in_memory()
        .await
        .map_err(|error| error.to_string())?;
    let listener: Listener = Arc::new(|_| {});
    let mut failed = Vec::new();
    for channel in &project.channels {
        let Some(notices) = by_channel.remove(&channel.name) else {
            continue;
        };
        let desk = Desk {
            channel: &channel.name,
            transport: &transport,
            store: &store,
            redactor: &context.redactor,
            listener: &listener,
        };
        let message = message(project, &channel.name, notices, now);
        match channel.sender.send(&message, &desk).await {
            AttemptResult::Sent => eprintln!("told {}", channel.name),
            AttemptResult::Retry { why, .. } | AttemptResult::Dead { why } => {
                let why = context.redactor.current().clean(&why).into_owned();
                failed.push(format!("{} was not told: {why}", channel.name));
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n"))
    }
}

fn message(project: &Project, channel: &ChannelName, notices: Vec<Notice>, now: Timestamp) -> Message {
    Message {
        key: format!("run-{channel}-{}", now.as_unix_us()),
        form: crate::model::Form::Changes,
        language: project.settings.language,
        notices,
        public_url: project.settings.public_url.clone(),
    }
}

/// The runs through the real engine, without what only a server does.
fn owed(project: &Project, runs: &[Judged], now: Timestamp) -> Vec<Owed> {
    let policy = Policy {
        checks: project
            .policy
            .checks
            .iter()
            .map(|(id, check)| (id.clone(), Arc::new(at_once(check))))
            .collect(),
        maintenance: Vec::new(),
        inhibit: Vec::new(),
        storm: None,
        blind_guard: None,
        ..(*project.policy).clone()
    };
    let mut engine = Engine::new(Arc::new(policy), Memory::default(), 0, now);
    for judged in runs.iter().filter(|run| run.record.verdict.level != Level::Ok) {
        let record = judged.record.clone();
        let Some(check) = project.policy.checks.get(&record.check) else {
            continue;
        };
        let run = Run {
            check: Arc::new(at_once(check)),
            id: record.run,
            started: record.started,
            took: record.took,
            outcome: record.outcome,
        };
        engine.take_run(run, now);
    }
    let changes: Vec<Change> = std::mem::take(&mut engine.pending().changes);
    changes
        .into_iter()
        .flat_map(|change| change.owed)
        .map(|(_, owed)| owed)
        .collect()
}

/// Believed after one run, and watched even if it is switched off: it was named.
fn at_once(check: &Check) -> Check {
    Check {
        confirmation: Confirmation {
            fail_after: Window::in_a_row(1),
            ..check.confirmation
        },
        depends_on: Vec::new(),
        enabled: true,
        ..check.clone()
    }
}
