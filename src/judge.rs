//! (Outcome, thresholds) → Verdict.
//!
//! Invariant: could-not-measure is never ok and never "down"; a missing number is never ok.

use crate::model::{Answer, Level, Outcome, Reason, Threshold, Verdict};

/// What an outcome means under its check's thresholds.
///
/// The reasons are ordered from worst to best (critical, unknown, warning), and within a
/// level as they were found: the answer, broken expectations, thresholds as written.
#[must_use]
pub fn judge(outcome: &Outcome, thresholds: &[Threshold]) -> Verdict {
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
        reasons.extend(judge_threshold(outcome, threshold, failed));
    }
    reasons.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    Verdict {
        level: reasons.first().map_or(Level::Ok, |(level, _)| *level),
        reasons,
    }
}

fn judge_threshold(outcome: &Outcome, threshold: &Threshold, failed: bool) -> Vec<(Level, Reason)> {
    let mut covered = outcome
        .measurements
        .iter()
        .filter(|(name, _)| threshold.covers(name))
        .peekable();
    if covered.peek().is_none() {
        let missing = Reason::Missing {
            measurement: threshold.measurement.clone(),
        };
        return if failed {
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
            let (level, bound) = bounds.iter().find_map(|(level, bound)| {
                bound
                    .filter(|bound| bound.is_violated_by(quantity.value))
                    .map(|bound| (*level, bound))
            })?;
            let reason = Reason::Violated {
                measurement: name.clone(),
                value: *quantity,
                bound,
            };
            Some((level, reason))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bound, Broken, Quantity};

    fn threshold(measurement: &str, warning: &str, critical: &str) -> Threshold {
        let bound = |text: &str| (!text.is_empty()).then(|| Bound::parse(text, None).unwrap());
        Threshold {
            measurement: measurement.into(),
            warning: bound(warning),
            critical: bound(critical),
            owner: None,
            reviewed: None,
        }
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
}
