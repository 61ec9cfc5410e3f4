//! `checks/**/*.yaml`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::check_keys::{CHECK, ENTRY, LIST};
use super::check_times::{Times, read_confirmation, read_retry};
use super::depends::Named;
use super::matrix::combinations;
use super::merge::{Effective, fingerprint, flatten, over};
use super::settings::read_vars;
use super::thresholds::{ThresholdSets, read_thresholds};
use crate::check::{self, Blocks, KINDS, Kind, Probe, Runnable};
use crate::decode::{Fields, Node, Problem, Reader, Source, Spec, Value};
use crate::engine::is_own;
use crate::model::{Check, CheckId, Priority, Retry, Schedule, Text, Timestamp, Unit, format_duration};

/// Checks as they are read, file after file.
pub struct Checks {
    /// Every check that could be read.
    pub readable: BTreeMap<CheckId, Runnable>,
    /// Their effective values.
    pub effective: BTreeMap<CheckId, Vec<Effective>>,
    /// Every check that was met, readable or not.
    pub met: BTreeMap<CheckId, Met>,
    /// Where checks name what they depend on.
    pub(super) depends: Named,
    defaults: Option<Node>,
    overrides: Vec<(String, Text)>,
    sets: ThresholdSets,
    now: Timestamp,
}

/// A check as far as it can be told apart without being read.
#[derive(Debug, Clone, Default)]
pub struct Met {
    /// Where it stands.
    pub place: String,
    /// Its labels.
    pub tags: Vec<String>,
    /// Whether it is to run.
    pub enabled: bool,
}

impl Checks {
    /// None yet; `defaults` and `sets` are the settings', `overrides` the command line's
    /// variables.
    pub fn new(
        defaults: Option<Node>,
        overrides: Vec<(String, Text)>,
        sets: ThresholdSets,
        now: Timestamp,
    ) -> Self {
        Self {
            readable: BTreeMap::new(),
            effective: BTreeMap::new(),
            defaults,
            overrides,
            met: BTreeMap::new(),
            depends: Named::new(),
            sets,
            now,
        }
    }

    /// Reads one file.
    pub fn file(&mut self, source: &Source, root: &Node, reader: &mut Reader<'_>) {
        let stem = source.name.strip_prefix("checks/").unwrap_or(&source.name);
        let stem = stem
            .strip_suffix(".yaml")
            .or_else(|| stem.strip_suffix(".yml"))
            .unwrap_or(stem);
        let outer = reader.scope.clone();
        if root.get("checks").is_some() {
            self.list(stem, root, reader);
        } else if let Some(id) = parse_id(stem, root, reader) {
            self.check(id, root, None, &CHECK, reader);
        }
        reader.scope = outer;
    }

    fn list(&mut self, stem: &str, root: &Node, reader: &mut Reader<'_>) {
        let Some(fields) = Fields::open(root, &LIST, reader) else {
            return;
        };
        if let Some(node) = fields.get("vars") {
            self.take_vars(node, reader);
        }
        let Some(Value::List(items)) = fields.get("checks").map(|node| &node.value) else {
            if let Some(node) = fields.get("checks") {
                reader.error(
                    node,
                    format!("a list of checks belongs here, not {}", node.kind_name()),
                );
            }
            return;
        };
        let outer = reader.scope.clone();
        for item in items {
            let id = item.get("id").and_then(Node::scalar).unwrap_or_default();
            let place = item.get("id").unwrap_or(item);
            if let Some(id) = parse_id(&format!("{stem}/{id}"), place, reader) {
                self.check(id, item, fields.get("defaults"), &ENTRY, reader);
            }
            reader.scope = outer.clone();
        }
    }

    fn take_vars(&self, node: &Node, reader: &mut Reader<'_>) {
        for (name, text) in read_vars(node, reader) {
            reader.scope.set(name, text);
        }
        for (name, text) in &self.overrides {
            reader.scope.set(name.clone(), text.clone());
        }
    }

    fn check(
        &mut self,
        id: CheckId,
        node: &Node,
        file_defaults: Option<&Node>,
        spec: &'static Spec,
        reader: &mut Reader<'_>,
    ) {
        let merged = self.merge(node, file_defaults);
        reader.check = Some(id.clone());
        let Some(combined) = combinations(&merged, reader) else {
            return self.one(id, &merged, spec, reader);
        };
        let outer = reader.scope.clone();
        for combination in combined {
            if let Some(id) = parse_id(&format!("{id}/{}", combination.id), node, reader) {
                self.one(id, &combination.node, spec, reader);
            }
            reader.scope = outer.clone();
        }
        reader.check = None;
    }

    /// A check that is one: without `matrix:`, or one of its combinations.
    fn one(&mut self, id: CheckId, merged: &Node, spec: &'static Spec, reader: &mut Reader<'_>) {
        reader.check = Some(id.clone());
        let merged = &self.with_sets(merged, reader);
        if let Some(earlier) = self.met.insert(id.clone(), meet(merged)) {
            reader.report(
                Problem::error(&merged.place, format!("the id `{id}` is here a second time"))
                    .hint(format!("it stands already at {}; ids are unique", earlier.place)),
            );
        }
        for (name, text) in &self.overrides {
            reader.scope.set(name.clone(), text.clone());
        }
        reader.captures.clear();
        if let Some(runnable) = self.read(&id, merged, spec, reader) {
            let mut rows = flatten(merged);
            rows.extend(built_in(merged, &runnable.check));
            self.effective.insert(id.clone(), rows);
            self.readable.insert(id, runnable);
        }
        reader.check = None;
    }

    /// The check with the thresholds of the sets that it uses in their place.
    fn with_sets(&self, merged: &Node, reader: &mut Reader<'_>) -> Node {
        let mut whole = merged.clone();
        if let Value::Map(entries) = &mut whole.value {
            for entry in entries.iter_mut().filter(|entry| entry.key == "thresholds") {
                entry.node = self.sets.apply(&entry.node, reader);
            }
        }
        whole
    }

    /// The check over its file's defaults over the settings'.
    fn merge(&self, node: &Node, file_defaults: Option<&Node>) -> Node {
        let has = |key: &str| node.get(key).is_some();
        let own_kind = has_kind(node);
        let may_inherit = move |key: &str| match key {
            "every" => !has("cron"),
            "cron" | "timezone" => !has("every"),
            key if check::kind(key).is_some() => !own_kind,
            _ => true,
        };
        let mut merged = node.clone();
        for defaults in [file_defaults, self.defaults.as_ref()].into_iter().flatten() {
            merged = over(&merged, defaults, &may_inherit);
        }
        merged
    }

    fn read_depends(&mut self, id: &CheckId, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<CheckId> {
        let Some(node) = fields.get("depends_on") else {
            return Vec::new();
        };
        reader.one_or_many(node, |reader, item| {
            let text = reader.plain(item)?;
            let on = parse_id(&text, item, reader)?;
            self.depends.push((id.clone(), on.clone(), item.clone()));
            Some(on)
        })
    }

    fn read(
        &mut self,
        id: &CheckId,
        node: &Node,
        spec: &'static Spec,
        reader: &mut Reader<'_>,
    ) -> Option<Runnable> {
        let before = reader.failures();
        let fields = Fields::open(node, spec, reader)?;
        if let Some(vars) = fields.get("vars") {
            self.take_vars(vars, reader);
        }
        let kind = read_kind(&fields, reader)?;
        let retry = fields
            .get("retry")
            .and_then(|node| read_retry(node, reader))
            .unwrap_or_default();
        let times = Times::read(&fields, retry, self.now, reader);
        let (schedule, timeout, attempt_timeout) = match times {
            Some(times) => (Some(times.schedule), times.timeout, times.attempt_timeout),
            // Read on for the rest of the problems.
            None => (None, Duration::from_secs(1), Duration::from_secs(1)),
        };
        let probe = read_probe(kind, &fields, retry, timeout, attempt_timeout, reader);
        let measures = probe.as_deref().map(|probe| measures(kind, probe));
        let any_name = probe.as_deref().is_some_and(Probe::measures_any_name);
        let mut thresholds = fields
            .get("thresholds")
            .map(|node| read_thresholds(node, kind, measures.as_deref(), any_name, today(self.now), reader))
            .unwrap_or_default();
        let check = Check {
            name: plain(&fields, "name", reader).unwrap_or_else(|| id.to_string()),
            id: id.clone(),
            description: plain(&fields, "description", reader),
            owner: plain(&fields, "owner", reader),
            runbook: plain(&fields, "runbook", reader),
            tags: fields
                .get("tags")
                .map(|node| reader.one_or_many(node, Reader::plain))
                .unwrap_or_default(),
            kind: kind.name,
            schedule: schedule.unwrap_or(Schedule::Every(timeout)),
            timeout,
            attempt_timeout,
            retry,
            confirmation: read_confirmation(&fields, reader),
            depends_on: self.read_depends(id, &fields, reader),
            target: probe.as_deref().map(Probe::target).unwrap_or_default(),
            priority: fields
                .get("priority")
                .and_then(|node| reader.choice(node, PRIORITIES))
                .unwrap_or_default(),
            enabled: fields
                .get("enabled")
                .and_then(|node| reader.boolean(node))
                .unwrap_or(true),
            fingerprint: fingerprint(node),
            place: node.place.file_and_line(),
            thresholds: Vec::new(),
        };
        let probe = probe?;
        thresholds.extend(probe.extra_thresholds());
        (reader.failures() == before).then(|| Runnable {
            check: Arc::new(Check { thresholds, ..check }),
            probe: Arc::from(probe),
            pool: kind.pool,
        })
    }
}

const PRIORITIES: &[(&str, Priority)] = &[
    ("high", Priority::High),
    ("normal", Priority::Normal),
    ("low", Priority::Low),
];

fn plain(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> Option<String> {
    fields.get(key).and_then(|node| reader.plain(node))
}

fn today(now: Timestamp) -> jiff::civil::Date {
    now.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn meet(node: &Node) -> Met {
    let tags = match node.get("tags").map(|tags| &tags.value) {
        Some(Value::List(items)) => items.iter().filter_map(Node::scalar).map(str::to_owned).collect(),
        Some(Value::Scalar { text, .. }) => vec![text.clone()],
        _ => Vec::new(),
    };
    Met {
        place: node.place.file_and_line(),
        tags,
        enabled: node.get("enabled").and_then(Node::scalar) != Some("false"),
    }
}

fn has_kind(node: &Node) -> bool {
    KINDS.iter().any(|kind| node.get(kind.name).is_some())
}

fn parse_id(text: &str, node: &Node, reader: &mut Reader<'_>) -> Option<CheckId> {
    match CheckId::parse(text) {
        Ok(id) if is_own(&id) => {
            reader.report(
                Problem::error(
                    &node.place,
                    format!("`{id}` cannot be an id: `haetae/` is haetae's own"),
                )
                .hint("name the folder otherwise"),
            );
            None
        }
        Ok(id) => Some(id),
        Err(proposal) => {
            reader.report(
                Problem::error(
                    &node.place,
                    format!("`{text}` cannot be an id: letters, digits, `-`, `_`, `.` and `/` can"),
                )
                .hint(format!("name it `{proposal}`")),
            );
            None
        }
    }
}

fn read_kind(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<&'static Kind> {
    let given: Vec<&'static Kind> = KINDS
        .iter()
        .copied()
        .filter(|kind| fields.get(kind.name).is_some())
        .collect();
    match given.as_slice() {
        [kind] => Some(kind),
        [] => {
            let misspelt = KINDS.iter().any(|kind| fields.seems_to_have(kind.name));
            if !misspelt {
                let all: Vec<String> = KINDS.iter().map(|kind| format!("`{}`", kind.name)).collect();
                reader.report(
                    Problem::error(fields.place(), "nothing says what is checked")
                        .hint(format!("a check needs one of {}", all.join(", "))),
                );
            }
            None
        }
        [first, second, ..] => {
            reader.report(Problem::error(
                fields.place(),
                format!(
                    "a check is of one kind, and this one has `{}` and `{}`",
                    first.name, second.name
                ),
            ));
            None
        }
    }
}

fn read_probe(
    kind: &'static Kind,
    fields: &Fields<'_>,
    retry: Retry,
    timeout: Duration,
    attempt_timeout: Duration,
    reader: &mut Reader<'_>,
) -> Option<Box<dyn Probe>> {
    for key in ["steps", "always"] {
        if let Some(node) = fields.get(key).filter(|_| kind.steps.is_none()) {
            reader.error(
                node,
                format!("`{}` checks have no `{key}:` in this version", kind.name),
            );
        }
    }
    let blocks = Blocks {
        settings: fields.get(kind.name)?,
        expect: fields.get("expect"),
        measure: fields.get("measure"),
        steps: fields.get("steps"),
        always: fields.get("always"),
        attempt_timeout,
        timeout,
        retry,
    };
    (kind.read)(&blocks, reader)
}

fn measures(kind: &Kind, probe: &dyn Probe) -> Vec<(String, Option<Unit>)> {
    let own = kind
        .measures
        .iter()
        .map(|(name, unit)| ((*name).to_owned(), Some(*unit)));
    std::iter::once(("duration".to_owned(), Some(Unit::Ms)))
        .chain(own)
        .chain(probe.extra_measures())
        .collect()
}

/// What holds although nobody wrote it.
fn built_in(merged: &Node, check: &Check) -> Vec<Effective> {
    let mut rows = Vec::new();
    for key in CHECK.keys.iter().filter(|key| !key.default.is_empty()) {
        if merged.get(key.name).is_some()
            || (key.name == "timezone" && matches!(check.schedule, Schedule::Every(_)))
        {
            continue;
        }
        let value = match key.name {
            "attempt_timeout" => format!("{} ({})", format_duration(check.attempt_timeout), key.default),
            _ => key.default.to_owned(),
        };
        rows.push(Effective {
            key: key.name.to_owned(),
            value,
            origin: "built in".into(),
        });
    }
    if let (Some(kind), Some(block)) = (check::kind(check.kind), merged.get(check.kind)) {
        for key in kind.settings.keys.iter().filter(|key| !key.default.is_empty()) {
            if block.get(key.name).is_none() {
                rows.push(Effective {
                    key: format!("{}.{}", kind.name, key.name),
                    value: key.default.to_owned(),
                    origin: "built in".into(),
                });
            }
        }
    }
    rows
}
