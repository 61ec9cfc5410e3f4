//! Telling: what each channel was told is compared with what is true.

use std::sync::Arc;

use super::{Engine, own};
use crate::alert::Change;
use crate::model::{
    ChannelName, Check, Form, Heard, Incident, Labels, Level, Notice, OnRoute, Owed, Purpose, Suppression,
    Timestamp, Transition, TransitionKind,
};
use crate::route::{Quieted, Route, World, matching_routes, routes_at_some_time, suppression};

/// What one look at an incident came to.
#[derive(Default)]
struct Told {
    owed: Vec<Owed>,
    held: Option<Quieted>,
}

impl Engine {
    /// Owes each channel what it does not know yet about an incident, or records why not.
    /// `live` is the change that is happening right now, if one is.
    pub(super) fn settle(&mut self, mut incident: Incident, live: Option<Transition>, now: Timestamp) {
        let Some(check) = self.check_of(&incident.check) else {
            return;
        };
        let before = incident.held.clone();
        let told = self.tell(&mut incident, &check, live.as_ref(), now);
        let why = told.held.as_ref().map(|held| held.why.clone());
        // That everybody knows already is no state that could end.
        incident.held = why.clone().filter(|why| *why != Suppression::AlreadyTold);
        if live.is_none() && told.owed.is_empty() && incident.held == before {
            let again = self.look_again(&incident, Some(&check), now);
            self.ledger.put(incident, &check, &self.policy, again);
            return;
        }
        if live.is_none() {
            self.note_telling(&incident, &told, before.as_ref(), now);
        }
        self.owe(
            incident,
            &check,
            live,
            told.owed,
            why,
            told.held.and_then(|held| held.until),
        );
    }

    /// Takes what an incident owes into the batch and into the ledger.
    pub(super) fn owe(
        &mut self,
        incident: Incident,
        check: &Arc<Check>,
        transition: Option<Transition>,
        owed: Vec<Owed>,
        held: Option<Suppression>,
        again: Option<Timestamp>,
    ) {
        self.ledger.put(incident.clone(), check, &self.policy, again);
        let owed = owed.into_iter().map(|owed| (self.new_key(), owed)).collect();
        self.pending.changes.push(Change {
            transition,
            incident,
            owed,
            held,
        });
    }

    /// When an incident that is held back should be looked at again; none when only a run of
    /// its check can tell that nothing holds it back any more.
    pub(super) fn look_again(
        &self,
        incident: &Incident,
        check: Option<&Check>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let check = check?;
        match incident.held.as_ref()? {
            Suppression::Maintenance { .. }
            | Suppression::Silence { .. }
            | Suppression::Deployment { .. } => {
                match suppression(self.world(), incident, check, now) {
                    Some(quieted) if Some(&quieted.why) == incident.held.as_ref() => quieted.until,
                    // It has ended, or something else holds it back now.
                    _ => Some(now),
                }
            }
            Suppression::OutsideHours { .. } => {
                let labels = Labels {
                    check,
                    level: incident.level,
                    now,
                };
                next_hours(&routes_at_some_time(&self.policy.routes, labels), now).map(|(at, _)| at)
            }
            Suppression::Dependency { .. }
            | Suppression::Inhibited { .. }
            | Suppression::Flapping
            | Suppression::AlreadyTold
            | Suppression::NoRoute
            | Suppression::ToNobody
            | Suppression::NobodyHeard
            | Suppression::NoLongerWatched => None,
        }
    }

    pub(super) fn world(&self) -> World<'_> {
        World {
            policy: &self.policy,
            states: &self.states,
            ledger: &self.ledger,
            quiets: &self.quiets,
        }
    }

    fn note_telling(
        &mut self,
        incident: &Incident,
        told: &Told,
        before: Option<&Suppression>,
        now: Timestamp,
    ) {
        let text = match (&told.held, before) {
            (Some(held), _) => (String::from("held"), held.why.to_string()),
            (None, Some(before)) => (String::from("told"), format!("no longer held back: {before}")),
            (None, None) => return,
        };
        self.note(&incident.id, now, &text.0, "", text.1);
    }

    fn tell(
        &mut self,
        incident: &mut Incident,
        check: &Check,
        live: Option<&Transition>,
        now: Timestamp,
    ) -> Told {
        if !incident.is_open() {
            return self.tell_end(incident, check, now);
        }
        let is_worse = incident.level > incident.told();
        let is_better = incident.heard.values().any(|heard| heard.told > incident.level);
        let flaps = live.and_then(|_| self.flapping_news(incident));
        let is_flapping_news = flaps.is_some() && incident.told() > Level::Ok;
        if !(is_worse || is_better || is_flapping_news) {
            return held(Suppression::AlreadyTold, None);
        }
        // Of flapping itself nothing is held back because of flapping.
        let quieted = suppression(self.world(), incident, check, now)
            .filter(|quieted| !(is_flapping_news && quieted.why == Suppression::Flapping));
        if let Some(quieted) = quieted {
            return Told {
                owed: Vec::new(),
                held: Some(quieted),
            };
        }
        if is_worse {
            return self.tell_worse(incident, check, live, now);
        }
        let kind = match flaps {
            Some(TransitionKind::FlappingBegan) => TransitionKind::FlappingBegan,
            Some(kind) if !is_better => kind,
            _ => TransitionKind::Improved,
        };
        Told {
            owed: self.tell_those_who_heard(incident, check, kind, now),
            held: None,
        }
    }

    /// Whether it flaps since this change, or no longer does.
    fn flapping_news(&self, incident: &Incident) -> Option<TransitionKind> {
        let flapped = self.ledger.get(&incident.id).is_some_and(|known| known.flapping);
        match (flapped, incident.flapping) {
            (false, true) => Some(TransitionKind::FlappingBegan),
            (true, false) => Some(TransitionKind::FlappingEnded),
            _ => None,
        }
    }

    /// Opened and worsened go where the level routes now.
    fn tell_worse(
        &mut self,
        incident: &mut Incident,
        check: &Check,
        live: Option<&Transition>,
        now: Timestamp,
    ) -> Told {
        let policy = Arc::clone(&self.policy);
        let labels = Labels {
            check,
            level: incident.level,
            now,
        };
        let taken = matching_routes(&policy.routes, labels);
        if taken.is_empty() && !own::is_own(&check.id) {
            return no_route(&routes_at_some_time(&policy.routes, labels), now);
        }
        let late = incident.held.as_ref().filter(|_| live.is_none());
        let note = late.map(|why| format!("not told before: {why}"));
        let mut owed = Vec::new();
        for (channel, route) in self.audience(check, &taken) {
            let known = incident.heard.get(&channel).map(|heard| heard.told);
            if known.is_some_and(|known| known >= incident.level)
                || owed.iter().any(|other: &Owed| other.channel == channel)
            {
                continue;
            }
            let (kind, from) = wording(incident, live, known);
            let mut notice = notice(incident, check, Some(kind), now);
            notice.from = from;
            notice.note.clone_from(&note);
            owed.push(self.hear(incident, check, &channel, route, notice, now));
        }
        incident.routes = taken
            .iter()
            .map(|route| {
                let known = incident.routes.iter().find(|on| on.route == route.name);
                known.cloned().unwrap_or_else(|| OnRoute {
                    route: route.name.clone(),
                    since: now,
                    steps: 0,
                })
            })
            .collect();
        if owed.is_empty() {
            return held(Suppression::ToNobody, None);
        }
        Told { owed, held: None }
    }

    /// Who hears of it by these routes. What is wrong with a channel goes to others.
    fn audience<'r>(&self, check: &Check, taken: &[&'r Route]) -> Vec<(ChannelName, Option<&'r Route>)> {
        let mut audience: Vec<(ChannelName, Option<&'r Route>)> = taken
            .iter()
            .flat_map(|route| route.to.iter().map(|channel| (channel.clone(), Some(*route))))
            .collect();
        if let Some(failing) = own::channel_of(&check.id) {
            audience.retain(|(channel, _)| *channel != failing);
            if audience.is_empty() {
                audience = self
                    .others(&failing)
                    .into_iter()
                    .map(|name| (name, None))
                    .collect();
            }
        } else if own::is_own(&check.id) && audience.is_empty() {
            audience = self
                .policy
                .channels
                .keys()
                .map(|name| (name.clone(), None))
                .collect();
        }
        audience
    }

    /// Where to turn when a channel does not answer: its fallback, or every other channel.
    fn others(&self, failing: &ChannelName) -> Vec<ChannelName> {
        match self.policy.channels.get(failing) {
            Some(fallback) if !fallback.is_empty() => fallback.clone(),
            _ => self
                .policy
                .channels
                .keys()
                .filter(|name| *name != failing)
                .cloned()
                .collect(),
        }
    }

    /// Improved, and flapping, go to those who heard something worse than the truth.
    fn tell_those_who_heard(
        &mut self,
        incident: &mut Incident,
        check: &Check,
        kind: TransitionKind,
        now: Timestamp,
    ) -> Vec<Owed> {
        let is_improvement = kind == TransitionKind::Improved;
        let heard: Vec<(ChannelName, Heard)> = incident
            .heard
            .iter()
            .filter(|(_, heard)| heard.told > if is_improvement { incident.level } else { Level::Ok })
            .map(|(channel, heard)| (channel.clone(), heard.clone()))
            .collect();
        let policy = Arc::clone(&self.policy);
        heard
            .into_iter()
            .map(|(channel, heard)| {
                let mut notice = notice(incident, check, Some(kind), now);
                notice.from = heard.told;
                let route = policy.routes.iter().find(|route| route.name == heard.route);
                self.hear_again(incident, &channel, &heard, route, notice, now)
            })
            .collect()
    }

    /// Resolved goes to all who heard, whatever holds back news by now.
    fn tell_end(&mut self, incident: &mut Incident, check: &Check, now: Timestamp) -> Told {
        if incident.told() == Level::Ok {
            return held(Suppression::NobodyHeard, None);
        }
        let mut owed = self.tell_those_who_heard(incident, check, TransitionKind::Resolved, now);
        let recovery = recovery(incident, now);
        for owed in &mut owed {
            owed.notice.note.clone_from(&recovery);
        }
        Told { owed, held: None }
    }

    /// A channel hears of an incident by a route.
    pub(super) fn hear(
        &mut self,
        incident: &mut Incident,
        check: &Check,
        channel: &ChannelName,
        route: Option<&Route>,
        notice: Notice,
        now: Timestamp,
    ) -> Owed {
        let labels = Labels {
            check,
            level: incident.level,
            now,
        };
        let (name, group_key) = match route {
            Some(route) => (route.name.clone(), route.group_key(labels)),
            None => (String::new(), format!("haetae|{}", check.id)),
        };
        let heard = Heard {
            told: incident.level,
            route: name,
            group_key,
            at: now,
        };
        self.hear_again(incident, channel, &heard, route, notice, now)
    }

    /// Owes a channel one more notice, in the group that `heard` names.
    pub(super) fn hear_again(
        &mut self,
        incident: &mut Incident,
        channel: &ChannelName,
        heard: &Heard,
        route: Option<&Route>,
        notice: Notice,
        now: Timestamp,
    ) -> Owed {
        let storm = self.storms.of(incident).map(crate::route::Storm::group_key);
        let (group_key, form, due) = if let Some(key) = storm {
            let due = self.storms.due(channel, notice.level, now);
            (key, Form::Storm, due)
        } else {
            let key = heard.group_key.clone();
            let digest = route.and_then(|route| route.digest.as_ref());
            let form = if digest.is_some() {
                Form::Digest
            } else {
                Form::Changes
            };
            let due = match (digest, route) {
                (Some(calendar), _) => calendar.next_after(now).unwrap_or(now),
                (None, Some(route)) => self.due(channel, &key, route, incident, notice.level, now),
                (None, None) => now,
            };
            (key, form, due)
        };
        incident.heard.insert(
            channel.clone(),
            Heard {
                told: notice.level,
                group_key: group_key.clone(),
                at: due,
                ..heard.clone()
            },
        );
        Owed {
            channel: channel.clone(),
            route: heard.route.clone(),
            group_key,
            due,
            form,
            notice,
        }
    }

    /// A new group waits `group_wait` for company. A group that was told already waits for
    /// its `group_interval`, unless this is worse than all it was told; and what comes while
    /// its next message waits goes into that.
    fn due(
        &self,
        channel: &ChannelName,
        group_key: &str,
        route: &Route,
        incident: &Incident,
        level: Level,
        now: Timestamp,
    ) -> Timestamp {
        let soon = now + route.group_wait;
        match self.ledger.told_in_group(channel, group_key, &incident.id) {
            Some((latest, worst)) if level <= worst && latest > now => latest,
            Some((latest, worst)) if level <= worst => soon.max(latest + route.group_interval),
            _ => soon,
        }
    }
}

fn held(why: Suppression, until: Option<Timestamp>) -> Told {
    Told {
        owed: Vec::new(),
        held: Some(Quieted { why, until }),
    }
}

/// The route whose hours begin next, and when.
fn next_hours<'r>(routes: &[&'r Route], now: Timestamp) -> Option<(Timestamp, &'r Route)> {
    routes
        .iter()
        .filter_map(|route| Some((route.matcher.next_hours(now)?, *route)))
        .min_by_key(|(at, _)| *at)
}

fn no_route(at_some_time: &[&Route], now: Timestamp) -> Told {
    match next_hours(at_some_time, now) {
        Some((at, route)) => held(
            Suppression::OutsideHours {
                hours: route
                    .matcher
                    .during
                    .iter()
                    .map(|hours| hours.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            },
            Some(at),
        ),
        None => held(Suppression::NoRoute, None),
    }
}

/// What a channel that knows `known` is told: the change that is happening, or what it missed.
fn wording(incident: &Incident, live: Option<&Transition>, known: Option<Level>) -> (TransitionKind, Level) {
    use TransitionKind::{Opened, Reopened, Worsened};
    match live {
        Some(live) if matches!(live.kind, Opened | Reopened | Worsened) => (live.kind, live.from),
        _ => match known {
            Some(Level::Ok) => (Reopened, Level::Ok),
            Some(known) => (Worsened, known),
            None if incident.told() > Level::Ok => (Worsened, incident.told()),
            None => (Opened, Level::Ok),
        },
    }
}

/// What brought the end about, as far as haetae knows.
fn recovery(incident: &Incident, now: Timestamp) -> Option<String> {
    let action = incident.action.as_ref().filter(|action| action.done)?;
    let after = crate::model::format_duration(now.since(action.at));
    Some(format!("{}; recovered {after} later", action.said))
}

/// All that a message about an incident needs.
#[must_use]
pub fn notice(incident: &Incident, check: &Check, change: Option<TransitionKind>, now: Timestamp) -> Notice {
    Notice {
        incident: incident.id.clone(),
        check: check.id.clone(),
        name: check.name.clone(),
        description: check.description.clone(),
        owner: check.owner.clone(),
        runbook: check.runbook.clone(),
        change,
        from: incident.level,
        level: incident.level,
        at: incident.resolved.unwrap_or(now),
        opened: incident.opened,
        reasons: incident.reasons.clone(),
        facts: incident.facts.clone(),
        purpose: Purpose::News,
        kind: check.kind.to_owned(),
        tags: check.tags.clone(),
        target: check.target.clone(),
        note: None,
        flapping: incident.flapping,
        acknowledged_by: incident.acknowledged.as_ref().map(|ack| ack.by.clone()),
        screenshot: incident.screenshot.clone(),
    }
}
