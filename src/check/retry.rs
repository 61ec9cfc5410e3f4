//! Polite retries inside one run: few, spaced, budgeted, and only of what may pass by itself.
//!
//! Sources: gRPC A6 (retry throttling) for the budget, Google SRE ch. 21 for the 10 %.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::model::Retry;

/// The most tokens a target's bucket holds, and what it holds at the start.
const FULL: f64 = 10.0;
/// What each request puts back.
const PER_REQUEST: f64 = 0.1;
/// Hosts that are remembered; beyond it the buckets that are full are forgotten.
const MOST_HOSTS: usize = 10_000;

/// Retries towards one target host stay under 10 % of requests, over all its checks.
#[derive(Default)]
pub struct RetryBudget {
    tokens: Mutex<HashMap<String, f64>>,
}

impl RetryBudget {
    /// Counts a first request to the host.
    pub fn note_request(&self, host: &str) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() > MOST_HOSTS {
            tokens.retain(|_, left| *left < FULL);
        }
        // A host that is not in the map has a full bucket.
        if let Some(left) = tokens.get_mut(host) {
            *left = (*left + PER_REQUEST).min(FULL);
        }
    }

    /// Takes a token for a retry; false when the bucket is empty.
    pub fn take(&self, host: &str) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let left = tokens.entry(host.to_owned()).or_insert(FULL);
        let granted = *left >= 1.0;
        if granted {
            *left -= 1.0;
        }
        granted
    }
}

/// How an attempt ended, as far as retrying is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Answered, or failed in a way that asking again won't change.
    No,
    /// May pass by itself; the target may have named a time to wait.
    Maybe {
        /// `Retry-After`, when the target sent it.
        after: Option<Duration>,
    },
}

/// The wait before retry number `retry` (from 1): doubling, with full jitter.
#[must_use]
pub fn backoff(first: Duration, retry: u32, roll: f64) -> Duration {
    let widest = first.saturating_mul(1 << (retry - 1).min(16));
    widest.mul_f64(roll.clamp(0.0, 1.0))
}

/// What came of a run's attempts.
pub struct Tried<T> {
    /// The last attempt's answer.
    pub last: T,
    /// How many there were.
    pub attempts: u32,
    /// Why there were no more, when one was wanted.
    pub remark: Option<String>,
}

/// Attempts until one stands, the retries are used up, the budget is empty or the time is.
pub async fn attempts<T, F>(
    retry: Retry,
    host: &str,
    budget: &RetryBudget,
    deadline: Instant,
    mut attempt: impl FnMut(u32) -> F,
    again: impl Fn(&T) -> Again,
) -> Tried<T>
where
    F: Future<Output = T>,
{
    budget.note_request(host);
    let mut number = 0;
    loop {
        let last = attempt(number).await;
        let done = |last, remark| Tried {
            last,
            attempts: number + 1,
            remark,
        };
        let Again::Maybe { after } = again(&last) else {
            return done(last, None);
        };
        if number >= retry.times {
            return done(last, None);
        }
        let wait = backoff(retry.wait, number + 1, fastrand::f64()).max(after.unwrap_or_default());
        if Instant::now() + wait >= deadline {
            return done(last, Some("no time was left for another attempt".into()));
        }
        if !budget.take(host) {
            let remark = format!("not retried: the retry budget of {host} is empty (10 % of its requests)");
            return done(last, Some(remark));
        }
        sleep(wait).await;
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_full_jitter() {
        let first = Duration::from_millis(500);
        for (retry, roll, ms) in [
            (1, 1.0, 500),
            (2, 1.0, 1_000),
            (3, 1.0, 2_000),
            (3, 0.5, 1_000),
            (2, 0.0, 0),
        ] {
            assert_eq!(backoff(first, retry, roll), Duration::from_millis(ms));
        }
    }

    #[test]
    fn retries_stay_under_a_tenth_of_requests() {
        let budget = RetryBudget::default();
        let mut retried = 0;
        for _ in 0..1_000 {
            budget.note_request("pg");
            retried += usize::from(budget.take("pg"));
        }
        assert!((100..=110).contains(&retried), "{retried}");
        assert!(budget.take("another host has its own bucket"));
    }

    async fn play(retry: u32, answers: &[Again], budget: &RetryBudget) -> (u32, Duration, Option<String>) {
        let start = Instant::now();
        let retry = Retry {
            times: retry,
            wait: Duration::from_millis(500),
        };
        let deadline = start + Duration::from_secs(10);
        let tried = attempts(
            retry,
            "h",
            budget,
            deadline,
            |n| std::future::ready(answers[n as usize]),
            |answer| *answer,
        )
        .await;
        (tried.attempts, start.elapsed(), tried.remark)
    }

    const MAYBE: Again = Again::Maybe { after: None };

    #[tokio::test(start_paused = true)]
    async fn only_what_may_pass_is_tried_again() {
        let budget = RetryBudget::default();
        assert_eq!(play(2, &[Again::No], &budget).await.0, 1);
        assert_eq!(play(2, &[MAYBE, Again::No], &budget).await.0, 2);
        assert_eq!(play(2, &[MAYBE, MAYBE, MAYBE], &budget).await.0, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_targets_wish_to_wait_is_honoured_within_the_time() {
        let budget = RetryBudget::default();
        let wait = |seconds| Again::Maybe {
            after: Some(Duration::from_secs(seconds)),
        };
        let (attempts, took, _) = play(1, &[wait(3), Again::No], &budget).await;
        assert_eq!(attempts, 2);
        assert!(took >= Duration::from_secs(3));
        let (attempts, _, remark) = play(1, &[wait(30), Again::No], &budget).await;
        assert_eq!(attempts, 1);
        assert!(remark.unwrap().contains("no time was left"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_budget_is_said() {
        let budget = RetryBudget::default();
        while budget.take("h") {}
        let (attempts, _, remark) = play(2, &[MAYBE], &budget).await;
        assert_eq!(attempts, 1);
        assert!(remark.unwrap().contains("retry budget of h is empty"));
    }
}
