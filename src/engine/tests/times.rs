//! What time alone brings: reminders, escalations, digests, hours, storms, gaps.

use super::*;

#[test]
fn an_open_incident_is_told_again_after_repeat_every_measured_in_time() {
    let mut play = Play::with(|policy| policy.routes[0].repeat_every = Some(Duration::from_mins(10)));
    assert_snapshot!(play.run("a=x +1300 a=. +1300"), @"
    a=x → slack a opened ok→critical at 1
    @602 → slack a reminder critical→critical at 603
    @1204 → slack a reminder critical→critical at 1205
    a=. → slack a resolved critical→ok at 1301
    ");
}

#[test]
fn acknowledging_stops_reminders_and_escalation_until_it_gets_worse() {
    let mut play = Play::with(|policy| {
        for route in &mut policy.routes {
            route.repeat_every = Some(Duration::from_mins(10));
            route.escalate = vec![Escalation {
                after: Duration::from_mins(15),
                to: vec![channel("pager")],
            }];
        }
    });
    assert_snapshot!(play.run("a=w +650 ack:a +3000 a=x +1000"), @"
    a=w → dooray a opened ok→warning at 1
    @602 → dooray a reminder warning→warning at 603
    a=x → slack a worsened warning→critical at 3651
    @4252 → slack a reminder critical→critical at 4253
    @4551 → pager a escalation critical→critical at 4552
    ");
}

#[test]
fn escalation_takes_its_steps_and_stops_with_the_end() {
    let mut play = Play::with(|policy| {
        policy.routes[0].escalate = vec![
            Escalation {
                after: Duration::from_mins(5),
                to: vec![channel("dooray")],
            },
            Escalation {
                after: Duration::from_mins(15),
                to: vec![channel("pager")],
            },
        ];
    });
    assert_snapshot!(play.run("a=x +600 a=. +900"), @"
    a=x → slack a opened ok→critical at 1
    @301 → dooray a escalation critical→critical at 302
    a=. → dooray a resolved critical→ok at 601
    a=. → slack a resolved critical→ok at 601
    ");
    assert_snapshot!(play.run("b=x +1000 b=."), @"
    b=x → slack b opened ok→critical at 1501
    @1801 → dooray b escalation critical→critical at 1802
    @2401 → pager b escalation critical→critical at 2402
    b=. → dooray b resolved critical→ok at 2501
    b=. → pager b resolved critical→ok at 2501
    b=. → slack b resolved critical→ok at 2501
    ");
}

#[test]
fn reminders_wait_for_a_silence_to_end() {
    let mut play = Play::with(|policy| policy.routes[0].repeat_every = Some(Duration::from_mins(10)));
    assert_snapshot!(play.run("a=x +300 hush:a:1200 +1800"), @"
    a=x → slack a opened ok→critical at 1
    @1501 → slack a reminder critical→critical at 1502
    ");
}

#[test]
fn a_digest_holds_news_until_its_time() {
    let mut play = Play::with(|policy| {
        policy.routes[1].digest = Some(Calendar::parse("0 9 * * *", "UTC", at(0)).unwrap());
    });
    assert_snapshot!(play.run("a=w +60 b=w +60 a=. +60 b=x"), @"
    a=w → dooray a opened ok→warning at 32400
    b=w → dooray b opened ok→warning at 32400
    a=. → dooray a resolved warning→ok at 32400
    b=x → slack b worsened warning→critical at 181
    ");
}

fn in_office() -> Play {
    Play::with(|policy| {
        policy.routes[1].matcher.during = vec![Hours {
            name: "office".into(),
            days: Days::ALL,
            span: "09:00-18:00".parse::<DaySpan>().unwrap(),
            zone: Zone::utc(),
        }];
    })
}

#[test]
fn what_opens_outside_the_hours_of_its_route_is_told_when_they_begin() {
    // The epoch is midnight; the office opens nine hours on.
    assert_snapshot!(in_office().run("a=w b=w +7200 b=. +25300"), @"
    a=w → nobody a opened: its route takes it only during `office`
    b=w → nobody b opened: its route takes it only during `office`
    b=. → nobody b resolved: no channel had heard of it
    @32401 → dooray a opened ok→warning at 32402 (not told before: its route takes it only during `office`)
    ");
}

#[test]
fn what_opens_within_the_hours_is_told_at_once() {
    assert_snapshot!(in_office().run("+36000 a=w"), @"a=w → dooray a opened ok→warning at 36001");
}

fn stormy(names: usize) -> Play {
    Play::with(|policy| {
        policy.storm = Some(StormLimit::default());
        for n in 0..names {
            let mut check = check(&format!("p/c{n}"));
            check.target = "pg.example".into();
            policy.checks.insert(check.id.clone(), Arc::new(check));
        }
    })
}

/// Deliveries by channel, group and due time, with how much news each holds.
fn deliveries(said: &str) -> String {
    let mut counts = std::collections::BTreeMap::<(String, String), usize>::new();
    for line in said.lines().filter(|line| line.contains(" at ")) {
        let (_, rest) = line.split_once("→ ").unwrap();
        let channel = rest.split_whitespace().next().unwrap().to_owned();
        let due = rest.rsplit(" at ").next().unwrap().to_owned();
        *counts.entry((channel, due)).or_default() += 1;
    }
    let lines: Vec<String> = counts
        .into_iter()
        .map(|((channel, due), count)| format!("{channel} at {due}: {count}"))
        .collect();
    lines.join("\n")
}

#[test]
fn five_hundred_failures_are_a_summary_and_their_end_is_one_message() {
    let mut play = stormy(500);
    let mut said = String::new();
    for n in 0..500 {
        if n % 20 == 0 {
            said += &play.run("+1");
        }
        said += "\n";
        said += &play.run(&format!("p/c{n}=x"));
    }
    // Ten by themselves, then one summary, then one of progress five minutes later.
    assert_snapshot!(deliveries(&said), @"
    slack at 2: 10
    slack at 306: 380
    slack at 6: 110
    ");
    assert_eq!(play.engine.ledger.open().count(), 500);
    play.run("+600 restart");
    let mut ended = String::new();
    for n in 0..500 {
        if n % 20 == 0 {
            ended += &play.run("+1");
        }
        ended += "\n";
        ended += &play.run(&format!("p/c{n}=."));
    }
    // All wait for company, and the end of the storm sends them in one message.
    assert_snapshot!(deliveries(&ended), @"
    slack at 652: 1
    slack at 926: 500
    ");
    assert_eq!(play.engine.ledger.open().count(), 0);
}

#[test]
fn a_storm_with_few_left_ends_with_them_named() {
    let mut play = stormy(20);
    for n in 0..20 {
        play.run(&format!("p/c{n}=x"));
    }
    play.run("+60");
    let mut resolved = String::new();
    for n in 0..18 {
        resolved += &play.run(&format!("p/c{n}=."));
    }
    assert_eq!(resolved.matches("resolved").count(), 18, "{resolved}");
    let ended = play.run("+70");
    assert!(
        ended.contains("p/c18 reminder") && ended.contains("p/c19 reminder"),
        "{ended}"
    );
    assert!(ended.contains("slack storm over"), "{ended}");
    assert_eq!(play.engine.storms.current(), None);
    // What is left is told by itself from now on.
    let last = play.run("p/c18=.");
    assert!(last.contains("slack p/c18 resolved"), "{last}");
}

#[test]
fn an_incident_long_after_the_storm_began_is_told_by_itself() {
    let mut play = stormy(20);
    for n in 0..20 {
        play.run(&format!("p/c{n}=x"));
    }
    assert_snapshot!(play.run("+600 a=x"), @"a=x → slack a opened ok→critical at 601");
}

#[test]
fn a_check_without_a_result_for_two_intervals_is_unknown() {
    let mut play = Play::with(|policy| {
        for check in policy.checks.values_mut() {
            Arc::make_mut(check).schedule = Schedule::Every(Duration::from_secs(30));
        }
    });
    play.run("a=. b=. c=. d=. uplink=. +40 b=. c=. d=. uplink=. +30 b=. c=. d=. uplink=.");
    assert_snapshot!(play.run("+5 a=. +30 a=."), @"
    @74 → dooray a opened ok→unknown at 75
    a=. → dooray a resolved unknown→ok at 76
    ");
}

#[test]
fn an_action_is_told_to_those_who_heard_and_with_the_end() {
    let mut play = Play::usual();
    play.run("a=x +10");
    let taken = Command::ActionTaken {
        incident: play.incident("a"),
        taken: crate::model::ActionTaken {
            channel: channel("restart"),
            at: at(10),
            done: true,
            said: "restarted batchd".into(),
        },
    };
    play.engine.take_command(taken, at(10)).unwrap();
    play.collect("action");
    play.word("+20");
    play.word("a=.");
    assert_snapshot!(play.said.join("\n"), @"
    action → slack a note critical→critical at 10 (restarted batchd)
    a=. → slack a resolved critical→ok at 31 (restarted batchd; recovered 20s later)
    ");
}

#[test]
fn the_same_seed_and_the_same_inputs_give_the_same_outputs() {
    let script = "a=x b=w +60 a=. hush:b:60 b=x +90 c=x ack:c +60 restart c=.";
    assert_eq!(Play::usual().run(script), Play::usual().run(script));
}
