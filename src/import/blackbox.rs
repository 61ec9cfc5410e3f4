//! Modules of `blackbox_exporter` and what they are pointed at: a check for each pair.

use super::blackbox_http;
use super::blackbox_kinds;
use super::scrape::{Scrapes, Target};
use super::sheet::{Entry, Sheet, duration, free_id, go_duration, id_of, named};
use super::value::Value;
use super::yaml::Node;

/// The names of the modules of a configuration.
#[must_use]
pub fn modules(root: &Value) -> Vec<&str> {
    root.get("modules")
        .entries()
        .iter()
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Makes the checks.
///
/// # Errors
/// When nothing says what the modules ask, or a module is asked for that is not there.
pub fn read(root: &Value, file_name: &str, scrapes: Scrapes) -> Result<Vec<Sheet>, String> {
    if scrapes.targets.is_empty() {
        let known: Vec<String> = modules(root).iter().map(|name| format!("`{name}`")).collect();
        return Err(format!(
            "it has modules ({}), and nothing that they ask: give `--scrape prometheus.yml`, or `--target MODULE=ADDRESS`",
            known.join(", ")
        ));
    }
    let mut sheets: Vec<Sheet> = Vec::new();
    let mut used: Vec<&str> = Vec::new();
    for target in &scrapes.targets {
        for (name, module) in root.get("modules").entries() {
            if target.module.as_ref().is_none_or(|wanted| wanted == name) {
                used.push(name);
                let entry = entry(name, module, target);
                put(&mut sheets, target, entry, file_name);
            }
        }
        if let Some(wanted) = target
            .module
            .as_deref()
            .filter(|wanted| !modules(root).contains(wanted))
        {
            return Err(format!(
                "{}: it has no module `{wanted}`, which `{}` is asked with",
                target.at, target.address
            ));
        }
    }
    if let Some(first) = sheets.first_mut() {
        first.left_out.extend(scrapes.left_out);
        for (name, module) in root.get("modules").entries() {
            if !used.contains(&name.as_str()) {
                first.left_out.push(format!(
                    "{}: the module `{name}`: nothing is asked with it",
                    module.at
                ));
            }
        }
    }
    Ok(sheets)
}

fn put(sheets: &mut Vec<Sheet>, target: &Target, mut entry: Entry, file_name: &str) {
    let name = id_of(target.job.as_deref().unwrap_or("blackbox"));
    let known = sheets.iter().position(|sheet| sheet.name == name);
    let place = known.unwrap_or_else(|| {
        sheets.push(Sheet {
            name,
            head: vec![format!(
                "Imported from {file_name}, modules of blackbox_exporter."
            )],
            ..Sheet::default()
        });
        sheets.len() - 1
    });
    if entry.pairs.is_empty() {
        sheets[place].left_out.append(&mut entry.left_out);
        return;
    }
    let wanted = entry.id.take().unwrap_or_default();
    entry.id = Some(free_id(&wanted, &sheets[place].checks));
    sheets[place].checks.push(entry);
}

fn entry(name: &str, module: &Value, target: &Target) -> Entry {
    let bare = target
        .address
        .split_once("://")
        .map_or(target.address.as_str(), |(_, rest)| rest);
    let id = if target.job.is_some() {
        id_of(bare)
    } else {
        id_of(&format!("{name}-{bare}"))
    };
    let mut entry = Entry {
        id: Some(id),
        ..Entry::default()
    };
    if !target.labels.is_empty() {
        entry.set(
            "tags",
            Node::List(target.labels.iter().map(|label| named(label)).collect()),
        );
    }
    let timeout = module
        .get("timeout")
        .text()
        .and_then(go_duration)
        .unwrap_or(target.timeout_ms);
    entry.set("every", Node::bare(&duration(target.every_ms)));
    entry.set("timeout", Node::bare(&duration(timeout)));
    for (key, value) in module.entries() {
        if !matches!(
            key.as_str(),
            "prober" | "timeout" | "http" | "tcp" | "icmp" | "dns" | "grpc" | "websocket" | "unix"
        ) {
            entry.leave_out(&value.at, &format!("`{key}`: it is not known to the importer"));
        }
    }
    let address = &target.address;
    match module.get("prober").text().unwrap_or_default() {
        "http" => blackbox_http::http(&mut entry, module.get("http"), address),
        "tcp" => blackbox_kinds::tcp(&mut entry, module.get("tcp"), address),
        "icmp" => blackbox_kinds::icmp(&mut entry, module.get("icmp"), address),
        "dns" => blackbox_kinds::dns(&mut entry, module.get("dns"), address),
        "grpc" => blackbox_kinds::grpc(&mut entry, module.get("grpc"), address),
        "websocket" => blackbox_kinds::websocket(&mut entry, module.get("websocket"), address),
        other => {
            entry.leave_out(&module.at, &format!("the module `{name}` for `{address}`: there is no check for the prober `{other}`; a `command` check can call a program"));
            entry.pairs.clear();
        }
    }
    entry
}
