//! Wall-clock moments as plain values, and durations as people write them.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment on the wall clock, in microseconds since 1970-01-01T00:00:00Z.
///
/// In JSON it is RFC 3339 in UTC with all its digits: `"2026-11-23T19:49:00.123456Z"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.to_jiff().strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(moment.as_microsecond()))
    }
}

/// Durations in JSON as milliseconds, with fractions; for fields whose name ends in `_ms`.
pub(crate) mod as_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(span.as_secs_f64() * 1_000.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let ms = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(ms / 1_000.0).map_err(serde::de::Error::custom)
    }
}

impl Timestamp {
    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_us(us: i64) -> Self {
        Self(us)
    }

    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_us(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_unix_ms(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same moment for calendar work; moments outside jiff's years −9999 to 9999 are
    /// taken as the Unix epoch.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

/// RFC 3339 in UTC, to the second: `2026-11-23T19:49:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// A number without a unit; the two most likely readings are offered.
    #[error("`{0}` has no unit: write `{0}ms` or `{0}s`")]
    NoUnit(String),
    /// A unit that is not one of ms, s, m, h, d, w.
    #[error("`{0}` is not a unit of time: use ms, s, m, h, d or w")]
    UnknownUnit(String),
    /// Not of the form number-unit at all.
    #[error("`{0}` is not a duration: write for example `250ms`, `30s`, `5m` or `1h30m`")]
    Malformed(String),
    /// Longer than 100 years.
    #[error("`{0}` is too long")]
    TooLong(String),
}

const UNITS_MS: [(&str, f64); 6] = [
    ("ms", 1.0),
    ("s", 1_000.0),
    ("m", 60_000.0),
    ("h", 3_600_000.0),
    ("d", 86_400_000.0),
    ("w", 604_800_000.0),
];
const LONGEST_MS: f64 = 100.0 * 365.0 * 86_400_000.0;

/// Reads a duration as users write it: `250ms`, `30s`, `1h30m`, `2.5s`, `90d`.
///
/// # Errors
/// A bare number, an unknown unit, anything else that is no duration, or one over 100 years.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let trimmed = text.trim();
    let malformed = || DurationError::Malformed(text.to_owned());
    if trimmed.is_empty() {
        return Err(malformed());
    }
    let mut rest = trimmed;
    let mut total_ms = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| malformed())?;
        let after = rest[digits..].trim_start();
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let unit = &after[..letters];
        if unit.is_empty() {
            return Err(if digits == trimmed.len() {
                DurationError::NoUnit(trimmed.to_owned())
            } else {
                malformed()
            });
        }
        let (_, factor) = UNITS_MS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| DurationError::UnknownUnit(unit.to_owned()))?;
        total_ms += number * factor;
        rest = after[letters..].trim_start();
    }
    if total_ms > LONGEST_MS {
        return Err(DurationError::TooLong(text.to_owned()));
    }
    Ok(Duration::from_secs_f64(total_ms / 1_000.0))
}

/// Writes a duration with at most two units, the way [`parse_duration`] reads it:
/// `350ms`, `1.25s`, `4m30s`, `1h`, `9d4h`.
#[must_use]
pub fn format_duration(span: Duration) -> String {
    let ms = span.as_secs_f64() * 1_000.0;
    if ms < 1.0 {
        return format!("{}ms", trim_number(ms, 2));
    }
    if ms < 999.5 {
        return format!("{ms:.0}ms");
    }
    if ms < 59_995.0 {
        return format!("{}s", trim_number(ms / 1_000.0, 2));
    }
    let seconds = (ms / 1_000.0).round() as u64;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds % 86_400 / 3_600, "h"),
        (seconds % 3_600 / 60, "m"),
        (seconds % 60, "s"),
    ];
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    parts[first..]
        .iter()
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect()
}

/// A number with at most `places` decimals and no trailing zeros.
#[must_use]
pub(crate) fn trim_number(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, ms) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("2.5s", 2_500),
            ("90d", 7_776_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn moments_are_read_back_from_json_to_the_microsecond() {
        let moment = Timestamp::from_unix_us(1_795_470_946_571_434);
        let json = serde_json::to_string(&moment).unwrap();
        assert_eq!(json, "\"2026-11-23T21:55:46.571434Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), moment);
    }

    #[test]
    fn a_bare_number_is_refused_with_both_readings() {
        assert_eq!(
            parse_duration("500").unwrap_err().to_string(),
            "`500` has no unit: write `500ms` or `500s`"
        );
    }

    #[test]
    fn what_is_no_duration_is_named() {
        for text in ["", "fast", "5 parsecs", "1h30", "-5s", "1.2.3s", "5e3s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_short_and_read_back() {
        for (ms, text) in [
            (350, "350ms"),
            (1_250, "1.25s"),
            (60_000, "1m"),
            (270_000, "4m30s"),
            (3_600_000, "1h"),
            (790_000_000, "9d3h"),
        ] {
            assert_eq!(format_duration(Duration::from_millis(ms)), text);
        }
        assert_eq!(parse_duration("4m30s"), Ok(Duration::from_secs(270)));
    }
}
