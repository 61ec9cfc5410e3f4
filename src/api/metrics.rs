//! `/metrics` in the `OpenMetrics` text format. `probe_*` names are `blackbox_exporter`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::ApiParts;
use super::problem::ApiProblem;
use super::router::Parts;
use crate::check::Runnable;
use crate::model::{Level, Unit};
use crate::status::{CheckStatus, LATENESS_BOUNDS_MS};

/// Everything, read off at the time of asking.
pub async fn metrics(State(parts): Parts) -> Result<Response, ApiProblem> {
    let (owed, dead) = parts.store.delivery_counts().await?;
    let open = parts.store.incidents(true, 100_000).await?.len();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Now {
        parts: Arc::clone(&parts),
        owed,
        dead,
        open: open as u64,
    }));
    let mut body = String::new();
    if text::encode(&mut body, &registry).is_err() {
        return Err(ApiProblem::bad_request("the metrics could not be written"));
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

struct Now {
    parts: Arc<ApiParts>,
    owed: u64,
    dead: u64,
    open: u64,
}

impl std::fmt::Debug for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Now")
    }
}

type Written = Result<(), std::fmt::Error>;
type Labels<'l> = [(&'static str, &'l str); 3];
type PerCheck = (&'static str, &'static str, fn(&CheckStatus) -> Option<f64>);

/// One line per check each: name, help, value.
const PER_CHECK: &[PerCheck] = &[
    (
        "probe_success",
        "Whether the last run was ok or only warned",
        |status| {
            status
                .last_level
                .map(|level| f64::from(u8::from(level <= Level::Warning)))
        },
    ),
    ("probe_duration_seconds", "How long the last run took", |status| {
        measured(status, "duration")
    }),
    ("probe_http_status_code", "Status of the last answer", |status| {
        status.measured.get("status").map(|quantity| quantity.value)
    }),
    (
        "probe_dns_lookup_time_seconds",
        "Resolving the name in the last run",
        |status| measured(status, "dns_time"),
    ),
    (
        "haetae_check_level",
        "Believed level: 0 ok, 1 warning, 2 unknown, 3 critical",
        |status| {
            Some(match status.level {
                Level::Ok => 0.0,
                Level::Warning => 1.0,
                Level::Unknown => 2.0,
                Level::Critical => 3.0,
            })
        },
    ),
];

fn measured(status: &CheckStatus, name: &str) -> Option<f64> {
    let quantity = status.measured.get(name)?;
    Some(if quantity.unit == Unit::Ms {
        quantity.value / 1_000.0
    } else {
        quantity.value
    })
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Written {
        let project = self.parts.project();
        let checks: Vec<(&Runnable, CheckStatus)> = project
            .checks
            .values()
            .filter(|runnable| runnable.check.enabled)
            .map(|runnable| (runnable, self.parts.status.check(&runnable.check.id)))
            .collect();
        for (name, help, value) in PER_CHECK {
            let gauge = ConstGauge::new(0.0);
            let mut family = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            for (runnable, status) in &checks {
                if let Some(value) = value(status) {
                    let labels = labels(runnable);
                    ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        encode_certificates(&mut encoder, &checks)?;
        self.encode_totals(&mut encoder)
    }
}

fn labels(runnable: &Runnable) -> Labels<'_> {
    let check = &runnable.check;
    [
        ("check", check.id.as_str()),
        ("group", check.group()),
        ("kind", check.kind),
    ]
}

/// `blackbox_exporter` gives the moment, not what is left.
fn encode_certificates(encoder: &mut DescriptorEncoder, checks: &[(&Runnable, CheckStatus)]) -> Written {
    let gauge = ConstGauge::new(0.0);
    let mut family = encoder.encode_descriptor(
        "probe_ssl_earliest_cert_expiry",
        "When the first certificate of the chain expires, as Unix time",
        None,
        gauge.metric_type(),
    )?;
    for (runnable, status) in checks {
        let left_ms = status
            .measured
            .get("certificate_left")
            .map(|quantity| quantity.value);
        if let (Some(left_ms), Some(ran)) = (left_ms, status.last_run) {
            let expires = (ran.as_unix_ms() as f64 + left_ms) / 1_000.0;
            ConstGauge::new(expires.round()).encode(family.encode_family(&labels(runnable))?)?;
        }
    }
    Ok(())
}

fn encode_suppressed(encoder: &mut DescriptorEncoder, suppressed: &BTreeMap<&'static str, u64>) -> Written {
    let kind = ConstCounter::new(0_u64).metric_type();
    let mut family = encoder.encode_descriptor(
        "haetae_changes_suppressed",
        "Changes of incidents that were told to nobody, by reason",
        None,
        kind,
    )?;
    for (reason, count) in suppressed {
        ConstCounter::new(*count).encode(family.encode_family(&[("reason", *reason)])?)?;
    }
    Ok(())
}

impl Now {
    fn encode_totals(&self, encoder: &mut DescriptorEncoder) -> Written {
        let totals = self.parts.status.totals();
        for (name, help, value) in [
            ("haetae_runs", "Runs that are over", totals.runs),
            (
                "haetae_runs_late",
                "Due times missed because the run before was still going",
                totals.late,
            ),
            (
                "haetae_incidents_opened",
                "Incidents opened",
                totals.incidents_opened,
            ),
            (
                "haetae_store_failures",
                "Times the store could not be written",
                totals.store_failures,
            ),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        encode_suppressed(encoder, &totals.suppressed)?;
        for (name, help, value) in [
            (
                "haetae_deliveries_owed",
                "Messages that are still to be sent",
                self.owed,
            ),
            ("haetae_deliveries_dead", "Messages that were given up", self.dead),
            ("haetae_incidents_open", "Incidents that are open", self.open),
        ] {
            let gauge = ConstGauge::new(value as f64);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let mut family = encoder.encode_descriptor(
            "haetae_run_lateness_seconds",
            "How long after its due time a run started",
            None,
            prometheus_client::metrics::MetricType::Histogram,
        )?;
        let buckets: Vec<(f64, u64)> = LATENESS_BOUNDS_MS
            .iter()
            .map(|bound| *bound as f64 / 1_000.0)
            .chain(std::iter::once(f64::MAX))
            .zip(totals.lateness)
            .collect();
        family.encode_histogram::<[(&str, &str); 0]>(
            totals.lateness_sum_ms / 1_000.0,
            totals.runs,
            &buckets,
            None,
        )
    }
}
