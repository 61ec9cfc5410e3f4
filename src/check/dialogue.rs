//! Turns of a conversation, and what a reply must say: for kinds that talk in texts.

use regex::Regex;

use super::expect::LEVEL_KEY;
use super::net::fault::Fault;
use crate::decode::{Fields, Key, Node, Reader, Shape, Spec, Value};
use crate::model::{RunScope, Text};

/// The keys of one turn.
pub static TURN: Spec = Spec {
    name: "a turn of the dialogue",
    example: "- expect: \"220\"",
    keys: &[
        Key::new("send", Shape::Text, "What we say."),
        Key::new(
            "expect",
            Shape::Either(&[Shape::Text, Shape::Object(&REPLY)]),
            "A text that the reply contains, or `{ matches: regex }`.",
        ),
    ],
};

static REPLY: Spec = Spec {
    name: "a reply",
    example: "{ matches: \"^220 \" }",
    keys: &[
        Key::new("contains", Shape::Text, "A text that the reply contains."),
        Key::new(
            "matches",
            Shape::Plain,
            "A regular expression that the reply matches.",
        ),
    ],
};

/// The keys of `expect:` over all that was said.
pub static SAID: Spec = Spec {
    name: "expect",
    example: "expect: { contains: PONG }",
    keys: &[
        Key::new("contains", Shape::Text, "A text that the answer contains."),
        Key::new(
            "matches",
            Shape::Plain,
            "A regular expression that the answer matches.",
        ),
        LEVEL_KEY,
    ],
};

/// One turn.
pub enum Turn {
    /// We say this.
    Send(Text),
    /// The other side says this.
    Expect(Reply),
}

/// What a reply must say.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This text is somewhere in it.
    Contains(Text),
    /// The expression matches.
    Matches(Regex),
}

/// A [`Reply`] with the run's values in it.
pub enum FilledReply<'r> {
    /// This text is somewhere in it.
    Contains(String),
    /// The expression matches.
    Matches(&'r Regex),
}

/// Reads `send:` and `dialogue:`, which follows it.
pub fn read_turns(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<Turn> {
    let mut turns = Vec::new();
    if let Some(node) = fields.get("send") {
        turns.extend(reader.text(node).map(Turn::Send));
    }
    if let Some(node) = fields.get("dialogue") {
        turns.extend(reader.list(node, read_turn).into_iter().flatten());
    }
    turns
}

fn read_turn(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Turn>> {
    let fields = Fields::open(node, &TURN, reader)?;
    let mut turns = Vec::new();
    if let Some(node) = fields.get("send") {
        turns.extend(reader.text(node).map(Turn::Send));
    }
    if let Some(node) = fields.get("expect") {
        if matches!(node.value, Value::Scalar { .. }) {
            turns.extend(reader.text(node).map(|text| Turn::Expect(Reply::Contains(text))));
        } else if let Some(fields) = Fields::open(node, &REPLY, reader) {
            turns.extend(read_replies(&fields, reader).into_iter().map(Turn::Expect));
        }
    }
    Some(turns)
}

/// Reads `contains:` and `matches:`.
pub fn read_replies(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<Reply> {
    let contains = fields
        .get("contains")
        .and_then(|node| reader.text(node))
        .map(Reply::Contains);
    let matches = fields
        .get("matches")
        .and_then(|node| reader.regex(node))
        .map(Reply::Matches);
    contains.into_iter().chain(matches).collect()
}

impl Reply {
    /// Fills in the run's values.
    ///
    /// # Errors
    /// Our own fault when a value is missing.
    pub fn fill(&self, scope: &RunScope<'_>) -> Result<FilledReply<'_>, Fault> {
        match self {
            Self::Contains(text) => fill(text, scope).map(FilledReply::Contains),
            Self::Matches(regex) => Ok(FilledReply::Matches(regex)),
        }
    }
}

impl FilledReply<'_> {
    /// Whether the text is as wanted.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Contains(part) => text.contains(part),
            Self::Matches(regex) => regex.is_match(text),
        }
    }

    /// What is wanted: `contain "PONG"`.
    #[must_use]
    pub fn wanted(&self) -> String {
        match self {
            Self::Contains(part) => format!("contain \"{}\"", part.escape_debug()),
            Self::Matches(regex) => format!("match {regex}"),
        }
    }
}

/// A text with the run's values in it.
///
/// # Errors
/// Our own fault when a value is missing.
pub fn fill(text: &Text, scope: &RunScope<'_>) -> Result<String, Fault> {
    text.fill(scope)
        .map_err(|unfilled| Fault::ours(unfilled.to_string()))
}

/// The beginning of what was said, as evidence.
#[must_use]
pub fn heard(said: &str) -> String {
    match said.is_empty() {
        true => "(nothing was received)".to_owned(),
        false => said.chars().take(400).collect(),
    }
}
