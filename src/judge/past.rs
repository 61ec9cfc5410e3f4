//! What a check measured before, as far as its relative bounds ask for it.
//!
//! What is usual at an hour of the week (in UTC) is the median, over the weeks before, of
//! that hour's means: one bad hour of one week does not move it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::model::{Quantity, Threshold, Timestamp};

const HOUR_US: i64 = 3_600_000_000;
const HOURS_PER_WEEK: i64 = 7 * 24;
/// So many weeks say what is usual.
const WEEKS: i64 = 8;
/// A rate of change is kept in steps of this share of its span.
const STEPS_PER_SPAN: u32 = 60;

/// What is remembered of one check.
#[derive(Debug, Clone, Default)]
pub struct Past {
    series: HashMap<String, Series>,
}

/// One measurement.
#[derive(Debug, Clone, Default)]
struct Series {
    hours: BTreeMap<i64, Hour>,
    recent: VecDeque<(Timestamp, f64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Hour {
    count: u32,
    sum: f64,
}

/// An hour of a measurement, as the store sums it up.
#[derive(Debug, Clone, PartialEq)]
pub struct HourMean {
    /// The measurement's name.
    pub measurement: String,
    /// Any moment in the hour.
    pub at: Timestamp,
    /// How many runs measured it.
    pub count: u32,
    /// Their mean, in the measurement's base unit.
    pub mean: f64,
}

/// What is usual at an hour of the week.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// In the measurement's base unit.
    pub value: f64,
    /// How many runs say so.
    pub samples: u32,
}

impl Past {
    /// How far back it asks for what is usual.
    pub const REACH: Duration = Duration::from_hours((WEEKS * HOURS_PER_WEEK) as u64);

    /// What the store knows: hours of the weeks before, and single runs of late, the oldest
    /// first.
    #[must_use]
    pub fn remembered(hours: &[HourMean], recent: &[(String, Timestamp, f64)]) -> Self {
        let mut past = Self::default();
        for hour in hours {
            let series = past.series.entry(hour.measurement.clone()).or_default();
            let known = series.hours.entry(hour_of(hour.at)).or_default();
            known.count += hour.count;
            known.sum += hour.mean * f64::from(hour.count);
        }
        for (measurement, at, value) in recent {
            let series = past.series.entry(measurement.clone()).or_default();
            series.recent.push_back((*at, *value));
        }
        past
    }

    /// Takes in what was remembered before the first run here.
    pub fn join(&mut self, earlier: Self) {
        for (name, before) in earlier.series {
            let series = self.series.entry(name).or_default();
            let began = series.recent.front().map(|(at, _)| *at);
            for (hour, known) in before.hours {
                // The hour in which both have runs is the store's but for what ran since.
                series.hours.entry(hour).or_insert(known);
            }
            let older = before
                .recent
                .into_iter()
                .filter(|(at, _)| began.is_none_or(|began| *at < began));
            for point in older.rev() {
                series.recent.push_front(point);
            }
        }
    }

    /// Takes in what a run measured, as far as a relative bound asks for it.
    pub fn take(&mut self, thresholds: &[Threshold], measured: &BTreeMap<String, Quantity>, at: Timestamp) {
        for threshold in thresholds {
            let mut spans = threshold.relative().map(|bound| bound.span()).peekable();
            if spans.peek().is_none() {
                continue;
            }
            let longest = spans.flatten().max();
            for (name, quantity) in measured.iter().filter(|(name, _)| threshold.covers(name)) {
                let series = self.series.entry(name.clone()).or_default();
                series.take(at, quantity.value, longest);
            }
        }
    }

    /// What a measurement usually is at this hour of the week; none in its first week.
    #[must_use]
    pub fn usual(&self, measurement: &str, at: Timestamp) -> Option<Usual> {
        let series = self.series.get(measurement)?;
        let hour = hour_of(at);
        let mut means = Vec::new();
        let mut samples = 0;
        for week in 1..=WEEKS {
            if let Some(known) = series.hours.get(&(hour - week * HOURS_PER_WEEK)) {
                means.push(known.sum / f64::from(known.count.max(1)));
                samples += known.count;
            }
        }
        Some(Usual {
            value: median(&mut means)?,
            samples,
        })
    }

    /// What it was `span` ago; none when nothing was measured around then.
    #[must_use]
    pub fn earlier(&self, measurement: &str, at: Timestamp, span: Duration) -> Option<f64> {
        let series = self.series.get(measurement)?;
        let (then, too_old) = (at - span, at - span - span / 2);
        let (when, value) = series.recent.iter().rev().find(|(when, _)| *when <= then)?;
        (*when >= too_old).then_some(*value)
    }
}

impl Series {
    fn take(&mut self, at: Timestamp, value: f64, longest: Option<Duration>) {
        let hour = self.hours.entry(hour_of(at)).or_default();
        hour.count = hour.count.saturating_add(1);
        hour.sum += value;
        let oldest = hour_of(at) - (WEEKS + 1) * HOURS_PER_WEEK;
        while self
            .hours
            .first_key_value()
            .is_some_and(|(hour, _)| *hour < oldest)
        {
            self.hours.pop_first();
        }
        let Some(longest) = longest else { return };
        let step = longest / STEPS_PER_SPAN;
        if self.recent.back().is_none_or(|(last, _)| at.since(*last) >= step) {
            self.recent.push_back((at, value));
        }
        let too_old = at - longest - longest / 2;
        while self.recent.front().is_some_and(|(when, _)| *when < too_old) {
            self.recent.pop_front();
        }
    }
}

fn hour_of(at: Timestamp) -> i64 {
    at.as_unix_us().div_euclid(HOUR_US)
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Criterion;

    const HOUR: Duration = Duration::from_hours(1);
    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_unix_ms(hours * 3_600_000)
    }

    fn threshold(bound: &str) -> Threshold {
        Threshold {
            warning: Some(Criterion::parse(bound, None).unwrap()),
            ..Threshold::new("t", None, None)
        }
    }

    fn take(past: &mut Past, bound: &str, when: Timestamp, value: f64) {
        let measured = BTreeMap::from([("t".to_owned(), Quantity::count(value))]);
        past.take(&[threshold(bound)], &measured, when);
    }

    #[test]
    fn the_same_hour_of_the_weeks_before_says_what_is_usual() {
        let mut past = Past::default();
        let now = at(100_000);
        for (weeks, value) in [(4_u32, 100.0), (3, 120.0), (2, 9_000.0), (1, 110.0)] {
            for _ in 0..5 {
                take(&mut past, "above 3x usual", now - WEEK * weeks, value);
            }
            take(&mut past, "above 3x usual", now - WEEK * weeks + HOUR, 5.0);
        }
        take(&mut past, "above 3x usual", now, 4_000.0);
        let usual = past.usual("t", now).unwrap();
        // One week went wrong, and what runs now says nothing of itself.
        assert_eq!((usual.value, usual.samples), (115.0, 20));
        assert_eq!(past.usual("t", now + HOUR * 5), None);
        assert_eq!(past.usual("other", now), None);
    }

    #[test]
    fn nine_weeks_are_kept_and_no_more() {
        let mut past = Past::default();
        for week in 0..60 {
            take(&mut past, "above 3x usual", at(100_000) + WEEK * week, 1.0);
        }
        assert!(past.series["t"].hours.len() <= 10);
        assert_eq!(past.usual("t", at(100_000) + WEEK * 60).unwrap().samples, 8);
    }

    #[test]
    fn a_rate_of_change_looks_back_so_far_and_not_much_further() {
        let mut past = Past::default();
        let start = at(0);
        let minute = Duration::from_mins(1);
        for n in 0..600_u32 {
            take(&mut past, "rising 10% per 1h", start + minute * n, f64::from(n));
        }
        let now = start + minute * 599;
        assert_eq!(past.earlier("t", now, HOUR), Some(539.0));
        assert!(past.series["t"].recent.len() <= 92);
        // After a gap nothing is known of an hour ago.
        assert_eq!(past.earlier("t", now + HOUR * 5, HOUR), None);
    }

    #[test]
    fn what_the_store_knows_is_joined_behind_what_ran_since() {
        let now = at(100_000);
        let hour = |weeks: u32, mean: f64| HourMean {
            measurement: "t".into(),
            at: now - WEEK * weeks,
            count: 30,
            mean,
        };
        let recent = [("t".to_owned(), now - HOUR, 1.0), ("t".to_owned(), now, 2.0)];
        let mut past = Past::default();
        take(&mut past, "rising 10% per 1h", now, 7.0);
        past.join(Past::remembered(&[hour(1, 10.0), hour(2, 20.0)], &recent));
        assert_eq!(past.usual("t", now).unwrap().value, 15.0);
        assert_eq!(past.earlier("t", now, HOUR), Some(1.0));
        assert_eq!(past.series["t"].recent.len(), 2);
    }
}
