//! `tls`: shakes hands, verifies chain and name, and looks at how long they hold.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::attempt::{Limit, Manners};
use super::expect::{LEVEL_KEY, USE_THRESHOLDS, broken, read_blocks, refuse};
use super::http::{CLIENT_CERTIFICATE, read_identity, scope};
use super::matcher::{MATCHES, Matcher};
use super::net::dial::{Address, Dialed, Peer, closed, dial, measure_certificate_left};
use super::net::fault::Fault;
use super::net::secure::{CA, Handshake, INSECURE_TLS, SERVER_NAME, TlsWish};
use super::net::starttls::{STARTTLS, StartTls, ask};
use super::net::tls::{ChainSeen, TlsRecord};
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, Timestamp, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "tls",
    doc: "Verifies a server's certificate chain and name, and how long they are valid yet.",
    settings: &TLS,
    expect: &TLS_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("certificate_left", Unit::Ms),
        ("protocol_version", Unit::Count),
        ("handshake_time", Unit::Ms),
        ("connect_time", Unit::Ms),
    ],
    read,
};

static TLS: Spec = Spec {
    name: "tls",
    example: "tls: { address: shop.example }",
    keys: &[
        Key::required(
            "address",
            Shape::Text,
            "Host and port: `shop.example:8443`; without a port 443, or the usual one of `starttls`.",
        ),
        STARTTLS,
        SERVER_NAME,
        Key::new(
            "alpn",
            Shape::OneOrMany(&Shape::Plain),
            "Protocols to offer (ALPN): `[h2, http/1.1]`.",
        ),
        CA,
        INSECURE_TLS,
        Key::new(
            "client_certificate",
            Shape::Object(&CLIENT_CERTIFICATE),
            "A certificate of ours.",
        ),
    ],
};

static TLS_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { protocol_version: 1.3, names: { contains: shop.example } }",
    keys: &[
        Key::new(
            "protocol_version",
            Shape::Ref(&MATCHES),
            "What holds for the version: `1.3`, `{ min: 1.2 }`.",
        ),
        Key::new(
            "alpn",
            Shape::Ref(&MATCHES),
            "What holds for the protocol that was agreed on.",
        ),
        Key::new(
            "names",
            Shape::Ref(&MATCHES),
            "What holds for the list of names the certificate is for.",
        ),
        Key::new(
            "subject",
            Shape::Ref(&MATCHES),
            "What holds for the certificate's subject: `{ contains: shop.example }`.",
        ),
        Key::new(
            "issuer",
            Shape::Ref(&MATCHES),
            "What holds for the certificate's issuer.",
        ),
        LEVEL_KEY,
    ],
};

const EXPECTED: &[&str] = &["protocol_version", "alpn", "names", "subject", "issuer"];

/// After the handshake a server may take so long to say that it refuses our certificate.
const LONGEST_REFUSAL: Duration = Duration::from_secs(1);

struct TlsProbe {
    address: Address,
    manners: Manners,
    starttls: Option<StartTls>,
    wish: TlsWish,
    alpn: Vec<String>,
    has_identity: bool,
    expects: Vec<(Level, Vec<(&'static str, Matcher)>)>,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &TLS, reader)?;
    let starttls = fields
        .get("starttls")
        .and_then(|node| StartTls::read(node, reader));
    let port = starttls.map_or(443, StartTls::usual_port);
    let address = fields
        .get("address")
        .and_then(|node| Address::read(node, Some(port), reader));
    let identity = fields
        .get("client_certificate")
        .and_then(|node| read_identity(node, reader));
    let has_identity = identity.is_some();
    let wish = TlsWish::with_identity(&fields, identity, reader);
    let alpn = fields
        .get("alpn")
        .map(|node| reader.one_or_many(node, Reader::plain))
        .unwrap_or_default();
    refuse(blocks.measure, "tls", "measure", USE_THRESHOLDS, reader);
    let expects = read_blocks(blocks.expect, &TLS_EXPECT, reader, |fields, reader| {
        if let (Some(node), true) = (fields.get("alpn"), alpn.is_empty()) {
            reader.error(
                node,
                "nothing is agreed on without `alpn` in `tls:`, which offers it",
            );
        }
        read_matchers(fields, reader)
    });
    let address = address?;
    let probe = TlsProbe {
        manners: Manners::new(blocks, address.host()),
        address,
        starttls,
        wish,
        alpn,
        has_identity,
        expects,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_matchers(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<(&'static str, Matcher)> {
    EXPECTED
        .iter()
        .filter_map(|name| Some((*name, Matcher::read(fields.get(name)?, reader)?)))
        .collect()
}

/// A connection whose other side showed a certificate.
struct Shaken {
    connection: Dialed<()>,
    /// What the certificate is for, as far as it could be read.
    chain: Option<ChainSeen>,
    chain_expires: Option<Timestamp>,
    handshake: Result<Handshake, Fault>,
}

#[async_trait]
impl Probe for TlsProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(
                run,
                |limit| self.attempt(run, limit),
                |shaken| self.look(run, &shaken),
            )
            .await
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl TlsProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Shaken, Fault> {
        let captured = BTreeMap::new();
        let peer = self.address.fill(&scope(run, &captured))?;
        let mut plain = dial(&peer, &run.services, &limit).await?;
        if let Some(protocol) = self.starttls {
            plain = ask(plain, protocol, &peer, &limit).await?;
        }
        let (connection, stream) = plain.split();
        let alpn: Vec<&str> = self.alpn.iter().map(String::as_str).collect();
        let record = TlsRecord::default();
        let shaking = self
            .wish
            .shake(stream, &peer, &alpn, &run.services, &limit, &record);
        let handshake = match shaking.await {
            Ok((stream, shown)) if self.has_identity => is_taken(stream, &peer, &limit).await.map(|()| shown),
            Ok((_, shown)) => Ok(shown),
            Err(fault) => Err(fault),
        };
        let seen = record.lock().unwrap_or_else(PoisonError::into_inner);
        match handshake {
            // Without a certificate there is nothing to look at beside the fault.
            Err(fault) if seen.chain.is_none() || fault.passing => Err(fault),
            handshake => Ok(Shaken {
                connection,
                chain: seen.chain.clone(),
                chain_expires: seen.chain_expires,
                handshake,
            }),
        }
    }

    fn look(&self, run: &RunContext, shaken: &Shaken) -> Outcome {
        let mut outcome = match &shaken.handshake {
            Ok(_) => Outcome::seen(),
            Err(fault) => fault.clone().into_outcome(),
        };
        shaken.connection.measure(&mut outcome, run.started);
        measure_certificate_left(shaken.chain_expires, &mut outcome, run.started);
        if let Ok(handshake) = &shaken.handshake {
            outcome.measure("handshake_time", Quantity::time(handshake.took));
            if let Some(version) = handshake.version_number() {
                outcome.measure("protocol_version", Quantity::count(version));
            }
        }
        shaken.tell(&mut outcome);
        if shaken.handshake.is_ok() {
            self.expect(run, shaken, &mut outcome);
        }
        outcome
    }

    fn expect(&self, run: &RunContext, shaken: &Shaken, outcome: &mut Outcome) {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        for (level, matchers) in &self.expects {
            for (name, matcher) in matchers {
                match matcher.broken(what_of(name), shaken.value(name).as_ref(), &scope) {
                    Ok(lines) => outcome
                        .broken
                        .extend(lines.into_iter().map(|line| broken(*level, line))),
                    Err(unfilled) => {
                        *outcome = Outcome::not_measured(unfilled.to_string());
                        return;
                    }
                }
            }
        }
    }
}

/// What an expectation is about, for people.
fn what_of(name: &str) -> &'static str {
    match name {
        "protocol_version" => "the protocol version",
        "alpn" => "the ALPN protocol",
        "names" => "the list of names",
        "subject" => "the subject",
        _ => "the issuer",
    }
}

impl Shaken {
    /// What an expectation looks at.
    fn value(&self, name: &str) -> Option<Json> {
        let handshake = self.handshake.as_ref().ok()?;
        let chain = self.chain.as_ref();
        match name {
            "protocol_version" => handshake.version_number().map(Json::from),
            "alpn" => handshake.protocol.clone().map(Json::from),
            "names" => chain.map(|chain| Json::from(chain.names.clone())),
            "subject" => chain.map(|chain| Json::from(chain.subject.clone())),
            _ => chain.map(|chain| Json::from(chain.issuer.clone())),
        }
    }

    /// Notes what a reader wants to know of the certificate.
    fn tell(&self, outcome: &mut Outcome) {
        const MOST_SHOWN: usize = 10;
        if let Some(chain) = &self.chain {
            outcome.fact("subject", chain.subject.clone());
            outcome.fact("issuer", chain.issuer.clone());
            let mut names = chain.names[..chain.names.len().min(MOST_SHOWN)].join(", ");
            if chain.names.len() > MOST_SHOWN {
                names.push_str(&format!(" and {} more", chain.names.len() - MOST_SHOWN));
            }
            outcome.fact("names", names);
            outcome.fact("valid from", chain.valid_from.to_string());
            outcome.fact("valid until", chain.valid_until.to_string());
            outcome.fact("certificates sent", chain.length.to_string());
        }
        if let Some(expires) = self.chain_expires {
            outcome.fact("chain expires", expires.to_string());
        }
        if let Ok(handshake) = &self.handshake {
            outcome.fact("tls", handshake.version.clone());
            outcome.fact("cipher", handshake.cipher.clone());
            if let Some(protocol) = &handshake.protocol {
                outcome.fact("alpn", protocol.clone());
            }
        }
    }
}

/// Whether the other side takes our certificate. With TLS 1.3 it says so only after its own
/// part of the handshake is over (RFC 8446 §4.4.2.4), so that we take our leave and wait for
/// its alert.
async fn is_taken<S>(mut stream: S, peer: &Peer, limit: &Limit) -> Result<(), Fault>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let until = limit.until().min(Instant::now() + LONGEST_REFUSAL);
    let leaving = async {
        stream.shutdown().await?;
        let mut chunk = [0; 1024];
        while stream.read(&mut chunk).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    match timeout_at(until, leaving).await {
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(closed(&error, &peer.to_string()))
        }
        _ => Ok(()),
    }
}
