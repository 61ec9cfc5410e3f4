//! Steps of other files: `flow:` and `log_in_as:`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::steps::{Steps, compact};
use crate::browser::keys::FLOW;
use crate::browser::scenario::{Act, LogIn};
use crate::decode::{Fields, Node, Problem, Reader, Source, Tree};
use crate::model::Text;

/// For how long a log-in is kept when its flow does not say so.
const VALID_FOR: Duration = Duration::from_mins(30);

/// `flow: pay` with `with: { card: … }`
pub fn read_flow(
    node: &Node,
    fields: &Fields<'_>,
    steps: &mut Steps,
    reader: &mut Reader<'_>,
) -> Option<Act> {
    let name = reader.plain(node)?;
    let mut given = BTreeMap::new();
    if let Some(with) = fields.get("with") {
        for entry in reader.entries(with) {
            let text = reader.text(&entry.node).unwrap_or_else(|| Text::literal(""));
            given.insert(entry.key.clone(), text);
        }
    }
    let root = find(&name, node, reader)?;
    inside(&name, node, reader, |reader| {
        let flow = Fields::open(&root, &FLOW, reader)?;
        if let Some(node) = flow.get("valid_for") {
            reader.error(node, "`valid_for` is for log-ins: call this flow by `log_in_as:`");
        }
        let params = read_params(&name, node, flow.get("params"), given, reader);
        let outer = reader.scope.swap_params(params);
        let inner = flow.get("steps").map(|node| steps.list(node, reader));
        reader.scope.swap_params(outer);
        Some(Act::Flow(name.clone(), inner?))
    })
}

/// `log_in_as: qa` runs the flow `log-in/qa`.
pub fn read_log_in(node: &Node, site: Option<&Text>, reader: &mut Reader<'_>) -> Option<Act> {
    let name = format!("log-in/{}", reader.plain(node)?);
    let root = find(&name, node, reader)?;
    inside(&name, node, reader, |reader| {
        let flow = Fields::open(&root, &FLOW, reader)?;
        let around = reader.trail.replace(Vec::new());
        let params = read_params(&name, node, flow.get("params"), BTreeMap::new(), reader);
        let outer = reader.scope.swap_params(params);
        let mut read = Steps::on(site.cloned());
        let steps = flow.get("steps").map(|node| read.list(node, reader));
        reader.scope.swap_params(outer);
        let values = std::mem::replace(&mut reader.trail, around).unwrap_or_default();
        if !read.thresholds.is_empty() {
            reader.error(
                &root,
                "a log-in is not done in every run: its steps have no thresholds",
            );
        }
        let valid_for = flow
            .get("valid_for")
            .and_then(|node| reader.positive_duration(node))
            .unwrap_or(VALID_FOR);
        Some(Act::LogIn(Arc::new(LogIn {
            key: key_of(&root, site, &values),
            name: name.clone(),
            valid_for,
            steps: steps?,
        })))
    })
}

/// The same flow with other content, on another site or with other values is another log-in.
fn key_of(root: &Node, site: Option<&Text>, values: &[Text]) -> u64 {
    let mut hasher = DefaultHasher::new();
    root.place.source.name.hash(&mut hasher);
    compact(root).hash(&mut hasher);
    for text in site.into_iter().chain(values) {
        text.as_written().hash(&mut hasher);
        text.constant().hash(&mut hasher);
    }
    hasher.finish()
}

/// Reads a flow unless it is being read already.
fn inside<T>(
    name: &str,
    node: &Node,
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Option<T> {
    if reader.flows.iter().any(|flow| flow == name) {
        let chain = reader.flows.join(" → ");
        reader.error(
            node,
            format!("the flow `{name}` would call itself for ever: {chain} → {name}"),
        );
        return None;
    }
    reader.flows.push(name.to_owned());
    let done = read(reader);
    reader.flows.pop();
    done
}

/// Looks for `flows/NAME.yaml` beside the file, and in every folder above up to the project's.
fn find(name: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Node> {
    let sound = !name.is_empty()
        && name.split('/').all(|part| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        });
    if !sound {
        reader.report(
            Problem::error(&node.place, format!("`{name}` cannot be a flow's name"))
                .hint("letters, digits, `-`, `_` and `/` can; without `flows/` and `.yaml`"),
        );
        return None;
    }
    let mut looked = Vec::new();
    let mut folder = node.place.source.name.rsplit_once('/').map(|(folder, _)| folder);
    loop {
        let path = match folder {
            Some(folder) => format!("{folder}/flows/{name}.yaml"),
            None => format!("flows/{name}.yaml"),
        };
        if let Ok(text) = reader.file(&path) {
            return open(path, text, node, reader);
        }
        looked.push(path);
        folder = match folder {
            Some(folder) => folder.rsplit_once('/').map(|(above, _)| above),
            None => break,
        };
    }
    reader.report(
        Problem::error(&node.place, format!("there is no flow `{name}`"))
            .hint(format!("looked for {}", looked.join(", "))),
    );
    None
}

fn open(path: String, text: String, node: &Node, reader: &mut Reader<'_>) -> Option<Node> {
    let tree = Tree::read(&Arc::new(Source { name: path, text }));
    let broken = !tree.problems.is_empty();
    for problem in tree.problems {
        reader.report(problem);
    }
    if tree.root.is_none() && !broken {
        reader.error(node, "the flow's file is empty");
    }
    tree.root
}

/// The flow's parameters: what is given, else its own value; what has none must be given.
fn read_params(
    name: &str,
    call: &Node,
    node: Option<&Node>,
    mut given: BTreeMap<String, Text>,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, Text> {
    let mut params = BTreeMap::new();
    for entry in node.map(|node| reader.entries(node)).unwrap_or_default() {
        if let Some(text) = given.remove(&entry.key) {
            params.insert(entry.key.clone(), text);
        } else if entry.node.is_null() {
            reader.report(
                Problem::error(&call.place, format!("the flow `{name}` needs `{}`", entry.key))
                    .hint(format!("give it: `with: {{ {}: … }}`", entry.key)),
            );
            params.insert(entry.key.clone(), Text::literal(""));
        } else {
            // What is missing has been told; the steps that use it need not say so again.
            let text = reader.text(&entry.node).unwrap_or_else(|| Text::literal(""));
            params.insert(entry.key.clone(), text);
        }
    }
    if let Some(unknown) = given.keys().next() {
        let known: Vec<String> = params.keys().map(|key| format!("`{key}`")).collect();
        let problem = Problem::error(&call.place, format!("the flow `{name}` has no `{unknown}`"));
        reader.report(if known.is_empty() {
            problem.hint("it has no parameters; name them in its file: `params: { … }`")
        } else {
            problem.hint(format!("it has {}", known.join(", ")))
        });
    }
    params
}
