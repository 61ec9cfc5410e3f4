//! `language: ko`: what haetae finds wrong is told in Korean.

use std::path::Path;

use haetae::model::in_korean;

use crate::support::{Folder, output, text};

/// Where a file of `tests/config/bad/` belongs in a project folder.
fn place_of(file: &Path) -> &'static str {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    match stem.split_once('-').unwrap().0 {
        "alerts" => "alerts/a.yaml",
        "settings" => "haetae.yaml",
        _ => "checks/a.yaml",
    }
}

#[test]
fn every_mistake_and_its_way_out_is_known_in_korean() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad");
    let (mut looked_at, mut unknown) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let project = Folder::new();
        project.write(place_of(&file), &std::fs::read_to_string(&file).unwrap());
        for problem in project.load().problems {
            for english in std::iter::once(problem.message).chain(problem.hint) {
                looked_at += 1;
                if in_korean(&english).is_none() {
                    unknown.push(format!("{}: {english}", file.display()));
                }
            }
        }
    }
    unknown.sort();
    assert_eq!(unknown, Vec::<String>::new());
    assert!(looked_at > 100, "only {looked_at} messages and hints");
}

#[test]
fn validate_speaks_the_language_of_the_settings() {
    let folder = Folder::new();
    folder
        .write(
            "checks/a.yaml",
            "every: 30s\ntimout: 3s\nhttp: { url: https://a.example/ }\n",
        )
        .write(
            "checks/b.yaml",
            "every: 30s\ntimeout: 500\ntcp: { address: b.example }\n",
        );
    let validate = || {
        let answer = output(folder.path(), &["validate"]);
        assert_eq!(answer.status.code(), Some(78));
        text(&answer.stderr)
    };
    let english = validate();
    assert!(english.contains("unknown key `timout` in `a check`"), "{english}");

    folder.write("haetae.yaml", "language: ko\n");
    let korean = validate();
    for part in [
        "checks/a.yaml:2:1: ",
        "`점검`에 없는 키입니다: `timout`",
        "혹시 `timeout`인가요?",
        "checks/b.yaml:2:10: ",
        "timeout: `500`에 단위가 없습니다. `500ms` 또는 `500s`로 쓰십시오",
        "`b.example`: 호스트와 포트를 함께 써야 합니다",
        "예: `mail.example:25`, `[::1]:6379`",
    ] {
        assert!(korean.contains(part), "`{part}` is missing in:\n{korean}");
    }
    assert!(!korean.contains("unknown key"), "{korean}");
}
