//! Cron expressions in a time zone.

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use jiff::tz::TimeZone;

use super::Timestamp;

/// A cron expression (5 fields, or 6 with seconds first) in an IANA time zone.
///
/// Daylight saving: a time that the clock skips runs once, right after the gap; a time that
/// occurs twice runs once, unless the expression is for every hour or every few minutes.
#[derive(Clone)]
pub struct Calendar {
    expression: String,
    zone_name: String,
    cron: Box<Cron>,
    zone: TimeZone,
}

/// Why an expression or its zone cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The expression does not parse.
    #[error("`{expression}` is not a cron expression: {why}")]
    Malformed {
        /// As it was written.
        expression: String,
        /// What is wrong with it.
        why: String,
    },
    /// It parses, but no date ever fits.
    #[error("`{0}` never comes: no date fits it")]
    Never(String),
    /// The zone is not in the IANA database.
    #[error("`{0}` is not a time zone: write for example `Asia/Seoul` or `UTC`")]
    UnknownZone(String),
}

impl Calendar {
    /// Reads an expression and makes sure that it has a next time after `now`.
    ///
    /// # Errors
    /// A malformed expression, one that never comes, or an unknown zone.
    pub fn parse(expression: &str, zone_name: &str, now: Timestamp) -> Result<Self, CalendarError> {
        let fields = expression.split_whitespace().count();
        let malformed = |why: String| CalendarError::Malformed {
            expression: expression.to_owned(),
            why,
        };
        if !expression.starts_with('@') && !(5..=6).contains(&fields) {
            return Err(malformed(format!(
                "it has {fields} fields, and needs 5 (minute hour day month weekday) or 6 (with seconds first)"
            )));
        }
        let cron = Cron::from_str(expression)
            .map_err(|error| malformed(lower_first(error.to_string().trim_end_matches('.'))))?;
        let zone = TimeZone::get(zone_name).map_err(|_| CalendarError::UnknownZone(zone_name.to_owned()))?;
        let calendar = Self {
            expression: expression.to_owned(),
            zone_name: zone_name.to_owned(),
            cron: Box::new(cron),
            zone,
        };
        match calendar.next_after(now) {
            Some(_) => Ok(calendar),
            None => Err(CalendarError::Never(expression.to_owned())),
        }
    }

    /// The first time strictly after `now`; none when no date fits any more.
    #[must_use]
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_jiff().to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&local, false).ok()?;
        Some(Timestamp::from_unix_us(next.timestamp().as_microsecond()))
    }

    /// The latest time at or before `now`; none when no date fits.
    #[must_use]
    pub fn latest_until(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_jiff().to_zoned(self.zone.clone());
        let latest = self.cron.find_previous_occurrence(&local, true).ok()?;
        Some(Timestamp::from_unix_us(latest.timestamp().as_microsecond()))
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.expression, self.zone_name)
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calendar({self})")
    }
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.zone_name == other.zone_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_unix_us(moment.as_microsecond())
    }

    fn next(expression: &str, zone: &str, now: &str) -> String {
        let calendar = Calendar::parse(expression, zone, at(now)).unwrap();
        calendar.next_after(at(now)).unwrap().to_string()
    }

    #[test]
    fn office_hours_in_seoul() {
        assert_eq!(
            next("*/5 9-18 * * MON-FRI", "Asia/Seoul", "2026-11-22T12:00:00Z"),
            "2026-11-23T00:00:00Z"
        );
    }

    #[test]
    fn a_time_the_clock_skips_runs_once_after_the_gap() {
        assert_eq!(
            next("30 2 * * *", "Europe/Paris", "2027-03-28T00:00:00Z"),
            "2027-03-28T01:00:00Z"
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let why = |expression, zone| {
            Calendar::parse(expression, zone, at("2026-11-23T00:00:00Z"))
                .unwrap_err()
                .to_string()
        };
        assert!(why("* * *", "UTC").contains("it has 3 fields"));
        assert!(why("99 * * * *", "UTC").contains("is not a cron expression"));
        assert!(why("0 0 30 2 *", "UTC").contains("never comes"));
        assert!(why("0 0 * * *", "Asia/Soul").contains("is not a time zone"));
    }
}
