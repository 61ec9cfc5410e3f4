//! The outbox: one worker per channel takes what is due, sends it, and records the attempt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::courier::{Courier, News, Picked};
use super::{Channel, Desk, Transport};
use crate::clock::wall_now;
use crate::model::{AttemptResult, ChannelName, Delivery, Message, Notice};
use crate::store::StoreError;

/// A sender that hangs is given up; less than the lease.
const SEND_LIMIT: Duration = Duration::from_secs(40);
/// Something new is announced, so that this only bounds what is missed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// The store failed; look again after this.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What the outbox has to say to those who decide.
#[derive(Debug, Clone)]
pub enum OutboxNews {
    /// A channel fails with these words, or works again.
    Channel {
        /// Which.
        channel: ChannelName,
        /// What is wrong.
        trouble: Option<String>,
    },
    /// An attempt to send has ended.
    Settled {
        /// The delivery's key.
        delivery: String,
        /// To whom.
        channel: ChannelName,
        /// `sent`, `retry`, `dead`
        result: &'static str,
    },
    /// A channel's fallback should be told.
    FallBack {
        /// The delivery's key.
        delivery: String,
        /// The channel that does not take it.
        channel: ChannelName,
        /// What it says.
        notices: Vec<Notice>,
    },
    /// An action has ended.
    Action {
        /// By which channel.
        channel: ChannelName,
        /// About which incident.
        incident: crate::model::IncidentId,
        /// Whether it ran and succeeded.
        done: bool,
        /// In one line.
        said: String,
    },
}

/// Hears what the outbox has to say; never waits.
pub type Listener = Arc<dyn Fn(OutboxNews) + Send + Sync>;

/// What the outbox works with.
pub struct OutboxOptions {
    /// Where messages come from.
    pub courier: Courier,
    /// How receivers are reached.
    pub transport: Arc<Transport>,
    /// Who hears how channels fare.
    pub listener: Listener,
}

/// Sends what is owed.
pub struct Outbox {
    shared: Arc<OutboxOptions>,
    workers: Mutex<HashMap<ChannelName, Worker>>,
    tasks: TaskTracker,
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
            shared: Arc::new(options),
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

    /// Sends a message that is not in the store, once, while the store cannot be written.
    /// Whether the channel took it.
    pub async fn send_now(&self, delivery: Delivery) -> bool {
        let channel = {
            let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            workers
                .get(&delivery.channel)
                .map(|worker| worker.channel.clone())
        };
        let Some(channel) = channel else { return false };
        let message = self.shared.courier.message(&delivery);
        let result = self.shared.send(&channel, &message).await;
        let taken = result == AttemptResult::Sent;
        tracing::warn!(channel = %channel.name, delivery = delivery.key, taken, "message sent from memory");
        taken
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

async fn work(shared: Arc<OutboxOptions>, channel: Channel, wake: Arc<Notify>, stop: CancellationToken) {
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

impl OutboxOptions {
    /// Sends the next delivery that is due; false when there is none.
    async fn deliver_next(&self, channel: &Channel) -> Result<bool, StoreError> {
        let (delivery, message) = match self.courier.pick(&channel.name, wall_now()).await? {
            Picked::Nothing => return Ok(false),
            Picked::PutAway => return Ok(true),
            Picked::Message(delivery, message) => (delivery, message),
        };
        let result = self.send(channel, &message).await;
        self.log(channel, &delivery, &result);
        let news = self.settle(&delivery, result).await?;
        self.report(channel, delivery, news);
        Ok(true)
    }

    async fn send(&self, channel: &Channel, message: &Message) -> AttemptResult {
        let desk = Desk {
            channel: &channel.name,
            transport: &self.transport,
            store: &*self.courier.store,
            redactor: &self.courier.redactor,
            listener: &self.listener,
        };
        let sent = timeout(SEND_LIMIT, channel.sender.send(message, &desk)).await;
        sent.unwrap_or_else(|_| AttemptResult::Retry {
            after: None,
            why: "the receiver took longer than 40s".into(),
        })
    }

    /// What was sent must be settled, or it would be sent again.
    async fn settle(&self, delivery: &Delivery, result: AttemptResult) -> Result<News, StoreError> {
        for _ in 0..2 {
            match self
                .courier
                .settle(delivery, result.clone(), wall_now(), fastrand::f64())
                .await
            {
                Ok(news) => return Ok(news),
                Err(error) => store_failed(&delivery.channel, &error),
            };
            sleep(STORE_PAUSE).await;
        }
        self.courier
            .settle(delivery, result, wall_now(), fastrand::f64())
            .await
    }

    fn log(&self, channel: &Channel, delivery: &Delivery, result: &AttemptResult) {
        let (channel, attempts, delivery) = (&channel.name, delivery.attempts + 1, &delivery.key);
        let clean = |why: &str| self.courier.redactor.current().clean(why).into_owned();
        match result {
            AttemptResult::Sent => tracing::info!(%channel, delivery, attempts, "message sent"),
            AttemptResult::Retry { why, .. } => {
                tracing::warn!(%channel, delivery, attempts, why = clean(why), "message not taken, will be tried again");
            }
            AttemptResult::Dead { why } => {
                tracing::error!(%channel, delivery, attempts, why = clean(why), "message given up");
            }
        }
    }

    fn report(&self, channel: &Channel, delivery: Delivery, news: News) {
        let name = channel.name.clone();
        (self.listener)(OutboxNews::Settled {
            delivery: delivery.key.clone(),
            channel: name.clone(),
            result: match &news {
                News::Works => "sent",
                News::Waits | News::Failing { .. } => "retry",
                News::GivenUp { .. } => "dead",
            },
        });
        let (trouble, fall_back) = match news {
            News::Waits => return,
            News::Works => (None, false),
            News::Failing { why, fall_back } => {
                let trouble = format!("channel `{name}` does not take messages: {why}");
                (Some(trouble), fall_back)
            }
            News::GivenUp { why, fall_back } => {
                let trouble = format!(
                    "channel `{name}` refused a message for good: {why}; mend it, then `haetae alert resend`"
                );
                (Some(trouble), fall_back)
            }
        };
        (self.listener)(OutboxNews::Channel {
            channel: name.clone(),
            trouble,
        });
        if fall_back {
            (self.listener)(OutboxNews::FallBack {
                delivery: delivery.key,
                channel: name,
                notices: delivery.notices,
            });
        }
    }

    async fn time_to_next(&self, channel: &ChannelName) -> Result<Duration, StoreError> {
        let next = self.courier.store.next_due(channel).await?;
        let wait = next.map_or(LONGEST_SLEEP, |next| next.since(wall_now()));
        // What is due and still cannot be claimed waits for an earlier one of its incident.
        Ok(wait.clamp(Duration::from_millis(50), LONGEST_SLEEP))
    }
}
