//! A site whose pages a test writes, with the few answers that are no plain page.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server that runs until it is dropped.
pub struct Pages {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    pages: Mutex<HashMap<String, String>>,
    log_ins: AtomicUsize,
    valid: AtomicUsize,
    asked: Mutex<Vec<String>>,
}

impl Pages {
    pub async fn start(pages: &[(&str, &str)]) -> Self {
        let shared = Arc::new(Shared::default());
        for (path, html) in pages {
            let page = format!("<!doctype html><html lang=en><title>{path}</title>{html}");
            shared.pages.lock().unwrap().insert((*path).to_owned(), page);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            shared,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often somebody has logged in.
    pub fn log_ins(&self) -> usize {
        self.shared.log_ins.load(Ordering::SeqCst)
    }

    /// Ends every log-in: who has one is sent to log in again.
    pub fn end_log_ins(&self) {
        self.shared.valid.store(self.log_ins(), Ordering::SeqCst);
    }

    /// Every request so far: method, path and query.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let asked = format!("{} {}", request.method(), request.uri());
    shared.asked.lock().unwrap().push(asked);
    let path = request.uri().path().to_owned();
    let html = |html: String| Html(html).into_response();
    match path.as_str() {
        "/file.csv" => (
            [
                (header::CONTENT_TYPE, "text/csv"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"report.csv\""),
            ],
            "a,b\n1,2\n",
        )
            .into_response(),
        "/headers" => html(format!("<pre>{:?}</pre>", request.headers())),
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            html("<title>slow</title><p>Arrived late<button>Go</button>".into())
        }
        "/nothing" => StatusCode::NO_CONTENT.into_response(),
        "/missing.js" => StatusCode::NOT_FOUND.into_response(),
        "/broken" => (StatusCode::INTERNAL_SERVER_ERROR, "broken").into_response(),
        "/do-log-in" => {
            let number = shared.log_ins.fetch_add(1, Ordering::SeqCst) + 1;
            let cookie = format!("session={number}; Path=/; HttpOnly");
            (
                [(header::SET_COOKIE, cookie)],
                Html("<title>in</title><script>localStorage.setItem('token', 'abc')</script><p>Logged in"),
            )
                .into_response()
        }
        "/account" => {
            let valid = session(request.headers()).is_some_and(|n| n > shared.valid.load(Ordering::SeqCst));
            html(match valid {
                true => "<title>account</title><p>Your account<p id=t></p><script>t.textContent='token '+localStorage.getItem('token')</script>".into(),
                false => "<title>account</title><p>Please log in".into(),
            })
        }
        "/to-file" => (StatusCode::FOUND, [(header::LOCATION, "file:///etc/passwd")]).into_response(),
        "/to-metadata" => (
            StatusCode::FOUND,
            [(header::LOCATION, "http://169.254.169.254/latest/meta-data/")],
        )
            .into_response(),
        "/flood" => {
            let endless = futures_util::stream::repeat_with(|| {
                Ok::<_, std::io::Error>(axum::body::Bytes::from(vec![b'x'; 64 * 1024]))
            });
            (
                [(header::CONTENT_DISPOSITION, "attachment; filename=flood.bin")],
                Body::from_stream(endless),
            )
                .into_response()
        }
        _ => match shared.pages.lock().unwrap().get(&path) {
            Some(page) => html(page.clone()),
            None => (StatusCode::NOT_FOUND, Html("<title>none</title>Nothing here")).into_response(),
        },
    }
}

fn session(headers: &HeaderMap) -> Option<usize> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let value = cookies
        .split("; ")
        .find_map(|cookie| cookie.strip_prefix("session="))?;
    value.parse().ok()
}
