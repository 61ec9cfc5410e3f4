//! What is known right now, for pages and metrics. Nothing decides by it.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde::Serialize;

use crate::alert::CheckState;
use crate::model::{
    ChannelName, CheckId, Evidence, Level, Quantity, RunRecord, Suppression, Timestamp, TransitionKind,
};

/// A check as it stands.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CheckStatus {
    /// The level that is believed.
    pub level: Level,
    /// The level of the last run.
    pub last_level: Option<Level>,
    /// When the last run started.
    pub last_run: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub last_took_ms: u64,
    /// Its worst reason.
    pub headline: String,
    /// What it measured.
    pub measured: BTreeMap<String, Quantity>,
    /// Runs since the start.
    pub runs: u64,
    /// Of them, passed only on a retry.
    pub flaky: u64,
    /// Due times missed since the start.
    pub late: u64,
    /// Version of IP by which the target was reached.
    #[serde(skip)]
    pub ip_version: Option<u8>,
    /// Version of HTTP of the last answer.
    #[serde(skip)]
    pub http_version: Option<f64>,
}

/// Numbers about haetae itself since its start.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    /// Runs that are over.
    pub runs: u64,
    /// Due times missed.
    pub late: u64,
    /// How late runs started: counts up to each of [`LATENESS_BOUNDS_MS`], and beyond.
    pub lateness: [u64; LATENESS_BOUNDS_MS.len() + 1],
    /// The sum of all latenesses, in milliseconds.
    pub lateness_sum_ms: f64,
    /// Incidents opened.
    pub incidents_opened: u64,
    /// Changes that were told to nobody, by the reason's word.
    pub suppressed: BTreeMap<&'static str, u64>,
    /// Times the store could not be written.
    pub store_failures: u64,
    /// Runs told to a collector, by result.
    pub exports: BTreeMap<&'static str, u64>,
    /// Attempts to send: channel → result → how many.
    pub deliveries: BTreeMap<String, BTreeMap<&'static str, u64>>,
}

/// Upper bounds of the lateness histogram, in milliseconds.
pub const LATENESS_BOUNDS_MS: [u64; 8] = [1, 5, 10, 25, 50, 100, 500, 1_000];

/// How the last reload went.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReloadStatus {
    /// When it was tried.
    pub at: Option<Timestamp>,
    /// What is wrong with the files as they are now; empty when they are in use.
    pub problems: Vec<String>,
}

/// Shared by who writes it (recorder, reloader) and who shows it.
#[derive(Default)]
pub struct Status {
    checks: RwLock<HashMap<CheckId, CheckStatus>>,
    totals: RwLock<Totals>,
    reload: RwLock<ReloadStatus>,
}

impl Status {
    /// A check as it stands; nothing is known of one that has not run.
    #[must_use]
    pub fn check(&self, id: &CheckId) -> CheckStatus {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner);
        checks.get(id).cloned().unwrap_or_default()
    }

    /// Numbers about haetae itself.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the last reload went.
    #[must_use]
    pub fn reload(&self) -> ReloadStatus {
        self.reload.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how a reload went.
    pub fn note_reload(&self, at: Timestamp, problems: Vec<String>) {
        *self.reload.write().unwrap_or_else(PoisonError::into_inner) = ReloadStatus {
            at: Some(at),
            problems,
        };
    }

    /// Notes what is believed of a check before its first run.
    pub fn note_level(&self, id: &CheckId, level: Level) {
        let mut checks = self.checks.write().unwrap_or_else(PoisonError::into_inner);
        checks.entry(id.clone()).or_default().level = level;
    }

    /// Notes a run.
    pub fn note_run(&self, run: &RunRecord, state: &CheckState, lateness: Duration) {
        {
            let mut checks = self.checks.write().unwrap_or_else(PoisonError::into_inner);
            let status = checks.entry(run.check.clone()).or_default();
            status.level = state.level();
            status.last_level = Some(run.verdict.level);
            status.last_run = Some(run.started);
            status.last_took_ms = u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX);
            status.headline = run.verdict.headline();
            status.measured.clone_from(&run.outcome.measurements);
            (status.ip_version, status.http_version) = versions(&run.outcome.evidence);
            status.runs += 1;
            status.flaky += u64::from(run.is_flaky());
        }
        let mut totals = self.totals.write().unwrap_or_else(PoisonError::into_inner);
        totals.runs += 1;
        let lateness_ms = lateness.as_secs_f64() * 1_000.0;
        totals.lateness_sum_ms += lateness_ms;
        let bucket = LATENESS_BOUNDS_MS
            .iter()
            .position(|bound| lateness_ms <= *bound as f64)
            .unwrap_or(LATENESS_BOUNDS_MS.len());
        totals.lateness[bucket] += 1;
    }

    /// Notes a due time that was missed.
    pub fn note_late(&self, id: &CheckId) {
        let mut checks = self.checks.write().unwrap_or_else(PoisonError::into_inner);
        checks.entry(id.clone()).or_default().late += 1;
        drop(checks);
        self.totals.write().unwrap_or_else(PoisonError::into_inner).late += 1;
    }

    /// Notes a change of an incident, and why it was told to nobody.
    pub fn note_change(&self, kind: TransitionKind, held: Option<&Suppression>) {
        let mut totals = self.totals.write().unwrap_or_else(PoisonError::into_inner);
        totals.incidents_opened += u64::from(kind == TransitionKind::Opened);
        if let Some(held) = held {
            *totals.suppressed.entry(held.word()).or_default() += 1;
        }
    }

    /// Notes that an attempt to send has ended, and how.
    pub fn note_delivery(&self, channel: &ChannelName, result: &'static str) {
        let mut totals = self.totals.write().unwrap_or_else(PoisonError::into_inner);
        let results = totals.deliveries.entry(channel.to_string()).or_default();
        *results.entry(result).or_default() += 1;
    }

    /// Notes that runs were exported (`sent`), or not (`dropped`).
    pub fn note_export(&self, result: &'static str, runs: u64) {
        let mut totals = self.totals.write().unwrap_or_else(PoisonError::into_inner);
        *totals.exports.entry(result).or_default() += runs;
    }

    /// Notes that the store could not be written.
    pub fn note_store_failure(&self) {
        self.totals
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .store_failures += 1;
    }

    /// Forgets checks that are no longer watched.
    pub fn forget(&self, ids: &[CheckId]) {
        let mut checks = self.checks.write().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            checks.remove(id);
        }
    }
}

/// Which IP and which HTTP the facts of a run speak of.
fn versions(evidence: &Evidence) -> (Option<u8>, Option<f64>) {
    let fact = |name: &str| {
        let mut facts = evidence.facts.iter();
        facts
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    let ip = fact("address").and_then(|address| {
        let socket = address.parse::<SocketAddr>().map(|address| address.ip());
        let ip = socket.or_else(|_| address.parse::<IpAddr>()).ok()?;
        Some(if ip.is_ipv4() { 4 } else { 6 })
    });
    let http = fact("status").and_then(|status| {
        let version = status.strip_prefix("HTTP/")?;
        version.split(' ').next()?.parse().ok()
    });
    (ip, http)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_off_the_facts() {
        for (address, status, wanted) in [
            ("192.0.2.7:443", "HTTP/1.1 200 OK", (Some(4), Some(1.1))),
            (
                "[2001:db8::1]:443",
                "HTTP/2.0 404 Not Found",
                (Some(6), Some(2.0)),
            ),
            ("192.0.2.7", "active", (Some(4), None)),
            ("shop.example", "HTTP/ 200", (None, None)),
        ] {
            let facts = vec![
                ("address".to_owned(), address.to_owned()),
                ("status".to_owned(), status.to_owned()),
            ];
            let evidence = Evidence {
                facts,
                ..Evidence::default()
            };
            assert_eq!(versions(&evidence), wanted, "{address} {status}");
        }
    }
}
