//! `tcp`: connects, and talks if there is something to say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use regex::Regex;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::expect::{LEVEL_KEY, broken, read_blocks};
use super::http::scope;
use super::net::fault::{Fault, Side};
use super::net::tls::{TlsRecord, TlsSettings};
use super::retry::{Again, attempts};
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec, Value};
use crate::model::{Level, Outcome, Quantity, Retry, Text, Timestamp, Unit, format_duration};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "tcp",
    doc: "Connects to a port, with TLS if wanted, and talks to what listens there.",
    settings: &TCP,
    expect: &TCP_EXPECT,
    has_steps: false,
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
        Key::new(
            "server_name",
            Shape::Plain,
            "The name the certificate must have; the address's host without it.",
        ),
        Key::new(
            "ca",
            Shape::Text,
            "Certificates (PEM) that are trusted besides the platform's.",
        ),
        Key::or("insecure_tls", Shape::Boolean, "false", "Accept any certificate."),
        Key::planned("starttls"),
    ],
};

static TURN: Spec = Spec {
    name: "a turn of the dialogue",
    example: "- expect: \"220\"",
    keys: &[
        Key::new("send", Shape::Text, "What we say."),
        Key::new(
            "expect",
            Shape::Either(&[Shape::Text, Shape::Object(&REPLY)]),
            "What the other side must say: a text it contains, or `{ matches: regex }`.",
        ),
    ],
};

static REPLY: Spec = Spec {
    name: "a reply",
    example: "{ matches: \"^220 \" }",
    keys: &[
        Key::new("contains", Shape::Text, "A text that the reply contains."),
        Key::new(
            "matches",
            Shape::Plain,
            "A regular expression that the reply matches.",
        ),
    ],
};

static TCP_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { contains: PONG }",
    keys: &[
        Key::new("contains", Shape::Text, "A text that the answer contains."),
        Key::new(
            "matches",
            Shape::Plain,
            "A regular expression that the answer matches.",
        ),
        LEVEL_KEY,
    ],
};

/// An answer is read up to this size.
const LONGEST_REPLY_BYTES: usize = 64 * 1024;

struct TcpProbe {
    address: Text,
    host: String,
    turns: Vec<Turn>,
    tls: Option<(TlsSettings, Option<String>)>,
    expects: Vec<(Level, Vec<Reply>)>,
    retry: Retry,
    attempt_timeout: Duration,
}

enum Turn {
    Send(Text),
    Expect(Reply),
}

#[derive(Clone)]
enum Reply {
    Contains(Text),
    Matches(Regex),
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &TCP, reader)?;
    let address = fields.get("address").and_then(|node| read_address(node, reader));
    let mut turns: Vec<Turn> = Vec::new();
    if let Some(node) = fields.get("send") {
        turns.extend(reader.text(node).map(Turn::Send));
    }
    if let Some(node) = fields.get("dialogue") {
        turns.extend(reader.list(node, read_turn).into_iter().flatten());
    }
    let tls = fields
        .get("tls")
        .and_then(|node| reader.boolean(node))
        .unwrap_or(false);
    let settings = TlsSettings {
        extra_roots: fields
            .get("ca")
            .and_then(|node| super::http::read_roots(node, reader))
            .unwrap_or_default(),
        insecure: fields
            .get("insecure_tls")
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false),
        ..TlsSettings::default()
    };
    let server_name = fields.get("server_name").and_then(|node| reader.plain(node));
    if let Some(node) = blocks.measure {
        reader.error(node, "a tcp check has nothing to measure by `measure:`");
    }
    let expects = read_blocks(blocks.expect, &TCP_EXPECT, reader, |fields, reader| {
        read_replies(fields, reader)
    });
    let probe = TcpProbe {
        host: address
            .as_ref()
            .and_then(Text::constant)
            .and_then(|address| Some(split_address(&address)?.0.to_owned()))
            .unwrap_or_default(),
        address: address.unwrap_or_else(|| Text::literal("")),
        turns,
        tls: tls.then_some((settings, server_name)),
        expects,
        retry: blocks.retry,
        attempt_timeout: blocks.attempt_timeout,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_address(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    let constant = text.constant().filter(|_| !text.holds_secret());
    if constant.is_some_and(|address| split_address(&address).is_none()) {
        reader.report(
            Problem::error(&node.place, format!("`{text}` is not a host with a port"))
                .hint("write for example `mail.example:25` or `[::1]:6379`"),
        );
        return None;
    }
    Some(text)
}

fn split_address(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .map_or(Some(host), |inner| inner.strip_suffix(']'))?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty() && !host.contains('/')).then_some((host, port))
}

fn read_turn(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Turn>> {
    let fields = Fields::open(node, &TURN, reader)?;
    let mut turns = Vec::new();
    if let Some(node) = fields.get("send") {
        turns.extend(reader.text(node).map(Turn::Send));
    }
    if let Some(node) = fields.get("expect") {
        if matches!(node.value, Value::Scalar { .. }) {
            turns.extend(reader.text(node).map(|text| Turn::Expect(Reply::Contains(text))));
        } else if let Some(fields) = Fields::open(node, &REPLY, reader) {
            turns.extend(read_replies(&fields, reader).into_iter().map(Turn::Expect));
        }
    }
    Some(turns)
}

fn read_replies(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<Reply> {
    let contains = fields
        .get("contains")
        .and_then(|node| reader.text(node))
        .map(Reply::Contains);
    let matches = fields
        .get("matches")
        .and_then(|node| reader.regex(node))
        .map(Reply::Matches);
    contains.into_iter().chain(matches).collect()
}

struct Talked {
    address: SocketAddr,
    connect_time: Duration,
    response_time: Duration,
    /// All that the other side said.
    said: String,
    /// The turn it would not take.
    stuck: Option<String>,
    certificate_expires: Option<Timestamp>,
}

#[async_trait]
impl Probe for TcpProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        let again = |last: &Result<Talked, Fault>| match last {
            Err(fault) if fault.passing => Again::Maybe { after: None },
            _ => Again::No,
        };
        let tried = attempts(
            self.retry,
            &self.host,
            &run.services.retry_budget,
            run.deadline,
            |_| self.attempt(run),
            again,
        )
        .await;
        let mut outcome = match tried.last {
            Ok(talked) => self.look(run, &talked),
            Err(fault) if fault.side == Side::Ours => Outcome::not_measured(fault.what),
            Err(fault) => Outcome::no_answer(fault.what),
        };
        outcome.attempts = tried.attempts;
        outcome.remarks.extend(tried.remark);
        outcome
    }

    fn target(&self) -> String {
        self.host.clone()
    }
}

impl TcpProbe {
    async fn attempt(&self, run: &RunContext) -> Result<Talked, Fault> {
        let captured = BTreeMap::new();
        let address = self
            .address
            .fill(&scope(run, &captured))
            .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
        let (host, port) =
            split_address(&address).ok_or_else(|| Fault::ours("`address` is not a host with a port"))?;
        let began = Instant::now();
        let limit = run.deadline.min(began + self.attempt_timeout);
        let limit_text = format_duration(limit.duration_since(began));
        let connecting = async {
            let addresses = run.services.dns.resolve(host).await?;
            connect(&addresses, port, run, &address).await
        };
        let (stream, remote, connect_time) = timeout_at(limit, connecting)
            .await
            .map_err(|_| Fault::passing(format!("no connection to {address} within {limit_text}")))??;
        match timeout_at(limit, self.talk(run, stream, host, &address, limit)).await {
            Err(_) => Err(Fault::passing(format!(
                "{address} did not finish the TLS handshake within {limit_text}"
            ))),
            Ok(talked) => talked.map(|talked| Talked {
                address: remote,
                connect_time,
                response_time: began.elapsed(),
                ..talked
            }),
        }
    }

    async fn talk(
        &self,
        run: &RunContext,
        stream: TcpStream,
        host: &str,
        address: &str,
        limit: Instant,
    ) -> Result<Talked, Fault> {
        let Some((settings, server_name)) = &self.tls else {
            return self.dialogue(run, stream, address, limit).await;
        };
        let record = TlsRecord::default();
        let config = settings
            .client_config(&run.services.roots, &record)
            .map_err(Fault::ours)?;
        let name = server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name)
            .map_err(|_| Fault::ours(format!("`{host}` cannot be a certificate's name")))?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|error| {
                Fault::from_chain(&error, address)
                    .unwrap_or_else(|| Fault::passing(format!("TLS with {address} failed: {error}")))
            })?;
        let mut talked = self.dialogue(run, stream, address, limit).await?;
        talked.certificate_expires = record
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .chain_expires;
        Ok(talked)
    }

    /// Takes the turns; ends shortly before `limit` by itself, so that what was said so far
    /// can be shown.
    async fn dialogue<S>(
        &self,
        run: &RunContext,
        mut stream: S,
        address: &str,
        limit: Instant,
    ) -> Result<Talked, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let limit = limit - Duration::from_millis(10).min(limit.duration_since(Instant::now()));
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
                        .map_err(|error| closed(&error, address))?;
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
        Ok(Talked {
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            connect_time: Duration::ZERO,
            response_time: Duration::ZERO,
            said: String::from_utf8_lossy(&said.all).into_owned(),
            stuck,
            certificate_expires: None,
        })
    }

    fn look(&self, run: &RunContext, talked: &Talked) -> Outcome {
        let mut outcome = Outcome::seen();
        outcome.measure("connect_time", Quantity::time(talked.connect_time));
        outcome.measure("response_time", Quantity::time(talked.response_time));
        if let Some(expires) = talked.certificate_expires {
            let left_ms = (expires.as_unix_ms() - run.started.as_unix_ms()) as f64;
            outcome.measure(
                "certificate_left",
                Quantity {
                    value: left_ms,
                    unit: Unit::Ms,
                },
            );
        }
        outcome.fact("address", talked.address.to_string());
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
            let said: String = talked.said.chars().take(400).collect();
            outcome.evidence.excerpt = Some(match said.is_empty() {
                true => "(nothing was received)".to_owned(),
                false => said,
            });
        }
        outcome
    }
}

async fn connect(
    addresses: &[std::net::IpAddr],
    port: u16,
    run: &RunContext,
    address: &str,
) -> Result<(TcpStream, SocketAddr, Duration), Fault> {
    let mut last = Fault::passing(format!("no connection to {address}"));
    for ip in addresses {
        if let Some(why) = run.services.targets.refusal(*ip, port) {
            last = Fault::ours(why);
            continue;
        }
        let remote = SocketAddr::new(*ip, port);
        let began = Instant::now();
        match TcpStream::connect(remote).await {
            Ok(stream) => return Ok((stream, remote, began.elapsed())),
            Err(error) => last = closed(&error, address),
        }
    }
    Err(last)
}

fn closed(error: &std::io::Error, address: &str) -> Fault {
    Fault::from_io(error, address)
        .unwrap_or_else(|| Fault::passing(format!("the connection to {address} failed: {error}")))
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

enum FilledReply<'r> {
    Contains(String),
    Matches(&'r Regex),
}

impl Reply {
    fn fill(&self, scope: &crate::model::RunScope<'_>) -> Result<FilledReply<'_>, Fault> {
        match self {
            Self::Contains(text) => text
                .fill(scope)
                .map(FilledReply::Contains)
                .map_err(|unfilled| Fault::ours(unfilled.to_string())),
            Self::Matches(regex) => Ok(FilledReply::Matches(regex)),
        }
    }
}

impl FilledReply<'_> {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Contains(part) => text.contains(part),
            Self::Matches(regex) => regex.is_match(text),
        }
    }

    fn wanted(&self) -> String {
        match self {
            Self::Contains(part) => format!("contain \"{}\"", part.escape_debug()),
            Self::Matches(regex) => format!("match {regex}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for (text, parts) in [
            ("mail.example:25", Some(("mail.example", 25))),
            ("[::1]:6379", Some(("::1", 6379))),
            ("mail.example", None),
            (":25", None),
            ("h:0", None),
            ("http://h:80", None),
            ("h:99999", None),
        ] {
            assert_eq!(split_address(text), parts, "{text}");
        }
    }
}
