//! The settings of `http:` from YAML.

use std::str::FromStr;

use reqwest::Method;
use reqwest::header::HeaderName;
use url::Url;

use super::expect::{HTTP_EXPECT, HttpExpect};
use super::{Auth, Body, HttpProbe, IpVersion, Version};
use crate::check::capture::Capture;
use crate::check::expect::read_blocks;
use crate::check::net::tls::{Identity, TlsSettings, certificates_from_pem};
use crate::check::{Blocks, Probe};
use crate::decode::{Fields, JsonText, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::Text;

/// The keys of `http:`.
pub(crate) static HTTP: Spec = Spec {
    name: "http",
    example: "http: { url: https://pg.example/health }",
    keys: &[
        Key::required("url", Shape::Text, "Where to; http or https."),
        Key::or("method", Shape::Choice(METHODS), "GET", "The request's method."),
        Key::new("headers", Shape::Map(&Shape::Text), "Headers to send."),
        Key::new("query", Shape::Map(&Shape::Text), "Appended to the URL, encoded."),
        Key::new("body", Shape::Text, "Sent as it is."),
        Key::new("json", Shape::Any, "Sent as JSON."),
        Key::new("form", Shape::Map(&Shape::Text), "Sent as a form."),
        Key::new("auth", Shape::Object(&AUTH), "How we identify ourselves."),
        Key::new(
            "client_certificate",
            Shape::Object(&CLIENT_CERTIFICATE),
            "A certificate of ours.",
        ),
        Key::new(
            "ca",
            Shape::Text,
            "Certificates (PEM) that are trusted besides the platform's: `${file:ca.pem}`.",
        ),
        Key::or("insecure_tls", Shape::Boolean, "false", "Accept any certificate."),
        Key::or(
            "follow_redirects",
            Shape::Integer(0, 10),
            "10",
            "How many redirects are followed; 0 takes the first answer.",
        ),
        Key::new("proxy", Shape::Text, "The proxy's URL: http, https or socks5."),
        Key::new(
            "http_version",
            Shape::Choice(&["1.1", "2"]),
            "Force a version; otherwise the server's choice.",
        ),
        Key::new(
            "ip",
            Shape::Choice(&["4", "6"]),
            "Use only addresses of this version.",
        ),
        Key::new(
            "resolve_to",
            Shape::Plain,
            "Ask this address instead of resolving the name.",
        ),
        Key::or(
            "max_body",
            Shape::Size,
            "10MiB",
            "The largest answer that is read, unpacked.",
        ),
        Key::or(
            "connection",
            Shape::Choice(&["fresh", "reuse"]),
            "fresh",
            "A new connection for each run, as a new visitor has, or a kept one.",
        ),
    ],
};

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The keys of `auth:`.
pub(crate) static AUTH: Spec = Spec {
    name: "auth",
    example: "auth: { bearer: \"${env:TOKEN}\" }",
    keys: &[
        Key::new("basic", Shape::Object(&BASIC), "User and password."),
        Key::new("bearer", Shape::Text, "A token."),
        Key::planned("oauth2"),
    ],
};

static BASIC: Spec = Spec {
    name: "basic",
    example: "basic: { user: qa, password: \"${env:PASSWORD}\" }",
    keys: &[
        Key::required("user", Shape::Text, "The user's name."),
        Key::required("password", Shape::Text, "The password."),
    ],
};

static CLIENT_CERTIFICATE: Spec = Spec {
    name: "client_certificate",
    example: "client_certificate: { certificate: \"${file:client.pem}\", key: \"${file:client.key}\" }",
    keys: &[
        Key::required("certificate", Shape::Text, "The chain in PEM form."),
        Key::required("key", Shape::Text, "The private key in PEM form."),
    ],
};

const MAX_BODY_BYTES: u64 = 10 * 1024 * 1024;

/// Reads the blocks of an HTTP check.
pub fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    read_probe(blocks, reader).map(|probe| Box::new(probe) as Box<dyn Probe>)
}

/// The same, for a request that is a step of a scenario.
pub(crate) fn read_probe(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<HttpProbe> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &HTTP, reader)?;
    let url = fields.get("url").and_then(|node| read_url(node, reader));
    let method = match fields.get("method") {
        Some(node) => {
            let words: Vec<(&str, &str)> = METHODS.iter().map(|word| (*word, *word)).collect();
            reader.choice(node, &words).unwrap_or("GET")
        }
        None => "GET",
    };
    let versions = [("1.1", Version::Http1), ("2", Version::Http2)];
    let addresses = [("4", IpVersion::V4), ("6", IpVersion::V6)];
    let probe = HttpProbe {
        host: url.as_ref().map(host_of).unwrap_or_default(),
        url: url.unwrap_or_else(|| Text::literal("")),
        method: Method::from_str(method).unwrap_or(Method::GET),
        headers: read_headers(fields.get("headers"), reader),
        query: read_texts(fields.get("query"), reader),
        body: read_body(&fields, reader),
        auth: fields.get("auth").and_then(|node| read_auth(node, reader)),
        tls: read_tls(&fields, reader),
        redirects: fields
            .get("follow_redirects")
            .and_then(|node| reader.integer(node, 0, 10))
            .map_or(10, |most| usize::try_from(most).unwrap_or(10)),
        proxy: fields.get("proxy").and_then(|node| reader.text(node)),
        version: fields
            .get("http_version")
            .and_then(|node| reader.choice(node, &versions))
            .unwrap_or(Version::Any),
        ip: fields.get("ip").and_then(|node| reader.choice(node, &addresses)),
        resolve_to: fields
            .get("resolve_to")
            .and_then(|node| read_address(node, reader)),
        max_body: fields
            .get("max_body")
            .and_then(|node| reader.size(node))
            .unwrap_or(MAX_BODY_BYTES),
        kept: fields
            .get("connection")
            .and_then(|node| reader.choice(node, &[("fresh", false), ("reuse", true)]))
            .unwrap_or(false)
            .then(tokio::sync::OnceCell::new),
        expects: read_blocks(blocks.expect, &HTTP_EXPECT, reader, HttpExpect::read),
        captures: blocks
            .measure
            .map(|node| Capture::read_all(node, reader))
            .unwrap_or_default(),
        retry: blocks.retry,
        attempt_timeout: blocks.attempt_timeout,
    };
    (reader.failures() == before).then_some(probe)
}

fn read_url(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    // A secret that is only looked at counts as empty, so that the URL can't be judged.
    if text.holds_secret() || text.constant().is_none() {
        return Some(text);
    }
    match Url::parse(&text.constant()?) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            reader.report(
                Problem::error(
                    &node.place,
                    format!("`{}:` is not a scheme for http checks", url.scheme()),
                )
                .hint("write `https://…` or `http://…`"),
            );
            None
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            reader.report(
                Problem::error(&node.place, "user and password must not stand in the URL")
                    .hint("use `auth: { basic: { user: …, password: \"${env:NAME}\" } }`")
                    .without_line(),
            );
            None
        }
        Ok(_) => Some(text),
        Err(error) => {
            reader.report(
                Problem::error(&node.place, format!("`{text}` is not a URL: {error}"))
                    .hint("write for example `https://pg.example/health`"),
            );
            None
        }
    }
}

fn host_of(url: &Text) -> String {
    url.constant()
        .and_then(|text| Url::parse(&text).ok())
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| url.as_written().to_owned())
}

/// Reads `headers:`; a literal secret is refused.
pub(crate) fn read_headers(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<(HeaderName, Text)> {
    let Some(node) = node else { return Vec::new() };
    let mut headers = Vec::new();
    for entry in reader.entries(node) {
        let lower = entry.key.to_lowercase();
        if ["authorization", "cookie", "x-api-key", "proxy-authorization"].contains(&lower.as_str()) {
            reader.refuse_literal_secret(&entry.node, &format!("the value of the header `{}`", entry.key));
        }
        match HeaderName::from_str(&lower) {
            Ok(name) => headers.extend(reader.text(&entry.node).map(|text| (name, text))),
            Err(_) => reader.report(Problem::error(
                &entry.place,
                format!("`{}` is not a header's name", entry.key),
            )),
        }
    }
    headers
}

fn read_texts(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<(String, Text)> {
    let Some(node) = node else { return Vec::new() };
    let mut texts = Vec::new();
    for entry in reader.entries(node) {
        if is_secret_name(&entry.key) {
            reader.refuse_literal_secret(&entry.node, &format!("the value of `{}`", entry.key));
        }
        texts.extend(reader.text(&entry.node).map(|text| (entry.key.clone(), text)));
    }
    texts
}

/// Whether a field's name says that its value is a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    [
        "password",
        "passwd",
        "secret",
        "token",
        "api_key",
        "apikey",
        "비밀번호",
    ]
    .iter()
    .any(|word| lower.contains(word))
}

fn read_body(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Body {
    let given: Vec<&Node> = ["body", "json", "form"]
        .iter()
        .filter_map(|key| fields.get(key))
        .collect();
    if given.len() > 1 {
        reader.error(given[1], "use only one of `body`, `json` and `form`");
    }
    if let Some(text) = fields.get("body").and_then(|node| reader.text(node)) {
        return Body::Text(text);
    }
    if let Some(json) = fields.get("json").and_then(|node| JsonText::read(node, reader)) {
        return Body::Json(json);
    }
    match fields.get("form") {
        Some(node) => Body::Form(read_texts(Some(node), reader)),
        None => Body::None,
    }
}

/// Reads `auth:`.
pub(crate) fn read_auth(node: &Node, reader: &mut Reader<'_>) -> Option<Auth> {
    let fields = Fields::open(node, &AUTH, reader)?;
    match (fields.get("basic"), fields.get("bearer")) {
        (Some(node), None) => {
            let fields = Fields::open(node, &BASIC, reader)?;
            let password = fields.get("password")?;
            reader.refuse_literal_secret(password, "a password");
            Some(Auth::Basic {
                user: fields.get("user").and_then(|node| reader.text(node))?,
                password: reader.text(password)?,
            })
        }
        (None, Some(node)) => {
            reader.refuse_literal_secret(node, "a token");
            reader.text(node).map(Auth::Bearer)
        }
        _ => {
            reader.error(node, "`auth` needs one of `basic` and `bearer`");
            None
        }
    }
}

fn read_tls(fields: &Fields<'_>, reader: &mut Reader<'_>) -> TlsSettings {
    TlsSettings {
        extra_roots: fields
            .get("ca")
            .and_then(|node| read_roots(node, reader))
            .unwrap_or_default(),
        insecure: fields
            .get("insecure_tls")
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false),
        identity: fields
            .get("client_certificate")
            .and_then(|node| read_identity(node, reader))
            .map(std::sync::Arc::new),
        own_verifier: std::sync::OnceLock::new(),
    }
}

/// `ca:` as certificates; an error at its place when there are none.
pub(crate) fn read_roots(
    node: &Node,
    reader: &mut Reader<'_>,
) -> Option<Vec<rustls::pki_types::CertificateDer<'static>>> {
    let pem = reader.text(node)?.constant().filter(|pem| !pem.is_empty())?;
    match certificates_from_pem(&pem) {
        Ok(roots) => Some(roots),
        Err(why) => {
            reader.error(node, format!("`ca` cannot be used: {why}"));
            None
        }
    }
}

fn read_identity(node: &Node, reader: &mut Reader<'_>) -> Option<Identity> {
    let fields = Fields::open(node, &CLIENT_CERTIFICATE, reader)?;
    let key = fields.get("key")?;
    reader.refuse_literal_secret(key, "a private key");
    let chain = fields
        .get("certificate")
        .and_then(|node| reader.text(node))?
        .constant()?;
    let key = reader.text(key)?.constant()?;
    if chain.is_empty() || key.is_empty() {
        return None;
    }
    match Identity::from_pem(&chain, &key) {
        Ok(identity) => Some(identity),
        Err(why) => {
            reader.error(node, format!("`client_certificate` cannot be used: {why}"));
            None
        }
    }
}

fn read_address(node: &Node, reader: &mut Reader<'_>) -> Option<std::net::IpAddr> {
    let text = reader.plain(node)?;
    if let Ok(address) = text.parse() {
        Some(address)
    } else {
        reader.error(node, format!("`{text}` is not an IP address"));
        None
    }
}
