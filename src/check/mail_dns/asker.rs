//! Questions to DNS for one run of a `mail_dns` check.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::time::Instant;

use crate::check::attempt::Limit;
use crate::check::net::ask::{Question, Transport, code_name, plain_name, record_text};
use crate::check::net::fault::Fault;
use crate::check::net::nameserver::ask_any;

/// Whom a run asks, and how long.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The servers, in turn.
    pub servers: Vec<SocketAddr>,
    /// When all questions must be answered.
    pub until: Instant,
    /// How long one question may take.
    pub each: Duration,
}

/// What DNS knows of a name and a type.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// These records; none when the name exists without them.
    Records(Vec<Record>),
    /// The name does not exist.
    NoSuchName,
}

impl Known {
    /// The records' texts.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.records()
            .iter()
            .map(|record| record_text(&record.data))
            .collect()
    }

    /// The records; none when there is no such name.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        match self {
            Self::Records(records) => records,
            Self::NoSuchName => &[],
        }
    }

    /// The addresses among the records.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.records().iter().filter_map(|record| record.data.ip_addr())
    }
}

impl Asker {
    /// Asks for the records of a name.
    ///
    /// # Errors
    /// When no server answers, or the answer is SERVFAIL, REFUSED or the like.
    pub async fn ask(&self, name: Name, kind: RecordType) -> Result<Known, Fault> {
        let question = Question::new(name, kind);
        let limit = Limit::new(self.until, self.each);
        let reply = ask_any(&self.servers, &question, Transport::Udp, &limit).await?;
        match reply.message.metadata.response_code {
            ResponseCode::NoError => Ok(Known::Records(reply.records(kind).cloned().collect())),
            ResponseCode::NXDomain => Ok(Known::NoSuchName),
            code => Err(Fault::passing(format!(
                "{} answers {question} with {}{}",
                reply.server,
                code_name(code),
                reply
                    .extended_error()
                    .map_or_else(String::new, |error| format!(" ({error})"))
            ))),
        }
    }

    /// The TXT records of a name, each with its parts joined.
    ///
    /// # Errors
    /// As [`Asker::ask`].
    pub async fn texts(&self, name: Name) -> Result<Vec<Vec<u8>>, Fault> {
        let known = self.ask(name, RecordType::TXT).await?;
        let bytes = known.records().iter().filter_map(|record| match &record.data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        });
        Ok(bytes.collect())
    }

    /// The names an address has in reverse DNS, at most ten of them (RFC 7208 §5.5).
    ///
    /// # Errors
    /// As [`Asker::ask`].
    pub async fn names_of(&self, address: IpAddr) -> Result<Vec<Name>, Fault> {
        const MOST_NAMES: usize = 10;
        let mut reverse = Name::from(address);
        reverse.set_fqdn(true);
        let known = self.ask(reverse, RecordType::PTR).await?;
        let names = known.records().iter().filter_map(|record| match &record.data {
            RData::PTR(name) => Some(name.0.clone()),
            _ => None,
        });
        Ok(names.take(MOST_NAMES).collect())
    }

    /// Whether a name leads to an address: what confirms reverse DNS.
    ///
    /// # Errors
    /// As [`Asker::ask`].
    pub async fn leads_to(&self, name: &Name, address: IpAddr) -> Result<bool, Fault> {
        let kind = match address {
            IpAddr::V4(_) => RecordType::A,
            IpAddr::V6(_) => RecordType::AAAA,
        };
        let known = self.ask(name.clone(), kind).await?;
        Ok(known.addresses().any(|found| found == address))
    }
}

/// Names, as people write them.
#[must_use]
pub fn plain_names(names: &[Name]) -> Vec<String> {
    names.iter().map(plain_name).collect()
}
