//! What every kind that asks a target does alike: attempts under the retry budget, each
//! within its time, and what a fault makes of the outcome.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::net::fault::{Fault, Side};
use super::retry::{Again, attempts};
use super::{Blocks, RunContext};
use crate::model::{Outcome, Retry, format_duration};

/// A limit inside an attempt ends this much before it, so that what was seen can be told.
const MARGIN: Duration = Duration::from_millis(10);

/// How politely and how long a check asks its target.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The host whose retry budget counts.
    pub host: String,
    retry: Retry,
    attempt_timeout: Duration,
}

impl Manners {
    /// As the check's blocks say, towards `host`.
    #[must_use]
    pub fn new(blocks: &Blocks<'_>, host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            retry: blocks.retry,
            attempt_timeout: blocks.attempt_timeout,
        }
    }

    /// Attempts until one stands; a fault that may pass is tried again. `look` makes the
    /// outcome of what the last attempt saw.
    pub async fn run<T, F>(
        &self,
        run: &RunContext,
        mut attempt: impl FnMut(Limit) -> F,
        look: impl FnOnce(T) -> Outcome,
    ) -> Outcome
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let tried = attempts(
            self.retry,
            &self.host,
            &run.services.retry_budget,
            run.deadline,
            |number| {
                let mut limit = Limit::new(run.deadline, self.attempt_timeout);
                if number == 0 {
                    // What was spent before the first attempt is not the user's concern.
                    limit.text = format_duration(self.attempt_timeout.min(run.check.timeout));
                }
                attempt(limit)
            },
            |last| match last {
                Err(fault) if fault.passing => Again::Maybe { after: None },
                _ => Again::No,
            },
        )
        .await;
        let mut outcome = match tried.last {
            Ok(seen) => look(seen),
            Err(fault) => fault.into_outcome(),
        };
        outcome.attempts = tried.attempts;
        outcome.remarks.extend(tried.remark);
        outcome
    }
}

/// When an attempt must be over.
#[derive(Debug, Clone)]
pub struct Limit {
    /// When it began.
    pub began: Instant,
    until: Instant,
    /// How long it may take, as the user set it.
    pub text: String,
}

impl Limit {
    /// From now until `deadline`, and not longer than `longest`.
    #[must_use]
    pub fn new(deadline: Instant, longest: Duration) -> Self {
        let began = Instant::now();
        let until = deadline.min(began + longest);
        let left = until.duration_since(began);
        // The deadline began a moment before, and a busy machine makes that moment longer:
        // what is nearly all of what the user set is told as that.
        let told = match longest.saturating_sub(left) < longest / 20 {
            true => longest,
            false => left + Duration::from_micros(999),
        };
        Self {
            began,
            until,
            text: format_duration(Duration::from_millis(told.as_millis() as u64)),
        }
    }

    /// Shortly before the end: waits that shall be told apart from the attempt's own end.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.until - MARGIN.min(self.until.duration_since(self.began) / 10)
    }

    /// What the other side may take, so that it can say itself that the time is up.
    #[must_use]
    pub fn left_for_peer(&self) -> Duration {
        let left = self.until().saturating_duration_since(Instant::now());
        left.mul_f64(0.9).max(Duration::from_millis(1))
    }

    /// Waits for `what`; `late` says what was waited for when the time is up.
    ///
    /// # Errors
    /// The fault of `what`, or that it took too long.
    pub async fn wait<T>(
        &self,
        what: impl Future<Output = Result<T, Fault>>,
        late: impl FnOnce(&str) -> String,
    ) -> Result<T, Fault> {
        timeout_at(self.until, what)
            .await
            .unwrap_or_else(|_| Err(Fault::passing(late(&self.text))))
    }
}

impl Fault {
    /// What a run is that ended by this fault.
    #[must_use]
    pub fn into_outcome(self) -> Outcome {
        match self.side {
            Side::Target => Outcome::no_answer(self.what),
            Side::Ours => Outcome::not_measured(self.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_told_as_the_user_set_it() {
        let now = Instant::now();
        let ms = Duration::from_millis;
        for (deadline_ms, longest_ms, told) in [
            (500, 500, "500ms"),
            (498, 500, "500ms"),
            (300, 500, "300ms"),
            (900, 500, "500ms"),
        ] {
            let limit = Limit::new(now + ms(deadline_ms), ms(longest_ms));
            assert_eq!(limit.text, told, "{deadline_ms} of {longest_ms}");
        }
    }
}
