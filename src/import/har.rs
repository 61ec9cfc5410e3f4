//! A HAR file (HTTP Archive 1.2) as a chain of requests, or as single checks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use url::Url;

use super::har_found::Found;
use super::har_request::{Recorded, request};
use super::sheet::{Entry, Sheet, free_id, id_of, literal, named, pair_of};
use super::yaml::Node;

/// The recorder of browsers and this one choose the same, since a recording says nothing of it.
const EVERY: &str = "5m";
const TIMEOUT: &str = "60s";
/// A chain holds so many requests at most; a longer recording is cut, and says so.
const MOST_REQUESTS: usize = 200;

/// What browsers call things that are no documents and no data.
const STATIC_TYPES: &[&str] = &[
    "image",
    "stylesheet",
    "script",
    "font",
    "media",
    "manifest",
    "texttrack",
    "ping",
    "csp-violation-report",
    "preflight",
    "websocket",
    "eventsource",
    "imageset",
    "beacon",
];
/// What the same is by its name.
const STATIC_ENDINGS: &[&str] = &[
    ".js",
    ".mjs",
    ".css",
    ".map",
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".svg",
    ".webp",
    ".avif",
    ".ico",
    ".woff",
    ".woff2",
    ".ttf",
    ".otf",
    ".eot",
    ".mp4",
    ".webm",
    ".mp3",
    ".wasm",
    ".webmanifest",
];

/// Reads a recording; `apart` makes a check of each request.
///
/// # Errors
/// When it holds no request that a check could make.
pub fn read(json: &Json, file_name: &str, apart: bool) -> Result<Sheet, String> {
    let mut reading = Reading::new(json);
    let entries: Vec<Recorded<'_>> = json["log"]["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(n, entry)| reading.worth(n + 1, entry))
        .collect();
    let mut wanted = follow(entries);
    if wanted.is_empty() {
        return Err(
            "it holds no request but static files and those to others; record a page or an API".to_owned(),
        );
    }
    if wanted.len() > MOST_REQUESTS {
        reading.left_out.push(format!(
            "requests beyond the first {MOST_REQUESTS}, from {}",
            wanted[MOST_REQUESTS].place()
        ));
        wanted.truncate(MOST_REQUESTS);
    }
    let title = reading.title(json);
    let mut sheet = Sheet {
        name: id_of(&title),
        head: reading.head(file_name, json),
        left_out: std::mem::take(&mut reading.left_out),
        ..Sheet::default()
    };
    if apart || wanted.len() == 1 {
        singles(&mut sheet, &wanted, &title, apart);
    } else {
        sheet.checks.push(chain(&wanted, &title));
    }
    Ok(sheet)
}

struct Reading {
    /// The host of the first document: what is recorded is about it.
    site: Option<String>,
    static_files: usize,
    others: BTreeMap<String, usize>,
    left_out: Vec<String>,
}

impl Reading {
    fn new(json: &Json) -> Self {
        let urls = json["log"]["entries"].as_array().into_iter().flatten();
        let site = urls
            .filter_map(|entry| Url::parse(entry["request"]["url"].as_str()?).ok())
            .find(|url| matches!(url.scheme(), "http" | "https"))
            .and_then(|url| url.host_str().map(site_of));
        Self {
            site,
            static_files: 0,
            others: BTreeMap::new(),
            left_out: Vec::new(),
        }
    }

    /// A request that belongs into a check.
    fn worth<'j>(&mut self, number: usize, entry: &'j Json) -> Option<Recorded<'j>> {
        let text = entry["request"]["url"].as_str()?;
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let recorded = Recorded {
            number,
            entry,
            url,
            answer: &entry["response"],
        };
        let host = recorded.url.host_str().unwrap_or_default().to_owned();
        if self.site.as_deref() != Some(site_of(&host).as_str()) {
            *self.others.entry(host).or_default() += 1;
            return None;
        }
        if is_static(&recorded) {
            self.static_files += 1;
            return None;
        }
        let why = match recorded.status() {
            0 => "it got no answer",
            101 => "a WebSocket; write a `websocket` check",
            _ if !recorded.has_known_method() => "its method is none of an http check",
            _ => return Some(recorded),
        };
        self.left_out.push(format!("{}: {why}", recorded.place()));
        None
    }

    fn title(&self, json: &Json) -> String {
        let first = json["log"]["pages"][0]["title"]
            .as_str()
            .unwrap_or_default()
            .trim();
        if first.is_empty() || first.contains("://") {
            return self.site.clone().unwrap_or_else(|| "recording".to_owned());
        }
        first.to_owned()
    }

    fn head(&mut self, file_name: &str, json: &Json) -> Vec<String> {
        let creator = json["log"]["creator"]["name"].as_str().unwrap_or("a browser");
        let head = vec![format!(
            "Imported from {file_name}, recorded with {creator}; read it through: what to expect besides the status is yours to choose, and so are `every` and `timeout`."
        )];
        if self.static_files > 0 {
            self.left_out.push(format!(
                "{} static files (scripts, styles, pictures, fonts)",
                self.static_files
            ));
        }
        for (host, count) in &self.others {
            let requests = if *count == 1 { "request" } else { "requests" };
            self.left_out
                .push(format!("{count} {requests} to {host}: another site"));
        }
        head
    }
}

/// The last two labels of a host, or an address as it is: good enough to tell one's own from others'.
fn site_of(host: &str) -> String {
    if host.parse::<core::net::IpAddr>().is_ok() || host.starts_with('[') {
        return host.to_owned();
    }
    let labels: Vec<&str> = host.rsplit('.').collect();
    // `shop.co.kr` has a short second label: three count there.
    let count = match labels.as_slice() {
        [top, second, ..] if top.len() == 2 && second.len() <= 3 => 3,
        _ => 2,
    };
    let mut kept: Vec<&str> = labels.into_iter().take(count).collect();
    kept.reverse();
    kept.join(".")
}

fn is_static(recorded: &Recorded<'_>) -> bool {
    let kind = recorded.entry["_resourceType"].as_str().unwrap_or_default();
    if STATIC_TYPES.contains(&kind) {
        return true;
    }
    let path = recorded.url.path().to_ascii_lowercase();
    let mime = recorded.entry["response"]["content"]["mimeType"]
        .as_str()
        .unwrap_or_default();
    let by_mime = [
        "image/",
        "font/",
        "audio/",
        "video/",
        "text/css",
        "text/javascript",
        "application/javascript",
        "application/x-javascript",
    ]
    .iter()
    .any(|start| mime.starts_with(start));
    recorded.method() == "OPTIONS" || STATIC_ENDINGS.iter().any(|ending| path.ends_with(ending)) || by_mime
}

/// A redirect that was followed is one request, with the status at its end.
fn follow(entries: Vec<Recorded<'_>>) -> Vec<Recorded<'_>> {
    let mut kept: Vec<Recorded<'_>> = Vec::new();
    let mut target: Option<(Url, usize)> = None;
    for recorded in entries {
        if let Some((expected, place)) = &target
            && recorded.url == *expected
        {
            kept[*place].answer = recorded.answer;
            let place = *place;
            target = recorded.redirects_to().map(|url| (url, place));
            continue;
        }
        target = recorded.redirects_to().map(|url| (url, kept.len()));
        kept.push(recorded);
    }
    kept
}

fn chain(wanted: &[Recorded<'_>], title: &str) -> Entry {
    let mut entry = begin(title);
    entry.id = None;
    let mut found = Found::default();
    let mut steps = Vec::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    let base = wanted[0].url.origin().ascii_serialization();
    let all: Vec<_> = (0..wanted.len())
        .map(|n| request(wanted, n, &mut found, Some(&base)))
        .collect();
    for (recorded, mut made) in wanted.iter().zip(all) {
        let mut name = format!("{} {}", recorded.method(), recorded.url.path());
        name.truncate(name.char_indices().nth(60).map_or(name.len(), |(at, _)| at));
        let plain = name.clone();
        for n in 2.. {
            if names.insert(name.clone()) {
                break;
            }
            name = format!("{plain} ({n})");
        }
        let captures = found.captures(recorded.number);
        if !made.left_out.is_empty() {
            entry.left_out.append(&mut made.left_out);
            continue;
        }
        let mut step = vec![
            pair_of("step", named(&name)),
            pair_of("http", Node::Map(made.http)),
        ];
        if recorded.answer_status() != 200 {
            let status = Node::one("status", Node::bare(&recorded.answer_status()));
            step.push(pair_of("expect", status));
        }
        if !captures.is_empty() {
            step.push(pair_of("measure", Node::Map(captures)));
        }
        steps.push(Node::Map(step));
    }
    entry.set_map("http", vec![pair_of("url", literal(&format!("{base}/")))]);
    entry.lists.push(("steps".to_owned(), steps));
    entry
}

fn singles(sheet: &mut Sheet, wanted: &[Recorded<'_>], title: &str, several: bool) {
    for n in 0..wanted.len() {
        let recorded = &wanted[n];
        let path = recorded.url.path();
        let mut entry = begin(&if several {
            format!("{} {path}", recorded.method())
        } else {
            title.to_owned()
        });
        entry.id = several.then(|| free_id(&id_of(&format!("{} {path}", recorded.method())), &sheet.checks));
        // Each stands by itself: nothing of an earlier answer is there.
        let mut made = request(&wanted[n..=n], 0, &mut Found::default(), None);
        if !made.left_out.is_empty() {
            sheet.left_out.append(&mut made.left_out);
            continue;
        }
        entry.set_map("http", made.http);
        entry.expect(vec![vec![pair_of(
            "status",
            Node::bare(&recorded.answer_status()),
        )]]);
        sheet.checks.push(entry);
    }
}

fn begin(title: &str) -> Entry {
    let mut entry = Entry::default();
    entry.set("name", named(title));
    entry.set("every", Node::bare(EVERY));
    entry.set("timeout", Node::bare(TIMEOUT));
    entry
}
