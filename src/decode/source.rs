//! A file's text, and places in it.

use std::fmt;
use std::sync::Arc;

/// A file as it was read.
#[derive(Debug)]
pub struct Source {
    /// The path as users know it, relative to the project folder.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// A stretch of one line of a file.
#[derive(Clone)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters are meant; at least 1.
    pub width: usize,
}

impl Place {
    /// The beginning of a file.
    #[must_use]
    pub fn start_of(source: &Arc<Source>) -> Self {
        Self {
            source: Arc::clone(source),
            line: 1,
            column: 1,
            width: 1,
        }
    }

    /// The line's text.
    #[must_use]
    pub fn line_text(&self) -> &str {
        self.source.text.lines().nth(self.line - 1).unwrap_or("")
    }

    /// `checks/a.yaml:3`, for places named in messages.
    #[must_use]
    pub fn file_and_line(&self) -> String {
        format!("{}:{}", self.source.name, self.line)
    }
}

/// `checks/a.yaml:3:5`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.name, self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
