//! Numbers with units, and the bounds that thresholds set on them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::{DurationError, format_duration, parse_duration, trim_number};

/// What a number counts. Values are kept in the base unit of their dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A plain number.
    Count,
    /// Time, kept in milliseconds.
    Ms,
    /// Size, kept in bytes.
    Bytes,
    /// A share, kept in percent.
    Percent,
}

impl Unit {
    /// What the unit measures, for messages: `a time`, `a size` …
    #[must_use]
    pub const fn dimension(self) -> &'static str {
        match self {
            Self::Count => "a plain number",
            Self::Ms => "a time",
            Self::Bytes => "a size",
            Self::Percent => "a percentage",
        }
    }

    /// A value of this unit as a user would write it, for hints.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Count => "10",
            Self::Ms => "300ms",
            Self::Bytes => "4MiB",
            Self::Percent => "85%",
        }
    }
}

/// A number with its unit: what was measured, or what a bound compares with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// In the unit's base (milliseconds, bytes, percent, or as it is).
    pub value: f64,
    /// What the number counts.
    pub unit: Unit,
}

impl Quantity {
    /// A plain number.
    #[must_use]
    pub const fn count(value: f64) -> Self {
        Self {
            value,
            unit: Unit::Count,
        }
    }

    /// A time.
    #[must_use]
    pub fn time(span: Duration) -> Self {
        Self {
            value: span.as_secs_f64() * 1_000.0,
            unit: Unit::Ms,
        }
    }

    /// A size in bytes.
    #[must_use]
    pub fn bytes(count: u64) -> Self {
        Self {
            value: count as f64,
            unit: Unit::Bytes,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Count => write!(f, "{}", trim_number(self.value, 3)),
            Unit::Percent => write!(f, "{}%", trim_number(self.value, 1)),
            Unit::Ms if self.value < 0.0 => {
                let ago = Duration::from_secs_f64((-self.value / 1_000.0).min(1e15));
                write!(f, "-{}", format_duration(ago))
            }
            Unit::Ms => {
                let span = Duration::from_secs_f64((self.value / 1_000.0).min(1e15));
                write!(f, "{}", format_duration(span))
            }
            Unit::Bytes => write!(f, "{}", format_bytes(self.value)),
        }
    }
}

fn format_bytes(bytes: f64) -> String {
    let steps = [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1_024.0)];
    steps.iter().find(|(_, size)| bytes.abs() >= *size).map_or_else(
        || format!("{}B", trim_number(bytes, 0)),
        |(name, size)| format!("{}{name}", trim_number(bytes / size, 1)),
    )
}

/// Why a text is not a quantity or a bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The number itself cannot be read.
    #[error("`{0}` is not a number with a unit: write for example `300ms`, `4MiB`, `85%` or `10`")]
    Malformed(String),
    /// A time that is wrong in a way worth telling apart.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// Not one of the four forms of a bound.
    #[error("`{0}` is not a bound: write `above 300ms`, `below 3`, `outside 3..10` or `inside 80..90`")]
    NotABound(String),
    /// A bound against the past that is none.
    #[error(
        "`{0}` is not a bound: write `above 3x usual`, `below 0.5x usual`, `rising 10% per 1h` or `falling 10% per 1h` (7 days at most)"
    )]
    NotRelative(String),
    /// `a..b` with a not below b.
    #[error("the range `{0}` is empty: the first number must be below the second")]
    EmptyRange(String),
    /// A unit that does not fit what is measured.
    #[error("{0}")]
    WrongUnit(String),
}

const SIZES: [(&str, f64); 8] = [
    ("B", 1.0),
    ("KB", 1_000.0),
    ("MB", 1_000_000.0),
    ("GB", 1_000_000_000.0),
    ("KiB", 1_024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// Reads `300ms`, `4MiB`, `85%` or `0.99`.
///
/// # Errors
/// When the text is none of these.
pub fn parse_quantity(text: &str) -> Result<Quantity, QuantityError> {
    let text = text.trim();
    let malformed = || QuantityError::Malformed(text.to_owned());
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let unit = text[split..].trim();
    let (factor, kind) = match unit {
        "" => (1.0, Unit::Count),
        "%" => (1.0, Unit::Percent),
        _ => match SIZES.iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => (*factor, Unit::Bytes),
            None => {
                return parse_duration(text).map(Quantity::time).map_err(|error| {
                    if matches!(error, DurationError::Malformed(_)) {
                        malformed()
                    } else {
                        error.into()
                    }
                });
            }
        },
    };
    let number: f64 = text[..split].parse().map_err(|_| malformed())?;
    if !number.is_finite() {
        return Err(malformed());
    }
    Ok(Quantity {
        value: number * factor,
        unit: kind,
    })
}

/// A bound that a measured value can violate. Ends belong to the good side,
/// except for `inside`, where they belong to the bad side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Violated by more than this.
    Above(Quantity),
    /// Violated by less than this.
    Below(Quantity),
    /// Violated by less than the first or more than the second.
    Outside(Quantity, Quantity),
    /// Violated by anything from the first to the second, both included.
    Inside(Quantity, Quantity),
}

impl Bound {
    /// Reads `above 300ms`, `below 3`, `outside 3..10`, `inside 80..90`, and checks that the
    /// unit fits what is measured. A range may carry its unit once, at the end: `3..10ms`.
    ///
    /// # Errors
    /// When it is not a bound, its range is empty, or its unit is another than `unit`.
    pub fn parse(text: &str, unit: Option<Unit>) -> Result<Self, QuantityError> {
        let not_a_bound = || QuantityError::NotABound(text.to_owned());
        let (word, rest) = text
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(not_a_bound)?;
        let single = || fitting(rest, unit);
        match word {
            "above" => Ok(Self::Above(single()?)),
            "below" => Ok(Self::Below(single()?)),
            "outside" => parse_range(rest, unit).map(|(low, high)| Self::Outside(low, high)),
            "inside" => parse_range(rest, unit).map(|(low, high)| Self::Inside(low, high)),
            _ => Err(not_a_bound()),
        }
    }

    /// What it compares: both ends of a range have the same unit.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        match self {
            Self::Above(limit) | Self::Below(limit) => limit.unit,
            Self::Outside(_, high) | Self::Inside(_, high) => high.unit,
        }
    }

    /// Whether `value` (in the bound's base unit) is on the bad side.
    #[must_use]
    pub fn is_violated_by(&self, value: f64) -> bool {
        match self {
            Self::Above(limit) => value > limit.value,
            Self::Below(limit) => value < limit.value,
            Self::Outside(low, high) => value < low.value || value > high.value,
            Self::Inside(low, high) => value >= low.value && value <= high.value,
        }
    }

    /// Whether every value that violates `self` violates `other` too.
    #[must_use]
    pub fn implies(&self, other: &Self) -> bool {
        let outer = other.bad_intervals();
        self.bad_intervals()
            .iter()
            .all(|inner| outer.iter().any(|candidate| candidate.contains(inner)))
    }

    fn bad_intervals(&self) -> Vec<Interval> {
        let above = |q: &Quantity| Interval::open(q.value, f64::INFINITY);
        let below = |q: &Quantity| Interval::open(f64::NEG_INFINITY, q.value);
        match self {
            Self::Above(limit) => vec![above(limit)],
            Self::Below(limit) => vec![below(limit)],
            Self::Outside(low, high) => vec![below(low), above(high)],
            Self::Inside(low, high) => vec![Interval {
                low: low.value,
                high: high.value,
                closed: true,
            }],
        }
    }
}

struct Interval {
    low: f64,
    high: f64,
    closed: bool,
}

impl Interval {
    fn open(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            closed: false,
        }
    }

    fn contains(&self, inner: &Self) -> bool {
        if !self.closed && inner.closed {
            return self.low < inner.low && inner.high < self.high;
        }
        self.low <= inner.low && inner.high <= self.high
    }
}

fn parse_range(text: &str, unit: Option<Unit>) -> Result<(Quantity, Quantity), QuantityError> {
    let (low, high) = text
        .split_once("..")
        .ok_or_else(|| QuantityError::NotABound(text.to_owned()))?;
    let high = fitting(high, unit)?;
    let low = match parse_quantity(low)? {
        bare if bare.unit == Unit::Count && high.unit != Unit::Count => {
            let suffix = text
                .rsplit_once("..")
                .map(|(_, end)| end.trim_start_matches(|c: char| c.is_ascii_digit() || ".-+ ".contains(c)))
                .unwrap_or_default();
            fitting(&format!("{}{suffix}", low.trim()), unit)?
        }
        other if other.unit == high.unit => other,
        _ => {
            return Err(QuantityError::WrongUnit(format!(
                "the two ends of `{}` have different units",
                text.trim()
            )));
        }
    };
    if low.value >= high.value {
        return Err(QuantityError::EmptyRange(text.trim().to_owned()));
    }
    Ok((low, high))
}

fn fitting(text: &str, unit: Option<Unit>) -> Result<Quantity, QuantityError> {
    let text = text.trim();
    let quantity = parse_quantity(text)?;
    match unit {
        Some(Unit::Ms) if quantity.unit == Unit::Count => Err(DurationError::NoUnit(text.to_owned()).into()),
        Some(wanted) if wanted != quantity.unit => Err(QuantityError::WrongUnit(format!(
            "`{text}` is {}, but this measures {}: write for example `{}`",
            quantity.unit.dimension(),
            wanted.dimension(),
            wanted.example()
        ))),
        _ => Ok(quantity),
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Above(limit) => write!(f, "above {limit}"),
            Self::Below(limit) => write!(f, "below {limit}"),
            Self::Outside(low, high) => write!(f, "outside {low}..{high}"),
            Self::Inside(low, high) => write!(f, "inside {low}..{high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str) -> Bound {
        Bound::parse(text, None).unwrap()
    }

    #[test]
    fn ends_belong_to_the_good_side_except_inside() {
        for (text, value, bad) in [
            ("above 300", 300.0, false),
            ("above 300", 300.1, true),
            ("below 1", 0.99, true),
            ("below 1", 1.0, false),
            ("outside 3..10", 3.0, false),
            ("outside 3..10", 2.9, true),
            ("outside 3..10", 10.5, true),
            ("inside 80..90", 80.0, true),
            ("inside 80..90", 90.1, false),
        ] {
            assert_eq!(bound(text).is_violated_by(value), bad, "{value} {text}");
        }
    }

    #[test]
    fn a_critical_bound_must_lie_within_the_warning_bound() {
        for (critical, warning, fits) in [
            ("above 1s", "above 300ms", true),
            ("above 300ms", "above 300ms", true),
            ("above 200ms", "above 300ms", false),
            ("below 1", "outside 3..50", true),
            ("below 4", "outside 3..50", false),
            ("outside 1..60", "outside 3..50", true),
            ("above 9", "below 3", false),
            ("inside 80..90", "above 70", true),
            ("inside 70..90", "above 70", false),
            ("inside 82..85", "inside 80..90", true),
        ] {
            assert_eq!(
                bound(critical).implies(&bound(warning)),
                fits,
                "{critical} within {warning}"
            );
        }
    }

    #[test]
    fn units_must_fit_the_measurement() {
        let of = |text, unit| Bound::parse(text, Some(unit)).map_err(|e| e.to_string());
        assert!(of("above 1.5s", Unit::Ms).is_ok());
        assert_eq!(
            of("above 500", Unit::Ms),
            Err("`500` has no unit: write `500ms` or `500s`".into())
        );
        assert_eq!(
            of("above 85%", Unit::Bytes),
            Err("`85%` is a percentage, but this measures a size: write for example `4MiB`".into())
        );
        assert_eq!(
            of("outside 3..10ms", Unit::Ms).unwrap().to_string(),
            "outside 3ms..10ms"
        );
        assert!(of("outside 10..3", Unit::Count).unwrap_err().contains("is empty"));
        assert!(of("over 3", Unit::Count).unwrap_err().contains("is not a bound"));
    }

    #[test]
    fn quantities_are_shown_in_the_unit_a_person_would_choose() {
        for (text, shown) in [
            ("1500ms", "1.5s"),
            ("2048KiB", "2MiB"),
            ("85.0%", "85%"),
            ("0.5", "0.5"),
            ("999B", "999B"),
        ] {
            assert_eq!(parse_quantity(text).unwrap().to_string(), shown);
        }
    }
}
