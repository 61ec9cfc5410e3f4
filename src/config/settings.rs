//! `haetae.yaml`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::check_keys::SET_THRESHOLD;
use super::guards::{BLIND_GUARD, read_blind_guard};
use super::merge::flatten;
use super::thresholds::ThresholdSets;
use crate::browser::{BrowserSettings, DriverCommand};
use crate::check::net::targets::{Network, TargetPolicy};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{Language, Text};
use crate::notify::{WATCHDOG, Watchdog, read_watchdog};
use crate::otel::{OTEL, OtelSettings, read_otel};
use crate::route::BlindGuard;

/// The keys of `haetae.yaml`.
pub static SETTINGS: Spec = Spec {
    name: "haetae.yaml",
    example: "defaults: { timeout: 10s }",
    keys: &[
        Key::new("store", Shape::Object(&STORE), "Where everything is kept."),
        Key::or(
            "listen",
            Shape::Plain,
            "127.0.0.1:8600",
            "Where API and pages are served.",
        ),
        Key::new(
            "public_url",
            Shape::Plain,
            "How others reach the pages, for links in messages.",
        ),
        Key::or("language", Shape::Choice(&["en", "ko"]), "en", "Of messages."),
        Key::new("defaults", Shape::Any, "For every check, as in a check."),
        Key::new(
            "vars",
            Shape::Map(&Shape::Text),
            "Values for `${vars.name}` in every check.",
        ),
        Key::new("webdriver", Shape::Object(&WEBDRIVER), "How browsers are driven."),
        Key::new(
            "browsers",
            Shape::Object(&BROWSERS),
            "How many browsers, and what is kept of them.",
        ),
        Key::or(
            "step_timeout",
            Shape::Duration,
            "10s",
            "How long a step may take when it does not say so itself.",
        ),
        Key::new(
            "targets",
            Shape::Object(&TARGETS),
            "Which addresses may be checked.",
        ),
        Key::new("retention", Shape::Object(&RETENTION), "How long what is kept."),
        Key::new(
            "secrets",
            Shape::Object(&SECRETS),
            "How strictly secrets are kept out of files.",
        ),
        Key::new(
            "watchdog",
            Shape::Object(&WATCHDOG),
            "A heartbeat to the outside: when it stops, haetae is not watching.",
        ),
        Key::new(
            "blind_guard",
            Shape::Object(&BLIND_GUARD),
            "When our own network failed: one message about us, none about targets.",
        ),
        Key::new(
            "thresholds",
            Shape::Map(&Shape::Map(&Shape::Object(&SET_THRESHOLD))),
            "Named sets of thresholds, for `use:` in checks.",
        ),
        Key::planned("cluster"),
        Key::new(
            "otel",
            Shape::Object(&OTEL),
            "A collector of OpenTelemetry that takes runs as traces and measurements as metrics.",
        ),
    ],
};

static STORE: Spec = Spec {
    name: "store",
    example: "store: { url: \"sqlite://data/haetae.db\" }",
    keys: &[Key::or(
        "url",
        Shape::Plain,
        "sqlite://data/haetae.db",
        "A SQLite file; a relative path is looked up from the project folder.",
    )],
};

static WEBDRIVER: Spec = Spec {
    name: "webdriver",
    example: "webdriver: { command: chromedriver }",
    keys: &[
        Key::or(
            "command",
            Shape::Plain,
            "chromedriver",
            "Started and watched over by haetae.",
        ),
        Key::new(
            "url",
            Shape::Plain,
            "A WebDriver that somebody else runs: `http://grid:4444`.",
        ),
        Key::or(
            "browser",
            Shape::Choice(&["chrome", "firefox"]),
            "chrome",
            "Which browser is asked for at `url`.",
        ),
        Key::or(
            "test_id",
            Shape::Plain,
            "data-testid",
            "The attribute that `test_id` looks at.",
        ),
    ],
};

static BROWSERS: Spec = Spec {
    name: "browsers",
    example: "browsers: { at_once: 2 }",
    keys: &[
        Key::or(
            "at_once",
            Shape::Integer(1, 64),
            "2",
            "How many scenarios run at once.",
        ),
        Key::or(
            "keep_evidence",
            Shape::Duration,
            "14d",
            "How long screenshots and page sources are kept.",
        ),
        Key::or(
            "memory",
            Shape::Size,
            "700MiB",
            "What one page may use; a page that takes more is ended, alone.",
        ),
        Key::or(
            "evidence_limit",
            Shape::Size,
            "2GiB",
            "What screenshots and page sources may take on disk; the oldest go first.",
        ),
        Key::new(
            "program",
            Shape::Plain,
            "The browser to start; without it `chromium-headless-shell`, else `chromium`.",
        ),
        Key::or(
            "isolation",
            Shape::Choice(&["context", "browser"]),
            "context",
            "`browser` starts a whole browser for every run.",
        ),
    ],
};

static TARGETS: Spec = Spec {
    name: "targets",
    example: "targets: { deny: [169.254.0.0/16, \"fe80::/10\"] }",
    keys: &[
        Key::or(
            "deny",
            Shape::List(&Shape::Plain),
            "169.254.0.0/16, fe80::/10",
            "Networks that are never asked.",
        ),
        Key::new(
            "allow",
            Shape::List(&Shape::Plain),
            "Exceptions from `deny` and `strict`.",
        ),
        Key::or(
            "strict",
            Shape::Boolean,
            "false",
            "Deny loopback and private networks too.",
        ),
    ],
};

static RETENTION: Spec = Spec {
    name: "retention",
    example: "retention: { results: 30d, incidents: 730d }",
    keys: &[
        Key::or("results", Shape::Duration, "30d", "Runs."),
        Key::or("incidents", Shape::Duration, "730d", "Incidents and messages."),
        Key::planned("minutes"),
        Key::planned("hours"),
        Key::or("audit", Shape::Duration, "365d", "Who changed what."),
    ],
};

static SECRETS: Spec = Spec {
    name: "secrets",
    example: "secrets: { deny_literals: true }",
    keys: &[Key::or(
        "deny_literals",
        Shape::Boolean,
        "true",
        "Refuse passwords, tokens and webhooks that stand in a file.",
    )],
};

/// How long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Runs.
    pub results: Duration,
    /// Incidents and messages.
    pub incidents: Duration,
    /// Who changed what.
    pub audit: Duration,
    /// Screenshots and page sources.
    pub evidence: Duration,
    /// What evidence may take on disk, in bytes.
    pub evidence_bytes: u64,
}

/// What `haetae.yaml` says, or what holds without it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The store's URL.
    pub store_url: String,
    /// Where API and pages are served.
    pub listen: SocketAddr,
    /// How others reach the pages, without a slash at the end.
    pub public_url: Option<String>,
    /// Drivers and browsers.
    pub browsers: BrowserSettings,
    /// Which addresses may be asked.
    pub targets: Arc<TargetPolicy>,
    /// How long what is kept.
    pub retention: Retention,
    /// Whether literal secrets are refused.
    pub deny_literal_secrets: bool,
    /// For `${vars.name}`.
    pub vars: Vec<(String, Text)>,
    /// The language of messages.
    pub language: Language,
    /// Where heartbeats go.
    pub watchdog: Option<Watchdog>,
    /// Where runs are exported to.
    pub otel: Option<OtelSettings>,
    /// When haetae doubts its own eyes.
    pub blind_guard: Option<BlindGuard>,
    /// Named sets of thresholds.
    pub(super) threshold_sets: ThresholdSets,
    /// Where the controls are named.
    pub(super) controls: Vec<Node>,
    /// Where what was written stands: key down to the value, `haetae.yaml:3`.
    origins: Vec<(String, String)>,
}

impl Settings {
    /// Where a value is written, or `built in`.
    #[must_use]
    pub fn origin(&self, key: &str) -> String {
        let written = self.origins.iter().find(|(known, _)| known == key);
        written.map_or_else(|| "built in".to_owned(), |(_, place)| place.clone())
    }
}

const DAY: Duration = Duration::from_hours(24);

impl Default for Settings {
    fn default() -> Self {
        Self {
            store_url: "sqlite://data/haetae.db".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8600)),
            public_url: None,
            browsers: BrowserSettings::default(),
            targets: Arc::new(TargetPolicy::new(usual_denials(), Vec::new(), false)),
            retention: Retention {
                results: DAY * 30,
                incidents: DAY * 730,
                audit: DAY * 365,
                evidence: DAY * 14,
                evidence_bytes: 2 << 30,
            },
            deny_literal_secrets: true,
            vars: Vec::new(),
            language: Language::En,
            watchdog: None,
            otel: None,
            blind_guard: None,
            threshold_sets: ThresholdSets::default(),
            controls: Vec::new(),
            origins: Vec::new(),
        }
    }
}

/// Link-local networks: cloud metadata lives there.
fn usual_denials() -> Vec<Network> {
    ["169.254.0.0/16", "fe80::/10"]
        .iter()
        .filter_map(|network| network.parse().ok())
        .collect()
}

/// Reads the file, and hands out its `defaults:` for the checks.
pub fn read(root: &Node, reader: &mut Reader<'_>) -> (Settings, Option<Node>) {
    let mut settings = Settings {
        origins: flatten(root)
            .into_iter()
            .map(|row| (row.key, row.origin))
            .collect(),
        ..Settings::default()
    };
    let Some(fields) = Fields::open(root, &SETTINGS, reader) else {
        return (settings, None);
    };
    if let Some(url) =
        child(&fields, "store", &STORE, "url", reader).and_then(|node| read_store(node, reader))
    {
        settings.store_url = url;
    }
    if let Some(listen) = fields.get("listen").and_then(|node| read_listen(node, reader)) {
        settings.listen = listen;
    }
    settings.public_url = fields
        .get("public_url")
        .and_then(|node| read_public_url(node, reader));
    if let Some(node) = fields.get("language") {
        let languages = [("en", Language::En), ("ko", Language::Ko)];
        settings.language = reader.choice(node, &languages).unwrap_or_default();
    }
    if let Some(node) = fields.get("secrets")
        && let Some(secrets) = Fields::open(node, &SECRETS, reader)
        && let Some(deny) = secrets.get("deny_literals").and_then(|node| reader.boolean(node))
    {
        settings.deny_literal_secrets = deny;
    }
    if let Some(node) = fields.get("vars") {
        settings.vars = read_vars(node, reader);
    }
    settings.watchdog = fields
        .get("watchdog")
        .and_then(|node| read_watchdog(node, reader));
    settings.otel = fields.get("otel").and_then(|node| read_otel(node, reader));
    if let Some(node) = fields.get("blind_guard") {
        (settings.blind_guard, settings.controls) = read_blind_guard(node, reader);
    }
    if let Some(node) = fields.get("thresholds") {
        settings.threshold_sets = ThresholdSets::read(node, reader);
    }
    settings.browsers = read_browsers(&fields, &mut settings.retention, reader);
    if let Some(targets) = fields.get("targets").and_then(|node| read_targets(node, reader)) {
        settings.targets = Arc::new(targets);
    }
    if let Some(node) = fields.get("retention")
        && let Some(retention) = Fields::open(node, &RETENTION, reader)
    {
        let mut span = |key: &str| retention.get(key).and_then(|node| reader.positive_duration(node));
        settings.retention.results = span("results").unwrap_or(settings.retention.results);
        settings.retention.incidents = span("incidents").unwrap_or(settings.retention.incidents);
        settings.retention.audit = span("audit").unwrap_or(settings.retention.audit);
    }
    (settings, fields.get("defaults").cloned())
}

/// `vars:` as texts; what they use must be known before them.
pub fn read_vars(node: &Node, reader: &mut Reader<'_>) -> Vec<(String, Text)> {
    let mut vars = Vec::new();
    for entry in reader.entries(node) {
        vars.extend(reader.text(&entry.node).map(|text| (entry.key.clone(), text)));
    }
    vars
}

fn child<'n>(
    fields: &Fields<'n>,
    outer: &str,
    spec: &'static Spec,
    inner: &str,
    reader: &mut Reader<'_>,
) -> Option<&'n Node> {
    Fields::open(fields.get(outer)?, spec, reader)?.get(inner)
}

fn read_store(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let url = reader.plain(node)?;
    if url.starts_with("sqlite://") && url.len() > "sqlite://".len() {
        return Some(url);
    }
    let problem = Problem::error(&node.place, "this is not a store that this version can use");
    reader.report(problem.hint("write `sqlite://PATH`").without_line());
    None
}

fn read_listen(node: &Node, reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let text = reader.plain(node)?;
    if let Ok(address) = text.parse() {
        Some(address)
    } else {
        reader.error(
            node,
            format!("`{text}` is not an address with a port: write for example `127.0.0.1:8600`"),
        );
        None
    }
}

fn read_public_url(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.plain(node)?;
    if text.starts_with("https://") || text.starts_with("http://") {
        return Some(text.trim_end_matches('/').to_owned());
    }
    reader.error(
        node,
        format!("`{text}` is not an address: it must begin with https:// or http://"),
    );
    None
}

fn read_browsers(fields: &Fields<'_>, retention: &mut Retention, reader: &mut Reader<'_>) -> BrowserSettings {
    let mut settings = BrowserSettings::default();
    if let Some(span) = fields
        .get("step_timeout")
        .and_then(|node| reader.positive_duration(node))
    {
        settings.step_timeout = span;
    }
    if let Some(node) = fields.get("webdriver")
        && let Some(driver) = Fields::open(node, &WEBDRIVER, reader)
    {
        if let Some(program) = driver.get("command").and_then(|node| reader.plain(node)) {
            settings.command = DriverCommand { program };
        }
        settings.url = driver.get("url").and_then(|node| read_public_url(node, reader));
        if let Some(node) = driver.get("browser") {
            let known = [("chrome", "chrome"), ("firefox", "firefox")];
            if let Some(name) = reader.choice(node, &known) {
                name.clone_into(&mut settings.remote_browser);
            }
            if settings.url.is_none() {
                reader.error(
                    node,
                    "`browser` goes with `url`; haetae itself starts Chromium, or `browsers: { program: … }`",
                );
            }
        }
        if let Some(attribute) = driver.get("test_id").and_then(|node| reader.plain(node)) {
            settings.test_id_attribute = attribute;
        }
    }
    if let Some(node) = fields.get("browsers")
        && let Some(browsers) = Fields::open(node, &BROWSERS, reader)
    {
        if let Some(count) = browsers
            .get("at_once")
            .and_then(|node| reader.integer(node, 1, 64))
        {
            settings.at_once = usize::try_from(count).unwrap_or(1);
        }
        if let Some(span) = browsers
            .get("keep_evidence")
            .and_then(|node| reader.positive_duration(node))
        {
            retention.evidence = span;
        }
        if let Some(bytes) = browsers.get("evidence_limit").and_then(|node| reader.size(node)) {
            retention.evidence_bytes = bytes;
        }
        if let Some(node) = browsers.get("memory") {
            settings.page_memory = read_page_memory(node, reader).unwrap_or(settings.page_memory);
        }
        settings.program = browsers
            .get("program")
            .and_then(|node| reader.plain(node))
            .map(PathBuf::from);
        settings.fresh_browser = browsers
            .get("isolation")
            .and_then(|node| reader.choice(node, &[("context", false), ("browser", true)]))
            .unwrap_or(false);
    }
    settings
}

/// Pages of today do not run in less.
const LEAST_PAGE_MEMORY: u64 = 128 << 20;

fn read_page_memory(node: &Node, reader: &mut Reader<'_>) -> Option<u64> {
    let bytes = reader.size(node)?;
    if bytes < LEAST_PAGE_MEMORY {
        reader.error(node, "pages of today do not run in less than 128MiB");
        return None;
    }
    Some(bytes)
}

fn read_targets(node: &Node, reader: &mut Reader<'_>) -> Option<TargetPolicy> {
    let fields = Fields::open(node, &TARGETS, reader)?;
    let network = |reader: &mut Reader<'_>, node: &Node| {
        let text = reader.plain(node)?;
        match text.parse::<Network>() {
            Ok(network) => Some(network),
            Err(why) => {
                reader.error(node, why);
                None
            }
        }
    };
    let deny = match fields.get("deny") {
        Some(node) => reader.list(node, network),
        None => usual_denials(),
    };
    let allow = fields
        .get("allow")
        .map(|node| reader.list(node, network))
        .unwrap_or_default();
    let strict = fields
        .get("strict")
        .and_then(|node| reader.boolean(node))
        .unwrap_or(false);
    Some(TargetPolicy::new(deny, allow, strict))
}
