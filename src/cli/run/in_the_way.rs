//! What keeps chosen checks from running.

use crate::config::Project;
use crate::decode::{Problem, Severity};
use crate::model::CheckId;

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
