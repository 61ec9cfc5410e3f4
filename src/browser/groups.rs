//! Steps that hold steps: frames, containers, conditions, repetition, log-ins.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::locator::Target;
use super::scenario::{LogIn, Step};
use super::state::{restore, save};
use super::steps::{Failure, LOOK_AGAIN, Walk};
use crate::check::http::scope;
use crate::model::Quantity;

/// Between two rounds of a repetition the page gets this long to show what it waits for.
const ROUND_PATIENCE: Duration = Duration::from_millis(500);

impl Walk<'_> {
    pub(super) async fn group(&mut self, name: &str, steps: &[Step]) -> Result<(), Failure> {
        let began = Instant::now();
        self.groups.push(name.to_owned());
        let result = self.walk(steps).await;
        self.groups.pop();
        let took = Quantity::time(began.elapsed());
        if result.is_ok() {
            self.ended.measurements.insert(format!("step.{name}"), took);
        }
        result
    }

    pub(super) async fn in_frame(
        &mut self,
        frame: &Target,
        steps: &[Step],
        limit: Instant,
    ) -> Result<(), Failure> {
        self.enter(frame, limit).await?;
        // What is around the frame is not in it.
        let around = std::mem::take(&mut self.inside);
        let result = self.walk(steps).await;
        self.inside = around;
        self.visit.leave_frame();
        result
    }

    pub(super) async fn in_element(&mut self, target: &Target, steps: &[Step]) -> Result<(), Failure> {
        let scope = scope(self.run, &self.captured);
        let locators = target.query(&scope, self.test_id())?;
        self.inside.push(locators);
        let result = self.walk(steps).await;
        self.inside.pop();
        result
    }

    /// Looks once on a page that has loaded, or as long as the step says.
    pub(super) async fn if_seen(
        &mut self,
        target: &Target,
        steps: &[Step],
        within: Option<Duration>,
        limit: Instant,
    ) -> Result<(), Failure> {
        self.visit.settled(limit).await?;
        let seen = match within {
            Some(_) => self.becomes(target, "seen", limit).await?,
            None => self.count(target, limit).await? > 0,
        };
        if seen { self.walk(steps).await } else { Ok(()) }
    }

    pub(super) async fn repeat(&mut self, up_to: u32, until: &Target, steps: &[Step]) -> Result<(), Failure> {
        let step_time = self.run.services.browsers.settings.step_timeout;
        for round in 0..=up_to {
            let limit = self.deadline.min(Instant::now() + step_time);
            self.visit.settled(limit).await?;
            let patience = if round == 0 {
                Duration::ZERO
            } else {
                ROUND_PATIENCE
            };
            let soon = limit.min(Instant::now() + patience);
            if self.becomes(until, "seen", soon).await? {
                return Ok(());
            }
            if round < up_to {
                self.walk(steps).await?;
            }
        }
        Err(Failure::page(format!(
            "\"{}\" was not seen after {up_to} rounds",
            self.words(until)
        )))
    }

    /// Takes over a log-in of an earlier run, or logs in and keeps what that left.
    pub(super) async fn log_in(&mut self, log_in: &LogIn, limit: Instant) -> Result<(), Failure> {
        let place = self.run.services.browsers.states.place(log_in.key);
        // Somebody else may be logging in now: their state is as good as ours.
        let Ok(mut saved) = timeout_at(self.deadline, place.lock()).await else {
            return Err(Failure::Ours(format!(
                "another run's `{}` did not end in time",
                log_in.name
            )));
        };
        if let Some(state) = saved
            .as_ref()
            .filter(|state| state.at.elapsed() < log_in.valid_for)
        {
            restore(&self.visit, limit, state).await?;
            self.taken_over.push(log_in.key);
            return Ok(());
        }
        self.walk(&log_in.steps).await?;
        let limit = self.deadline.min(Instant::now() + Duration::from_secs(5));
        self.visit.settled(limit).await?;
        loop {
            match save(&self.visit, limit).await {
                Ok(state) => {
                    *saved = Some(state);
                    return Ok(());
                }
                Err(_) if Instant::now() < limit => sleep(LOOK_AGAIN).await,
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }
}
