//! What happens, told to whoever listens. Nobody is waited for: who reads too slowly is let
//! go, and finds what was missed by the number of the last event, as long as it is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::broadcast;

use crate::clock::wall_now;

/// A listener that is so many events behind is let go.
const LONGEST_QUEUE: usize = 1_024;
/// So many are kept for those who come back.
const KEPT: usize = 1_024;

/// Something that happened.
#[derive(Debug)]
pub struct Event {
    /// Its number; later ones have higher numbers, after a restart too.
    pub id: u64,
    /// `check`, `incident`, `delivery`, `run`, `deployment`
    pub kind: &'static str,
    /// What.
    pub data: Value,
}

/// Where events are told.
pub struct Bulletin {
    kept: Mutex<Kept>,
    sender: broadcast::Sender<Arc<Event>>,
}

struct Kept {
    next: u64,
    first: u64,
    events: VecDeque<Arc<Event>>,
}

/// What a listener gets to begin with.
pub struct Heard {
    /// What was missed, the oldest first.
    pub missed: Vec<Arc<Event>>,
    /// Whether some of what was missed is not kept any more.
    pub gap: bool,
    /// What comes.
    pub coming: broadcast::Receiver<Arc<Event>>,
}

impl Default for Bulletin {
    fn default() -> Self {
        // Numbers go on after a restart: a microsecond holds no more than one event.
        let first = wall_now().as_unix_us().unsigned_abs();
        Self {
            kept: Mutex::new(Kept {
                next: first,
                first,
                events: VecDeque::new(),
            }),
            sender: broadcast::channel(LONGEST_QUEUE).0,
        }
    }
}

impl Bulletin {
    /// Tells everybody who listens.
    pub fn tell(&self, kind: &'static str, data: Value) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let event = Arc::new(Event {
            id: kept.next,
            kind,
            data,
        });
        kept.next += 1;
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Arc::clone(&event));
        // Nobody listening is no fault. Sent under the lock, so that the order is that of the numbers.
        let _ = self.sender.send(event);
    }

    /// Listens from now on, or from after the event of this number.
    #[must_use]
    pub fn listen(&self, after: Option<u64>) -> Heard {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let coming = self.sender.subscribe();
        let Some(after) = after else {
            return Heard {
                missed: Vec::new(),
                gap: false,
                coming,
            };
        };
        let oldest = kept.events.front().map_or(kept.next, |event| event.id);
        Heard {
            missed: kept
                .events
                .iter()
                .filter(|event| event.id > after)
                .cloned()
                .collect(),
            gap: after + 1 < oldest.max(kept.first),
            coming,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(heard: &Heard, first: u64) -> Vec<u64> {
        heard.missed.iter().map(|event| event.id - first).collect()
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_or_is_told_of_the_gap() {
        let bulletin = Bulletin::default();
        let first = bulletin.kept.lock().unwrap().first;
        for n in 0..3 {
            bulletin.tell("check", Value::from(n));
        }
        assert!(bulletin.listen(None).missed.is_empty());
        let heard = bulletin.listen(Some(first));
        assert_eq!((ids(&heard, first), heard.gap), (vec![1, 2], false));
        let before = bulletin.listen(Some(first - 10));
        assert_eq!((ids(&before, first), before.gap), (vec![0, 1, 2], true));
        for n in 0..KEPT {
            bulletin.tell("check", Value::from(n));
        }
        let late = bulletin.listen(Some(first));
        assert_eq!((late.missed.len(), late.gap), (KEPT, true));
    }

    #[tokio::test]
    async fn who_reads_too_slowly_is_let_go() {
        let bulletin = Bulletin::default();
        let mut heard = bulletin.listen(None);
        for n in 0..=LONGEST_QUEUE {
            bulletin.tell("check", Value::from(n));
        }
        assert!(matches!(
            heard.coming.recv().await,
            Err(broadcast::error::RecvError::Lagged(_))
        ));
    }
}
