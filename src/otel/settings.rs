//! `otel:` of `haetae.yaml`.

use std::time::Duration;

use url::Url;

use crate::check::http::read_headers;
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::Secret;

/// The keys of `otel:`.
pub static OTEL: Spec = Spec {
    name: "otel",
    example: "otel: { endpoint: \"http://127.0.0.1:4318\" }",
    keys: &[
        Key::required(
            "endpoint",
            Shape::Text,
            "A collector that takes OTLP over HTTP; `/v1/traces` and `/v1/metrics` are added.",
        ),
        Key::new("headers", Shape::Map(&Shape::Text), "Headers to send."),
        Key::or(
            "every",
            Shape::Duration,
            "5s",
            "Runs wait at most so long for company.",
        ),
    ],
};

/// Where runs are exported to.
#[derive(Debug, Clone)]
pub struct OtelSettings {
    /// The collector, without the paths.
    pub endpoint: Secret,
    /// Sent with every request.
    pub headers: Vec<(String, Secret)>,
    /// How long runs wait for company.
    pub every: Duration,
}

/// Reads `otel:`.
pub fn read_otel(node: &Node, reader: &mut Reader<'_>) -> Option<OtelSettings> {
    let fields = Fields::open(node, &OTEL, reader)?;
    let every = match fields.get("every") {
        Some(node) => reader.positive_duration(node),
        None => Some(Duration::from_secs(5)),
    };
    let headers = read_headers(fields.get("headers"), reader)
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_string(), Secret::new(text.constant()?))))
        .collect();
    let node = fields.get("endpoint")?;
    let address = reader.text(node)?.constant().unwrap_or_default();
    let fits =
        Url::parse(&address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !fits && !address.is_empty() {
        let problem = Problem::error(&node.place, "this is not an http or https address");
        reader.report(problem.without_line());
        return None;
    }
    Some(OtelSettings {
        endpoint: Secret::new(address.trim_end_matches('/').to_owned()),
        headers,
        every: every?,
    })
}
