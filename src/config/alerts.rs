//! `alerts/**/*.yaml`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::decode::{Entry, Fields, Key, Node, Problem, Reader, Shape, Spec, nearest};
use crate::model::{ChannelName, Check, Glob, Level};
use crate::notify::{Channel, KINDS};
use crate::route::{GroupBy, Labels, Matcher, Route, matching_routes};

/// The keys of a file under `alerts/`.
pub static ALERTS: Spec = Spec {
    name: "an alerts file",
    example: "channels: { oncall: { slack: { webhook: \"${env:SLACK_WEBHOOK}\" } } }",
    keys: &[
        Key::new("channels", Shape::Map(&Shape::Any), "Where people read."),
        Key::new(
            "routes",
            Shape::List(&Shape::Object(&ROUTE)),
            "Who is told what; the first match takes it.",
        ),
        Key::planned("windows"),
        Key::planned("maintenance"),
        Key::planned("inhibit"),
        Key::planned("storm"),
    ],
};

static ROUTE: Spec = Spec {
    name: "a route",
    example: "- { name: critical to on-call, match: { level: critical }, to: [oncall] }",
    keys: &[
        Key::required("name", Shape::Plain, "For people."),
        Key::new(
            "match",
            Shape::Object(&MATCH),
            "What it takes; everything without it.",
        ),
        Key::required(
            "to",
            Shape::OneOrMany(&Shape::Plain),
            "Channels; `[]` means nobody, on purpose.",
        ),
        Key::or(
            "group_by",
            Shape::OneOrMany(&Shape::Choice(&["group", "check", "level", "owner", "kind"])),
            "group",
            "What is told together.",
        ),
        Key::or(
            "group_wait",
            Shape::Duration,
            "1s",
            "How long a new group waits for company.",
        ),
        Key::or(
            "group_interval",
            Shape::Duration,
            "30s",
            "How long a group that was told waits before it is told more.",
        ),
        Key::new(
            "repeat_every",
            Shape::Duration,
            "How often an open incident is told again.",
        ),
        Key::or(
            "continue",
            Shape::Boolean,
            "false",
            "Later routes may match as well.",
        ),
        Key::planned("escalate"),
        Key::planned("digest"),
    ],
};

static MATCH: Spec = Spec {
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
        Key::planned("location"),
        Key::planned("during"),
    ],
};

/// Channels and routes as they are read, file after file.
#[derive(Default)]
pub struct Alerts {
    /// Who can be told.
    pub channels: Vec<Channel>,
    /// Who is told what.
    pub routes: Vec<Route>,
    places: BTreeMap<String, String>,
    /// Where routes name channels, to be looked up when all files are read.
    named: Vec<(ChannelName, Node)>,
    /// Names of channels that are there but could not be read.
    unread: Vec<String>,
    seen_any: bool,
}

impl Alerts {
    /// Reads one file.
    pub fn file(&mut self, root: &Node, reader: &mut Reader<'_>) {
        self.seen_any = true;
        let Some(fields) = Fields::open(root, &ALERTS, reader) else {
            return;
        };
        if let Some(node) = fields.get("channels") {
            for entry in reader.entries(node) {
                self.channel(entry, reader);
            }
        }
        if let Some(node) = fields.get("routes") {
            let routes = reader.list(node, |reader, item| self.route(item, reader));
            self.routes.extend(routes);
        }
    }

    fn channel(&mut self, entry: &Entry, reader: &mut Reader<'_>) {
        if let Some(earlier) = self.places.insert(entry.key.clone(), entry.place.file_and_line()) {
            reader.report(
                Problem::error(
                    &entry.place,
                    format!("the channel `{}` is here a second time", entry.key),
                )
                .hint(format!("it stands already at {earlier}")),
            );
            return;
        }
        match read_channel(entry, reader) {
            Some(channel) => self.channels.push(channel),
            None => self.unread.push(entry.key.clone()),
        }
    }

    fn route(&mut self, node: &Node, reader: &mut Reader<'_>) -> Option<Route> {
        let fields = Fields::open(node, &ROUTE, reader)?;
        let to = fields.get("to").map(|node| {
            reader.one_or_many(node, |reader, item| {
                let name = ChannelName(reader.plain(item)?.into());
                self.named.push((name.clone(), item.clone()));
                Some(name)
            })
        });
        let by = [
            ("group", GroupBy::Group),
            ("check", GroupBy::Check),
            ("level", GroupBy::Level),
            ("owner", GroupBy::Owner),
            ("kind", GroupBy::Kind),
        ];
        let route = Route {
            name: fields.get("name").and_then(|node| reader.plain(node))?,
            matcher: match fields.get("match") {
                Some(node) => read_match(node, reader)?,
                None => Matcher::default(),
            },
            to: to?,
            group_by: match fields.get("group_by") {
                Some(node) => reader.one_or_many(node, |reader, item| reader.choice(item, &by)),
                None => vec![GroupBy::Group],
            },
            group_wait: fields
                .get("group_wait")
                .and_then(|node| reader.duration(node))
                .unwrap_or(Duration::from_secs(1)),
            group_interval: fields
                .get("group_interval")
                .and_then(|node| reader.duration(node))
                .unwrap_or(Duration::from_secs(30)),
            repeat_every: fields
                .get("repeat_every")
                .and_then(|node| reader.positive_duration(node)),
            goes_on: fields
                .get("continue")
                .and_then(|node| reader.boolean(node))
                .unwrap_or(false),
        };
        if self.routes.iter().any(|other| other.name == route.name) {
            reader.error(node, format!("there are two routes called `{}`", route.name));
        }
        Some(route)
    }

    /// Checks what can only be seen when all files are read: unknown channels, and checks
    /// whose problems nobody would hear of.
    pub fn finish<'c>(&self, checks: impl Iterator<Item = &'c Check>, reader: &mut Reader<'_>) {
        for (name, node) in &self.named {
            let known = self.places.contains_key(&*name.0);
            if known || self.unread.iter().any(|unread| **unread == *name.0) {
                continue;
            }
            let problem = Problem::error(&node.place, format!("there is no channel `{name}`"));
            reader.report(match nearest(&name.0, self.places.keys().map(String::as_str)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint("define it under `channels:`"),
            });
        }
        if !self.seen_any {
            return;
        }
        for check in checks.filter(|check| check.enabled) {
            self.must_be_heard(check, reader);
        }
    }

    fn must_be_heard(&self, check: &Check, reader: &mut Reader<'_>) {
        for level in [Level::Warning, Level::Critical, Level::Unknown] {
            if matching_routes(&self.routes, Labels { check, level }).is_empty() {
                reader.check = Some(check.id.clone());
                reader.report(
                    Problem::general(format!(
                        "{}: nobody would hear of the level {level} of `{}`",
                        check.place, check.id
                    ))
                    .hint("add a route that matches it; `to: []` says that nobody should"),
                );
                reader.check = None;
            }
        }
    }
}

fn read_channel(entry: &Entry, reader: &mut Reader<'_>) -> Option<Channel> {
    let kinds = reader.entries(&entry.node);
    let [kind_entry] = kinds else {
        let all: Vec<String> = KINDS.iter().map(|kind| format!("`{}`", kind.name)).collect();
        reader.error(
            &entry.node,
            format!(
                "the channel `{}` needs exactly one of {}",
                entry.key,
                all.join(", ")
            ),
        );
        return None;
    };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == kind_entry.key) else {
        let problem = Problem::error(
            &kind_entry.place,
            format!(
                "`{}` is not a kind of channel that this version knows",
                kind_entry.key
            ),
        );
        let all: Vec<String> = KINDS.iter().map(|kind| format!("`{}`", kind.name)).collect();
        reader.report(
            match nearest(&kind_entry.key, KINDS.iter().map(|kind| kind.name)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("known are {}", all.join(", "))),
            },
        );
        return None;
    };
    let before = reader.failures();
    let sender = (kind.read)(&kind_entry.node, reader)?;
    (reader.failures() == before).then(|| Channel {
        name: ChannelName(entry.key.as_str().into()),
        kind: kind.name,
        sender,
    })
}

fn read_match(node: &Node, reader: &mut Reader<'_>) -> Option<Matcher> {
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
    let tags = texts("tags");
    let kinds = texts("kind");
    let owners = texts("owner");
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
    })
}
