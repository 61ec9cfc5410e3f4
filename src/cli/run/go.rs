//! Running what was chosen, with bounded concurrency and until a signal comes.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::super::Exit;
use super::progress::Progress;
use crate::check::{Pool, Runnable, Services};
use crate::clock::wall_now;
use crate::judge::{Past, judge};
use crate::model::RunRecord;
use crate::report::Judged;
use crate::schedule::{Finished, Job, run_once};

/// How much runs at once, and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Checks that cost a socket.
    pub light: usize,
    /// Checks that cost a browser.
    pub browsers: usize,
    /// Runs of each check, one after the other.
    pub repeat: usize,
}

/// Runs everything with bounded concurrency; ends early on SIGINT or SIGTERM with what is
/// done by then.
pub(super) async fn run_all(
    chosen: &[Runnable],
    services: &Arc<Services>,
    limits: Limits,
    mut progress: Progress,
) -> (Vec<Judged>, Option<Exit>) {
    let mut runs = Vec::new();
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return (runs, Some(Exit::Internal));
    };
    progress.show();
    let (mut tasks, mut done) = start(chosen, services, limits);
    let ended = loop {
        tokio::select! {
            finished = done.recv() => match finished {
                None => break None,
                Some(finished) => {
                    let judged = judged(finished);
                    progress.tell(&judged);
                    runs.push(judged);
                }
            },
            _ = interrupt.recv() => break Some(Exit::Interrupted),
            _ = terminate.recv() => break Some(Exit::Terminated),
        }
    };
    progress.finish();
    tasks.shutdown().await;
    // What was over by then counts.
    while let Ok(finished) = done.try_recv() {
        runs.push(judged(finished));
    }
    runs.sort_by(|a, b| a.record.check.cmp(&b.record.check));
    (runs, ended)
}

/// A task per check, which runs it as often as wanted.
fn start(
    chosen: &[Runnable],
    services: &Arc<Services>,
    limits: Limits,
) -> (JoinSet<()>, mpsc::Receiver<Finished>) {
    let light = Arc::new(Semaphore::new(limits.light.max(1)));
    let browsers = Arc::new(Semaphore::new(limits.browsers.max(1)));
    let (tell, done) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    for runnable in chosen {
        let permits = match runnable.pool {
            Pool::Light => Arc::clone(&light),
            Pool::Browser => Arc::clone(&browsers),
        };
        let (runnable, services, tell) = (runnable.clone(), Arc::clone(services), tell.clone());
        tasks.spawn(async move {
            for _ in 0..limits.repeat.max(1) {
                let Ok(_permit) = permits.acquire().await else {
                    return;
                };
                let job = Job {
                    runnable: runnable.clone(),
                    due: wall_now(),
                };
                let finished = run_once(job, Arc::clone(&services)).await;
                if tell.send(finished).await.is_err() {
                    return;
                }
            }
        });
    }
    (tasks, done)
}

fn judged(mut finished: Finished) -> Judged {
    let check = finished.job.runnable.check;
    let verdict = judge(
        &finished.outcome,
        &check.thresholds,
        &Past::default(),
        finished.started,
    );
    for threshold in &check.thresholds {
        for bound in threshold.relative() {
            let what = format!(
                "`{}: {bound}` is not judged here: only a server knows what was before",
                threshold.measurement
            );
            finished.outcome.remarks.push(what);
        }
    }
    Judged {
        name: check.name.clone(),
        place: check.place.clone(),
        record: RunRecord {
            run: finished.run,
            check: check.id.clone(),
            started: finished.started,
            took: finished.took,
            outcome: finished.outcome,
            verdict,
        },
    }
}
