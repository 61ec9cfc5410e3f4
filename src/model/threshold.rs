//! Thresholds: what a measurement must violate for a level, as a number or against its past.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Bound, Quantity, QuantityError, Unit, format_duration, parse_duration, parse_quantity};

/// So many runs at an hour of the week say what is usual then, unless the threshold says so
/// itself.
pub const USUAL_MIN_SAMPLES: u32 = 20;
/// A time at or below this is never "more than usual", unless the threshold says so itself.
pub const USUAL_TIME_FLOOR: Duration = Duration::from_millis(100);

/// Bounds on one measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The measurement's name; `disk_used` alone means every subject of it,
    /// `disk_used./data` one of them.
    pub measurement: String,
    /// Violated: at least a warning.
    pub warning: Option<Criterion>,
    /// Violated: critical.
    pub critical: Option<Criterion>,
    /// What a relative bound leaves alone: values that are small in themselves.
    pub floor: Option<Quantity>,
    /// How many runs must be known before a relative bound is judged.
    pub min_samples: u32,
    /// Who answers for the numbers.
    pub owner: Option<String>,
    /// When somebody last looked whether the numbers are still right (a date).
    pub reviewed: Option<String>,
    /// How often somebody should.
    pub review_every: Option<Duration>,
    /// What was usual when the numbers were chosen, for the record.
    pub baseline: Option<Quantity>,
}

impl Threshold {
    /// Two bounds, and nothing said about them.
    #[must_use]
    pub fn new(measurement: impl Into<String>, warning: Option<Bound>, critical: Option<Bound>) -> Self {
        Self {
            measurement: measurement.into(),
            warning: warning.map(Criterion::Fixed),
            critical: critical.map(Criterion::Fixed),
            floor: None,
            min_samples: USUAL_MIN_SAMPLES,
            owner: None,
            reviewed: None,
            review_every: None,
            baseline: None,
        }
    }

    /// Whether the measurement called `name` is meant.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        name == self.measurement
            || name
                .strip_prefix(&self.measurement)
                .is_some_and(|rest| rest.starts_with('.'))
    }

    /// Its bounds that compare with the past.
    pub fn relative(&self) -> impl Iterator<Item = Relative> {
        [self.warning, self.critical]
            .into_iter()
            .filter_map(|criterion| match criterion {
                Some(Criterion::Relative(relative)) => Some(relative),
                _ => None,
            })
    }

    /// The value up to which a relative bound says nothing.
    #[must_use]
    pub fn floor_of(&self, unit: Unit) -> f64 {
        match (self.floor, unit) {
            (Some(floor), _) => floor.value,
            (None, Unit::Ms) => Quantity::time(USUAL_TIME_FLOOR).value,
            (None, _) => 0.0,
        }
    }
}

/// What a level's bound compares with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Criterion {
    /// A number.
    Fixed(Bound),
    /// The past of the same measurement.
    Relative(Relative),
}

impl Criterion {
    /// Reads `above 300ms` or `above 3x usual`, and checks that the unit fits.
    ///
    /// # Errors
    /// When it is neither, or its unit is another than `unit`.
    pub fn parse(text: &str, unit: Option<Unit>) -> Result<Self, QuantityError> {
        match Relative::parse(text, unit)? {
            Some(relative) => Ok(Self::Relative(relative)),
            None => Bound::parse(text, unit).map(Self::Fixed),
        }
    }

    /// The unit it is written in; none for a share of what was before.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        match self {
            Self::Fixed(bound) => Some(bound.unit()),
            Self::Relative(
                Relative::Rising {
                    by: Change::Amount(by),
                    ..
                }
                | Relative::Falling {
                    by: Change::Amount(by),
                    ..
                },
            ) => Some(by.unit),
            Self::Relative(_) => None,
        }
    }

    /// Whether every value that violates `self` violates `other` too; none where that
    /// depends on the past.
    #[must_use]
    pub fn implies(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Fixed(inner), Self::Fixed(outer)) => Some(inner.implies(outer)),
            (Self::Relative(inner), Self::Relative(outer)) => inner.implies(outer),
            (Self::Fixed(_), Self::Relative(_)) | (Self::Relative(_), Self::Fixed(_)) => None,
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(bound) => bound.fmt(f),
            Self::Relative(relative) => relative.fmt(f),
        }
    }
}

/// A bound that compares with the past of the same measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relative {
    /// Violated by more than so many times what is usual at this hour of the week.
    AboveUsual(f64),
    /// Violated by less than so many times what is usual at this hour of the week.
    BelowUsual(f64),
    /// Violated by having grown by more than this in so long.
    Rising {
        /// By how much.
        by: Change,
        /// In how long.
        #[serde(rename = "per_ms", with = "super::time::as_ms")]
        per: Duration,
    },
    /// Violated by having shrunk by more than this in so long.
    Falling {
        /// By how much.
        by: Change,
        /// In how long.
        #[serde(rename = "per_ms", with = "super::time::as_ms")]
        per: Duration,
    },
}

/// By how much a value changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Percent of what it was.
    Share(f64),
    /// An amount in the measurement's own unit.
    Amount(Quantity),
}

impl Change {
    /// Whether something that was `from` and moved by `moved` moved by more than this.
    fn is_less_than(&self, moved: f64, from: f64) -> bool {
        match self {
            Self::Share(percent) => from > 0.0 && moved > from * percent / 100.0,
            Self::Amount(amount) => moved > amount.value,
        }
    }
}

/// The longest time a rate of change may look back.
const LONGEST_SPAN: Duration = Duration::from_hours(7 * 24);

impl Relative {
    /// Reads `above 3x usual`, `below 0.5x usual`, `rising 10% per 1h`, `falling 5GiB per 1d`;
    /// none when the text is of another form.
    fn parse(text: &str, unit: Option<Unit>) -> Result<Option<Self>, QuantityError> {
        let text = text.trim();
        let wrong = || QuantityError::NotRelative(text.to_owned());
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if let Some(times) = rest.trim().strip_suffix("usual") {
            let times: f64 = times
                .trim()
                .strip_suffix('x')
                .and_then(|n| n.trim().parse().ok())
                .ok_or_else(wrong)?;
            return match word {
                "above" if times >= 1.0 && times.is_finite() => Ok(Some(Self::AboveUsual(times))),
                "below" if times > 0.0 && times <= 1.0 => Ok(Some(Self::BelowUsual(times))),
                _ => Err(wrong()),
            };
        }
        // `3x usuall` means the past too, and is told so.
        let times = rest.trim().split_once('x').map(|(times, _)| times);
        if times.is_some_and(|times| times.trim().parse::<f64>().is_ok()) {
            return Err(wrong());
        }
        if !matches!(word, "rising" | "falling") {
            return Ok(None);
        }
        let (by, per) = rest.split_once(" per ").ok_or_else(wrong)?;
        let by = parse_quantity(by)?;
        let per = parse_duration(per.trim())?;
        if by.value <= 0.0 || per.is_zero() || per > LONGEST_SPAN {
            return Err(wrong());
        }
        let change = match (by.unit, unit) {
            // Ten percent of a percentage is ten points: what people mean by a fuller disk.
            (Unit::Percent, unit) if unit != Some(Unit::Percent) => Change::Share(by.value),
            (own, Some(unit)) if own != unit => {
                return Err(QuantityError::WrongUnit(format!(
                    "`{text}` changes by {}, but this measures {}: write for example `{word} {} per 1h` or `{word} 10% per 1h`",
                    own.dimension(),
                    unit.dimension(),
                    unit.example()
                )));
            }
            _ => Change::Amount(by),
        };
        Ok(Some(match word {
            "rising" => Self::Rising { by: change, per },
            _ => Self::Falling { by: change, per },
        }))
    }

    /// How far it looks back; none when it asks for what is usual.
    #[must_use]
    pub const fn span(&self) -> Option<Duration> {
        match self {
            Self::AboveUsual(_) | Self::BelowUsual(_) => None,
            Self::Rising { per, .. } | Self::Falling { per, .. } => Some(*per),
        }
    }

    /// Whether `value` is on the bad side, when it was `then` before (or usually is). Values
    /// up to `floor` say nothing.
    #[must_use]
    pub fn is_violated_by(&self, value: f64, then: f64, floor: f64) -> bool {
        match self {
            Self::AboveUsual(times) => value > floor && value > then * times,
            Self::BelowUsual(times) => then > floor && value < then * times,
            Self::Rising { by, .. } => value > floor && by.is_less_than(value - then, then),
            Self::Falling { by, .. } => then > floor && by.is_less_than(then - value, then),
        }
    }

    /// Whether all that violates `self` violates `other`; none where it cannot be told.
    fn implies(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::AboveUsual(inner), Self::AboveUsual(outer)) => Some(inner >= outer),
            (Self::BelowUsual(inner), Self::BelowUsual(outer)) => Some(inner <= outer),
            (Self::Rising { by: inner, per: a }, Self::Rising { by: outer, per: b })
            | (Self::Falling { by: inner, per: a }, Self::Falling { by: outer, per: b })
                if a == b =>
            {
                match (inner, outer) {
                    (Change::Share(inner), Change::Share(outer)) => Some(inner >= outer),
                    (Change::Amount(inner), Change::Amount(outer)) => Some(inner.value >= outer.value),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What it was compared with, for people: `250ms is usual at this hour of the week`.
    #[must_use]
    pub fn told(&self, then: Quantity) -> String {
        match self {
            Self::AboveUsual(_) | Self::BelowUsual(_) => {
                format!("{then} is usual at this hour of the week")
            }
            Self::Rising { per, .. } | Self::Falling { per, .. } => {
                format!("it was {then} {} before", format_duration(*per))
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(percent) => write!(f, "{percent}%"),
            Self::Amount(amount) => amount.fmt(f),
        }
    }
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AboveUsual(times) => write!(f, "above {times}x usual"),
            Self::BelowUsual(times) => write!(f, "below {times}x usual"),
            Self::Rising { by, per } => write!(f, "rising {by} per {}", format_duration(*per)),
            Self::Falling { by, per } => write!(f, "falling {by} per {}", format_duration(*per)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relative(text: &str, unit: Unit) -> Relative {
        match Criterion::parse(text, Some(unit)) {
            Ok(Criterion::Relative(relative)) => relative,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn relative_bounds_are_read_and_shown_as_they_were_written() {
        for (text, unit) in [
            ("above 3x usual", Unit::Ms),
            ("below 0.5x usual", Unit::Count),
            ("rising 10% per 1h", Unit::Bytes),
            ("rising 10% per 1h", Unit::Percent),
            ("rising 5GiB per 1d", Unit::Bytes),
            ("falling 20 per 5m", Unit::Count),
        ] {
            assert_eq!(relative(text, unit).to_string(), text);
        }
        for text in [
            "above 0.5x usual",
            "below 3x usual",
            "above x usual",
            "rising 10%",
            "rising 0% per 1h",
            "rising 1% per 90d",
        ] {
            assert!(Criterion::parse(text, Some(Unit::Count)).is_err(), "{text}");
        }
        let wrong = Criterion::parse("rising 5s per 1h", Some(Unit::Bytes)).unwrap_err();
        assert!(
            wrong
                .to_string()
                .contains("changes by a time, but this measures a size"),
            "{wrong}"
        );
    }

    #[test]
    fn the_past_decides_and_small_values_say_nothing() {
        for (text, unit, then, value, floor, bad) in [
            ("above 3x usual", Unit::Ms, 200.0, 601.0, 100.0, true),
            ("above 3x usual", Unit::Ms, 200.0, 600.0, 100.0, false),
            ("above 3x usual", Unit::Ms, 5.0, 90.0, 100.0, false),
            ("below 0.5x usual", Unit::Count, 10.0, 4.0, 0.0, true),
            ("below 0.5x usual", Unit::Count, 2.0, 0.0, 5.0, false),
            ("rising 10% per 1h", Unit::Bytes, 100.0, 111.0, 0.0, true),
            ("rising 10% per 1h", Unit::Bytes, 100.0, 109.0, 0.0, false),
            // Of a percentage, points.
            ("rising 10% per 1h", Unit::Percent, 50.0, 59.0, 0.0, false),
            ("rising 10% per 1h", Unit::Percent, 50.0, 61.0, 0.0, true),
            ("falling 20% per 1h", Unit::Count, 100.0, 79.0, 0.0, true),
            ("falling 20 per 1h", Unit::Count, 100.0, 79.0, 0.0, true),
            ("falling 20 per 1h", Unit::Count, 100.0, 81.0, 0.0, false),
        ] {
            let bound = relative(text, unit);
            assert_eq!(
                bound.is_violated_by(value, then, floor),
                bad,
                "{text}: {then} → {value}"
            );
        }
    }

    #[test]
    fn a_critical_relative_bound_must_be_the_stricter_one() {
        let implies = |a: &str, b: &str| {
            let parse = |text: &str| Criterion::parse(text, Some(Unit::Count)).unwrap();
            parse(a).implies(&parse(b))
        };
        assert_eq!(implies("above 5x usual", "above 3x usual"), Some(true));
        assert_eq!(implies("above 2x usual", "above 3x usual"), Some(false));
        assert_eq!(implies("below 0.2x usual", "below 0.5x usual"), Some(true));
        assert_eq!(implies("rising 20% per 1h", "rising 10% per 1h"), Some(true));
        assert_eq!(implies("above 100", "above 3x usual"), None);
    }
}
