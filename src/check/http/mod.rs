//! `http`: one request, its answer, and how long each phase took; or a chain of them.

mod body;
mod chain;
mod excerpt;
mod exchange;
mod expect;
mod faults;
mod oauth;
mod read;
mod read_auth;
mod read_chain;
mod request;
mod trace;

pub(crate) use body::decode;
pub(crate) use exchange::read_body;
pub(crate) use expect::HTTP_EXPECT;
pub(crate) use faults::no_answer;
pub(crate) use read::{HTTP, is_secret_name, read_headers, read_probe};
pub(crate) use read_auth::{CLIENT_CERTIFICATE, LOGIN, read_identity, read_login, read_roots};
pub(crate) use request::{built, client_builder};
pub(crate) use trace::{CheckedResolver, Trace, refuse_denied_literal};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::cookie::Jar;
use reqwest::header::{CONTENT_TYPE, HeaderName};

use super::capture::{Answered, Capture};
use super::net::dial::measure_certificate_left;
use super::net::fault::Fault;
use super::net::tls::TlsSettings;
use super::retry::{Again, Tried, attempts};
use super::{Kind, Pool, Probe, RunContext};
use crate::decode::JsonText;
use crate::model::{Answer, Level, Outcome, Quantity, Retry, RunScope, Text, Unfilled, Unit};
use excerpt::{Clue, Seen, excerpt};
use exchange::Received;
use expect::HttpExpect;
use oauth::OAuth;
use request::Kept;

/// The table's line.
pub static KIND: Kind = Kind {
    name: "http",
    doc: "One HTTP request: status, headers, body, JSON, and the time of each phase.",
    settings: &read::HTTP,
    expect: &expect::HTTP_EXPECT,
    steps: Some(&read_chain::STEPS),
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
    /// What `url` is relative to.
    base: Option<Text>,
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

/// How we identify ourselves by what stands in the check.
#[derive(Debug)]
pub(crate) enum Login {
    /// User and password.
    Basic {
        /// The user's name.
        user: Text,
        /// The password.
        password: Text,
    },
    /// A token.
    Bearer(Text),
}

enum Auth {
    /// By what stands in the check.
    Login(Login),
    /// As an OAuth client, towards its token endpoint.
    Client {
        id: Text,
        secret: Text,
    },
    Token(Box<OAuth>),
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
        let tried = self.tried(run, None).await;
        let mut outcome = match &tried.last {
            Ok(received) => self.look(run, received),
            Err(fault) => fault.clone().into_outcome(),
        };
        outcome.attempts = tried.attempts;
        outcome.remarks.extend(tried.remark);
        if outcome.evidence.facts.is_empty() {
            outcome.fact("url", self.url.as_written());
        }
        self.mask(run, &mut outcome);
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
    /// Attempts until one stands. Each has a visitor's empty cookie jar, unless one is given.
    async fn tried(&self, run: &RunContext, cookies: Option<&Arc<Jar>>) -> Tried<Result<Received, Fault>> {
        attempts(
            self.retry,
            &self.host,
            &run.services.retry_budget,
            run.deadline,
            |number| async move {
                let jar = cookies.map_or_else(Arc::default, Arc::clone);
                self.attempt(run, number, &jar).await
            },
            again,
        )
        .await
    }

    /// No token of ours leaves with what was seen.
    fn mask(&self, run: &RunContext, outcome: &mut Outcome) {
        if let Some(Auth::Token(oauth)) = &self.auth {
            oauth.mask(run, outcome);
        }
    }

    /// The request as a step of a scenario: what it captures, or why it failed.
    ///
    /// # Errors
    /// In one line for people.
    pub(crate) async fn step(&self, run: &RunContext) -> Result<BTreeMap<String, String>, String> {
        let cookies = Arc::new(Jar::default());
        let received = self.attempt(run, 0, &cookies).await.map_err(|fault| fault.what)?;
        let mut outcome = self.look(run, &received);
        self.mask(run, &mut outcome);
        if let Some(broken) = outcome.broken.first() {
            let excerpt = outcome.evidence.excerpt.map(|text| format!("; it said: {text}"));
            return Err(format!("{}{}", broken.what, excerpt.unwrap_or_default()));
        }
        if let Answer::NotMeasured(why) | Answer::NoAnswer(why) = outcome.answer {
            return Err(why);
        }
        self.captured(&received)
            .map(|(name, text)| match text {
                Some(text) => Ok((name.to_owned(), text)),
                None => Err(format!("the answer has nothing to remember as `{name}`")),
            })
            .collect()
    }

    /// What `measure:` finds in an answer, as text.
    fn captured<'a>(&'a self, received: &'a Received) -> impl Iterator<Item = (&'a str, Option<String>)> {
        self.captures.iter().map(|capture| {
            let text = received.offer(capture, Capture::text);
            (capture.name.as_str(), text)
        })
    }

    /// Looks at an answer: measurements, expectations, evidence.
    fn look(&self, run: &RunContext, received: &Received) -> Outcome {
        let mut outcome = Outcome::seen();
        received.measure(&mut outcome, run.started);
        received.describe(&mut outcome);
        for capture in &self.captures {
            if let Some(number) = received.offer(capture, Capture::number) {
                outcome.measure(&capture.name, number);
            }
        }
        match self.expectations(run, received, &mut outcome) {
            Err(unfilled) => return Outcome::not_measured(unfilled.to_string()),
            Ok(clue) if !outcome.broken.is_empty() => {
                outcome.evidence.excerpt = received.excerpt(clue.as_ref());
            }
            Ok(_) => {}
        }
        outcome
    }

    /// Notes what is not as expected; gives what of the answer shows the first of it.
    fn expectations(
        &self,
        run: &RunContext,
        received: &Received,
        outcome: &mut Outcome,
    ) -> Result<Option<Clue>, Unfilled> {
        let scope = scope(run, &run.captured);
        let (mut status_is_expected, mut first) = (false, None);
        for (level, expect) in &self.expects {
            status_is_expected |= expect.names_status();
            for (what, clue) in expect.broken(received, &scope)? {
                outcome.broken.push(super::expect::broken(*level, what));
                first = first.or(clue);
            }
        }
        if !status_is_expected && !(200..300).contains(&received.status.as_u16()) {
            let what = format!("status is {}, expected 200..299", received.status.as_u16());
            outcome
                .broken
                .insert(0, super::expect::broken(Level::Critical, what));
        }
        Ok(first)
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
        measure_certificate_left(self.certificate_expires, outcome, now);
    }

    /// What a capture makes of the answer.
    fn offer<T>(
        &self,
        capture: &Capture,
        take: impl FnOnce(&Capture, &Answered<'_>) -> Option<T>,
    ) -> Option<T> {
        let header = |name: &str| self.header(name);
        let answered = Answered {
            body: &self.text,
            json: capture.wants_json().then(|| self.json()).flatten(),
            header: &header,
            perfdata: &|_| None,
        };
        take(capture, &answered)
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
        if let Some(packing) = self.header("content-encoding") {
            outcome.fact("content-encoding", format!("{packing} (not unpacked)"));
        }
        outcome.remarks.extend(self.remark.clone());
    }

    fn excerpt(&self, clue: Option<&Clue>) -> Option<String> {
        let content_type = self.headers.get(CONTENT_TYPE);
        let seen = Seen {
            text: &self.text,
            json: self.json(),
            head: &self.head,
            size: self.body_size,
            content_type: content_type.and_then(|kind| kind.to_str().ok()),
        };
        excerpt(&seen, clue)
    }
}

/// Shared between the parts of one attempt.
type Shared<T> = Arc<std::sync::Mutex<T>>;
