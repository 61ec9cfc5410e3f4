//! TLS as checks wish it: whom they trust, the name they expect, and what a handshake showed.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::dial::Peer;
use super::fault::Fault;
use super::tls::{ChainSeen, Identity, TlsRecord, TlsSettings};
use crate::check::attempt::Limit;
use crate::check::{Services, http};
use crate::decode::{Fields, Key, Reader, Shape};
use crate::model::Timestamp;

/// `server_name:` beside an address.
pub const SERVER_NAME: Key = Key::new(
    "server_name",
    Shape::Plain,
    "The name the certificate must have; the address's host without it.",
);

/// `ca:` beside an address.
pub const CA: Key = Key::new(
    "ca",
    Shape::Text,
    "Certificates (PEM) that are trusted besides the platform's: `${file:ca.pem}`.",
);

/// `insecure_tls:` beside an address.
pub const INSECURE_TLS: Key = Key::or("insecure_tls", Shape::Boolean, "false", "Accept any certificate.");

/// What a TLS handshake showed.
#[derive(Debug, Clone, Default)]
pub struct Handshake {
    /// How long it took.
    pub took: Duration,
    /// When the first certificate of the chain to expire does so.
    pub chain_expires: Option<Timestamp>,
    /// `TLS 1.3`
    pub version: String,
    /// What was agreed on with ALPN.
    pub protocol: Option<String>,
    /// `TLS13_AES_256_GCM_SHA384`
    pub cipher: String,
    /// What the chain says.
    pub chain: Option<ChainSeen>,
}

impl Handshake {
    /// The version as a number: 1.3.
    #[must_use]
    pub fn version_number(&self) -> Option<f64> {
        self.version.strip_prefix("TLS ")?.parse().ok()
    }
}

/// What a check wants of TLS, beside its address.
#[derive(Debug)]
pub struct TlsWish {
    settings: TlsSettings,
    server_name: Option<String>,
}

/// Reads [`CA`] and [`INSECURE_TLS`].
pub fn read_tls(fields: &Fields<'_>, reader: &mut Reader<'_>) -> TlsSettings {
    TlsSettings {
        extra_roots: fields
            .get(CA.name)
            .and_then(|node| http::read_roots(node, reader))
            .unwrap_or_default(),
        insecure: fields
            .get(INSECURE_TLS.name)
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false),
        ..TlsSettings::default()
    }
}

impl TlsWish {
    /// Reads [`SERVER_NAME`], [`CA`] and [`INSECURE_TLS`].
    pub fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self::with_identity(fields, None, reader)
    }

    /// The same, with a certificate of ours.
    pub fn with_identity(fields: &Fields<'_>, identity: Option<Identity>, reader: &mut Reader<'_>) -> Self {
        Self {
            settings: TlsSettings {
                identity: identity.map(Arc::new),
                ..read_tls(fields, reader)
            },
            server_name: fields.get(SERVER_NAME.name).and_then(|node| reader.plain(node)),
        }
    }

    /// Shakes hands over a connection. `alpn` names the protocols that are offered.
    ///
    /// # Errors
    /// Why there is no TLS, in words for people.
    pub async fn secure<S>(
        &self,
        stream: S,
        peer: &Peer,
        alpn: &[&str],
        services: &Services,
        limit: &Limit,
    ) -> Result<(TlsStream<S>, Handshake), Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let record = TlsRecord::default();
        self.shake(stream, peer, alpn, services, limit, &record).await
    }

    /// The same, with a record that keeps what was shown even when the handshake fails.
    ///
    /// # Errors
    /// Why there is no TLS, in words for people.
    pub async fn shake<S>(
        &self,
        stream: S,
        peer: &Peer,
        alpn: &[&str],
        services: &Services,
        limit: &Limit,
        record: &TlsRecord,
    ) -> Result<(TlsStream<S>, Handshake), Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut config = self
            .settings
            .client_config(&services.roots, record)
            .map_err(Fault::ours)?;
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(self.name(peer).to_owned())
            .map_err(|_| Fault::ours(format!("`{}` cannot be a certificate's name", self.name(peer))))?;
        let began = Instant::now();
        let handshake = async {
            TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await
                .map_err(|error| refused(&error, peer, record))
        };
        let stream = limit
            .wait(handshake, |time| {
                format!("{peer} did not finish the TLS handshake within {time}")
            })
            .await?;
        let shown = shown(stream.get_ref().1, began.elapsed(), record);
        Ok((stream, shown))
    }

    /// The name that the certificate must have.
    #[must_use]
    pub fn name<'a>(&'a self, peer: &'a Peer) -> &'a str {
        self.server_name.as_deref().unwrap_or(&peer.host)
    }
}

/// Why there was no handshake; what was refused of the chain is told with its names and times.
fn refused(error: &std::io::Error, peer: &Peer, record: &TlsRecord) -> Fault {
    let seen = record.lock().unwrap_or_else(PoisonError::into_inner);
    match &seen.refusal {
        Some(why) => Fault::lasting(why.clone()),
        None => Fault::from_chain(error, &peer.to_string())
            .unwrap_or_else(|| Fault::passing(format!("TLS with {peer} failed: {error}"))),
    }
}

fn shown(session: &rustls::ClientConnection, took: Duration, record: &TlsRecord) -> Handshake {
    let seen = record.lock().unwrap_or_else(PoisonError::into_inner);
    Handshake {
        took,
        chain_expires: seen.chain_expires,
        version: match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
            other => format!("{other:?}"),
        },
        protocol: session
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
        cipher: session
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default(),
        chain: seen.chain.clone(),
    }
}
