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

#[test]
fn a_matrix_makes_one_check_per_combination() {
    let folder = Folder::new();
    folder.write(
        "haetae.yaml",
        "defaults: { every: 1m, timeout: 2s, tags: [\"${matrix.bank}\"] }\n",
    );
    folder.write(
        "checks/banks.yaml",
        "checks:
  - id: all
    name: Bank ${matrix.bank}
    matrix: { bank: [kb, \"shin han:443\"], path: { health: /h, login: /l } }
    http: { url: \"https://bank.example/${matrix.bank}${matrix.path}\" }
",
    );
    let project = folder.load();
    assert!(!project.checks.is_empty(), "{}", folder.problems());
    let seen: Vec<_> = project
        .checks
        .values()
        .map(|runnable| {
            (
                runnable.check.id.as_str(),
                runnable.check.name.as_str(),
                runnable.check.tags.join(","),
            )
        })
        .collect();
    let tag = |text: &str| text.to_owned();
    assert_eq!(
        seen,
        [
            ("banks/all/kb/health", "Bank kb", tag("kb")),
            ("banks/all/kb/login", "Bank kb", tag("kb")),
            (
                "banks/all/shin-han-443/health",
                "Bank shin han:443",
                tag("shin han:443")
            ),
            (
                "banks/all/shin-han-443/login",
                "Bank shin han:443",
                tag("shin han:443")
            ),
        ]
    );
}

#[test]
fn five_hundred_endpoints_are_a_file_of_twenty_lines_and_one_mistake_is_told_once() {
    let folder = Folder::new();
    let hosts: Vec<String> = (0..100).map(|n| format!("p{n}")).collect();
    let file = |key: &str| {
        format!(
            "name: Partner ${{matrix.host}}
every: 30s
timeout: 3s
matrix:
  host: [{}]
  path: [/health, /login, /pay, /refund, /status]
http: {{ url: \"https://${{matrix.host}}.example${{matrix.path}}\" }}
{key}:
  response_time: {{ warning: above 300ms, critical: above 1s }}
",
            hosts.join(", ")
        )
    };
    folder.write("checks/partners.yaml", &file("thresholds"));
    assert_eq!(folder.load().checks.len(), 500);
    folder.write("checks/partners.yaml", &file("treshholds"));
    let answer = output(folder.path(), &["validate"]);
    let said = text(&answer.stderr);
    assert_eq!(said.matches("unknown key `treshholds`").count(), 1, "{said}");
}

#[test]
fn named_thresholds_are_shared_and_what_stands_in_the_check_is_stronger() {
    let folder = Folder::new();
    folder.write(
        "haetae.yaml",
        "defaults: { every: 1m, timeout: 2s }
thresholds:
  web-page:
    response_time: { warning: above 300ms, critical: above 1s, owner: web }
    certificate_left: { warning: below 30d }
  strict:
    response_time: { warning: above 100ms }
",
    );
    folder.write("checks/a.yaml", "http: { url: https://a.example/ }\nthresholds: { use: web-page, body_size: { warning: above 1MB } }\n");
    folder.write("checks/b.yaml", "http: { url: https://b.example/ }\nthresholds: { use: [web-page, strict], response_time: { critical: above 2s } }\n");
    folder.write(
        "checks/c.yaml",
        "http: { url: https://c.example/ }\nthresholds: { response_time: { use: web-page, owner: me } }\n",
    );
    assert_eq!(folder.problems(), "");
    let project = folder.load();
    let seen: Vec<String> = project
        .checks
        .values()
        .map(|runnable| {
            let mut told: Vec<String> = runnable
                .check
                .thresholds
                .iter()
                .map(|threshold| {
                    let bound = |bound: Option<haetae::model::Criterion>| {
                        bound.map_or("-".to_owned(), |bound| bound.to_string())
                    };
                    format!(
                        "{} {}/{} {}",
                        threshold.measurement,
                        bound(threshold.warning),
                        bound(threshold.critical),
                        threshold.owner.as_deref().unwrap_or("-")
                    )
                })
                .collect();
            told.sort();
            told.join("; ")
        })
        .collect();
    assert_eq!(
        seen,
        [
            "body_size above 976.6KiB/- -; certificate_left below 30d/- -; response_time above 300ms/above 1s web",
            "certificate_left below 30d/- -; response_time above 100ms/above 2s web",
            "response_time above 300ms/above 1s me",
        ]
    );
}

#[test]
fn numbers_that_nobody_has_looked_at_for_long_are_told() {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        "every: 1m\ntimeout: 2s\nhttp: { url: https://a.example/ }\nthresholds:\n  response_time: { warning: above 1s, reviewed: 2024-11-01, review_every: 90d }\n",
    );
    let answer = output(folder.path(), &["validate"]);
    let said = text(&answer.stderr);
    assert_eq!(answer.status.code(), Some(0), "{said}");
    assert!(
        said.contains("warning: these numbers were last looked at on 2024-11-01, which is to be every 90d"),
        "{said}"
    );
}
