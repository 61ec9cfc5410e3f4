//! What stands behind the verbs.

use std::sync::Arc;
use std::time::Duration;

use crate::browser::actions::parse_chord;
use crate::browser::keys::{CHOOSE, COOKIES, DIALOG, DRAG, HTTP_STEP, TYPE, UPLOAD, WAIT_FOR};
use crate::browser::locator::Target;
use crate::browser::scenario::{Act, Await, Chord, Delete, Source, Tab};
use crate::check::Blocks;
use crate::check::http::{is_secret_name, read_probe};
use crate::check::matcher::Matcher;
use crate::decode::{Fields, Node, Problem, Reader, Severity, Value};
use crate::model::{Retry, Text};

/// A request of our own takes this long at most, and never longer than its step.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);

/// Only web pages: `file:` and friends never open.
pub fn read_address(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    let scheme = text
        .constant()
        .and_then(|text| Some(text.split_once(':')?.0.to_ascii_lowercase()))
        .filter(|scheme| !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+'));
    match scheme.as_deref() {
        None | Some("http" | "https") => Some(text),
        Some(other) => {
            reader.error(
                node,
                format!("`{other}:` pages are not opened: write an http or https address, or a path"),
            );
            None
        }
    }
}

pub fn read_type(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    let fields = Fields::open(node, &TYPE, reader)?;
    let into = fields.get("into")?;
    let text = fields.get("text")?;
    if into.scalar().is_some_and(is_secret_name) {
        reader.refuse_literal_secret(text, "a password");
    }
    Some(Act::Type {
        into: Target::read(into, reader)?,
        text: reader.text(text)?,
        clear: fields
            .get("clear")
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false),
        keys: fields
            .get("keys")
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false),
        press: fields.get("press").and_then(|node| read_chord(node, reader)),
    })
}

pub fn read_choose(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    if node.scalar().is_some() {
        return Some(Act::Choose {
            option: reader.text(node)?,
            from: None,
        });
    }
    let fields = Fields::open(node, &CHOOSE, reader)?;
    Some(Act::Choose {
        option: fields.get("option").and_then(|node| reader.text(node))?,
        from: fields.get("from").and_then(|node| Target::read(node, reader)),
    })
}

pub fn read_chord(node: &Node, reader: &mut Reader<'_>) -> Option<Chord> {
    let text = reader.plain(node)?;
    match parse_chord(&text) {
        Ok(chord) => Some(chord),
        Err(why) => {
            reader.error(node, why);
            None
        }
    }
}

pub fn read_pause(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    let span = reader.duration(node)?;
    reader.report(
        Problem::error(
            &node.place,
            "a pause makes a scenario slow, and still fails when the page is slower",
        )
        .hint("wait for what you want to see: `see: …` or `wait_for: …`")
        .severity(Severity::Warning),
    );
    Some(Act::Pause(span.min(Duration::from_mins(1))))
}

pub fn read_remember(node: &Node, reader: &mut Reader<'_>) -> Vec<(String, Source)> {
    let mut kept = Vec::new();
    for entry in reader.entries(node) {
        let source = read_source(&entry.node, reader);
        reader.captures.insert(entry.key.clone());
        kept.extend(source.map(|source| (entry.key.clone(), source)));
    }
    kept
}

/// An element, `{ of: …, attribute: href }`, `{ url: … }`, `{ cookie: … }`, `{ script: … }`
fn read_source(node: &Node, reader: &mut Reader<'_>) -> Option<Source> {
    if let Some(pattern) = node.get("url") {
        return reader.regex(pattern).map(Source::Url);
    }
    if let Some(code) = node.get("script") {
        return reader.text(code).map(Source::Script);
    }
    if let Some(name) = node.get("cookie") {
        return reader.plain(name).map(Source::Cookie);
    }
    if let Some(name) = node.get("attribute") {
        let name = reader.plain(name)?;
        let Some(of) = node.get("of") else {
            reader.report(
                Problem::error(&node.place, "this needs `of:`, to say which element is meant")
                    .hint("for example `{ attribute: href, of: Download }`"),
            );
            return None;
        };
        return Target::read(of, reader).map(|of| Source::Attribute(of, name));
    }
    Target::read(node, reader).map(Source::Element)
}

pub fn read_await(node: &Node, reader: &mut Reader<'_>) -> Option<Await> {
    if node.scalar() == Some("idle") {
        return Some(Await::Idle);
    }
    let fields = Fields::open(node, &WAIT_FOR, reader)?;
    let matcher =
        |key: &str, reader: &mut Reader<'_>| fields.get(key).map(|node| Matcher::read(node, reader));
    let target = |key: &str, reader: &mut Reader<'_>| fields.get(key).map(|node| Target::read(node, reader));
    let idle = fields.get("idle").map(|node| reader.boolean(node));
    let mut ways: Vec<Option<Await>> = [
        matcher("url", reader).map(|way| way.map(Await::Url)),
        matcher("request", reader).map(|way| way.map(Await::Request)),
        target("text", reader).map(|way| way.map(Await::Text)),
        target("gone", reader).map(|way| way.map(Await::Gone)),
        idle.map(|way| way.map(|_| Await::Idle)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if ways.len() != 1 {
        reader.error(
            node,
            "`wait_for` needs exactly one of `url`, `text`, `gone`, `request`, `idle`",
        );
        return None;
    }
    ways.remove(0)
}

/// `new`, `2`, `close`, or a part of a title or an address.
pub fn read_tab(node: &Node, reader: &mut Reader<'_>) -> Option<Tab> {
    let text = reader.text(node)?;
    Some(match text.as_written() {
        "new" => Tab::New,
        "close" => Tab::Close,
        written => match written.parse::<usize>() {
            Ok(0) => {
                reader.error(node, "tabs are counted from 1");
                return None;
            }
            Ok(number) => Tab::Number(number),
            Err(_) => Tab::Called(text),
        },
    })
}

pub fn read_upload(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    let fields = Fields::open(node, &UPLOAD, reader)?;
    let files = fields
        .get("file")
        .map(|node| reader.one_or_many(node, Reader::text))
        .unwrap_or_default();
    Some(Act::Upload {
        files,
        to: fields.get("to").and_then(|node| Target::read(node, reader))?,
    })
}

pub fn read_drag(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    let fields = Fields::open(node, &DRAG, reader)?;
    let from = fields.get("from").and_then(|node| Target::read(node, reader));
    let to = fields.get("to").and_then(|node| Target::read(node, reader));
    Some(Act::Drag { from: from?, to: to? })
}

/// `accept`, `dismiss`, `{ type: …, accept: true }`
pub fn read_dialog(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    if node.scalar().is_some() {
        let accept = reader.choice(node, &[("accept", true), ("dismiss", false)])?;
        return Some(Act::Dialog { accept, text: None });
    }
    let fields = Fields::open(node, &DIALOG, reader)?;
    let accept = fields.get("accept").and_then(|node| reader.boolean(node));
    Some(Act::Dialog {
        accept: accept.unwrap_or(true),
        text: fields.get("type").and_then(|node| reader.text(node)),
    })
}

pub fn read_cookies(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    let fields = Fields::open(node, &COOKIES, reader)?;
    let mut set = Vec::new();
    if let Some(node) = fields.get("set") {
        for entry in reader.entries(node) {
            if is_secret_name(&entry.key) {
                reader.refuse_literal_secret(&entry.node, &format!("the value of `{}`", entry.key));
            }
            set.extend(reader.text(&entry.node).map(|text| (entry.key.clone(), text)));
        }
    }
    let delete = match fields.get("delete") {
        None => Delete::Nothing,
        Some(node) if node.scalar() == Some("all") => Delete::All,
        Some(node) => Delete::Named(reader.one_or_many(node, Reader::plain)),
    };
    if set.is_empty() && matches!(delete, Delete::Nothing) {
        reader.report(
            Problem::error(&node.place, "`cookies` needs `set` or `delete`")
                .hint("for example `cookies: { set: { consent: \"yes\" } }` or `cookies: { delete: all }`"),
        );
        return None;
    }
    Some(Act::Cookies { set, delete })
}

pub fn read_network(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    reader
        .choice(node, &[("offline", true), ("online", false)])
        .map(Act::Offline)
}

/// A request of our own; its keys are those of the check, with `expect` and `remember`.
pub fn read_http(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    Fields::open(node, &HTTP_STEP, reader)?;
    let Value::Map(entries) = &node.value else {
        return None;
    };
    let own = |key: &str| matches!(key, "expect" | "remember");
    let settings = Node {
        place: node.place.clone(),
        value: Value::Map(entries.iter().filter(|entry| !own(&entry.key)).cloned().collect()),
    };
    let blocks = Blocks {
        settings: &settings,
        expect: node.get("expect"),
        measure: node.get("remember"),
        steps: None,
        always: None,
        attempt_timeout: HTTP_TIMEOUT,
        timeout: HTTP_TIMEOUT,
        retry: Retry::default(),
    };
    let probe = read_probe(&blocks, reader)?;
    if let Some(node) = node.get("remember") {
        for entry in reader.entries(node) {
            reader.captures.insert(entry.key.clone());
        }
    }
    Some(Act::Http(Arc::new(probe)))
}

pub fn read_script(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    let code = reader.text(node)?;
    if code.as_written().trim().is_empty() {
        reader.error(node, "the script is empty");
        return None;
    }
    Some(Act::Script(code))
}
