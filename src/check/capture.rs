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
            "perfdata",
            Shape::Plain,
            "The label of a plugin's performance data (command checks).",
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
    Perfdata(String),
}

/// Where a value can be taken from.
const SOURCES: &[&str] = &["json", "header", "text", "perfdata"];
/// Of these, what an HTTP answer has.
const OF_HTTP: &[&str] = &["json", "header", "text"];

/// What an answer offers to captures.
pub struct Answered<'a> {
    /// The body as text.
    pub body: &'a str,
    /// The body as JSON, when it is.
    pub json: Option<&'a Json>,
    /// A header's value by its name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// A plugin's number by its label.
    pub perfdata: &'a dyn Fn(&str) -> Option<Quantity>,
}

impl Capture {
    /// Reads the map `measure:` of a kind that is answered by HTTP.
    pub fn read_all(node: &Node, reader: &mut Reader<'_>) -> Vec<Self> {
        Self::read_from(node, OF_HTTP, reader)
    }

    /// Reads the map `measure:` of a kind whose answers have these sources.
    pub fn read_from(node: &Node, sources: &[&str], reader: &mut Reader<'_>) -> Vec<Self> {
        let mut captures = Vec::new();
        for entry in reader.entries(node) {
            let Some(fields) = Fields::open(&entry.node, &CAPTURE, reader) else {
                continue;
            };
            let from = read_source(&entry.key, &entry.node, &fields, sources, reader);
            let scale = fields.get("unit").and_then(|node| Scale::read(node, reader));
            captures.extend(from.map(|from| Self {
                name: entry.key.clone(),
                from,
                scale,
            }));
        }
        captures
    }

    /// The unit its thresholds must have: a plain number without `unit:`. None when only the
    /// answer says it.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        match (&self.from, self.scale) {
            (From::Perfdata(_), None) => None,
            (_, scale) => Some(Scale::unit(scale)),
        }
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
            From::Perfdata(label) => (answered.perfdata)(label).map(|number| number.to_string()),
        }
    }

    /// The value as a number with its unit, when the answer has one.
    #[must_use]
    pub fn number(&self, answered: &Answered<'_>) -> Option<Quantity> {
        if let From::Perfdata(label) = &self.from {
            let number = (answered.perfdata)(label)?;
            return match self.scale {
                scale @ Some(_) if number.unit == Unit::Count => Some(Scale::apply(scale, number.value)),
                Some(scale) => (number.unit == scale.unit).then_some(number),
                None => Some(number),
            };
        }
        let text = self.text(answered)?;
        let text = text.trim();
        if let Ok(number) = text.parse::<f64>() {
            return number.is_finite().then(|| Scale::apply(self.scale, number));
        }
        let scale = self.scale?;
        parse_quantity(text).ok().filter(|found| found.unit == scale.unit)
    }
}

fn read_source(
    name: &str,
    node: &Node,
    fields: &Fields<'_>,
    sources: &[&str],
    reader: &mut Reader<'_>,
) -> Option<From> {
    let written: Vec<&str> = SOURCES
        .iter()
        .copied()
        .filter(|source| fields.get(source).is_some())
        .collect();
    let [source] = written[..] else {
        let all: Vec<String> = sources.iter().map(|source| format!("`{source}`")).collect();
        reader.error(node, format!("`{name}` needs exactly one of {}", all.join(", ")));
        return None;
    };
    let value = fields.get(source)?;
    if !sources.contains(&source) {
        reader.error(value, format!("what answers here has no `{source}`"));
        return None;
    }
    match source {
        "json" => read_json_path(value, reader).map(From::Json),
        "header" => reader.plain(value).map(From::Header),
        "perfdata" => reader.plain(value).map(From::Perfdata),
        _ => reader.regex(value).map(From::Text),
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
