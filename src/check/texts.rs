//! What an expectation says of a list of texts whose order means nothing: DNS answers, name
//! servers, statuses.

use serde_json::Value as Json;

use super::matcher::{MATCHER, Matcher, as_text};
use crate::decode::{JsonText, Node, Reader, Shape, Value};
use crate::model::{RunScope, Unfilled};

/// What it may be in a schema: one text, a list of them, or a matcher.
pub static TEXTS: Shape = Shape::Either(&[Shape::OneOrMany(&Shape::Text), Shape::Object(&MATCHER)]);

/// What must hold for the list.
#[derive(Debug, Clone)]
pub struct Texts {
    wish: Wish,
    /// Makes what users write comparable with what is received.
    normal: fn(&str) -> String,
}

#[derive(Debug, Clone)]
enum Wish {
    /// These and no others.
    Exactly(Vec<JsonText>),
    Rules(Matcher),
}

impl Texts {
    /// Reads one text, a list (these, in any order) or a matcher over the sorted list.
    pub fn read(node: &Node, normal: fn(&str) -> String, reader: &mut Reader<'_>) -> Option<Self> {
        let wish = match &node.value {
            Value::Map(_) => Wish::Rules(Matcher::read(node, reader)?),
            _ => Wish::Exactly(reader.one_or_many(node, |reader, item| JsonText::read(item, reader))),
        };
        Some(Self { wish, normal })
    }

    /// Why the list is not as expected, one line per broken rule; `what` names it.
    ///
    /// # Errors
    /// When a rule uses a value that no earlier step captured.
    pub fn broken(
        &self,
        what: &str,
        found: &[String],
        scope: &RunScope<'_>,
    ) -> Result<Vec<String>, Unfilled> {
        let mut sorted = found.to_vec();
        sorted.sort();
        let wanted = match &self.wish {
            Wish::Rules(matcher) => return matcher.broken(what, Some(&Json::from(sorted)), scope),
            Wish::Exactly(wanted) => wanted,
        };
        let mut missing = Vec::new();
        let mut unexpected = sorted.clone();
        for text in wanted {
            let text = (self.normal)(&as_text(&text.fill(scope)?));
            match unexpected.iter().position(|found| *found == text) {
                Some(at) => {
                    unexpected.remove(at);
                }
                None => missing.push(text),
            }
        }
        if missing.is_empty() && unexpected.is_empty() {
            return Ok(Vec::new());
        }
        let mut faults = Vec::new();
        for (texts, fault) in [(missing, "missing"), (unexpected, "unexpected")] {
            if !texts.is_empty() {
                faults.push(format!("{fault}: {}", listed(&texts)));
            }
        }
        Ok(vec![format!(
            "{what} are not as expected; {}; received: {}",
            faults.join("; "),
            listed(&sorted)
        )])
    }
}

/// At most five of them, each at most 120 characters.
#[must_use]
pub fn listed(texts: &[String]) -> String {
    const MOST: usize = 5;
    const ROOM: usize = 120;
    if texts.is_empty() {
        return "nothing".to_owned();
    }
    let mut shown: Vec<String> = texts
        .iter()
        .take(MOST)
        .map(|text| match text.char_indices().nth(ROOM) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.clone(),
        })
        .collect();
    if texts.len() > MOST {
        shown.push(format!("and {} more", texts.len() - MOST));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_and_texts_are_cut() {
        let many: Vec<String> = (0..7).map(|n| n.to_string()).collect();
        assert_eq!(listed(&many), "0, 1, 2, 3, 4, and 2 more");
        assert_eq!(listed(&[]), "nothing");
        assert_eq!(listed(&["ü".repeat(121)]), format!("{}…", "ü".repeat(120)));
    }
}
