//! When a level is believed: the state of one check, stepped by one verdict at a time.
//!
//! Invariants: a worsening stays in the same incident; could-not-measure neither confirms nor
//! resets another level; no resolve comes without an opening.

mod batch;
mod flapping;
mod state;

pub use batch::{Batch, Change, Gather, StormOver};
pub use state::{CheckState, Open, Phase, close, step};
