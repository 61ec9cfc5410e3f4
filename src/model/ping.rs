//! What jobs tell of themselves: pings, and what is known of a job by them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A job tells something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: PingKind,
    /// In its own words; may be empty.
    pub said: String,
}

/// What a ping tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingKind {
    /// The job has done its work.
    Success,
    /// The job begins.
    Start,
    /// The job could not do its work.
    Fail,
}

/// All that is known of a job by its pings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pings {
    /// How many there were; tells which of two is newer.
    pub count: u64,
    /// The last success.
    pub succeeded: Option<Timestamp>,
    /// How long the job took when it last told both its start and its success, in
    /// microseconds.
    pub took_us: Option<u64>,
    /// The last start.
    pub started: Option<Timestamp>,
    /// The last failure.
    pub failed: Option<Timestamp>,
    /// What was said to it.
    pub said: String,
}

impl Pings {
    /// What is known after one more ping.
    #[must_use]
    pub fn after(mut self, ping: &Ping) -> Self {
        self.count += 1;
        match ping.kind {
            PingKind::Start => self.started = Some(ping.at),
            PingKind::Success => {
                let running = self.running_since();
                if let Some(since) = running {
                    self.took_us = Some(ping.at.since(since).as_micros() as u64);
                }
                self.succeeded = Some(ping.at);
            }
            PingKind::Fail => {
                self.failed = Some(ping.at);
                self.said.clone_from(&ping.said);
            }
        }
        self
    }

    /// Since when the job runs; none when it has ended, one way or the other.
    #[must_use]
    pub fn running_since(&self) -> Option<Timestamp> {
        let ended = self.succeeded.max(self.failed);
        self.started.filter(|started| Some(*started) > ended)
    }

    /// When the job failed, unless it has succeeded since.
    #[must_use]
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.failed.filter(|failed| Some(*failed) > self.succeeded)
    }

    /// How long the job took when it last told both its start and its success.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        self.took_us.map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(pings: &str) -> String {
        let mut known = Pings::default();
        for (second, letter) in pings.chars().enumerate() {
            let kind = match letter {
                's' => PingKind::Start,
                '+' => PingKind::Success,
                '-' => PingKind::Fail,
                _ => continue,
            };
            let at = Timestamp::from_unix_us(0) + Duration::from_secs(second as u64);
            let said = format!("at {second}");
            known = known.after(&Ping { at, kind, said });
        }
        let second =
            |at: Option<Timestamp>| at.map_or("-".into(), |at| (at.as_unix_ms() / 1_000).to_string());
        let took = known.took().map_or("-".into(), |took| took.as_secs().to_string());
        format!(
            "running {} failing {} success {} took {took}",
            second(known.running_since()),
            second(known.failing_since()),
            second(known.succeeded)
        )
    }

    #[test]
    fn the_last_ping_of_each_kind_counts() {
        for (pings, wanted) in [
            ("", "running - failing - success - took -"),
            ("+", "running - failing - success 0 took -"),
            ("s..+", "running - failing - success 3 took 3"),
            ("s..+..s", "running 6 failing - success 3 took 3"),
            ("s..+..+", "running - failing - success 6 took 3"),
            ("+..-", "running - failing 3 success 0 took -"),
            ("+..-.s", "running 5 failing 3 success 0 took -"),
            ("+..-.s.+", "running - failing - success 7 took 2"),
            ("s.-", "running - failing 2 success - took -"),
            ("s.s.+", "running - failing - success 4 took 2"),
        ] {
            assert_eq!(play(pings), wanted, "{pings}");
        }
    }
}
