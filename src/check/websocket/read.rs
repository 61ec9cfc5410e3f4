//! The keys of a WebSocket check, and how they are read.

use super::{Expected, WebSocketProbe, target};
use crate::check::attempt::Manners;
use crate::check::dialogue::{TURN, read_replies, read_turns};
use crate::check::expect::{LEVEL_KEY, USE_THRESHOLDS, read_blocks, refuse};
use crate::check::http::read_headers;
use crate::check::matcher::{MATCHES, Matcher};
use crate::check::net::secure::{CA, INSECURE_TLS, SERVER_NAME, TlsWish};
use crate::check::{Blocks, Probe};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::Text;

pub(super) static WEBSOCKET: Spec = Spec {
    name: "websocket",
    example: "websocket: { url: \"wss://chat.example/socket\" }",
    keys: &[
        Key::required("url", Shape::Text, "Where to; ws or wss."),
        Key::new("headers", Shape::Map(&Shape::Text), "Headers of the upgrade."),
        Key::new(
            "subprotocol",
            Shape::OneOrMany(&Shape::Plain),
            "Protocols to offer; the server must choose one of them.",
        ),
        Key::or(
            "ping",
            Shape::Boolean,
            "false",
            "Send a ping and wait for its pong, before anything else.",
        ),
        Key::new(
            "send",
            Shape::Text,
            "Sent as a text message once the socket is open.",
        ),
        Key::new(
            "dialogue",
            Shape::List(&Shape::Object(&TURN)),
            "Turns, one after the other: `- send: hello`, `- expect: welcome`.",
        ),
        SERVER_NAME,
        CA,
        INSECURE_TLS,
    ],
};

pub(super) static WEBSOCKET_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { contains: welcome }",
    keys: &[
        Key::new("contains", Shape::Text, "A text that the messages contain."),
        Key::new(
            "matches",
            Shape::Plain,
            "A regular expression that the messages match.",
        ),
        Key::new(
            "subprotocol",
            Shape::Ref(&MATCHES),
            "What holds for the protocol that was chosen.",
        ),
        LEVEL_KEY,
    ],
};

/// Reads the blocks of a WebSocket check.
pub(super) fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &WEBSOCKET, reader)?;
    let url = fields.get("url").and_then(|node| read_url(node, reader));
    let headers = read_headers(fields.get("headers"), reader);
    for (name, _) in &headers {
        let ours =
            name.as_str().starts_with("sec-websocket-") || ["upgrade", "connection"].contains(&name.as_str());
        if let (true, Some(node)) = (ours, fields.get("headers")) {
            reader.error(
                node,
                format!(
                    "the header `{name}` belongs to the upgrade itself (`subprotocol` has a key of its own)"
                ),
            );
        }
    }
    let subprotocols = fields
        .get("subprotocol")
        .map(|node| reader.one_or_many(node, Reader::plain))
        .unwrap_or_default();
    if let (true, Some(node)) = (
        subprotocols.iter().any(|name| !is_token(name)),
        fields.get("subprotocol"),
    ) {
        reader.error(node, "a subprotocol's name has no spaces, commas or quotes");
    }
    let ping = fields.get("ping").and_then(|node| reader.boolean(node));
    let turns = read_turns(&fields, reader);
    refuse(blocks.measure, "websocket", "measure", USE_THRESHOLDS, reader);
    let expects = read_blocks(blocks.expect, &WEBSOCKET_EXPECT, reader, |fields, reader| {
        Expected {
            replies: read_replies(fields, reader),
            subprotocol: fields
                .get("subprotocol")
                .and_then(|node| Matcher::read(node, reader)),
        }
    });
    let wish = TlsWish::read(&fields, reader);
    let url = url?;
    let host = url.constant().and_then(|text| Some(target(&text).ok()?.1.host));
    let probe = WebSocketProbe {
        manners: Manners::new(blocks, host.unwrap_or_default()),
        url,
        headers,
        subprotocols,
        ping: ping.unwrap_or(false),
        turns,
        wish,
        expects,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_url(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let url = reader.text(node)?;
    let constant = url.constant().filter(|_| !url.holds_secret());
    if let Some(Err(why)) = constant.as_ref().map(|text| target(text)) {
        // A URL with a user in it holds a password: it is not shown.
        let hidden = constant.is_some_and(|text| text.contains('@'));
        let problem = match hidden {
            true => Problem::error(&node.place, format!("the URL {why}")).without_line(),
            false => Problem::error(&node.place, format!("`{url}` {why}")),
        };
        reader.report(problem.hint("write for example `wss://chat.example/socket`"));
        return None;
    }
    Some(url)
}

/// A token of RFC 9110 §5.6.2, as far as it matters here.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_graphic() && !"(),/:;<=>?@[\\]{}\"".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subprotocols_are_tokens() {
        assert!(is_token("graphql-transport-ws") && is_token("v12.stomp"));
        assert!(!is_token("") && !is_token("a b") && !is_token("a,b"));
    }
}
