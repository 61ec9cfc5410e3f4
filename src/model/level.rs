//! The four levels, ordered from good to bad.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a check's state means to people.
///
/// The order is the one in which they count when several apply:
/// critical, unknown, warning, ok.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All is well.
    #[default]
    Ok,
    /// Look at it in office hours.
    Warning,
    /// Could not measure: the fault is on our side, nothing is known of the target.
    Unknown,
    /// Users are hurt now.
    Critical,
}

impl Level {
    /// Every level, from good to bad.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Unknown, Self::Critical];

    /// The word used in YAML, API and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Critical => "critical",
        }
    }

    /// Reads the word written by [`Level::as_str`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
