//! `http`: one request, its answer, and how long each phase took.

mod exchange;
mod expect;
mod read;

mod trace;

pub(crate) use expect::HTTP_EXPECT;
pub(crate) use read::{HTTP, is_secret_name, read_probe, read_roots};
pub(crate) use trace::refuse_denied_literal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderName;

use super::capture::{Answered, Capture};
use super::net::fault::{Fault, Side};
use super::net::tls::TlsSettings;
use super::retry::{Again, attempts};
use super::{Kind, Pool, Probe, RunContext};
use crate::decode::JsonText;
use crate::model::{Answer, Level, Outcome, Quantity, Retry, RunScope, Text, Unfilled, Unit};
use exchange::{Kept, Received};
use expect::HttpExpect;

/// The table's line.
pub static KIND: Kind = Kind {
    name: "http",
    doc: "One HTTP request: status, headers, body, JSON, and the time of each phase.",
    settings: &read::HTTP,
    expect: &expect::HTTP_EXPECT,
    has_steps: false,
    pool: Pool::Light,
    measures: &[
        ("response_time", Unit::Ms),
        ("dns_time", Unit::Ms),
        ("connect_time", Unit::Ms),
        ("tls_time", Unit::Ms),
        ("first_byte_time", Unit::Ms),
        ("download_time", Unit::Ms),
        ("body_size", Unit::Bytes),
        ("status", Unit::Count),
        ("certificate_left", Unit::Ms),
        ("redirects", Unit::Count),
    ],
    read: read::read,
};

/// One HTTP check.
pub struct HttpProbe {
    url: Text,
    host: String,
    method: Method,
    headers: Vec<(HeaderName, Text)>,
    query: Vec<(String, Text)>,
    body: Body,
    auth: Option<Auth>,
    tls: TlsSettings,
    redirects: usize,
    proxy: Option<Text>,
    version: Version,
    ip: Option<IpVersion>,
    resolve_to: Option<std::net::IpAddr>,
    max_body: u64,
    /// The client that is kept, where connections are reused.
    kept: Option<tokio::sync::OnceCell<Kept>>,
    expects: Vec<(Level, HttpExpect)>,
    captures: Vec<Capture>,
    retry: Retry,
    attempt_timeout: Duration,
}

#[derive(Debug)]
enum Body {
    None,
    Text(Text),
    Json(JsonText),
    Form(Vec<(String, Text)>),
}

#[derive(Debug)]
enum Auth {
    Basic { user: Text, password: Text },
    Bearer(Text),
}

#[derive(Debug, Clone, Copy)]
enum Version {
    Any,
    Http1,
    Http2,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum IpVersion {
    V4,
    V6,
}

#[async_trait]
impl Probe for HttpProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        let tried = attempts(
            self.retry,
            &self.host,
            &run.services.retry_budget,
            run.deadline,
            |number| self.attempt(run, number),
            again,
        )
        .await;
        let mut outcome = match tried.last {
            Ok(received) => self.look(run, &received),
            Err(fault) => match fault.side {
                Side::Target => Outcome::no_answer(fault.what),
                Side::Ours => Outcome::not_measured(fault.what),
            },
        };
        outcome.attempts = tried.attempts;
        outcome.remarks.extend(tried.remark);
        if outcome.evidence.facts.is_empty() {
            outcome.fact("url", self.url.as_written());
        }
        outcome
    }

    fn extra_measures(&self) -> Vec<(String, Option<Unit>)> {
        self.captures
            .iter()
            .map(|capture| (capture.name.clone(), capture.unit()))
            .collect()
    }

    fn target(&self) -> String {
        self.host.clone()
    }
}

fn again(last: &Result<Received, Fault>) -> Again {
    match last {
        Ok(received) => received.again(),
        Err(fault) if fault.passing => Again::Maybe { after: None },
        Err(_) => Again::No,
    }
}

impl HttpProbe {
    /// The request as a step of a scenario: what it captures, or why it failed.
    ///
    /// # Errors
    /// In one line for people.
    pub(crate) async fn step(&self, run: &RunContext) -> Result<BTreeMap<String, String>, String> {
        let received = self.attempt(run, 0).await.map_err(|fault| fault.what)?;
        let outcome = self.look(run, &received);
        if let Some(broken) = outcome.broken.first() {
            let excerpt = outcome.evidence.excerpt.map(|text| format!("; it said: {text}"));
            return Err(format!("{}{}", broken.what, excerpt.unwrap_or_default()));
        }
        if let Answer::NotMeasured(why) | Answer::NoAnswer(why) = outcome.answer {
            return Err(why);
        }
        let header = |name: &str| received.header(name);
        let answered = Answered {
            body: &received.text,
            json: received.json.as_ref(),
            header: &header,
            perfdata: &|_| None,
        };
        self.captures
            .iter()
            .map(|capture| match capture.text(&answered) {
                Some(text) => Ok((capture.name.clone(), text)),
                None => Err(format!(
                    "the answer has nothing to remember as `{}`",
                    capture.name
                )),
            })
            .collect()
    }

    /// Looks at an answer: measurements, expectations, evidence.
    fn look(&self, run: &RunContext, received: &Received) -> Outcome {
        let mut outcome = Outcome::seen();
        received.measure(&mut outcome, run.started);
        received.describe(&mut outcome);
        let header = |name: &str| received.header(name);
        let answered = Answered {
            body: &received.text,
            json: received.json.as_ref(),
            header: &header,
            perfdata: &|_| None,
        };
        for capture in &self.captures {
            if let Some(number) = capture.number(&answered) {
                outcome.measure(&capture.name, number);
            }
        }
        if let Err(unfilled) = self.expectations(run, received, &mut outcome) {
            return Outcome::not_measured(unfilled.to_string());
        }
        if !outcome.broken.is_empty() {
            outcome.evidence.excerpt = received.excerpt();
        }
        outcome
    }

    fn expectations(
        &self,
        run: &RunContext,
        received: &Received,
        outcome: &mut Outcome,
    ) -> Result<(), Unfilled> {
        let scope = scope(run, &run.captured);
        let mut status_is_expected = false;
        for (level, expect) in &self.expects {
            status_is_expected |= expect.names_status();
            for what in expect.broken(received, &scope)? {
                outcome.broken.push(super::expect::broken(*level, what));
            }
        }
        if !status_is_expected && !(200..300).contains(&received.status.as_u16()) {
            let what = format!("status is {}, expected 200..299", received.status.as_u16());
            outcome
                .broken
                .insert(0, super::expect::broken(Level::Critical, what));
        }
        Ok(())
    }
}

/// What a run fills into texts.
pub(crate) fn scope<'a>(run: &'a RunContext, captured: &'a BTreeMap<String, String>) -> RunScope<'a> {
    RunScope {
        run_id: &run.id.0,
        now: run.started,
        captured,
        random: super::services::random_text,
        one_time_code: super::services::one_time_code,
    }
}

impl Received {
    fn measure(&self, outcome: &mut Outcome, now: crate::model::Timestamp) {
        let mut time = |name: &str, span: Option<Duration>| {
            if let Some(span) = span {
                outcome.measure(name, Quantity::time(span));
            }
        };
        time("response_time", Some(self.response_time));
        time("dns_time", self.phases.dns);
        time("connect_time", self.phases.connect);
        time("tls_time", self.phases.tls);
        time("first_byte_time", Some(self.first_byte_time));
        time("download_time", Some(self.download_time));
        outcome.measure("body_size", Quantity::bytes(self.body_size));
        outcome.measure("status", Quantity::count(f64::from(self.status.as_u16())));
        outcome.measure("redirects", Quantity::count(self.phases.hops.len() as f64));
        if let Some(expires) = self.certificate_expires {
            let left_us = (expires.as_unix_us() - now.as_unix_us()) as f64;
            let left = Quantity {
                value: left_us / 1_000.0,
                unit: Unit::Ms,
            };
            outcome.measure("certificate_left", left);
        }
    }

    fn describe(&self, outcome: &mut Outcome) {
        outcome.fact("url", self.url.clone());
        outcome.fact("status", format!("{:?} {}", self.version, self.status));
        if let Some(address) = self.address {
            outcome.fact("address", address.to_string());
        }
        for hop in &self.phases.hops {
            outcome.fact("redirect", hop.clone());
        }
        if let Some(kind) = self.header("content-type") {
            outcome.fact("content-type", kind);
        }
    }

    fn excerpt(&self) -> Option<String> {
        const ROOM: usize = 400;
        let text = self.text.trim();
        let mut excerpt: String = text.chars().take(ROOM).collect();
        if excerpt.len() < text.len() {
            excerpt.push('…');
        }
        (!excerpt.is_empty()).then_some(excerpt)
    }
}

/// Shared between the parts of one attempt.
type Shared<T> = Arc<std::sync::Mutex<T>>;
