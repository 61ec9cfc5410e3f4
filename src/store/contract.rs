//! What every store must do, run for each of them.

use std::time::Duration;

use super::*;
use crate::alert::{Change, CheckState, Gather};
use crate::model::{
    Form, Level, Notice, Outcome, Owed, PingKind, Purpose, Quantity, RunId, RunRecord, TransitionKind, Unit,
    Verdict,
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
