//! YAML as a person would write it: one line where it fits, quotes only where they are needed.
//!
//! Invariant: what is read back is what was given, text for text.

/// Longer lines are broken up.
pub const WIDTH: usize = 100;

/// Plain words that other readers of YAML take for something else than text.
const TYPED: &[&str] = &[
    "null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "+.inf", "-.inf", "=",
    "<<",
];

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A text, quoted where it must be.
    Text(String),
    /// A number, a duration, a word of the format: never quoted.
    Bare(String),
    /// `{ a: b }`
    Map(Vec<(String, Node)>),
    /// `[a, b]`
    List(Vec<Node>),
}

impl Node {
    /// A map with one key.
    pub fn one(key: &str, value: Self) -> Self {
        Self::Map(vec![(key.to_owned(), value)])
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// A word of the format, or a number.
    pub fn bare<T: ToString + ?Sized>(word: &T) -> Self {
        Self::Bare(word.to_string())
    }
}

/// The lines of one item of a list.
pub fn item(node: &Node, indent: usize) -> Vec<String> {
    let one_line = match node {
        Node::Map(pairs) => match pairs.as_slice() {
            [(key, value)] => format!("{}: {}", quote(key, false), inline(value)),
            _ => flow(node),
        },
        other => inline(other),
    };
    let line = format!("{}- {one_line}", " ".repeat(indent));
    match node {
        Node::Map(pairs) if line.chars().count() > WIDTH => dashed(pairs, indent),
        _ => vec![line],
    }
}

/// The lines of a map as an item of a list, a key per line.
pub fn dashed(pairs: &[(String, Node)], indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = pairs
        .iter()
        .flat_map(|(key, value)| pair(key, value, indent + 2))
        .collect();
    if let Some(first) = lines.first_mut() {
        first.replace_range(indent..=indent, "-");
    }
    lines
}

/// The lines of a key with its value.
pub fn pair(key: &str, value: &Node, indent: usize) -> Vec<String> {
    let start = format!("{}{}:", " ".repeat(indent), quote(key, false));
    let line = format!("{start} {}", inline(value));
    if line.chars().count() <= WIDTH {
        return vec![line];
    }
    let below: Vec<String> = match value {
        Node::Map(pairs) => pairs
            .iter()
            .flat_map(|(key, value)| pair(key, value, indent + 2))
            .collect(),
        Node::List(items) => items.iter().flat_map(|value| item(value, indent + 2)).collect(),
        Node::Text(_) | Node::Bare(_) => return vec![line],
    };
    std::iter::once(start).chain(below).collect()
}

/// The lines of a comment. Whatever is in it, it stays one.
pub fn comment(text: &str, indent: usize) -> Vec<String> {
    let pad = " ".repeat(indent);
    let mut lines: Vec<String> = Vec::new();
    let mut line = format!("{pad}#");
    for word in text.split_whitespace() {
        let word: String = word.chars().filter(|c| is_printable(*c)).collect();
        let begun = line.len() > pad.len() + 1;
        if begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, format!("{pad}#  ")));
        }
        line.push(' ');
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

/// A text as it may stand behind a key, or inside `{ }` and `[ ]` when `in_flow`.
pub fn quote(text: &str, in_flow: bool) -> String {
    if is_plain(text, in_flow) {
        return text.to_owned();
    }
    let awkward = text.contains(['"', '\\']);
    if awkward && !text.contains('\'') && text.chars().all(is_printable) {
        return format!("'{text}'");
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_printable(c) => quoted.push(c),
            c => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

fn inline(node: &Node) -> String {
    match node {
        Node::Text(text) => quote(text, false),
        Node::Bare(word) => word.clone(),
        Node::Map(_) | Node::List(_) => flow(node),
    }
}

fn flow(node: &Node) -> String {
    match node {
        Node::Text(text) => quote(text, true),
        Node::Bare(word) => word.clone(),
        Node::List(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Node::Map(pairs) => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{}: {}", quote(key, true), flow(value)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}

fn is_plain(text: &str, in_flow: bool) -> bool {
    let outside = text.trim() == text && !text.starts_with(is_indicator) && !text.starts_with("...");
    let inside = !text.contains(": ") && !text.ends_with(':') && !text.contains(" #");
    let fits = !in_flow || !text.contains([',', '[', ']', '{', '}']);
    !text.is_empty() && outside && inside && fits && text.chars().all(is_printable) && !looks_typed(text)
}

/// Signs with which something else than a text begins.
fn is_indicator(c: char) -> bool {
    matches!(
        c,
        '-' | '?'
            | ':'
            | ','
            | '['
            | ']'
            | '{'
            | '}'
            | '#'
            | '&'
            | '*'
            | '!'
            | '|'
            | '>'
            | '\''
            | '"'
            | '%'
            | '@'
            | '`'
    )
}

fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Numbers, moments, truth and nothing.
fn looks_typed(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if TYPED.contains(&lower.as_str()) {
        return true;
    }
    let bare = lower.strip_prefix(['+', '-']).unwrap_or(&lower);
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = bare.strip_prefix(prefix) {
            return !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix) || c == '_');
        }
    }
    bare.trim_start_matches('.')
        .starts_with(|c: char| c.is_ascii_digit())
        && bare
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | '_' | ':' | '-' | '+' | 'e' | 't' | 'z'))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decode::{Source, Tree};

    const AWKWARD: &[&str] = &[
        "",
        " a",
        "a ",
        "null",
        "~",
        "No",
        "078",
        "1.5",
        "0x1F",
        "12:30",
        "- a",
        "-",
        "? a",
        "a: b",
        "a:",
        "a #b",
        "#id",
        "{x}",
        "a, b",
        "it's",
        "@team",
        "`x`",
        "%d",
        "*",
        "&a",
        "!x",
        "|",
        ">",
        "...",
        "---",
        "=",
        "<<",
        "1e3",
        "+",
        "a}b",
        ",",
        "한국어",
        "🦁",
        "${env:A}",
    ];
    const LONGER: &[&str] = &[
        "2026-11-23",
        "[name=\"q\"]",
        "it's \"so\"",
        "back\\slash",
        "line\nbreak",
        "tab\there",
        "'quoted'",
        "\"quoted\"",
        "a\u{2028}b",
        "https://shop.example/a?b=c&d",
    ];

    #[test]
    fn quoted_texts_are_read_back_as_they_were() {
        for text in AWKWARD.iter().chain(LONGER) {
            let in_flow = quote(text, true);
            let yaml = format!(
                "a: {}\nb: {{ c: {in_flow}, d: [{in_flow}] }}\n",
                quote(text, false)
            );
            let read = Tree::read(&Arc::new(Source {
                name: "a.yaml".into(),
                text: yaml.clone(),
            }));
            assert!(read.problems.is_empty(), "{yaml}");
            let root = read.root.unwrap();
            assert_eq!(root.get("a").unwrap().scalar(), Some(*text), "{yaml}");
            let flow = root.get("b").unwrap().get("c").unwrap();
            assert_eq!(flow.scalar(), Some(*text), "{yaml}");
        }
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        for text in [
            "한국어",
            "🦁 and more",
            "a - b",
            "Log in",
            "https://shop.example/a?b=c",
        ] {
            assert_eq!(quote(text, true), text);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_broken_up_at_its_keys() {
        let words = "a word ".repeat(10);
        let long = Node::text(words.trim_end());
        let pairs = vec![("into".to_owned(), long.clone()), ("text".to_owned(), long)];
        assert_eq!(
            item(&Node::one("type", Node::Map(pairs)), 2),
            [
                "  - type:".to_owned(),
                format!("      into: {}", words.trim_end()),
                format!("      text: {}", words.trim_end()),
            ]
        );
    }
}
