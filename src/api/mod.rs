//! API and pages. `router.rs` shows every route; one file per resource.
//!
//! Invariant: nothing here decides anything about checks or alerts.

mod checks;
mod heartbeats;
mod incidents;
mod metrics;
mod oncall;
mod pages;
mod problem;
mod router;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::check::Services;
use crate::config::Project;
use crate::mailbox::Asked;
use crate::model::Timestamp;
use crate::schedule::Order;
use crate::status::Status;
use crate::store::Store;

/// Open requests may take this long to end at shutdown.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(3);

/// What requests are answered from.
pub struct ApiParts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// What is known right now.
    pub status: Arc<Status>,
    /// What checks share with who is called for them.
    pub services: Arc<Services>,
    /// Tells the runner.
    pub orders: mpsc::Sender<Order>,
    /// The configuration in use.
    pub project: watch::Receiver<Arc<Project>>,
    /// Asks for a reload.
    pub reload_wanted: Arc<Notify>,
    /// What people want done.
    pub commands: mpsc::Sender<Asked>,
    /// Tells senders that something may have become due.
    pub wake_outbox: Arc<dyn Fn() + Send + Sync>,
    /// When this process started.
    pub started: Timestamp,
}

impl ApiParts {
    fn project(&self) -> Arc<Project> {
        self.project.borrow().clone()
    }
}

/// Answers requests until it is stopped.
pub async fn serve(listener: TcpListener, parts: ApiParts, stop: CancellationToken) {
    let app = router::router(Arc::new(parts));
    let stopped = stop.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move { stopped.cancelled().await });
    let server = server.into_future();
    tokio::pin!(server);
    tokio::select! {
        result = &mut server => {
            if let Err(error) = result {
                tracing::error!(%error, "the API ended");
            }
        }
        () = stop.cancelled() => {
            let _ = timeout(SHUTDOWN_LIMIT, server).await;
        }
    }
}
