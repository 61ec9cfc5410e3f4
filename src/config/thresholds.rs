//! `thresholds:` of a check.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::check_keys::{SET_THRESHOLD, THRESHOLD};
use super::merge::over;
use crate::check::Kind;
use crate::decode::{Entry, Fields, Node, Problem, Reader, Severity, Value, nearest};
use crate::model::{
    Criterion, Quantity, Threshold, USUAL_MIN_SAMPLES, Unit, format_duration, parse_quantity,
};

pub(super) fn read_thresholds(
    node: &Node,
    kind: &Kind,
    measures: Option<&[(String, Option<Unit>)]>,
    any_name: bool,
    today: Date,
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
            // The probe could not be read, so that only what its kind always measures is known.
            None => kind
                .measures
                .iter()
                .find(|(name, _)| *name == entry.key)
                .map(|(_, unit)| *unit),
        };
        thresholds.extend(read_threshold(&entry.key, &entry.node, unit, today, reader));
    }
    thresholds
}

fn read_threshold(
    name: &str,
    node: &Node,
    unit: Option<Unit>,
    today: Date,
    reader: &mut Reader<'_>,
) -> Option<Threshold> {
    let fields = Fields::open(node, &THRESHOLD, reader)?;
    let (warning, critical) = read_bounds(name, node, &fields, unit, reader);
    let threshold = Threshold {
        warning,
        critical,
        floor: fields
            .get("floor")
            .and_then(|node| read_floor(node, unit, reader)),
        min_samples: fields
            .get("min_samples")
            .and_then(|node| reader.integer(node, 1, 100_000))
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(USUAL_MIN_SAMPLES),
        owner: fields.get("owner").and_then(|node| reader.plain(node)),
        reviewed: fields.get("reviewed").and_then(|node| read_date(node, reader)),
        review_every: fields
            .get("review_every")
            .and_then(|node| reader.positive_duration(node)),
        baseline: fields
            .get("baseline")
            .and_then(|node| read_quantity(node, reader)),
        ..Threshold::new(name, None, None)
    };
    for key in ["floor", "min_samples"] {
        if let Some(node) = fields.get(key).filter(|_| threshold.relative().next().is_none()) {
            reader.report(
                Problem::error(&node.place, format!("`{key}` goes with a bound against the past"))
                    .hint("for example `{ warning: above 3x usual, floor: 200ms }`"),
            );
        }
    }
    remind_of_review(&threshold, &fields, today, reader);
    Some(threshold)
}

fn read_bounds(
    name: &str,
    node: &Node,
    fields: &Fields<'_>,
    unit: Option<Unit>,
    reader: &mut Reader<'_>,
) -> (Option<Criterion>, Option<Criterion>) {
    let mut bound = |key: &str| {
        let node = fields.get(key)?;
        let text = reader.plain(node)?;
        match Criterion::parse(&text, unit) {
            Ok(bound) => Some(bound),
            Err(why) => {
                reader.error(node, why);
                None
            }
        }
    };
    let (warning, critical) = (bound("warning"), bound("critical"));
    if let (Some(warning), Some(critical)) = (warning, critical)
        && critical.implies(&warning) == Some(false)
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
    (warning, critical)
}

fn read_quantity(node: &Node, reader: &mut Reader<'_>) -> Option<Quantity> {
    let text = reader.plain(node)?;
    match parse_quantity(&text) {
        Ok(quantity) => Some(quantity),
        Err(why) => {
            reader.error(node, why);
            None
        }
    }
}

fn read_floor(node: &Node, unit: Option<Unit>, reader: &mut Reader<'_>) -> Option<Quantity> {
    let floor = read_quantity(node, reader)?;
    match unit {
        Some(unit) if unit != floor.unit => {
            let (is, measures) = (floor.unit.dimension(), unit.dimension());
            reader.error(
                node,
                format!(
                    "`{floor}` is {is}, but this measures {measures}: write for example `{}`",
                    unit.example()
                ),
            );
            None
        }
        _ => Some(floor),
    }
}

/// Numbers that nobody has looked at for too long are told, and go on working.
fn remind_of_review(threshold: &Threshold, fields: &Fields<'_>, today: Date, reader: &mut Reader<'_>) {
    let (Some(every), Some(node)) = (threshold.review_every, fields.get("review_every")) else {
        return;
    };
    let every_text = format_duration(every);
    let reviewed = threshold
        .reviewed
        .as_ref()
        .and_then(|text| text.parse::<Date>().ok());
    let message = match reviewed {
        // A date that is none has been reported.
        None if fields.get("reviewed").is_some() => return,
        None => format!(
            "nobody has said when these numbers were last looked at, which is to be every {every_text}"
        ),
        Some(last) => {
            let age_days = last.until(today).map_or(0, |span| span.get_days());
            if f64::from(age_days) * 86_400.0 <= every.as_secs_f64() {
                return;
            }
            format!("these numbers were last looked at on {last}, which is to be every {every_text}")
        }
    };
    let hint = "look whether they still fit, and write the day: `reviewed: ";
    reader.report(
        Problem::error(&node.place, message)
            .hint(format!("{hint}{today}`"))
            .severity(Severity::Warning),
    );
}

fn read_date(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.plain(node)?;
    if text.parse::<Date>().is_err() {
        reader.error(
            node,
            format!("`{text}` is not a date: write for example `2026-11-23`"),
        );
        return None;
    }
    Some(text)
}

/// The named sets of `haetae.yaml`, as they are written.
#[derive(Debug, Clone, Default)]
pub struct ThresholdSets(Vec<Entry>);

impl ThresholdSets {
    /// Takes the map `thresholds:` of the settings; what is in a set is read where it is used,
    /// since only a check knows what it measures.
    pub fn read(node: &Node, reader: &mut Reader<'_>) -> Self {
        let sets = reader.entries(node).to_vec();
        for set in &sets {
            for threshold in reader.entries(&set.node) {
                let _ = Fields::open(&threshold.node, &SET_THRESHOLD, reader);
            }
        }
        Self(sets)
    }

    /// The check's thresholds over those of the sets that it uses: `use:` beside them takes
    /// a whole set, `use:` in one of them its own entry.
    pub fn apply(&self, thresholds: &Node, reader: &mut Reader<'_>) -> Node {
        let Value::Map(entries) = &thresholds.value else {
            return thresholds.clone();
        };
        let mut own = Vec::new();
        let mut below = Vec::new();
        for entry in entries {
            if entry.key == "use" {
                below.extend(reader.one_or_many(&entry.node, |reader, name| self.find(name, reader)));
            } else {
                own.push(self.one(entry, reader));
            }
        }
        let mut whole = Node {
            place: thresholds.place.clone(),
            value: Value::Map(own),
        };
        // The set that is named last is the nearest.
        for set in below.iter().rev() {
            whole = over(&whole, set, &|_| true);
        }
        whole
    }

    fn one(&self, entry: &Entry, reader: &mut Reader<'_>) -> Entry {
        let Some(name) = entry.node.get("use") else {
            return entry.clone();
        };
        let Some(set) = self.find(name, reader) else {
            return without_use(entry);
        };
        let Some(threshold) = set.get(&entry.key) else {
            reader.error(
                name,
                format!(
                    "the set `{}` has no threshold for `{}`",
                    name.scalar().unwrap_or_default(),
                    entry.key
                ),
            );
            return without_use(entry);
        };
        let own = without_use(entry);
        Entry {
            node: over(&own.node, threshold, &|_| true),
            ..own
        }
    }

    fn find(&self, name: &Node, reader: &mut Reader<'_>) -> Option<Node> {
        let text = reader.plain(name)?;
        if let Some(set) = self.0.iter().find(|set| set.key == text) {
            return Some(set.node.clone());
        }
        let known = || self.0.iter().map(|set| set.key.as_str());
        let problem = Problem::error(
            &name.place,
            format!("there is no set of thresholds called `{text}`"),
        );
        reader.report(match nearest(&text, known()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None if self.0.is_empty() => problem.hint("sets stand in haetae.yaml under `thresholds:`"),
            None => problem.hint(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
        });
        None
    }
}

fn without_use(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    if let Value::Map(keys) = &mut entry.node.value {
        keys.retain(|key| key.key != "use");
    }
    entry
}
