//! The main walk: each level goes its own way, once.

use serde_json::Value;

use crate::support::{Folder, Running, Site};

/// Deliveries to a channel, the newest first; null when there are none.
fn deliveries_to(answer: &Value, channel: &str) -> Value {
    let all = answer["deliveries"].as_array().unwrap();
    all.iter()
        .filter(|delivery| delivery["channel"] == channel)
        .cloned()
        .collect()
}

async fn level(running: &Running, level: &str) {
    running
        .wait("/api/v1/checks/partners/payment", level, |check| {
            check["status"]["level"] == level && check["status"]["last_level"] == level
        })
        .await;
}

#[tokio::test]
async fn a_slow_partner_warns_dooray_and_a_dead_one_alarms_slack_and_each_is_told_the_end() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    let running = Running::start(&folder).await;
    level(&running, "ok").await;

    site.control("partner=slow").await;
    let dooray = site.wait_for_messages("dooray", 1).await;
    assert!(
        dooray[0]["text"]
            .as_str()
            .unwrap()
            .contains("WARNING: Payment gateway")
    );
    assert!(site.inbox("slack").await.is_empty());

    site.control("partner=dead").await;
    let slack = site.wait_for_messages("slack", 1).await;
    let text = slack[0]["text"].as_str().unwrap();
    assert!(
        text.contains("CRITICAL (was warning): Payment gateway") && text.contains("connection refused"),
        "{text}"
    );

    site.control("partner=ok").await;
    site.wait_for_messages("slack", 2).await;
    site.wait_for_messages("dooray", 2).await;
    level(&running, "ok").await;
    running.stop().await;

    for service in ["slack", "dooray"] {
        let messages = site.inbox(service).await;
        assert_eq!(messages.len(), 2, "{service}: {messages:#?}");
        assert!(
            messages
                .iter()
                .all(|message| message["accepted"] == true && message["warnings"] == serde_json::json!([]))
        );
        assert!(messages[1]["text"].as_str().unwrap().contains("RESOLVED after"));
    }
}

#[tokio::test]
async fn a_critical_that_was_never_a_warning_resolves_in_slack_alone() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    site.wait_for_messages("slack", 1).await;
    site.control("partner=ok").await;
    site.wait_for_messages("slack", 2).await;
    running.stop().await;
    assert!(site.inbox("dooray").await.is_empty());
}

#[tokio::test]
async fn a_restart_says_nothing_by_itself_and_forgets_nothing() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    site.control("partner=dead").await;
    for _ in 0..3 {
        let running = Running::start(&folder).await;
        site.wait_for_messages("slack", 1).await;
        level(&running, "critical").await;
        running.stop().await;
    }
    assert_eq!(site.inbox("slack").await.len(), 1);
    site.control("partner=ok").await;
    let running = Running::start(&folder).await;
    site.wait_for_messages("slack", 2).await;
    level(&running, "ok").await;
    running.stop().await;
    assert_eq!(site.inbox("slack").await.len(), 2);
}

#[tokio::test]
async fn a_channel_that_refuses_for_a_while_gets_the_message_later_and_delays_no_other() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    site.control("slack=limited").await;
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    let refused = site.wait_for_messages("slack", 1).await;
    assert_eq!(refused[0]["status"], 429);
    site.control("slack=ok").await;
    let messages = site.wait_for_messages("slack", 2).await;
    assert_eq!(messages.last().unwrap()["accepted"], true);
    running
        .wait("/api/v1/deliveries", "the delivery to be settled", |answer| {
            answer["deliveries"][0]["status"] == "sent"
                && answer["deliveries"][0]["attempts"].as_u64() > Some(1)
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn a_permanent_refusal_is_given_up_at_once_and_its_end_is_not_told() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    site.control("slack=refusing").await;
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    running
        .wait("/api/v1/deliveries", "the delivery to be dead", |answer| {
            let oncall = deliveries_to(answer, "oncall");
            oncall[0]["status"] == "dead" && oncall[0]["attempts"] == 1
        })
        .await;
    // What is wrong with a channel is told elsewhere.
    let dooray = site.wait_for_messages("dooray", 1).await;
    let text = dooray[0]["text"].as_str().unwrap();
    assert!(
        text.contains("CRITICAL: Channel oncall") && text.contains("refused a message for good"),
        "{text}"
    );
    site.control("slack=ok").await;
    site.control("partner=ok").await;
    running
        .wait("/api/v1/deliveries", "the resolve to be dropped", |answer| {
            deliveries_to(answer, "oncall")[0]["status"] == "dropped"
        })
        .await;
    running.stop().await;
    assert!(
        site.inbox("slack")
            .await
            .iter()
            .all(|message| message["accepted"] == false)
    );
}

#[tokio::test]
async fn incidents_that_open_together_are_one_message() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site);
    let checks: String = (0..5)
        .map(|n| format!("  - {{ id: c{n}, http: {{ url: {}/health }} }}\n", site.partner()))
        .collect();
    let alerts = std::fs::read_to_string(folder.path().join("alerts/a.yaml")).unwrap();
    folder.write(
        "alerts/a.yaml",
        &alerts.replace("to: [oncall], group_wait: 50ms", "to: [oncall], group_wait: 2s"),
    );
    folder.write(
        "checks/partners.yaml",
        &format!("defaults: {{ every: 200ms, timeout: 1s }}\nchecks:\n{checks}"),
    );
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    let messages = site.wait_for_messages("slack", 1).await;
    assert!(
        messages[0]["text"]
            .as_str()
            .unwrap()
            .contains("5 changes: 5 critical"),
        "{}",
        messages[0]["text"]
    );
    running.stop().await;
    assert_eq!(site.inbox("slack").await.len(), 1);
}

#[tokio::test]
async fn a_slow_channel_delays_no_other() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    let alerts = std::fs::read_to_string(folder.path().join("alerts/a.yaml")).unwrap();
    folder.write(
        "alerts/a.yaml",
        &alerts.replace("to: [oncall], group_wait", "to: [oncall, watch], group_wait"),
    );
    // Slack takes five seconds for each message.
    site.control("slack=slow").await;
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    let answer = running
        .wait("/api/v1/deliveries", "Dooray to be told", |answer| {
            answer["deliveries"]
                .as_array()
                .unwrap()
                .iter()
                .any(|delivery| delivery["channel"] == "watch" && delivery["status"] == "sent")
        })
        .await;
    let slack = answer["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .find(|delivery| delivery["channel"] == "oncall")
        .unwrap();
    assert_ne!(slack["status"], "sent");
    running.stop().await;
}
