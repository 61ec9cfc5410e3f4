//! The outbox: one worker per channel takes what is due, sends it, and records the attempt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Channel, Transport, next_attempt};
use crate::clock::wall_now;
use crate::model::{AttemptResult, ChannelName, Delivery, Level, Message, SharedRedactor, Timestamp};
use crate::store::{Store, StoreError};

/// A sender that has not settled a delivery by then is taken for gone.
const LEASE: Duration = Duration::from_mins(1);
/// A sender that hangs is given up; less than the lease.
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// Something new is announced, so that this only bounds what is missed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// The store failed; look again after this.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What the outbox works with.
pub struct OutboxOptions {
    /// Where deliveries are.
    pub store: Arc<dyn Store>,
    /// How receivers are reached.
    pub transport: Arc<Transport>,
    /// The mask over what receivers say.
    pub redactor: SharedRedactor,
    /// Where pages of haetae are, for links.
    pub public_url: Option<String>,
}

/// Sends what is owed.
pub struct Outbox {
    shared: Arc<Shared>,
    workers: Mutex<HashMap<ChannelName, Worker>>,
    tasks: TaskTracker,
}

struct Shared {
    options: OutboxOptions,
}

struct Worker {
    wake: Arc<Notify>,
    stop: CancellationToken,
    channel: Channel,
}

impl Outbox {
    /// An outbox without channels.
    #[must_use]
    pub fn new(options: OutboxOptions) -> Self {
        Self {
            shared: Arc::new(Shared { options }),
            workers: Mutex::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Serves these channels from now on: new ones get a worker, changed ones a new sender,
    /// and those that are gone keep what is owed to them in the store.
    pub fn serve(&self, channels: &[Channel]) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|name, worker| {
            let kept = channels
                .iter()
                .any(|channel| channel.name == *name && Arc::ptr_eq(&channel.sender, &worker.channel.sender));
            if !kept {
                worker.stop.cancel();
            }
            kept
        });
        for channel in channels {
            if workers.contains_key(&channel.name) {
                continue;
            }
            let worker = Worker {
                wake: Arc::new(Notify::new()),
                stop: CancellationToken::new(),
                channel: channel.clone(),
            };
            let task = work(
                Arc::clone(&self.shared),
                channel.clone(),
                Arc::clone(&worker.wake),
                worker.stop.clone(),
            );
            self.tasks.spawn(task);
            workers.insert(channel.name.clone(), worker);
        }
    }

    /// Tells the workers that something may have become due.
    pub fn wake(&self) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        for worker in workers.values() {
            worker.wake.notify_one();
        }
    }

    /// Lets every worker finish what it is sending, and ends them.
    pub async fn shut_down(&self, limit: Duration) {
        {
            let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            workers.values().for_each(|worker| worker.stop.cancel());
        }
        self.tasks.close();
        if timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::warn!("a channel was still sending at shutdown; it will be sent again");
        }
    }
}

async fn work(shared: Arc<Shared>, channel: Channel, wake: Arc<Notify>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match shared.deliver_next(&channel).await {
            Ok(true) => channel.sender.pause(),
            Ok(false) => match shared.time_to_next(&channel.name).await {
                Ok(wait) => {
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = wake.notified() => {}
                        () = stop.cancelled() => {}
                    }
                    Duration::ZERO
                }
                Err(error) => store_failed(&channel.name, &error),
            },
            Err(error) => store_failed(&channel.name, &error),
        };
        if !pause.is_zero() {
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

fn store_failed(channel: &ChannelName, error: &StoreError) -> Duration {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(%channel, %error, cause, "deliveries cannot be read");
    STORE_PAUSE
}

impl Shared {
    /// Sends the next delivery that is due; false when there is none.
    async fn deliver_next(&self, channel: &Channel) -> Result<bool, StoreError> {
        let store = &self.options.store;
        let now = wall_now();
        let Some(mut delivery) = store.claim(&channel.name, now, now + LEASE).await? else {
            return Ok(false);
        };
        self.leave_out_unheard(&mut delivery).await?;
        if delivery.notices.is_empty() {
            store
                .drop_delivery(
                    &delivery.key,
                    wall_now(),
                    "the channel never heard of the incident",
                )
                .await?;
            return Ok(true);
        }
        let message = Message {
            key: delivery.key.clone(),
            notices: std::mem::take(&mut delivery.notices),
            public_url: self.options.public_url.clone(),
        };
        let sent = timeout(SEND_LIMIT, channel.sender.send(&message, &self.options.transport)).await;
        let result = sent.unwrap_or_else(|_| AttemptResult::Retry {
            after: None,
            why: "the receiver took longer than 30s".into(),
        });
        self.settle(channel, &delivery, self.masked(result)).await?;
        Ok(true)
    }

    /// News that something is over is none for a channel that never heard that it began:
    /// its message was given up.
    async fn leave_out_unheard(&self, delivery: &mut Delivery) -> Result<(), StoreError> {
        let mut kept = Vec::new();
        for notice in std::mem::take(&mut delivery.notices) {
            let began_here = kept
                .iter()
                .any(|earlier: &crate::model::Notice| earlier.incident == notice.incident);
            let heard = notice.level != Level::Ok
                || began_here
                || self
                    .options
                    .store
                    .has_heard(&delivery.channel, &notice.incident)
                    .await?;
            if heard {
                kept.push(notice);
            }
        }
        delivery.notices = kept;
        Ok(())
    }

    fn masked(&self, result: AttemptResult) -> AttemptResult {
        let redactor = self.options.redactor.current();
        match result {
            AttemptResult::Sent => AttemptResult::Sent,
            AttemptResult::Retry { after, why } => AttemptResult::Retry {
                after,
                why: redactor.clean(&why).into_owned(),
            },
            AttemptResult::Dead { why } => AttemptResult::Dead {
                why: redactor.clean(&why).into_owned(),
            },
        }
    }

    async fn settle(
        &self,
        channel: &Channel,
        delivery: &Delivery,
        result: AttemptResult,
    ) -> Result<(), StoreError> {
        let now = wall_now();
        let attempts = delivery.attempts + 1;
        let next = match &result {
            AttemptResult::Retry { after, .. } => {
                next_attempt(delivery.created, now, attempts, *after, fastrand::f64())
            }
            AttemptResult::Sent | AttemptResult::Dead { .. } => None,
        };
        match (&result, next) {
            (AttemptResult::Sent, _) => {
                tracing::info!(channel = %channel.name, delivery = delivery.key, attempts, "message sent");
            }
            (AttemptResult::Retry { why, .. }, Some(next)) => {
                tracing::warn!(channel = %channel.name, delivery = delivery.key, attempts, why, %next, "message not taken, will be tried again");
            }
            (AttemptResult::Retry { why, .. } | AttemptResult::Dead { why }, _) => {
                tracing::error!(channel = %channel.name, delivery = delivery.key, attempts, why, "message given up");
            }
        }
        // What was sent must be settled, or it would be sent again.
        let mut failure = None;
        for _ in 0..3 {
            match self.options.store.settle(&delivery.key, now, &result, next).await {
                Ok(()) => return Ok(()),
                Err(error) => failure = Some(error),
            }
            sleep(STORE_PAUSE).await;
        }
        failure.map_or(Ok(()), Err)
    }

    async fn time_to_next(&self, channel: &ChannelName) -> Result<Duration, StoreError> {
        let next: Option<Timestamp> = self.options.store.next_due(channel).await?;
        let wait = next.map_or(LONGEST_SLEEP, |next| next.since(wall_now()));
        // What is due and still cannot be claimed waits for an earlier one of its incident.
        Ok(wait.clamp(Duration::from_millis(50), LONGEST_SLEEP))
    }
}
