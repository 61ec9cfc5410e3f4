//! `expect:` of an HTTP check.

use std::ops::RangeInclusive;

use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::excerpt::{Clue, plain_part};
use super::exchange::Received;
use crate::check::capture::parse_json_path;
use crate::check::expect::LEVEL_KEY;
use crate::check::matcher::{LookedFor, MATCHES, Matcher};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{RunScope, Unfilled};

/// The keys of one block.
pub static HTTP_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { status: 200, json: { $.status: UP } }",
    keys: &[
        Key::or(
            "status",
            Shape::OneOrMany(&Shape::Plain),
            "200..299",
            "`200`, `200..299` or a list.",
        ),
        Key::new(
            "headers",
            Shape::Map(&MATCHES),
            "What holds for the answer's headers.",
        ),
        Key::new(
            "json",
            Shape::Map(&MATCHES),
            "JSONPath (RFC 9535) to what holds for its value.",
        ),
        Key::new(
            "body",
            Shape::Either(&[Shape::Text, Shape::Object(&crate::check::matcher::MATCHER)]),
            "What holds for the body as text.",
        ),
        LEVEL_KEY,
    ],
};

/// What is not as expected, and what of the answer shows it.
pub type Found = (String, Option<Clue>);

/// One block.
pub struct HttpExpect {
    statuses: Vec<RangeInclusive<u16>>,
    headers: Vec<(String, Matcher)>,
    json: Vec<(String, JsonPath, Matcher)>,
    body: Option<Matcher>,
}

impl HttpExpect {
    /// Reads one block.
    pub fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let mut headers = Vec::new();
        if let Some(node) = fields.get("headers") {
            for entry in reader.entries(node) {
                let matcher = Matcher::read(&entry.node, reader);
                headers.extend(matcher.map(|matcher| (entry.key.to_lowercase(), matcher)));
            }
        }
        let mut json = Vec::new();
        if let Some(node) = fields.get("json") {
            for entry in reader.entries(node) {
                let at_key = Node {
                    place: entry.place.clone(),
                    value: entry.node.value.clone(),
                };
                let path = parse_json_path(&entry.key, &at_key, reader);
                let matcher = Matcher::read(&entry.node, reader);
                if let (Some(path), Some(matcher)) = (path, matcher) {
                    json.push((entry.key.clone(), path, matcher));
                }
            }
        }
        Self {
            statuses: fields
                .get("status")
                .map(|node| reader.one_or_many(node, read_status))
                .unwrap_or_default(),
            headers,
            json,
            body: fields.get("body").and_then(|node| Matcher::read(node, reader)),
        }
    }

    /// Whether the user says which status is right, so that the default does not hold.
    #[must_use]
    pub fn names_status(&self) -> bool {
        !self.statuses.is_empty()
    }

    /// Why the answer is not as expected, a line each.
    ///
    /// # Errors
    /// When a matcher uses a value that no earlier step captured.
    pub fn broken(&self, received: &Received, scope: &RunScope<'_>) -> Result<Vec<Found>, Unfilled> {
        let mut broken = Vec::new();
        let status = received.status.as_u16();
        if self.names_status() && !self.statuses.iter().any(|range| range.contains(&status)) {
            let wanted: Vec<String> = self.statuses.iter().map(show_status).collect();
            let what = format!("status is {status}, expected {}", wanted.join(" or "));
            broken.push((what, None));
        }
        for (name, matcher) in &self.headers {
            let value = received.header(name).map(Json::String);
            let found = matcher.broken(&format!("header {name}"), value.as_ref(), scope)?;
            broken.extend(found.into_iter().map(|what| (what, None)));
        }
        broken.extend(self.broken_json(received, scope)?);
        if let Some(matcher) = &self.body {
            let text = Json::String(received.text.clone());
            let found = matcher.broken("body", Some(&text), scope)?;
            let clue = clue(matcher, &received.text, scope);
            broken.extend(found.into_iter().map(|what| (what, clue.clone())));
        }
        Ok(broken)
    }

    fn broken_json(&self, received: &Received, scope: &RunScope<'_>) -> Result<Vec<Found>, Unfilled> {
        if self.json.is_empty() {
            return Ok(Vec::new());
        }
        let Some(json) = received.json() else {
            let what = match received.text.trim().is_empty() {
                true => "the answer is empty, expected JSON",
                false => "the answer is not JSON",
            };
            return Ok(vec![(what.to_owned(), None)]);
        };
        let mut broken = Vec::new();
        for (written, path, matcher) in &self.json {
            let found = path.query(json).all();
            // A path that selects several values stands for the list of them.
            let value = match found.as_slice() {
                [] => None,
                [one] => Some((*one).clone()),
                several => Some(Json::Array(several.iter().copied().cloned().collect())),
            };
            let found = matcher.broken(written, value.as_ref(), scope)?;
            let clue = Clue::Json(written.clone());
            broken.extend(found.into_iter().map(|what| (what, Some(clue.clone()))));
        }
        Ok(broken)
    }
}

/// The first thing that the body was looked through for, and that is not so.
fn clue(matcher: &Matcher, body: &str, scope: &RunScope<'_>) -> Option<Clue> {
    matcher
        .looked_for(scope)
        .find_map(|(wanted, should_hold)| match wanted {
            LookedFor::Text(text) => match (body.contains(&text), should_hold) {
                (false, true) => Some(Clue::Missing(text)),
                (true, false) => Some(Clue::Unwanted(text)),
                _ => None,
            },
            LookedFor::Pattern(regex) if regex.is_match(body) => None,
            LookedFor::Pattern(regex) => plain_part(regex).map(Clue::Missing),
        })
}

fn read_status(reader: &mut Reader<'_>, node: &Node) -> Option<RangeInclusive<u16>> {
    let text = reader.plain(node)?;
    let (low, high) = text.split_once("..").unwrap_or((&text, &text));
    let parse = |text: &str| {
        text.trim()
            .parse::<u16>()
            .ok()
            .filter(|code| (100..600).contains(code))
    };
    match (parse(low), parse(high)) {
        (Some(low), Some(high)) if low <= high => Some(low..=high),
        _ => {
            reader.report(
                Problem::error(&node.place, format!("`{text}` is not a status"))
                    .hint("write `200`, `200..299` or `[200, 204]`"),
            );
            None
        }
    }
}

fn show_status(range: &RangeInclusive<u16>) -> String {
    if range.start() == range.end() {
        return range.start().to_string();
    }
    format!("{}..{}", range.start(), range.end())
}
