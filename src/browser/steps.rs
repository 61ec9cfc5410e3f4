//! Going through the steps: one after the other, told and recorded.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::locator::{Kind, Target};
use super::scenario::{Act, Ended, Scenario, Step};
use super::visit::{Trouble, Visit};
use crate::check::RunContext;
use crate::model::{Broken, Level, Quantity, StepRecord, StepResult, Unfilled, format_duration};

/// Between two looks at a page that is not ready.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);

const STILL_LOADING: &str = "the page did not finish loading in time";

/// Why a step did not do what it says.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The page is not as the step wants it: in one line, with more below.
    Page {
        /// What was wrong, in one line.
        why: String,
        /// What helps to mend it, a line each.
        detail: Vec<String>,
    },
    /// The page does not let the browser answer.
    Hung(String),
    /// The page took its tab with it.
    Crashed(String),
    /// The browser is gone: nothing is known of the page.
    Lost(String),
    /// The settings or the scenario are in the way: nothing is known of the page.
    Ours(String),
}

impl Failure {
    /// In one line.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Page { why, .. }
            | Self::Hung(why)
            | Self::Crashed(why)
            | Self::Lost(why)
            | Self::Ours(why) => why,
        }
    }

    /// Whether a browser that has lost what makes its pages fails like this too.
    #[must_use]
    pub fn may_be_the_browser(&self) -> bool {
        matches!(self, Self::Hung(_)) || self.why() == STILL_LOADING
    }

    pub(super) fn page(why: impl Into<String>) -> Self {
        Self::Page {
            why: why.into(),
            detail: Vec::new(),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Hung(why) => Self::Hung(why),
            Trouble::Crashed(why) => Self::Crashed(why),
            Trouble::Lost(why) => Self::Lost(why),
            Trouble::Refused(why) => Self::page(why),
            Trouble::StillLoading => Self::page(STILL_LOADING),
        }
    }
}

impl From<Unfilled> for Failure {
    fn from(unfilled: Unfilled) -> Self {
        Self::page(unfilled.to_string())
    }
}

/// One walk through a scenario.
pub struct Walk<'r> {
    /// The run's part of the browser.
    pub visit: Visit,
    /// The run.
    pub run: &'r RunContext,
    /// The scenario.
    pub scenario: &'r Scenario,
    /// When the steps must be done.
    pub deadline: Instant,
    /// What came of it so far.
    pub ended: Ended,
    /// Where pictures go.
    pub folder: PathBuf,
    /// Log-ins that were taken over from an earlier run.
    pub taken_over: Vec<u64>,
    pub(super) captured: BTreeMap<String, String>,
    /// Where the flows around are called, the outermost first.
    calls: Vec<String>,
    /// The named groups that are gone through, the outermost first.
    pub(super) groups: Vec<String>,
    /// Steps so far that are no groups: what people count.
    counted: usize,
    /// The elements around, the outermost first, each as locators.
    pub(super) inside: Vec<Json>,
    /// Secrets that were typed: never to be seen in evidence.
    pub(super) secrets: Vec<String>,
    /// The element that the step is about, where one was found.
    pub(super) marked: Option<Json>,
    pub(super) measured: Measured,
    /// Answers up to here came before the step that is being done.
    pub(super) answered_before: usize,
}

/// Which page is measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    /// Not before this named step has ended.
    pub after: Option<String>,
    /// The page, by the time at which it began.
    pub origin: Option<f64>,
    /// How many pages there were when it was shown.
    pub pages: usize,
    /// It has been left: nothing more to be had.
    pub over: bool,
}

pub(super) type Steps<'w> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'w>>;

impl<'r> Walk<'r> {
    /// A walk that has not begun.
    #[must_use]
    pub fn new(
        visit: Visit,
        run: &'r RunContext,
        scenario: &'r Scenario,
        deadline: Instant,
        folder: PathBuf,
    ) -> Self {
        let measured = Measured {
            after: scenario.surroundings.measure_page.clone(),
            ..Measured::default()
        };
        Self {
            visit,
            run,
            scenario,
            deadline,
            ended: Ended::default(),
            folder,
            taken_over: Vec::new(),
            captured: BTreeMap::new(),
            calls: Vec::new(),
            groups: Vec::new(),
            counted: 0,
            inside: Vec::new(),
            secrets: Vec::new(),
            marked: None,
            measured,
            answered_before: 0,
        }
    }

    /// Does steps one after the other; stops at the first that fails and matters.
    pub fn walk<'w>(&'w mut self, steps: &'w [Step]) -> Steps<'w> {
        Box::pin(async move {
            for (at, step) in steps.iter().enumerate() {
                // A dialog that the next step answers is not dismissed before it can.
                let next = steps.get(at + 1).map(|step| &step.act);
                self.visit.seen().hold_dialog = matches!(next, Some(Act::Dialog { .. }));
                if !self.pace(step).await {
                    return Err(Failure::Ours("stopped by hand".into()));
                }
                let (began, told) = (Instant::now(), self.ended.broken.len());
                let pictures = self.ended.evidence.files.len();
                self.marked = None;
                let answered = self.visit.seen().requests;
                if step.act.may_leave() {
                    self.note_measured_page().await;
                }
                let result = self.step(step).await;
                if let Some(pace) = &self.run.services.browsers.pace {
                    let failed = result.as_ref().err().map(Failure::why);
                    pace.after(step, began.elapsed(), failed).await;
                }
                if !step.act.is_group() {
                    self.answered_before = answered;
                }
                if let Act::Group(name, _) = &step.act
                    && self.measured.after.as_deref() == Some(name)
                {
                    self.measured.after = None;
                    self.note_measured_page().await;
                }
                self.settle(step, began, told, pictures, result).await?;
            }
            Ok(())
        })
    }

    /// Waits as whoever looks on wants it; false when they have had enough.
    async fn pace(&self, step: &Step) -> bool {
        let browsers = &self.run.services.browsers;
        if !browsers.settings.slow.is_zero() && !step.act.is_group() {
            sleep_until(self.deadline.min(Instant::now() + browsers.settings.slow)).await;
        }
        match &browsers.pace {
            Some(pace) => pace.before(step).await,
            None => true,
        }
    }

    /// Records how a step ended; an error when the scenario cannot go on.
    async fn settle(
        &mut self,
        step: &Step,
        began: Instant,
        told: usize,
        pictures: usize,
        result: Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Err(failure) = result else {
            self.record(step, began, StepResult::Done);
            return Ok(());
        };
        let is_about_the_page = matches!(failure, Failure::Page { .. });
        if is_about_the_page && step.optional {
            self.ended.broken.truncate(told);
            for file in self.ended.evidence.files.drain(pictures..) {
                // A picture of what does not matter; one that stays does no harm.
                let _ = tokio::fs::remove_file(&file.path).await;
            }
            self.record(step, began, StepResult::Skipped(failure.why().to_owned()));
            return Ok(());
        }
        // What failed inside a group has been recorded and told there already.
        if !(step.act.is_group() && self.is_told(&failure)) {
            self.record(step, began, StepResult::Failed(failure.why().to_owned()));
            self.tell(step, &failure, began);
            if is_about_the_page {
                self.keep_evidence("failed").await;
            }
            if let Some(pace) = &self.run.services.browsers.pace {
                pace.failed(step, &failure, &self.visit).await;
            }
        }
        if is_about_the_page && step.level == Level::Warning {
            for broken in &mut self.ended.broken[told..] {
                broken.level = Level::Warning;
            }
            return Ok(());
        }
        Err(failure)
    }

    fn record(&mut self, step: &Step, began: Instant, result: StepResult) {
        self.counted += usize::from(!step.act.is_group());
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.ended.evidence.steps.push(StepRecord {
            step: step.written.clone(),
            place: step.place.clone(),
            at_ms: ms(began.saturating_duration_since(self.visit.began())),
            took_ms: ms(began.elapsed()),
            result,
        });
    }

    /// A failure of the page is a broken expectation; one of our own says nothing of the page.
    fn tell(&mut self, step: &Step, failure: &Failure, began: Instant) {
        let detail: &[String] = match failure {
            Failure::Page { detail, .. } => detail,
            Failure::Hung(_) | Failure::Crashed(_) => &[],
            Failure::Lost(_) | Failure::Ours(_) => return,
        };
        let number = self.counted.max(1);
        let calls = self.calls.iter().rev().map(|call| format!(", called at {call}"));
        let mut lines = vec![format!("at {}{}", step.place, calls.collect::<String>())];
        if !self.groups.is_empty() {
            lines.push(format!("part of: {}", self.groups.join(" › ")));
        }
        lines.extend_from_slice(detail);
        let says = |word: &str| detail.iter().any(|line| line.starts_with(word));
        if !says("waited: ") {
            lines.push(format!("waited: {}", format_duration(began.elapsed())));
        }
        if !says("on the page: ")
            && let Some(page) = self.visit.seen().pages.last()
        {
            lines.push(format!("on the page: {}", page.url));
        }
        self.ended.broken.push(Broken {
            level: Level::Critical,
            what: format!("step {number} `{}` failed: {}", step.written, failure.why()),
            detail: lines.join("\n"),
        });
    }

    fn is_told(&self, failure: &Failure) -> bool {
        let last_failed = self
            .ended
            .evidence
            .steps
            .iter()
            .rev()
            .find(|step| matches!(step.result, StepResult::Failed(_)))
            .map(|step| &step.result);
        matches!(last_failed, Some(StepResult::Failed(told)) if told == failure.why())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Failure> {
        let allowed = step
            .within
            .unwrap_or(self.run.services.browsers.settings.step_timeout);
        let limit = self.deadline.min(Instant::now() + allowed);
        if Instant::now() >= self.deadline {
            return Err(Failure::page("the scenario's time was used up before this step"));
        }
        let whole = self.deadline;
        if step.act.is_group() && step.within.is_some() && !matches!(step.act, Act::IfSeen(..)) {
            self.deadline = limit;
        }
        let result = match &step.frame {
            None => self.act(step, limit).await,
            Some(frame) => match self.enter(frame, limit).await {
                Ok(()) => {
                    // What is around the frame is not in it.
                    let around = std::mem::take(&mut self.inside);
                    let result = self.act(step, limit).await;
                    self.inside = around;
                    self.visit.leave_frame();
                    result
                }
                Err(failure) => Err(failure),
            },
        };
        self.deadline = whole;
        result
    }

    async fn act(&mut self, step: &Step, limit: Instant) -> Result<(), Failure> {
        match &step.act {
            Act::Open(address) => self.open(address, limit).await,
            Act::Travel(way) => Ok(self.visit.travel(limit, *way).await?),
            Act::Tab(tab) => self.tab(tab, limit).await,
            Act::Click(target, press) => self.click(target, *press, limit).await,
            Act::Hover(target) => self.hover(target, limit).await,
            Act::Type {
                into,
                text,
                clear,
                keys,
                press,
            } => {
                self.type_text(into, text, (*clear, *keys), limit).await?;
                match press {
                    Some(chord) => self.press(chord, limit).await,
                    None => Ok(()),
                }
            }
            Act::Clear(target) => self.clear(target, limit).await,
            Act::Choose { option, from } => self.choose(option, from.as_ref(), limit).await,
            Act::Check(target, wanted) => self.tick(target, *wanted, limit).await,
            Act::Press(chord) => self.press(chord, limit).await,
            Act::Upload { files, to } => self.upload(files, to, limit).await,
            Act::Drag { from, to } => self.drag(from, to, limit).await,
            Act::ScrollTo(target) => self.locate(target, Kind::Any, true, limit).await.map(drop),
            Act::Dialog { accept, text } => self.dialog(*accept, text.as_ref(), limit).await,
            Act::See(target) => self.see(target, limit).await,
            Act::NotSee(target) => self.not_see(target, limit).await,
            Act::Expect(blocks) => self.expect(blocks, limit).await,
            Act::WaitFor(what) => self.wait_for(what, limit).await,
            Act::Pause(span) => {
                sleep_until(self.deadline.min(Instant::now() + *span)).await;
                Ok(())
            }
            Act::Remember(sources) => self.remember(sources, limit).await,
            Act::Screenshot(name) => self.screenshot(name).await,
            Act::Cookies { set, delete } => self.cookies(set, delete, limit).await,
            Act::Offline(offline) => Ok(self.visit.set_offline(limit, *offline).await?),
            Act::Http(probe) => self.http(probe, limit).await,
            Act::Script(code) => self.script(code, limit).await,
            Act::Group(name, steps) => self.group(name, steps).await,
            Act::Flow(_, steps) => {
                self.calls.push(step.place.clone());
                let result = self.walk(steps).await;
                self.calls.pop();
                result
            }
            Act::LogIn(log_in) => {
                self.calls.push(step.place.clone());
                let result = self.log_in(log_in, limit).await;
                self.calls.pop();
                result
            }
            Act::InFrame(frame, steps) => self.in_frame(frame, steps, limit).await,
            Act::InElement(target, steps) => self.in_element(target, steps).await,
            Act::IfSeen(target, steps) => self.if_seen(target, steps, step.within, limit).await,
            Act::Repeat { up_to, until, steps } => self.repeat(*up_to, until, steps).await,
        }
    }

    /// Page timings of the measured page, as long as it is the one that is shown: before
    /// each step that may leave it, and at the end.
    pub async fn note_measured_page(&mut self) {
        let pages = self.visit.seen().pages.len();
        if pages == 0 || self.measured.over || self.measured.after.is_some() {
            return;
        }
        if self.measured.origin.is_some() && pages != self.measured.pages {
            self.measured.over = true;
            return;
        }
        let limit = Instant::now() + Duration::from_secs(1);
        let tab = self.visit.tab().to_owned();
        let query = json!({ "operation": "facts" });
        let Ok(facts) = self.visit.ask_in(&tab, limit, &query).await else {
            return;
        };
        let number = |key: &str| facts.get(key).and_then(Json::as_f64);
        let (Some(origin), Some(_)) = (number("origin"), number("time_to_first_byte")) else {
            return;
        };
        if *self.measured.origin.get_or_insert(origin) != origin {
            self.measured.over = true;
            return;
        }
        self.measured.pages = pages;
        for (name, unit) in crate::check::browser::PAGE_TIMINGS {
            if let Some(value) = number(name) {
                self.ended
                    .measurements
                    .insert((*name).to_owned(), Quantity { value, unit: *unit });
            }
        }
    }

    /// Takes over what the pages did, as evidence and as measurements.
    pub fn take_over_events(&mut self) {
        let seen = self.visit.seen();
        let mut count = |name: &str, count: usize| {
            self.ended
                .measurements
                .insert(name.to_owned(), Quantity::count(count as f64));
        };
        count("console_errors", seen.console_errors);
        count("failed_requests", seen.failed_requests);
        let evidence = &mut self.ended.evidence;
        evidence.console.clone_from(&seen.console);
        evidence.failed_requests.clone_from(&seen.failed);
        evidence.pages.clone_from(&seen.pages);
        self.ended.remarks.extend(seen.unmet.iter().cloned());
        for surprise in &seen.surprises {
            self.ended.remarks.push(format!(
                "an unexpected dialog was dismissed: {surprise}; answer it with a `dialog:` step"
            ));
        }
        if !seen.planned.is_empty() {
            let remark = "a `dialog:` step waited for a dialog that never came";
            self.ended.remarks.push(remark.into());
        }
    }

    pub(super) fn test_id(&self) -> &str {
        &self.run.services.browsers.settings.test_id_attribute
    }

    /// Asks the page; a page in the middle of loading is asked again.
    pub(super) async fn look(&self, query: Json, limit: Instant) -> Result<Json, Failure> {
        loop {
            match self.visit.ask(limit, &query).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Refused(why)) if why.contains("is not a valid selector") => {
                    return Err(Failure::page("the CSS selector is not valid"));
                }
                Err(Trouble::Refused(why)) if why.contains("not a valid XPath") => {
                    return Err(Failure::page("the XPath is not valid"));
                }
                Err(Trouble::Refused(_) | Trouble::StillLoading) if Instant::now() < limit => {
                    self.visit.change(limit.min(Instant::now() + LOOK_AGAIN)).await;
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }

    /// What a target is called, with its values filled in.
    pub(super) fn words(&self, target: &Target) -> String {
        target.words(&crate::check::http::scope(self.run, &self.captured))
    }

    pub(super) async fn enter(&mut self, frame: &Target, limit: Instant) -> Result<(), Failure> {
        loop {
            let element = self.locate(frame, Kind::Any, false, limit).await?.element;
            match self.visit.enter_frame(limit, &element).await {
                // It was replaced between the look and now.
                Err(Trouble::Refused(_)) if Instant::now() < limit => sleep(LOOK_AGAIN).await,
                other => return Ok(other?),
            }
        }
    }
}
