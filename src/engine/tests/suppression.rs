//! What holds back, and what is told when it ends.

use super::*;

#[test]
fn what_still_holds_when_a_silence_ends_is_told_then_once() {
    assert_snapshot!(Play::usual().run("hush:a:100 a=x +30 a=x +30 a=x +60 a=x"), @"
    a=x → nobody a opened: silenced by kim: known (silence q)
    @101 → slack a opened ok→critical at 102 (not told before: silenced by kim: known (silence q))
    ");
}

#[test]
fn a_silence_that_is_ended_early_tells_at_once() {
    assert_snapshot!(Play::usual().run("hush:a:3600 a=x +30 unhush +30 a=."), @"
    a=x → nobody a opened: silenced by kim: known (silence q)
    unhush → slack a opened ok→critical at 31 (not told before: silenced by kim: known (silence q))
    a=. → slack a resolved critical→ok at 61
    ");
}

#[test]
fn a_silenced_incident_that_resolves_closes_where_it_was_heard() {
    assert_snapshot!(Play::usual().run("a=x +30 hush:a:3600 +30 a=."), @"
    a=x → slack a opened ok→critical at 1
    a=. → slack a resolved critical→ok at 61
    ");
}

#[test]
fn what_nobody_heard_of_ends_unheard() {
    assert_snapshot!(Play::usual().run("hush:a:3600 a=x +30 a=. +7200"), @"
    a=x → nobody a opened: silenced by kim: known (silence q)
    a=. → nobody a resolved: no channel had heard of it
    ");
}

#[test]
fn a_worsening_under_a_silence_is_told_when_it_ends_and_not_if_it_got_better() {
    assert_snapshot!(Play::usual().run("a=w +30 hush:a:60 a=x +90"), @"
    a=w → dooray a opened ok→warning at 1
    a=x → nobody a worsened: silenced by kim: known (silence q)
    @91 → slack a worsened warning→critical at 92 (not told before: silenced by kim: known (silence q))
    ");
    assert_snapshot!(Play::usual().run("a=w +30 hush:a:60 a=x +10 a=w +90"), @"
    a=w → dooray a opened ok→warning at 1
    a=x → nobody a worsened: silenced by kim: known (silence q)
    a=w → nobody a improved: those it concerns know it at this level or a worse one
    ");
}

#[test]
fn a_silence_survives_a_restart() {
    assert_snapshot!(Play::usual().run("hush:a:100 a=x +30 restart +90"), @"
    a=x → nobody a opened: silenced by kim: known (silence q)
    @101 → slack a opened ok→critical at 102 (not told before: silenced by kim: known (silence q))
    ");
}

#[test]
fn maintenance_holds_back_until_it_ends() {
    let mut play = Play::with(|policy| {
        policy.maintenance = vec![Maintenance {
            name: "night".into(),
            matcher: matching("a"),
            time: MaintenanceTime::Every(
                Calendar::parse("1 0 * * *", "UTC", at(0)).unwrap(),
                Duration::from_mins(5),
            ),
        }];
    });
    assert_snapshot!(play.run("+90 a=x b=x +300"), @"
    a=x → nobody a opened: in maintenance: night
    b=x → slack b opened ok→critical at 91
    @361 → slack a opened ok→critical at 362 (not told before: in maintenance: night)
    ");
}

#[test]
fn a_deployment_is_quiet_for_its_time() {
    let mut play = Play::usual();
    play.hush(QuietKind::Deployment, "a", at(120));
    assert_snapshot!(play.run("a=x +60 a=. +60 a=x"), @"
    a=x → nobody a opened: quiet during a deployment: known
    a=. → nobody a resolved: no channel had heard of it
    a=x → slack a reopened ok→critical at 121
    ");
}

#[test]
fn while_an_uplink_is_down_nothing_is_told_of_what_depends_on_it() {
    let mut play = Play::with(|policy| {
        let mut a = check("a");
        a.depends_on = vec![id("b")];
        let mut b = check("b");
        b.depends_on = vec![id("uplink")];
        policy.checks.insert(id("a"), Arc::new(a));
        policy.checks.insert(id("b"), Arc::new(b));
    });
    // Only a run that began after the uplink was well again shows that a has a fault of its
    // own; b has none.
    assert_snapshot!(play.run("uplink=x a=x b=x +60 a=x uplink=. b=. +30 a=x"), @"
    uplink=x → slack uplink opened ok→critical at 1
    a=x → nobody a opened: `uplink`, which it depends on, is down
    b=x → nobody b opened: `uplink`, which it depends on, is down
    uplink=. → slack uplink resolved critical→ok at 61
    b=. → nobody b resolved: no channel had heard of it
    a=x → slack a opened ok→critical at 91 (not told before: `uplink`, which it depends on, is down)
    ");
}

#[test]
fn a_dependency_that_failed_but_is_not_confirmed_yet_explains_enough() {
    let mut play = Play::with(|policy| {
        let mut a = check("a");
        a.depends_on = vec![id("uplink")];
        policy.checks.insert(id("a"), Arc::new(a));
        let mut uplink = check("uplink");
        uplink.confirmation.fail_after = Window::in_a_row(3);
        policy.checks.insert(id("uplink"), Arc::new(uplink));
    });
    assert_snapshot!(play.run("uplink=x a=x +10 uplink=. +10 a=x"), @"
    a=x → nobody a opened: `uplink`, which it depends on, is down
    a=x → slack a opened ok→critical at 21 (not told before: `uplink`, which it depends on, is down)
    ");
}

#[test]
fn a_failing_check_has_what_it_depends_on_looked_at_at_once() {
    let mut play = Play::with(|policy| {
        let mut a = check("a");
        a.depends_on = vec![id("uplink")];
        a.confirmation.fail_after = Window::in_a_row(2);
        policy.checks.insert(id("a"), Arc::new(a));
    });
    let run = Run {
        check: Arc::clone(&play.policy.checks[&id("a")]),
        id: RunId("r".into()),
        started: at(0),
        took: Duration::ZERO,
        outcome: Outcome::no_answer("refused"),
    };
    let effect = play.engine.take_run(run, at(0)).unwrap();
    assert_eq!(effect.recheck, [(id("uplink"), Duration::ZERO)]);
}

fn inhibiting(when: Matcher) -> Play {
    Play::with(|policy| {
        policy.inhibit = vec![Inhibit {
            when,
            mute: Matcher {
                levels: vec![Level::Warning, Level::Critical],
                ..Matcher::default()
            },
        }];
    })
}

#[test]
fn an_incident_that_says_it_all_mutes_the_others_but_not_itself() {
    let mut play = inhibiting(matching("uplink"));
    assert_snapshot!(play.run("uplink=x a=x +60 uplink=. +30 a=x"), @"
    uplink=x → slack uplink opened ok→critical at 1
    a=x → nobody a opened: inhibited by the incident of `uplink`
    uplink=. → slack uplink resolved critical→ok at 61
    a=x → slack a opened ok→critical at 91 (not told before: inhibited by the incident of `uplink`)
    ");
}

#[test]
fn an_inhibition_whose_matchers_match_nothing_inhibits_nothing() {
    let mut play = inhibiting(matching("no/such/check"));
    assert_snapshot!(play.run("a=x"), @"a=x → slack a opened ok→critical at 1");
}

#[test]
fn flapping_is_told_once_then_only_a_critical_then_the_truth() {
    // Each run is a change; the sixth change makes it flap.
    assert_snapshot!(Play::usual().run("a=.w.w.w.w +30 a=x +30 a=...................."), @"
    a=.w.w.w.w → dooray a opened ok→warning at 1
    a=.w.w.w.w → dooray a resolved warning→ok at 1
    a=.w.w.w.w → dooray a reopened ok→warning at 1
    a=.w.w.w.w → dooray a resolved warning→ok at 1
    a=.w.w.w.w → dooray a reopened ok→warning at 1
    a=.w.w.w.w → dooray a flapping_began warning→warning at 1
    a=x → slack a worsened warning→critical at 31
    a=.................... → nobody a improved: it is flapping
    a=.................... → dooray a resolved warning→ok at 61
    a=.................... → slack a resolved critical→ok at 61
    ");
}

#[test]
fn a_recovery_after_flapping_is_told_when_it_is_calm() {
    assert_snapshot!(Play::usual().run("a=.x.x.x.x. +30 a=...................."), @"
    a=.x.x.x.x. → slack a opened ok→critical at 1
    a=.x.x.x.x. → slack a resolved critical→ok at 1
    a=.x.x.x.x. → slack a reopened ok→critical at 1
    a=.x.x.x.x. → slack a resolved critical→ok at 1
    a=.x.x.x.x. → slack a reopened ok→critical at 1
    a=.x.x.x.x. → slack a flapping_began critical→warning at 1
    a=.x.x.x.x. → slack a worsened warning→critical at 1
    a=.x.x.x.x. → nobody a improved: it is flapping
    a=.................... → slack a resolved critical→ok at 31
    ");
}

#[test]
fn flapping_that_begins_under_a_silence_is_told_once_when_it_ends() {
    assert_snapshot!(Play::usual().run("hush:a:60 a=.w.w.w.w.w +90 a=.w.w"), @"
    a=.w.w.w.w.w → nobody a opened: silenced by kim: known (silence q)
    a=.w.w.w.w.w → nobody a resolved: no channel had heard of it
    a=.w.w.w.w.w → nobody a reopened: silenced by kim: known (silence q)
    a=.w.w.w.w.w → nobody a resolved: no channel had heard of it
    a=.w.w.w.w.w → nobody a reopened: silenced by kim: known (silence q)
    a=.w.w.w.w.w → nobody a flapping_began: silenced by kim: known (silence q)
    @61 → dooray a opened ok→warning at 62 (not told before: silenced by kim: known (silence q))
    ");
}

fn guarded() -> Play {
    Play::with(|policy| {
        policy.blind_guard = Some(BlindGuard {
            controls: vec![id("uplink")],
            share: 0.8,
        });
    })
}

#[test]
fn when_our_own_network_fails_there_is_one_message_about_us_and_none_about_targets() {
    let mut play = guarded();
    play.run("a=. b=. c=. d=. uplink=.");
    assert_snapshot!(play.run("+30 uplink=n a=n b=n c=n d=n +30 uplink=n a=n b=n c=n d=n +30 uplink=. a=. b=."), @"
    a=n → slack haetae/sight opened ok→critical at 31
    uplink=. → slack haetae/sight resolved critical→ok at 91
    ");
}

#[test]
fn a_control_that_is_down_by_itself_is_an_incident_of_its_own() {
    let mut play = guarded();
    play.run("a=. b=. uplink=.");
    assert_snapshot!(play.run("+30 uplink=n +1 a=. b=. +29 uplink=n"), @"uplink=n → slack uplink opened ok→critical at 61");
}

#[test]
fn partners_that_fail_while_the_controls_answer_are_told() {
    let mut play = guarded();
    play.run("a=. b=. c=. d=. uplink=.");
    assert_snapshot!(play.run("+30 uplink=. a=n b=n c=n d=n"), @"
    a=n → slack a opened ok→critical at 31
    b=n → slack b opened ok→critical at 31
    c=n → slack c opened ok→critical at 31
    d=n → slack d opened ok→critical at 31
    ");
}

#[test]
fn labels_of_a_silence_are_those_of_routes() {
    let matcher = Matcher {
        tags: vec!["partner".into(), "money".into()],
        groups: vec!["shop".into(), "partners".into()],
        ..Matcher::default()
    };
    let fits = |name: &str, tags: &[&str]| {
        let mut check = check(name);
        check.tags = tags.iter().map(ToString::to_string).collect();
        matcher.matches(Labels {
            check: &check,
            level: Level::Warning,
            now: at(0),
        })
    };
    assert!(fits("partners/banks/kb", &["partner", "money"]));
    assert!(!fits("partners/x", &["partner"]));
    assert!(!fits("partners2/x", &["partner", "money"]));
}

#[test]
fn what_is_wrong_with_a_channel_is_told_elsewhere() {
    let mut play = Play::usual();
    let state = |trouble: Option<&str>| Command::ChannelState {
        channel: channel("slack"),
        trouble: trouble.map(str::to_owned),
    };
    for trouble in [Some("500"), Some("500"), None, None] {
        play.engine.take_command(state(trouble), at(play.now)).unwrap();
        play.collect("channel");
        play.now += 60;
    }
    assert_snapshot!(play.said.join("\n"), @"
    channel → dooray haetae/channel/slack opened ok→critical at 0
    channel → pager haetae/channel/slack opened ok→critical at 0
    channel → dooray haetae/channel/slack resolved critical→ok at 120
    channel → pager haetae/channel/slack resolved critical→ok at 120
    ");
    assert_eq!(channel_of(&id("haetae/channel/slack")), Some(channel("slack")));
}

#[test]
fn the_fallback_of_a_channel_belongs_to_those_who_heard() {
    let mut play = Play::with(|policy| {
        policy.channels.insert(channel("slack"), vec![channel("pager")]);
    });
    play.run("a=x");
    let incident = play.engine.ledger.open_of(&id("a")).unwrap().clone();
    let said = crate::engine::telling::notice(&incident, &check("a"), None, at(0));
    let fall_back = Command::FallBack {
        delivery: "d1".into(),
        channel: channel("slack"),
        notices: vec![said],
    };
    play.now = 70;
    play.engine.take_command(fall_back, at(70)).unwrap();
    assert_eq!(play.engine.batch(at(70)).fell_back, ["d1"]);
    play.collect("fallback");
    play.word("+60");
    play.word("a=.");
    assert_snapshot!(play.said.join("\n"), @"
    fallback → pager a opened ok→critical at 71 (told here because `slack` does not take messages)
    a=. → pager a resolved critical→ok at 131
    a=. → slack a resolved critical→ok at 131
    ");
}
