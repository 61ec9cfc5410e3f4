//! Bad input: every problem of every file, each with its place and what to do.
//! `tests/config/bad/` has one file per mistake, named after it; `good/` must load.

use std::path::{Path, PathBuf};

use crate::support::{Folder, output, text};

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn problems_of(file: &Path) -> String {
    let folder = Folder::new();
    let text = std::fs::read_to_string(file).unwrap();
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let place = match stem.split_once('-').unwrap().0 {
        "alerts" => "alerts/a.yaml",
        "settings" => "haetae.yaml",
        _ => "checks/a.yaml",
    };
    folder.write(place, &text);
    folder.problems()
}

#[test]
fn every_mistake_is_told_with_its_place_and_a_way_out() {
    let mut all = String::new();
    for file in fixtures("bad") {
        let problems = problems_of(&file);
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(problems.contains("error: "), "{name} has no error:\n{problems}");
        all.push_str(&format!("## {name}\n{problems}\n\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn good_files_have_no_problem() {
    for file in fixtures("good") {
        assert_eq!(problems_of(&file), "", "{}", file.display());
    }
}

/// The YAML blocks of a page that say which file they are: `# checks/mail/inbound.yaml`.
fn files_of_page(page: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```yaml\n").skip(1);
    blocks
        .filter_map(|block| {
            let block = block.split("```").next()?;
            let name = block.lines().next()?.strip_prefix("# ")?.split(' ').next()?;
            name.starts_with("checks/")
                .then(|| (name.to_owned(), block.to_owned()))
        })
        .collect()
}

#[test]
fn every_kind_has_a_page_whose_examples_load() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for kind in haetae::check::KINDS {
        let mut page = docs.join(format!("kinds/{}.md", kind.name));
        if !page.exists() {
            page = docs.join(format!("{}.md", kind.name));
        }
        assert!(page.exists(), "docs/kinds/{}.md is missing", kind.name);
        let text = std::fs::read_to_string(&page).unwrap();
        let measured = kind.measures.iter().map(|(name, _)| *name);
        for word in kind.settings.keys.iter().map(|key| key.name).chain(measured) {
            let told = text.contains(&format!("`{word}`")) || text.contains(&format!("`{word}:"));
            assert!(told, "{} does not tell of `{word}`", page.display());
        }
        let files = files_of_page(&page);
        if !page.ends_with("browser.md") {
            assert!(!files.is_empty(), "{} has no whole example", page.display());
        }
        let folder = Folder::new();
        for (name, text) in &files {
            folder.write(name, text);
        }
        let answer = output(folder.path(), &["validate", "--no-secrets"]);
        assert!(
            !text.is_empty() && answer.status.code() == Some(0),
            "{}: {}",
            page.display(),
            crate::support::text(&answer.stderr)
        );
    }
}

#[test]
fn what_ships_with_haetae_has_no_problem() {
    let answer = output(Path::new(env!("CARGO_MANIFEST_DIR")), &["validate"]);
    assert_eq!(answer.status.code(), Some(0), "{}", text(&answer.stderr));
}

#[test]
fn five_broken_files_are_told_in_one_go() {
    let folder = Folder::new();
    folder
        .write("checks/a.yaml", "name: A\nevery: 30s\ntimout: 3s\nhttp: { url: https://a.example/ }\n")
        .write("checks/b.yaml", "every: 30s\ntimeout: 500\nhttp: { url: https://b.example/ }\n")
        .write("checks/c.yaml", "every: 30s\ntimeout: 3s\nhttp: { url: https://c.example/, methd: GET }\nexpect: { status: two hundred }\n")
        .write("checks/d.yaml", "every: 30s\ntimeout: 3s\nowner: @pay\n")
        .write("checks/e.yaml", "every: 30s\ntimeout: 3s\nhttp: { url: https://e.example/ }\nthresholds:\n  response_tme: { warning: above 300ms }\n");
    let answer = output(folder.path(), &["validate"]);
    assert_eq!(answer.status.code(), Some(78));
    let said = text(&answer.stderr);
    for part in [
        "checks/a.yaml:3:1: error: unknown key `timout` in `a check`\n  3 | timout: 3s\n    | ^^^^^^ did you mean `timeout`?",
        "checks/b.yaml:2:10: error: timeout: `500` has no unit: write `500ms` or `500s`",
        "checks/c.yaml:3:34: error: unknown key `methd` in `http`",
        "did you mean `method`?",
        "checks/c.yaml:4:19: error: `two hundred` is not a status",
        "checks/d.yaml:3:8: error: this is not YAML",
        "checks/e.yaml:5:3: error: `response_tme` is nothing that http checks measure",
        "did you mean `response_time`?",
    ] {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
    let json = output(folder.path(), &["validate", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["sound"], false);
    let files: std::collections::BTreeSet<&str> = json["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|problem| problem["file"].as_str())
        .collect();
    assert_eq!(files.len(), 5);
}

#[test]
fn a_check_nobody_would_hear_of_is_refused() {
    let folder = Folder::new();
    folder
        .write("checks/a.yaml", "every: 30s\ntimeout: 3s\nhttp: { url: https://a.example/ }\n")
        .write("alerts/a.yaml", "channels: { c: { dooray: { webhook: \"http://127.0.0.1:1/services/x/y\" } } }\nroutes: [{ name: w, match: { level: warning }, to: [c] }]\n");
    let said = folder.problems();
    assert!(
        said.contains("nobody would hear of the level critical of `a`"),
        "{said}"
    );
    assert!(
        !said.contains("level unknown"),
        "unknown goes where warnings go: {said}"
    );
}
