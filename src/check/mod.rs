//! The kinds of check: a table, a trait, one file per kind.
//!
//! Invariant: a probe answers with what it saw, never with what it means.

pub mod attempt;
pub mod browser;
pub mod capture;
pub mod command;
pub mod dialogue;
pub mod dns;
pub mod domain;
pub mod expect;
pub mod grpc;
pub mod heartbeat;
pub mod host;
pub mod http;
pub mod load;
pub mod mail_dns;
pub mod matcher;
pub mod net;
pub mod ping;
pub mod prometheus;
pub mod pulse;
pub mod redis;
pub mod retry;
pub mod services;
pub mod smtp;
pub mod sql;
pub mod tcp;
pub mod texts;
pub mod tls;
pub mod udp;
pub mod websocket;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::decode::{Node, Reader, Shape, Spec};
use crate::model::{Check, Outcome, Quantity, Retry, RunId, Threshold, Timestamp, Unit};

pub use services::Services;

/// Every kind, one line each.
pub static KINDS: &[&Kind] = &[
    &http::KIND,
    &tcp::KIND,
    &tls::KIND,
    &dns::KIND,
    &domain::KIND,
    &ping::KIND,
    &udp::KIND,
    &smtp::KIND,
    &mail_dns::KIND,
    &websocket::KIND,
    &grpc::KIND,
    &sql::KIND,
    &redis::KIND,
    &prometheus::KIND,
    &host::KIND,
    &command::KIND,
    &heartbeat::KIND,
    &browser::KIND,
];

/// One kind of check.
#[derive(Debug)]
pub struct Kind {
    /// The key in YAML.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub doc: &'static str,
    /// The keys of its block.
    pub settings: &'static Spec,
    /// The keys of `expect:`.
    pub expect: &'static Spec,
    /// What `steps:` and `always:` look like; none for a kind without them.
    pub steps: Option<&'static Shape>,
    /// Whose permits its runs need.
    pub pool: Pool,
    /// What it always measures, `duration` aside.
    pub measures: &'static [(&'static str, Unit)],
    /// Turns the blocks into a probe; none when there were problems.
    pub read: fn(&Blocks<'_>, &mut Reader<'_>) -> Option<Box<dyn Probe>>,
}

/// Runs are limited by what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pool {
    /// A socket or two.
    Light,
    /// A whole browser.
    Browser,
}

impl Pool {
    /// Every pool.
    pub const ALL: [Self; 2] = [Self::Light, Self::Browser];

    /// One word, for metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Browser => "browser",
        }
    }
}

/// The parts of a check's YAML that its kind reads.
pub struct Blocks<'n> {
    /// The kind's own block.
    pub settings: &'n Node,
    /// `expect:`
    pub expect: Option<&'n Node>,
    /// `measure:`
    pub measure: Option<&'n Node>,
    /// `steps:`
    pub steps: Option<&'n Node>,
    /// `always:`
    pub always: Option<&'n Node>,
    /// Of one attempt.
    pub attempt_timeout: Duration,
    /// Of the whole run.
    pub timeout: Duration,
    /// Inside one run.
    pub retry: Retry,
}

/// How one check measures.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Measures once. Ends by `run.deadline` by itself, with an outcome that says what was
    /// being waited for; dropping the future frees everything it holds.
    async fn run(&self, run: &RunContext) -> Outcome;

    /// What it measures beyond its kind's table: names of `measure:` and of named steps,
    /// with the unit where one is known.
    fn extra_measures(&self) -> Vec<(String, Option<Unit>)> {
        Vec::new()
    }

    /// Whether a run may measure names that nobody knows before it, so that thresholds may
    /// be set on any name.
    fn measures_any_name(&self) -> bool {
        false
    }

    /// Bounds that the kind's own blocks set, on named steps.
    fn extra_thresholds(&self) -> Vec<Threshold> {
        Vec::new()
    }

    /// How many runs of before it wants to know when haetae starts.
    fn recalls(&self) -> u32 {
        0
    }

    /// Takes what its check measured before haetae started, the newest run first, so that a
    /// restart forgets nothing.
    fn recall(&self, services: &Services, past: &[Past]) {
        let _ = (services, past);
    }

    /// Whose calls it waits for.
    fn called_by(&self) -> Option<&heartbeat::TokenKey> {
        None
    }

    /// The host that is asked, for the retry budget; empty when there is none.
    fn target(&self) -> String {
        String::new()
    }
}

/// What a run of before measured.
#[derive(Debug, Clone)]
pub struct Past {
    /// When it started.
    pub started: Timestamp,
    /// Name → number with its unit.
    pub measurements: BTreeMap<String, Quantity>,
}

/// What one run needs.
pub struct RunContext {
    /// The check.
    pub check: Arc<Check>,
    /// The run's id.
    pub id: RunId,
    /// When it started, for `${now}` and evidence.
    pub started: Timestamp,
    /// When it must be over.
    pub deadline: Instant,
    /// Values that earlier steps of a scenario remembered.
    pub captured: BTreeMap<String, String>,
    /// What all checks share.
    pub services: Arc<Services>,
}

impl RunContext {
    /// The same run with an earlier end.
    #[must_use]
    pub fn with(&self, deadline: Instant) -> Self {
        Self {
            check: Arc::clone(&self.check),
            id: self.id.clone(),
            started: self.started,
            deadline: deadline.min(self.deadline),
            captured: self.captured.clone(),
            services: Arc::clone(&self.services),
        }
    }
}

/// A check that can be run.
#[derive(Clone)]
pub struct Runnable {
    /// What the core sees.
    pub check: Arc<Check>,
    /// How it measures.
    pub probe: Arc<dyn Probe>,
    /// Whose permits it needs.
    pub pool: Pool,
}

impl std::fmt::Debug for Runnable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runnable({})", self.check.id)
    }
}

/// The kind called `name`.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
