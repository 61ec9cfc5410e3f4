//! Messages over an open socket, and what its errors mean.

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::check::dialogue::FilledReply;
use crate::check::net::dial::{Peer, Wire, closed};
use crate::check::net::fault::Fault;

/// Messages are read up to this size in all.
pub(super) const LONGEST_BYTES: usize = 64 * 1024;

/// An open socket.
pub(super) type Socket = WebSocketStream<Wire>;

/// What the other side said.
#[derive(Default)]
pub(super) struct Said {
    pub(super) all: String,
    /// Where the part begins that the next expectation looks at.
    pub(super) fresh: usize,
    /// How it ended the conversation, if it did.
    pub(super) goodbye: Option<String>,
}

impl Said {
    /// Sends a ping and waits for its pong; messages that come before it are kept.
    ///
    /// # Errors
    /// When the other side ends the conversation.
    pub(super) async fn ping(&mut self, socket: &mut Socket, peer: &Peer) -> Result<(), Fault> {
        const PAYLOAD: &[u8] = b"haetae";
        let ping = Message::Ping(Bytes::from_static(PAYLOAD));
        socket.send(ping).await.map_err(|error| fault(&error, peer))?;
        loop {
            match socket.next().await {
                Some(Ok(Message::Pong(payload))) if payload.as_ref() == PAYLOAD => return Ok(()),
                Some(Ok(Message::Close(_))) | None => {
                    return Err(Fault::passing(format!(
                        "{peer} closed the WebSocket when it was asked with a ping"
                    )));
                }
                Some(Ok(Message::Text(text))) if self.all.len() < LONGEST_BYTES => self.add(text.as_str()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(fault(&error, peer)),
            }
        }
    }

    /// Reads messages until all of `wanted` holds of the fresh part; false when the other side
    /// closes, at the size limit or when the time is up.
    pub(super) async fn read_until(
        &mut self,
        socket: &mut Socket,
        peer: &Peer,
        until: Instant,
        wanted: &[FilledReply<'_>],
    ) -> Result<bool, Fault> {
        loop {
            let fresh = &self.all[self.fresh..];
            if wanted.iter().all(|reply| reply.holds(fresh)) {
                return Ok(true);
            }
            let Ok(next) = timeout_at(until, socket.next()).await else {
                return Ok(false);
            };
            match next {
                Some(Ok(Message::Text(text))) => self.add(text.as_str()),
                Some(Ok(Message::Binary(bytes))) => self.add(&String::from_utf8_lossy(&bytes)),
                Some(Ok(Message::Close(frame))) => {
                    let why = frame.map(|frame| format!(": {} {}", u16::from(frame.code), frame.reason));
                    let why: String = why
                        .unwrap_or_default()
                        .chars()
                        .filter(|c| !c.is_control())
                        .collect();
                    self.goodbye = Some(format!("closed the WebSocket{}", why.trim_end()));
                    return Ok(false);
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(fault(&error, peer)),
                None => return Ok(false),
            }
            if self.all.len() > LONGEST_BYTES {
                self.goodbye = Some(format!("said more than {} KiB", LONGEST_BYTES / 1024));
                return Ok(false);
            }
        }
    }

    /// Messages are lines of what was said.
    fn add(&mut self, message: &str) {
        self.all.push_str(message);
        self.all.push('\n');
    }
}

/// What an error of the library means.
pub(super) fn fault(error: &WsError, peer: &Peer) -> Fault {
    match error {
        WsError::Io(error) => closed(error, &peer.to_string()),
        WsError::Http(answer) => {
            let status = answer.status();
            let what = format!("{peer} answers the upgrade to WebSocket with {status}");
            match status.is_server_error() {
                true => Fault::passing(what),
                false => Fault::lasting(what),
            }
        }
        WsError::Protocol(ProtocolError::SecWebSocketSubProtocolError(why)) => Fault::lasting(format!(
            "{peer} does not agree on a subprotocol: {}",
            lower(&why.to_string())
        )),
        WsError::Protocol(ProtocolError::HandshakeIncomplete) => Fault::passing(format!(
            "{peer} closed the connection in the middle of the upgrade to WebSocket"
        )),
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | WsError::ConnectionClosed
        | WsError::AlreadyClosed => Fault::passing(format!("{peer} closed the connection")),
        WsError::Capacity(CapacityError::TooManyHeaders) => Fault::lasting(format!(
            "{peer} answers the upgrade to WebSocket with too many headers"
        )),
        WsError::Capacity(_) => Fault::lasting(format!(
            "{peer} sends a message of more than {} KiB",
            LONGEST_BYTES / 1024
        )),
        WsError::AttackAttempt => {
            Fault::lasting(format!("{peer} answers the upgrade to WebSocket without end"))
        }
        WsError::Protocol(why) => Fault::lasting(format!(
            "{peer} does not speak WebSocket: {}",
            lower(&why.to_string())
        )),
        other => Fault::lasting(format!(
            "the WebSocket with {peer} failed: {}",
            lower(&other.to_string())
        )),
    }
}

/// Another's sentence in the middle of ours.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}
