//! Scenarios in real Chromium.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Folder, PATIENCE, SHOP_PASSWORD, Site, browser_folders_of, browser_processes_of, output, program, text,
};

fn shop(site: &Site) -> Folder {
    let folder = Folder::new();
    folder.write("password.txt", SHOP_PASSWORD);
    folder.write("haetae.yaml", &format!("vars: {{ shop: \"{}\" }}\n", site.shop()));
    let steps =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/checks/shop/buy.yaml")).unwrap();
    let steps = steps
        .replace("${vars.demo}", "${vars.shop}")
        .replace("checks/shop/qa-password.txt", "password.txt");
    folder.write("checks/buy.yaml", &steps);
    folder
}

fn run(folder: &Folder, args: &[&str]) -> (Option<i32>, String) {
    let artifacts = folder.path().join("artifacts");
    let mut all = vec!["run", "--artifacts", artifacts.to_str().unwrap()];
    all.extend(args);
    let answer = output(folder.path(), &all);
    (
        answer.status.code(),
        format!("{}{}", text(&answer.stdout), text(&answer.stderr)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_journey_logs_in_searches_and_pays_inside_the_iframe() {
    let site = Site::start().await;
    let folder = shop(&site);
    let json = folder.path().join("r.json");
    let (code, said) = run(&folder, &["--json", json.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let measured = &json["runs"][0]["run"]["outcome"]["measurements"];
    for name in [
        "duration",
        "step.Search",
        "step.Pay",
        "time_to_first_byte",
        "load",
        "largest_contentful_paint",
        "requests",
        "console_errors",
    ] {
        assert!(measured[name]["value"].is_number(), "{name}: {measured:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_never_comes_is_told_so_that_a_person_can_mend_it() {
    let site = Site::start().await;
    site.control("shop=wrong").await;
    let folder = shop(&site);
    let (code, said) = run(&folder, &[]);
    assert_eq!(code, Some(2), "{said}");
    for part in [
        "`click: Pay` failed: nothing is called \"Pay\", and 2 things contain it",
        "at checks/buy.yaml:34",
        "looked for: a button, link or field called \"Pay\", or that text",
        "fits: link \"Pay later\"",
        "Paying is not possible",
        "screenshot: ",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    let picture = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("screenshot: "))
        .unwrap();
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
    // The clean-up ran after the failure.
    assert!(!said.contains("clean-up failed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_hangs_is_cut_off_in_time_and_nothing_is_left() {
    let site = Site::start().await;
    site.control("shop=hang").await;
    let folder = shop(&site);
    let (code, said) = run(&folder, &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the page does not respond"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_names_what_is_similar() {
    let site = Site::start().await;
    let folder = Folder::new();
    let steps = |steps: &str| {
        format!(
            "every: 1m\ntimeout: 30s\nbrowser: {{ url: \"{}\" }}\nsteps:\n  - open: /shop/login\n{steps}",
            site.shop()
        )
    };
    let try_steps = |text: &str| {
        folder.write("checks/a.yaml", &steps(text));
        run(&folder, &[])
    };
    let (code, said) = try_steps("  - { click: Login, within: 300ms }\n");
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("nothing called \"Login\" was found within 3"),
        "{said}"
    );
    assert!(said.contains("similar on the page: button \"Log in\""), "{said}");
    let (_, said) = try_steps("  - { type: { into: Passwort, text: x1 }, within: 300ms }\n");
    assert!(
        said.contains("a field called \"Passwort\"") && said.contains("password field \"Password\""),
        "{said}"
    );
    let (_, said) = try_steps("  - { see: Goodbye, within: 300ms }\n");
    assert!(said.contains("nothing called \"Goodbye\""), "{said}");
    let (_, said) =
        try_steps("  - { expect: { title: Nothing, count: 2, of: { css: input } }, within: 300ms }\n");
    assert!(
        said.contains("the title is") && said.contains("expected \"Nothing\""),
        "{said}"
    );
    let (code, said) = try_steps(
        "  - { click: Nowhere, within: 200ms, optional: true }\n  - { see: Goodbye, within: 200ms, level: warning }\n  - see: Log in\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("warning"), "{said}");
    // What a group may do without, it may do without whatever failed in it.
    let (code, said) = try_steps(
        "  - { step: Extras, optional: true, steps: [{ click: Nowhere, within: 200ms }] }\n  - see: Log in\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 run: 1 ok"), "{said}");
    let (code, said) = try_steps(
        "  - { step: Extras, level: warning, steps: [{ click: Nowhere, within: 200ms }] }\n  - see: Log in\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 run: 1 warning"), "{said}");
    let (_, said) = try_steps("  - { expect: { checked: true, of: { css: input } }, within: 200ms }\n");
    assert!(said.contains("\"input\" fits 2 things"), "{said}");
    let (code, said) = try_steps("  - open: \"file:///etc/passwd\"\n");
    assert_eq!(code, Some(78), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_dies_in_the_middle_is_unknown_and_never_critical() {
    let site = Site::start().await;
    site.control("shop=slow").await;
    let folder = shop(&site);
    let child = program(folder.path())
        .args(["run", "--artifacts", folder.path().join("a").to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let until = tokio::time::Instant::now() + PATIENCE;
    // The renderer and its kin come after the driver.
    while browser_processes_of(pid).len() < 4 {
        assert!(tokio::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    kill_all(pid);
    // That run counts for nothing: it is done once more, in a new browser.
    let until = tokio::time::Instant::now() + PATIENCE;
    while browser_processes_of(pid).len() < 4 {
        assert!(tokio::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    kill_all(pid);
    let answer = child.wait_with_output().unwrap();
    assert_eq!(answer.status.code(), Some(3), "{}", text(&answer.stdout));
    assert!(
        text(&answer.stdout).contains("could not measure: the browser"),
        "{}",
        text(&answer.stdout)
    );
    assert_nothing_left(pid).await;
}

fn kill_all(owner: u32) {
    let mark = format!(
        "TMPDIR={}/haetae-browser-{owner}-",
        std::env::temp_dir().display()
    );
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
            .and_then(Pid::from_raw);
        if environment
            .windows(mark.len())
            .any(|window| window == mark.as_bytes())
            && let Some(pid) = pid
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

async fn assert_nothing_left(pid: u32) {
    let until = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let processes = browser_processes_of(pid);
        let folders = browser_folders_of(pid);
        if processes.is_empty() && folders.is_empty() {
            return;
        }
        assert!(tokio::time::Instant::now() < until, "{processes:?} {folders:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_after_success_or_interruption() {
    let site = Site::start().await;
    site.control("shop=slow").await;
    let folder = shop(&site);
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = program(folder.path())
            .args(["run", "--artifacts", folder.path().join("a").to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        let until = tokio::time::Instant::now() + PATIENCE;
        while browser_processes_of(pid).len() < 3 {
            assert!(tokio::time::Instant::now() < until);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
        assert!(matches!(child.wait().unwrap().code(), Some(130 | 143)));
        assert_nothing_left(pid).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_browsers_die_too_and_the_next_start_removes_their_folders() {
    let site = Site::start().await;
    site.control("shop=slow").await;
    let folder = shop(&site);
    folder.with_alerts(&site);
    let buy = std::fs::read_to_string(folder.path().join("checks/buy.yaml")).unwrap();
    folder.write("checks/buy.yaml", &buy.replace("every: 1m", "every: 1s"));
    let mut child = program(folder.path())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id();
    let until = tokio::time::Instant::now() + PATIENCE;
    while browser_processes_of(pid).len() < 4 {
        assert!(tokio::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    child.wait().unwrap();
    let _ = haetae::browser::clean_leftovers();
    assert_nothing_left(pid).await;
}
