//! What must always hold. The rules look at what was run, what was written and what the
//! receivers took; they decide by themselves and ask the engine nothing but its incidents.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use haetae::alert::Batch;
use haetae::engine::Engine;
use haetae::model::{
    ChannelName, Check, CheckId, Delivery, Form, Incident, IncidentId, Level, MaintenanceTime, Message,
    Notice, Purpose, Quiet, Timestamp, TransitionKind,
};
use haetae::route::Policy;
use haetae::store::Store;

/// What one receiver took of one incident.
#[derive(Default)]
struct Taken {
    /// News, oldest first; a repeated delivery counts once.
    news: Vec<Notice>,
}

pub struct Rules {
    policy: Policy,
    enabled: BTreeMap<CheckId, bool>,
    /// The level of the last run, of the last one that measured something, and all levels
    /// there were.
    last: BTreeMap<CheckId, Level>,
    seen: BTreeMap<CheckId, BTreeSet<Level>>,
    measured: BTreeMap<CheckId, Level>,
    /// Since when the last runs were at that level.
    since: BTreeMap<CheckId, Timestamp>,
    quiets: Vec<Quiet>,
    taken: HashMap<(ChannelName, IncidentId), Taken>,
    /// How often a delivery was taken, and how often it may be because its answer was lost.
    times: HashMap<String, u32>,
    allowed: HashMap<String, u32>,
    /// Of whom a channel will never hear, because it refused.
    deaf: BTreeSet<(ChannelName, IncidentId)>,
    refused: BTreeSet<ChannelName>,
    checks: HashMap<IncidentId, CheckId>,
}

impl Rules {
    pub fn new(policy: &Policy) -> Self {
        Self {
            policy: policy.clone(),
            enabled: policy.checks.keys().map(|id| (id.clone(), true)).collect(),
            last: BTreeMap::new(),
            seen: BTreeMap::new(),
            measured: BTreeMap::new(),
            since: BTreeMap::new(),
            quiets: Vec::new(),
            taken: HashMap::new(),
            times: HashMap::new(),
            allowed: HashMap::new(),
            deaf: BTreeSet::new(),
            refused: BTreeSet::new(),
            checks: HashMap::new(),
        }
    }

    pub fn ran(&mut self, check: &Check, level: Level, now: Timestamp) {
        if self.enabled[&check.id] {
            if self.last.get(&check.id) != Some(&level) {
                self.since.insert(check.id.clone(), now);
            }
            self.last.insert(check.id.clone(), level);
            if level != Level::Unknown {
                self.measured.insert(check.id.clone(), level);
            }
            self.seen.entry(check.id.clone()).or_default().insert(level);
        }
    }

    pub fn toggled(&mut self, id: &CheckId) {
        if let Some(enabled) = self.enabled.get_mut(id) {
            *enabled = !*enabled;
        }
        if !self.enabled[id] {
            self.last.remove(id);
        }
    }

    pub fn quieted(&mut self, quiet: &Quiet) {
        self.quiets.push(quiet.clone());
    }

    pub fn quiet_ended(&mut self, id: &str, now: Timestamp) {
        for quiet in self.quiets.iter_mut().filter(|quiet| quiet.id == id) {
            quiet.ends = now;
        }
    }

    /// A crash may have lost runs, and a silence, that were not written yet.
    pub fn restarted(&mut self, engine: &Engine) {
        self.last = engine
            .states()
            .filter(|(id, _)| self.enabled.get(id) == Some(&true))
            .filter_map(|(id, state)| Some((id.clone(), state.last?)))
            .collect();
        let known: BTreeSet<&str> = engine.quiets().iter().map(|quiet| quiet.id.as_str()).collect();
        self.quiets.retain(|quiet| known.contains(quiet.id.as_str()));
        for quiet in engine.quiets() {
            if let Some(ours) = self.quiets.iter_mut().find(|ours| ours.id == quiet.id) {
                ours.ends = quiet.ends;
            }
        }
    }

    pub fn died_after_sending(&mut self, key: &str) {
        *self.allowed.entry(key.to_owned()).or_default() += 1;
    }

    pub fn given_up(&mut self, channel: &ChannelName, delivery: &Delivery) {
        self.refused.insert(channel.clone());
        for notice in &delivery.notices {
            self.deaf.insert((channel.clone(), notice.incident.clone()));
        }
    }

    /// The checks that are watched, with the level they stay at: that of the last run.
    pub fn last_levels(&self) -> Vec<(usize, Level)> {
        self.policy
            .checks
            .keys()
            .filter_map(|id| {
                let number = id.as_str().rsplit('c').next()?.parse().ok()?;
                Some((number, *self.last.get(id)?))
            })
            .collect()
    }

    /// Looks at what is written: every change is told or has its reason, and nothing bad is
    /// owed while it is quiet.
    pub fn written(&mut self, batch: &Batch, engine: &Engine, now: Timestamp) -> Result<(), String> {
        for change in &batch.changes {
            let incident = &change.incident;
            self.checks.insert(incident.id.clone(), incident.check.clone());
            if let Some(transition) = &change.transition
                && change.owed.is_empty()
                && change.held.is_none()
            {
                return Err(format!(
                    "{} {}: told to nobody, and no reason why",
                    incident.check,
                    transition.kind.as_str()
                ));
            }
            for (_, owed) in &change.owed {
                self.may_be_owed(incident, &owed.notice, &owed.channel, engine, now)?;
            }
        }
        Ok(())
    }

    fn may_be_owed(
        &self,
        incident: &Incident,
        notice: &Notice,
        channel: &ChannelName,
        engine: &Engine,
        now: Timestamp,
    ) -> Result<(), String> {
        let told = format!("{} told {} of {}", incident.check, channel, notice.level);
        // What was written late was decided earlier, when it may have been quiet or not.
        if notice.level == Level::Ok
            || notice.purpose == Purpose::Note
            || notice.at < now
            || is_own(&incident.check)
        {
            return Ok(());
        }
        if let Some(quiet) = self
            .quiets
            .iter()
            .find(|quiet| quiet.starts < notice.at && is_quiet(quiet, &incident.check, now))
        {
            return Err(format!("{told}, although {} makes it quiet", quiet.id));
        }
        if self.is_in_maintenance(&incident.check, now) {
            return Err(format!("{told}, although it is in maintenance"));
        }
        let is_calm_news = notice.change != Some(TransitionKind::FlappingBegan)
            && notice.change != Some(TransitionKind::FlappingEnded);
        let known = engine
            .ledger()
            .get(&incident.id)
            .is_some_and(|known| known.heard.len() > 1);
        if incident.flapping
            && is_calm_news
            && known
            && notice.level != Level::Critical
            && notice.purpose == Purpose::Reminder
        {
            return Err(format!("{told}, although it is flapping"));
        }
        let check = &self.policy.checks[&incident.check];
        for parent in &check.depends_on {
            let is_before = self.since.get(parent).is_some_and(|since| *since < notice.at);
            if self.enabled[parent] && is_before && self.last.get(parent) == Some(&Level::Critical) {
                return Err(format!("{told}, although {parent}, which it depends on, is down"));
            }
        }
        if notice.purpose == Purpose::Reminder && incident.acknowledged.is_some() {
            return Err(format!("{told} again, although it is acknowledged"));
        }
        Ok(())
    }

    fn is_in_maintenance(&self, check: &CheckId, now: Timestamp) -> bool {
        let minute_of_two_hours = now.as_unix_ms() / 60_000 % 120;
        self.policy.maintenance.iter().any(|maintenance| {
            matches!(maintenance.time, MaintenanceTime::Every(..))
                && check.as_str().starts_with("g0/")
                && (30..50).contains(&minute_of_two_hours)
        })
    }

    /// Whether a channel may be told that a check is at a level: some route, escalation or
    /// fallback names it.
    fn is_named(&self, channel: &ChannelName, level: Level) -> bool {
        let level = if level == Level::Unknown {
            Level::Warning
        } else {
            level
        };
        let named: BTreeSet<&ChannelName> = self
            .policy
            .routes
            .iter()
            .filter(|route| route.matcher.levels.contains(&level))
            .flat_map(|route| {
                let steps = route.escalate.iter().flat_map(|step| &step.to);
                route.to.iter().chain(steps)
            })
            .collect();
        // A fallback may have a fallback.
        let mut all = named.clone();
        for _ in 0..3 {
            let further: Vec<&ChannelName> =
                all.iter().flat_map(|name| &self.policy.channels[*name]).collect();
            all.extend(further);
        }
        all.contains(channel)
    }

    /// After every step: what somebody or a plan holds back, is held back by one in force.
    pub fn held_rightly(&self, engine: &Engine, now: Timestamp) -> Result<(), String> {
        for incident in engine.ledger().open() {
            let Some(why) = &incident.held else { continue };
            let still = match why.word() {
                "silence" | "deployment" => self
                    .quiets
                    .iter()
                    .any(|quiet| is_quiet(quiet, &incident.check, now)),
                "maintenance" => self.is_in_maintenance(&incident.check, now),
                "flapping" => incident.flapping && incident.level != Level::Critical,
                _ => true,
            };
            if !still {
                return Err(format!(
                    "{} is held back by what has ended: {why}",
                    incident.check
                ));
            }
        }
        Ok(())
    }

    /// A receiver has taken a message.
    pub async fn taken(
        &mut self,
        store: &dyn Store,
        channel: &ChannelName,
        message: &Message,
        is_known: bool,
        attempts: u32,
    ) -> Result<(), String> {
        let times = self.times.entry(message.key.clone()).or_default();
        *times += 1;
        let allowed = 1 + self.allowed.get(&message.key).copied().unwrap_or(0);
        if *times > allowed {
            return Err(format!(
                "{channel} got {} {times} times, and {allowed} were allowed",
                message.key
            ));
        }
        if !is_known {
            *self.allowed.entry(message.key.clone()).or_default() += 1;
        }
        if *times > 1 {
            return Ok(());
        }
        for notice in &message.notices {
            self.one_taken(store, channel, message.form, notice, attempts)
                .await?;
        }
        Ok(())
    }

    async fn one_taken(
        &mut self,
        store: &dyn Store,
        channel: &ChannelName,
        form: Form,
        notice: &Notice,
        attempts: u32,
    ) -> Result<(), String> {
        let what = format!("{channel} heard of {} at {}", notice.check, notice.level);
        let is_repeat = notice.purpose == Purpose::Reminder && form != Form::StormEnd
            || notice.purpose == Purpose::Escalation && attempts == 0;
        if is_repeat {
            let incident = store.incident(&notice.incident).await.unwrap();
            if incident.is_some_and(|incident| incident.acknowledged.is_some()) {
                return Err(format!("{what} again, although it is acknowledged"));
            }
        }
        let is_bad = notice.level != Level::Ok;
        if is_bad && !is_own(&notice.check) && notice.purpose == Purpose::News {
            let is_rise = matches!(
                notice.change,
                Some(TransitionKind::Opened | TransitionKind::Reopened | TransitionKind::Worsened)
            );
            if is_rise && !self.is_named(channel, notice.level) {
                return Err(format!("{what}, and no route says so"));
            }
            let seen = &self.seen[&notice.check];
            if !seen.contains(&notice.level) && !notice.flapping {
                return Err(format!("{what}, and no run was"));
            }
        }
        if notice.purpose == Purpose::Note {
            return Ok(());
        }
        let is_deaf = self.is_deaf(channel, &notice.incident);
        let taken = self
            .taken
            .entry((channel.clone(), notice.incident.clone()))
            .or_default();
        if let Some(before) = taken.news.last() {
            if notice.at < before.at {
                return Err(format!("{what}, out of order"));
            }
            let is_flapping_news = matches!(
                notice.change,
                Some(TransitionKind::FlappingBegan | TransitionKind::FlappingEnded)
            );
            if notice.purpose == Purpose::News
                && notice.level == before.level
                // What it refused in between would have said otherwise.
                && !is_deaf
                && !is_flapping_news
                && notice
                    .note
                    .as_ref()
                    .is_none_or(|note| !note.contains("told here because"))
            {
                return Err(format!("{what}, twice in a row"));
            }
        } else if !is_bad {
            return Err(format!("{what}, and never before that it was not"));
        }
        taken.news.push(notice.clone());
        Ok(())
    }

    /// When all is calm, everyone knows the truth.
    pub async fn finished(&self, store: &dyn Store, engine: &Engine, now: Timestamp) -> Result<(), String> {
        for ((channel, incident), taken) in &self.taken {
            let told = taken.news.last().map_or(Level::Ok, |notice| notice.level);
            let truth = engine
                .ledger()
                .get(incident)
                .map_or(Level::Ok, |incident| incident.level);
            let check = &self.checks[incident];
            let is_closed = self.enabled.get(check) == Some(&false) || self.was_closed(store, incident).await;
            if told != Level::Ok && truth == Level::Ok && !is_closed && !self.is_deaf(channel, incident) {
                return Err(format!(
                    "{channel} was never told that {check} ({incident}) is over"
                ));
            }
        }
        for incident in engine.ledger().open() {
            self.is_known(incident, engine, now)?;
        }
        for (id, level) in &self.last {
            let open = engine
                .ledger()
                .open_of(id)
                .map_or(Level::Ok, |incident| incident.level);
            // Not being able to measure says nothing about what was known before.
            let fits = open == *level || *level == Level::Unknown && open > Level::Unknown;
            if self.enabled[id] && !fits {
                return Err(format!("{id} stays at {level}, and is believed to be at {open}"));
            }
        }
        let (owed, _) = store.delivery_counts().await.unwrap();
        // Digests aside, nothing may be left.
        if owed > 0 && self.policy.routes.iter().all(|route| route.digest.is_none()) {
            return Err(format!("{owed} deliveries were never sent"));
        }
        Ok(())
    }

    /// Some check was closed in silence when it was taken out.
    async fn was_closed(&self, store: &dyn Store, incident: &IncidentId) -> bool {
        let transitions = store.transitions(incident).await.unwrap();
        transitions
            .last()
            .is_some_and(|row| row.transition.kind == TransitionKind::Closed)
    }

    fn is_deaf(&self, channel: &ChannelName, incident: &IncidentId) -> bool {
        self.deaf.contains(&(channel.clone(), incident.clone()))
    }

    /// An open incident is known at its level by somebody, and by everyone its routes name
    /// unless it was worse before, or explained by something else.
    fn is_known(&self, incident: &Incident, engine: &Engine, now: Timestamp) -> Result<(), String> {
        if is_own(&incident.check) || incident.held.is_some() {
            return self.may_be_held(incident, engine, now);
        }
        let told = |channel: &ChannelName| {
            self.taken
                .get(&(channel.clone(), incident.id.clone()))
                .and_then(|taken| taken.news.last())
                .map(|notice| notice.level)
        };
        let level = if incident.level == Level::Unknown {
            Level::Warning
        } else {
            incident.level
        };
        // A route with hours takes what happens in them, and what nobody else has taken.
        let mut names: Vec<&ChannelName> = self
            .policy
            .routes
            .iter()
            .filter(|route| route.matcher.during.is_empty())
            .filter(|route| {
                route.matcher.levels.contains(&incident.level) || route.matcher.levels.contains(&level)
            })
            .flat_map(|route| &route.to)
            .collect();
        names.dedup();
        let knows = |channel: &&ChannelName| {
            told(channel) == Some(incident.level) || self.is_deaf(channel, &incident.id)
        };
        let everyone = self.policy.channels.keys();
        if !everyone.clone().any(|channel| knows(&channel)) {
            return Err(format!(
                "nobody knows that {} is {} (told: {:?})",
                incident.check,
                incident.level,
                everyone
                    .map(|channel| (channel, told(channel)))
                    .collect::<Vec<_>>()
            ));
        }
        if let Some(wrong) = self.policy.channels.keys().find(|channel| {
            told(channel).is_some_and(|told| told > incident.level) && !self.is_deaf(channel, &incident.id)
        }) {
            return Err(format!(
                "{wrong} still believes that {} is worse than {}",
                incident.check, incident.level
            ));
        }
        if incident.worst == incident.level
            && let Some(missing) = names.into_iter().find(|channel| !knows(channel))
            && incident.level == Level::Critical
        {
            return Err(format!(
                "{missing} was never told that {} is critical",
                incident.check
            ));
        }
        Ok(())
    }

    /// What is still held back must have a reason that still holds.
    fn may_be_held(&self, incident: &Incident, engine: &Engine, now: Timestamp) -> Result<(), String> {
        let Some(why) = &incident.held else { return Ok(()) };
        let still = match why.word() {
            "silence" | "deployment" => self
                .quiets
                .iter()
                .any(|quiet| is_quiet(quiet, &incident.check, now)),
            "maintenance" => self.is_in_maintenance(&incident.check, now),
            "dependency" => {
                let parents = &self.policy.checks[&incident.check].depends_on;
                parents.iter().any(|parent| self.is_down_the_line(parent, engine))
            }
            "inhibited" => self.measured.values().any(|level| *level == Level::Critical),
            "flapping" => incident.flapping,
            "no_route" => incident.level == Level::Unknown,
            "outside_hours" => self
                .policy
                .routes
                .iter()
                .any(|route| !route.matcher.during.is_empty()),
            _ => false,
        };
        if still {
            Ok(())
        } else {
            Err(format!(
                "{} is held back, and nothing does so any more: {why}",
                incident.check
            ))
        }
    }

    fn is_down_the_line(&self, id: &CheckId, engine: &Engine) -> bool {
        self.enabled[id]
            && (engine
                .ledger()
                .open_of(id)
                .is_some_and(|open| open.level == Level::Critical)
                || self.policy.checks[id]
                    .depends_on
                    .iter()
                    .any(|parent| self.is_down_the_line(parent, engine)))
    }
}

fn is_own(check: &CheckId) -> bool {
    check.as_str().starts_with("haetae/")
}

fn is_quiet(quiet: &Quiet, check: &CheckId, now: Timestamp) -> bool {
    quiet.holds(now)
        && quiet
            .matcher
            .checks
            .iter()
            .any(|glob| glob.matches(check.as_str()))
}
