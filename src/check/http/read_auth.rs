//! How we identify ourselves, and whom we trust: `auth`, `ca`, `client_certificate` …

use reqwest::Method;

use super::oauth::OAuth;
use super::read::{host_of, read_ip, read_proxy, read_texts, read_url};
use super::{Auth, Body, HttpProbe, Login, Version};
use crate::check::Blocks;
use crate::check::net::tls::{Identity, TlsSettings, certificates_from_pem};
use crate::decode::{Fields, Key, Node, Reader, Shape, Spec};
use crate::model::{Retry, Text};

/// A token endpoint's answer is not larger.
const LARGEST_TOKEN_BYTES: u64 = 256 * 1024;

pub(super) static AUTH: Spec = Spec {
    name: "auth",
    example: "auth: { bearer: \"${env:TOKEN}\" }",
    keys: &[
        Key::new("basic", Shape::Object(&BASIC), "User and password."),
        Key::new("bearer", Shape::Text, "A token."),
        Key::new(
            "oauth2",
            Shape::Object(&OAUTH2),
            "A token from a token endpoint, by client credentials.",
        ),
    ],
};

/// The keys of `auth:` where no token endpoint is asked.
pub(crate) static LOGIN: Spec = Spec {
    name: "auth",
    example: "auth: { bearer: \"${env:TOKEN}\" }",
    keys: &[
        Key::new("basic", Shape::Object(&BASIC), "User and password."),
        Key::new("bearer", Shape::Text, "A token."),
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

pub(crate) static CLIENT_CERTIFICATE: Spec = Spec {
    name: "client_certificate",
    example: "client_certificate: { certificate: \"${file:client.pem}\", key: \"${file:client.key}\" }",
    keys: &[
        Key::required("certificate", Shape::Text, "The chain in PEM form."),
        Key::required("key", Shape::Text, "The private key in PEM form."),
    ],
};

static OAUTH2: Spec = Spec {
    name: "oauth2",
    example: "oauth2: { token_url: https://auth.example/token, client_id: haetae, client_secret: \"${env:SECRET}\" }",
    keys: &[
        Key::required("token_url", Shape::Text, "Where tokens are given out."),
        Key::required("client_id", Shape::Text, "Who we are there."),
        Key::required("client_secret", Shape::Text, "Our secret there."),
        Key::new(
            "scope",
            Shape::Text,
            "What the token is for; several with spaces between.",
        ),
        Key::new(
            "audience",
            Shape::Text,
            "Whom the token is for, where the endpoint asks for it.",
        ),
        Key::new(
            "params",
            Shape::Map(&Shape::Text),
            "Further fields of the request.",
        ),
        Key::or(
            "credentials",
            Shape::Choice(&["header", "body"]),
            "header",
            "How id and secret are sent: as HTTP Basic, or as fields of the form.",
        ),
    ],
};

/// `auth:`. A token is asked for over the same proxy and with the same trust as the request.
pub(super) fn read_auth(blocks: &Blocks<'_>, http: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Auth> {
    let node = http.get("auth")?;
    let fields = Fields::open(node, &AUTH, reader)?;
    match (fields.get("basic"), fields.get("bearer"), fields.get("oauth2")) {
        (Some(node), None, None) => read_basic(node, reader).map(Auth::Login),
        (None, Some(node), None) => read_bearer(node, reader).map(Auth::Login),
        (None, None, Some(node)) => {
            read_oauth(node, blocks, http, reader).map(|oauth| Auth::Token(Box::new(oauth)))
        }
        _ => {
            reader.error(node, "`auth` needs one of `basic`, `bearer` and `oauth2`");
            None
        }
    }
}

/// `auth:` of kinds that know no token endpoints.
pub(crate) fn read_login(node: &Node, reader: &mut Reader<'_>) -> Option<Login> {
    let fields = Fields::open(node, &LOGIN, reader)?;
    match (fields.get("basic"), fields.get("bearer")) {
        (Some(node), None) => read_basic(node, reader),
        (None, Some(node)) => read_bearer(node, reader),
        _ => {
            reader.error(node, "`auth` needs one of `basic` and `bearer`");
            None
        }
    }
}

fn read_basic(node: &Node, reader: &mut Reader<'_>) -> Option<Login> {
    let fields = Fields::open(node, &BASIC, reader)?;
    let password = fields.get("password")?;
    reader.refuse_literal_secret(password, "a password");
    Some(Login::Basic {
        user: fields.get("user").and_then(|node| reader.text(node))?,
        password: reader.text(password)?,
    })
}

fn read_bearer(node: &Node, reader: &mut Reader<'_>) -> Option<Login> {
    reader.refuse_literal_secret(node, "a token");
    reader.text(node).map(Login::Bearer)
}

fn read_oauth(node: &Node, blocks: &Blocks<'_>, http: &Fields<'_>, reader: &mut Reader<'_>) -> Option<OAuth> {
    let fields = Fields::open(node, &OAUTH2, reader)?;
    let url = fields
        .get("token_url")
        .and_then(|node| read_url(node, None, reader));
    if let Some(secret) = fields.get("client_secret") {
        reader.refuse_literal_secret(secret, "a client's secret");
    }
    let text = |key: &str, reader: &mut Reader<'_>| fields.get(key).and_then(|node| reader.text(node));
    let (id, secret) = (text("client_id", reader), text("client_secret", reader));
    let mut form = vec![("grant_type".to_owned(), Text::literal("client_credentials"))];
    for key in ["scope", "audience"] {
        form.extend(text(key, reader).map(|text| (key.to_owned(), text)));
    }
    form.extend(read_texts(fields.get("params"), reader));
    let words = [("header", false), ("body", true)];
    let in_body = fields
        .get("credentials")
        .and_then(|node| reader.choice(node, &words))
        .unwrap_or(false);
    let (url, id, secret) = (url?, id?, secret?);
    let mut asked_with = form.clone();
    let credentials = [("client_id", &id), ("client_secret", &secret)];
    asked_with.extend(credentials.map(|(name, text)| (name.to_owned(), text.clone())));
    asked_with.push(("token_url".to_owned(), url.clone()));
    let auth = if in_body {
        form.extend(credentials.map(|(name, text)| (name.to_owned(), text.clone())));
        None
    } else {
        Some(Auth::Client { id, secret })
    };
    Some(OAuth {
        endpoint: token_endpoint(url, form, auth, blocks, http, reader),
        asked_with,
    })
}

fn token_endpoint(
    url: Text,
    form: Vec<(String, Text)>,
    auth: Option<Auth>,
    blocks: &Blocks<'_>,
    http: &Fields<'_>,
    reader: &mut Reader<'_>,
) -> HttpProbe {
    HttpProbe {
        host: host_of(&url, None),
        base: None,
        url,
        method: Method::POST,
        headers: vec![(reqwest::header::ACCEPT, Text::literal("application/json"))],
        query: Vec::new(),
        body: Body::Form(form),
        auth,
        tls: read_tls(http, reader),
        redirects: 0,
        proxy: read_proxy(http, reader),
        version: Version::Any,
        ip: read_ip(http, reader),
        resolve_to: None,
        max_body: LARGEST_TOKEN_BYTES,
        kept: None,
        expects: Vec::new(),
        captures: Vec::new(),
        retry: Retry::default(),
        attempt_timeout: blocks.attempt_timeout,
    }
}

pub(super) fn read_tls(fields: &Fields<'_>, reader: &mut Reader<'_>) -> TlsSettings {
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

pub(crate) fn read_identity(node: &Node, reader: &mut Reader<'_>) -> Option<Identity> {
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
