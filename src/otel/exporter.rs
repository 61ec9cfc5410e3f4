//! The way of runs to the collector: a bounded queue, and one task that empties it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::OtelSettings;
use super::mapping::{metrics, traces};
use crate::model::{AttemptResult, RunRecord};
use crate::notify::Transport;
use crate::status::Status;

/// So many runs wait; more are dropped.
const LONGEST_QUEUE: usize = 4_096;
/// So many go in one request.
const LARGEST_BATCH: usize = 512;
/// A request that may pass by itself is made so often.
const TRIES: u32 = 3;
/// Between two tries, unless the collector wishes otherwise.
const PAUSE: Duration = Duration::from_secs(1);
/// A collector's wish to wait is honoured up to this: what waits meanwhile is dropped.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What is left at the end may take so long.
const LAST_LIMIT: Duration = Duration::from_secs(5);

/// Takes runs; without a collector it forgets them.
pub struct Exporter {
    queue: Option<mpsc::Sender<RunRecord>>,
    task: Option<JoinHandle<()>>,
    status: Arc<Status>,
}

impl Exporter {
    /// Exports to a collector, if there is one.
    ///
    /// # Errors
    /// When no HTTP client can be made; in words for people.
    pub fn start(
        settings: Option<&OtelSettings>,
        transport: impl FnOnce() -> Result<Transport, String>,
        status: Arc<Status>,
    ) -> Result<Self, String> {
        let Some(settings) = settings.cloned() else {
            return Ok(Self {
                queue: None,
                task: None,
                status,
            });
        };
        let (queue, runs) = mpsc::channel(LONGEST_QUEUE);
        let worker = Worker {
            settings,
            transport: transport()?,
            status: Arc::clone(&status),
        };
        Ok(Self {
            queue: Some(queue),
            task: Some(tokio::spawn(worker.work(runs))),
            status,
        })
    }

    /// Takes a run, unless too many wait already. Never waits.
    pub fn offer(&self, run: &RunRecord) {
        let Some(queue) = &self.queue else { return };
        if queue.try_send(run.clone()).is_err() {
            self.status.note_export("dropped", 1);
        }
    }

    /// Sends what waits, and ends.
    pub async fn finish(&mut self) {
        self.queue = None;
        let Some(mut task) = self.task.take() else { return };
        if timeout(LAST_LIMIT, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("the collector was still being told of runs at shutdown");
        }
    }
}

struct Worker {
    settings: OtelSettings,
    transport: Transport,
    status: Arc<Status>,
}

impl Worker {
    async fn work(self, mut runs: mpsc::Receiver<RunRecord>) {
        let mut batch = Vec::new();
        while runs.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
            let until = Instant::now() + self.settings.every;
            while batch.len() < LARGEST_BATCH {
                let room = LARGEST_BATCH - batch.len();
                match timeout_at(until, runs.recv_many(&mut batch, room)).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
            self.export(&batch).await;
            batch.clear();
        }
    }

    async fn export(&self, batch: &[RunRecord]) {
        let mut result = "sent";
        for (path, body) in [("traces", traces(batch)), ("metrics", metrics(batch))] {
            if let Err(why) = self.send(path, &body).await {
                tracing::warn!(path, runs = batch.len(), why, "runs were not exported");
                result = "dropped";
            }
        }
        self.status.note_export(result, batch.len() as u64);
    }

    async fn send(&self, path: &str, body: &Value) -> Result<(), String> {
        let body = body.to_string();
        let mut said = String::new();
        for attempt in 1..=TRIES {
            match self.once(path, body.clone()).await {
                AttemptResult::Sent => return Ok(()),
                AttemptResult::Dead { why } => return Err(why),
                AttemptResult::Retry { after, why } => {
                    said = why;
                    if attempt < TRIES {
                        sleep(after.unwrap_or(PAUSE).min(LONGEST_PAUSE)).await;
                    }
                }
            }
        }
        Err(said)
    }

    async fn once(&self, path: &str, body: String) -> AttemptResult {
        let url = format!("{}/v1/{path}", self.settings.endpoint.reveal());
        let mut request = self
            .transport
            .client()
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in &self.settings.headers {
            request = request.header(name, value.reveal());
        }
        let said = match self.transport.exchange(request).await {
            Ok(said) => said,
            Err(result) => return result,
        };
        match said.status {
            200..300 => AttemptResult::Sent,
            // OTLP: these and no others are worth another try.
            429 | 502 | 503 | 504 => AttemptResult::Retry {
                after: said.after,
                why: format!("the collector answered {}", said.status),
            },
            status => AttemptResult::Dead {
                why: format!("the collector answered {status}"),
            },
        }
    }
}
