//! `measure:`: further numbers, or text for later steps, out of what was received.

use regex::Regex;
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use crate::decode::{Fields, Key, Node, Reader, Shape, Spec};
use crate::model::{Quantity, Unit, parse_quantity};

use super::matcher::as_text;

/// The keys of one entry of `measure:`.
pub static CAPTURE: Spec = Spec {
    name: "a measurement",
    example: "{ json: $.workers }",
    keys: &[
        Key::new("json", Shape::Plain, "A JSONPath (RFC 9535) into the answer."),
        Key::new("header", Shape::Plain, "The name of an answer's header."),
        Key::new(
            "text",
            Shape::Plain,
            "A regular expression over the answer; its first group is the value.",
        ),
        Key::new(
            "unit",
            Shape::Choice(UNITS),
            "What the number counts, when it says so nowhere itself.",
        ),
    ],
};

const UNITS: &[&str] = &[
    "ms", "s", "m", "h", "d", "B", "KB", "MB", "GB", "KiB", "MiB", "GiB", "%",
];

/// One entry of `measure:`.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The measurement's name.
    pub name: String,
    from: From,
    unit: Option<(&'static str, Unit)>,
}

#[derive(Debug, Clone)]
enum From {
    Json(JsonPath),
    Header(String),
    Text(Regex),
}

/// What an answer offers to captures.
pub struct Answered<'a> {
    /// The body as text.
    pub body: &'a str,
    /// The body as JSON, when it is.
    pub json: Option<&'a Json>,
    /// A header's value by its name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
}

impl Capture {
    /// Reads the map `measure:`.
    pub fn read_all(node: &Node, reader: &mut Reader<'_>) -> Vec<Self> {
        let mut captures = Vec::new();
        for entry in reader.entries(node) {
            let Some(fields) = Fields::open(&entry.node, &CAPTURE, reader) else {
                continue;
            };
            captures.extend(Self::read(&entry.key, &entry.node, &fields, reader));
        }
        captures
    }

    fn read(name: &str, node: &Node, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let mut sources = Vec::new();
        if let Some(node) = fields.get("json") {
            sources.extend(read_json_path(node, reader).map(From::Json));
        }
        if let Some(node) = fields.get("header") {
            sources.extend(reader.plain(node).map(From::Header));
        }
        if let Some(node) = fields.get("text") {
            sources.extend(reader.regex(node).map(From::Text));
        }
        let units: Vec<(&str, &'static str)> = UNITS.iter().map(|unit| (*unit, *unit)).collect();
        let unit = fields
            .get("unit")
            .and_then(|node| reader.choice(node, &units))
            .and_then(|unit| Some((unit, parse_quantity(&format!("1{unit}")).ok()?.unit)));
        if sources.len() != 1 {
            reader.error(
                node,
                format!("`{name}` needs exactly one of `json`, `header`, `text`"),
            );
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            from: sources.remove(0),
            unit,
        })
    }

    /// The unit its thresholds must have; a plain number without `unit:`.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit.map_or(Unit::Count, |(_, unit)| unit)
    }

    /// Whether it looks into the answer as JSON.
    #[must_use]
    pub fn wants_json(&self) -> bool {
        matches!(self.from, From::Json(_))
    }

    /// The value as text, when the answer has it.
    #[must_use]
    pub fn text(&self, answered: &Answered<'_>) -> Option<String> {
        match &self.from {
            From::Json(path) => Some(as_text(path.query(answered.json?).first()?)),
            From::Header(name) => (answered.header)(name),
            From::Text(regex) => {
                let found = regex.captures(answered.body)?;
                let group = found.get(1).or_else(|| found.get(0))?;
                Some(group.as_str().to_owned())
            }
        }
    }

    /// The value as a number with its unit, when the answer has one.
    #[must_use]
    pub fn number(&self, answered: &Answered<'_>) -> Option<Quantity> {
        let text = self.text(answered)?;
        let text = text.trim();
        match self.unit {
            Some((unit, _)) if text.parse::<f64>().is_ok() => parse_quantity(&format!("{text}{unit}")).ok(),
            Some((_, unit)) => parse_quantity(text).ok().filter(|found| found.unit == unit),
            None => text.parse().ok().map(Quantity::count),
        }
    }
}

/// Reads a JSONPath.
pub fn read_json_path(node: &Node, reader: &mut Reader<'_>) -> Option<JsonPath> {
    let text = reader.plain(node)?;
    parse_json_path(&text, node, reader)
}

/// Parses a JSONPath that stands at `node`.
pub fn parse_json_path(text: &str, node: &Node, reader: &mut Reader<'_>) -> Option<JsonPath> {
    match JsonPath::parse(text) {
        Ok(path) => Some(path),
        Err(error) => {
            reader.error(
                node,
                format!("`{text}` is not a JSONPath: {error}; write for example `$.items[0].price`"),
            );
            None
        }
    }
}
