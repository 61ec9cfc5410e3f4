//! How busy the runner is, for whoever shows it. Nothing decides by it.

use std::sync::{PoisonError, RwLock};

/// How busy one pool of permits is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolLoad {
    /// The pool's word.
    pub pool: &'static str,
    /// How many runs may go on at once.
    pub permits: usize,
    /// How many go on.
    pub running: usize,
    /// How many are due and wait.
    pub waiting: usize,
}

/// Written by the runner, read by pages and metrics.
#[derive(Debug, Default)]
pub struct Load(RwLock<Vec<PoolLoad>>);

impl Load {
    /// Every pool, as of a moment ago.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolLoad> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how busy the pools are.
    pub fn note(&self, pools: Vec<PoolLoad>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pools;
    }
}
