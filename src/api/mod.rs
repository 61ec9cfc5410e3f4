//! API and pages. `router.rs` shows every route; one file per resource.
//!
//! Invariant: nothing here decides anything about checks or alerts.

mod access;
mod audit;
mod checks;
mod deployments;
mod events;
mod extract;
mod guard;
mod heartbeats;
mod incidents;
mod limiter;
mod login;
mod metrics;
mod oncall;
mod openapi;
mod pages;
mod problem;
mod router;
mod runs;
mod schemas;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use access::AccessRules;

use crate::bulletin::Bulletin;
use crate::check::Services;
use crate::config::Project;
use crate::mailbox::Asked;
use crate::model::{SharedRedactor, Timestamp};
use crate::schedule::Order;
use crate::status::Status;
use crate::store::Store;
use crate::triggers::Triggers;

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
    /// Runs that somebody asked for.
    pub triggers: Arc<Triggers>,
    /// What happens, for who listens.
    pub bulletin: Arc<Bulletin>,
    /// Who may ask without a token.
    pub access: AccessRules,
    /// Ends the server, and answers that go on.
    pub stop: CancellationToken,
    /// What goes on behind answers.
    pub tasks: TaskTracker,
    /// The mask over what is written down of requests.
    pub redactor: SharedRedactor,
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
pub async fn serve(listener: TcpListener, parts: ApiParts) {
    let (stop, tasks) = (parts.stop.clone(), parts.tasks.clone());
    let app = router::router(Arc::new(parts)).into_make_service_with_connect_info::<SocketAddr>();
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
    tasks.close();
    let _ = timeout(SHUTDOWN_LIMIT, tasks.wait()).await;
}
