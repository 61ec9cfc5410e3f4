//! HTTP to receivers of messages.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::RETRY_AFTER;

use crate::check::net::tls::{TlsRecord, TlsRoots, TlsSettings};
use crate::model::AttemptResult;

/// One delivery may take this long.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// A receiver's wish to wait is honoured up to this.
const LONGEST_WISH: Duration = Duration::from_hours(1);
/// So much of an answer is read.
const LONGEST_ANSWER_BYTES: usize = 16 * 1024;

/// What all senders share.
pub struct Transport {
    client: Client,
}

/// What a receiver said.
pub struct Said {
    /// The status code.
    pub status: u16,
    /// The body, cut to a bound.
    pub body: String,
    /// `Retry-After`, when it was sent.
    pub after: Option<Duration>,
}

impl Transport {
    /// A client with the platform's roots.
    ///
    /// # Errors
    /// When this machine has none; in words for people.
    pub fn new(roots: &TlsRoots) -> Result<Self, String> {
        let config = TlsSettings::default().client_config(roots, &TlsRecord::default())?;
        Client::builder()
            .tls_backend_preconfigured(config)
            .timeout(SEND_TIMEOUT)
            .connect_timeout(SEND_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("haetae/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(|client| Self { client })
            .map_err(|error| format!("no HTTP client can be made: {}", error.without_url()))
    }

    /// The client, for requests that need more than [`Transport::post`].
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// What to do about it, when there was no answer.
    pub async fn post(&self, url: &str, body: String) -> Result<Said, AttemptResult> {
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json; charset=utf-8")
            .body(body);
        self.exchange(request).await
    }

    /// Sends any request and reads the answer within bounds.
    ///
    /// # Errors
    /// What to do about it, when there was no answer.
    pub async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Said, AttemptResult> {
        let response = request.send().await.map_err(no_answer)?;
        Ok(read(response).await)
    }
}

/// Reads an answer within bounds.
pub async fn read(mut response: reqwest::Response) -> Said {
    let status = response.status().as_u16();
    let after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WISH));
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER_BYTES {
            body.truncate(LONGEST_ANSWER_BYTES);
            break;
        }
    }
    Said {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
        after,
    }
}

/// What no answer means for a delivery: the address may be the secret, so it is not named.
#[must_use]
pub fn no_answer(error: reqwest::Error) -> AttemptResult {
    let error = error.without_url();
    let why = match crate::check::net::fault::Fault::from_chain(&error, "the receiver") {
        Some(fault) => fault.what,
        None if error.is_timeout() => "the receiver did not answer within 10s".to_owned(),
        None => format!("no answer: {error}"),
    };
    AttemptResult::Retry { after: None, why }
}

/// Whether a status may pass by itself.
#[must_use]
pub fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429) || status >= 500
}
