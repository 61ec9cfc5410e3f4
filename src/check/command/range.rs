//! Ranges of the Nagios Plugin Development Guidelines: `[@][start:][end]`.

use std::fmt;

/// From where to where a value is good; with `@`, bad.
///
/// `10` is 0 to 10, `10:` has no upper end, `~:10` no lower one. Both ends belong to the range.
/// What the guidelines leave open is read as their own library does: `:10` is `0:10`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// −∞ for `~`.
    pub start: f64,
    /// ∞ when none is written.
    pub end: f64,
    /// Whether the inside is what alerts (`@`).
    pub inside: bool,
}

impl Range {
    /// Reads a range; none when the text is not one, or its start lies above its end.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (inside, rest) = match text.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if rest.is_empty() {
            return None;
        }
        let (start, end) = match rest.split_once(':') {
            Some(("~", end)) => (f64::NEG_INFINITY, end),
            Some(("", end)) => (0.0, end),
            Some((start, end)) => (number(start)?, end),
            None => (0.0, rest),
        };
        let end = match (end, rest.contains(':')) {
            ("", true) => f64::INFINITY,
            (end, _) => number(end)?,
        };
        (start <= end).then_some(Self { start, end, inside })
    }

    /// Whether this value alerts.
    #[must_use]
    pub fn alerts(&self, value: f64) -> bool {
        let within = self.start <= value && value <= self.end;
        within == self.inside
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inside {
            f.write_str("@")?;
        }
        match (self.start, self.end) {
            (f64::NEG_INFINITY, f64::INFINITY) => f.write_str("~:"),
            (f64::NEG_INFINITY, end) => write!(f, "~:{end}"),
            (start, f64::INFINITY) => write!(f, "{start}:"),
            (0.0, end) => write!(f, "{end}"),
            (start, end) => write!(f, "{start}:{end}"),
        }
    }
}

/// A number without a unit: digits, sign, point, exponent.
pub(super) fn number(text: &str) -> Option<f64> {
    let digits = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let number: f64 = digits.then(|| text.parse().ok()).flatten()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_alert_as_the_guidelines_say() {
        // The table of the guidelines, then ends and signs.
        for (text, good, bad) in [
            ("10", &[0.0, 5.0, 10.0][..], &[-0.1, 10.1][..]),
            ("10:", &[10.0, 1e9], &[9.9, -1.0]),
            ("~:10", &[-1e9, 10.0], &[10.1]),
            ("10:20", &[10.0, 15.0, 20.0], &[9.9, 20.1]),
            ("@10:20", &[9.9, 20.1, -5.0], &[10.0, 15.0, 20.0]),
            ("@10", &[-0.1, 10.1], &[0.0, 10.0]),
            ("@~:0", &[0.1], &[0.0, -7.0]),
            ("~:", &[-1e9, 0.0, 1e9], &[]),
            ("@~:", &[], &[-1e9, 0.0, 1e9]),
            ("-20:-10", &[-20.0, -10.0], &[-20.1, -9.9, 0.0]),
            ("0", &[0.0], &[0.1, -0.1]),
            (":10", &[0.0, 10.0], &[-0.1, 10.1]),
            (":", &[0.0, 1e9], &[-0.1]),
            ("1.5:2.5", &[1.5, 2.5], &[1.4, 2.6]),
            ("1e3:", &[1000.0], &[999.9]),
        ] {
            let range = Range::parse(text).unwrap_or_else(|| panic!("{text}"));
            for value in good {
                assert!(!range.alerts(*value), "{text} alerts at {value}");
            }
            for value in bad {
                assert!(range.alerts(*value), "{text} does not alert at {value}");
            }
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "", "@", "~", "@~", "20:10", "10:~", "a", "1:2:3", "10%", "5 ", " 5", "nan", "inf:", "1:inf",
            "0,5", "@@1", "-", "1..2",
        ] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_are_shown_in_their_shortest_form() {
        for (text, shown) in [
            ("0:10", "10"),
            ("10:", "10:"),
            ("~:10", "~:10"),
            ("@10:20", "@10:20"),
            ("~:", "~:"),
            ("-1.50:2", "-1.5:2"),
        ] {
            assert_eq!(Range::parse(text).unwrap().to_string(), shown);
        }
    }
}
