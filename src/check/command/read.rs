//! The keys of `command:` and what they become.

use super::CommandProbe;
use crate::check::capture::Capture;
use crate::check::expect::{LEVEL_KEY, read_blocks};
use crate::check::matcher::{MATCHES, Matcher};
use crate::check::{Blocks, Probe};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec, Value};
use crate::model::Text;

pub(super) static COMMAND: Spec = Spec {
    name: "command",
    example: "command: { argv: [/usr/lib/nagios/plugins/check_load, -w, \"5\", -c, \"10\"] }",
    keys: &[
        Key::required(
            "argv",
            Shape::List(&Shape::Text),
            "The program and its arguments, one by one; no shell reads them.",
        ),
        Key::new(
            "env",
            Shape::Map(&Shape::Text),
            "Its environment, besides `PATH` and `LANG`.",
        ),
        Key::or(
            "directory",
            Shape::Text,
            "the project folder",
            "Where it runs; a relative one lies in the project folder.",
        ),
    ],
};

pub(super) static COMMAND_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { output: { contains: synchronised } }",
    keys: &[
        Key::new("output", MATCHES, "What holds for all that it writes to stdout."),
        LEVEL_KEY,
    ],
};

/// What its output can be measured by.
const SOURCES: &[&str] = &["perfdata", "json", "text"];

/// Reads the blocks of a command check.
pub(super) fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &COMMAND, reader)?;
    if blocks.retry.times > 0 {
        reader.report(
            Problem::error(
                &blocks.settings.place,
                "a command is run once per run: what it did cannot be undone",
            )
            .hint("take `retry:` out; `fail_after` keeps a single bad run from being believed"),
        );
    }
    let mut argv = fields
        .get("argv")
        .map(|node| read_argv(node, reader))
        .unwrap_or_default()
        .into_iter();
    let program = argv.next();
    let env = fields
        .get("env")
        .map(|node| read_env(node, reader))
        .unwrap_or_default();
    let directory = fields.get("directory").and_then(|node| reader.text(node));
    let expects = read_blocks(blocks.expect, &COMMAND_EXPECT, reader, |fields, reader| {
        fields.get("output").and_then(|node| Matcher::read(node, reader))
    });
    let captures = blocks
        .measure
        .map(|node| Capture::read_from(node, SOURCES, reader))
        .unwrap_or_default();
    let probe = CommandProbe {
        program: program?,
        arguments: argv.collect(),
        env,
        directory,
        expects,
        captures,
        attempt_timeout: blocks.attempt_timeout,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_argv(node: &Node, reader: &mut Reader<'_>) -> Vec<Text> {
    if node.scalar().is_some() {
        reader.report(
            Problem::error(
                &node.place,
                "`argv` is a list: the program, then each argument by itself",
            )
            .hint("for example `argv: [check_disk, -w, 10%, -p, /]`; no shell takes a line apart"),
        );
        return Vec::new();
    }
    let argv = reader.list(node, Reader::text);
    if argv
        .first()
        .is_some_and(|program| program.as_written().is_empty())
    {
        reader.error(node, "the first of `argv` is the program, and it is empty");
    } else if argv.is_empty() && matches!(node.value, Value::List(_)) {
        reader.error(node, "`argv` is empty: it begins with the program");
    }
    argv
}

fn read_env(node: &Node, reader: &mut Reader<'_>) -> Vec<(String, Text)> {
    let mut env = Vec::new();
    for entry in reader.entries(node) {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
            let what = format!(
                "`{}` cannot name an environment variable",
                entry.key.escape_debug()
            );
            reader.error(&entry.node, what);
            continue;
        }
        let name = entry.key.to_ascii_uppercase();
        if ["PASSWORD", "PASSWD", "TOKEN", "SECRET"]
            .iter()
            .any(|word| name.contains(word))
        {
            reader.refuse_literal_secret(&entry.node, &format!("the value of `{}`", entry.key));
        }
        env.extend(reader.text(&entry.node).map(|text| (entry.key.clone(), text)));
    }
    env
}
