//! Receivers of messages that answer as strictly as the real ones: a mail server with TLS,
//! Slack's Web API, and any webhook.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use axum::{Json, Router};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{PATIENCE, provider};

/// Waits until something is so.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A mail as the server took it.
#[derive(Debug, Clone)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
}

impl Mail {
    pub fn header(&self, name: &str) -> String {
        // A long header goes on in lines that begin with a space.
        let unfolded = self.text.replace("\r\n ", " ");
        let prefix = format!("{name}: ");
        unfolded
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
            .unwrap_or_default()
    }
}

/// A mail server that speaks TLS from the start.
pub struct MailServer {
    pub address: SocketAddr,
    /// Its certificate, in PEM.
    pub ca: String,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl MailServer {
    pub async fn start() -> Self {
        provider();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(cert.der().to_vec())], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mails: Arc<Mutex<Vec<Mail>>> = Arc::default();
        let kept = Arc::clone(&mails);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, kept) = (acceptor.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(socket).await {
                        let _ = talk(stream, kept).await;
                    }
                });
            }
        });
        Self {
            address,
            ca: cert.pem(),
            mails,
        }
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }
}

/// SMTP as RFC 5321 has it, in the order it demands.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    kept: Arc<Mutex<Vec<Mail>>>,
) -> std::io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail.example ESMTP\r\n").await?;
    let mut mail: Option<Mail> = None;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" | "HELO" => "250 mail.example".to_owned(),
            "MAIL" => {
                mail = Some(Mail {
                    from: address(&line),
                    to: Vec::new(),
                    text: String::new(),
                });
                "250 ok".into()
            }
            "RCPT" => match &mut mail {
                Some(mail) => {
                    mail.to.push(address(&line));
                    "250 ok".into()
                }
                None => "503 MAIL first".into(),
            },
            "DATA" if mail.as_ref().is_some_and(|mail| !mail.to.is_empty()) => {
                writer.write_all(b"354 go on\r\n").await?;
                let mut taken = mail.take().unwrap();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    taken.text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    taken.text.push_str("\r\n");
                }
                kept.lock().unwrap().push(taken);
                "250 taken".into()
            }
            "DATA" => "503 RCPT first".into(),
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            "RSET" | "NOOP" => "250 ok".into(),
            _ => "500 what?".into(),
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn address(line: &str) -> String {
    let from = line.find('<').map_or(0, |at| at + 1);
    let to = line.find('>').unwrap_or(line.len());
    line[from..to].to_owned()
}

/// What Slack's API was asked, and by which method.
pub type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// Slack's Web API as far as haetae uses it.
pub struct SlackApi {
    pub address: SocketAddr,
    pub calls: Calls,
}

pub const BOT_TOKEN: &str = "xoxb-1-a-bot-token-of-the-test";

impl SlackApi {
    pub async fn start() -> Self {
        let calls: Calls = Arc::default();
        let app = Router::new()
            .route("/api/files.getUploadURLExternal", get(upload_url))
            .route("/upload/{file}", post(upload))
            .route("/api/{method}", post(method))
            .with_state(Arc::clone(&calls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, calls }
    }

    pub fn of(&self, method: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .filter(|(name, _)| name == method)
            .map(|(_, body)| body.clone())
            .collect()
    }
}

fn refuse(error: &str) -> Json<Value> {
    Json(json!({ "ok": false, "error": error }))
}

fn is_authorized(headers: &HeaderMap) -> bool {
    let bearer = format!("Bearer {BOT_TOKEN}");
    headers
        .get("authorization")
        .is_some_and(|value| value.as_bytes() == bearer.as_bytes())
}

async fn method(
    State(calls): State<Calls>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Json<Value> {
    if !is_authorized(&headers) {
        return refuse("invalid_auth");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return refuse("invalid_json");
    };
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let mut calls = calls.lock().unwrap();
    let is_posted = |ts: &str| {
        calls
            .iter()
            .filter(|(name, _)| name == "chat.postMessage")
            .any(|(_, body)| body["answered_ts"] == ts)
    };
    let answer = match method.as_str() {
        "chat.postMessage" | "chat.update" if text("text").is_empty() => return refuse("no_text"),
        "chat.postMessage" if text("channel") != "C0ONCALL" => return refuse("channel_not_found"),
        "chat.postMessage" if body.get("thread_ts").is_some() && !is_posted(&text("thread_ts")) => {
            return refuse("thread_not_found");
        }
        "chat.update" if !is_posted(&text("ts")) => return refuse("message_not_found"),
        "chat.postMessage" => {
            let ts = format!("1700000000.{:06}", calls.len() + 1);
            json!({ "ok": true, "channel": "C0ONCALL", "ts": ts })
        }
        "chat.update" => json!({ "ok": true, "channel": "C0ONCALL", "ts": text("ts") }),
        "files.completeUploadExternal" => json!({ "ok": true, "files": body["files"] }),
        _ => return refuse("unknown_method"),
    };
    let mut kept = body;
    kept["answered_ts"] = answer["ts"].clone();
    calls.push((method, kept));
    Json(answer)
}

async fn upload_url(State(calls): State<Calls>, headers: HeaderMap, uri: Uri) -> Json<Value> {
    if !is_authorized(&headers) {
        return refuse("invalid_auth");
    }
    let host = headers["host"].to_str().unwrap().to_owned();
    calls
        .lock()
        .unwrap()
        .push(("files.getUploadURLExternal".into(), json!(uri.query())));
    Json(json!({ "ok": true, "upload_url": format!("http://{host}/upload/F1"), "file_id": "F1" }))
}

async fn upload(State(calls): State<Calls>, body: Bytes) -> StatusCode {
    calls.lock().unwrap().push(("upload".into(), json!(body.len())));
    StatusCode::OK
}

/// A receiver of webhooks that takes everything.
pub struct Hook {
    pub address: SocketAddr,
    taken: Arc<Mutex<Vec<(String, HeaderMap, String)>>>,
}

impl Hook {
    pub async fn start() -> Self {
        let taken: Arc<Mutex<Vec<(String, HeaderMap, String)>>> = Arc::default();
        let app = Router::new()
            .route("/{*path}", any(take))
            .with_state(Arc::clone(&taken));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, taken }
    }

    /// What came to a path: headers and body.
    pub fn at(&self, path: &str) -> Vec<(HeaderMap, String)> {
        let taken = self.taken.lock().unwrap();
        taken
            .iter()
            .filter(|(at, _, _)| at == path)
            .map(|(_, headers, body)| (headers.clone(), body.clone()))
            .collect()
    }
}

type Taken = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

async fn take(
    State(taken): State<Taken>,
    _: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> impl IntoResponse {
    taken.lock().unwrap().push((uri.path().to_owned(), headers, body));
    StatusCode::ACCEPTED
}
