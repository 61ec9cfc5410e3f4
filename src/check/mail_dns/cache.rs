//! What mail-auth knows before it asks DNS.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time;

use mail_auth::ResolverCache;

/// What mail-auth asks before it asks DNS; remembers what was asked for and not found.
pub(super) struct Cache<K, V> {
    held: Mutex<HashMap<K, V>>,
    asked: Mutex<HashSet<u64>>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self::holding(HashMap::new())
    }
}

impl<K, V> Cache<K, V> {
    /// Holds this from the start.
    pub(super) fn holding(held: HashMap<K, V>) -> Self {
        Self {
            held: Mutex::new(held),
            asked: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<K, V>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Cache<Box<str>, V> {
    /// Whether the name was asked for, and nothing came of it.
    pub(super) fn missed(&self, name: &str) -> bool {
        self.asked().contains(&hash_of(name)) && !self.held().contains_key(name)
    }
}

fn hash_of<Q: Hash + ?Sized>(name: &Q) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl<K: Hash + Eq, V: Clone> ResolverCache<K, V> for Cache<K, V> {
    fn get<Q>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.asked().insert(hash_of(name));
        self.held().get(name).cloned()
    }

    fn remove<Q>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.held().remove(name)
    }

    fn insert(&self, name: K, value: V, _: time::Instant) {
        self.held().insert(name, value);
    }
}
