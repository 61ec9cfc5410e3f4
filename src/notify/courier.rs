//! What is decided around one attempt to send: what is still worth saying, what an attempt's
//! end means. It is given the time, so that a simulation can drive it.

use std::sync::Arc;
use std::time::Duration;

use super::next_attempt;
use crate::model::{
    AttemptResult, ChannelName, Delivery, Form, IncidentId, Language, Level, Message, Notice, Purpose,
    SharedRedactor, Timestamp,
};
use crate::store::{Store, StoreError};

/// A sender that has not settled a delivery by then is taken for gone.
const LEASE: Duration = Duration::from_mins(1);
/// A channel that has not taken a message for this long is failing, and its fallback is told.
const FAILING_AFTER: Duration = Duration::from_mins(1);

/// Where messages come from.
#[derive(Clone)]
pub struct Courier {
    /// Where deliveries are.
    pub store: Arc<dyn Store>,
    /// The mask over what receivers say.
    pub redactor: SharedRedactor,
    /// Where pages of haetae are, for links.
    pub public_url: Option<String>,
    /// The language of messages.
    pub language: Language,
}

/// What there is to send.
pub enum Picked {
    /// Nothing is due.
    Nothing,
    /// What was due is not worth saying any more, and has been put away.
    PutAway,
    /// This; it is leased.
    Message(Delivery, Message),
}

/// What a settled attempt means for the rest of haetae.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The channel took the message.
    Works,
    /// It did not, and will be asked again.
    Waits,
    /// It has not taken the message for too long, and says this.
    Failing {
        /// What it says.
        why: String,
        /// Whether its fallback should be told now: it has not been told this delivery yet.
        fall_back: bool,
    },
    /// It will never take the message, and says this.
    GivenUp {
        /// What it says.
        why: String,
        /// Whether its fallback should be told now.
        fall_back: bool,
    },
}

impl Courier {
    /// Claims what is due next on a channel, without what is not worth saying any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pick(&self, channel: &ChannelName, now: Timestamp) -> Result<Picked, StoreError> {
        let Some(mut delivery) = self.store.claim(channel, now, now + LEASE).await? else {
            return Ok(Picked::Nothing);
        };
        self.leave_out(&mut delivery).await?;
        if delivery.notices.is_empty() {
            let why = "there was nothing to say any more: over, acknowledged, or never heard of";
            self.store.drop_delivery(&delivery.key, now, why).await?;
            return Ok(Picked::PutAway);
        }
        let message = self.message(&delivery);
        Ok(Picked::Message(delivery, message))
    }

    /// The message that a delivery makes.
    #[must_use]
    pub fn message(&self, delivery: &Delivery) -> Message {
        Message {
            key: delivery.key.clone(),
            form: delivery.form,
            language: self.language,
            notices: delivery.notices.clone(),
            public_url: self.public_url.clone(),
        }
    }

    async fn leave_out(&self, delivery: &mut Delivery) -> Result<(), StoreError> {
        let mut kept: Vec<Notice> = Vec::new();
        let mut left_out: Vec<IncidentId> = Vec::new();
        // What was tried before may have been taken, and its answer lost: it is said again.
        let may_be_known = delivery.attempts > 0;
        for notice in std::mem::take(&mut delivery.notices) {
            let is_worth_it = match notice.purpose {
                Purpose::News | Purpose::Escalation if may_be_known => true,
                Purpose::News if notice.level == Level::Ok => {
                    // News that something is over is none for a channel that never heard that
                    // it began: its message was given up.
                    kept.iter().any(|earlier| earlier.incident == notice.incident)
                        || self.store.has_heard(&delivery.channel, &notice.incident).await?
                }
                Purpose::Reminder if delivery.form == Form::StormEnd => true,
                Purpose::Reminder | Purpose::Escalation => self.is_still_wanted(&notice).await?,
                Purpose::News | Purpose::Note | Purpose::Heartbeat => true,
            };
            if is_worth_it {
                kept.push(notice);
            } else {
                left_out.push(notice.incident);
            }
        }
        left_out.retain(|id| !kept.iter().any(|notice| notice.incident == *id));
        if !left_out.is_empty() {
            self.store.leave_out(&delivery.key, &left_out).await?;
        }
        delivery.notices = kept;
        Ok(())
    }

    /// A reminder is none once somebody takes care, or once it is over.
    async fn is_still_wanted(&self, notice: &Notice) -> Result<bool, StoreError> {
        let incident = self.store.incident(&notice.incident).await?;
        Ok(incident.is_none_or(|incident| incident.is_open() && incident.acknowledged.is_none()))
    }

    /// Records how an attempt ended.
    ///
    /// # Errors
    /// When the store fails; then the lease runs out and the message goes once more.
    pub async fn settle(
        &self,
        delivery: &Delivery,
        result: AttemptResult,
        now: Timestamp,
        roll: f64,
    ) -> Result<News, StoreError> {
        let result = self.masked(result);
        let next = match &result {
            AttemptResult::Retry { after, .. } => {
                next_attempt(delivery.created, now, delivery.attempts + 1, *after, roll)
            }
            AttemptResult::Sent | AttemptResult::Dead { .. } => None,
        };
        self.store.settle(&delivery.key, now, &result, next).await?;
        let fall_back = !delivery.fell_back;
        Ok(match (result, next) {
            (AttemptResult::Sent, _) => News::Works,
            (AttemptResult::Retry { why, .. }, Some(_)) => {
                let waited = now.since(delivery.created);
                if waited >= FAILING_AFTER {
                    News::Failing { why, fall_back }
                } else {
                    News::Waits
                }
            }
            (AttemptResult::Retry { why, .. } | AttemptResult::Dead { why }, _) => {
                News::GivenUp { why, fall_back }
            }
        })
    }

    fn masked(&self, result: AttemptResult) -> AttemptResult {
        let redactor = self.redactor.current();
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
}
