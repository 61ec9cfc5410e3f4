//! What on-call people do: acknowledge, mark, silence, explain, send again.

use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ApiParts;
use super::access::Caller;
use super::extract::{Asked, Body, cut, listed, page};
use super::guard::DoneBy;
use super::problem::ApiProblem;
use super::router::Parts;
use crate::clock::wall_now;
use crate::config::read_matcher;
use crate::engine::{Command, Refusal};
use crate::mailbox::{AskError, ask};
use crate::model::{
    CheckId, Incident, IncidentId, MarkedAs, Matcher, Quiet, QuietKind, Timestamp, parse_duration,
};
use crate::notify::PressKind;
use crate::report::{Ran, Story, Told, explain};

/// A silence lasts at most so long: what is silenced for ever should be taken out.
const LONGEST_SILENCE: Duration = Duration::from_hours(24 * 90);
const LONGEST_TEXT: usize = 500;
const MOST_QUIETS: u32 = 10_000;

impl From<AskError> for ApiProblem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(Refusal::NotFound(why)) => Self::not_found(why),
            AskError::Refused(Refusal::Conflict(why)) => Self::conflict(why),
            AskError::Gone => Self::unavailable("haetae is shutting down"),
        }
    }
}

/// Who takes care.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledging {
    by: String,
    #[serde(default)]
    note: String,
}

/// Somebody takes care of an incident: no reminders, no escalation, until it gets worse.
pub async fn acknowledge(
    State(parts): Parts,
    Path(id): Path<String>,
    Body(request): Body<Acknowledging>,
) -> Result<Json<Value>, ApiProblem> {
    let command = Command::Acknowledge {
        incident: IncidentId(id.clone()),
        by: said("by", request.by)?,
        note: bounded("note", request.note)?,
    };
    ask(&parts.commands, command).await?;
    show(&parts, &id).await
}

/// What it was.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marking {
    by: String,
    r#as: String,
}

/// Somebody says what an incident was.
pub async fn mark(
    State(parts): Parts,
    Path(id): Path<String>,
    Body(request): Body<Marking>,
) -> Result<Json<Value>, ApiProblem> {
    let verdict = MarkedAs::ALL
        .iter()
        .find(|(word, _)| *word == request.r#as)
        .map(|(_, verdict)| *verdict)
        .ok_or_else(|| {
            ApiProblem::bad_request(format!("`{}` is none of false, actioned, known", request.r#as))
        })?;
    let command = Command::Mark {
        incident: IncidentId(id.clone()),
        verdict,
        by: said("by", request.by)?,
    };
    ask(&parts.commands, command).await?;
    show(&parts, &id).await
}

async fn show(parts: &ApiParts, id: &str) -> Result<Json<Value>, ApiProblem> {
    let incident = parts.store.incident(&IncidentId(id.to_owned())).await?;
    Ok(Json(json!({ "incident": incident })))
}

pub(super) fn said(name: &str, text: String) -> Result<String, ApiProblem> {
    if text.trim().is_empty() {
        return Err(ApiProblem::bad_request(format!("`{name}` must say something")));
    }
    bounded(name, text)
}

pub(super) fn bounded(name: &str, text: String) -> Result<String, ApiProblem> {
    if text.chars().count() > LONGEST_TEXT {
        return Err(ApiProblem::bad_request(format!(
            "`{name}` is longer than {LONGEST_TEXT} characters"
        )));
    }
    Ok(text)
}

/// A silence: all of it is required, its end either as a moment or as a time from now.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silencing {
    r#match: Value,
    by: String,
    reason: String,
    ends: Option<Timestamp>,
    r#for: Option<String>,
    starts: Option<Timestamp>,
}

/// Begins a silence.
pub async fn silence(
    State(parts): Parts,
    Body(request): Body<Silencing>,
) -> Result<(StatusCode, Json<Value>), ApiProblem> {
    let now = wall_now();
    let starts = request.starts.unwrap_or(now);
    let ends = match (request.ends, request.r#for) {
        (Some(ends), None) => ends,
        (None, Some(span)) => {
            starts + parse_duration(&span).map_err(|why| ApiProblem::bad_request(why.to_string()))?
        }
        _ => {
            return Err(ApiProblem::bad_request(
                "a silence needs its end: `ends`, or `for` such as `2h`",
            ));
        }
    };
    if ends <= starts || ends <= now {
        return Err(ApiProblem::bad_request("it would be over before it begins"));
    }
    if ends.since(now) > LONGEST_SILENCE {
        return Err(ApiProblem::bad_request(
            "a silence lasts 90d at most; disable the check, or change its route",
        ));
    }
    let quiet = Quiet {
        id: new_id(),
        kind: QuietKind::Silence,
        matcher: matcher(&parts, &request.r#match)?,
        by: said("by", request.by)?,
        reason: said("reason", request.reason)?,
        starts,
        ends,
    };
    ask(&parts.commands, Command::Quieten(quiet.clone())).await?;
    Ok((StatusCode::CREATED, Json(json!({ "silence": quiet }))))
}

pub(super) fn new_id() -> String {
    IncidentId::from_entropy(fastrand::u64(..)).0
}

pub(super) fn matcher(parts: &ApiParts, matcher: &Value) -> Result<Matcher, ApiProblem> {
    read_matcher(&matcher.to_string(), &parts.project().windows)
        .map_err(|why| ApiProblem::bad_request(format!("`match`: {why}")))
}

/// A part of a list.
#[derive(Deserialize)]
pub struct Paging {
    pub(super) limit: Option<u32>,
    pub(super) after: Option<String>,
}

/// Silences and deployments that have not ended, the last to end first.
pub async fn silences(State(parts): Parts, Asked(paging): Asked<Paging>) -> Result<Json<Value>, ApiProblem> {
    let page = page(paging.limit, paging.after, 1_000)?;
    let quiets = parts.store.quiets(wall_now(), false, MOST_QUIETS).await?;
    listed(
        "silences",
        cut(quiets, &page, |quiet| quiet.id.clone()),
        &page,
        |quiet| quiet.id.clone(),
    )
}

/// Ends a silence now.
pub async fn end_silence(
    State(parts): Parts,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiProblem> {
    let command = Command::EndQuiet {
        id: id.clone(),
        by: caller.name,
    };
    ask(&parts.commands, command).await?;
    Ok(Json(json!({ "ended": id })))
}

/// How every channel fares.
pub async fn channels(State(parts): Parts, Asked(paging): Asked<Paging>) -> Result<Json<Value>, ApiProblem> {
    let page = page(paging.limit, paging.after, 1_000)?;
    let name = |channel: &Value| channel["channel"].as_str().unwrap_or_default().to_owned();
    let rows = parts.store.channels().await?;
    let project = parts.project();
    let known: Vec<Value> = project
        .channels
        .iter()
        .map(|channel| {
            let row = rows.iter().find(|row| *row.channel == *channel.name.0);
            json!({ "channel": channel.name, "kind": channel.kind, "fallback": channel.fallback, "deliveries": row })
        })
        .collect();
    listed("channels", cut(known, &page, name), &page, name)
}

/// Which deliveries.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Resending {
    key: Option<String>,
}

/// Takes given-up deliveries up again.
pub async fn resend(State(parts): Parts, Body(request): Body<Resending>) -> Result<Json<Value>, ApiProblem> {
    let count = parts.store.resend(request.key.as_deref(), wall_now()).await?;
    if let Some(key) = request.key.filter(|_| count == 0) {
        return Err(ApiProblem::not_found(format!("no delivery `{key}` was given up")));
    }
    (parts.wake_outbox)();
    Ok(Json(json!({ "resent": count })))
}

/// Why an incident, or a check, was or was not told.
pub async fn explained(State(parts): Parts, Path(what): Path<String>) -> Result<Json<Value>, ApiProblem> {
    let missing = || ApiProblem::not_found(format!("there is no incident and no check `{what}`"));
    let by_id = parts.store.incident(&IncidentId(what.clone())).await?;
    let check = match &by_id {
        Some(incident) => incident.check.clone(),
        None => CheckId::parse(&what).map_err(|_| missing())?,
    };
    let project = parts.project();
    let known = project.checks.get(&check).map(|runnable| &*runnable.check);
    let Some(known) = known
        .cloned()
        .or_else(|| by_id.as_ref().map(|_| crate::engine::stand_in(&check)))
    else {
        return Err(missing());
    };
    let incident = match by_id {
        Some(incident) => Some(incident),
        None => parts.store.incidents_of(&check, 1).await?.pop(),
    };
    let story = story(&parts, &check, incident).await?;
    let lines = explain(&known, &project.policy, &story, wall_now());
    Ok(Json(json!({ "lines": lines })))
}

async fn story(parts: &ApiParts, check: &CheckId, incident: Option<Incident>) -> Result<Story, ApiProblem> {
    let mut story = Story::default();
    if let Some(incident) = &incident {
        for row in parts.store.transitions(&incident.id).await? {
            story.transitions.push((row.transition, row.silence));
        }
        story.timeline = parts.store.timeline(&incident.id).await?;
        for row in parts.store.deliveries(Some(&incident.id), 1_000).await? {
            let attempts = parts.store.attempts(&row.key).await?;
            story.told.push(Told {
                channel: row.channel,
                route: row.route,
                group_key: row.group_key,
                status: row.status,
                due: row.due,
                created: row.created,
                attempts: attempts
                    .into_iter()
                    .map(|row| (row.at, row.result, row.said))
                    .collect(),
            });
        }
    }
    for row in parts.store.results(check, 10).await? {
        story.runs.push(Ran {
            at: row.started,
            level: row.level,
            headline: row.headline,
        });
    }
    story.incident = incident;
    Ok(story)
}

/// A button pressed in Slack. Only what a channel's secret has signed is listened to.
pub async fn pressed(
    State(parts): Parts,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Extension<DoneBy>, ApiProblem> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let (timestamp, signature) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
    let project = parts.project();
    let (channel, pressed) = project
        .channels
        .iter()
        .find_map(|channel| {
            let pressed = channel.sender.pressed(timestamp, signature, &body)?;
            Some((channel.name.to_string(), pressed))
        })
        .ok_or_else(|| ApiProblem::forbidden("no channel's signing secret has signed this"))?;
    let pressed = pressed.map_err(ApiProblem::bad_request)?;
    let done_by = DoneBy {
        who: channel,
        by: pressed.by.clone(),
    };
    let command = match pressed.kind {
        PressKind::Acknowledge => Command::Acknowledge {
            incident: pressed.incident,
            by: pressed.by,
            note: String::new(),
        },
        PressKind::Silence(span) => {
            let incident = parts.store.incident(&pressed.incident).await?;
            let incident = incident.ok_or_else(|| ApiProblem::not_found("there is no such incident"))?;
            let now = wall_now();
            Command::Quieten(Quiet {
                id: new_id(),
                kind: QuietKind::Silence,
                matcher: Matcher {
                    checks: vec![crate::model::Glob::new(incident.check.as_str())],
                    ..Matcher::default()
                },
                by: pressed.by,
                reason: "silenced by a button in Slack".into(),
                starts: now,
                ends: now + span,
            })
        }
    };
    ask(&parts.commands, command).await?;
    Ok(Extension(done_by))
}
