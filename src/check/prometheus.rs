//! `prometheus`: one number by an instant query in `PromQL`.
//!
//! Source: Prometheus's HTTP API, version 1 (`/api/v1/query`).

use std::collections::BTreeMap;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;
use url::Url;

use super::attempt::{Limit, Manners};
use super::capture::{Scale, UNIT};
use super::expect::{LEVEL_KEY, broken, read_blocks, refuse};
use super::http::{LOGIN, Login, read_headers, read_login, scope};
use super::matcher::{MATCHER, Matcher};
use super::net::dial::measure_certificate_left;
use super::net::fault::Fault;
use super::net::fetch::{Ask, Fetched, get_json};
use super::net::secure::{CA, INSECURE_TLS, read_tls};
use super::net::tls::TlsSettings;
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, RunScope, Text, Unfilled, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "prometheus",
    doc: "One number by an instant query in PromQL.",
    settings: &PROMETHEUS,
    expect: &PROMETHEUS_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("connect_time", Unit::Ms),
        ("response_time", Unit::Ms),
        ("certificate_left", Unit::Ms),
    ],
    read,
};

static PROMETHEUS: Spec = Spec {
    name: "prometheus",
    example: "prometheus: { url: http://prometheus.example:9090, query: sum(up) }",
    keys: &[
        Key::required(
            "url",
            Shape::Text,
            "Where Prometheus is, without `/api/v1/query`; http or https.",
        ),
        Key::required("query", Shape::Text, "PromQL that gives one number."),
        Key::new("headers", Shape::Map(&Shape::Text), "Headers to send."),
        Key::new("auth", Shape::Object(&LOGIN), "How we identify ourselves."),
        CA,
        INSECURE_TLS,
        UNIT,
    ],
};

static PROMETHEUS_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { value: { min: 1 } }",
    keys: &[
        Key::new(
            "value",
            Shape::Either(&[Shape::Text, Shape::Object(&MATCHER)]),
            "What holds for the number.",
        ),
        LEVEL_KEY,
    ],
};

/// The largest answer that is read: one sample is wanted.
const LONGEST_ANSWER_BYTES: u64 = 1024 * 1024;
/// How much of Prometheus's own words is told.
const LONGEST_WORDS: usize = 300;

struct PrometheusProbe {
    url: Text,
    query: Text,
    headers: Vec<(HeaderName, Text)>,
    auth: Option<Login>,
    tls: TlsSettings,
    scale: Option<Scale>,
    expects: Vec<(Level, Option<Matcher>)>,
    manners: Manners,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &PROMETHEUS, reader)?;
    let url = fields.get("url").and_then(|node| read_url(node, reader));
    let query = fields.get("query").and_then(|node| reader.text(node));
    refuse(
        blocks.measure,
        "prometheus",
        "measure",
        "the query's number is `value`",
        reader,
    );
    let host = url
        .as_ref()
        .and_then(|url| endpoint(&url.constant()?).ok())
        .and_then(|url| url.host_str().map(str::to_owned));
    let probe = PrometheusProbe {
        headers: read_headers(fields.get("headers"), reader),
        auth: fields.get("auth").and_then(|node| read_login(node, reader)),
        tls: read_tls(&fields, reader),
        scale: fields.get(UNIT.name).and_then(|node| Scale::read(node, reader)),
        expects: read_blocks(blocks.expect, &PROMETHEUS_EXPECT, reader, |fields, reader| {
            fields.get("value").and_then(|node| Matcher::read(node, reader))
        }),
        manners: Manners::new(blocks, host.unwrap_or_default()),
        url: url?,
        query: query?,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_url(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    let constant = text.constant().filter(|_| !text.holds_secret());
    if let Some(Err(why)) = constant.map(|url| endpoint(&url)) {
        reader.report(
            Problem::error(&node.place, format!("this URL {why}"))
                .hint("write for example `http://prometheus.example:9090`")
                .without_line(),
        );
        return None;
    }
    Some(text)
}

/// Where queries go, under the base that the user gives.
fn endpoint(base: &str) -> Result<Url, String> {
    let mut url = Url::parse(base).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("has the scheme `{}:`, not http or https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user and a password: use `auth:`".into());
    }
    let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

#[async_trait]
impl Probe for PrometheusProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(
                run,
                |limit| self.attempt(run, limit),
                |(fetched, sample)| {
                    self.look(run, &fetched, sample)
                        .unwrap_or_else(|unfilled| Outcome::not_measured(unfilled.to_string()))
                },
            )
            .await
    }

    fn extra_measures(&self) -> Vec<(String, Option<Unit>)> {
        vec![("value".to_owned(), Some(Scale::unit(self.scale)))]
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl PrometheusProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<(Fetched, Option<String>), Fault> {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let ours = |unfilled: Unfilled| Fault::ours(unfilled.to_string());
        let base = self.url.fill(&scope).map_err(ours)?;
        let mut url = endpoint(&base).map_err(|why| Fault::ours(format!("the URL {why}")))?;
        let query = self.query.fill(&scope).map_err(ours)?;
        let may_take_ms = limit.left_for_peer().as_millis();
        url.query_pairs_mut()
            .append_pair("query", &query)
            .append_pair("timeout", &format!("{may_take_ms}ms"));
        let ask = Ask {
            url: &url,
            headers: self.filled_headers(&scope)?,
            tls: &self.tls,
            redirects: 0,
            longest_bytes: LONGEST_ANSWER_BYTES,
        };
        let fetched = get_json(ask, &run.services, &limit).await?;
        let host = url.host_str().unwrap_or_default();
        let sample = sample(&fetched, host)?;
        Ok((fetched, sample))
    }

    fn filled_headers(&self, scope: &RunScope<'_>) -> Result<HeaderMap, Fault> {
        let ours = |unfilled: Unfilled| Fault::ours(unfilled.to_string());
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(
                name.clone(),
                header(name.as_str(), &value.fill(scope).map_err(ours)?)?,
            );
        }
        let authorization = match &self.auth {
            None => return Ok(headers),
            Some(Login::Bearer(token)) => format!("Bearer {}", token.fill(scope).map_err(ours)?),
            Some(Login::Basic { user, password }) => {
                let (user, password) = (
                    user.fill(scope).map_err(ours)?,
                    password.fill(scope).map_err(ours)?,
                );
                format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
            }
        };
        let mut value = header("authorization", &authorization)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        Ok(headers)
    }

    fn look(&self, run: &RunContext, fetched: &Fetched, sample: Option<String>) -> Result<Outcome, Unfilled> {
        let mut outcome = Outcome::seen();
        if let Some(took) = fetched.connect_time {
            outcome.measure("connect_time", Quantity::time(took));
        }
        outcome.measure("response_time", Quantity::time(fetched.response_time));
        measure_certificate_left(fetched.certificate_expires, &mut outcome, run.started);
        if let Some(address) = fetched.address {
            outcome.fact("address", address.to_string());
        }
        let number = sample.as_deref().and_then(|text| text.parse::<f64>().ok());
        match (number.filter(|number| number.is_finite()), &sample) {
            (Some(number), _) => outcome.measure("value", Scale::apply(self.scale, number)),
            (None, Some(text)) => outcome
                .remarks
                .push(format!("`value` is not measured: the query gives {text}")),
            (None, None) => outcome
                .remarks
                .push("`value` is not measured: the query gives no sample".to_owned()),
        }
        for warning in warnings(fetched) {
            outcome.remarks.push(format!("Prometheus warns: {warning}"));
        }
        let value = match (number.filter(|number| number.is_finite()), sample) {
            (Some(number), _) => Some(Json::from(number)),
            (None, text) => text.map(Json::from),
        };
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        for (level, matcher) in &self.expects {
            let Some(matcher) = matcher else { continue };
            let lines = matcher.broken("value", value.as_ref(), &scope)?;
            outcome
                .broken
                .extend(lines.into_iter().map(|what| broken(*level, what)));
        }
        Ok(outcome)
    }
}

fn header(name: &str, value: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(value)
        .map_err(|_| Fault::ours(format!("the header `{name}` holds what a header cannot hold")))
}

fn warnings(fetched: &Fetched) -> Vec<String> {
    let list = fetched.json.as_ref().and_then(|json| json["warnings"].as_array());
    let texts = list.into_iter().flatten().filter_map(Json::as_str);
    texts.take(3).map(short).collect()
}

/// The one number of an answer, as Prometheus writes it; none when no series matches.
fn sample(fetched: &Fetched, host: &str) -> Result<Option<String>, Fault> {
    let answer = fetched.json.as_ref().filter(|json| json["status"].is_string());
    let Some(answer) = answer else {
        let fault = format!(
            "{host} answers {} with something that is not Prometheus's: {}",
            fetched.status,
            short(&fetched.text)
        );
        return Err(with_status(fetched.status, fault));
    };
    if answer["status"] != "success" {
        return Err(refusal(answer, fetched.status, host));
    }
    let data = &answer["data"];
    let strange = || Fault::lasting(format!("the answer of {host} lacks its data"));
    let number = |pair: &Json| pair[1].as_str().map(str::to_owned).ok_or_else(strange);
    match data["resultType"].as_str() {
        Some("scalar") => number(&data["result"]).map(Some),
        Some("vector") => match data["result"].as_array().map(Vec::as_slice) {
            Some([]) => Ok(None),
            Some([one]) => number(&one["value"]).map(Some),
            Some(several) => Err(Fault::ours(format!(
                "the query gives {} samples, and one number is wanted: {}; put `sum(…)`, `max(…)` or the like around it",
                several.len(),
                some_labels(several)
            ))),
            None => Err(strange()),
        },
        Some(other) => Err(Fault::ours(format!(
            "the query gives a {other}, and one number is wanted"
        ))),
        None => Err(strange()),
    }
}

fn refusal(answer: &Json, status: u16, host: &str) -> Fault {
    let kind = short(answer["errorType"].as_str().unwrap_or("no error type"));
    let said = short(answer["error"].as_str().unwrap_or("no reason"));
    match kind.as_str() {
        // The question is ours, and wrong.
        "bad_data" => Fault::ours(format!("Prometheus does not take the query: {said} ({kind})")),
        "timeout" | "canceled" => Fault::passing(format!(
            "Prometheus on {host} gave up on the query: {said} ({kind})"
        )),
        _ => with_status(
            status,
            format!("Prometheus on {host} failed, status {status}: {said} ({kind})"),
        ),
    }
}

fn with_status(status: u16, what: String) -> Fault {
    match status {
        429 | 502 | 503 | 504 => Fault::passing(what),
        _ => Fault::lasting(what),
    }
}

/// The labels of the first few samples, so that one sees what to aggregate over.
fn some_labels(samples: &[Json]) -> String {
    const SHOWN: usize = 3;
    let mut texts: Vec<String> = samples
        .iter()
        .take(SHOWN)
        .map(|sample| {
            let labels: Vec<String> = sample["metric"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            short(&format!("{{{}}}", labels.join(", ")))
        })
        .collect();
    if samples.len() > SHOWN {
        texts.push("…".to_owned());
    }
    texts.join(", ")
}

fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_WORDS).collect()
}
