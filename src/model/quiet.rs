//! Times at which matching incidents are watched and not told: silences and deployments,
//! which people make, and maintenance, which the configuration plans.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Calendar, Matcher, Timestamp};

/// Why it is quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuietKind {
    /// Somebody wants to hear nothing of it.
    Silence,
    /// Something is being released.
    Deployment,
}

/// A time, made by somebody, in which matching incidents are not told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quiet {
    /// Its name: ten characters, like an incident's.
    pub id: String,
    /// Why it is quiet.
    pub kind: QuietKind,
    /// Of what nothing is told; never empty.
    #[serde(rename = "match")]
    pub matcher: Matcher,
    /// Who made it.
    pub by: String,
    /// What for.
    pub reason: String,
    /// When it begins.
    pub starts: Timestamp,
    /// When it ends; moved to now when it is ended early.
    pub ends: Timestamp,
}

impl Quiet {
    /// Whether it is in force.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.starts <= now && now < self.ends
    }
}

/// When maintenance is.
#[derive(Debug, Clone, PartialEq)]
pub enum MaintenanceTime {
    /// For so long from every calendar time on.
    Every(Calendar, Duration),
    /// From one moment to another.
    Once(Timestamp, Timestamp),
}

/// A planned time in which matching incidents are not told.
#[derive(Debug, Clone, PartialEq)]
pub struct Maintenance {
    /// For people.
    pub name: String,
    /// Of what nothing is told.
    pub matcher: Matcher,
    /// When.
    pub time: MaintenanceTime,
}

impl Maintenance {
    /// When the one that is in force ends; none when none is.
    #[must_use]
    pub fn ends_after(&self, now: Timestamp) -> Option<Timestamp> {
        let (from, to) = match &self.time {
            MaintenanceTime::Every(calendar, lasts) => {
                let from = calendar.latest_until(now)?;
                (from, from + *lasts)
            }
            MaintenanceTime::Once(from, to) => (*from, *to),
        };
        (from <= now && now < to).then_some(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_unix_us(moment.as_microsecond())
    }

    #[test]
    fn a_nightly_batch_in_seoul_ends_after_its_time() {
        let calendar = Calendar::parse("30 23 * * *", "Asia/Seoul", at("2026-11-23T00:00:00Z")).unwrap();
        let batch = Maintenance {
            name: "bank nightly batch".into(),
            matcher: Matcher::default(),
            time: MaintenanceTime::Every(calendar, Duration::from_mins(45)),
        };
        assert_eq!(batch.ends_after(at("2026-11-23T14:29:59Z")), None);
        let end = Some(at("2026-11-23T15:15:00Z"));
        assert_eq!(batch.ends_after(at("2026-11-23T14:30:00Z")), end);
        assert_eq!(batch.ends_after(at("2026-11-23T15:14:59Z")), end);
        assert_eq!(batch.ends_after(at("2026-11-23T15:15:00Z")), None);
    }

    #[test]
    fn once_is_once() {
        let moved = Maintenance {
            name: "data centre moves".into(),
            matcher: Matcher::default(),
            time: MaintenanceTime::Once(at("2026-11-23T01:00:00Z"), at("2026-11-23T03:00:00Z")),
        };
        assert!(moved.ends_after(at("2026-11-23T01:00:00Z")).is_some());
        assert!(moved.ends_after(at("2026-11-23T03:00:00Z")).is_none());
        assert!(moved.ends_after(at("2026-11-24T02:00:00Z")).is_none());
    }
}
