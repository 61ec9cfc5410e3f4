//! haetae watches services that other people depend on.
//!
//! The modules in reading order; `ARCHITECTURE.md` walks through them.

pub mod clock;
pub mod decode;
pub mod model;
pub mod alert;
pub mod judge;
pub mod route;
pub mod browser;
pub mod check;
pub mod demo;
pub mod notify;
pub mod store;
pub mod config;
pub mod schedule;
pub mod api;
pub mod app;
pub mod housekeeping;
pub mod recorder;
pub mod reload;
pub mod status;
pub mod telemetry;
pub mod cli;
pub mod report;
