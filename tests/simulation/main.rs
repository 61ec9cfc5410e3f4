//! Thousands of small worlds, each made from a seed, driven through the real engine and the
//! real store with a virtual clock; what must always hold is looked at after every step.
//!
//! A world that breaks a rule prints its seed and the fewest events that still break it.
//! `make simulate` goes on until it is stopped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod drive;
mod rules;
mod setup;

use std::sync::atomic::{AtomicU64, Ordering};

use drive::Drive;
use setup::{Event, Setup};

/// Worlds per test; `HAETAE_SIM_WORLDS` overrides it.
const WORLDS: u64 = 2_500;

/// Runs one world.
async fn play(setup: &Setup, events: &[Event]) -> Result<(), String> {
    let mut drive = Drive::new(setup).await;
    let mut outcome = Ok(());
    for event in events {
        outcome = drive
            .step(event)
            .await
            .map_err(|broken| format!("after {event:?}: {broken}"));
        if outcome.is_err() {
            break;
        }
    }
    if outcome.is_ok() {
        outcome = drive.finish().await;
    }
    match outcome {
        Ok(()) => Ok(()),
        Err(broken) => Err(format!("{}\n{broken}", drive.describe().await)),
    }
}

/// The end of what a broken rule says, which is the same whoever broke it.
fn kind(broken: &str) -> String {
    let words: Vec<&str> = broken.split_whitespace().rev().take(3).collect();
    words.join(" ")
}

/// The fewest events that still break the same rule.
async fn shrink(setup: &Setup, mut events: Vec<Event>, broken: &str) -> Vec<Event> {
    // However many events there are, whoever waits should not wait for long.
    let mut plays = 0;
    let mut size = events.len() / 2;
    while size > 0 && plays < 150 {
        let mut from = 0;
        while from < events.len() {
            let mut fewer = events.clone();
            fewer.drain(from..(from + size).min(fewer.len()));
            plays += 1;
            let still = play(setup, &fewer).await;
            if still.is_err_and(|other| kind(&other) == kind(broken)) {
                events = fewer;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    events
}

async fn worlds(first: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let only = number("HAETAE_SIM_SEED");
    let count = if only.is_some() {
        1
    } else {
        number("HAETAE_SIM_WORLDS").unwrap_or(WORLDS)
    };
    let first = only.unwrap_or(first);
    let played = AtomicU64::new(0);
    for seed in first..first + count {
        let (setup, events) = setup::world(seed);
        if let Err(broken) = play(&setup, &events).await {
            let fewest = shrink(&setup, events, &broken).await;
            let again = play(&setup, &fewest).await.err().unwrap_or_default();
            panic!(
                "the world of seed {seed} breaks a rule: {broken}\n\n{setup:#?}\n\nfewest events that break it: {fewest:#?}\n{again}\n\nHAETAE_SIM_SEED={seed} cargo test --test simulation plays it again"
            );
        }
        let played = played.fetch_add(1, Ordering::Relaxed) + 1;
        if played.is_multiple_of(10_000) {
            eprintln!("{played} worlds from seed {first} on, no rule broken");
        }
    }
}

/// Four tests, so that they run beside each other.
#[tokio::test]
async fn no_world_breaks_a_rule_1() {
    worlds(0).await;
}

#[tokio::test]
async fn no_world_breaks_a_rule_2() {
    worlds(1 << 32).await;
}

#[tokio::test]
async fn no_world_breaks_a_rule_3() {
    worlds(2 << 32).await;
}

#[tokio::test]
async fn no_world_breaks_a_rule_4() {
    worlds(3 << 32).await;
}
