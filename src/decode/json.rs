//! YAML values as JSON, with `${…}` in their texts.

use serde_json::Value as Json;

use super::{Node, Reader, Value};
use crate::model::{RunScope, Text, Unfilled};

/// A JSON value whose texts are filled in at the run.
#[derive(Debug, Clone)]
pub enum JsonText {
    /// Null, a boolean or a number.
    Fixed(Json),
    /// A text.
    Text(Text),
    /// An array.
    List(Vec<JsonText>),
    /// An object, in the order written.
    Map(Vec<(String, JsonText)>),
}

impl JsonText {
    /// Reads a node. A plain `true`, `null` or number (in JSON's own spelling) is no text.
    pub fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, plain: true } if text.is_empty() || text == "~" => {
                Some(Self::Fixed(Json::Null))
            }
            Value::Scalar { text, plain: true } => match serde_json::from_str::<Json>(text) {
                Ok(fixed @ (Json::Null | Json::Bool(_) | Json::Number(_))) => Some(Self::Fixed(fixed)),
                _ => reader.text(node).map(Self::Text),
            },
            Value::Scalar { text, .. } => reader.fill_in(text, &node.place).map(Self::Text),
            Value::List(items) => items
                .iter()
                .map(|item| Self::read(item, reader))
                .collect::<Option<_>>()
                .map(Self::List),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| Some((entry.key.clone(), Self::read(&entry.node, reader)?)))
                .collect::<Option<_>>()
                .map(Self::Map),
        }
    }

    /// The value with its texts filled in.
    ///
    /// # Errors
    /// When a text uses a value that no earlier step captured.
    pub fn fill(&self, scope: &RunScope<'_>) -> Result<Json, Unfilled> {
        Ok(match self {
            Self::Fixed(json) => json.clone(),
            Self::Text(text) => Json::String(text.fill(scope)?),
            Self::List(items) => items
                .iter()
                .map(|item| item.fill(scope))
                .collect::<Result<_, _>>()?,
            Self::Map(entries) => entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), value.fill(scope)?)))
                .collect::<Result<serde_json::Map<_, _>, Unfilled>>()?
                .into(),
        })
    }
}
