//! Running what is due: one loop that plans, hands out permits, and takes results back.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::plan::Plan;
use crate::check::{Pool, RunContext, Runnable, Services};
use crate::clock::wall_now;
use crate::model::{CheckId, Language, Outcome, Priority, Quantity, RunId, Timestamp, TriggerTag};

/// A probe ends its run by the deadline itself; one that does not is cut off so much later.
const GRACE: Duration = Duration::from_secs(3);
/// The wall clock is looked at so often, to notice that it has jumped.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// A difference of this much between the two clocks is a jump.
const JUMP: Duration = Duration::from_secs(1);

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// Which check, as it was defined when it ran.
    pub job: Job,
    /// The run.
    pub run: RunId,
    /// When it started.
    pub started: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How long after it was due it started.
    pub lateness: Duration,
    /// What was seen; secrets are masked.
    pub outcome: Outcome,
}

/// A check to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// The check.
    pub runnable: Runnable,
    /// When it was due.
    pub due: Timestamp,
}

/// Checks that somebody wants run now.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Why, and by whom.
    pub tag: Arc<TriggerTag>,
    /// Which; disabled ones too.
    pub checks: Vec<Runnable>,
}

/// What the runner is told.
pub enum Order {
    /// These are the checks from now on; disabled ones are left out.
    Checks(Vec<Runnable>),
    /// Look again at a check sooner than planned.
    Recheck(CheckId, Duration),
    /// Run these once each now, before what is due.
    Trigger(Asked),
    /// Start no more of the triggered run of this id, and abandon what runs of it.
    Cancel(String),
    /// Start nothing more, and end.
    Stop,
}

/// What the runner tells.
#[derive(Debug)]
pub enum Report {
    /// A run is over.
    Finished(Box<Finished>),
    /// A run that somebody asked for is over.
    Triggered(Box<Finished>, Arc<TriggerTag>),
    /// A due time was missed because the run before was still going, or the process stood.
    Late(CheckId, Timestamp),
}

/// How much runs at once.
#[derive(Debug, Clone, Copy)]
pub struct RunnerOptions {
    /// Checks that cost a socket.
    pub light_at_once: usize,
    /// Checks that cost a browser.
    pub browsers_at_once: usize,
    /// How long running checks may go on at shutdown before they are abandoned.
    pub shutdown_limit: Duration,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self {
            light_at_once: 512,
            browsers_at_once: 2,
            shutdown_limit: Duration::from_secs(10),
        }
    }
}

/// The loop's state.
pub struct Runner {
    services: Arc<Services>,
    options: RunnerOptions,
    plan: Plan,
    checks: HashMap<CheckId, Runnable>,
    /// Checks that run or wait for a permit.
    busy: HashSet<CheckId>,
    /// What waits until the run of its check before it is over.
    queued: HashMap<CheckId, VecDeque<Ready>>,
    ready: HashMap<Pool, BinaryHeap<Ready>>,
    free: HashMap<Pool, usize>,
    tasks: JoinSet<Finished>,
    going: HashMap<Id, Going>,
    reports: mpsc::Sender<Report>,
    epoch: (Timestamp, Instant),
    /// The wall clock minus the plan's timeline when it was last looked at, in microseconds.
    skew_us: i64,
}

/// Waits for a permit. What somebody asked for goes first, then the highest priority, then
/// who was due first.
struct Ready {
    priority: Priority,
    job: Job,
    tag: Option<Arc<TriggerTag>>,
}

impl Ready {
    fn new(runnable: &Runnable, due: Timestamp, tag: Option<Arc<TriggerTag>>) -> Self {
        Self {
            priority: runnable.check.priority,
            job: Job {
                runnable: runnable.clone(),
                due,
            },
            tag,
        }
    }

    fn is_of(&self, trigger: &str) -> bool {
        self.tag.as_ref().is_some_and(|tag| tag.id == trigger)
    }
}

/// A run under way.
struct Going {
    check: CheckId,
    pool: Pool,
    tag: Option<Arc<TriggerTag>>,
    abort: AbortHandle,
}

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Ready {}
impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ready {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let rank = |ready: &Self| (ready.tag.is_some(), ready.priority, Reverse(ready.job.due));
        rank(self).cmp(&rank(other))
    }
}

impl Runner {
    /// A runner without checks, and where its reports come out.
    #[must_use]
    pub fn new(services: Arc<Services>, options: RunnerOptions) -> (Self, mpsc::Receiver<Report>) {
        let (reports, receiver) = mpsc::channel(4_096);
        let runner = Self {
            services,
            options,
            plan: Plan::default(),
            checks: HashMap::new(),
            busy: HashSet::new(),
            queued: HashMap::new(),
            going: HashMap::new(),
            ready: HashMap::new(),
            free: HashMap::from([
                (Pool::Light, options.light_at_once.max(1)),
                (Pool::Browser, options.browsers_at_once.max(1)),
            ]),
            tasks: JoinSet::new(),
            reports,
            epoch: (wall_now(), Instant::now()),
            skew_us: 0,
        };
        (runner, receiver)
    }

    /// Runs until it is told to stop; then lets what runs finish within the limit.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let wake = self.wake_time();
            tokio::select! {
                order = orders.recv() => match order {
                    None | Some(Order::Stop) => break,
                    Some(order) => self.obey(order),
                },
                Some(done) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => self.finish(done).await,
                () = sleep_until(wake) => {}
            }
            self.notice_jump();
            self.take_due().await;
            self.start_ready();
        }
        self.shut_down().await;
    }

    fn now(&self) -> Timestamp {
        self.epoch.0 + self.epoch.1.elapsed()
    }

    fn wake_time(&mut self) -> Instant {
        let now = self.now();
        let wait = self.plan.next_due().map_or(LONGEST_SLEEP, |due| due.since(now));
        Instant::now() + wait.min(LONGEST_SLEEP)
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Checks(checks) => self.take_checks(checks),
            Order::Recheck(id, after) => {
                let at = self.now() + after;
                self.plan.sooner(&id, at);
            }
            Order::Trigger(asked) => self.trigger(&asked),
            Order::Cancel(id) => self.cancel(&id),
            Order::Stop => {}
        }
    }

    /// Puts what somebody asked for in front. No check is doubled: one that runs is run again
    /// when it is done, because what it saw may be older than the reason to ask.
    fn trigger(&mut self, asked: &Asked) {
        let now = self.now();
        for runnable in &asked.checks {
            let ready = Ready::new(runnable, now, Some(Arc::clone(&asked.tag)));
            self.line_up(ready);
        }
    }

    fn line_up(&mut self, ready: Ready) {
        let id = ready.job.runnable.check.id.clone();
        if self.busy.insert(id.clone()) {
            let pool = ready.job.runnable.pool;
            self.ready.entry(pool).or_default().push(ready);
        } else {
            self.queued.entry(id).or_default().push_back(ready);
        }
    }

    fn cancel(&mut self, trigger: &str) {
        for queue in self.queued.values_mut() {
            queue.retain(|ready| !ready.is_of(trigger));
        }
        let mut freed = Vec::new();
        for queue in self.ready.values_mut() {
            queue.retain(|ready| {
                let stays = !ready.is_of(trigger);
                if !stays {
                    freed.push(ready.job.runnable.check.id.clone());
                }
                stays
            });
        }
        for id in &freed {
            self.next_of(id);
        }
        // Their ends come in as those of other runs do, and free what they hold.
        for going in self.going.values() {
            if going.tag.as_ref().is_some_and(|tag| tag.id == trigger) {
                going.abort.abort();
            }
        }
    }

    /// A run of a check is over: what waited for that is next.
    fn next_of(&mut self, id: &CheckId) {
        self.busy.remove(id);
        let next = self.queued.get_mut(id).and_then(VecDeque::pop_front);
        if self.queued.get(id).is_some_and(VecDeque::is_empty) {
            self.queued.remove(id);
        }
        if let Some(ready) = next {
            self.line_up(ready);
        }
    }

    /// Whether a check is busy only because somebody asked for it: then what is due is not
    /// missed, it comes next.
    fn is_only_asked_for(&self, id: &CheckId) -> bool {
        let waits = |ready: &Ready| ready.tag.is_none() && ready.job.runnable.check.id == *id;
        let runs = |going: &Going| going.tag.is_none() && going.check == *id;
        !self.going.values().any(runs)
            && !self.queued.get(id).is_some_and(|queue| queue.iter().any(waits))
            && !self.ready.values().any(|queue| queue.iter().any(waits))
    }

    fn take_checks(&mut self, checks: Vec<Runnable>) {
        let now = self.now();
        let kept: HashSet<&CheckId> = checks.iter().map(|runnable| &runnable.check.id).collect();
        let gone: Vec<CheckId> = self
            .checks
            .keys()
            .filter(|id| !kept.contains(id))
            .cloned()
            .collect();
        for id in gone {
            self.checks.remove(&id);
            self.plan.remove(&id);
        }
        for runnable in checks {
            self.plan.put(Arc::clone(&runnable.check), now);
            self.checks.insert(runnable.check.id.clone(), runnable);
        }
    }

    fn notice_jump(&mut self) {
        let (wall, planned) = (wall_now(), self.now());
        let skew_us = wall.as_unix_us() - planned.as_unix_us();
        if Duration::from_micros(skew_us.abs_diff(self.skew_us)) > JUMP {
            tracing::warn!(%wall, "the wall clock has jumped; calendar times are found anew");
            self.skew_us = skew_us;
            self.plan.clock_jumped(planned, wall);
        }
    }

    async fn take_due(&mut self) {
        let now = self.now();
        while let Some(due) = self.plan.pop_due(now) {
            for _ in 0..due.missed.min(1_000) {
                let _ = self.reports.send(Report::Late(due.check.clone(), due.at)).await;
            }
            if self.busy.contains(&due.check) && !self.is_only_asked_for(&due.check) {
                let _ = self.reports.send(Report::Late(due.check, due.at)).await;
                continue;
            }
            let Some(runnable) = self.checks.get(&due.check) else {
                continue;
            };
            let ready = Ready::new(runnable, due.at, None);
            self.line_up(ready);
        }
    }

    fn start_ready(&mut self) {
        let now = self.now();
        for (pool, queue) in &mut self.ready {
            let free = self.free.entry(*pool).or_insert(1);
            while *free > 0 {
                let Some(ready) = queue.pop() else { break };
                *free -= 1;
                let services = Arc::clone(&self.services);
                let lateness = now.since(ready.job.due);
                let (check, tag) = (ready.job.runnable.check.id.clone(), ready.tag);
                let job = ready.job;
                let abort = self.tasks.spawn(async move {
                    Finished {
                        lateness,
                        ..run_once(job, services).await
                    }
                });
                let going = Going {
                    check,
                    pool: *pool,
                    tag,
                    abort,
                };
                self.going.insert(going.abort.id(), going);
            }
        }
    }

    async fn finish(&mut self, done: Result<(Id, Finished), JoinError>) {
        let id = match &done {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let going = self.going.remove(&id);
        if let Some(going) = &going {
            *self.free.entry(going.pool).or_insert(0) += 1;
            self.next_of(&going.check);
        }
        let tag = going.and_then(|going| going.tag);
        match (done, tag) {
            (Ok((_, finished)), Some(tag)) => {
                let _ = self
                    .reports
                    .send(Report::Triggered(Box::new(finished), tag))
                    .await;
            }
            (Ok((_, finished)), None) => {
                let _ = self.reports.send(Report::Finished(Box::new(finished))).await;
            }
            // Panics are caught inside the task; only a run that was cancelled comes here.
            (Err(_), Some(_)) => {}
            (Err(error), None) => tracing::error!(%error, "a run was lost"),
        }
    }

    async fn shut_down(mut self) {
        let limit = Instant::now() + self.options.shutdown_limit;
        while let Ok(Some(done)) = timeout_at(limit, self.tasks.join_next_with_id()).await {
            self.finish(done).await;
        }
        if !self.tasks.is_empty() {
            tracing::warn!(abandoned = self.tasks.len(), "runs were abandoned at shutdown");
            self.tasks.shutdown().await;
        }
        self.services.browsers.shut_down().await;
    }
}

/// Runs a check once, whatever happens to it: it ends by its deadline, and a panic is an
/// outcome that says so.
pub async fn run_once(job: Job, services: Arc<Services>) -> Finished {
    let check = Arc::clone(&job.runnable.check);
    let probe = Arc::clone(&job.runnable.probe);
    let (started, began) = (wall_now(), Instant::now());
    let run = RunContext {
        check: Arc::clone(&check),
        id: RunId::new(),
        started,
        deadline: began + check.timeout,
        captured: BTreeMap::new(),
        services: Arc::clone(&services),
    };
    let id = run.id.clone();
    let cut_off = run.deadline + GRACE;
    let mut task = AbortOnDropHandle::new(tokio::spawn(async move { probe.run(&run).await }));
    let mut outcome = match timeout_at(cut_off, &mut task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => {
            tracing::error!(check = %check.id, %error, "a probe failed");
            Outcome::not_measured("haetae itself failed while measuring; its log says where")
        }
        Err(_) => {
            task.abort();
            tracing::error!(check = %check.id, "a probe did not end by its deadline");
            Outcome::not_measured("the run did not end by its time-out and was cut off")
        }
    };
    let took = began.elapsed();
    outcome.measure("duration", Quantity::time(took));
    if services.language == Language::Ko {
        outcome.tell_in_korean();
    }
    outcome.redact(&services.redactor.current());
    Finished {
        job,
        run: id,
        started,
        took,
        lateness: Duration::ZERO,
        outcome,
    }
}
