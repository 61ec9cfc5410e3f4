//! Due times in one ordered structure. Pure: time is an argument.
//!
//! Interval checks live on a timeline of their own that only moves forward: the wall clock at
//! the start plus what the monotonic clock says has passed. Their phase is a hash of the id,
//! so that it is the same after a restart and on every machine.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Check, CheckId, Schedule, Timestamp};

/// Something that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Which check.
    pub check: CheckId,
    /// When it was due; for lateness.
    pub at: Timestamp,
    /// How many due times before this one were missed (the process was stopped, or the
    /// machine slept). They are not made up.
    pub missed: u64,
}

/// Every check's next due time.
#[derive(Default)]
pub struct Plan {
    entries: HashMap<CheckId, Entry>,
    /// Earliest first. An item whose ticket is not its entry's is stale and passed over.
    heap: BinaryHeap<Reverse<(Timestamp, u64, CheckId)>>,
    tickets: u64,
    /// The wall clock minus the plan's timeline, in microseconds.
    skew_us: i64,
}

struct Entry {
    check: Arc<Check>,
    ticket: u64,
    /// The next regular time, which a recheck in between does not move.
    regular: Timestamp,
}

impl Plan {
    /// Adds a check, or takes its new definition. An unchanged schedule keeps its times.
    pub fn put(&mut self, check: Arc<Check>, now: Timestamp) {
        if let Some(entry) = self.entries.get_mut(&check.id)
            && entry.check.schedule == check.schedule
        {
            entry.check = check;
            return;
        }
        let Some(first) = next_after(&check, now, self.skew_us) else {
            self.entries.remove(&check.id);
            return;
        };
        let id = check.id.clone();
        self.entries.insert(
            id.clone(),
            Entry {
                check,
                ticket: 0,
                regular: first,
            },
        );
        self.push(&id, first);
    }

    /// Takes a check out.
    pub fn remove(&mut self, id: &CheckId) {
        self.entries.remove(id);
    }

    /// How many checks are planned.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is planned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When something is due next.
    #[must_use]
    pub fn next_due(&mut self) -> Option<Timestamp> {
        self.drop_stale();
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Takes out one check that is due, and plans its next time.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Due> {
        self.drop_stale();
        let Reverse((at, _, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        let Reverse((at, _, id)) = self.heap.pop()?;
        let entry = self.entries.get_mut(&id)?;
        let (next, missed) = following(&entry.check, at.max(entry.regular), now, self.skew_us);
        if at >= entry.regular {
            if let Some(next) = next {
                entry.regular = next;
            } else {
                self.entries.remove(&id);
                return Some(Due {
                    check: id,
                    at,
                    missed,
                });
            }
        }
        let regular = entry.regular;
        self.push(&id, regular);
        Some(Due {
            check: id,
            at,
            missed,
        })
    }

    /// Has a check run again at `at` if that is sooner than its regular time.
    pub fn sooner(&mut self, id: &CheckId, at: Timestamp) {
        if let Some(entry) = self.entries.get(id)
            && at < entry.regular
        {
            self.push(id, at);
        }
    }

    /// The wall clock has jumped and shows `wall` while the plan's timeline is at `now`:
    /// calendar times are found anew, intervals go on as they were.
    pub fn clock_jumped(&mut self, now: Timestamp, wall: Timestamp) {
        self.skew_us = wall.as_unix_us() - now.as_unix_us();
        let calendar: Vec<CheckId> = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.check.schedule, Schedule::Cron(_)))
            .map(|(id, _)| id.clone())
            .collect();
        for id in calendar {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            if let Some(next) = next_after(&entry.check, now, self.skew_us) {
                entry.regular = next;
                self.push(&id, next);
            }
        }
    }

    fn push(&mut self, id: &CheckId, at: Timestamp) {
        self.tickets += 1;
        if let Some(entry) = self.entries.get_mut(id) {
            entry.ticket = self.tickets;
            self.heap.push(Reverse((at, self.tickets, id.clone())));
        }
    }

    fn drop_stale(&mut self) {
        while let Some(Reverse((_, ticket, id))) = self.heap.peek() {
            if self.entries.get(id).is_some_and(|entry| entry.ticket == *ticket) {
                return;
            }
            self.heap.pop();
        }
    }
}

/// The first due time after `now`.
fn next_after(check: &Check, now: Timestamp, skew_us: i64) -> Option<Timestamp> {
    match &check.schedule {
        Schedule::Cron(calendar) => {
            let wall = Timestamp::from_unix_us(now.as_unix_us().saturating_add(skew_us));
            let next = calendar.next_after(wall)?;
            Some(Timestamp::from_unix_us(next.as_unix_us().saturating_sub(skew_us)))
        }
        Schedule::Every(interval) => {
            let (interval, phase) = (micros(*interval), phase(&check.id, *interval));
            let turns = (now.as_unix_us() - phase).div_euclid(interval) + 1;
            Some(Timestamp::from_unix_us(turns * interval + phase))
        }
    }
}

/// The due time after `at`, past `now`, and how many were skipped to get there.
fn following(check: &Check, at: Timestamp, now: Timestamp, skew_us: i64) -> (Option<Timestamp>, u64) {
    match &check.schedule {
        Schedule::Cron(_) => (next_after(check, now.max(at), skew_us), 0),
        Schedule::Every(interval) => {
            let interval = micros(*interval);
            let behind = (now.as_unix_us() - at.as_unix_us()).div_euclid(interval).max(0);
            let next = at.as_unix_us() + (behind + 1) * interval;
            (
                Some(Timestamp::from_unix_us(next)),
                u64::try_from(behind).unwrap_or(0),
            )
        }
    }
}

fn micros(interval: Duration) -> i64 {
    i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1)
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): the standard library's hasher may change with any
/// release, and with it every phase.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Where in its interval a check runs, in microseconds.
fn phase(id: &CheckId, interval: Duration) -> i64 {
    let spread = fnv(id.as_str()) % micros(interval).unsigned_abs();
    i64::try_from(spread).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Calendar, Confirmation, Priority, Retry};

    fn check(id: &str, schedule: Schedule) -> Arc<Check> {
        Arc::new(Check {
            id: CheckId::parse(id).unwrap(),
            name: id.into(),
            description: None,
            owner: None,
            runbook: None,
            tags: Vec::new(),
            kind: "http",
            schedule,
            timeout: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(1),
            retry: Retry::default(),
            thresholds: Vec::new(),
            confirmation: Confirmation::default(),
            depends_on: Vec::new(),
            target: String::new(),
            priority: Priority::Normal,
            enabled: true,
            fingerprint: 0,
            place: String::new(),
        })
    }

    fn every(id: &str, seconds: u64) -> Arc<Check> {
        check(id, Schedule::Every(Duration::from_secs(seconds)))
    }

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn dues(plan: &mut Plan, until: Timestamp) -> Vec<Timestamp> {
        let mut all = Vec::new();
        while let Some(next) = plan.next_due().filter(|next| *next <= until) {
            all.push(plan.pop_due(next).unwrap().at);
        }
        all
    }

    #[test]
    fn intervals_run_from_start_to_start_without_drift() {
        let mut plan = Plan::default();
        plan.put(every("a", 10), at_ms(0));
        let times = dues(&mut plan, at_ms(100_000));
        assert_eq!(times.len(), 10);
        assert!(
            times
                .windows(2)
                .all(|pair| pair[1].since(pair[0]) == Duration::from_secs(10))
        );
    }

    #[test]
    fn the_phase_is_the_same_after_a_restart() {
        let first = |now| {
            let mut plan = Plan::default();
            plan.put(every("a", 10), at_ms(now));
            plan.next_due().unwrap().as_unix_ms() % 10_000
        };
        assert_eq!(first(0), first(123_456_789));
    }

    #[test]
    fn many_checks_are_spread_over_the_interval() {
        let mut plan = Plan::default();
        for n in 0..1_000 {
            plan.put(every(&format!("c{n}"), 10), at_ms(0));
        }
        let mut seconds = [0; 10];
        for time in dues(&mut plan, at_ms(10_000)) {
            seconds[usize::try_from(time.as_unix_ms() / 1_000).unwrap() % 10] += 1;
        }
        assert!(
            seconds.iter().all(|count| (60..=150).contains(count)),
            "{seconds:?}"
        );
    }

    #[test]
    fn missed_runs_are_counted_and_not_made_up() {
        let mut plan = Plan::default();
        plan.put(every("a", 10), at_ms(0));
        let first = plan.next_due().unwrap();
        let late = first + Duration::from_secs(35);
        let due = plan.pop_due(late).unwrap();
        assert_eq!((due.at, due.missed), (first, 3));
        assert_eq!(plan.next_due(), Some(first + Duration::from_secs(40)));
        assert_eq!(plan.pop_due(late), None);
    }

    #[test]
    fn a_recheck_does_not_move_the_regular_times() {
        let mut plan = Plan::default();
        plan.put(every("a", 60), at_ms(0));
        let first = plan.next_due().unwrap();
        let _ = plan.pop_due(first).unwrap();
        let id = CheckId::parse("a").unwrap();
        plan.sooner(&id, first + Duration::from_secs(5));
        let again = plan.pop_due(first + Duration::from_secs(5)).unwrap();
        assert_eq!((again.at, again.missed), (first + Duration::from_secs(5), 0));
        assert_eq!(plan.next_due(), Some(first + Duration::from_mins(1)));
        plan.sooner(&id, first + Duration::from_secs(90));
        assert_eq!(plan.next_due(), Some(first + Duration::from_mins(1)));
    }

    #[test]
    fn a_new_definition_with_the_same_schedule_keeps_its_times() {
        let mut plan = Plan::default();
        plan.put(every("a", 60), at_ms(0));
        let before = plan.next_due();
        plan.put(every("a", 60), at_ms(500));
        assert_eq!(plan.next_due(), before);
        plan.put(every("a", 7), at_ms(500));
        assert!(plan.next_due().unwrap() <= at_ms(7_500));
        assert_eq!(plan.len(), 1);
        plan.remove(&CheckId::parse("a").unwrap());
        assert_eq!(plan.next_due(), None);
    }

    #[test]
    fn a_clock_that_jumps_moves_calendar_times_only() {
        let calendar = Calendar::parse("0 * * * *", "UTC", at_ms(0)).unwrap();
        let mut plan = Plan::default();
        plan.put(check("hourly", Schedule::Cron(calendar)), at_ms(0));
        assert_eq!(plan.next_due(), Some(at_ms(3_600_000)));
        plan.put(every("steady", 10), at_ms(0));
        // Half an hour by the monotonic clock, but the wall shows ten to three.
        plan.clock_jumped(at_ms(1_800_000), at_ms(10_200_000));
        let id = CheckId::parse("hourly").unwrap();
        assert_eq!(plan.entries[&id].regular, at_ms(2_400_000));
        assert!(plan.next_due().unwrap() < at_ms(10_000));
    }
}
