//! Who is told what, and when, played in a tiny language: see [`Play::run`].

use std::time::Duration;

use insta::assert_snapshot;

use super::own::channel_of;
use super::*;
use crate::model::{
    Answer, Broken, Calendar, ChannelName, Confirmation, DaySpan, Days, Hours, IncidentId, Labels, Level,
    Maintenance, MaintenanceTime, MarkedAs, Matcher, Outcome, Priority, Purpose, QuietKind, Retry, RunId,
    Schedule, Window, Zone,
};
use crate::route::{BlindGuard, Escalation, GroupBy, Inhibit, Route, StormLimit};

mod suppression;
mod times;

fn id(text: &str) -> CheckId {
    CheckId::parse(text).unwrap()
}

fn check(name: &str) -> Check {
    Check {
        id: id(name),
        name: name.into(),
        description: None,
        owner: None,
        runbook: None,
        tags: Vec::new(),
        kind: "http",
        // So rare that no result is ever missed.
        schedule: Schedule::Every(Duration::from_hours(24 * 365)),
        timeout: Duration::from_secs(3),
        attempt_timeout: Duration::from_secs(3),
        retry: Retry::default(),
        thresholds: Vec::new(),
        confirmation: Confirmation {
            fail_after: Window::in_a_row(1),
            recover_after: Window::in_a_row(1),
            recheck_every: None,
        },
        depends_on: Vec::new(),
        target: String::new(),
        priority: Priority::Normal,
        enabled: true,
        fingerprint: 0,
        place: String::new(),
    }
}

fn channel(name: &str) -> ChannelName {
    ChannelName(name.into())
}

fn route(name: &str, level: Option<Level>, to: &[&str]) -> Route {
    Route {
        name: name.into(),
        matcher: Matcher {
            levels: level.into_iter().collect(),
            ..Matcher::default()
        },
        to: to.iter().map(|name| channel(name)).collect(),
        group_by: vec![GroupBy::Group],
        group_wait: Duration::from_secs(1),
        group_interval: Duration::from_secs(30),
        repeat_every: None,
        goes_on: false,
        digest: None,
        escalate: Vec::new(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_ms(second * 1_000)
}

fn matching(pattern: &str) -> Matcher {
    Matcher {
        checks: vec![crate::model::Glob::new(pattern)],
        ..Matcher::default()
    }
}

/// An engine, its clock and what it said.
struct Play {
    engine: Engine,
    policy: Policy,
    now: i64,
    said: Vec<String>,
    runs: u64,
}

impl Play {
    /// Checks a to d and uplink; criticals to slack, warnings to dooray; no storms.
    fn usual() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy {
            routes: vec![
                route("critical", Some(Level::Critical), &["slack"]),
                route("warning", Some(Level::Warning), &["dooray"]),
            ],
            channels: [("slack", vec![]), ("dooray", vec![]), ("pager", vec![])]
                .map(|(name, fallback)| (channel(name), fallback))
                .into(),
            ..Policy::default()
        };
        for name in ["a", "b", "c", "d", "uplink"] {
            policy.checks.insert(id(name), Arc::new(check(name)));
        }
        change(&mut policy);
        Self {
            engine: Engine::new(Arc::new(policy.clone()), Memory::default(), 7, at(0)),
            policy,
            now: 0,
            said: Vec::new(),
            runs: 0,
        }
    }

    /// Words: `a=x` a run of check a that is critical (`.` ok, `w` warning, `x` critical, `n`
    /// without answer, `?` unknown), `+30` half a minute later, `ack:a`, `hush:a*:60` a silence of a minute on a
    /// pattern, `restart`, `reload`. What is owed, held or closed by each is said.
    fn run(&mut self, script: &str) -> String {
        for word in script.split_whitespace() {
            self.word(word);
        }
        std::mem::take(&mut self.said).join("\n")
    }

    fn word(&mut self, word: &str) {
        if let Some(seconds) = word.strip_prefix('+') {
            let until = self.now + seconds.parse::<i64>().unwrap();
            let mut ticks = 0;
            while let Some(next) = self.engine.next_tick().filter(|next| *next <= at(until)) {
                ticks += 1;
                assert!(ticks < 10_000, "time stands still at {next}");
                self.now = self.now.max(next.as_unix_ms().div_euclid(1_000) + 1).min(until);
                self.engine.tick(at(self.now));
                self.collect(&format!("@{}", self.now));
                if self.now == until {
                    break;
                }
            }
            self.now = until;
            self.engine.tick(at(self.now));
        } else if let Some((check, seen)) = word.split_once('=') {
            self.look(check, seen);
        } else if let Some(check) = word.strip_prefix("ack:") {
            let incident = self.incident(check);
            let (by, note) = ("kim".to_owned(), String::new());
            let ack = Command::Acknowledge { incident, by, note };
            self.engine.take_command(ack, at(self.now)).unwrap();
        } else if let Some(rest) = word.strip_prefix("hush:") {
            let (pattern, seconds) = rest.split_once(':').unwrap();
            let ends = at(self.now + seconds.parse::<i64>().unwrap());
            self.hush(QuietKind::Silence, pattern, ends);
        } else if word == "unhush" {
            let end = Command::EndQuiet {
                id: "q".into(),
                by: "kim".into(),
            };
            self.engine.take_command(end, at(self.now)).unwrap();
        } else if word == "restart" {
            self.restart();
        } else if word == "reload" {
            self.engine
                .take_policy(Arc::new(self.policy.clone()), at(self.now));
        } else {
            panic!("`{word}`");
        }
        self.collect(word);
    }

    fn hush(&mut self, kind: QuietKind, pattern: &str, ends: Timestamp) {
        let quiet = Quiet {
            id: "q".into(),
            kind,
            matcher: matching(pattern),
            by: "kim".into(),
            reason: "known".into(),
            starts: at(self.now),
            ends,
        };
        self.engine
            .take_command(Command::Quieten(quiet), at(self.now))
            .unwrap();
    }

    fn incident(&self, check: &str) -> IncidentId {
        let open = self.engine.ledger.open_of(&id(check));
        open.unwrap_or_else(|| panic!("{check} has no incident"))
            .id
            .clone()
    }

    fn look(&mut self, check: &str, seen: &str) {
        for seen in seen.chars() {
            let check = Arc::clone(&self.policy.checks[&id(check)]);
            let mut outcome = Outcome::seen();
            match seen {
                '.' => {}
                'n' => outcome.answer = Answer::NoAnswer("refused".into()),
                '?' => outcome.answer = Answer::NotMeasured("no browser".into()),
                level => outcome.broken.push(Broken {
                    level: if level == 'w' {
                        Level::Warning
                    } else {
                        Level::Critical
                    },
                    what: "it is broken".into(),
                    detail: String::new(),
                }),
            }
            self.runs += 1;
            let run = Run {
                check,
                id: RunId(format!("r{}", self.runs)),
                started: at(self.now),
                took: Duration::ZERO,
                outcome,
            };
            self.engine.take_run(run, at(self.now));
        }
    }

    /// The process ends and another takes up what was written.
    fn restart(&mut self) {
        self.collect("restart");
        let memory = Memory {
            states: self.engine.states.clone().into_iter().collect(),
            incidents: self.engine.ledger.all().cloned().collect(),
            quiets: self.engine.quiets.clone(),
        };
        let memory_json = serde_json::to_string(&memory.incidents).unwrap();
        let memory = Memory {
            incidents: serde_json::from_str(&memory_json).unwrap(),
            ..memory
        };
        self.engine = Engine::new(Arc::new(self.policy.clone()), memory, 8, at(self.now));
    }

    /// Says what waits to be written, and takes it for written.
    fn collect(&mut self, word: &str) {
        let batch = self.engine.batch(at(self.now)).clone();
        for change in &batch.changes {
            for (_, owed) in &change.owed {
                let kind = match (owed.notice.purpose, owed.notice.change) {
                    (Purpose::News, Some(kind)) => kind.as_str().to_owned(),
                    (purpose, _) => format!("{purpose:?}").to_lowercase(),
                };
                let note = owed.notice.note.as_ref().map(|note| format!(" ({note})"));
                let due = owed.due.as_unix_ms() as f64 / 1_000.0;
                self.said.push(format!(
                    "{word} → {} {} {kind} {}→{} at {due}{}",
                    owed.channel,
                    change.incident.check,
                    owed.notice.from,
                    owed.notice.level,
                    note.unwrap_or_default()
                ));
            }
            if let Some(why) = change.held.as_ref().filter(|_| change.transition.is_some()) {
                let kind = change
                    .transition
                    .as_ref()
                    .map_or("", |change| change.kind.as_str());
                self.said
                    .push(format!("{word} → nobody {} {kind}: {why}", change.incident.check));
            }
        }
        for over in &batch.storms_over {
            let due = over.due.as_unix_ms() as f64 / 1_000.0;
            self.said
                .push(format!("{word} → {} storm over at {due}", over.channel));
        }
        self.engine.written(at(self.now));
    }
}

#[test]
fn each_level_goes_its_own_way_and_the_resolve_to_all_who_heard() {
    assert_snapshot!(Play::usual().run("a=w +10 a=x +90 a=."), @"
    a=w → dooray a opened ok→warning at 1
    a=x → slack a worsened warning→critical at 11
    a=. → dooray a resolved warning→ok at 101
    a=. → slack a resolved critical→ok at 101
    ");
}

#[test]
fn a_resolve_goes_to_no_channel_that_had_not_heard() {
    assert_snapshot!(Play::usual().run("a=x +60 a=."), @"
    a=x → slack a opened ok→critical at 1
    a=. → slack a resolved critical→ok at 61
    ");
}

#[test]
fn an_improvement_goes_to_those_who_heard_the_worse_level() {
    assert_snapshot!(Play::usual().run("a=w +10 a=x +10 a=w +30 a=x +60 a=."), @"
    a=w → dooray a opened ok→warning at 1
    a=x → slack a worsened warning→critical at 11
    a=w → slack a improved critical→warning at 21
    a=x → slack a worsened warning→critical at 51
    a=. → dooray a resolved warning→ok at 111
    a=. → slack a resolved critical→ok at 111
    ");
}

#[test]
fn a_group_that_was_told_waits_for_its_interval_unless_it_gets_worse() {
    let mut play =
        Play::with(|policy| policy.routes[0].matcher.levels = vec![Level::Warning, Level::Critical]);
    assert_snapshot!(play.run("a=w +5 b=w +1 c=x"), @"
    a=w → slack a opened ok→warning at 1
    b=w → slack b opened ok→warning at 31
    c=x → slack c opened ok→critical at 7
    ");
}

#[test]
fn a_second_service_that_fails_while_the_first_is_down_is_told() {
    assert_snapshot!(Play::usual().run("a=x +600 b=x +60 a=. +60 b=."), @"
    a=x → slack a opened ok→critical at 1
    b=x → slack b opened ok→critical at 601
    a=. → slack a resolved critical→ok at 661
    b=. → slack b resolved critical→ok at 721
    ");
}

#[test]
fn unknown_goes_where_warnings_go_unless_a_route_names_it() {
    assert_snapshot!(Play::usual().run("a=?"), @"a=? → dooray a opened ok→unknown at 1");
    let mut play = Play::with(|policy| {
        policy
            .routes
            .push(route("unknown", Some(Level::Unknown), &["pager"]));
    });
    assert_snapshot!(play.run("a=?"), @"a=? → pager a opened ok→unknown at 1");
}

#[test]
fn continue_lets_later_routes_match_but_tells_no_channel_twice() {
    let mut play = Play::with(|policy| {
        let mut all = route("all", None, &["pager", "slack"]);
        all.goes_on = true;
        policy.routes.insert(0, all);
    });
    assert_snapshot!(play.run("a=x"), @"
    a=x → pager a opened ok→critical at 1
    a=x → slack a opened ok→critical at 1
    ");
}

#[test]
fn silence_always_has_a_reason() {
    let mut play = Play::with(|policy| {
        policy.routes = vec![route("nobody", Some(Level::Warning), &[])];
    });
    assert_snapshot!(play.run("a=w +9 a=. +20 b=x"), @"
    a=w → nobody a opened: its route says `to: []`
    a=. → nobody a resolved: no channel had heard of it
    b=x → nobody b opened: no route takes it
    ");
}

#[test]
fn a_restart_and_a_reload_with_open_incidents_say_nothing() {
    let mut play = Play::with(|policy| policy.routes[0].repeat_every = Some(Duration::from_hours(1)));
    assert_snapshot!(play.run("a=x b=w +60 restart +60 reload +60 restart +60 a=x b=w"), @"
    a=x → slack a opened ok→critical at 1
    b=w → dooray b opened ok→warning at 1
    ");
}

#[test]
fn a_check_that_is_taken_out_closes_in_silence() {
    let mut play = Play::usual();
    play.run("a=x +60");
    play.policy.checks.remove(&id("a"));
    assert_snapshot!(play.run("reload +60 restart"), @"reload → nobody a closed: the check is no longer watched");
    assert!(play.engine.ledger.open().next().is_none());
}

#[test]
fn a_relapse_within_five_minutes_is_the_same_incident() {
    let mut play = Play::usual();
    play.run("a=x");
    let first = play.incident("a");
    assert_snapshot!(play.run("+60 a=. +120 a=x"), @"
    a=. → slack a resolved critical→ok at 61
    a=x → slack a reopened ok→critical at 181
    ");
    assert_eq!(play.incident("a"), first);
    play.run("+60 a=. +400 a=x");
    assert_ne!(play.incident("a"), first);
}

#[test]
fn people_mark_what_an_incident_was_long_after_it_is_over() {
    let mut play = Play::usual();
    play.run("a=x");
    let incident = play.incident("a");
    play.run("+60 a=.");
    let known = play.engine.ledger.get(&incident).unwrap().clone();
    play.run("+3600");
    let mark = Command::Mark {
        incident: incident.clone(),
        verdict: MarkedAs::False,
        by: "kim".into(),
    };
    let refused = play.engine.take_command(mark.clone(), at(play.now)).unwrap_err();
    assert_eq!(refused.to_string(), format!("there is no incident `{incident}`"));
    play.engine.remember(known);
    play.engine.take_command(mark, at(play.now)).unwrap();
    let written = play.engine.batch(at(play.now)).changes[0].incident.clone();
    assert_eq!(written.mark.unwrap().verdict, MarkedAs::False);
}
