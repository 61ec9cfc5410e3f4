//! WebDriver BiDi (<https://w3c.github.io/webdriver-bidi/>): one connection, many commands at
//! once, and the events of each user context to whoever has it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A screenshot of a large window in base64 stays far below this.
const LARGEST_MESSAGE: usize = 64 << 20;

/// Why a command has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BidiError {
    /// The browser says no: the code of the standard, and its words.
    Said(String, String),
    /// No answer in time.
    Silent,
    /// The connection is gone.
    Closed,
}

/// Something that happened in a page.
#[derive(Debug, Clone)]
pub struct Event {
    /// `browsingContext.load`
    pub method: String,
    /// As the standard gives them.
    pub params: Json,
}

/// Takes the events of one user context, on the connection's own task: it must not wait.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// A connection to a browser.
pub struct Bidi {
    outgoing: mpsc::UnboundedSender<Message>,
    shared: Arc<Shared>,
    next: AtomicU64,
    tasks: Vec<JoinHandle<()>>,
}

type Reply = Result<Json, BidiError>;

#[derive(Default)]
struct Shared {
    waiting: Mutex<HashMap<u64, oneshot::Sender<Reply>>>,
    closed: AtomicBool,
    /// Messages that have come so far.
    heard: AtomicU64,
    routes: Mutex<Routes>,
}

/// Who hears what: events name the page, and only some of them its user context.
#[derive(Default)]
struct Routes {
    users: HashMap<String, Listener>,
    pages: HashMap<String, String>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bidi {
    /// Connects.
    ///
    /// # Errors
    /// In words for people.
    pub async fn connect(url: &str) -> Result<Self, String> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        let request = request(url).map_err(|error| format!("the browser's events cannot be had: {error}"))?;
        let (socket, _) = connect_async_with_config(request, Some(config), true)
            .await
            .map_err(|error| format!("the browser's events cannot be had: {error}"))?;
        let (outgoing, to_send) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let (sink, stream) = socket.split();
        let tasks = vec![
            tokio::spawn(write(sink, to_send)),
            tokio::spawn(read(stream, Arc::clone(&shared))),
        ];
        Ok(Self {
            outgoing,
            shared,
            next: AtomicU64::new(1),
            tasks,
        })
    }

    /// Does a command.
    ///
    /// # Errors
    /// What the browser says; silence until `limit`; a connection that is gone.
    pub async fn call(&self, limit: Instant, method: &str, params: Json) -> Result<Json, BidiError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        locked(&self.shared.waiting).insert(id, answer);
        let text = json!({ "id": id, "method": method, "params": params }).to_string();
        if self.is_closed() || self.outgoing.send(Message::text(text)).is_err() {
            locked(&self.shared.waiting).remove(&id);
            return Err(BidiError::Closed);
        }
        match timeout_at(limit, answered).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(BidiError::Closed),
            Err(_) => {
                locked(&self.shared.waiting).remove(&id);
                Err(BidiError::Silent)
            }
        }
    }

    /// Does a command whose result nobody needs.
    pub fn post(&self, method: &str, params: &Json) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let text = json!({ "id": id, "method": method, "params": params }).to_string();
        // A connection that is gone is noticed by whoever waits for something.
        let _ = self.outgoing.send(Message::text(text));
    }

    /// Hands the events of a user context to `listener` from now on, until [`Bidi::forget`].
    /// An event is heard before the reply to any command that the browser answered after it.
    pub fn listen(&self, user_context: &str, listener: Listener) {
        locked(&self.shared.routes)
            .users
            .insert(user_context.to_owned(), listener);
    }

    /// Ends the events of a user context.
    pub fn forget(&self, user_context: &str) {
        let mut routes = locked(&self.shared.routes);
        routes.users.remove(user_context);
        routes.pages.retain(|_, user| user != user_context);
    }

    /// How many messages have come so far: a browser that still talks is not hung.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.shared.heard.load(Ordering::Relaxed)
    }

    /// Whether nothing more can come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }
}

impl Drop for Bidi {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What stands in an address to log in is said in a header: the address itself drops it.
fn request(url: &str) -> Result<Request, WsError> {
    let mut request = url.into_client_request()?;
    let parsed = url::Url::parse(url).ok();
    if let Some(url) = parsed.filter(|url| !url.username().is_empty()) {
        let who = format!("{}:{}", url.username(), url.password().unwrap_or_default());
        let basic = format!("Basic {}", BASE64.encode(who));
        if let Ok(value) = basic.parse() {
            request.headers_mut().insert("authorization", value);
        }
    }
    Ok(request)
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

async fn write(
    mut sink: futures_util::stream::SplitSink<Socket, Message>,
    mut to_send: mpsc::UnboundedReceiver<Message>,
) {
    while let Some(message) = to_send.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

async fn read(mut stream: futures_util::stream::SplitStream<Socket>, shared: Arc<Shared>) {
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        shared.heard.fetch_add(1, Ordering::Relaxed);
        if let Ok(message) = serde_json::from_str::<Json>(text.as_str()) {
            shared.take(message);
        }
    }
    shared.closed.store(true, Ordering::Release);
    // Whoever waits learns that nothing will come: its sender is dropped.
    locked(&shared.waiting).clear();
    locked(&shared.routes).users.clear();
}

impl Shared {
    fn take(&self, mut message: Json) {
        if let Some(id) = message.get("id").and_then(Json::as_u64) {
            if let Some(answer) = locked(&self.waiting).remove(&id) {
                // Nobody waits any more: its time was up.
                let _ = answer.send(reply(&mut message));
            }
            return;
        }
        let Some(method) = message.get("method").and_then(Json::as_str).map(str::to_owned) else {
            return;
        };
        let params = message["params"].take();
        let event = Event { method, params };
        let listeners = locked(&self.routes).listeners(&event);
        for listener in listeners {
            listener(&event);
        }
    }
}

fn reply(message: &mut Json) -> Reply {
    if message.get("type").and_then(Json::as_str) == Some("success") {
        return Ok(message["result"].take());
    }
    let text = |key: &str| {
        let text = message.get(key).and_then(Json::as_str);
        text.unwrap_or_default().to_owned()
    };
    Err(BidiError::Said(text("error"), text("message")))
}

impl Routes {
    fn listeners(&mut self, event: &Event) -> Vec<Listener> {
        let text = |value: Option<&Json>| value.and_then(Json::as_str).map(str::to_owned);
        let page = text(event.params.get("context")).or_else(|| {
            text(
                event
                    .params
                    .get("source")
                    .and_then(|source| source.get("context")),
            )
        });
        let user = text(event.params.get("userContext"))
            .or_else(|| self.pages.get(page.as_deref().unwrap_or_default()).cloned());
        let Some(user) = user else {
            // What names no page concerns everybody: a crash does not say whose.
            return match page {
                None => self.users.values().cloned().collect(),
                Some(_) => Vec::new(),
            };
        };
        if let Some(page) = page {
            if event.method == "browsingContext.contextDestroyed" {
                self.pages.remove(&page);
            } else if self.users.contains_key(&user) {
                self.pages.entry(page).or_insert_with(|| user.clone());
            }
        }
        self.users.get(&user).cloned().into_iter().collect()
    }
}
