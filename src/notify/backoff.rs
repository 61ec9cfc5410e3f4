//! When a delivery is tried again. Pure.

use std::time::Duration;

use crate::model::Timestamp;

/// A delivery is given up after this time.
const GIVE_UP_AFTER: Duration = Duration::from_hours(72);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// When to try again after `attempts` failures: waits double from one second to two minutes,
/// each between half and all of it by `roll` (0 to 1), and no sooner than the receiver asked.
/// None when the delivery is older than 72 hours by then.
#[must_use]
pub fn next_attempt(
    created: Timestamp,
    now: Timestamp,
    attempts: u32,
    asked: Option<Duration>,
    roll: f64,
) -> Option<Timestamp> {
    let doubled = FIRST_WAIT.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    let widest = doubled.min(LONGEST_WAIT);
    let wait = widest.mul_f64(0.5 + roll.clamp(0.0, 1.0) / 2.0);
    let next = now + wait.max(asked.unwrap_or_default());
    (next.since(created) <= GIVE_UP_AFTER).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_ms(attempts: u32, asked: Option<Duration>, roll: f64) -> i64 {
        let now = Timestamp::from_unix_ms(0);
        next_attempt(now, now, attempts, asked, roll)
            .unwrap()
            .as_unix_ms()
    }

    #[test]
    fn waits_grow_to_a_bound_and_honour_the_receiver() {
        assert_eq!(wait_ms(1, None, 1.0), 1_000);
        assert_eq!(wait_ms(1, None, 0.0), 500);
        assert_eq!(wait_ms(4, None, 1.0), 8_000);
        assert_eq!(wait_ms(30, None, 1.0), 120_000);
        assert_eq!(wait_ms(1, Some(Duration::from_secs(30)), 1.0), 30_000);
    }

    #[test]
    fn after_three_days_it_is_given_up() {
        let created = Timestamp::from_unix_ms(0);
        let late = created + Duration::from_mins(4319);
        assert_eq!(next_attempt(created, late, 20, None, 1.0), None);
    }
}
