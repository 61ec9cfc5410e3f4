//! Names of checks, and the patterns that select them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A check's name for scripts: its path below `checks/` without the ending, and in a
/// list the entry's `id` appended, such as `partners/banks/kb`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckId(Arc<str>);

impl CheckId {
    /// Takes `text` as an id when it is made of letters of any script, digits,
    /// `-`, `_`, `.` and `/` alone.
    ///
    /// # Errors
    /// The id that the same text would make with every other character replaced by `-`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if !text.is_empty() && text.chars().all(fits) {
            return Ok(Self(text.into()));
        }
        Err(text.chars().map(|c| if fits(c) { c } else { '-' }).collect())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder the check stands in; empty for one at the top.
    #[must_use]
    pub fn group(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(group, _)| group)
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A pattern over ids: `*` stays within one segment, `**` crosses segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// Every text is a pattern; one without `*` matches itself alone.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether the whole of `id` fits the pattern.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        glob(self.0.as_bytes(), id.as_bytes())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Greedy matching that remembers the latest star to come back to; with two kinds of
/// star at most two are remembered, so the work is bounded by pattern × text.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut shallow: Option<(usize, usize)> = None;
    let mut deep: Option<(usize, usize)> = None;
    loop {
        if pattern[p..].starts_with(b"**") {
            deep = Some((p + 2, t));
            shallow = None;
            p += 2;
            // `a/**/b` matches `a/b` too: the second slash may stand for nothing.
            if pattern.get(p) == Some(&b'/') && (t == 0 || text[t - 1] == b'/') {
                deep = Some((p + 1, t));
                p += 1;
            }
        } else if pattern.get(p) == Some(&b'*') {
            shallow = Some((p + 1, t));
            p += 1;
        } else if t < text.len() && pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if t == text.len() && p == pattern.len() {
            return true;
        } else if let Some((after, at)) = shallow.filter(|(_, at)| *at < text.len() && text[*at] != b'/') {
            shallow = Some((after, at + 1));
            (p, t) = (after, at + 1);
        } else if let Some((after, at)) = deep.filter(|(_, at)| *at < text.len()) {
            deep = Some((after, at + 1));
            shallow = None;
            (p, t) = (after, at + 1);
        } else {
            return false;
        }
    }
}

/// What a user names on a command line: an id, a glob, `tag:x` or `group:x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// An id or a glob over ids.
    Id(Glob),
    /// Checks that carry the tag.
    Tag(String),
    /// Checks of the group and its subgroups.
    Group(String),
}

impl Selector {
    /// Reads a selector; every text is one.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some(("tag", tag)) => Self::Tag(tag.to_owned()),
            Some(("group", group)) => Self::Group(group.trim_matches('/').to_owned()),
            _ => Self::Id(Glob::new(text)),
        }
    }

    /// Whether a check of this id and these tags is meant.
    #[must_use]
    pub fn matches(&self, id: &CheckId, tags: &[String]) -> bool {
        match self {
            Self::Id(pattern) => pattern.matches(id.as_str()),
            Self::Tag(tag) => tags.contains(tag),
            Self::Group(group) => is_in_group(id.group(), group),
        }
    }

    /// Whether it names exactly this one check, without any pattern.
    #[must_use]
    pub fn names(&self, id: &CheckId) -> bool {
        matches!(self, Self::Id(pattern) if pattern.as_str() == id.as_str())
    }
}

/// Whether `group` is `wanted` or lies below it.
#[must_use]
pub fn is_in_group(group: &str, wanted: &str) -> bool {
    group == wanted
        || group
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_in_its_segment_and_two_cross() {
        for (pattern, id, fits) in [
            ("partners/*", "partners/kb", true),
            ("partners/*", "partners/banks/kb", false),
            ("partners/**", "partners/banks/kb", true),
            ("**/kb", "partners/banks/kb", true),
            ("**/kb", "kb", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "ab", false),
            ("*b*/k*", "banks/kb", true),
            ("**", "x", true),
            ("*", "", true),
            ("partners", "partners/kb", false),
            ("결제/*", "결제/국민", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(id), fits, "{pattern} on {id}");
        }
    }

    #[test]
    fn a_space_in_an_id_is_refused_with_a_name_that_would_do() {
        assert_eq!(CheckId::parse("my check"), Err("my-check".to_owned()));
        assert!(CheckId::parse("결제/국민은행.v2").is_ok());
    }

    #[test]
    fn a_group_holds_its_subgroups_but_not_its_namesakes() {
        let id = CheckId::parse("partners/banks/kb").unwrap();
        assert!(Selector::parse("group:partners").matches(&id, &[]));
        assert!(!Selector::parse("group:part").matches(&id, &[]));
        assert!(Selector::parse("tag:money").matches(&id, &["money".into()]));
    }
}
