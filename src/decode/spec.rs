//! What keys an object may have: one table serves reading, suggestions, `show` and the
//! JSON Schemas.

/// The keys of one object in YAML.
#[derive(Debug)]
pub struct Spec {
    /// What users call it: `http`, `retry`, `a route` …
    pub name: &'static str,
    /// Its keys, in the order in which people write them.
    pub keys: &'static [Key],
    /// How it looks, for hints.
    pub example: &'static str,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What belongs to it.
    pub shape: Shape,
    /// Whether the object is wrong without it.
    pub required: bool,
    /// What holds without it; empty when nothing does.
    pub default: &'static str,
    /// One sentence for people.
    pub doc: &'static str,
    /// Part of the format, but not of this version.
    pub planned: bool,
}

impl Key {
    /// An optional key.
    #[must_use]
    pub const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self {
            name,
            shape,
            required: false,
            default: "",
            doc,
            planned: false,
        }
    }

    /// A key that must be there.
    #[must_use]
    pub const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self {
            required: true,
            ..Self::new(name, shape, doc)
        }
    }

    /// An optional key with what holds without it.
    #[must_use]
    pub const fn or(name: &'static str, shape: Shape, default: &'static str, doc: &'static str) -> Self {
        Self {
            default,
            ..Self::new(name, shape, doc)
        }
    }

    /// A key of the format that this version refuses, saying so.
    #[must_use]
    pub const fn planned(name: &'static str) -> Self {
        Self {
            planned: true,
            ..Self::new(name, Shape::Any, "Not available in this version.")
        }
    }
}

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Text with `${…}` values in it.
    Text,
    /// A name or other plain text.
    Plain,
    /// `30s`
    Duration,
    /// `4MiB`
    Size,
    /// A whole number.
    Integer(i64, i64),
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `above 300ms`
    Bound,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these.
    List(&'static Shape),
    /// One of these, or a list of them.
    OneOrMany(&'static Shape),
    /// A map from names to these.
    Map(&'static Shape),
    /// An object with known keys.
    Object(&'static Spec),
    /// Any of these.
    Either(&'static [Shape]),
    /// The same as another.
    Ref(&'static Shape),
    /// Anything.
    Any,
}

impl Spec {
    /// The key called `name`.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// What people who come from other tools write, and what it is called here.
const SYNONYMS: &[(&str, &str)] = &[
    ("goto", "open"),
    ("navigate", "open"),
    ("visit", "open"),
    ("fill", "type"),
    ("enter", "type"),
    ("input", "type"),
    ("tap", "click"),
    ("select", "choose"),
    ("assert", "expect"),
    ("verify", "expect"),
    ("wait", "wait_for"),
    ("sleep", "pause"),
    ("id", "css"),
    ("selector", "css"),
    ("interval", "every"),
    ("schedule", "cron"),
    ("retries", "retry"),
    ("assertions", "expect"),
    ("receivers", "to"),
    ("receiver", "to"),
    ("postgres", "sql"),
    ("postgresql", "sql"),
    ("mysql", "sql"),
    ("icmp", "ping"),
    ("ssl", "tls"),
    ("nagios", "command"),
    ("push", "heartbeat"),
];

/// The key of `spec` that another tool calls `word`.
pub(crate) fn synonym(word: &str, spec: &Spec) -> Option<&'static str> {
    SYNONYMS
        .iter()
        .find(|(other, ours)| *other == word && spec.key(ours).is_some_and(|key| !key.planned))
        .map(|(_, ours)| *ours)
}

/// The candidate nearest to `word`, when it is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let reach = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= reach)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
