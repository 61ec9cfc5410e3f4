//! `websocket`: the upgrade (RFC 6455), and a dialogue of text messages if there is one.

mod read;
mod talk;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::SinkExt;
use http::header::{HOST, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use url::Url;

use super::attempt::{Limit, Manners};
use super::dialogue::{Reply, Turn, fill, heard};
use super::expect::broken;
use super::http::scope;
use super::matcher::Matcher;
use super::net::dial::{Dialed, Peer, dial_wire};
use super::net::fault::Fault;
use super::net::secure::TlsWish;
use super::{Kind, Pool, Probe, RunContext};
use crate::model::{Level, Outcome, Quantity, RunScope, Text, Unit};
use talk::{LONGEST_BYTES, Said, Socket, fault};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "websocket",
    doc: "Opens a WebSocket, and talks in text messages if there is something to say.",
    settings: &read::WEBSOCKET,
    expect: &read::WEBSOCKET_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("connect_time", Unit::Ms),
        ("response_time", Unit::Ms),
        ("certificate_left", Unit::Ms),
    ],
    read: read::read,
};

/// The other side may take so long to read our good-bye.
const LONGEST_GOOD_BYE: Duration = Duration::from_millis(500);

struct WebSocketProbe {
    url: Text,
    manners: Manners,
    headers: Vec<(HeaderName, Text)>,
    subprotocols: Vec<String>,
    ping: bool,
    turns: Vec<Turn>,
    wish: TlsWish,
    expects: Vec<(Level, Expected)>,
}

struct Expected {
    replies: Vec<Reply>,
    subprotocol: Option<Matcher>,
}

/// Whom a URL means.
fn target(text: &str) -> Result<(Url, Peer), &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !["ws", "wss"].contains(&url.scheme()) {
        return Err("is not a WebSocket's URL: it begins with `ws://` or `wss://`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user: send it in `headers:` as `Authorization`");
    }
    let host = url.host_str().ok_or("names no host")?;
    let peer = Peer {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port_or_known_default().ok_or("names no port")?,
    };
    Ok((url, peer))
}

/// What was seen of one socket.
struct Talked {
    connection: Dialed<()>,
    response_time: Duration,
    subprotocol: Option<String>,
    said: Said,
    /// The turn the other side would not take.
    stuck: Option<String>,
}

#[async_trait]
impl Probe for WebSocketProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(
                run,
                |limit| self.attempt(run, limit),
                |talked| self.look(run, &talked),
            )
            .await
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl WebSocketProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Talked, Fault> {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let (url, peer) =
            target(&fill(&self.url, &scope)?).map_err(|why| Fault::ours(format!("`{}` {why}", self.url)))?;
        let request = self.request(&url, &scope)?;
        let tls = (url.scheme() == "wss").then_some(&self.wish);
        let (connection, wire) = dial_wire(&peer, tls, &[], &run.services, &limit).await?.split();
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = 8 * 1024;
        config.max_message_size = Some(LONGEST_BYTES);
        config.max_frame_size = Some(LONGEST_BYTES);
        let upgrade = async {
            tokio_tungstenite::client_async_with_config(request, wire, Some(config))
                .await
                .map_err(|error| fault(&error, &peer))
        };
        let (mut socket, answer) = limit
            .wait(upgrade, |time| {
                format!("{peer} did not answer the upgrade to WebSocket within {time}")
            })
            .await?;
        let chosen = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
        let subprotocol = chosen.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
        let mut said = Said::default();
        if self.ping {
            limit
                .wait(said.ping(&mut socket, &peer), |time| {
                    format!("{peer} did not answer a ping within {time}")
                })
                .await?;
        }
        let stuck = self
            .dialogue(&mut socket, &mut said, &peer, &scope, limit.until())
            .await?;
        let response_time = limit.began.elapsed();
        let until = limit.until().min(Instant::now() + LONGEST_GOOD_BYE);
        let _ = timeout_at(until, socket.close(None)).await;
        Ok(Talked {
            connection,
            response_time,
            subprotocol,
            said,
            stuck,
        })
    }

    fn request(&self, url: &Url, scope: &RunScope<'_>) -> Result<Request, Fault> {
        let mut request = url
            .as_str()
            .into_client_request()
            .map_err(|_| Fault::ours(format!("`{}` does not make a request", self.url)))?;
        for (name, text) in &self.headers {
            let value = HeaderValue::from_str(&fill(text, scope)?)
                .map_err(|_| Fault::ours(format!("the header `{name}` has a value that cannot be sent")))?;
            // A `Host` of the user's takes the place of the URL's.
            if *name == HOST {
                request.headers_mut().insert(name.clone(), value);
            } else {
                request.headers_mut().append(name.clone(), value);
            }
        }
        if !self.subprotocols.is_empty() {
            let value = HeaderValue::from_str(&self.subprotocols.join(", "))
                .map_err(|_| Fault::ours("`subprotocol` has a name that cannot be sent"))?;
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        Ok(request)
    }

    /// Takes the turns; ends shortly before the attempt's end by itself, so that what was said
    /// so far can be shown.
    async fn dialogue(
        &self,
        socket: &mut Socket,
        said: &mut Said,
        peer: &Peer,
        scope: &RunScope<'_>,
        until: Instant,
    ) -> Result<Option<String>, Fault> {
        for turn in &self.turns {
            match turn {
                Turn::Send(text) => {
                    said.fresh = said.all.len();
                    let sending = socket.send(Message::text(fill(text, scope)?));
                    match timeout_at(until, sending).await {
                        Ok(sent) => sent.map_err(|error| fault(&error, peer))?,
                        Err(_) => return Err(Fault::passing(format!("{peer} takes no message"))),
                    }
                }
                Turn::Expect(reply) => {
                    let wanted = [reply.fill(scope)?];
                    if !said.read_until(socket, peer, until, &wanted).await? {
                        let stuck = wanted[0].wanted();
                        return Ok(Some(stuck));
                    }
                    said.fresh = said.all.len();
                }
            }
        }
        let mut wanted = Vec::new();
        for reply in self.expects.iter().flat_map(|(_, expected)| &expected.replies) {
            wanted.push(reply.fill(scope)?);
        }
        if !wanted.is_empty() {
            said.fresh = 0;
            said.read_until(socket, peer, until, &wanted).await?;
        }
        Ok(None)
    }

    fn look(&self, run: &RunContext, talked: &Talked) -> Outcome {
        let mut outcome = Outcome::seen();
        talked.connection.measure(&mut outcome, run.started);
        outcome.measure("response_time", Quantity::time(talked.response_time));
        outcome.fact("url", self.url.as_written());
        if let Some(name) = &talked.subprotocol {
            outcome.fact("subprotocol", name.clone());
        }
        let ended = talked.said.goodbye.as_ref().map(|how| format!(" (it {how})"));
        let ended = ended.unwrap_or_default();
        if let Some(wanted) = &talked.stuck {
            let what = format!("the reply does not {wanted}{ended}");
            outcome.broken.push(broken(Level::Critical, what));
        } else if let Err(fault) = self.expect(run, talked, &ended, &mut outcome) {
            return fault.into_outcome();
        }
        if !outcome.broken.is_empty() {
            outcome.evidence.excerpt = Some(heard(&talked.said.all));
        }
        outcome
    }

    fn expect(
        &self,
        run: &RunContext,
        talked: &Talked,
        ended: &str,
        outcome: &mut Outcome,
    ) -> Result<(), Fault> {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        for (level, expected) in &self.expects {
            for reply in &expected.replies {
                let reply = reply.fill(&scope)?;
                if !reply.holds(&talked.said.all) {
                    let what = format!("the messages do not {}{ended}", reply.wanted());
                    outcome.broken.push(broken(*level, what));
                }
            }
            if let Some(matcher) = &expected.subprotocol {
                let value = talked.subprotocol.clone().map(Json::from);
                let lines = matcher
                    .broken("the subprotocol", value.as_ref(), &scope)
                    .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
                outcome
                    .broken
                    .extend(lines.into_iter().map(|line| broken(*level, line)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_whom_to_ask() {
        for (text, peer) in [
            ("ws://h", Some(("h", 80))),
            ("wss://h/path?q", Some(("h", 443))),
            ("ws://[::1]:8080/", Some(("::1", 8080))),
            ("http://h", None),
            ("ws://user:pw@h", None),
            ("h:80", None),
        ] {
            let found = target(text).ok().map(|(_, peer)| (peer.host, peer.port));
            assert_eq!(found, peer.map(|(host, port)| (host.to_owned(), port)), "{text}");
        }
    }
}
