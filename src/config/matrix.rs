//! `matrix:`: one check per combination of values.
//!
//! `${matrix.name}` is filled in before anything is read, so that it works in every value:
//! names, addresses, durations, bounds.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::{Entry, Node, Problem, Reader, Value, nearest};

/// More checks than this come out of no file by intent.
const MOST_COMBINATIONS: usize = 10_000;

/// One combination: what is appended to the id, and the check without its `matrix:`.
pub struct Combination {
    /// One segment per axis.
    pub id: String,
    /// With the values filled in.
    pub node: Node,
}

struct Axis {
    name: String,
    values: Vec<AxisValue>,
}

/// A value, and what it is called in the id. A value may have parts: `${matrix.bank.url}`.
#[derive(Clone)]
struct AxisValue {
    segment: String,
    whole: Option<String>,
    parts: Vec<(String, String)>,
}

/// The combinations of a check; none when it has no `matrix:`, or a wrong one, which is
/// reported.
pub fn combinations(check: &Node, reader: &mut Reader<'_>) -> Option<Vec<Combination>> {
    let matrix = check.get("matrix")?;
    let before = reader.failures();
    let axes: Vec<Axis> = reader
        .entries(matrix)
        .iter()
        .map(|entry| Axis {
            name: entry.key.clone(),
            values: read_values(entry, reader),
        })
        .collect();
    for axis in &axes {
        report_twice(axis, matrix, reader);
    }
    let count = axes.iter().map(|axis| axis.values.len()).product::<usize>();
    if reader.failures() == before && (axes.is_empty() || count == 0) {
        reader.report(
            Problem::error(&matrix.place, "`matrix` has no values")
                .hint("for example `matrix: { host: [a.example, b.example] }`"),
        );
    }
    if count > MOST_COMBINATIONS {
        reader.error(
            matrix,
            format!("this makes {count} checks; {MOST_COMBINATIONS} is the most"),
        );
    }
    let mut plain = check.clone();
    if let Value::Map(entries) = &mut plain.value {
        entries.retain(|entry| entry.key != "matrix");
    }
    report_unknown(&plain, &axes, reader);
    if reader.failures() > before {
        return Some(Vec::new());
    }
    let combined = combine(&axes).into_iter().map(|chosen| {
        let segments: Vec<&str> = chosen.iter().map(|(_, value)| value.segment.as_str()).collect();
        let mut values = BTreeMap::new();
        for (axis, value) in &chosen {
            let whole = value.whole.as_ref().unwrap_or(&value.segment);
            values.insert((*axis).to_owned(), whole.clone());
            for (part, text) in &value.parts {
                values.insert(format!("{axis}.{part}"), text.clone());
            }
        }
        let mut node = plain.clone();
        fill(&mut node, &values);
        Combination {
            id: segments.join("/"),
            node,
        }
    });
    Some(combined.collect())
}

fn combine(axes: &[Axis]) -> Vec<Vec<(&str, &AxisValue)>> {
    let mut all: Vec<Vec<(&str, &AxisValue)>> = vec![Vec::new()];
    for axis in axes {
        all = all
            .into_iter()
            .flat_map(|chosen| {
                axis.values.iter().map(move |value| {
                    let mut chosen = chosen.clone();
                    chosen.push((axis.name.as_str(), value));
                    chosen
                })
            })
            .collect();
    }
    all
}

/// `[a, b]`, or `{ name: value }`, where a value is a text or a map of texts.
fn read_values(axis: &Entry, reader: &mut Reader<'_>) -> Vec<AxisValue> {
    match &axis.node.value {
        Value::List(items) => items
            .iter()
            .filter_map(|item| {
                let text = reader.plain(item)?;
                Some(AxisValue {
                    segment: segment_of(&text, item, reader)?,
                    whole: Some(text),
                    parts: Vec::new(),
                })
            })
            .collect(),
        Value::Map(entries) => entries
            .iter()
            .filter_map(|entry| read_named(entry, reader))
            .collect(),
        Value::Scalar { .. } => {
            reader.report(
                Problem::error(&axis.node.place, format!("`{}` needs a list of values", axis.key)).hint(
                    format!(
                        "for example `{}: [a, b]` or `{}: {{ a: https://a.example, b: https://b.example }}`",
                        axis.key, axis.key
                    ),
                ),
            );
            Vec::new()
        }
    }
}

fn read_named(entry: &Entry, reader: &mut Reader<'_>) -> Option<AxisValue> {
    let named = Node {
        place: entry.place.clone(),
        value: entry.node.value.clone(),
    };
    let segment = segment_of(&entry.key, &named, reader)?;
    let Value::Map(parts) = &entry.node.value else {
        return Some(AxisValue {
            segment,
            whole: Some(reader.plain(&entry.node)?),
            parts: Vec::new(),
        });
    };
    let mut texts = Vec::new();
    for part in parts {
        texts.push((part.key.clone(), reader.plain(&part.node)?));
    }
    Some(AxisValue {
        segment,
        whole: None,
        parts: texts,
    })
}

/// What a value is called in an id: what an id cannot hold becomes `-`.
fn segment_of(text: &str, node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut segment = String::new();
    for c in text.chars() {
        match fits(c) {
            true => segment.push(c),
            false if segment.ends_with('-') => {}
            false => segment.push('-'),
        }
    }
    let segment = segment.trim_matches('-').to_owned();
    if segment.is_empty() || segment.trim_matches('.').is_empty() {
        reader.report(
            Problem::error(&node.place, format!("`{text}` gives no name for an id"))
                .hint("name the values: `{ a: VALUE, b: VALUE }`"),
        );
        return None;
    }
    Some(segment)
}

fn report_twice(axis: &Axis, matrix: &Node, reader: &mut Reader<'_>) {
    let place = matrix.get(&axis.name).unwrap_or(matrix);
    let mut seen = BTreeSet::new();
    for value in &axis.values {
        if !seen.insert(&value.segment) {
            let message = format!(
                "`{}` has `{}` twice, which makes the same id twice",
                axis.name, value.segment
            );
            reader.error(place, message);
        }
    }
}

/// Every `${matrix.…}` that names no axis, told once, where it stands.
fn report_unknown(node: &Node, axes: &[Axis], reader: &mut Reader<'_>) {
    let mut known: Vec<String> = Vec::new();
    for axis in axes {
        known.push(axis.name.clone());
        let parts = axis.values.iter().flat_map(|value| &value.parts);
        known.extend(parts.map(|(part, _)| format!("{}.{part}", axis.name)));
    }
    let mut unknown = |text: &str, node: &Node| {
        for name in names_in(text).filter(|name| !known.iter().any(|axis| axis == name)) {
            let problem = Problem::error(&node.place, format!("`matrix` has no `{name}`"));
            reader.report(match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => problem.hint(format!("did you mean `${{matrix.{near}}}`?")),
                None => problem.hint(format!("it has {}", known.join(", "))),
            });
        }
    };
    visit(node, &mut unknown);
}

fn visit(node: &Node, look: &mut impl FnMut(&str, &Node)) {
    match &node.value {
        Value::Scalar { text, .. } => look(text, node),
        Value::List(items) => items.iter().for_each(|item| visit(item, look)),
        Value::Map(entries) => entries.iter().for_each(|entry| visit(&entry.node, look)),
    }
}

const OPENS: &str = "${matrix.";

/// The names in `${matrix.name}`; `$${` opens nothing.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(OPENS).filter_map(move |(at, _)| {
        let escaped = text[..at].ends_with('$');
        let rest = &text[at + OPENS.len()..];
        let end = rest.find('}')?;
        (!escaped).then(|| &rest[..end])
    })
}

fn fill(node: &mut Node, values: &BTreeMap<String, String>) {
    match &mut node.value {
        Value::Scalar { text, .. } => {
            if text.contains(OPENS) {
                *text = filled(text, values);
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| fill(item, values)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| fill(&mut entry.node, values)),
    }
}

fn filled(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPENS) {
        let name_at = at + OPENS.len();
        let end = rest[name_at..].find('}').map(|end| name_at + end);
        let value = end.and_then(|end| values.get(&rest[name_at..end]).zip(Some(end)));
        match value {
            Some((value, end)) if !rest[..at].ends_with('$') => {
                out.push_str(&rest[..at]);
                out.push_str(value);
                rest = &rest[end + 1..];
            }
            _ => {
                out.push_str(&rest[..name_at]);
                rest = &rest[name_at..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_wherever_they_stand() {
        let values = BTreeMap::from([
            ("host".to_owned(), "a".to_owned()),
            ("b.url".to_owned(), "u".to_owned()),
        ]);
        for (text, wanted) in [
            ("https://${matrix.host}/x", "https://a/x"),
            ("${matrix.host}${matrix.b.url}", "au"),
            ("$${matrix.host} ${matrix.host}", "$${matrix.host} a"),
            ("${matrix.other} ${matrix.host", "${matrix.other} ${matrix.host"),
            ("${vars.host}", "${vars.host}"),
        ] {
            assert_eq!(filled(text, &values), wanted, "{text}");
        }
        assert_eq!(
            names_in("${matrix.a}$${matrix.b}${matrix.c.d}").collect::<Vec<_>>(),
            ["a", "c.d"]
        );
    }
}
