//! What holds back the telling of an incident. It never holds back the watching, nor the end.

use std::collections::{HashMap, HashSet};

use super::{Ledger, Policy};
use crate::alert::CheckState;
use crate::model::{Check, CheckId, Incident, Labels, Level, Quiet, QuietKind, Suppression, Timestamp};

/// What is known when it is decided.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// What the configuration says.
    pub policy: &'a Policy,
    /// What is believed of every check.
    pub states: &'a HashMap<CheckId, CheckState>,
    /// Every open incident.
    pub ledger: &'a Ledger,
    /// Silences and deployments.
    pub quiets: &'a [Quiet],
}

/// Why nothing is told, and until when that is known to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Quieted {
    /// The reason.
    pub why: Suppression,
    /// When it should be looked at again; none when only the check's next run can tell.
    pub until: Option<Timestamp>,
}

/// Why an open incident is not told now, the most deliberate reason first: what people
/// planned or said, then what haetae concludes by itself.
#[must_use]
pub fn suppression(world: World<'_>, incident: &Incident, check: &Check, now: Timestamp) -> Option<Quieted> {
    let labels = Labels {
        check,
        level: incident.level,
        now,
    };
    planned(world.policy, labels)
        .or_else(|| by_people(world.quiets, labels))
        .or_else(|| down_the_line(world, check).map(by_run))
        .or_else(|| inhibited(world, incident, labels).map(by_run))
        .or_else(|| flaps_on(incident).map(by_run))
}

fn by_run(why: Suppression) -> Quieted {
    Quieted { why, until: None }
}

fn planned(policy: &Policy, labels: Labels<'_>) -> Option<Quieted> {
    policy.maintenance.iter().find_map(|maintenance| {
        let until = maintenance
            .ends_after(labels.now)
            .filter(|_| maintenance.matcher.matches(labels))?;
        Some(Quieted {
            why: Suppression::Maintenance {
                name: maintenance.name.clone(),
            },
            until: Some(until),
        })
    })
}

fn by_people(quiets: &[Quiet], labels: Labels<'_>) -> Option<Quieted> {
    let quiet = quiets
        .iter()
        .find(|quiet| quiet.holds(labels.now) && quiet.matcher.matches(labels))?;
    let (id, reason) = (quiet.id.clone(), quiet.reason.clone());
    Some(Quieted {
        why: match quiet.kind {
            QuietKind::Silence => Suppression::Silence {
                id,
                by: quiet.by.clone(),
                reason,
            },
            QuietKind::Deployment => Suppression::Deployment { id, reason },
        },
        until: Some(quiet.ends),
    })
}

/// The furthest check that this one depends on, directly or through others, and that is down
/// or was when it was last looked at: the likeliest cause of all.
fn down_the_line(world: World<'_>, check: &Check) -> Option<Suppression> {
    ancestors(world.policy, check)
        .into_iter()
        .rfind(|id| world.states.get(id).is_some_and(CheckState::looks_down))
        .map(|on| Suppression::Dependency { on })
}

/// What a check depends on, the nearest first; each once.
#[must_use]
pub fn ancestors(policy: &Policy, check: &Check) -> Vec<CheckId> {
    let mut found: Vec<CheckId> = Vec::new();
    let mut seen: HashSet<&CheckId> = HashSet::from([&check.id]);
    let mut next: Vec<&CheckId> = check.depends_on.iter().collect();
    while !next.is_empty() {
        let mut further = Vec::new();
        for id in next {
            let Some(parent) = policy.watched(id).filter(|_| seen.insert(id)) else {
                continue;
            };
            found.push(id.clone());
            further.extend(&parent.depends_on);
        }
        next = further;
    }
    found
}

/// A rule mutes nothing unless another open incident matches it, and never what says it all
/// itself.
fn inhibited(world: World<'_>, incident: &Incident, labels: Labels<'_>) -> Option<Suppression> {
    let rules = world
        .policy
        .inhibit
        .iter()
        .filter(|rule| rule.mute.matches(labels) && !rule.when.matches(labels));
    for rule in rules {
        let source = world.ledger.open().find(|other| {
            other.id != incident.id
                && world.policy.watched(&other.check).is_some_and(|check| {
                    rule.when.matches(Labels {
                        check,
                        level: other.level,
                        now: labels.now,
                    })
                })
        });
        if let Some(source) = source {
            return Some(Suppression::Inhibited {
                by: source.check.clone(),
            });
        }
    }
    None
}

/// While it flaps, only critical gets through, once somebody knows that it flaps.
fn flaps_on(incident: &Incident) -> Option<Suppression> {
    let is_known = incident.told() > Level::Ok;
    (incident.flapping && is_known && incident.level != Level::Critical).then_some(Suppression::Flapping)
}
