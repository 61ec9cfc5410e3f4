//! `checks/**/*.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::merge::{Effective, fingerprint, flatten, over};
use super::settings::read_vars;
use crate::check::{self, Blocks, KINDS, Kind, Probe, Runnable};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Source, Spec, Value};
use crate::model::{
    Bound, Calendar, Check, CheckId, Confirmation, Priority, Retry, Schedule, Text, Threshold, Timestamp,
    Unit, Window, format_duration,
};

/// Kinds of the format that this version cannot run.
const PLANNED_KINDS: &[&str] = &[
    "tls",
    "dns",
    "domain",
    "ping",
    "udp",
    "websocket",
    "grpc",
    "smtp",
    "mail_dns",
    "sql",
    "redis",
    "prometheus",
    "host",
    "command",
    "heartbeat",
];
/// More retries within a run are impolite (contract §5).
const MOST_RETRIES: i64 = 3;
/// A check runs at most so often.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

static FILE: LazyLock<Spec> = LazyLock::new(|| {
    let mut keys = common_keys();
    keys.push(Key::new(
        "checks",
        Shape::List(&Shape::Any),
        "Several checks in one file, each with an `id`.",
    ));
    keys.push(Key::new(
        "defaults",
        Shape::Any,
        "For the checks of this file, as in a check.",
    ));
    spec("a check file", keys)
});

static CHECK: LazyLock<Spec> = LazyLock::new(|| spec("a check", common_keys()));

static ENTRY: LazyLock<Spec> = LazyLock::new(|| {
    let mut keys = common_keys();
    keys.insert(0, Key::required("id", Shape::Plain, "Appended to the file's id."));
    spec("a check of a list", keys)
});

static LIST: Spec = Spec {
    name: "a file with several checks",
    example: "checks: [{ id: kb, http: { url: https://kb.example/ } }]",
    keys: &[
        Key::required(
            "checks",
            Shape::List(&Shape::Any),
            "The checks, each with an `id`.",
        ),
        Key::new(
            "defaults",
            Shape::Any,
            "For the checks of this file, as in a check.",
        ),
        Key::new(
            "vars",
            Shape::Map(&Shape::Text),
            "Values for `${vars.name}` in this file.",
        ),
    ],
};

static RETRY: Spec = Spec {
    name: "retry",
    example: "retry: { times: 2, wait: 500ms }",
    keys: &[
        Key::required(
            "times",
            Shape::Integer(0, MOST_RETRIES),
            "How often after the first attempt; 3 at most.",
        ),
        Key::or(
            "wait",
            Shape::Duration,
            "500ms",
            "The first wait; each next one is twice as long, with full jitter.",
        ),
    ],
};

static THRESHOLD: Spec = Spec {
    name: "a threshold",
    example: "response_time: { warning: above 300ms, critical: above 1s }",
    keys: &[
        Key::new("warning", Shape::Bound, "From here on it is a warning."),
        Key::new("critical", Shape::Bound, "From here on it is critical."),
        Key::new("owner", Shape::Plain, "Who answers for the numbers."),
        Key::new(
            "reviewed",
            Shape::Plain,
            "When somebody last looked whether they are right: `2026-11-01`.",
        ),
        Key::planned("baseline"),
        Key::planned("review_every"),
        Key::planned("use"),
    ],
};

static MEASURE: Shape = Shape::Map(&Shape::Object(&check::capture::CAPTURE));
static THRESHOLDS: Shape = Shape::Map(&Shape::Object(&THRESHOLD));

/// The keys of a file under `checks/`, for the schema.
pub fn file_spec() -> &'static Spec {
    &FILE
}

fn spec(name: &'static str, keys: Vec<Key>) -> Spec {
    Spec {
        name,
        keys: Box::leak(keys.into_boxed_slice()),
        example: "http: { url: https://pg.example/health }, every: 30s, timeout: 3s",
    }
}

/// The keys that every kind has.
static COMMON: &[Key] = &[
    Key::new("name", Shape::Plain, "For people; the id without one."),
    Key::new("description", Shape::Plain, "What stops working when it fails."),
    Key::new("owner", Shape::Plain, "Who looks after it."),
    Key::new("runbook", Shape::Plain, "Where to read what to do."),
    Key::new(
        "tags",
        Shape::List(&Shape::Plain),
        "Labels for routes and selectors.",
    ),
    Key::new("every", Shape::Duration, "How often, from start to start."),
    Key::new(
        "cron",
        Shape::Plain,
        "At calendar times instead: 5 fields, or 6 with seconds first.",
    ),
    Key::or("timezone", Shape::Plain, "UTC", "Of `cron`."),
    Key::new(
        "timeout",
        Shape::Duration,
        "Of the whole run, retries included. There is no built-in one.",
    ),
    Key::or(
        "attempt_timeout",
        Shape::Duration,
        "timeout ÷ (retries + 1)",
        "Of one attempt.",
    ),
    Key::new("expect", Shape::Any, "What must hold."),
    Key::new(
        "measure",
        Shape::Ref(&MEASURE),
        "Further numbers out of the answer.",
    ),
    Key::new(
        "thresholds",
        Shape::Ref(&THRESHOLDS),
        "Bounds on what is measured.",
    ),
    Key::or(
        "fail_after",
        Shape::Plain,
        "2",
        "How many runs in a row confirm a worse level; `2 of 3` is a window.",
    ),
    Key::or(
        "recover_after",
        Shape::Plain,
        "2",
        "How many confirm a better one.",
    ),
    Key::new(
        "recheck_every",
        Shape::Duration,
        "How soon to look again while a worse level is not yet believed.",
    ),
    Key::new(
        "retry",
        Shape::Object(&RETRY),
        "What is tried again inside one run.",
    ),
    Key::or(
        "priority",
        Shape::Choice(&["high", "normal", "low"]),
        "normal",
        "What is dropped last when the machine can't keep up.",
    ),
    Key::or(
        "enabled",
        Shape::Boolean,
        "true",
        "false keeps a check without running it.",
    ),
    Key::new("vars", Shape::Map(&Shape::Text), "Values for `${vars.name}`."),
    Key::new(
        "steps",
        Shape::Ref(&crate::browser::STEPS),
        "What a browser check does.",
    ),
    Key::new(
        "always",
        Shape::Ref(&crate::browser::STEPS),
        "Clean-up, also after a failure.",
    ),
    Key::planned("depends_on"),
    Key::planned("locations"),
    Key::planned("quorum"),
    Key::planned("matrix"),
];

fn common_keys() -> Vec<Key> {
    let kinds = KINDS
        .iter()
        .map(|kind| Key::new(kind.name, Shape::Object(kind.settings), kind.doc));
    let planned = PLANNED_KINDS.iter().map(|kind| Key::planned(kind));
    COMMON.iter().copied().chain(kinds).chain(planned).collect()
}

/// Checks as they are read, file after file.
pub struct Checks {
    /// Every check that could be read.
    pub readable: BTreeMap<CheckId, Runnable>,
    /// Their effective values.
    pub effective: BTreeMap<CheckId, Vec<Effective>>,
    /// Every check that was met, readable or not.
    pub met: BTreeMap<CheckId, Met>,
    defaults: Option<Node>,
    overrides: Vec<(String, Text)>,
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
    /// None yet; `defaults` are the settings', `overrides` the command line's variables.
    pub fn new(defaults: Option<Node>, overrides: Vec<(String, Text)>, now: Timestamp) -> Self {
        Self {
            readable: BTreeMap::new(),
            effective: BTreeMap::new(),
            defaults,
            overrides,
            met: BTreeMap::new(),
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
        reader.check = Some(id.clone());
        let merged = self.merge(node, file_defaults);
        if let Some(earlier) = self.met.insert(id.clone(), meet(&merged)) {
            reader.report(
                Problem::error(&node.place, format!("the id `{id}` is here a second time"))
                    .hint(format!("it stands already at {}; ids are unique", earlier.place)),
            );
        }
        for (name, text) in &self.overrides {
            reader.scope.set(name.clone(), text.clone());
        }
        reader.captures.clear();
        if let Some(runnable) = self.read(&id, &merged, spec, reader) {
            let mut rows = flatten(&merged);
            rows.extend(built_in(&merged, &runnable.check));
            self.effective.insert(id.clone(), rows);
            self.readable.insert(id, runnable);
        }
        reader.check = None;
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

    fn read(
        &self,
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
        let mut thresholds = fields
            .get("thresholds")
            .map(|node| read_thresholds(node, kind, measures.as_deref(), reader))
            .unwrap_or_default();
        let check = Check {
            name: fields
                .get("name")
                .and_then(|node| reader.plain(node))
                .unwrap_or_else(|| id.to_string()),
            id: id.clone(),
            description: fields.get("description").and_then(|node| reader.plain(node)),
            owner: fields.get("owner").and_then(|node| reader.plain(node)),
            runbook: fields.get("runbook").and_then(|node| reader.plain(node)),
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
            // A kind of the format that this version lacks has been reported already.
            let planned = PLANNED_KINDS.iter().any(|kind| fields.get(kind).is_some());
            let misspelt = KINDS.iter().any(|kind| fields.seems_to_have(kind.name));
            if !planned && !misspelt {
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

struct Times {
    schedule: Schedule,
    timeout: Duration,
    attempt_timeout: Duration,
}

impl Times {
    fn read(fields: &Fields<'_>, retry: Retry, now: Timestamp, reader: &mut Reader<'_>) -> Option<Self> {
        let schedule = read_schedule(fields, now, reader);
        let timeout = match fields.get("timeout") {
            Some(node) => reader.positive_duration(node),
            None if fields.seems_to_have("timeout") => None,
            None => {
                reader.report(
                    Problem::error(fields.place(), "there is no `timeout`, and no silent default")
                        .hint("add `timeout: 10s` here, under the file's `defaults:` or under `defaults:` in haetae.yaml"),
                );
                None
            }
        }?;
        let attempt_timeout = match fields.get("attempt_timeout") {
            None => timeout / (retry.times + 1),
            Some(node) => {
                let span = reader.positive_duration(node)?;
                if span > timeout {
                    reader.error(
                        node,
                        format!(
                            "`attempt_timeout` ({}) is longer than `timeout` ({})",
                            format_duration(span),
                            format_duration(timeout)
                        ),
                    );
                    return None;
                }
                span
            }
        };
        Some(Self {
            schedule: schedule?,
            timeout,
            attempt_timeout,
        })
    }
}

fn read_schedule(fields: &Fields<'_>, now: Timestamp, reader: &mut Reader<'_>) -> Option<Schedule> {
    match (fields.get("every"), fields.get("cron")) {
        (Some(every), None) => {
            if let Some(zone) = fields.get("timezone") {
                reader.error(zone, "`timezone` goes with `cron`, not with `every`");
            }
            let span = reader.duration(every)?;
            if span < SHORTEST_INTERVAL {
                reader.error(every, "`every` must be 100ms or longer");
                return None;
            }
            Some(Schedule::Every(span))
        }
        (None, Some(cron)) => {
            let expression = reader.plain(cron)?;
            let zone = match fields.get("timezone") {
                Some(node) => reader.plain(node)?,
                None => "UTC".to_owned(),
            };
            match Calendar::parse(&expression, &zone, now) {
                Ok(calendar) => Some(Schedule::Cron(calendar)),
                Err(why) => {
                    let zone_is_wrong = matches!(why, crate::model::CalendarError::UnknownZone(_));
                    let at = if zone_is_wrong {
                        fields.get("timezone").unwrap_or(cron)
                    } else {
                        cron
                    };
                    reader.error(at, why);
                    None
                }
            }
        }
        (Some(_), Some(cron)) => {
            reader.error(cron, "a check has either `every` or `cron`");
            None
        }
        (None, None) if fields.seems_to_have("every") || fields.seems_to_have("cron") => None,
        (None, None) => {
            reader.report(
                Problem::error(fields.place(), "nothing says when it runs")
                    .hint("add `every: 30s`, or `cron: \"*/5 9-18 * * MON-FRI\"` with `timezone:`"),
            );
            None
        }
    }
}

fn read_retry(node: &Node, reader: &mut Reader<'_>) -> Option<Retry> {
    let fields = Fields::open(node, &RETRY, reader)?;
    let times = reader.integer(fields.get("times")?, 0, MOST_RETRIES)?;
    let wait = match fields.get("wait") {
        Some(node) => reader.duration(node)?,
        None => Duration::from_millis(500),
    };
    Some(Retry {
        times: u32::try_from(times).unwrap_or(0),
        wait,
    })
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
        if let Some(node) = fields.get(key).filter(|_| !kind.has_steps) {
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

fn read_thresholds(
    node: &Node,
    kind: &Kind,
    measures: Option<&[(String, Option<Unit>)]>,
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
                        format!("a {} check does not measure `{}`", kind.name, entry.key),
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

fn read_confirmation(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Confirmation {
    let usual = Confirmation::default();
    Confirmation {
        fail_after: fields
            .get("fail_after")
            .and_then(|node| read_window(node, reader))
            .unwrap_or(usual.fail_after),
        recover_after: fields
            .get("recover_after")
            .and_then(|node| read_window(node, reader))
            .unwrap_or(usual.recover_after),
        recheck_every: fields
            .get("recheck_every")
            .and_then(|node| reader.positive_duration(node)),
    }
}

/// `2` is two in a row, `2 of 3` a window.
fn read_window(node: &Node, reader: &mut Reader<'_>) -> Option<Window> {
    let text = reader.plain(node)?;
    let (needed, of) = text.split_once(" of ").unwrap_or((&text, &text));
    let parse = |text: &str| text.trim().parse::<usize>().ok();
    match (parse(needed), parse(of)) {
        (Some(needed), Some(of)) if (1..=of).contains(&needed) && of <= Window::LONGEST => {
            Some(Window { needed, of })
        }
        _ => {
            reader.error(
                node,
                format!(
                    "`{text}` does not fit here: write `2`, or `2 of 3`; {} runs at most",
                    Window::LONGEST
                ),
            );
            None
        }
    }
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
