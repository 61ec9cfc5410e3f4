//! The composition root: a project → a running haetae. The only file that knows every room.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use crate::api::AccessRules;
use crate::api::{self, ApiParts};
use crate::browser::{Browsers, clean_leftovers};
use crate::bulletin::Bulletin;
use crate::check::domain::RdapServers;
use crate::check::heartbeat::Heartbeats;
use crate::check::host::Disks;
use crate::check::load::Load;
use crate::check::net::dns::Dns;
use crate::check::net::tls::TlsRoots;
use crate::check::net::tokens::Tokens;
use crate::check::retry::RetryBudget;
use crate::check::{Past, Runnable, Services};
use crate::clock::wall_now;
use crate::config::{LoadOptions, Project};
use crate::engine::{Command, remembers_since};
use crate::housekeeping::{self, Housekeeping};
use crate::mailbox::Asked;
use crate::model::{ActionTaken, SharedRedactor};
use crate::notify::{Courier, Listener, Outbox, OutboxNews, OutboxOptions, Transport};
use crate::otel::Exporter;
use crate::recorder::{Recorder, RecorderParts};
use crate::reload::Reloader;
use crate::schedule::{Order, Runner, RunnerOptions};
use crate::status::Status;
use crate::store::{Remembered, SqliteStore, Store, StoreError};
use crate::triggers::Triggers;

/// Sending that is under way may go on this long at shutdown.
const OUTBOX_LIMIT: Duration = Duration::from_secs(12);

/// What `serve` decides.
pub struct AppOptions {
    /// How the project is loaded, now and at every reload.
    pub load: LoadOptions,
    /// Where API and pages are served; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The store's URL.
    pub store_url: String,
    /// The mask over everything that leaves the process.
    pub redactor: SharedRedactor,
    /// How much runs at once.
    pub runner: RunnerOptions,
    /// Reload when a file changes.
    pub watch_files: bool,
    /// Who may ask without a token.
    pub access: AccessRules,
}

/// Why haetae cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another one serves from this store.
    #[error("another haetae serves from {0} already; end it, or use another store")]
    Locked(PathBuf),
    /// The lock file cannot be used.
    #[error("{path} cannot be used: {why}")]
    Lock {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address is taken, or not ours.
    #[error("{address} cannot be listened on: {why}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        why: io::Error,
    },
    /// Others could ask, and nobody could log in.
    #[error(
        "others can reach {0}, and there is no token to log in with: make one with `haetae token create --scope read`, listen on 127.0.0.1, or add --insecure"
    )]
    NoToken(SocketAddr),
    /// Messages could not be sent.
    #[error("{0}")]
    Transport(String),
    /// Calendar work could not be planned.
    #[error("{0}")]
    Housekeeping(String),
}

/// A running haetae.
pub struct App {
    address: SocketAddr,
    store: Arc<dyn Store>,
    outbox: Arc<Outbox>,
    stop_api: CancellationToken,
    stop_reloads: CancellationToken,
    api: JoinHandle<()>,
    reloader: JoinHandle<()>,
    runner: JoinHandle<()>,
    recorder: JoinHandle<()>,
    housekeeping: Housekeeping,
    orders: mpsc::Sender<Order>,
    _lock: File,
}

impl App {
    /// Starts everything: what was owed is sent, checks begin at their phase.
    ///
    /// # Errors
    /// What keeps it from starting, in words for people.
    pub async fn start(project: Project, options: AppOptions) -> Result<Self, StartError> {
        let Ground {
            lock,
            store,
            listener,
            address,
            services,
            remembered,
        } = Ground::prepare(&project, &options).await?;
        let ((commands, command_queue), (orders, order_queue)) = (mpsc::channel(1_024), mpsc::channel(64));
        let (bulletin, status) = (Arc::new(Bulletin::default()), Arc::new(Status::default()));
        let hears = listening(commands.clone(), Arc::clone(&bulletin), Arc::clone(&status));
        let outbox = outbox(&project, &options, &store, &services, address, hears)?;
        let (runner, reports) = Runner::new(Arc::clone(&services), permits(&project, options.runner));
        let (retention, to_run) = (project.settings.retention, project.to_run());
        let (project_in_use, project_seen) = watch::channel(Arc::new(project));
        let parts = RecorderParts {
            store: Arc::clone(&store),
            outbox: Arc::clone(&outbox),
            status: Arc::clone(&status),
            triggers: Arc::new(Triggers::default()),
            bulletin,
            exporter: exporter(&project_seen.borrow(), &services, &status)?,
            orders: orders.clone(),
            project: project_seen.clone(),
        };
        let reload_wanted = Arc::new(Notify::new());
        let (stop_api, stop_reloads) = (CancellationToken::new(), CancellationToken::new());
        let api = api_parts(&parts, &options, &services, &stop_api, &reload_wanted, commands);
        let recorder = Recorder::new(parts, remembered);
        let recorder = tokio::spawn(recorder.run(reports, command_queue));
        let runner = tokio::spawn(runner.run(order_queue));
        let _ = orders.send(Order::Checks(to_run)).await;
        let reloader = reloader(
            &options,
            project_in_use,
            &orders,
            &outbox,
            &status,
            &reload_wanted,
        );
        let housekeeping = housekeeping::start(Arc::clone(&store), retention, services.evidence_dir.clone())
            .await
            .map_err(StartError::Housekeeping)?;
        Ok(Self {
            address,
            store,
            outbox,
            api: tokio::spawn(api::serve(listener, api)),
            reloader: tokio::spawn(reloader.run(stop_reloads.clone())),
            stop_api,
            stop_reloads,
            runner,
            recorder,
            housekeeping,
            orders,
            _lock: lock,
        })
    }

    /// Where API and pages are.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where everything is kept, for tests and tools.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Runs until `shutdown`, then ends in order: no new runs, running ones finish or are
    /// abandoned within their bound, what they mean is written, what is being sent is sent.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        tracing::info!("shutting down");
        self.stop_reloads.cancel();
        let _ = self.reloader.await;
        // The recorder ends when the runner's reports do.
        let _ = self.orders.send(Order::Stop).await;
        let _ = self.runner.await;
        let _ = self.recorder.await;
        self.outbox.shut_down(OUTBOX_LIMIT).await;
        self.housekeeping.stop().await;
        self.stop_api.cancel();
        let _ = self.api.await;
        self.store.close().await;
    }
}

/// What requests are answered from is what the recorder works with, and a few things more.
fn api_parts(
    parts: &RecorderParts,
    options: &AppOptions,
    services: &Arc<Services>,
    stop: &CancellationToken,
    reload_wanted: &Arc<Notify>,
    commands: mpsc::Sender<Asked>,
) -> ApiParts {
    ApiParts {
        store: Arc::clone(&parts.store),
        status: Arc::clone(&parts.status),
        services: Arc::clone(services),
        orders: parts.orders.clone(),
        triggers: Arc::clone(&parts.triggers),
        bulletin: Arc::clone(&parts.bulletin),
        access: options.access,
        stop: stop.clone(),
        tasks: TaskTracker::new(),
        redactor: options.redactor.clone(),
        project: parts.project.clone(),
        reload_wanted: Arc::clone(reload_wanted),
        commands,
        wake_outbox: waker(&parts.outbox),
        started: wall_now(),
    }
}

fn reloader(
    options: &AppOptions,
    project: watch::Sender<Arc<Project>>,
    orders: &mpsc::Sender<Order>,
    outbox: &Arc<Outbox>,
    status: &Arc<Status>,
    wanted: &Arc<Notify>,
) -> Reloader {
    Reloader {
        load: options.load.clone(),
        project,
        orders: orders.clone(),
        outbox: Arc::clone(outbox),
        status: Arc::clone(status),
        redactor: options.redactor.clone(),
        wanted: Arc::clone(wanted),
        watch_files: options.watch_files,
    }
}

fn waker(outbox: &Arc<Outbox>) -> Arc<dyn Fn() + Send + Sync> {
    let outbox = Arc::clone(outbox);
    Arc::new(move || outbox.wake())
}

/// How much runs at once; the settings say how many browsers.
fn permits(project: &Project, options: RunnerOptions) -> RunnerOptions {
    RunnerOptions {
        browsers_at_once: project.settings.browsers.at_once,
        ..options
    }
}

/// What must be there before anything can start.
struct Ground {
    lock: File,
    store: Arc<dyn Store>,
    listener: TcpListener,
    address: SocketAddr,
    services: Arc<Services>,
    remembered: Remembered,
}

impl Ground {
    async fn prepare(project: &Project, options: &AppOptions) -> Result<Self, StartError> {
        let path = store_path(&options.store_url, &options.load.root);
        let lock = lock(&path)?;
        let leftovers = clean_leftovers();
        if leftovers > 0 {
            tracing::info!(
                folders = leftovers,
                "browsers left behind by a killed haetae were cleaned up"
            );
        }
        options.redactor.learn(&project.secrets);
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).await?);
        if !options.listen.ip().is_loopback() && !options.access.insecure {
            let tokens = store.tokens().await?;
            if !tokens.iter().any(|(token, _)| token.holds(wall_now())) {
                return Err(StartError::NoToken(options.listen));
            }
        }
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|why| StartError::Listen {
                address: options.listen,
                why,
            })?;
        let address = listener.local_addr().unwrap_or(options.listen);
        project.settings.targets.deny_own_port(address.port());
        // Whoever had these leases is gone: the lock is ours.
        store.release_leases().await?;
        let remembered = store.remember(remembers_since(wall_now())).await?;
        let services = services(project, &path, &options.redactor);
        services.heartbeats.listen(store.heartbeats().await?);
        for runnable in project.to_run() {
            recall(&runnable, &store, &services).await?;
        }
        Ok(Self {
            lock,
            store,
            listener,
            address,
            services,
            remembered,
        })
    }
}

/// Tells a probe what its check measured before the start, if it wants to know.
async fn recall(runnable: &Runnable, store: &Arc<dyn Store>, services: &Services) -> Result<(), StoreError> {
    let count = runnable.probe.recalls();
    if count == 0 {
        return Ok(());
    }
    let rows = store.results(&runnable.check.id, count).await?;
    let past: Vec<Past> = rows
        .into_iter()
        .filter_map(|row| {
            Some(Past {
                started: row.started,
                measurements: serde_json::from_value(row.measured).ok()?,
            })
        })
        .collect();
    runnable.probe.recall(services, &past);
    Ok(())
}

fn outbox(
    project: &Project,
    options: &AppOptions,
    store: &Arc<dyn Store>,
    services: &Services,
    address: SocketAddr,
    listener: Listener,
) -> Result<Arc<Outbox>, StartError> {
    let transport = Transport::new(&services.roots).map_err(StartError::Transport)?;
    let public_url = project.settings.public_url.clone();
    let outbox = Outbox::new(OutboxOptions {
        courier: Courier {
            store: Arc::clone(store),
            redactor: options.redactor.clone(),
            public_url: Some(public_url.unwrap_or_else(|| format!("http://{address}"))),
            language: project.settings.language,
        },
        transport: Arc::new(transport),
        listener,
    });
    outbox.serve(&project.channels);
    Ok(Arc::new(outbox))
}

fn exporter(project: &Project, services: &Services, status: &Arc<Status>) -> Result<Exporter, StartError> {
    let transport = || Transport::new(&services.roots);
    Exporter::start(project.settings.otel.as_ref(), transport, Arc::clone(status))
        .map_err(StartError::Transport)
}

/// What the outbox has to say becomes a command. When so many are waiting that there is no
/// room, the next attempt to send says it again.
fn listening(commands: mpsc::Sender<Asked>, bulletin: Arc<Bulletin>, status: Arc<Status>) -> Listener {
    Arc::new(move |news| {
        let command = match news {
            OutboxNews::Settled {
                delivery,
                channel,
                result,
            } => {
                status.note_delivery(&channel, result);
                let data = json!({ "delivery": delivery, "channel": channel, "result": result });
                bulletin.tell("delivery", data);
                return;
            }
            OutboxNews::Channel { channel, trouble } => Command::ChannelState { channel, trouble },
            OutboxNews::FallBack {
                delivery,
                channel,
                notices,
            } => Command::FallBack {
                delivery,
                channel,
                notices,
            },
            OutboxNews::Action {
                channel,
                incident,
                done,
                said,
            } => Command::ActionTaken {
                incident,
                taken: ActionTaken {
                    channel,
                    at: wall_now(),
                    done,
                    said,
                },
            },
        };
        let asked = Asked {
            command,
            answer: None,
        };
        if commands.try_send(asked).is_err() {
            tracing::warn!("news of a channel was dropped: too much is waiting");
        }
    })
}

/// What all checks share, for `serve` and for `run`.
#[must_use]
pub fn services(project: &Project, store_path: &Path, redactor: &SharedRedactor) -> Arc<Services> {
    let evidence_dir = store_path.parent().unwrap_or(Path::new(".")).join("evidence");
    services_with_evidence(project, evidence_dir, redactor)
}

/// The same, with evidence in a folder of its own.
#[must_use]
pub fn services_with_evidence(
    project: &Project,
    evidence_dir: PathBuf,
    redactor: &SharedRedactor,
) -> Arc<Services> {
    let targets = Arc::clone(&project.settings.targets);
    Arc::new(Services {
        dns: Dns::from_system(),
        roots: TlsRoots::default(),
        retry_budget: RetryBudget::default(),
        tokens: Tokens::default(),
        rdap: RdapServers::default(),
        load: Load::default(),
        browsers: Browsers::new(project.settings.browsers.clone(), Arc::clone(&targets)),
        targets,
        heartbeats: Heartbeats::default(),
        disks: Disks::default(),
        language: project.settings.language,
        redactor: redactor.clone(),
        project_dir: std::path::absolute(&project.root).unwrap_or_else(|_| project.root.clone()),
        evidence_dir: std::path::absolute(&evidence_dir).unwrap_or(evidence_dir),
    })
}

/// The SQLite file that a store's URL names; a relative one lies in the project folder.
#[must_use]
pub fn store_path(url: &str, root: &Path) -> PathBuf {
    root.join(url.strip_prefix("sqlite://").unwrap_or(url))
}

/// One process that writes per store.
pub(crate) fn lock(store: &Path) -> Result<File, StartError> {
    let path = store.with_extension("lock");
    let failed = |why| StartError::Lock {
        path: path.clone(),
        why,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::Locked(store.to_path_buf())),
        Err(std::fs::TryLockError::Error(why)) => Err(failed(why)),
    }
}
