//! A finished run's way to the store: judge → step → plan → one transaction.
//!
//! Invariants: nothing is sent that is not in the store first; a run that changes nothing
//! waits for a batch, a change is written at once. What is believed runs ahead of the store
//! only while the store cannot be written, and nobody is told of it until it can.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::alert::{self, CheckState};
use crate::clock::wall_now;
use crate::config::Project;
use crate::judge::judge;
use crate::model::{CheckId, IncidentId, RunRecord, Timestamp, Transition, TransitionKind};
use crate::notify::Outbox;
use crate::route::{Book, Telling};
use crate::schedule::{Finished, Order, Report};
use crate::status::Status;
use crate::store::{Batch, Change, Remembered, Store};

/// Quiet runs wait this long for company.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// Or until there are so many.
const LARGEST_BATCH: usize = 2_000;
/// While the store cannot be written, only so many runs are kept for the history.
const MOST_UNWRITTEN: usize = 50_000;
/// Resolved incidents stay in the book this long, so that they can reopen.
const BOOK_KEEPS: Duration = Duration::from_mins(10);

/// What the recorder works with.
pub struct RecorderParts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Who sends what is owed.
    pub outbox: Arc<Outbox>,
    /// What pages show.
    pub status: Arc<Status>,
    /// Asks for rechecks.
    pub orders: mpsc::Sender<Order>,
    /// The configuration in use.
    pub project: watch::Receiver<Arc<Project>>,
}

/// Turns reports into what is believed, kept and owed.
pub struct Recorder {
    parts: RecorderParts,
    project: Arc<Project>,
    states: HashMap<CheckId, CheckState>,
    book: Book,
    pending: Batch,
    pending_states: HashMap<CheckId, CheckState>,
    flush_at: Option<Instant>,
}

impl Recorder {
    /// Takes up where the last process stopped.
    #[must_use]
    pub fn new(parts: RecorderParts, remembered: Remembered) -> Self {
        let project = parts.project.borrow().clone();
        let mut book = Book::default();
        for incident in remembered.incidents {
            let check = project
                .checks
                .get(&incident.check)
                .map(|runnable| &*runnable.check);
            book.restore(incident, check, &project.routes);
        }
        let mut recorder = Self {
            parts,
            project,
            states: remembered.states.into_iter().collect(),
            book,
            pending: Batch::default(),
            pending_states: HashMap::new(),
            flush_at: None,
        };
        for (id, state) in &recorder.states {
            recorder.parts.status.note_level(id, state.level());
        }
        recorder.close_unwatched();
        recorder
    }

    /// Works until the reports end, then writes what is left.
    pub async fn run(mut self, mut reports: mpsc::Receiver<Report>) {
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
                changed = self.parts.project.changed() => {
                    if changed.is_ok() {
                        self.take_project();
                    }
                }
                () = sleep_until(wake) => {}
            }
            self.remind();
            self.flush_if_due().await;
        }
        if !self.is_empty() {
            self.flush().await;
        }
    }

    fn wake_time(&self) -> Instant {
        let now = Instant::now();
        let reminder = self
            .book
            .next_reminder()
            .map(|due| now + due.since(wall_now()) + Duration::from_millis(1));
        let idle = now + Duration::from_mins(1);
        [self.flush_at, reminder]
            .into_iter()
            .flatten()
            .fold(idle, Instant::min)
    }

    async fn take(&mut self, report: Report) {
        match report {
            Report::Late(id, at) => {
                self.parts.status.note_late(&id);
                self.pending.late.push((id, at));
                self.flush_soon();
            }
            Report::Finished(finished) => self.judge_run(*finished).await,
        }
    }

    /// The walk of one run, up to what it owes.
    async fn judge_run(&mut self, finished: Finished) {
        let check = Arc::clone(&finished.job.runnable.check);
        // The check may have been taken out while it ran.
        if !self
            .project
            .checks
            .get(&check.id)
            .is_some_and(|known| known.check.enabled)
        {
            return;
        }
        let verdict = judge(&finished.outcome, &check.thresholds);
        let now = finished.started + finished.took;
        let state = self.states.remove(&check.id).unwrap_or_default();
        let new_incident = IncidentId::from_entropy(fastrand::u64(..));
        let (state, transition) =
            alert::step(state, &check.id, &verdict, &check.confirmation, now, new_incident);
        let record = RunRecord {
            run: finished.run,
            check: check.id.clone(),
            started: finished.started,
            took: finished.took,
            outcome: finished.outcome,
            verdict,
        };
        self.parts.status.note_run(&record, &state, finished.lateness);
        if state.is_unsettled()
            && let Some(after) = check.confirmation.recheck_every
        {
            let _ = self
                .parts
                .orders
                .send(Order::Recheck(check.id.clone(), after))
                .await;
        }
        if let Some(transition) = transition {
            self.tell(transition, &record);
        }
        self.pending_states.insert(check.id.clone(), state.clone());
        self.states.insert(check.id.clone(), state);
        self.pending.runs.push(record);
        self.flush_soon();
    }

    fn tell(&mut self, transition: Transition, record: &RunRecord) {
        let Some(runnable) = self.project.checks.get(&transition.check) else {
            return;
        };
        let check = Arc::clone(&runnable.check);
        let facts = &record.outcome.evidence.facts;
        let telling = self.book.plan(&transition, &check, &self.project.routes, facts);
        tracing::info!(
            check = %check.id,
            incident = %transition.incident,
            change = transition.kind.as_str(),
            level = %transition.to,
            reason = transition.verdict.headline(),
            channels = telling.owed.len(),
            silence = telling.silence.map(crate::route::Silence::as_str),
            "incident changed"
        );
        if transition.kind == TransitionKind::Opened {
            self.parts.status.note_incident();
        }
        self.book.commit(&telling, &check, &self.project.routes);
        self.owe(Some(transition), telling);
    }

    fn owe(&mut self, transition: Option<Transition>, telling: Telling) {
        let owed = telling
            .owed
            .into_iter()
            .map(|owed| (uuid::Uuid::now_v7().simple().to_string(), owed))
            .collect();
        self.pending.changes.push(Change {
            transition,
            incident: telling.incident,
            owed,
            silence: telling.silence.map(crate::route::Silence::as_str),
        });
        self.flush_at = Some(Instant::now());
    }

    fn remind(&mut self) {
        let now = wall_now();
        let project = Arc::clone(&self.project);
        let due = self
            .book
            .due_reminders(now, |id| project.checks.get(id).map(|runnable| &*runnable.check));
        for telling in due {
            if let Some(runnable) = project.checks.get(&telling.incident.check) {
                self.book.commit(&telling, &runnable.check, &project.routes);
                self.owe(None, telling);
            }
        }
    }

    /// Another configuration: what changed is counted anew, what is gone is closed, and
    /// nobody is told anything by this alone.
    fn take_project(&mut self) {
        let next = self.parts.project.borrow_and_update().clone();
        for (id, runnable) in &next.checks {
            let changed = self
                .project
                .checks
                .get(id)
                .is_some_and(|known| known.check.fingerprint != runnable.check.fingerprint);
            if changed && let Some(state) = self.states.get_mut(id) {
                state.restart_counting();
            }
        }
        self.project = next;
        let project = Arc::clone(&self.project);
        self.book.reroute(&project.routes, |id| {
            project.checks.get(id).map(|runnable| &*runnable.check)
        });
        self.close_unwatched();
    }

    fn close_unwatched(&mut self) {
        let is_watched = |id: &CheckId| {
            self.project
                .checks
                .get(id)
                .is_some_and(|known| known.check.enabled)
        };
        let gone: Vec<CheckId> = self.states.keys().filter(|id| !is_watched(id)).cloned().collect();
        for id in &gone {
            let state = self.states.remove(id).unwrap_or_default();
            self.pending_states.remove(id);
            self.pending.forgotten.push(id.clone());
            if let Some(transition) = alert::close(state, id, wall_now()) {
                let telling = self.book.close(&transition);
                self.owe(Some(transition), telling);
            }
            self.flush_soon();
        }
        self.parts.status.forget(&gone);
    }

    fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.pending_states.is_empty()
    }

    fn flush_soon(&mut self) {
        if self.pending.runs.len() >= LARGEST_BATCH {
            self.flush_at = Some(Instant::now());
        }
        self.flush_at.get_or_insert(Instant::now() + BATCH_WAIT);
    }

    async fn flush_if_due(&mut self) {
        if self.flush_at.is_some_and(|at| at <= Instant::now()) {
            self.flush().await;
        }
    }

    /// Writes what is pending; what cannot be written is kept for the next try.
    async fn flush(&mut self) {
        self.pending.states = self
            .pending_states
            .iter()
            .map(|(id, state)| (id.clone(), state.clone()))
            .collect();
        self.pending.at = Some(wall_now());
        match self.parts.store.record(&self.pending).await {
            Ok(()) => {
                let told = !self.pending.changes.is_empty();
                self.pending = Batch::default();
                self.pending_states.clear();
                self.flush_at = None;
                if told {
                    self.parts.outbox.wake();
                }
                self.book.prune(wall_now() - BOOK_KEEPS);
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, cause, "runs cannot be written, will be tried again");
                self.parts.status.note_store_failure();
                let excess = self.pending.runs.len().saturating_sub(MOST_UNWRITTEN);
                self.pending.runs.drain(..excess);
                let excess = self.pending.late.len().saturating_sub(MOST_UNWRITTEN);
                self.pending.late.drain(..excess);
                self.flush_at = Some(Instant::now() + BATCH_WAIT);
            }
        }
    }
}

/// Incidents resolved after this may still reopen when a process takes up its work.
#[must_use]
pub fn remembered_since(now: Timestamp) -> Timestamp {
    now - BOOK_KEEPS
}
