//! SPF (RFC 7208). The evaluation is mail-auth's; what it leaves open is decided here: more
//! than one record, the grammar to the letter, validated names, and look-ups that find nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::spf::{Macro, Mechanism, Spf, Variables};
use mail_auth::{
    DnsError, DnssecStatus, Error, MX, MessageAuthenticator, Parameters, RecordSet, ResolverCache, Txt,
};

pub use mail_auth::SpfResult;

use super::asker::{Asker, Known, plain_names};
use super::cache::Cache;
use super::grammar::{fault_of, is_spf};
use crate::check::dns::parse_name;
use crate::check::net::fault::Fault;

/// RFC 7208 §4.6.4: receivers stop with an error beyond it.
pub const MOST_LOOKUPS: u32 = 10;
/// RFC 7208 §4.6.4: look-ups that find nothing.
const MOST_VOID: usize = 2;
/// A record that includes itself is counted up to here.
const COUNT_UP_TO: u32 = 50;

/// Who sends a message, as the receiver sees it.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// The address that connects.
    pub ip: IpAddr,
    /// The name it gives in EHLO.
    pub helo: &'a str,
    /// The envelope's sender; empty for a bounce.
    pub mail_from: &'a str,
}

/// What a receiver makes of a sender.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The result of RFC 7208 §2.6.
    pub result: SpfResult,
    /// Why, where the result is an error or there is no record.
    pub why: Option<String>,
    /// The domain's record as it stands in DNS.
    pub record: Option<String>,
    /// The terms that ask DNS, of the record and of all it includes, for this sender.
    pub lookups: u32,
}

/// The result as RFC 7208 and mail headers write it.
#[must_use]
pub fn result_word(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::None => "none",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
    }
}

/// Evaluates SPF as a receiver does.
///
/// # Errors
/// Our own fault when the library cannot be set up.
pub async fn check_host(asker: &Asker, sender: Sender<'_>) -> Result<Checked, Fault> {
    // An IPv4 address in IPv6 clothes is an IPv4 address (RFC 7208 §5).
    let sender = Sender {
        ip: sender.ip.to_canonical(),
        ..sender
    };
    let domain = match sender.mail_from.rsplit_once('@') {
        Some((_, domain)) => domain,
        None => sender.helo,
    };
    let mut records = Records::of(asker, domain, sender).await;
    let library = MessageAuthenticator::new(servers(asker), options(asker))
        .map_err(|error| Fault::ours(format!("the resolver for SPF cannot be used: {error}")))?;
    let parameters = match sender.mail_from.is_empty() {
        true => SpfParameters::verify_ehlo(sender.ip, sender.helo, RECEIVER),
        false => SpfParameters::verify_mail_from(sender.ip, sender.helo, RECEIVER, sender.mail_from),
    };
    let caches = Caches::prepared(asker, sender, domain, &mut records).await;
    let parameters = Parameters::new(parameters)
        .with_txt_cache(&caches.txt)
        .with_mx_cache(&caches.mx)
        .with_ipv4_cache(&caches.v4)
        .with_ipv6_cache(&caches.v6)
        .with_ptr_cache(&caches.ptr);
    let mut result = library.check_host(parameters).await.result();
    let settled = !matches!(
        result,
        SpfResult::None | SpfResult::TempError | SpfResult::PermError
    );
    if settled {
        let missed = caches.missed(&records.terms);
        if missed.len() > MOST_VOID && void(asker, &missed).await > MOST_VOID {
            result = SpfResult::PermError;
            records.why = Some(format!(
                "more than {MOST_VOID} look-ups find nothing (RFC 7208 §4.6.4)"
            ));
        }
    }
    if result == SpfResult::PermError && records.why.is_none() && records.lookups > MOST_LOOKUPS {
        records.why = Some(format!(
            "it takes more than {MOST_LOOKUPS} look-ups (RFC 7208 §4.6.4)"
        ));
    }
    Ok(Checked {
        result,
        why: records.why,
        record: records.record,
        lookups: records.lookups,
    })
}

type Names<T> = Cache<Box<str>, RecordSet<T>>;

/// What is known before the evaluation, and what it asks for.
struct Caches {
    txt: Cache<Box<str>, Txt>,
    mx: Names<MX>,
    v4: Names<Ipv4Addr>,
    v6: Names<Ipv6Addr>,
    ptr: Cache<IpAddr, RecordSet<Box<str>>>,
}

impl Caches {
    async fn prepared(asker: &Asker, sender: Sender<'_>, domain: &str, records: &mut Records) -> Self {
        let caches = Self {
            txt: Cache::holding(std::mem::take(&mut records.known)),
            mx: Cache::default(),
            v4: Cache::default(),
            v6: Cache::default(),
            ptr: Cache::default(),
        };
        let now = tokio::time::Instant::now().into_std();
        if records.names_the_sender {
            let names = validated_names(asker, sender.ip, domain).await;
            caches.ptr.insert(sender.ip, names, now);
        }
        for (name, kind) in records.unreadable() {
            match kind {
                RecordType::MX => caches.mx.insert(name, none_of(), now),
                RecordType::AAAA => caches.v6.insert(name, none_of(), now),
                _ => {
                    let found = addresses_of(asker, name_of_labels(&name)).await;
                    caches.v4.insert(name, found, now);
                }
            }
        }
        for (stand_in, name) in &records.odd {
            caches
                .know(asker, stand_in, name_of_labels(&name.to_lowercase()))
                .await;
        }
        caches
    }

    /// Asks for all that a term could want of an odd name, and keeps it under what stands for it.
    async fn know(&self, asker: &Asker, stand_in: &str, name: Option<Name>) {
        let now = tokio::time::Instant::now().into_std();
        self.v4
            .insert(stand_in.into(), addresses_of(asker, name.clone()).await, now);
        self.v6.insert(stand_in.into(), none_of(), now);
        let Some(name) = name else { return };
        let known = asker.ask(name, RecordType::MX).await.unwrap_or(Known::NoSuchName);
        let mut exchanges = Vec::new();
        for record in known.records() {
            let RData::MX(mx) = &record.data else { continue };
            let exchange: Box<str> = format!("mx-{}.{stand_in}", exchanges.len()).into();
            let addresses = addresses_of(asker, Some(mx.exchange.clone())).await;
            self.v4.insert(exchange.clone(), addresses, now);
            self.v6.insert(exchange.clone(), none_of(), now);
            exchanges.push(exchange);
        }
        let found = RecordSet {
            rrset: Arc::new([MX {
                exchanges: exchanges.into(),
                preference: 0,
            }]),
            dnssec_status: DnssecStatus::Indeterminate,
        };
        self.mx.insert(stand_in.into(), found, now);
    }

    /// The terms that were evaluated, and for which no record was kept.
    fn missed<'t>(&self, terms: &'t [(Box<str>, RecordType)]) -> Vec<&'t (Box<str>, RecordType)> {
        let missed = terms.iter().filter(|(name, kind)| match kind {
            RecordType::MX => self.mx.missed(name),
            RecordType::AAAA => self.v6.missed(name),
            _ => self.v4.missed(name),
        });
        missed.collect()
    }
}

/// What `%{r}` stands for in explanations, which nobody reads here.
const RECEIVER: &str = "unknown";

fn servers(asker: &Asker) -> ResolverConfig {
    let servers = asker.servers.iter().map(|server| {
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        for connection in &mut connections {
            connection.port = server.port();
        }
        NameServerConfig::new(server.ip(), true, connections)
    });
    ResolverConfig::from_parts(None, Vec::new(), servers.collect())
}

fn options(asker: &Asker) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = asker.each;
    options.attempts = 0;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    // `exists` looks for A records, whatever the sender's address is (RFC 7208 §5.7).
    options.ip_strategy = LookupIpStrategy::Ipv4Only;
    options
}

/// The domain's record and those it includes.
struct Records {
    known: HashMap<Box<str>, Txt>,
    record: Option<String>,
    why: Option<String>,
    lookups: u32,
    /// What its terms `a`, `mx` and `exists` ask for.
    terms: Vec<(Box<str>, RecordType)>,
    /// Whether a term depends on the sender's name in reverse DNS.
    names_the_sender: bool,
    /// Names with `:` or `/` in them, which mail-auth would cut there, by what stands for them.
    odd: Vec<(Box<str>, String)>,
}

impl Records {
    /// Walks all the records that an evaluation can reach.
    async fn of(asker: &Asker, domain: &str, sender: Sender<'_>) -> Self {
        let mut records = Self {
            known: HashMap::new(),
            record: None,
            why: None,
            lookups: 0,
            terms: Vec::new(),
            names_the_sender: false,
            odd: Vec::new(),
        };
        let mail_from = match sender.mail_from.is_empty() {
            true => format!("postmaster@{}", sender.helo),
            false => sender.mail_from.to_owned(),
        };
        let mut open = vec![domain.to_owned()];
        while let Some(domain) = open.pop() {
            let key = fqdn(&domain);
            if !records.known.contains_key(&key) {
                let found = records.look_up(asker, &domain, sender.ip).await;
                records.known.insert(key.clone(), found);
            }
            let Some(Txt::Spf(record)) = records.known.get(&key) else {
                continue;
            };
            let record = Arc::clone(record);
            let mut variables = Variables::new();
            variables.set_ip(&sender.ip);
            variables.set_sender(mail_from.as_bytes().to_vec());
            variables.set_helo_domain(sender.helo.as_bytes().to_vec());
            variables.set_domain(domain.as_bytes().to_vec());
            let name_of = |target: &Macro| target.eval(&variables, &domain, true).into_owned();
            open.extend(records.count(&record).into_iter().map(name_of));
            for (target, kind) in address_terms(&record, sender.ip) {
                records.terms.push((fqdn(&name_of(target)), kind));
            }
            if records.lookups > COUNT_UP_TO {
                break;
            }
        }
        records
    }

    /// Counts the terms of one record that ask DNS, and gives those that lead to another.
    fn count<'s>(&mut self, record: &'s Spf) -> Vec<&'s Macro> {
        let mut targets = Vec::new();
        let mut all = false;
        for directive in &record.directives {
            self.names_the_sender |= directive.mechanism.needs_ptr();
            match &directive.mechanism {
                Mechanism::Include { macro_string } => {
                    self.lookups += 1;
                    targets.push(macro_string);
                }
                Mechanism::Ptr { .. } => {
                    self.lookups += 1;
                    self.names_the_sender = true;
                }
                Mechanism::A { .. } | Mechanism::Mx { .. } | Mechanism::Exists { .. } => self.lookups += 1,
                Mechanism::All => all = true,
                Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => {}
            }
        }
        // `redirect` beside `all` is never looked at (RFC 7208 §6.1).
        if let Some(target) = record.redirect.as_ref().filter(|_| !all) {
            self.lookups += 1;
            targets.push(target);
        }
        targets
    }

    /// What the terms ask for under names that mail-auth cannot read, be they too long, be
    /// they no names: without an answer it would take them for a failure of DNS.
    fn unreadable(&self) -> Vec<(Box<str>, RecordType)> {
        let mut terms = self.terms.clone();
        terms.retain(|(name, _)| Name::from_str_relaxed::<&str>(name).is_err());
        terms
    }

    async fn look_up(&mut self, asker: &Asker, domain: &str, ip: IpAddr) -> Txt {
        let bare = domain.trim_end_matches('.');
        let first = self.known.is_empty();
        let none = || Txt::Error(Error::Dns(DnsError::InvalidRecordType));
        let Some(name) = parse_name(bare) else {
            return none();
        };
        let texts = match asker.texts(name).await {
            Ok(texts) => texts,
            Err(fault) => {
                self.why.get_or_insert(fault.what.clone());
                return Txt::Error(Error::Dns(DnsError::Resolver(fault.what)));
            }
        };
        let found: Vec<Vec<u8>> = texts.into_iter().filter(|text| is_spf(text)).collect();
        let [record] = found.as_slice() else {
            let why = match found.len() {
                0 => format!("{bare} has no SPF record"),
                many => format!("{bare} has {many} SPF records, and must have one (RFC 7208 §3.2)"),
            };
            self.why.get_or_insert(why);
            return match found.is_empty() {
                true => none(),
                false => Txt::Error(Error::ParseError),
            };
        };
        if first {
            self.record = Some(String::from_utf8_lossy(record).into_owned());
        }
        if let Some(fault) = fault_of(record) {
            self.why
                .get_or_insert(format!("the SPF record of {bare} cannot be read: {fault}"));
            return Txt::Error(Error::ParseError);
        }
        let relevant = relevant(record, ip);
        Txt::from(Spf::parse(&self.without_odd_names(&relevant)))
    }

    /// The record with a plain name in place of each odd one of `a` and `mx`. What it stands
    /// for is asked before the evaluation.
    fn without_odd_names(&mut self, record: &str) -> Vec<u8> {
        let terms = record.split(' ').map(|term| match odd_name(term) {
            Some((start, end)) => {
                let stand_in = format!("odd-name-{}.invalid", self.odd.len());
                self.odd.push((fqdn(&stand_in), term[start..end].to_owned()));
                format!("{}{stand_in}{}", &term[..start], &term[end..])
            }
            None => term.to_owned(),
        });
        terms.collect::<Vec<_>>().join(" ").into_bytes()
    }
}

/// A record without the terms that say nothing to a receiver, which mail-auth stumbles over:
/// modifiers that nobody knows (RFC 7208 §6), and addresses of the version that the sender
/// does not have (§5.6).
fn relevant(record: &[u8], ip: IpAddr) -> String {
    let other = if ip.is_ipv4() { "ip6:" } else { "ip4:" };
    let text = String::from_utf8_lossy(record);
    let terms = text.split(' ').enumerate().filter(|(n, term)| {
        let lower = term.to_ascii_lowercase();
        let mechanism = lower.trim_start_matches(['+', '-', '?', '~']);
        let known = ["redirect", "exp"];
        let modifier = lower
            .split_once('=')
            .filter(|(name, _)| !name.contains([':', '/', '%']));
        *n == 0 || !mechanism.starts_with(other) && modifier.is_none_or(|(name, _)| known.contains(&name))
    });
    let kept: Vec<&str> = terms.map(|(_, term)| term).collect();
    kept.join(" ")
}

/// Where a domain with `:` or `/` in it stands in a term `a` or `mx` (RFC 7208 §7.1 allows
/// them); a CIDR length at the end is no part of it.
fn odd_name(term: &str) -> Option<(usize, usize)> {
    let start = term.find(':')? + 1;
    let mechanism = term[..start - 1].trim_start_matches(['+', '-', '?', '~']);
    if !["a", "mx"]
        .iter()
        .any(|known| mechanism.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let mut end = term.len();
    for slashes in ["//", "/"] {
        if let Some((domain, bits)) = term[start..end].rsplit_once(slashes)
            && !bits.is_empty()
            && bits.bytes().all(|byte| byte.is_ascii_digit())
        {
            end = start + domain.len();
        }
    }
    let domain = &term[start..end];
    (domain.contains([':', '/']) && !domain.contains('%')).then_some((start, end))
}

/// The terms that ask for addresses, and the type of record they ask for.
fn address_terms(record: &Spf, ip: IpAddr) -> impl Iterator<Item = (&Macro, RecordType)> {
    let address = match ip {
        IpAddr::V4(_) => RecordType::A,
        IpAddr::V6(_) => RecordType::AAAA,
    };
    record
        .directives
        .iter()
        .filter_map(move |directive| match &directive.mechanism {
            Mechanism::A { macro_string, .. } => Some((macro_string, address)),
            Mechanism::Mx { macro_string, .. } => Some((macro_string, RecordType::MX)),
            Mechanism::Exists { macro_string } => Some((macro_string, RecordType::A)),
            _ => None,
        })
}

/// How mail-auth writes names when it looks one up.
fn fqdn(domain: &str) -> Box<str> {
    let lower = domain.to_lowercase();
    match lower.ends_with('.') {
        true => lower.into(),
        false => format!("{lower}.").into(),
    }
}

/// The names in reverse DNS that lead back to the address (RFC 7208 §5.5), in the order in
/// which `%{p}` wants them: the domain itself, names below it, others. `unknown` when there is none.
async fn validated_names(asker: &Asker, address: IpAddr, domain: &str) -> RecordSet<Box<str>> {
    let mut found: Vec<Name> = Vec::new();
    for name in asker.names_of(address).await.unwrap_or_default() {
        if asker.leads_to(&name, address).await.unwrap_or(false) {
            found.push(name);
        }
    }
    let domain = domain.to_lowercase();
    let mut names = plain_names(&found);
    names.sort_by_key(|name| match name.strip_suffix(domain.as_str()) {
        Some("") => 0,
        Some(prefix) if prefix.ends_with('.') => 1,
        _ => 2,
    });
    if names.is_empty() {
        names.push("unknown".to_owned());
    }
    RecordSet {
        rrset: names.into_iter().map(String::into_boxed_str).collect(),
        dnssec_status: DnssecStatus::Indeterminate,
    }
}

/// A name label by label: DNS allows more in them than libraries read. None when a label is
/// empty or too long, or the whole is.
fn name_of_labels(name: &str) -> Option<Name> {
    let labels: Vec<&[u8]> = name.trim_end_matches('.').split('.').map(str::as_bytes).collect();
    if labels.iter().any(|label| label.is_empty()) {
        return None;
    }
    let mut name = Name::from_labels(labels).ok()?;
    name.set_fqdn(true);
    Some(name)
}

async fn addresses_of(asker: &Asker, name: Option<Name>) -> RecordSet<Ipv4Addr> {
    let Some(name) = name else { return none_of() };
    let known = asker.ask(name, RecordType::A).await.unwrap_or(Known::NoSuchName);
    let addresses = known.addresses().filter_map(|address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    RecordSet {
        rrset: addresses.collect(),
        dnssec_status: DnssecStatus::Indeterminate,
    }
}

fn none_of<T>() -> RecordSet<T> {
    RecordSet {
        rrset: Arc::new([]),
        dnssec_status: DnssecStatus::Indeterminate,
    }
}

/// How many of these look-ups find nothing.
async fn void(asker: &Asker, missed: &[&(Box<str>, RecordType)]) -> usize {
    let mut count = 0;
    for (name, kind) in missed {
        let Some(name) = parse_name(name) else { continue };
        let known = asker.ask(name, *kind).await;
        if known.is_ok_and(|known| known.records().is_empty()) {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_found_without_their_lengths() {
        for (term, odd) in [
            ("a:foo:bar/baz.example.com", Some("foo:bar/baz.example.com")),
            (
                "-MX:foo:bar/baz.example.com/24//64",
                Some("foo:bar/baz.example.com"),
            ),
            ("a:mail.example.com/24", None),
            ("mx", None),
            ("a/24", None),
            ("ip6:2001:db8::/32", None),
            ("a:%{d}:x.example", None),
        ] {
            let found = odd_name(term).map(|(start, end)| &term[start..end]);
            assert_eq!(found, odd, "{term}");
        }
    }
}
