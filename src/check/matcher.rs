//! Matchers: what an expectation says of one value.

use regex::Regex;
use serde_json::Value as Json;

use crate::decode::{Fields, JsonText, Key, Node, Reader, Shape, Spec, Value};
use crate::model::{RunScope, Unfilled};

/// A matcher's keys.
pub static MATCHER: Spec = Spec {
    name: "a matcher",
    example: "{ contains: text }",
    keys: &[
        Key::new("equals", Shape::Any, "The value is exactly this."),
        Key::new("not", Shape::Any, "The value is not this."),
        Key::new(
            "contains",
            Shape::Text,
            "The text, or one item of the list, contains this.",
        ),
        Key::new("not_contains", Shape::Text, "Nothing of the value contains this."),
        Key::new(
            "matches",
            Shape::Plain,
            "The text matches this regular expression.",
        ),
        Key::new("one_of", Shape::List(&Shape::Any), "The value is one of these."),
        Key::new("min", Shape::Number, "The number is at least this."),
        Key::new("max", Shape::Number, "The number is at most this."),
        Key::new(
            "length",
            Shape::Either(&[Shape::Number, Shape::Object(&MATCHER)]),
            "What holds for the length of the text, list or map.",
        ),
        Key::new("exists", Shape::Boolean, "Whether the value is there at all."),
        Key::new("type", Shape::Choice(TYPES), "The value's JSON type."),
        Key::new("each", Shape::Any, "What holds for each item of the list."),
    ],
};

/// What `matches:` in a schema may be: a plain value or a matcher.
pub static MATCHES: Shape = Shape::Either(&[Shape::Text, Shape::Object(&MATCHER)]);

const TYPES: &[&str] = &["string", "number", "boolean", "array", "object", "null"];

/// Everything in it must hold.
#[derive(Debug, Clone)]
pub struct Matcher(Vec<Rule>);

#[derive(Debug, Clone)]
enum Rule {
    Equals(JsonText),
    Not(JsonText),
    Contains(JsonText),
    NotContains(JsonText),
    Matches(Regex),
    OneOf(Vec<JsonText>),
    Min(f64),
    Max(f64),
    Length(Matcher),
    Exists(bool),
    Type(&'static str),
    Each(Matcher),
}

impl Matcher {
    /// Reads a plain value (equals) or a map of rules.
    pub fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            return JsonText::read(node, reader).map(|value| Self(vec![Rule::Equals(value)]));
        }
        let before = reader.failures();
        let fields = Fields::open(node, &MATCHER, reader)?;
        let mut rules = Vec::new();
        let mut json = |key: &str, make: fn(JsonText) -> Rule, reader: &mut Reader<'_>| {
            if let Some(value) = fields.get(key).and_then(|node| JsonText::read(node, reader)) {
                rules.push(make(value));
            }
        };
        json("equals", Rule::Equals, reader);
        json("not", Rule::Not, reader);
        json("contains", Rule::Contains, reader);
        json("not_contains", Rule::NotContains, reader);
        if let Some(regex) = fields.get("matches").and_then(|node| reader.regex(node)) {
            rules.push(Rule::Matches(regex));
        }
        if let Some(node) = fields.get("one_of") {
            rules.push(Rule::OneOf(
                reader.list(node, |reader, item| JsonText::read(item, reader)),
            ));
        }
        if let Some(low) = fields.get("min").and_then(|node| reader.number(node)) {
            rules.push(Rule::Min(low));
        }
        if let Some(high) = fields.get("max").and_then(|node| reader.number(node)) {
            rules.push(Rule::Max(high));
        }
        if let Some(inner) = fields.get("length").and_then(|node| Self::read(node, reader)) {
            rules.push(Rule::Length(inner));
        }
        if let Some(there) = fields.get("exists").and_then(|node| reader.boolean(node)) {
            rules.push(Rule::Exists(there));
        }
        let words: Vec<(&str, &'static str)> = TYPES.iter().map(|word| (*word, *word)).collect();
        if let Some(kind) = fields.get("type").and_then(|node| reader.choice(node, &words)) {
            rules.push(Rule::Type(kind));
        }
        if let Some(inner) = fields.get("each").and_then(|node| Self::read(node, reader)) {
            rules.push(Rule::Each(inner));
        }
        if rules.is_empty() && reader.failures() == before {
            reader.error(
                node,
                "a matcher needs at least one rule, like `{ contains: text }`",
            );
        }
        Some(Self(rules))
    }

    /// Why the value is not as expected, one line per broken rule; `what` names the value.
    ///
    /// # Errors
    /// When a rule uses a value that no earlier step captured.
    pub fn broken(
        &self,
        what: &str,
        value: Option<&Json>,
        scope: &RunScope<'_>,
    ) -> Result<Vec<String>, Unfilled> {
        let mut broken = Vec::new();
        for rule in &self.0 {
            if let Some(why) = rule.broken(what, value, scope)? {
                broken.push(why);
            }
        }
        Ok(broken)
    }
}

impl Matcher {
    /// Texts and patterns that the value is looked through for: with whether it should hold
    /// them.
    pub fn looked_for<'m>(&'m self, scope: &'m RunScope<'_>) -> impl Iterator<Item = (LookedFor<'m>, bool)> {
        self.0.iter().filter_map(|rule| {
            let filled = |part: &JsonText| part.fill(scope).ok().map(|part| LookedFor::Text(as_text(&part)));
            match rule {
                Rule::Equals(part) | Rule::Contains(part) => Some((filled(part)?, true)),
                Rule::NotContains(part) => Some((filled(part)?, false)),
                Rule::Matches(regex) => Some((LookedFor::Pattern(regex), true)),
                _ => None,
            }
        })
    }
}

/// What a value is looked through for.
pub enum LookedFor<'m> {
    /// A text.
    Text(String),
    /// A regular expression.
    Pattern(&'m Regex),
}

impl Rule {
    fn broken(
        &self,
        what: &str,
        value: Option<&Json>,
        scope: &RunScope<'_>,
    ) -> Result<Option<String>, Unfilled> {
        let there = match (self, value) {
            (Self::Exists(wanted), value) => {
                return Ok((value.is_some() != *wanted).then(|| match wanted {
                    true => format!("{what} is missing"),
                    false => format!("{what} is there, expected none"),
                }));
            }
            (Self::Not(_) | Self::NotContains(_), None) => return Ok(None),
            (_, None) => return Ok(Some(format!("{what} is missing{}", self.expected(scope)?))),
            (_, Some(there)) => there,
        };
        let holds = match self {
            Self::Equals(wanted) => same(there, &wanted.fill(scope)?),
            Self::Not(unwanted) => !same(there, &unwanted.fill(scope)?),
            Self::Contains(part) => contains(there, &part.fill(scope)?),
            Self::NotContains(part) => !contains(there, &part.fill(scope)?),
            Self::Matches(regex) => regex.is_match(&as_text(there)),
            Self::OneOf(choices) => {
                let filled: Result<Vec<Json>, _> = choices.iter().map(|choice| choice.fill(scope)).collect();
                filled?.iter().any(|choice| same(there, choice))
            }
            Self::Min(low) => as_number(there).is_some_and(|number| number >= *low),
            Self::Max(high) => as_number(there).is_some_and(|number| number <= *high),
            Self::Type(kind) => type_of(there) == *kind,
            Self::Exists(_) => true,
            Self::Length(inner) => {
                let length = length_of(there).map(Json::from);
                let name = format!("the length of {what}");
                return Ok(inner.broken(&name, length.as_ref(), scope)?.into_iter().next());
            }
            Self::Each(inner) => return each(inner, what, there, scope),
        };
        Ok(match holds {
            true => None,
            false => Some(format!("{what} is {}{}", shown(there), self.expected(scope)?)),
        })
    }

    fn expected(&self, scope: &RunScope<'_>) -> Result<String, Unfilled> {
        Ok(match self {
            Self::Equals(wanted) => format!(", expected {}", shown(&wanted.fill(scope)?)),
            Self::Not(unwanted) => format!(", expected anything but {}", shown(&unwanted.fill(scope)?)),
            Self::Contains(part) => format!(", expected to contain {}", shown(&part.fill(scope)?)),
            Self::NotContains(part) => format!(", expected not to contain {}", shown(&part.fill(scope)?)),
            Self::Matches(regex) => format!(", expected to match {regex}"),
            Self::OneOf(choices) => {
                let filled: Result<Vec<String>, Unfilled> = choices
                    .iter()
                    .map(|choice| Ok(shown(&choice.fill(scope)?)))
                    .collect();
                format!(", expected one of {}", filled?.join(", "))
            }
            Self::Min(low) => format!(", expected at least {low}"),
            Self::Max(high) => format!(", expected at most {high}"),
            Self::Type(kind) => format!(", expected the type {kind}"),
            Self::Length(_) | Self::Exists(_) | Self::Each(_) => String::new(),
        })
    }
}

fn each(inner: &Matcher, what: &str, list: &Json, scope: &RunScope<'_>) -> Result<Option<String>, Unfilled> {
    let Json::Array(items) = list else {
        return Ok(Some(format!("{what} is {}, expected a list", shown(list))));
    };
    for (n, item) in items.iter().enumerate() {
        let name = format!("item {} of {what}", n + 1);
        if let Some(why) = inner.broken(&name, Some(item), scope)?.into_iter().next() {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// Equal as values; numbers by value, and a number equals its own spelling as text.
fn same(there: &Json, wanted: &Json) -> bool {
    match (there, wanted) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::String(text), Json::Number(_) | Json::Bool(_)) => as_text(wanted) == *text,
        _ => there == wanted,
    }
}

fn contains(there: &Json, part: &Json) -> bool {
    match there {
        Json::Array(items) => items.iter().any(|item| same(item, part)),
        Json::Object(map) => map.contains_key(&as_text(part)),
        other => as_text(other).contains(&as_text(part)),
    }
}

fn as_number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A text without quotes, anything else as JSON.
#[must_use]
pub fn as_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn length_of(value: &Json) -> Option<usize> {
    match value {
        Json::Array(items) => Some(items.len()),
        Json::Object(map) => Some(map.len()),
        Json::String(text) => Some(text.chars().count()),
        _ => None,
    }
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::String(_) => "string",
        Json::Number(_) => "number",
        Json::Bool(_) => "boolean",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
        Json::Null => "null",
    }
}

fn shown(value: &Json) -> String {
    const ROOM: usize = 120;
    let text = match value {
        Json::String(text) => format!("\"{text}\""),
        other => other.to_string(),
    };
    if text.chars().count() <= ROOM {
        return text;
    }
    format!("{}…", text.chars().take(ROOM).collect::<String>())
}
