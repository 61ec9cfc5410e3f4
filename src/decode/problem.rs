//! What is wrong with a configuration, told so that it can be mended.

use std::fmt;

use serde::Serialize;

use super::Place;
use crate::model::{CheckId, in_korean};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// A value that only the running environment has is missing.
    Missing,
    /// It can be used, but somebody will regret it.
    Warning,
}

/// One thing to mend.
#[derive(Debug, Clone)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where; none for what concerns the whole folder.
    pub place: Option<Place>,
    /// What is wrong: lowercase, no full stop, values in backticks.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The check it concerns, where one is known.
    pub check: Option<CheckId>,
    /// Whether the source line may be shown; not when a secret stands in it.
    pub show_line: bool,
}

impl Problem {
    /// An error at a place.
    #[must_use]
    pub fn error(place: &Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place: Some(place.clone()),
            message: message.into(),
            hint: None,
            check: None,
            show_line: true,
        }
    }

    /// An error that concerns no single place.
    #[must_use]
    pub fn general(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place: None,
            message: message.into(),
            hint: None,
            check: None,
            show_line: true,
        }
    }

    /// The same problem with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same problem with another severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same problem, without its source line.
    #[must_use]
    pub fn without_line(mut self) -> Self {
        self.show_line = false;
        self
    }

    /// The same in Korean; what is not known there stays as it is.
    pub fn tell_in_korean(&mut self) {
        if let Some(korean) = in_korean(&self.message) {
            self.message = korean;
        }
        if let Some(korean) = self.hint.as_deref().and_then(in_korean) {
            self.hint = Some(korean);
        }
    }

    /// What and what to do, without where.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} ({hint})", self.message),
            None => self.message.clone(),
        }
    }

    /// For `--json`: one flat object.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "severity": self.severity,
            "file": self.place.as_ref().map(|place| place.source.name.clone()),
            "line": self.place.as_ref().map(|place| place.line),
            "column": self.place.as_ref().map(|place| place.column),
            "message": self.message,
            "hint": self.hint,
            "check": self.check,
        })
    }
}

/// Several lines, the first as compilers write it, so that editors find the place:
///
/// ```text
/// checks/a.yaml:3:5: error: unknown key `timout`
///   3 |     timout: 10s
///     |     ^^^^^^ did you mean `timeout`?
/// ```
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Missing => "missing value",
            Severity::Warning => "warning",
        };
        let Some(place) = &self.place else {
            write!(f, "{word}: {}", self.message)?;
            return self
                .hint
                .as_ref()
                .map_or(Ok(()), |hint| write!(f, "\n    {hint}"));
        };
        write!(f, "{place}: {word}: {}", self.message)?;
        let line = place.line_text();
        if !self.show_line || line.trim().is_empty() {
            return self
                .hint
                .as_ref()
                .map_or(Ok(()), |hint| write!(f, "\n    {hint}"));
        }
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        let shown: String = line.chars().take(160).collect();
        let room = shown.chars().count().saturating_sub(place.column - 1).max(1);
        write!(f, "\n  {number} | {shown}\n  {gutter} | ")?;
        // Tabs are kept, so that the carets stand where the reader sees the text.
        for c in line.chars().take(place.column - 1) {
            f.write_str(if c == '\t' { "\t" } else { " " })?;
        }
        f.write_str(&"^".repeat(place.width.clamp(1, room)))?;
        match &self.hint {
            Some(hint) => write!(f, " {hint}"),
            None => Ok(()),
        }
    }
}
