//! (Outcome, thresholds) → Verdict.
//!
//! Invariant: could-not-measure is never ok and never "down"; a missing number is never ok.

mod past;

use crate::model::{
    Answer, Criterion, Level, Outcome, Quantity, Reason, Relative, Threshold, Timestamp, Verdict,
};

pub use past::{HourMean, Past, Usual};

/// What an outcome means under its check's thresholds. `past` is what the check measured
/// before `at`, when the run began; a relative bound that it cannot answer is not judged.
///
/// The reasons are ordered from worst to best (critical, unknown, warning), and within a
/// level as they were found: the answer, broken expectations, thresholds as written.
#[must_use]
pub fn judge(outcome: &Outcome, thresholds: &[Threshold], past: &Past, at: Timestamp) -> Verdict {
    let mut reasons = Vec::new();
    match &outcome.answer {
        Answer::Seen => {}
        Answer::NoAnswer(what) => reasons.push((Level::Critical, Reason::NoAnswer(what.clone()))),
        Answer::NotMeasured(why) => {
            reasons.push((Level::Unknown, Reason::NotMeasured(why.clone())));
        }
    }
    for broken in &outcome.broken {
        let reason = Reason::Broken {
            what: broken.what.clone(),
            detail: broken.detail.clone(),
        };
        reasons.push((broken.level, reason));
    }
    // What a failed run could not measure any more is no news beside why it failed.
    let failed = reasons.iter().any(|(level, _)| *level >= Level::Unknown);
    // Nor is how long a failed run took: much of it was waiting for what did not come.
    let judged = |threshold: &&Threshold| !(failed && threshold.measurement == "duration");
    for threshold in thresholds.iter().filter(judged) {
        reasons.extend(judge_threshold(outcome, threshold, failed, past, at));
    }
    reasons.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    Verdict {
        level: reasons.first().map_or(Level::Ok, |(level, _)| *level),
        reasons,
    }
}

fn judge_threshold(
    outcome: &Outcome,
    threshold: &Threshold,
    failed: bool,
    past: &Past,
    at: Timestamp,
) -> Vec<(Level, Reason)> {
    let mut covered = outcome
        .measurements
        .iter()
        .filter(|(name, _)| threshold.covers(name))
        .peekable();
    if covered.peek().is_none() {
        let missing = Reason::Missing {
            measurement: threshold.measurement.clone(),
            why: why_missing(outcome, &threshold.measurement),
        };
        let learning = outcome.learning.iter().any(|name| threshold.covers(name));
        return if failed || learning {
            Vec::new()
        } else {
            vec![(Level::Unknown, missing)]
        };
    }
    let bounds = [
        (Level::Critical, threshold.critical),
        (Level::Warning, threshold.warning),
    ];
    covered
        .filter_map(|(name, quantity)| {
            bounds.iter().find_map(|(level, criterion)| {
                let reason = match (*criterion)? {
                    Criterion::Fixed(bound) => {
                        bound.is_violated_by(quantity.value).then(|| Reason::Violated {
                            measurement: name.clone(),
                            value: *quantity,
                            bound,
                        })
                    }
                    Criterion::Relative(bound) => unusual(name, *quantity, bound, threshold, past, at),
                };
                Some((*level, reason?))
            })
        })
        .collect()
}

/// A remark that speaks of the measurement, when the run has one.
fn why_missing(outcome: &Outcome, measurement: &str) -> Option<String> {
    let named = format!("`{measurement}`");
    outcome
        .remarks
        .iter()
        .find(|remark| remark.contains(&named))
        .cloned()
}

fn unusual(
    name: &str,
    value: Quantity,
    bound: Relative,
    threshold: &Threshold,
    past: &Past,
    at: Timestamp,
) -> Option<Reason> {
    let then = if let Some(span) = bound.span() {
        past.earlier(name, at, span)?
    } else {
        let usual = past.usual(name, at)?;
        (usual.samples >= threshold.min_samples).then_some(usual.value)?
    };
    let floor = threshold.floor_of(value.unit);
    bound
        .is_violated_by(value.value, then, floor)
        .then(|| Reason::Unusual {
            measurement: name.to_owned(),
            value,
            bound,
            then: Quantity {
                value: then,
                unit: value.unit,
            },
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bound, Broken, Quantity};

    fn threshold(measurement: &str, warning: &str, critical: &str) -> Threshold {
        let bound = |text: &str| (!text.is_empty()).then(|| Bound::parse(text, None).unwrap());
        Threshold::new(measurement, bound(warning), bound(critical))
    }

    fn judge(outcome: &Outcome, thresholds: &[Threshold]) -> Verdict {
        super::judge(outcome, thresholds, &Past::default(), Timestamp::from_unix_ms(0))
    }

    fn answered(workers: f64) -> Outcome {
        let mut outcome = Outcome::seen();
        outcome.measure("workers", Quantity::count(workers));
        outcome
    }

    #[test]
    fn minimum_and_maximum_at_both_levels() {
        let thresholds = [threshold("workers", "outside 3..50", "below 1")];
        for (workers, level) in [
            (3.0, Level::Ok),
            (50.0, Level::Ok),
            (2.0, Level::Warning),
            (51.0, Level::Warning),
            (0.99, Level::Critical),
        ] {
            assert_eq!(judge(&answered(workers), &thresholds).level, level, "{workers}");
        }
    }

    #[test]
    fn a_missing_number_is_unknown_and_never_ok() {
        let verdict = judge(&Outcome::seen(), &[threshold("workers", "below 3", "")]);
        assert_eq!(verdict.level, Level::Unknown);
        assert_eq!(verdict.headline(), "could not measure: the answer has no workers");
    }

    #[test]
    fn no_answer_is_critical_and_hides_what_it_could_not_measure() {
        let verdict = judge(
            &Outcome::no_answer("connection refused"),
            &[threshold("workers", "below 3", "")],
        );
        assert_eq!(verdict.reasons.len(), 1);
        assert_eq!(verdict.level, Level::Critical);
    }

    #[test]
    fn how_long_a_failed_run_took_is_no_second_reason() {
        let mut outcome = Outcome::no_answer("refused");
        outcome.measure("duration", Quantity::count(99.0));
        let verdict = judge(&outcome, &[threshold("duration", "above 10", "")]);
        assert_eq!(verdict.reasons.len(), 1);
    }

    #[test]
    fn could_not_measure_is_unknown() {
        let verdict = judge(
            &Outcome::not_measured("no browser"),
            &[threshold("workers", "below 3", "")],
        );
        assert_eq!(verdict.level, Level::Unknown);
        assert_eq!(verdict.headline(), "could not measure: no browser");
    }

    #[test]
    fn the_worst_reason_comes_first() {
        let mut outcome = answered(2.0);
        outcome.broken.push(Broken {
            level: Level::Critical,
            what: "status is 500, expected 200".into(),
            detail: String::new(),
        });
        let verdict = judge(&outcome, &[threshold("workers", "below 3", "")]);
        assert_eq!(verdict.headline(), "status is 500, expected 200");
        assert_eq!(verdict.reasons.len(), 2);
    }

    #[test]
    fn the_bare_name_means_every_subject() {
        let mut outcome = Outcome::seen();
        outcome.measure("disk_used./", Quantity::count(50.0));
        outcome.measure("disk_used./data", Quantity::count(95.0));
        let verdict = judge(&outcome, &[threshold("disk_used", "above 80", "above 90")]);
        assert_eq!(verdict.headline(), "disk_used./data is 95, above 90");
        assert_eq!(verdict.reasons.len(), 1);
    }

    #[test]
    fn a_relative_bound_is_judged_once_enough_is_known() {
        let now = Timestamp::from_unix_ms(90 * 24 * 3_600_000);
        let known = |count: u32| {
            let hour = HourMean {
                measurement: "workers".into(),
                at: now - std::time::Duration::from_hours(7 * 24),
                count,
                mean: 10.0,
            };
            Past::remembered(&[hour], &[])
        };
        let thresholds = [Threshold {
            warning: Some(Criterion::parse("above 3x usual", None).unwrap()),
            critical: Some(Criterion::parse("above 1000", None).unwrap()),
            ..Threshold::new("workers", None, None)
        }];
        let level = |workers: f64, samples: u32| {
            super::judge(&answered(workers), &thresholds, &known(samples), now).level
        };
        assert_eq!(level(31.0, 20), Level::Warning);
        assert_eq!(level(30.0, 20), Level::Ok);
        assert_eq!(level(31.0, 19), Level::Ok);
        assert_eq!(level(1_001.0, 0), Level::Critical);
        let verdict = super::judge(&answered(31.0), &thresholds, &known(20), now);
        assert_eq!(
            verdict.headline(),
            "workers is 31, above 3x usual (10 is usual at this hour of the week)"
        );
    }
}
