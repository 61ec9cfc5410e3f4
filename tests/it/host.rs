//! The machine itself, against what `df`, `free`, `vmstat` and `pgrep` say of it.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Folder, Running, run_all, text};

struct Run {
    code: Option<i32>,
    said: String,
    record: Value,
}

impl Run {
    fn measured(&self, name: &str) -> Option<f64> {
        self.record["outcome"]["measurements"][name]["value"].as_f64()
    }

    fn near(&self, name: &str, wanted: f64, tolerance: f64) {
        let measured = self
            .measured(name)
            .unwrap_or_else(|| panic!("no {name}: {:#}", self.record));
        let distance = (measured - wanted).abs();
        assert!(
            distance <= tolerance,
            "{name} is {measured}, wanted {wanted} ± {tolerance}"
        );
    }
}

fn run(lines: &str) -> Run {
    let folder = Folder::new();
    folder.write("checks/a.yaml", &format!("every: 1m\ntimeout: 5s\n{lines}\n"));
    let (code, said, report) = run_all(&folder);
    Run {
        code,
        said,
        record: report["runs"][0]["run"].clone(),
    }
}

fn said_by(program: &str, args: &[&str]) -> String {
    let answer = Command::new(program).args(args).env("LC_ALL", "C").output();
    text(
        &answer
            .unwrap_or_else(|_| panic!("{program} is not installed"))
            .stdout,
    )
}

/// The numbers of a line of `free`.
fn free(line: &str) -> Vec<f64> {
    let table = said_by("free", &["-k"]);
    let row = table
        .lines()
        .find(|row| row.starts_with(line))
        .unwrap()
        .to_owned();
    row.split_whitespace()
        .skip(1)
        .map(|word| word.parse().unwrap())
        .collect()
}

#[test]
fn disks_are_as_full_as_df_says() {
    let ran = run("host: {}");
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let percent = |args: &[&str]| -> f64 {
        let table = said_by("df", args);
        table
            .lines()
            .nth(1)
            .unwrap()
            .trim()
            .trim_end_matches('%')
            .parse()
            .unwrap()
    };
    // `df` rounds up, and others write while we look.
    ran.near("disk_used./", percent(&["--output=pcent", "/"]) - 0.5, 1.5);
    ran.near("inodes_used./", percent(&["--output=ipcent", "/"]) - 0.5, 1.5);
    assert_eq!(ran.measured("disk_full_in./"), None, "one sample is no trend");
}

#[test]
fn memory_is_as_free_says() {
    let ran = run("host: {}");
    let memory = free("Mem:");
    ran.near("memory_used", (memory[0] - memory[5]) * 100.0 / memory[0], 8.0);
    let swap = free("Swap:");
    let used = if swap[0] > 0.0 {
        swap[1] * 100.0 / swap[0]
    } else {
        0.0
    };
    ran.near("swap_used", used, 8.0);
}

#[test]
fn load_queue_and_files_are_as_the_system_says() {
    let ran = run("host: {}");
    let cores: f64 = said_by("nproc", &["--all"]).trim().parse().unwrap();
    let average = said_by("cat", &["/proc/loadavg"]);
    let load: f64 = average.split(' ').next().unwrap().parse().unwrap();
    ran.near("load_per_core", load / cores, 1.0);
    // They change all the time; the unit tests have the exact arithmetic.
    let table = said_by("vmstat", &[]);
    let columns: Vec<f64> = table
        .lines()
        .nth(2)
        .unwrap()
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    ran.near("run_queue", columns[0], 60.0);
    ran.near("blocked", columns[1], 30.0);
    let files: Vec<f64> = said_by("cat", &["/proc/sys/fs/file-nr"])
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    ran.near("open_files_used", files[0] * 100.0 / files[2], 1.0);
}

struct Sleepers(Vec<Child>);

impl Sleepers {
    fn start(count: usize, mark: &str) -> Self {
        let start = || {
            let mut sleep = Command::new("sleep");
            sleep.arg(mark).stdin(Stdio::null()).spawn().unwrap()
        };
        Self(std::iter::repeat_with(start).take(count).collect())
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for process in &mut self.0 {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[test]
fn processes_are_counted_as_pgrep_counts_them() {
    let mark = format!("{}.25", 40_000 + std::process::id() % 10_000);
    let _sleepers = Sleepers::start(3, &mark);
    let lines = |bounds: &str| {
        format!(
            "host: {{ disk: [], processes: {{ sleepers: {{ command: \"^sleep {mark}$\" }}, none: {{ command: \"^no-such-{mark}\" }}, sleep: {{}} }} }}\nthresholds: {{ {bounds} }}"
        )
    };
    let ran = run(&lines(
        "processes.sleepers: { warning: outside 2..10, critical: below 1 }",
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(ran.measured("processes.sleepers"), Some(3.0));
    let counted: f64 = said_by("pgrep", &["-cf", &format!("^sleep {mark}$")])
        .trim()
        .parse()
        .unwrap();
    assert_eq!(ran.measured("processes.sleepers"), Some(counted));
    assert_eq!(ran.measured("processes.none"), Some(0.0));
    assert!(ran.measured("processes.sleep").unwrap() >= 3.0);
    let ran = run(&lines("processes.none: { critical: below 1 }"));
    assert!(
        ran.code == Some(2) && ran.said.contains("processes.none is 0, below 1"),
        "{}",
        ran.said
    );
    let ran = run(&lines("processes.sleepers: { critical: above 2 }"));
    assert!(
        ran.code == Some(2) && ran.said.contains("processes.sleepers is 3, above 2"),
        "{}",
        ran.said
    );
}

#[test]
fn what_is_not_mounted_is_unknown_and_hides_nothing_else() {
    let says = |disk: &str, part: &str| {
        let ran = run(&format!(
            "host: {{ disk: [/, {disk}] }}\nthresholds: {{ disk_used: {{ critical: above 100% }} }}"
        ));
        assert!(
            ran.code == Some(3) && ran.said.contains(part),
            "{:?}: {}",
            ran.code,
            ran.said
        );
        assert!(ran.measured("disk_used./").is_some(), "{:#}", ran.record);
    };
    says("/no/such/disk", "`/no/such/disk` does not exist");
    says(
        "/usr/bin",
        "nothing is mounted at `/usr/bin`: it lies on the disk of `/",
    );
    says("/proc", "`/proc` is no disk: it has no size");
    let ran = run("host: { disk: /no/such/disk }\nthresholds: { memory_used: { critical: above 0.001% } }");
    assert!(
        ran.code == Some(2) && ran.said.contains("memory_used is "),
        "{}",
        ran.said
    );
}

#[test]
fn thresholds_cover_every_disk() {
    let ran = run("host: {}\nthresholds: { disk_used: { critical: above 0.001% } }");
    assert!(
        ran.code == Some(2) && ran.said.contains("disk_used./ is "),
        "{}",
        ran.said
    );
    // What needs some samples first is not judged yet.
    let ran = run("host: {}\nthresholds: { disk_full_in: { critical: below 12h } }");
    assert!(ran.code == Some(0), "{}", ran.said);
}

#[tokio::test]
async fn a_restart_forgets_no_trend() {
    let folder = Folder::new();
    folder.write("checks/a.yaml", "every: 100ms\ntimeout: 5s\nhost: {}\n");
    let running = Running::start(&folder).await;
    let path = "/api/v1/results?check=a&limit=10";
    running
        .wait(path, "a run", |answer| {
            !answer["results"].as_array().unwrap().is_empty()
        })
        .await;
    running.stop().await;
    // What three hours would have left behind: one point an hour.
    let database = folder.path().join("data/haetae.db");
    let script = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60),
        first(used, at) AS (
          SELECT json_extract(measured, '$.\"disk_used./\".value'), started_us FROM results ORDER BY id LIMIT 1)
        INSERT INTO results (check_id, run_id, started_us, took_us, level, headline, attempts, measured)
        SELECT 'a', 'old' || i, at - i * 180 * 1000000, 1000, 'ok', '', 1,
          json_object('disk_used./', json_object('value', used - i / 20.0, 'unit', 'percent')) FROM n, first";
    sqlite(&database, script).await;
    let running = Running::start(&folder).await;
    let answer = running
        .wait(path, "a trend", |answer| {
            answer["results"][0]["measured"]["disk_full_in./"]["value"].is_f64()
        })
        .await;
    let measured = |name: &str| answer["results"][0]["measured"][name]["value"].as_f64().unwrap();
    let hours = measured("disk_full_in./") / 3_600_000.0;
    let left = 100.0 - measured("disk_used./");
    assert!(
        (hours / left - 1.0).abs() < 0.2,
        "{hours} h for {left} points: {answer:#}"
    );
    running.stop().await;
}

async fn sqlite(database: &std::path::Path, script: &'static str) {
    use sqlx::Connection;
    let url = format!("sqlite://{}", database.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::SqlStr::from_static(script))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}
