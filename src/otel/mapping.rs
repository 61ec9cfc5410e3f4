//! Runs → the JSON of OTLP 1.x (opentelemetry-proto, "JSON Protobuf Encoding"); pure.
//!
//! Ids are in hexadecimal, moments are nanoseconds in a string, enumerations are numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::model::{Level, Quantity, RunRecord, StepResult, Unit};
use crate::telemetry::REQUEST_PHASES;

const INTERNAL: u8 = 1;
const CLIENT: u8 = 3;

/// A span per run, with one below it for every phase of its request and every step.
pub fn traces(runs: &[RunRecord]) -> Value {
    let spans: Vec<Value> = runs.iter().flat_map(spans).collect();
    json!({ "resourceSpans": [{
        "resource": resource(),
        "scopeSpans": [{ "scope": scope(), "spans": spans }],
    }] })
}

/// A gauge per measurement's name, with a point per run, and the level of every run.
pub fn metrics(runs: &[RunRecord]) -> Value {
    let mut points: BTreeMap<(String, &str), Vec<Value>> = BTreeMap::new();
    for run in runs {
        let level = (level_number(run.verdict.level), "1");
        let measured = run.outcome.measurements.iter();
        let measured = measured.map(|(name, quantity)| (name.as_str(), in_base_unit(*quantity)));
        for (name, (value, unit)) in measured.chain([("level", level)]) {
            let point = json!({
                "attributes": of_check(run),
                "timeUnixNano": nanos(run, Duration::ZERO),
                "asDouble": value,
            });
            let name = format!("haetae.check.{name}");
            points.entry((name, unit)).or_default().push(point);
        }
    }
    let metrics: Vec<Value> = points
        .into_iter()
        .map(
            |((name, unit), points)| json!({ "name": name, "unit": unit, "gauge": { "dataPoints": points } }),
        )
        .collect();
    json!({ "resourceMetrics": [{
        "resource": resource(),
        "scopeMetrics": [{ "scope": scope(), "metrics": metrics }],
    }] })
}

fn resource() -> Value {
    json!({ "attributes": [
        attribute("service.name", &json!({ "stringValue": "haetae" })),
        attribute("service.version", &json!({ "stringValue": env!("CARGO_PKG_VERSION") })),
    ] })
}

fn scope() -> Value {
    json!({ "name": "haetae", "version": env!("CARGO_PKG_VERSION") })
}

fn attribute(key: &str, value: &Value) -> Value {
    json!({ "key": key, "value": value })
}

fn text(key: &str, value: &str) -> Value {
    attribute(key, &json!({ "stringValue": value }))
}

fn of_check(run: &RunRecord) -> Vec<Value> {
    vec![
        text("haetae.check", run.check.as_str()),
        text("haetae.group", run.check.group()),
    ]
}

/// So long after the run's start.
fn nanos(run: &RunRecord, after: Duration) -> String {
    let started = i128::from(run.started.as_unix_us()) * 1_000;
    (started + after.as_nanos().cast_signed()).to_string()
}

/// The units of UCUM, as OpenTelemetry wants them.
fn in_base_unit(quantity: Quantity) -> (f64, &'static str) {
    match quantity.unit {
        Unit::Count => (quantity.value, "1"),
        Unit::Ms => (quantity.value / 1_000.0, "s"),
        Unit::Bytes => (quantity.value, "By"),
        Unit::Percent => (quantity.value / 100.0, "1"),
    }
}

const fn level_number(level: Level) -> f64 {
    match level {
        Level::Ok => 0.0,
        Level::Warning => 1.0,
        Level::Unknown => 2.0,
        Level::Critical => 3.0,
    }
}

/// Part of a run.
struct Part {
    name: String,
    after: Duration,
    took: Duration,
    attributes: Vec<Value>,
    status: Value,
}

/// None for a run whose id is no trace's id.
fn spans(run: &RunRecord) -> Vec<Value> {
    let trace = &run.run.0;
    let Some(Ok(root)) = trace.get(16..32).map(|half| u64::from_str_radix(half, 16)) else {
        return Vec::new();
    };
    let span = |id: u64, kind: u8, part: Part| {
        json!({
            "traceId": trace,
            "spanId": format!("{id:016x}"),
            "name": part.name,
            "kind": kind,
            "startTimeUnixNano": nanos(run, part.after),
            "endTimeUnixNano": nanos(run, part.after + part.took),
            "attributes": part.attributes,
            "status": part.status,
        })
    };
    let mut spans = vec![span(root, CLIENT, whole(run))];
    for (part, number) in phases(run).into_iter().chain(steps(run)).zip(1..) {
        let mut child = span(root.wrapping_add(number), INTERNAL, part);
        child["parentSpanId"] = json!(format!("{root:016x}"));
        spans.push(child);
    }
    spans
}

fn whole(run: &RunRecord) -> Part {
    let level = run.verdict.level;
    let mut attributes = of_check(run);
    attributes.push(text("haetae.level", level.as_str()));
    attributes.push(attribute("haetae.flaky", &json!({ "boolValue": run.is_flaky() })));
    let attempts = json!({ "intValue": run.outcome.attempts.to_string() });
    attributes.push(attribute("haetae.attempts", &attempts));
    Part {
        name: run.check.to_string(),
        after: Duration::ZERO,
        took: run.took,
        attributes,
        status: match level {
            Level::Ok => json!({ "code": 1 }),
            Level::Warning => json!({}),
            Level::Unknown | Level::Critical => failed(&run.verdict.headline()),
        },
    }
}

fn failed(why: &str) -> Value {
    json!({ "code": 2, "message": why })
}

/// One after the other, the last of them at the run's end: they are those of its last attempt.
fn phases(run: &RunRecord) -> Vec<Part> {
    let measured = &run.outcome.measurements;
    if !measured.contains_key("first_byte_time") {
        return Vec::new();
    }
    let span = |name: &str| {
        let seconds = measured.get(name)?.value / 1_000.0;
        Duration::try_from_secs_f64(seconds).ok()
    };
    let phases: Vec<(&str, Duration)> = REQUEST_PHASES
        .iter()
        .filter_map(|(word, name)| Some((*word, span(name)?)))
        .collect();
    let mut after = run
        .took
        .saturating_sub(phases.iter().map(|(_, took)| *took).sum());
    let part = |(word, took): (&str, Duration)| {
        let part = Part {
            name: word.to_owned(),
            after,
            took,
            attributes: Vec::new(),
            status: json!({}),
        };
        after += took;
        part
    };
    phases.into_iter().map(part).collect()
}

fn steps(run: &RunRecord) -> Vec<Part> {
    let steps = run.outcome.evidence.steps.iter();
    steps
        .map(|step| {
            let mut attributes = vec![text("haetae.place", &step.place)];
            let status = match &step.result {
                StepResult::Done => json!({}),
                StepResult::Failed(why) => failed(why),
                StepResult::Skipped(why) => {
                    attributes.push(text("haetae.skipped", why));
                    json!({})
                }
            };
            Part {
                name: step.step.clone(),
                after: Duration::from_millis(step.at_ms),
                took: Duration::from_millis(step.took_ms),
                attributes,
                status,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CheckId, Outcome, RunId, StepRecord, Timestamp, Verdict};

    fn run(outcome: Outcome) -> RunRecord {
        RunRecord {
            run: RunId("0190f2a4c1d77b3c8f00000000000001".into()),
            check: CheckId::parse("shop/buy").unwrap(),
            started: Timestamp::from_unix_ms(1_000),
            took: Duration::from_millis(500),
            outcome,
            verdict: Verdict::default(),
        }
    }

    /// Name, parent, and times in milliseconds after the epoch.
    fn told(run: &RunRecord) -> Vec<String> {
        let traces = traces(std::slice::from_ref(run));
        let spans = traces["resourceSpans"][0]["scopeSpans"][0]["spans"]
            .as_array()
            .unwrap();
        let ms = |nanos: &Value| nanos.as_str().unwrap().parse::<u64>().unwrap() / 1_000_000;
        spans
            .iter()
            .map(|span| {
                let (from, until) = (ms(&span["startTimeUnixNano"]), ms(&span["endTimeUnixNano"]));
                let ids = format!("{} below {}", span["spanId"], span["parentSpanId"]);
                format!("{} {from}..{until} {ids}", span["name"].as_str().unwrap()).replace('"', "")
            })
            .collect()
    }

    #[test]
    fn phases_end_with_the_run() {
        let mut outcome = Outcome::seen();
        for (name, ms) in [
            ("dns_time", 10),
            ("connect_time", 20),
            ("first_byte_time", 50),
            ("download_time", 20),
        ] {
            outcome.measure(name, Quantity::time(Duration::from_millis(ms)));
        }
        assert_eq!(
            told(&run(outcome)),
            [
                "shop/buy 1000..1500 8f00000000000001 below null",
                "resolve 1400..1410 8f00000000000002 below 8f00000000000001",
                "connect 1410..1430 8f00000000000003 below 8f00000000000001",
                "processing 1430..1480 8f00000000000004 below 8f00000000000001",
                "transfer 1480..1500 8f00000000000005 below 8f00000000000001",
            ]
        );
    }

    #[test]
    fn steps_are_where_they_were() {
        let mut outcome = Outcome::seen();
        outcome.evidence.steps.push(StepRecord {
            step: "click: Pay".into(),
            place: "checks/shop/buy.yaml:14".into(),
            at_ms: 120,
            took_ms: 80,
            result: StepResult::Failed("nothing is called `Pay`".into()),
        });
        let run = run(outcome);
        assert_eq!(
            told(&run)[1..],
            ["click: Pay 1120..1200 8f00000000000002 below 8f00000000000001"]
        );
        let traces = traces(&[run]);
        let step = &traces["resourceSpans"][0]["scopeSpans"][0]["spans"][1];
        assert_eq!(
            step["status"],
            json!({ "code": 2, "message": "nothing is called `Pay`" })
        );
    }
}
