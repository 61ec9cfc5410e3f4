//! What an answer gave and a later request used: a token, an order's number.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::har_request::Recorded;
use super::sheet::{Pairs, literal, pair_of};
use super::yaml::Node;

/// A value shorter than this is found everywhere by chance.
const SHORTEST_CAPTURE: usize = 8;

/// Values of answers that later requests use: request → name → path.
#[derive(Debug, Default)]
pub struct Found {
    captures: BTreeMap<usize, BTreeMap<String, String>>,
    /// Value → name, for those that are captured already.
    named: BTreeMap<String, String>,
}

impl Found {
    /// `measure:` of a request.
    pub fn captures(&self, number: usize) -> Pairs {
        let captures = self.captures.get(&number).into_iter().flatten();
        captures
            .map(|(name, path)| pair_of(name, Node::one("json", literal(path))))
            .collect()
    }

    /// `${token}`, when an earlier answer held this value.
    pub fn captured(&mut self, value: &str, earlier: &[Recorded<'_>]) -> Option<String> {
        if value.len() < SHORTEST_CAPTURE {
            return None;
        }
        if let Some(name) = self.named.get(value) {
            return Some(format!("${{{name}}}"));
        }
        let (number, path) = earlier.iter().rev().find_map(|earlier| {
            let json = earlier.json()?;
            Some((earlier.number, path_to(&json, value, "$".to_owned())?))
        })?;
        let taken: BTreeSet<&String> = self.named.values().collect();
        let wanted = name_of(&path);
        let name = std::iter::once(wanted.clone())
            .chain((2..1_000).map(|n| format!("{wanted}_{n}")))
            .find(|name| !taken.contains(name))?;
        self.named.insert(value.to_owned(), name.clone());
        self.captures
            .entry(number)
            .or_default()
            .insert(name.clone(), path);
        Some(format!("${{{name}}}"))
    }
}

/// Where a text stands in JSON.
fn path_to(json: &Json, value: &str, at: String) -> Option<String> {
    match json {
        Json::String(text) if text == value => Some(at),
        Json::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(n, item)| path_to(item, value, format!("{at}[{n}]"))),
        Json::Object(map) => map.iter().find_map(|(key, item)| {
            let plain = key
                .chars()
                .enumerate()
                .all(|(n, c)| c == '_' || c.is_ascii_alphabetic() || (n > 0 && c.is_ascii_digit()));
            if key.contains(|c: char| matches!(c, '\'' | '\\') || c.is_control()) {
                return None;
            }
            path_to(
                item,
                value,
                if plain {
                    format!("{at}.{key}")
                } else {
                    format!("{at}['{key}']")
                },
            )
        }),
        _ => None,
    }
}

/// The last name of a path: `$.data.access_token` is `access_token`.
fn name_of(path: &str) -> String {
    let last = path
        .rsplit(['.', '\''])
        .find(|part| part.chars().any(char::is_alphabetic))
        .unwrap_or("value");
    let name: String = last
        .chars()
        .take_while(|c| *c != '[')
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    let name = name.trim_matches('_');
    if name.is_empty()
        || matches!(
            name,
            "env" | "file" | "vars" | "run" | "now" | "random" | "totp" | "matrix"
        )
    {
        return "value".to_owned();
    }
    name.to_owned()
}
