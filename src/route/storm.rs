//! Many incidents at once: one summary per channel instead of a message per incident.
//!
//! A storm rages while more incidents than the limit opened within its time; what opens then
//! is its member. It lasts until its members are over, so that their end is one message, or
//! until so few are left that each can be told by itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::StormLimit;
use crate::model::{ChannelName, Incident, IncidentId, Level, Timestamp};

/// The first summary waits this long, so that it can say how many.
const SUMMARY_WAIT: Duration = Duration::from_secs(5);
/// Progress is told at most so often.
const PROGRESS_EVERY: Duration = Duration::from_mins(5);
/// With few members left, it is over once nothing has changed for this long.
const CALM: Duration = Duration::from_mins(1);

/// What begins the group key of a storm's summaries.
const KEY: &str = "storm|";

/// Many incidents at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Storm {
    /// Its name: that of the incident it began with.
    pub id: String,
    /// Every incident in it.
    pub members: BTreeSet<IncidentId>,
    /// Those that are not over.
    open: BTreeSet<IncidentId>,
    /// When a member last changed.
    changed: Timestamp,
    /// Per channel, when the latest summary is due or went, and the worst level in it.
    told: BTreeMap<ChannelName, (Timestamp, Level)>,
}

impl Storm {
    /// What its summaries are told together under.
    #[must_use]
    pub fn group_key(&self) -> String {
        format!("{KEY}{}", self.id)
    }

    /// The channels that have heard of it.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelName> {
        self.told.keys()
    }
}

/// The storm that goes on, if there is one, and what opened lately.
#[derive(Debug, Clone, Default)]
pub struct Storms {
    recent: VecDeque<(Timestamp, IncidentId)>,
    now: Option<Storm>,
}

impl Storms {
    /// Notes that an incident has opened. Answers who is a storm's member from now on: none,
    /// it alone, or with it those whose company made the storm.
    pub fn opened(&mut self, id: &IncidentId, at: Timestamp, limit: Option<StormLimit>) -> Vec<IncidentId> {
        let Some(limit) = limit else { return Vec::new() };
        self.recent.push_back((at, id.clone()));
        while self
            .recent
            .front()
            .is_some_and(|(then, _)| *then + limit.within < at)
        {
            self.recent.pop_front();
        }
        if self.recent.len() <= limit.over {
            return Vec::new();
        }
        let storm = self.now.get_or_insert_with(|| Storm {
            id: id.to_string(),
            members: BTreeSet::new(),
            open: BTreeSet::new(),
            changed: at,
            told: BTreeMap::new(),
        });
        storm.changed = at;
        let mut joined = Vec::new();
        for (_, id) in &self.recent {
            if storm.members.insert(id.clone()) {
                storm.open.insert(id.clone());
                joined.push(id.clone());
            }
        }
        joined
    }

    /// Takes up a member from the store.
    pub fn restore(&mut self, incident: &Incident) {
        let Some(id) = &incident.storm else { return };
        let storm = self.now.get_or_insert_with(|| Storm {
            id: id.clone(),
            members: BTreeSet::new(),
            open: BTreeSet::new(),
            changed: incident.opened,
            told: BTreeMap::new(),
        });
        if storm.id != *id {
            return;
        }
        storm.members.insert(incident.id.clone());
        if incident.is_open() {
            storm.open.insert(incident.id.clone());
        }
        storm.changed = storm.changed.max(incident.resolved.unwrap_or(incident.opened));
        let key = storm.group_key();
        for (channel, heard) in incident.heard.iter().filter(|(_, heard)| heard.group_key == key) {
            let told = storm
                .told
                .entry(channel.clone())
                .or_insert((heard.at, heard.told));
            *told = (told.0.max(heard.at), told.1.max(heard.told));
        }
    }

    /// The storm that goes on.
    #[must_use]
    pub fn current(&self) -> Option<&Storm> {
        self.now.as_ref()
    }

    /// The storm that an incident is part of.
    #[must_use]
    pub fn of(&self, incident: &Incident) -> Option<&Storm> {
        let id = incident.storm.as_ref()?;
        self.now.as_ref().filter(|storm| storm.id == *id)
    }

    /// Notes how a member changed.
    pub fn changed(&mut self, incident: &Incident, at: Timestamp) {
        let Some(storm) = &mut self.now else { return };
        if !storm.members.contains(&incident.id) {
            return;
        }
        storm.changed = at;
        if incident.is_open() {
            storm.open.insert(incident.id.clone());
        } else {
            storm.open.remove(&incident.id);
        }
    }

    /// When a summary on this channel that tells of this level is due: soon for the first
    /// one, for one that has not left yet, and for a level worse than all before. What is
    /// over waits for company: most often the storm itself is over soon.
    pub fn due(&mut self, channel: &ChannelName, level: Level, now: Timestamp) -> Timestamp {
        let Some(storm) = &mut self.now else { return now };
        let due = match storm.told.get(channel) {
            None => now + SUMMARY_WAIT,
            Some((at, _)) if level == Level::Ok && *at < now => now + PROGRESS_EVERY,
            Some((at, _)) if *at >= now => *at,
            Some((_, worst)) if level > *worst => now + SUMMARY_WAIT,
            Some((at, _)) => (*at + PROGRESS_EVERY).max(now + SUMMARY_WAIT),
        };
        let told = storm.told.entry(channel.clone()).or_insert((due, level));
        *told = (due, told.1.max(level));
        due
    }

    /// When time alone may end it; none while too many of its members go on.
    #[must_use]
    pub fn next_look(&self, limit: Option<StormLimit>) -> Option<Timestamp> {
        let storm = self.now.as_ref()?;
        (storm.open.len() <= few(limit)).then_some(storm.changed + CALM)
    }

    /// The storm, when it is over: no member is left, or so few that they can be told by
    /// themselves, and it is calm.
    pub fn take_ended(&mut self, now: Timestamp, limit: Option<StormLimit>) -> Option<Storm> {
        let storm = self.now.as_ref()?;
        let is_calm = storm.open.len() <= few(limit) && now >= storm.changed + CALM;
        if storm.open.is_empty() || is_calm {
            // What opens from now on is counted anew.
            self.recent.clear();
            return self.now.take();
        }
        None
    }
}

/// So few incidents can be told each by itself.
fn few(limit: Option<StormLimit>) -> usize {
    limit.map_or(usize::MAX, |limit| limit.over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_ms(second * 1_000)
    }

    fn id(n: i64) -> IncidentId {
        IncidentId(format!("#{n}"))
    }

    const LIMIT: Option<StormLimit> = Some(StormLimit {
        over: 3,
        within: Duration::from_mins(1),
    });

    fn member(n: i64, resolved: Option<i64>) -> Incident {
        let mut incident = Incident::new(id(n), CheckId::parse("a").unwrap(), at(0));
        incident.resolved = resolved.map(at);
        incident.storm = Some("#3".into());
        incident
    }

    #[test]
    fn the_fourth_in_a_minute_takes_the_three_before_with_it() {
        let mut storms = Storms::default();
        for n in 0..3 {
            assert!(storms.opened(&id(n), at(n), LIMIT).is_empty());
        }
        assert_eq!(storms.opened(&id(3), at(3), LIMIT).len(), 4);
        assert_eq!(storms.opened(&id(4), at(4), LIMIT), [id(4)]);
        // Two minutes on it has calmed: a new incident is one by itself, the storm lasts.
        assert!(storms.opened(&id(5), at(120), LIMIT).is_empty());
        assert!(
            storms.next_look(LIMIT).is_none(),
            "five are too many to be told by themselves"
        );
    }

    #[test]
    fn slow_failures_are_no_storm() {
        let mut storms = Storms::default();
        for n in 0..100 {
            assert!(storms.opened(&id(n), at(n * 21), LIMIT).is_empty());
        }
    }

    #[test]
    fn a_summary_soon_then_progress_every_five_minutes_unless_it_gets_worse() {
        let mut storms = Storms::default();
        for n in 0..4 {
            storms.opened(&id(n), at(0), LIMIT);
        }
        let slack = ChannelName("slack".into());
        assert_eq!(storms.due(&slack, Level::Warning, at(0)), at(5));
        assert_eq!(storms.due(&slack, Level::Warning, at(3)), at(5));
        assert_eq!(storms.due(&slack, Level::Warning, at(9)), at(305));
        assert_eq!(storms.due(&slack, Level::Warning, at(10)), at(305));
        assert_eq!(storms.due(&slack, Level::Critical, at(400)), at(405));
    }

    #[test]
    fn it_is_over_with_its_last_member_or_calm_with_few_left() {
        let mut storms = Storms::default();
        for n in 0..4 {
            storms.opened(&id(n), at(0), LIMIT);
        }
        for n in 0..3 {
            storms.changed(&member(n, Some(10)), at(10));
        }
        assert_eq!(storms.take_ended(at(69), LIMIT), None);
        let mut calm = storms.clone();
        assert!(calm.take_ended(at(70), LIMIT).is_some());
        storms.changed(&member(3, Some(20)), at(20));
        assert!(storms.take_ended(at(20), LIMIT).is_some());
    }
}
