//! The check as text: a head, the steps, and what could not be carried over, at its place.

use super::locator::{Locator, Subject, Target, Way};
use super::scenario::{Act, Answer, Draft, Fact, Frame, Step, Tab, Typing};
use super::yaml::{Node, comment, dashed, item, pair};

/// Writes the check.
pub fn write(draft: &Draft, file_name: &str) -> String {
    let mut lines = comment(
        &format!(
            "Imported from {file_name}, recorded with {}; read it through: names of steps and what to see at the end are yours to choose.",
            draft.recorder
        ),
        0,
    );
    lines.extend(pair("name", &Node::text(&draft.title), 0));
    lines.push("every: 5m".to_owned());
    lines.push("timeout: 60s".to_owned());
    lines.extend(surroundings(draft));
    let acts = draft.steps.iter().any(|step| !is_note(step));
    lines.push(if acts { "steps:" } else { "steps: []" }.to_owned());
    lines.extend(steps(&draft.steps, 2));
    if !draft.steps.iter().any(|step| step.act.looks()) {
        lines.extend(comment(
            "Nothing here looks at a result: end with what only a good run shows, for example",
            2,
        ));
        lines.extend(comment("- see: Thank you", 2));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What could not be carried over, in the order of the recording.
pub fn notes(steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .flat_map(|step| match &step.act {
            Act::LeftOut(why) => vec![note(step, why)],
            Act::Inside(_, inner) => notes(inner),
            _ => Vec::new(),
        })
        .collect()
}

fn is_note(step: &Step) -> bool {
    matches!(step.act, Act::LeftOut(_))
}

fn note(step: &Step, why: &str) -> String {
    if step.place.is_empty() {
        return why.to_owned();
    }
    format!("{}: {why}", step.place)
}

fn surroundings(draft: &Draft) -> Vec<String> {
    let mut lines = vec!["browser:".to_owned()];
    if let Some(url) = &draft.first_page {
        let site = url.origin().ascii_serialization();
        lines.extend(pair("url", &Node::Text(site), 2));
    }
    if let Some((width, height)) = draft.viewport {
        lines.push(format!("  viewport: {width}x{height}"));
    }
    lines
}

fn steps(steps: &[Step], indent: usize) -> Vec<String> {
    steps.iter().flat_map(|step| lines_of(step, indent)).collect()
}

fn lines_of(step: &Step, indent: usize) -> Vec<String> {
    match &step.act {
        Act::LeftOut(why) => return comment(&format!("left out: {}", note(step, why)), indent),
        Act::Travel(way) => return item(&Node::bare(*way), indent),
        Act::Inside(frame, inner) => {
            let inside = Node::one("frame", frame_node(frame));
            let mut lines = dashed(&[("inside".to_owned(), inside)], indent);
            lines.push(format!("{}steps:", " ".repeat(indent + 2)));
            lines.extend(steps(inner, indent + 4));
            return lines;
        }
        _ => {}
    }
    let mut pairs: Vec<(String, Node)> = verb(&step.act).into_iter().collect();
    if let Some(ms) = step.within_ms {
        pairs.push(("within".to_owned(), Node::bare(&duration(ms))));
    }
    item(&Node::Map(pairs), indent)
}

/// The key and the value of a step; none for those that have a form of their own.
fn verb(act: &Act) -> Option<(String, Node)> {
    let (key, value) = match act {
        Act::Open(address) => ("open", Node::text(address)),
        Act::Tab(tab) => ("tab", tab_node(tab)),
        Act::On(verb, target) => (verb.word(), element(target, verb.subject())),
        Act::Type {
            into,
            text,
            typing,
            press,
        } => ("type", typed(into, text, *typing, press.as_deref())),
        Act::Choose { option, from } => (
            "choose",
            map(&[
                ("option", Node::text(option)),
                ("from", element(from, Subject::Field)),
            ]),
        ),
        Act::Press(keys) => ("press", Node::text(keys)),
        Act::Upload { file, to } => (
            "upload",
            map(&[("file", Node::text(file)), ("to", element(to, Subject::Field))]),
        ),
        Act::Drag { from, to } => (
            "drag",
            map(&[
                ("from", element(from, Subject::Any)),
                ("to", element(to, Subject::Any)),
            ]),
        ),
        Act::Dialog(answer) => ("dialog", answer_node(answer)),
        Act::Expect(fact, of) => ("expect", expectation(fact, of.as_ref())),
        Act::WaitUrl(part) => (
            "wait_for",
            Node::one("url", Node::one("contains", Node::text(part))),
        ),
        Act::WaitGone(target) => ("wait_for", Node::one("gone", element(target, Subject::Any))),
        Act::Remember(name, target) => ("remember", Node::one(name, element(target, Subject::Any))),
        Act::Script(script) => ("script", Node::text(script)),
        Act::Travel(_) | Act::LeftOut(_) | Act::Inside(..) => return None,
    };
    Some((key.to_owned(), value))
}

fn map(pairs: &[(&str, Node)]) -> Node {
    Node::Map(
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect(),
    )
}

fn typed(into: &Target, text: &str, typing: Typing, press: Option<&str>) -> Node {
    let mut pairs = vec![
        ("into", element(into, Subject::Field)),
        ("text", Node::text(text)),
    ];
    if typing == Typing::Anew {
        pairs.push(("clear", Node::bare(&true)));
    }
    if let Some(key) = press {
        pairs.push(("press", Node::text(key)));
    }
    map(&pairs)
}

fn tab_node(tab: &Tab) -> Node {
    match tab {
        Tab::Number(number) => Node::bare(number),
        Tab::Titled(title) => Node::text(title),
        Tab::Close => Node::bare("close"),
    }
}

fn answer_node(answer: &Answer) -> Node {
    match answer {
        Answer::Accept => Node::bare("accept"),
        Answer::Dismiss => Node::bare("dismiss"),
        Answer::Say(text) => map(&[("type", Node::text(text)), ("accept", Node::bare(&true))]),
    }
}

fn expectation(fact: &Fact, of: Option<&Target>) -> Node {
    let (key, value) = match fact {
        Fact::Title(title) => ("title", Node::text(title)),
        Fact::Text(text) => ("text", Node::text(text)),
        Fact::OtherText(text) => ("text", Node::one("not", Node::text(text))),
        Fact::Value(value) => ("value", Node::text(value)),
        Fact::Count(count) => ("count", Node::bare(count)),
        Fact::AtLeast(count) => ("count", Node::one("min", Node::bare(count))),
        Fact::AtMost(count) => ("count", Node::one("max", Node::bare(count))),
        Fact::Checked(is) => ("checked", Node::bare(is)),
        Fact::Enabled(is) => ("enabled", Node::bare(is)),
    };
    let mut pairs = vec![(key, value)];
    if let Some(target) = of {
        pairs.push(("of", element(target, Subject::Any)));
    }
    map(&pairs)
}

fn frame_node(frame: &Frame) -> Node {
    match frame {
        Frame::Named(name) => Node::text(name),
        Frame::Number(number) => map(&[("css", Node::text("iframe")), ("nth", Node::bare(number))]),
        Frame::Found(locator) => locator_node(locator, Subject::Any),
    }
}

fn element(target: &Target, subject: Subject) -> Node {
    let mut ways: Vec<Node> = target
        .best(subject)
        .into_iter()
        .map(|locator| locator_node(locator, subject))
        .collect();
    if ways.len() == 1 {
        return ways.remove(0);
    }
    Node::List(ways)
}

fn locator_node(locator: &Locator, subject: Subject) -> Node {
    let (key, text) = match &locator.way {
        // Only fields are looked at, so that their role says nothing new.
        Way::Role(_, Some(name)) | Way::Name(name) if subject == Subject::Field => ("label", name),
        Way::Name(words) | Way::Text(words) => ("text", words),
        Way::Role(role, _) => ("role", role),
        Way::Placeholder(hint) => ("placeholder", hint),
        Way::TestId(id) => ("test_id", id),
        Way::Css(css) => ("css", css),
        Way::XPath(path) => ("xpath", path),
    };
    let Some(outer) = &locator.inside else {
        if matches!(key, "label" | "text") {
            return Node::text(text);
        }
        return map(&named(key, text, &locator.way));
    };
    let mut pairs = named(key, text, &locator.way);
    pairs.push(("in", locator_node(outer, Subject::Any)));
    map(&pairs)
}

/// A role has its name beside it.
fn named<'k>(key: &'k str, text: &str, way: &Way) -> Vec<(&'k str, Node)> {
    let mut pairs = vec![(key, Node::text(text))];
    if let ("role", Way::Role(_, Some(name))) = (key, way) {
        pairs.push(("name", Node::text(name)));
    }
    pairs
}

fn duration(ms: u64) -> String {
    if ms.is_multiple_of(1000) {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}
