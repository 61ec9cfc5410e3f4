//! `maintenance:`, `inhibit:` and `storm:` of alerts files.

use std::time::Duration;

use super::matchers::{MATCH, Windows, fallible, read_match};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{Calendar, Maintenance, MaintenanceTime, Matcher, Timestamp, parse_duration};
use crate::route::{Inhibit, StormLimit};

pub(super) static MAINTENANCE: Spec = Spec {
    name: "a maintenance window",
    example: "- { name: nightly batch, match: { group: bank }, cron: \"30 23 * * *\", for: 45m, timezone: Asia/Seoul }",
    keys: &[
        Key::required("name", Shape::Plain, "For people."),
        Key::required("match", Shape::Object(&MATCH), "Of what nothing is told."),
        Key::new("cron", Shape::Plain, "When it begins, again and again."),
        Key::new("for", Shape::Duration, "How long it lasts; with `cron`."),
        Key::or("timezone", Shape::Plain, "UTC", "Of `cron`."),
        Key::new(
            "from",
            Shape::Plain,
            "Once: when it begins, `2026-12-01T01:00:00+09:00`.",
        ),
        Key::new("to", Shape::Plain, "Once: when it ends."),
    ],
};

pub(super) static INHIBIT: Spec = Spec {
    name: "an inhibition",
    example: "- { when: { check: infra/uplink, level: critical }, mute: { tags: [partner] } }",
    keys: &[
        Key::required("when", Shape::Object(&MATCH), "While an incident matches this …"),
        Key::required(
            "mute",
            Shape::Object(&MATCH),
            "… those that match this are not told.",
        ),
    ],
};

pub(super) static STORM: Spec = Spec {
    name: "storm",
    example: "storm: { over: 10 in 1m }",
    keys: &[Key::or(
        "over",
        Shape::Plain,
        "10 in 1m",
        "More incidents than this are told as one summary per channel.",
    )],
};

/// Reads one planned quiet time.
pub(super) fn read_maintenance(
    node: &Node,
    windows: &Windows,
    now: Timestamp,
    reader: &mut Reader<'_>,
) -> Option<Maintenance> {
    let fields = Fields::open(node, &MAINTENANCE, reader)?;
    let name = fields.get("name").and_then(|node| reader.plain(node));
    let matcher = fields
        .get("match")
        .and_then(|node| read_match(node, windows, reader));
    let time = match (
        fields.get("cron"),
        fields.get("for"),
        fields.get("from"),
        fields.get("to"),
    ) {
        (Some(cron), Some(lasts), None, None) => {
            let zone = match fields.get("timezone") {
                Some(node) => reader.plain(node)?,
                None => "UTC".to_owned(),
            };
            let expression = reader.plain(cron)?;
            let lasts = reader.positive_duration(lasts)?;
            let calendar = Calendar::parse(&expression, &zone, now).map_err(|why| why.to_string());
            MaintenanceTime::Every(fallible(cron, calendar, reader)?, lasts)
        }
        (None, None, Some(from), Some(to)) => {
            let (begins, ends) = (read_moment(from, reader)?, read_moment(to, reader)?);
            if ends <= begins {
                reader.error(to, "`to` is not after `from`");
                return None;
            }
            MaintenanceTime::Once(begins, ends)
        }
        _ => {
            reader.report(
                Problem::error(
                    fields.place(),
                    "a maintenance window has `cron` and `for`, or `from` and `to`",
                )
                .hint(format!("for example `{}`", MAINTENANCE.example)),
            );
            return None;
        }
    };
    Some(Maintenance {
        name: name?,
        matcher: matcher?,
        time,
    })
}

/// A moment with its offset from UTC: nobody should have to guess the zone.
fn read_moment(node: &Node, reader: &mut Reader<'_>) -> Option<Timestamp> {
    let text = reader.plain(node)?;
    let moment = text
        .parse::<jiff::Timestamp>()
        .map(|moment| Timestamp::from_unix_us(moment.as_microsecond()))
        .map_err(|_| {
            format!("`{text}` is not a moment: write date, time and offset, for example `2026-12-01T01:00:00+09:00`")
        });
    fallible(node, moment, reader)
}

/// Reads one inhibition. Both sides must name something: an empty one would mute everything.
pub(super) fn read_inhibit(node: &Node, windows: &Windows, reader: &mut Reader<'_>) -> Option<Inhibit> {
    let fields = Fields::open(node, &INHIBIT, reader)?;
    let mut side = |key: &str| -> Option<Matcher> {
        let node = fields.get(key)?;
        let matcher = read_match(node, windows, reader)?;
        if matcher.is_empty() {
            reader.error(
                node,
                format!("`{key}` names nothing, and would match every incident"),
            );
            return None;
        }
        Some(matcher)
    };
    let (when, mute) = (side("when"), side("mute"));
    Some(Inhibit {
        when: when?,
        mute: mute?,
    })
}

/// What `storm:` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StormSetting {
    /// Every incident is told by itself.
    Off,
    /// Beyond this many come summaries.
    Over(StormLimit),
}

impl StormSetting {
    /// The limit, if there is one.
    pub(super) fn limit(self) -> Option<StormLimit> {
        match self {
            Self::Off => None,
            Self::Over(limit) => Some(limit),
        }
    }
}

/// `storm: { over: 10 in 1m }`, or `storm: off`.
pub(super) fn read_storm(node: &Node, reader: &mut Reader<'_>) -> Option<StormSetting> {
    if matches!(node.scalar(), Some("off" | "false")) {
        return Some(StormSetting::Off);
    }
    let fields = Fields::open(node, &STORM, reader)?;
    let Some(over) = fields.get("over") else {
        return Some(StormSetting::Over(StormLimit::default()));
    };
    let text = reader.plain(over)?;
    let limit = parse_limit(&text).map(|(over, within)| StormLimit { over, within });
    fallible(over, limit, reader).map(StormSetting::Over)
}

/// `10 in 1m`
fn parse_limit(text: &str) -> Result<(usize, Duration), String> {
    let malformed = || format!("`{text}` does not fit here: write for example `10 in 1m`");
    let (count, within) = text.split_once(" in ").ok_or_else(malformed)?;
    let count = count
        .trim()
        .parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(malformed)?;
    let within = parse_duration(within.trim()).map_err(|error| error.to_string())?;
    if within.is_zero() {
        return Err(malformed());
    }
    Ok((count, within))
}
