//! `tcp`: connects, and talks if there is something to say.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::attempt::{Limit, Manners};
use super::dialogue::{Reply, SAID, TURN, Turn, heard, read_replies, read_turns};
use super::expect::{USE_THRESHOLDS, broken, read_blocks, refuse};
use super::http::scope;
use super::net::dial::{Address, Dialed, Peer, Wire, closed, dial, dial_wire};
use super::net::fault::Fault;
use super::net::secure::{CA, INSECURE_TLS, SERVER_NAME, TlsWish};
use super::net::starttls::{self, STARTTLS, StartTls};
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "tcp",
    doc: "Connects to a port, with TLS if wanted, and talks to what listens there.",
    settings: &TCP,
    expect: &SAID,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("connect_time", Unit::Ms),
        ("response_time", Unit::Ms),
        ("certificate_left", Unit::Ms),
    ],
    read,
};

static TCP: Spec = Spec {
    name: "tcp",
    example: "tcp: { address: \"mail.example:25\" }",
    keys: &[
        Key::required(
            "address",
            Shape::Text,
            "Host and port: `mail.example:25`, `[::1]:6379`.",
        ),
        Key::new(
            "send",
            Shape::Text,
            "Sent once the connection stands; \"\\r\\n\" in double quotes ends a line.",
        ),
        Key::new(
            "dialogue",
            Shape::List(&Shape::Object(&TURN)),
            "Turns, one after the other: `- expect: \"220\"`, `- send: \"QUIT\\r\\n\"`.",
        ),
        Key::or("tls", Shape::Boolean, "false", "Speak TLS from the start."),
        STARTTLS,
        SERVER_NAME,
        CA,
        INSECURE_TLS,
    ],
};

/// An answer is read up to this size.
const LONGEST_REPLY_BYTES: usize = 64 * 1024;

struct TcpProbe {
    address: Address,
    manners: Manners,
    turns: Vec<Turn>,
    tls: Option<TlsWish>,
    starttls: Option<StartTls>,
    expects: Vec<(Level, Vec<Reply>)>,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &TCP, reader)?;
    let starttls = fields
        .get("starttls")
        .and_then(|node| StartTls::read(node, reader));
    let address = fields
        .get("address")
        .and_then(|node| Address::read(node, starttls.map(StartTls::usual_port), reader));
    let turns = read_turns(&fields, reader);
    let tls = fields
        .get("tls")
        .and_then(|node| reader.boolean(node))
        .unwrap_or(false);
    if let (true, Some(node)) = (tls, fields.get("starttls")) {
        reader.error(
            node,
            "`tls: true` speaks TLS from the start, and `starttls` asks for it: use one",
        );
    }
    let wish = TlsWish::read(&fields, reader);
    refuse(blocks.measure, "tcp", "measure", USE_THRESHOLDS, reader);
    let expects = read_blocks(blocks.expect, &SAID, reader, |fields, reader| {
        read_replies(fields, reader)
    });
    let address = address?;
    let probe = TcpProbe {
        manners: Manners::new(blocks, address.host()),
        address,
        turns,
        tls: (tls || starttls.is_some()).then_some(wish),
        starttls,
        expects,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

struct Talked {
    connection: Dialed<()>,
    response_time: Duration,
    /// All that the other side said.
    said: String,
    /// The turn it would not take.
    stuck: Option<String>,
}

#[async_trait]
impl Probe for TcpProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(
                run,
                |limit| self.attempt(run, limit),
                |talked| self.look(run, &talked),
            )
            .await
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl TcpProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Talked, Fault> {
        let captured = BTreeMap::new();
        let peer = self.address.fill(&scope(run, &captured))?;
        let dialed = self.connect(&peer, run, &limit).await?;
        let (connection, stream) = dialed.split();
        let (said, stuck) = self.dialogue(run, stream, &peer, limit.until()).await?;
        Ok(Talked {
            connection,
            response_time: limit.began.elapsed(),
            said,
            stuck,
        })
    }

    async fn connect(&self, peer: &Peer, run: &RunContext, limit: &Limit) -> Result<Dialed<Wire>, Fault> {
        let Some(protocol) = self.starttls else {
            return dial_wire(peer, self.tls.as_ref(), &[], &run.services, limit).await;
        };
        let plain = dial(peer, &run.services, limit).await?;
        starttls::upgrade(plain, protocol, self.tls.as_ref(), peer, &run.services, limit).await
    }

    /// Takes the turns; ends shortly before `limit` by itself, so that what was said so far
    /// can be shown.
    async fn dialogue<S>(
        &self,
        run: &RunContext,
        mut stream: S,
        peer: &Peer,
        limit: Instant,
    ) -> Result<(String, Option<String>), Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let mut said = Said::default();
        let mut stuck = None;
        for turn in &self.turns {
            match turn {
                Turn::Send(text) => {
                    let text = text
                        .fill(&scope)
                        .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
                    said.fresh = said.all.len();
                    stream
                        .write_all(text.as_bytes())
                        .await
                        .map_err(|error| closed(&error, &peer.to_string()))?;
                }
                Turn::Expect(reply) => {
                    let filled = reply.fill(&scope)?;
                    if !said
                        .read_until(&mut stream, limit, |text| filled.holds(text))
                        .await
                    {
                        stuck = Some(filled.wanted());
                        break;
                    }
                    said.fresh = said.all.len();
                }
            }
        }
        if stuck.is_none() && !self.expects.is_empty() {
            let mut wanted = Vec::new();
            for reply in self.expects.iter().flat_map(|(_, replies)| replies) {
                wanted.push(reply.fill(&scope)?);
            }
            said.fresh = 0;
            said.read_until(&mut stream, limit, |text| {
                wanted.iter().all(|reply| reply.holds(text))
            })
            .await;
        }
        Ok((String::from_utf8_lossy(&said.all).into_owned(), stuck))
    }

    fn look(&self, run: &RunContext, talked: &Talked) -> Outcome {
        let mut outcome = Outcome::seen();
        talked.connection.measure(&mut outcome, run.started);
        outcome.measure("response_time", Quantity::time(talked.response_time));
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        if let Some(wanted) = &talked.stuck {
            outcome
                .broken
                .push(broken(Level::Critical, format!("the reply does not {wanted}")));
        }
        for (level, replies) in &self.expects {
            for reply in replies.iter().filter_map(|reply| reply.fill(&scope).ok()) {
                if talked.stuck.is_none() && !reply.holds(&talked.said) {
                    outcome
                        .broken
                        .push(broken(*level, format!("the answer does not {}", reply.wanted())));
                }
            }
        }
        if !outcome.broken.is_empty() {
            outcome.evidence.excerpt = Some(heard(&talked.said));
        }
        outcome
    }
}

/// What the other side has said.
#[derive(Default)]
struct Said {
    all: Vec<u8>,
    /// Where the part begins that the next expectation looks at.
    fresh: usize,
}

impl Said {
    /// Reads until `holds` is true of the fresh part; false at the end of the stream, at
    /// the size limit or when the time is up.
    async fn read_until<S>(&mut self, stream: &mut S, limit: Instant, holds: impl Fn(&str) -> bool) -> bool
    where
        S: AsyncRead + Unpin,
    {
        loop {
            if holds(&String::from_utf8_lossy(&self.all[self.fresh..])) {
                return true;
            }
            let mut chunk = [0; 4096];
            match timeout_at(limit, stream.read(&mut chunk)).await {
                Ok(Ok(count)) if count > 0 && self.all.len() + count <= LONGEST_REPLY_BYTES => {
                    self.all.extend_from_slice(&chunk[..count]);
                }
                _ => return false,
            }
        }
    }
}
