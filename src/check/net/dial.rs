//! Connections for kinds that speak their protocol themselves: names resolved, denied
//! addresses refused, each phase timed, each failure in words.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::fault::Fault;
use super::secure::{Handshake, TlsWish};
use crate::check::Services;
use crate::check::attempt::Limit;
use crate::decode::{Node, Problem, Reader};
use crate::model::{Outcome, Quantity, RunScope, Text, Timestamp, Unit};

/// A host with a port, as it stands in the configuration.
#[derive(Debug, Clone)]
pub struct Address {
    text: Text,
    default_port: Option<u16>,
}

impl Address {
    /// Reads `mail.example:25` or `[::1]:6379`; the port may be left out where there is a
    /// `default_port`.
    pub fn read(node: &Node, default_port: Option<u16>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node)?;
        let constant = text.constant().filter(|_| !text.holds_secret());
        if constant.is_some_and(|address| split(&address, default_port).is_none()) {
            let (wanted, examples) = match default_port {
                Some(_) => ("a host, with or without a port", "`mail.example` or `[::1]:6379`"),
                None => ("a host with a port", "`mail.example:25` or `[::1]:6379`"),
            };
            reader.report(
                Problem::error(&node.place, format!("`{text}` is not {wanted}"))
                    .hint(format!("write for example {examples}")),
            );
            return None;
        }
        Some(Self { text, default_port })
    }

    /// The host as far as it is known at load, for the retry budget.
    #[must_use]
    pub fn host(&self) -> String {
        self.text
            .constant()
            .and_then(|text| Some(split(&text, self.default_port)?.0.to_owned()))
            .unwrap_or_default()
    }

    /// Host and port of one run.
    ///
    /// # Errors
    /// Our own fault when a value is missing or does not make an address.
    pub fn fill(&self, scope: &RunScope<'_>) -> Result<Peer, Fault> {
        let text = self
            .text
            .fill(scope)
            .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
        let (host, port) = split(&text, self.default_port)
            .ok_or_else(|| Fault::ours(format!("`{}` does not make a host with a port", self.text)))?;
        Ok(Peer {
            host: host.to_owned(),
            port,
        })
    }
}

fn split(address: &str, default_port: Option<u16>) -> Option<(&str, u16)> {
    let bare = |host: &'_ str| default_port.map(|port| (host.len(), port));
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') && (!host.contains(':') || host.starts_with('[')) => {
            (host, port.parse().ok().filter(|port| *port > 0)?)
        }
        _ => (address, bare(address)?.1),
    };
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None => host,
    };
    let sound = !host.is_empty() && !host.contains(['/', ' ', '@', '[', ']']);
    sound.then_some((host, port))
}

/// Whom a connection is made to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A connection as it was made.
#[derive(Debug)]
pub struct Dialed<S> {
    /// What is talked over.
    pub stream: S,
    /// The address that took the connection.
    pub remote: SocketAddr,
    /// How long the name took to resolve.
    pub dns_time: Duration,
    /// How long the connection took, without DNS.
    pub connect_time: Duration,
    /// What was seen of TLS, where it was spoken.
    pub tls: Option<Handshake>,
}

impl<S> Dialed<S> {
    /// What was noted, apart from the stream.
    pub fn split(self) -> (Dialed<()>, S) {
        let noted = Dialed {
            stream: (),
            remote: self.remote,
            dns_time: self.dns_time,
            connect_time: self.connect_time,
            tls: self.tls,
        };
        (noted, self.stream)
    }

    /// The same connection with `stream` in place of its own.
    pub fn over<T>(self, stream: T, tls: Option<Handshake>) -> Dialed<T> {
        Dialed {
            stream,
            remote: self.remote,
            dns_time: self.dns_time,
            connect_time: self.connect_time,
            tls,
        }
    }

    /// Notes `connect_time`, `certificate_left` and the address.
    pub fn measure(&self, outcome: &mut Outcome, now: Timestamp) {
        outcome.measure("connect_time", Quantity::time(self.connect_time));
        outcome.fact("address", self.remote.to_string());
        if let Some(tls) = &self.tls {
            outcome.fact("tls", tls.version.clone());
            measure_certificate_left(tls.chain_expires, outcome, now);
        }
    }
}

/// Notes how long the chain is valid yet; negative when it is not any more.
pub fn measure_certificate_left(expires: Option<Timestamp>, outcome: &mut Outcome, now: Timestamp) {
    let Some(expires) = expires else { return };
    let left_us = (expires.as_unix_us() - now.as_unix_us()) as f64;
    outcome.measure(
        "certificate_left",
        Quantity {
            value: left_us / 1_000.0,
            unit: Unit::Ms,
        },
    );
}

/// Resolves the peer's name and leaves out what must not be asked.
///
/// # Errors
/// The target's fault when the name does not resolve, ours when all of it is denied.
pub async fn addresses_of(peer: &Peer, services: &Services) -> Result<Vec<IpAddr>, Fault> {
    let mut refusal = None;
    let mut allowed = services.dns.resolve(&peer.host).await?;
    allowed.retain(|address| {
        let why = services.targets.refusal(*address, peer.port);
        let fine = why.is_none();
        refusal = why.or(refusal.take());
        fine
    });
    match refusal {
        Some(why) if allowed.is_empty() => Err(Fault::ours(why)),
        _ => Ok(allowed),
    }
}

/// Connects within the attempt's time: each address in turn until one takes it.
///
/// # Errors
/// Why there is no connection, in words for people.
pub async fn dial(peer: &Peer, services: &Services, limit: &Limit) -> Result<Dialed<TcpStream>, Fault> {
    let began = Instant::now();
    let addresses = limit
        .wait(addresses_of(peer, services), |time| {
            format!("the name {} was not resolved within {time}", peer.host)
        })
        .await?;
    let dns_time = began.elapsed();
    let connecting = async {
        let mut last = Fault::passing(format!("no connection to {peer}"));
        for address in addresses {
            let remote = SocketAddr::new(address, peer.port);
            let began = Instant::now();
            match TcpStream::connect(remote).await {
                Ok(stream) => {
                    // A dialogue of small messages must not wait for company.
                    let _ = stream.set_nodelay(true);
                    return Ok(Dialed {
                        stream,
                        remote,
                        dns_time,
                        connect_time: began.elapsed(),
                        tls: None,
                    });
                }
                Err(error) => last = closed(&error, &peer.to_string()),
            }
        }
        Err(last)
    };
    limit
        .wait(connecting, |time| {
            format!("no connection to {peer} within {time}")
        })
        .await
}

/// What a failed read or write says of a connection.
#[must_use]
pub fn closed(error: &std::io::Error, address: &str) -> Fault {
    Fault::from_chain(error, address)
        .unwrap_or_else(|| Fault::passing(format!("the connection to {address} failed: {error}")))
}

/// A connection, with or without TLS.
#[derive(Debug)]
pub enum Wire {
    /// As it is.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects, and speaks TLS from the start where that is wished.
///
/// # Errors
/// Why there is no connection, in words for people.
pub async fn dial_wire(
    peer: &Peer,
    tls: Option<&TlsWish>,
    alpn: &[&str],
    services: &Services,
    limit: &Limit,
) -> Result<Dialed<Wire>, Fault> {
    let (noted, stream) = dial(peer, services, limit).await?.split();
    let Some(wish) = tls else {
        return Ok(noted.over(Wire::Plain(stream), None));
    };
    let (stream, shown) = wish.secure(stream, peer, alpn, services, limit).await?;
    Ok(noted.over(Wire::Tls(Box::new(stream)), Some(shown)))
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for (text, default, parts) in [
            ("mail.example:25", None, Some(("mail.example", 25))),
            ("[::1]:6379", None, Some(("::1", 6379))),
            ("mail.example", None, None),
            ("mail.example", Some(25), Some(("mail.example", 25))),
            ("[::1]", Some(25), Some(("::1", 25))),
            ("::1", Some(25), Some(("::1", 25))),
            (":25", None, None),
            ("h:0", None, None),
            ("http://h:80", None, None),
            ("user@h", Some(1), None),
            ("h:99999", Some(1), None),
        ] {
            assert_eq!(split(text, default), parts, "{text}");
        }
    }
}
