//! When each phase of an exchange began and ended.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::Instant;
use tower::{Layer, Service};
use url::{Host, Url};

use super::{IpVersion, Shared};
use crate::check::Services;
use crate::check::net::fault::{Fault, FaultError};
use crate::check::net::tls::TlsRecord;

/// What was noted of one attempt.
#[derive(Debug, Default, Clone)]
pub struct Phases {
    /// Asking DNS, over all hops; none when no name had to be resolved.
    pub dns: Option<Duration>,
    /// Making the connection; none when one was reused.
    pub connect: Option<Duration>,
    /// The TLS handshake; none without one.
    pub tls: Option<Duration>,
    /// When the last connection stood.
    pub connected: Option<Instant>,
    /// Redirects followed: `302 → https://…`.
    pub hops: Vec<String>,
    /// The host that is asked, with its port.
    pub host: String,
    /// How much of the body has come; none before the headers have.
    read: Option<usize>,
    /// The endpoint that a token is awaited from.
    token_from: Option<String>,
    resolving: Option<(String, Instant)>,
    port: u16,
}

/// Where the phases of an attempt are noted.
#[derive(Clone, Default)]
pub struct Trace(Shared<Phases>);

impl Trace {
    /// Forgets the attempt before.
    pub fn begin(&self, url: &Url) {
        let port = url.port_or_known_default().unwrap_or(0);
        *self.lock() = Phases {
            port,
            host: host_of(url, port),
            ..Phases::default()
        };
    }

    /// What is noted so far.
    #[must_use]
    pub fn snapshot(&self) -> Phases {
        self.lock().clone()
    }

    /// Notes a redirect.
    pub fn hop(&self, status: u16, url: &Url) {
        let mut phases = self.lock();
        phases.hops.push(format!("{status} → {url}"));
        phases.port = url.port_or_known_default().unwrap_or(0);
        phases.host = host_of(url, phases.port);
        phases.connected = None;
    }

    /// Notes how much of the body has come.
    pub fn has_read(&self, bytes: usize) {
        self.lock().read = Some(bytes);
    }

    /// Notes that a token is awaited from there.
    pub fn waits_for_token(&self, endpoint: String) {
        *self.lock() = Phases {
            token_from: Some(endpoint),
            ..Phases::default()
        };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Phases> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn host_of(url: &Url, port: u16) -> String {
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

impl Phases {
    /// What an attempt that ran out of time was waiting for.
    #[must_use]
    pub fn waiting_for(&self, host: &str, tls_began: bool, limit: &str) -> String {
        if let Some(endpoint) = &self.token_from {
            return format!("{endpoint} gives no token within {limit}");
        }
        if let Some(bytes) = self.read {
            return format!(
                "{host} did not finish its answer within {limit} ({bytes} bytes of the body had come)"
            );
        }
        if let Some((name, _)) = &self.resolving {
            return format!("the name {name} was not resolved within {limit}");
        }
        if self.connected.is_some() {
            return format!("{host} did not answer within {limit} (connected, no response yet)");
        }
        if tls_began {
            return format!("{host} did not finish the TLS handshake within {limit}");
        }
        format!("no connection to {host} within {limit}")
    }
}

/// Resolves names for one check, notes the time, and refuses denied addresses.
pub struct CheckedResolver {
    /// Where to note.
    pub trace: Trace,
    /// DNS and the address policy.
    pub services: Arc<Services>,
    /// Only these addresses.
    pub(super) ip: Option<IpVersion>,
    /// Instead of asking.
    pub(super) resolve_to: Option<IpAddr>,
}

impl CheckedResolver {
    /// Every address that the policy allows.
    #[must_use]
    pub fn new(services: &Arc<Services>, trace: &Trace) -> Self {
        Self {
            trace: trace.clone(),
            services: Arc::clone(services),
            ip: None,
            resolve_to: None,
        }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let trace = self.trace.clone();
        let services = Arc::clone(&self.services);
        let (ip, resolve_to) = (self.ip, self.resolve_to);
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let began = Instant::now();
            let port = {
                let mut phases = trace.lock();
                phases.resolving = Some((name.clone(), began));
                phases.port
            };
            let found = match resolve_to {
                Some(address) => Ok(vec![address]),
                None => services.dns.resolve(&name).await,
            };
            {
                let mut phases = trace.lock();
                phases.resolving = None;
                let spent = phases.dns.unwrap_or_default() + began.elapsed();
                phases.dns = Some(spent);
            }
            let allowed = found
                .and_then(|addresses| keep_version(addresses, ip, &name))
                .and_then(|addresses| keep_allowed(&addresses, port, &services))
                .map_err(FaultError)?;
            let addresses: Addrs = Box::new(allowed.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

pub(super) fn keep_version(
    addresses: Vec<IpAddr>,
    ip: Option<IpVersion>,
    name: &str,
) -> Result<Vec<IpAddr>, Fault> {
    let kept: Vec<IpAddr> = addresses
        .into_iter()
        .filter(|address| match ip {
            None => true,
            Some(IpVersion::V4) => address.is_ipv4(),
            Some(IpVersion::V6) => address.is_ipv6(),
        })
        .collect();
    if kept.is_empty() {
        return Err(Fault::lasting(format!(
            "the name {name} has no address of the wanted version"
        )));
    }
    Ok(kept)
}

fn keep_allowed(addresses: &[IpAddr], port: u16, services: &Services) -> Result<Vec<IpAddr>, Fault> {
    let mut refusal = String::new();
    let allowed: Vec<IpAddr> = addresses
        .iter()
        .copied()
        .filter(|address| match services.targets.refusal(*address, port) {
            Some(why) => {
                refusal = why;
                false
            }
            None => true,
        })
        .collect();
    if allowed.is_empty() {
        return Err(Fault::ours(refusal));
    }
    Ok(allowed)
}

/// Refuses a URL whose host is a denied address as it stands.
///
/// # Errors
/// Our own fault, since the settings say no.
pub fn refuse_denied_literal(url: &Url, services: &Services) -> Result<(), Fault> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        _ => return Ok(()),
    };
    let port = url.port_or_known_default().unwrap_or(0);
    match services.targets.refusal(address, port) {
        Some(why) => Err(Fault::ours(why)),
        None => Ok(()),
    }
}

/// Notes when connections begin and stand.
#[derive(Clone)]
pub struct TimedConnections {
    /// Where to note.
    pub trace: Trace,
    /// Knows when the handshake began.
    pub tls: TlsRecord,
}

impl<S> Layer<S> for TimedConnections {
    type Service = Timed<S>;
    fn layer(&self, inner: S) -> Timed<S> {
        Timed {
            inner,
            notes: self.clone(),
        }
    }
}

/// A connector that notes its times.
#[derive(Clone)]
pub struct Timed<S> {
    inner: S,
    notes: TimedConnections,
}

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let notes = self.notes.clone();
        let began = Instant::now();
        let dns_before = notes.trace.lock().dns.unwrap_or_default();
        lock(&notes.tls).began = None;
        let connecting = self.inner.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            let now = Instant::now();
            let tls_began = lock(&notes.tls).began;
            let mut phases = notes.trace.lock();
            let dns = phases.dns.unwrap_or_default().saturating_sub(dns_before);
            let connect = tls_began.unwrap_or(now).duration_since(began).saturating_sub(dns);
            phases.connect = Some(phases.connect.unwrap_or_default() + connect);
            if let Some(tls_began) = tls_began {
                phases.tls = Some(phases.tls.unwrap_or_default() + now.duration_since(tls_began));
            }
            phases.connected = Some(now);
            Ok(connection)
        })
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_for_is_told_by_phase() {
        let now = Instant::now();
        let resolving = Phases {
            resolving: Some(("pg.example".into(), now)),
            ..Phases::default()
        };
        let connected = Phases {
            connected: Some(now),
            ..Phases::default()
        };
        let reading = Phases {
            read: Some(17),
            ..connected.clone()
        };
        let token = Phases {
            token_from: Some("the token endpoint https://auth.example/".into()),
            ..Phases::default()
        };
        for (phases, tls_began, what) in [
            (
                &resolving,
                false,
                "the name pg.example was not resolved within 3s",
            ),
            (&Phases::default(), false, "no connection to pg:443 within 3s"),
            (
                &Phases::default(),
                true,
                "pg:443 did not finish the TLS handshake within 3s",
            ),
            (
                &connected,
                true,
                "pg:443 did not answer within 3s (connected, no response yet)",
            ),
            (
                &reading,
                true,
                "pg:443 did not finish its answer within 3s (17 bytes of the body had come)",
            ),
            (
                &token,
                false,
                "the token endpoint https://auth.example/ gives no token within 3s",
            ),
        ] {
            assert_eq!(phases.waiting_for("pg:443", tls_began, "3s"), what);
        }
    }
}
