//! Commands and replies over a connection of ours, in RESP2.
//!
//! Invariant: no more than [`LONGEST_REPLIES_BYTES`] are read, whatever a reply says of its size.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use redis::{Cmd, Value, parse_redis_value_async};
use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::check::attempt::Limit;
use crate::check::net::dial::{Peer, closed};
use crate::check::net::fault::Fault;

/// What all replies of one run may be long.
const LONGEST_REPLIES_BYTES: usize = 1024 * 1024;
/// How much of an error's own words is told.
const LONGEST_WORDS: usize = 300;

/// Who we are to the server.
pub struct Login<'a> {
    /// A user of its access list; without one, the default user.
    pub user: Option<&'a str>,
    /// The password.
    pub password: Option<&'a str>,
    /// The database's number.
    pub db: i64,
}

/// A conversation.
pub struct Talk<'a, S> {
    stream: Bounded<S>,
    peer: &'a Peer,
    limit: &'a Limit,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Talk<'a, S> {
    /// Over a fresh connection.
    pub fn new(stream: S, peer: &'a Peer, limit: &'a Limit) -> Self {
        Self {
            stream: Bounded {
                inner: stream,
                received: 0,
                ended: None,
            },
            peer,
            limit,
        }
    }

    /// Says who we are, and which database is meant.
    ///
    /// # Errors
    /// When the server does not want us.
    pub async fn login(&mut self, login: &Login<'_>) -> Result<(), Fault> {
        if let Some(password) = login.password {
            let mut words = vec!["AUTH".to_owned()];
            words.extend(login.user.map(str::to_owned));
            words.push(password.to_owned());
            self.ask(&words).await?;
        }
        if login.db != 0 {
            self.ask(&["SELECT".to_owned(), login.db.to_string()]).await?;
        }
        Ok(())
    }

    /// One command and its reply; a key that is not there is null.
    ///
    /// # Errors
    /// Why there is no reply, or the server's own error.
    pub async fn ask(&mut self, words: &[String]) -> Result<Json, Fault> {
        let mut command = Cmd::new();
        for word in words {
            command.arg(word.as_bytes());
        }
        let (peer, limit) = (self.peer, self.limit);
        let name = words
            .first()
            .map(|word| word.to_ascii_uppercase())
            .unwrap_or_default();
        let before = self.stream.received;
        let stream = &mut self.stream;
        let exchange = async {
            let packed = command.get_packed_command();
            let sent = stream.inner.write_all(&packed).await;
            sent.map_err(|error| closed(&error, &peer.to_string()))?;
            stream
                .inner
                .flush()
                .await
                .map_err(|error| closed(&error, &peer.to_string()))?;
            #[allow(clippy::default_trait_access, reason = "the library does not export its type")]
            let mut decoder = Default::default();
            match parse_redis_value_async(&mut decoder, stream).await {
                Ok(value) => Ok(value),
                Err(error) => Err(stream.fault(peer, before).unwrap_or_else(|| {
                    let why = short(&error.to_string());
                    Fault::lasting(format!("{peer} does not speak Redis's protocol: {why}"))
                })),
            }
        };
        let value = limit
            .wait(exchange, |time| {
                format!("{peer} did not answer {name} within {time} (connected, no whole answer yet)")
            })
            .await?;
        as_json(value).map_err(|error| refusal(peer, &name, &error))
    }
}

/// What an error reply means.
fn refusal(peer: &Peer, command: &str, error: &redis::ServerError) -> Fault {
    let said = short(&match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    });
    match error.code() {
        "NOAUTH" => Fault::lasting(format!("{peer} wants a password: {said}")),
        "WRONGPASS" | "NOPERM" => Fault::lasting(format!("{peer} refuses the login: {said}")),
        "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" => {
            Fault::passing(format!("{peer} is not ready: {said}"))
        }
        _ if command == "AUTH" => Fault::lasting(format!("{peer} refuses the login: {said}")),
        _ => Fault::lasting(format!("{peer} refuses {command}: {said}")),
    }
}

fn as_json(value: Value) -> Result<Json, redis::ServerError> {
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Int(number) => Json::from(number),
        Value::BulkString(bytes) => Json::from(String::from_utf8_lossy(&bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Json::from(text),
        Value::Okay => Json::from("OK"),
        Value::Double(number) => Json::from(number),
        Value::Boolean(truth) => Json::from(truth),
        Value::Array(items) | Value::Set(items) => {
            let items: Result<Vec<Json>, _> = items.into_iter().map(as_json).collect();
            Json::Array(items?)
        }
        Value::ServerError(error) => return Err(error),
        // RESP3 is never asked for.
        _ => Json::Null,
    })
}

fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_WORDS).collect()
}

/// A stream that is read up to a limit, and remembers how it ended.
struct Bounded<S> {
    inner: S,
    received: usize,
    ended: Option<Ended>,
}

enum Ended {
    /// The other side closed it.
    Closed,
    /// It broke.
    Broken(std::io::Error),
    /// It said too much.
    TooLong,
}

impl<S> Bounded<S> {
    /// Why a reply could not be read, when it is the connection's doing; `before` is what had
    /// been received when the command was sent.
    fn fault(&self, peer: &Peer, before: usize) -> Option<Fault> {
        Some(match self.ended.as_ref()? {
            Ended::Closed if self.received == before => {
                Fault::passing(format!("{peer} closed the connection without an answer"))
            }
            Ended::Closed => Fault::passing(format!(
                "{peer} closed the connection in the middle of its answer"
            )),
            Ended::Broken(error) => closed(error, &peer.to_string()),
            Ended::TooLong => Fault::lasting(format!(
                "the answer of {peer} is larger than {} MiB",
                LONGEST_REPLIES_BYTES / 1024 / 1024
            )),
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        if this.received >= LONGEST_REPLIES_BYTES {
            this.ended = Some(Ended::TooLong);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut this.inner).poll_read(context, buffer));
        let count = buffer.filled().len() - before;
        this.received += count;
        match read {
            Ok(()) if count == 0 => this.ended = Some(Ended::Closed),
            Ok(()) => {}
            Err(error) => {
                let told = std::io::Error::new(error.kind(), error.to_string());
                this.ended = Some(Ended::Broken(error));
                return Poll::Ready(Err(told));
            }
        }
        Poll::Ready(Ok(()))
    }
}
