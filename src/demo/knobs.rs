//! The knobs of the demo: what can be broken on purpose, and the check of a wish to turn them.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Less than what the door calls idle.
const MAX_DELAY_MS: u64 = 60_000;
const MAX_WORKERS: u64 = 1_000_000;

/// The positions of all knobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Knobs {
    pub(super) shop: TargetState,
    pub(super) partner: TargetState,
    pub(super) slack: HookState,
    pub(super) dooray: HookState,
    /// How late the partner answers while it is `slow`.
    pub(super) partner_delay_ms: u64,
    /// How late the shop's pages arrive while it is `slow`.
    pub(super) shop_delay_ms: u64,
    /// What the partner reports about itself.
    pub(super) workers: u64,
}

/// How something that is watched behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetState {
    Ok,
    Slow,
    Wrong,
    Dead,
    Hang,
}

/// How a chat service behaves towards those who send to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HookState {
    Ok,
    Slow,
    Limited,
    Failing,
    Refusing,
}

/// A knob with named positions.
pub(super) trait Choice: Copy + PartialEq + 'static {
    const ALL: &'static [Self];

    fn name(self) -> &'static str;
}

impl Choice for TargetState {
    const ALL: &'static [Self] = &[Self::Ok, Self::Slow, Self::Wrong, Self::Dead, Self::Hang];

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::Wrong => "wrong",
            Self::Dead => "dead",
            Self::Hang => "hang",
        }
    }
}

impl Choice for HookState {
    const ALL: &'static [Self] = &[Self::Ok, Self::Slow, Self::Limited, Self::Failing, Self::Refusing];

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::Limited => "limited",
            Self::Failing => "failing",
            Self::Refusing => "refusing",
        }
    }
}

/// Why one wish can't be granted, and what could be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub(super) key: String,
    pub(super) message: String,
    pub(super) allowed: Vec<String>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            shop: TargetState::Ok,
            partner: TargetState::Ok,
            slack: HookState::Ok,
            dooray: HookState::Ok,
            partner_delay_ms: 600,
            shop_delay_ms: 2500,
            workers: 12,
        }
    }
}

impl Knobs {
    /// The positions after `change`, whose values may be text (from a form) or JSON.
    ///
    /// # Errors
    /// Every problem of the change; then no knob turns at all.
    pub(super) fn turned(self, change: &Map<String, Value>) -> Result<Self, Vec<Problem>> {
        let mut knobs = self;
        let problems: Vec<Problem> = change
            .iter()
            .filter_map(|(key, value)| knobs.turn(key, value).err())
            .collect();
        if problems.is_empty() {
            Ok(knobs)
        } else {
            Err(problems)
        }
    }

    /// All positions, under the names by which they are set.
    pub(super) fn to_json(self) -> Value {
        json!({
            "shop": self.shop.name(),
            "partner": self.partner.name(),
            "slack": self.slack.name(),
            "dooray": self.dooray.name(),
            "partner_delay_ms": self.partner_delay_ms,
            "shop_delay_ms": self.shop_delay_ms,
            "workers": self.workers,
        })
    }

    fn turn(&mut self, key: &str, value: &Value) -> Result<(), Problem> {
        match key {
            "shop" => self.shop = choice(key, value)?,
            "partner" => self.partner = choice(key, value)?,
            "slack" => self.slack = choice(key, value)?,
            "dooray" => self.dooray = choice(key, value)?,
            "partner_delay_ms" => self.partner_delay_ms = number(key, value, MAX_DELAY_MS)?,
            "shop_delay_ms" => self.shop_delay_ms = number(key, value, MAX_DELAY_MS)?,
            "workers" => self.workers = number(key, value, MAX_WORKERS)?,
            _ => return Err(self.unknown(key)),
        }
        Ok(())
    }

    fn unknown(self, key: &str) -> Problem {
        let known = self.to_json();
        let names = known.as_object().into_iter().flat_map(Map::keys);
        Problem {
            key: key.to_owned(),
            message: format!("unknown key `{key}`"),
            allowed: names.cloned().collect(),
        }
    }
}

fn choice<C: Choice>(key: &str, value: &Value) -> Result<C, Problem> {
    let named = |choice: &C| value.as_str() == Some(choice.name());
    C::ALL.iter().copied().find(named).ok_or_else(|| Problem {
        key: key.to_owned(),
        message: format!("`{key}` can't be `{}`", shown(value)),
        allowed: C::ALL.iter().map(|choice| choice.name().to_owned()).collect(),
    })
}

fn number(key: &str, value: &Value, limit: u64) -> Result<u64, Problem> {
    let read = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    read.filter(|number| *number <= limit).ok_or_else(|| Problem {
        key: key.to_owned(),
        message: format!("`{key}` can't be `{}`", shown(value)),
        allowed: vec![format!("a whole number from 0 to {limit}")],
    })
}

/// Text without JSON's quotes, anything else as JSON.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(change: &Value) -> Result<Knobs, Vec<Problem>> {
        Knobs::default().turned(change.as_object().unwrap())
    }

    #[test]
    fn a_change_turns_only_what_it_names() {
        let knobs = turn(&json!({"shop": "dead", "workers": 2, "partner_delay_ms": "900"}));
        let expected = Knobs {
            shop: TargetState::Dead,
            workers: 2,
            partner_delay_ms: 900,
            ..Knobs::default()
        };
        assert_eq!(knobs, Ok(expected));
    }

    #[test]
    fn every_position_can_be_set_by_its_name() {
        for state in TargetState::ALL {
            let knobs = turn(&json!({"shop": state.name(), "partner": state.name()})).unwrap();
            assert_eq!((knobs.shop, knobs.partner), (*state, *state));
        }
        for state in HookState::ALL {
            let knobs = turn(&json!({"slack": state.name(), "dooray": state.name()})).unwrap();
            assert_eq!((knobs.slack, knobs.dooray), (*state, *state));
        }
    }

    #[test]
    fn what_is_shown_can_be_sent_back() {
        let shown = Knobs::default().to_json();
        assert_eq!(turn(&shown), Ok(Knobs::default()));
    }

    #[test]
    fn every_problem_is_reported_with_what_is_allowed() {
        let problems = turn(&json!({
            "bank": "ok", "shop": "broken", "slack": "dead", "workers": -1, "shop_delay_ms": true,
        }))
        .unwrap_err();
        let mut told: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.message, problem.allowed.join(" ")))
            .collect();
        told.sort();
        assert_eq!(
            told,
            [
                "`shop_delay_ms` can't be `true`: a whole number from 0 to 60000",
                "`shop` can't be `broken`: ok slow wrong dead hang",
                "`slack` can't be `dead`: ok slow limited failing refusing",
                "`workers` can't be `-1`: a whole number from 0 to 1000000",
                unknown_key("bank").as_str(),
            ]
        );
    }

    fn unknown_key(key: &str) -> String {
        let problem = Knobs::default().unknown(key);
        assert_eq!(problem.allowed.len(), 7);
        format!("{}: {}", problem.message, problem.allowed.join(" "))
    }
}
