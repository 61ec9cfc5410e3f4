//! The demo shop's log-in in six steps: haetae beside Playwright and selenium-webdriver, on the
//! same browser binary, evidence on. CPU of the browser and of the client, and wall time.
//!
//! `make bench-browser` installs the two others and takes about four minutes.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use haetae::app::services_with_evidence;
use haetae::check::{Runnable, Services};
use haetae::clock::wall_now;
use haetae::config::{LoadOptions, load};
use haetae::decode::SecretMode;
use haetae::model::SharedRedactor;
use haetae::schedule::{Job, run_once};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

const WARM_UP: usize = 3;
const PASSWORD: &str = "let-me-in-to-the-demo";
const SHELL: &str = "/usr/lib/chromium/chromium-headless-shell";

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let runs = std::env::var("RUNS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(40);
    // A process of its own: what the shop costs is nobody's.
    let (site, partner) = (free_port().await, free_port().await);
    let demo = Command::new(env!("CARGO_BIN_EXE_haetae"))
        .args(["demo", "--listen", &site, "--partner-listen", &partner])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a demo");
    let _demo = Ending(demo);
    let shop = format!("http://{site}");
    while tokio::net::TcpStream::connect(&site).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!(
        "{:<44} {:>9} {:>9} {:>9} {:>9}",
        "tool, browser, runs at once", "CPU s/run", "browser", "client", "runs/min"
    );
    for at_once in [1, 2, 4] {
        print_row(&haetae(&shop, runs, at_once, "").await);
        print_row(&other(&shop, runs, at_once, &["playwright"]));
    }
    print_row(&haetae(&shop, runs, 1, "isolation: browser, ").await);
    print_row(&other(&shop, runs, 1, &["playwright", "--typing", "keys"]));
    print_row(&other(&shop, runs, 1, &["selenium"]));
    print_row(&haetae(&shop, runs / 2, 1, "program: /usr/bin/chromium, ").await);
    print_row(&other(
        &shop,
        runs / 2,
        1,
        &["playwright", "--browser", "/usr/bin/chromium"],
    ));
    print_row(&other(
        &shop,
        runs / 2,
        1,
        &["selenium", "--browser", "/usr/bin/chromium"],
    ));
}

async fn free_port() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// Ends with the bench.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn print_row(row: &Value) {
    let Some(runs_per_min) = row["runs_per_min"].as_f64() else {
        println!("{row}");
        return;
    };
    let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
    let (browser, client) = (number("cpu_s_per_run_browser"), number("cpu_s_per_run_client"));
    println!(
        "{:<44} {:>9.3} {browser:>9.3} {client:>9.3} {runs_per_min:>9.0}",
        row["name"].as_str().unwrap_or_default(),
        browser + client,
    );
}

async fn haetae(shop: &str, runs: usize, at_once: usize, browsers: &str) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("password.txt", PASSWORD);
    write(
        "haetae.yaml",
        &format!("browsers: {{ {browsers}at_once: {at_once} }}\n"),
    );
    write(
        "checks/login.yaml",
        &format!(
            "every: 1m\ntimeout: 60s\nbrowser: {{ url: \"{shop}\" }}\nsteps:\n\
             - open: /shop/login\n\
             - type: {{ into: E-mail, text: qa-bot }}\n\
             - type: {{ into: Password, text: \"${{file:password.txt}}\" }}\n\
             - click: Log in\n\
             - see: Hello, qa-bot\n\
             - click: Log out\n\
             - see: E-mail\n"
        ),
    );
    let project = load(&LoadOptions {
        root: folder.path().to_path_buf(),
        secrets: SecretMode::Ask,
        vars: Vec::new(),
        now: wall_now(),
    });
    assert!(project.is_sound(), "the scenario cannot be read");
    let services = services_with_evidence(
        &project,
        folder.path().join("evidence"),
        &SharedRedactor::default(),
    );
    let check = project.checks.values().next().expect("a check").clone();
    all(&check, &services, WARM_UP.max(at_once), at_once).await;
    let (browser, own, began) = (tree_cpu_s(), own_cpu_s(), Instant::now());
    all(&check, &services, runs, at_once).await;
    // What is tidied up after the last run belongs to it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let wall_s = began.elapsed().as_secs_f64() - 0.2;
    let (browser, own) = (tree_cpu_s() - browser, own_cpu_s() - own);
    services.browsers.shut_down().await;
    let binary = if browsers.contains("/usr/bin/chromium") {
        "chromium"
    } else {
        "shell"
    };
    let mode = if browsers.contains("isolation") {
        ", a browser per run"
    } else {
        ""
    };
    json!({
        "name": format!("haetae, {binary}, {at_once}{mode}"),
        "runs_per_min": runs as f64 / wall_s * 60.0,
        "cpu_s_per_run_browser": browser / runs as f64,
        "cpu_s_per_run_client": own / runs as f64,
    })
}

async fn all(check: &Runnable, services: &Arc<Services>, runs: usize, at_once: usize) {
    let mut going = JoinSet::new();
    let mut started = 0;
    while started < runs || !going.is_empty() {
        while started < runs && going.len() < at_once {
            started += 1;
            let (runnable, services) = (check.clone(), Arc::clone(services));
            going.spawn(async move {
                let job = Job {
                    runnable,
                    due: wall_now(),
                };
                run_once(job, services).await
            });
        }
        let finished = going.join_next().await.expect("one goes").expect("no panic");
        assert!(
            finished.outcome.broken.is_empty() && finished.outcome.has_answer(),
            "a run failed: {:?}",
            finished.outcome
        );
    }
}

/// Another tool, through its own program.
fn other(shop: &str, runs: usize, at_once: usize, words: &[&str]) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/browser");
    if !folder.join("node_modules").is_dir() {
        return json!(format!(
            "{} is not installed: scripts/install-bench-tools.sh",
            words[0]
        ));
    }
    let has_browser = words.contains(&"--browser");
    let mut command = Command::new("node");
    command.current_dir(&folder).arg("login.mjs").args(words);
    command.args(["--runs", &runs.to_string(), "--at-once", &at_once.to_string()]);
    command.args(["--url", shop, "--user", "qa-bot", "--password", PASSWORD]);
    if !has_browser {
        command.args(["--browser", SHELL]);
    }
    let output = command.output().expect("node");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut row: Value =
        serde_json::from_str(text.trim()).unwrap_or_else(|_| json!(String::from_utf8_lossy(&output.stderr)));
    if row.is_object() {
        let typing = row["typing"].as_str().unwrap_or_default().to_owned();
        let binary = if has_browser { "chromium" } else { "shell" };
        row["name"] = json!(format!("{} ({typing}), {binary}, {at_once}", words[0]));
    }
    row
}

const TICKS_PER_S: f64 = 100.0;

/// CPU of all processes below this one, those that have ended included.
fn tree_cpu_s() -> f64 {
    let mut stats = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok());
        if let Some(id) = id {
            stats.extend(stat_of(id).map(|(parent, own, ended)| (id, parent, own + ended)));
        }
    }
    let mut below = vec![std::process::id()];
    let mut sum = 0.0;
    while let Some(parent) = below.pop() {
        for (id, _, cpu) in stats.iter().filter(|(id, of, _)| *of == parent && !is_demo(*id)) {
            sum += cpu;
            below.push(*id);
        }
    }
    // Children that have ended and were waited for by this process itself.
    sum + stat_of(std::process::id()).map_or(0.0, |(_, _, ended)| ended)
}

fn is_demo(id: u32) -> bool {
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| {
        let line = String::from_utf8_lossy(&line).into_owned();
        line.split('\0').nth(1) == Some("demo")
    })
}

fn own_cpu_s() -> f64 {
    stat_of(std::process::id()).map_or(0.0, |(_, own, _)| own)
}

/// Parent, own CPU, and that of children that have ended, in seconds.
fn stat_of(id: u32) -> Option<(u32, f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    let own = ticks(11)? + ticks(12)?;
    let ended = ticks(13)? + ticks(14)?;
    Some((
        fields.get(1)?.parse().ok()?,
        own / TICKS_PER_S,
        ended / TICKS_PER_S,
    ))
}
