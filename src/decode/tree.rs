//! YAML text → tree of nodes with places; anchors and merge keys resolved.

use std::collections::HashMap;
use std::sync::Arc;

use serde_yaml::granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};
use serde_yaml::{Budget, budget};

use super::{Place, Problem, Source};

/// A file above this size is refused.
const LARGEST_FILE_BYTES: usize = 8 * 1024 * 1024;
/// A tree above this many nodes, aliases expanded, is refused: room for some 50,000 checks.
const MOST_NODES: usize = 2_000_000;
/// Nesting beyond this is refused.
const DEEPEST: usize = 64;

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// One value, as typed.
    Scalar {
        /// Escapes resolved, otherwise as typed.
        text: String,
        /// Not quoted, so that `true`, `5` and nothing may mean more than text.
        plain: bool,
    },
    /// `- a`
    List(Vec<Node>),
    /// `a: b`, keys unique, in the order written.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// What belongs to it.
    pub node: Node,
}

/// A file's content with the problems found while reading it.
pub struct Tree {
    /// The document; none when the file is empty or could not be read at all.
    pub root: Option<Node>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

impl Node {
    /// Whether the value is null: nothing, `~` or `null`, not quoted.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The value of a key, when this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The entry of a key, when this is a map that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The scalar's text, when it is one and not null.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// What kind of thing it is, for messages.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

impl Tree {
    /// Reads a file's text. Multiple documents, unknown tags, duplicate keys, bombs and
    /// absurd sizes are problems.
    #[must_use]
    pub fn read(source: &Arc<Source>) -> Self {
        let refuse = |message: String| Self {
            root: None,
            problems: vec![Problem::error(&Place::start_of(source), message)],
        };
        if source.text.len() > LARGEST_FILE_BYTES {
            return refuse(format!(
                "the file has {} bytes; {LARGEST_FILE_BYTES} is the most haetae reads",
                source.text.len()
            ));
        }
        let mut limits = Budget::default();
        limits.max_nodes = MOST_NODES;
        limits.max_events = MOST_NODES * 2;
        limits.max_depth = DEEPEST;
        match budget::check_yaml_budget(&source.text, limits, budget::EnforcingPolicy::AllContent) {
            Err(error) => return Self::broken(source, &error),
            Ok(report) => {
                if let Some(breach) = report.breached {
                    return refuse(format!("the file is too large or too deeply nested: {breach:?}"));
                }
            }
        }
        let mut builder = Builder::new(source);
        match builder.document() {
            Ok(root) => Self {
                root: root.filter(|node| !node.is_null()),
                problems: builder.problems,
            },
            Err(Stop::Scan(error)) => Self::broken(source, &error),
            Err(Stop::Problem(problem)) => Self {
                root: None,
                problems: vec![*problem],
            },
        }
    }

    fn broken(source: &Arc<Source>, error: &ScanError) -> Self {
        let place = place_at(source, *error.marker(), 1);
        let what = error.info();
        let line = place.line_text();
        let hint = if what.contains("tab") || line.trim_start_matches(' ').starts_with('\t') {
            Some("YAML is indented with spaces; replace the tab")
        } else if line.contains(": @") || line.contains(": `") {
            Some("a text that begins with @ or ` must be quoted: \"@team\"")
        } else if line.contains("{{") {
            Some("a text that begins with { must be quoted")
        } else if what.contains("quote") || what.contains("quoted") {
            Some("a quote is opened and never closed")
        } else if what.contains("only valid inside a block") || what.contains("flow") {
            Some("a `{` or `[` above is not closed; a text in it that begins with # must be quoted")
        } else if what.contains("block mapping") || what.contains("block collection") {
            Some(
                "the indentation here, or of the line above, does not fit: what belongs together begins in one column",
            )
        } else if line.matches(": ").count() > 1 {
            Some("a text with a colon and a space in it must be quoted")
        } else {
            None
        };
        let problem = Problem::error(&place, format!("this is not YAML: {what}"));
        Self {
            root: None,
            problems: vec![match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }],
        }
    }
}

fn place_at(source: &Arc<Source>, mark: Marker, width: usize) -> Place {
    Place {
        source: Arc::clone(source),
        line: mark.line().max(1),
        column: mark.col() + 1,
        width: width.max(1),
    }
}

enum Stop {
    Scan(ScanError),
    Problem(Box<Problem>),
}

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

struct Builder<'s> {
    source: &'s Arc<Source>,
    parser: Parser<'s, serde_yaml::granit_parser::StrInput<'s>>,
    anchors: HashMap<usize, Node>,
    problems: Vec<Problem>,
    nodes: usize,
}

impl<'s> Builder<'s> {
    fn new(source: &'s Arc<Source>) -> Self {
        Self {
            source,
            parser: Parser::new_from_str(&source.text),
            anchors: HashMap::new(),
            problems: Vec::new(),
            nodes: 0,
        }
    }

    fn next(&mut self) -> Result<(Event<'s>, Span), Stop> {
        loop {
            match self.parser.next_event() {
                None => return Ok((Event::StreamEnd, Span::empty(Marker::default()))),
                Some(item) => match item? {
                    (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                    other => return Ok(other),
                },
            }
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let (event, span) = self.next()?;
        if matches!(event, Event::StreamEnd) {
            return Ok(None);
        }
        let root = self.node(event, span)?;
        let (event, span) = self.next()?;
        if !matches!(event, Event::StreamEnd) {
            let place = place_at(self.source, span.start, 1);
            self.problems.push(
                Problem::error(&place, "a second document begins here")
                    .hint("one file holds one document: put several checks under `checks:`"),
            );
        }
        Ok(Some(root))
    }

    fn node(&mut self, event: Event<'s>, span: Span) -> Result<Node, Stop> {
        self.count(1, span)?;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, _) => (anchor, self.scalar(&text, style, span)),
            Event::SequenceStart(_, anchor, _) => (anchor, self.list(span)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.map(span)?),
            Event::Alias(id) => {
                let node = self.anchors.get(&id).cloned();
                let node = node.ok_or_else(|| self.stop(span, "this alias refers to itself"))?;
                self.count(size_of(&node), span)?;
                (0, node)
            }
            _ => return Err(self.stop(span, "a value is missing here")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Stop> {
        self.nodes += more;
        if self.nodes > MOST_NODES {
            return Err(self.stop(span, "the file is too large once its aliases are expanded"));
        }
        Ok(())
    }

    fn stop(&self, span: Span, message: &str) -> Stop {
        let place = place_at(self.source, span.start, 1);
        Stop::Problem(Box::new(Problem::error(&place, message)))
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: Span) -> Node {
        let one_line = span.start.line() == span.end.line();
        let width = if one_line {
            span.end.col().saturating_sub(span.start.col())
        } else {
            1
        };
        Node {
            place: place_at(self.source, span.start, width),
            value: Value::Scalar {
                text: text.to_owned(),
                plain: style == ScalarStyle::Plain,
            },
        }
    }

    fn list(&mut self, start: Span) -> Result<Node, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            items.push(self.node(event, span)?);
        }
        Ok(Node {
            place: place_at(self.source, start.start, 1),
            value: Value::List(items),
        })
    }

    fn map(&mut self, start: Span) -> Result<Node, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.node(event, span)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span)?;
            let Value::Scalar { text, plain } = &key.value else {
                self.problems
                    .push(Problem::error(&key.place, "a key must be a text"));
                continue;
            };
            if text == "<<" && *plain {
                merged.extend(merge_entries(node));
                continue;
            }
            if let Some(first_line) = places.insert(text.clone(), key.place.line) {
                self.problems.push(
                    Problem::error(&key.place, format!("`{text}` is here a second time"))
                        .hint(format!("it stands already in line {first_line}")),
                );
                continue;
            }
            entries.push(Entry {
                key: text.clone(),
                place: key.place.clone(),
                node,
            });
        }
        for entry in merged {
            if !places.contains_key(&entry.key) {
                places.insert(entry.key.clone(), entry.place.line);
                entries.push(entry);
            }
        }
        let place = entries.first().map_or_else(
            || place_at(self.source, start.start, 1),
            |entry| entry.place.clone(),
        );
        Ok(Node {
            place,
            value: Value::Map(entries),
        })
    }
}

fn merge_entries(node: Node) -> Vec<Entry> {
    match node.value {
        Value::Map(entries) => entries,
        Value::List(items) => items.into_iter().flat_map(merge_entries).collect(),
        Value::Scalar { .. } => Vec::new(),
    }
}

fn size_of(node: &Node) -> usize {
    match &node.value {
        Value::Scalar { .. } => 1,
        Value::List(items) => 1 + items.iter().map(size_of).sum::<usize>(),
        Value::Map(entries) => {
            1 + entries
                .iter()
                .map(|entry| 1 + size_of(&entry.node))
                .sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        Tree::read(&Arc::new(Source {
            name: "a.yaml".into(),
            text: text.into(),
        }))
    }

    #[test]
    fn plain_text_is_kept_as_typed() {
        let root = tree("see: No\nzip: 078\nquoted: \"null\"\nnothing:\n")
            .root
            .unwrap();
        assert_eq!(root.get("see").unwrap().scalar(), Some("No"));
        assert_eq!(root.get("zip").unwrap().scalar(), Some("078"));
        assert_eq!(root.get("quoted").unwrap().scalar(), Some("null"));
        assert!(root.get("nothing").unwrap().is_null());
    }

    #[test]
    fn anchors_and_merge_keys_are_resolved_and_own_keys_win() {
        let root = tree("base: &b { a: 1, b: 2 }\nmine: { <<: *b, b: 3 }\n")
            .root
            .unwrap();
        let mine = root.get("mine").unwrap();
        assert_eq!(mine.get("a").unwrap().scalar(), Some("1"));
        assert_eq!(mine.get("b").unwrap().scalar(), Some("3"));
    }

    #[test]
    fn a_duplicate_key_is_told_at_the_second() {
        let problems = tree("a: 1\nb: 2\na: 3\n").problems;
        assert_eq!(problems.len(), 1);
        assert_eq!(
            problems[0].to_string(),
            "a.yaml:3:1: error: `a` is here a second time\n  3 | a: 3\n    | ^ it stands already in line 1"
        );
    }

    #[test]
    fn bombs_are_refused_quickly() {
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let refs = vec![format!("*a{}", n - 1); 10].join(", ");
            laughs.push_str(&format!("a{n}: &a{n} [{refs}]\n"));
        }
        assert!(tree(&laughs).root.is_none());
        assert!(tree(&"[".repeat(200_000)).root.is_none());
        assert!(tree(&format!("a: {}", "{a: ".repeat(5_000))).root.is_none());
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place_and_a_way_out() {
        for (text, place, hint) in [
            ("owner: @pay\n", "a.yaml:1:8", "must be quoted"),
            ("a: \"open\nb: 1\n", "a.yaml:", "never closed"),
            ("a:\n\tb: 1\n", "a.yaml:2:", "replace the tab"),
        ] {
            let shown = tree(text).problems[0].to_string();
            assert!(shown.contains(place) && shown.contains(hint), "{shown}");
        }
    }
}
