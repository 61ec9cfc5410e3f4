//! `thresholds:` of a check.

use std::collections::BTreeSet;

use super::check_keys::THRESHOLD;
use crate::check::Kind;
use crate::decode::{Fields, Node, Problem, Reader};
use crate::model::{Bound, Threshold, Unit};

pub(super) fn read_thresholds(
    node: &Node,
    kind: &Kind,
    measures: Option<&[(String, Option<Unit>)]>,
    any_name: bool,
    reader: &mut Reader<'_>,
) -> Vec<Threshold> {
    let mut thresholds = Vec::new();
    for entry in reader.entries(node) {
        let known = measures.map(|all| {
            all.iter().find(|(name, _)| {
                *name == entry.key
                    || name
                        .strip_prefix(&entry.key)
                        .is_some_and(|rest| rest.starts_with('.'))
            })
        });
        let unit = match known {
            Some(None) if any_name => None,
            Some(None) => {
                let names: BTreeSet<&str> = measures
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.as_str())
                    .collect();
                let near = crate::decode::nearest(&entry.key, names.iter().copied());
                let hint = near.map_or_else(
                    || {
                        format!(
                            "known are {}",
                            names.iter().copied().collect::<Vec<_>>().join(", ")
                        )
                    },
                    |near| format!("did you mean `{near}`?"),
                );
                reader.report(
                    Problem::error(
                        &entry.place,
                        format!("`{}` is nothing that {} checks measure", entry.key, kind.name),
                    )
                    .hint(hint),
                );
                continue;
            }
            Some(Some((_, unit))) => *unit,
            // The probe could not be read, so that its own measurements are not known.
            None => None,
        };
        thresholds.extend(read_threshold(&entry.key, &entry.node, unit, reader));
    }
    thresholds
}

fn read_threshold(name: &str, node: &Node, unit: Option<Unit>, reader: &mut Reader<'_>) -> Option<Threshold> {
    let fields = Fields::open(node, &THRESHOLD, reader)?;
    let mut bound = |key: &str| {
        let node = fields.get(key)?;
        let text = reader.plain(node)?;
        if text.ends_with(" usual") || text.starts_with("rising ") {
            reader.error(
                node,
                format!("`{text}`: relative bounds are not available in this version of haetae"),
            );
            return None;
        }
        match Bound::parse(&text, unit) {
            Ok(bound) => Some(bound),
            Err(why) => {
                reader.error(node, why);
                None
            }
        }
    };
    let (warning, critical) = (bound("warning"), bound("critical"));
    if let (Some(warning), Some(critical)) = (warning, critical)
        && !critical.implies(&warning)
    {
        let at = fields.get("critical").unwrap_or(node);
        reader.report(
            Problem::error(
                &at.place,
                format!("`{critical}` can be critical without being a warning first (`{warning}`)"),
            )
            .hint("every value that is critical must violate the warning bound too"),
        );
    }
    if fields.get("warning").is_none() && fields.get("critical").is_none() {
        reader.report(
            Problem::error(&node.place, format!("the threshold `{name}` sets no bound"))
                .hint("for example `{ warning: above 300ms, critical: above 1s }`"),
        );
    }
    Some(Threshold {
        measurement: name.to_owned(),
        warning,
        critical,
        owner: fields.get("owner").and_then(|node| reader.plain(node)),
        reviewed: fields.get("reviewed").and_then(|node| read_date(node, reader)),
    })
}

fn read_date(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.plain(node)?;
    if text.parse::<jiff::civil::Date>().is_err() {
        reader.error(
            node,
            format!("`{text}` is not a date: write for example `2026-11-23`"),
        );
        return None;
    }
    Some(text)
}
