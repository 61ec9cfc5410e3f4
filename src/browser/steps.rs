//! Doing the steps: find, wait until it can be acted on, act, look.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;

use super::actions::{hover, press_chord, press_mouse};
use super::evidence::{keep_console, keep_screenshot};
use super::find::strings;
use super::locator::{Kind, Target};
use super::scenario::{Act, Ended, Press, Scenario, Source, Step};
use super::session::{Session, Trouble};
use crate::check::RunContext;
use crate::check::http::scope;
use crate::model::{Broken, Level, Quantity, StepRecord, StepResult, Text, Unfilled};

/// Between two looks at a page that is not ready.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Between two looks at an element that is ready, to see that it stands still.
pub(super) const STANDS_STILL: Duration = Duration::from_millis(17);

/// Why a step did not do what it says.
#[derive(Debug)]
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
    /// The browser is gone: nothing is known of the page.
    Ours(String),
}

impl Failure {
    /// In one line.
    #[must_use]
    pub fn why(&self) -> &str {
        let (Self::Page { why, .. } | Self::Hung(why) | Self::Ours(why)) = self;
        why
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
            Trouble::Lost(why) => Self::Ours(why),
            Trouble::Refused(why) => Self::page(why),
            Trouble::StillLoading => Self::page("the page did not finish loading in time"),
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
    /// The browser.
    pub session: &'r Session,
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
    pub(super) captured: BTreeMap<String, String>,
    pub(super) container: Option<Json>,
    pub(super) secret_fields: Vec<Json>,
    pub(super) first_page: Option<f64>,
    pub(super) console_errors: usize,
}

type Steps<'w> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'w>>;

impl<'r> Walk<'r> {
    /// A walk that has not begun.
    #[must_use]
    pub fn new(
        session: &'r Session,
        run: &'r RunContext,
        scenario: &'r Scenario,
        deadline: Instant,
        folder: PathBuf,
    ) -> Self {
        Self {
            session,
            run,
            scenario,
            deadline,
            ended: Ended::default(),
            folder,
            captured: BTreeMap::new(),
            container: None,
            secret_fields: Vec::new(),
            first_page: None,
            console_errors: 0,
        }
    }

    /// Does steps one after the other; stops at the first that fails and matters.
    pub fn walk<'w>(&'w mut self, steps: &'w [Step]) -> Steps<'w> {
        Box::pin(async move {
            for step in steps {
                let (began, told) = (Instant::now(), self.ended.broken.len());
                let result = self.step(step).await;
                self.note_first_page().await;
                self.settle(step, began, told, result)?;
            }
            Ok(())
        })
    }

    /// Records how a step ended; an error when the scenario cannot go on.
    fn settle(
        &mut self,
        step: &Step,
        began: Instant,
        told: usize,
        result: Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Err(failure) = result else {
            self.record(step, began, StepResult::Done);
            return Ok(());
        };
        let is_about_the_page = matches!(failure, Failure::Page { .. });
        if is_about_the_page && step.optional {
            self.ended.broken.truncate(told);
            self.record(step, began, StepResult::Skipped(failure.why().to_owned()));
            return Ok(());
        }
        // What failed inside a group has been recorded and told there already.
        if !(step.act.is_group() && self.is_told(&failure)) {
            self.record(step, began, StepResult::Failed(failure.why().to_owned()));
            self.tell(step, &failure);
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
        self.ended.evidence.steps.push(StepRecord {
            step: step.written.clone(),
            place: step.place.clone(),
            at_ms: 0,
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            result,
        });
    }

    /// A failure of the page is a broken expectation; one of our own says nothing of the page.
    fn tell(&mut self, step: &Step, failure: &Failure) {
        let detail: &[String] = match failure {
            Failure::Page { detail, .. } => detail,
            Failure::Hung(_) => &[],
            Failure::Ours(_) => return,
        };
        let number = self.ended.evidence.steps.len();
        let place = format!("at {}", step.place);
        self.ended.broken.push(Broken {
            level: Level::Critical,
            what: format!("step {number} `{}` failed: {}", step.written, failure.why()),
            detail: std::iter::once(&place)
                .chain(detail)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n"),
        });
    }

    fn is_told(&self, failure: &Failure) -> bool {
        matches!(
            self.ended.evidence.steps.last().map(|step| &step.result),
            Some(StepResult::Failed(told)) if told == failure.why()
        )
    }

    async fn step(&mut self, step: &Step) -> Result<(), Failure> {
        let allowed = step
            .within
            .unwrap_or(self.run.services.browsers.settings.step_timeout);
        let limit = self.deadline.min(Instant::now() + allowed);
        if Instant::now() >= self.deadline {
            return Err(Failure::page("the scenario's time was used up before this step"));
        }
        let Some(frame) = &step.frame else {
            return self.act(&step.act, limit).await;
        };
        let element = self.locate(frame, Kind::Any, false, limit).await?;
        self.session.enter_frame(limit, &element).await?;
        let result = self.act(&step.act, limit).await;
        self.leave_frame(result, limit).await
    }

    async fn leave_frame(&self, result: Result<(), Failure>, limit: Instant) -> Result<(), Failure> {
        match (&result, self.session.leave_frame(limit).await) {
            (Ok(()), Err(trouble)) => Err(trouble.into()),
            _ => result,
        }
    }

    async fn act(&mut self, act: &Act, limit: Instant) -> Result<(), Failure> {
        match act {
            Act::Open(address) => self.open(address, limit).await,
            Act::Travel(way) => Ok(self.session.travel(limit, *way).await?),
            Act::Click(target, press) => self.click(target, *press, limit).await,
            Act::Hover(target) => {
                let element = self.locate(target, Kind::Any, true, limit).await?;
                Ok(self.session.perform(limit, hover(&element)).await?)
            }
            Act::Type {
                into,
                text,
                clear,
                press,
            } => {
                self.type_text(into, text, *clear, limit).await?;
                match press {
                    Some(chord) => Ok(self.session.perform(limit, press_chord(chord)).await?),
                    None => Ok(()),
                }
            }
            Act::Clear(target) => {
                let element = self.locate(target, Kind::Field, true, limit).await?;
                Ok(self.session.clear(limit, &element).await?)
            }
            Act::Choose { option, from } => self.choose(option, from.as_ref(), limit).await,
            Act::Check(target, wanted) => self.tick(target, *wanted, limit).await,
            Act::Press(chord) => Ok(self.session.perform(limit, press_chord(chord)).await?),
            Act::ScrollTo(target) => self.locate(target, Kind::Any, true, limit).await.map(drop),
            Act::See(target) => self.see(target, limit).await,
            Act::NotSee(target) => self.not_see(target, limit).await,
            Act::Expect(blocks) => self.expect(blocks, limit).await,
            Act::WaitFor(what) => self.wait_for(what, limit).await,
            Act::Pause(span) => {
                sleep_until(self.deadline.min(Instant::now() + *span)).await;
                Ok(())
            }
            Act::Remember(sources) => self.remember(sources, limit).await,
            Act::Screenshot(name) => self.screenshot(name, limit).await,
            Act::Group(name, steps) => self.group(name, steps).await,
            Act::InFrame(frame, steps) => {
                let element = self.locate(frame, Kind::Any, false, limit).await?;
                self.session.enter_frame(limit, &element).await?;
                let result = self.walk(steps).await;
                self.leave_frame(result, self.deadline).await
            }
            Act::InElement(target, steps) => {
                let scope = scope(self.run, &self.captured);
                let query = target.query(&scope, self.test_id(), self.container.as_ref())?;
                let outer = self.container.replace(query[0].clone());
                let result = self.walk(steps).await;
                self.container = outer;
                result
            }
            Act::IfSeen(target, steps) => match self.count(target, Instant::now()).await? {
                0 => Ok(()),
                _ => self.walk(steps).await,
            },
        }
    }

    async fn group(&mut self, name: &str, steps: &[Step]) -> Result<(), Failure> {
        let began = Instant::now();
        let result = self.walk(steps).await;
        let took = Quantity::time(began.elapsed());
        if result.is_ok() {
            self.ended.measurements.insert(format!("step.{name}"), took);
        }
        result
    }

    async fn open(&mut self, address: &Text, limit: Instant) -> Result<(), Failure> {
        let url = self.address(address)?;
        refuse_scheme(&url)?;
        crate::check::http::refuse_denied_literal(&url, &self.run.services)
            .map_err(|fault| Failure::Ours(fault.what))?;
        self.session.go_to(limit, url.as_str()).await?;
        let page = self.look(json!({ "operation": "page" }), limit).await?;
        let landed = page.get("url").and_then(Json::as_str).unwrap_or_default();
        if landed.starts_with("chrome-error:") {
            return Err(Failure::page(format!("{url} could not be loaded")));
        }
        if let Ok(landed) = Url::parse(landed) {
            refuse_scheme(&landed)?;
        }
        Ok(())
    }

    fn address(&self, address: &Text) -> Result<Url, Failure> {
        let scope = scope(self.run, &self.captured);
        let text = address.fill(&scope)?;
        let base = match &self.scenario.surroundings.url {
            Some(base) => Some(Url::parse(&base.fill(&scope)?)),
            None => None,
        };
        let joined = match base {
            Some(Ok(base)) => base.join(&text),
            Some(Err(error)) => Err(error),
            None => Url::parse(&text),
        };
        joined.map_err(|_| {
            Failure::page(format!(
                "`{address}` does not make an address; is `browser: {{ url: … }}` set?"
            ))
        })
    }

    async fn click(&mut self, target: &Target, press: Press, limit: Instant) -> Result<(), Failure> {
        loop {
            let element = self.locate(target, Kind::Any, true, limit).await?;
            let clicked = match press {
                Press::Once => self.session.click(limit, &element).await,
                Press::Twice | Press::Right => {
                    self.session.perform(limit, press_mouse(&element, press)).await
                }
            };
            // It may have been covered or replaced between the look and the click.
            match clicked {
                Err(Trouble::Refused(_)) if Instant::now() < limit => sleep(LOOK_AGAIN).await,
                other => return Ok(other?),
            }
        }
    }

    async fn type_text(
        &mut self,
        into: &Target,
        text: &Text,
        clear: bool,
        limit: Instant,
    ) -> Result<(), Failure> {
        let filled = text.fill(&scope(self.run, &self.captured))?;
        loop {
            let (element, reference) = self.locate_with_reference(into, Kind::Field, true, limit).await?;
            let typed = async {
                if clear {
                    self.session.clear(limit, &element).await?;
                }
                self.session.send_keys(limit, &element, &filled).await
            };
            match typed.await {
                Err(Trouble::Refused(_)) if Instant::now() < limit => sleep(LOOK_AGAIN).await,
                Err(trouble) => return Err(trouble.into()),
                Ok(()) => {
                    if text.holds_secret() {
                        self.secret_fields.push(reference);
                    }
                    return Ok(());
                }
            }
        }
    }

    async fn choose(&mut self, option: &Text, from: Option<&Target>, limit: Instant) -> Result<(), Failure> {
        let wanted = option.fill(&scope(self.run, &self.captured))?;
        loop {
            let list = match from {
                Some(from) => Some(
                    self.locate_with_reference(from, Kind::Field, true, limit)
                        .await?
                        .1,
                ),
                None => None,
            };
            let query = json!({ "operation": "options", "option": wanted, "element": list });
            let answer = self.look(query, limit).await?;
            match answer.get("status").and_then(Json::as_str) {
                Some("ready") => return Ok(()),
                _ if Instant::now() < limit => sleep(LOOK_AGAIN).await,
                status => {
                    let offered = strings(answer.get("offers")).join(", ");
                    let why = match status {
                        Some("many") => format!("several options fit \"{option}\""),
                        Some("disabled") => format!("the option \"{option}\" is disabled"),
                        _ => format!("there is no option \"{option}\""),
                    };
                    return Err(Failure::Page {
                        why,
                        detail: vec![format!("options: {offered}")],
                    });
                }
            }
        }
    }

    async fn tick(&mut self, target: &Target, wanted: bool, limit: Instant) -> Result<(), Failure> {
        loop {
            let (element, reference) = self
                .locate_with_reference(target, Kind::Field, true, limit)
                .await?;
            let read = self
                .look(json!({ "operation": "read", "element": reference }), limit)
                .await?;
            if read.get("checked").and_then(Json::as_bool) == Some(wanted) {
                return Ok(());
            }
            if Instant::now() >= limit {
                return Err(Failure::page("the box does not change when it is clicked"));
            }
            match self.session.click(limit, &element).await {
                Ok(()) | Err(Trouble::Refused(_)) => sleep(STANDS_STILL).await,
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }

    async fn remember(&mut self, sources: &[(String, Source)], limit: Instant) -> Result<(), Failure> {
        for (name, source) in sources {
            let value = match source {
                Source::Element(target) => {
                    let (_, reference) = self
                        .locate_with_reference(target, Kind::Any, false, limit)
                        .await?;
                    let read = self
                        .look(json!({ "operation": "read", "element": reference }), limit)
                        .await?;
                    let text = |key: &str| read.get(key).and_then(Json::as_str).map(str::to_owned);
                    text("value")
                        .filter(|value| !value.is_empty())
                        .or_else(|| text("text"))
                        .unwrap_or_default()
                }
                Source::Url(pattern) => {
                    let page = self.look(json!({ "operation": "page" }), limit).await?;
                    let url = page.get("url").and_then(Json::as_str).unwrap_or_default();
                    let found = pattern.captures(url);
                    let group = found
                        .as_ref()
                        .and_then(|found| found.get(1).or_else(|| found.get(0)));
                    match group {
                        Some(group) => group.as_str().to_owned(),
                        None => {
                            return Err(Failure::page(format!(
                                "the address {url} does not match {pattern}"
                            )));
                        }
                    }
                }
            };
            self.captured.insert(name.clone(), value);
        }
        Ok(())
    }

    async fn screenshot(&mut self, name: &Text, limit: Instant) -> Result<(), Failure> {
        let name = name.fill(&scope(self.run, &self.captured))?;
        self.mask_secrets(limit).await;
        keep_screenshot(self.session, limit, &self.folder, &name, &mut self.ended.evidence).await;
        Ok(())
    }

    /// Hides what was typed from secrets, before a picture is taken.
    pub async fn mask_secrets(&mut self, limit: Instant) {
        for field in std::mem::take(&mut self.secret_fields) {
            // A field that is gone shows nothing any more.
            let _ = self
                .session
                .page(limit, json!({ "operation": "mask", "element": field }))
                .await;
        }
    }

    /// Takes over the rest of the console, as a measurement too.
    pub async fn finish_console(&mut self, limit: Instant) {
        self.console_errors += keep_console(self.session, limit, &mut self.ended.evidence).await;
        let count = Quantity::count(self.console_errors as f64);
        self.ended.measurements.insert("console_errors".into(), count);
    }

    /// Page timings of the first page, as long as it is the one that is shown.
    async fn note_first_page(&mut self) {
        let limit = Instant::now() + Duration::from_secs(1);
        let Ok(facts) = self.session.page(limit, json!({ "operation": "facts" })).await else {
            return;
        };
        let number = |key: &str| facts.get(key).and_then(Json::as_f64);
        let (Some(origin), Some(_)) = (number("origin"), number("time_to_first_byte")) else {
            return;
        };
        if *self.first_page.get_or_insert(origin) != origin {
            return;
        }
        for (name, unit) in crate::check::browser::PAGE_TIMINGS {
            if let Some(value) = number(name) {
                self.ended
                    .measurements
                    .insert((*name).to_owned(), Quantity { value, unit: *unit });
            }
        }
    }
}

fn refuse_scheme(url: &Url) -> Result<(), Failure> {
    if matches!(url.scheme(), "http" | "https" | "about") {
        return Ok(());
    }
    Err(Failure::page(format!("`{}:` pages are not opened", url.scheme())))
}
