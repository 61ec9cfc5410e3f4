//! How much one client may ask. Pure: time is an argument.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// So many clients are known at once; beyond that those who have not asked for long are
/// forgotten first.
const MOST_CLIENTS: usize = 10_000;

/// A bucket of tokens per client: `burst` at the start and at most, `per_second` come back.
pub struct Limiter {
    burst: f64,
    per_second: f64,
    buckets: HashMap<String, (f64, Instant)>,
}

impl Limiter {
    /// Everybody's bucket is full.
    #[must_use]
    pub fn new(burst: u32, per_second: f64) -> Self {
        Self {
            burst: f64::from(burst),
            per_second,
            buckets: HashMap::new(),
        }
    }

    /// Takes one from a client's bucket.
    ///
    /// # Errors
    /// When it is empty: how long until there is one.
    pub fn take(&mut self, client: &str, now: Instant) -> Result<(), Duration> {
        if self.buckets.len() >= MOST_CLIENTS && !self.buckets.contains_key(client) {
            self.forget_full(now);
        }
        let (left, at) = self.buckets.get(client).copied().unwrap_or((self.burst, now));
        let left = self.refilled(left, at, now);
        if left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - left) / self.per_second));
        }
        self.buckets.insert(client.to_owned(), (left - 1.0, now));
        Ok(())
    }

    fn refilled(&self, left: f64, at: Instant, now: Instant) -> f64 {
        let back = now.saturating_duration_since(at).as_secs_f64() * self.per_second;
        (left + back).min(self.burst)
    }

    /// A full bucket is as good as none. When none is, somebody asks from very many addresses:
    /// then all begin anew, rather than the memory growing.
    fn forget_full(&mut self, now: Instant) {
        let (burst, per_second) = (self.burst, self.per_second);
        self.buckets.retain(|_, (left, at)| {
            let back = now.saturating_duration_since(*at).as_secs_f64() * per_second;
            *left + back < burst
        });
        if self.buckets.len() >= MOST_CLIENTS {
            self.buckets.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_only_what_comes_back() {
        let start = Instant::now();
        let mut limiter = Limiter::new(3, 2.0);
        for _ in 0..3 {
            assert_eq!(limiter.take("a", start), Ok(()));
        }
        assert_eq!(limiter.take("a", start), Err(Duration::from_millis(500)));
        assert_eq!(limiter.take("b", start), Ok(()), "others are not concerned");
        let later = start + Duration::from_millis(500);
        assert_eq!(limiter.take("a", later), Ok(()));
        assert!(limiter.take("a", later).is_err());
        let much_later = start + Duration::from_mins(1);
        for _ in 0..3 {
            assert_eq!(limiter.take("a", much_later), Ok(()));
        }
        assert!(
            limiter.take("a", much_later).is_err(),
            "no more than the burst comes back"
        );
    }

    #[test]
    fn the_memory_is_bounded() {
        let start = Instant::now();
        let mut limiter = Limiter::new(3, 1.0);
        for n in 0..MOST_CLIENTS * 2 {
            let _ = limiter.take(&n.to_string(), start);
        }
        assert!(limiter.buckets.len() <= MOST_CLIENTS);
    }
}
