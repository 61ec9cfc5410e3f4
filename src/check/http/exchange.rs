//! One attempt: send the request, follow where it leads, read the answer within its bounds.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use futures_util::StreamExt;
use reqwest::cookie::Jar;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};

use super::body::{Decoded, decode};
use super::faults::{half_an_answer, no_answer};
use super::request::{Hop, Kept};
use super::trace::{Phases, refuse_denied_literal};
use super::{Auth, HttpProbe, scope};
use crate::check::RunContext;
use crate::check::net::fault::Fault;
use crate::check::net::tokens::Token;
use crate::check::retry::Again;
use crate::model::{Timestamp, format_duration};

/// So much of a body is kept as it came, to tell what it is.
const HEAD_BYTES: usize = 64;
/// `Retry-After` counts up to this; no run is so long.
const LONGEST_WISH: Duration = Duration::from_hours(24);
/// A token is waited for until so long before the attempt's end, so that the wait can be told.
const MARGIN: Duration = Duration::from_millis(20);

/// An answer, read to its end.
pub struct Received {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) version: reqwest::Version,
    pub(super) address: Option<SocketAddr>,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// The body's first bytes.
    pub(super) head: Vec<u8>,
    /// What is wrong with its character set.
    pub(super) remark: Option<String>,
    json: OnceLock<Option<Json>>,
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

    /// The body as JSON, when it is; parsed when somebody asks.
    #[must_use]
    pub fn json(&self) -> Option<&Json> {
        self.json
            .get_or_init(|| serde_json::from_str(self.text.trim_start_matches('\u{feff}')).ok())
            .as_ref()
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
        Again::Maybe {
            after: self.retry_after(),
        }
    }

    /// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3). A date is compared with the
    /// answer's own, so that it does not matter what our clock says.
    fn retry_after(&self) -> Option<Duration> {
        let text = |name: HeaderName| self.headers.get(name)?.to_str().ok();
        let wish = text(RETRY_AFTER)?.trim();
        if let Ok(seconds) = wish.parse() {
            return Some(Duration::from_secs(seconds).min(LONGEST_WISH));
        }
        let date = |text: &str| {
            let moment = httpdate::parse_http_date(text.trim()).ok()?;
            moment.duration_since(UNIX_EPOCH).ok()
        };
        let wait = date(wish)?.saturating_sub(date(text(DATE)?)?);
        Some(wait.min(LONGEST_WISH))
    }
}

impl HttpProbe {
    /// One attempt within its time; `number` counts from 0.
    pub(super) async fn attempt(
        &self,
        run: &RunContext,
        number: u32,
        cookies: &Arc<Jar>,
    ) -> Result<Received, Fault> {
        let fresh;
        let kept = if let Some(cell) = &self.kept {
            cell.get_or_try_init(|| async { self.client(run) }).await?
        } else {
            fresh = self.client(run)?;
            &fresh
        };
        kept.cookies.take(cookies);
        let began = Instant::now();
        let limit = run.deadline.min(began + self.attempt_timeout);
        if let Ok(result) = timeout_at(limit, self.authorized(run, number, kept, limit)).await {
            return result;
        }
        let tls_began = kept
            .tls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .began
            .is_some();
        let limit = format_duration(self.limit_as_set(run, number, limit.duration_since(began)));
        let phases = kept.trace.snapshot();
        let host = match &kept.proxy {
            Some(proxy) if phases.connected.is_none() && !tls_began => format!("the proxy {proxy}"),
            _ => phases.host.clone(),
        };
        Err(Fault::passing(phases.waiting_for(&host, tls_began, &limit)))
    }

    /// The time-out as the user set it, for messages; what was really left for a retry.
    fn limit_as_set(&self, run: &RunContext, number: u32, left: Duration) -> Duration {
        let set = self.attempt_timeout.min(run.check.timeout);
        // The run began a moment before the attempt, to make ready for it; in a chain, earlier
        // steps have used their part.
        match number {
            0 if self.base.is_none() || left >= set * 3 / 4 => set,
            _ => Duration::from_millis(left.as_millis() as u64),
        }
    }

    /// The exchange, with a token where one is wanted. A refused one is thrown away, and a new
    /// one is tried once.
    async fn authorized(
        &self,
        run: &RunContext,
        number: u32,
        kept: &Kept,
        limit: Instant,
    ) -> Result<Received, Fault> {
        let Some(Auth::Token(oauth)) = &self.auth else {
            return self.exchange(run, number, kept, None).await;
        };
        let asking = run.with(limit - MARGIN.min(limit.saturating_duration_since(Instant::now())));
        kept.trace.waits_for_token(oauth.name());
        let (key, token) = oauth.token(&asking).await?;
        let received = self.exchange(run, number, kept, Some(&token)).await?;
        if received.status != StatusCode::UNAUTHORIZED {
            return Ok(received);
        }
        run.services.tokens.throw_away(key, &token);
        kept.trace.waits_for_token(oauth.name());
        let (_, token) = oauth.token(&asking).await?;
        self.exchange(run, number, kept, Some(&token)).await
    }

    async fn exchange(
        &self,
        run: &RunContext,
        number: u32,
        kept: &Kept,
        token: Option<&Token>,
    ) -> Result<Received, Fault> {
        let scope = scope(run, &run.captured);
        let mut hop = Hop::first(self.filled_url(&scope)?, self.method.clone());
        let began = Instant::now();
        kept.trace.begin(&hop.url);
        loop {
            refuse_denied_literal(&hop.url, &run.services)?;
            let request = self.request(kept, &hop, number, token, &scope)?;
            let address = hop.address();
            let response = request.send().await.map_err(|error| {
                kept.refused_certificate()
                    .unwrap_or_else(|| no_answer(error, &address, kept.proxy.as_deref()))
            })?;
            if let Some(proxy) = kept.proxy.as_deref()
                && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            {
                return Err(Fault::ours(format!(
                    "the proxy {proxy} wants other credentials: it answers 407"
                )));
            }
            match hop.next(&response, self.redirects)? {
                Some(next) => {
                    kept.trace.hop(response.status().as_u16(), &next.url);
                    hop = next;
                }
                None => return self.finish(response, kept, &address, began).await,
            }
        }
    }

    /// Reads the answer to its end.
    async fn finish(
        &self,
        response: Response,
        kept: &Kept,
        address: &str,
        began: Instant,
    ) -> Result<Received, Fault> {
        let phases = kept.trace.snapshot();
        let headers_came = Instant::now();
        let (url, status, version) = (response.url().to_string(), response.status(), response.version());
        let (remote, headers) = (response.remote_addr(), response.headers().clone());
        let noted = |bytes| kept.trace.has_read(bytes);
        let body = read_body(response, address, self.max_body, "`max_body`", noted).await?;
        let (download_time, response_time) = (headers_came.elapsed(), began.elapsed());
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let Decoded { text, remark } = decode(&body, content_type);
        Ok(Received {
            url,
            status,
            version,
            address: remote,
            text,
            head: body[..body.len().min(HEAD_BYTES)].to_vec(),
            remark,
            json: OnceLock::new(),
            body_size: body.len() as u64,
            headers,
            response_time,
            first_byte_time: headers_came.duration_since(phases.connected.unwrap_or(began)),
            download_time,
            certificate_expires: kept
                .tls
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .chain_expires,
            phases,
        })
    }
}

/// The body, unpacked while it comes, so that a bomb is noticed before it takes room. `bound`
/// is what the user knows `most` as; `noted` is told how much has come.
///
/// # Errors
/// When it is larger, or breaks off.
pub(crate) async fn read_body(
    response: Response,
    address: &str,
    most: u64,
    bound: &str,
    noted: impl Fn(usize),
) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    noted(0);
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| half_an_answer(error, address, body.len()))?;
        if (body.len() + chunk.len()) as u64 > most {
            return Err(Fault::lasting(format!(
                "the answer is larger than {bound} ({most} bytes)"
            )));
        }
        body.extend_from_slice(&chunk);
        noted(body.len());
    }
    Ok(body)
}
