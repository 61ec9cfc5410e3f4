//! `match:` of routes, silences, maintenance and inhibition; `windows:`.

use std::collections::BTreeMap;

use crate::check::KINDS;
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec, nearest};
use crate::model::{DaySpan, Days, Glob, Hours, Level, Matcher, Zone};

pub(super) static MATCH: Spec = Spec {
    name: "match",
    example: "match: { level: critical, tags: [partner] }",
    keys: &[
        Key::new(
            "level",
            Shape::OneOrMany(&Shape::Choice(&["warning", "critical", "unknown"])),
            "Any of these levels.",
        ),
        Key::new(
            "check",
            Shape::OneOrMany(&Shape::Plain),
            "Any of these ids or globs.",
        ),
        Key::new(
            "group",
            Shape::OneOrMany(&Shape::Plain),
            "Any of these groups, with their subgroups.",
        ),
        Key::new("tags", Shape::OneOrMany(&Shape::Plain), "All of these tags."),
        Key::new("kind", Shape::OneOrMany(&Shape::Plain), "Any of these kinds."),
        Key::new("owner", Shape::OneOrMany(&Shape::Plain), "Any of these owners."),
        Key::new(
            "during",
            Shape::OneOrMany(&Shape::Plain),
            "Only in any of these `windows`.",
        ),
        Key::planned("location"),
    ],
};

pub(super) static WINDOW: Spec = Spec {
    name: "a window",
    example: "office: { days: MON-FRI, hours: 09:00-18:00, timezone: Asia/Seoul }",
    keys: &[
        Key::or(
            "days",
            Shape::OneOrMany(&Shape::Plain),
            "MON-SUN",
            "On which days it begins: `MON-FRI`, `[SAT, SUN]`.",
        ),
        Key::or(
            "hours",
            Shape::Plain,
            "00:00-24:00",
            "From when to when; `22:00-06:00` ends on the next day.",
        ),
        Key::or("timezone", Shape::Plain, "UTC", "Of `hours`."),
    ],
};

/// Every window by its name.
pub(super) type Windows = BTreeMap<String, Hours>;

/// Reads one entry of `windows:`.
pub(super) fn read_window(name: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Hours> {
    let fields = Fields::open(node, &WINDOW, reader)?;
    let days = match fields.get("days") {
        None => Some(Days::ALL),
        Some(node) => {
            let names = reader.one_or_many(node, Reader::plain).join(",");
            fallible(node, names.parse(), reader)
        }
    };
    let span = match fields.get("hours") {
        None => Some(DaySpan::WHOLE),
        Some(node) => reader
            .plain(node)
            .and_then(|text| fallible(node, text.parse(), reader)),
    };
    let zone = match fields.get("timezone") {
        None => Some(Zone::utc()),
        Some(node) => reader
            .plain(node)
            .and_then(|text| fallible(node, Zone::named(&text), reader)),
    };
    Some(Hours {
        name: name.to_owned(),
        days: days?,
        span: span?,
        zone: zone?,
    })
}

pub(super) fn fallible<T>(node: &Node, read: Result<T, String>, reader: &mut Reader<'_>) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(why) => {
            reader.error(node, why);
            None
        }
    }
}

/// Reads a `match:` block.
pub(super) fn read_match(node: &Node, windows: &Windows, reader: &mut Reader<'_>) -> Option<Matcher> {
    let fields = Fields::open(node, &MATCH, reader)?;
    let levels = [
        ("warning", Level::Warning),
        ("critical", Level::Critical),
        ("unknown", Level::Unknown),
    ];
    let mut texts = |key: &str| {
        fields
            .get(key)
            .map(|node| reader.one_or_many(node, Reader::plain))
            .unwrap_or_default()
    };
    let checks = texts("check");
    let groups = texts("group");
    let (tags, owners) = (texts("tags"), texts("owner"));
    let kinds = fields
        .get("kind")
        .map(|node| reader.one_or_many(node, read_kind))
        .unwrap_or_default();
    Some(Matcher {
        levels: fields
            .get("level")
            .map(|node| reader.one_or_many(node, |reader, item| reader.choice(item, &levels)))
            .unwrap_or_default(),
        checks: checks.iter().map(|text| Glob::new(text)).collect(),
        groups: groups
            .iter()
            .map(|group| group.trim_matches('/').to_owned())
            .collect(),
        tags,
        kinds,
        owners,
        during: fields
            .get("during")
            .map(|node| reader.one_or_many(node, |reader, item| named_window(item, windows, reader)))
            .unwrap_or_default(),
    })
}

fn read_kind(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.plain(node)?;
    let known = || KINDS.iter().map(|kind| kind.name).chain(["haetae"]);
    if known().any(|kind| kind == text) {
        return Some(text);
    }
    let problem = Problem::error(&node.place, format!("there is no kind of check `{text}`"));
    reader.report(match nearest(&text, known()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("known are {}", known().collect::<Vec<_>>().join(", "))),
    });
    None
}

fn named_window(node: &Node, windows: &Windows, reader: &mut Reader<'_>) -> Option<Hours> {
    let name = reader.plain(node)?;
    if let Some(hours) = windows.get(&name) {
        return Some(hours.clone());
    }
    let problem = Problem::error(&node.place, format!("there is no window `{name}`"));
    reader.report(match nearest(&name, windows.keys().map(String::as_str)) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(
            "define it: `windows: { office: { days: MON-FRI, hours: 09:00-18:00, timezone: Asia/Seoul } }`",
        ),
    });
    None
}
