//! A proxy that breaks one thing of the application behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One thing that is not as it should be.
pub struct Break {
    /// Of which requests; empty for any.
    method: &'static str,
    /// A part of the path; with `=` before it, the whole.
    path: &'static str,
    how: How,
}

enum How {
    Replace(&'static str, &'static str),
    Status(u16),
    Drop,
    Delay(Duration),
}

impl Break {
    /// Other words in an answer.
    pub fn replace(path: &'static str, from: &'static str, to: &'static str) -> Self {
        Self {
            method: "",
            path,
            how: How::Replace(from, to),
        }
    }

    /// An answer that does not come from the application.
    pub fn status(method: &'static str, path: &'static str, status: u16) -> Self {
        Self {
            method,
            path,
            how: How::Status(status),
        }
    }

    /// A connection that ends without an answer.
    pub fn drops(method: &'static str, path: &'static str) -> Self {
        Self {
            method,
            path,
            how: How::Drop,
        }
    }

    /// An answer that takes its time.
    pub fn delays(method: &'static str, path: &'static str, by: Duration) -> Self {
        Self {
            method,
            path,
            how: How::Delay(by),
        }
    }

    fn fits(&self, request: &Request) -> bool {
        let path = request.uri().path();
        let is_path = match self.path.strip_prefix('=') {
            Some(whole) => path == whole,
            None => path.contains(self.path),
        };
        is_path && (self.method.is_empty() || request.method() == self.method)
    }
}

/// Listens until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    task: JoinHandle<()>,
}

struct Behind {
    port: u16,
    breaks: Break,
    client: reqwest::Client,
}

impl Proxy {
    pub async fn start(port: u16, breaks: Break) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let behind = Arc::new(Behind { port, breaks, client });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(pass).with_state(behind);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(State(behind): State<Arc<Behind>>, request: Request) -> Response {
    let broken = behind.breaks.fits(&request);
    if broken {
        match behind.breaks.how {
            How::Status(status) => return StatusCode::from_u16(status).unwrap().into_response(),
            How::Drop => {
                let cut = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
                return Response::new(Body::from_stream(cut));
            }
            How::Delay(by) => tokio::time::sleep(by).await,
            How::Replace(..) => {}
        }
    }
    let (head, body) = request.into_parts();
    let url = format!(
        "http://127.0.0.1:{}{}",
        behind.port,
        head.uri.path_and_query().map_or("/", |path| path.as_str())
    );
    let mut headers = head.headers;
    let dropped: [HeaderName; 4] = [
        header::ACCEPT_ENCODING,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::CONNECTION,
    ];
    for name in dropped {
        headers.remove(name);
    }
    // Nothing compressed: words are to be replaced in it.
    headers.insert(header::ACCEPT_ENCODING, "identity".parse().unwrap());
    let body = to_bytes(body, 16 << 20).await.unwrap_or_default();
    let sent = behind
        .client
        .request(head.method, url)
        .headers(headers)
        .body(body);
    let Ok(answer) = sent.send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let mut content = answer.bytes().await.unwrap_or_default();
    if let (true, How::Replace(from, to)) = (broken, &behind.breaks.how)
        && let Ok(text) = std::str::from_utf8(&content)
    {
        content = Bytes::from(text.replace(from, to));
    }
    for name in [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
    ] {
        headers.remove(name);
    }
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
