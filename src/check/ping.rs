//! `ping`: ICMP echoes, how many come back, and how soon.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};
use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::{Limit, Manners};
use super::expect::{NOTHING, refuse_blocks};
use super::http::scope;
use super::net::dial::{Peer, addresses_of};
use super::net::fault::Fault;
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Reader, Shape, Spec};
use crate::model::{Outcome, Quantity, Text, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "ping",
    doc: "Sends ICMP echo requests, and counts and times what comes back.",
    settings: &PING,
    expect: &NOTHING,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("round_trip_time", Unit::Ms),
        ("round_trip_max", Unit::Ms),
        ("loss", Unit::Percent),
    ],
    read,
};

static PING: Spec = Spec {
    name: "ping",
    example: "ping: { host: gateway.example }",
    keys: &[
        Key::required("host", Shape::Text, "The name or address to ask."),
        Key::or("count", Shape::Integer(1, MOST_PINGS), "5", "How many requests."),
        Key::or(
            "interval",
            Shape::Duration,
            "200ms",
            "From one request to the next; not less than 10ms.",
        ),
        Key::new(
            "ip",
            Shape::Choice(&["4", "6"]),
            "Use only addresses of this version.",
        ),
    ],
};

const MOST_PINGS: i64 = 20;
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// As many bytes as `ping` sends.
const PAYLOAD: [u8; 56] = *b"haetae: a health check, see the operator of this address";

struct PingProbe {
    host: Text,
    count: u16,
    interval: Duration,
    wants_v6: Option<bool>,
    manners: Manners,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &PING, reader)?;
    let host = fields.get("host").and_then(|node| reader.text(node));
    let count = fields
        .get("count")
        .and_then(|node| reader.integer(node, 1, MOST_PINGS))
        .unwrap_or(5) as u16;
    let mut interval = Duration::from_millis(200);
    if let Some(node) = fields.get("interval") {
        interval = reader.duration(node).unwrap_or(interval);
        if interval < SHORTEST_INTERVAL {
            reader.error(node, "`interval` must be at least 10ms: more is a flood");
        }
    }
    if reader.failures() == before && interval * u32::from(count - 1) >= blocks.attempt_timeout {
        let place = fields
            .get("interval")
            .or(fields.get("count"))
            .unwrap_or(blocks.settings);
        reader.error(
            place,
            "the last request would be sent after the time-out: send fewer, or closer together",
        );
    }
    let versions = [("4", false), ("6", true)];
    let wants_v6 = fields.get("ip").and_then(|node| reader.choice(node, &versions));
    refuse_blocks(blocks, "ping", reader);
    let host = host?;
    let probe = PingProbe {
        manners: Manners::new(blocks, host.constant().unwrap_or_default()),
        host,
        count,
        interval,
        wants_v6,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

struct Echoes {
    address: IpAddr,
    sent: u16,
    round_trips: Vec<Duration>,
}

#[async_trait]
impl Probe for PingProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(run, |limit| self.attempt(run, limit), |echoes| look(&echoes))
            .await
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl PingProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Echoes, Fault> {
        let host = self
            .host
            .fill(&scope(run, &run.captured))
            .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
        let address = self.address_of(&host, run, &limit).await?;
        let kind = match address {
            IpAddr::V4(_) => ICMP::V4,
            IpAddr::V6(_) => ICMP::V6,
        };
        let client = Client::new(&Config::builder().kind(kind).build()).map_err(|error| no_socket(&error))?;
        let identifier = PingIdentifier(fastrand::u16(..));
        let until = limit.until();
        let echoes = (0..self.count).map(|n| {
            let client = client.clone();
            async move {
                sleep(self.interval * u32::from(n)).await;
                echo(&client, address, identifier, n, until).await
            }
        });
        let answers = join_all(echoes).await;
        let mut round_trips = Vec::new();
        let mut failure = None;
        for answer in answers {
            match answer {
                Ok(Some(round_trip)) => round_trips.push(round_trip),
                Ok(None) => {}
                Err(fault) => failure = Some(fault),
            }
        }
        if round_trips.is_empty() {
            let shown = match host.parse::<IpAddr>() {
                Ok(_) => host,
                Err(_) => format!("{host} ({address})"),
            };
            let requests = match self.count {
                1 => "the echo request".to_owned(),
                count => format!("any of {count} echo requests"),
            };
            return Err(failure.unwrap_or_else(|| {
                Fault::passing(format!("{shown} did not answer {requests} within {}", limit.text))
            }));
        }
        Ok(Echoes {
            address,
            sent: self.count,
            round_trips,
        })
    }

    async fn address_of(&self, host: &str, run: &RunContext, limit: &Limit) -> Result<IpAddr, Fault> {
        let peer = Peer {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: 0,
        };
        let addresses = limit
            .wait(addresses_of(&peer, &run.services), |time| {
                format!("the name {host} was not resolved within {time}")
            })
            .await?;
        let wanted = |address: &IpAddr| self.wants_v6.is_none_or(|v6| address.is_ipv6() == v6);
        addresses.into_iter().find(wanted).ok_or_else(|| {
            let version = if self.wants_v6 == Some(true) { 6 } else { 4 };
            Fault::lasting(format!("{host} has no IPv{version} address"))
        })
    }
}

/// One echo: its round trip, or none when nothing came back in time.
async fn echo(
    client: &Client,
    address: IpAddr,
    identifier: PingIdentifier,
    n: u16,
    until: Instant,
) -> Result<Option<Duration>, Fault> {
    let mut pinger = client.pinger(address, identifier).await;
    pinger.timeout(until.saturating_duration_since(Instant::now()));
    match timeout_at(until, pinger.ping(PingSequence(n), &PAYLOAD)).await {
        Err(_) | Ok(Err(SurgeError::Timeout { .. })) => Ok(None),
        Ok(Ok((packet, round_trip))) => match refusal(&packet) {
            None => Ok(Some(round_trip)),
            Some(why) => Err(Fault::passing(format!("{address} cannot be reached: {why}"))),
        },
        Ok(Err(SurgeError::IOError(error))) => Err(Fault::from_io(&error, &address.to_string())
            .unwrap_or_else(|| {
                Fault::ours(format!("an echo request to {address} could not be sent: {error}"))
            })),
        Ok(Err(error)) => Err(Fault::ours(format!("the ping of {address} failed: {error}"))),
    }
}

/// What a router says in place of the target (RFC 792, RFC 4443); none for an echo.
fn refusal(packet: &IcmpPacket) -> Option<String> {
    let (from, kind, code) = match packet {
        IcmpPacket::V4(packet) => (
            IpAddr::from(packet.get_source()),
            packet.get_icmp_type().0,
            packet.get_icmp_code().0,
        ),
        IcmpPacket::V6(packet) => (
            IpAddr::from(packet.get_source()),
            packet.get_icmpv6_type().0,
            packet.get_icmpv6_code().0,
        ),
    };
    let says = match (from.is_ipv4(), kind) {
        (true, 0) | (false, 129) => return None,
        (true, 3) | (false, 1) => "destination unreachable",
        (true, 11) | (false, 3) => "the way is too long (TTL exceeded)",
        _ => "no echo",
    };
    Some(format!(
        "{from} answers \"{says}\" (ICMP type {kind}, code {code})"
    ))
}

fn no_socket(error: &std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => Fault::ours(
            "this process may not send pings: allow it with `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`, or give it the capability CAP_NET_RAW",
        ),
        _ => Fault::ours(format!("no socket for pings could be opened: {error}")),
    }
}

fn look(echoes: &Echoes) -> Outcome {
    let mut outcome = Outcome::seen();
    let received = echoes.round_trips.len();
    outcome.fact("address", echoes.address.to_string());
    outcome.fact("received", format!("{received} of {}", echoes.sent));
    outcome.measure(
        "loss",
        Quantity {
            value: loss_percent(usize::from(echoes.sent), received),
            unit: Unit::Percent,
        },
    );
    if let Some(median) = median(&echoes.round_trips) {
        outcome.measure("round_trip_time", Quantity::time(median));
    }
    if let Some(longest) = echoes.round_trips.iter().max() {
        outcome.measure("round_trip_max", Quantity::time(*longest));
    }
    outcome
}

fn loss_percent(sent: usize, received: usize) -> f64 {
    100.0 * sent.saturating_sub(received) as f64 / sent.max(1) as f64
}

/// The middle one, or the mean of the middle two.
fn median(times: &[Duration]) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort();
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted.get(middle).copied(),
        _ => Some((*sorted.get(middle.checked_sub(1)?)? + *sorted.get(middle)?) / 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_echoes_is_measured() {
        for (ms, middle) in [
            (&[][..], None),
            (&[7], Some(7)),
            (&[9, 1], Some(5)),
            (&[30, 1, 2], Some(2)),
            (&[4, 1, 90, 2], Some(3)),
        ] {
            let times: Vec<Duration> = ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
            assert_eq!(median(&times), middle.map(Duration::from_millis), "{ms:?}");
        }
        assert_eq!(
            [(5, 5), (5, 4), (3, 1), (4, 0)].map(|(sent, received)| loss_percent(sent, received).round()),
            [0.0, 20.0, 67.0, 100.0]
        );
        let outcome = look(&Echoes {
            address: IpAddr::from([192, 0, 2, 1]),
            sent: 4,
            round_trips: [1, 8, 3].map(Duration::from_millis).to_vec(),
        });
        let measured = |name: &str| outcome.measurements[name].value;
        assert_eq!(
            (
                measured("loss"),
                measured("round_trip_time"),
                measured("round_trip_max")
            ),
            (25.0, 3.0, 8.0)
        );
    }
}
