//! Pages that mean harm, and browsers that are killed: a run ends in its time, its
//! neighbours go on, nothing is read from disk, nothing is left behind.

use std::process::{Child, Stdio};
use std::time::Duration;

use haetae::clock::wall_now;
use haetae::model::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::pages::Pages;
use crate::support::{
    Folder, PATIENCE, browser_folders_of, browser_processes_of, program, provider, run_all,
};

const HOSTILE: &[(&str, &str)] = &[
    ("/alerts", "<script>for(;;)alert('again')</script>"),
    (
        "/endless",
        "<script>setTimeout(()=>{for(;;);},200)</script><p>Calm",
    ),
    (
        "/memory",
        "<p>Calm<script>const all=[];setTimeout(function grow(){const a=new Uint8Array(64<<20).fill(7);all.push(a);setTimeout(grow,20)},100)</script>",
    ),
    (
        "/downloads",
        "<p>Calm<script>setInterval(()=>{const a=document.createElement('a');a.href='/flood';a.download='';a.click()},50)</script>",
    ),
    (
        "/file",
        "<p>Calm<iframe src='file:///etc/passwd'></iframe><a href='file:///etc/passwd'>Local</a><script>fetch('file:///etc/passwd').then(r=>r.text()).then(t=>document.title=t).catch(()=>{})</script>",
    ),
    (
        "/popups",
        "<p>Calm<script>for(let n=0;n<30;n++)window.open('/calm')</script>",
    ),
    (
        "/calm",
        "<p>Calm<button onclick=\"this.textContent='pressed'\">Press</button>",
    ),
];

fn scenario(pages: &Pages, steps: &str) -> String {
    format!(
        "every: 1m\ntimeout: 8s\nbrowser: {{ url: \"{}\" }}\nsteps:\n{steps}",
        pages.url()
    )
}

fn level_of(report: &Value, id: &str) -> String {
    let runs = report["runs"].as_array().unwrap();
    let run = runs.iter().find(|run| run["run"]["check"] == id).unwrap();
    run["run"]["verdict"]["level"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_pages_end_in_their_time_and_disturb_nobody() {
    let pages = Pages::start(HOSTILE).await;
    let folder = Folder::new();
    folder.write("haetae.yaml", "browsers: { at_once: 4, memory: 300MiB }\n");
    let wait = "  - { see: Never there, within: 20s }\n";
    for name in ["alerts", "endless", "memory", "downloads", "popups"] {
        let steps = format!("  - open: /{name}\n{wait}");
        folder.write(&format!("checks/bad/{name}.yaml"), &scenario(&pages, &steps));
    }
    let calm = "  - open: /calm\n  - click: Press\n  - see: pressed\n";
    for number in 0..8 {
        folder.write(&format!("checks/good/{number}.yaml"), &scenario(&pages, calm));
    }
    let (_, said, report) = run_all(&folder);
    for number in 0..8 {
        assert_eq!(level_of(&report, &format!("good/{number}")), "ok", "{said}");
    }
    for name in ["alerts", "endless", "memory", "downloads", "popups"] {
        assert_eq!(
            level_of(&report, &format!("bad/{name}")),
            "critical",
            "{name}: {said}"
        );
    }
    for part in [
        "the page waits for an answer to its alert \"again\"",
        "the page does not respond (a script that never ends?)",
        "the page used more than 300 MiB of memory and was ended",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_from_disk_or_from_the_cloud_s_metadata() {
    let pages = Pages::start(HOSTILE).await;
    let folder = Folder::new();
    let check = |name: &str, steps: &str| {
        folder.write(&format!("checks/{name}.yaml"), &scenario(&pages, steps));
    };
    check(
        "file",
        "  - open: /file\n  - see: Calm\n  - click: Local\n  - { expect: { text: { not_contains: \"root:\" }, title: { not_contains: \"root:\" }, url: { contains: /file } } }\n",
    );
    check("to-file", "  - open: /to-file\n");
    check("to-metadata", "  - open: /to-metadata\n");
    check(
        "literal",
        "  - open: \"http://169.254.169.254/latest/meta-data/\"\n",
    );
    let (_, said, report) = run_all(&folder);
    assert_eq!(level_of(&report, "file"), "ok", "{said}");
    assert_eq!(level_of(&report, "to-file"), "critical", "{said}");
    assert!(
        said.contains("redirects to an address that pages must not open"),
        "{said}"
    );
    assert_eq!(level_of(&report, "to-metadata"), "critical", "{said}");
    assert!(said.contains("the name does not resolve"), "{said}");
    assert_eq!(level_of(&report, "literal"), "unknown", "{said}");
    assert!(
        said.contains("the settings deny the address 169.254.169.254"),
        "{said}"
    );
    assert!(!report.to_string().contains("root:x:0"));
}

/// How many kills `HAETAE_KILLS` asks for; a few in the usual run.
fn kills() -> usize {
    let asked = std::env::var("HAETAE_KILLS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// What is killed, one after the other.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Haetae,
    Driver,
    Browser,
}

fn victims_of(pid: u32, victim: Victim) -> Vec<u32> {
    let mark = format!("TMPDIR={}/haetae-browser-{pid}-", std::env::temp_dir().display());
    let wanted = match victim {
        Victim::Haetae => return vec![pid],
        Victim::Driver => "chromedriver",
        Victim::Browser => "chrom",
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = environment
            .windows(mark.len())
            .any(|part| part == mark.as_bytes());
        let is_driver = name.trim() == "chromedriver";
        let fits = match victim {
            Victim::Driver => is_driver,
            _ => name.contains(wanted) && !is_driver,
        };
        if ours && fits {
            found.push(id);
        }
    }
    found
}

fn kill(id: u32) {
    let pid = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    let _ = kill_process(pid, Signal::KILL);
}

/// Is killed when the test fails.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn wait_for_browser(pid: u32, log: &str, folder: &Folder) {
    let until = Instant::now() + PATIENCE;
    while browser_processes_of(pid).len() < 2 {
        let log = std::fs::read_to_string(folder.path().join(log)).unwrap_or_default();
        assert!(Instant::now() < until, "no browser came:\n{log}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for a run that began after `since` and was well.
async fn wait_for_a_good_run(since: Timestamp, log: &str, folder: &Folder) {
    let until = Instant::now() + PATIENCE;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    loop {
        let log = std::fs::read_to_string(folder.path().join(log)).unwrap_or_default();
        let address = log
            .split("dashboard: ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        if let Some(address) = address {
            let url = format!("{address}api/v1/results?check=a&limit=5");
            let json: Value = match client.get(url).send().await {
                Ok(answer) => answer.json().await.unwrap_or_default(),
                Err(_) => Value::Null,
            };
            let runs = json["results"].as_array().cloned().unwrap_or_default();
            let good = |run: &Value| {
                let started = run["started"].as_str().unwrap_or_default().to_owned();
                run["level"] == "ok" && started > since.to_string()
            };
            if runs.iter().any(good) {
                return;
            }
        }
        assert!(Instant::now() < until, "no run went well again:\n{log}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_leave_nothing_and_the_next_run_succeeds() {
    provider();
    let html = "<button onclick=\"setTimeout(()=>out.textContent='done',300)\">Go</button><p id=out></p>";
    let pages = Pages::start(&[("/", html)]).await;
    let folder = Folder::new();
    let steps = "  - open: /\n  - click: Go\n  - see: done\n  - open: /\n  - click: Go\n  - see: done\n";
    let check = scenario(&pages, steps)
        .replace("every: 1m", "every: 1s")
        .replace("timeout: 8s", "timeout: 15s");
    folder.write("checks/a.yaml", &check);
    let seed = std::env::var("HAETAE_KILL_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(7);
    let mut chance = fastrand::Rng::with_seed(seed);
    let victims = [Victim::Haetae, Victim::Driver, Victim::Browser];
    for number in 0..kills() {
        let victim = victims[number % victims.len()];
        let child = program(folder.path())
            .args(["--log", "debug", "serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log.txt")).unwrap())
            .spawn()
            .unwrap();
        let pid = child.id();
        let mut child = Ending(child);
        wait_for_browser(pid, "log.txt", &folder).await;
        sleep(Duration::from_millis(chance.u64(0..2_000))).await;
        // The browser itself or one of its helpers: each breaks it in its own way.
        let found = victims_of(pid, victim);
        if let Some(id) = chance.choice(&found) {
            kill(*id);
        }
        if !matches!(victim, Victim::Haetae) {
            // It goes on: the next runs have a browser again. Then it is stopped.
            wait_for_a_good_run(wall_now(), "log.txt", &folder).await;
            let own = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            kill_process(own, Signal::TERM).unwrap();
        }
        child.0.wait().unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while !browser_processes_of(pid).is_empty() {
            assert!(
                Instant::now() < until,
                "kill {number} of {victim:?} left {:?}",
                browser_processes_of(pid)
            );
            sleep(Duration::from_millis(20)).await;
        }
        let (_, said, report) = run_all(&folder);
        assert_eq!(
            level_of(&report, "a"),
            "ok",
            "after kill {number} of {victim:?}: {said}"
        );
        assert!(
            browser_folders_of(pid).is_empty(),
            "kill {number} of {victim:?} left {:?}",
            browser_folders_of(pid)
        );
    }
}
