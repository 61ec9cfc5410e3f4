//! Why an incident was, or was not, told: the whole chain in lines for people.

use crate::model::{
    Check, Criterion, Incident, Level, TimelineEntry, Timestamp, Transition, format_duration,
};
use crate::route::{Policy, routes_at_some_time};

/// One delivery with its attempts, as far as the story needs it.
#[derive(Debug, Clone)]
pub struct Told {
    /// To whom.
    pub channel: String,
    /// By which route.
    pub route: String,
    /// What it was told together with.
    pub group_key: String,
    /// Where it stands.
    pub status: String,
    /// When it was due.
    pub due: Timestamp,
    /// When it was first owed.
    pub created: Timestamp,
    /// When, how it ended, and what the channel said.
    pub attempts: Vec<(Timestamp, String, String)>,
}

/// A run, as far as the story needs it.
#[derive(Debug, Clone)]
pub struct Ran {
    /// When it started.
    pub at: Timestamp,
    /// Its level, or `late`.
    pub level: String,
    /// Its worst reason.
    pub headline: String,
}

/// All there is to tell.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// The incident, if there ever was one.
    pub incident: Option<Incident>,
    /// Its changes, each with why nobody was told.
    pub transitions: Vec<(Transition, Option<String>)>,
    /// What else happened to it.
    pub timeline: Vec<TimelineEntry>,
    /// Its messages.
    pub told: Vec<Told>,
    /// The latest runs of the check, the newest first.
    pub runs: Vec<Ran>,
}

/// The story of a check and its incident, in order: runs, rules, changes, messages.
#[must_use]
pub fn explain(check: &Check, policy: &Policy, story: &Story, now: Timestamp) -> Vec<String> {
    let mut lines = vec![format!("{} ({})", check.id, check.name)];
    lines.extend(rules(check));
    lines.extend(runs(story));
    match &story.incident {
        Some(incident) => lines.extend(chain(incident, story, now)),
        None => lines.push("It has never had an incident.".into()),
    }
    lines.extend(routes(check, policy, now));
    lines
}

fn rules(check: &Check) -> Vec<String> {
    let confirmation = &check.confirmation;
    let window = |window: crate::model::Window| {
        if window.needed == window.of {
            format!("{} runs in a row", window.needed)
        } else {
            format!("{} of {} runs", window.needed, window.of)
        }
    };
    let mut lines = vec![format!(
        "A worse level is believed after {}, a better one after {}.",
        window(confirmation.fail_after),
        window(confirmation.recover_after)
    )];
    for threshold in &check.thresholds {
        let bound = |name: &str, bound: Option<Criterion>| bound.map(|bound| format!("{name} {bound}"));
        let bounds: Vec<String> = [
            bound("warning", threshold.warning),
            bound("critical", threshold.critical),
        ]
        .into_iter()
        .flatten()
        .collect();
        lines.push(format!(
            "Threshold {}: {}",
            threshold.measurement,
            bounds.join(", ")
        ));
    }
    if !check.depends_on.is_empty() {
        let names: Vec<&str> = check
            .depends_on
            .iter()
            .map(crate::model::CheckId::as_str)
            .collect();
        lines.push(format!("It depends on {}.", names.join(", ")));
    }
    lines
}

fn runs(story: &Story) -> Vec<String> {
    let mut lines = vec![String::new(), "Latest runs:".into()];
    if story.runs.is_empty() {
        lines.push("  none yet".into());
    }
    for run in story.runs.iter().rev() {
        lines.push(format!("  {}  {:<8}  {}", run.at, run.level, run.headline));
    }
    lines
}

fn chain(incident: &Incident, story: &Story, now: Timestamp) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!(
            "Incident {}: {} for {}",
            incident.id,
            incident
                .resolved
                .map_or_else(|| incident.level.to_string(), |_| "over, it lasted".into()),
            format_duration(incident.resolved.unwrap_or(now).since(incident.opened))
        ),
    ];
    let events = events(story);
    lines.extend(events.into_iter().map(|(at, _, what)| format!("  {at}  {what}")));
    if let Some(held) = &incident.held {
        lines.push(format!("  now: held back, {held}"));
    }
    if let Some(ack) = &incident.acknowledged {
        lines.push(format!(
            "  now: acknowledged by {}, no reminders and no escalation",
            ack.by
        ));
    }
    lines
}

/// Everything that happened; what happened at the same moment in the order it came to be.
fn events(story: &Story) -> Vec<(Timestamp, u8, String)> {
    let mut events: Vec<(Timestamp, u8, String)> = Vec::new();
    for (transition, held) in &story.transitions {
        let what = format!(
            "{} {} → {}: {}",
            transition.kind.as_str(),
            transition.from,
            transition.to,
            transition.verdict.headline()
        );
        events.push((transition.at, 0, what));
        if let Some(held) = held {
            events.push((transition.at, 1, format!("  told to nobody: {held}")));
        }
    }
    for entry in &story.timeline {
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
        events.push((entry.at, 2, format!("{}{by}{text}", entry.what.replace('_', " "))));
    }
    for told in &story.told {
        let group = if told.group_key == told.route {
            String::new()
        } else {
            format!(", group `{}`", told.group_key)
        };
        let owed = format!(
            "owed to {} by route `{}`{group}, due {}",
            told.channel, told.route, told.due
        );
        events.push((told.created.min(told.due), 3, owed));
        for (at, result, said) in &told.attempts {
            let said = if said.is_empty() {
                String::new()
            } else {
                format!(": {said}")
            };
            events.push((*at, 4, format!("{} {result}{said}", told.channel)));
        }
        if told.attempts.is_empty() {
            events.push((told.due, 4, format!("{} {}", told.channel, told.status)));
        }
    }
    events.sort();
    events
}

fn routes(check: &Check, policy: &Policy, now: Timestamp) -> Vec<String> {
    let mut lines = vec![String::new(), "Who would be told:".into()];
    for level in [Level::Warning, Level::Critical, Level::Unknown] {
        let labels = crate::model::Labels { check, level, now };
        let taken: Vec<String> = routes_at_some_time(&policy.routes, labels)
            .iter()
            .map(|route| {
                let to: Vec<String> = route.to.iter().map(ToString::to_string).collect();
                let to = if to.is_empty() {
                    "nobody".to_owned()
                } else {
                    to.join(", ")
                };
                format!("{to} by route `{}`", route.name)
            })
            .collect();
        let taken = if taken.is_empty() {
            "nobody: no route takes it".to_owned()
        } else {
            taken.join("; ")
        };
        lines.push(format!("  {level}: {taken}"));
    }
    lines
}
