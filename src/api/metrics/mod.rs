//! `/metrics`: everything, read off at the time of asking.

mod exposition;
mod families;
mod probes;

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use self::exposition::Format;
use self::families::{ChannelNow, CheckNow, Snapshot};
use super::ApiParts;
use super::problem::ApiProblem;
use super::router::Parts;
use crate::model::Level;

/// More open incidents than this are not counted one by one.
const MOST_INCIDENTS: u32 = 100_000;

/// Everything, in the format that the scraper asks for.
pub async fn metrics(State(parts): Parts, headers: HeaderMap) -> Result<Response, ApiProblem> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let format = Format::wanted(accept);
    let text = exposition::write(&families::families(&snapshot(&parts).await?), format);
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

async fn snapshot(parts: &ApiParts) -> Result<Snapshot, ApiProblem> {
    let mut open: BTreeMap<Level, u64> = BTreeMap::new();
    for incident in parts.store.incidents(true, MOST_INCIDENTS).await? {
        *open.entry(incident.level).or_default() += 1;
    }
    Ok(Snapshot {
        checks: checks(parts),
        totals: parts.status.totals(),
        pools: parts.services.load.pools(),
        channels: channels(parts).await?,
        open,
        files_are_sound: parts.status.reload().problems.is_empty(),
        started: parts.started,
    })
}

fn checks(parts: &ApiParts) -> Vec<CheckNow> {
    let redactor = parts.services.redactor.current();
    let project = parts.project();
    let enabled = project.checks.values().filter(|runnable| runnable.check.enabled);
    enabled
        .map(|runnable| CheckNow {
            id: runnable.check.id.as_str().to_owned(),
            group: runnable.check.group().to_owned(),
            kind: runnable.check.kind,
            target: redactor.clean(&runnable.probe.target()).into_owned(),
            status: parts.status.check(&runnable.check.id),
        })
        .collect()
}

/// Channels of the configuration, and those that are gone and still owed something.
async fn channels(parts: &ApiParts) -> Result<Vec<ChannelNow>, ApiProblem> {
    let mut channels: BTreeMap<String, ChannelNow> = BTreeMap::new();
    for channel in &parts.project().channels {
        let name = channel.name.to_string();
        channels.insert(name.clone(), ChannelNow::new(name));
    }
    for row in parts.store.channels().await? {
        if row.owed + row.dead == 0 && !channels.contains_key(&row.channel) {
            continue;
        }
        let name = row.channel;
        let channel = channels
            .entry(name.clone())
            .or_insert_with(|| ChannelNow::new(name));
        (channel.owed, channel.dead) = (row.owed, row.dead);
    }
    Ok(channels.into_values().collect())
}
