//! Channels of every kind, and what on-call people do, through the whole program.

use std::time::Duration;

use ring::hmac;
use serde_json::{Value, json};

use crate::receivers::{BOT_TOKEN, Hook, MailServer, SlackApi, until};
use crate::support::{Folder, PATIENCE, Running, Site, output, text};

const SIGNING_SECRET: &str = "a-signing-secret-of-the-test";

fn routes(to: &str) -> String {
    format!(
        "routes:\n  - {{ name: all, match: {{ level: [warning, critical, unknown] }}, to: [{to}], group_wait: 50ms }}\n"
    )
}

#[tokio::test]
async fn mails_go_by_tls_and_make_one_thread_per_incident() {
    let (site, server) = (Site::start().await, MailServer::start().await);
    let folder = Folder::new();
    folder.with_partner(&site).write("mail-ca.pem", &server.ca).write(
        "alerts/a.yaml",
        &format!(
            "channels:\n  list: {{ email: {{ to: [ops@example.com, boss@example.com], from: haetae@example.com, smtp: \"smtps://localhost:{}\", ca: mail-ca.pem }} }}\n{}",
            server.address.port(),
            routes("list")
        ),
    );
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    until("the first mail", || (!server.mails().is_empty()).then_some(())).await;
    site.control("partner=ok").await;
    until("the second mail", || (server.mails().len() >= 2).then_some(())).await;
    running.stop().await;
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].from, "haetae@example.com");
    assert_eq!(mails[0].to, ["ops@example.com", "boss@example.com"]);
    assert!(
        mails[0]
            .header("Subject")
            .starts_with("CRITICAL: Payment gateway"),
        "{}",
        mails[0].text
    );
    assert!(
        mails[1].header("Subject").starts_with("RESOLVED after"),
        "{}",
        mails[1].text
    );
    assert!(mails[0].header("References").starts_with("<incident."));
    assert_eq!(mails[0].header("References"), mails[1].header("References"));
    assert_ne!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[tokio::test]
async fn a_slack_app_keeps_one_thread_edits_its_beginning_and_listens_to_signed_buttons() {
    let (site, slack) = (Site::start().await, SlackApi::start().await);
    let folder = Folder::new();
    folder
        .with_partner(&site)
        .write("token", BOT_TOKEN)
        .write("signing", SIGNING_SECRET)
        .write(
            "alerts/a.yaml",
            &format!(
                "channels:\n  oncall: {{ slack: {{ token: \"${{file:token}}\", channel: C0ONCALL, signing_secret: \"${{file:signing}}\", api: \"http://{}/api\" }} }}\n{}",
                slack.address,
                routes("oncall")
            ),
        );
    site.control("partner=slow").await;
    let running = Running::start(&folder).await;
    let first = until("the first message", || {
        slack.of("chat.postMessage").first().cloned()
    })
    .await;
    let blocks = first.pointer("/attachments/0/blocks").unwrap().to_string();
    assert!(blocks.contains("haetae_acknowledge"), "{blocks}");
    let incident = running.json("/api/v1/incidents?state=open").await["incidents"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();

    let (status, _) = press(&running, &incident, "another secret").await;
    assert_eq!(status, 403);
    let (status, said) = press(&running, &incident, SIGNING_SECRET).await;
    assert_eq!(status, 200, "{said}");
    let acknowledged = running.json(&format!("/api/v1/incidents/{incident}")).await;
    assert_eq!(acknowledged["incident"]["acknowledged"]["by"], "kim");

    site.control("partner=dead").await;
    until("the reply", || {
        (slack.of("chat.postMessage").len() >= 2).then_some(())
    })
    .await;
    site.control("partner=ok").await;
    until("the end", || (slack.of("chat.update").len() >= 2).then_some(())).await;
    running.stop().await;
    let posted = slack.of("chat.postMessage");
    assert_eq!(posted.len(), 3, "{posted:#?}");
    for reply in &posted[1..] {
        assert_eq!(reply["thread_ts"], first["answered_ts"]);
    }
    assert_eq!(posted[1]["reply_broadcast"], true, "what got worse reaches all");
    assert_eq!(posted[2].get("reply_broadcast"), None);
    let edited = slack.of("chat.update").last().unwrap()["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(edited.starts_with("RESOLVED after"), "{edited}");
}

async fn press(running: &Running, incident: &str, secret: &str) -> (u16, String) {
    let payload = json!({
        "type": "block_actions",
        "user": { "id": "U1", "username": "kim" },
        "actions": [{ "action_id": "haetae_acknowledge", "value": incident }],
    });
    let payload: String = payload
        .to_string()
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    let body = format!("payload={payload}");
    let now = haetae::clock::wall_now().as_unix_ms() / 1_000;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{now}:{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("http://{}/slack/interactions", running.address))
        .header("x-slack-request-timestamp", now.to_string())
        .header("x-slack-signature", format!("v0={hex}"))
        .body(body)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits for a message in Slack whose first line holds this.
async fn headline_with(site: &Site, words: &str) -> String {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let all = site.headlines("slack").await;
        if let Some(found) = all.iter().find(|text| text.contains(words)) {
            return found.clone();
        }
        assert!(
            tokio::time::Instant::now() < end,
            "`{words}` did not come: {all:#?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn five_hundred_failures_of_one_partner_are_a_few_messages_and_one_end() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site);
    let checks: String = (0..500)
        .map(|n| format!("  - {{ id: c{n}, http: {{ url: {}/health }} }}\n", site.partner()))
        .collect();
    folder.write(
        "checks/partners/bank.yaml",
        &format!("defaults: {{ every: 4s, timeout: 2s }}\nchecks:\n{checks}"),
    );
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    let open = |count: usize| {
        move |answer: &Value| {
            answer["incidents"]
                .as_array()
                .is_some_and(|all| all.len() == count)
        }
    };
    running
        .wait(
            "/api/v1/incidents?state=open&limit=1000",
            "500 incidents",
            open(500),
        )
        .await;
    let storm = headline_with(&site, "STORM").await;
    assert!(storm.contains("connection refused"), "{storm}");
    site.control("partner=ok").await;
    running
        .wait(
            "/api/v1/incidents?state=open&limit=1000",
            "the end of all",
            open(0),
        )
        .await;
    headline_with(&site, "STORM OVER").await;
    running.stop().await;
    let over = site.headlines("slack").await;
    assert!(
        over.len() <= 3,
        "at most some by themselves, the storm, its end: {over:#?}"
    );
    let ends = over
        .iter()
        .filter(|text| text.contains("OVER") || text.contains("RESOLVED"));
    assert_eq!(ends.count(), 1, "{over:#?}");
    assert!(over.last().unwrap().contains("500 resolved"), "{over:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_call_people_work_from_a_terminal() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    let running = Running::start(&folder).await;
    let server = format!("http://{}", running.address);
    let haetae = |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(["--server", &server]);
        let answer = output(folder.path(), &all);
        let said = text(&answer.stdout) + &text(&answer.stderr);
        (answer.status.code().unwrap(), said)
    };
    let (code, said) = haetae(&["incidents"]);
    assert_eq!((code, said.trim()), (0, "nothing is wrong"));
    let (code, said) = haetae(&[
        "silence",
        "add",
        "--check",
        "partners/**",
        "--for",
        "1h",
        "--reason",
        "moving house",
        "--by",
        "kim",
    ]);
    assert_eq!(code, 0, "{said}");
    let silence = said.split_whitespace().nth(1).unwrap().to_owned();
    site.control("partner=dead").await;
    running
        .wait("/api/v1/incidents?state=open", "an incident", |answer| {
            answer["incidents"][0]["held"]["why"] == "silence"
        })
        .await;
    let (_, said) = haetae(&["incidents"]);
    let id = said
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
    assert!(said.contains("held: silence"), "{said}");
    let (_, said) = haetae(&["explain", "partners/payment"]);
    assert!(
        said.contains("told to nobody: silenced by kim: moving house"),
        "{said}"
    );
    assert!(site.inbox("slack").await.is_empty());

    let (code, said) = haetae(&["silence", "expire", &silence]);
    assert_eq!(code, 0, "{said}");
    let told = site.wait_for_messages("slack", 1).await;
    assert!(
        told[0]["text"]
            .as_str()
            .unwrap()
            .contains("CRITICAL: Payment gateway")
    );
    let (code, said) = haetae(&["ack", &id, "--by", "kim", "--note", "calling the bank"]);
    assert_eq!(code, 0, "{said}");
    let (_, said) = haetae(&["mark", &id, "actioned", "--by", "kim"]);
    assert!(said.contains("is marked as actioned"), "{said}");
    let (_, said) = haetae(&["explain", &id]);
    for part in [
        "acknowledged by kim: calling the bank",
        "owed to oncall by route `critical`",
        "oncall sent",
        "marked by kim",
    ] {
        assert!(said.contains(part), "{part} is missing from\n{said}");
    }
    let (code, said) = haetae(&["ack", "nosuchone"]);
    assert_eq!(code, 64);
    assert!(said.contains("there is no incident `nosuchone`"), "{said}");
    let (_, said) = haetae(&["alert", "channels"]);
    assert!(said.contains("oncall") && said.contains("slack"), "{said}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_tested_and_a_message_is_previewed_without_a_server() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    let answer = output(folder.path(), &["alert", "test", "oncall"]);
    assert_eq!(answer.status.code(), Some(0), "{}", text(&answer.stderr));
    let told = site.wait_for_messages("slack", 1).await;
    assert!(
        told[0]["text"]
            .as_str()
            .unwrap()
            .contains("TEST of channel oncall, nothing is wrong")
    );
    let answer = output(
        folder.path(),
        &["alert", "preview", "partners/payment", "--level", "warning"],
    );
    let said = text(&answer.stdout);
    assert!(
        said.contains("== watch by route `rest`") && said.contains("WARNING: Payment gateway"),
        "{said}"
    );
    let answer = output(folder.path(), &["alert", "test", "oncal"]);
    assert_eq!(answer.status.code(), Some(64));
}

#[tokio::test]
async fn what_most_incidents_need_is_done_and_said() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    let marker = folder.path().join("restarted");
    let alerts = std::fs::read_to_string(folder.path().join("alerts/a.yaml")).unwrap();
    folder.write(
        "alerts/a.yaml",
        &alerts
            .replace(
                "routes:",
                &format!(
                    "  restart: {{ action: {{ command: [sh, -c, \"echo $HAETAE_CHECK >> {}; echo restarted batchd\"], limit: 1 per 1h }} }}\nroutes:",
                    marker.display()
                ),
            )
            .replace("to: [oncall]", "to: [oncall, restart]"),
    );
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    let told = site.wait_for_messages("slack", 2).await;
    assert!(
        told[1]["text"].as_str().unwrap().contains("restarted batchd"),
        "{told:#?}"
    );
    site.control("partner=ok").await;
    let told = site.wait_for_messages("slack", 3).await;
    running.stop().await;
    let end = told[2].to_string();
    assert!(
        end.contains("RESOLVED after") && end.contains("restarted batchd; recovered"),
        "{end}"
    );
    assert_eq!(std::fs::read_to_string(marker).unwrap(), "partners/payment\n");
}

#[tokio::test]
async fn heartbeats_go_through_everything_to_the_outside_and_webhooks_keep_their_key() {
    let (site, hook) = (Site::start().await, Hook::start().await);
    let folder = Folder::new();
    folder
        .with_partner(&site)
        .write("haetae.yaml", &format!("watchdog: {{ url: \"http://{}/alive\", every: 200ms }}\n", hook.address))
        .write(
            "alerts/a.yaml",
            &format!(
                "channels:\n  events: {{ webhook: {{ url: \"http://{}/events\", format: cloudevents }} }}\n{}",
                hook.address,
                routes("events")
            ),
        );
    site.control("partner=dead").await;
    let running = Running::start(&folder).await;
    until("three heartbeats", || {
        (hook.at("/alive").len() >= 3).then_some(())
    })
    .await;
    let (headers, body) = until("an event", || hook.at("/events").first().cloned()).await;
    let deliveries = running.json("/api/v1/deliveries").await;
    running.stop().await;
    let events: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(events[0]["type"], "haetae.incident.opened");
    let key = headers["x-haetae-delivery"].to_str().unwrap();
    assert!(events[0]["id"].as_str().unwrap().starts_with(key));
    let beats = deliveries["deliveries"].as_array().unwrap();
    let beats = beats
        .iter()
        .filter(|delivery| delivery["channel"] == "haetae/watchdog");
    assert!(
        beats.count() <= 2,
        "heartbeats replace each other: {deliveries:#}"
    );
}

#[tokio::test]
async fn while_the_store_cannot_be_written_criticals_leave_from_memory_once() {
    let site = Site::start().await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site);
    let running = Running::start(&folder).await;
    running
        .wait("/api/v1/checks/partners/payment", "a first run", |check| {
            check["status"]["level"] == "ok"
        })
        .await;
    let path = folder.path().join("data/haetae.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    site.control("partner=dead").await;
    let told = site.wait_for_messages("slack", 2).await;
    let all = told
        .iter()
        .map(|message| message["text"].as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        all.contains("CRITICAL: Payment gateway") && all.contains("CRITICAL: haetae's store"),
        "{all}"
    );
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    site.control("partner=ok").await;
    let told = site.wait_for_messages("slack", 4).await;
    running.stop().await;
    let all = told
        .iter()
        .map(|message| message["text"].as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(all.matches("CRITICAL: Payment gateway").count(), 1, "{all}");
    assert_eq!(all.matches("RESOLVED").count(), 2, "{all}");
}
