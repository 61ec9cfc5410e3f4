//! What a JSON Schema says of an answer for sure: types of what must be there.

use super::sheet::{Pairs, literal, pair_of};
use super::value::Value;
use super::yaml::Node;

/// More than this is no hint any more.
const MOST_HINTS: usize = 20;
/// References to references end somewhere.
const MOST_STEPS: usize = 32;
/// How deep required properties are followed.
const DEEPEST: usize = 3;

/// A document whose references are followed.
pub struct Schemas<'v> {
    /// The document.
    pub root: &'v Value,
}

impl<'v> Schemas<'v> {
    /// What a value is, its reference (within the document) followed.
    #[must_use]
    pub fn resolve(&self, value: &'v Value) -> &'v Value {
        let mut at = value;
        for _ in 0..MOST_STEPS {
            let Some(path) = at.get("$ref").text().and_then(|text| text.strip_prefix("#/")) else {
                return at;
            };
            let names: Vec<String> = path
                .split('/')
                .map(|part| part.replace("~1", "/").replace("~0", "~"))
                .collect();
            at = names.iter().fold(self.root, |value, name| value.get(name));
        }
        at
    }
}

/// `expect: { status: … }` of documented codes; none where only 2xx as a whole is meant.
pub fn status_nodes<'c>(codes: impl Iterator<Item = &'c str>) -> Pairs {
    let good: Vec<Node> = codes
        .filter(|code| code.starts_with('2'))
        .map(|code| {
            if code[1..].eq_ignore_ascii_case("xx") {
                Node::bare("200..299")
            } else {
                Node::bare(code)
            }
        })
        .collect();
    match good.as_slice() {
        [] => Vec::new(),
        [Node::Bare(all)] if all == "200..299" => Vec::new(),
        [one] => vec![pair_of("status", one.clone())],
        _ => vec![pair_of("status", Node::List(good))],
    }
}

/// JSONPath → matcher, for what the schema requires.
pub fn hints<'v>(schemas: &Schemas<'v>, schema: &'v Value) -> Pairs {
    let mut found = Vec::new();
    walk(schemas, schema, "$", 0, &mut found);
    found.truncate(MOST_HINTS);
    found
}

fn walk<'v>(schemas: &Schemas<'v>, schema: &'v Value, path: &str, depth: usize, found: &mut Pairs) {
    let schema = schemas.resolve(schema);
    if depth > DEEPEST || found.len() >= MOST_HINTS {
        return;
    }
    for part in schema.get("allOf").items() {
        walk(schemas, part, path, depth + 1, found);
    }
    let types = schema.get("type").texts();
    let may_be_null = schema.get("nullable").is_true() || types.contains(&"null");
    let kind = match types.as_slice() {
        [one] if !may_be_null => Some(*one),
        _ => None,
    };
    let required = schema.get("required").texts();
    let is_object = kind == Some("object") || (types.is_empty() && schema.get("properties").is_there());
    if is_object && !required.is_empty() && !may_be_null {
        for name in required {
            let below = format!("{path}{}", segment(name));
            walk_property(schemas, schema.find(&["properties", name]), &below, depth, found);
        }
        return;
    }
    if let Some(rule) = rule(schema, kind) {
        put(found, path, rule);
    } else if depth > 0 && schema.get("allOf").items().is_empty() {
        put(found, path, Node::one("exists", Node::bare("true")));
    }
}

fn walk_property<'v>(schemas: &Schemas<'v>, schema: &'v Value, path: &str, depth: usize, found: &mut Pairs) {
    if schema.get("writeOnly").is_true() {
        return;
    }
    walk(schemas, schema, path, depth + 1, found);
}

fn put(found: &mut Pairs, path: &str, rule: Node) {
    // A name may hold what no path can.
    let can_be_asked = serde_json_path::JsonPath::parse(path).is_ok();
    if can_be_asked && !found.iter().any(|(known, _)| known == path) {
        found.push(pair_of(path, rule));
    }
}

fn rule(schema: &Value, kind: Option<&str>) -> Option<Node> {
    let values = schema.get("enum").texts();
    if kind == Some("string") && !values.is_empty() {
        return Some(Node::one(
            "one_of",
            Node::List(values.iter().map(|value| literal(value)).collect()),
        ));
    }
    let word = match kind? {
        "integer" | "number" => "number",
        word @ ("string" | "boolean" | "array" | "object") => word,
        _ => return None,
    };
    Some(Node::one("type", Node::bare(word)))
}

/// A property as a part of a JSONPath.
fn segment(name: &str) -> String {
    let plain = name
        .chars()
        .enumerate()
        .all(|(n, c)| c == '_' || c.is_ascii_alphabetic() || (n > 0 && c.is_ascii_digit()));
    if plain {
        return format!(".{name}");
    }
    format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))
}
