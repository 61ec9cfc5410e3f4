//! Who is told what, and when: matching, grouping, and the ledger of who has heard.
//!
//! Invariants: a resolve goes to exactly the channels that heard of the incident; a warning
//! never reaches a channel that only critical routes name; every transition has its
//! deliveries or a recorded reason why there are none.

mod book;
mod matching;

pub use book::{Book, Silence, Telling};
pub use matching::{GroupBy, Labels, Matcher, Route, matching_routes};
