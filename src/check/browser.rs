//! `browser`: a journey through pages in a real browser.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::browser::{self, Ended, Journey, Scenario};
use crate::decode::Reader;
use crate::model::{Outcome, Threshold, Unit};

/// Timings and sizes of the first page.
pub const PAGE_TIMINGS: &[(&str, Unit)] = &[
    ("time_to_first_byte", Unit::Ms),
    ("dom_content_loaded", Unit::Ms),
    ("load", Unit::Ms),
    ("first_contentful_paint", Unit::Ms),
    ("largest_contentful_paint", Unit::Ms),
    ("cumulative_layout_shift", Unit::Count),
    ("interaction_to_next_paint", Unit::Ms),
    ("page_weight", Unit::Bytes),
    ("requests", Unit::Count),
];

/// The table's line.
pub static KIND: Kind = Kind {
    name: "browser",
    doc: "A journey through pages in a real browser: steps as a person would say them.",
    settings: &browser::BROWSER,
    expect: &browser::PAGE_EXPECT,
    steps: Some(&browser::STEPS),
    pool: Pool::Browser,
    measures: &[
        ("time_to_first_byte", Unit::Ms),
        ("dom_content_loaded", Unit::Ms),
        ("load", Unit::Ms),
        ("first_contentful_paint", Unit::Ms),
        ("largest_contentful_paint", Unit::Ms),
        ("cumulative_layout_shift", Unit::Count),
        ("interaction_to_next_paint", Unit::Ms),
        ("page_weight", Unit::Bytes),
        ("requests", Unit::Count),
        ("failed_requests", Unit::Count),
        ("console_errors", Unit::Count),
    ],
    read,
};

struct BrowserProbe {
    scenario: Scenario,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let scenario = browser::read_scenario(blocks, reader)?;
    Some(Box::new(BrowserProbe { scenario }))
}

#[async_trait]
impl Probe for BrowserProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        let journey = Journey {
            run,
            scenario: &self.scenario,
            folder: evidence_folder(run),
        };
        outcome(journey.go().await)
    }

    fn extra_measures(&self) -> Vec<(String, Option<Unit>)> {
        self.scenario
            .group_names()
            .into_iter()
            .map(|name| (format!("step.{name}"), Some(Unit::Ms)))
            .collect()
    }

    fn extra_thresholds(&self) -> Vec<Threshold> {
        self.scenario.thresholds.clone()
    }
}

fn evidence_folder(run: &RunContext) -> PathBuf {
    run.services
        .evidence_dir
        .join(run.check.id.as_str())
        .join(&run.id.0)
}

fn outcome(ended: Ended) -> Outcome {
    let mut outcome = match ended.ours {
        Some(why) => Outcome::not_measured(why),
        None => Outcome::seen(),
    };
    outcome.broken = ended.broken;
    outcome.measurements = ended.measurements;
    outcome.evidence = ended.evidence;
    outcome.remarks = ended.remarks;
    outcome
}

/// What is kept back of a run's time for clean-up steps and evidence.
#[must_use]
pub fn reserve(deadline: Instant, has_clean_up: bool) -> Duration {
    let whole = deadline.saturating_duration_since(Instant::now());
    let evidence = (whole / 5).min(Duration::from_secs(3));
    let clean_up = if has_clean_up {
        (whole / 5).min(Duration::from_secs(10))
    } else {
        Duration::ZERO
    };
    evidence + clean_up
}
