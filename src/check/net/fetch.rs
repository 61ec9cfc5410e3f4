//! One GET for kinds that ask a service something over HTTP: our names, policy, TLS and phases,
//! a bounded answer, every fault in words.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use serde_json::Value as Json;
use url::Url;

use super::fault::{Fault, FaultError};
use super::tls::{TlsRecord, TlsSettings};
use crate::check::Services;
use crate::check::attempt::Limit;
use crate::check::http::{
    CheckedResolver, Trace, built, client_builder, decode, no_answer, read_body, refuse_denied_literal,
};
use crate::model::Timestamp;

/// What is asked, and how.
#[derive(Debug)]
pub struct Ask<'a> {
    /// Where to; http or https.
    pub url: &'a Url,
    /// Sent along, `authorization` included.
    pub headers: HeaderMap,
    /// What is wanted of TLS.
    pub tls: &'a TlsSettings,
    /// How many redirects are followed.
    pub redirects: usize,
    /// The largest answer that is read, unpacked.
    pub longest_bytes: u64,
}

/// What came back.
#[derive(Debug)]
pub struct Fetched {
    /// The HTTP status, whatever it is.
    pub status: u16,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON, when it is.
    pub json: Option<Json>,
    /// Who answered, after redirects.
    pub url: Url,
    /// The address that answered.
    pub address: Option<SocketAddr>,
    /// Making the connection, without DNS.
    pub connect_time: Option<Duration>,
    /// From asking DNS to the end of the answer.
    pub response_time: Duration,
    /// When the first certificate of the chain to expire does so; none without TLS.
    pub certificate_expires: Option<Timestamp>,
}

/// Asks once, over a connection of its own, within the attempt's time.
///
/// # Errors
/// Why there is no answer. An answer with a status of 400 and above is one.
pub async fn get_json(ask: Ask<'_>, services: &Arc<Services>, limit: &Limit) -> Result<Fetched, Fault> {
    let (trace, record) = (Trace::default(), TlsRecord::default());
    let host = ask.url.host_str().unwrap_or_default().to_owned();
    let exchange = exchange(ask, services, limit, &trace, &record);
    limit
        .wait(exchange, |time| {
            let tls_began = record.lock().unwrap_or_else(PoisonError::into_inner).began;
            trace.snapshot().waiting_for(&host, tls_began.is_some(), time)
        })
        .await
}

async fn exchange(
    ask: Ask<'_>,
    services: &Arc<Services>,
    limit: &Limit,
    trace: &Trace,
    record: &TlsRecord,
) -> Result<Fetched, Fault> {
    refuse_denied_literal(ask.url, services)?;
    trace.begin(ask.url);
    let resolver = CheckedResolver::new(services, trace);
    let builder = client_builder(ask.tls, record, resolver, &["h2", "http/1.1"])?
        .redirect(redirect_policy(ask.redirects, services, trace))
        .pool_max_idle_per_host(0);
    let client = built(builder)?;
    let port = ask.url.port_or_known_default().unwrap_or(0);
    let address = format!("{}:{port}", ask.url.host_str().unwrap_or_default());
    let response = client
        .get(ask.url.clone())
        .headers(ask.headers)
        .send()
        .await
        .map_err(|error| no_answer(error, &address, None))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let (url, remote) = (response.url().clone(), response.remote_addr());
    let noted = |bytes| trace.has_read(bytes);
    let body = read_body(response, &address, ask.longest_bytes, "what is read of it", noted).await?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let text = decode(&body, content_type).text;
    Ok(Fetched {
        status,
        headers,
        json: serde_json::from_str(&text).ok(),
        text,
        url,
        address: remote,
        connect_time: trace.snapshot().connect,
        response_time: limit.began.elapsed(),
        certificate_expires: record
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .chain_expires,
    })
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
