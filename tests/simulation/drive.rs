//! The shell that a simulation puts around the engine: as recorder and outbox do, step by
//! step, with receivers that fail and a process that dies in between.

use std::sync::Arc;
use std::time::Duration;

use haetae::engine::{Command, Engine, Memory, Run, remembers_since};
use haetae::model::{
    Answer, AttemptResult, Broken, ChannelName, CheckId, Language, Level, Outcome, Quiet, QuietKind, RunId,
    SharedRedactor, Timestamp,
};
use haetae::notify::{Courier, News, Picked};
use haetae::route::Policy;
use haetae::store::{SqliteStore, Store};

use crate::rules::Rules;
use crate::setup::{CHANNELS, Crash, EPOCH_S, Event, Mood, Setup, check_name};

/// The process has died.
struct Died;

/// What the store said last of when something is due.
#[derive(Clone, Copy)]
enum Known {
    /// It must be asked.
    Not,
    /// This, or nothing.
    Due(Option<Timestamp>),
}

pub struct Drive {
    policy: Policy,
    seed: u64,
    engine: Engine,
    store: Arc<dyn Store>,
    courier: Courier,
    now: Timestamp,
    moods: [Mood; CHANNELS.len()],
    crash: Option<Crash>,
    failing_writes: u32,
    /// When something is due per channel, as the store said last; none when it must be asked.
    due: [Known; CHANNELS.len()],
    quiets: u32,
    runs: u64,
    rules: Rules,
}

impl Drive {
    pub async fn new(setup: &Setup) -> Self {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().await.unwrap());
        let now = Timestamp::from_unix_ms(EPOCH_S * 1_000);
        let policy = setup.policy.clone();
        Self {
            engine: Engine::new(Arc::new(policy.clone()), Memory::default(), setup.seed, now),
            seed: setup.seed,
            courier: Courier {
                store: Arc::clone(&store),
                redactor: SharedRedactor::default(),
                public_url: None,
                language: Language::En,
            },
            store,
            now,
            moods: [Mood::Takes; CHANNELS.len()],
            crash: None,
            failing_writes: 0,
            due: [Known::Not; CHANNELS.len()],
            quiets: 0,
            runs: 0,
            rules: Rules::new(&policy),
            policy,
        }
    }

    /// One event, and all that follows from it at once.
    pub async fn step(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Run(check, level) => self.run(*check, *level),
            Event::Flap(check, level) => {
                for n in 0..10 {
                    self.run(*check, if n % 2 == 0 { Level::Ok } else { *level });
                }
            }
            Event::Dark => {
                for check in 0..self.policy.checks.len() {
                    self.run(check, Level::Critical);
                }
            }
            Event::Wait(span) => self.wait(*span).await?,
            Event::Silence(pattern, span) => self.hush(QuietKind::Silence, pattern, *span),
            Event::Deploy(pattern, span) => self.hush(QuietKind::Deployment, pattern, *span),
            Event::EndSilence => {
                if let Some(quiet) = self.engine.quiets().first().cloned() {
                    let (id, by) = (quiet.id.clone(), "kim".to_owned());
                    let _ = self.engine.take_command(Command::EndQuiet { id, by }, self.now);
                    self.rules.quiet_ended(&quiet.id, self.now);
                }
            }
            Event::Acknowledge(check) => self.acknowledge(*check),
            Event::Receiver(receiver, mood) => self.moods[*receiver] = *mood,
            Event::Crash(point) => self.crash = Some(*point),
            Event::Restart => {
                self.settle_down().await?;
                self.restart().await?;
            }
            Event::Reload => self.reload()?,
            Event::Toggle(check) => self.toggle(*check)?,
            Event::StoreFails(times) => self.failing_writes = *times,
        }
        self.settle_down().await?;
        self.rules.held_rightly(&self.engine, self.now)
    }

    fn run(&mut self, check: usize, level: Level) {
        let id = CheckId::parse(&check_name(check)).unwrap();
        let Some(check) = self.policy.checks.get(&id).cloned() else {
            return;
        };
        let mut outcome = Outcome::seen();
        match level {
            Level::Ok => {}
            Level::Unknown => outcome.answer = Answer::NotMeasured("no browser".into()),
            level => outcome.broken.push(Broken {
                level,
                what: "it is broken".into(),
                detail: String::new(),
            }),
        }
        self.runs += 1;
        let run = Run {
            check,
            id: RunId(format!("r{}", self.runs)),
            started: self.now,
            took: Duration::ZERO,
            outcome,
        };
        self.rules.ran(&run.check, level, self.now);
        self.engine.take_run(run, self.now);
    }

    fn hush(&mut self, kind: QuietKind, pattern: &str, span: Duration) {
        self.quiets += 1;
        let quiet = Quiet {
            id: format!("q{}", self.quiets),
            kind,
            matcher: haetae::model::Matcher {
                checks: vec![haetae::model::Glob::new(pattern)],
                ..haetae::model::Matcher::default()
            },
            by: "kim".into(),
            reason: "known".into(),
            starts: self.now,
            ends: self.now + span,
        };
        self.rules.quieted(&quiet);
        let _ = self.engine.take_command(Command::Quieten(quiet), self.now);
    }

    fn acknowledge(&mut self, check: usize) {
        let id = CheckId::parse(&check_name(check)).unwrap();
        let Some(incident) = self
            .engine
            .ledger()
            .open_of(&id)
            .map(|incident| incident.id.clone())
        else {
            return;
        };
        let ack = Command::Acknowledge {
            incident,
            by: "kim".into(),
            note: String::new(),
        };
        self.engine.take_command(ack, self.now).unwrap();
    }

    fn reload(&mut self) -> Result<(), String> {
        let owed = self.owed();
        self.engine.take_policy(Arc::new(self.policy.clone()), self.now);
        if self.owed() != owed {
            return Err("a reload said something by itself".into());
        }
        Ok(())
    }

    fn owed(&mut self) -> usize {
        self.engine
            .pending()
            .changes
            .iter()
            .map(|change| change.owed.len())
            .sum()
    }

    fn toggle(&mut self, check: usize) -> Result<(), String> {
        let id = CheckId::parse(&check_name(check)).unwrap();
        let known = self.policy.checks.get_mut(&id).unwrap();
        let mut changed = (**known).clone();
        changed.enabled = !changed.enabled;
        *known = Arc::new(changed);
        self.rules.toggled(&id);
        self.reload()
    }

    /// Time passes, with everything that is due in between.
    async fn wait(&mut self, span: Duration) -> Result<(), String> {
        let until = self.now + span;
        // Far more than anything has to do in the longest wait.
        for _ in 0..3_000 {
            let mut next = self.engine.next_tick();
            for n in 0..CHANNELS.len() {
                next = [next, self.due(n).await].into_iter().flatten().min();
            }
            let Some(next) = next.filter(|next| *next < until) else {
                self.now = until;
                return self.settle_down().await;
            };
            // Nothing that is due waits longer than a second for it to be noticed.
            self.now = (self.now + Duration::from_secs(1)).max(next).min(until);
            self.settle_down().await?;
            if self.now >= until {
                return Ok(());
            }
        }
        Err(format!(
            "time stands still: the engine looks at {:?}",
            self.engine.next_tick()
        ))
    }

    /// What is due is done, until nothing is; if the process dies, another takes up.
    async fn settle_down(&mut self) -> Result<(), String> {
        for _ in 0..200 {
            self.engine.tick(self.now);
            match self.work().await? {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(Died) => self.restart().await?,
            }
        }
        Err("there is always something due".into())
    }

    /// Writes, and sends one message per channel. Whether there may be more to do.
    async fn work(&mut self) -> Result<Result<bool, Died>, String> {
        if self.write().await?.is_err() {
            return Ok(Err(Died));
        }
        let mut more = false;
        for n in 0..CHANNELS.len() {
            match self.send(n).await? {
                Ok(sent) => more |= sent,
                Err(died) => return Ok(Err(died)),
            }
        }
        Ok(Ok(
            more || self.engine.pending().is_urgent() && self.failing_writes == 0
        ))
    }

    async fn due(&mut self, n: usize) -> Option<Timestamp> {
        if let Known::Due(known) = self.due[n] {
            return known;
        }
        let channel = ChannelName(CHANNELS[n].into());
        let due = self.store.next_due(&channel).await.unwrap();
        self.due[n] = Known::Due(due);
        due
    }

    fn dies_at(&mut self, point: Crash) -> bool {
        if self.crash == Some(point) {
            self.crash = None;
            return true;
        }
        false
    }

    async fn write(&mut self) -> Result<Result<(), Died>, String> {
        // As the recorder does: what changes nothing waits for company.
        if !self.engine.pending().is_urgent() && self.engine.pending().runs.len() < 16 {
            return Ok(Ok(()));
        }
        if self.dies_at(Crash::BeforeWriting) {
            return Ok(Err(Died));
        }
        if self.failing_writes > 0 {
            self.failing_writes -= 1;
            return Ok(Ok(()));
        }
        let batch = self.engine.batch(self.now).clone();
        self.rules.written(&batch, &self.engine, self.now)?;
        self.store.record(&batch, &[]).await.unwrap();
        if batch.changes.iter().any(|change| !change.owed.is_empty()) || !batch.storms_over.is_empty() {
            self.due = [Known::Not; CHANNELS.len()];
        }
        self.engine.written(self.now);
        if self.dies_at(Crash::AfterWriting) {
            return Ok(Err(Died));
        }
        Ok(Ok(()))
    }

    async fn send(&mut self, n: usize) -> Result<Result<bool, Died>, String> {
        let channel = ChannelName(CHANNELS[n].into());
        if self.due(n).await.is_none_or(|due| due > self.now) {
            return Ok(Ok(false));
        }
        self.due[n] = Known::Not;
        let (delivery, message) = match self.courier.pick(&channel, self.now).await.unwrap() {
            Picked::Nothing => return Ok(Ok(false)),
            Picked::PutAway => return Ok(Ok(true)),
            Picked::Message(delivery, message) => (delivery, message),
        };
        if self.dies_at(Crash::AfterClaiming) {
            return Ok(Err(Died));
        }
        let result = match self.moods[n] {
            Mood::Takes => AttemptResult::Sent,
            Mood::Fails | Mood::Mumbles => AttemptResult::Retry {
                after: None,
                why: "500".into(),
            },
            Mood::Refuses => AttemptResult::Dead { why: "404".into() },
        };
        let is_taken = matches!(self.moods[n], Mood::Takes | Mood::Mumbles);
        if is_taken {
            let is_known = self.moods[n] == Mood::Takes;
            self.rules
                .taken(&*self.store, &channel, &message, is_known, delivery.attempts)
                .await?;
        }
        if self.dies_at(Crash::AfterSending) {
            self.rules.died_after_sending(&message.key);
            return Ok(Err(Died));
        }
        let news = self
            .courier
            .settle(&delivery, result, self.now, 0.5)
            .await
            .unwrap();
        let trouble = match &news {
            News::Waits => return Ok(Ok(true)),
            News::Works => None,
            News::Failing { why, .. } | News::GivenUp { why, .. } => Some(why.clone()),
        };
        if matches!(news, News::GivenUp { .. }) {
            self.rules.given_up(&channel, &delivery);
        }
        let state = Command::ChannelState {
            channel: channel.clone(),
            trouble,
        };
        self.engine.take_command(state, self.now).unwrap();
        if let News::Failing { fall_back: true, .. } | News::GivenUp { fall_back: true, .. } = news {
            let fall_back = Command::FallBack {
                delivery: delivery.key,
                channel,
                notices: delivery.notices,
            };
            self.engine.take_command(fall_back, self.now).unwrap();
        }
        Ok(Ok(true))
    }

    /// The latest deliveries, for whoever looks for what went wrong.
    pub async fn describe(&self) -> String {
        let mut rows = self.store.deliveries(None, 30).await.unwrap();
        rows.reverse();
        let lines: Vec<String> = rows
            .iter()
            .map(|row| {
                format!(
                    "{} {} {} attempts {} due {} settled {:?} {:?}",
                    row.channel, row.group_key, row.status, row.attempts, row.due, row.settled, row.incidents
                )
            })
            .collect();
        let mut stories = Vec::new();
        for incident in self.store.incidents(false, 20).await.unwrap() {
            for row in self.store.transitions(&incident.id).await.unwrap() {
                let (at, change, held) = (row.transition.at, row.transition.kind.as_str(), row.silence);
                let level = row.transition.to;
                stories.push(format!(
                    "{at} {} {} {change} {level} {held:?}",
                    incident.check, incident.id
                ));
            }
            for entry in self.store.timeline(&incident.id).await.unwrap() {
                stories.push(format!(
                    "{} {} {} {}",
                    entry.at, incident.check, entry.what, entry.text
                ));
            }
        }
        stories.sort();
        format!("now {}\n{}\n{}", self.now, lines.join("\n"), stories.join("\n"))
    }

    /// Another process takes up what the last one left.
    async fn restart(&mut self) -> Result<(), String> {
        self.store.release_leases().await.unwrap();
        self.due = [Known::Not; CHANNELS.len()];
        let remembered = self.store.remember(remembers_since(self.now)).await.unwrap();
        let memory = Memory {
            states: remembered.states,
            incidents: remembered.incidents,
            quiets: remembered
                .quiets
                .into_iter()
                .filter(|quiet| quiet.ends > self.now)
                .collect(),
        };
        self.seed += 1;
        self.engine = Engine::new(Arc::new(self.policy.clone()), memory, self.seed, self.now);
        self.rules.restarted(&self.engine);
        if self.owed() > 0 {
            return Err("a restart said something by itself".into());
        }
        Ok(())
    }

    /// Everything calms: receivers take, nothing is quiet, every check stays at the level it
    /// is at. What must be known then, is known.
    pub async fn finish(&mut self) -> Result<(), String> {
        self.moods = [Mood::Takes; CHANNELS.len()];
        self.crash = None;
        self.failing_writes = 0;
        while !self.engine.quiets().is_empty() {
            self.step(&Event::EndSilence).await?;
        }
        for route in &mut self.policy.routes {
            route.repeat_every = None;
        }
        self.reload()?;
        let levels = self.rules.last_levels();
        // Until flapping has calmed too.
        for round in 0..40 {
            for (check, level) in &levels {
                self.run(*check, *level);
            }
            self.wait(Duration::from_mins(1)).await?;
            let flaps = self.engine.states().any(|(_, state)| state.is_flapping());
            if round > 3 && !flaps {
                break;
            }
        }
        // Past every maintenance, every digest and every window.
        for _ in 0..4 {
            self.wait(Duration::from_hours(7)).await?;
            for (check, level) in &levels {
                self.run(*check, *level);
            }
            self.settle_down().await?;
        }
        self.wait(Duration::from_hours(25)).await?;
        self.rules.finished(&*self.store, &self.engine, self.now).await
    }
}
