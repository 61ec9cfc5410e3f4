//! One attempt: build the request, send it, read the answer within its bounds.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Proxy, RequestBuilder, Response, StatusCode};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::trace::{CheckedResolver, Phases, TimedConnections, Trace, refuse_denied_literal};
use super::{Auth, Body, HttpProbe, Version, scope};
use crate::check::net::fault::{Fault, FaultError};
use crate::check::net::tls::{TlsRecord, TlsSettings};
use crate::check::retry::Again;
use crate::check::{RunContext, Services};
use crate::model::{RunScope, Timestamp, Unfilled, format_duration};

/// Who we are; partners find us in their logs by it.
const USER_AGENT: &str = concat!("haetae/", env!("CARGO_PKG_VERSION"));

/// A client with what its connections note.
pub struct Kept {
    client: Client,
    trace: Trace,
    tls: TlsRecord,
}

/// An answer, read to its end.
pub struct Received {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) version: reqwest::Version,
    pub(super) address: Option<SocketAddr>,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) json: Option<Json>,
    pub(super) body_size: u64,
    pub(super) phases: Phases,
    pub(super) response_time: Duration,
    pub(super) first_byte_time: Duration,
    pub(super) download_time: Duration,
    pub(super) certificate_expires: Option<Timestamp>,
}

impl Received {
    /// A header's value as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Whether this answer may pass by itself.
    #[must_use]
    pub fn again(&self) -> Again {
        let may_pass = matches!(self.status.as_u16(), 429 | 502 | 503 | 504);
        let unwanted = self
            .header("x-should-retry")
            .is_some_and(|value| value.eq_ignore_ascii_case("false"));
        if !may_pass || unwanted {
            return Again::No;
        }
        let after = self
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        Again::Maybe { after }
    }
}

impl HttpProbe {
    /// One attempt within its time; `number` counts from 0.
    pub(super) async fn attempt(&self, run: &RunContext, number: u32) -> Result<Received, Fault> {
        let fresh;
        let kept = if let Some(cell) = &self.kept {
            cell.get_or_try_init(|| async { self.client(run) }).await?
        } else {
            fresh = self.client(run)?;
            &fresh
        };
        let began = Instant::now();
        let limit = run.deadline.min(began + self.attempt_timeout);
        if let Ok(result) = timeout_at(limit, self.exchange(run, number, kept, began)).await {
            result
        } else {
            let tls_began = kept
                .tls
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .began
                .is_some();
            let limit = format_duration(self.limit_as_set(run, number, limit.duration_since(began)));
            let what = kept.trace.snapshot().waiting_for(&self.host, tls_began, &limit);
            Err(Fault::passing(what))
        }
    }

    /// The time-out as the user set it, for messages; what was really left for a retry.
    fn limit_as_set(&self, run: &RunContext, number: u32, left: Duration) -> Duration {
        match number {
            0 => self.attempt_timeout.min(run.check.timeout),
            _ => left,
        }
    }

    fn client(&self, run: &RunContext) -> Result<Kept, Fault> {
        let trace = Trace::default();
        let tls = TlsRecord::default();
        let resolver = CheckedResolver {
            trace: trace.clone(),
            services: Arc::clone(&run.services),
            ip: self.ip,
            resolve_to: self.resolve_to,
        };
        let mut builder = client_builder(&self.tls, &tls, resolver, self.redirects)?;
        builder = match self.version {
            Version::Any => builder,
            Version::Http1 => builder.http1_only(),
            Version::Http2 => builder.http2_prior_knowledge(),
        };
        if self.kept.is_none() {
            builder = builder.pool_max_idle_per_host(0);
        }
        if let Some(proxy) = &self.proxy {
            let proxy = proxy
                .fill(&scope(run, &run.captured))
                .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
            builder = builder.proxy(Proxy::all(proxy).map_err(|_| Fault::ours("`proxy` is not a URL"))?);
        }
        let client = built(builder)?;
        Ok(Kept { client, trace, tls })
    }

    async fn exchange(
        &self,
        run: &RunContext,
        number: u32,
        kept: &Kept,
        began: Instant,
    ) -> Result<Received, Fault> {
        let scope = scope(run, &run.captured);
        let url = self.filled_url(&scope)?;
        let address = format!("{}:{}", self.host, url.port_or_known_default().unwrap_or(0));
        refuse_denied_literal(&url, &run.services)?;
        kept.trace.begin(&url);
        let request = self
            .request(&kept.client, url, number, &scope)
            .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
        let response = request.send().await.map_err(|error| fault_of(error, &address))?;
        let phases = kept.trace.snapshot();
        let headers_came = Instant::now();
        let mut received = self.receive(response, &address).await?;
        received.phases = phases;
        received.response_time = began.elapsed();
        received.first_byte_time = headers_came.duration_since(received.phases.connected.unwrap_or(began));
        received.download_time = headers_came.elapsed();
        received.certificate_expires = kept
            .tls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .chain_expires;
        Ok(received)
    }

    fn filled_url(&self, scope: &RunScope<'_>) -> Result<Url, Fault> {
        let text = self
            .url
            .fill(scope)
            .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
        let mut url = Url::parse(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Fault::ours(format!("`{}` does not make a URL of http or https", self.url)))?;
        for (name, value) in &self.query {
            let value = value
                .fill(scope)
                .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
            url.query_pairs_mut().append_pair(name, &value);
        }
        Ok(url)
    }

    fn request(
        &self,
        client: &Client,
        url: Url,
        number: u32,
        scope: &RunScope<'_>,
    ) -> Result<RequestBuilder, Unfilled> {
        let mut request = client.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            request = request.header(name, value.fill(scope)?);
        }
        if number > 0 {
            request = request.header("x-retry-attempt", number);
        }
        request = match &self.auth {
            None => request,
            Some(Auth::Basic { user, password }) => {
                request.basic_auth(user.fill(scope)?, Some(password.fill(scope)?))
            }
            Some(Auth::Bearer(token)) => request.bearer_auth(token.fill(scope)?),
        };
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

    async fn receive(&self, response: Response, address: &str) -> Result<Received, Fault> {
        let url = response.url().to_string();
        let status = response.status();
        let version = response.version();
        let remote = response.remote_addr();
        let headers = response.headers().clone();
        let body = read_body(response, address, self.max_body, "`max_body`").await?;
        let text = decode(&body, &headers);
        Ok(Received {
            url,
            status,
            version,
            address: remote,
            json: serde_json::from_str(&text).ok(),
            body_size: body.len() as u64,
            headers,
            text,
            phases: Phases::default(),
            response_time: Duration::ZERO,
            first_byte_time: Duration::ZERO,
            download_time: Duration::ZERO,
            certificate_expires: None,
        })
    }
}

/// A client as every kind wants it: our TLS, our names and what of them is denied, no retries
/// and no connections of its own making.
///
/// # Errors
/// Our own fault when TLS cannot be set up.
pub(crate) fn client_builder(
    tls: &TlsSettings,
    record: &TlsRecord,
    resolver: CheckedResolver,
    redirects: usize,
) -> Result<ClientBuilder, Fault> {
    let config = tls
        .client_config(&resolver.services.roots, record)
        .map_err(Fault::ours)?;
    let timed = TimedConnections {
        trace: resolver.trace.clone(),
        tls: Arc::clone(record),
    };
    Ok(Client::builder()
        .tls_backend_preconfigured(config)
        .user_agent(USER_AGENT)
        .no_proxy()
        .retry(reqwest::retry::never())
        .redirect(redirect_policy(redirects, &resolver.services, &resolver.trace))
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

fn redirect_policy(most: usize, services: &Arc<Services>, trace: &Trace) -> Policy {
    if most == 0 {
        return Policy::none();
    }
    let (trace, services) = (trace.clone(), Arc::clone(services));
    Policy::custom(move |attempt| {
        if attempt.previous().len() > most {
            let what = format!("it redirects more than {most} times, last to {}", attempt.url());
            return attempt.error(FaultError(Fault::lasting(what)));
        }
        if let Err(fault) = refuse_denied_literal(attempt.url(), &services) {
            return attempt.error(FaultError(fault));
        }
        trace.hop(attempt.status().as_u16(), attempt.url());
        attempt.follow()
    })
}

/// The answer's body, unpacked, up to `most` bytes; `bound` is what the user knows them as.
///
/// # Errors
/// When it is larger, or ends too early.
pub(crate) async fn read_body(
    response: Response,
    address: &str,
    most: u64,
    bound: &str,
) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| fault_of(error, address))?;
        if (body.len() + chunk.len()) as u64 > most {
            return Err(Fault::lasting(format!(
                "the answer is larger than {bound} ({most} bytes)"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The body as text in the character set that the answer names; UTF-8 without one.
pub(crate) fn decode(body: &[u8], headers: &HeaderMap) -> String {
    let charset = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            value
                .split(';')
                .find_map(|part| part.trim().strip_prefix("charset="))
        })
        .map(|name| name.trim_matches('"'));
    let encoding = charset
        .and_then(|name| encoding_rs::Encoding::for_label(name.as_bytes()))
        .unwrap_or(encoding_rs::UTF_8);
    encoding.decode(body).0.into_owned()
}

/// What a failed request means.
pub(crate) fn fault_of(error: reqwest::Error, address: &str) -> Fault {
    // The URL may hold a secret, and says nothing new.
    let error = error.without_url();
    if let Some(fault) = Fault::from_chain(&error, address) {
        return fault;
    }
    if error.is_timeout() {
        return Fault::passing(format!("the connection to {address} timed out"));
    }
    if error.is_builder() {
        return Fault::ours(format!("the request cannot be made: {}", root_cause(&error)));
    }
    if error.is_decode() {
        return Fault::lasting(format!(
            "the answer of {address} could not be unpacked: {}",
            root_cause(&error)
        ));
    }
    Fault::passing(format!(
        "the exchange with {address} failed: {}",
        root_cause(&error)
    ))
}

fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
