//! The demo: a small shop, a partner's API, and an inbox that takes messages as Slack and Dooray do.
//!
//! It is what a newcomer tries first, without the internet, and what our own tests run against.
//! Invariant: an instance owns all of its state, so that several run side by side in one process.

mod addresses;
mod blocks;
mod catalogue;
mod chat;
mod control;
mod door;
mod dooray;
mod fields;
mod inbox;
mod inbox_page;
mod knobs;
mod markup;
mod messages;
mod mrkdwn;
mod partner;
mod sessions;
mod shop;
mod shop_pages;
mod slack;
mod slack_parts;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use control::Control;
use inbox::Inbox;
use knobs::Knobs;
use markup::{Markup, site_page};
use partner::Partner;
use shop::Shop;

const MAX_BODY: usize = 1024 * 1024;

/// How long requests under way may take to end, and then how long their connections may.
const GRACE: Duration = Duration::from_secs(2);

/// Where a demo listens. Port 0 lets the system choose.
#[derive(Clone, Copy, Debug)]
pub struct DemoOptions {
    /// The site: the shop, the inbox and the control page.
    pub listen: SocketAddr,
    /// The partner's API, on a socket of its own because it can really be closed.
    pub partner_listen: SocketAddr,
}

/// A running demo. Dropping it ends it too, but only [`Demo::stop`] waits for the end.
#[derive(Debug)]
pub struct Demo {
    site: SocketAddr,
    partner: SocketAddr,
    stopping: CancellationToken,
    cut: CancellationToken,
    tasks: JoinSet<()>,
    _cut_when_dropped: DropGuard,
}

impl Demo {
    /// Starts a demo; both sockets are bound when it returns.
    ///
    /// # Errors
    /// When an address can't be listened on.
    pub async fn start(options: DemoOptions) -> io::Result<Self> {
        let site_listener = TcpListener::bind(options.listen).await?;
        let partner_listener = TcpListener::bind(options.partner_listen).await?;
        let site = site_listener.local_addr()?;
        let partner = partner_listener.local_addr()?;

        let cut = CancellationToken::new();
        let stopping = cut.child_token();
        let knobs = watch::Sender::new(Knobs::default());
        let (partner_open, partner_is_open) = watch::channel(true);

        let partner_api = Partner::new(knobs.subscribe(), partner_open, &stopping, &cut);
        let shop = Shop::new(knobs.subscribe(), stopping.clone());
        let inbox = Inbox::new(knobs.subscribe(), stopping.clone());
        let control = Control::new(knobs, partner_is_open);
        let router = site_router(front_door(site, partner), shop, inbox, control);

        let mut tasks = JoinSet::new();
        tasks.spawn(door::serve(site_listener, router, stopping.clone(), cut.clone()));
        tasks.spawn(partner_api.run(partner_listener, partner));
        Ok(Self {
            site,
            partner,
            stopping,
            cut: cut.clone(),
            tasks,
            _cut_when_dropped: cut.drop_guard(),
        })
    }

    /// Where the shop, the inbox and the control page are.
    #[must_use]
    pub fn site(&self) -> SocketAddr {
        self.site
    }

    /// Where the partner's API is, or was while it plays dead.
    #[must_use]
    pub fn partner(&self) -> SocketAddr {
        self.partner
    }

    /// Ends the demo: requests under way get a moment, then their connections are cut.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if self.ended_within_grace().await {
            return;
        }
        self.cut.cancel();
        if !self.ended_within_grace().await {
            tracing::warn!("demo tasks had to be aborted");
            self.tasks.shutdown().await;
        }
    }

    async fn ended_within_grace(&mut self) -> bool {
        let ending = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(GRACE, ending).await.is_ok()
    }
}

fn site_router(front_door: Router, shop: Shop, inbox: Inbox, control: Control) -> Router {
    front_door
        .merge(shop::router(Arc::new(shop)))
        .merge(inbox::router(Arc::new(inbox)))
        .merge(control::router(Arc::new(control)))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// The pages that belong to no part: the index and what every page needs.
fn front_door(site: SocketAddr, partner: SocketAddr) -> Router {
    let content = Markup::fill(
        include_str!("pages/index.html"),
        &[
            ("site", address_for_visitors(site).into()),
            ("partner", address_for_visitors(partner).into()),
        ],
    );
    let index = site_page("The haetae demo", content);
    Router::new()
        .route("/", get(index))
        .route("/demo/style.css", get(style))
        .route("/favicon.svg", get(favicon))
        .route("/favicon.ico", get(favicon))
}

async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("pages/style.css"))
}

async fn favicon() -> Response {
    asset("image/svg+xml", include_str!("pages/favicon.svg"))
}

async fn not_found() -> Response {
    let content = Markup::trusted("<h1>Nothing here</h1>");
    (StatusCode::NOT_FOUND, site_page("Nothing here", content)).into_response()
}

fn asset(content_type: &'static str, body: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// A socket that listens everywhere has no address of its own: visitors use loopback.
fn address_for_visitors(address: SocketAddr) -> String {
    let ip = address.ip();
    let visited = if ip.is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        ip
    };
    format!("http://{}", SocketAddr::new(visited, address.port()))
}

/// The media type of a request's body, in lower case and without parameters; empty when not given.
fn content_type(headers: &HeaderMap) -> String {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Waits, but not past the end of the demo.
async fn pause(stopping: &CancellationToken, wait: Duration) {
    let waiting = tokio::time::sleep(wait);
    stopping.run_until_cancelled(waiting).await;
}

#[cfg(test)]
mod tests;
