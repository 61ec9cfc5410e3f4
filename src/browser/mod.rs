//! Scenarios in real browsers: WebDriver sessions, and in them WebDriver BiDi; locators,
//! steps, evidence. Only `check/browser.rs` and the settings use it.
//!
//! Invariant: no run outlives its deadline, and nothing is left behind by one: no process,
//! no profile folder.

mod acting;
mod actions;
mod bidi;
mod capabilities;
mod device;
mod driver;
mod evidence;
mod expect;
mod find;
mod groups;
mod instance;
mod journey;
mod keys;
mod leftovers;
mod locator;
mod memory;
mod pace;
mod pages;
mod pool;
mod read;
mod scenario;
mod seen;
mod session;
mod state;
mod steps;
mod visit;
mod words;

pub use driver::{DriverCommand, find_browser};
pub use find::{Offered, offered};
pub use journey::Journey;
pub use keys::{BROWSER, FLOW, PAGE_EXPECT, STEPS};
pub use leftovers::clean_leftovers;
pub use pace::Pace;
pub use pool::{BrowserSettings, Browsers};
pub use read::read_scenario;
pub use scenario::{Ended, Scenario, Step, Surroundings};
pub use steps::Failure;
pub use visit::Visit;
