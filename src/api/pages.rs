//! The first pages: plain and honest. They work without JavaScript.

use std::collections::BTreeMap;
use std::path::{Component, Path as FilePath};

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use super::extract::Asked;
use super::problem::ApiProblem;
use super::router::Parts;
use super::runs;
use crate::evidence::read_files;
use crate::model::{
    CheckId, Incident, IncidentId, Level, Quantity, RunId, RunRecord, StepResult, TimelineEntry, Timestamp,
    format_duration,
};
use crate::report::Judged;
use crate::report::html::html as report_of;
use crate::status::ReloadStatus;
use crate::store::{DeliveryRow, ResultRow, TransitionRow};

struct CheckLine {
    id: String,
    name: String,
    kind: &'static str,
    level: &'static str,
    enabled: bool,
    last_run: String,
    took: String,
    headline: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    bad: usize,
    open: Vec<IncidentLine>,
    checks: Vec<CheckLine>,
    reload: ReloadStatus,
    reloaded: String,
    owed: u64,
    dead: u64,
    now: Timestamp,
    started: Timestamp,
}

struct IncidentLine {
    id: String,
    check: String,
    level: &'static str,
    lasted: String,
    headline: String,
    told: String,
}

/// `/`: what is wrong now first, then every check.
pub async fn overview(State(parts): Parts) -> Result<Response, ApiProblem> {
    let project = parts.project();
    let now = crate::clock::wall_now();
    let open = parts.store.incidents(true, 200).await?;
    let (owed, dead) = parts.store.delivery_counts().await?;
    let mut checks: Vec<(Level, CheckLine)> = project
        .checks
        .values()
        .map(|runnable| {
            let check = &runnable.check;
            let status = parts.status.check(&check.id);
            let line = CheckLine {
                id: check.id.to_string(),
                name: check.name.clone(),
                kind: check.kind,
                level: if status.last_run.is_none() {
                    "waiting"
                } else {
                    status.level.as_str()
                },
                enabled: check.enabled,
                last_run: status
                    .last_run
                    .map_or_else(|| "not yet".into(), |at| ago(now, at)),
                took: format!("{}ms", status.last_took_ms),
                headline: status.headline,
            };
            (status.level, line)
        })
        .collect();
    checks.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
    let reload = parts.status.reload();
    Ok(page(&Overview {
        bad: checks.iter().filter(|(level, _)| *level != Level::Ok).count(),
        open: open.iter().map(|incident| incident_line(incident, now)).collect(),
        checks: checks.into_iter().map(|(_, line)| line).collect(),
        reloaded: reload.at.map(|at| ago(now, at)).unwrap_or_default(),
        reload,
        owed,
        dead,
        now,
        started: parts.started,
    }))
}

fn incident_line(incident: &Incident, now: Timestamp) -> IncidentLine {
    let told: Vec<String> = incident.heard.keys().map(ToString::to_string).collect();
    IncidentLine {
        id: incident.id.to_string(),
        check: incident.check.to_string(),
        level: incident.level.as_str(),
        lasted: format_duration(incident.resolved.unwrap_or(now).since(incident.opened)),
        headline: incident.headline.clone(),
        told: match (&incident.acknowledged, &incident.held) {
            (Some(ack), _) if incident.is_open() => {
                format!("{} (acknowledged by {})", told.join(", "), ack.by)
            }
            (_, Some(held)) if incident.is_open() => format!("{} (held back: {held})", told.join(", ")),
            _ if told.is_empty() => "nobody".into(),
            _ => told.join(", "),
        },
    }
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    format!("{} ago", format_duration(now.since(at)))
}

#[derive(Template)]
#[template(path = "check.html")]
struct CheckPage {
    id: String,
    name: String,
    level: &'static str,
    facts: Vec<(&'static str, String)>,
    measured: BTreeMap<String, Quantity>,
    effective: Vec<crate::config::Effective>,
    results: Vec<ResultRow>,
}

/// `/checks/ID`
pub async fn check(State(parts): Parts, Path(id): Path<String>) -> Result<Response, ApiProblem> {
    let missing = || ApiProblem::not_found(format!("there is no check `{id}`"));
    let id = CheckId::parse(&id).map_err(|_| missing())?;
    let project = parts.project();
    let check = &project.checks.get(&id).ok_or_else(missing)?.check;
    let status = parts.status.check(&id);
    let facts = [
        ("description", check.description.clone()),
        ("owner", check.owner.clone()),
        ("runbook", check.runbook.clone()),
        (
            "tags",
            Some(check.tags.join(", ")).filter(|tags| !tags.is_empty()),
        ),
        ("written in", Some(check.place.clone())),
        (
            "last reason",
            Some(status.headline.clone()).filter(|text| !text.is_empty()),
        ),
        (
            "runs / flaky / late since the start",
            Some(format!("{} / {} / {}", status.runs, status.flaky, status.late)),
        ),
    ];
    Ok(page(&CheckPage {
        id: id.to_string(),
        name: check.name.clone(),
        level: status.level.as_str(),
        facts: facts
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
        measured: status.measured,
        effective: project.effective.get(&id).cloned().unwrap_or_default(),
        results: parts.store.results(&id, 50).await?,
    }))
}

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage {
    line: IncidentLine,
    incident: Incident,
    run: Option<String>,
    over: bool,
    transitions: Vec<Step>,
    deliveries: Vec<DeliveryRow>,
    scenario: Vec<(String, String, String, bool)>,
    console: Vec<String>,
    facts: Vec<(String, String)>,
    excerpt: Option<String>,
    pictures: Vec<String>,
}

struct Step {
    at: Timestamp,
    what: String,
    reasons: Vec<String>,
    silence: Option<String>,
}

/// `/incidents/ID`
pub async fn incident(State(parts): Parts, Path(id): Path<String>) -> Result<Response, ApiProblem> {
    let id = IncidentId(id);
    let incident = parts
        .store
        .incident(&id)
        .await?
        .ok_or_else(|| ApiProblem::not_found(format!("there is no incident `{id}`")))?;
    let transitions = parts.store.transitions(&id).await?;
    let deliveries = parts.store.deliveries(Some(&id), 200).await?;
    let timeline = parts.store.timeline(&incident.id).await?;
    let failing = failing_outcome(&parts.store.results(&incident.check, 500).await?, &incident);
    let (run, outcome) = failing.unzip();
    let evidence = outcome.map(|outcome| outcome.evidence).unwrap_or_default();
    let scenario = evidence
        .steps
        .iter()
        .map(|step| {
            let (result, failed) = match &step.result {
                StepResult::Done => (format!("{}ms", step.took_ms), false),
                StepResult::Skipped(why) => (format!("skipped: {why}"), false),
                StepResult::Failed(why) => (why.clone(), true),
            };
            (step.step.clone(), step.place.clone(), result, failed)
        })
        .collect();
    let pictures = evidence
        .files
        .iter()
        .filter(|file| file.path.extension().is_some_and(|ending| ending == "png"))
        .filter_map(|file| {
            Some(
                file.path
                    .strip_prefix(&parts.services.evidence_dir)
                    .ok()?
                    .to_string_lossy()
                    .into_owned(),
            )
        })
        .collect();
    Ok(page(&IncidentPage {
        line: incident_line(&incident, crate::clock::wall_now()),
        run,
        over: incident.resolved.is_some(),
        incident,
        transitions: in_order(transitions, timeline),
        deliveries,
        scenario,
        console: evidence.console,
        facts: evidence.facts,
        excerpt: evidence.excerpt,
        pictures,
    }))
}

/// What was seen when the incident was last worse than ok.
fn failing_outcome(results: &[ResultRow], incident: &Incident) -> Option<(String, crate::model::Outcome)> {
    let until = incident.resolved.unwrap_or(Timestamp::from_unix_us(i64::MAX));
    results
        .iter()
        .filter(|row| row.level != "ok" && row.level != "late" && row.started <= until)
        .find_map(|row| {
            let outcome = row.detail.as_ref()?.get("outcome")?.clone();
            Some((row.run.clone(), serde_json::from_value(outcome).ok()?))
        })
}

/// Changes and what else happened, by time.
fn in_order(transitions: Vec<TransitionRow>, timeline: Vec<TimelineEntry>) -> Vec<Step> {
    let mut steps: Vec<Step> = transitions.into_iter().map(step).collect();
    steps.extend(timeline.into_iter().map(|entry| {
        let by = if entry.by.is_empty() {
            String::new()
        } else {
            format!(" by {}", entry.by)
        };
        let text = if entry.text.is_empty() {
            String::new()
        } else {
            format!(": {}", entry.text)
        };
        Step {
            at: entry.at,
            what: format!("{}{by}{text}", entry.what.replace('_', " ")),
            reasons: Vec::new(),
            silence: None,
        }
    }));
    steps.sort_by_key(|step| step.at);
    steps
}

fn step(row: TransitionRow) -> Step {
    let transition = row.transition;
    Step {
        at: transition.at,
        what: format!(
            "{}: {} → {}",
            transition.kind.as_str(),
            transition.from,
            transition.to
        ),
        reasons: transition
            .verdict
            .reasons
            .iter()
            .map(|(_, reason)| match reason {
                crate::model::Reason::Broken { what, detail } if !detail.is_empty() => {
                    format!("{what}\n{detail}")
                }
                other => other.to_string(),
            })
            .collect(),
        silence: row.silence,
    }
}

/// Which check a run belongs to; none for a triggered run of several.
#[derive(Debug, serde::Deserialize)]
pub struct OfCheck {
    check: Option<String>,
}

/// The report is one file that also works alone: its style stands in it, and its pictures.
const REPORT_POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// `/runs/ID?check=CHECK`: the report of one run. `/runs/ID`: that of a triggered run.
pub async fn run(
    State(parts): Parts,
    Path(run): Path<String>,
    Asked(of): Asked<OfCheck>,
) -> Result<Response, ApiProblem> {
    let Some(of_check) = of.check else {
        let triggered = runs::find(&parts, &run).await?;
        return report(&runs::judged(&triggered)).await;
    };
    let missing = || {
        ApiProblem::not_found(format!(
            "there is no report of the run `{run}`: reports are kept of runs that were not ok"
        ))
    };
    let id = CheckId::parse(&of_check).map_err(|_| missing())?;
    let rows = parts.store.results(&id, MOST_RUNS).await?;
    let row = rows.into_iter().find(|row| row.run == run).ok_or_else(missing)?;
    let detail = row.detail.ok_or_else(missing)?;
    let part = |key: &str| detail.get(key).cloned().ok_or_else(missing);
    let record = RunRecord {
        run: RunId(row.run),
        check: id.clone(),
        started: row.started,
        took: std::time::Duration::from_millis(row.took_ms),
        outcome: serde_json::from_value(part("outcome")?).map_err(|_| missing())?,
        verdict: serde_json::from_value(part("verdict")?).map_err(|_| missing())?,
    };
    let project = parts.project();
    let check = project.checks.get(&id).map(|runnable| &runnable.check);
    let judged = [Judged {
        record,
        name: check.map_or_else(|| id.to_string(), |check| check.name.clone()),
        place: check.map(|check| check.place.clone()).unwrap_or_default(),
    }];
    report(&judged).await
}

async fn report(judged: &[Judged]) -> Result<Response, ApiProblem> {
    let (pictures, sources) = read_files(judged).await;
    let html = report_of(judged, &pictures, &sources, crate::clock::wall_now())
        .map_err(|error| ApiProblem::internal(&error))?;
    Ok(([(header::CONTENT_SECURITY_POLICY, REPORT_POLICY)], Html(html)).into_response())
}

/// Runs of a check that are looked through for one.
const MOST_RUNS: u32 = 5_000;

/// `/evidence/PATH`: screenshots, and nothing else.
pub async fn evidence(State(parts): Parts, Path(path): Path<String>) -> Result<Response, ApiProblem> {
    let missing = || ApiProblem::not_found("there is no such picture");
    let relative = FilePath::new(&path);
    let plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain || relative.extension().is_none_or(|ending| ending != "png") {
        return Err(missing());
    }
    let picture = tokio::fs::read(parts.services.evidence_dir.join(relative))
        .await
        .map_err(|_| missing())?;
    Ok(([(header::CONTENT_TYPE, "image/png")], picture).into_response())
}

/// `/style.css`
pub async fn style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("web/style.css"),
    )
        .into_response()
}

fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => ApiProblem::internal(&error).into_response(),
    }
}
