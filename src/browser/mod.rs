//! WebDriver: drivers, sessions, locators, steps, evidence. Only `check/browser.rs` uses it.
//!
//! Invariant: no run outlives its deadline, and nothing is left behind by one: no process,
//! no profile folder.

mod actions;
mod driver;
mod evidence;
mod expect;
mod find;
mod journey;
mod keys;
mod leftovers;
mod locator;
mod pool;
mod read;
mod scenario;
mod session;
mod steps;

pub use driver::{DriverCommand, find_browser};
pub use journey::Journey;
pub use keys::{BROWSER, PAGE_EXPECT, STEPS};
pub use leftovers::clean_leftovers;
pub use pool::{BrowserSettings, Browsers};
pub use read::read_scenario;
pub use scenario::{Ended, Scenario, Surroundings};
