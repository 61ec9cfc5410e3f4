//! A whole run of a scenario: browser, steps, clean-up, evidence, and nothing left behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::pool::Lease;
use super::scenario::{Ended, Scenario};
use super::steps::{Failure, Walk};
use super::visit::{Look, Trouble, Visit};
use crate::check::RunContext;
use crate::check::browser::reserve;
use crate::check::http::scope;
use crate::model::{Broken, Level, RunId};

/// A run whose time is over may look so much longer whether the browser was to blame; it is
/// cut off soon after.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// One run.
pub struct Journey<'r> {
    /// The run.
    pub run: &'r RunContext,
    /// What is done.
    pub scenario: &'r Scenario,
    /// Where pictures and sources go.
    pub folder: PathBuf,
}

/// How one try went.
struct Tried {
    ended: Ended,
    /// Log-ins of earlier runs that it relied on.
    taken_over: Vec<u64>,
    /// It failed in a way in which a broken browser fails too.
    suspects_browser: bool,
}

impl Journey<'_> {
    /// Goes through the scenario; ends by the run's deadline.
    ///
    /// A try that was disturbed, or that relied on a log-in which may have ended, counts for
    /// nothing: it is done once more, if there is time for as much again.
    pub async fn go(&self) -> Ended {
        let began = Instant::now();
        let first = self.once().await;
        let left = self.run.deadline.saturating_duration_since(Instant::now());
        let has_time = left > began.elapsed();
        let stale = !first.taken_over.is_empty() && !first.ended.broken.is_empty();
        if stale {
            for key in &first.taken_over {
                self.run.services.browsers.states.forget(*key);
            }
        }
        if !(stale || first.ended.disturbed) || !has_time {
            return first.ended;
        }
        let why = if stale {
            "a log-in of an earlier run did not hold any more; it was done anew".to_owned()
        } else {
            let cause = first.ended.ours.as_deref();
            let cause = cause.unwrap_or("the page made the browser's tab crash");
            format!("{cause}; the run was done once more")
        };
        tracing::debug!(check = %self.run.check.id, why, "a run is done once more");
        // What the first try left behind, under the run's id, must not be taken for the second's.
        let run = RunContext {
            id: RunId(format!("{}b", self.run.id.0)),
            check: Arc::clone(&self.run.check),
            captured: self.run.captured.clone(),
            services: Arc::clone(&self.run.services),
            ..*self.run
        };
        let again = Journey {
            run: &run,
            folder: self.folder.clone(),
            ..*self
        };
        let mut second = again.once().await.ended;
        if second.ours.is_none() {
            second.remarks.push(why);
        }
        second
    }

    async fn once(&self) -> Tried {
        let pool = &self.run.services.browsers;
        if pool.settings.url.is_some() && self.scenario.takes_downloads() {
            let why = "files that a page gives stay where the browser runs: `download:` cannot be looked at with a WebDriver at a `url`";
            return Tried::ours(why.into(), false);
        }
        let lease = match pool.lease(self.run.deadline).await {
            Ok(lease) => lease,
            Err(why) => return Tried::ours(why, true),
        };
        let (visit, downloads) = match self.open(&lease).await {
            Ok(opened) => opened,
            Err(trouble) => {
                lease.give_back(false).await;
                return Tried::ours(Failure::from(trouble).why().to_owned(), true);
            }
        };
        let (mut tried, visit) = self.walk(visit).await;
        let mut sound = true;
        if tried.suspects_browser && !lease.instance.shows_pages(self.run.deadline + LAST_LOOK).await {
            // What the page seemed to do was the browser's doing.
            tried.ended.broken.clear();
            tried.ended.ours = Some("the browser cannot show pages any more".into());
            tried.ended.disturbed = true;
            sound = false;
        }
        // The run is over; tidying up after a page that hangs is not part of it. The place
        // in the browser stays taken until it is done.
        tokio::spawn(async move {
            let cleared = visit.clear().await;
            if let Some(folder) = downloads {
                // The browser's own folder goes with it in any case.
                let _ = tokio::fs::remove_dir_all(folder).await;
            }
            lease.give_back(cleared && sound).await;
        });
        tried
    }

    async fn open(&self, lease: &Lease) -> Result<(Visit, Option<PathBuf>), Trouble> {
        let surroundings = &self.scenario.surroundings;
        let mut headers = Vec::new();
        for (name, value) in &surroundings.headers {
            let value = value
                .fill(&scope(self.run, &self.run.captured))
                .map_err(|unfilled| Trouble::Refused(unfilled.to_string()))?;
            headers.push((name.clone(), value));
        }
        let downloads = lease
            .instance
            .folder()
            .filter(|_| self.scenario.takes_downloads())
            .map(|folder| folder.join(format!("downloads-{}", self.run.id.0)));
        let look = Look {
            headers,
            downloads: downloads.clone(),
            follows_requests: self.scenario.follows_requests(),
            ..surroundings.look.clone()
        };
        let visit = Visit::open(lease.instance.clone(), &look, self.run.deadline).await?;
        Ok((visit, downloads))
    }

    /// The steps, then clean-up, in the time kept back for it.
    async fn walk(&self, visit: Visit) -> (Tried, Visit) {
        let scenario = self.scenario;
        let hard = self.run.deadline;
        let deadline = hard - reserve(hard, !scenario.always.is_empty());
        let mut walk = Walk::new(visit, self.run, scenario, deadline, self.folder.clone());
        let mut result = walk.walk(&scenario.steps).await;
        if result.is_ok() {
            walk.marked = None;
            result = walk.expect(&scenario.expects, deadline.min(Instant::now())).await;
            if let Err(failure) = &result {
                self.tell_final(&mut walk, failure).await;
            }
        }
        if matches!(result, Ok(()) | Err(Failure::Page { .. })) {
            walk.note_measured_page().await;
            self.clean_up(&mut walk).await;
        }
        walk.take_over_events();
        let suspects_browser = result.as_ref().is_err_and(Failure::may_be_the_browser);
        match result {
            Err(Failure::Ours(why)) => walk.ended.ours = Some(why),
            Err(Failure::Lost(why)) => {
                walk.ended.ours = Some(why);
                walk.ended.disturbed = true;
            }
            Err(Failure::Crashed(_)) => walk.ended.disturbed = true,
            _ => {}
        }
        let tried = Tried {
            ended: walk.ended,
            taken_over: walk.taken_over,
            suspects_browser,
        };
        (tried, walk.visit)
    }

    /// What the check's own `expect:` says when the steps are done.
    async fn tell_final(&self, walk: &mut Walk<'_>, failure: &Failure) {
        if matches!(failure, Failure::Ours(_) | Failure::Lost(_)) {
            return;
        }
        walk.ended.broken.push(Broken {
            level: Level::Critical,
            what: failure.why().to_owned(),
            detail: String::new(),
        });
        if matches!(failure, Failure::Page { .. }) {
            walk.keep_evidence("failed").await;
        }
    }

    /// Runs the `always:` steps. What fails here is remarked on and hides nothing.
    async fn clean_up(&self, walk: &mut Walk<'_>) {
        if self.scenario.always.is_empty() {
            return;
        }
        walk.deadline = self.run.deadline - Duration::from_millis(200);
        let (broken, files) = (walk.ended.broken.len(), walk.ended.evidence.files.len());
        if let Err(failure) = walk.walk(&self.scenario.always).await {
            walk.ended
                .remarks
                .push(format!("clean-up failed: {}", failure.why()));
        }
        walk.ended.broken.truncate(broken);
        if broken == 0 {
            for file in walk.ended.evidence.files.drain(files..) {
                // Nobody looks for pictures of a run that is well.
                let _ = tokio::fs::remove_file(&file.path).await;
            }
        }
    }
}

impl Tried {
    fn ours(why: String, disturbed: bool) -> Self {
        Self {
            ended: Ended {
                ours: Some(why),
                disturbed,
                ..Ended::default()
            },
            taken_over: Vec::new(),
            suspects_browser: false,
        }
    }
}
