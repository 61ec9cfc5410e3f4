//! Hours of the week: `{ days: MON-FRI, hours: 09:00-18:00, timezone: Asia/Seoul }`.

use std::fmt;
use std::str::FromStr;

use jiff::Zoned;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A time that comes every week, with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hours {
    /// What routes call it.
    pub name: String,
    /// On which days it begins.
    pub days: Days,
    /// From when to when.
    pub span: DaySpan,
    /// Where.
    pub zone: Zone,
}

/// A time zone with its name in the IANA database.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone of this name.
    ///
    /// # Errors
    /// When the IANA database has none; in words for people.
    pub fn named(name: &str) -> Result<Self, String> {
        TimeZone::get(name)
            .map(|zone| Self {
                name: name.to_owned(),
                zone,
            })
            .map_err(|_| format!("`{name}` is not a time zone: write for example `Asia/Seoul` or `UTC`"))
    }

    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self {
            name: "UTC".into(),
            zone: TimeZone::UTC,
        }
    }

    /// The moment as clocks there show it.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> Zoned {
        at.to_jiff().to_zoned(self.zone.clone())
    }

    /// The moment at which clocks there show this; the later one side of a gap.
    #[must_use]
    pub fn moment(&self, date: Date, time: Time) -> Option<Timestamp> {
        let zoned = date.to_datetime(time).to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp::from_unix_us(zoned.timestamp().as_microsecond()))
    }
}

impl TryFrom<String> for Zone {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        Self::named(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

const WEEK: [(&str, Weekday); 7] = [
    ("MON", Weekday::Monday),
    ("TUE", Weekday::Tuesday),
    ("WED", Weekday::Wednesday),
    ("THU", Weekday::Thursday),
    ("FRI", Weekday::Friday),
    ("SAT", Weekday::Saturday),
    ("SUN", Weekday::Sunday),
];

/// Days of the week, one bit each from Monday on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(u8);

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// Whether the day is among them.
    #[must_use]
    pub fn holds(self, day: Weekday) -> bool {
        self.0 & (1 << day.to_monday_zero_offset()) != 0
    }
}

/// `MON-FRI`, `SAT,SUN`, `FRI-MON`
impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = |word: &str| {
            let word = word.trim().to_uppercase();
            WEEK.iter().position(|(name, _)| *name == word).ok_or_else(|| {
                format!(
                    "`{word}` is not a day: write MON, TUE, WED, THU, FRI, SAT or SUN, or a range as MON-FRI"
                )
            })
        };
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut at, last) = (day(first)?, day(last)?);
            days |= 1 << at;
            while at != last {
                at = (at + 1) % 7;
                days |= 1 << at;
            }
        }
        Ok(Self(days))
    }
}

/// From one time of day to another; `22:00-06:00` ends on the next day. In minutes since
/// midnight; the end is 1440 for `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySpan {
    from_min: u16,
    to_min: u16,
}

impl DaySpan {
    /// The whole day.
    pub const WHOLE: Self = Self {
        from_min: 0,
        to_min: 1_440,
    };
}

impl FromStr for DaySpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` are no hours: write for example `09:00-18:00`");
        let (from, to) = text.split_once('-').ok_or_else(malformed)?;
        let minutes = |part: &str| {
            let (hour, minute) = part.trim().split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour <= 24 && minute < 60 && hour * 60 + minute <= 1_440).then_some(hour * 60 + minute)
        };
        let (from_min, to_min) = (
            minutes(from).ok_or_else(malformed)?,
            minutes(to).ok_or_else(malformed)?,
        );
        if from_min == to_min || from_min == 1_440 {
            return Err(format!(
                "`{text}` is no time at all; leave `hours` out for the whole day"
            ));
        }
        Ok(Self { from_min, to_min })
    }
}

impl Hours {
    /// All the week.
    #[must_use]
    pub fn always(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            days: Days::ALL,
            span: DaySpan::WHOLE,
            zone: Zone::utc(),
        }
    }

    /// Whether the moment lies within; the end does not.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.ends_after(at).is_some()
    }

    /// When the time that `at` lies within ends.
    #[must_use]
    pub fn ends_after(&self, at: Timestamp) -> Option<Timestamp> {
        let today = self.zone.local(at).date();
        [today.yesterday().ok(), Some(today)]
            .into_iter()
            .flatten()
            .filter_map(|date| self.on(date))
            .find(|(from, to)| *from <= at && at < *to)
            .map(|(_, to)| to)
    }

    /// When it begins next, strictly after `at`.
    #[must_use]
    pub fn next_start(&self, at: Timestamp) -> Option<Timestamp> {
        let mut date = self.zone.local(at).date();
        for _ in 0..9 {
            if let Some((from, _)) = self.on(date).filter(|(from, _)| *from > at) {
                return Some(from);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn on(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.days.holds(date.weekday()) {
            return None;
        }
        let from = self.moment(date, self.span.from_min)?;
        let last = if self.span.to_min <= self.span.from_min {
            date.tomorrow().ok()?
        } else {
            date
        };
        Some((from, self.moment(last, self.span.to_min)?))
    }

    fn moment(&self, date: Date, minutes: u16) -> Option<Timestamp> {
        let (date, minutes) = if minutes == 1_440 {
            (date.tomorrow().ok()?, 0)
        } else {
            (date, minutes)
        };
        let time = Time::new((minutes / 60) as i8, (minutes % 60) as i8, 0, 0).ok()?;
        self.zone.moment(date, time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_unix_us(moment.as_microsecond())
    }

    fn hours(days: &str, span: &str, zone: &str) -> Hours {
        Hours {
            name: "office".into(),
            days: days.parse().unwrap(),
            span: span.parse().unwrap(),
            zone: Zone::named(zone).unwrap(),
        }
    }

    #[test]
    fn office_hours_in_seoul() {
        let office = hours("MON-FRI", "09:00-18:00", "Asia/Seoul");
        // 2026-11-23 is a Monday; Seoul is nine hours ahead.
        assert!(!office.holds(at("2026-11-22T23:59:59Z")));
        assert!(office.holds(at("2026-11-23T00:00:00Z")));
        assert!(office.holds(at("2026-11-23T08:59:59Z")));
        assert!(!office.holds(at("2026-11-23T09:00:00Z")));
        assert_eq!(
            office.next_start(at("2026-11-27T09:00:00Z")),
            Some(at("2026-11-30T00:00:00Z"))
        );
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let night = hours("FRI", "22:00-06:00", "UTC");
        assert!(night.holds(at("2026-11-28T05:59:00Z")));
        assert!(!night.holds(at("2026-11-29T05:59:00Z")));
        assert_eq!(
            night.ends_after(at("2026-11-27T23:00:00Z")),
            Some(at("2026-11-28T06:00:00Z"))
        );
    }

    #[test]
    fn clocks_that_change_move_the_hours_with_them() {
        let early = hours("SUN", "01:00-04:00", "Europe/Paris");
        // 2027-03-28: the clock skips from 02:00 to 03:00, so that it lasts two hours.
        assert_eq!(
            early.ends_after(at("2027-03-28T00:30:00Z")),
            Some(at("2027-03-28T02:00:00Z"))
        );
        // 2026-10-25: the hour from 02:00 occurs twice, so that it lasts four.
        assert_eq!(
            early.ends_after(at("2026-10-24T23:30:00Z")),
            Some(at("2026-10-25T03:00:00Z"))
        );
    }

    #[test]
    fn what_is_no_time_is_named() {
        assert!(
            "MON-FUN"
                .parse::<Days>()
                .unwrap_err()
                .contains("`FUN` is not a day")
        );
        assert!("9-18".parse::<DaySpan>().unwrap_err().contains("09:00-18:00"));
        assert!("09:00-09:00".parse::<DaySpan>().is_err());
        assert_eq!("SAT,SUN".parse::<Days>().unwrap(), "SAT-SUN".parse().unwrap());
    }
}
