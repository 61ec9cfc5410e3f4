//! Drivers kept between runs, one run at a time each.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::driver::{Driver, DriverCommand, find_browser};
use crate::check::net::targets::TargetPolicy;

/// A driver is replaced after so many runs, so that what leaks in it stays small.
const RUNS_PER_DRIVER: u32 = 200;

/// The settings `webdriver:` and `browsers:`.
#[derive(Debug, Clone)]
pub struct BrowserSettings {
    /// How a driver of our own is started.
    pub command: DriverCommand,
    /// A WebDriver that somebody else runs, instead.
    pub url: Option<String>,
    /// How many scenarios run at once.
    pub at_once: usize,
    /// Show a window.
    pub headed: bool,
    /// How long a step may take when it does not say so itself.
    pub step_timeout: Duration,
    /// The attribute that `test_id` looks at.
    pub test_id_attribute: String,
}

impl Default for BrowserSettings {
    fn default() -> Self {
        Self {
            command: DriverCommand::default(),
            url: None,
            at_once: 2,
            headed: false,
            step_timeout: Duration::from_secs(10),
            test_id_attribute: "data-testid".into(),
        }
    }
}

/// Browsers for scenarios, started when first needed.
pub struct Browsers {
    /// As the user set them.
    pub settings: BrowserSettings,
    targets: Arc<TargetPolicy>,
    permits: Semaphore,
    idle: std::sync::Mutex<Vec<Slot>>,
    started: AtomicU64,
}

struct Slot {
    driver: Driver,
    runs: u32,
}

/// A driver for one run. Give it back with [`Browsers::give_back`]; one that is dropped
/// instead is killed.
pub struct Lease<'p> {
    slot: Option<Slot>,
    pool: &'p Browsers,
    _permit: tokio::sync::SemaphorePermit<'p>,
}

impl Browsers {
    /// No driver is started yet.
    #[must_use]
    pub fn new(settings: BrowserSettings, targets: Arc<TargetPolicy>) -> Self {
        Self {
            permits: Semaphore::new(settings.at_once.max(1)),
            settings,
            targets,
            idle: std::sync::Mutex::default(),
            started: AtomicU64::new(0),
        }
    }

    /// A driver that no other run has.
    ///
    /// # Errors
    /// In words for people: nothing installed, it does not start, no place before `deadline`.
    pub async fn lease(&self, deadline: Instant) -> Result<Lease<'_>, String> {
        let permit = timeout_at(deadline, self.permits.acquire())
            .await
            .map_err(|_| "no browser was free in time".to_owned())?
            .map_err(|_| "haetae is shutting down".to_owned())?;
        if self.settings.url.is_some() {
            return Ok(Lease {
                slot: None,
                pool: self,
                _permit: permit,
            });
        }
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let alive = kept.and_then(|mut slot| slot.driver.is_alive().then_some(slot));
        let slot = if let Some(slot) = alive {
            slot
        } else {
            let number = self.started.fetch_add(1, Ordering::Relaxed);
            let driver = Driver::start(&self.settings.command, number).await?;
            self.targets.deny_own_port(driver.port);
            Slot { driver, runs: 0 }
        };
        Ok(Lease {
            slot: Some(slot),
            pool: self,
            _permit: permit,
        })
    }

    /// Ends every driver. Runs that still have one end theirs themselves.
    pub async fn shut_down(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for mut slot in idle {
            self.targets.release_own_port(slot.driver.port);
            slot.driver.end().await;
        }
    }

    /// The browser program for a session; none leaves the choice to the driver.
    #[must_use]
    pub fn binary(&self) -> Option<PathBuf> {
        match self.settings.url {
            Some(_) => None,
            None => find_browser(self.settings.headed),
        }
    }

    pub(super) fn targets(&self) -> &TargetPolicy {
        &self.targets
    }
}

impl Lease<'_> {
    /// The driver's address.
    #[must_use]
    pub fn url(&self) -> String {
        match (&self.slot, &self.pool.settings.url) {
            (Some(slot), _) => format!("http://127.0.0.1:{}/", slot.driver.port),
            // The path would be dropped without a slash at the end.
            (None, Some(url)) => format!("{}/", url.trim_end_matches('/')),
            (None, None) => String::new(),
        }
    }

    /// Whether the driver is ours to kill.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.slot.is_some()
    }

    /// Gives the driver back for the next run, or ends it when it may be broken.
    pub async fn give_back(mut self, sound: bool) {
        let Some(mut slot) = self.slot.take() else { return };
        slot.runs += 1;
        let open = !self.pool.permits.is_closed();
        if sound && open && slot.runs < RUNS_PER_DRIVER && slot.driver.is_alive() {
            let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(slot);
            return;
        }
        self.pool.targets.release_own_port(slot.driver.port);
        slot.driver.end().await;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.pool.targets.release_own_port(slot.driver.port);
        }
    }
}
