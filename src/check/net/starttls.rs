//! Asking for TLS in the middle of a plain-text conversation.
//!
//! Sources: RFC 3207 (SMTP), RFC 9051 §6.2.1 (IMAP), RFC 2595 (POP3), RFC 4217 (FTP),
//! RFC 4511 §4.14 (LDAP), `PostgreSQL` protocol 3.0 `SSLRequest`, `MySQL` protocol 10 (`SSLRequest`).

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::dial::{Dialed, Peer, Wire, closed};
use super::fault::Fault;
use super::secure::TlsWish;
use crate::check::Services;
use crate::check::attempt::Limit;
use crate::decode::{Key, Node, Reader, Shape};

/// What a greeting or an answer may be long.
const LONGEST_BYTES: usize = 16 * 1024;

/// `starttls:` beside an address.
pub const STARTTLS: Key = Key::new(
    "starttls",
    Shape::Choice(&["smtp", "imap", "pop3", "ftp", "ldap", "postgres", "mysql"]),
    "Ask for TLS as this protocol does, instead of speaking it from the start.",
);

/// A protocol that can change to TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTls {
    /// `EHLO`, `STARTTLS`
    Smtp,
    /// `a1 STARTTLS`
    Imap,
    /// `STLS`
    Pop3,
    /// `AUTH TLS`
    Ftp,
    /// The extended operation 1.3.6.1.4.1.1466.20037
    Ldap,
    /// `SSLRequest`, before anything else
    Postgres,
    /// `SSLRequest`, after the server's greeting
    MySql,
}

const WORDS: &[(&str, StartTls)] = &[
    ("smtp", StartTls::Smtp),
    ("imap", StartTls::Imap),
    ("pop3", StartTls::Pop3),
    ("ftp", StartTls::Ftp),
    ("ldap", StartTls::Ldap),
    ("postgres", StartTls::Postgres),
    ("mysql", StartTls::MySql),
];

impl StartTls {
    /// Reads [`STARTTLS`].
    pub fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.choice(node, WORDS)
    }

    /// The port that this protocol has by custom.
    #[must_use]
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Ftp => 21,
            Self::Ldap => 389,
            Self::Postgres => 5432,
            Self::MySql => 3306,
        }
    }

    /// Talks until the other side is ready for the handshake.
    ///
    /// # Errors
    /// When it does not offer TLS, or says something that does not belong here.
    pub async fn ask<S>(self, stream: &mut S, peer: &Peer) -> Result<(), Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self {
            Self::Smtp => {
                expect(stream, peer, "220", None).await?;
                say(stream, peer, b"EHLO haetae.invalid\r\n").await?;
                expect(stream, peer, "250", None).await?;
                say(stream, peer, b"STARTTLS\r\n").await?;
                expect(stream, peer, "220", Some("STARTTLS")).await
            }
            Self::Imap => {
                expect(stream, peer, "* OK", None).await?;
                say(stream, peer, b"a1 STARTTLS\r\n").await?;
                expect(stream, peer, "a1 OK", Some("STARTTLS")).await
            }
            Self::Pop3 => {
                expect(stream, peer, "+OK", None).await?;
                say(stream, peer, b"STLS\r\n").await?;
                expect(stream, peer, "+OK", Some("STLS")).await
            }
            Self::Ftp => {
                expect(stream, peer, "220", None).await?;
                say(stream, peer, b"AUTH TLS\r\n").await?;
                expect(stream, peer, "234", Some("AUTH TLS")).await
            }
            Self::Ldap => ldap(stream, peer).await,
            Self::Postgres => postgres(stream, peer).await,
            Self::MySql => mysql(stream, peer).await,
        }
    }
}

/// Asks for TLS over a plain connection, and shakes hands where that is wished.
///
/// # Errors
/// Why there is no TLS, in words for people.
pub async fn upgrade(
    plain: Dialed<TcpStream>,
    protocol: StartTls,
    tls: Option<&TlsWish>,
    peer: &Peer,
    services: &Services,
    limit: &Limit,
) -> Result<Dialed<Wire>, Fault> {
    let (noted, stream) = ask(plain, protocol, peer, limit).await?.split();
    let Some(wish) = tls else {
        return Ok(noted.over(Wire::Plain(stream), None));
    };
    let (stream, shown) = wish.secure(stream, peer, &[], services, limit).await?;
    Ok(noted.over(Wire::Tls(Box::new(stream)), Some(shown)))
}

/// Asks for TLS within the attempt's time; the handshake is still to come.
///
/// # Errors
/// When the other side does not take TLS, or does not answer.
pub async fn ask(
    mut plain: Dialed<TcpStream>,
    protocol: StartTls,
    peer: &Peer,
    limit: &Limit,
) -> Result<Dialed<TcpStream>, Fault> {
    limit
        .wait(protocol.ask(&mut plain.stream, peer), |time| {
            format!("{peer} did not say whether it takes TLS within {time} (connected, no answer yet)")
        })
        .await?;
    Ok(plain)
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, peer: &Peer, bytes: &[u8]) -> Result<(), Fault> {
    let written = stream.write_all(bytes).await;
    written.map_err(|error| closed(&error, &peer.to_string()))
}

/// Reads lines until the last one of an answer (`250 ` and not `250-`), which must begin with
/// `wanted`. `asked` is what is refused otherwise.
async fn expect<S>(stream: &mut S, peer: &Peer, wanted: &str, asked: Option<&str>) -> Result<(), Fault>
where
    S: AsyncRead + Unpin,
{
    let numbered = wanted.starts_with(|c: char| c.is_ascii_digit());
    let tagged = asked.is_some() && wanted.starts_with("a1");
    loop {
        let line = read_line(stream, peer).await?;
        let more = (numbered && line.as_bytes().get(3) == Some(&b'-')) || (tagged && line.starts_with("* "));
        if more {
            continue;
        }
        if line.starts_with(wanted) {
            return Ok(());
        }
        let said: String = line.trim_end().chars().take(120).collect();
        return Err(Fault::lasting(match asked {
            Some(asked) => format!("{peer} does not take {asked}: it says \"{said}\""),
            None => format!("{peer} greets with \"{said}\", expected \"{wanted}\""),
        }));
    }
}

/// One line, read byte by byte: what comes after it may belong to TLS.
pub(crate) async fn read_line<S>(stream: &mut S, peer: &Peer) -> Result<String, Fault>
where
    S: AsyncRead + Unpin,
{
    let mut line = Vec::new();
    loop {
        let byte = stream
            .read_u8()
            .await
            .map_err(|error| closed(&error, &peer.to_string()))?;
        if byte == b'\n' {
            return Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
        }
        line.push(byte);
        if line.len() > LONGEST_BYTES {
            return Err(Fault::lasting(format!(
                "{peer} says more than {LONGEST_BYTES} bytes without a line break"
            )));
        }
    }
}

async fn postgres<S>(stream: &mut S, peer: &Peer) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    say(stream, peer, &SSL_REQUEST).await?;
    let answer = stream
        .read_u8()
        .await
        .map_err(|error| closed(&error, &peer.to_string()))?;
    match answer {
        b'S' => Ok(()),
        b'N' => Err(Fault::lasting(format!("{peer} does not offer TLS"))),
        _ => Err(Fault::lasting(format!(
            "{peer} does not speak PostgreSQL's protocol"
        ))),
    }
}

async fn mysql<S>(stream: &mut S, peer: &Peer) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const CLIENT_SSL: u32 = 0x0800;
    const PROTOCOL_41: u32 = 0x0200;
    const SECURE_CONNECTION: u32 = 0x8000;
    let broken = |error: std::io::Error| closed(&error, &peer.to_string());
    let strange = || Fault::lasting(format!("{peer} does not speak MySQL's protocol"));
    let mut header = [0; 4];
    stream.read_exact(&mut header).await.map_err(broken)?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
    if length > LONGEST_BYTES || header[3] != 0 {
        return Err(strange());
    }
    let mut greeting = vec![0; length];
    stream.read_exact(&mut greeting).await.map_err(broken)?;
    if greeting.first() == Some(&0xff) {
        let said = String::from_utf8_lossy(greeting.get(3..).unwrap_or_default()).into_owned();
        return Err(Fault::lasting(format!("{peer} refuses: {said}")));
    }
    // Version 10, its name up to a zero, connection id (4), 8 bytes and a filler, then what it can.
    let name_ends = greeting.iter().position(|byte| *byte == 0).ok_or_else(strange)?;
    let can = greeting
        .get(name_ends + 14..name_ends + 16)
        .filter(|_| greeting[0] == 10)
        .map(|bytes| u32::from(u16::from_le_bytes([bytes[0], bytes[1]])))
        .ok_or_else(strange)?;
    if can & CLIENT_SSL == 0 {
        return Err(Fault::lasting(format!("{peer} does not offer TLS")));
    }
    let mut request = vec![32, 0, 0, 1];
    request.extend((CLIENT_SSL | PROTOCOL_41 | SECURE_CONNECTION).to_le_bytes());
    request.extend(0x0100_0000_u32.to_le_bytes());
    request.push(45); // utf8mb4_general_ci
    request.extend([0; 23]);
    say(stream, peer, &request).await
}

async fn ldap<S>(stream: &mut S, peer: &Peer) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const OID: &[u8] = b"1.3.6.1.4.1.1466.20037";
    // LDAPMessage { 1, ExtendedRequest { requestName } }, in BER with short lengths.
    let mut request = vec![0x30, OID.len() as u8 + 7, 0x02, 0x01, 0x01];
    request.extend([0x77, OID.len() as u8 + 2, 0x80, OID.len() as u8]);
    request.extend(OID);
    say(stream, peer, &request).await?;
    let broken = |error: std::io::Error| closed(&error, &peer.to_string());
    let strange = || Fault::lasting(format!("{peer} does not speak LDAP"));
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.map_err(broken)?;
    let length = match head {
        [0x30, short @ 0..=0x7f] => usize::from(short),
        [0x30, 0x81] => usize::from(stream.read_u8().await.map_err(broken)?),
        [0x30, 0x82] => usize::from(stream.read_u16().await.map_err(broken)?),
        [0x30, 0x84] => stream.read_u32().await.map_err(broken)? as usize,
        _ => return Err(strange()),
    };
    if length > LONGEST_BYTES {
        return Err(strange());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.map_err(broken)?;
    // The result code is the first ENUMERATED of one byte.
    let code = message
        .windows(3)
        .find(|window| window[..2] == [0x0a, 0x01])
        .map(|window| window[2]);
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(Fault::lasting(format!(
            "{peer} does not take StartTLS: LDAP result {code}"
        ))),
        None => Err(strange()),
    }
}
