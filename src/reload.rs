//! Reloading: by file change, SIGHUP or `POST /-/reload`. A reload with an error changes
//! nothing and says so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use file_watch::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clock::wall_now;
use crate::config::{LoadOptions, Project, load};
use crate::model::SharedRedactor;
use crate::notify::Outbox;
use crate::schedule::Order;
use crate::status::Status;

/// Editors write in several steps; the last one counts.
const SETTLE: Duration = Duration::from_millis(300);

/// How a reload went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// The files are in use.
    InUse,
    /// They have errors; what was in use stays so.
    Refused(Vec<String>),
}

/// Takes new configurations into use.
pub struct Reloader {
    /// How the project is loaded.
    pub load: LoadOptions,
    /// The configuration in use.
    pub project: watch::Sender<Arc<Project>>,
    /// Tells the runner.
    pub orders: mpsc::Sender<Order>,
    /// Serves the channels.
    pub outbox: Arc<Outbox>,
    /// Shows how it went.
    pub status: Arc<Status>,
    /// Learns new secrets.
    pub redactor: SharedRedactor,
    /// Somebody wants a reload.
    pub wanted: Arc<Notify>,
    /// Whether files are watched.
    pub watch_files: bool,
}

impl Reloader {
    /// Reloads whenever there is a reason to, until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        let _watcher = if self.watch_files { self.watcher() } else { None };
        let mut hang_up = signal(SignalKind::hangup()).ok();
        loop {
            let hung_up = async {
                match &mut hang_up {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wanted.notified() => {}
                _ = hung_up => {}
            }
            // Until nothing more comes: one save is one reload.
            while timeout(SETTLE, self.wanted.notified()).await.is_ok() {}
            self.reload().await;
        }
    }

    /// Watches the project folder and what is in `checks/`, `alerts/` and `flows/`.
    fn watcher(&self) -> Option<RecommendedWatcher> {
        let wanted = Arc::clone(&self.wanted);
        let heard = move |event: Result<file_watch::Event, file_watch::Error>| {
            let Ok(event) = event else { return };
            let changes = !matches!(event.kind, EventKind::Access(_));
            if changes && event.paths.iter().any(|path| is_configuration(path)) {
                wanted.notify_one();
            }
        };
        let root = &self.load.root;
        let watched = file_watch::recommended_watcher(heard).and_then(|mut watcher| {
            watcher.watch(root, RecursiveMode::NonRecursive)?;
            for folder in ["checks", "alerts", "flows"] {
                let folder = root.join(folder);
                if folder.is_dir() {
                    watcher.watch(&folder, RecursiveMode::Recursive)?;
                }
            }
            Ok(watcher)
        });
        match watched {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "files are not watched; reload with SIGHUP");
                None
            }
        }
    }

    async fn reload(&self) -> ReloadOutcome {
        let options = LoadOptions {
            now: wall_now(),
            ..self.load.clone()
        };
        let loaded = tokio::task::spawn_blocking(move || load(&options)).await;
        let Ok(project) = loaded else {
            return ReloadOutcome::Refused(vec!["the files could not be read".into()]);
        };
        self.redactor.learn(&project.secrets);
        let redactor = self.redactor.current();
        let problems: Vec<String> = project
            .errors()
            .map(|problem| redactor.clean(&problem.to_string()).into_owned())
            .collect();
        self.status.note_reload(wall_now(), problems.clone());
        if !problems.is_empty() {
            for problem in &problems {
                tracing::error!(problem, "the changed files have errors; the old ones stay in use");
            }
            return ReloadOutcome::Refused(problems);
        }
        let checks = project.to_run();
        tracing::info!(checks = checks.len(), "files reloaded");
        self.outbox.serve(&project.channels);
        self.project.send_replace(Arc::new(project));
        let _ = self.orders.send(Order::Checks(checks)).await;
        ReloadOutcome::InUse
    }
}

fn is_configuration(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending == "yaml" || ending == "yml")
        || path.is_dir()
}
