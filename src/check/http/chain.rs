//! A chain of requests: each with its own expectations, what one answers is used by the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::cookie::Jar;
use tokio::time::Instant;

use super::{HttpProbe, is_secret_name};
use crate::check::{Probe, RunContext};
use crate::model::{
    Answer, Broken, Level, Outcome, Quantity, Redactor, Secret, StepRecord, StepResult, Threshold, Unit,
};

/// What is added up over the steps; anything else is the last step's.
const SUMS: &[&str] = &[
    "response_time",
    "dns_time",
    "connect_time",
    "tls_time",
    "first_byte_time",
    "download_time",
    "body_size",
    "redirects",
];
/// Clean-up gets a fifth of the time, and not more than this.
const LONGEST_CLEAN_UP: Duration = Duration::from_secs(10);
/// Clean-up ends so long before the run, so that it can be told.
const MARGIN: Duration = Duration::from_millis(20);

/// One step.
pub struct Link {
    /// Its name, when it has one.
    pub name: Option<String>,
    /// The name, or `POST /orders`.
    pub written: String,
    /// `checks/shop/api.yaml:14`
    pub place: String,
    /// The request.
    pub probe: HttpProbe,
    /// Names of earlier steps that it uses.
    pub uses: BTreeSet<String>,
    /// Names that later steps use.
    pub needed: BTreeSet<String>,
}

/// A chain of requests.
pub struct Chain {
    /// What is done.
    pub steps: Vec<Link>,
    /// Clean-up, also after a failure.
    pub always: Vec<Link>,
    /// Bounds on named steps.
    pub thresholds: Vec<Threshold>,
}

#[async_trait]
impl Probe for Chain {
    async fn run(&self, run: &RunContext) -> Outcome {
        let deadline = run.deadline - self.kept_back(run);
        let mut walk = Walk::new(run);
        for link in &self.steps {
            if !walk.step(link, deadline).await {
                break;
            }
        }
        for link in &self.always {
            walk.clean_up(link).await;
        }
        for link in self.steps.iter().chain(&self.always) {
            link.probe.mask(run, &mut walk.outcome);
        }
        walk.finished()
    }

    fn extra_measures(&self) -> Vec<(String, Option<Unit>)> {
        self.steps
            .iter()
            .flat_map(|link| {
                let name = link
                    .name
                    .iter()
                    .map(|name| (format!("step.{name}"), Some(Unit::Ms)));
                name.chain(link.probe.extra_measures())
            })
            .collect()
    }

    fn extra_thresholds(&self) -> Vec<Threshold> {
        self.thresholds.clone()
    }

    fn target(&self) -> String {
        self.steps
            .first()
            .map(|link| link.probe.target())
            .unwrap_or_default()
    }
}

impl Chain {
    /// The part of the run's time that the steps leave to the clean-up.
    fn kept_back(&self, run: &RunContext) -> Duration {
        if self.always.is_empty() {
            return Duration::ZERO;
        }
        let whole = run.deadline.saturating_duration_since(Instant::now());
        (whole / 5).min(LONGEST_CLEAN_UP)
    }
}

struct Walk<'r> {
    run: &'r RunContext,
    began: Instant,
    /// One visitor's, over all steps.
    cookies: Arc<Jar>,
    captured: BTreeMap<String, String>,
    outcome: Outcome,
}

impl<'r> Walk<'r> {
    fn new(run: &'r RunContext) -> Self {
        Self {
            run,
            began: Instant::now(),
            cookies: Arc::default(),
            captured: run.captured.clone(),
            outcome: Outcome::seen(),
        }
    }

    /// What a step saw, and the texts it found.
    async fn ask(&self, link: &Link, deadline: Instant) -> (Outcome, Vec<(String, Option<String>)>) {
        let run = RunContext {
            captured: self.captured.clone(),
            ..self.run.with(deadline)
        };
        let tried = link.probe.tried(&run, Some(&self.cookies)).await;
        let (mut seen, found) = match &tried.last {
            Ok(received) => {
                let found = link.probe.captured(received);
                let found = found.map(|(name, text)| (name.to_owned(), text)).collect();
                (link.probe.look(&run, received), found)
            }
            Err(fault) => (fault.clone().into_outcome(), Vec::new()),
        };
        seen.attempts = tried.attempts;
        seen.remarks.extend(tried.remark);
        (seen, found)
    }

    /// Does a step; false when the chain ends with it.
    async fn step(&mut self, link: &Link, deadline: Instant) -> bool {
        let number = self.outcome.evidence.steps.len() + 1;
        let began = Instant::now();
        if began >= deadline {
            let why = "the time was used up before this step";
            self.record(link, began, StepResult::Failed(why.to_owned()));
            self.outcome.answer = Answer::NoAnswer(told(number, link, why));
            return false;
        }
        let (mut seen, found) = self.ask(link, deadline).await;
        for (name, text) in found {
            match text {
                Some(text) => drop(self.captured.insert(name, text)),
                None if link.needed.contains(&name) && seen.has_answer() => seen.broken.push(Broken {
                    level: Level::Critical,
                    what: format!("the answer has no `{name}`, which a later step uses"),
                    detail: String::new(),
                }),
                None => {}
            }
        }
        if let (Some(name), true) = (&link.name, seen.has_answer()) {
            self.outcome
                .measure(format!("step.{name}"), Quantity::time(began.elapsed()));
        }
        let result = match (&seen.answer, seen.broken.first()) {
            (Answer::NoAnswer(why) | Answer::NotMeasured(why), _) => StepResult::Failed(why.clone()),
            (Answer::Seen, Some(broken)) => StepResult::Failed(broken.what.clone()),
            (Answer::Seen, None) => StepResult::Done,
        };
        let goes_on = seen.has_answer() && seen.broken.iter().all(|broken| broken.level < Level::Critical);
        self.record(link, began, result);
        self.take_over(number, link, seen);
        goes_on
    }

    /// Puts what a step saw to what the chain saw.
    fn take_over(&mut self, number: usize, link: &Link, seen: Outcome) {
        let outcome = &mut self.outcome;
        for (name, quantity) in seen.measurements {
            let merged = match outcome.measurements.get(&name) {
                Some(before) if SUMS.contains(&name.as_str()) => Quantity {
                    value: before.value + quantity.value,
                    ..quantity
                },
                Some(before) if name == "certificate_left" && before.value < quantity.value => *before,
                _ => quantity,
            };
            outcome.measurements.insert(name, merged);
        }
        outcome.attempts = outcome.attempts.max(seen.attempts);
        let remarks = seen.remarks.iter().map(|remark| told(number, link, remark));
        outcome.remarks.extend(remarks);
        outcome.answer = match seen.answer {
            Answer::Seen => Answer::Seen,
            Answer::NoAnswer(why) => Answer::NoAnswer(told(number, link, &why)),
            Answer::NotMeasured(why) => Answer::NotMeasured(told(number, link, &why)),
        };
        let failed = !outcome.has_answer() || !seen.broken.is_empty();
        if failed && outcome.evidence.excerpt.is_none() {
            outcome.evidence.facts = seen.evidence.facts;
            outcome.evidence.excerpt = seen.evidence.excerpt;
        }
        outcome
            .broken
            .extend(seen.broken.into_iter().map(|broken| Broken {
                what: told(number, link, &broken.what),
                detail: format!("at {}", link.place),
                ..broken
            }));
    }

    /// Does a step of the clean-up: what fails in it is remarked on and hides nothing.
    async fn clean_up(&mut self, link: &Link) {
        let began = Instant::now();
        if let Some(name) = link.uses.iter().find(|name| !self.captured.contains_key(*name)) {
            let why = format!("there is no `{name}` to clean up after");
            self.record(link, began, StepResult::Skipped(why));
            return;
        }
        let (seen, found) = self.ask(link, self.run.deadline - MARGIN).await;
        let found = found.into_iter().filter_map(|(name, text)| Some((name, text?)));
        self.captured.extend(found);
        let why = match (seen.answer, seen.broken.first()) {
            (Answer::NoAnswer(why) | Answer::NotMeasured(why), _) => Some(why),
            (Answer::Seen, broken) => broken.map(|broken| broken.what.clone()),
        };
        match why {
            None => self.record(link, began, StepResult::Done),
            Some(why) => {
                self.outcome
                    .remarks
                    .push(format!("clean-up failed: `{}`: {why}", link.written));
                self.record(link, began, StepResult::Failed(why));
            }
        }
    }

    fn record(&mut self, link: &Link, began: Instant, result: StepResult) {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.outcome.evidence.steps.push(StepRecord {
            step: link.written.clone(),
            place: link.place.clone(),
            at_ms: ms(began.saturating_duration_since(self.began)),
            took_ms: ms(began.elapsed()),
            result,
        });
    }

    /// What was remembered under a secret's name is masked like one.
    fn finished(mut self) -> Outcome {
        let secrets: Vec<Secret> = self
            .captured
            .iter()
            .filter(|(name, _)| is_secret_name(name))
            .map(|(_, value)| Secret::new(value.clone()))
            .collect();
        if !secrets.is_empty() {
            self.outcome.redact(&Redactor::new(&secrets));
        }
        self.outcome
    }
}

fn told(number: usize, link: &Link, why: &str) -> String {
    format!("step {number} `{}`: {why}", link.written)
}
