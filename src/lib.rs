//! haetae watches services that other people depend on.
//!
//! The modules in reading order; `ARCHITECTURE.md` walks through them.

pub mod alert;
pub mod api;
pub mod app;
pub mod browser;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod decode;
pub mod demo;
pub mod housekeeping;
pub mod judge;
pub mod model;
pub mod notify;
pub mod recorder;
pub mod reload;
pub mod report;
pub mod route;
pub mod schedule;
pub mod status;
pub mod store;
pub mod telemetry;
