//! What is known of every job, shared by who is called and who looks.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};

use crate::model::{Pings, Timestamp};

/// A token's digest: what is compared, and what is stored in its place.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// The key of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        let digest = digest(&SHA256, format!("haetae heartbeat {token}").as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(digest.as_ref());
        Self(key)
    }

    /// Whether both are of the same token, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        std::hint::black_box(pairs.fold(0, |differ, (a, b)| differ | (a ^ b))) == 0
    }

    /// Under which name it is stored.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.iter().fold(String::new(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
    }
}

/// Jobs by the names of their keys. Nothing is known until somebody listens to them.
#[derive(Default)]
pub struct Heartbeats(Mutex<Option<BTreeMap<String, Known>>>);

#[derive(Default)]
struct Known {
    first_seen: Option<Timestamp>,
    pings: Pings,
}

impl Heartbeats {
    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<String, Known>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on jobs are listened to; these have called before.
    pub fn listen(&self, known: Vec<(String, Pings)>) {
        let known = known.into_iter().map(|(name, pings)| {
            let known = Known {
                first_seen: None,
                pings,
            };
            (name, known)
        });
        *self.lock() = Some(known.collect());
    }

    /// Takes what is stored of a job; gives what was known before.
    pub fn take(&self, key: &TokenKey, pings: Pings) -> Pings {
        let mut jobs = self.lock();
        let known = jobs.get_or_insert_default().entry(key.name()).or_default();
        let before = known.pings.clone();
        // Two that called at once may come here in the other order.
        if pings.count > before.count {
            known.pings = pings;
        }
        before
    }

    /// Notes that a job was waited for at this time already.
    pub fn waited_since(&self, key: &TokenKey, since: Timestamp) {
        if let Some(jobs) = &mut *self.lock() {
            let known = jobs.entry(key.name()).or_default();
            known.first_seen = Some(known.first_seen.map_or(since, |seen| seen.min(since)));
        }
    }

    /// What is known of a job, and since when its silence counts: its last success, or when
    /// it was first looked at. None when nobody listens.
    #[must_use]
    pub fn look(&self, key: &TokenKey, now: Timestamp) -> Option<(Pings, Timestamp)> {
        let mut jobs = self.lock();
        let known = jobs.as_mut()?.entry(key.name()).or_default();
        let first_seen = *known.first_seen.get_or_insert(now);
        let since = known.pings.succeeded.unwrap_or(first_seen);
        Some((known.pings.clone(), since))
    }
}
