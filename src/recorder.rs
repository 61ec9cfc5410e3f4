//! The shell around the engine: reports and commands in, one transaction out.
//!
//! Invariants: nothing is sent that is not in the store first, but for critical messages
//! while the store cannot be written; a run that changes nothing waits for a batch, a change
//! is written at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::bulletin::Bulletin;
use crate::clock::wall_now;
use crate::config::Project;
use crate::engine::{Command, Effect, Engine, Memory, Refusal, Run};
use crate::judge::Past;
use crate::mailbox::Asked;
use crate::model::{Check, CheckId, Delivery, Level, Owed, Timestamp};
use crate::notify::Outbox;
use crate::otel::Exporter;
use crate::schedule::{Finished, Order, Report};
use crate::status::Status;
use crate::store::{Remembered, Store, StoreError};
use crate::triggers::Triggers;

/// Quiet runs wait this long for company.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// Or until there are so many.
const LARGEST_BATCH: usize = 2_000;
/// While the store cannot be written, only so many runs are kept for the history.
const MOST_UNWRITTEN: usize = 50_000;
/// After so long, critical messages do not wait for the store any more.
const STORE_PATIENCE: Duration = Duration::from_secs(3);
/// Sending from memory may hold up the runs this long.
const MEMORY_LIMIT: Duration = Duration::from_secs(12);
/// A message that could not be sent from memory is tried again after this.
const MEMORY_PAUSE: Duration = Duration::from_secs(10);

/// What the recorder works with.
pub struct RecorderParts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Who sends what is owed.
    pub outbox: Arc<Outbox>,
    /// What pages show.
    pub status: Arc<Status>,
    /// Runs that somebody asked for.
    pub triggers: Arc<Triggers>,
    /// Who tells a collector.
    pub exporter: Exporter,
    /// Where what happens is told.
    pub bulletin: Arc<Bulletin>,
    /// Asks for rechecks.
    pub orders: mpsc::Sender<Order>,
    /// The configuration in use.
    pub project: watch::Receiver<Arc<Project>>,
}

/// Turns reports and commands into what is believed, kept and owed.
pub struct Recorder {
    parts: RecorderParts,
    engine: Engine,
    flush_at: Option<Instant>,
    /// Since when the store cannot be written.
    failing_since: Option<Instant>,
    /// Keys of what has left from memory.
    sent: Vec<String>,
    /// When what could not be sent from memory may be tried again.
    again_at: HashMap<String, Instant>,
    /// Who waits until what they asked for is written down.
    waiting: Vec<oneshot::Sender<Result<(), Refusal>>>,
    /// What checks measured before, as it is found.
    pasts: JoinSet<(CheckId, Past)>,
    /// Of which checks that has been asked for.
    asked_pasts: HashSet<CheckId>,
}

impl Recorder {
    /// Takes up where the last process stopped.
    #[must_use]
    pub fn new(parts: RecorderParts, remembered: Remembered) -> Self {
        let memory = Memory {
            states: remembered.states,
            incidents: remembered.incidents,
            quiets: remembered.quiets,
        };
        let policy = Arc::clone(&parts.project.borrow().policy);
        let engine = Engine::new(policy, memory, fastrand::u64(..), wall_now());
        for (id, state) in engine.states() {
            parts.status.note_level(id, state.level());
        }
        let mut recorder = Self {
            parts,
            engine,
            flush_at: Some(Instant::now()),
            failing_since: None,
            sent: Vec::new(),
            again_at: HashMap::new(),
            waiting: Vec::new(),
            pasts: JoinSet::new(),
            asked_pasts: HashSet::new(),
        };
        recorder.ask_for_pasts();
        recorder
    }

    /// Works until the reports end, then writes what is left.
    pub async fn run(mut self, mut reports: mpsc::Receiver<Report>, mut commands: mpsc::Receiver<Asked>) {
        let mut received = Vec::new();
        loop {
            let wake = self.wake_time();
            tokio::select! {
                count = reports.recv_many(&mut received, 512) => {
                    if count == 0 {
                        break;
                    }
                    for report in received.drain(..) {
                        self.take(report).await;
                    }
                }
                Some(asked) = commands.recv() => self.obey(asked).await,
                changed = self.parts.project.changed() => {
                    if changed.is_ok() {
                        self.take_project();
                    }
                }
                Some(found) = self.pasts.join_next() => {
                    if let Ok((check, past)) = found {
                        self.engine.take_past(&check, past);
                    }
                }
                () = sleep_until(wake) => {}
            }
            self.engine.tick(wall_now());
            if self.engine.pending().is_urgent() && self.failing_since.is_none() {
                self.flush_at = Some(Instant::now());
            }
            if self.flush_at.is_some_and(|at| at <= Instant::now()) {
                self.flush().await;
            }
        }
        if !self.engine.is_idle() {
            self.flush().await;
        }
        self.parts.exporter.finish().await;
    }

    fn wake_time(&self) -> Instant {
        let now = Instant::now();
        let tick = self
            .engine
            .next_tick()
            .map(|due| now + due.since(wall_now()) + Duration::from_millis(1));
        let idle = now + Duration::from_secs(30);
        [self.flush_at, tick]
            .into_iter()
            .flatten()
            .fold(idle, Instant::min)
    }

    async fn take(&mut self, report: Report) {
        match report {
            Report::Late(id, at) => {
                self.parts.status.note_late(&id);
                self.engine.take_late(id, at);
            }
            Report::Finished(finished) => {
                let lateness = finished.lateness;
                if let Some(effect) = self.engine.take_run(run_of(*finished), wall_now()) {
                    self.follow(effect, lateness).await;
                }
            }
            Report::Triggered(finished, tag) => {
                let (now, lateness) = (wall_now(), finished.lateness);
                let (record, effect) = self.engine.take_triggered(run_of(*finished), &tag, now);
                match effect {
                    Some(effect) => self.follow(effect, lateness).await,
                    None => self.parts.exporter.offer(&record),
                }
                if let Some(run) = self.parts.triggers.runs.take(&tag.id, record, now) {
                    let (done, total) = (run.done(), run.checks.len());
                    let data = json!({ "id": tag.id, "state": run.state, "done": done, "total": total, "worst": run.worst });
                    self.parts.bulletin.tell("run", data);
                }
            }
        }
        if self.engine.pending().runs.len() >= LARGEST_BATCH && self.failing_since.is_none() {
            self.flush_at = Some(Instant::now());
        }
        self.flush_at.get_or_insert(Instant::now() + BATCH_WAIT);
    }

    /// What a run led to is shown, and looked at again where need be.
    async fn follow(&self, effect: Effect, lateness: Duration) {
        self.note(&effect, lateness);
        for (id, after) in effect.recheck {
            let _ = self.parts.orders.send(Order::Recheck(id, after)).await;
        }
    }

    /// Tells of a run whose level is not that of the run before.
    fn tell_of_level(&self, effect: &Effect) {
        let (check, level) = (&effect.record.check, effect.record.verdict.level);
        let before = self.parts.status.check(check).last_level.unwrap_or_default();
        if before != level {
            let data = json!({
                "check": check, "run": effect.record.run, "from": before, "to": level,
                "believed": effect.state.level(), "headline": effect.record.verdict.headline(),
            });
            self.parts.bulletin.tell("check", data);
        }
    }

    fn note(&self, effect: &Effect, lateness: Duration) {
        self.tell_of_level(effect);
        self.parts.exporter.offer(&effect.record);
        self.parts
            .status
            .note_run(&effect.record, &effect.state, lateness);
        let Some(transition) = &effect.transition else {
            return;
        };
        let incident = self.engine.ledger().get(&transition.incident);
        let held = incident.and_then(|incident| incident.held.as_ref());
        self.parts.status.note_change(transition.kind, held);
        let data = json!({
            "incident": transition.incident, "check": transition.check, "change": transition.kind,
            "from": transition.from, "to": transition.to, "headline": transition.verdict.headline(),
            "held": held.map(ToString::to_string),
        });
        self.parts.bulletin.tell("incident", data);
        tracing::info!(
            check = %transition.check,
            incident = %transition.incident,
            change = transition.kind.as_str(),
            level = %transition.to,
            reason = transition.verdict.headline(),
            held = held.map(tracing::field::display),
            "incident changed"
        );
    }

    async fn obey(&mut self, asked: Asked) {
        // An incident that was over long ago is only in the store.
        if let Command::Acknowledge { incident, .. } | Command::Mark { incident, .. } = &asked.command
            && self.engine.ledger().get(incident).is_none()
            && let Ok(Some(known)) = self.parts.store.incident(incident).await
        {
            self.engine.remember(known);
        }
        let result = self.engine.take_command(asked.command, wall_now());
        let Some(answer) = asked.answer else { return };
        if result.is_err() {
            let _ = answer.send(result);
        } else {
            // Only what is written down is done.
            self.waiting.push(answer);
        }
        self.flush_at = Some(Instant::now());
    }

    fn take_project(&mut self) {
        let next = self.parts.project.borrow_and_update().clone();
        let before: HashSet<_> = self.engine.states().map(|(id, _)| id.clone()).collect();
        self.engine.take_policy(Arc::clone(&next.policy), wall_now());
        let gone: Vec<_> = before
            .into_iter()
            .filter(|id| !self.engine.states().any(|(known, _)| known == id))
            .collect();
        self.parts.status.forget(&gone);
        self.ask_for_pasts();
    }

    /// Relative bounds need what was measured before: it is looked up once per check, while
    /// runs go on.
    fn ask_for_pasts(&mut self) {
        let policy = Arc::clone(&self.parts.project.borrow().policy);
        for check in policy.checks.values() {
            let relative = check
                .thresholds
                .iter()
                .any(|threshold| threshold.relative().next().is_some());
            if relative && self.asked_pasts.insert(check.id.clone()) {
                let (store, check) = (Arc::clone(&self.parts.store), Arc::clone(check));
                self.pasts
                    .spawn(async move { (check.id.clone(), past_of(&check, &*store, wall_now()).await) });
            }
        }
    }

    /// Writes what is pending; what cannot be written is kept for the next try.
    async fn flush(&mut self) {
        let now = wall_now();
        let store = Arc::clone(&self.parts.store);
        match store.record(self.engine.batch(now), &self.sent).await {
            Ok(()) => self.written(now),
            Err(error) => self.store_failed(&error).await,
        }
    }

    fn written(&mut self, now: Timestamp) {
        self.engine.written(now);
        self.sent.clear();
        self.again_at.clear();
        self.flush_at = None;
        for answer in self.waiting.drain(..) {
            let _ = answer.send(Ok(()));
        }
        if self.failing_since.take().is_some() {
            tracing::info!("the store can be written again");
            let _ = self
                .engine
                .take_command(Command::StoreState { trouble: None }, now);
        }
        self.parts.outbox.wake();
    }

    async fn store_failed(&mut self, error: &StoreError) {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, "runs cannot be written, will be tried again");
        self.parts.status.note_store_failure();
        let pending = self.engine.pending();
        let excess = pending.runs.len().saturating_sub(MOST_UNWRITTEN);
        pending.runs.drain(..excess);
        let excess = pending.triggered.len().saturating_sub(MOST_UNWRITTEN);
        pending.triggered.drain(..excess);
        let excess = pending.late.len().saturating_sub(MOST_UNWRITTEN);
        pending.late.drain(..excess);
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= STORE_PATIENCE {
            let trouble = format!("the store cannot be written: {}", cause.unwrap_or_default());
            let command = Command::StoreState {
                trouble: Some(trouble),
            };
            let _ = self.engine.take_command(command, wall_now());
            self.send_from_memory().await;
        }
        self.flush_at = Some(Instant::now() + BATCH_WAIT);
    }

    /// Critical messages do not wait for the store: they leave now, and are written down as
    /// sent when it can be written again.
    async fn send_from_memory(&mut self) {
        let now = wall_now();
        let due: Vec<(String, Owed)> = self
            .engine
            .pending()
            .changes
            .iter()
            .flat_map(|change| &change.owed)
            .filter(|(_, owed)| owed.due <= now && owed.notice.level == Level::Critical)
            .cloned()
            .collect();
        let outbox = Arc::clone(&self.parts.outbox);
        let is_wanted = |key: &String| {
            let waits = self.again_at.get(key).is_some_and(|at| *at > Instant::now());
            !waits && !self.sent.contains(key)
        };
        // All at once, so that a channel that hangs holds up no other, and runs not for long.
        let sending: Vec<_> = due
            .into_iter()
            .filter(|(key, _)| is_wanted(key))
            .map(|(key, owed)| {
                let delivery = delivery_of(key.clone(), owed);
                let outbox = &outbox;
                async move { (key, timeout(MEMORY_LIMIT, outbox.send_now(delivery)).await) }
            })
            .collect();
        for (key, taken) in futures_util::future::join_all(sending).await {
            if taken == Ok(true) {
                self.sent.push(key);
            } else {
                self.again_at.insert(key, Instant::now() + MEMORY_PAUSE);
            }
        }
    }
}

/// What the store knows of a check's measurements, as far as its relative bounds ask.
async fn past_of(check: &Check, store: &dyn Store, now: Timestamp) -> Past {
    let mut hours = Vec::new();
    let mut values = Vec::new();
    for threshold in &check.thresholds {
        let spans: Vec<_> = threshold.relative().map(|bound| bound.span()).collect();
        let name = &threshold.measurement;
        let mut failed = None;
        if spans.contains(&None) {
            match store.hours(&check.id, name, now - Past::REACH).await {
                Ok(found) => hours.extend(found),
                Err(error) => failed = Some(error),
            }
        }
        if let Some(longest) = spans.into_iter().flatten().max() {
            match store.values(&check.id, name, now - longest * 2).await {
                Ok(found) => values.extend(found),
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            tracing::warn!(check = %check.id, %error, "what was measured before cannot be read");
        }
    }
    Past::remembered(&hours, &values)
}

fn run_of(finished: Finished) -> Run {
    Run {
        check: Arc::clone(&finished.job.runnable.check),
        id: finished.run,
        started: finished.started,
        took: finished.took,
        outcome: finished.outcome,
    }
}

fn delivery_of(key: String, owed: Owed) -> Delivery {
    Delivery {
        key,
        channel: owed.channel,
        route: owed.route,
        group_key: owed.group_key,
        due: owed.due,
        created: owed.due,
        attempts: 0,
        form: owed.form,
        fell_back: false,
        notices: vec![owed.notice],
    }
}
