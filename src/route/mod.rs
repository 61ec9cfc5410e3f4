//! Who is told what, and when: matching, timing, what holds back.
//!
//! Invariants: a resolve goes to exactly the channels that heard of the incident; a warning
//! never reaches a channel that only critical routes name; every transition has its
//! deliveries or a recorded reason why there are none.

mod ledger;
mod matching;
mod policy;
mod storm;
mod suppress;

pub use ledger::{Ledger, Todo};
pub use matching::{Escalation, GroupBy, Route, matching_routes, routes_at_some_time};
pub use policy::{BlindGuard, Inhibit, Policy, StormLimit};
pub use storm::{Storm, Storms};
pub use suppress::{Quieted, World, ancestors, suppression};
