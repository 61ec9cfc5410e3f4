//! Browsers kept between runs. Each run has a user context of its own in one of them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::driver::DriverCommand;
use super::instance::Instance;
use super::memory::WORN_TRANSLATOR;
use super::pace::Pace;
use super::state::SavedStates;
use crate::check::net::targets::TargetPolicy;

/// A browser is replaced after so many runs, so that what leaks in it stays small.
const RUNS_PER_BROWSER: u32 = 200;
/// Runs that share one browser; more get another one.
const RUNS_AT_ONCE_PER_BROWSER: u32 = 4;
/// A browser whose runs have left and that still uses more is replaced, in bytes.
const WORN_OUT: u64 = 1 << 30;

/// The settings `webdriver:` and `browsers:`.
#[derive(Debug, Clone)]
pub struct BrowserSettings {
    /// How a driver of our own is started.
    pub command: DriverCommand,
    /// A WebDriver that somebody else runs, instead.
    pub url: Option<String>,
    /// Which browser is asked for there: `chrome` or `firefox`.
    pub remote_browser: String,
    /// The browser program; none takes the cheapest that is installed.
    pub program: Option<PathBuf>,
    /// A whole browser for each run, instead of a user context in a kept one.
    pub fresh_browser: bool,
    /// How many scenarios run at once.
    pub at_once: usize,
    /// What one page may use, in bytes; one that takes more is ended.
    pub page_memory: u64,
    /// Show a window.
    pub headed: bool,
    /// How long is waited before each step, to look on.
    pub slow: Duration,
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
            remote_browser: "chrome".into(),
            program: None,
            fresh_browser: false,
            at_once: 2,
            page_memory: 700 << 20,
            headed: false,
            slow: Duration::ZERO,
            step_timeout: Duration::from_secs(10),
            test_id_attribute: "data-testid".into(),
        }
    }
}

/// Browsers for scenarios, started when first needed.
pub struct Browsers {
    /// As the user set them.
    pub settings: BrowserSettings,
    /// Log-in states that scenarios share.
    pub states: SavedStates,
    /// Whoever looks on while a scenario is written.
    pub pace: Option<Arc<dyn Pace>>,
    targets: Arc<TargetPolicy>,
    permits: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<Arc<Instance>>>>,
    /// One is started at a time: runs that wait for it share it.
    starting: tokio::sync::Mutex<()>,
    started: AtomicU64,
}

/// A place in a browser for one run. Give it back with [`Lease::give_back`].
pub struct Lease {
    /// The browser.
    pub instance: Arc<Instance>,
    kept: Arc<Mutex<Vec<Arc<Instance>>>>,
    returned: bool,
    _permit: OwnedSemaphorePermit,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Browsers {
    /// No browser is started yet.
    #[must_use]
    pub fn new(settings: BrowserSettings, targets: Arc<TargetPolicy>) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(settings.at_once.max(1))),
            settings,
            states: SavedStates::default(),
            pace: None,
            targets,
            kept: Arc::default(),
            starting: tokio::sync::Mutex::default(),
            started: AtomicU64::new(0),
        }
    }

    /// A place in a browser.
    ///
    /// # Errors
    /// In words for people: nothing installed, it does not start, no place before `deadline`.
    pub async fn lease(&self, deadline: Instant) -> Result<Lease, String> {
        let permit = timeout_at(deadline, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| "no browser was free in time".to_owned())?
            .map_err(|_| "haetae is shutting down".to_owned())?;
        let instance = match self.place_in_kept() {
            Some(instance) => instance,
            None => self.start(deadline).await?,
        };
        Ok(Lease {
            instance,
            kept: Arc::clone(&self.kept),
            returned: false,
            _permit: permit,
        })
    }

    async fn start(&self, deadline: Instant) -> Result<Arc<Instance>, String> {
        if let Some(url) = &self.settings.url {
            // Nobody shares it, so that nobody waits for it but the one who asked.
            let instance = Instance::attach(url, &self.settings, &self.targets, deadline).await?;
            return self.keep(instance, true).await;
        }
        let _one = timeout_at(deadline, self.starting.lock())
            .await
            .map_err(|_| "no browser was ready in time".to_owned())?;
        if let Some(instance) = self.place_in_kept() {
            return Ok(instance);
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let instance = Instance::start(&self.settings, &self.targets, number, deadline).await?;
        self.keep(instance, self.settings.fresh_browser).await
    }

    /// Takes a new browser in, for the run that asked for it; `once` is for that run alone.
    async fn keep(&self, instance: Instance, once: bool) -> Result<Arc<Instance>, String> {
        tracing::debug!(browser = instance.name, "browser started");
        if once {
            instance.retire();
        }
        let instance = Arc::new(instance);
        instance.active.fetch_add(1, Ordering::AcqRel);
        instance.runs.fetch_add(1, Ordering::AcqRel);
        let closed = {
            let mut kept = locked(&self.kept);
            let closed = self.permits.is_closed();
            if !closed {
                kept.push(Arc::clone(&instance));
            }
            closed
        };
        if closed {
            instance.end().await;
            return Err("haetae is shutting down".into());
        }
        Ok(instance)
    }

    fn place_in_kept(&self) -> Option<Arc<Instance>> {
        let kept = locked(&self.kept);
        let instance = kept.iter().find(|instance| {
            instance.is_sound()
                && instance.runs.load(Ordering::Acquire) < RUNS_PER_BROWSER
                && instance.active.load(Ordering::Acquire) < RUNS_AT_ONCE_PER_BROWSER
        })?;
        instance.active.fetch_add(1, Ordering::AcqRel);
        instance.runs.fetch_add(1, Ordering::AcqRel);
        Some(Arc::clone(instance))
    }

    /// Ends every browser, and waits for those that are ending; runs that still have one notice.
    pub async fn shut_down(&self) {
        self.permits.close();
        let kept = std::mem::take(&mut *locked(&self.kept));
        join_all(kept.iter().map(|instance| instance.end())).await;
    }
}

impl Lease {
    /// Gives the place back. A browser that is not sound is ended at once, and so is one
    /// that has done its work when its last run leaves.
    pub async fn give_back(mut self, sound: bool) {
        self.returned = true;
        let last = self.instance.active.fetch_sub(1, Ordering::AcqRel) == 1;
        if !sound {
            self.instance.retire();
        }
        let used = self.instance.memory();
        let worn = self.instance.runs.load(Ordering::Acquire) >= RUNS_PER_BROWSER
            || used.translator_bytes > WORN_TRANSLATOR
            || (last && used.bytes > WORN_OUT);
        if worn {
            self.instance.retire();
        }
        if !sound || (last && !self.instance.is_sound()) {
            self.discard().await;
        }
    }

    async fn discard(&self) {
        // Known until it has ended, so that a shutdown waits for that.
        self.instance.end().await;
        locked(&self.kept).retain(|kept| !Arc::ptr_eq(kept, &self.instance));
    }
}

/// A run that was dropped in the middle: what it had open in the browser is not known, so
/// that nobody else gets it.
impl Drop for Lease {
    fn drop(&mut self) {
        if self.returned {
            return;
        }
        self.instance.active.fetch_sub(1, Ordering::AcqRel);
        self.instance.retire();
        let (instance, kept) = (Arc::clone(&self.instance), Arc::clone(&self.kept));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                instance.end().await;
                locked(&kept).retain(|kept| !Arc::ptr_eq(kept, &instance));
            });
        }
    }
}
