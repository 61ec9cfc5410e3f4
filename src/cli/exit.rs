//! How the program ends.

use std::process::ExitCode;

use crate::model::Level;

/// Exit codes, fixed for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Nothing at or above `--fail-on`.
    Fine,
    /// The worst was a warning, and `--fail-on warning` was given.
    Warning,
    /// Critical.
    Critical,
    /// Could not be measured.
    Unknown,
    /// Wrong usage; a selector that matches nothing too.
    Usage,
    /// Internal error.
    Internal,
    /// The configuration has errors.
    Configuration,
    /// Ended by SIGINT.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl Exit {
    /// The number (sysexits.h for 64, 70, 78).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
            Self::Usage => 64,
            Self::Internal => 70,
            Self::Configuration => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the worst level means under `--fail-on`.
    #[must_use]
    pub fn of_worst(worst: Level, fail_on: Level) -> Self {
        match worst {
            Level::Critical => Self::Critical,
            Level::Unknown => Self::Unknown,
            Level::Warning if fail_on == Level::Warning => Self::Warning,
            Level::Warning | Level::Ok => Self::Fine,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
