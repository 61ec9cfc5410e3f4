//! Whoever looks on while a scenario is written: `haetae scenario try`.

use std::time::Duration;

use async_trait::async_trait;

use super::scenario::Step;
use super::steps::Failure;
use super::visit::Visit;

/// Holds a scenario up between its steps.
#[async_trait]
pub trait Pace: Send + Sync {
    /// Before each step; false ends the scenario.
    async fn before(&self, step: &Step) -> bool;

    /// A step ended; `failed` says why when it did.
    async fn after(&self, step: &Step, took: Duration, failed: Option<&str>);

    /// A step failed; the browser stays as it is until this returns.
    async fn failed(&self, step: &Step, failure: &Failure, visit: &Visit);
}
