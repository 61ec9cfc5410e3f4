//! A whole run of a scenario: browser, steps, clean-up, evidence, and nothing left behind.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::evidence::{keep_screenshot, keep_source};
use super::pool::Lease;
use super::scenario::{Ended, Scenario};
use super::session::Session;
use super::steps::{Failure, Walk};
use crate::check::RunContext;
use crate::check::browser::reserve;
use crate::model::{Broken, Level};

/// One run.
pub struct Journey<'r> {
    /// The run.
    pub run: &'r RunContext,
    /// What is done.
    pub scenario: &'r Scenario,
    /// Where pictures and sources go.
    pub folder: PathBuf,
}

impl Journey<'_> {
    /// Goes through the scenario; ends by the run's deadline.
    pub async fn go(&self) -> Ended {
        let pool = &self.run.services.browsers;
        let lease = match pool.lease(self.run.deadline).await {
            Ok(lease) => lease,
            Err(why) => return ours(why),
        };
        let session = match self.open(&lease).await {
            Ok(session) => session,
            Err(why) => {
                lease.give_back(false).await;
                return ours(why);
            }
        };
        let debugger = session.debugger_port().filter(|_| lease.is_own());
        if let Some(port) = debugger {
            pool.targets().deny_own_port(port);
        }
        let (ended, responsive) = self.walk(&session).await;
        let closed = responsive && session.close().await;
        if let Some(port) = debugger {
            pool.targets().release_own_port(port);
        }
        lease.give_back(closed).await;
        ended
    }

    async fn open(&self, lease: &Lease<'_>) -> Result<Session, String> {
        let pool = &self.run.services.browsers;
        Session::open(pool, lease, &self.scenario.surroundings, self.run.deadline).await
    }

    /// The steps, then clean-up and evidence in the time kept back for them. Also tells
    /// whether the browser still answers.
    async fn walk(&self, session: &Session) -> (Ended, bool) {
        let scenario = self.scenario;
        let hard = self.run.deadline;
        let deadline = hard - reserve(hard, !scenario.always.is_empty());
        let mut walk = Walk::new(session, self.run, scenario, deadline, self.folder.clone());
        let mut result = walk.walk(&scenario.steps).await;
        if result.is_ok() {
            result = walk.expect(&scenario.expects, deadline.min(Instant::now())).await;
            if let Err(Failure::Page { why, .. }) = &result {
                walk.ended.broken.push(Broken {
                    level: Level::Critical,
                    what: why.clone(),
                    detail: String::new(),
                });
            }
        }
        let responsive = !matches!(result, Err(Failure::Hung(_) | Failure::Ours(_)));
        if responsive {
            let soon = hard.min(Instant::now() + Duration::from_secs(2));
            walk.finish_console(soon).await;
            if !walk.ended.broken.is_empty() {
                self.keep_evidence(&mut walk, soon).await;
            }
            self.clean_up(&mut walk).await;
        }
        if let Err(Failure::Ours(why)) = result {
            walk.ended.ours = Some(why);
        }
        (walk.ended, responsive)
    }

    async fn keep_evidence(&self, walk: &mut Walk<'_>, limit: Instant) {
        walk.mask_secrets(limit).await;
        keep_screenshot(
            walk.session,
            limit,
            &self.folder,
            "failed",
            &mut walk.ended.evidence,
        )
        .await;
        let redactor = self.run.services.redactor.current();
        keep_source(
            walk.session,
            limit,
            &self.folder,
            &redactor,
            &mut walk.ended.evidence,
        )
        .await;
    }

    /// Runs the `always:` steps. What fails here is remarked on and hides nothing.
    async fn clean_up(&self, walk: &mut Walk<'_>) {
        if self.scenario.always.is_empty() {
            return;
        }
        walk.deadline = self.run.deadline - Duration::from_millis(200);
        let broken_before = walk.ended.broken.len();
        if let Err(failure) = walk.walk(&self.scenario.always).await {
            let (Failure::Page { why, .. } | Failure::Hung(why) | Failure::Ours(why)) = failure;
            walk.ended.remarks.push(format!("clean-up failed: {why}"));
        }
        walk.ended.broken.truncate(broken_before);
    }
}

fn ours(why: String) -> Ended {
    Ended {
        ours: Some(why),
        ..Ended::default()
    }
}
