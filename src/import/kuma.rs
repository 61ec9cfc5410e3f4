//! A backup of Uptime Kuma: its monitors as checks, a file per group.

use std::collections::BTreeMap;

use super::kuma_kinds;
use super::sheet::{Entry, Sheet, env_name, free_id, id_of, named, pair_of, seconds};
use super::value::Value;
use super::yaml::Node;

/// The most runs a window of ours holds.
const MOST_RUNS: f64 = 50.0;

/// Reads a backup.
pub fn read(root: &Value, file_name: &str) -> Vec<Sheet> {
    let backup = Backup::new(root);
    let mut sheets: Vec<Sheet> = Vec::new();
    for monitor in &backup.monitors {
        if monitor.get("type").text() == Some("group") {
            continue;
        }
        let entry = backup.entry(monitor);
        let name = backup.folder(monitor);
        let known = sheets.iter().position(|sheet| sheet.name == name);
        let place = known.unwrap_or_else(|| {
            sheets.push(Sheet {
                name,
                head: vec![format!("Imported from {file_name}, a backup of Uptime Kuma.")],
                ..Sheet::default()
            });
            sheets.len() - 1
        });
        put(&mut sheets[place], entry);
    }
    if let Some(first) = sheets.first_mut() {
        let mut general = backup.general();
        general.append(&mut first.left_out);
        first.left_out = general;
    }
    sheets
}

fn put(sheet: &mut Sheet, mut entry: Entry) {
    if entry.pairs.is_empty() {
        sheet.left_out.append(&mut entry.left_out);
        return;
    }
    let wanted = entry.id.take().unwrap_or_default();
    entry.id = Some(free_id(&wanted, &sheet.checks));
    sheet.checks.push(entry);
}

struct Backup<'v> {
    root: &'v Value,
    monitors: Vec<&'v Value>,
    groups: BTreeMap<&'v str, &'v Value>,
    notifications: BTreeMap<&'v str, &'v str>,
}

impl<'v> Backup<'v> {
    fn new(root: &'v Value) -> Self {
        let id = |value: &'v Value| value.get("id").text();
        // The server's own list is a map from ids; a backup's is a list.
        let listed = root.get("monitorList");
        let by_id = listed.entries().iter().map(|(_, monitor)| monitor);
        let monitors: Vec<&Value> = listed.items().iter().chain(by_id).collect();
        Self {
            root,
            groups: monitors
                .iter()
                .copied()
                .filter(|monitor| monitor.get("type").text() == Some("group"))
                .filter_map(|monitor| Some((id(monitor)?, monitor)))
                .collect(),
            monitors,
            notifications: root
                .get("notificationList")
                .items()
                .iter()
                .filter_map(|one| Some((id(one)?, one.get("name").text()?)))
                .collect(),
        }
    }

    /// The folder and file of a monitor: the groups it is in.
    fn folder(&self, monitor: &Value) -> String {
        let mut names = Vec::new();
        let mut at = monitor;
        while let Some(group) = at.get("parent").text().and_then(|id| self.groups.get(id)) {
            names.push(id_of(group.get("name").text().unwrap_or("group")));
            at = group;
            if names.len() > 8 {
                break;
            }
        }
        names.reverse();
        if names.is_empty() {
            "uptime-kuma".to_owned()
        } else {
            names.join("/")
        }
    }

    fn entry(&self, monitor: &Value) -> Entry {
        let name = monitor.get("name").text().unwrap_or("monitor");
        let mut entry = Entry {
            id: Some(id_of(name)),
            ..Entry::default()
        };
        let at = place_of(monitor);
        if monitor.get("upsideDown").is_true() {
            entry.leave_out(
                &at,
                "it is upside down, well when the target is not: no check of haetae can be",
            );
            return entry;
        }
        head(&mut entry, monitor, name);
        times(&mut entry, monitor, &at);
        if !kuma_kinds::add(&mut entry, monitor, &at) {
            entry.pairs.clear();
            return entry;
        }
        self.told(&mut entry, monitor, &at);
        entry
    }

    /// Who is told is said by a route, not by a check.
    fn told(&self, entry: &mut Entry, monitor: &Value, at: &str) {
        let ids = monitor.get("notificationIDList");
        let by_id = ids
            .entries()
            .iter()
            .filter(|(_, on)| on.is_true())
            .map(|(id, _)| id.as_str());
        let listed = by_id.chain(ids.texts());
        let names: Vec<String> = listed
            .map(|id| format!("`{}`", self.notifications.get(id).copied().unwrap_or(id)))
            .collect();
        if !names.is_empty() {
            entry.leave_out(
                at,
                &format!(
                    "it notifies {}: a route in alerts/ says who is told",
                    names.join(", ")
                ),
            );
        }
        if monitor.get("proxyId").is_there() {
            entry.leave_out(at, "its proxy: `proxy:` of an http check");
        }
    }

    /// What is no monitor.
    fn general(&self) -> Vec<String> {
        let mut general = Vec::new();
        for one in self.root.get("notificationList").items() {
            let name = one.get("name").text().unwrap_or_default();
            let config = one.get("config").text().unwrap_or_default();
            let sort = serde_json::from_str::<serde_json::Value>(config)
                .ok()
                .and_then(|config| Some(config.get("type")?.as_str()?.to_owned()))
                .unwrap_or_else(|| "unknown".to_owned());
            general.push(format!(
                "{}: the notification `{name}` ({sort}): a channel in alerts/; see docs/alerts.md",
                one.at
            ));
        }
        for one in self.root.get("proxyList").items() {
            general.push(format!("{}: a proxy: `proxy:` of an http check", one.at));
        }
        for group in self.groups.values() {
            general.push(format!(
                "{}: the group's own state: `group:{}` selects its checks",
                place_of(group),
                self.folder_of_group(group)
            ));
        }
        for (key, value) in self.root.entries() {
            if !matches!(
                key.as_str(),
                "version" | "monitorList" | "notificationList" | "proxyList"
            ) {
                general.push(format!("{}: `{key}`: it is not known to the importer", value.at));
            }
        }
        general
    }

    fn folder_of_group(&self, group: &Value) -> String {
        let own = id_of(group.get("name").text().unwrap_or("group"));
        match group
            .get("parent")
            .text()
            .filter(|id| self.groups.contains_key(id))
        {
            Some(_) => format!("{}/{own}", self.folder(group)),
            None => own,
        }
    }
}

/// How often, how long, and how many failures are believed.
fn times(entry: &mut Entry, monitor: &Value, at: &str) {
    let interval = monitor.get("interval").number().unwrap_or(60.0).max(1.0);
    let is_push = monitor.get("type").text() == Some("push");
    if is_push {
        entry.set("every", Node::bare("1m"));
        entry.set("timeout", Node::bare("1s"));
    } else {
        // Without one, Kuma waits for 80 % of the interval.
        let timeout = monitor
            .get("timeout")
            .number()
            .filter(|s| *s > 0.0)
            .unwrap_or(interval * 0.8);
        entry.set("every", Node::Bare(seconds(interval)));
        entry.set("timeout", Node::Bare(seconds(timeout)));
    }
    let retries = monitor.get("maxretries").number().unwrap_or(0.0).max(0.0);
    if retries + 1.0 > MOST_RUNS {
        entry.leave_out(
            at,
            &format!("{retries} retries: `fail_after` is at most {MOST_RUNS}"),
        );
    }
    let failures = (retries + 1.0).min(MOST_RUNS) as u64;
    entry.set("fail_after", Node::bare(&failures));
    entry.set("recover_after", Node::bare("1"));
    let again = monitor.get("retryInterval").number().unwrap_or(interval);
    if failures > 1 && again > 0.0 && again < interval && !is_push {
        entry.set("recheck_every", Node::Bare(seconds(again)));
    }
    if monitor.get("resendInterval").number().is_some_and(|n| n > 0.0) {
        entry.leave_out(
            at,
            "reminders while it is down: `repeat_every:` of a route in alerts/",
        );
    }
}

/// `backup.json: monitorList[3] (Payment)`.
fn place_of(monitor: &Value) -> String {
    format!(
        "{} ({})",
        monitor.at,
        monitor.get("name").text().unwrap_or_default()
    )
}

/// Name, description, tags, and whether it runs.
fn head(entry: &mut Entry, monitor: &Value, name: &str) {
    if id_of(name) != name {
        entry.set("name", named(name));
    }
    entry.set_some("description", monitor.get("description").text().map(named));
    if monitor.get("active").truth() == Some(false) {
        entry.set("enabled", Node::bare("false"));
    }
    let tags: Vec<Node> = monitor
        .get("tags")
        .items()
        .iter()
        .filter_map(|tag| {
            let name = tag.get("name").text()?;
            Some(named(&match tag.get("value").text() {
                Some(value) => format!("{name}={value}"),
                None => name.to_owned(),
            }))
        })
        .collect();
    if !tags.is_empty() {
        entry.set("tags", Node::List(tags));
    }
}

/// A heartbeat in place of a push monitor.
pub fn push(entry: &mut Entry, monitor: &Value) {
    entry.remarks.push(
        "The job calls another address now: POST /api/v1/heartbeats/TOKEN, see docs/kinds/heartbeat.md."
            .to_owned(),
    );
    let name = monitor.get("name").text().unwrap_or("job");
    let silence = monitor.get("interval").number().unwrap_or(60.0);
    let token = named(&format!("${{env:{}}}", env_name(&[name, "TOKEN"])));
    entry.set_map(
        "heartbeat",
        vec![
            pair_of("token", token),
            pair_of("grace", Node::Bare(seconds(silence))),
        ],
    );
}
