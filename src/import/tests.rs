//! Recordings in, checks out.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Imported, ImportedCheck, Wishes};
use crate::decode::{Source, Tree};

const CHROME: &str = include_str!("../../tests/import/buy-a-book.json");
const SELENIUM: &str = include_str!("../../tests/import/orders.side");

fn import(file_name: &str, text: &str) -> Result<Imported, String> {
    super::import(file_name, text, &Wishes::default())
}

fn chrome(steps: &Json) -> ImportedCheck {
    let text = json!({ "title": "A visit", "steps": steps }).to_string();
    import("visit.json", &text).unwrap().checks.remove(0)
}

fn selenium(commands: &[(&str, &str, &str)]) -> ImportedCheck {
    let commands: Vec<Json> = commands
        .iter()
        .map(|(command, target, value)| json!({ "command": command, "target": target, "value": value }))
        .collect();
    let test = json!({ "name": "A visit", "commands": commands });
    let text = json!({ "url": "https://shop.example", "tests": [test] }).to_string();
    import("visit.side", &text).unwrap().checks.remove(0)
}

/// The steps without comments.
fn acts(check: &ImportedCheck) -> Vec<&str> {
    let (_, steps) = check.yaml.split_once("\nsteps:").unwrap();
    steps
        .lines()
        .skip(1)
        .map(str::trim_start)
        .filter(|line| !line.starts_with('#'))
        .collect()
}

/// What a click on an element with these selectors becomes.
fn click(selectors: &Json) -> String {
    let check = chrome(&json!([{ "type": "click", "selectors": selectors }]));
    acts(&check).concat()
}

fn tree(yaml: &str) -> Tree {
    Tree::read(&Arc::new(Source {
        name: "a.yaml".into(),
        text: yaml.into(),
    }))
}

#[test]
fn a_recording_of_chrome_reads_as_a_person_would_write_it() {
    let imported = import("buy-a-book.json", CHROME).unwrap();
    assert_eq!(imported.checks.len(), 1);
    let check = &imported.checks[0];
    assert_eq!(check.file_name, "log-in-and-buy-a-book.yaml");
    assert_eq!(check.yaml, include_str!("../../tests/import/buy-a-book.yaml"));
    let places: Vec<&str> = check
        .left_out
        .iter()
        .filter_map(|note| Some(note.split_once(": ")?.0))
        .collect();
    assert_eq!(
        places,
        [
            "step 7 `change`",
            "step 22 `waitForExpression`",
            "step 23 `click`"
        ]
    );
}

#[test]
fn every_test_of_a_selenium_project_becomes_a_check() {
    let checks = import("orders.side", SELENIUM).unwrap().checks;
    let names: Vec<&str> = checks.iter().map(|check| check.file_name.as_str()).collect();
    assert_eq!(names, ["order-by-card.yaml", "새-창에서-약관-보기.yaml"]);
    assert_eq!(
        checks[0].yaml,
        include_str!("../../tests/import/order-by-card.yaml")
    );
    assert_eq!(
        checks[1].yaml,
        include_str!("../../tests/import/terms-in-a-new-window.yaml")
    );
}

#[test]
fn no_check_holds_a_recorded_password() {
    for (file, text, password) in [
        ("buy-a-book.json", CHROME, "correct horse"),
        ("orders.side", SELENIUM, "S3cret-pass!"),
    ] {
        assert!(text.contains(password), "{file} records no password");
        for check in import(file, text).unwrap().checks {
            assert!(!check.yaml.contains(password), "{}", check.file_name);
            assert!(!check.left_out.iter().any(|note| note.contains(password)));
        }
    }
}

#[test]
fn a_password_that_shows_elsewhere_is_hidden_there_too() {
    let check = chrome(&json!([
        { "type": "navigate", "url": "https://shop.example/" },
        { "type": "change", "value": "hunter2hunter", "selectors": [["aria/Password"]] },
        { "type": "change", "value": "hunter2hunter", "selectors": [["#again"]] },
        { "type": "waitForElement", "selectors": [[".shown"]], "properties": { "value": "hunter2hunter" } },
        { "type": "click", "selectors": [["text/hunter2hunter"]] },
    ]));
    assert_eq!(
        acts(&check),
        [
            "- open: /",
            "- type: { into: Password, text: \"${env:SHOP_PASSWORD}\" }",
            "- type: { into: { css: \"#again\" }, text: \"${env:SHOP_PASSWORD}\" }",
            "- expect: { value: \"${env:SHOP_PASSWORD}\", of: { css: .shown } }",
        ]
    );
    assert!(!check.yaml.contains("hunter2"), "{}", check.yaml);
    assert!(
        check.left_out[1].starts_with("step 5 `click`: its element"),
        "{:?}",
        check.left_out
    );
}

#[test]
fn secrets_in_an_address_are_not_kept() {
    let check = chrome(&json!([
        { "type": "navigate", "url": "https://qa:open-sesame@shop.example/a?token=abc123&x=1" },
    ]));
    assert_eq!(acts(&check), ["- open: /a?x=1"]);
    assert_eq!(check.left_out.len(), 2);
    for secret in ["open-sesame", "abc123"] {
        assert!(!check.yaml.contains(secret), "{}", check.yaml);
    }
}

#[test]
fn what_is_no_recording_is_refused_with_what_is_one() {
    for text in ["hello", "{}", "[1]"] {
        let why = import("a.json", text).unwrap_err();
        assert!(why.contains("Selenium IDE") && why.contains("Recorder"), "{why}");
    }
    let why = import("a.json", "{\"title\": \"a\", \"steps\": []}").unwrap_err();
    assert!(why.contains("no steps"), "{why}");
    let why = import("a.json", "{\"title\": \"a\", \"steps\": 5}").unwrap_err();
    assert!(why.contains("`steps`"), "{why}");
}

#[test]
fn words_come_before_ids_and_ids_before_paths() {
    let cases = [
        (json!([["#save"], ["text/Save changes"]]), "- click: Save changes"),
        (
            json!([["#ember412"], ["text/Save changes"]]),
            "- click: Save changes",
        ),
        (
            json!([["aria/3 results"], ["#results"]]),
            "- click: { css: \"#results\" }",
        ),
        (
            json!([["aria/Save[role=\"button\"]"]]),
            "- click: { role: button, name: Save }",
        ),
        (json!([["aria/Save[role=\"generic\"]"]]), "- click: Save"),
        (json!([["[aria-label='Close dialog']"]]), "- click: Close dialog"),
        (json!([["[data-testid='save']"]]), "- click: { test_id: save }"),
        (
            json!([["input[name='q']"]]),
            "- click: { css: \"input[name=q]\" }",
        ),
        (
            json!([["a[href='/a b']"]]),
            "- click: { css: 'a[href=\"/a b\"]' }",
        ),
        (
            json!([["xpath//html/body/div[2]"]]),
            "- click: { xpath: \"/html/body/div[2]\" }",
        ),
        (json!([["my-app", "#save"]]), "- click: { css: \"#save\" }"),
        (
            json!([["my-app", ".save"]]),
            "- click: { css: .save, in: { css: my-app } }",
        ),
        (json!([["aria/OK"], ["#ok"]]), "- click: [OK, { css: \"#ok\" }]"),
        (json!([["aria/OK"], ["#\\:r1\\:"]]), "- click: OK"),
    ];
    for (selectors, expected) in cases {
        assert_eq!(click(&selectors), expected, "{selectors}");
    }
}

#[test]
fn typing_is_one_step_however_it_was_done() {
    let query = json!([["aria/Query"], ["#q"]]);
    let check = chrome(&json!([
        { "type": "click", "selectors": query },
        { "type": "change", "value": "ru", "selectors": query },
        { "type": "keyDown", "key": "Backspace" },
        { "type": "change", "value": "rust", "selectors": query },
        { "type": "keyDown", "key": "Enter" },
        { "type": "keyUp", "key": "Enter" },
        { "type": "click", "selectors": [["text/Search again"]] },
        { "type": "change", "value": "go", "selectors": query },
        { "type": "change", "value": "", "selectors": [["aria/Notes"]] },
    ]));
    assert_eq!(
        acts(&check),
        [
            "- type: { into: Query, text: rust, press: Enter }",
            "- click: Search again",
            "- type: { into: Query, text: go, clear: true }",
            "- clear: Notes",
        ]
    );
}

#[test]
fn keys_are_chords_and_not_events() {
    let check = chrome(&json!([
        { "type": "keyDown", "key": "Control" },
        { "type": "keyDown", "key": "Control" },
        { "type": "keyDown", "key": "s" },
        { "type": "keyUp", "key": "s" },
        { "type": "keyUp", "key": "Control" },
        { "type": "keyDown", "key": "Escape" },
        { "type": "keyDown", "key": "/" },
        { "type": "change", "value": "rust", "selectors": [["aria/Find"]] },
        { "type": "keyDown", "key": "MediaPlayPause" },
    ]));
    assert_eq!(
        acts(&check),
        [
            "- press: Control+S",
            "- press: Escape",
            "- press: /",
            "- type: { into: Find, text: rust }",
        ]
    );
    assert!(
        check.left_out[0].contains("`MediaPlayPause`"),
        "{:?}",
        check.left_out
    );
}

#[test]
fn another_tab_is_turned_to_and_back() {
    let check = chrome(&json!([
        { "type": "click", "target": "main", "selectors": [["text/Pay by card"]] },
        { "type": "click", "target": "https://pay.example/", "selectors": [["text/Confirm"]] },
        { "type": "close", "target": "https://pay.example/" },
        { "type": "waitForElement", "target": "main", "selectors": [["text/Thank you"]] },
    ]));
    assert_eq!(
        acts(&check),
        [
            "- click: Pay by card",
            "- tab: 2",
            "- click: Confirm",
            "- tab: close",
            "- tab: 1",
            "- see: Thank you",
        ]
    );
}

#[test]
fn keys_among_selenium_text_are_pressed() {
    let check = selenium(&[
        ("sendKeys", "id=q", "rust${KEY_ENTER}"),
        ("click", "id=later", ""),
        ("sendKeys", "id=q", "${KEY_CTRL}a"),
        ("type", "id=note", "costs ${price}"),
    ]);
    assert_eq!(
        acts(&check),
        [
            "- type: { into: { css: \"#q\" }, text: rust, press: Enter }",
            "- click: { css: \"#later\" }",
            "- click: { css: \"#q\" }",
            "- press: Control+A",
        ]
    );
    assert!(
        check.left_out[0].contains("the variable `price`"),
        "{:?}",
        check.left_out
    );
}

#[test]
fn a_literal_dollar_brace_stays_one() {
    let check = chrome(&json!([
        { "type": "change", "value": "${name}", "selectors": [["aria/Template"]] },
    ]));
    assert_eq!(acts(&check), ["- type: { into: Template, text: \"$${name}\" }"]);
}

#[test]
fn a_recording_that_looks_at_nothing_is_told_to() {
    let check = chrome(&json!([{ "type": "navigate", "url": "https://shop.example/" }]));
    assert!(check.yaml.ends_with("  # - see: Thank you\n"), "{}", check.yaml);
    let check = chrome(&json!([{ "type": "waitForElement", "selectors": [["text/Welcome"]] }]));
    assert!(check.yaml.ends_with("  - see: Welcome\n"), "{}", check.yaml);
}

#[test]
fn nothing_in_a_recording_breaks_out_of_a_comment() {
    let name = "evil`\n- open: https://evil.example\u{85}- back\u{2028}- back";
    let check = chrome(&json!([{ "type": "customStep", "name": name }]));
    let root = tree(&check.yaml).root.unwrap();
    assert!(check.yaml.contains("\nsteps: []\n"), "{}", check.yaml);
    assert!(root.get("steps").is_some());
    assert!(!check.yaml.lines().any(|line| line.trim_start().starts_with("- ")));
}

#[test]
fn tests_of_one_name_become_files_of_different_names() {
    let test = json!({ "name": "A visit!", "commands": [{ "command": "open", "target": "/" }] });
    let text = json!({ "url": "https://shop.example", "tests": [test, test] }).to_string();
    let checks = import("visit.side", &text).unwrap().checks;
    let names: Vec<&str> = checks.iter().map(|check| check.file_name.as_str()).collect();
    assert_eq!(names, ["a-visit.yaml", "a-visit-2.yaml"]);
}
