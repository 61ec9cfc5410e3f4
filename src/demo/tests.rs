//! The demo as its visitors meet it: over its sockets.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Demo, DemoOptions, MAX_BODY};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn start() -> Demo {
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Demo::start(DemoOptions {
        listen: loopback,
        partner_listen: loopback,
    })
    .await
    .unwrap()
}

async fn ask(address: SocketAddr, request: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

async fn get(address: SocketAddr, path: &str, cookie: &str) -> Answer {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: demo\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    ask(address, &request).await.unwrap()
}

async fn post(address: SocketAddr, path: &str, kind: &str, cookie: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: demo\r\nCookie: {cookie}\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    ask(address, &request).await.unwrap()
}

async fn turn(demo: &Demo, change: Value) -> Answer {
    post(demo.site(), "/demo/control", JSON, "", &change.to_string()).await
}

async fn log_in(demo: &Demo) -> String {
    let form = "email=qa-bot&password=let-me-in-to-the-demo";
    let answer = post(demo.site(), "/shop/login", FORM, "", form).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/shop/")));
    let cookie = answer.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_book_is_bought_from_log_in_to_thank_you() {
    let demo = start().await;
    let site = demo.site();
    let cookie = log_in(&demo).await;

    assert!(get(site, "/shop/", &cookie).await.body.contains("Hello, qa-bot"));
    let found = get(site, "/shop/api/search?q=rust", &cookie).await.json();
    assert_eq!(found["count"], 3);
    let added = post(site, "/shop/cart", FORM, &cookie, "book=1").await;
    assert_eq!(added.header("location"), Some("/shop/cart"));
    let chosen = post(site, "/shop/checkout", FORM, &cookie, "delivery=express").await;
    assert_eq!(chosen.header("location"), Some("/shop/checkout"));
    let summary = get(site, "/shop/checkout", &cookie).await.body;
    assert!(
        summary.contains("Express") && summary.contains("₩45,000"),
        "{summary}"
    );

    let refused = post(site, "/shop/payment", FORM, &cookie, "card_number=123").await;
    assert!(refused.body.contains("Card refused"));
    let paid = post(
        site,
        "/shop/payment",
        FORM,
        &cookie,
        "card_number=4242424242424242",
    )
    .await;
    assert!(paid.body.contains(r#"data-number="1001""#), "{}", paid.body);
    let order = get(site, "/shop/orders/1001", &cookie).await;
    assert!(order.body.contains(r#"<b id="order-no">1001</b>"#));
    assert_eq!(get(site, "/shop/orders/1002", &cookie).await.status, 404);
    demo.stop().await;
}

#[tokio::test]
async fn strangers_are_led_to_the_log_in_page() {
    let demo = start().await;
    for path in ["/shop/", "/shop/cart", "/shop/api/search?q=x", "/shop/nowhere"] {
        let answer = get(demo.site(), path, "").await;
        assert_eq!(answer.header("location"), Some("/shop/login"), "{path}");
    }
    let form = "email=qa-bot&password=wrong";
    let refused = post(demo.site(), "/shop/login", FORM, "", form).await;
    assert!(refused.body.contains("Wrong e-mail or password"));

    let cookie = log_in(&demo).await;
    post(demo.site(), "/shop/logout", FORM, &cookie, "").await;
    assert_eq!(get(demo.site(), "/shop/", &cookie).await.status, 303);
    demo.stop().await;
}

#[tokio::test]
async fn the_shop_breaks_as_it_is_told() {
    let demo = start().await;
    let site = demo.site();
    let cookie = log_in(&demo).await;

    turn(&demo, json!({"shop": "wrong"})).await;
    assert!(
        get(site, "/shop/payment", &cookie)
            .await
            .body
            .contains("Pay later")
    );
    turn(&demo, json!({"shop": "hang"})).await;
    let page = get(site, "/shop/search?q=rust", &cookie).await;
    assert!(page.body.contains(r#"data-hangs="yes""#));
    turn(&demo, json!({"shop": "dead"})).await;
    assert_eq!(get(site, "/shop/", &cookie).await.status, 503);
    assert_eq!(get(site, "/inbox", "").await.status, 200);
    turn(&demo, json!({"shop": "ok"})).await;
    assert_eq!(get(site, "/shop/", &cookie).await.status, 200);
    demo.stop().await;
}

#[tokio::test]
async fn the_partner_dies_and_rises_again_on_its_port() {
    let demo = start().await;
    let health = json!({"status": "UP", "workers": 12, "version": "2.4.1"});
    assert_eq!(get(demo.partner(), "/health", "").await.json(), health);
    let mut open = TcpStream::connect(demo.partner()).await.unwrap();

    assert_eq!(turn(&demo, json!({"partner": "dead"})).await.status, 200);
    let refused = TcpStream::connect(demo.partner()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let dropped = timeout(Duration::from_secs(2), open.read(&mut [0; 1])).await;
    assert!(matches!(dropped, Ok(Ok(0) | Err(_))), "{dropped:?}");

    turn(&demo, json!({"partner": "wrong"})).await;
    let degraded = json!({"status": "DEGRADED", "workers": 0});
    assert_eq!(get(demo.partner(), "/health", "").await.json(), degraded);
    demo.stop().await;
}

#[tokio::test]
async fn a_wish_that_makes_no_sense_is_a_problem_with_the_allowed_values() {
    let demo = start().await;
    let answer = turn(&demo, json!({"partner": "asleep"})).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let allowed = json!(["ok", "slow", "wrong", "dead", "hang"]);
    assert_eq!(answer.json()["errors"][0]["allowed"], allowed);

    let form = post(demo.site(), "/demo/control", FORM, "", "slack=limited").await;
    assert_eq!(
        form.json()["slack"],
        "limited",
        "a form from a script is answered with the state"
    );
    let from_page = format!("{FORM}\r\nAccept: text/html,*/*");
    let form = post(demo.site(), "/demo/control", &from_page, "", "slack=limited").await;
    assert_eq!(form.header("location"), Some("/demo/control"));
    let knobs = get(demo.site(), "/demo/control.json", "").await.json();
    assert_eq!(
        (&knobs["slack"], &knobs["partner"]),
        (&json!("limited"), &json!("ok"))
    );
    demo.stop().await;
}

/// The messages of `/inbox.json` in a line each.
fn told(inbox: &Answer) -> Vec<String> {
    let parts = ["id", "service", "hook", "accepted", "status", "error", "text"];
    let line = |message: &Value| parts.map(|part| message[part].to_string()).join(" ");
    let messages = inbox.json();
    messages.as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn messages_reach_the_inbox_without_their_token() {
    let demo = start().await;
    let site = demo.site();
    let slack = "/slack/services/T0/oncall/s3cr3t-token";
    let dooray = "/dooray/services/1/watch/s3cr3t-token";

    let taken = post(site, slack, JSON, "", r#"{"text":"*down*"}"#).await;
    assert_eq!((taken.status, taken.body.as_str()), (200, "ok"));
    let refused = post(site, slack, JSON, "", "{}").await;
    assert_eq!((refused.status, refused.body.as_str()), (400, "no_text"));
    let taken = post(site, dooray, JSON, "", r#"{"text":"late"}"#).await;
    assert_eq!(taken.json()["header"]["isSuccessful"], true);
    turn(&demo, json!({"slack": "limited"})).await;
    let limited = post(site, slack, JSON, "", r#"{"text":"x"}"#).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("1")));

    let all = get(site, "/inbox.json", "").await;
    assert_eq!(
        told(&all),
        [
            r#"1 "slack" "oncall" true 200 null "*down*""#,
            r#"2 "slack" "oncall" false 400 "no_text" """#,
            r#"3 "dooray" "watch" true 200 null "late""#,
            r#"4 "slack" "oncall" false 429 "rate_limited" "x""#,
        ]
    );
    let page = get(site, "/inbox", "").await;
    assert!(page.body.contains("<b>down</b>"));
    assert!(!all.body.contains("s3cr3t") && !page.body.contains("s3cr3t"));

    post(site, "/inbox/clear", FORM, "", "").await;
    assert_eq!(get(site, "/inbox.json", "").await.json(), json!([]));
    demo.stop().await;
}

#[tokio::test]
async fn a_reader_may_wait_for_the_next_message() {
    let demo = start().await;
    let hook = "/slack/services/T0/oncall/x";
    let (waited, _) = tokio::join!(
        get(demo.site(), "/inbox.json?service=slack&wait_ms=30000", ""),
        async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            post(demo.site(), hook, JSON, "", r#"{"text":"now"}"#).await
        }
    );
    assert_eq!(waited.json()[0]["text"], "now");
    demo.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_big_is_refused() {
    let demo = start().await;
    let body = "x".repeat(MAX_BODY + 1);
    let refused = post(demo.site(), "/slack/services/a/b/c", JSON, "", &body).await;
    assert_eq!(refused.status, 413);
    demo.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_those_who_hang() {
    let demo = start().await;
    turn(
        &demo,
        json!({"partner": "hang", "shop": "slow", "shop_delay_ms": 60_000}),
    )
    .await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: demo\r\n\r\n");
    let hanging = tokio::spawn({
        let (address, request) = (demo.partner(), request("/health"));
        async move { ask(address, &request).await }
    });
    let slow = tokio::spawn({
        let (address, request) = (demo.site(), request("/shop/login"));
        async move { ask(address, &request).await }
    });
    let mut silent = TcpStream::connect(demo.site()).await.unwrap();
    silent.write_all(b"GET / HT").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;

    timeout(Duration::from_secs(8), demo.stop()).await.unwrap();
    assert!(hanging.is_finished() || timeout(Duration::from_secs(1), hanging).await.is_ok());
    assert!(slow.is_finished() || timeout(Duration::from_secs(1), slow).await.is_ok());
}

#[tokio::test]
async fn demos_side_by_side_share_nothing() {
    let (one, other) = (start().await, start().await);
    turn(&one, json!({"shop": "dead"})).await;
    assert_eq!(get(one.site(), "/shop/login", "").await.status, 503);
    assert_eq!(get(other.site(), "/shop/login", "").await.status, 200);
    one.stop().await;
    other.stop().await;
}
