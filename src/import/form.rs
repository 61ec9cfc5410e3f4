//! Which program a file is from: its content says so.

use serde_json::Value as Json;

use super::value::Value;

/// A form of file that can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON of the Recorder panel in Chrome's `DevTools`.
    Recorder,
    /// A project of Selenium IDE.
    Side,
    /// An HTTP Archive.
    Har,
    /// An `OpenAPI` document.
    OpenApi,
    /// A backup of Uptime Kuma.
    Kuma,
    /// A configuration of Gatus.
    Gatus,
    /// Modules of `blackbox_exporter`.
    Blackbox,
}

/// Name → form, for `--from`, with what shows it.
pub const FORMS: &[(&str, Form, &str)] = &[
    (
        "chrome-recorder",
        Form::Recorder,
        "JSON of the Recorder panel in Chrome's DevTools (`title` and `steps`)",
    ),
    (
        "selenium-ide",
        Form::Side,
        "a project of Selenium IDE (`.side`, with `url` and `tests`)",
    ),
    ("har", Form::Har, "an HTTP Archive (`log` with `entries`)"),
    (
        "openapi",
        Form::OpenApi,
        "an OpenAPI document (`openapi` and `paths`)",
    ),
    (
        "uptime-kuma",
        Form::Kuma,
        "a backup of Uptime Kuma (`monitorList`)",
    ),
    ("gatus", Form::Gatus, "a configuration of Gatus (`endpoints`)"),
    (
        "blackbox",
        Form::Blackbox,
        "modules of blackbox_exporter (`modules`)",
    ),
];

impl Form {
    /// The form of a JSON file that is read as JSON, whatever its size.
    #[must_use]
    pub fn of_json(json: &Json) -> Option<Self> {
        let has = |key: &str| json.get(key).is_some();
        if has("title") && has("steps") {
            Some(Self::Recorder)
        } else if has("tests") && has("url") {
            Some(Self::Side)
        } else if json["log"]["entries"].is_array() {
            Some(Self::Har)
        } else {
            None
        }
    }

    /// The form of a configuration.
    #[must_use]
    pub fn of_value(root: &Value) -> Option<Self> {
        let has = |key: &str| root.get(key).is_there();
        if has("openapi") {
            Some(Self::OpenApi)
        } else if has("monitorList") {
            Some(Self::Kuma)
        } else if has("endpoints") || has("services") || has("external-endpoints") {
            Some(Self::Gatus)
        } else if !root.get("modules").entries().is_empty() {
            Some(Self::Blackbox)
        } else {
            None
        }
    }
}

/// What is said of a file that is nothing of all this.
#[must_use]
pub fn not_understood() -> String {
    let all: Vec<String> = FORMS
        .iter()
        .map(|(name, _, what)| format!("{what}: {name}"))
        .collect();
    format!("this is nothing that is understood; what is: {}", all.join(" · "))
}

/// What is said of older forms, which another program turns into newer ones.
#[must_use]
pub fn older(root: &Value) -> Option<String> {
    if root.get("swagger").is_there() {
        return Some(
            "this is Swagger 2.0; turn it into OpenAPI 3 first, for example with `npx swagger2openapi FILE`"
                .to_owned(),
        );
    }
    if root.get("scrape_configs").is_there() {
        return Some("this is Prometheus' configuration: give it with the modules, `haetae import blackbox.yml --scrape prometheus.yml`".to_owned());
    }
    None
}
