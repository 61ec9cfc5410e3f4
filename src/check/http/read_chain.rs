//! `steps:` and `always:` of an HTTP check.

use std::collections::BTreeSet;

use super::chain::{Chain, Link};
use super::expect::HTTP_EXPECT;
use super::read::{HTTP, read_request, read_url};
use crate::check::Blocks;
use crate::check::capture::CAPTURE;
use crate::decode::{Entry, Fields, Key, Node, Problem, Reader, Shape, Spec, Value};
use crate::model::{Bound, Part, Text, Threshold, Unit};

/// A chain is not longer.
const MOST_STEPS: usize = 100;

/// What a schema says of the steps.
pub(super) static STEPS: Shape = Shape::List(&Shape::Object(&STEP));

static STEP: Spec = Spec {
    name: "a step of an http check",
    example: "- { http: { url: /orders }, expect: { status: 200 } }",
    keys: &[
        Key::new("step", Shape::Plain, "Its name: it is measured as `step.NAME`."),
        Key::required("http", Shape::Object(&REQUEST), "The request."),
        Key::new(
            "expect",
            Shape::OneOrMany(&Shape::Object(&HTTP_EXPECT)),
            "What must hold for its answer.",
        ),
        Key::new(
            "measure",
            Shape::Map(&Shape::Object(&CAPTURE)),
            "Numbers out of its answer, and texts for later steps.",
        ),
        Key::new(
            "thresholds",
            Shape::Object(&THRESHOLDS),
            "With `step`: bounds on its time.",
        ),
        Key::new("note", Shape::Plain, "For people."),
    ],
};

static THRESHOLDS: Spec = Spec {
    name: "thresholds",
    example: "thresholds: { warning: above 1s, critical: above 3s }",
    keys: &[
        Key::new("warning", Shape::Bound, "From here on it is a warning."),
        Key::new("critical", Shape::Bound, "From here on it is critical."),
    ],
};

/// As in the check's own block, which it adds to.
static REQUEST: Spec = Spec {
    name: "http",
    example: "http: { method: POST, url: /orders }",
    keys: &optional_url(),
};
const KEYS: usize = HTTP.keys.len();

const fn optional_url() -> [Key; KEYS] {
    let mut keys = [HTTP.keys[0]; KEYS];
    let mut at = 0;
    while at < KEYS {
        keys[at] = HTTP.keys[at];
        keys[at].required = false;
        at += 1;
    }
    keys
}

/// What one request sends and no other.
const OWN: &[&str] = &["body", "json", "form"];

/// Reads a chain of requests.
pub fn read_chain(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Chain> {
    let (before, told) = (reader.failures(), reader.problems.len());
    let shared = Fields::open(blocks.settings, &HTTP, reader)?;
    refuse_what_is_of_a_step(blocks, &shared, reader);
    let base = shared.get("url").and_then(|node| read_url(node, None, reader))?;
    let mut reading = Reading {
        blocks,
        base: &base,
        thresholds: Vec::new(),
        uses: Vec::new(),
    };
    let mut steps = if let Some(node) = blocks.steps {
        reading.list(node, reader)
    } else {
        reader.report(
            Problem::error(&blocks.settings.place, "`always:` needs `steps:` before it")
                .hint("for example `steps: [{ http: { url: /orders, method: POST } }]`"),
        );
        Vec::new()
    };
    for (at, step) in steps.iter_mut().enumerate() {
        let later = reading.uses.iter().skip(at + 1).flatten();
        step.needed = later.cloned().collect();
    }
    let thresholds = std::mem::take(&mut reading.thresholds);
    let always = blocks
        .always
        .map(|node| reading.list(node, reader))
        .unwrap_or_default();
    if let Some(node) = blocks.always.filter(|_| !reading.thresholds.is_empty()) {
        reader.error(
            node,
            "steps under `always:` have no thresholds: clean-up is not judged",
        );
    }
    // What is wrong with the shared settings is wrong in every step.
    let mut seen = BTreeSet::new();
    let mut number = 0;
    reader.problems.retain(|problem| {
        number += 1;
        number <= told || seen.insert(problem.to_string())
    });
    (reader.failures() == before).then_some(Chain {
        steps,
        always,
        thresholds,
    })
}

fn refuse_what_is_of_a_step(blocks: &Blocks<'_>, shared: &Fields<'_>, reader: &mut Reader<'_>) {
    for (key, node) in [("expect", blocks.expect), ("measure", blocks.measure)] {
        if let Some(node) = node {
            reader.report(
                Problem::error(&node.place, format!("beside `steps:`, `{key}` belongs to a step")).hint(
                    format!("write it beside the step's `http:`: `- {{ http: …, {key}: … }}`"),
                ),
            );
        }
    }
    for key in OWN {
        if let Some(node) = shared.get(key) {
            reader.error(
                node,
                format!("beside `steps:`, `http` holds what all steps share, and `{key}` is of one step"),
            );
        }
    }
    if let Some(node) = shared
        .get("connection")
        .filter(|node| node.scalar() == Some("reuse"))
    {
        reader.error(
            node,
            "the steps of a chain have fresh connections: take `connection` out",
        );
    }
}

struct Reading<'r> {
    blocks: &'r Blocks<'r>,
    base: &'r Text,
    thresholds: Vec<Threshold>,
    /// The names that each step uses, in order.
    uses: Vec<BTreeSet<String>>,
}

impl Reading<'_> {
    fn list(&mut self, node: &Node, reader: &mut Reader<'_>) -> Vec<Link> {
        if let Value::List(items) = &node.value {
            if items.is_empty() {
                reader.error(node, "there is no step in it");
            }
            if items.len() > MOST_STEPS {
                reader.error(node, format!("a chain has at most {MOST_STEPS} steps"));
                return Vec::new();
            }
        }
        reader.list(node, |reader, item| self.step(item, reader))
    }

    fn step(&mut self, node: &Node, reader: &mut Reader<'_>) -> Option<Link> {
        let fields = Fields::open(node, &STEP, reader)?;
        let name = fields.get("step").and_then(|node| reader.plain(node));
        self.bounds(name.as_deref(), &fields, reader);
        let request = fields.get("http")?;
        Fields::open(request, &REQUEST, reader)?;
        let settings = over(request, self.blocks.settings);
        let blocks = Blocks {
            settings: &settings,
            expect: fields.get("expect"),
            measure: fields.get("measure"),
            steps: None,
            always: None,
            attempt_timeout: self.blocks.attempt_timeout,
            timeout: self.blocks.timeout,
            retry: self.blocks.retry,
        };
        let around = reader.trail.replace(Vec::new());
        let probe = read_request(&blocks, Some(self.base), reader);
        let texts = std::mem::replace(&mut reader.trail, around).unwrap_or_default();
        let uses: BTreeSet<String> = texts.iter().flat_map(Text::parts).filter_map(captured).collect();
        self.uses.push(uses.clone());
        // Names are known from here on, also when something else of the step is wrong.
        if let Some(Value::Map(entries)) = fields.get("measure").map(|node| &node.value) {
            reader
                .captures
                .extend(entries.iter().map(|entry| entry.key.clone()));
        }
        let probe = probe?;
        Some(Link {
            written: match &name {
                Some(name) => name.clone(),
                None => format!("{} {}", probe.method, probe.url),
            },
            name,
            place: node.place.file_and_line(),
            probe,
            uses,
            needed: BTreeSet::new(),
        })
    }

    fn bounds(&mut self, name: Option<&str>, fields: &Fields<'_>, reader: &mut Reader<'_>) {
        let Some(node) = fields.get("thresholds") else {
            return;
        };
        let Some(name) = name else {
            reader.report(
                Problem::error(&node.place, "`thresholds` go with a step that has a name")
                    .hint("name it: `step: Log in`"),
            );
            return;
        };
        let Some(bounds) = Fields::open(node, &THRESHOLDS, reader) else {
            return;
        };
        let mut bound = |key: &str| {
            let node = bounds.get(key)?;
            let text = reader.plain(node)?;
            Bound::parse(&text, Some(Unit::Ms))
                .map_err(|why| reader.error(node, why))
                .ok()
        };
        let (warning, critical) = (bound("warning"), bound("critical"));
        self.thresholds
            .push(Threshold::new(format!("step.{name}"), warning, critical));
    }
}

fn captured(part: &Part) -> Option<String> {
    match part {
        Part::Captured(name) => Some(name.clone()),
        _ => None,
    }
}

/// The step's block over the shared one. Headers and query are put together by name; anything
/// else of the step's stands instead.
fn over(own: &Node, shared: &Node) -> Node {
    let (Value::Map(mine), Value::Map(theirs)) = (&own.value, &shared.value) else {
        return own.clone();
    };
    let mut entries = mine.clone();
    for entry in theirs {
        match entries.iter_mut().find(|known| known.key == entry.key) {
            Some(known) if matches!(entry.key.as_str(), "headers" | "query") => {
                known.node = joined(&known.node, &entry.node);
            }
            Some(_) => {}
            None => entries.push(entry.clone()),
        }
    }
    Node {
        place: own.place.clone(),
        value: Value::Map(entries),
    }
}

fn joined(own: &Node, shared: &Node) -> Node {
    let (Value::Map(mine), Value::Map(theirs)) = (&own.value, &shared.value) else {
        return own.clone();
    };
    let is_own = |entry: &&Entry| {
        mine.iter()
            .any(|known| known.key.eq_ignore_ascii_case(&entry.key))
    };
    let inherited = theirs.iter().filter(|entry| !is_own(entry)).cloned();
    Node {
        place: own.place.clone(),
        value: Value::Map(mine.iter().cloned().chain(inherited).collect()),
    }
}
