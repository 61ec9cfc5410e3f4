//! When checks are due, and running them.
//!
//! Invariants: no check is doubled; a slow one delays no other kind; every run ends.

mod plan;
mod runner;

pub use plan::{Due, Plan};
pub use runner::{Asked, Finished, Job, Order, Report, Runner, RunnerOptions, run_once};
