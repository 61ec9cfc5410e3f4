//! The partner's API on a socket of its own.
//!
//! Playing dead is real: the socket is closed and every open connection dropped. Meanwhile the port
//! is kept by a bound socket that does not listen, which still refuses every connection but lets
//! nobody else (such as another test) take the port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::knobs::{Knobs, TargetState};
use super::{door, pause};

const BACKLOG: u32 = 1024;
const REBIND_WAIT: Duration = Duration::from_millis(50);

/// The supervisor of the partner's socket.
pub(super) struct Partner {
    knobs: watch::Receiver<Knobs>,
    open: watch::Sender<bool>,
    stopping: CancellationToken,
    cut: CancellationToken,
}

impl Partner {
    /// `open` is told whether the socket listens.
    pub(super) fn new(
        knobs: watch::Receiver<Knobs>,
        open: watch::Sender<bool>,
        stopping: &CancellationToken,
        cut: &CancellationToken,
    ) -> Self {
        Self {
            knobs,
            open,
            stopping: stopping.clone(),
            cut: cut.clone(),
        }
    }

    /// Serves on `listener`, and on its successors after each death, until the demo stops.
    pub(super) async fn run(self, listener: TcpListener, address: SocketAddr) {
        let mut next = Some(listener);
        while let Some(listener) = next {
            self.open.send_replace(true);
            self.live(listener).await;
            self.open.send_replace(false);
            next = self.rise_again(address).await;
        }
    }

    /// Serves until the partner is to die or the demo stops.
    async fn live(&self, listener: TcpListener) {
        let leaving = self.stopping.child_token();
        let cut = self.cut.child_token();
        let router = router(self.knobs.clone(), leaving.clone());
        let serving = door::serve(listener, router, leaving.clone(), cut.clone());
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => {}
            () = self.state_becomes(|state| state == TargetState::Dead) => {
                cut.cancel();
                leaving.cancel();
                serving.await;
            }
        }
    }

    /// Waits for the knob with the port kept, and listens again; `None` when the demo stops.
    async fn rise_again(&self, address: SocketAddr) -> Option<TcpListener> {
        loop {
            let place = self.stopping.run_until_cancelled(keep(address)).await?;
            let alive = self.state_becomes(|state| state != TargetState::Dead);
            self.stopping.run_until_cancelled(alive).await?;
            match place.listen(BACKLOG) {
                Ok(listener) => return Some(listener),
                Err(error) => tracing::warn!(%error, %address, "demo partner can't listen again"),
            }
            pause(&self.stopping, REBIND_WAIT).await;
        }
    }

    async fn state_becomes(&self, wanted: fn(TargetState) -> bool) {
        let mut knobs = self.knobs.clone();
        let turned = knobs.wait_for(|knobs| wanted(knobs.partner)).await.is_ok();
        if !turned {
            // Nobody is left who could turn the knob.
            std::future::pending::<()>().await;
        }
    }
}

/// Binds `address` without listening on it, however often that takes.
async fn keep(address: SocketAddr) -> TcpSocket {
    loop {
        match bound(address) {
            Ok(socket) => return socket,
            Err(error) => tracing::debug!(%error, %address, "demo partner's port is not free yet"),
        }
        tokio::time::sleep(REBIND_WAIT).await;
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Elsewhere than on Unix the option would let others take the port from us.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// What the partner's answers depend on.
struct Api {
    knobs: watch::Receiver<Knobs>,
    leaving: CancellationToken,
}

impl Api {
    fn knobs(&self) -> Knobs {
        *self.knobs.borrow()
    }
}

fn router(knobs: watch::Receiver<Knobs>, leaving: CancellationToken) -> Router {
    let api = Arc::new(Api { knobs, leaving });
    Router::new()
        .route("/health", get(health))
        .route("/api/cards/{number}", get(card))
        .layer(from_fn_with_state(Arc::clone(&api), behave))
        .with_state(api)
}

async fn behave(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let knobs = api.knobs();
    match knobs.partner {
        TargetState::Ok | TargetState::Wrong => {}
        TargetState::Slow => {
            let late = Duration::from_millis(knobs.partner_delay_ms);
            pause(&api.leaving, late).await;
        }
        TargetState::Hang | TargetState::Dead => {
            api.leaving.cancelled().await;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    next.run(request).await
}

async fn health(State(api): State<Arc<Api>>) -> Json<Value> {
    let knobs = api.knobs();
    Json(match knobs.partner {
        TargetState::Wrong => json!({"status": "DEGRADED", "workers": 0}),
        TargetState::Ok | TargetState::Slow | TargetState::Dead | TargetState::Hang => {
            json!({"status": "UP", "workers": knobs.workers, "version": "2.4.1"})
        }
    })
}

async fn card(Path(number): Path<String>) -> Response {
    let is_number = (12..=19).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        let error = json!({"error": "no such card"});
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    Json(json!({"number": number, "issuer": "Demo Bank", "status": "ACTIVE"})).into_response()
}
