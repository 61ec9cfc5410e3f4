//! A server's door: it lets in so many visitors at once, none of them idle for long.
//!
//! Invariant: once `cut` is cancelled no connection that came in here lives on. The web framework
//! only asks connections to end; a demo that plays dead, or stops, must be able to insist.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

const MAX_VISITORS: usize = 512;

/// Longer than the longest wait a client may ask for (a minute, at the inbox).
const IDLE_LIMIT: Duration = Duration::from_secs(90);

/// Serves until `stopping`, then lets the requests under way end; `cut` ends them at once.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
    cut: CancellationToken,
) {
    let door = Door {
        listener,
        seats: Arc::new(Semaphore::new(MAX_VISITORS)),
        cut,
    };
    let served = axum::serve(door, router)
        .with_graceful_shutdown(stopping.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::warn!(%error, "demo server ended early");
    }
}

struct Door {
    listener: TcpListener,
    seats: Arc<Semaphore>,
    cut: CancellationToken,
}

impl Listener for Door {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        // Nobody closes the semaphore, so a seat comes at last.
        let seat = Arc::clone(&self.seats).acquire_owned().await.ok();
        // The trait's accept, unlike the socket's own, waits and tries again after an error.
        let (stream, address) = <TcpListener as Listener>::accept(&mut self.listener).await;
        let visitor = Visitor {
            stream,
            shown_out: Box::pin(self.cut.clone().cancelled_owned()),
            idle: Box::pin(tokio::time::sleep(IDLE_LIMIT)),
            _seat: seat,
        };
        (visitor, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Visitor {
    stream: TcpStream,
    shown_out: Pin<Box<WaitForCancellationFutureOwned>>,
    idle: Pin<Box<Sleep>>,
    _seat: Option<OwnedSemaphorePermit>,
}

impl Visitor {
    fn may_stay(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.shown_out.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.idle.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// A finished step of reading or writing shows that the visitor is not idle.
    fn noting<T>(&mut self, step: Poll<T>) -> Poll<T> {
        if step.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE_LIMIT);
        }
        step
    }
}

impl AsyncRead for Visitor {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.may_stay(cx)?;
        let step = Pin::new(&mut this.stream).poll_read(cx, buf);
        this.noting(step)
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.may_stay(cx)?;
        let step = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.noting(step)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
