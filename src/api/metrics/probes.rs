//! What runs measured, under the names that `blackbox_exporter` gave it.
//!
//! Which name a check has is found by what it measured, never by its kind.

use super::exposition::{Family, Kind, Labels};
use super::families::CheckNow;
use crate::model::{Level, Quantity, Unit};
use crate::status::CheckStatus;
use crate::telemetry::REQUEST_PHASES;

/// A value of the last run; none when it was not measured.
type Value = fn(&CheckStatus) -> Option<f64>;

/// A name, what it is, and its values: each with its phase where there are several.
type Probed = (&'static str, &'static str, &'static [(&'static str, Value)]);

const PROBED: &[Probed] = &[
    (
        "probe_success",
        "Whether the last run was ok or only warned; missing when it could not measure",
        &[("", success)],
    ),
    (
        "probe_duration_seconds",
        "How long the last run took",
        &[("", |status| of(status, "duration"))],
    ),
    (
        "probe_ip_protocol",
        "Version of IP by which the target was reached",
        &[("", |status| status.ip_version.map(f64::from))],
    ),
    (
        "probe_dns_lookup_time_seconds",
        "Resolving the name of the target",
        &[("", |status| of(status, "dns_time"))],
    ),
    (
        "probe_dns_answer_rrs",
        "Records in the answer of a nameserver",
        &[("", |status| of(status, "answers"))],
    ),
    (
        "probe_dns_duration_seconds",
        "How long a nameserver took",
        &[("request", |status| {
            of(status, "answers").and(of(status, "response_time"))
        })],
    ),
    (
        "probe_icmp_duration_seconds",
        "Round trip of an echo, the median",
        &[("rtt", |status| of(status, "round_trip_time"))],
    ),
    (
        "probe_http_status_code",
        "Status of the last answer",
        &[("", |status| of(status, "status"))],
    ),
    (
        "probe_http_version",
        "Version of HTTP of the last answer",
        &[("", |status| status.http_version)],
    ),
    (
        "probe_http_redirects",
        "Redirects that were followed",
        &[("", |status| of(status, "redirects"))],
    ),
    (
        "probe_http_uncompressed_body_length",
        "Size of the answer's body in bytes, unpacked",
        &[("", |status| of(status, "body_size"))],
    ),
    (
        "probe_http_ssl",
        "Whether the last answer came over TLS",
        &[("", |status| {
            let is_certified = status.measured.contains_key("certificate_left");
            of(status, "status").map(|_| f64::from(u8::from(is_certified)))
        })],
    ),
    (
        "probe_ssl_earliest_cert_expiry",
        "When the first certificate of the chain expires, as Unix time in seconds",
        &[("", expiry)],
    ),
];

/// What could not be measured is neither a success nor a failure.
fn success(status: &CheckStatus) -> Option<f64> {
    match status.last_level? {
        Level::Ok | Level::Warning => Some(1.0),
        Level::Critical => Some(0.0),
        Level::Unknown => None,
    }
}

fn of(status: &CheckStatus, name: &str) -> Option<f64> {
    status
        .measured
        .get(name)
        .map(|quantity| in_base_unit(*quantity).0)
}

/// What is measured until the first byte is a request; a phase that it did not need took no
/// time.
fn phase(status: &CheckStatus, name: &str) -> Option<f64> {
    of(status, "first_byte_time").map(|_| of(status, name).unwrap_or(0.0))
}

/// `blackbox_exporter` gives the moment, not what is left.
fn expiry(status: &CheckStatus) -> Option<f64> {
    let left_seconds = of(status, "certificate_left")?;
    let ran = status.last_run?.as_unix_ms() as f64 / 1_000.0;
    Some((ran + left_seconds).round())
}

/// A value in the base unit of Prometheus, and that unit's name.
pub fn in_base_unit(quantity: Quantity) -> (f64, &'static str) {
    match quantity.unit {
        Unit::Count => (quantity.value, "number"),
        Unit::Ms => (quantity.value / 1_000.0, "seconds"),
        Unit::Bytes => (quantity.value, "bytes"),
        Unit::Percent => (quantity.value / 100.0, "ratio"),
    }
}

fn request_phases(checks: &[CheckNow]) -> Family {
    let mut family = Family::new(
        "probe_http_duration_seconds",
        "How long a request took, by phase, over all redirects",
        Kind::Gauge,
    );
    for check in checks {
        for (word, measurement) in REQUEST_PHASES {
            if let Some(value) = phase(&check.status, measurement) {
                family.add(labels(check, word), value);
            }
        }
    }
    family
}

/// What every check's last run measured.
pub fn families(checks: &[CheckNow]) -> Vec<Family> {
    let mut families: Vec<Family> = PROBED
        .iter()
        .map(|(name, help, values)| {
            let mut family = Family::new(name, help, Kind::Gauge);
            for check in checks {
                for (phase, value) in *values {
                    if let Some(value) = value(&check.status) {
                        family.add(labels(check, phase), value);
                    }
                }
            }
            family
        })
        .collect();
    families.push(request_phases(checks));
    families
}

fn labels(check: &CheckNow, phase: &str) -> Labels {
    let mut labels = check.labels();
    if !phase.is_empty() {
        labels.push(("phase", phase.to_owned()));
    }
    labels
}
