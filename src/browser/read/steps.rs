//! Steps: one verb each, and what stands beside it.

use std::time::Duration;

use super::flows::{read_flow, read_log_in};
use super::forms::{
    read_address, read_await, read_choose, read_chord, read_cookies, read_dialog, read_drag, read_http,
    read_network, read_pause, read_remember, read_script, read_tab, read_type, read_upload,
};
use crate::browser::keys::{INSIDE, STEP, STEP_THRESHOLDS};
use crate::browser::locator::Target;
use crate::browser::scenario::{Act, Press, Step, Travel};
use crate::check::expect::{read_blocks, read_level};
use crate::decode::{Fields, Node, Problem, Reader, Value};
use crate::model::{Bound, Level, Text, Threshold, Unit};

use super::expect::read_page_expect;
use crate::browser::keys::PAGE_EXPECT;

/// What may stand beside the verb of a step; every other key is a verb.
const MODIFIERS: &[&str] = &[
    "steps",
    "with",
    "thresholds",
    "within",
    "level",
    "optional",
    "frame",
    "note",
];
/// The verbs that have steps of their own.
const GROUPS: &[&str] = &["step", "inside", "if_seen", "repeat"];
/// A scenario is not longer than this, flows written out.
const MOST_STEPS: usize = 2_000;

/// Reads steps, and collects the bounds on named ones.
#[derive(Default)]
pub struct Steps {
    /// Bounds on named steps.
    pub thresholds: Vec<Threshold>,
    /// The scenario's `browser.url`.
    site: Option<Text>,
    count: usize,
}

impl Steps {
    /// For the steps of a scenario on this site.
    pub fn on(site: Option<Text>) -> Self {
        Self {
            site,
            ..Self::default()
        }
    }

    /// A list of steps.
    pub fn list(&mut self, node: &Node, reader: &mut Reader<'_>) -> Vec<Step> {
        reader.list(node, |reader, item| self.step(item, reader))
    }

    fn step(&mut self, node: &Node, reader: &mut Reader<'_>) -> Option<Step> {
        self.count += 1;
        if self.count > MOST_STEPS {
            if self.count == MOST_STEPS + 1 {
                reader.error(node, format!("a scenario has at most {MOST_STEPS} steps"));
            }
            return None;
        }
        if let Some(word) = node.scalar() {
            let travel = [
                ("back", Travel::Back),
                ("forward", Travel::Forward),
                ("reload", Travel::Reload),
            ];
            let way = reader.choice(node, &travel)?;
            return Some(plain_step(node, word, Act::Travel(way)));
        }
        let fields = Fields::open(node, &STEP, reader)?;
        let (verb, subject) = find_verb(node, &fields, reader)?;
        let act = self.act(verb, subject, &fields, reader)?;
        Some(Step {
            within: fields
                .get("within")
                .and_then(|node| reader.positive_duration(node)),
            level: read_level(fields.get("level"), reader),
            optional: fields
                .get("optional")
                .and_then(|node| reader.boolean(node))
                .unwrap_or(false),
            frame: fields
                .get("frame")
                .and_then(|node| Target::read_frame(node, reader)),
            ..plain_step(node, &written(verb, subject), act)
        })
    }

    fn act(&mut self, verb: &str, node: &Node, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Act> {
        refuse_strangers(verb, fields, reader);
        let target = |reader: &mut Reader<'_>| Target::read(node, reader);
        Some(match verb {
            "open" => Act::Open(read_address(node, reader)?),
            "back" => Act::Travel(Travel::Back),
            "forward" => Act::Travel(Travel::Forward),
            "reload" => Act::Travel(Travel::Reload),
            "tab" => Act::Tab(read_tab(node, reader)?),
            "click" => Act::Click(target(reader)?, Press::Once),
            "double_click" => Act::Click(target(reader)?, Press::Twice),
            "right_click" => Act::Click(target(reader)?, Press::Right),
            "hover" => Act::Hover(target(reader)?),
            "type" => read_type(node, reader)?,
            "clear" => Act::Clear(target(reader)?),
            "choose" => read_choose(node, reader)?,
            "check" => Act::Check(target(reader)?, true),
            "uncheck" => Act::Check(target(reader)?, false),
            "press" => Act::Press(read_chord(node, reader)?),
            "upload" => read_upload(node, reader)?,
            "drag" => read_drag(node, reader)?,
            "scroll_to" => Act::ScrollTo(target(reader)?),
            "dialog" => read_dialog(node, reader)?,
            "see" => Act::See(target(reader)?),
            "not_see" => Act::NotSee(target(reader)?),
            "expect" => Act::Expect(read_blocks(Some(node), &PAGE_EXPECT, reader, read_page_expect)),
            "wait_for" => Act::WaitFor(read_await(node, reader)?),
            "pause" => read_pause(node, reader)?,
            "remember" => Act::Remember(read_remember(node, reader)),
            "screenshot" => Act::Screenshot(reader.text(node)?),
            "cookies" => read_cookies(node, reader)?,
            "network" => read_network(node, reader)?,
            "http" => read_http(node, reader)?,
            "script" => read_script(node, reader)?,
            "flow" => read_flow(node, fields, self, reader)?,
            "log_in_as" => read_log_in(node, self.site.as_ref(), reader)?,
            "step" => self.group(node, fields, reader)?,
            "inside" => self.inside(node, fields, reader)?,
            "if_seen" => Act::IfSeen(target(reader)?, self.inner(node, fields, reader)),
            "repeat" => self.repeat(node, fields, reader)?,
            _ => return None,
        })
    }

    fn group(&mut self, node: &Node, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Act> {
        let name = reader.plain(node)?;
        if let Some(bounds) = fields.get("thresholds")
            && let Some(bounds) = Fields::open(bounds, &STEP_THRESHOLDS, reader)
        {
            let mut bound = |key: &str| {
                let node = bounds.get(key)?;
                let text = reader.plain(node)?;
                match Bound::parse(&text, Some(Unit::Ms)) {
                    Ok(bound) => Some(bound),
                    Err(why) => {
                        reader.error(node, why);
                        None
                    }
                }
            };
            let (warning, critical) = (bound("warning"), bound("critical"));
            self.thresholds
                .push(Threshold::new(format!("step.{name}"), warning, critical));
        }
        let steps = self.inner(node, fields, reader);
        Some(Act::Group(name, steps))
    }

    fn inside(&mut self, node: &Node, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Act> {
        let steps = self.inner(node, fields, reader);
        if node.get("frame").is_none() && node.get("element").is_none() {
            return Target::read(node, reader).map(|target| Act::InElement(target, steps));
        }
        let inside = Fields::open(node, &INSIDE, reader)?;
        match (inside.get("frame"), inside.get("element")) {
            (Some(frame), None) => {
                Target::read_frame(frame, reader).map(|target| Act::InFrame(target, steps))
            }
            (None, Some(element)) => {
                Target::read(element, reader).map(|target| Act::InElement(target, steps))
            }
            _ => {
                reader.error(node, "`inside` needs one of `frame` and `element`");
                None
            }
        }
    }

    fn repeat(&mut self, node: &Node, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Act> {
        let steps = self.inner(node, fields, reader);
        let repeat = Fields::open(node, &crate::browser::keys::REPEAT, reader)?;
        let up_to = repeat
            .get("up_to")
            .and_then(|node| reader.integer(node, 1, 1_000));
        let until = repeat.get("until").and_then(|node| Target::read(node, reader));
        Some(Act::Repeat {
            up_to: u32::try_from(up_to?).unwrap_or(1),
            until: until?,
            steps,
        })
    }

    fn inner(&mut self, node: &Node, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<Step> {
        if let Some(steps) = fields.get("steps") {
            self.list(steps, reader)
        } else {
            reader.error(node, "this needs `steps:` of its own");
            Vec::new()
        }
    }
}

fn plain_step(node: &Node, written: &str, act: Act) -> Step {
    Step {
        written: written.to_owned(),
        place: node.place.file_and_line(),
        within: None::<Duration>,
        level: Level::Critical,
        optional: false,
        frame: None,
        act,
    }
}

fn find_verb<'n>(
    node: &Node,
    fields: &Fields<'n>,
    reader: &mut Reader<'_>,
) -> Option<(&'static str, &'n Node)> {
    let verbs: Vec<&'static str> = STEP
        .keys
        .iter()
        .map(|key| key.name)
        .filter(|name| !MODIFIERS.contains(name) && fields.get(name).is_some())
        .collect();
    match verbs.as_slice() {
        [verb] => fields.get(verb).map(|subject| (*verb, subject)),
        [] => {
            let misspelt = matches!(&node.value, Value::Map(entries)
                if entries.iter().any(|entry| STEP.key(&entry.key).is_none()));
            if !misspelt {
                reader.report(
                    Problem::error(&node.place, "this step does nothing")
                        .hint("a step needs a verb, like `click: Log in`"),
                );
            }
            None
        }
        [first, second, ..] => {
            reader.error(
                node,
                format!(
                    "a step has one verb, and this one has `{first}` and `{second}`: make two steps of it"
                ),
            );
            None
        }
    }
}

/// What does not go with the verb.
fn refuse_strangers(verb: &str, fields: &Fields<'_>, reader: &mut Reader<'_>) {
    if let Some(steps) = fields.get("steps").filter(|_| !GROUPS.contains(&verb)) {
        reader.error(steps, format!("`{verb}` takes no steps of its own"));
    }
    if let Some(bounds) = fields.get("thresholds").filter(|_| verb != "step") {
        reader.error(
            bounds,
            format!("`thresholds` go with a named `step:`, not with `{verb}`"),
        );
    }
    if let Some(with) = fields.get("with").filter(|_| verb != "flow") {
        reader.error(with, format!("`with` goes with `flow:`, not with `{verb}`"));
    }
}

/// The step as a person would quote it: `click: Log in`.
fn written(verb: &str, node: &Node) -> String {
    let text = compact(node);
    if text.is_empty() {
        verb.to_owned()
    } else {
        format!("{verb}: {text}")
    }
}

/// A node on one line.
pub fn compact(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, .. } => text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let pairs: Vec<String> = entries
                .iter()
                .map(|entry| format!("{}: {}", entry.key, compact(&entry.node)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}
