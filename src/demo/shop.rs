//! The book shop: what browser checks are tried on.
//!
//! Invariant: without a session every address but the log-in page leads to the log-in page.

use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::catalogue::{self, won};
use super::knobs::{Knobs, TargetState};
use super::markup::Markup;
use super::sessions::{Delivery, Sessions, Visit};
use super::{pause, shop_pages};

const USER: &str = "qa-bot";
const PASSWORD: &str = "let-me-in-to-the-demo";
const COOKIE: &str = "shop_session";
const FIRST_ORDER: u64 = 1001;

/// The shop's state.
pub(super) struct Shop {
    sessions: Mutex<Sessions>,
    next_order: AtomicU64,
    knobs: watch::Receiver<Knobs>,
    stopping: CancellationToken,
}

/// A visitor who is logged in.
struct Shopper {
    session: String,
    visit: Visit,
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    q: String,
}

#[derive(Deserialize)]
struct Selection {
    book: u32,
}

#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    delivery: Delivery,
    /// A checkbox: there when checked, whatever its value.
    gift_wrap: Option<String>,
}

#[derive(Deserialize)]
struct Payment {
    #[serde(default)]
    card_number: String,
}

impl Shop {
    /// A shop without visitors.
    pub(super) fn new(knobs: watch::Receiver<Knobs>, stopping: CancellationToken) -> Self {
        Self {
            sessions: Mutex::default(),
            next_order: AtomicU64::new(FIRST_ORDER),
            knobs,
            stopping,
        }
    }

    fn knobs(&self) -> Knobs {
        *self.knobs.borrow()
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shopper(&self, headers: &HeaderMap) -> Option<Shopper> {
        let session = session_cookie(headers)?;
        let visit = self.sessions().visit(session)?;
        Some(Shopper {
            session: session.to_owned(),
            visit,
        })
    }
}

impl FromRequestParts<Arc<Shop>> for Shopper {
    type Rejection = Redirect;

    fn from_request_parts(
        parts: &mut Parts,
        shop: &Arc<Shop>,
    ) -> impl Future<Output = Result<Self, Redirect>> + Send {
        let shopper = shop.shopper(&parts.headers);
        ready(shopper.ok_or_else(|| Redirect::to("/shop/login")))
    }
}

/// The shop's routes.
pub(super) fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/shop", get(|| async { Redirect::to("/shop/") }))
        .route("/shop/login", get(log_in_page).post(log_in))
        .route("/shop/logout", post(log_out))
        .route("/shop/", get(home))
        .route("/shop/search", get(search))
        .route("/shop/api/search", get(search_results))
        .route("/shop/book/{id}", get(book))
        .route("/shop/cart", get(cart).post(add_to_cart))
        .route("/shop/checkout", get(checkout).post(choose_delivery))
        .route("/shop/payment", get(payment).post(pay))
        .route("/shop/orders/{number}", get(order))
        .route("/shop/{*rest}", get(nothing_here))
        .route_layer(from_fn_with_state(Arc::clone(&shop), behave))
        .with_state(shop)
}

/// Lets the shop be slow or dead. What is asked by scripts within a page is no page.
async fn behave(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let knobs = shop.knobs();
    let is_page = request.method() == Method::GET && !request.uri().path().starts_with("/shop/api/");
    match knobs.shop {
        TargetState::Dead => {
            return (StatusCode::SERVICE_UNAVAILABLE, shop_pages::closed()).into_response();
        }
        TargetState::Slow if is_page => {
            let late = Duration::from_millis(knobs.shop_delay_ms);
            pause(&shop.stopping, late).await;
        }
        TargetState::Ok | TargetState::Slow | TargetState::Wrong | TargetState::Hang => {}
    }
    next.run(request).await
}

async fn log_in_page() -> Markup {
    shop_pages::log_in(false)
}

async fn log_in(State(shop): State<Arc<Shop>>, Form(credentials): Form<Credentials>) -> Response {
    if credentials.email.trim() != USER || credentials.password != PASSWORD {
        return shop_pages::log_in(true).into_response();
    }
    let session = Uuid::now_v7().simple().to_string();
    let cookie = format!("{COOKIE}={session}; Path=/shop; HttpOnly; SameSite=Lax");
    shop.sessions().open(session);
    ([(header::SET_COOKIE, cookie)], Redirect::to("/shop/")).into_response()
}

async fn log_out(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    if let Some(session) = session_cookie(&headers) {
        shop.sessions().close(session);
    }
    let cookie = format!("{COOKIE}=; Path=/shop; HttpOnly; SameSite=Lax; Max-Age=0");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/shop/login")).into_response()
}

async fn home(_shopper: Shopper) -> Markup {
    shop_pages::home(USER)
}

async fn search(State(shop): State<Arc<Shop>>, _shopper: Shopper, Query(wish): Query<Wish>) -> Markup {
    let hangs = shop.knobs().shop == TargetState::Hang;
    shop_pages::search(USER, &wish.q, hangs)
}

async fn search_results(_shopper: Shopper, Query(wish): Query<Wish>) -> Json<Value> {
    let books: Vec<Value> = catalogue::search(&wish.q)
        .iter()
        .map(|book| {
            json!({
                "id": book.id,
                "title": book.title,
                "author": book.author,
                "price": won(book.price),
            })
        })
        .collect();
    Json(json!({"count": books.len(), "books": books}))
}

async fn book(_shopper: Shopper, Path(id): Path<u32>) -> Response {
    match catalogue::find(id) {
        Some(book) => shop_pages::book(USER, book).into_response(),
        None => missing(),
    }
}

async fn cart(shopper: Shopper) -> Markup {
    shop_pages::cart(USER, &shopper.visit)
}

async fn add_to_cart(
    State(shop): State<Arc<Shop>>,
    shopper: Shopper,
    Form(selection): Form<Selection>,
) -> Response {
    let Some(book) = catalogue::find(selection.book) else {
        return missing();
    };
    shop.sessions().change(&shopper.session, |visit| visit.add(book));
    Redirect::to("/shop/cart").into_response()
}

async fn choose_delivery(
    State(shop): State<Arc<Shop>>,
    shopper: Shopper,
    Form(order): Form<Order>,
) -> Redirect {
    shop.sessions().change(&shopper.session, |visit| {
        visit.delivery = order.delivery;
        visit.gift_wrap = order.gift_wrap.is_some();
    });
    Redirect::to("/shop/checkout")
}

async fn checkout(shopper: Shopper) -> Response {
    if shopper.visit.cart.is_empty() {
        return Redirect::to("/shop/cart").into_response();
    }
    shop_pages::checkout(USER, &shopper.visit).into_response()
}

async fn payment(State(shop): State<Arc<Shop>>, _shopper: Shopper) -> Markup {
    if shop.knobs().shop == TargetState::Wrong {
        return shop_pages::payment_impossible();
    }
    shop_pages::payment("")
}

async fn pay(State(shop): State<Arc<Shop>>, shopper: Shopper, Form(payment): Form<Payment>) -> Markup {
    if shopper.visit.cart.is_empty() {
        return shop_pages::payment("There is nothing to pay");
    }
    if !is_card_number(&payment.card_number) {
        return shop_pages::payment("Card refused");
    }
    let number = shop.next_order.fetch_add(1, Ordering::Relaxed);
    shop.sessions()
        .change(&shopper.session, |visit| visit.order(number));
    shop_pages::paid(number)
}

async fn order(shopper: Shopper, Path(number): Path<u64>) -> Response {
    if shopper.visit.orders.contains(&number) {
        shop_pages::order(USER, number).into_response()
    } else {
        missing()
    }
}

async fn nothing_here(_shopper: Shopper) -> Response {
    missing()
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, shop_pages::missing(USER)).into_response()
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, session)| session)
}

/// 12 to 19 digits, with spaces and hyphens where people put them.
fn is_card_number(text: &str) -> bool {
    let digits: Vec<char> = text
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '-'))
        .collect();
    (12..=19).contains(&digits.len()) && digits.iter().all(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_have_12_to_19_digits() {
        for good in ["123456789012", "4242 4242 4242 4242", "1234-5678-9012-3456-789"] {
            assert!(is_card_number(good), "{good}");
        }
        for bad in [
            "",
            "12345678901",
            "12345678901234567890",
            "4242 4242 4242 424x",
            "카드 번호",
        ] {
            assert!(!is_card_number(bad), "{bad}");
        }
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "theme=dark; x".parse().unwrap());
        assert_eq!(session_cookie(&headers), None);
        headers.append(header::COOKIE, "a=b; shop_session=abc; c=d".parse().unwrap());
        assert_eq!(session_cookie(&headers), Some("abc"));
    }
}
