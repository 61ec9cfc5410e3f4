//! What is sent: the client, the request of each hop, and where a redirect leads.

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use reqwest::cookie::{CookieStore, Jar};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, Proxy, RequestBuilder, Response, StatusCode};
use url::{Origin, Url};

use super::faults::root_cause;
use super::read::is_secret_header;
use super::trace::{CheckedResolver, TimedConnections, Trace};
use super::{Auth, Body, HttpProbe, Login, Version, is_secret_name, scope};
use crate::check::RunContext;
use crate::check::net::fault::Fault;
use crate::check::net::tls::{TlsRecord, TlsSettings};
use crate::check::net::tokens::Token;
use crate::decode::JsonText;
use crate::model::{RunScope, Text, Unfilled};

/// Who we are; partners find us in their logs by it.
const USER_AGENT: &str = concat!("haetae/", env!("CARGO_PKG_VERSION"));

/// A client with what its connections note.
pub struct Kept {
    pub(super) client: Client,
    pub(super) trace: Trace,
    pub(super) tls: TlsRecord,
    pub(super) cookies: Arc<RunCookies>,
    /// Host and port of the proxy.
    pub(super) proxy: Option<String>,
}

impl Kept {
    /// What was refused of the certificates, with names and times, if that is why there is no
    /// answer.
    pub(super) fn refused_certificate(&self) -> Option<Fault> {
        let mut seen = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        seen.refusal.take().map(Fault::lasting)
    }
}

/// The cookies of whoever uses the client at the moment.
#[derive(Default)]
pub struct RunCookies(RwLock<Arc<Jar>>);

impl RunCookies {
    /// Uses this jar from now on.
    pub fn take(&self, jar: &Arc<Jar>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(jar);
    }

    fn jar(&self) -> Arc<Jar> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CookieStore for RunCookies {
    fn set_cookies(&self, headers: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        self.jar().set_cookies(headers, url);
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        self.jar().cookies(url)
    }
}

/// One request of an exchange; redirects make further ones.
pub struct Hop {
    pub(super) url: Url,
    method: Method,
    /// Whether the body goes along.
    with_body: bool,
    /// Who is asked first: nobody else gets our secrets.
    meant_for: Origin,
    been_at: Vec<Url>,
}

impl Hop {
    /// The first.
    pub fn first(url: Url, method: Method) -> Self {
        Self {
            meant_for: url.origin(),
            been_at: vec![url.clone()],
            url,
            method,
            with_body: true,
        }
    }

    /// Host and port, for messages.
    pub fn address(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        format!("{host}:{}", self.url.port_or_known_default().unwrap_or(0))
    }

    fn is_trusted(&self) -> bool {
        self.url.origin() == self.meant_for
    }

    /// Where an answer sends us; none when it is the last.
    ///
    /// # Errors
    /// When it leads nowhere, or round and round.
    pub fn next(&self, response: &Response, most: usize) -> Result<Option<Self>, Fault> {
        let status = response.status();
        let is_redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
        let Some(location) = response
            .headers()
            .get(LOCATION)
            .filter(|_| is_redirect && most > 0)
        else {
            return Ok(None);
        };
        let location = String::from_utf8_lossy(location.as_bytes());
        let url = self
            .url
            .join(&location)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Fault::lasting(format!(
                    "it redirects to `{location}`, which is no http or https address"
                ))
            })?;
        if self.been_at.len() > most {
            let circle = match self.been_at.contains(&url) {
                true => "in a circle ",
                false => "",
            };
            let what = format!("it redirects more than {most} times, {circle}last to {url}");
            return Err(Fault::lasting(what));
        }
        // RFC 9110 §15.4: POST may become GET; 303 asks for it.
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        let mut been_at = self.been_at.clone();
        been_at.push(url.clone());
        Ok(Some(Self {
            url,
            method: match becomes_get {
                true => Method::GET,
                false => self.method.clone(),
            },
            with_body: self.with_body && !becomes_get,
            meant_for: self.meant_for.clone(),
            been_at,
        }))
    }
}

impl Body {
    fn holds_secret(&self) -> bool {
        match self {
            Self::None => false,
            Self::Text(text) => text.holds_secret(),
            Self::Json(json) => json_holds_secret(json),
            Self::Form(fields) => fields.iter().any(|(name, value)| is_private(name, value)),
        }
    }
}

fn json_holds_secret(json: &JsonText) -> bool {
    match json {
        JsonText::Fixed(_) => false,
        JsonText::Text(text) => text.holds_secret(),
        JsonText::List(items) => items.iter().any(json_holds_secret),
        JsonText::Map(entries) => entries.iter().any(|(_, value)| json_holds_secret(value)),
    }
}

fn is_private(name: &str, value: &Text) -> bool {
    value.holds_secret() || is_secret_name(name)
}

/// Whether a header of the check goes along with a hop.
fn goes_along(hop: &Hop, name: &HeaderName, value: &Text) -> bool {
    let describes_body = name.as_str().starts_with("content-");
    let private = is_secret_header(name.as_str()) || is_private(name.as_str(), value);
    (hop.is_trusted() || !private) && (hop.with_body || !describes_body)
}

/// RFC 6749 §2.3.1: both are encoded as a form's values before they are put together.
fn client_credentials(id: &str, secret: &str) -> String {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// A client as every kind wants it: our TLS, our names and what of them is denied, no retries,
/// no proxies of the environment. `offered` is what ALPN offers.
///
/// # Errors
/// Our own fault when TLS cannot be set up.
pub(crate) fn client_builder(
    tls: &TlsSettings,
    record: &TlsRecord,
    resolver: CheckedResolver,
    offered: &[&str],
) -> Result<ClientBuilder, Fault> {
    let mut config = tls
        .client_config(&resolver.services.roots, record)
        .map_err(Fault::ours)?;
    config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
    let timed = TimedConnections {
        trace: resolver.trace.clone(),
        tls: Arc::clone(record),
    };
    Ok(Client::builder()
        .tls_backend_preconfigured(config)
        .user_agent(USER_AGENT)
        .no_proxy()
        .retry(reqwest::retry::never())
        .dns_resolver(resolver)
        .connector_layer(timed))
}

/// The client itself.
///
/// # Errors
/// Our own fault.
pub(crate) fn built(builder: ClientBuilder) -> Result<Client, Fault> {
    builder
        .build()
        .map_err(|error| Fault::ours(format!("the request cannot be made: {}", root_cause(&error))))
}

impl HttpProbe {
    pub(super) fn client(&self, run: &RunContext) -> Result<Kept, Fault> {
        let trace = Trace::default();
        let tls = TlsRecord::default();
        let cookies = Arc::new(RunCookies::default());
        let resolver = CheckedResolver {
            ip: self.ip,
            resolve_to: self.resolve_to,
            ..CheckedResolver::new(&run.services, &trace)
        };
        let offered: &[&str] = match self.version {
            Version::Any => &["h2", "http/1.1"],
            Version::Http1 => &["http/1.1"],
            Version::Http2 => &["h2"],
        };
        let mut builder = client_builder(&self.tls, &tls, resolver, offered)?
            .redirect(Policy::none())
            .cookie_provider(Arc::clone(&cookies));
        builder = match self.version {
            Version::Any => builder,
            Version::Http1 => builder.http1_only(),
            Version::Http2 => builder.http2_prior_knowledge(),
        };
        if self.kept.is_none() {
            builder = builder.pool_max_idle_per_host(0);
        }
        let proxy = self.filled_proxy(run)?;
        if let Some(proxy) = &proxy {
            let proxy = Proxy::all(proxy.as_str()).map_err(|_| Fault::ours("`proxy` is not a URL"))?;
            builder = builder.proxy(proxy);
        }
        let client = built(builder)?;
        Ok(Kept {
            client,
            trace,
            tls,
            cookies,
            proxy: proxy.map(|url| match url.port_or_known_default() {
                Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
                None => url.host_str().unwrap_or_default().to_owned(),
            }),
        })
    }

    fn filled_proxy(&self, run: &RunContext) -> Result<Option<Url>, Fault> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let text = proxy
            .fill(&scope(run, &run.captured))
            .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
        let url = Url::parse(&text)
            .ok()
            .filter(Url::has_host)
            .ok_or_else(|| Fault::ours("`proxy` is not a URL"))?;
        Ok(Some(url))
    }

    pub(super) fn filled_url(&self, scope: &RunScope<'_>) -> Result<Url, Fault> {
        let fill = |text: &Text| {
            text.fill(scope)
                .map_err(|unfilled| Fault::ours(unfilled.to_string()))
        };
        let text = fill(&self.url)?;
        let parsed = match &self.base {
            None => Url::parse(&text),
            Some(base) => Url::parse(&fill(base)?).and_then(|base| base.join(&text)),
        };
        let mut url = parsed
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Fault::ours(format!("`{}` does not make a URL of http or https", self.url)))?;
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, &fill(value)?);
        }
        Ok(url)
    }

    /// The request of a hop. What is secret goes to the host that was meant, and to no other.
    pub(super) fn request(
        &self,
        kept: &Kept,
        hop: &Hop,
        number: u32,
        token: Option<&Token>,
        scope: &RunScope<'_>,
    ) -> Result<RequestBuilder, Fault> {
        let unfilled = |unfilled: Unfilled| Fault::ours(unfilled.to_string());
        let mut request = kept.client.request(hop.method.clone(), hop.url.clone());
        for (name, value) in &self.headers {
            if goes_along(hop, name, value) {
                request = request.header(name, value.fill(scope).map_err(unfilled)?);
            }
        }
        if number > 0 {
            request = request.header("x-retry-attempt", number);
        }
        if hop.is_trusted() {
            request = self.sign(request, token, scope).map_err(unfilled)?;
        }
        if !hop.with_body {
            return Ok(request);
        }
        if !hop.is_trusted() && self.body.holds_secret() {
            return Err(Fault::lasting(format!(
                "it redirects the request to {}, and the secret in its body is not sent to another host",
                hop.address()
            )));
        }
        self.fill_body(request, scope).map_err(unfilled)
    }

    fn sign(
        &self,
        request: RequestBuilder,
        token: Option<&Token>,
        scope: &RunScope<'_>,
    ) -> Result<RequestBuilder, Unfilled> {
        Ok(match &self.auth {
            None => request,
            Some(Auth::Login(Login::Basic { user, password })) => {
                request.basic_auth(user.fill(scope)?, Some(password.fill(scope)?))
            }
            Some(Auth::Login(Login::Bearer(token))) => request.bearer_auth(token.fill(scope)?),
            Some(Auth::Client { id, secret }) => request.header(
                AUTHORIZATION,
                client_credentials(&id.fill(scope)?, &secret.fill(scope)?),
            ),
            Some(Auth::Token(_)) => match token {
                Some(token) => request.bearer_auth(token.secret.reveal()),
                None => request,
            },
        })
    }

    fn fill_body(&self, request: RequestBuilder, scope: &RunScope<'_>) -> Result<RequestBuilder, Unfilled> {
        Ok(match &self.body {
            Body::None => request,
            Body::Text(text) => request.body(text.fill(scope)?),
            Body::Json(json) => request.json(&json.fill(scope)?),
            Body::Form(fields) => {
                let filled: Result<Vec<(&str, String)>, Unfilled> = fields
                    .iter()
                    .map(|(name, value)| Ok((name.as_str(), value.fill(scope)?)))
                    .collect();
                request.form(&filled?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_credentials_are_encoded_before_they_are_put_together() {
        let decode = |header: String| {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(header.strip_prefix("Basic ").unwrap())
                .unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(decode(client_credentials("qa", "let-me-in")), "qa:let-me-in");
        assert_eq!(decode(client_credentials("a:b", "p w%é")), "a%3Ab:p+w%25%C3%A9");
    }
}
