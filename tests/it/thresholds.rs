//! Thresholds that know the past, through a running haetae.

use std::time::Duration;

use haetae::alert::Batch;
use haetae::clock::wall_now;
use haetae::model::{CheckId, Outcome, Quantity, RunId, RunRecord, Timestamp, Verdict};
use haetae::store::{SqliteStore, Store};

use crate::support::{Folder, Running, Site};

const WEEK: Duration = Duration::from_hours(7 * 24);

fn run(at: Timestamp, response_ms: u64, workers: f64) -> RunRecord {
    let mut outcome = Outcome::seen();
    outcome.measure(
        "response_time",
        Quantity::time(Duration::from_millis(response_ms)),
    );
    outcome.measure("workers", Quantity::count(workers));
    RunRecord {
        run: RunId::new(),
        check: CheckId::parse("partner").unwrap(),
        started: at,
        took: Duration::from_millis(response_ms),
        outcome,
        verdict: Verdict::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_says_what_is_usual_and_what_it_was() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.write(
        "checks/partner.yaml",
        &format!(
            "every: 1s
timeout: 3s
http: {{ url: {}/health }}
measure: {{ workers: {{ json: $.workers }} }}
thresholds:
  response_time: {{ warning: above 3x usual, floor: 150ms }}
  workers: {{ critical: falling 50% per 1h }}
",
            site.partner()
        ),
    );
    let store = SqliteStore::open(&folder.path().join("data/haetae.db"))
        .await
        .unwrap();
    let now = wall_now();
    let mut batch = Batch::default();
    for week in 1..=3 {
        // All of the hour and of the next, so that the test may run over its end.
        for minute in 0..120_u32 {
            let start = now - WEEK * week - Duration::from_mins(59);
            batch
                .runs
                .push(run(start + Duration::from_mins(1) * minute, 40, 8.0));
        }
    }
    batch.runs.push(run(now - Duration::from_mins(61), 40, 8.0));
    store.record(&batch, &[]).await.unwrap();
    store.close().await;

    site.control("partner=slow").await;
    let running = Running::start(&folder).await;
    let of = |answer: &serde_json::Value, level: &str| {
        let runs = answer["results"].as_array().unwrap();
        let run = runs.iter().find(|run| run["level"] == level)?;
        run["headline"].as_str().map(str::to_owned)
    };
    let results = "/api/v1/results?check=partner&limit=20";
    let answer = running
        .wait(results, "a warning", |answer| of(answer, "warning").is_some())
        .await;
    let headline = of(&answer, "warning").unwrap();
    assert!(
        headline.contains("above 3x usual (40ms is usual at this hour of the week)"),
        "{headline}"
    );
    site.control("partner=ok").await;
    site.control("workers=2").await;
    let answer = running
        .wait(results, "a critical", |answer| of(answer, "critical").is_some())
        .await;
    assert_eq!(
        of(&answer, "critical").unwrap(),
        "workers is 2, falling 50% per 1h (it was 8 1h before)"
    );
    running.stop().await;
}
