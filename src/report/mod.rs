//! Reports of runs. Pure: values in, text out.

mod embed;
mod explain;
pub mod html;
pub mod junit;

use std::time::Duration;

use crate::model::{Level, RunRecord};

pub use explain::{Ran, Story, Told, explain};

/// One judged run of `haetae run`, with what a report says of its check.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The run.
    pub record: RunRecord,
    /// The check's name for people.
    pub name: String,
    /// Where it is written: `checks/shop/buy.yaml:2`.
    pub place: String,
}

/// The worst level among runs; ok without any.
#[must_use]
pub fn worst(runs: &[Judged]) -> Level {
    runs.iter()
        .map(|run| run.record.verdict.level)
        .max()
        .unwrap_or(Level::Ok)
}

/// How long a run took, for `time` attributes.
#[must_use]
pub fn took(run: &Judged) -> Duration {
    run.record.took
}
