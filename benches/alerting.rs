//! From a confirmed failure to the mail server having taken the message, with 1,000 checks
//! running every 10 s: 60 services, each with a route group of its own, fail one by one.
//!
//! `cargo bench --bench alerting` takes about two minutes and prints the distribution.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haetae::app::{App, AppOptions};
use haetae::clock::wall_now;
use haetae::config::{LoadOptions, load};
use haetae::decode::SecretMode;
use haetae::model::{SharedRedactor, Timestamp};
use haetae::schedule::RunnerOptions;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::sleep;

const CHECKS: usize = 1_000;
const FAILURES: usize = 60;

type Failing = Arc<Mutex<HashSet<String>>>;

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure());
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// Answers 500 for the paths that fail, and 200 for all others.
async fn serve(listener: TcpListener, failing: Failing) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let failing = Arc::clone(&failing);
        tokio::spawn(async move {
            let mut asked = [0; 2048];
            let count = stream.read(&mut asked).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&asked[..count]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default();
            let fails = failing.lock().expect("no panic").contains(path);
            let status = if fails { "500 Oh no" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        });
    }
}

/// A mail server on this machine that takes everything.
async fn take_mail(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(talk(stream));
    }
}

async fn talk(stream: TcpStream) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail\r\n").await?;
    let mut is_data = false;
    while let Some(line) = lines.next_line().await? {
        if is_data && line != "." {
            continue;
        }
        let is_end = is_data;
        is_data = !is_end && line == "DATA";
        let answer: &[u8] = match (is_data, line.as_str()) {
            (true, _) => b"354 go on\r\n",
            (false, "QUIT") => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        writer.write_all(answer).await?;
    }
    Ok(())
}

async fn measure() {
    let failing: Failing = Arc::default();
    let (listener, target) = listen().await;
    tokio::spawn(serve(listener, Arc::clone(&failing)));
    let (listener, mail) = listen().await;
    tokio::spawn(take_mail(listener));
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["checks", "alerts"] {
        std::fs::create_dir_all(folder.path().join(name)).expect("a folder");
    }
    let checks: String = (0..CHECKS)
        .map(|n| format!("  - {{ id: c{n}, http: {{ url: \"http://{target}/c{n}\" }} }}\n"))
        .collect();
    let checks = format!("defaults: {{ every: 10s, timeout: 5s, recheck_every: 1s }}\nchecks:\n{checks}");
    std::fs::write(folder.path().join("checks/all.yaml"), checks).expect("a file");
    let alerts = format!(
        "storm: off\nchannels:\n  list: {{ email: {{ to: ops@example.com, from: haetae@example.com, smtp: \"smtp://{mail}\" }} }}\nroutes:\n  - {{ name: all, to: [list], group_by: check }}\n"
    );
    std::fs::write(folder.path().join("alerts/a.yaml"), alerts).expect("a file");
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
    let store = Arc::clone(app.store());
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(app.run(async {
        let _ = stopped.await;
    }));
    sleep(Duration::from_secs(12)).await;
    for n in 0..FAILURES {
        failing.lock().expect("no panic").insert(format!("/c{}", n * 16));
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(16)).await;
    let mut waits_ms: Vec<u128> = Vec::new();
    for row in store.deliveries(None, 1_000).await.expect("the store answers") {
        let incident = store
            .incident(&row.incidents[0])
            .await
            .expect("the store answers");
        let confirmed: Option<Timestamp> = incident.map(|incident| incident.opened);
        if let (Some(confirmed), Some(taken)) = (confirmed, row.settled) {
            waits_ms.push(taken.since(confirmed).as_millis());
        }
    }
    waits_ms.sort_unstable();
    let at = |share: usize| waits_ms.get((waits_ms.len() * share / 100).min(waits_ms.len() - 1));
    println!(
        "{} of {FAILURES} failures mailed; from confirmed to taken: p50 {:?} ms, p99 {:?} ms, slowest {:?} ms",
        waits_ms.len(),
        at(50).expect("mails were sent"),
        at(99).expect("mails were sent"),
        waits_ms.last().expect("mails were sent"),
    );
    let _ = stop.send(());
    let _ = running.await;
}
