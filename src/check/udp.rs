//! `udp`: sends a datagram and waits for one that is as expected.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use super::attempt::{Limit, Manners};
use super::dialogue::{FilledReply, Reply, fill, heard, read_replies};
use super::expect::{LEVEL_KEY, USE_THRESHOLDS, broken, read_blocks, refuse};
use super::http::scope;
use super::net::dial::{Address, Peer, addresses_of, closed};
use super::net::fault::Fault;
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, RunScope, Text, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "udp",
    doc: "Sends a datagram and waits for an answer.",
    settings: &UDP,
    expect: &UDP_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[("response_time", Unit::Ms)],
    read,
};

static UDP: Spec = Spec {
    name: "udp",
    example: "udp: { address: \"time.example:123\", send_hex: \"e3 00\" }",
    keys: &[
        Key::required(
            "address",
            Shape::Text,
            "Host and port: `game.example:27015`, `[::1]:514`.",
        ),
        Key::new("send", Shape::Text, "The datagram as text."),
        Key::new(
            "send_hex",
            Shape::Plain,
            "The datagram's bytes: `ff ff ff ff 54`; spaces and colons count nothing.",
        ),
    ],
};

static UDP_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { contains: pong }",
    keys: &[
        Key::new("contains", Shape::Text, "A text that the answer contains."),
        Key::new(
            "matches",
            Shape::Plain,
            "A regular expression that the answer matches.",
        ),
        Key::new(
            "contains_hex",
            Shape::Plain,
            "Bytes that the answer contains: `00 01`.",
        ),
        LEVEL_KEY,
    ],
};

/// No datagram is longer.
const LONGEST_BYTES: usize = 65_535;
/// So many answers that are not as expected are waited past.
const MOST_ANSWERS: usize = 100;

struct UdpProbe {
    address: Address,
    manners: Manners,
    send: Datagram,
    expects: Vec<(Level, Vec<Wanted>)>,
}

enum Datagram {
    Text(Text),
    Bytes(Vec<u8>),
}

enum Wanted {
    Said(Reply),
    Bytes(Vec<u8>),
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &UDP, reader)?;
    let address = fields
        .get("address")
        .and_then(|node| Address::read(node, None, reader));
    let send = match (fields.get("send"), fields.get("send_hex")) {
        (Some(node), None) => reader.text(node).map(Datagram::Text),
        (None, Some(node)) => read_hex(node, reader).map(Datagram::Bytes),
        (None, None) => {
            reader.error(
                blocks.settings,
                "a udp check needs `send` or `send_hex`: nobody answers who was not asked",
            );
            None
        }
        (Some(_), Some(node)) => {
            reader.error(node, "`send` and `send_hex` say the same: use one");
            None
        }
    };
    refuse(blocks.measure, "udp", "measure", USE_THRESHOLDS, reader);
    let expects = read_blocks(blocks.expect, &UDP_EXPECT, reader, |fields, reader| {
        let replies = read_replies(fields, reader).into_iter().map(Wanted::Said);
        let bytes = fields
            .get("contains_hex")
            .and_then(|node| read_hex(node, reader))
            .map(Wanted::Bytes);
        replies.chain(bytes).collect()
    });
    let (address, send) = (address?, send?);
    let probe = UdpProbe {
        manners: Manners::new(blocks, address.host()),
        address,
        send,
        expects,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_hex(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let text = reader.plain(node)?;
    let bytes = bytes_of(&text);
    if bytes.is_none() {
        reader.error(
            node,
            format!("`{text}` is not a row of bytes: write two hexadecimal digits for each, like `0a ff`"),
        );
    }
    bytes
}

/// `0a ff`, `0a:ff` or `0aff`.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !(c.is_whitespace() || *c == ':'))
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let whole = !digits.is_empty() && digits.len().is_multiple_of(2);
    whole.then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

struct Answered {
    from: SocketAddr,
    response_time: Duration,
    /// The answer that was as expected, or the last one.
    answer: Vec<u8>,
    count: usize,
}

#[async_trait]
impl Probe for UdpProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(
                run,
                |limit| self.attempt(run, limit),
                |answered| self.look(run, &answered),
            )
            .await
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl UdpProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Answered, Fault> {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let peer = self.address.fill(&scope)?;
        let bytes = match &self.send {
            Datagram::Text(text) => fill(text, &scope)?.into_bytes(),
            Datagram::Bytes(bytes) => bytes.clone(),
        };
        let wanted = self.wanted(&scope)?;
        let addresses = limit
            .wait(addresses_of(&peer, &run.services), |time| {
                format!("the name {} was not resolved within {time}", peer.host)
            })
            .await?;
        let mut last = Fault::passing(format!("no answer from {peer}"));
        for address in addresses {
            // Who refuses says so at once, and the next address may be asked.
            match ask(
                SocketAddr::new(address, peer.port),
                &peer,
                &bytes,
                &wanted,
                &limit,
            )
            .await
            {
                Ok(answered) => return Ok(answered),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    fn wanted<'p>(&'p self, scope: &RunScope<'_>) -> Result<Vec<(Level, Filled<'p>)>, Fault> {
        let mut filled = Vec::new();
        for (level, wanted) in &self.expects {
            for wanted in wanted {
                filled.push((*level, wanted.fill(scope)?));
            }
        }
        Ok(filled)
    }

    fn look(&self, run: &RunContext, answered: &Answered) -> Outcome {
        let mut outcome = Outcome::seen();
        outcome.measure("response_time", Quantity::time(answered.response_time));
        outcome.fact("address", answered.from.to_string());
        outcome.fact("answer", format!("{} bytes", answered.answer.len()));
        let captured = BTreeMap::new();
        let wanted = match self.wanted(&scope(run, &captured)) {
            Ok(wanted) => wanted,
            Err(fault) => return fault.into_outcome(),
        };
        for (level, wanted) in wanted {
            if !wanted.holds(&answered.answer) {
                let which = match answered.count {
                    1 => "the answer does not".to_owned(),
                    count => format!("the last of {count} answers does not"),
                };
                outcome
                    .broken
                    .push(broken(level, format!("{which} {}", wanted.wanted())));
            }
        }
        if !outcome.broken.is_empty() {
            outcome.evidence.excerpt = Some(excerpt(&answered.answer));
        }
        outcome
    }
}

/// Sends, and waits for a datagram that is as wanted; the last one that is not, when the time
/// is up.
async fn ask(
    remote: SocketAddr,
    peer: &Peer,
    bytes: &[u8],
    wanted: &[(Level, Filled<'_>)],
    limit: &Limit,
) -> Result<Answered, Fault> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let failed = |error: std::io::Error| match error.kind() {
        // ICMP "port unreachable", as the system tells it to a connected socket.
        std::io::ErrorKind::ConnectionRefused => Fault::passing(format!(
            "refused by {peer}: nothing listens on that UDP port (ICMP port unreachable)"
        )),
        std::io::ErrorKind::InvalidInput => {
            Fault::ours(format!("the datagram to {peer} cannot be sent: {error}"))
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) => {
            Fault::ours(format!("a datagram of {} bytes is too long", bytes.len()))
        }
        _ => closed(&error, &peer.to_string()),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))
        .await
        .map_err(|error| Fault::ours(format!("no UDP port could be opened: {error}")))?;
    // Connected, so that only this address's answers count.
    socket.connect(remote).await.map_err(failed)?;
    socket.send(bytes).await.map_err(failed)?;
    let mut buffer = vec![0; LONGEST_BYTES];
    let mut answered: Option<Answered> = None;
    loop {
        match timeout_at(limit.until(), socket.recv(&mut buffer)).await {
            Ok(Ok(length)) => {
                let count = answered.as_ref().map_or(0, |answered| answered.count) + 1;
                let answer = buffer[..length].to_vec();
                let fits = wanted.iter().all(|(_, wanted)| wanted.holds(&answer));
                answered = Some(Answered {
                    from: remote,
                    response_time: limit.began.elapsed(),
                    answer,
                    count,
                });
                if !fits && count < MOST_ANSWERS {
                    continue;
                }
            }
            Ok(Err(error)) if answered.is_none() => return Err(failed(error)),
            Ok(Err(_)) | Err(_) => {}
        }
        break;
    }
    answered.ok_or_else(|| {
        Fault::passing(format!(
            "no answer from {peer} within {} (the datagram was sent; it or its answer may be lost)",
            limit.text
        ))
    })
}

/// Text where it is some, bytes otherwise.
fn excerpt(answer: &[u8]) -> String {
    const MOST_SHOWN: usize = 64;
    match std::str::from_utf8(answer) {
        Ok(text) if !text.contains(|c: char| c.is_control() && !c.is_whitespace()) => heard(text),
        _ => {
            let hex: Vec<String> = answer
                .iter()
                .take(MOST_SHOWN)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            hex.join(" ")
        }
    }
}

enum Filled<'p> {
    Said(FilledReply<'p>),
    Bytes(&'p [u8]),
}

impl Wanted {
    fn fill(&self, scope: &RunScope<'_>) -> Result<Filled<'_>, Fault> {
        match self {
            Self::Said(reply) => reply.fill(scope).map(Filled::Said),
            Self::Bytes(bytes) => Ok(Filled::Bytes(bytes)),
        }
    }
}

impl Filled<'_> {
    fn holds(&self, answer: &[u8]) -> bool {
        match self {
            Self::Said(reply) => reply.holds(&String::from_utf8_lossy(answer)),
            Self::Bytes(bytes) => answer.windows(bytes.len()).any(|window| window == *bytes),
        }
    }

    fn wanted(&self) -> String {
        match self {
            Self::Said(reply) => reply.wanted(),
            Self::Bytes(bytes) => {
                let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("contain the bytes {}", hex.join(" "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_two_digits_each() {
        for (text, bytes) in [
            ("0a ff", Some(vec![0x0a, 0xff])),
            ("0A:FF", Some(vec![0x0a, 0xff])),
            ("0aff", Some(vec![0x0a, 0xff])),
            ("a", None),
            ("", None),
            ("0x0a", None),
            ("é0", None),
        ] {
            assert_eq!(bytes_of(text), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_text_is_shown_as_bytes() {
        assert_eq!(excerpt(b"pong\n"), "pong\n");
        assert_eq!(excerpt(&[0, 1, 0xff]), "00 01 ff");
    }
}
