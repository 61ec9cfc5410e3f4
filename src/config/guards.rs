//! `blind_guard:` of `haetae.yaml`.

use std::collections::BTreeMap;

use super::checks::Met;
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec, nearest};
use crate::model::CheckId;
use crate::route::BlindGuard;

pub(super) static BLIND_GUARD: Spec = Spec {
    name: "blind_guard",
    example: "blind_guard: { controls: [infra/uplink], share: 80% }",
    keys: &[
        Key::required(
            "controls",
            Shape::OneOrMany(&Shape::Plain),
            "Checks of what answers whenever our own network works.",
        ),
        Key::or(
            "share",
            Shape::Plain,
            "80%",
            "How much of all that was asked since must be without answer too.",
        ),
    ],
};

/// Reads it, with the places where it names controls.
pub(super) fn read_blind_guard(node: &Node, reader: &mut Reader<'_>) -> (Option<BlindGuard>, Vec<Node>) {
    let Some(fields) = Fields::open(node, &BLIND_GUARD, reader) else {
        return (None, Vec::new());
    };
    let mut named = Vec::new();
    let controls = fields.get("controls").map(|node| {
        reader.one_or_many(node, |reader, item| {
            let id = CheckId::parse(&reader.plain(item)?).ok();
            named.push(item.clone());
            id
        })
    });
    let share = match fields.get("share") {
        None => Some(0.8),
        Some(node) => {
            let text = reader.plain(node).unwrap_or_default();
            let share = text
                .strip_suffix('%')
                .and_then(|number| number.trim().parse::<f64>().ok())
                .filter(|percent| (1.0..=100.0).contains(percent));
            if share.is_none() {
                reader.error(
                    node,
                    format!("`{text}` does not fit here: write for example `80%`"),
                );
            }
            share.map(|percent| percent / 100.0)
        }
    };
    let guard = controls.filter(|controls| !controls.is_empty()).zip(share);
    let guard = guard.map(|(controls, share)| BlindGuard { controls, share });
    (guard, named)
}

/// Reports controls that are no checks.
pub(super) fn check_controls(controls: &[Node], met: &BTreeMap<CheckId, Met>, reader: &mut Reader<'_>) {
    for node in controls {
        let known = || met.keys().map(CheckId::as_str);
        let Some(name) = node.scalar().filter(|name| !known().any(|id| id == *name)) else {
            continue;
        };
        let problem = Problem::error(&node.place, format!("there is no check `{name}`"));
        reader.report(match nearest(name, known()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("`haetae list` shows the ids"),
        });
    }
}
