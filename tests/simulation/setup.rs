//! A world out of a seed: what is watched, who is told, and what happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use haetae::model::{
    Calendar, ChannelName, Check, CheckId, Confirmation, DaySpan, Days, Glob, Hours, Level, Maintenance,
    MaintenanceTime, Matcher, Priority, Retry, Schedule, Timestamp, Window, Zone,
};
use haetae::route::{Escalation, GroupBy, Inhibit, Policy, Route, StormLimit};

pub const CHANNELS: [&str; 4] = ["slack", "dooray", "mail", "pager"];
/// Midnight of a Monday.
pub const EPOCH_S: i64 = 1_795_392_000;

/// What is watched, and who is told.
#[derive(Debug, Clone)]
pub struct Setup {
    pub seed: u64,
    pub policy: Policy,
}

/// How a receiver treats what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It takes it.
    Takes,
    /// It answers 500.
    Fails,
    /// It takes it, and the answer is lost.
    Mumbles,
    /// It refuses it for good.
    Refuses,
}

/// Between which steps the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    BeforeWriting,
    AfterWriting,
    AfterClaiming,
    AfterSending,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Run(usize, Level),
    /// Levels take turns, in ten runs.
    Flap(usize, Level),
    /// Every check is critical.
    Dark,
    Wait(Duration),
    Silence(String, Duration),
    Deploy(String, Duration),
    EndSilence,
    Acknowledge(usize),
    Receiver(usize, Mood),
    /// The process dies when it next comes to this point.
    Crash(Crash),
    Restart,
    Reload,
    /// A check is taken out, or comes back.
    Toggle(usize),
    /// The store cannot be written so many times.
    StoreFails(u32),
}

pub fn check_name(n: usize) -> String {
    format!("g{}/c{n}", n % 2)
}

fn matching(pattern: &str) -> Matcher {
    Matcher {
        checks: vec![Glob::new(pattern)],
        ..Matcher::default()
    }
}

fn check(rng: &mut Rng, n: usize) -> Check {
    let window = |rng: &mut Rng| {
        let needed = rng.usize(1..=2);
        Window {
            needed,
            of: needed + rng.usize(0..=1),
        }
    };
    let depends_on = (0..n)
        .filter(|_| rng.u8(..) < 40)
        .map(|parent| CheckId::parse(&check_name(parent)).unwrap())
        .take(1)
        .collect();
    Check {
        id: CheckId::parse(&check_name(n)).unwrap(),
        name: check_name(n),
        description: None,
        owner: None,
        runbook: None,
        tags: Vec::new(),
        kind: "http",
        // So rare that no result is missed.
        schedule: Schedule::Every(Duration::from_hours(24 * 365)),
        timeout: Duration::from_secs(3),
        attempt_timeout: Duration::from_secs(3),
        retry: Retry::default(),
        thresholds: Vec::new(),
        confirmation: Confirmation {
            fail_after: window(rng),
            recover_after: window(rng),
            recheck_every: None,
        },
        depends_on,
        target: "target.example".into(),
        priority: Priority::Normal,
        enabled: true,
        fingerprint: n as u64,
        place: String::new(),
    }
}

fn route(rng: &mut Rng, name: &str, levels: &[Level], to: &[&str], now: Timestamp) -> Route {
    let often = |rng: &mut Rng, percent: u8| rng.u8(0..100) < percent;
    let digest = often(rng, 15).then(|| Calendar::parse("0 9 * * *", "Asia/Seoul", now).unwrap());
    Route {
        name: name.into(),
        matcher: Matcher {
            levels: levels.to_vec(),
            during: if often(rng, 15) {
                vec![Hours {
                    name: "office".into(),
                    days: Days::ALL,
                    span: "09:00-18:00".parse::<DaySpan>().unwrap(),
                    zone: Zone::named("Europe/Paris").unwrap(),
                }]
            } else {
                Vec::new()
            },
            ..Matcher::default()
        },
        to: to.iter().map(|name| ChannelName((*name).into())).collect(),
        group_by: vec![[GroupBy::Group, GroupBy::Check, GroupBy::Level][rng.usize(0..3)]],
        group_wait: Duration::from_secs(rng.u64(0..40)),
        group_interval: Duration::from_secs(rng.u64(1..300)),
        repeat_every: often(rng, 40).then(|| Duration::from_mins(rng.u64(10..120))),
        goes_on: false,
        digest,
        escalate: if often(rng, 40) {
            vec![Escalation {
                after: Duration::from_mins(rng.u64(1..60)),
                to: vec![ChannelName("pager".into())],
            }]
        } else {
            Vec::new()
        },
    }
}

fn policy(rng: &mut Rng) -> Policy {
    let now = Timestamp::from_unix_ms(EPOCH_S * 1_000);
    let count = rng.usize(2..=6);
    let checks: BTreeMap<CheckId, Arc<Check>> = (0..count)
        .map(|n| check(rng, n))
        .map(|check| (check.id.clone(), Arc::new(check)))
        .collect();
    let mut routes = vec![
        route(rng, "critical", &[Level::Critical], &["slack"], now),
        route(rng, "warning", &[Level::Warning], &["dooray"], now),
    ];
    if rng.bool() {
        let all = route(
            rng,
            "log",
            &[Level::Warning, Level::Critical, Level::Unknown],
            &["mail"],
            now,
        );
        routes.insert(0, Route { goes_on: true, ..all });
    }
    let fallback = |rng: &mut Rng, name: &str| {
        if rng.u8(..) < 80 {
            vec![ChannelName(name.into())]
        } else {
            Vec::new()
        }
    };
    Policy {
        checks,
        routes,
        maintenance: if rng.u8(..) < 60 {
            vec![Maintenance {
                name: "batch".into(),
                matcher: matching("g0/*"),
                time: MaintenanceTime::Every(
                    Calendar::parse("30 */2 * * *", "UTC", now).unwrap(),
                    Duration::from_mins(20),
                ),
            }]
        } else {
            Vec::new()
        },
        inhibit: if rng.u8(..) < 60 {
            vec![Inhibit {
                when: Matcher {
                    levels: vec![Level::Critical],
                    ..matching(&check_name(0))
                },
                mute: matching("g1/*"),
            }]
        } else {
            Vec::new()
        },
        storm: (rng.u8(..) < 128).then(|| StormLimit {
            over: rng.usize(1..4),
            within: Duration::from_mins(1),
        }),
        channels: CHANNELS
            .iter()
            .map(|name| {
                (
                    ChannelName((*name).into()),
                    fallback(rng, if *name == "mail" { "pager" } else { "mail" }),
                )
            })
            .collect(),
        blind_guard: None,
    }
}

fn event(rng: &mut Rng, checks: usize) -> Event {
    let span = |rng: &mut Rng| {
        let widest = [5, 60, 600, 7_200][rng.usize(0..4)];
        Duration::from_secs(rng.u64(1..=widest))
    };
    let pattern = |rng: &mut Rng| match rng.u8(0..3) {
        0 => "**".to_owned(),
        1 => format!("g{}/*", rng.u8(0..2)),
        _ => check_name(rng.usize(0..checks)),
    };
    let level = |rng: &mut Rng| {
        [
            Level::Ok,
            Level::Ok,
            Level::Warning,
            Level::Critical,
            Level::Critical,
            Level::Unknown,
        ][rng.usize(0..6)]
    };
    match rng.u8(0..100) {
        0..37 => Event::Run(rng.usize(0..checks), level(rng)),
        37..40 => Event::Flap(rng.usize(0..checks), level(rng)),
        40..43 => Event::Dark,
        43..68 => Event::Wait(span(rng)),
        68..73 => Event::Silence(pattern(rng), span(rng)),
        73..75 => Event::Deploy(pattern(rng), span(rng)),
        75..78 => Event::EndSilence,
        78..82 => Event::Acknowledge(rng.usize(0..checks)),
        82..88 => {
            let mood = [
                Mood::Takes,
                Mood::Takes,
                Mood::Fails,
                Mood::Mumbles,
                Mood::Refuses,
            ][rng.usize(0..5)];
            Event::Receiver(rng.usize(0..CHANNELS.len()), mood)
        }
        88..92 => {
            let points = [
                Crash::BeforeWriting,
                Crash::AfterWriting,
                Crash::AfterClaiming,
                Crash::AfterSending,
            ];
            Event::Crash(points[rng.usize(0..4)])
        }
        92..94 => Event::Restart,
        94..96 => Event::Reload,
        96..97 => Event::Toggle(rng.usize(0..checks)),
        _ => Event::StoreFails(rng.u32(1..4)),
    }
}

/// The world of a seed.
pub fn world(seed: u64) -> (Setup, Vec<Event>) {
    let mut rng = Rng::with_seed(seed);
    let policy = policy(&mut rng);
    let checks = policy.checks.len();
    let count = rng.usize(4..20);
    let events = (0..count).map(|_| event(&mut rng, checks)).collect();
    (Setup { seed, policy }, events)
}
