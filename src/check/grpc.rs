//! `grpc`: the health check that gRPC servers have (`grpc.health.v1.Health/Check`).

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::future::{Ready, ready};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::time::Instant;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::Service;

use super::attempt::{Limit, Manners};
use super::dialogue::fill;
use super::expect::{LEVEL_KEY, USE_THRESHOLDS, broken, read_blocks, refuse};
use super::http::{is_secret_name, scope};
use super::matcher::{MATCHES, Matcher};
use super::net::dial::{Address, Dialed, Peer, Wire, dial_wire};
use super::net::fault::Fault;
use super::net::secure::{CA, INSECURE_TLS, SERVER_NAME, TlsWish};
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, RunScope, Text, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "grpc",
    doc: "Asks a gRPC server whether it, or one of its services, is healthy.",
    settings: &GRPC,
    expect: &GRPC_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("connect_time", Unit::Ms),
        ("response_time", Unit::Ms),
        ("certificate_left", Unit::Ms),
    ],
    read,
};

static GRPC: Spec = Spec {
    name: "grpc",
    example: "grpc: { address: \"orders.example:443\", tls: true }",
    keys: &[
        Key::required(
            "address",
            Shape::Text,
            "Host and port: `orders.example:50051`; with `tls: true` the port may be left out (443).",
        ),
        Key::new(
            "service",
            Shape::Text,
            "The service to ask about: `shop.v1.Orders`; the whole server without it.",
        ),
        Key::or("tls", Shape::Boolean, "false", "Speak TLS."),
        SERVER_NAME,
        CA,
        INSECURE_TLS,
        Key::new(
            "metadata",
            Shape::Map(&Shape::Text),
            "Sent with the call: `authorization: \"Bearer ${env:TOKEN}\"`.",
        ),
    ],
};

static GRPC_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { status: SERVING }",
    keys: &[
        Key::or(
            "status",
            Shape::Ref(&MATCHES),
            "SERVING",
            "The health (`SERVING`, `NOT_SERVING`, `UNKNOWN`), or the gRPC error that is answered (`NOT_FOUND`).",
        ),
        LEVEL_KEY,
    ],
};

/// An answer of the health check has a few bytes.
const LONGEST_BYTES: usize = 64 * 1024;

struct GrpcProbe {
    address: Address,
    manners: Manners,
    service: Text,
    tls: Option<TlsWish>,
    metadata: Vec<(AsciiMetadataKey, Text)>,
    expects: Vec<(Level, Option<Matcher>)>,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &GRPC, reader)?;
    let tls = fields
        .get("tls")
        .and_then(|node| reader.boolean(node))
        .unwrap_or(false);
    let address = fields
        .get("address")
        .and_then(|node| Address::read(node, tls.then_some(443), reader));
    let service = match fields.get("service") {
        Some(node) => reader.text(node),
        None => Some(Text::literal("")),
    };
    let wish = TlsWish::read(&fields, reader);
    let metadata = fields
        .get("metadata")
        .map(|node| read_metadata(node, reader))
        .unwrap_or_default();
    refuse(blocks.measure, "grpc", "measure", USE_THRESHOLDS, reader);
    let expects = read_blocks(blocks.expect, &GRPC_EXPECT, reader, |fields, reader| {
        fields.get("status").and_then(|node| Matcher::read(node, reader))
    });
    let (address, service) = (address?, service?);
    let probe = GrpcProbe {
        manners: Manners::new(blocks, address.host()),
        address,
        service,
        tls: tls.then_some(wish),
        metadata,
        expects,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_metadata(node: &Node, reader: &mut Reader<'_>) -> Vec<(AsciiMetadataKey, Text)> {
    let mut metadata = Vec::new();
    for entry in reader.entries(node) {
        let name = entry.key.to_lowercase();
        if name == "authorization" || name == "x-api-key" || is_secret_name(&name) {
            reader.refuse_literal_secret(&entry.node, &format!("the value of `{}`", entry.key));
        }
        match AsciiMetadataKey::from_str(&name) {
            Ok(key) if !name.starts_with("grpc-") => {
                metadata.extend(reader.text(&entry.node).map(|text| (key, text)));
            }
            _ => reader.report(
                Problem::error(&entry.place, format!("`{}` cannot be sent as metadata", entry.key))
                    .hint("a name is made of letters, digits, `-`, `_` and `.`, begins not with `grpc-` and ends not in `-bin`"),
            ),
        }
    }
    metadata
}

/// What a server said of a service.
struct Answered {
    connection: Dialed<()>,
    response_time: Duration,
    service: String,
    /// `SERVING`, or the gRPC error: `NOT_FOUND`.
    status: String,
    /// What came with an error.
    message: String,
}

#[async_trait]
impl Probe for GrpcProbe {
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

impl GrpcProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Answered, Fault> {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let peer = self.address.fill(&scope)?;
        let service = fill(&self.service, &scope)?;
        let mut request = Request::new(HealthCheckRequest {
            service: service.clone(),
        });
        self.add_metadata(&mut request, &scope)?;
        let dialed = dial_wire(&peer, self.tls.as_ref(), &["h2"], &run.services, &limit).await?;
        let (connection, wire) = dialed.split();
        if connection
            .tls
            .as_ref()
            .is_some_and(|tls| tls.protocol.as_deref().is_some_and(|name| name != "h2"))
        {
            return Err(Fault::lasting(format!(
                "{peer} does not offer HTTP/2 over TLS (ALPN)"
            )));
        }
        // The server is told how long its answer is waited for. The library keeps to it too, so
        // that it is a little longer: our own time-out says what was waited for.
        let left = limit.until().saturating_duration_since(Instant::now());
        request.set_timeout(left + Duration::from_millis(100));
        let asking = async {
            let channel = self.channel(wire, &peer).await?;
            let mut client = HealthClient::new(channel).max_decoding_message_size(LONGEST_BYTES);
            match client.check(request).await {
                Ok(answer) => Ok((answer.get_ref().status().as_str_name().to_owned(), String::new())),
                Err(status) => said(&status, &peer),
            }
        };
        let (status, message) = limit
            .wait(asking, |time| {
                format!("{peer} did not answer grpc.health.v1.Health/Check within {time} (connected)")
            })
            .await?;
        Ok(Answered {
            connection,
            response_time: limit.began.elapsed(),
            service,
            status,
            message,
        })
    }

    fn add_metadata(
        &self,
        request: &mut Request<HealthCheckRequest>,
        scope: &RunScope<'_>,
    ) -> Result<(), Fault> {
        for (key, text) in &self.metadata {
            let value = AsciiMetadataValue::try_from(fill(text, scope)?)
                .map_err(|_| Fault::ours(format!("the metadata `{key}` has a value that cannot be sent")))?;
            request.metadata_mut().append(key.clone(), value);
        }
        Ok(())
    }

    /// HTTP/2 over the connection that stands.
    async fn channel(&self, wire: Wire, peer: &Peer) -> Result<Channel, Fault> {
        let unsound = |_| Fault::ours(format!("`{peer}` does not make an authority"));
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let origin = Uri::from_str(&format!("{scheme}://{peer}"))
            .map_err(|_| Fault::ours(format!("`{peer}` does not make an authority")))?;
        Endpoint::from_shared(format!("http://{peer}"))
            .map_err(unsound)?
            .origin(origin)
            .connect_with_connector(Once(Arc::new(Mutex::new(Some(wire)))))
            .await
            .map_err(|error| broken_off(&error, peer))
    }

    fn look(&self, run: &RunContext, answered: &Answered) -> Outcome {
        let mut outcome = Outcome::seen();
        answered.connection.measure(&mut outcome, run.started);
        outcome.measure("response_time", Quantity::time(answered.response_time));
        outcome.fact("status", answered.status.clone());
        if !answered.message.is_empty() {
            outcome.fact("message", answered.message.clone());
        }
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let status = Json::from(answered.status.clone());
        let mut is_expected = false;
        for (level, matcher) in &self.expects {
            let Some(matcher) = matcher else { continue };
            is_expected = true;
            match matcher.broken(&answered.what(), Some(&status), &scope) {
                Ok(lines) => outcome
                    .broken
                    .extend(lines.into_iter().map(|line| broken(*level, line))),
                Err(unfilled) => return Outcome::not_measured(unfilled.to_string()),
            }
        }
        if !is_expected && answered.status != "SERVING" {
            outcome.broken.push(broken(Level::Critical, answered.explained()));
        }
        outcome
    }
}

impl Answered {
    fn what(&self) -> String {
        match self.service.is_empty() {
            true => "the server's health".to_owned(),
            false => format!("the health of `{}`", self.service),
        }
    }

    fn explained(&self) -> String {
        let what = self.what();
        match self.status.as_str() {
            "NOT_FOUND" | "SERVICE_UNKNOWN" if !self.service.is_empty() => {
                format!("the server's health check does not know `{}`", self.service)
            }
            "UNIMPLEMENTED" => "the server has no health check (grpc.health.v1.Health)".to_owned(),
            status if self.message.is_empty() => format!("{what} is {status}, expected SERVING"),
            status => format!("{what} is not told: {status}, {}", self.message),
        }
    }
}

/// A gRPC error as an answer, unless it stands for a connection that broke.
fn said(status: &Status, peer: &Peer) -> Result<(String, String), Fault> {
    if status.source().is_some() {
        return Err(broken_off(status, peer));
    }
    let message: String = status
        .message()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    Ok((name_of(status.code()), message))
}

/// `NOT_FOUND`, as gRPC's documents spell it.
fn name_of(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

/// Why HTTP/2 came to an end, in the words of whoever knows most.
fn broken_off(error: &(dyn StdError + 'static), peer: &Peer) -> Fault {
    if let Some(fault) = Fault::from_chain(error, &peer.to_string()) {
        return fault;
    }
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    Fault::passing(format!(
        "{peer} does not speak gRPC (HTTP/2) as it should: {deepest}"
    ))
}

/// Gives away the connection that stands; there is no second one.
#[derive(Clone)]
struct Once(Arc<Mutex<Option<Wire>>>);

impl Service<Uri> for Once {
    type Response = TokioIo<Wire>;
    type Error = std::io::Error;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let wire = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let gone = || std::io::Error::from(std::io::ErrorKind::NotConnected);
        ready(wire.map(TokioIo::new).ok_or_else(gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_spelt_as_grpc_does() {
        assert_eq!(name_of(Code::NotFound), "NOT_FOUND");
        assert_eq!(name_of(Code::Unimplemented), "UNIMPLEMENTED");
        assert_eq!(name_of(Code::PermissionDenied), "PERMISSION_DENIED");
    }
}
