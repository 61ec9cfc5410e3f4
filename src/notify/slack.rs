//! Slack: Block Kit inside a coloured attachment, by incoming webhook or by an app's token.
//!
//! Limits and answers: docs.slack.dev, "Incoming webhooks", "Block Kit".

mod app;
mod press;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use slack_morphism::errors::{
    SlackClientError, SlackClientHttpError, SlackClientHttpProtocolError, SlackClientSystemError,
    SlackRateLimitError,
};
use slack_morphism::multipart_form::FileMultipartData;
use slack_morphism::prelude::*;
use slack_morphism::{SlackClientApiCallContext, SlackClientHttpConnector};
use url::Url;

use super::message::{Paragraph, colour, cut, paragraphs, summary};
use super::transport::{may_pass, no_answer, read};
use super::{ChannelKind, Desk, Sender};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{AttemptResult, Message, Secret, Text};

use self::app::App;

/// The table's line.
pub static KIND: ChannelKind = ChannelKind {
    name: "slack",
    doc: "A Slack channel, by an incoming webhook or by an app's token.",
    settings: &SLACK,
    read: read_settings,
};

static SLACK: Spec = Spec {
    name: "slack",
    example: "slack: { webhook: \"${env:SLACK_WEBHOOK}\" }",
    keys: &[
        Key::new(
            "webhook",
            Shape::Text,
            "The incoming webhook's address; it is the secret.",
        ),
        Key::new(
            "token",
            Shape::Text,
            "Instead: an app's bot token, for threads, edits and screenshots.",
        ),
        Key::new(
            "channel",
            Shape::Plain,
            "With `token`: the channel's ID or `#name`.",
        ),
        Key::new(
            "signing_secret",
            Shape::Text,
            "With `token`: shows buttons, whose requests come to `/slack/interactions`.",
        ),
        Key::or(
            "api",
            Shape::Plain,
            "https://slack.com/api",
            "With `token`: another address of Slack's API.",
        ),
    ],
};

/// Slack asks for one message a second per webhook.
const PAUSE: Duration = Duration::from_secs(1);
/// Incidents shown in one message; the rest is counted.
const MOST_PARAGRAPHS: usize = 10;

struct Slack {
    webhook: Secret,
}

fn read_settings(node: &Node, reader: &mut Reader<'_>) -> Option<Arc<dyn Sender>> {
    let fields = Fields::open(node, &SLACK, reader)?;
    if fields.get("token").is_some() {
        return read_app(&fields, reader);
    }
    if fields.get("webhook").is_none() {
        reader.report(
            Problem::error(
                fields.place(),
                "`slack` needs `webhook`, or `token` and `channel`",
            )
            .hint(format!("for example `{}`", SLACK.example)),
        );
        return None;
    }
    let webhook = read_webhook(fields.get("webhook")?, "hooks.slack.com", reader)?;
    Some(Arc::new(Slack { webhook }))
}

fn read_app(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Arc<dyn Sender>> {
    if let Some(node) = fields.get("webhook") {
        reader.error(
            node,
            "`webhook` and `token` are two ways to the same place; keep one",
        );
    }
    let mut secret = |key: &str, what: &str| {
        let node = fields.get(key)?;
        reader.refuse_literal_secret(node, what);
        let secret = Secret::new(reader.text(node)?.constant().unwrap_or_default());
        reader.learn_secret(secret.clone());
        Some(secret)
    };
    let token = secret("token", "a token")?;
    let signing_secret = secret("signing_secret", "a signing secret");
    let Some(channel) = fields.get("channel").and_then(|node| reader.plain(node)) else {
        reader.report(
            Problem::error(fields.place(), "with `token`, `slack` needs `channel`")
                .hint("write the channel's ID, such as `C0123456789`"),
        );
        return None;
    };
    let api = fields.get("api").and_then(|node| reader.plain(node));
    Some(Arc::new(App {
        token,
        channel,
        signing_secret,
        api: api.map_or_else(
            || "https://slack.com/api".to_owned(),
            |api| api.trim_end_matches('/').to_owned(),
        ),
    }))
}

/// Reads a webhook's address, refuses the real service's as a literal, and has it masked
/// wherever it shows up, its path by itself too.
pub(super) fn read_webhook(node: &Node, real_host: &str, reader: &mut Reader<'_>) -> Option<Secret> {
    let text: Text = reader.text(node)?;
    if text.as_written().contains(real_host) {
        reader.refuse_literal_secret(node, "a webhook's address");
    }
    let address = text.constant().unwrap_or_default();
    if address.is_empty() {
        // Only looked at, without secrets.
        return Some(Secret::new(address));
    }
    match Url::parse(&address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            if url.path().len() >= 8 {
                reader.learn_secret(Secret::new(url.path().to_owned()));
            }
            let secret = Secret::new(address);
            reader.learn_secret(secret.clone());
            Some(secret)
        }
        _ => {
            reader.report(
                Problem::error(&node.place, "this webhook is not an http or https address").without_line(),
            );
            None
        }
    }
}

#[async_trait]
impl Sender for Slack {
    async fn send(&self, message: &Message, desk: &Desk<'_>) -> AttemptResult {
        let Ok(url) = Url::parse(self.webhook.reveal()) else {
            return AttemptResult::Dead {
                why: "the webhook is not an address".into(),
            };
        };
        let client = SlackClient::new(Connector {
            client: desk.transport.client().clone(),
        });
        match client.post_webhook_message(&url, &request(message)).await {
            Ok(_) => AttemptResult::Sent,
            Err(error) => result_of(error),
        }
    }

    fn preview(&self, message: &Message) -> String {
        serde_json::to_string_pretty(&request(message)).unwrap_or_default()
    }

    fn pause(&self) -> Duration {
        PAUSE
    }
}

fn result_of(error: SlackClientError) -> AttemptResult {
    match error {
        SlackClientError::RateLimitError(limit) => AttemptResult::Retry {
            after: limit.retry_after,
            why: "429 rate_limited".into(),
        },
        SlackClientError::HttpError(said) => {
            let status = said.status_code.as_u16();
            let body = said.http_response_body.unwrap_or_default();
            let why = format!("{status} {}", cut(body.trim(), 200));
            if may_pass(status) {
                AttemptResult::Retry { after: None, why }
            } else {
                AttemptResult::Dead { why }
            }
        }
        SlackClientError::HttpProtocolError(SlackClientHttpProtocolError { cause: Some(cause) }) => {
            match cause.downcast::<reqwest::Error>() {
                Ok(error) => no_answer(*error),
                Err(other) => AttemptResult::Retry {
                    after: None,
                    why: other.to_string(),
                },
            }
        }
        other => AttemptResult::Retry {
            after: None,
            why: other.to_string(),
        },
    }
}

/// The message as Slack wants it.
fn request(message: &Message) -> SlackApiPostWebhookMessageRequest {
    SlackApiPostWebhookMessageRequest::new(content(message))
}

/// Text and attachments, by whichever way they go.
fn content(message: &Message) -> SlackMessageContent {
    let all = paragraphs(message);
    let mut attachments: Vec<SlackMessageAttachment> =
        all.iter().take(MOST_PARAGRAPHS).map(attachment).collect();
    if all.len() > MOST_PARAGRAPHS {
        let more = format!("and {} more", all.len() - MOST_PARAGRAPHS);
        attachments.push(SlackMessageAttachment::new().with_blocks(vec![section(&more)]));
    }
    SlackMessageContent::new()
        .with_text(escape(&summary(message)))
        .with_attachments(attachments)
}

fn attachment(paragraph: &Paragraph) -> SlackMessageAttachment {
    let mut text = format!("*{}*", escape(&paragraph.headline).replace('*', "∗"));
    for reason in &paragraph.reasons {
        text.push('\n');
        text.push_str(&escape(reason));
    }
    let facts: Vec<String> = paragraph
        .facts
        .iter()
        .map(|(name, value)| format!("{name} {}", escape(value)))
        .collect();
    let links: Vec<String> = paragraph
        .links
        .iter()
        .map(|(words, url)| format!("<{}|{words}>", link(url)))
        .collect();
    let footer = facts.into_iter().chain(links).collect::<Vec<_>>().join("  ·  ");
    let context = SlackContextBlock::new(vec![SlackContextBlockElement::MarkDown(markdown(&footer))]);
    SlackMessageAttachment::new()
        .with_color(colour(paragraph.level).to_owned())
        .with_blocks(vec![section(&text), SlackBlock::Context(context)])
}

fn section(text: &str) -> SlackBlock {
    SlackBlock::Section(SlackSectionBlock::new().with_text(SlackBlockText::MarkDown(markdown(text))))
}

/// `verbatim`, so that Slack makes no links or mentions of its own out of foreign text.
fn markdown(text: &str) -> SlackBlockMarkDownText {
    const LONGEST: usize = 3_000;
    SlackBlockMarkDownText::new(cut_escaped(text, LONGEST)).with_verbatim(true)
}

/// Slack's three control characters; everything else is text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// An address that cannot end its `<…|…>` early.
fn link(url: &str) -> String {
    escape(url).replace('|', "%7C")
}

/// Cuts after escaping, and never inside an entity or a link.
fn cut_escaped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(most - 1).collect();
    if let Some(at) = kept
        .rfind('&')
        .filter(|at| !kept[*at..].contains(';') && kept.len() - at < 6)
    {
        kept.truncate(at);
    }
    if let Some(at) = kept.rfind('<').filter(|at| !kept[*at..].contains('>')) {
        kept.truncate(at);
    }
    kept + "…"
}

/// Slack's client over our own HTTP: any address, a time-out, no second TLS stack.
#[derive(Clone)]
struct Connector {
    client: reqwest::Client,
}

impl Connector {
    async fn exchange<RS>(&self, request: reqwest::RequestBuilder) -> Result<RS, SlackClientError>
    where
        RS: for<'de> serde::de::Deserialize<'de>,
    {
        let response = request.send().await.map_err(|error| {
            let cause = Box::new(error.without_url());
            SlackClientError::HttpProtocolError(SlackClientHttpProtocolError::new().with_cause(cause))
        })?;
        let said = read(response).await;
        if said.status == 429 {
            return Err(SlackClientError::RateLimitError(
                SlackRateLimitError::new()
                    .opt_retry_after(said.after)
                    .with_http_response_body(said.body),
            ));
        }
        // Success is 200 with the body `ok`; anything else is not.
        let json = if said.body.trim() == "ok" {
            "{}"
        } else {
            said.body.as_str()
        };
        if said.status != 200 {
            return Err(http_error(said.status, said.body));
        }
        serde_json::from_str(json).map_err(|_| http_error(said.status, said.body.clone()))
    }
}

fn http_error(status: u16, body: String) -> SlackClientError {
    let status = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    SlackClientError::HttpError(SlackClientHttpError::new(status).with_http_response_body(body))
}

fn unsupported<'a, RS: Send + 'a>(what: &str) -> BoxFuture<'a, Result<RS, SlackClientError>> {
    let error = SlackClientSystemError::new().with_message(format!("{what} is not used by haetae"));
    std::future::ready(Err(SlackClientError::SystemError(error))).boxed()
}

impl SlackClientHttpConnector for Connector {
    fn http_get_uri<'a, RS>(
        &'a self,
        full_uri: Url,
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, Result<RS, SlackClientError>>
    where
        RS: for<'de> serde::de::Deserialize<'de> + Send + 'a,
    {
        let request = authorized(self.client.get(full_uri), &context);
        self.exchange(request).boxed()
    }

    fn http_get_with_client_secret<'a, RS>(
        &'a self,
        full_uri: Url,
        client_id: &'a SlackClientId,
        client_secret: &'a SlackClientSecret,
    ) -> BoxFuture<'a, Result<RS, SlackClientError>>
    where
        RS: for<'de> serde::de::Deserialize<'de> + Send + 'a,
    {
        let request = self
            .client
            .get(full_uri)
            .basic_auth(&client_id.0, Some(&client_secret.0));
        self.exchange(request).boxed()
    }

    fn http_post_uri<'a, RQ, RS>(
        &'a self,
        full_uri: Url,
        request_body: &'a RQ,
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, Result<RS, SlackClientError>>
    where
        RQ: serde::ser::Serialize + Send + Sync,
        RS: for<'de> serde::de::Deserialize<'de> + Send + 'a,
    {
        let request = authorized(self.client.post(full_uri), &context).json(request_body);
        self.exchange(request).boxed()
    }

    fn http_post_uri_multipart_form<'a, 'p, RS, PT, TS>(
        &'a self,
        _: Url,
        _: Option<FileMultipartData<'p>>,
        _: &'p PT,
        _: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, Result<RS, SlackClientError>>
    where
        RS: for<'de> serde::de::Deserialize<'de> + Send + 'a,
        PT: std::iter::IntoIterator<Item = (&'p str, Option<TS>)> + Clone,
        TS: AsRef<str> + 'p + Send,
    {
        unsupported("a multipart form")
    }

    fn http_post_uri_binary<'a, 'p, RS>(
        &'a self,
        full_uri: Url,
        content_type: String,
        data: &'a [u8],
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, Result<RS, SlackClientError>>
    where
        RS: for<'de> serde::de::Deserialize<'de> + Send + 'a,
    {
        let request = authorized(self.client.post(full_uri), &context)
            .header("content-type", content_type)
            .body(data.to_vec());
        self.exchange(request).boxed()
    }
}

fn authorized(
    request: reqwest::RequestBuilder,
    context: &SlackClientApiCallContext<'_>,
) -> reqwest::RequestBuilder {
    match context.token {
        Some(token) => request.bearer_auth(&token.token_value.0),
        None => request,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::message::tests::{message, notice};

    #[test]
    fn a_critical_message_reads_well() {
        let json = serde_json::to_string_pretty(&request(&message(vec![notice()]))).unwrap();
        insta::assert_snapshot!(json);
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut hostile = notice();
        hostile.name = "<!channel> *now*".into();
        hostile.reasons = vec!["<https://evil.example|click> & <@U123>".into()];
        let json = serde_json::to_string(&request(&message(vec![hostile]))).unwrap();
        assert!(!json.contains("<!channel>") && !json.contains("<https://evil") && !json.contains("<@U"));
        assert!(json.contains("&lt;!channel&gt;"));
    }

    #[test]
    fn long_texts_are_cut_after_escaping_and_between_entities() {
        let cut = cut_escaped(&"&amp;".repeat(1_000), 3_000);
        assert!(cut.chars().count() <= 3_000);
        assert!(cut.trim_end_matches('…').ends_with(';'));
    }
}
