//! What every store must do, run for each of them.

use std::time::Duration;

use super::*;
use crate::alert::{Change, CheckState, Gather};
use crate::model::{
    AuditEntry, Form, Level, Notice, Outcome, Owed, PingKind, Purpose, Quantity, RunId, RunRecord, Scope,
    Token, TokenDigest, TransitionKind, Unit, Verdict,
};

struct Opened {
    store: SqliteStore,
    _folder: tempfile::TempDir,
}

async fn opened() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("haetae.db")).await.unwrap();
    Opened {
        store,
        _folder: folder,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_ms(second * 1_000)
}

fn check() -> CheckId {
    CheckId::parse("partners/payment").unwrap()
}

fn incident(id: &str) -> Incident {
    let mut incident = Incident::new(IncidentId(id.into()), check(), at(0));
    incident.level = Level::Critical;
    incident.headline = "down".into();
    incident
}

fn channel(name: &str) -> ChannelName {
    ChannelName(name.into())
}

fn owed(id: &str, level: Level, to: &str, group: &str, due: i64) -> Owed {
    Owed {
        channel: channel(to),
        route: "critical".into(),
        group_key: group.into(),
        due: at(due),
        form: Form::Changes,
        notice: Notice {
            incident: IncidentId(id.into()),
            check: check(),
            name: "Payment".into(),
            description: None,
            owner: None,
            runbook: None,
            change: Some(TransitionKind::Opened),
            from: Level::Ok,
            level,
            at: at(0),
            opened: at(0),
            reasons: Vec::new(),
            facts: Vec::new(),
            purpose: Purpose::News,
            kind: "http".into(),
            tags: Vec::new(),
            target: String::new(),
            note: None,
            flapping: false,
            acknowledged_by: None,
            screenshot: None,
        },
    }
}

async fn owe(store: &dyn Store, key: &str, owed: Owed) {
    let change = Change {
        transition: None,
        incident: incident(&owed.notice.incident.0),
        owed: vec![(key.into(), owed)],
        held: None,
    };
    let batch = Batch {
        changes: vec![change],
        ..Batch::default()
    };
    store.record(&batch, &[]).await.unwrap();
}

async fn claim(store: &dyn Store, now: i64) -> Option<Delivery> {
    store
        .claim(&channel("slack"), at(now), at(now + 60))
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_owed_is_claimed_when_due_and_by_one_only() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g", 5)).await;
    assert_eq!(claim(store, 4).await, None);
    let delivery = claim(store, 5).await.unwrap();
    assert_eq!((delivery.key.as_str(), delivery.notices.len()), ("d1", 1));
    assert_eq!(claim(store, 6).await, None);
    store
        .settle("d1", at(6), &AttemptResult::Sent, None)
        .await
        .unwrap();
    assert_eq!(claim(store, 1_000).await, None);
    assert!(
        store
            .has_heard(&channel("slack"), &IncidentId("i1".into()))
            .await
            .unwrap()
    );
    assert!(
        !store
            .has_heard(&channel("dooray"), &IncidentId("i1".into()))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_lease_that_ran_out_is_claimed_again_under_the_same_key() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g", 0)).await;
    assert!(claim(store, 1).await.is_some());
    assert!(claim(store, 60).await.is_none());
    assert_eq!(claim(store, 61).await.unwrap().key, "d1");
    assert_eq!(store.release_leases().await.unwrap(), 1);
    assert_eq!(claim(store, 62).await.unwrap().key, "d1");
}

#[tokio::test]
async fn news_of_a_group_joins_until_a_sender_has_touched_it() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g", 9)).await;
    owe(store, "d2", owed("i2", Level::Critical, "slack", "g", 7)).await;
    owe(store, "d3", owed("i3", Level::Critical, "slack", "other", 9)).await;
    let first = claim(store, 7).await.unwrap();
    assert_eq!((first.key.as_str(), first.notices.len()), ("d1", 2));
    owe(store, "d4", owed("i4", Level::Critical, "slack", "g", 7)).await;
    assert_eq!(claim(store, 7).await.unwrap().key, "d4");
}

#[tokio::test]
async fn an_incident_is_told_in_order() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g", 0)).await;
    assert_eq!(claim(store, 0).await.unwrap().key, "d1");
    owe(store, "d2", owed("i1", Level::Ok, "slack", "g", 0)).await;
    let retry = AttemptResult::Retry {
        after: None,
        why: "503".into(),
    };
    store.settle("d1", at(1), &retry, Some(at(100))).await.unwrap();
    assert_eq!(claim(store, 50).await, None, "the resolve must not overtake");
    assert_eq!(claim(store, 100).await.unwrap().key, "d1");
    store
        .settle("d1", at(101), &AttemptResult::Sent, None)
        .await
        .unwrap();
    assert_eq!(claim(store, 101).await.unwrap().key, "d2");
}

#[tokio::test]
async fn attempts_and_what_was_said_are_kept() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g", 0)).await;
    let _ = claim(store, 0).await;
    let dead = AttemptResult::Dead {
        why: "404 no_service".into(),
    };
    store.settle("d1", at(1), &dead, None).await.unwrap();
    let rows = store
        .deliveries(Some(&IncidentId("i1".into())), 10)
        .await
        .unwrap();
    assert_eq!((rows[0].status.as_str(), rows[0].attempts), ("dead", 1));
    assert_eq!(rows[0].last_error.as_deref(), Some("404 no_service"));
    assert_eq!(store.delivery_counts().await.unwrap(), (0, 1));
}

#[tokio::test]
async fn states_and_open_incidents_are_remembered() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g", 0)).await;
    let batch = Batch {
        states: vec![(check(), CheckState::default())],
        runs: vec![RunRecord {
            run: RunId("r1".into()),
            check: check(),
            started: at(1),
            took: Duration::from_millis(12),
            outcome: Outcome::seen(),
            verdict: Verdict::default(),
        }],
        late: vec![(check(), at(2))],
        at: Some(at(2)),
        ..Batch::default()
    };
    store.record(&batch, &[]).await.unwrap();
    let remembered = store.remember(at(0)).await.unwrap();
    assert_eq!(remembered.states.len(), 1);
    assert_eq!(remembered.incidents, vec![incident("i1")]);
    let results = store.results(&check(), 10).await.unwrap();
    assert_eq!(
        results.iter().map(|row| row.level.as_str()).collect::<Vec<_>>(),
        ["late", "ok"]
    );
}

#[tokio::test]
async fn pruning_takes_what_is_old_and_leaves_what_is_open_or_owed() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g", 0)).await;
    let run = |second| RunRecord {
        run: RunId("r".into()),
        check: check(),
        started: at(second),
        took: Duration::ZERO,
        outcome: Outcome::seen(),
        verdict: Verdict::default(),
    };
    let batch = Batch {
        runs: vec![run(1), run(100)],
        ..Batch::default()
    };
    store.record(&batch, &[]).await.unwrap();
    let horizon = Horizon {
        results: at(50),
        incidents: at(1_000),
        audit: at(1_000),
    };
    assert_eq!(store.prune(horizon).await.unwrap(), 1);
    assert_eq!(store.results(&check(), 10).await.unwrap().len(), 1);
    assert_eq!(store.incidents(true, 10).await.unwrap().len(), 1);
    assert!(claim(store, 0).await.is_some());
}

#[tokio::test]
async fn everything_survives_a_new_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("haetae.db");
    let store = SqliteStore::open(&path).await.unwrap();
    owe(&store, "d1", owed("i1", Level::Critical, "slack", "g", 0)).await;
    // Not closed: as after a crash.
    let again = SqliteStore::open(&path).await.unwrap();
    assert_eq!(claim(&again, 0).await.unwrap().key, "d1");
}

#[tokio::test]
async fn a_storms_summary_gathers_what_has_not_left() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g1", 9)).await;
    owe(store, "d2", owed("i2", Level::Critical, "slack", "g2", 9)).await;
    owe(store, "d3", owed("i3", Level::Critical, "slack", "g3", 9)).await;
    owe(store, "d4", owed("i4", Level::Critical, "dooray", "g3", 9)).await;
    let gather = Gather {
        channel: channel("slack"),
        incidents: ["i1", "i2"].map(|id| IncidentId(id.into())).to_vec(),
        into: "storm|i2".into(),
        due: at(14),
    };
    let batch = Batch {
        gathers: vec![gather],
        ..Batch::default()
    };
    store.record(&batch, &[]).await.unwrap();
    let alone = claim(store, 9).await.unwrap();
    assert_eq!(alone.key, "d3");
    store
        .settle("d3", at(9), &AttemptResult::Sent, None)
        .await
        .unwrap();
    assert_eq!(claim(store, 13).await, None);
    let summary = claim(store, 14).await.unwrap();
    assert_eq!((summary.form, summary.notices.len()), (Form::Storm, 2));
    assert_eq!(store.delivery_counts().await.unwrap(), (2, 0));
}

#[tokio::test]
async fn a_critical_does_not_wait_for_the_digest_that_holds_its_warning() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Warning, "slack", "digest", 32_400)).await;
    owe(store, "d2", owed("i2", Level::Warning, "slack", "digest", 32_400)).await;
    owe(store, "d3", owed("i1", Level::Critical, "slack", "critical", 1)).await;
    let urgent = claim(store, 1).await.unwrap();
    assert_eq!(urgent.key, "d3");
    let levels: Vec<Level> = urgent.notices.iter().map(|notice| notice.level).collect();
    assert_eq!(levels, [Level::Warning, Level::Critical]);
    store
        .settle("d3", at(1), &AttemptResult::Sent, None)
        .await
        .unwrap();
    assert_eq!(claim(store, 32_400).await.unwrap().notices.len(), 1);
}

#[tokio::test]
async fn what_was_refused_holds_up_what_comes_after_it_until_it_was_tried_too_often() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g1", 0)).await;
    owe(store, "d2", owed("i2", Level::Critical, "slack", "g2", 0)).await;
    let retry = AttemptResult::Retry {
        after: None,
        why: "503".into(),
    };
    for attempt in 0..12 {
        let now = attempt * 100;
        assert_eq!(claim(store, now).await.unwrap().key, "d1");
        store
            .settle("d1", at(now), &retry, Some(at(now + 100)))
            .await
            .unwrap();
        assert_eq!(claim(store, now + 50).await, None);
        assert_eq!(
            store.next_due(&channel("slack")).await.unwrap(),
            Some(at(now + 100))
        );
    }
    assert_eq!(claim(store, 1_200).await.unwrap().key, "d1");
    store
        .settle("d1", at(1_200), &retry, Some(at(1_300)))
        .await
        .unwrap();
    assert_eq!(claim(store, 1_201).await.unwrap().key, "d2");
}

#[tokio::test]
async fn heartbeats_replace_each_other_and_receipts_are_kept() {
    let opened = opened().await;
    let store = &opened.store;
    for key in ["b1", "b2", "b3"] {
        let batch = Batch {
            heartbeat: Some((key.into(), owed("", Level::Ok, "slack", "beat", 0))),
            ..Batch::default()
        };
        store.record(&batch, &[]).await.unwrap();
    }
    assert_eq!(claim(store, 1).await.unwrap().key, "b3");
    assert_eq!(store.delivery_counts().await.unwrap(), (1, 0));
    let receipt = serde_json::json!({ "ts": "1.2" });
    let slack = channel("slack");
    store.keep_receipt(&slack, "i1", &receipt, at(1)).await.unwrap();
    assert_eq!(store.receipt(&slack, "i1").await.unwrap(), Some(receipt));
    assert_eq!(store.receipt(&channel("dooray"), "i1").await.unwrap(), None);
}

#[tokio::test]
async fn what_left_from_memory_is_written_down_as_sent() {
    let opened = opened().await;
    let store = &opened.store;
    let change = Change {
        transition: None,
        incident: incident("i1"),
        owed: vec![("d1".into(), owed("i1", Level::Critical, "slack", "g", 0))],
        held: None,
    };
    let batch = Batch {
        changes: vec![change],
        ..Batch::default()
    };
    store.record(&batch, &["d1".to_owned()]).await.unwrap();
    assert_eq!(claim(store, 100).await, None);
    let (slack, incident) = (channel("slack"), IncidentId("i1".into()));
    assert!(store.has_heard(&slack, &incident).await.unwrap());
}

#[tokio::test]
async fn what_was_given_up_can_be_sent_again() {
    let opened = opened().await;
    let store = &opened.store;
    owe(store, "d1", owed("i1", Level::Critical, "slack", "g", 0)).await;
    let _ = claim(store, 0).await;
    let dead = AttemptResult::Dead { why: "404".into() };
    store.settle("d1", at(1), &dead, None).await.unwrap();
    assert_eq!(store.resend(Some("other"), at(9)).await.unwrap(), 0);
    assert_eq!(store.resend(None, at(9)).await.unwrap(), 1);
    assert_eq!(claim(store, 9).await.unwrap().key, "d1");
    let said: Vec<String> = store
        .attempts("d1")
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.said)
        .collect();
    assert_eq!(said, ["404"]);
}

#[tokio::test]
async fn what_was_measured_is_summed_up_by_the_hour() {
    let opened = opened().await;
    let store = &opened.store;
    let run = |second: i64, ms: f64| {
        let mut outcome = Outcome::seen();
        outcome.measure(
            "step.Pay",
            Quantity {
                value: ms,
                unit: Unit::Ms,
            },
        );
        outcome.measure("steps", Quantity::count(1.0));
        RunRecord {
            run: RunId::new(),
            check: check(),
            started: at(second),
            took: Duration::from_millis(1),
            outcome,
            verdict: Verdict::default(),
        }
    };
    let batch = Batch {
        runs: vec![run(0, 9.0), run(3_600, 10.0), run(3_660, 20.0), run(7_200, 40.5)],
        ..Batch::default()
    };
    store.record(&batch, &[]).await.unwrap();
    let hours = store.hours(&check(), "step", at(3_000)).await.unwrap();
    let summed: Vec<_> = hours
        .iter()
        .map(|hour| (hour.at, hour.count, hour.mean))
        .collect();
    assert_eq!(summed, [(at(3_600), 2, 15.0), (at(7_200), 1, 40.5)]);
    assert!(hours.iter().all(|hour| hour.measurement == "step.Pay"));
    let values = store.values(&check(), "step.Pay", at(3_660)).await.unwrap();
    let name = || "step.Pay".to_owned();
    assert_eq!(values, [(name(), at(3_660), 20.0), (name(), at(7_200), 40.5)]);
}

fn token(name: &str, ends: Option<i64>) -> Token {
    Token {
        name: name.into(),
        scopes: vec![Scope::Read, Scope::Trigger],
        created: at(0),
        expires: ends.map(at),
        last_used: None,
    }
}

#[tokio::test]
async fn tokens_are_kept_by_their_digest_and_seen_by_another_process_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("haetae.db");
    let server = SqliteStore::open(&path).await.unwrap();
    assert!(server.tokens().await.unwrap().is_empty());
    let beside = SqliteStore::open(&path).await.unwrap();
    let digest = TokenDigest::of("haetae_x");
    assert!(beside.add_token(&token("a", Some(50)), &digest).await.unwrap());
    assert!(
        !beside
            .add_token(&token("a", None), &TokenDigest::of("haetae_y"))
            .await
            .unwrap()
    );
    let known = server.tokens().await.unwrap();
    assert_eq!(known[0].0, token("a", Some(50)));
    assert!(known[0].1.is(&digest));
    assert!(known[0].0.holds(at(49)) && !known[0].0.holds(at(50)));
    server.token_used("a", at(7)).await.unwrap();
    assert_eq!(beside.tokens().await.unwrap()[0].0.last_used, Some(at(7)));
    assert!(beside.revoke_token("a").await.unwrap());
    assert!(!beside.revoke_token("a").await.unwrap());
    assert!(server.tokens().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_audit_log_goes_on_page_by_page_and_ends_with_its_retention() {
    let opened = opened().await;
    let store = &opened.store;
    for second in 0..5 {
        let entry = AuditEntry {
            id: 0,
            at: at(second),
            who: "jenkins".into(),
            by: None,
            address: Some("192.0.2.7".into()),
            what: "trigger".into(),
            target: "/api/v1/runs".into(),
            detail: serde_json::json!({ "n": second }),
        };
        store.audit(&entry).await.unwrap();
    }
    let page = |after: Option<String>| Page { after, limit: 2 };
    let first = store.audit_log(None, &page(None)).await.unwrap();
    assert_eq!([first[0].at, first[1].at], [at(4), at(3)]);
    let second = store
        .audit_log(None, &page(Some(first[1].id.to_string())))
        .await
        .unwrap();
    assert_eq!([second[0].at, second[1].at], [at(2), at(1)]);
    assert_eq!(store.audit_log(Some(at(4)), &page(None)).await.unwrap().len(), 1);
    let horizon = Horizon {
        results: at(0),
        incidents: at(0),
        audit: at(3),
    };
    assert_eq!(store.prune(horizon).await.unwrap(), 3);
}

#[tokio::test]
async fn an_operation_is_found_by_its_id_and_by_a_key_that_is_not_too_old() {
    let opened = opened().await;
    let store = &opened.store;
    let row = |body: i64| OperationRow {
        id: "r1".into(),
        kind: OperationKind::Run,
        key: Some("build-1".into()),
        created: at(100),
        body: serde_json::json!(body),
    };
    store.keep_operation(&row(1)).await.unwrap();
    store.keep_operation(&row(2)).await.unwrap();
    let (run, deployment) = (OperationKind::Run, OperationKind::Deployment);
    assert_eq!(
        store.operation(run, "r1").await.unwrap(),
        Some(serde_json::json!(2))
    );
    assert_eq!(store.operation(deployment, "r1").await.unwrap(), None);
    assert!(
        store
            .operation_by_key(run, "build-1", at(100))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        store
            .operation_by_key(run, "build-1", at(101))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        store
            .operations(
                run,
                &Page {
                    after: None,
                    limit: 9
                }
            )
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn runs_that_were_asked_for_are_kept_with_why_and_are_no_past() {
    let opened = opened().await;
    let store = &opened.store;
    let run = |id: &str| {
        let mut outcome = Outcome::seen();
        outcome.measure("duration", Quantity::time(Duration::from_millis(5)));
        RunRecord {
            run: RunId(id.into()),
            check: check(),
            started: at(1),
            took: Duration::from_millis(5),
            outcome,
            verdict: Verdict::default(),
        }
    };
    let tag = TriggerTag {
        id: "t".into(),
        reason: "Jenkins #1".into(),
        link: None,
        by: "jenkins".into(),
        notify: false,
    };
    let batch = Batch {
        runs: vec![run("due"), run("asked")],
        triggered: vec![(RunId("asked".into()), tag.clone())],
        ..Batch::default()
    };
    store.record(&batch, &[]).await.unwrap();
    let page = Page {
        after: None,
        limit: 1,
    };
    let first = store.results_page(&check(), None, &page).await.unwrap();
    assert_eq!(first[0].1.triggered, Some(tag));
    let page = Page {
        after: Some(first[0].0.clone()),
        limit: 1,
    };
    let second = store.results_page(&check(), None, &page).await.unwrap();
    assert_eq!((second[0].1.run.as_str(), &second[0].1.triggered), ("due", &None));
    assert_eq!(store.values(&check(), "duration", at(0)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_job_told_is_kept_over_a_restart() {
    let opened = opened().await;
    let store = &opened.store;
    let ping = |second, kind| Ping {
        at: at(second),
        kind,
        said: "exit 1".into(),
    };
    store.ping("job", &ping(1, PingKind::Start)).await.unwrap();
    let known = store.ping("job", &ping(4, PingKind::Success)).await.unwrap();
    assert_eq!((known.count, known.succeeded), (2, Some(at(4))));
    assert_eq!(known.took(), Some(Duration::from_secs(3)));
    let known = store.ping("job", &ping(9, PingKind::Fail)).await.unwrap();
    assert_eq!(
        (known.failing_since(), known.said.as_str()),
        (Some(at(9)), "exit 1")
    );
    store.ping("other", &ping(2, PingKind::Success)).await.unwrap();
    let mut all = store.heartbeats().await.unwrap();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(all[0], ("job".to_owned(), known));
    assert_eq!(all[1].1.count, 1);
}
