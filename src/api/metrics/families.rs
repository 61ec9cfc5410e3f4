//! From what is known right now to families of samples; pure.
//!
//! Cardinality is bounded by what is configured: checks, channels, and so many measurements
//! of a check.

use std::collections::BTreeMap;

use super::exposition::{Family, Kind, Labels, Sample, number};
use super::probes;
use crate::check::load::PoolLoad;
use crate::model::{Level, Suppression, Timestamp};
use crate::status::{CheckStatus, LATENESS_BOUNDS_MS, Totals};

/// A check may bring so many measurements of its own; the first by name are given.
const MOST_MEASUREMENTS: usize = 50;

/// Results of attempts to send.
const RESULTS: [&str; 3] = ["sent", "retry", "dead"];

/// What is known right now.
pub struct Snapshot {
    /// Every enabled check.
    pub checks: Vec<CheckNow>,
    /// Numbers since the start.
    pub totals: Totals,
    /// How busy the runner is.
    pub pools: Vec<PoolLoad>,
    /// Every channel.
    pub channels: Vec<ChannelNow>,
    /// Open incidents by level.
    pub open: BTreeMap<Level, u64>,
    /// Whether the files as they are now are in use.
    pub files_are_sound: bool,
    /// When this process started.
    pub started: Timestamp,
}

/// A check as it stands.
pub struct CheckNow {
    /// Its id.
    pub id: String,
    /// Its group.
    pub group: String,
    /// Its kind's name.
    pub kind: &'static str,
    /// The host that it asks; empty when there is none.
    pub target: String,
    /// How it fares.
    pub status: CheckStatus,
}

impl CheckNow {
    /// `instance` is what dashboards for `blackbox_exporter` tell targets apart by.
    pub fn labels(&self) -> Labels {
        let mut labels = vec![
            ("check", self.id.clone()),
            ("group", self.group.clone()),
            ("kind", self.kind.to_owned()),
            ("instance", self.id.clone()),
        ];
        if !self.target.is_empty() {
            labels.push(("target", self.target.clone()));
        }
        labels
    }
}

/// A channel as it stands.
pub struct ChannelNow {
    /// Its name.
    pub name: String,
    /// Messages still to be sent.
    pub owed: u64,
    /// Messages given up.
    pub dead: u64,
}

impl ChannelNow {
    /// A channel that is owed nothing.
    pub const fn new(name: String) -> Self {
        Self {
            name,
            owed: 0,
            dead: 0,
        }
    }
}

/// Everything, in the order in which it is written; families without samples too.
pub fn families(now: &Snapshot) -> Vec<Family> {
    let mut families = probes::families(&now.checks);
    families.extend(of_checks(&now.checks));
    families.extend(measurements(&now.checks));
    families.extend(of_running(now));
    families.extend(of_telling(now));
    families.extend(of_itself(now));
    families
}

fn gauge(name: &'static str, help: &'static str) -> Family {
    Family::new(name, help, Kind::Gauge)
}

fn counter(name: &'static str, help: &'static str) -> Family {
    Family::new(name, help, Kind::Counter)
}

fn of_checks(checks: &[CheckNow]) -> [Family; 5] {
    let mut level = gauge(
        "haetae_check_level",
        "Believed level: 0 ok, 1 warning, 2 unknown, 3 critical",
    );
    let mut ran = gauge(
        "haetae_check_last_run_timestamp_seconds",
        "When the last run started, as Unix time",
    );
    let mut runs = counter("haetae_check_runs_total", "Runs that are over");
    let mut flaky = counter(
        "haetae_check_flaky_runs_total",
        "Runs that passed only on a retry",
    );
    let mut late = counter(
        "haetae_check_late_runs_total",
        "Due times missed because the run before was still going",
    );
    for check in checks {
        let status = &check.status;
        level.add(check.labels(), level_number(status.level));
        if let Some(at) = status.last_run {
            ran.add(check.labels(), at.as_unix_ms() as f64 / 1_000.0);
        }
        runs.add(check.labels(), status.runs as f64);
        flaky.add(check.labels(), status.flaky as f64);
        late.add(check.labels(), status.late as f64);
    }
    [level, ran, runs, flaky, late]
}

const fn level_number(level: Level) -> f64 {
    match level {
        Level::Ok => 0.0,
        Level::Warning => 1.0,
        Level::Unknown => 2.0,
        Level::Critical => 3.0,
    }
}

fn measurements(checks: &[CheckNow]) -> [Family; 2] {
    let mut given = gauge(
        "haetae_measurement",
        "Every measurement of the last run, in seconds, bytes, as a ratio or as a plain number",
    );
    let mut left_out = gauge(
        "haetae_measurements_left_out",
        "Measurements of the last run beyond the 50 that are given",
    );
    for check in checks {
        let measured = &check.status.measured;
        for (name, quantity) in measured.iter().take(MOST_MEASUREMENTS) {
            let (value, unit) = probes::in_base_unit(*quantity);
            let labels = vec![
                ("check", check.id.clone()),
                ("name", name.clone()),
                ("unit", unit.to_owned()),
            ];
            given.add(labels, value);
        }
        let rest = measured.len().saturating_sub(MOST_MEASUREMENTS);
        if rest > 0 {
            left_out.add(vec![("check", check.id.clone())], rest as f64);
        }
    }
    [given, left_out]
}

fn of_running(now: &Snapshot) -> [Family; 6] {
    let totals = &now.totals;
    let mut runs = counter("haetae_runs_total", "Runs of all checks that are over");
    runs.add(Vec::new(), totals.runs as f64);
    let mut late = counter(
        "haetae_runs_late_total",
        "Due times of all checks that were missed",
    );
    late.add(Vec::new(), totals.late as f64);
    let mut permits = gauge("haetae_permits", "Runs that may go on at once");
    let mut running = gauge("haetae_runs_running", "Runs that are going on");
    let mut waiting = gauge("haetae_runs_waiting", "Runs that are due and wait for a permit");
    for pool in &now.pools {
        let labels = || vec![("pool", pool.pool.to_owned())];
        permits.add(labels(), pool.permits as f64);
        running.add(labels(), pool.running as f64);
        waiting.add(labels(), pool.waiting as f64);
    }
    [runs, late, lateness(totals), permits, running, waiting]
}

fn lateness(totals: &Totals) -> Family {
    let mut family = Family::new(
        "haetae_run_lateness_seconds",
        "How long after its due time a run started",
        Kind::Histogram,
    );
    let bounds = LATENESS_BOUNDS_MS
        .iter()
        .map(|bound| *bound as f64 / 1_000.0)
        .chain([f64::INFINITY]);
    let mut sample = |suffix, labels, value| {
        family.samples.push(Sample {
            suffix,
            labels,
            value,
        });
    };
    let mut up_to = 0;
    for (bound, count) in bounds.zip(totals.lateness) {
        up_to += count;
        sample("_bucket", vec![("le", number(bound))], up_to as f64);
    }
    sample("_sum", Vec::new(), totals.lateness_sum_ms / 1_000.0);
    sample("_count", Vec::new(), up_to as f64);
    family
}

fn of_telling(now: &Snapshot) -> [Family; 6] {
    let mut open = gauge("haetae_incidents_open", "Incidents that are open, by level");
    for level in [Level::Warning, Level::Unknown, Level::Critical] {
        let count = now.open.get(&level).copied().unwrap_or(0);
        open.add(vec![("level", level.to_string())], count as f64);
    }
    let mut opened = counter("haetae_incidents_opened_total", "Incidents that were opened");
    opened.add(Vec::new(), now.totals.incidents_opened as f64);
    let mut attempts = counter(
        "haetae_deliveries_total",
        "Attempts to send a message, by channel and result: sent, retry, dead",
    );
    let mut owed = gauge("haetae_deliveries_owed", "Messages that are still to be sent");
    let mut dead = gauge("haetae_deliveries_dead", "Messages that were given up");
    for channel in &now.channels {
        let name = || ("channel", channel.name.clone());
        owed.add(vec![name()], channel.owed as f64);
        dead.add(vec![name()], channel.dead as f64);
        for result in RESULTS {
            let of_channel = now.totals.deliveries.get(&channel.name);
            let count = of_channel.and_then(|counts| counts.get(result)).copied();
            attempts.add(vec![name(), ("result", result.into())], count.unwrap_or(0) as f64);
        }
    }
    let mut suppressed = counter(
        "haetae_changes_suppressed_total",
        "Changes of incidents that were told to nobody, by reason",
    );
    let mut reasons: BTreeMap<&str, u64> = Suppression::WORDS.map(|word| (word, 0)).into();
    reasons.extend(&now.totals.suppressed);
    for (reason, count) in reasons {
        suppressed.add(vec![("reason", reason.to_owned())], count as f64);
    }
    [open, opened, attempts, owed, dead, suppressed]
}

fn of_itself(now: &Snapshot) -> [Family; 5] {
    let mut failures = counter(
        "haetae_store_failures_total",
        "Times the store could not be written",
    );
    failures.add(Vec::new(), now.totals.store_failures as f64);
    let mut exported = counter(
        "haetae_otel_runs_total",
        "Runs for a collector of OpenTelemetry, by result: sent, dropped",
    );
    for result in ["sent", "dropped"] {
        let count = now.totals.exports.get(result).copied().unwrap_or(0);
        exported.add(vec![("result", result.to_owned())], count as f64);
    }
    let mut sound = gauge(
        "haetae_config_last_reload_successful",
        "Whether the files as they are now are in use",
    );
    sound.add(Vec::new(), f64::from(u8::from(now.files_are_sound)));
    let mut started = gauge("process_start_time_seconds", "When haetae started, as Unix time");
    started.add(Vec::new(), now.started.as_unix_ms() as f64 / 1_000.0);
    let mut build = gauge("haetae_build_info", "Which haetae this is; always 1");
    build.add(vec![("version", env!("CARGO_PKG_VERSION").into())], 1.0);
    [failures, exported, sound, started, build]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::exposition::{Format, write};
    use super::*;
    use crate::model::{Quantity, Unit};

    fn snapshot(measured: &[(&str, f64, Unit)], last_level: Level) -> Snapshot {
        let measured = measured
            .iter()
            .map(|(name, value, unit)| {
                let (value, unit) = (*value, *unit);
                ((*name).to_owned(), Quantity { value, unit })
            })
            .collect();
        let status = CheckStatus {
            measured,
            last_level: Some(last_level),
            last_run: Some(Timestamp::from_unix_ms(1_000_000)),
            http_version: Some(1.1),
            ip_version: Some(4),
            ..CheckStatus::default()
        };
        Snapshot {
            checks: vec![CheckNow {
                id: "a/b".into(),
                group: "a".into(),
                kind: "k",
                target: "a.example".into(),
                status,
            }],
            totals: Totals::default(),
            pools: Vec::new(),
            channels: vec![ChannelNow::new("oncall".into())],
            open: BTreeMap::new(),
            files_are_sound: true,
            started: Timestamp::from_unix_ms(0),
        }
    }

    fn text(measured: &[(&str, f64, Unit)], last_level: Level) -> String {
        write(&families(&snapshot(measured, last_level)), Format::Prometheus)
    }

    /// The value of a line.
    fn value<'t>(text: &'t str, name: &str, label: &str) -> Option<&'t str> {
        text.lines()
            .find(|line| line.split('{').next() == Some(name) && line.contains(label))?
            .rsplit(' ')
            .next()
    }

    #[test]
    fn measurements_have_the_names_and_units_that_dashboards_know() {
        let text = text(
            &[
                ("duration", 250.0, Unit::Ms),
                ("first_byte_time", 120.0, Unit::Ms),
                ("connect_time", 5.0, Unit::Ms),
                ("status", 200.0, Unit::Count),
                ("certificate_left", 86_400_000.0, Unit::Ms),
                ("loss", 50.0, Unit::Percent),
                ("body_size", 2_048.0, Unit::Bytes),
            ],
            Level::Warning,
        );
        let all = "check=\"a/b\",group=\"a\",kind=\"k\",instance=\"a/b\",target=\"a.example\"";
        for (name, label, wanted) in [
            ("probe_success", all, Some("1")),
            ("probe_duration_seconds", all, Some("0.25")),
            ("probe_ip_protocol", "", Some("4")),
            ("probe_http_version", "", Some("1.1")),
            ("probe_http_ssl", "", Some("1")),
            (
                "probe_http_duration_seconds",
                "phase=\"processing\"",
                Some("0.12"),
            ),
            ("probe_http_duration_seconds", "phase=\"connect\"", Some("0.005")),
            ("probe_http_duration_seconds", "phase=\"tls\"", Some("0")),
            ("probe_ssl_earliest_cert_expiry", "", Some("87400")),
            ("probe_http_uncompressed_body_length", "", Some("2048")),
            ("haetae_measurement", "name=\"loss\",unit=\"ratio\"", Some("0.5")),
            (
                "haetae_measurement",
                "name=\"duration\",unit=\"seconds\"",
                Some("0.25"),
            ),
            ("probe_dns_answer_rrs", "", None),
            (
                "haetae_deliveries_total",
                "channel=\"oncall\",result=\"retry\"",
                Some("0"),
            ),
        ] {
            assert_eq!(value(&text, name, label), wanted, "{name} {label}:\n{text}");
        }
    }

    #[test]
    fn what_could_not_be_measured_is_no_failure() {
        assert_eq!(value(&text(&[], Level::Unknown), "probe_success", ""), None);
        assert_eq!(value(&text(&[], Level::Critical), "probe_success", ""), Some("0"));
    }

    #[test]
    fn a_check_brings_so_many_measurements_and_no_more() {
        let names: Vec<String> = (100..170).map(|n| format!("m{n}")).collect();
        let measured: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), 1.0, Unit::Count))
            .collect();
        let text = text(&measured, Level::Ok);
        let lines = text
            .lines()
            .filter(|line| line.starts_with("haetae_measurement{"));
        assert_eq!(lines.count(), MOST_MEASUREMENTS);
        assert_eq!(value(&text, "haetae_measurements_left_out", ""), Some("20"));
    }

    #[test]
    fn buckets_count_up_to_their_bound() {
        let mut now = snapshot(&[], Level::Ok);
        now.totals.lateness = [3, 2, 0, 0, 0, 0, 0, 0, 1];
        let text = write(&families(&now), Format::Prometheus);
        for (label, wanted) in [("le=\"0.001\"", "3"), ("le=\"1\"", "5"), ("le=\"+Inf\"", "6")] {
            assert_eq!(
                value(&text, "haetae_run_lateness_seconds_bucket", label),
                Some(wanted)
            );
        }
    }

    #[test]
    fn every_name_is_documented_and_no_other() {
        let page = include_str!("../../../docs/metrics.md");
        let documented: BTreeSet<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .filter(|name| !name.contains(' ') && name.contains('_'))
            .collect();
        let served = families(&snapshot(&[], Level::Ok));
        let served: BTreeSet<&str> = served.iter().map(|family| family.name).collect();
        assert_eq!(documented, served);
    }
}
