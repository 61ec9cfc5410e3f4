//! What a check saw, before anybody judges it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CheckId, Level, Quantity, Redactor, Timestamp, Verdict};

/// One run's identity; sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    /// A new id that sorts after those made before it.
    #[must_use]
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string())
    }
}

impl Default for RunId {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the target answered, and whether we could ask at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The target answered; the expectations say whether rightly.
    Seen,
    /// The target did not answer: refused, reset, timed out, no such name, bad certificate.
    NoAnswer(String),
    /// The fault is ours: no browser, no local network, a missing tool.
    NotMeasured(String),
}

/// An expectation that did not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// What it makes of the run: critical, or warning where the user said so.
    pub level: Level,
    /// What was expected and what was there, in one line.
    pub what: String,
    /// More for whoever has to mend it; may have several lines, may be empty.
    pub detail: String,
}

/// What one step of a scenario did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// As it was written: `click: Log in`.
    pub step: String,
    /// Where it is written: `checks/shop/buy.yaml:14`.
    pub place: String,
    /// When it began, in milliseconds after the first step.
    #[serde(default)]
    pub at_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How it ended.
    pub result: StepResult,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// It did what it says.
    Done,
    /// It was optional or conditional, and did not apply.
    Skipped(String),
    /// It failed, and why.
    Failed(String),
}

/// A request of a page that got no answer, or one of 400 and above.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedRequest {
    /// When it failed, in milliseconds after the first step.
    pub at_ms: u64,
    /// `GET`
    pub method: String,
    /// Where to.
    pub url: String,
    /// What came back: `503`, `the connection was refused`.
    pub what: String,
}

/// A page that was shown: the navigation timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageVisit {
    /// When it was asked for, in milliseconds after the first step.
    pub at_ms: u64,
    /// Its address.
    pub url: String,
    /// Its HTML was there, in milliseconds after it was asked for.
    pub dom_content_loaded_ms: Option<u64>,
    /// All of it was there, in milliseconds after it was asked for.
    pub load_ms: Option<u64>,
    /// Why it was not shown, or that it became a download.
    pub failed: Option<String>,
}

/// A file kept for the reader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceFile {
    /// What it shows: `screenshot`, `page source` …
    pub what: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// What a reader needs to believe the verdict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Name and value, in reading order: `address` → `192.0.2.7:443`.
    pub facts: Vec<(String, String)>,
    /// The smallest useful excerpt of what was received.
    pub excerpt: Option<String>,
    /// The scenario's steps, in order.
    pub steps: Vec<StepRecord>,
    /// What the page wrote to its console.
    pub console: Vec<String>,
    /// Requests of its pages that failed.
    #[serde(default)]
    pub failed_requests: Vec<FailedRequest>,
    /// The pages that were shown, in order.
    #[serde(default)]
    pub pages: Vec<PageVisit>,
    /// Screenshots, page sources.
    pub files: Vec<EvidenceFile>,
}

/// What a check saw in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether there was an answer at all.
    pub answer: Answer,
    /// Name → number with its unit. Every outcome that saw something has `duration`.
    pub measurements: BTreeMap<String, Quantity>,
    /// What was expected and not so, in the order found.
    pub broken: Vec<Broken>,
    /// For the reader.
    pub evidence: Evidence,
    /// How often the target was asked; more than 1 and ok means flaky.
    pub attempts: u32,
    /// Measurements that need some runs before there is a number: a threshold on one is not
    /// judged yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning: Vec<String>,
    /// Things to mend that are no failure: a fallback locator, an empty retry budget.
    pub remarks: Vec<String>,
}

impl Outcome {
    fn with_answer(answer: Answer) -> Self {
        Self {
            answer,
            measurements: BTreeMap::new(),
            broken: Vec::new(),
            evidence: Evidence::default(),
            attempts: 1,
            learning: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// The target answered; nothing is broken yet.
    #[must_use]
    pub fn seen() -> Self {
        Self::with_answer(Answer::Seen)
    }

    /// The target did not answer.
    #[must_use]
    pub fn no_answer(what: impl Into<String>) -> Self {
        Self::with_answer(Answer::NoAnswer(what.into()))
    }

    /// We could not ask.
    #[must_use]
    pub fn not_measured(why: impl Into<String>) -> Self {
        Self::with_answer(Answer::NotMeasured(why.into()))
    }

    /// Whether the target answered.
    #[must_use]
    pub fn has_answer(&self) -> bool {
        matches!(self.answer, Answer::Seen)
    }

    /// Adds a measurement.
    pub fn measure(&mut self, name: impl Into<String>, quantity: Quantity) {
        self.measurements.insert(name.into(), quantity);
    }

    /// Adds a fact for the reader.
    pub fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.evidence.facts.push((name.to_owned(), value.into()));
    }

    /// Tells what was found in Korean; what is not known there stays as it is.
    pub fn tell_in_korean(&mut self) {
        let tell = |text: &mut String| {
            if let Some(korean) = super::in_korean(text) {
                *text = korean;
            }
        };
        if let Answer::NoAnswer(text) | Answer::NotMeasured(text) = &mut self.answer {
            tell(text);
        }
        for broken in &mut self.broken {
            tell(&mut broken.what);
            tell(&mut broken.detail);
        }
        self.remarks.iter_mut().for_each(tell);
        let evidence = &mut self.evidence;
        for step in &mut evidence.steps {
            if let StepResult::Skipped(text) | StepResult::Failed(text) = &mut step.result {
                tell(text);
            }
        }
        for request in &mut evidence.failed_requests {
            tell(&mut request.what);
        }
        for page in &mut evidence.pages {
            page.failed.iter_mut().for_each(tell);
        }
    }

    /// Masks every secret in every text of the outcome. Called once, where a run ends, so
    /// that nothing later can carry one on.
    pub fn redact(&mut self, redactor: &Redactor) {
        let clean = |text: &mut String| redactor.clean_in_place(text);
        if let Answer::NoAnswer(text) | Answer::NotMeasured(text) = &mut self.answer {
            clean(text);
        }
        for broken in &mut self.broken {
            clean(&mut broken.what);
            clean(&mut broken.detail);
        }
        let evidence = &mut self.evidence;
        evidence.facts.iter_mut().for_each(|(_, value)| clean(value));
        evidence.excerpt.iter_mut().for_each(clean);
        evidence.console.iter_mut().for_each(clean);
        self.remarks.iter_mut().for_each(clean);
        for request in &mut evidence.failed_requests {
            clean(&mut request.url);
            clean(&mut request.what);
        }
        for page in &mut evidence.pages {
            clean(&mut page.url);
            page.failed.iter_mut().for_each(clean);
        }
        for step in &mut evidence.steps {
            clean(&mut step.step);
            if let StepResult::Skipped(text) | StepResult::Failed(text) = &mut step.result {
                clean(text);
            }
        }
    }
}

/// One run, judged: what is kept in the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// Of which check.
    pub check: CheckId,
    /// When it started.
    pub started: Timestamp,
    /// How long it took.
    #[serde(rename = "took_ms", with = "super::time::as_ms")]
    pub took: Duration,
    /// What was seen.
    pub outcome: Outcome,
    /// What it means.
    pub verdict: Verdict,
}

impl RunRecord {
    /// Passed, but only on a retry.
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        self.verdict.level == Level::Ok && self.outcome.attempts > 1
    }
}
