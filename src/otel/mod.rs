//! Runs as traces and measurements as metrics, to a collector over OTLP/HTTP with JSON.
//!
//! Invariant: a collector that is slow or gone delays nothing; what it does not take in time
//! is dropped and counted.

mod exporter;
mod mapping;
mod settings;

pub use exporter::Exporter;
pub use settings::{OTEL, OtelSettings, read_otel};
