//! Text with values in it: `Bearer ${env:TOKEN}`, `${now+1d:%Y-%m-%d}`, `${order}`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Secret, Timestamp};

/// A piece of a text.
#[derive(Debug, Clone)]
pub enum Part {
    /// As it is.
    Literal(String),
    /// From the environment or a file; never shown.
    Secret(Secret),
    /// `${run.id}`.
    RunId,
    /// `${now}` with an offset and a `strftime` format; RFC 3339 without one.
    Now {
        /// Added to the start of the run, in milliseconds; may be negative.
        offset_ms: i64,
        /// How to write it.
        format: Option<String>,
    },
    /// `${random:N}`: N characters of a–z and 0–9, new in every run.
    Random(usize),
    /// A value captured earlier in the same scenario.
    Captured(String),
    /// `${totp:env:NAME}`: the one-time code of this moment.
    OneTimeCode(Secret),
}

/// A text whose values from `vars`, the environment and files are filled in, and whose
/// values of the run are still open.
#[derive(Clone)]
pub struct Text {
    written: String,
    parts: Vec<Part>,
}

/// What a run fills in.
pub struct RunScope<'a> {
    /// The run's id.
    pub run_id: &'a str,
    /// When the run started.
    pub now: Timestamp,
    /// Captured so far.
    pub captured: &'a BTreeMap<String, String>,
    /// Turns a length into that many random characters.
    pub random: fn(usize) -> String,
    /// Turns an authenticator's secret into the code of this moment.
    pub one_time_code: fn(&Secret) -> String,
}

/// A value that no earlier step captured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`${{{0}}}` has no value yet: no earlier step remembered it")]
pub struct Unfilled(pub String);

impl Text {
    /// A text of these parts, with the text as it was written for display.
    #[must_use]
    pub fn new(written: impl Into<String>, parts: Vec<Part>) -> Self {
        Self {
            written: written.into(),
            parts,
        }
    }

    /// A text without values in it.
    #[must_use]
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(text.clone(), vec![Part::Literal(text)])
    }

    /// As the user wrote it, `${…}` unfilled: safe to show.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// Its pieces, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether a secret stands in it.
    #[must_use]
    pub fn holds_secret(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Secret(_) | Part::OneTimeCode(_)))
    }

    /// Whether a one-time code stands in it, which holds for seconds only.
    #[must_use]
    pub fn holds_one_time_code(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::OneTimeCode(_)))
    }

    /// The text when nothing of it depends on the run.
    #[must_use]
    pub fn constant(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Some(text.as_str()),
                Part::Secret(secret) => Some(secret.reveal()),
                _ => None,
            })
            .collect()
    }

    /// Fills in the run's values.
    ///
    /// # Errors
    /// When a value was captured by no earlier step.
    pub fn fill(&self, scope: &RunScope<'_>) -> Result<String, Unfilled> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Ok(text.clone()),
                Part::Secret(secret) => Ok(secret.reveal().to_owned()),
                Part::RunId => Ok(scope.run_id.to_owned()),
                Part::Now { offset_ms, format } => Ok(write_moment(scope.now, *offset_ms, format.as_deref())),
                Part::Random(length) => Ok((scope.random)(*length)),
                Part::OneTimeCode(secret) => Ok((scope.one_time_code)(secret)),
                Part::Captured(name) => scope
                    .captured
                    .get(name)
                    .cloned()
                    .ok_or_else(|| Unfilled(name.clone())),
            })
            .collect()
    }
}

fn write_moment(now: Timestamp, offset_ms: i64, format: Option<&str>) -> String {
    let offset = Duration::from_millis(offset_ms.unsigned_abs());
    let moment = if offset_ms < 0 { now - offset } else { now + offset };
    match format {
        None => moment.to_string(),
        Some(format) => moment
            .to_jiff()
            .to_zoned(TimeZone::UTC)
            .strftime(format)
            .to_string(),
    }
}

/// Shows the text as written, so that `{:?}` of a whole check holds no secret.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.written)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}
