//! The keys of check files.

use std::sync::LazyLock;

use crate::check::{self, KINDS};
use crate::decode::{Key, Shape, Spec};

/// More retries within a run are impolite (contract §5).
pub(super) const MOST_RETRIES: i64 = 3;

pub(super) static FILE: LazyLock<Spec> = LazyLock::new(|| {
    let mut keys = common_keys();
    keys.push(Key::new(
        "checks",
        Shape::List(&Shape::Any),
        "Several checks in one file, each with an `id`.",
    ));
    keys.push(Key::new(
        "defaults",
        Shape::Any,
        "For the checks of this file, as in a check.",
    ));
    spec("a check file", keys)
});

pub(super) static CHECK: LazyLock<Spec> = LazyLock::new(|| spec("a check", common_keys()));

pub(super) static ENTRY: LazyLock<Spec> = LazyLock::new(|| {
    let mut keys = common_keys();
    keys.insert(0, Key::required("id", Shape::Plain, "Appended to the file's id."));
    spec("a check of a list", keys)
});

pub(super) static LIST: Spec = Spec {
    name: "a file with several checks",
    example: "checks: [{ id: kb, http: { url: https://kb.example/ } }]",
    keys: &[
        Key::required(
            "checks",
            Shape::List(&Shape::Any),
            "The checks, each with an `id`.",
        ),
        Key::new(
            "defaults",
            Shape::Any,
            "For the checks of this file, as in a check.",
        ),
        Key::new(
            "vars",
            Shape::Map(&Shape::Text),
            "Values for `${vars.name}` in this file.",
        ),
    ],
};

pub(super) static RETRY: Spec = Spec {
    name: "retry",
    example: "retry: { times: 2, wait: 500ms }",
    keys: &[
        Key::required(
            "times",
            Shape::Integer(0, MOST_RETRIES),
            "How often after the first attempt; 3 at most.",
        ),
        Key::or(
            "wait",
            Shape::Duration,
            "500ms",
            "The first wait; each next one is twice as long, with full jitter.",
        ),
    ],
};

const THRESHOLD_KEYS: [Key; 8] = [
    Key::new("warning", Shape::Bound, "From here on it is a warning."),
    Key::new("critical", Shape::Bound, "From here on it is critical."),
    Key::or(
        "floor",
        Shape::Plain,
        "100ms for times",
        "With a bound against the past: values up to this say nothing.",
    ),
    Key::or(
        "min_samples",
        Shape::Integer(1, 100_000),
        "20",
        "With `usual`: so many runs at this hour of the week must be known.",
    ),
    Key::new("owner", Shape::Plain, "Who answers for the numbers."),
    Key::new(
        "reviewed",
        Shape::Plain,
        "When somebody last looked whether they are right: `2026-11-01`.",
    ),
    Key::new(
        "review_every",
        Shape::Duration,
        "How often somebody should: `validate` reminds of it.",
    ),
    Key::new(
        "baseline",
        Shape::Plain,
        "What was measured when the numbers were chosen, for the record: `20%`.",
    ),
];

pub(super) static THRESHOLD: Spec = Spec {
    name: "a threshold",
    example: "response_time: { warning: above 300ms, critical: above 1s }",
    keys: &{
        let [a, b, c, d, e, f, g, h] = THRESHOLD_KEYS;
        [
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            Key::new(
                "use",
                Shape::Plain,
                "A named set of haetae.yaml, whose entry for this measurement holds but for what stands here.",
            ),
        ]
    },
};

/// A threshold of a named set.
pub(super) static SET_THRESHOLD: Spec = Spec {
    name: "a threshold",
    example: "response_time: { warning: above 300ms, critical: above 1s }",
    keys: &THRESHOLD_KEYS,
};

static MEASURE: Shape = Shape::Map(&Shape::Object(&check::capture::CAPTURE));
static THRESHOLDS: Shape = Shape::Map(&Shape::Either(&[
    Shape::Object(&THRESHOLD),
    // `use: web-page`, or several of them.
    Shape::OneOrMany(&Shape::Plain),
]));

/// The keys of a file under `checks/`, for the schema.
pub(super) fn file_spec() -> &'static Spec {
    &FILE
}

fn spec(name: &'static str, keys: Vec<Key>) -> Spec {
    Spec {
        name,
        keys: Box::leak(keys.into_boxed_slice()),
        example: "http: { url: https://pg.example/health }, every: 30s, timeout: 3s",
    }
}

/// The keys that every kind has.
static COMMON: &[Key] = &[
    Key::new("name", Shape::Plain, "For people; the id without one."),
    Key::new("description", Shape::Plain, "What stops working when it fails."),
    Key::new("owner", Shape::Plain, "Who looks after it."),
    Key::new("runbook", Shape::Plain, "Where to read what to do."),
    Key::new(
        "tags",
        Shape::OneOrMany(&Shape::Plain),
        "Labels for routes and selectors.",
    ),
    Key::new("every", Shape::Duration, "How often, from start to start."),
    Key::new(
        "cron",
        Shape::Plain,
        "At calendar times instead: 5 fields, or 6 with seconds first.",
    ),
    Key::or("timezone", Shape::Plain, "UTC", "Of `cron`."),
    Key::new(
        "timeout",
        Shape::Duration,
        "Of the whole run, retries included. There is no built-in one.",
    ),
    Key::or(
        "attempt_timeout",
        Shape::Duration,
        "timeout ÷ (retries + 1)",
        "Of one attempt.",
    ),
    Key::new("expect", Shape::Any, "What must hold."),
    Key::new(
        "measure",
        Shape::Ref(&MEASURE),
        "Further numbers out of the answer.",
    ),
    Key::new(
        "thresholds",
        Shape::Ref(&THRESHOLDS),
        "Bounds on what is measured.",
    ),
    Key::or(
        "fail_after",
        Shape::Plain,
        "2",
        "How many runs in a row confirm a worse level; `2 of 3` is a window.",
    ),
    Key::or(
        "recover_after",
        Shape::Plain,
        "2",
        "How many confirm a better one.",
    ),
    Key::new(
        "recheck_every",
        Shape::Duration,
        "How soon to look again while a worse level is not yet believed.",
    ),
    Key::new(
        "retry",
        Shape::Object(&RETRY),
        "What is tried again inside one run.",
    ),
    Key::or(
        "priority",
        Shape::Choice(&["high", "normal", "low"]),
        "normal",
        "What is dropped last when the machine can't keep up.",
    ),
    Key::or(
        "enabled",
        Shape::Boolean,
        "true",
        "false keeps a check without running it.",
    ),
    Key::new("vars", Shape::Map(&Shape::Text), "Values for `${vars.name}`."),
    Key::new(
        "depends_on",
        Shape::OneOrMany(&Shape::Plain),
        "While one of these checks is down, nothing is told of this one.",
    ),
    Key::planned("locations"),
    Key::planned("quorum"),
    Key::new(
        "matrix",
        Shape::Map(&Shape::Any),
        "One check per combination of these values; `${matrix.name}` is one of them.",
    ),
];

fn common_keys() -> Vec<Key> {
    let kinds = KINDS
        .iter()
        .map(|kind| Key::new(kind.name, Shape::Object(kind.settings), kind.doc));
    // Each kind that has steps says what they look like.
    let steps: Vec<Shape> = KINDS
        .iter()
        .filter_map(|kind| kind.steps.map(Shape::Ref))
        .collect();
    let steps = Shape::Either(Box::leak(steps.into_boxed_slice()));
    let with_steps = [
        Key::new(
            "steps",
            steps,
            "What a browser check does, or a chain of requests.",
        ),
        Key::new("always", steps, "Clean-up, also after a failure."),
    ];
    COMMON.iter().copied().chain(with_steps).chain(kinds).collect()
}
