//! What was asked for and goes on: triggered runs and deployments. Who carries them on writes
//! here; who waits for them looks here. Ended ones are in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::model::{Deployment, RunRecord, RunState, Timestamp, TriggeredRun};

/// So many of a kind may go on at once.
const MOST_AT_ONCE: usize = 50;

/// Everything that goes on.
#[derive(Default)]
pub struct Triggers {
    /// Triggered runs that have not been put away.
    pub runs: Board<TriggeredRun>,
    /// Deployments that have not been put away.
    pub deployments: Board<Deployment>,
    /// Held while one begins, so that the same key never begins twice.
    pub beginning: tokio::sync::Mutex<()>,
}

/// Things of a kind that go on, by id.
pub struct Board<T> {
    going: Mutex<HashMap<String, watch::Sender<Arc<T>>>>,
}

impl<T> Default for Board<T> {
    fn default() -> Self {
        Self {
            going: Mutex::default(),
        }
    }
}

/// Too many go on already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl<T: Clone> Board<T> {
    /// A new one begins. Whoever begins it puts it away when it has ended.
    ///
    /// # Errors
    /// When too many go on already.
    pub fn begin(&self, id: &str, what: T) -> Result<watch::Receiver<Arc<T>>, TooMany> {
        let mut going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        if going.len() >= MOST_AT_ONCE {
            return Err(TooMany);
        }
        let (sender, receiver) = watch::channel(Arc::new(what));
        going.insert(id.to_owned(), sender);
        Ok(receiver)
    }

    /// One that goes on, to wait for.
    #[must_use]
    pub fn watch(&self, id: &str) -> Option<watch::Receiver<Arc<T>>> {
        let going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        going.get(id).map(watch::Sender::subscribe)
    }

    /// One that goes on and is like this.
    #[must_use]
    pub fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        going
            .values()
            .map(|sender| Arc::clone(&sender.borrow()))
            .find(|what| is_it(what))
    }

    /// Changes one, tells who waits if `change` says so, and shows how it stands then.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut T) -> bool) -> Option<Arc<T>> {
        let going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = going.get(id)?;
        sender.send_if_modified(|what| change(Arc::make_mut(what)));
        let now = Arc::clone(&sender.borrow());
        Some(now)
    }

    /// It has ended and is in the store.
    pub fn put_away(&self, id: &str) {
        let mut going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        going.remove(id);
    }
}

impl Board<TriggeredRun> {
    /// Takes in a check's run, and says how the triggered run stands then.
    pub fn take(&self, id: &str, record: RunRecord, now: Timestamp) -> Option<Arc<TriggeredRun>> {
        self.change(id, |run| run.take(record, now))
    }

    /// Ends one early.
    pub fn cancel(&self, id: &str, now: Timestamp) -> Option<Arc<TriggeredRun>> {
        self.change(id, |run| {
            run.end(RunState::Cancelled, now);
            true
        })
    }
}
