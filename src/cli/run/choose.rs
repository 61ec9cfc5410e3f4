//! Which checks a command line means, and what keeps them from running.

use std::collections::BTreeSet;

use crate::config::Project;
use crate::decode::{Problem, Severity, nearest};
use crate::model::{CheckId, Selector, is_in_group};

/// The checks that the selectors mean, readable or not. Patterns mean enabled ones; a name
/// means its check even when it is disabled.
pub(super) fn choose(project: &Project, selectors: &[String]) -> Result<Vec<CheckId>, String> {
    let mut chosen: BTreeSet<CheckId> = BTreeSet::new();
    for text in selectors {
        let selector = Selector::parse(text);
        let matched: Vec<&CheckId> = project
            .met
            .iter()
            .filter(|(id, met)| selector.names(id) || (met.enabled && selector.matches(id, &met.tags)))
            .map(|(id, _)| id)
            .collect();
        if matched.is_empty() {
            return Err(match better_selector(project, text) {
                Some(near) => format!("`{text}` matches no check; did you mean `{near}`?"),
                None => format!("`{text}` matches no enabled check; `haetae list` shows them all"),
            });
        }
        chosen.extend(matched.into_iter().cloned());
    }
    if selectors.is_empty() {
        let enabled = project.met.iter().filter(|(_, met)| met.enabled);
        chosen.extend(enabled.map(|(id, _)| id.clone()));
    }
    if chosen.is_empty() {
        return Err("there are no enabled checks to run".into());
    }
    Ok(chosen.into_iter().collect())
}

/// What was probably meant by a selector that matches nothing.
fn better_selector(project: &Project, text: &str) -> Option<String> {
    let ids = || project.met.keys().map(CheckId::as_str);
    let group = text.trim_end_matches('/');
    if project.met.keys().any(|id| is_in_group(id.group(), group)) {
        return Some(format!("group:{group}"));
    }
    let as_file = text.trim_start_matches("./").trim_start_matches("checks/");
    let as_file = as_file
        .strip_suffix(".yaml")
        .or_else(|| as_file.strip_suffix(".yml"));
    if let Some(id) = as_file.filter(|id| ids().any(|known| known == *id)) {
        return Some(id.to_owned());
    }
    let last_segment = |id: &'_ str| id.rsplit('/').next().unwrap_or_default().to_owned();
    nearest(text, ids()).map(str::to_owned).or_else(|| {
        ids()
            .find(|id| nearest(text, [last_segment(id).as_str()]).is_some())
            .map(str::to_owned)
    })
}

/// Errors anywhere keep a run from starting. A value that is missing does so only where a
/// chosen check needs it: a pipeline need not know the secrets of all others, nor webhooks,
/// unless it is to `notify`.
pub(super) fn standing_in_the_way<'p>(
    project: &'p Project,
    chosen: &[CheckId],
    notify: bool,
) -> Vec<&'p Problem> {
    project
        .problems
        .iter()
        .filter(|problem| match problem.severity {
            Severity::Error => true,
            Severity::Missing => match &problem.check {
                Some(id) => chosen.contains(id),
                None => notify,
            },
            Severity::Warning => false,
        })
        .collect()
}
