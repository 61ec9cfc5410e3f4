//! One recorded request: what of it a check should send, and which secrets it must name.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use url::Url;

use super::har_found::Found;
use super::kuma_http::json_node;
use super::sheet::{Pairs, env, env_name, is_secret_name, literal, pair_of};
use super::yaml::Node;

/// What every browser sends by itself, and a check has no use for.
const BROWSERS_OWN: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "accept-encoding",
    "user-agent",
    "dnt",
    "cache-control",
    "pragma",
    "upgrade-insecure-requests",
    "referer",
    "if-none-match",
    "if-modified-since",
    "te",
    "priority",
    "cookie",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "expect",
    "range",
    "if-range",
    "x-client-data",
    "save-data",
];
/// A body longer than this is not carried over.
const LONGEST_BODY: usize = 16 * 1024;
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// A recorded request and its answer.
#[derive(Debug, Clone)]
pub struct Recorded<'j> {
    /// From 1, as browsers show them.
    pub number: usize,
    /// As it stands in the file.
    pub entry: &'j Json,
    /// Where it went.
    pub url: Url,
    /// What came back; at the end of redirects, where there were some.
    pub answer: &'j Json,
}

/// A request to be.
#[derive(Debug, Default)]
pub struct Made {
    /// The keys of `http`.
    pub http: Pairs,
    /// What could not be carried over.
    pub left_out: Vec<String>,
}

impl Recorded<'_> {
    /// `entry 3 (GET https://shop.example/cart)`, without what may be secret.
    pub fn place(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        let _ = url.set_password(None);
        let _ = url.set_username("");
        format!("entry {} ({} {url})", self.number, self.method())
    }

    /// `GET`
    pub fn method(&self) -> String {
        self.entry["request"]["method"]
            .as_str()
            .unwrap_or("GET")
            .to_ascii_uppercase()
    }

    /// Whether a check can send it.
    pub fn has_known_method(&self) -> bool {
        METHODS.contains(&self.method().as_str())
    }

    /// The status of its own answer.
    pub fn status(&self) -> u64 {
        self.entry["response"]["status"].as_u64().unwrap_or(0)
    }

    /// The status a check should expect. What a browser had kept is sent anew to a check.
    pub fn answer_status(&self) -> u64 {
        match self.answer["status"].as_u64().unwrap_or(200) {
            304 => 200,
            status => status,
        }
    }

    /// Where the browser was sent.
    pub fn redirects_to(&self) -> Option<Url> {
        let to = self.entry["response"]["redirectURL"]
            .as_str()
            .filter(|url| !url.is_empty())?;
        let mut url = self
            .url
            .join(to)
            .ok()
            .filter(|_| (300..400).contains(&self.status()))?;
        url.set_fragment(None);
        Some(url)
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.entry["request"]["headers"])
    }

    /// Names of cookies that its answers set.
    fn sets(&self) -> BTreeSet<String> {
        let answers = [&self.entry["response"], self.answer];
        let headers = answers.into_iter().flat_map(|answer| pairs(&answer["headers"]));
        let by_header = headers
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .flat_map(|(_, value)| value.lines())
            .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim().to_owned()));
        let listed = answers.into_iter().flat_map(|answer| pairs(&answer["cookies"]));
        by_header.chain(listed.map(|(name, _)| name.to_owned())).collect()
    }

    /// The answer as JSON.
    pub fn json(&self) -> Option<Json> {
        let content = &self.answer["content"];
        let text = content["text"].as_str()?;
        if content["encoding"].as_str() == Some("base64") {
            let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).ok()?;
            return serde_json::from_slice(&bytes).ok();
        }
        serde_json::from_str(text).ok()
    }
}

/// `name` and `value` of a list of objects.
fn pairs(list: &Json) -> impl Iterator<Item = (&str, &str)> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|pair| Some((pair["name"].as_str()?, pair["value"].as_str().unwrap_or_default())))
}

/// Makes a request of what was recorded, the `n`th of those that are kept.
pub fn request(kept: &[Recorded<'_>], n: usize, found: &mut Found, base: Option<&str>) -> Made {
    let recorded = &kept[n];
    let owner = recorded.url.host_str().unwrap_or_default().to_owned();
    let mut writer = Writer {
        earlier: &kept[..n],
        recorded,
        owner,
        found,
        made: Made::default(),
    };
    writer.url(base);
    writer.headers();
    writer.body();
    if (300..400).contains(&recorded.answer_status()) {
        writer
            .made
            .http
            .push(pair_of("follow_redirects", Node::bare("0")));
    }
    writer.made
}

struct Writer<'w, 'j> {
    earlier: &'w [Recorded<'j>],
    recorded: &'w Recorded<'j>,
    owner: String,
    found: &'w mut Found,
    made: Made,
}

impl Writer<'_, '_> {
    fn url(&mut self, base: Option<&str>) {
        let url = &self.recorded.url;
        let origin = url.origin().ascii_serialization();
        let mut text = if base == Some(origin.as_str()) {
            String::new()
        } else {
            escaped(&origin)
        };
        let segments: Vec<String> = url.path().split('/').map(|part| self.segment(part)).collect();
        text.push_str(&segments.join("/"));
        for (n, pair) in url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .enumerate()
        {
            text.push(if n == 0 { '?' } else { '&' });
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = match self.captured(value) {
                Some(name) => name,
                None if is_secret_name(name) && !value.is_empty() => {
                    format!("${{env:{}}}", env_name(&[&self.owner, name]))
                }
                None => escaped(value),
            };
            text.push_str(&format!("{}={value}", escaped(name)));
        }
        if self.recorded.method() != "GET" {
            let method = self.recorded.method();
            self.made.http.push(pair_of("method", Node::bare(&method)));
        }
        self.made.http.push(pair_of("url", Node::Text(text)));
    }

    /// A part of a path that an earlier answer gave, such as an order's number.
    fn segment(&mut self, part: &str) -> String {
        let is_id = part.chars().any(|c| c.is_ascii_digit());
        match self.captured(part).filter(|_| is_id) {
            Some(name) => name,
            None => escaped(part),
        }
    }

    fn headers(&mut self) {
        let recorded = self.recorded;
        let mut headers: Pairs = Vec::new();
        let mut names: BTreeSet<String> = BTreeSet::new();
        for (name, value) in recorded.headers() {
            let lower = name.to_ascii_lowercase();
            let is_own =
                BROWSERS_OWN.contains(&lower.as_str()) || lower.starts_with(':') || lower.starts_with("sec-");
            // Some sites compare it; to read, nobody needs it.
            let is_origin = lower == "origin" && recorded.method() == "GET";
            if is_own || is_origin || self.is_bodys_own(&lower) || !names.insert(lower.clone()) {
                continue;
            }
            if lower == "authorization" {
                self.authorization(value, &mut headers);
            } else if is_secret_name(&lower) {
                let node = self
                    .captured(value)
                    .map_or_else(|| env(&[&self.owner, name]), Node::Text);
                headers.push(pair_of(&lower, node));
            } else {
                headers.push(pair_of(&lower, literal(value)));
            }
        }
        headers.extend(self.cookies());
        if !headers.is_empty() {
            self.made.http.push(pair_of("headers", Node::Map(headers)));
        }
    }

    /// `json:` and `form:` say by themselves what they are.
    fn is_bodys_own(&self, lower: &str) -> bool {
        let mime = self.recorded.entry["request"]["postData"]["mimeType"]
            .as_str()
            .unwrap_or_default();
        lower == "content-type"
            && (mime.is_empty()
                || mime.starts_with("application/json")
                || mime.starts_with("application/x-www-form-urlencoded")
                || mime.starts_with("multipart/"))
    }

    fn authorization(&mut self, value: &str, headers: &mut Pairs) {
        let (scheme, token) = value.split_once(' ').unwrap_or(("", value));
        let auth = if scheme.eq_ignore_ascii_case("bearer") {
            let token = self
                .captured(token)
                .map_or_else(|| env(&[&self.owner, "TOKEN"]), Node::Text);
            Node::one("bearer", token)
        } else if scheme.eq_ignore_ascii_case("basic") {
            let basic = vec![
                pair_of("user", env(&[&self.owner, "USER"])),
                pair_of("password", env(&[&self.owner, "PASSWORD"])),
            ];
            Node::one("basic", Node::Map(basic))
        } else {
            headers.push(pair_of("authorization", env(&[&self.owner, "AUTHORIZATION"])));
            return;
        };
        self.made.http.push(pair_of("auth", auth));
    }

    /// Cookies that were there before: those that the recording itself was given come by themselves.
    fn cookies(&self) -> Option<(String, Node)> {
        let known: BTreeSet<String> = self.earlier.iter().flat_map(Recorded::sets).collect();
        let sent = self
            .recorded
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        let by_header = sent
            .flat_map(|(_, value)| value.split(';'))
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, _)| name.trim());
        let listed = pairs(&self.recorded.entry["request"]["cookies"]).map(|(name, _)| name);
        let mut names: Vec<&str> = by_header
            .chain(listed)
            .filter(|name| !known.contains(*name))
            .collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return None;
        }
        let all: Vec<String> = names
            .iter()
            .map(|name| format!("{}=${{env:{}}}", escaped(name), env_name(&[&self.owner, name])))
            .collect();
        Some(pair_of("cookie", Node::Text(all.join("; "))))
    }

    fn body(&mut self) {
        let post = &self.recorded.entry["request"]["postData"];
        let mime = post["mimeType"].as_str().unwrap_or_default();
        let text = post["text"].as_str().unwrap_or_default();
        if mime.starts_with("application/x-www-form-urlencoded") {
            let fields: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect();
            let listed = pairs(&post["params"]).map(|(name, value)| (name.to_owned(), value.to_owned()));
            let fields = if fields.is_empty() {
                listed.collect()
            } else {
                fields
            };
            let form: Pairs = fields
                .iter()
                .map(|(name, value)| pair_of(name, self.field(name, value)))
                .collect();
            if !form.is_empty() {
                self.made.http.push(pair_of("form", Node::Map(form)));
            }
        } else if let Some(json) = serde_json::from_str::<Json>(text)
            .ok()
            .filter(|json| json.is_object() || json.is_array())
        {
            let node = json_node(&json, &self.owner);
            let node = self.with_captures(node);
            self.made.http.push(pair_of("json", node));
        } else if mime.starts_with("multipart/") || text.len() > LONGEST_BODY {
            let what = if mime.starts_with("multipart/") {
                "a request with a body of several parts"
            } else {
                "a request with a long body"
            };
            self.made.left_out.push(format!(
                "{}: {what}; `body: \"${{file:PATH}}\"` sends a file's content",
                self.recorded.place()
            ));
        } else if !text.is_empty() {
            self.made.http.push(pair_of("body", literal(text)));
        }
    }

    fn field(&mut self, name: &str, value: &str) -> Node {
        match self.captured(value) {
            Some(captured) => Node::Text(captured),
            None if is_secret_name(name) && !value.is_empty() => env(&[&self.owner, name]),
            None => literal(value),
        }
    }

    fn with_captures(&mut self, node: Node) -> Node {
        match node {
            Node::Text(text) => Node::Text(self.captured(&text).unwrap_or(text)),
            Node::Map(pairs) => Node::Map(
                pairs
                    .into_iter()
                    .map(|(key, value)| (key, self.with_captures(value)))
                    .collect(),
            ),
            Node::List(items) => Node::List(items.into_iter().map(|item| self.with_captures(item)).collect()),
            bare @ Node::Bare(_) => bare,
        }
    }

    /// `${token}`, when an earlier answer held this value.
    fn captured(&mut self, value: &str) -> Option<String> {
        self.found.captured(value, self.earlier)
    }
}

/// What is no template in a recording is none in a check.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}
