//! Performance data of the Nagios Plugin Development Guidelines:
//! `'label'=value[UOM];[warn];[crit];[min];[max]`, separated by spaces.

use super::range::{Range, number};
use crate::model::{Quantity, Unit};

/// One number that a plugin tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// Without its quotes.
    pub label: String,
    /// As the plugin counts it; none when it says `U`: not known.
    pub value: Option<f64>,
    /// As it is written after the value: `ms`, `%`, `c`, or nothing.
    pub uom: String,
    /// Outside of this the plugin warns.
    pub warning: Option<Range>,
    /// Outside of this the plugin is critical.
    pub critical: Option<Range>,
    /// The least that the value can be.
    pub min: Option<f64>,
    /// The most that the value can be.
    pub max: Option<f64>,
}

impl Datum {
    /// The value under its unit. A unit that the guidelines do not have makes a plain number.
    #[must_use]
    pub fn quantity(&self) -> Option<Quantity> {
        let (factor, unit) = UOMS
            .iter()
            .find(|(uom, ..)| *uom == self.uom)
            .map_or((1.0, Unit::Count), |(_, factor, unit)| (*factor, *unit));
        let value = self.value? * factor;
        value.is_finite().then_some(Quantity { value, unit })
    }

    /// Which of its own ranges the value alerts in, the worse first, in words.
    #[must_use]
    pub fn own_alert(&self) -> Option<String> {
        let value = self.value?;
        let ranges = [("critical", self.critical), ("warning", self.warning)];
        let (word, range) = ranges.iter().find_map(|(word, range)| {
            range
                .filter(|range| range.alerts(value))
                .map(|range| (word, range))
        })?;
        Some(format!(
            "{value}{} is {word} by the plugin's own range `{range}`",
            self.uom
        ))
    }
}

/// Units: as haetae's own thresholds have them, KB is 1,000 bytes and KiB 1,024.
const UOMS: &[(&str, f64, Unit)] = &[
    ("", 1.0, Unit::Count),
    ("c", 1.0, Unit::Count),
    ("s", 1_000.0, Unit::Ms),
    ("ms", 1.0, Unit::Ms),
    ("us", 0.001, Unit::Ms),
    ("ns", 0.000_001, Unit::Ms),
    ("%", 1.0, Unit::Percent),
    ("B", 1.0, Unit::Bytes),
    ("KB", 1e3, Unit::Bytes),
    ("MB", 1e6, Unit::Bytes),
    ("GB", 1e9, Unit::Bytes),
    ("TB", 1e12, Unit::Bytes),
    ("KiB", 1_024.0, Unit::Bytes),
    ("MiB", 1_048_576.0, Unit::Bytes),
    ("GiB", 1_073_741_824.0, Unit::Bytes),
    ("TiB", 1_099_511_627_776.0, Unit::Bytes),
];

/// Reads all data of a text, and what in it is none, in words.
#[must_use]
pub fn parse(text: &str) -> (Vec<Datum>, Vec<String>) {
    let (mut data, mut odd) = (Vec::new(), Vec::new());
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((label, after)) = label(rest) else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            odd.push(format!("`{}` is no performance data", &rest[..end]));
            rest = rest[end..].trim_start();
            continue;
        };
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        match datum(&label, &after[..end], &mut odd) {
            Some(datum) => data.push(datum),
            None => odd.push(format!(
                "the value of `{label}`, `{}`, is no number",
                &after[..end]
            )),
        }
        rest = after[end..].trim_start();
    }
    (data, odd)
}

/// The label and what stands after its `=`. Quotes may surround it; inside them a quote is
/// written twice.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let end = text.find(|c: char| c == '=' || c.is_whitespace())?;
        let after = text[end..].strip_prefix('=')?;
        return (end > 0).then(|| (text[..end].to_owned(), after));
    };
    let mut label = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('\'')?;
        label.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(more) => {
                label.push('\'');
                rest = more;
            }
            None => break,
        }
    }
    let after = rest.strip_prefix('=')?;
    (!label.is_empty()).then_some((label, after))
}

fn datum(label: &str, text: &str, odd: &mut Vec<String>) -> Option<Datum> {
    let mut parts = text.split(';');
    let written = parts.next().unwrap_or_default();
    let (value, uom) = if written == "U" {
        (None, "")
    } else {
        let (value, uom) = value_and_unit(written)?;
        (Some(value), uom)
    };
    let mut range = |name: &str| {
        let text = parts.next().unwrap_or_default();
        let range = Range::parse(text);
        if range.is_none() && !text.is_empty() {
            odd.push(format!("the {name} range of `{label}`, `{text}`, is no range"));
        }
        range
    };
    let (warning, critical) = (range("warning"), range("critical"));
    Some(Datum {
        label: label.to_owned(),
        value,
        uom: uom.to_owned(),
        warning,
        critical,
        min: parts.next().and_then(number),
        max: parts.next().and_then(number),
    })
}

/// The longest beginning that is a number, and the rest: a unit, of letters or `%`.
fn value_and_unit(text: &str) -> Option<(f64, &str)> {
    let most = text
        .find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)))
        .unwrap_or(text.len());
    let (value, uom) = (1..=most)
        .rev()
        .find_map(|end| number(&text[..end]).map(|value| (value, &text[end..])))?;
    let is_unit = uom.chars().all(|c| c.is_alphabetic() || "%/°".contains(c));
    is_unit.then_some((value, uom))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `label value uom warn crit min max`, one line per datum.
    fn shown(text: &str) -> String {
        let (data, odd) = parse(text);
        let range = |range: Option<Range>| range.map_or("-".to_owned(), |range| range.to_string());
        let number = |number: Option<f64>| number.map_or("-".to_owned(), |number| number.to_string());
        let lines = data.iter().map(|datum| {
            let value = datum.quantity().map_or("-".to_owned(), |value| value.to_string());
            format!(
                "[{}] {value} {} {} {} {}",
                datum.label,
                range(datum.warning),
                range(datum.critical),
                number(datum.min),
                number(datum.max)
            )
        });
        lines.chain(odd).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_form_of_the_grammar() {
        for (text, wanted) in [
            ("users=4;20;50;0", "[users] 4 20 50 0 -"),
            ("time=0.5s;;;0;10", "[time] 500ms - - 0 10"),
            ("a=1500000us b=20ms", "[a] 1.5s - - - -\n[b] 20ms - - - -"),
            ("load1=0.010;5.000;10.000;0;", "[load1] 0.01 5 10 0 -"),
            ("'C: used'=85%;@80:90;90", "[C: used] 85% @80:90 90 - -"),
            ("'it''s'=1c", "[it's] 1 - - - -"),
            ("'''quoted'''=1", "['quoted'] 1 - - - -"),
            ("'a=b'=7", "[a=b] 7 - - - -"),
            ("/=2643MB;5948;5958;0;5968", "[/] 2.5GiB 5948 5958 0 5968"),
            (
                "m=1KB n=1KiB o=1TB",
                "[m] 1000B - - - -\n[n] 1KiB - - - -\n[o] 931.3GiB - - - -",
            ),
            ("x=U;1;2", "[x] - 1 2 - -"),
            ("t=-3.5;~:0;-10:", "[t] -3.5 ~:0 -10: - -"),
            ("f=1e-3s g=2e", "[f] 1ms - - - -\n[g] 2 - - - -"),
            ("rpm=900rpm", "[rpm] 900 - - - -"),
            (
                "  a=1   b=2\tc=3  ",
                "[a] 1 - - - -\n[b] 2 - - - -\n[c] 3 - - - -",
            ),
            ("", ""),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_read() {
        for (text, wanted) in [
            ("nonsense a=1", "[a] 1 - - - -\n`nonsense` is no performance data"),
            ("=5 a=1", "[a] 1 - - - -\n`=5` is no performance data"),
            ("'open=1 a=2", "[a] 2 - - - -\n`'open=1` is no performance data"),
            ("a=0,5", "the value of `a`, `0,5`, is no number"),
            ("a=", "the value of `a`, ``, is no number"),
            ("a=5.3.1", "the value of `a`, `5.3.1`, is no number"),
            (
                "a=nan b=inf",
                "the value of `a`, `nan`, is no number\nthe value of `b`, `inf`, is no number",
            ),
            (
                "a=1;9:3;x",
                "[a] 1 - - - -\nthe warning range of `a`, `9:3`, is no range\nthe critical range of `a`, `x`, is no range",
            ),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_value_is_held_against_the_plugins_own_ranges() {
        for (text, wanted) in [
            ("a=4;5;10", None),
            ("a=6s;5;10", Some("6s is warning by the plugin's own range `5`")),
            ("a=11;5;10", Some("11 is critical by the plugin's own range `10`")),
            ("a=U;5;10", None),
            ("a=-1;5", Some("-1 is warning by the plugin's own range `5`")),
        ] {
            assert_eq!(parse(text).0[0].own_alert().as_deref(), wanted, "{text}");
        }
    }
}
