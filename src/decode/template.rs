//! `${…}` in texts: parsing, and filling in what is known at load.

use std::collections::BTreeMap;

use super::spec::nearest;
use super::{Node, Place, Problem, Reader, Severity};
use crate::model::{Part, Secret, Text, one_time_code, parse_duration};

/// The variables a text may use, nearest first: the check's, the file's, the settings'.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    vars: BTreeMap<String, Text>,
    params: BTreeMap<String, Text>,
}

impl Scope {
    /// Adds or replaces a variable.
    pub fn set(&mut self, name: impl Into<String>, value: Text) {
        self.vars.insert(name.into(), value);
    }

    /// The parameters of the flow that is read, in place of those of the one around it.
    pub fn swap_params(&mut self, params: BTreeMap<String, Text>) -> BTreeMap<String, Text> {
        std::mem::replace(&mut self.params, params)
    }

    fn get(&self, name: &str) -> Option<&Text> {
        self.vars.get(name)
    }
}

/// `${random:N}` gives at most this many characters.
const LONGEST_RANDOM: usize = 64;

impl Reader<'_> {
    /// A text with `${…}` values in it.
    pub fn text(&mut self, node: &Node) -> Option<Text> {
        let written = self.plain(node)?;
        self.fill_in(&written, &node.place)
    }

    /// Parses `written` and fills in variables, environment and files. Every value that is
    /// missing is a problem of its own.
    pub fn fill_in(&mut self, written: &str, place: &Place) -> Option<Text> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut sound = true;
        let mut rest = written;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                literal.push_str(&rest[..at - 1]);
                literal.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            literal.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                self.report(
                    Problem::error(place, "`${` is opened and never closed")
                        .hint("write `$${` for a literal `${`"),
                );
                return None;
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            match self.value(&rest[at + 2..at + end], place) {
                Some(values) => parts.extend(values),
                None => sound = false,
            }
            rest = &rest[at + end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(literal));
        }
        let text = sound.then(|| Text::new(written, parts));
        if let (Some(trail), Some(text)) = (&mut self.trail, &text) {
            trail.push(text.clone());
        }
        text
    }

    fn value(&mut self, inside: &str, place: &Place) -> Option<Vec<Part>> {
        let (kind, name) = inside.split_once(':').unwrap_or((inside, ""));
        if kind == "env" || kind == "file" {
            return self.secret(kind, name, place).map(|part| vec![part]);
        }
        if let Some(name) = inside.strip_prefix("vars.") {
            return self.variable(name, place);
        }
        if inside == "run.id" {
            return Some(vec![Part::RunId]);
        }
        if inside == "now"
            || inside.starts_with("now+")
            || inside.starts_with("now-")
            || inside.starts_with("now:")
        {
            return self.moment(inside, place).map(|part| vec![part]);
        }
        if kind == "random" {
            return self.random(name, place).map(|part| vec![part]);
        }
        if let Some(name) = inside.strip_prefix("params.") {
            return self.parameter(name, place);
        }
        if kind == "totp" {
            return self.one_time_code(name, place).map(|part| vec![part]);
        }
        if self.captures.contains(inside) {
            return Some(vec![Part::Captured(inside.to_owned())]);
        }
        let looks_like_env = !inside.is_empty()
            && inside
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if looks_like_env {
            self.report(
                Problem::error(place, format!("nothing is known by the name `${{{inside}}}`"))
                    .hint(format!("did you mean `${{env:{inside}}}`?")),
            );
            return None;
        }
        let hint = nearest(inside, self.captures.iter().map(String::as_str)).map_or_else(
            || "use ${env:NAME}, ${file:PATH}, ${vars.name}, ${params.name} in a flow, ${run.id}, ${now}, ${random:8}, ${totp:env:NAME}, or a name that an earlier step remembers".to_owned(),
            |near| format!("did you mean `${{{near}}}`?"),
        );
        self.report(
            Problem::error(place, format!("nothing is known by the name `${{{inside}}}`")).hint(hint),
        );
        None
    }

    fn secret(&mut self, kind: &str, name: &str, place: &Place) -> Option<Part> {
        if name.is_empty() {
            self.report(Problem::error(
                place,
                format!("`${{{kind}:}}` needs a name behind the colon"),
            ));
            return None;
        }
        if !self.asks_secrets() {
            return Some(Part::Secret(Secret::new(String::new())));
        }
        let found = if kind == "env" {
            self.lookup().env(name).ok_or_else(|| {
                (
                    format!("the environment variable `{name}` is not set"),
                    format!("set {name} where haetae is started"),
                )
            })
        } else {
            self.lookup().file(name).map_err(|why| {
                (
                    format!("the file `{name}` cannot be read: {why}"),
                    "a relative path is looked up from the project folder".to_owned(),
                )
            })
        };
        match found {
            Ok(value) if value.is_empty() => {
                self.report(
                    Problem::error(place, format!("`${{{kind}:{name}}}` is empty"))
                        .severity(Severity::Missing),
                );
                None
            }
            Ok(value) => Some(Part::Secret(self.keep_secret(name, value, place))),
            Err((message, hint)) => {
                self.report(
                    Problem::error(place, message)
                        .hint(hint)
                        .severity(Severity::Missing),
                );
                None
            }
        }
    }

    fn variable(&mut self, name: &str, place: &Place) -> Option<Vec<Part>> {
        if let Some(text) = self.scope.get(name) {
            return Some(text.parts().to_vec());
        }
        let near = nearest(name, self.scope.vars.keys().map(String::as_str)).map_or_else(
            || format!("add it under `vars:`, or give it with --var {name}=…"),
            |near| format!("did you mean `${{vars.{near}}}`?"),
        );
        self.report(
            Problem::error(place, format!("there is no variable `{name}`"))
                .hint(near)
                .severity(Severity::Missing),
        );
        None
    }

    fn parameter(&mut self, name: &str, place: &Place) -> Option<Vec<Part>> {
        if let Some(text) = self.scope.params.get(name) {
            return Some(text.parts().to_vec());
        }
        let near = nearest(name, self.scope.params.keys().map(String::as_str)).map_or_else(
            || "name it under `params:` of the flow's file".to_owned(),
            |near| format!("did you mean `${{params.{near}}}`?"),
        );
        self.report(Problem::error(place, format!("this flow has no parameter `{name}`")).hint(near));
        None
    }

    /// `${totp:env:NAME}`, `${totp:file:PATH}`
    fn one_time_code(&mut self, from: &str, place: &Place) -> Option<Part> {
        let (kind, name) = from.split_once(':').unwrap_or((from, ""));
        if !matches!(kind, "env" | "file") {
            self.report(
                Problem::error(
                    place,
                    "`${totp:…}` needs to say where the authenticator's secret is",
                )
                .hint("write `${totp:env:NAME}` or `${totp:file:PATH}`"),
            );
            return None;
        }
        let Part::Secret(secret) = self.secret(kind, name, place)? else {
            return None;
        };
        if self.asks_secrets()
            && let Err(why) = one_time_code(secret.reveal(), 0)
        {
            self.report(
                Problem::error(place, format!("`{name}` is no authenticator's secret: {why}"))
                    .hint("take the text that the service shows beside the QR code"),
            );
            return None;
        }
        Some(Part::OneTimeCode(secret))
    }

    fn moment(&mut self, inside: &str, place: &Place) -> Option<Part> {
        let (span, format) = match inside.split_once(':') {
            Some((span, format)) => (span, Some(format.to_owned())),
            None => (inside, None),
        };
        let offset_ms = match span.strip_prefix("now").unwrap_or_default() {
            "" => Some(0),
            signed => parse_duration(&signed[1..])
                .ok()
                .and_then(|offset| i64::try_from(offset.as_millis()).ok())
                .map(|ms| if signed.starts_with('-') { -ms } else { ms }),
        };
        let Some(offset_ms) = offset_ms else {
            self.report(Problem::error(
                place,
                format!("`${{{inside}}}` is not a moment: write for example `${{now+1d:%Y-%m-%d}}`"),
            ));
            return None;
        };
        Some(Part::Now { offset_ms, format })
    }

    fn random(&mut self, length: &str, place: &Place) -> Option<Part> {
        match length.parse() {
            Ok(length) if (1..=LONGEST_RANDOM).contains(&length) => Some(Part::Random(length)),
            _ => {
                self.report(Problem::error(
                    place,
                    format!("`${{random:{length}}}` needs a length from 1 to {LONGEST_RANDOM}"),
                ));
                None
            }
        }
    }
}
