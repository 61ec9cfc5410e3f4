//! Scenarios from YAML.

mod expect;
mod flows;
mod forms;
mod steps;

use super::device::{DEVICES, Device};
use super::keys::{BROWSER, PAGE_EXPECT};
use super::locator::Target;
use super::scenario::{Scenario, Step, Surroundings};
use super::visit::{Look, USUAL_VIEWPORT};
use crate::check::Blocks;
use crate::check::expect::read_blocks;
use crate::check::http::is_secret_name;
use crate::decode::{Fields, Node, Problem, Reader, Severity, Value, nearest};
use crate::model::Text;
use expect::read_page_expect;
use steps::Steps;

/// Reads the blocks of a browser check.
pub fn read_scenario(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Scenario> {
    let before = reader.failures();
    let surroundings = read_surroundings(blocks.settings, reader);
    if blocks.retry.times > 0 {
        reader.report(
            Problem::error(
                &blocks.settings.place,
                "a browser check is not retried inside one run: what it did on the page cannot be undone",
            )
            .hint("take `retry:` out; `fail_after` keeps a single bad run from being believed"),
        );
    }
    let site = surroundings.as_ref().and_then(|around| around.url.clone());
    let mut read = Steps::on(site.clone());
    let steps = if let Some(node) = blocks.steps {
        read.list(node, reader)
    } else {
        reader.report(
            Problem::error(&blocks.settings.place, "a browser check needs `steps:`")
                .hint("for example `steps: [{ open: / }, { see: Welcome }]`"),
        );
        Vec::new()
    };
    let always = blocks
        .always
        .map(|node| read_always(node, site, reader))
        .unwrap_or_default();
    let expects = read_blocks(blocks.expect, &PAGE_EXPECT, reader, read_page_expect);
    if let Some(node) = blocks.measure {
        reader.report(
            Problem::error(&node.place, "`measure:` is for checks that get one answer")
                .hint("a browser check measures its named steps: `step: Search` with `steps:`"),
        );
    }
    let surroundings = surroundings?;
    let scenario = Scenario {
        surroundings,
        steps,
        always,
        expects,
        thresholds: read.thresholds,
    };
    check_measured_page(&scenario, blocks.settings, reader);
    (reader.failures() == before).then_some(scenario)
}

/// `measure_page` must name a step that is there.
fn check_measured_page(scenario: &Scenario, node: &Node, reader: &mut Reader<'_>) {
    let Some(name) = &scenario.surroundings.measure_page else {
        return;
    };
    let names = scenario.group_names();
    if names.contains(name) {
        return;
    }
    let place = node.get("measure_page").unwrap_or(node);
    let problem = Problem::error(&place.place, format!("there is no named step `{name}`"));
    reader.report(match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!(
            "name the step at whose end the page is shown: `step: {name}`"
        )),
    });
}

/// Clean-up never changes a result, so that nothing in it is judged.
fn read_always(node: &Node, site: Option<Text>, reader: &mut Reader<'_>) -> Vec<Step> {
    let mut read = Steps::on(site);
    let steps = read.list(node, reader);
    if !read.thresholds.is_empty() {
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
        look: read_look(&fields, reader),
        headers: read_headers(fields.get("headers"), reader),
        mask: fields
            .get("mask")
            .map(|node| reader.one_or_many(node, |reader, item| Target::read(item, reader)))
            .unwrap_or_default(),
        measure_page: fields.get("measure_page").and_then(|node| reader.plain(node)),
    })
}

fn read_look(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Look {
    let device = fields.get("device").and_then(|node| read_device(node, reader));
    if let (Some(node), Some(_)) = (fields.get("viewport"), fields.get("device")) {
        reader.error(
            node,
            "`device` says the size already: take `viewport` or `device` out",
        );
    }
    let viewport = fields
        .get("viewport")
        .and_then(|node| read_viewport(node, reader))
        .or(device.map(|device| device.viewport))
        .unwrap_or(USUAL_VIEWPORT);
    Look {
        viewport,
        pixel_ratio: device.map(|device| device.pixel_ratio),
        user_agent: device.map(|device| device.user_agent.to_owned()),
        touch: device.is_some(),
        locale: fields.get("locale").and_then(|node| read_locale(node, reader)),
        timezone: fields.get("timezone").and_then(|node| read_zone(node, reader)),
        insecure_tls: fields
            .get("insecure_tls")
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false),
        ..Look::default()
    }
}

fn read_device(node: &Node, reader: &mut Reader<'_>) -> Option<Device> {
    let name = reader.plain(node)?;
    let found = DEVICES
        .iter()
        .find(|device| device.name.eq_ignore_ascii_case(&name));
    if found.is_none() {
        let names: Vec<&str> = DEVICES.iter().map(|device| device.name).collect();
        let problem = Problem::error(&node.place, format!("there is no device `{name}`"));
        reader.report(match nearest(&name, names.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("known are {}; or set `viewport`", names.join(", "))),
        });
    }
    found.copied()
}

fn read_headers(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<(String, Text)> {
    let Some(node) = node else { return Vec::new() };
    let mut headers = Vec::new();
    for entry in reader.entries(node) {
        if is_secret_name(&entry.key) || entry.key.eq_ignore_ascii_case("authorization") {
            reader.refuse_literal_secret(&entry.node, &format!("the value of `{}`", entry.key));
        }
        let sound = !entry.key.is_empty()
            && entry
                .key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !sound {
            reader.error(&entry.node, format!("`{}` is not a header's name", entry.key));
        }
        let text = reader.text(&entry.node);
        if text.as_ref().is_some_and(Text::holds_secret) {
            reader.report(
                Problem::error(
                    &entry.node.place,
                    format!(
                        "`{}` holds a secret, and goes to every host that the pages ask",
                        entry.key
                    ),
                )
                .hint("a cookie (`cookies: { set: … }`) or a log-in goes to its own host only")
                .severity(Severity::Warning),
            );
        }
        headers.extend(text.map(|text| (entry.key.clone(), text)));
    }
    headers
}

fn read_viewport(node: &Node, reader: &mut Reader<'_>) -> Option<(u32, u32)> {
    let text = reader.plain(node)?;
    let side = |text: &str| text.parse().ok().filter(|side| (200..=7680).contains(side));
    let size = text
        .split_once('x')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)));
    if size.is_none() {
        reader.error(
            node,
            format!("`{text}` is not a size: write for example `1280x800`"),
        );
    }
    size
}

/// A language tag (BCP 47) as far as browsers look at it.
fn read_locale(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let locale = reader.plain(node)?;
    let parts: Vec<&str> = locale.split('-').collect();
    let sound = (2..=3).contains(&parts[0].len())
        && parts.iter().all(|part| {
            !part.is_empty() && part.len() <= 8 && part.chars().all(|c| c.is_ascii_alphanumeric())
        });
    if !sound {
        reader.error(
            node,
            format!("`{locale}` is not a locale: write for example `ko-KR`"),
        );
        return None;
    }
    Some(locale)
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
