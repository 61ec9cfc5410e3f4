//! Many runs of each check: the worst one counts, and how many passed is told.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{CheckId, Level};
use crate::report::Judged;

/// How many of a check's runs passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::cli) struct Rate {
    /// Runs below `--fail-on` that could be measured.
    pub passed: usize,
    /// All of them.
    pub of: usize,
}

/// `7 of 10 (70 %)`, and `: flaky` where it is neither none nor all.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.passed * 100 / self.of.max(1);
        write!(f, "{} of {} ({percent} %)", self.passed, self.of)?;
        if self.passed > 0 && self.passed < self.of {
            f.write_str(": flaky")?;
        }
        Ok(())
    }
}

/// How the runs of each check went.
pub(super) fn rates(runs: &[Judged], fail_on: Level) -> Vec<(CheckId, Rate)> {
    let mut rates: BTreeMap<&CheckId, Rate> = BTreeMap::new();
    for run in runs {
        let rate = rates.entry(&run.record.check).or_default();
        rate.of += 1;
        let level = run.record.verdict.level;
        let passed = level == Level::Ok || (level == Level::Warning && fail_on != Level::Warning);
        rate.passed += usize::from(passed);
    }
    rates
        .into_iter()
        .map(|(check, rate)| (check.clone(), rate))
        .collect()
}

/// The worst run of each check, the first of several that are as bad, with its rate as a remark.
pub(super) fn worst_of_each(runs: &[Judged], rates: &[(CheckId, Rate)]) -> Vec<Judged> {
    let mut worst: BTreeMap<&CheckId, &Judged> = BTreeMap::new();
    for run in runs {
        let known = worst.entry(&run.record.check).or_insert(run);
        if run.record.verdict.level > known.record.verdict.level {
            *known = run;
        }
    }
    let mut worst: Vec<Judged> = worst.into_values().cloned().collect();
    for run in &mut worst {
        if let Some((_, rate)) = rates.iter().find(|(check, _)| *check == run.record.check) {
            run.record.outcome.remarks.push(format!("passed {rate}"));
        }
    }
    worst
}
