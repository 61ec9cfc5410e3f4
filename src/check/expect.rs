//! `expect:` as one block or a list of them, each with a level of its own.

use super::Blocks;
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{Broken, Level};

/// The `expect:` of a kind that only measures.
pub static NOTHING: Spec = Spec {
    name: "expect",
    example: "thresholds: { duration: { critical: above 1s } }",
    keys: &[],
};

/// What stands in for `expect:` and `measure:` where there are none.
pub const USE_THRESHOLDS: &str = "set bounds on what it measures with `thresholds:`";

/// Refuses `expect:` and `measure:` where there is no answer to look at.
pub fn refuse_blocks(blocks: &Blocks<'_>, kind: &str, reader: &mut Reader<'_>) {
    refuse(blocks.expect, kind, "expect", USE_THRESHOLDS, reader);
    refuse(blocks.measure, kind, "measure", USE_THRESHOLDS, reader);
}

/// Refuses a block that a kind has nothing for; `instead` says what to do.
pub fn refuse(node: Option<&Node>, kind: &str, key: &str, instead: &str, reader: &mut Reader<'_>) {
    if let Some(node) = node {
        reader.report(
            Problem::error(&node.place, format!("`{kind}` checks have nothing for `{key}:`")).hint(instead),
        );
    }
}

/// The key every kind's `expect:` has.
pub const LEVEL_KEY: Key = Key::or(
    "level",
    Shape::Choice(&["warning", "critical"]),
    "critical",
    "What a broken expectation of this block makes of the run.",
);

/// Reads every block with its level.
pub fn read_blocks<T>(
    node: Option<&Node>,
    spec: &'static Spec,
    reader: &mut Reader<'_>,
    mut read: impl FnMut(&Fields<'_>, &mut Reader<'_>) -> T,
) -> Vec<(Level, T)> {
    let Some(node) = node else { return Vec::new() };
    reader.one_or_many(node, |reader, block| {
        let fields = Fields::open(block, spec, reader)?;
        let level = read_level(fields.get("level"), reader);
        Some((level, read(&fields, reader)))
    })
}

/// `level: warning`, or critical without it.
pub fn read_level(node: Option<&Node>, reader: &mut Reader<'_>) -> Level {
    let words = [("warning", Level::Warning), ("critical", Level::Critical)];
    node.and_then(|node| reader.choice(node, &words))
        .unwrap_or(Level::Critical)
}

/// A broken expectation without detail.
#[must_use]
pub fn broken(level: Level, what: impl Into<String>) -> Broken {
    Broken {
        level,
        what: what.into(),
        detail: String::new(),
    }
}
