//! The settings of `http:` from YAML.

use std::str::FromStr;

use reqwest::Method;
use reqwest::header::HeaderName;
use url::Url;

use super::expect::{HTTP_EXPECT, HttpExpect};
use super::read_auth::{AUTH, CLIENT_CERTIFICATE, read_auth, read_tls};
use super::read_chain::read_chain;
use super::{Body, HttpProbe, IpVersion, Version};
use crate::check::capture::Capture;
use crate::check::expect::read_blocks;
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

pub(super) const MAX_BODY_BYTES: u64 = 10 * 1024 * 1024;

/// Reads the blocks of an HTTP check.
pub fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    if blocks.steps.is_some() || blocks.always.is_some() {
        return read_chain(blocks, reader).map(|chain| Box::new(chain) as Box<dyn Probe>);
    }
    read_probe(blocks, reader).map(|probe| Box::new(probe) as Box<dyn Probe>)
}

/// The same, for a request that is a step of a scenario.
pub(crate) fn read_probe(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<HttpProbe> {
    read_request(blocks, None, reader)
}

/// The same, for a request whose URL is relative to another.
pub(super) fn read_request(
    blocks: &Blocks<'_>,
    base: Option<&Text>,
    reader: &mut Reader<'_>,
) -> Option<HttpProbe> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &HTTP, reader)?;
    let url = fields.get("url").and_then(|node| read_url(node, base, reader));
    let method = match fields.get("method") {
        Some(node) => {
            let words: Vec<(&str, &str)> = METHODS.iter().map(|word| (*word, *word)).collect();
            reader.choice(node, &words).unwrap_or("GET")
        }
        None => "GET",
    };
    let probe = HttpProbe {
        host: url.as_ref().map(|url| host_of(url, base)).unwrap_or_default(),
        base: base.cloned(),
        url: url.unwrap_or_else(|| Text::literal("")),
        method: Method::from_str(method).unwrap_or(Method::GET),
        headers: read_headers(fields.get("headers"), reader),
        query: read_texts(fields.get("query"), reader),
        body: read_body(&fields, reader),
        auth: read_auth(blocks, &fields, reader),
        tls: read_tls(&fields, reader),
        redirects: fields
            .get("follow_redirects")
            .and_then(|node| reader.integer(node, 0, 10))
            .map_or(10, |most| usize::try_from(most).unwrap_or(10)),
        proxy: read_proxy(&fields, reader),
        version: read_version(&fields, reader),
        ip: read_ip(&fields, reader),
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

/// A proxy's URL, whose password is named and not written.
pub(super) fn read_proxy(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Text> {
    let node = fields.get("proxy")?;
    let has_password = node
        .scalar()
        .and_then(|url| url.split_once("://")?.1.split('/').next()?.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'));
    if has_password {
        reader.refuse_literal_secret(node, "a proxy's password");
    }
    reader.text(node)
}

fn read_version(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Version {
    let Some(node) = fields.get("http_version") else {
        return Version::Any;
    };
    if matches!(node.scalar(), Some("3" | "3.0")) {
        reader.report(
            Problem::error(&node.place, "HTTP/3 is not spoken by this version of haetae")
                .hint("write `1.1` or `2`, or leave it out for the server's choice of the two"),
        );
        return Version::Any;
    }
    let versions = [("1.1", Version::Http1), ("2", Version::Http2)];
    reader.choice(node, &versions).unwrap_or(Version::Any)
}

pub(super) fn read_ip(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<IpVersion> {
    let words = [("4", IpVersion::V4), ("6", IpVersion::V6)];
    fields.get("ip").and_then(|node| reader.choice(node, &words))
}

/// The address as far as it is known at load.
fn whole(url: &Text, base: Option<&Text>) -> Option<Result<Url, url::ParseError>> {
    let text = url.constant()?;
    Some(match base {
        None => Url::parse(&text),
        Some(base) => Url::parse(&base.constant()?).and_then(|base| base.join(&text)),
    })
}

pub(super) fn read_url(node: &Node, base: Option<&Text>, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    // A secret that is only looked at counts as empty, so that the URL can't be judged.
    if text.holds_secret() || base.is_some_and(Text::holds_secret) {
        return Some(text);
    }
    let Some(parsed) = whole(&text, base) else {
        return Some(text);
    };
    match parsed {
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

pub(super) fn host_of(url: &Text, base: Option<&Text>) -> String {
    whole(url, base)
        .or_else(|| base.and_then(|base| whole(base, None)))
        .and_then(|url| Some(url.ok()?.host_str()?.to_owned()))
        .unwrap_or_else(|| url.as_written().to_owned())
}

/// A map of headers; well-known secret ones must be named, not written.
pub(crate) fn read_headers(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<(HeaderName, Text)> {
    let Some(node) = node else { return Vec::new() };
    let mut headers = Vec::new();
    for entry in reader.entries(node) {
        let lower = entry.key.to_lowercase();
        if is_secret_header(&lower) {
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

/// Whether a header of this name, in lower case, lets somebody in.
pub(super) fn is_secret_header(lower: &str) -> bool {
    ["authorization", "cookie", "x-api-key", "proxy-authorization"].contains(&lower)
}

pub(super) fn read_texts(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<(String, Text)> {
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

fn read_address(node: &Node, reader: &mut Reader<'_>) -> Option<std::net::IpAddr> {
    let text = reader.plain(node)?;
    if let Ok(address) = text.parse() {
        Some(address)
    } else {
        reader.error(node, format!("`{text}` is not an IP address"));
        None
    }
}
