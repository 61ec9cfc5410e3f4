//! haetae watches services that other people depend on.
//!
//! The modules in reading order: the words, what decides, what acts, what people touch, and
//! the composition root. `ARCHITECTURE.md` walks through them.

// the words, and reading them
pub mod clock;
pub mod model;
pub mod decode;
pub mod config;

// when, and what was seen
pub mod schedule;
pub mod check;
pub mod browser;

// what it means, and who is told
pub mod judge;
pub mod alert;
pub mod route;
pub mod engine;

// what is kept and what is sent
pub mod store;
pub mod mailbox;
pub mod recorder;
pub mod notify;
pub mod otel;
pub mod evidence;
pub mod housekeeping;
pub mod import;

// what people and machines touch
pub mod status;
pub mod bulletin;
pub mod triggers;
pub mod report;
pub mod api;
pub mod cli;
pub mod demo;
pub mod telemetry;

// everything together
pub mod reload;
pub mod app;
