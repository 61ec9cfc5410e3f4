//! `expect:` of a page.

use crate::browser::locator::Target;
use crate::browser::scenario::PageExpect;
use crate::check::matcher::Matcher;
use crate::decode::{Fields, Node, Problem, Reader};

/// One block.
pub fn read_page_expect(fields: &Fields<'_>, reader: &mut Reader<'_>) -> PageExpect {
    let matcher =
        |key: &str, reader: &mut Reader<'_>| fields.get(key).and_then(|node| Matcher::read(node, reader));
    let flag = |key: &str, reader: &mut Reader<'_>| {
        fields
            .get(key)
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false)
    };
    let expect = PageExpect {
        title: matcher("title", reader),
        url: matcher("url", reader),
        text: matcher("text", reader),
        of: fields.get("of").and_then(|node| Target::read(node, reader)),
        value: matcher("value", reader),
        count: matcher("count", reader),
        checked: fields.get("checked").and_then(|node| reader.boolean(node)),
        enabled: fields.get("enabled").and_then(|node| reader.boolean(node)),
        attribute: named(fields.get("attribute"), reader),
        cookie: named(fields.get("cookie"), reader),
        storage: named(fields.get("storage"), reader),
        download: matcher("download", reader),
        no_console_errors: flag("no_console_errors", reader),
        no_failed_requests: flag("no_failed_requests", reader),
        accessible: flag("accessible", reader),
    };
    let needs_element = expect.value.is_some()
        || expect.count.is_some()
        || expect.checked.is_some()
        || expect.enabled.is_some()
        || !expect.attribute.is_empty();
    if needs_element && expect.of.is_none() {
        reader.report(
            Problem::error(fields.place(), "this needs `of:`, to say which element is meant")
                .hint("for example `expect: { count: 3, of: { css: .result } }`"),
        );
    }
    expect
}

fn named(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<(String, Matcher)> {
    let Some(node) = node else { return Vec::new() };
    let mut named = Vec::new();
    for entry in reader.entries(node) {
        named.extend(Matcher::read(&entry.node, reader).map(|matcher| (entry.key.clone(), matcher)));
    }
    named
}
