//! The smallest excerpt of an answer that helps whoever reads the message.

use regex::Regex;
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::body::is_binary;

/// An excerpt is not longer, in characters.
const LONGEST: usize = 400;
/// A text inside an excerpt of JSON is not longer.
const LONGEST_VALUE: usize = 60;
/// So many items of a list, or fields of an object, are shown.
const MOST_ITEMS: usize = 8;
/// So deep is JSON shown.
const DEEPEST: usize = 3;
/// So many lines are compared with what was looked for.
const MOST_LINES: usize = 5_000;

/// What was looked for and not found as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clue {
    /// A JSONPath as it was written.
    Json(String),
    /// A text that is missing.
    Missing(String),
    /// A text that must not be there.
    Unwanted(String),
}

/// What is shown of.
pub struct Seen<'a> {
    /// The body as text.
    pub text: &'a str,
    /// The body as JSON.
    pub json: Option<&'a Json>,
    /// Its first bytes.
    pub head: &'a [u8],
    /// Its size in bytes.
    pub size: u64,
    /// `text/html; charset=utf-8`
    pub content_type: Option<&'a str>,
}

/// The part of the answer that is about the clue; its beginning without one. None when the
/// answer is empty.
#[must_use]
pub fn excerpt(seen: &Seen<'_>, clue: Option<&Clue>) -> Option<String> {
    if seen.size == 0 {
        return None;
    }
    if is_binary(seen.content_type, seen.head) {
        return Some(binary(seen));
    }
    if let (Some(json), Some(Clue::Json(path))) = (seen.json, clue) {
        return Some(around_path(json, path));
    }
    let is_page =
        seen.content_type.is_some_and(|kind| kind.contains("html"))
            || seen.text.trim_start().get(..5).is_some_and(|start| {
                start.eq_ignore_ascii_case("<html") || start.eq_ignore_ascii_case("<!doc")
            });
    let readable = if is_page {
        readable_page(seen.text)
    } else {
        seen.text.to_owned()
    };
    let found = match clue {
        Some(Clue::Missing(text)) => nearest_line(&readable, text),
        Some(Clue::Unwanted(text)) => around(&readable, text).or_else(|| around(seen.text, text)),
        _ => None,
    };
    let shown = match (found, seen.json) {
        (Some(found), _) => found,
        (None, Some(json)) => show(json, DEEPEST),
        (None, None) => folded(&readable),
    };
    let shown = cut(shown.trim(), LONGEST);
    (!shown.is_empty()).then_some(shown)
}

fn binary(seen: &Seen<'_>) -> String {
    let bytes: Vec<String> = seen
        .head
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kind = seen.content_type.unwrap_or("no content type");
    format!(
        "no text: {} bytes ({kind}) that begin with {}",
        seen.size,
        bytes.join(" ")
    )
}

/// The innermost object or list on the way of a path that is there.
fn around_path(json: &Json, written: &str) -> String {
    let mut ends = segment_ends(written);
    ends.pop();
    for end in ends.into_iter().rev() {
        let prefix = &written[..end];
        let Ok(path) = JsonPath::parse(prefix) else {
            continue;
        };
        if let Some(there) = path.query(json).first() {
            let shown = cut(&show(there, DEEPEST), LONGEST);
            return match prefix {
                "$" => shown,
                _ => format!("{prefix} is {shown}"),
            };
        }
    }
    cut(&show(json, DEEPEST), LONGEST)
}

/// Where each segment of a path ends, `$` included.
fn segment_ends(path: &str) -> Vec<usize> {
    let (mut depth, mut quote, mut ends) = (0_usize, None, Vec::new());
    for (at, c) in path.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => {
                if depth == 0 && at > 0 {
                    ends.push(at);
                }
                depth += 1;
            }
            (None, ']') => depth = depth.saturating_sub(1),
            (None, '.') if depth == 0 => ends.push(at),
            _ => {}
        }
    }
    ends.push(path.len());
    ends.dedup();
    ends
}

/// JSON on one line: long texts, lists and depths are cut.
fn show(json: &Json, depth: usize) -> String {
    match json {
        Json::String(text) => Json::from(cut(text, LONGEST_VALUE)).to_string(),
        Json::Array(items) if items.is_empty() => "[]".to_owned(),
        Json::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Json::Array(items) if depth == 0 => format!("[{} items]", items.len()),
        Json::Object(_) if depth == 0 => "{…}".to_owned(),
        Json::Array(items) => {
            let shown = items.iter().take(MOST_ITEMS).map(|item| show(item, depth - 1));
            format!("[{}]", listed(shown, items.len()))
        }
        Json::Object(fields) => {
            let shown = fields
                .iter()
                .take(MOST_ITEMS)
                .map(|(key, value)| format!("{}: {}", Json::from(key.as_str()), show(value, depth - 1)));
            format!("{{{}}}", listed(shown, fields.len()))
        }
        other => other.to_string(),
    }
}

fn listed(shown: impl Iterator<Item = String>, count: usize) -> String {
    let mut parts: Vec<String> = shown.collect();
    if count > parts.len() {
        parts.push(format!("… {} more", count - parts.len()));
    }
    parts.join(", ")
}

/// The line that is most like the text, when one is like it at all.
fn nearest_line(text: &str, wanted: &str) -> Option<String> {
    const LIKE: f64 = 0.4;
    let wanted = cut(&folded(wanted), LONGEST_VALUE * 2).to_lowercase();
    if wanted.is_empty() {
        return None;
    }
    text.lines()
        .take(MOST_LINES)
        .map(folded)
        .filter(|line| !line.is_empty())
        .map(|line| (likeness(&cut(&line, LONGEST).to_lowercase(), &wanted), line))
        .filter(|(likeness, _)| *likeness >= LIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, line)| line)
}

/// How much of the wanted text's pairs of letters stand in the line, and the other way round.
fn likeness(line: &str, wanted: &str) -> f64 {
    let whole = strsim::sorensen_dice(line, wanted);
    // A long line that holds something like the text is like it too.
    let words: Vec<&str> = line.split(' ').collect();
    let width = wanted.split(' ').count();
    let part = words
        .windows(width.min(words.len()).max(1))
        .take(100)
        .map(|window| strsim::sorensen_dice(&window.join(" "), wanted))
        .fold(0.0, f64::max);
    whole.max(part)
}

/// Some characters before and behind a text.
fn around(text: &str, part: &str) -> Option<String> {
    const BESIDE: usize = 80;
    let at = text.find(part)?;
    let before: Vec<char> = text[..at].chars().rev().take(BESIDE).collect();
    let behind: String = text[at + part.len()..].chars().take(BESIDE).collect();
    let before: String = before.into_iter().rev().collect();
    Some(folded(&format!("{before}{}{behind}", cut(part, LONGEST_VALUE))))
}

/// Title and text of a page, a line for each block.
fn readable_page(html: &str) -> String {
    let title = between(html, "<title", "</title").map(|title| folded(&unescaped(&title)));
    let body = match html.to_ascii_lowercase().find("<body") {
        Some(at) => &html[at..],
        None => html,
    };
    let text: Vec<String> = unescaped(&without_tags(body))
        .lines()
        .map(folded)
        .filter(|line| !line.is_empty() && Some(line) != title.as_ref())
        .collect();
    match title.filter(|title| !title.is_empty()) {
        Some(title) => format!("{title}\n{}", text.join("\n")),
        None => text.join("\n"),
    }
}

fn between(html: &str, open: &str, close: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let start = lower.find(open)?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find(close)?;
    Some(html[start..end].to_owned())
}

/// The text between tags; what is no text (scripts, styles, the head's title) is left out.
fn without_tags(html: &str) -> String {
    const SILENT: &[&str] = &["script", "style", "title", "noscript", "svg", "template"];
    const INLINE: &[&str] = &[
        "a", "b", "i", "em", "strong", "span", "code", "small", "u", "font",
    ];
    let lower = html.to_ascii_lowercase();
    let (mut out, mut at) = (String::new(), 0);
    while let Some(open) = html[at..].find('<').map(|offset| at + offset) {
        out.push_str(&html[at..open]);
        let comment = lower[open..].starts_with("<!--");
        let close = if comment { "-->" } else { ">" };
        let Some(end) = html[open..].find(close).map(|offset| open + offset + close.len()) else {
            return out;
        };
        let name: String = lower[open + 1..end]
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        if !INLINE.contains(&name.as_str()) {
            out.push('\n');
        }
        at = end;
        if SILENT.contains(&name.as_str()) && !lower[open..].starts_with("</") {
            let closing = format!("</{name}");
            at = lower[end..]
                .find(&closing)
                .map_or(html.len(), |offset| end + offset);
        }
    }
    out.push_str(&html[at..]);
    out
}

fn unescaped(text: &str) -> String {
    text.replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str, room: usize) -> String {
    let mut characters = text.chars();
    let mut shown: String = characters.by_ref().take(room).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The longest run of plain characters in a regular expression: what a line should be like.
#[must_use]
pub fn plain_part(regex: &Regex) -> Option<String> {
    regex
        .as_str()
        .split(|c: char| "\\^$.|?*+()[]{}".contains(c))
        .max_by_key(|part| part.chars().count())
        .filter(|part| part.chars().count() > 2)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, kind: &str, clue: Option<&Clue>) -> Option<String> {
        let json = serde_json::from_str(text).ok();
        let seen = Seen {
            text,
            json: json.as_ref(),
            head: text.as_bytes(),
            size: text.len() as u64,
            content_type: Some(kind),
        };
        excerpt(&seen, clue)
    }

    #[test]
    fn json_is_shown_around_the_path() {
        let order = r#"{"meta":{"big":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
            "data":{"status":"DOWN","db":{"pool":{"size":3}},"items":[1,2,3,4,5,6,7,8,9,10]}}"#;
        for (path, part) in [
            (
                "$.data.status",
                r#"$.data is {"db": {"pool": {"size": 3}}, "items": [1, 2, 3, 4, 5, 6, 7, 8, … 2 more], "status": "DOWN"}"#,
            ),
            ("$.data.db.pool.size", r#"$.data.db.pool is {"size": 3}"#),
            ("$.data.db.cache.size", r#"$.data.db is {"pool": {"size": 3}}"#),
            (
                "$['data']['db']['pool']",
                r#"$['data']['db'] is {"pool": {"size": 3}}"#,
            ),
            (
                "$.data.items[20]",
                "$.data.items is [1, 2, 3, 4, 5, 6, 7, 8, … 2 more]",
            ),
            (
                "$.data.items[?@ > 20]",
                "$.data.items is [1, 2, 3, 4, 5, 6, 7, 8, … 2 more]",
            ),
        ] {
            let clue = Some(Clue::Json(path.into()));
            assert_eq!(
                shown(order, "application/json", clue.as_ref()).as_deref(),
                Some(part),
                "{path}"
            );
        }
        let whole = shown(order, "application/json", Some(&Clue::Json("$.gone".into()))).unwrap();
        assert!(whole.contains("xxx…\"") && whole.len() < 500, "{whole}");
    }

    #[test]
    fn texts_are_shown_where_they_are_like_what_was_looked_for() {
        let log = "starting up\nconnected to the data base\nqueue length 17\nall is well";
        let missing = |text: &str| Some(Clue::Missing(text.into()));
        let line = |text: &str| shown(log, "text/plain", missing(text).as_ref());
        assert_eq!(line("queue length 0").as_deref(), Some("queue length 17"));
        assert_eq!(
            line("connected to database").as_deref(),
            Some("connected to the data base")
        );
        assert_eq!(line("안녕"), Some(folded(log)));
        let unwanted = Some(Clue::Unwanted("data base".into()));
        assert!(
            shown(log, "text/plain", unwanted.as_ref())
                .unwrap()
                .contains("to the data base queue")
        );
    }

    #[test]
    fn of_pages_title_and_text_are_shown_and_of_binaries_what_they_are() {
        let page = "<!DOCTYPE html><html><head><title>502 Bad &amp; Gateway</title><style>a{}</style></head>
            <body><script>var x = '<p>no</p>';</script><h1>Sorry</h1><p>We are <b>down</b>.</p></body></html>";
        assert_eq!(
            shown(page, "text/html", None).as_deref(),
            Some("502 Bad & Gateway Sorry We are down.")
        );
        assert_eq!(
            shown(page, "text/html", Some(&Clue::Missing("We are up.".into()))).as_deref(),
            Some("We are down.")
        );
        assert_eq!(
            shown("\u{1}\0\0PNG", "application/octet-stream", None).as_deref(),
            Some("no text: 6 bytes (application/octet-stream) that begin with 01 00 00 50 4e 47")
        );
        assert_eq!(shown("", "text/html", None), None);
        assert!(
            shown(&"long ".repeat(1_000), "text/plain", None)
                .unwrap()
                .chars()
                .count()
                <= LONGEST + 1
        );
        // Tags that never close, and cut characters.
        assert!(shown("<html><body><p", "text/html", None).is_none());
        assert!(shown("<html><body>가나<script>다", "text/html", None).is_some());
    }
}
