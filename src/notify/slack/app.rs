//! Slack by an app's token: one thread per incident. The first message is edited to what is
//! true now, follow-ups are replies, screenshots are uploaded into the thread.
//!
//! Methods and errors: docs.slack.dev, `chat.postMessage`, `chat.update`, "Working with files".

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::press;
use super::{PAUSE, content};
use crate::clock::wall_now;
use crate::model::{AttemptResult, IncidentId, Level, Message, Notice, Purpose, Secret, TransitionKind};
use crate::notify::message::cut;
use crate::notify::transport::may_pass;
use crate::notify::{Desk, Pressed, Sender};

/// Errors that Slack says in a 200 and that may pass by themselves.
const PASSING: [&str; 5] = [
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "ratelimited",
];
/// A screenshot beyond this is not worth its upload.
const LARGEST_SCREENSHOT_BYTES: u64 = 8 * 1024 * 1024;

/// A channel that an app posts to.
pub(super) struct App {
    pub(super) token: Secret,
    pub(super) channel: String,
    pub(super) signing_secret: Option<Secret>,
    /// `https://slack.com/api`
    pub(super) api: String,
}

/// Where the thread of an incident began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Root {
    channel: String,
    ts: String,
}

/// Notices that go into one thread, or begin one.
struct Part {
    root: Option<Root>,
    notices: Vec<Notice>,
}

#[async_trait]
impl Sender for App {
    async fn send(&self, message: &Message, desk: &Desk<'_>) -> AttemptResult {
        match self.send_parts(message, desk).await {
            Ok(()) => AttemptResult::Sent,
            Err(result) => result,
        }
    }

    fn preview(&self, message: &Message) -> String {
        serde_json::to_string_pretty(&self.body(message)).unwrap_or_default()
    }

    fn pause(&self) -> Duration {
        PAUSE
    }

    fn pressed(&self, timestamp: &str, signature: &str, body: &[u8]) -> Option<Result<Pressed, String>> {
        let secret = self.signing_secret.as_ref()?;
        press::verify(secret.reveal(), timestamp, signature, body, wall_now()).then(|| press::read(body))
    }
}

impl App {
    /// Each part is remembered as soon as it has left, so that a repeat after a crash or a
    /// failure does not say it twice.
    async fn send_parts(&self, message: &Message, desk: &Desk<'_>) -> Result<(), AttemptResult> {
        for part in Self::parts(message, desk).await {
            let begun = part.root.as_ref().map_or("new", |root| root.ts.as_str());
            let topic = format!("part:{}:{begun}", message.key);
            if recall::<Json>(desk, &topic).await.is_some() {
                continue;
            }
            let said = Message {
                notices: part.notices.clone(),
                ..message.clone()
            };
            let root = match &part.root {
                Some(root) => self.reply(root, &said, desk).await?,
                None => self.begin(&said, desk).await?,
            };
            remember(desk, &topic, &json!(true)).await;
            self.upload_screenshots(&root, &part.notices, desk).await;
        }
        Ok(())
    }

    async fn parts(message: &Message, desk: &Desk<'_>) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for notice in &message.notices {
            let root = recall::<Root>(desk, &thread_of(&notice.incident)).await;
            match parts.iter_mut().find(|part| part.root == root) {
                Some(part) => part.notices.push(notice.clone()),
                None => parts.push(Part {
                    root,
                    notices: vec![notice.clone()],
                }),
            }
        }
        parts
    }

    async fn begin(&self, said: &Message, desk: &Desk<'_>) -> Result<Root, AttemptResult> {
        let answer = self.call(desk, "chat.postMessage", &self.body(said)).await?;
        let text = |key: &str| {
            answer
                .get(key)
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let root = Root {
            channel: text("channel"),
            ts: text("ts"),
        };
        for notice in &said.notices {
            remember(desk, &thread_of(&notice.incident), &json!(root)).await;
        }
        remember(desk, &told_by(&root), &json!(said.notices)).await;
        Ok(root)
    }

    async fn reply(&self, root: &Root, said: &Message, desk: &Desk<'_>) -> Result<Root, AttemptResult> {
        let mut body = self.body(said);
        body["channel"] = json!(root.channel);
        body["thread_ts"] = json!(root.ts);
        // A reply reaches only those who follow the thread; what got worse reaches all.
        if said.notices.iter().any(is_worse) {
            body["reply_broadcast"] = json!(true);
        }
        self.call(desk, "chat.postMessage", &body).await?;
        self.edit_root(root, said, desk).await?;
        Ok(root.clone())
    }

    /// The first message says what is true now.
    async fn edit_root(&self, root: &Root, said: &Message, desk: &Desk<'_>) -> Result<(), AttemptResult> {
        let mut notices: Vec<Notice> = recall(desk, &told_by(root)).await.unwrap_or_default();
        let news = said
            .notices
            .iter()
            .filter(|notice| notice.purpose == Purpose::News);
        for notice in news {
            notices.retain(|known| known.incident != notice.incident);
            notices.push(notice.clone());
        }
        if notices.is_empty() {
            return Ok(());
        }
        remember(desk, &told_by(root), &json!(notices)).await;
        let mut body = self.body(&Message {
            notices,
            ..said.clone()
        });
        body["channel"] = json!(root.channel);
        body["ts"] = json!(root.ts);
        match self.call(desk, "chat.update", &body).await {
            // Somebody removed it, or it is too old to be edited: the reply has said it.
            Err(AttemptResult::Dead { why }) => {
                tracing::debug!(channel = %desk.channel, why, "the first message could not be edited");
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }

    fn body(&self, message: &Message) -> Json {
        let mut body = serde_json::to_value(content(message)).unwrap_or_default();
        body["channel"] = json!(self.channel);
        body["unfurl_links"] = json!(false);
        let open: Vec<&Notice> = message
            .notices
            .iter()
            .filter(|notice| notice.level != Level::Ok)
            .collect();
        if let ([only], Some(_)) = (open.as_slice(), &self.signing_secret)
            && only.acknowledged_by.is_none()
            && let Some(blocks) = body
                .pointer_mut("/attachments/0/blocks")
                .and_then(Json::as_array_mut)
        {
            blocks.push(press::buttons(&only.incident, message.language));
        }
        body
    }

    /// A screenshot says more than a page of text; that it could not be uploaded is no reason
    /// to say everything twice.
    async fn upload_screenshots(&self, root: &Root, notices: &[Notice], desk: &Desk<'_>) {
        for notice in notices.iter().filter(|notice| notice.level != Level::Ok) {
            let Some(path) = &notice.screenshot else { continue };
            if let Err(why) = self.upload(root, path, &notice.name, desk).await {
                tracing::warn!(channel = %desk.channel, why, "a screenshot was not uploaded");
            }
        }
    }

    /// docs.slack.dev, "Uploading files": an address, the bytes, and that it is complete.
    async fn upload(
        &self,
        root: &Root,
        path: &std::path::Path,
        name: &str,
        desk: &Desk<'_>,
    ) -> Result<(), String> {
        let size = tokio::fs::metadata(path)
            .await
            .map_err(|error| error.to_string())?
            .len();
        if size > LARGEST_SCREENSHOT_BYTES {
            return Err(format!("it has {size} bytes"));
        }
        let bytes = tokio::fs::read(path).await.map_err(|error| error.to_string())?;
        let why = |result: AttemptResult| match result {
            AttemptResult::Retry { why, .. } | AttemptResult::Dead { why } => why,
            AttemptResult::Sent => String::new(),
        };
        let request = desk
            .transport
            .client()
            .get(format!("{}/files.getUploadURLExternal", self.api))
            .query(&[
                ("filename", "screenshot.png"),
                ("length", &bytes.len().to_string()),
            ]);
        let answer = self.ask(desk, request).await.map_err(why)?;
        let text = |key: &str| {
            answer
                .get(key)
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (url, file) = (text("upload_url"), text("file_id"));
        let request = desk
            .transport
            .client()
            .post(url)
            .header("content-type", "image/png")
            .body(bytes);
        let said = desk.transport.exchange(request).await.map_err(why)?;
        if said.status != 200 {
            return Err(format!("{} {}", said.status, cut(&said.body, 200)));
        }
        let body = json!({
            "files": [{ "id": file, "title": cut(name, 120) }],
            "channel_id": root.channel,
            "thread_ts": root.ts,
        });
        self.call(desk, "files.completeUploadExternal", &body)
            .await
            .map_err(why)?;
        Ok(())
    }

    async fn call(&self, desk: &Desk<'_>, method: &str, body: &Json) -> Result<Json, AttemptResult> {
        let request = desk
            .transport
            .client()
            .post(format!("{}/{method}", self.api))
            .header("content-type", "application/json; charset=utf-8")
            .body(body.to_string());
        self.ask(desk, request).await
    }

    async fn ask(&self, desk: &Desk<'_>, request: reqwest::RequestBuilder) -> Result<Json, AttemptResult> {
        let request = request.bearer_auth(self.token.reveal());
        let said = desk.transport.exchange(request).await?;
        let answer: Json = serde_json::from_str(&said.body).unwrap_or_default();
        if said.status == 200 && answer.get("ok") == Some(&Json::Bool(true)) {
            return Ok(answer);
        }
        let error = answer.get("error").and_then(Json::as_str).unwrap_or(&said.body);
        let why = format!("{} {}", said.status, cut(error.trim(), 200));
        let passes = if said.status == 200 {
            PASSING.contains(&error)
        } else {
            may_pass(said.status)
        };
        Err(if passes {
            AttemptResult::Retry {
                after: said.after,
                why,
            }
        } else {
            AttemptResult::Dead { why }
        })
    }
}

fn is_worse(notice: &Notice) -> bool {
    notice.purpose == Purpose::Escalation
        || matches!(
            notice.change,
            Some(TransitionKind::Reopened | TransitionKind::Worsened)
        )
}

fn thread_of(incident: &IncidentId) -> String {
    format!("incident:{incident}")
}

fn told_by(root: &Root) -> String {
    format!("root:{}", root.ts)
}

/// What is remembered of a topic; nothing when that cannot be read now: a new thread is better
/// than silence.
async fn recall<T: serde::de::DeserializeOwned>(desk: &Desk<'_>, topic: &str) -> Option<T> {
    match desk.store.receipt(desk.channel, topic).await {
        Ok(known) => known.and_then(|json| serde_json::from_value(json).ok()),
        Err(error) => {
            tracing::warn!(channel = %desk.channel, %error, "where the thread began is not known");
            None
        }
    }
}

/// What has been posted has been posted, even if that cannot be written down now: to fail here
/// would be to post it again.
async fn remember(desk: &Desk<'_>, topic: &str, what: &Json) {
    let kept = desk
        .store
        .keep_receipt(desk.channel, topic, what, wall_now())
        .await;
    if let Err(error) = kept {
        tracing::warn!(channel = %desk.channel, %error, "where the thread began could not be written down");
    }
}
