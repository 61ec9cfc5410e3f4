//! When a disk will be full, from how it filled lately.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Timestamp;

/// So far back reaches the trend.
pub const WINDOW: Duration = Duration::from_hours(6);
/// Samples nearer to each other than this say nothing new.
const APART: Duration = Duration::from_secs(20);
/// Fewer samples than this are no trend.
pub const ENOUGH_SAMPLES: usize = 5;
/// Nor are samples of less time than this.
pub const ENOUGH_TIME: Duration = Duration::from_mins(10);
/// What does not grow is full then: as good as never, and still a number that a threshold can
/// be held against.
pub const NEVER: Duration = Duration::from_hours(24 * 3_650);

/// How full a disk was, and when.
#[derive(Debug, Default)]
pub struct Trend {
    /// Microseconds → percent.
    samples: BTreeMap<i64, f64>,
}

impl Trend {
    /// Takes a sample, in percent of what can be used; samples may come in any order.
    pub fn note(&mut self, at: Timestamp, used: f64) {
        let (at_us, apart) = (at.as_unix_us(), APART.as_micros() as i64);
        let near = self.samples.range(at_us - apart + 1..at_us).next_back();
        if let Some(earlier) = near.map(|(at, _)| *at) {
            // The newer of two counts, unless that would push the same one along for ever.
            let before = self.samples.range(..earlier).next_back().map(|(at, _)| *at);
            if before.is_none_or(|before| at_us - before < apart) {
                return;
            }
            self.samples.remove(&earlier);
        }
        self.samples.insert(at_us, used);
        if let Some(newest) = self.samples.last_key_value().map(|(at, _)| *at) {
            let horizon = newest - WINDOW.as_micros() as i64;
            self.samples = self.samples.split_off(&horizon);
        }
    }

    /// How long until the disk is full, at the pace of the samples (least squares); none
    /// while they are too few.
    #[must_use]
    pub fn full_in(&self, used: f64) -> Option<Duration> {
        let (first, _) = self.samples.first_key_value()?;
        let (last, _) = self.samples.last_key_value()?;
        let span = Duration::from_micros(last.abs_diff(*first));
        if self.samples.len() < ENOUGH_SAMPLES || span < ENOUGH_TIME {
            return None;
        }
        let points: Vec<(f64, f64)> = self
            .samples
            .iter()
            .map(|(at, used)| (last.abs_diff(*at) as f64 / -1e6, *used))
            .collect();
        let left = (100.0 - used).max(0.0);
        let pace = slope(&points);
        let never = NEVER.as_secs_f64();
        let seconds = if left <= 0.0 {
            0.0
        } else if pace * never > left {
            left / pace
        } else {
            never
        };
        Some(Duration::from_secs_f64(seconds))
    }
}

/// The slope of the straight line nearest to the points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let joint: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    if spread > 0.0 { joint / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::format_duration;

    const MINUTE: Duration = Duration::from_mins(1);

    /// One sample a minute.
    fn full_in(samples: &[f64]) -> String {
        let mut trend = Trend::default();
        for (n, used) in samples.iter().enumerate() {
            trend.note(Timestamp::from_unix_us(0) + MINUTE * n as u32, *used);
        }
        let last = samples.last().copied().unwrap_or_default();
        trend.full_in(last).map_or("not known".into(), |span| {
            format_duration(Duration::from_secs(span.as_secs()))
        })
    }

    #[test]
    fn a_steady_pace_says_when_the_disk_is_full() {
        let pace = |from: f64, per_minute: f64| -> Vec<f64> {
            (0..=20).map(|n| from + per_minute * f64::from(n)).collect()
        };
        assert_eq!(full_in(&pace(60.0, 0.5)), "1h");
        assert_eq!(full_in(&pace(50.0, 0.1)), "8h");
        assert_eq!(full_in(&pace(80.0, 0.0)), "3650d", "it does not grow");
        assert_eq!(full_in(&pace(80.0, -0.1)), "3650d", "it shrinks");
        assert_eq!(
            full_in(&pace(10.0, 1e-9)),
            "3650d",
            "it takes longer than anybody waits"
        );
        assert_eq!(full_in(&[100.0; 20]), "0ms", "it is full");
    }

    #[test]
    fn noise_is_evened_out() {
        let noisy: Vec<f64> = (0..=120)
            .map(|n| 40.0 + 0.1 * f64::from(n) + if n % 2 == 0 { 0.3 } else { -0.3 })
            .collect();
        let mut trend = Trend::default();
        for (n, used) in noisy.iter().enumerate() {
            trend.note(Timestamp::from_unix_us(0) + MINUTE * n as u32, *used);
        }
        let hours = trend.full_in(52.0).unwrap().as_secs_f64() / 3_600.0;
        assert!((7.8..8.2).contains(&hours), "{hours}");
    }

    #[test]
    fn a_few_samples_are_no_trend() {
        assert_eq!(full_in(&[]), "not known");
        assert_eq!(full_in(&[50.0, 60.0, 70.0, 80.0]), "not known");
        assert_eq!(full_in(&[50.0; 10]), "not known", "9 minutes");
        assert_eq!(full_in(&[50.0; 11]), "3650d");
    }

    #[test]
    fn samples_are_bounded_and_may_come_in_any_order() {
        let mut trend = Trend::default();
        let start = Timestamp::from_unix_us(0);
        // Ten hours, every second, twice.
        for second in (0..36_000).chain(0..36_000) {
            trend.note(start + Duration::from_secs(second), 50.0);
        }
        let most = (WINDOW.as_secs() / APART.as_secs()) as usize + 2;
        assert!(trend.samples.len() <= most * 2, "{}", trend.samples.len());
        let mut backwards = Trend::default();
        for minute in (0..=20).rev() {
            backwards.note(start + MINUTE * minute, 60.0 + 0.5 * f64::from(minute));
        }
        assert_eq!(backwards.full_in(70.0).unwrap().as_secs(), 3_600);
    }
}
