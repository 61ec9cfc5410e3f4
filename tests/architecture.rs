//! Who may know whom: the rooms of ARCHITECTURE.md, enforced.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and files of the core: they decide, and touch nothing.
const CORE: &[&str] = &[
    "model",
    "decode",
    "judge",
    "alert",
    "route",
    "engine",
    "report",
    "import",
    "schedule/plan.rs",
    "notify/backoff.rs",
    "notify/message.rs",
    "notify/words.rs",
    "notify/common.rs",
];

/// What the core must not know.
const NOT_IN_CORE: &[&str] = &[
    "tokio",
    "sqlx",
    "reqwest",
    "axum",
    "tracing",
    "hyper",
    "fantoccini",
    "crate::clock",
    "crate::store",
    "crate::api",
    "crate::cli",
    "crate::app",
    "crate::check::",
    "crate::browser",
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
];

/// Room → what it must not import besides.
const FENCES: &[(&str, &[&str])] = &[
    (
        "check",
        &[
            "crate::engine",
            "crate::store",
            "crate::notify",
            "crate::api",
            "crate::cli",
            "crate::app",
            "crate::alert",
            "crate::route",
            "crate::config",
        ],
    ),
    (
        "browser",
        &[
            "crate::engine",
            "crate::store",
            "crate::notify",
            "crate::api",
            "crate::cli",
            "crate::app",
            "crate::alert",
            "crate::route",
            "crate::config",
        ],
    ),
    (
        "store",
        &[
            "crate::engine",
            "crate::notify",
            "crate::api",
            "crate::cli",
            "crate::app",
            "crate::check",
            "crate::config",
            "crate::route",
        ],
    ),
    (
        "notify",
        &[
            "crate::engine",
            "crate::api",
            "crate::cli",
            "crate::app",
            "crate::alert",
            "crate::route",
            "crate::config",
        ],
    ),
    ("api", &["crate::cli", "crate::app", "crate::recorder"]),
    (
        "demo",
        &[
            "crate::store",
            "crate::check",
            "crate::config",
            "crate::api",
            "crate::app",
            "crate::notify",
        ],
    ),
];

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap().path();
        if entry.ends_with("tests") {
            continue;
        }
        if entry.is_dir() || entry.extension().is_some_and(|ending| ending == "rs") {
            found.extend(files(&entry));
        }
    }
    found
}

/// The code without comments, doc comments and tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn breaches(room: &str, forbidden: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for file in files(&root.join(room)) {
        if file
            .file_name()
            .is_some_and(|name| name == "tests.rs" || name == "contract.rs")
        {
            continue;
        }
        let code = code(&file);
        for word in forbidden {
            let used = [format!("use {word}"), format!("{word}::")];
            if used.iter().any(|form| code.contains(form.as_str())) {
                found.push(format!(
                    "{} uses {word}",
                    file.strip_prefix(&root).unwrap().display()
                ));
            }
        }
    }
    found
}

#[test]
fn the_core_decides_and_touches_nothing() {
    let found: Vec<String> = CORE.iter().flat_map(|room| breaches(room, NOT_IN_CORE)).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn no_room_looks_over_its_fence() {
    let found: Vec<String> = FENCES
        .iter()
        .flat_map(|(room, forbidden)| breaches(room, forbidden))
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn only_the_clock_reads_the_wall_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in files(&root) {
        let code = code(&file);
        let reads = [
            "SystemTime::now",
            "Timestamp::now()",
            "Zoned::now",
            "std::time::Instant",
        ]
        .iter()
        .any(|word| code.contains(word));
        assert_eq!(reads, file.ends_with("clock.rs"), "{}", file.display());
    }
}

#[test]
fn a_kind_is_named_in_its_own_file_and_its_table_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for room in [
        "alert",
        "route",
        "engine",
        "judge",
        "store",
        "schedule",
        "api",
        "recorder.rs",
        "report",
    ] {
        for file in files(&root.join(room)) {
            if file.ends_with("tests.rs") || file.ends_with("contract.rs") {
                continue;
            }
            let code = code(&file);
            let checks = haetae::check::KINDS.iter().map(|kind| kind.name);
            let channels = haetae::notify::KINDS.iter().map(|kind| kind.name);
            for kind in checks.chain(channels).map(|name| format!("\"{name}\"")) {
                assert!(!code.contains(&kind), "{} knows the kind {kind}", file.display());
            }
        }
    }
}
