//! `heartbeat`: a job calls us; silence is the failure.
//!
//! Invariant: a token is neither shown nor stored.

mod board;

use std::time::Duration;

use async_trait::async_trait;

pub use self::board::{Heartbeats, TokenKey};
use super::expect::{broken, refuse_blocks};
use super::services::Services;
use super::{Blocks, Kind, Past, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Pings, Quantity, Secret, Timestamp, Unit, format_duration};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "heartbeat",
    doc: "Waits for a job's calls: silence is the failure.",
    settings: &HEARTBEAT,
    expect: &super::expect::NOTHING,
    steps: None,
    pool: Pool::Light,
    measures: &[(SINCE_LAST, Unit::Ms), ("job_duration", Unit::Ms)],
    read,
};

static HEARTBEAT: Spec = Spec {
    name: "heartbeat",
    example: "heartbeat: { token: \"${env:BACKUP_TOKEN}\", period: 1d, grace: 1h }",
    keys: &[
        Key::required(
            "token",
            Shape::Text,
            "The secret in the address that the job calls; 16 characters or more.",
        ),
        Key::or(
            "period",
            Shape::Duration,
            "0s",
            "How long it normally is from one success to the next.",
        ),
        Key::required(
            "grace",
            Shape::Duration,
            "How much longer it may be; also how long the job may run after its start.",
        ),
    ],
};

const SINCE_LAST: &str = "since_last";
/// A shorter token can be guessed.
const SHORTEST_TOKEN: usize = 16;

struct HeartbeatProbe {
    key: TokenKey,
    rhythm: Rhythm,
}

/// How often a job calls.
#[derive(Clone, Copy)]
struct Rhythm {
    period: Duration,
    grace: Duration,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &HEARTBEAT, reader)?;
    let key = fields.get("token").and_then(|node| read_token(node, reader));
    let period = fields
        .get("period")
        .and_then(|node| reader.duration(node))
        .unwrap_or_default();
    let grace = fields
        .get("grace")
        .and_then(|node| reader.positive_duration(node));
    refuse_blocks(blocks, KIND.name, reader);
    let probe = HeartbeatProbe {
        key: key?,
        rhythm: Rhythm {
            period,
            grace: grace?,
        },
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_token(node: &Node, reader: &mut Reader<'_>) -> Option<TokenKey> {
    reader.refuse_literal_secret(node, "a token");
    let text = reader.text(node)?;
    let Some(token) = text.constant() else {
        reader.error(
            node,
            "a token is the same in every run: no `${now}`, no `${random:…}`",
        );
        return None;
    };
    // A secret that is only looked at counts as empty, so that it can't be judged.
    if token.is_empty() && text.holds_secret() {
        return Some(TokenKey::of(""));
    }
    let fault = if token.chars().count() < SHORTEST_TOKEN {
        "the token is too short: it needs 16 characters at least, or it can be guessed"
    } else if !token
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
    {
        "the token has characters that cannot stand in an address: use letters, digits, `-`, `.`, `_`, `~`"
    } else {
        reader.learn_secret(Secret::new(token.clone()));
        return Some(TokenKey::of(&token));
    };
    let problem = Problem::error(&node.place, fault).without_line();
    reader.report(problem.hint("make one with `openssl rand -hex 16`"));
    None
}

#[async_trait]
impl Probe for HeartbeatProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        match run.services.heartbeats.look(&self.key, run.started) {
            Some((pings, since)) => look(self.rhythm, &pings, since, run.started),
            None => Outcome::not_measured(
                "jobs call the server: only `haetae serve` hears them, a single run has heard nobody",
            ),
        }
    }

    fn recalls(&self) -> u32 {
        1
    }

    fn recall(&self, services: &Services, past: &[Past]) {
        for run in past {
            if let Some(silence) = run.measurements.get(SINCE_LAST) {
                let silence = Duration::from_secs_f64(silence.value.max(0.0) / 1_000.0);
                services.heartbeats.waited_since(&self.key, run.started - silence);
            }
        }
    }

    fn called_by(&self) -> Option<&TokenKey> {
        Some(&self.key)
    }
}

/// What is to be said of a job that has been waited for since `since`.
fn look(rhythm: Rhythm, pings: &Pings, since: Timestamp, now: Timestamp) -> Outcome {
    let mut outcome = Outcome::seen();
    let mut fails = |what: String| outcome.broken.push(broken(Level::Critical, what));
    let ago = |at: Timestamp| format_duration(whole_seconds(now.since(at)));
    if let Some(failed) = pings.failing_since() {
        let ago = ago(failed);
        fails(match pings.said.lines().next() {
            Some(said) if !said.is_empty() => format!("the job failed {ago} ago: {said}"),
            _ => format!("the job failed {ago} ago"),
        });
    }
    if let Some(started) = pings.running_since().filter(|at| now.since(*at) > rhythm.grace) {
        fails(format!("the job started {} ago and did not end", ago(started)));
    }
    if now.since(since) > rhythm.period + rhythm.grace {
        let longest = format_duration(rhythm.period + rhythm.grace);
        fails(match pings.succeeded {
            Some(_) => format!("no success for {}, {longest} at most are allowed", ago(since)),
            None => format!("the job has never called, and was waited for {}", ago(since)),
        });
    }
    outcome.measure(SINCE_LAST, Quantity::time(now.since(since)));
    if let Some(took) = pings.took() {
        outcome.measure("job_duration", Quantity::time(took));
    }
    let told = [
        ("last_success", pings.succeeded),
        ("last_start", pings.started),
        ("last_failure", pings.failed),
    ];
    for (name, at) in told {
        if let Some(at) = at {
            outcome.fact(name, at.to_string());
        }
    }
    if pings.failing_since().is_some() && !pings.said.is_empty() {
        outcome.evidence.excerpt = Some(pings.said.clone());
    }
    outcome
}

/// Long ago to the second, just now to the millisecond.
fn whole_seconds(span: Duration) -> Duration {
    match span.as_secs() {
        0 => Duration::from_millis(span.as_millis() as u64),
        seconds => Duration::from_secs(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ping, PingKind};

    const MINUTE: Duration = Duration::from_mins(1);

    /// `pings` is one letter per minute: `s` start, `+` success, `-` failure; looked at
    /// after the last. An hour is the period, ten minutes are the grace.
    fn said(pings: &str) -> String {
        let start = Timestamp::from_unix_us(0);
        let mut known = Pings::default();
        let mut now = start;
        for letter in pings.chars() {
            let kind = match letter {
                's' => Some(PingKind::Start),
                '+' => Some(PingKind::Success),
                '-' => Some(PingKind::Fail),
                _ => None,
            };
            if let Some(kind) = kind {
                let said = "exit 1\nlong".to_owned();
                known = known.after(&Ping { at: now, kind, said });
            }
            now = now + MINUTE;
        }
        let rhythm = Rhythm {
            period: MINUTE * 60,
            grace: MINUTE * 10,
        };
        let since = known.succeeded.unwrap_or(start);
        let outcome = look(rhythm, &known, since, now);
        let broken: Vec<&str> = outcome.broken.iter().map(|broken| broken.what.as_str()).collect();
        broken.join("; ")
    }

    #[test]
    fn silence_failures_and_jobs_that_do_not_end_are_told() {
        let quiet = |minutes: usize| ".".repeat(minutes);
        for (pings, wanted) in [
            (String::new(), ""),
            (quiet(70), ""),
            (quiet(71), "the job has never called, and was waited for 1h11m"),
            (format!("+{}", quiet(69)), ""),
            (
                format!("+{}", quiet(70)),
                "no success for 1h11m, 1h10m at most are allowed",
            ),
            (format!("+s{}", quiet(9)), ""),
            (
                format!("+s{}", quiet(10)),
                "the job started 11m ago and did not end",
            ),
            (format!("+s{}+", quiet(30)), ""),
            ("+.-.".to_owned(), "the job failed 2m ago: exit 1"),
            ("+.-.s.".to_owned(), "the job failed 4m ago: exit 1"),
            ("+.-.+".to_owned(), ""),
            (
                format!("-{}", quiet(70)),
                "the job failed 1h11m ago: exit 1; the job has never called, and was waited for 1h11m",
            ),
        ] {
            assert_eq!(said(&pings), wanted, "{pings}");
        }
    }

    #[test]
    fn keys_are_those_of_their_tokens() {
        let (a, b) = (TokenKey::of("aaaaaaaaaaaaaaaa"), TokenKey::of("aaaaaaaaaaaaaaab"));
        assert!(a.is(&TokenKey::of("aaaaaaaaaaaaaaaa")) && !a.is(&b));
        assert_eq!(a.name().len(), 64);
        assert!(!a.name().contains("aaaaaaaaaaaaaaaa"));
    }
}
