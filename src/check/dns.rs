//! `dns`: one question, really asked each time, and what the answer must be.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};

use super::attempt::{Limit, Manners};
use super::expect::{LEVEL_KEY, USE_THRESHOLDS, broken, read_blocks, refuse};
use super::http::scope;
use super::net::ask::{Question, Reply, Transport, plain_name, record_text};
use super::net::fault::Fault;
use super::net::nameserver::{NameServer, SERVER, ask_any};
use super::texts::{TEXTS, Texts};
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, Text, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "dns",
    doc: "Asks a DNS server one question, and looks at the answer.",
    settings: &DNS,
    expect: &DNS_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("response_time", Unit::Ms),
        ("answers", Unit::Count),
        ("ttl", Unit::Ms),
    ],
    read,
};

static DNS: Spec = Spec {
    name: "dns",
    example: "dns: { name: shop.example, type: MX }",
    keys: &[
        Key::required(
            "name",
            Shape::Text,
            "The name that is asked for; with `type: PTR` an address will do.",
        ),
        Key::or("type", Shape::Choice(TYPE_NAMES), "A", "The type of record."),
        SERVER,
        Key::or(
            "transport",
            Shape::Choice(&["udp", "tcp"]),
            "udp",
            "How to ask; an answer over UDP that was cut off is asked for again over TCP.",
        ),
        Key::or(
            "dnssec",
            Shape::Boolean,
            "false",
            "The server must say that it validated the answer (the AD flag).",
        ),
    ],
};

static DNS_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { answers: [192.0.2.1, 192.0.2.2] }",
    keys: &[
        Key::new(
            "answers",
            TEXTS,
            "The answers: a list (these, in any order), or a matcher over the sorted list.",
        ),
        Key::or(
            "rcode",
            Shape::OneOrMany(&Shape::Choice(CODE_NAMES)),
            "NOERROR",
            "The response code.",
        ),
        LEVEL_KEY,
    ],
};

const TYPES: &[(&str, RecordType)] = &[
    ("A", RecordType::A),
    ("AAAA", RecordType::AAAA),
    ("CAA", RecordType::CAA),
    ("CNAME", RecordType::CNAME),
    ("DNSKEY", RecordType::DNSKEY),
    ("DS", RecordType::DS),
    ("HTTPS", RecordType::HTTPS),
    ("MX", RecordType::MX),
    ("NAPTR", RecordType::NAPTR),
    ("NS", RecordType::NS),
    ("PTR", RecordType::PTR),
    ("SOA", RecordType::SOA),
    ("SRV", RecordType::SRV),
    ("SSHFP", RecordType::SSHFP),
    ("SVCB", RecordType::SVCB),
    ("TLSA", RecordType::TLSA),
    ("TXT", RecordType::TXT),
];
const TYPE_NAMES: &[&str] = &[
    "A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "SSHFP",
    "SVCB", "TLSA", "TXT",
];
const CODES: &[(&str, ResponseCode)] = &[
    ("NOERROR", ResponseCode::NoError),
    ("NXDOMAIN", ResponseCode::NXDomain),
    ("SERVFAIL", ResponseCode::ServFail),
    ("REFUSED", ResponseCode::Refused),
    ("FORMERR", ResponseCode::FormErr),
    ("NOTIMP", ResponseCode::NotImp),
];
const CODE_NAMES: &[&str] = &["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"];
/// So many answers are kept as evidence.
const MOST_SHOWN: usize = 20;

struct DnsProbe {
    name: Text,
    kind: RecordType,
    server: NameServer,
    transport: Transport,
    dnssec: bool,
    manners: Manners,
    expects: Vec<(Level, Wanted)>,
}

struct Wanted {
    codes: Option<Vec<ResponseCode>>,
    answers: Option<Texts>,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &DNS, reader)?;
    let kind = fields
        .get("type")
        .and_then(|node| reader.choice(node, TYPES))
        .unwrap_or(RecordType::A);
    let name = fields.get("name").and_then(|node| read_name(node, reader));
    let server = NameServer::read(&fields, reader);
    let words = [("udp", Transport::Udp), ("tcp", Transport::Tcp)];
    let transport = fields
        .get("transport")
        .and_then(|node| reader.choice(node, &words))
        .unwrap_or(Transport::Udp);
    let dnssec = fields
        .get("dnssec")
        .and_then(|node| reader.boolean(node))
        .unwrap_or(false);
    refuse(blocks.measure, "dns", "measure", USE_THRESHOLDS, reader);
    let expects = read_blocks(blocks.expect, &DNS_EXPECT, reader, read_wanted);
    let probe = DnsProbe {
        name: name?,
        kind,
        manners: Manners::new(blocks, server.host()),
        server,
        transport,
        dnssec,
        expects,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

/// Reads a name of DNS; what is known at load is looked at.
pub(super) fn read_name(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    let known = text.constant().filter(|_| !text.holds_secret());
    if known.is_some_and(|name| parse_name(&name).is_none()) {
        reader.error(
            node,
            format!("`{text}` is not a name that DNS knows: write for example `shop.example`"),
        );
        return None;
    }
    Some(text)
}

/// The name from the root, whether or not it ends in a dot.
pub(super) fn parse_name(text: &str) -> Option<Name> {
    let mut name = Name::from_str_relaxed(text).ok().filter(|_| !text.is_empty())?;
    name.set_fqdn(true);
    Some(name)
}

fn read_wanted(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Wanted {
    Wanted {
        codes: fields
            .get("rcode")
            .map(|node| reader.one_or_many(node, |reader, word| reader.choice(word, CODES))),
        answers: fields
            .get("answers")
            .and_then(|node| Texts::read(node, normal, reader)),
    }
}

/// What is received has names in lower case without the dot at their end.
fn normal(text: &str) -> String {
    text.strip_suffix('.')
        .map_or_else(|| text.to_owned(), str::to_lowercase)
}

struct Asked {
    question: Question,
    reply: Reply,
    response_time: Duration,
    /// The server fails to validate, and answers once it need not.
    bogus: bool,
}

#[async_trait]
impl Probe for DnsProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(
                run,
                |limit| self.attempt(run, limit),
                |asked| self.look(run, &asked),
            )
            .await
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl DnsProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Asked, Fault> {
        let question = Question {
            authentic: self.dnssec,
            ..Question::new(self.asked_name(run)?, self.kind)
        };
        let servers = self.server.addresses(run, &limit).await?;
        let began = tokio::time::Instant::now();
        let reply = ask_any(&servers, &question, self.transport, &limit).await?;
        let response_time = began.elapsed();
        let mut bogus = false;
        if reply.message.metadata.response_code == ResponseCode::ServFail
            && !self.wants(ResponseCode::ServFail)
        {
            bogus = self.is_bogus(&reply, &question, &limit).await;
            if !bogus {
                return Err(Fault::passing(failed(&reply, &question)));
            }
        }
        Ok(Asked {
            question,
            reply,
            response_time,
            bogus,
        })
    }

    fn asked_name(&self, run: &RunContext) -> Result<Name, Fault> {
        let text = self
            .name
            .fill(&scope(run, &run.captured))
            .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
        if self.kind == RecordType::PTR
            && let Ok(address) = text.parse::<IpAddr>()
        {
            let mut name = Name::from(address);
            name.set_fqdn(true);
            return Ok(name);
        }
        parse_name(&text).ok_or_else(|| Fault::ours(format!("`{}` does not make a name of DNS", self.name)))
    }

    fn wants(&self, code: ResponseCode) -> bool {
        let mut wanted = self
            .expects
            .iter()
            .filter_map(|(_, wanted)| wanted.codes.as_ref());
        wanted.any(|codes| codes.contains(&code))
    }

    /// A validating server says SERVFAIL for signatures that are wrong; asked not to
    /// validate, it answers.
    async fn is_bogus(&self, reply: &Reply, question: &Question, limit: &Limit) -> bool {
        if !self.dnssec {
            return false;
        }
        let unchecked = Question {
            unchecked: true,
            authentic: false,
            ..question.clone()
        };
        let answer = ask_any(&[reply.server], &unchecked, reply.transport, limit).await;
        answer.is_ok_and(|reply| reply.message.metadata.response_code == ResponseCode::NoError)
    }

    fn look(&self, run: &RunContext, asked: &Asked) -> Outcome {
        let (reply, question) = (&asked.reply, &asked.question);
        let mut outcome = Outcome::seen();
        outcome.measure("response_time", Quantity::time(asked.response_time));
        let answers: Vec<String> = reply
            .records(self.kind)
            .map(|record| record_text(&record.data))
            .collect();
        outcome.measure("answers", Quantity::count(answers.len() as f64));
        if let Some(ttl) = reply.message.answers.iter().map(|record| record.ttl).min() {
            outcome.measure("ttl", Quantity::time(Duration::from_secs(ttl.into())));
        }
        show(&mut outcome, reply, self.kind, &answers);
        let found = match asked.bogus {
            true => vec![(
                Level::Critical,
                format!(
                    "the DNSSEC signatures of {question} are not valid: {} answers SERVFAIL, and answers once it need not validate",
                    reply.server
                ),
            )],
            false => self.judged(run, reply, question, &answers),
        };
        for (level, what) in found {
            outcome.broken.push(broken(level, what));
        }
        outcome
    }

    /// What is not as expected.
    fn judged(
        &self,
        run: &RunContext,
        reply: &Reply,
        question: &Question,
        answers: &[String],
    ) -> Vec<(Level, String)> {
        let code = reply.message.metadata.response_code;
        let mut found = Vec::new();
        let mut code_is_wanted = self.expects.iter().all(|(_, wanted)| wanted.codes.is_none());
        if code_is_wanted && code != ResponseCode::NoError {
            return vec![(Level::Critical, failed(reply, question))];
        }
        for (level, wanted) in &self.expects {
            match &wanted.codes {
                Some(codes) if !codes.contains(&code) => {
                    found.push((
                        *level,
                        format!("{}, expected {}", failed(reply, question), names(codes)),
                    ));
                }
                Some(_) => code_is_wanted = true,
                None => {}
            }
        }
        if !code_is_wanted {
            return found;
        }
        let scope = scope(run, &run.captured);
        let mut looked = false;
        for (level, wanted) in &self.expects {
            let Some(texts) = &wanted.answers else { continue };
            looked = true;
            let what = format!("the answers to {question}");
            let broken = texts
                .broken(&what, answers, &scope)
                .unwrap_or_else(|unfilled| vec![unfilled.to_string()]);
            found.extend(broken.into_iter().map(|line| (*level, line)));
        }
        if !looked && code == ResponseCode::NoError && answers.is_empty() {
            let (name, kind) = (plain_name(&question.name), question.kind);
            found.push((
                Level::Critical,
                format!("{name} has no {kind} record; the name itself exists"),
            ));
        }
        if self.dnssec && code == ResponseCode::NoError && !reply.message.metadata.authentic_data {
            let server = reply.server;
            found.push((
                Level::Critical,
                format!("the answer to {question} is not validated (no AD flag): the zone is not signed, or {server} does not validate"),
            ));
        }
        found
    }
}

fn show(outcome: &mut Outcome, reply: &Reply, kind: RecordType, answers: &[String]) {
    let cut = if reply.truncated { ", cut off over UDP" } else { "" };
    outcome.fact(
        "server",
        format!("{} over {}{cut}", reply.server, reply.transport),
    );
    outcome.fact("rcode", reply.code());
    if let Some(error) = reply.extended_error() {
        outcome.fact("server says", error);
    }
    for alias in reply
        .records(RecordType::CNAME)
        .filter(|_| kind != RecordType::CNAME)
    {
        outcome.fact(
            "alias",
            format!("{} → {}", plain_name(&alias.name), record_text(&alias.data)),
        );
    }
    for answer in answers.iter().take(MOST_SHOWN) {
        outcome.fact("answer", answer);
    }
    if answers.len() > MOST_SHOWN {
        outcome.fact("answers left out", (answers.len() - MOST_SHOWN).to_string());
    }
}

/// What a response code means, in words.
fn failed(reply: &Reply, question: &Question) -> String {
    let server = reply.server;
    let name = plain_name(&question.name);
    let code = reply.code();
    let more = reply
        .extended_error()
        .map_or_else(String::new, |error| format!(" ({error})"));
    match reply.message.metadata.response_code {
        ResponseCode::NoError => format!("{server} answers {question} with NOERROR"),
        ResponseCode::NXDomain => format!("the name {name} does not exist: {server} answers NXDOMAIN"),
        ResponseCode::ServFail => {
            format!("{server} could not find out {question}: it answers SERVFAIL{more}")
        }
        ResponseCode::Refused => format!("{server} refuses to answer {question}: it answers REFUSED{more}"),
        _ => format!("{server} answers {question} with {code}{more}"),
    }
}

fn names(codes: &[ResponseCode]) -> String {
    let names: Vec<String> = codes
        .iter()
        .map(|code| super::net::ask::code_name(*code))
        .collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_root() {
        for (text, name) in [
            ("Shop.Example.", Some("shop.example")),
            ("_dmarc.shop.example", Some("_dmarc.shop.example")),
            (".", Some(".")),
            ("포털.example", Some("xn--wv7bl3c.example")),
            ("", None),
            ("a..example", None),
        ] {
            let parsed = parse_name(text);
            assert_eq!(parsed.as_ref().map(plain_name).as_deref(), name, "{text}");
            assert!(parsed.is_none_or(|name| name.is_fqdn()));
        }
        let long = "a".repeat(64);
        assert!(parse_name(&format!("{long}.example")).is_none());
    }

    #[test]
    fn every_type_and_code_is_in_the_schema() {
        assert!(TYPES.iter().map(|(name, _)| *name).eq(TYPE_NAMES.iter().copied()));
        assert!(CODES.iter().map(|(name, _)| *name).eq(CODE_NAMES.iter().copied()));
    }
}
