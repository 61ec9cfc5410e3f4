//! `kill -9` at any moment: nothing is lost, nothing is told twice.

use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Folder, PATIENCE, Site, program};

struct Killed(Child);

impl Killed {
    fn start(folder: &Folder) -> Self {
        let child = program(folder.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn kill(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_steps_the_incident_is_told_and_at_most_once_more_per_crash() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    site.control("partner=dead").await;
    let crashes = 8;
    for n in 0..crashes {
        let served = Killed::start(&folder);
        // Between the first look and well after the message: each crash at another moment.
        tokio::time::sleep(Duration::from_millis(150 + 90 * n)).await;
        served.kill();
    }
    let served = Killed::start(&folder);
    let messages = site.wait_for_messages("slack", 1).await;
    assert!(messages.len() <= 1 + usize::try_from(crashes).unwrap());
    site.control("partner=ok").await;
    let until = tokio::time::Instant::now() + PATIENCE;
    let ended = loop {
        let texts = site.headlines("slack").await;
        if texts.iter().any(|text| text.contains("RESOLVED")) {
            break texts;
        }
        assert!(
            tokio::time::Instant::now() < until,
            "the end was never told: {texts:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    served.kill();
    let opened = ended.iter().filter(|text| text.starts_with("CRITICAL: ")).count();
    // At most one repeat per crash; usually none.
    assert!(
        (1..=1 + usize::try_from(crashes).unwrap()).contains(&opened),
        "{ended:?}"
    );
    assert!(
        ended[0].starts_with("CRITICAL: "),
        "no end before the beginning: {ended:?}"
    );
    let rest = ended.iter().filter(|text| !text.starts_with("CRITICAL: "));
    assert!(
        rest.clone().count() == 1 && rest.clone().all(|text| text.contains("RESOLVED")),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_under_way_at_the_crash_comes_again_under_the_same_key() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    site.control("partner=dead").await;
    // The receiver takes five seconds, so that the crash comes in the middle.
    site.control("slack=slow").await;
    let served = Killed::start(&folder);
    site.wait_for_messages("slack", 1).await;
    served.kill();
    site.control("slack=ok").await;
    let served = Killed::start(&folder);
    site.wait_for_messages("slack", 2).await;
    served.kill();
    let store = haetae::store::SqliteStore::open(&folder.path().join("data/haetae.db"))
        .await
        .unwrap();
    let rows = haetae::store::Store::deliveries(&store, None, 10).await.unwrap();
    assert_eq!(rows.len(), 1, "one delivery, sent again: {rows:?}");
    assert_eq!(site.inbox("slack").await.len(), 2);
}

/// Slack fails in every way there is, and haetae is killed in the middle.
async fn outage(fault: &str) {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    folder.write(
        "checks/infra/second.yaml",
        &format!(
            "every: 150ms\ntimeout: 2s\nhttp: {{ url: {}/ }}\nexpect: {{ status: 418, level: warning }}\n",
            site.shop()
        ),
    );
    site.control(&format!("slack={fault}")).await;
    site.control("partner=dead").await;
    let served = Killed::start(&folder);
    // What is wrong with one channel delays no other.
    site.wait_for_messages("dooray", 1).await;
    let refused = site.wait_for_messages("slack", 1).await.len();
    served.kill();
    let served = Killed::start(&folder);
    site.wait_for_messages("slack", refused + 1).await;
    site.control("partner=ok").await;
    site.wait_for_messages("slack", refused + 2).await;
    site.control("slack=ok").await;
    let until = tokio::time::Instant::now() + PATIENCE;
    let taken = loop {
        let taken: Vec<String> = site
            .inbox("slack")
            .await
            .iter()
            .filter(|message| message["accepted"] == true)
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect();
        let ends = taken
            .iter()
            .filter(|text| text.contains("RESOLVED") || text.contains("resolved"));
        if ends.count() >= 1 && taken.len() >= 2 {
            break taken;
        }
        assert!(tokio::time::Instant::now() < until, "{taken:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    served.kill();
    let of = |word: &str| taken.iter().position(|text| text.contains(word));
    assert!(
        of("CRITICAL") < of("RESOLVED").or(of("resolved")),
        "in order: {taken:#?}"
    );
    let began = taken
        .iter()
        .filter(|text| text.contains("CRITICAL") && text.contains("Payment gateway"));
    assert!(
        (1..=2).contains(&began.count()),
        "at most once more per crash: {taken:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_slack_with_a_crash_in_it_loses_nothing_and_keeps_the_order() {
    outage("failing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_that_limits_us_gets_everything_later_in_order() {
    outage("limited").await;
}
