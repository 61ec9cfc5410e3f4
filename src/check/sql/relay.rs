//! A database library makes its connections itself: it would resolve names and choose
//! addresses without asking our settings, and read answers of any size. So it connects to a
//! socket of this process, and what it says is passed on over a connection of ours.
//!
//! Invariant: no more than [`LONGEST_ANSWER_BYTES`] of an answer reach the library.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::statement::Dialect;
use crate::check::attempt::Limit;
use crate::check::net::dial::closed;
use crate::check::net::fault::Fault;
use crate::check::services::random_text;

/// What a server may say in one run.
pub const LONGEST_ANSWER_BYTES: u64 = 8 * 1024 * 1024;
/// How long a server may take to hear that we leave.
const GOODBYE: Duration = Duration::from_millis(100);

/// A socket that only this process can connect to.
pub struct Relay {
    listener: UnixListener,
    name: String,
}

/// What was seen of the connection while the library talked.
#[derive(Debug, Default)]
pub struct Seen {
    received_bytes: u64,
    trouble: Option<Fault>,
}

/// The same, shared between the two sides.
pub type Watch = Mutex<Seen>;

impl Seen {
    /// Whether the server has said anything.
    #[must_use]
    pub fn has_spoken(watch: &Watch) -> bool {
        watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .received_bytes
            > 0
    }

    /// Why the connection ended, when it did so by itself.
    #[must_use]
    pub fn trouble(watch: &Watch) -> Option<Fault> {
        watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .trouble
            .clone()
    }
}

impl Relay {
    /// Opens a socket in the abstract namespace: it leaves no file behind.
    ///
    /// # Errors
    /// Our own fault.
    pub fn open(port: u16) -> Result<Self, Fault> {
        let name = format!("\0haetae-{}-{}", std::process::id(), random_text(16));
        // libpq's rule for a file in a folder; `directory` is the part before it.
        let listener = UnixListener::bind(format!("{name}/.s.PGSQL.{port}"))
            .map_err(|error| Fault::ours(format!("a socket for the database cannot be opened: {error}")))?;
        Ok(Self { listener, name })
    }

    /// What `PostgreSQL` libraries take for the socket's folder.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        PathBuf::from(&self.name)
    }

    /// The socket itself.
    #[must_use]
    pub fn socket(&self, port: u16) -> PathBuf {
        Path::new(&self.name).join(format!(".s.PGSQL.{port}"))
    }

    /// Passes on what `session` says over `far`, until the session is over.
    ///
    /// # Errors
    /// The session's; or that what the server sends is not its protocol.
    pub async fn carry<T, S>(
        self,
        far: S,
        place: &str,
        dialect: Dialect,
        watch: &Watch,
        limit: &Limit,
        session: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut pump = pin!(self.pump(far, place, dialect, watch));
        // The library's decoders may panic over what is not a database's answer.
        let mut session = pin!(AssertUnwindSafe(session).catch_unwind());
        let mut pumping = true;
        let result = loop {
            tokio::select! {
                biased;
                result = &mut session => break result,
                () = &mut pump, if pumping => pumping = false,
            }
        };
        if pumping {
            let _ = timeout_at(limit.until().min(Instant::now() + GOODBYE), pump).await;
        }
        result.unwrap_or_else(|_| {
            Err(Fault::lasting(format!(
                "{place} does not speak {}'s protocol",
                dialect.name()
            )))
        })
    }

    async fn pump<S>(self, far: S, place: &str, dialect: Dialect, watch: &Watch)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(near) = self.accept().await else { return };
        let (mut near_in, mut near_out) = near.into_split();
        let (mut far_in, mut far_out) = tokio::io::split(far);
        let up = async {
            let _ = tokio::io::copy(&mut near_in, &mut far_out).await;
            let _ = far_out.shutdown().await;
        };
        let down = async {
            let mut chunk = vec![0; 16 * 1024];
            loop {
                let count = match far_in.read(&mut chunk).await {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) => {
                        note(watch, closed(&error, place));
                        break;
                    }
                };
                if !Seen::has_spoken(watch) && !may_begin(dialect, &chunk[..count]) {
                    note(watch, stranger(dialect, place, &chunk[..count]));
                    break;
                }
                if !has_room(watch, count as u64) {
                    note(
                        watch,
                        Fault::lasting(format!(
                            "the answer of {place} is larger than {} MiB",
                            LONGEST_ANSWER_BYTES / 1024 / 1024
                        )),
                    );
                    break;
                }
                if near_out.write_all(&chunk[..count]).await.is_err() {
                    break;
                }
            }
            let _ = near_out.shutdown().await;
        };
        tokio::join!(up, down);
    }

    /// The library's connection; anybody else's is turned away.
    async fn accept(&self) -> Option<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await.ok()?;
            let pid = stream.peer_cred().ok().and_then(|who| who.pid());
            if pid.and_then(|pid| u32::try_from(pid).ok()) == Some(std::process::id()) {
                return Some(stream);
            }
        }
    }
}

/// Whether a server's first words can be those of its protocol. `PostgreSQL`: an answer about TLS
/// (one letter), about the login, or an error, each with its length. `MySQL`: a packet with the
/// number 0.
fn may_begin(dialect: Dialect, words: &[u8]) -> bool {
    match dialect {
        Dialect::MySql => words.get(3).is_none_or(|number| *number == 0),
        Dialect::Postgres => match words {
            [b'S' | b'N'] => true,
            [b'R' | b'E' | b'N' | b'S' | b'v', rest @ ..] => rest
                .first_chunk()
                .is_none_or(|length| u32::from_be_bytes(*length) >= 4),
            _ => false,
        },
        Dialect::Sqlite => true,
    }
}

fn stranger(dialect: Dialect, place: &str, words: &[u8]) -> Fault {
    const SHOWN: usize = 60;
    let said = String::from_utf8_lossy(&words[..words.len().min(SHOWN)]).into_owned();
    let first = said.lines().next().unwrap_or_default();
    Fault::lasting(format!(
        "{place} does not speak {}'s protocol: it says \"{}\"",
        dialect.name(),
        first.escape_debug()
    ))
}

fn has_room(watch: &Watch, count: u64) -> bool {
    let mut seen = watch.lock().unwrap_or_else(PoisonError::into_inner);
    seen.received_bytes += count;
    seen.received_bytes <= LONGEST_ANSWER_BYTES
}

fn note(watch: &Watch, trouble: Fault) {
    let mut seen = watch.lock().unwrap_or_else(PoisonError::into_inner);
    seen.trouble.get_or_insert(trouble);
}
