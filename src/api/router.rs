//! Every route on one page.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use url::Url;

use super::problem::ApiProblem;
use super::{ApiParts, checks, heartbeats, incidents, metrics, oncall, pages};

const LARGEST_REQUEST_BYTES: usize = 256 * 1024;
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

/// Pages need nothing from elsewhere, and run no script that is not ours.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) type Parts = State<Arc<ApiParts>>;

/// The whole HTTP surface.
pub fn router(parts: Arc<ApiParts>) -> Router {
    Router::new()
        // pages
        .route("/", get(pages::overview))
        .route("/checks/{*id}", get(pages::check))
        .route("/incidents/{id}", get(pages::incident))
        .route("/runs/{id}", get(pages::run))
        .route("/evidence/{*path}", get(pages::evidence))
        .route("/style.css", get(pages::style))
        // API
        .route("/api/v1/checks", get(checks::list))
        .route("/api/v1/checks/{*id}", get(checks::show))
        .route("/api/v1/results", get(checks::results))
        .route("/api/v1/incidents", get(incidents::list))
        .route("/api/v1/incidents/{id}", get(incidents::show))
        .route("/api/v1/incidents/{id}/ack", post(oncall::acknowledge))
        .route("/api/v1/incidents/{id}/mark", post(oncall::mark))
        .route("/api/v1/silences", get(oncall::silences).post(oncall::silence))
        .route("/api/v1/silences/{id}", delete(oncall::end_silence))
        .route("/api/v1/deployments", post(oncall::deploy))
        .route("/api/v1/channels", get(oncall::channels))
        .route("/api/v1/deliveries", get(incidents::deliveries))
        .route("/api/v1/deliveries/resend", post(oncall::resend))
        .route("/api/v1/explain/{*what}", get(oncall::explained))
        .route(
            "/api/v1/heartbeats/{token}",
            get(heartbeats::success).post(heartbeats::success),
        )
        .route(
            "/api/v1/heartbeats/{token}/start",
            get(heartbeats::start).post(heartbeats::start),
        )
        .route(
            "/api/v1/heartbeats/{token}/fail",
            get(heartbeats::fail).post(heartbeats::fail),
        )
        .route("/slack/interactions", post(oncall::pressed))
        // for machines
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/-/reload", post(reload))
        .fallback(async || ApiProblem::not_found("there is nothing here"))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&parts),
            refuse_foreign_hosts,
        ))
        .layer(RequestBodyLimitLayer::new(LARGEST_REQUEST_BYTES))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            LONGEST_REQUEST,
        ))
        .layer(CatchPanicLayer::new())
        .layer(fixed_header("content-security-policy", POLICY))
        .layer(fixed_header("x-content-type-options", "nosniff"))
        .layer(fixed_header("referrer-policy", "no-referrer"))
        .with_state(parts)
}

fn fixed_header(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// A page of somebody else's that resolves to this address must not read it (DNS rebinding),
/// and must not have it do anything.
async fn refuse_foreign_hosts(State(parts): Parts, request: Request, next: Next) -> Response {
    match foreign(&parts, &request) {
        Some(why) => ApiProblem::forbidden(why).into_response(),
        None => next.run(request).await,
    }
}

fn foreign(parts: &ApiParts, request: &Request) -> Option<String> {
    let text = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let host = text(header::HOST).unwrap_or_default();
    let project = parts.project();
    let public = project
        .settings
        .public_url
        .as_deref()
        .and_then(|url| Url::parse(url).ok());
    if !is_known_host(host, public.as_ref()) {
        return Some(format!(
            "`{host}` is not a name of this server; set `public_url` in haetae.yaml"
        ));
    }
    let foreign_origin = text(header::ORIGIN)
        .and_then(|origin| Url::parse(origin).ok())
        .is_some_and(|origin| !host.eq_ignore_ascii_case(&authority(&origin)));
    (foreign_origin && request.method() != axum::http::Method::GET)
        .then(|| "requests from other sites' pages are not taken".to_owned())
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An address, `localhost`, or the name in `public_url`.
fn is_known_host(host: &str, public: Option<&Url>) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}/")) else {
        return false;
    };
    match url.host() {
        Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => true,
        Some(url::Host::Domain(name)) => {
            name == "localhost" || public.and_then(Url::host_str).is_some_and(|known| known == name)
        }
        None => false,
    }
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The store can be read.
async fn readyz(State(parts): Parts) -> Result<&'static str, ApiProblem> {
    parts.store.delivery_counts().await?;
    Ok("ready\n")
}

async fn reload(State(parts): Parts) -> Response {
    parts.reload_wanted.notify_one();
    let body = json!({ "accepted": true, "result": "shown at / and in the log" });
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_answered() {
        let public = Url::parse("https://haetae.example/").unwrap();
        for (host, known) in [
            ("127.0.0.1:8600", true),
            ("[::1]:8600", true),
            ("localhost:8600", true),
            ("haetae.example", true),
            ("evil.example:8600", false),
            ("", false),
        ] {
            assert_eq!(is_known_host(host, Some(&public)), known, "{host}");
        }
    }
}
