//! `alerts/**/*.yaml`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::matchers::{MATCH, WINDOW, Windows, fallible, read_match, read_window};
use super::quieting::{
    INHIBIT, MAINTENANCE, STORM, StormSetting, read_inhibit, read_maintenance, read_storm,
};
use crate::decode::{Entry, Fields, Key, Node, Problem, Reader, Shape, Spec, nearest};
use crate::model::{Calendar, ChannelName, Check, Hours, Labels, Level, Maintenance, Matcher, Timestamp};
use crate::notify::{Channel, KINDS};
use crate::route::{Escalation, GroupBy, Inhibit, Route, routes_at_some_time};

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
        Key::new(
            "windows",
            Shape::Map(&Shape::Object(&WINDOW)),
            "Hours of the week, for `during`.",
        ),
        Key::new(
            "maintenance",
            Shape::List(&Shape::Object(&MAINTENANCE)),
            "Planned times in which nothing is told.",
        ),
        Key::new(
            "inhibit",
            Shape::List(&Shape::Object(&INHIBIT)),
            "Incidents that say it all for others.",
        ),
        Key::new(
            "storm",
            Shape::Either(&[Shape::Object(&STORM), Shape::Choice(&["off"])]),
            "When many incidents become one summary per channel; `off` for never.",
        ),
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
        Key::new(
            "escalate",
            Shape::List(&Shape::Object(&ESCALATION)),
            "Who is told besides while nobody acknowledges.",
        ),
        Key::new(
            "digest",
            Shape::Plain,
            "A cron expression: news is held until then, and told as one summary.",
        ),
        Key::or("timezone", Shape::Plain, "UTC", "Of `digest`."),
    ],
};

static ESCALATION: Spec = Spec {
    name: "an escalation step",
    example: "- { after: 15m, to: [pager] }",
    keys: &[
        Key::required(
            "after",
            Shape::Duration,
            "How long after the route first told of it, while nobody acknowledges.",
        ),
        Key::required("to", Shape::OneOrMany(&Shape::Plain), "Who is told then."),
    ],
};

/// Channels and routes as they are read, file after file.
pub struct Alerts {
    /// Who can be told.
    pub channels: Vec<Channel>,
    /// Who is told what.
    pub routes: Vec<Route>,
    /// Planned quiet times.
    pub maintenance: Vec<Maintenance>,
    /// What mutes what.
    pub inhibit: Vec<Inhibit>,
    /// When many incidents become one summary; the built-in limit where nothing is said.
    pub storm: Option<StormSetting>,
    /// Hours of the week by name.
    pub windows: Windows,
    now: Timestamp,
    places: BTreeMap<String, String>,
    /// Where routes name channels, to be looked up when all files are read.
    named: Vec<(ChannelName, Node)>,
    /// Names of channels that are there but could not be read.
    unread: Vec<String>,
    seen_any: bool,
}

impl Alerts {
    /// Nothing yet; `now` is for calendars that never come.
    pub fn new(now: Timestamp) -> Self {
        Self {
            channels: Vec::new(),
            routes: Vec::new(),
            maintenance: Vec::new(),
            inhibit: Vec::new(),
            storm: None,
            windows: Windows::new(),
            now,
            places: BTreeMap::new(),
            named: Vec::new(),
            unread: Vec::new(),
            seen_any: false,
        }
    }

    /// Reads the windows of one file; those of all files are read before anything else, so
    /// that each file may name them.
    pub fn windows(&mut self, root: &Node, reader: &mut Reader<'_>) {
        let Some(node) = root.get("windows") else { return };
        for entry in reader.entries(node) {
            if self.windows.contains_key(&entry.key) {
                let twice = format!("the window `{}` is here a second time", entry.key);
                reader.report(Problem::error(&entry.place, twice));
            } else {
                // One with a mistake stands for itself, so that routes may name it.
                let hours = read_window(&entry.key, &entry.node, reader);
                let hours = hours.unwrap_or_else(|| Hours::always(&entry.key));
                self.windows.insert(entry.key.clone(), hours);
            }
        }
    }

    /// Reads the rest of one file.
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
        let (windows, now) = (&self.windows, self.now);
        if let Some(node) = fields.get("maintenance") {
            let read = reader.list(node, |reader, item| read_maintenance(item, windows, now, reader));
            self.maintenance.extend(read);
        }
        if let Some(node) = fields.get("inhibit") {
            let read = reader.list(node, |reader, item| read_inhibit(item, windows, reader));
            self.inhibit.extend(read);
        }
        if let Some(node) = fields.get("storm") {
            if self.storm.is_some() {
                reader.error(node, "`storm` is here a second time");
            }
            self.storm = read_storm(node, reader).or(self.storm);
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
        let fallback = entry.node.get("fallback").map(|node| self.names(node, reader));
        match read_channel(entry, reader) {
            Some(channel) => self.channels.push(Channel {
                fallback: fallback.unwrap_or_default(),
                ..channel
            }),
            None => self.unread.push(entry.key.clone()),
        }
    }

    /// Names of channels, to be looked up when all files are read.
    fn names(&mut self, node: &Node, reader: &mut Reader<'_>) -> Vec<ChannelName> {
        reader.one_or_many(node, |reader, item| {
            let name = ChannelName(reader.plain(item)?.into());
            self.named.push((name.clone(), item.clone()));
            Some(name)
        })
    }

    fn escalation(&mut self, node: &Node, reader: &mut Reader<'_>) -> Option<Escalation> {
        let fields = Fields::open(node, &ESCALATION, reader)?;
        let after = fields
            .get("after")
            .and_then(|node| reader.positive_duration(node));
        let to = fields.get("to").map(|node| self.names(node, reader));
        Some(Escalation {
            after: after?,
            to: to?,
        })
    }

    fn digest(&self, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Calendar> {
        let node = fields.get("digest")?;
        let zone = match fields.get("timezone") {
            Some(node) => reader.plain(node)?,
            None => "UTC".to_owned(),
        };
        let calendar = Calendar::parse(&reader.plain(node)?, &zone, self.now);
        fallible(node, calendar.map_err(|why| why.to_string()), reader)
    }

    fn route(&mut self, node: &Node, reader: &mut Reader<'_>) -> Option<Route> {
        let fields = Fields::open(node, &ROUTE, reader)?;
        let to = fields.get("to").map(|node| self.names(node, reader));
        let mut escalate: Vec<Escalation> = fields
            .get("escalate")
            .map(|node| reader.list(node, |reader, item| self.escalation(item, reader)))
            .unwrap_or_default();
        escalate.sort_by_key(|step| step.after);
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
                Some(node) => read_match(node, &self.windows, reader)?,
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
            digest: self.digest(&fields, reader),
            escalate,
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
            let labels = Labels {
                check,
                level,
                now: self.now,
            };
            if routes_at_some_time(&self.routes, labels).is_empty() {
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
    let kinds: Vec<&Entry> = reader
        .entries(&entry.node)
        .iter()
        .filter(|entry| entry.key != "fallback")
        .collect();
    let [kind_entry] = kinds.as_slice() else {
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
        fallback: Vec::new(),
    })
}
