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
        UNIT,
    ],
};

/// `unit:` beside a number.
pub const UNIT: Key = Key::new(
    "unit",
    Shape::Choice(UNITS),
    "What the number counts, when it says so nowhere itself.",
);

const UNITS: &[&str] = &[
    "ms", "s", "m", "h", "d", "B", "KB", "MB", "GB", "KiB", "MiB", "GiB", "%",
];

/// One entry of `measure:`.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The measurement's name.
    pub name: String,
    from: From,
    scale: Option<Scale>,
}

/// What a bare number counts, as [`UNIT`] says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    factor: f64,
    unit: Unit,
}

impl Scale {
    /// Reads [`UNIT`].
    pub fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let units: Vec<(&str, &'static str)> = UNITS.iter().map(|unit| (*unit, *unit)).collect();
        let unit = reader.choice(node, &units)?;
        let one = parse_quantity(&format!("1{unit}")).ok()?;
        Some(Self {
            factor: one.value,
            unit: one.unit,
        })
    }

    /// The number with its unit; a plain number where no unit is said.
    #[must_use]
    pub fn apply(scale: Option<Self>, number: f64) -> Quantity {
        scale.map_or_else(
            || Quantity::count(number),
            |scale| Quantity {
                value: number * scale.factor,
                unit: scale.unit,
            },
        )
    }

    /// The unit that thresholds must have.
    #[must_use]
    pub fn unit(scale: Option<Self>) -> Unit {
        scale.map_or(Unit::Count, |scale| scale.unit)
    }
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
        let scale = fields.get("unit").and_then(|node| Scale::read(node, reader));
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
            scale,
        })
    }

    /// The unit its thresholds must have; a plain number without `unit:`.
    #[must_use]
    pub fn unit(&self) -> Unit {
        Scale::unit(self.scale)
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
        if let Ok(number) = text.parse::<f64>() {
            return number.is_finite().then(|| Scale::apply(self.scale, number));
        }
        let scale = self.scale?;
        parse_quantity(text).ok().filter(|found| found.unit == scale.unit)
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
