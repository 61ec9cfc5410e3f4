//! What haetae's scheduling and judging cost beside a bare HTTP client doing the same
//! requests: 1,000 checks every 10 s against a local server, in one run.
//!
//! Prints lateness, missed runs and CPU per check. `cargo bench --bench schedule` takes about
//! a minute; `-- --seconds 10 --checks 100` is a short one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use haetae::app::{App, AppOptions};
use haetae::clock::wall_now;
use haetae::config::{LoadOptions, load};
use haetae::decode::SecretMode;
use haetae::model::{Check, CheckId, Confirmation, Priority, Retry, Schedule, SharedRedactor, Timestamp};
use haetae::schedule::{Plan, RunnerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

const INTERVAL: Duration = Duration::from_secs(10);

fn argument(name: &str, default: u64) -> u64 {
    let mut args = std::env::args();
    args.find(|arg| arg == name)
        .and_then(|_| args.next()?.parse().ok())
        .unwrap_or(default)
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The same program serves, measures bare and measures haetae, each in a process of its
    // own, so that the CPU of one is not counted for another.
    let role = std::env::var("HAETAE_BENCH_ROLE").unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (checks, seconds) = (argument("--checks", 1_000), argument("--seconds", 30));
    match role.as_str() {
        "server" => runtime.block_on(server()),
        "bare" => runtime.block_on(bare(checks, seconds)),
        "haetae" => runtime.block_on(haetae(checks, seconds)),
        _ => runtime.block_on(parent(checks, seconds)),
    }
}

async fn parent(checks: u64, seconds: u64) {
    let program = std::env::current_exe().expect("our own path");
    let start = |role: &str, server: &str| {
        let mut command = Command::new(&program);
        command
            .args(std::env::args().skip(1))
            .env("HAETAE_BENCH_ROLE", role)
            .env("HAETAE_BENCH_SERVER", server)
            .kill_on_drop(true);
        command
    };
    let mut server = start("server", "")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    let stdout = server.stdout.take().expect("the server's output");
    tokio::io::AsyncBufReadExt::read_line(&mut tokio::io::BufReader::new(stdout), &mut line)
        .await
        .expect("the server's address");
    plan();
    println!("{checks} HTTP checks every {INTERVAL:?}, a fresh connection each, for {seconds}s");
    for role in ["bare", "haetae"] {
        let status = start(role, line.trim())
            .status()
            .await
            .expect("the measurement runs");
        assert!(status.success());
    }
}

/// The plan alone, for a hundred thousand checks: taking in, and one whole interval.
fn plan() {
    const CHECKS: u32 = 100_000;
    let check = |n: u32| Check {
        id: CheckId::parse(&format!("c{n}")).expect("an id"),
        name: String::new(),
        description: None,
        owner: None,
        runbook: None,
        tags: Vec::new(),
        kind: "http",
        schedule: Schedule::Every(Duration::from_mins(1)),
        timeout: Duration::from_secs(1),
        attempt_timeout: Duration::from_secs(1),
        retry: Retry::default(),
        thresholds: Vec::new(),
        confirmation: Confirmation::default(),
        depends_on: Vec::new(),
        target: String::new(),
        priority: Priority::Normal,
        enabled: true,
        fingerprint: 0,
        place: String::new(),
    };
    let checks: Vec<Arc<Check>> = (0..CHECKS).map(|n| Arc::new(check(n))).collect();
    let mut plan = Plan::default();
    let zero = Timestamp::from_unix_ms(0);
    let start = Instant::now();
    for check in checks {
        plan.put(check, zero);
    }
    let put = start.elapsed() / CHECKS;
    let (start, mut popped) = (Instant::now(), 0);
    while let Some(due) = plan
        .next_due()
        .filter(|due| *due <= Timestamp::from_unix_ms(60_000))
    {
        popped += u32::from(plan.pop_due(due).is_some());
    }
    println!(
        "plan of {CHECKS} checks: {put:?} to take one in, {:?} per due time",
        start.elapsed() / popped.max(1)
    );
}

/// Answers `ok` to everything.
async fn server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut asked = [0; 2048];
            let _ = stream.read(&mut asked).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{\"status\":\"UP\"}")
                .await;
        });
    }
}

fn target() -> SocketAddr {
    std::env::var("HAETAE_BENCH_SERVER")
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("the server's address")
}

/// CPU time of this process so far, user and system, from `/proc/self/stat` (clock ticks of
/// 10 ms).
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = |n: usize| {
        fields
            .split(' ')
            .nth(n)
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    (ticks(11) + ticks(12)) * 10
}

/// The same requests by the same client library, without anything around them.
async fn bare(checks: u64, seconds: u64) {
    let client = Arc::new(
        reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client"),
    );
    let url: Arc<str> = format!("http://{}/", target()).into();
    let (start, cpu) = (Instant::now(), cpu_ms());
    let done = Arc::new(AtomicU64::new(0));
    let spacing = INTERVAL / u32::try_from(checks).unwrap_or(1);
    let mut n: u32 = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        sleep_until(start + spacing * n).await;
        n += 1;
        let (client, url, done) = (Arc::clone(&client), Arc::clone(&url), Arc::clone(&done));
        tokio::spawn(async move {
            if let Ok(answer) = client.get(&*url).send().await {
                let _ = answer.bytes().await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    report("bare loop", done.load(Ordering::Relaxed), cpu_ms() - cpu);
}

fn report(who: &str, runs: u64, cpu_ms: u64) {
    println!(
        "{who:10} {runs:6} runs, {cpu_ms:6} ms CPU, {:.3} ms CPU per check",
        cpu_ms as f64 / runs.max(1) as f64
    );
}

/// The whole walk: plan, run, judge, step, store in SQLite.
async fn haetae(checks: u64, seconds: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("checks")).expect("a folder");
    let list: String = (0..checks)
        .map(|n| format!("  - {{ id: c{n}, http: {{ url: \"http://{}/\" }} }}\n", target()))
        .collect();
    let file = format!(
        "defaults:\n  every: 10s\n  timeout: 5s\n  expect: {{ status: 200, json: {{ $.status: UP }} }}\n  thresholds: {{ response_time: {{ warning: above 300ms, critical: above 1s }} }}\nchecks:\n{list}"
    );
    std::fs::write(folder.path().join("checks/all.yaml"), file).expect("a file");
    let options = AppOptions {
        load: LoadOptions {
            root: folder.path().to_owned(),
            vars: Vec::new(),
            secrets: SecretMode::Ask,
            now: wall_now(),
        },
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        store_url: "sqlite://data/haetae.db".into(),
        redactor: SharedRedactor::default(),
        runner: RunnerOptions::default(),
        watch_files: false,
        access: haetae::app::AccessRules::default(),
    };
    let project = load(&options.load);
    assert!(project.is_sound(), "{:?}", project.problems);
    let app = App::start(project, options).await.expect("haetae starts");
    let (address, store) = (app.address(), Arc::clone(app.store()));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(app.run(async {
        let _ = stopped.await;
    }));
    // The first second is start-up.
    sleep(Duration::from_secs(1)).await;
    let (before, cpu) = (metrics(address).await, cpu_ms());
    sleep(Duration::from_secs(seconds)).await;
    let (after, cpu) = (metrics(address).await, cpu_ms() - cpu);
    let runs = value(&after, "haetae_runs_total") - value(&before, "haetae_runs_total");
    report("haetae", runs as u64, cpu);
    let due = checks as f64 * seconds as f64 / INTERVAL.as_secs_f64();
    println!(
        "{:10} due {due:.0}, missed {}",
        "",
        value(&after, "haetae_runs_late_total")
    );
    for bound in ["0.001", "0.005", "0.01", "0.025", "0.05", "0.1"] {
        let name = format!("haetae_run_lateness_seconds_bucket{{le=\"{bound}\"}}");
        let share = value(&after, &name) / value(&after, "haetae_run_lateness_seconds_count") * 100.0;
        println!("{:10} started within {bound:>5} s: {share:6.2} %", "");
    }
    let id = haetae::model::CheckId::parse("all/c0").expect("an id");
    let kept = store.results(&id, 1_000).await.expect("the store answers").len();
    println!("{:10} runs of one check in the store: {kept}", "");
    let _ = stop.send(());
    let _ = running.await;
}

async fn metrics(address: SocketAddr) -> String {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client
        .get(format!("http://{address}/metrics"))
        .send()
        .await
        .expect("metrics");
    answer.text().await.expect("metrics")
}

fn value(metrics: &str, name: &str) -> f64 {
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        .unwrap_or(0.0)
}
