//! `domain`: how long a domain's registration lasts, by RDAP.
//!
//! Sources: RFC 9082 (queries), RFC 9083 (answers), RFC 9224 (which server knows which domains).

mod rdap;
mod servers;

use std::collections::BTreeMap;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use url::Url;

use self::rdap::Registration;
use super::attempt::{Limit, Manners};
use super::expect::{LEVEL_KEY, USE_THRESHOLDS, broken, read_blocks, refuse};
use super::http::scope;
use super::matcher::{MATCHER, Matcher};
use super::net::fault::Fault;
use super::net::fetch::{Ask, Fetched, get_json};
use super::net::secure::{CA, INSECURE_TLS, read_tls};
use super::net::tls::TlsSettings;
use super::texts::{TEXTS, Texts};
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, RunScope, Text, Timestamp, Unfilled, Unit};

pub use servers::RdapServers;

/// The table's line.
pub static KIND: Kind = Kind {
    name: "domain",
    doc: "How long a domain's registration lasts, by RDAP.",
    settings: &DOMAIN,
    expect: &DOMAIN_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[("registration_left", Unit::Ms), ("response_time", Unit::Ms)],
    read,
};

static DOMAIN: Spec = Spec {
    name: "domain",
    example: "domain: { name: example.com }",
    keys: &[
        Key::required(
            "name",
            Shape::Text,
            "The registered name: `example.com`, not a host in it.",
        ),
        Key::new(
            "server",
            Shape::Text,
            "The registry's RDAP server; without it the one that IANA names for the ending.",
        ),
        Key::or(
            "bootstrap",
            Shape::Text,
            servers::IANA,
            "Where it stands which server knows which ending (RFC 9224).",
        ),
        CA,
        INSECURE_TLS,
    ],
};

static DOMAIN_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { status: { contains: active } }",
    keys: &[
        Key::new("status", TEXTS, "What holds for the list of its statuses."),
        Key::new(
            "nameservers",
            TEXTS,
            "Its name servers: these in any order, or a matcher.",
        ),
        Key::new(
            "registrar",
            Shape::Either(&[Shape::Text, Shape::Object(&MATCHER)]),
            "What holds for the registrar's name.",
        ),
        LEVEL_KEY,
    ],
};

/// Redirects lead from a registry to another server that knows more.
const MOST_REDIRECTS: usize = 5;
/// The largest answer that is read.
const LONGEST_ANSWER_BYTES: u64 = 1024 * 1024;

struct DomainProbe {
    name: Text,
    server: Option<Text>,
    bootstrap: Text,
    tls: TlsSettings,
    expects: Vec<(Level, DomainExpect)>,
    manners: Manners,
}

struct DomainExpect {
    status: Option<Texts>,
    nameservers: Option<Texts>,
    registrar: Option<Matcher>,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &DOMAIN, reader)?;
    refuse(blocks.measure, "domain", "measure", USE_THRESHOLDS, reader);
    let name = fields.get("name").and_then(|node| read_name(node, reader));
    let server = fields.get("server").and_then(|node| read_base(node, reader));
    let bootstrap = match fields.get("bootstrap") {
        Some(node) => read_base(node, reader),
        None => Some(Text::literal(servers::IANA)),
    };
    let asked = server.as_ref().or(bootstrap.as_ref());
    let host = asked.and_then(|text| Url::parse(&text.constant()?).ok()?.host_str().map(str::to_owned));
    let probe = DomainProbe {
        tls: read_tls(&fields, reader),
        expects: read_blocks(blocks.expect, &DOMAIN_EXPECT, reader, |fields, reader| {
            DomainExpect {
                status: fields
                    .get("status")
                    .and_then(|node| Texts::read(node, str::to_lowercase, reader)),
                nameservers: fields
                    .get("nameservers")
                    .and_then(|node| Texts::read(node, rdap::plain_name, reader)),
                registrar: fields
                    .get("registrar")
                    .and_then(|node| Matcher::read(node, reader)),
            }
        }),
        manners: Manners::new(blocks, host.unwrap_or_default()),
        name: name?,
        server,
        bootstrap: bootstrap?,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_name(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    let constant = text.constant().filter(|_| !text.holds_secret());
    if constant.is_some_and(|name| rdap::ascii_name(&name).is_none()) {
        reader.report(
            Problem::error(&node.place, format!("`{text}` is not the name of a domain"))
                .hint("write for example `example.com`"),
        );
        return None;
    }
    Some(text)
}

fn read_base(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    let constant = text.constant().filter(|_| !text.holds_secret());
    if constant.is_some_and(|url| base(&url).is_none()) {
        reader.report(
            Problem::error(
                &node.place,
                format!("`{text}` is not an address of http or https"),
            )
            .hint("write for example `https://rdap.example/`"),
        );
        return None;
    }
    Some(text)
}

fn base(text: &str) -> Option<Url> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[async_trait]
impl Probe for DomainProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(
                run,
                |limit| self.attempt(run, limit),
                |(fetched, registration)| {
                    self.look(run, &fetched, &registration)
                        .unwrap_or_else(|unfilled| Outcome::not_measured(unfilled.to_string()))
                },
            )
            .await
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl DomainProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<(Fetched, Registration), Fault> {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let filled = |text: &Text| text.fill(&scope).map_err(|why| Fault::ours(why.to_string()));
        let name = filled(&self.name)?;
        let name = rdap::ascii_name(&name)
            .ok_or_else(|| Fault::ours(format!("`{name}` is not the name of a domain")))?;
        let server = if let Some(server) = &self.server {
            filled(server)?
        } else {
            let bootstrap = filled(&self.bootstrap)?;
            self.server_of(&name, &bootstrap, run, &limit).await?
        };
        let url = base(&server)
            .and_then(|base| rdap::domain_url(&base, &name))
            .ok_or_else(|| Fault::ours(format!("`{server}` is not an address of http or https")))?;
        let fetched = self.fetch(&url, run, &limit).await?;
        let registration = rdap::registration(&fetched, &name)?;
        Ok((fetched, registration))
    }

    async fn fetch(&self, url: &Url, run: &RunContext, limit: &Limit) -> Result<Fetched, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/rdap+json, application/json"),
        );
        let ask = Ask {
            url,
            headers,
            tls: &self.tls,
            redirects: MOST_REDIRECTS,
            longest_bytes: LONGEST_ANSWER_BYTES,
        };
        get_json(ask, &run.services, limit).await
    }

    /// The server that knows the name's ending. The list is asked for once a day.
    async fn server_of(
        &self,
        name: &str,
        bootstrap: &str,
        run: &RunContext,
        limit: &Limit,
    ) -> Result<String, Fault> {
        let known = &run.services.rdap;
        let fetch = async {
            let url = base(bootstrap)
                .ok_or_else(|| Fault::ours(format!("`{bootstrap}` is not an address of http or https")))?;
            let ours = |why: &str| Fault::ours(format!("the list of RDAP servers cannot be had: {why}"));
            let fetched = self
                .fetch(&url, run, limit)
                .await
                .map_err(|fault| ours(&fault.what))?;
            if fetched.status != 200 {
                return Err(ours(&format!("{bootstrap} answers {}", fetched.status)));
            }
            servers::table(fetched.json.as_ref()).ok_or_else(|| ours("it is not what RFC 9224 describes"))
        };
        let table = known.get_or_fetch(bootstrap, fetch).await?;
        table.server_of(name).ok_or_else(|| {
            Fault::ours(format!(
                "no RDAP server is listed for `{name}`: name the registry's with `server:`"
            ))
        })
    }

    fn look(
        &self,
        run: &RunContext,
        fetched: &Fetched,
        registration: &Registration,
    ) -> Result<Outcome, Unfilled> {
        let mut outcome = Outcome::seen();
        outcome.measure("response_time", Quantity::time(fetched.response_time));
        outcome.fact("url", fetched.url.to_string());
        match registration.expires {
            Some(expires) => {
                outcome.measure("registration_left", left(expires, run.started));
                outcome.fact("registered until", expires.to_string());
            }
            None => outcome
                .remarks
                .push("`registration_left` is not measured: the registry does not say when it ends".into()),
        }
        if let Some(registrar) = &registration.registrar {
            outcome.fact("registrar", registrar.clone());
        }
        outcome.fact("status", registration.statuses.join(", "));
        outcome.fact("nameservers", registration.nameservers.join(", "));
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        for (level, expect) in &self.expects {
            for what in expect.broken(registration, &scope)? {
                outcome.broken.push(broken(*level, what));
            }
        }
        Ok(outcome)
    }
}

fn left(expires: Timestamp, now: Timestamp) -> Quantity {
    Quantity {
        value: (expires.as_unix_us() - now.as_unix_us()) as f64 / 1_000.0,
        unit: Unit::Ms,
    }
}

impl DomainExpect {
    fn broken(&self, registration: &Registration, scope: &RunScope<'_>) -> Result<Vec<String>, Unfilled> {
        let mut all = Vec::new();
        if let Some(texts) = &self.status {
            all.extend(texts.broken("the statuses", &registration.statuses, scope)?);
        }
        if let Some(texts) = &self.nameservers {
            all.extend(texts.broken("the name servers", &registration.nameservers, scope)?);
        }
        if let Some(matcher) = &self.registrar {
            let name = registration.registrar.clone().map(serde_json::Value::from);
            all.extend(matcher.broken("the registrar", name.as_ref(), scope)?);
        }
        Ok(all)
    }
}
