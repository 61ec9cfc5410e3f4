//! `depends_on:` of all checks together: every name must be a check, and nothing may depend
//! on itself.

use std::collections::{BTreeMap, HashSet};

use crate::check::Runnable;
use crate::decode::{Node, Problem, Reader, nearest};
use crate::model::CheckId;

use super::checks::Met;

/// Where `depends_on` of a check names another.
pub(super) type Named = Vec<(CheckId, CheckId, Node)>;

/// Reports names that are no checks, and cycles.
pub(super) fn check(
    named: &Named,
    met: &BTreeMap<CheckId, Met>,
    readable: &BTreeMap<CheckId, Runnable>,
    reader: &mut Reader<'_>,
) {
    for (check, on, node) in named {
        reader.check = Some(check.clone());
        if !met.contains_key(on) {
            let problem = Problem::error(&node.place, format!("there is no check `{on}`"));
            reader.report(match nearest(on.as_str(), met.keys().map(CheckId::as_str)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint("`haetae list` shows the ids"),
            });
        } else if let Some(cycle) = cycle(check, on, readable) {
            let path: Vec<&str> = cycle.iter().map(CheckId::as_str).collect();
            reader.report(
                Problem::error(
                    &node.place,
                    format!("`{check}` depends on itself: {}", path.join(" → ")),
                )
                .hint("take one of these dependencies out"),
            );
        }
        reader.check = None;
    }
}

/// The way from `check` over `on` back to `check`.
fn cycle(check: &CheckId, on: &CheckId, readable: &BTreeMap<CheckId, Runnable>) -> Option<Vec<CheckId>> {
    let mut seen = HashSet::new();
    let mut ways = vec![vec![check.clone(), on.clone()]];
    while let Some(way) = ways.pop() {
        let last = way.last()?.clone();
        if last == *check {
            return Some(way);
        }
        if !seen.insert(last.clone()) {
            continue;
        }
        let next = readable.get(&last).map(|runnable| &runnable.check.depends_on);
        ways.extend(next.into_iter().flatten().map(|id| {
            let mut longer = way.clone();
            longer.push(id.clone());
            longer
        }));
    }
    None
}
