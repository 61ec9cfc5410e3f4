//! Patterns: sentences with holes.
//!
//! In the English `{0}` keeps what it captures, `{0:text}` translates it where the tables know
//! it, and `{0:known}` fits only what they know. In the Korean `{0}` is where it goes.

use std::sync::OnceLock;

use regex::Regex;

use super::{Row, lines};

/// Holes are `{0}` to `{9}`.
const MOST_HOLES: usize = 10;

/// One sentence in both languages.
pub struct Pattern {
    /// What it fits.
    pub english: Vec<Part>,
    /// What it is told as.
    pub korean: Vec<Part>,
    /// Compiled when a text first seems to fit.
    regex: OnceLock<Option<Regex>>,
}

/// A piece of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Literal(&'static str),
    /// Something else each time.
    Hole(usize, Inside),
}

/// What becomes of what a hole captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// It stays as it is.
    Kept,
    /// It is translated where it can be.
    Translated,
    /// Without a translation the pattern does not fit.
    Known,
}

impl Pattern {
    /// Reads a row of a table.
    pub fn new(&(english, korean): &Row) -> Self {
        Self {
            english: parts(english),
            korean: parts(korean),
            regex: OnceLock::new(),
        }
    }

    /// How many characters of it are no hole.
    pub fn weight(&self) -> usize {
        self.english
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.chars().count(),
                Part::Hole(..) => 0,
            })
            .sum()
    }

    /// The text in Korean, when the pattern fits the whole of it.
    pub fn told(&self, text: &str, depth: usize) -> Option<String> {
        if !self.may_fit(text) {
            return None;
        }
        let found = self.regex()?.captures(text)?;
        let mut values: [Option<(&str, Inside)>; MOST_HOLES] = [None; MOST_HOLES];
        for (group, (number, inside)) in self.holes().enumerate() {
            let captured = found.get(group + 1)?.as_str();
            match values[number] {
                // A hole that is there twice holds the same twice.
                Some((earlier, _)) if earlier != captured => return None,
                Some(_) => {}
                None => values[number] = Some((captured, inside)),
            }
        }
        let mut korean = String::new();
        for part in &self.korean {
            match part {
                Part::Literal(text) => korean.push_str(text),
                Part::Hole(number, _) => {
                    let (captured, inside) = values[*number]?;
                    match inside {
                        Inside::Kept => korean.push_str(captured),
                        Inside::Translated => {
                            korean.push_str(lines(captured, depth + 1).as_deref().unwrap_or(captured));
                        }
                        Inside::Known => korean.push_str(&lines(captured, depth + 1)?),
                    }
                }
            }
        }
        Some(korean)
    }

    /// A quick look that spares most patterns their regular expression.
    fn may_fit(&self, text: &str) -> bool {
        let begins = match self.english.first() {
            Some(Part::Literal(first)) => text.starts_with(*first),
            _ => true,
        };
        let ends = match self.english.last() {
            Some(Part::Literal(last)) => text.ends_with(*last),
            _ => true,
        };
        begins
            && ends
            && self.english.iter().all(|part| match part {
                Part::Literal(literal) => text.contains(*literal),
                Part::Hole(..) => true,
            })
    }

    /// Matches the whole of a text; none when it does not compile, which a test sees to.
    pub fn regex(&self) -> Option<&Regex> {
        let compiled = self.regex.get_or_init(|| {
            let mut left = self.holes().count();
            let mut written = String::from("(?s)^");
            for part in &self.english {
                match part {
                    Part::Literal(text) => written.push_str(&regex::escape(text)),
                    Part::Hole(..) => {
                        left -= 1;
                        // A value may be empty.
                        written.push_str(if left == 0 { "(.*)" } else { "(.*?)" });
                    }
                }
            }
            written.push('$');
            Regex::new(&written).ok()
        });
        compiled.as_ref()
    }

    fn holes(&self) -> impl Iterator<Item = (usize, Inside)> {
        self.english.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Hole(number, inside) => Some((*number, *inside)),
        })
    }
}

/// Cuts a sentence at its holes; a brace that is no hole is a brace.
fn parts(text: &'static str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut literal = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find('{') {
        let open = at + found;
        let Some((part, length)) = hole(&text[open..]) else {
            at = open + 1;
            continue;
        };
        if literal < open {
            parts.push(Part::Literal(&text[literal..open]));
        }
        parts.push(part);
        at = open + length;
        literal = at;
    }
    if literal < text.len() {
        parts.push(Part::Literal(&text[literal..]));
    }
    parts
}

/// The hole that a text begins with, and how long it is.
fn hole(text: &str) -> Option<(Part, usize)> {
    let (inner, _) = text.strip_prefix('{')?.split_once('}')?;
    let (number, inside) = match inner.split_once(':') {
        None => (inner, Inside::Kept),
        Some((number, "text")) => (number, Inside::Translated),
        Some((number, "known")) => (number, Inside::Known),
        Some(_) => return None,
    };
    let is_digit = number.len() == 1;
    let number: usize = number.parse().ok().filter(|_| is_digit)?;
    Some((Part::Hole(number, inside), inner.len() + 2))
}
