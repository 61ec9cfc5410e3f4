//! One question to one DNS server, as it is: no cache, no search list, no second opinion.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::dial::closed;
use super::fault::Fault;
use crate::check::attempt::Limit;

/// The largest answer over UDP that we ask for: what passes every path unfragmented.
const UDP_PAYLOAD_BYTES: u16 = 1_232;
/// A datagram may get lost: it is sent again after this long, then after twice as long.
const RESEND: Duration = Duration::from_secs(1);
/// The shortest message there is: its header (RFC 1035 §4.1.1).
const HEADER_BYTES: usize = 12;
/// Extended DNS errors (RFC 8914).
const EXTENDED_ERROR: EdnsCode = EdnsCode::Unknown(15);

/// How a question travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A datagram; when the answer was cut off, asked again over TCP (RFC 7766).
    Udp,
    /// A connection.
    Tcp,
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Of which name, from the root.
    pub name: Name,
    /// For which records.
    pub kind: RecordType,
    /// Whether the server shall say that it validated the answer (RFC 6840 §5.7).
    pub authentic: bool,
    /// Whether the server shall not validate (RFC 4035 §3.2.2).
    pub unchecked: bool,
}

impl Question {
    /// A plain question.
    #[must_use]
    pub fn new(name: Name, kind: RecordType) -> Self {
        Self {
            name,
            kind,
            authentic: false,
            unchecked: false,
        }
    }

    fn message(&self) -> Message {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.metadata.authentic_data = self.authentic;
        message.metadata.checking_disabled = self.unchecked;
        message.add_query(Query::query(self.name.clone(), self.kind));
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD_BYTES);
        message.set_edns(edns);
        message
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", plain_name(&self.name), self.kind)
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The message, its name and type those of the question.
    pub message: Message,
    /// Who answered.
    pub server: SocketAddr,
    /// How the answer came in the end.
    pub transport: Transport,
    /// Whether the answer over UDP was cut off before.
    pub truncated: bool,
}

impl Reply {
    /// The records of the type that was asked for, whatever name they stand at behind
    /// aliases.
    pub fn records(&self, kind: RecordType) -> impl Iterator<Item = &Record> {
        self.message
            .answers
            .iter()
            .filter(move |record| record.record_type() == kind)
    }

    /// `SERVFAIL`
    #[must_use]
    pub fn code(&self) -> String {
        code_name(self.message.metadata.response_code)
    }

    /// What the server adds to its code (RFC 8914): `extended error 6: signature expired`.
    #[must_use]
    pub fn extended_error(&self) -> Option<String> {
        let Some(EdnsOption::Unknown(_, bytes)) = self.message.edns.as_ref()?.option(EXTENDED_ERROR) else {
            return None;
        };
        let (number, text) = bytes.split_first_chunk::<2>()?;
        let number = u16::from_be_bytes(*number);
        let text: String = String::from_utf8_lossy(text)
            .chars()
            .filter(|c| !c.is_control())
            .take(120)
            .collect();
        Some(match text.is_empty() {
            true => format!("extended error {number}"),
            false => format!("extended error {number}: {text}"),
        })
    }
}

/// The name of a response code as operators write it.
#[must_use]
pub fn code_name(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("code {}", u16::from(other)),
    }
}

/// A name as people write it: lower case, without the dot at its end.
#[must_use]
pub fn plain_name(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    match text.strip_suffix('.') {
        Some("") | None => text,
        Some(bare) => bare.to_owned(),
    }
}

/// What a record says, in one line: names in lower case without the dot at their end, the
/// parts of a TXT record joined (RFC 7208 §3.3), all else in the order of zone files.
#[must_use]
pub fn record_text(data: &RData) -> String {
    match data {
        RData::A(address) => address.0.to_string(),
        RData::AAAA(address) => address.0.to_string(),
        RData::CNAME(name) => plain_name(&name.0),
        RData::NS(name) => plain_name(&name.0),
        RData::PTR(name) => plain_name(&name.0),
        RData::MX(mx) => format!("{} {}", mx.preference, plain_name(&mx.exchange)),
        RData::SRV(srv) => format!(
            "{} {} {} {}",
            srv.priority,
            srv.weight,
            srv.port,
            plain_name(&srv.target)
        ),
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            plain_name(&soa.mname),
            plain_name(&soa.rname),
            soa.serial,
            soa.refresh,
            soa.retry,
            soa.expire,
            soa.minimum
        ),
        RData::TXT(txt) => String::from_utf8_lossy(&txt.txt_data.concat()).into_owned(),
        other => other.to_string(),
    }
}

/// Asks one server once, within the attempt's time. A datagram that gets lost is sent again;
/// an answer that was cut off is asked for again over TCP.
///
/// # Errors
/// The server's fault: refused, no answer, no DNS message, an answer to something else.
pub async fn ask(
    server: SocketAddr,
    question: &Question,
    transport: Transport,
    limit: &Limit,
) -> Result<Reply, Fault> {
    let late = |transport: Transport| {
        move |time: &str| format!("{server} did not answer `{question}` over {transport} within {time}")
    };
    if transport == Transport::Tcp {
        return ask_tcp(server, question, false, limit).await;
    }
    let message = limit
        .wait(over_udp(server, question), late(Transport::Udp))
        .await?;
    if message.metadata.truncation {
        return ask_tcp(server, question, true, limit)
            .await
            .map_err(|fault| Fault {
                what: format!("the answer over UDP was cut off, and over TCP: {}", fault.what),
                ..fault
            });
    }
    Ok(Reply {
        message,
        server,
        transport,
        truncated: false,
    })
}

async fn ask_tcp(
    server: SocketAddr,
    question: &Question,
    truncated: bool,
    limit: &Limit,
) -> Result<Reply, Fault> {
    let connecting = async {
        TcpStream::connect(server)
            .await
            .map_err(|error| closed(&error, &server.to_string()))
    };
    let stream = limit
        .wait(connecting, |time| {
            format!("no connection to {server} within {time}")
        })
        .await?;
    let message = limit
        .wait(over_tcp(stream, server, question), |time| {
            format!("{server} did not answer `{question}` over TCP within {time}")
        })
        .await?;
    Ok(Reply {
        message,
        server,
        transport: Transport::Tcp,
        truncated,
    })
}

async fn over_udp(server: SocketAddr, question: &Question) -> Result<Message, Fault> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let failed = |error: std::io::Error| closed(&error, &server.to_string());
    let socket = UdpSocket::bind(local)
        .await
        .map_err(|error| Fault::ours(format!("no UDP socket could be opened: {error}")))?;
    // A connected socket hears from nobody else, and hears that nothing listens there.
    socket.connect(server).await.map_err(failed)?;
    let message = question.message();
    let bytes = encoded(&message, question)?;
    let mut pause = RESEND;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    socket.send(&bytes).await.map_err(failed)?;
    loop {
        let Ok(received) = timeout(pause, socket.recv(&mut buffer)).await else {
            pause *= 2;
            socket.send(&bytes).await.map_err(failed)?;
            continue;
        };
        let answer = &buffer[..received.map_err(failed)?];
        // An answer to another question is a late or a forged one: the right one may follow.
        if answer.len() >= HEADER_BYTES && answer[..2] != message.metadata.id.to_be_bytes() {
            continue;
        }
        return understood(answer, &message, server, question);
    }
}

async fn over_tcp(mut stream: TcpStream, server: SocketAddr, question: &Question) -> Result<Message, Fault> {
    let failed = |error: std::io::Error| closed(&error, &server.to_string());
    let message = question.message();
    let bytes = encoded(&message, question)?;
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    stream
        .write_all(&[&length, bytes.as_slice()].concat())
        .await
        .map_err(failed)?;
    let length = stream.read_u16().await.map_err(failed)?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.map_err(failed)?;
    understood(&answer, &message, server, question)
}

fn encoded(message: &Message, question: &Question) -> Result<Vec<u8>, Fault> {
    message
        .to_vec()
        .map_err(|error| Fault::ours(format!("`{question}` cannot be asked: {error}")))
}

/// The answer, if it is one to what was asked.
fn understood(
    bytes: &[u8],
    asked: &Message,
    server: SocketAddr,
    question: &Question,
) -> Result<Message, Fault> {
    let malformed = |why: &str| {
        Fault::lasting(format!(
            "{server} answered `{question}` with what is no DNS message: {why}"
        ))
    };
    if bytes.len() < HEADER_BYTES {
        return Err(malformed(&format!("only {} bytes", bytes.len())));
    }
    let message = Message::from_vec(bytes).map_err(|error| malformed(&error.to_string()))?;
    if message.metadata.id != asked.metadata.id || message.metadata.message_type != MessageType::Response {
        return Err(malformed("it is no response to the question"));
    }
    // A server that cannot read a question may leave it out of its refusal.
    let refusal = message.queries.is_empty() && message.metadata.response_code != ResponseCode::NoError;
    let same = message.queries.first().is_some_and(|query| {
        query.query_type() == question.kind && query.name().to_lowercase() == question.name.to_lowercase()
    });
    match same || refusal {
        true => Ok(message),
        false => Err(Fault::lasting(format!(
            "{server} answered another question than `{question}`"
        ))),
    }
}
