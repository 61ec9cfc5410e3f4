//! `/login`: a token becomes a cookie, so that people can look at pages in a browser.

use std::net::SocketAddr;

use askama::Template;
use axum::extract::{ConnectInfo, Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::access::{COOKIE, address, find_token};
use super::guard::Gate;
use super::problem::ApiProblem;
use super::router::Parts;
use crate::clock::wall_now;

/// A browser forgets the token after so long; the token itself may end before.
const REMEMBERED_S: u64 = 30 * 24 * 3_600;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    next: String,
    refused: bool,
}

/// Where to go then.
#[derive(Deserialize)]
pub struct Next {
    next: Option<String>,
}

/// Asks for a token.
pub async fn ask(Query(query): Query<Next>) -> Response {
    page(StatusCode::OK, query.next, false)
}

/// What was typed.
#[derive(Deserialize)]
pub struct Typed {
    token: String,
    next: Option<String>,
}

/// Takes a token, and remembers it in this browser.
pub async fn take(
    State(parts): Parts,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    axum::Extension(gate): axum::Extension<std::sync::Arc<Gate>>,
    headers: HeaderMap,
    typed: Result<Form<Typed>, axum::extract::rejection::FormRejection>,
) -> Result<Response, ApiProblem> {
    let Ok(Form(typed)) = typed else {
        return Err(ApiProblem::bad_request("the form has no field `token`"));
    };
    let token = typed.token.trim();
    if find_token(&*parts.store, token, wall_now()).await?.is_none() {
        gate.failed(&address(&headers, peer.ip()))?;
        return Ok(page(StatusCode::UNAUTHORIZED, typed.next, true));
    }
    let secure = if is_public_over_tls(&parts) {
        "; Secure"
    } else {
        ""
    };
    let cookie =
        format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={REMEMBERED_S}{secure}");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&inside(typed.next))).into_response())
}

/// Forgets the token in this browser.
pub async fn leave() -> Response {
    let cookie = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}

fn is_public_over_tls(parts: &super::ApiParts) -> bool {
    parts
        .project()
        .settings
        .public_url
        .as_ref()
        .is_some_and(|url| url.starts_with("https://"))
}

/// A path of ours; a log-in must not send anybody elsewhere.
fn inside(next: Option<String>) -> String {
    next.filter(|next| {
        let mut chars = next.chars();
        chars.next() == Some('/')
            && !matches!(chars.next(), Some('/' | '\\'))
            && next.is_ascii()
            && !next.chars().any(char::is_control)
    })
    .unwrap_or_else(|| "/".into())
}

fn page(status: StatusCode, next: Option<String>, refused: bool) -> Response {
    let page = LoginPage {
        next: inside(next),
        refused,
    };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => ApiProblem::internal(&error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_leads_to_our_own_pages_only() {
        for (next, leads_to) in [
            ("/checks/a?x=1", "/checks/a?x=1"),
            ("//evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example/", "/"),
            ("", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
        ] {
            assert_eq!(inside(Some(next.into())), leads_to, "{next}");
        }
    }
}
