//! What an outcome means under its check's thresholds.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Bound, Level, Quantity, Relative};

/// Why a run has its level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The target did not answer.
    NoAnswer(String),
    /// We could not ask.
    NotMeasured(String),
    /// An expectation did not hold.
    Broken {
        /// In one line.
        what: String,
        /// More for whoever mends it; may be empty.
        detail: String,
    },
    /// A measurement violates its bound.
    Violated {
        /// The measurement's name.
        measurement: String,
        /// What was measured.
        value: Quantity,
        /// What it must not be.
        bound: Bound,
    },
    /// A measurement is not what it was, or usually is.
    Unusual {
        /// The measurement's name.
        measurement: String,
        /// What was measured.
        value: Quantity,
        /// How it must not differ.
        bound: Relative,
        /// What it was, or usually is.
        then: Quantity,
    },
    /// A threshold needs a measurement that the answer did not have.
    Missing {
        /// The measurement's name.
        measurement: String,
        /// Why it is missing, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The level changes all the time.
    Flapping {
        /// The weighted share of changes among the last 21 runs, in percent.
        share: f64,
    },
}

/// One line for people.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(what) => f.write_str(what),
            Self::NotMeasured(why) => write!(f, "could not measure: {why}"),
            Self::Broken { what, .. } => f.write_str(what),
            Self::Violated {
                measurement,
                value,
                bound,
            } => write!(f, "{measurement} is {value}, {bound}"),
            Self::Unusual {
                measurement,
                value,
                bound,
                then,
            } => write!(f, "{measurement} is {value}, {bound} ({})", bound.told(*then)),
            Self::Missing {
                measurement,
                why: None,
            } => {
                write!(f, "could not measure: the answer has no {measurement}")
            }
            Self::Missing { why: Some(why), .. } => write!(f, "could not measure: {why}"),
            Self::Flapping { share } => {
                write!(f, "flapping: {share:.0}% of its last 21 runs changed level")
            }
        }
    }
}

/// A level with its reasons, the worst first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// The worst of the reasons' levels; ok without any.
    pub level: Level,
    /// Each reason with the level it gives.
    pub reasons: Vec<(Level, Reason)>,
}

impl Verdict {
    /// The worst reason in one line; `ok` without any.
    #[must_use]
    pub fn headline(&self) -> String {
        self.reasons
            .first()
            .map_or_else(|| "ok".to_owned(), |(_, reason)| reason.to_string())
    }
}
