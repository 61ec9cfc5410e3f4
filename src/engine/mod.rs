//! The alert engine: everything that decides, in one value.
//!
//! It takes in runs, commands and the passing of time, and gives out a [`Batch`]: what is
//! written in one transaction. It reads no clock, draws no randomness but from its seed, and
//! cannot fail; so a simulation drives thousands of worlds through it, and a replay too.
//!
//! Telling compares what each channel was told with what is true. What a suppression held
//! back needs no memory of its own: when the suppression ends, the comparison says what is
//! still to be told, and to whom.

mod commands;
mod gaps;
mod own;
mod runs;
mod sight;
mod storms;
mod telling;
mod timers;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::{Batch, CheckState};
use crate::judge::Past;
use crate::model::{Check, CheckId, Incident, IncidentId, Quiet, TimelineEntry, Timestamp};
use crate::route::{Ledger, Policy, Storms};

pub use commands::{Command, Refusal};
pub use own::{WATCHDOG, is_own, stand_in, watchdog_check};
pub use runs::{Effect, Run};
pub use telling::notice;

use gaps::Gaps;
use sight::Sight;

/// Resolved incidents stay known this long, so that they can reopen.
const KEEPS: Duration = Duration::from_mins(10);

/// What was known when the last process ended.
#[derive(Debug, Default)]
pub struct Memory {
    /// The state of every check that has one.
    pub states: Vec<(CheckId, CheckState)>,
    /// Open incidents, and those resolved lately enough to reopen.
    pub incidents: Vec<Incident>,
    /// Silences and deployments that have not ended.
    pub quiets: Vec<Quiet>,
}

/// Incidents resolved after this may still reopen.
#[must_use]
pub fn remembers_since(now: Timestamp) -> Timestamp {
    now - KEEPS
}

/// Everything that decides.
pub struct Engine {
    policy: Arc<Policy>,
    states: HashMap<CheckId, CheckState>,
    pasts: HashMap<CheckId, Past>,
    ledger: Ledger,
    quiets: Vec<Quiet>,
    storms: Storms,
    sight: Sight,
    gaps: Gaps,
    own: HashMap<CheckId, Arc<Check>>,
    random: fastrand::Rng,
    pending: Batch,
    pending_states: HashMap<CheckId, CheckState>,
}

impl Engine {
    /// Takes up where the last process stopped. The same seed and the same inputs give the
    /// same outputs.
    #[must_use]
    pub fn new(policy: Arc<Policy>, memory: Memory, seed: u64, now: Timestamp) -> Self {
        let mut engine = Self {
            gaps: Gaps::new(&policy, now),
            policy,
            states: memory.states.into_iter().collect(),
            pasts: HashMap::new(),
            ledger: Ledger::default(),
            quiets: memory.quiets,
            storms: Storms::default(),
            sight: Sight::default(),
            own: HashMap::new(),
            random: fastrand::Rng::with_seed(seed),
            pending: Batch::default(),
            pending_states: HashMap::new(),
        };
        for incident in memory.incidents {
            engine.storms.restore(&incident);
            let check = engine.check_of(&incident.check);
            let again = engine.look_again(&incident, check.as_deref(), now);
            let check = check.unwrap_or_else(|| own::stranger(&incident.check));
            engine.ledger.put(incident, &check, &engine.policy, again);
        }
        engine.close_unwatched(now);
        engine
    }

    /// What is believed of every check.
    pub fn states(&self) -> impl Iterator<Item = (&CheckId, &CheckState)> {
        self.states.iter()
    }

    /// Takes in what a check measured before its first run here.
    pub fn take_past(&mut self, check: &CheckId, earlier: Past) {
        if self.policy.watched(check).is_some() {
            self.pasts.entry(check.clone()).or_default().join(earlier);
        }
    }

    /// Open incidents, and those that may reopen.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Silences and deployments that have not ended.
    #[must_use]
    pub fn quiets(&self) -> &[Quiet] {
        &self.quiets
    }

    /// What is to be written, with the latest state of each check that ran.
    pub fn batch(&mut self, now: Timestamp) -> &Batch {
        self.pending.states = self
            .pending_states
            .iter()
            .map(|(id, state)| (id.clone(), state.clone()))
            .collect();
        self.pending.at = Some(now);
        &self.pending
    }

    /// What waits to be written, for a shell that must make it shorter or send from it.
    pub fn pending(&mut self) -> &mut Batch {
        &mut self.pending
    }

    /// Whether nothing waits to be written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.pending_states.is_empty()
    }

    /// The batch was written.
    pub fn written(&mut self, now: Timestamp) {
        self.pending = Batch::default();
        self.pending_states.clear();
        self.ledger.prune(remembers_since(now));
    }

    /// The definition of a check, of haetae's own too.
    fn check_of(&mut self, id: &CheckId) -> Option<Arc<Check>> {
        if is_own(id) {
            return Some(self.own_check(id));
        }
        self.policy.checks.get(id).cloned()
    }

    fn new_key(&mut self) -> String {
        format!("{:032x}", self.random.u128(..))
    }

    fn new_incident(&mut self) -> IncidentId {
        IncidentId::from_entropy(self.random.u64(..))
    }

    fn note(&mut self, incident: &IncidentId, at: Timestamp, what: &str, by: &str, text: impl Into<String>) {
        self.pending.timeline.push(TimelineEntry {
            incident: incident.clone(),
            at,
            what: what.to_owned(),
            by: by.to_owned(),
            text: text.into(),
        });
    }
}

#[cfg(test)]
mod tests;
