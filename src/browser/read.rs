//! Scenarios from YAML.

use std::time::Duration;

use super::actions::parse_chord;
use super::keys::{BROWSER, CHOOSE, INSIDE, PAGE_EXPECT, STEP, STEP_THRESHOLDS, TYPE, WAIT_FOR};
use super::locator::Target;
use super::scenario::{Act, Await, PageExpect, Press, Scenario, Source, Step, Surroundings, Travel};
use crate::check::Blocks;
use crate::check::expect::{read_blocks, read_level};
use crate::check::http::is_secret_name;
use crate::check::matcher::Matcher;
use crate::decode::{Fields, Node, Problem, Reader, Severity, Value};
use crate::model::{Bound, Level, Text, Threshold, Unit};

/// What may stand beside the verb of a step; every other key is a verb.
const MODIFIERS: &[&str] = &[
    "steps",
    "thresholds",
    "within",
    "level",
    "optional",
    "frame",
    "note",
];

/// Reads the blocks of a browser check.
pub fn read_scenario(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Scenario> {
    let before = reader.failures();
    let surroundings = read_surroundings(blocks.settings, reader);
    if blocks.retry.times > 0 {
        reader.report(
            Problem::error(
                &blocks.settings.place,
                "a browser check is not retried inside one run in this version",
            )
            .hint("take `retry:` out; `fail_after` keeps a single bad run from being believed"),
        );
    }
    let mut thresholds = Vec::new();
    let steps = if let Some(node) = blocks.steps {
        read_steps(node, &mut thresholds, reader)
    } else {
        reader.report(
            Problem::error(&blocks.settings.place, "a browser check needs `steps:`")
                .hint("for example `steps: [{ open: / }, { see: Welcome }]`"),
        );
        Vec::new()
    };
    let always = blocks
        .always
        .map(|node| read_always(node, reader))
        .unwrap_or_default();
    let expects = read_blocks(blocks.expect, &PAGE_EXPECT, reader, read_page_expect);
    if let Some(node) = blocks.measure {
        reader.error(
            node,
            "`measure:` is not available for browser checks in this version; use named steps",
        );
    }
    let surroundings = surroundings?;
    (reader.failures() == before).then_some(Scenario {
        surroundings,
        steps,
        always,
        expects,
        thresholds,
    })
}

/// Clean-up never changes a result, so that nothing in it is judged.
fn read_always(node: &Node, reader: &mut Reader<'_>) -> Vec<Step> {
    let mut thresholds = Vec::new();
    let steps = read_steps(node, &mut thresholds, reader);
    if !thresholds.is_empty() {
        reader.error(
            node,
            "steps under `always:` have no thresholds: clean-up is not judged",
        );
    }
    steps
}

fn read_surroundings(node: &Node, reader: &mut Reader<'_>) -> Option<Surroundings> {
    // `browser:` alone is enough for a scenario whose steps open whole addresses.
    let empty = Node {
        place: node.place.clone(),
        value: Value::Map(Vec::new()),
    };
    let node = if node.is_null() { &empty } else { node };
    let fields = Fields::open(node, &BROWSER, reader)?;
    Some(Surroundings {
        url: fields.get("url").and_then(|node| reader.text(node)),
        viewport: fields
            .get("viewport")
            .and_then(|node| read_viewport(node, reader))
            .unwrap_or((1280, 800)),
        locale: fields.get("locale").and_then(|node| reader.plain(node)),
        timezone: fields.get("timezone").and_then(|node| read_zone(node, reader)),
    })
}

fn read_viewport(node: &Node, reader: &mut Reader<'_>) -> Option<(u32, u32)> {
    let text = reader.plain(node)?;
    let size = text.split_once('x').and_then(|(width, height)| {
        let width = width.parse().ok().filter(|width| (200..=7680).contains(width))?;
        let height = height
            .parse()
            .ok()
            .filter(|height| (200..=7680).contains(height))?;
        Some((width, height))
    });
    if size.is_none() {
        reader.error(
            node,
            format!("`{text}` is not a size: write for example `1280x800`"),
        );
    }
    size
}

fn read_zone(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let zone = reader.plain(node)?;
    if jiff::tz::TimeZone::get(&zone).is_err() {
        reader.error(
            node,
            format!("`{zone}` is not a time zone: write for example `Asia/Seoul` or `UTC`"),
        );
        return None;
    }
    Some(zone)
}

fn read_steps(node: &Node, thresholds: &mut Vec<Threshold>, reader: &mut Reader<'_>) -> Vec<Step> {
    reader.list(node, |reader, item| read_step(item, thresholds, reader))
}

fn read_step(node: &Node, thresholds: &mut Vec<Threshold>, reader: &mut Reader<'_>) -> Option<Step> {
    if let Some(word) = node.scalar() {
        let travel = [
            ("back", Travel::Back),
            ("forward", Travel::Forward),
            ("reload", Travel::Reload),
        ];
        let way = reader.choice(node, &travel)?;
        return Some(Step {
            written: word.to_owned(),
            place: node.place.file_and_line(),
            within: None,
            level: Level::Critical,
            optional: false,
            frame: None,
            act: Act::Travel(way),
        });
    }
    let fields = Fields::open(node, &STEP, reader)?;
    let verbs: Vec<&str> = STEP
        .keys
        .iter()
        .filter(|key| !key.planned && !MODIFIERS.contains(&key.name))
        .map(|key| key.name)
        .filter(|verb| fields.get(verb).is_some())
        .collect();
    let [verb] = verbs.as_slice() else {
        let planned = matches!(&node.value, Value::Map(entries)
            if entries.iter().any(|entry| STEP.key(&entry.key).is_none_or(|key| key.planned)));
        match verbs.as_slice() {
            [] if planned => {}
            [] => reader.report(
                Problem::error(&node.place, "this step does nothing")
                    .hint("a step needs a verb, like `click: Log in`"),
            ),
            [first, second, ..] => reader.error(
                node,
                format!(
                    "a step has one verb, and this one has `{first}` and `{second}`: make two steps of it"
                ),
            ),
            [_] => {}
        }
        return None;
    };
    let subject = fields.get(verb)?;
    let act = read_act(verb, subject, &fields, thresholds, reader)?;
    Some(Step {
        written: written(verb, subject),
        place: node.place.file_and_line(),
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
        act,
    })
}

fn read_act(
    verb: &str,
    node: &Node,
    fields: &Fields<'_>,
    thresholds: &mut Vec<Threshold>,
    reader: &mut Reader<'_>,
) -> Option<Act> {
    if !matches!(verb, "step" | "inside" | "if_seen")
        && let Some(steps) = fields.get("steps")
    {
        reader.error(steps, format!("`{verb}` takes no steps of its own"));
    }
    if verb != "step"
        && let Some(bounds) = fields.get("thresholds")
    {
        reader.error(
            bounds,
            format!("`thresholds` go with a named `step:`, not with `{verb}`"),
        );
    }
    let target = |reader: &mut Reader<'_>| Target::read(node, reader);
    Some(match verb {
        "open" => Act::Open(read_address(node, reader)?),
        "back" => Act::Travel(Travel::Back),
        "forward" => Act::Travel(Travel::Forward),
        "reload" => Act::Travel(Travel::Reload),
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
        "scroll_to" => Act::ScrollTo(target(reader)?),
        "see" => Act::See(target(reader)?),
        "not_see" => Act::NotSee(target(reader)?),
        "expect" => Act::Expect(read_blocks(Some(node), &PAGE_EXPECT, reader, read_page_expect)),
        "wait_for" => Act::WaitFor(read_await(node, reader)?),
        "pause" => read_pause(node, reader)?,
        "remember" => Act::Remember(read_remember(node, reader)),
        "screenshot" => Act::Screenshot(reader.text(node)?),
        "step" => read_group(node, fields, thresholds, reader)?,
        "inside" => read_inside(node, fields, thresholds, reader)?,
        "if_seen" => Act::IfSeen(target(reader)?, inner_steps(node, fields, thresholds, reader)),
        _ => return None,
    })
}

/// Only web pages: `file:` and friends never open.
fn read_address(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    let scheme = text
        .constant()
        .and_then(|text| Some(text.split_once(':')?.0.to_ascii_lowercase()))
        .filter(|scheme| !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+'));
    match scheme.as_deref() {
        None | Some("http" | "https") => Some(text),
        Some(other) => {
            reader.error(
                node,
                format!("`{other}:` pages are not opened: write an http or https address, or a path"),
            );
            None
        }
    }
}

fn read_type(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    let fields = Fields::open(node, &TYPE, reader)?;
    let into = fields.get("into")?;
    let text = fields.get("text")?;
    if into.scalar().is_some_and(is_secret_name) {
        reader.refuse_literal_secret(text, "a password");
    }
    Some(Act::Type {
        into: Target::read(into, reader)?,
        text: reader.text(text)?,
        clear: fields
            .get("clear")
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false),
        press: fields.get("press").and_then(|node| read_chord(node, reader)),
    })
}

fn read_choose(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    if node.scalar().is_some() {
        return Some(Act::Choose {
            option: reader.text(node)?,
            from: None,
        });
    }
    let fields = Fields::open(node, &CHOOSE, reader)?;
    Some(Act::Choose {
        option: fields.get("option").and_then(|node| reader.text(node))?,
        from: fields.get("from").and_then(|node| Target::read(node, reader)),
    })
}

fn read_chord(node: &Node, reader: &mut Reader<'_>) -> Option<super::scenario::Chord> {
    let text = reader.plain(node)?;
    match parse_chord(&text) {
        Ok(chord) => Some(chord),
        Err(why) => {
            reader.error(node, why);
            None
        }
    }
}

fn read_await(node: &Node, reader: &mut Reader<'_>) -> Option<Await> {
    let fields = Fields::open(node, &WAIT_FOR, reader)?;
    let url = fields
        .get("url")
        .and_then(|node| Matcher::read(node, reader))
        .map(Await::Url);
    let text = fields
        .get("text")
        .and_then(|node| Target::read(node, reader))
        .map(Await::Text);
    let gone = fields
        .get("gone")
        .and_then(|node| Target::read(node, reader))
        .map(Await::Gone);
    let mut ways: Vec<Await> = url.into_iter().chain(text).chain(gone).collect();
    if ways.len() != 1 {
        reader.error(node, "`wait_for` needs exactly one of `url`, `text`, `gone`");
        return None;
    }
    ways.pop()
}

fn read_pause(node: &Node, reader: &mut Reader<'_>) -> Option<Act> {
    let span = reader.duration(node)?;
    reader.report(
        Problem::error(
            &node.place,
            "a pause makes a scenario slow, and still fails when the page is slower",
        )
        .hint("wait for what you want to see: `see: …` or `wait_for: …`")
        .severity(Severity::Warning),
    );
    Some(Act::Pause(span.min(Duration::from_mins(1))))
}

fn read_remember(node: &Node, reader: &mut Reader<'_>) -> Vec<(String, Source)> {
    let mut kept = Vec::new();
    for entry in reader.entries(node) {
        let source = match entry.node.get("url") {
            Some(pattern) => reader.regex(pattern).map(Source::Url),
            None => Target::read(&entry.node, reader).map(Source::Element),
        };
        reader.captures.insert(entry.key.clone());
        kept.extend(source.map(|source| (entry.key.clone(), source)));
    }
    kept
}

fn read_group(
    node: &Node,
    fields: &Fields<'_>,
    thresholds: &mut Vec<Threshold>,
    reader: &mut Reader<'_>,
) -> Option<Act> {
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
        thresholds.push(Threshold {
            measurement: format!("step.{name}"),
            warning: bound("warning"),
            critical: bound("critical"),
            owner: None,
            reviewed: None,
        });
    }
    let steps = inner_steps(node, fields, thresholds, reader);
    Some(Act::Group(name, steps))
}

fn read_inside(
    node: &Node,
    fields: &Fields<'_>,
    thresholds: &mut Vec<Threshold>,
    reader: &mut Reader<'_>,
) -> Option<Act> {
    let steps = inner_steps(node, fields, thresholds, reader);
    if node.get("frame").is_none() && node.get("element").is_none() {
        return Target::read(node, reader).map(|target| Act::InElement(target, steps));
    }
    let inside = Fields::open(node, &INSIDE, reader)?;
    match (inside.get("frame"), inside.get("element")) {
        (Some(frame), None) => Target::read_frame(frame, reader).map(|target| Act::InFrame(target, steps)),
        (None, Some(element)) => Target::read(element, reader).map(|target| Act::InElement(target, steps)),
        _ => {
            reader.error(node, "`inside` needs one of `frame` and `element`");
            None
        }
    }
}

fn inner_steps(
    node: &Node,
    fields: &Fields<'_>,
    thresholds: &mut Vec<Threshold>,
    reader: &mut Reader<'_>,
) -> Vec<Step> {
    if let Some(steps) = fields.get("steps") {
        read_steps(steps, thresholds, reader)
    } else {
        reader.error(node, "this needs `steps:` of its own");
        Vec::new()
    }
}

fn read_page_expect(fields: &Fields<'_>, reader: &mut Reader<'_>) -> PageExpect {
    let expect = PageExpect {
        title: fields.get("title").and_then(|node| Matcher::read(node, reader)),
        url: fields.get("url").and_then(|node| Matcher::read(node, reader)),
        text: fields.get("text").and_then(|node| Matcher::read(node, reader)),
        of: fields.get("of").and_then(|node| Target::read(node, reader)),
        value: fields.get("value").and_then(|node| Matcher::read(node, reader)),
        count: fields.get("count").and_then(|node| Matcher::read(node, reader)),
        checked: fields.get("checked").and_then(|node| reader.boolean(node)),
        enabled: fields.get("enabled").and_then(|node| reader.boolean(node)),
        no_console_errors: fields
            .get("no_console_errors")
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false),
    };
    let needs_element = expect.value.is_some()
        || expect.count.is_some()
        || expect.checked.is_some()
        || expect.enabled.is_some();
    if needs_element && expect.of.is_none() {
        reader.report(
            Problem::error(fields.place(), "this needs `of:`, to say which element is meant")
                .hint("for example `expect: { count: 3, of: { css: .result } }`"),
        );
    }
    expect
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

fn compact(node: &Node) -> String {
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
