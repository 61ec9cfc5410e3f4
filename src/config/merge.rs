//! Defaults under a check: maps are merged key by key, everything else is replaced.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::decode::{Node, Value};

/// A check's map over its defaults. `only` names the keys a default may bring.
pub fn over(own: &Node, defaults: &Node, may_inherit: &dyn Fn(&str) -> bool) -> Node {
    let (Value::Map(mine), Value::Map(theirs)) = (&own.value, &defaults.value) else {
        return own.clone();
    };
    let mut entries = mine.clone();
    for entry in theirs {
        match entries.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => known.node = over(&known.node, &entry.node, &|_| true),
            None if may_inherit(&entry.key) => entries.push(entry.clone()),
            None => {}
        }
    }
    Node {
        place: own.place.clone(),
        value: Value::Map(entries),
    }
}

/// Changes when, and only when, what the tree says changes: places do not count.
pub fn fingerprint(node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash(node, &mut hasher);
    hasher.finish()
}

fn hash(node: &Node, hasher: &mut DefaultHasher) {
    match &node.value {
        Value::Scalar { text, plain } => (0_u8, text, plain).hash(hasher),
        Value::List(items) => {
            (1_u8, items.len()).hash(hasher);
            for item in items {
                hash(item, hasher);
            }
        }
        Value::Map(entries) => {
            (2_u8, entries.len()).hash(hasher);
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by_key(|entry| &entry.key);
            for entry in sorted {
                entry.key.hash(hasher);
                hash(&entry.node, hasher);
            }
        }
    }
}

/// One effective value of a check.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Effective {
    /// The keys down to it: `http.url`.
    pub key: String,
    /// As it was written; values and secrets unfilled.
    pub value: String,
    /// Where it is written, or `built in`.
    pub origin: String,
}

/// Every value of a merged check with its origin, in the order written.
pub fn flatten(node: &Node) -> Vec<Effective> {
    let mut rows = Vec::new();
    walk(node, "", &mut rows);
    rows
}

fn walk(node: &Node, key: &str, rows: &mut Vec<Effective>) {
    let join = |name: &str| {
        if key.is_empty() {
            name.to_owned()
        } else {
            format!("{key}.{name}")
        }
    };
    match &node.value {
        Value::Scalar { text, .. } => rows.push(Effective {
            key: key.to_owned(),
            value: text.clone(),
            origin: node.place.file_and_line(),
        }),
        Value::List(items) => {
            for (n, item) in items.iter().enumerate() {
                walk(item, &format!("{key}[{}]", n + 1), rows);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                walk(&entry.node, &join(&entry.key), rows);
            }
        }
    }
}
