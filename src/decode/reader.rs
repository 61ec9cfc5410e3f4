//! The reader: typed values out of nodes, every problem collected.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use regex::Regex;

use super::spec::{nearest, synonym};
use super::template::Scope;
use super::{Entry, Node, Place, Problem, Severity, Spec, Value};
use crate::model::{CheckId, Quantity, Secret, Text, Unit, parse_duration, parse_quantity};

/// Where `${env:}` and `${file:}` look.
pub trait Lookup {
    /// The environment variable's value.
    fn env(&self, name: &str) -> Option<String>;
    /// The file's content without its last line break, or why it can't be had.
    ///
    /// # Errors
    /// In words for people.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// Whether secrets are looked up while reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretMode {
    /// A missing one is a problem.
    Ask,
    /// Every one counts as there and empty: the configuration is only looked at.
    Skip,
}

/// Reads nodes into typed values and collects what is wrong.
pub struct Reader<'l> {
    /// Everything found so far.
    pub problems: Vec<Problem>,
    /// The variables in reach.
    pub scope: Scope,
    /// Names that earlier steps of the scenario remember.
    pub captures: BTreeSet<String>,
    /// The flows that are being read, the outermost first, so that none calls itself.
    pub flows: Vec<String>,
    /// Every text that is read, while somebody wants to know what a part depends on.
    pub trail: Option<Vec<Text>>,
    /// The check that is being read, so that its problems can be told apart.
    pub check: Option<CheckId>,
    /// Whether a literal password or webhook is an error.
    pub deny_literal_secrets: bool,
    secrets: Vec<Secret>,
    lookup: &'l dyn Lookup,
    mode: SecretMode,
}

impl<'l> Reader<'l> {
    /// A reader that has read nothing yet.
    #[must_use]
    pub fn new(lookup: &'l dyn Lookup, mode: SecretMode) -> Self {
        Self {
            problems: Vec::new(),
            scope: Scope::default(),
            captures: BTreeSet::new(),
            flows: Vec::new(),
            trail: None,
            check: None,
            deny_literal_secrets: true,
            secrets: Vec::new(),
            lookup,
            mode,
        }
    }

    /// Records a problem, and the check it belongs to.
    pub fn report(&mut self, mut problem: Problem) {
        problem.check = problem.check.or_else(|| self.check.clone());
        self.problems.push(problem);
    }

    /// Records an error at a node.
    pub fn error(&mut self, node: &Node, message: impl Display) {
        self.report(Problem::error(&node.place, message.to_string()));
    }

    /// How many problems are errors or missing values.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.problems
            .iter()
            .filter(|problem| problem.severity != Severity::Warning)
            .count()
    }

    /// Every secret met so far.
    #[must_use]
    pub fn take_secrets(&mut self) -> Vec<Secret> {
        std::mem::take(&mut self.secrets)
    }

    /// Remembers a text to be masked wherever it shows up.
    pub fn learn_secret(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }

    pub(super) fn asks_secrets(&self) -> bool {
        self.mode == SecretMode::Ask
    }

    pub(super) fn lookup(&self) -> &'l dyn Lookup {
        self.lookup
    }

    pub(super) fn keep_secret(&mut self, name: &str, value: String, place: &Place) -> Secret {
        if value.chars().count() < crate::model::SHORT {
            self.report(
                Problem::error(
                    place,
                    format!("the secret `{name}` is under {} characters", crate::model::SHORT),
                )
                .hint(
                    "so short a text is masked only where it stands alone; use `vars:` for what is no secret",
                )
                .severity(Severity::Warning),
            );
        }
        let secret = Secret::new(value);
        self.secrets.push(secret.clone());
        secret
    }

    /// A file named in the configuration.
    ///
    /// # Errors
    /// Why it can't be had, in words for people.
    pub fn file(&self, path: &str) -> Result<String, String> {
        self.lookup.file(path)
    }

    /// A text without `${…}`: a name, a word. Null is an error that says to quote.
    pub fn plain(&mut self, node: &Node) -> Option<String> {
        match &node.value {
            Value::Scalar { .. } if node.is_null() => {
                self.report(
                    Problem::error(&node.place, "a text is missing here")
                        .hint("a text that begins with `#`, or is `null` or `~`, must be quoted"),
                );
                None
            }
            Value::Scalar { text, .. } => Some(text.clone()),
            _ => {
                self.error(node, format!("a text belongs here, not {}", node.kind_name()));
                None
            }
        }
    }

    /// `30s`; a bare number is an error with both readings.
    pub fn duration(&mut self, node: &Node) -> Option<Duration> {
        let text = self.plain(node)?;
        match parse_duration(&text) {
            Ok(span) => Some(span),
            Err(error) => {
                let message = match Self::key_of(node) {
                    Some(key) if error.to_string().contains("has no unit") => {
                        format!("{key}: {error}")
                    }
                    _ => error.to_string(),
                };
                self.error(node, message);
                None
            }
        }
    }

    /// The key that stands before a scalar in its line, for messages that name it.
    fn key_of(node: &Node) -> Option<String> {
        let before: String = node
            .place
            .line_text()
            .chars()
            .take(node.place.column - 1)
            .collect();
        let key = before.trim_end().strip_suffix(':')?;
        let start = key
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map_or(0, |at| at + 1);
        (start < key.len()).then(|| key[start..].to_owned())
    }

    /// A duration that is longer than zero.
    pub fn positive_duration(&mut self, node: &Node) -> Option<Duration> {
        let span = self.duration(node)?;
        if span.is_zero() {
            self.error(node, "this must be longer than zero");
            return None;
        }
        Some(span)
    }

    /// `4MiB`, in bytes.
    pub fn size(&mut self, node: &Node) -> Option<u64> {
        let text = self.plain(node)?;
        if let Ok(Quantity {
            value,
            unit: Unit::Bytes,
        }) = parse_quantity(&text)
        {
            Some(value as u64)
        } else {
            self.error(
                node,
                format!("`{text}` is not a size: write for example `10KB` or `4MiB`"),
            );
            None
        }
    }

    /// A whole number within bounds, both included.
    pub fn integer(&mut self, node: &Node, low: i64, high: i64) -> Option<i64> {
        let text = self.plain(node)?;
        match text.parse::<i64>() {
            Ok(number) if (low..=high).contains(&number) => Some(number),
            _ => {
                self.error(
                    node,
                    format!("`{text}` does not fit here: a whole number from {low} to {high} is wanted"),
                );
                None
            }
        }
    }

    /// A number.
    pub fn number(&mut self, node: &Node) -> Option<f64> {
        let text = self.plain(node)?;
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => {
                self.error(node, format!("`{text}` is not a number"));
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, node: &Node) -> Option<bool> {
        match self.plain(node)?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                self.error(
                    node,
                    format!("`{other}` does not fit here: write `true` or `false`"),
                );
                None
            }
        }
    }

    /// One of these words.
    pub fn choice<T: Copy>(&mut self, node: &Node, words: &[(&str, T)]) -> Option<T> {
        let text = self.plain(node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let message = format!("`{text}` does not fit here: use {}", all.join(", "));
        let problem = Problem::error(&node.place, message);
        self.report(match nearest(&text, words.iter().map(|(word, _)| *word)) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        });
        None
    }

    /// A regular expression.
    pub fn regex(&mut self, node: &Node) -> Option<Regex> {
        let text = self.plain(node)?;
        match Regex::new(&text) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let why = error.to_string();
                let last = why
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ");
                self.error(node, format!("`{text}` is not a regular expression: {last}"));
                None
            }
        }
    }

    /// A list, each item read by `read`.
    pub fn list<T>(&mut self, node: &Node, mut read: impl FnMut(&mut Self, &Node) -> Option<T>) -> Vec<T> {
        if let Value::List(items) = &node.value {
            return items.iter().filter_map(|item| read(self, item)).collect();
        }
        self.error(node, format!("a list belongs here, not {}", node.kind_name()));
        Vec::new()
    }

    /// One item, or a list of them.
    pub fn one_or_many<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Vec<T> {
        match &node.value {
            Value::List(_) => self.list(node, read),
            _ => read(self, node).into_iter().collect(),
        }
    }

    /// The entries of a map with free keys.
    pub fn entries<'n>(&mut self, node: &'n Node) -> &'n [Entry] {
        if let Value::Map(entries) = &node.value {
            return entries;
        }
        self.error(node, format!("a map belongs here, not {}", node.kind_name()));
        &[]
    }

    /// Refuses a literal secret: passwords, tokens and webhooks are named, not written.
    /// The source line is not shown.
    pub fn refuse_literal_secret(&mut self, node: &Node, what: &str) {
        let Some(text) = node.scalar() else { return };
        let named = text.contains("${");
        if self.deny_literal_secrets && !named && !text.is_empty() {
            self.report(
                Problem::error(&node.place, format!("{what} must not stand in the file"))
                    .hint("name it instead: `${env:NAME}` or `${file:PATH}`; `secrets: { deny_literals: false }` in haetae.yaml allows it")
                    .without_line(),
            );
        }
    }
}

/// An object's entries, checked against its [`Spec`].
pub struct Fields<'n> {
    node: &'n Node,
    spec: &'static Spec,
    meant: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a map: unknown and planned keys, and required ones that are missing, are
    /// reported. None when the node is no map.
    pub fn open(node: &'n Node, spec: &'static Spec, reader: &mut Reader<'_>) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            reader.report(
                Problem::error(
                    &node.place,
                    format!("`{}` needs its keys here, not {}", spec.name, node.kind_name()),
                )
                .hint(format!("for example `{}`", spec.example)),
            );
            return None;
        };
        let mut meant = Vec::new();
        for entry in entries {
            match spec.key(&entry.key) {
                Some(key) if key.planned => reader.report(
                    Problem::error(
                        &entry.place,
                        format!("`{}` is not available in this version of haetae", entry.key),
                    )
                    .hint("it is part of the format, and comes with a later version"),
                ),
                Some(_) => {}
                None => {
                    let near = nearest_key(&entry.key, spec);
                    reader.report(unknown_key(entry, spec, near));
                    meant.extend(near);
                }
            }
        }
        for key in spec.keys.iter().filter(|key| key.required) {
            // A key that is only misspelt is told once.
            if node.get(key.name).is_none() && !meant.contains(&key.name) {
                reader.report(
                    Problem::error(&node.place, format!("`{}` needs `{}`", spec.name, key.name))
                        .hint(format!("for example `{}`", spec.example)),
                );
            }
        }
        Some(Self { node, spec, meant })
    }

    /// The value of a key of the spec.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        debug_assert!(
            self.spec.key(key).is_some(),
            "`{key}` is missing from the spec of `{}`",
            self.spec.name
        );
        self.node.get(key)
    }

    /// Whether a key was written, or an unknown one that seems to mean it.
    #[must_use]
    pub fn seems_to_have(&self, key: &str) -> bool {
        self.get(key).is_some() || self.meant.contains(&key)
    }

    /// Where the object stands.
    #[must_use]
    pub fn place(&self) -> &'n Place {
        &self.node.place
    }
}

fn nearest_key(written: &str, spec: &'static Spec) -> Option<&'static str> {
    let known = spec.keys.iter().filter(|key| !key.planned).map(|key| key.name);
    synonym(written, spec).or_else(|| nearest(written, known))
}

fn unknown_key(entry: &Entry, spec: &'static Spec, near: Option<&str>) -> Problem {
    let problem = Problem::error(
        &entry.place,
        format!("unknown key `{}` in `{}`", entry.key, spec.name),
    );
    let known = || spec.keys.iter().filter(|key| !key.planned).map(|key| key.name);
    match near {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None if known().count() <= 12 => {
            let all: Vec<String> = known().map(|name| format!("`{name}`")).collect();
            problem.hint(format!("known are {}", all.join(", ")))
        }
        None => problem.hint(format!("for example `{}`", spec.example)),
    }
}
