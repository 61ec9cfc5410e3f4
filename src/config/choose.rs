//! Which checks selectors mean, on a command line and in the API.

use std::collections::BTreeSet;

use super::Project;
use crate::decode::nearest;
use crate::model::{CheckId, Selector, is_in_group};

impl Project {
    /// The checks that the selectors mean, readable or not. Patterns mean enabled ones; a name
    /// means its check even when it is disabled. None at all means all that are enabled.
    ///
    /// # Errors
    /// When one matches nothing; in words for people.
    pub fn choose(&self, selectors: &[String]) -> Result<Vec<CheckId>, String> {
        let mut chosen: BTreeSet<CheckId> = BTreeSet::new();
        for text in selectors {
            let selector = Selector::parse(text);
            let matched: Vec<&CheckId> = self
                .met
                .iter()
                .filter(|(id, met)| selector.names(id) || (met.enabled && selector.matches(id, &met.tags)))
                .map(|(id, _)| id)
                .collect();
            if matched.is_empty() {
                return Err(match better_selector(self, text) {
                    Some(near) => format!("`{text}` matches no check; did you mean `{near}`?"),
                    None => format!("`{text}` matches no enabled check; `haetae list` shows them all"),
                });
            }
            chosen.extend(matched.into_iter().cloned());
        }
        if selectors.is_empty() {
            let enabled = self.met.iter().filter(|(_, met)| met.enabled);
            chosen.extend(enabled.map(|(id, _)| id.clone()));
        }
        if chosen.is_empty() {
            return Err("there are no enabled checks to run".into());
        }
        Ok(chosen.into_iter().collect())
    }
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
