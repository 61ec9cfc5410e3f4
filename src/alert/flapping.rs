//! Flapping, by Icinga's weighted formula (icinga2 `lib/icinga/checkable-flapping.cpp`).

use serde::{Deserialize, Serialize};

use crate::model::Level;

/// Changes that are looked at: those between 21 runs.
const CHANGES: u32 = 20;
/// Flapping begins above this share, in percent.
const BEGINS_ABOVE_PERCENT: f64 = 30.0;
/// It ends at or below this one.
const ENDS_AT_PERCENT: f64 = 25.0;

/// Which of the latest runs changed the level.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Flapping {
    /// One bit per change, the newest lowest.
    changes: u32,
    last: Option<Level>,
    goes_on: bool,
}

impl Flapping {
    /// Takes in the level of a run that measured something.
    pub fn take_in(&mut self, level: Level) {
        let changed = self.last.is_some_and(|last| last != level);
        self.last = Some(level);
        self.changes = (self.changes << 1 | u32::from(changed)) & ((1 << CHANGES) - 1);
        let bound = if self.goes_on {
            ENDS_AT_PERCENT
        } else {
            BEGINS_ABOVE_PERCENT
        };
        self.goes_on = self.share() > bound;
    }

    /// The weighted share of changes, in percent: the newest weighs 1.18, the oldest 0.80.
    #[must_use]
    pub fn share(self) -> f64 {
        let weights: f64 = (0..CHANGES)
            .filter(|age| self.changes & (1 << age) != 0)
            .map(|age| 0.8 + 0.02 * f64::from(CHANGES - 1 - age))
            .sum();
        100.0 * weights / f64::from(CHANGES)
    }

    /// Whether the level changes all the time.
    #[must_use]
    pub fn goes_on(self) -> bool {
        self.goes_on
    }

    /// The same without what has been seen; the next run says whether it goes on.
    #[must_use]
    pub fn forgotten(self) -> Self {
        Self {
            changes: 0,
            last: None,
            goes_on: self.goes_on,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(runs: &str) -> Vec<bool> {
        let mut flapping = Flapping::default();
        runs.chars()
            .map(|c| {
                flapping.take_in(if c == 'x' { Level::Critical } else { Level::Ok });
                flapping.goes_on()
            })
            .collect()
    }

    #[test]
    fn weights_are_icingas() {
        let mut all = Flapping::default();
        for n in 0..21 {
            all.take_in(if n % 2 == 0 { Level::Ok } else { Level::Critical });
        }
        // The sum of 0.80, 0.82 … 1.18 is 19.8.
        assert!((all.share() - 99.0).abs() < 1e-9);
        let mut one = Flapping::default();
        one.take_in(Level::Ok);
        one.take_in(Level::Critical);
        assert!((one.share() - 5.9).abs() < 1e-9);
    }

    #[test]
    fn it_begins_above_thirty_percent_and_ends_at_twenty_five() {
        // Five changes are 28.5 %, six 33.9 %.
        let told = play(".x.x.x.");
        assert_eq!(told.iter().position(|flaps| *flaps), Some(6));
        let calm = play(&format!(".x.x.x.{}", ".".repeat(25)));
        let ended = calm.iter().rposition(|flaps| *flaps).unwrap();
        // The six changes age until together they weigh 25 % or less.
        assert!((7..25).contains(&ended), "{ended}");
    }
}
