//! A file of another program as values that know where they stand: a line in YAML, a path in JSON.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::decode::{self, Source, Tree};

/// What nothing is.
static NOTHING: Value = Value {
    at: String::new(),
    kind: Kind::Null,
};

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Value {
    /// `config.yaml:12`, or `backup.json: monitorList[3].name`.
    pub at: String,
    /// What it is.
    pub kind: Kind,
}

/// What a value holds.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing.
    Null,
    /// A truth, a number or a text, as a text.
    Scalar {
        /// As written, escapes resolved.
        text: String,
        /// Whether it is a text for sure: quoted.
        quoted: bool,
    },
    /// A list.
    List(Vec<Value>),
    /// A map in the order written, or in the order of the alphabet for JSON.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Reads JSON or YAML.
    ///
    /// # Errors
    /// What is wrong with the file, with its line.
    pub fn read(name: &str, text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with(['{', '['])
            && let Ok(json) = serde_json::from_str::<Json>(text)
        {
            return Ok(Self::of_json(&json, &format!("{name}: "), ""));
        }
        let source = Arc::new(Source {
            name: name.to_owned(),
            text: text.to_owned(),
        });
        let tree = Tree::read(&source);
        match (tree.root, tree.problems.first()) {
            (Some(root), _) => Ok(Self::of_yaml(&root)),
            (None, Some(problem)) => Err(format!("neither JSON nor YAML: {problem}")),
            (None, None) => Err("it is empty".to_owned()),
        }
    }

    fn of_yaml(node: &decode::Node) -> Self {
        let kind = match &node.value {
            _ if node.is_null() => Kind::Null,
            decode::Value::Scalar { text, plain } => Kind::Scalar {
                text: text.clone(),
                quoted: !plain,
            },
            decode::Value::List(items) => Kind::List(items.iter().map(Self::of_yaml).collect()),
            decode::Value::Map(entries) => Kind::Map(
                entries
                    .iter()
                    .map(|entry| {
                        let mut value = Self::of_yaml(&entry.node);
                        value.at = entry.place.file_and_line();
                        (entry.key.clone(), value)
                    })
                    .collect(),
            ),
        };
        Self {
            at: node.place.file_and_line(),
            kind,
        }
    }

    fn of_json(json: &Json, file: &str, path: &str) -> Self {
        let scalar = |text: String, quoted| Kind::Scalar { text, quoted };
        let kind = match json {
            Json::Null => Kind::Null,
            Json::Bool(truth) => scalar(truth.to_string(), false),
            Json::Number(number) => scalar(number.to_string(), false),
            Json::String(text) => scalar(text.clone(), true),
            Json::Array(items) => Kind::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(n, item)| Self::of_json(item, file, &format!("{path}[{n}]")))
                    .collect(),
            ),
            Json::Object(map) => Kind::Map(
                map.iter()
                    .map(|(key, value)| {
                        let dot = if path.is_empty() { "" } else { "." };
                        (
                            key.clone(),
                            Self::of_json(value, file, &format!("{path}{dot}{key}")),
                        )
                    })
                    .collect(),
            ),
        };
        Self {
            at: format!("{file}{path}"),
            kind,
        }
    }

    /// The value of a key; nothing when there is none.
    #[must_use]
    pub fn get(&self, key: &str) -> &Self {
        self.entries()
            .iter()
            .find(|(name, _)| name == key)
            .map_or(&NOTHING, |(_, value)| value)
    }

    /// The value at the end of several keys.
    #[must_use]
    pub fn find(&self, keys: &[&str]) -> &Self {
        keys.iter().fold(self, |value, key| value.get(key))
    }

    /// Whether there is anything at all.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !matches!(self.kind, Kind::Null)
    }

    /// The entries of a map; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[(String, Self)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// A scalar's text that is not empty.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The texts of a list, or of the one scalar.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        match &self.kind {
            Kind::List(items) => items.iter().filter_map(Self::text).collect(),
            _ => self.text().into_iter().collect(),
        }
    }

    /// Whether it is `true`, or a number that is not 0, as databases write it.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.truth() == Some(true)
    }

    /// `true` and `false`, also as numbers.
    #[must_use]
    pub fn truth(&self) -> Option<bool> {
        match self.text()? {
            "true" | "True" | "1" => Some(true),
            "false" | "False" | "0" => Some(false),
            _ => None,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        self.text()?
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_line_or_their_path() {
        let yaml = Value::read("a.yaml", "a:\n  - b: 1\n").unwrap();
        assert_eq!(yaml.get("a").items()[0].get("b").at, "a.yaml:2");
        let json = Value::read("a.json", r#"{"a": [{"b": 1}]}"#).unwrap();
        assert_eq!(json.get("a").items()[0].get("b").at, "a.json: a[0].b");
        assert_eq!(json.get("a").items()[0].get("b").number(), Some(1.0));
        assert!(!json.get("c").get("d").is_there());
        assert!(Value::read("a.json", "{").unwrap_err().contains("a.json:1"));
    }
}
