//! Who is told what, played in a tiny language: see [`play`].

use std::time::Duration;

use insta::assert_snapshot;

use super::*;
use crate::model::{Confirmation, Priority, Retry, Schedule, Verdict};
use crate::route::{GroupBy, Matcher};

fn check(id: &str, tags: &[&str]) -> Check {
    Check {
        id: CheckId::parse(id).unwrap(),
        name: id.into(),
        description: None,
        owner: None,
        runbook: None,
        tags: tags.iter().map(ToString::to_string).collect(),
        kind: "http",
        schedule: Schedule::Every(Duration::from_secs(30)),
        timeout: Duration::from_secs(3),
        attempt_timeout: Duration::from_secs(3),
        retry: Retry::default(),
        thresholds: Vec::new(),
        confirmation: Confirmation::default(),
        priority: Priority::Normal,
        enabled: true,
        fingerprint: 0,
        place: String::new(),
    }
}

fn route(name: &str, level: Option<Level>, to: &[&str]) -> Route {
    Route {
        name: name.into(),
        matcher: Matcher {
            levels: level.into_iter().collect(),
            ..Matcher::default()
        },
        to: to.iter().map(|name| ChannelName((*name).into())).collect(),
        group_by: vec![GroupBy::Group],
        group_wait: Duration::from_secs(1),
        group_interval: Duration::from_secs(30),
        repeat_every: None,
        goes_on: false,
    }
}

fn usual_routes() -> Vec<Route> {
    vec![
        route("critical", Some(Level::Critical), &["slack"]),
        route("warning", Some(Level::Warning), &["dooray"]),
    ]
}

/// Words `id:kind:from:to@second`, one transition each; a line per message owed.
fn play(routes: &[Route], script: &str) -> String {
    let mut book = Book::default();
    let mut told = Vec::new();
    for word in script.split_whitespace() {
        let (what, at) = word.split_once('@').unwrap();
        let parts: Vec<&str> = what.split(':').collect();
        let kind = [
            TransitionKind::Opened,
            TransitionKind::Reopened,
            TransitionKind::Worsened,
            TransitionKind::Improved,
            TransitionKind::Resolved,
            TransitionKind::Closed,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == parts[1])
        .unwrap();
        let check = check(parts[0], &[]);
        let transition = Transition {
            incident: IncidentId(format!("#{}", parts[0])),
            check: check.id.clone(),
            kind,
            from: Level::from_word(parts[2]).unwrap(),
            to: Level::from_word(parts[3]).unwrap(),
            at: Timestamp::from_unix_ms(at.parse::<i64>().unwrap() * 1_000),
            opened: Timestamp::from_unix_ms(0),
            verdict: Verdict::default(),
        };
        let telling = book.plan(&transition, &check, routes, &[]);
        book.commit(&telling, &check, routes);
        for owed in &telling.owed {
            let due = owed.due.as_unix_ms() as f64 / 1_000.0;
            told.push(format!("{word} → {} at {due}", owed.channel));
        }
        if let Some(silence) = telling.silence {
            told.push(format!("{word} → nobody: {}", silence.as_str()));
        }
    }
    told.join("\n")
}

#[test]
fn each_level_goes_its_own_way_and_the_resolve_to_all_who_heard() {
    assert_snapshot!(play(&usual_routes(), "a:opened:ok:warning@0 a:worsened:warning:critical@10 a:resolved:critical:ok@100"), @"
    a:opened:ok:warning@0 → dooray at 1
    a:worsened:warning:critical@10 → slack at 11
    a:resolved:critical:ok@100 → dooray at 101
    a:resolved:critical:ok@100 → slack at 101
    ");
}

#[test]
fn a_resolve_goes_to_no_channel_that_had_not_heard() {
    assert_snapshot!(play(&usual_routes(), "a:opened:ok:critical@0 a:resolved:critical:ok@60"), @"
    a:opened:ok:critical@0 → slack at 1
    a:resolved:critical:ok@60 → slack at 61
    ");
}

#[test]
fn an_improvement_goes_to_those_who_heard_the_worse_level() {
    assert_snapshot!(play(&usual_routes(), "a:opened:ok:warning@0 a:worsened:warning:critical@9 a:improved:critical:warning@20 a:worsened:warning:critical@50 a:resolved:critical:ok@90"), @"
    a:opened:ok:warning@0 → dooray at 1
    a:worsened:warning:critical@9 → slack at 10
    a:improved:critical:warning@20 → slack at 21
    a:worsened:warning:critical@50 → slack at 51
    a:resolved:critical:ok@90 → dooray at 91
    a:resolved:critical:ok@90 → slack at 91
    ");
}

#[test]
fn a_group_that_was_told_waits_for_its_interval_unless_it_gets_worse() {
    let mut routes = usual_routes();
    routes[0].matcher.levels = vec![Level::Warning, Level::Critical];
    assert_snapshot!(play(&routes, "g/a:opened:ok:warning@0 g/b:opened:ok:warning@5 g/c:opened:ok:critical@6 h/d:opened:ok:warning@7"), @"
    g/a:opened:ok:warning@0 → slack at 1
    g/b:opened:ok:warning@5 → slack at 31
    g/c:opened:ok:critical@6 → slack at 7
    h/d:opened:ok:warning@7 → slack at 8
    ");
}

#[test]
fn the_last_of_a_group_resolves_without_waiting() {
    assert_snapshot!(play(&usual_routes(), "a:opened:ok:critical@0 a:resolved:critical:ok@3"), @"
    a:opened:ok:critical@0 → slack at 1
    a:resolved:critical:ok@3 → slack at 4
    ");
}

#[test]
fn silence_always_has_a_reason() {
    let routes = vec![route("nobody", Some(Level::Warning), &[])];
    assert_snapshot!(play(&routes, "a:opened:ok:warning@0 a:resolved:warning:ok@9 b:opened:ok:critical@20 b:closed:critical:ok@30"), @"
    a:opened:ok:warning@0 → nobody: its route says `to: []`
    a:resolved:warning:ok@9 → nobody: no channel had heard of it
    b:opened:ok:critical@20 → nobody: no route takes it
    b:closed:critical:ok@30 → nobody: the check is no longer watched
    ");
}

#[test]
fn unknown_goes_where_warnings_go_unless_a_route_names_it() {
    assert_snapshot!(play(&usual_routes(), "a:opened:ok:unknown@0"), @"a:opened:ok:unknown@0 → dooray at 1");
    let mut routes = usual_routes();
    routes.push(route("unknown", Some(Level::Unknown), &["ops"]));
    assert_snapshot!(play(&routes, "a:opened:ok:unknown@0"), @"a:opened:ok:unknown@0 → ops at 1");
}

#[test]
fn continue_lets_later_routes_match_but_tells_no_channel_twice() {
    let mut routes = vec![route("all", None, &["log", "slack"])];
    routes[0].goes_on = true;
    routes.extend(usual_routes());
    assert_snapshot!(play(&routes, "a:opened:ok:critical@0"), @"
    a:opened:ok:critical@0 → log at 1
    a:opened:ok:critical@0 → slack at 1
    ");
}

#[test]
fn matchers_take_all_tags_and_any_of_the_rest() {
    fn labels(check: &Check) -> Labels<'_> {
        Labels {
            check,
            level: Level::Warning,
        }
    }
    let tagged = check("partners/banks/kb", &["partner", "money"]);
    let matcher = Matcher {
        tags: vec!["partner".into(), "money".into()],
        groups: vec!["shop".into(), "partners".into()],
        ..Matcher::default()
    };
    assert!(matcher.matches(labels(&tagged)));
    let untagged = check("partners/x", &["partner"]);
    let namesake = check("partners2/x", &["partner", "money"]);
    assert!(!matcher.matches(labels(&untagged)));
    assert!(!matcher.matches(labels(&namesake)));
}

#[test]
fn an_open_incident_is_told_again_after_repeat_every() {
    let mut routes = usual_routes();
    routes[0].repeat_every = Some(Duration::from_hours(1));
    let mut book = Book::default();
    let check = check("a", &[]);
    let transition = Transition {
        incident: IncidentId("#a".into()),
        check: check.id.clone(),
        kind: TransitionKind::Opened,
        from: Level::Ok,
        to: Level::Critical,
        at: Timestamp::from_unix_ms(0),
        opened: Timestamp::from_unix_ms(0),
        verdict: Verdict::default(),
    };
    let telling = book.plan(&transition, &check, &routes, &[]);
    book.commit(&telling, &check, &routes);
    let due = book.next_reminder().unwrap();
    assert_eq!(due, Timestamp::from_unix_ms(3_601_000));
    assert!(
        book.due_reminders(due - Duration::from_secs(1), |_| Some(&check))
            .is_empty()
    );
    let reminders = book.due_reminders(due, |_| Some(&check));
    assert_eq!(reminders.len(), 1);
    assert_eq!(reminders[0].owed[0].notice.change, None);
    book.commit(&reminders[0], &check, &routes);
    assert_eq!(book.next_reminder(), Some(due + Duration::from_hours(1)));
}
