//! `mail_dns`: what receivers of a domain's mail look up in DNS.

mod asker;
mod cache;
mod grammar;
mod lists;
mod policies;
pub mod spf;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

pub use asker::Asker;
use lists::{Listing, ask_list};
use policies::{Strictness, dkim_fault, dmarc_policy, reverse_fault};
use spf::{Checked, MOST_LOOKUPS, Sender, SpfResult, check_host, result_word};

use super::attempt::{Limit, Manners};
use super::dns::{parse_name, read_name};
use super::expect::{LEVEL_KEY, USE_THRESHOLDS, broken, read_blocks, refuse};
use super::http::scope;
use super::net::fault::Fault;
use super::net::nameserver::{NameServer, SERVER};
use super::texts::listed;
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, Text, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "mail_dns",
    doc: "Looks at what DNS says of a domain's mail: SPF, DKIM, DMARC, reverse DNS, block lists.",
    settings: &MAIL_DNS,
    expect: &MAIL_DNS_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("response_time", Unit::Ms),
        ("spf_lookups", Unit::Count),
        ("listed_on", Unit::Count),
    ],
    read,
};

static MAIL_DNS: Spec = Spec {
    name: "mail_dns",
    example: "mail_dns: { domain: shop.example, sending_ips: [192.0.2.25] }",
    keys: &[
        Key::required("domain", Shape::Text, "The domain in the sender's address."),
        Key::required(
            "sending_ips",
            Shape::OneOrMany(&Shape::Text),
            "Every address that sends its mail; SPF must pass for each.",
        ),
        Key::new(
            "dkim_selector",
            Shape::OneOrMany(&Shape::Text),
            "Selectors whose DKIM keys must be there.",
        ),
        Key::new(
            "dmarc",
            Shape::Choice(&["none", "quarantine", "reject"]),
            "The DMARC policy must be at least this strict.",
        ),
        Key::or(
            "reverse_dns",
            Shape::Boolean,
            "false",
            "Each sending address must have a name that leads back to it.",
        ),
        Key::new(
            "block_lists",
            Shape::List(&Shape::Plain),
            "Block lists in DNS that must not hold a sending address: `zen.spamhaus.org`.",
        ),
        SERVER,
    ],
};

static MAIL_DNS_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { level: warning }",
    keys: &[LEVEL_KEY],
};

/// One question may take this long, and not more than a quarter of the attempt.
const LONGEST_QUESTION: Duration = Duration::from_secs(3);
/// So many questions are open at once.
const AT_ONCE: usize = 8;

struct MailDnsProbe {
    domain: Text,
    sending_ips: Vec<Text>,
    selectors: Vec<Text>,
    dmarc: Option<Strictness>,
    reverse_dns: bool,
    block_lists: Vec<String>,
    server: NameServer,
    manners: Manners,
    level: Level,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &MAIL_DNS, reader)?;
    let domain = fields.get("domain").and_then(|node| read_name(node, reader));
    let sending_ips = fields
        .get("sending_ips")
        .map(|node| reader.one_or_many(node, read_address))
        .unwrap_or_default();
    if let Some(node) = fields.get("sending_ips").filter(|_| sending_ips.is_empty())
        && reader.failures() == before
    {
        reader.error(node, "`sending_ips` needs at least one address");
    }
    let selectors = fields
        .get("dkim_selector")
        .map(|node| reader.one_or_many(node, |reader, item| read_name(item, reader)))
        .unwrap_or_default();
    let words = [Strictness::None, Strictness::Quarantine, Strictness::Reject].map(|one| (one.word(), one));
    let dmarc = fields.get("dmarc").and_then(|node| reader.choice(node, &words));
    let reverse_dns = fields
        .get("reverse_dns")
        .and_then(|node| reader.boolean(node))
        .unwrap_or(false);
    let block_lists = fields
        .get("block_lists")
        .map(|node| reader.list(node, read_zone))
        .unwrap_or_default();
    let server = NameServer::read(&fields, reader);
    refuse(blocks.measure, "mail_dns", "measure", USE_THRESHOLDS, reader);
    let levels = read_blocks(blocks.expect, &MAIL_DNS_EXPECT, reader, |_, _| ());
    let probe = MailDnsProbe {
        domain: domain?,
        sending_ips,
        selectors,
        dmarc,
        reverse_dns,
        block_lists,
        manners: Manners::new(blocks, server.host()),
        server,
        level: levels.first().map_or(Level::Critical, |(level, ())| *level),
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_address(reader: &mut Reader<'_>, node: &Node) -> Option<Text> {
    let text = reader.text(node)?;
    let known = text.constant().filter(|_| !text.holds_secret());
    if known.is_some_and(|address| address.parse::<IpAddr>().is_err()) {
        reader.error(
            node,
            format!("`{text}` is not an address: write for example `192.0.2.25` or `2001:db8::25`"),
        );
        return None;
    }
    Some(text)
}

fn read_zone(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let zone = reader.plain(node)?;
    if parse_name(&zone).is_none() {
        reader.error(node, format!("`{zone}` is not a name that DNS knows"));
        return None;
    }
    Some(zone)
}

/// What one attempt found.
#[derive(Default)]
struct Found {
    took: Duration,
    /// What is not as it should be.
    wrong: Vec<String>,
    facts: Vec<(&'static str, String)>,
    spf_lookups: Option<u32>,
    listed_on: Option<usize>,
    /// Lists that did not tell.
    remarks: Vec<String>,
}

#[async_trait]
impl Probe for MailDnsProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(run, |limit| self.attempt(run, limit), |found| self.look(found))
            .await
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl MailDnsProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Found, Fault> {
        let scope = scope(run, &run.captured);
        let fill = |text: &Text| {
            text.fill(&scope)
                .map_err(|unfilled| Fault::ours(unfilled.to_string()))
        };
        let domain = fill(&self.domain)?.trim_end_matches('.').to_lowercase();
        let mut addresses = Vec::new();
        for text in &self.sending_ips {
            let filled = fill(text)?;
            let address = filled
                .parse::<IpAddr>()
                .map_err(|_| Fault::ours(format!("`{text}` does not make an address")))?;
            addresses.push(address);
        }
        let selectors = self.selectors.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
        let whole = limit.until().duration_since(limit.began);
        let asker = Asker {
            servers: self.server.addresses(run, &limit).await?,
            until: limit.until(),
            each: LONGEST_QUESTION.min(whole / 4),
        };
        let mut found = Found::default();
        let looking = async {
            spf_findings(&asker, &domain, &addresses, &mut found).await?;
            for selector in &selectors {
                found.wrong.extend(dkim_fault(&asker, &domain, selector).await?);
            }
            self.dmarc_finding(&asker, &domain, &mut found).await?;
            if self.reverse_dns {
                for address in &addresses {
                    found.wrong.extend(reverse_fault(&asker, *address).await?);
                }
            }
            self.list_findings(&asker, &addresses, &mut found).await;
            Ok(())
        };
        limit
            .wait(looking, |time| {
                format!("the questions about {domain} were not all answered within {time}")
            })
            .await?;
        found.took = limit.began.elapsed();
        Ok(found)
    }

    async fn dmarc_finding(&self, asker: &Asker, domain: &str, found: &mut Found) -> Result<(), Fault> {
        let Some(wanted) = self.dmarc else { return Ok(()) };
        match dmarc_policy(asker, domain).await? {
            Err(fault) => found.wrong.push(fault),
            Ok((policy, owner)) => {
                found
                    .facts
                    .push(("dmarc", format!("{} (at {owner})", policy.word())));
                if policy < wanted {
                    found.wrong.push(format!(
                        "the DMARC policy of {domain} is {}, expected at least {} (at {owner})",
                        policy.word(),
                        wanted.word()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Every list about every address. A list that does not tell makes the number of
    /// listings unknown, and nothing more.
    async fn list_findings(&self, asker: &Asker, addresses: &[IpAddr], found: &mut Found) {
        if self.block_lists.is_empty() {
            return;
        }
        let mut pairs = Vec::new();
        for zone in &self.block_lists {
            pairs.extend(addresses.iter().map(|address| (zone.clone(), *address)));
        }
        let answers: Vec<(String, IpAddr, Listing)> = stream::iter(pairs)
            .map(|(zone, address)| async move {
                let listing = ask_list(asker, &zone, address).await;
                (zone, address, listing)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut listed_on = Vec::new();
        for (zone, address, listing) in answers {
            match listing {
                Listing::Clean => {}
                Listing::Listed(reason) => {
                    found
                        .wrong
                        .push(format!("{address} is on the block list {zone} ({reason})"));
                    listed_on.push(zone);
                }
                Listing::Unknown(why) => found.remarks.push(format!(
                    "whether {address} is on the block list {zone} is unknown: {why}"
                )),
            }
        }
        if found.remarks.is_empty() {
            listed_on.dedup();
            found.listed_on = Some(listed_on.len());
        }
    }

    fn look(&self, found: Found) -> Outcome {
        let mut outcome = Outcome::seen();
        outcome.measure("response_time", Quantity::time(found.took));
        if let Some(lookups) = found.spf_lookups {
            outcome.measure("spf_lookups", Quantity::count(lookups.into()));
        }
        if let Some(listed_on) = found.listed_on {
            outcome.measure("listed_on", Quantity::count(listed_on as f64));
        }
        for (name, value) in found.facts {
            outcome.fact(name, value);
        }
        outcome.remarks = found.remarks;
        outcome.broken = found
            .wrong
            .into_iter()
            .map(|what| broken(self.level, what))
            .collect();
        outcome
    }
}

/// SPF for each sending address, and what the record costs its receivers.
async fn spf_findings(
    asker: &Asker,
    domain: &str,
    addresses: &[IpAddr],
    found: &mut Found,
) -> Result<(), Fault> {
    let mail_from = format!("postmaster@{domain}");
    let mut most = 0;
    for address in addresses {
        let sender = Sender {
            ip: *address,
            helo: domain,
            mail_from: &mail_from,
        };
        let checked = check_host(asker, sender).await?;
        if let Some(record) = checked.record.as_ref().filter(|_| found.spf_lookups.is_none()) {
            found.facts.push(("spf", listed(std::slice::from_ref(record))));
        }
        if checked.record.is_some() {
            most = most.max(checked.lookups);
            found.spf_lookups = Some(most);
        }
        if let Some(wrong) = spf_fault(*address, domain, checked)?
            && !found.wrong.contains(&wrong)
        {
            found.wrong.push(wrong);
        }
    }
    if most > MOST_LOOKUPS {
        found.wrong.push(format!(
            "the SPF record of {domain} takes {most} look-ups, and receivers allow {MOST_LOOKUPS} (RFC 7208 §4.6.4)"
        ));
    }
    Ok(())
}

fn spf_fault(address: IpAddr, domain: &str, checked: Checked) -> Result<Option<String>, Fault> {
    let why = checked.why.unwrap_or_else(|| "no reason is known".to_owned());
    Ok(Some(match checked.result {
        SpfResult::Pass => return Ok(None),
        SpfResult::TempError => {
            return Err(Fault::passing(format!(
                "SPF of {domain} could not be evaluated: {why}"
            )));
        }
        // The same for every address: told once.
        SpfResult::None => format!("SPF does not cover {domain}: {why}"),
        SpfResult::PermError => format!("SPF of {domain} is broken, receivers see `permerror`: {why}"),
        SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral => format!(
            "SPF of {domain} does not cover the sending address {address}: receivers see `{}`",
            result_word(checked.result)
        ),
    }))
}
