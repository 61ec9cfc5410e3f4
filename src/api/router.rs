//! The table as a router, and what holds for every request.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use url::Url;

use super::ApiParts;
use super::guard::{Gate, Guard, LARGEST_REQUEST_BYTES, guard};
use super::problem::ApiProblem;
use super::table::ENDPOINTS;

/// Pages need nothing from elsewhere, and run no script that is not ours.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) type Parts = State<Arc<ApiParts>>;

/// The whole HTTP surface.
pub fn router(parts: Arc<ApiParts>) -> Router {
    let gate = Arc::new(Gate::default());
    let mut router = Router::new();
    for endpoint in ENDPOINTS {
        let post = Guard {
            parts: Arc::clone(&parts),
            endpoint,
            gate: Arc::clone(&gate),
        };
        let guarded = (endpoint.handler)().route_layer(middleware::from_fn_with_state(post, guard));
        router = router.route(endpoint.path, guarded);
    }
    router
        .fallback(async || ApiProblem::not_found("there is nothing here"))
        .method_not_allowed_fallback(async || ApiProblem::wrong_method())
        .layer(middleware::from_fn_with_state(
            Arc::clone(&parts),
            refuse_foreign_hosts,
        ))
        .layer(Extension(gate))
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST_BYTES))
        .layer(CatchPanicLayer::custom(|_| {
            ApiProblem::internal(&"an endpoint panicked").into_response()
        }))
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
