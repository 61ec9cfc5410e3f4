//! Logs: their form, their level, and the mask over every line. Names that other tools read.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::model::SharedRedactor;

/// Phases of a request as tools for metrics and traces call them, and the measurement of
/// each.
pub const REQUEST_PHASES: [(&str, &str); 5] = [
    ("resolve", "dns_time"),
    ("connect", "connect_time"),
    ("tls", "tls_time"),
    ("processing", "first_byte_time"),
    ("transfer", "download_time"),
];

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

/// Starts logging to stderr. `filter` is a level (`info`, `debug`, `trace`) or tracing's
/// directives. Every line passes the mask before it leaves the process.
pub fn start(filter: &str, format: LogFormat, redactor: &SharedRedactor) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = MaskedStderr(redactor.clone());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => {
            let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            builder.with_ansi(colours).with_target(false).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
}

/// Writes to stderr through the mask.
#[derive(Clone)]
struct MaskedStderr(SharedRedactor);

impl<'w> MakeWriter<'w> for MaskedStderr {
    type Writer = Self;
    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// The subscriber writes a whole line at once, so that no secret is cut in two.
impl Write for MaskedStderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        io::stderr().write_all(self.0.current().clean(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
