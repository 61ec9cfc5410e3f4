//! JSON Schemas (draft 2020-12) from the same tables that the readers use.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Shape, Spec};

/// The schema of a document whose top is `spec`.
#[must_use]
pub fn schema_of(spec: &'static Spec, title: &str) -> Json {
    let mut defs = Defs::default();
    let top = define(spec, &mut defs);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "$ref": top,
        "$defs": defs.schemas,
    })
}

/// The definitions so far. Objects of one name may differ: `expect` of a page and of an answer.
#[derive(Default)]
struct Defs {
    schemas: BTreeMap<String, Json>,
    named: Vec<(&'static Spec, String)>,
}

/// Defines an object once, and gives the reference to it.
fn define(spec: &'static Spec, defs: &mut Defs) -> String {
    let known = defs.named.iter().find(|(known, _)| std::ptr::eq(*known, spec));
    if let Some((_, name)) = known {
        return format!("#/$defs/{name}");
    }
    let base = spec.name.replace(' ', "-");
    let same = defs
        .named
        .iter()
        .filter(|(known, _)| known.name == spec.name)
        .count();
    let name = match same {
        0 => base,
        _ => format!("{base}-{}", same + 1),
    };
    defs.named.push((spec, name.clone()));
    let mut properties = serde_json::Map::new();
    for key in spec.keys.iter().filter(|key| !key.planned) {
        let mut schema = shape(&key.shape, defs);
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".into(), key.doc.into());
            if !key.default.is_empty() {
                object.insert("default".into(), key.default.into());
            }
        }
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<&str> = spec
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    let reference = format!("#/$defs/{name}");
    defs.schemas.insert(name, schema);
    reference
}

fn shape(of: &'static Shape, defs: &mut Defs) -> Json {
    match of {
        Shape::Text | Shape::Plain => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Duration => json!({
            "type": "string",
            "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+$",
            "examples": ["30s", "5m", "1h30m"],
        }),
        Shape::Size => json!({ "type": "string", "examples": ["10KB", "4MiB"] }),
        Shape::Integer(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Shape::Number => json!({ "type": "number" }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Bound => json!({
            "type": "string",
            "pattern": r"^(above|below|outside|inside) .+$",
            "examples": ["above 300ms", "below 3", "outside 3..10", "inside 80..90"],
        }),
        Shape::Choice(words) => {
            // `ip: 4` is as good as `ip: "4"`.
            let numbers = words
                .iter()
                .filter_map(|word| word.parse::<serde_json::Number>().ok());
            let all: Vec<Json> = words
                .iter()
                .map(|word| json!(word))
                .chain(numbers.map(Json::Number))
                .collect();
            json!({ "enum": all })
        }
        Shape::List(item) => json!({ "type": "array", "items": shape(item, defs) }),
        Shape::OneOrMany(item) => {
            let one = shape(item, defs);
            json!({ "anyOf": [one.clone(), { "type": "array", "items": one }] })
        }
        Shape::Map(item) => json!({ "type": "object", "additionalProperties": shape(item, defs) }),
        Shape::Object(spec) => {
            let reference = define(spec, defs);
            json!({ "$ref": reference })
        }
        Shape::Either(shapes) => {
            let any: Vec<Json> = shapes.iter().map(|each| shape(each, defs)).collect();
            json!({ "anyOf": any })
        }
        Shape::Ref(other) => shape(other, defs),
        Shape::Any => json!({}),
    }
}
