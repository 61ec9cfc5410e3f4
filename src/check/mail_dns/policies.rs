//! What a domain says of its mail in DNS: DKIM keys (RFC 6376), the DMARC policy (RFC 7489),
//! names of its senders.

use std::net::IpAddr;

use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dmarc::{Dmarc, Policy};

use super::asker::{Asker, plain_names};
use crate::check::dns::parse_name;
use crate::check::net::fault::Fault;
use crate::check::texts::listed;

/// A DMARC policy, the weaker first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strictness {
    /// Only reports are wanted.
    None,
    /// What fails is suspicious.
    Quarantine,
    /// What fails is refused.
    Reject,
}

impl Strictness {
    /// As it stands in the record.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// What is wrong with the key of a selector; none when it is there and sound.
///
/// # Errors
/// When DNS does not answer.
pub async fn dkim_fault(asker: &Asker, domain: &str, selector: &str) -> Result<Option<String>, Fault> {
    let at = format!("{selector}._domainkey.{domain}");
    let Some(name) = parse_name(&at) else {
        return Ok(Some(format!("{at} does not make a name of DNS")));
    };
    let texts = asker.texts(name).await?;
    let [text] = texts.as_slice() else {
        return Ok(Some(match texts.len() {
            0 => format!("there is no DKIM key at {at}: what is signed with it cannot be verified"),
            many => format!("there are {many} TXT records at {at}, and a DKIM key must stand alone"),
        }));
    };
    Ok(if tag(text, "p").is_some_and(|key| key.is_empty()) {
        Some(format!("the DKIM key at {at} is revoked (its `p=` is empty)"))
    } else if DomainKey::parse(text).is_err() {
        let shown = listed(&[String::from_utf8_lossy(text).into_owned()]);
        Some(format!("the DKIM key at {at} cannot be read: {shown}"))
    } else {
        None
    })
}

/// A tag's value (RFC 6376 §3.2), without white space.
fn tag(record: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(record);
    let value = text.split(';').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        (key.trim() == name).then(|| value.to_owned())
    });
    value.map(|value| value.split_whitespace().collect())
}

/// The policy that holds for a domain and where it stands, or what is wrong with it.
///
/// # Errors
/// When DNS does not answer.
pub async fn dmarc_policy(
    asker: &Asker,
    domain: &str,
) -> Result<Result<(Strictness, String), String>, Fault> {
    let mut at = domain.trim_end_matches('.');
    // A domain without a record has its organisation's: parents are asked in turn, not the
    // top-level domain.
    loop {
        let owner = format!("_dmarc.{at}");
        let texts = match parse_name(&owner) {
            Some(name) => asker.texts(name).await?,
            None => return Ok(Err(format!("{owner} does not make a name of DNS"))),
        };
        let records: Vec<Vec<u8>> = texts
            .into_iter()
            .filter(|text| text.starts_with(b"v=DMARC1"))
            .collect();
        match records.as_slice() {
            [record] => {
                return Ok(policy_of(
                    record,
                    &owner,
                    at.len() < domain.trim_end_matches('.').len(),
                ));
            }
            [] => {}
            many => {
                return Ok(Err(format!(
                    "there are {} DMARC records at {owner}: receivers ignore them all (RFC 7489 §6.6.3)",
                    many.len()
                )));
            }
        }
        at = match at.split_once('.') {
            Some((_, parent)) if parent.contains('.') => parent,
            _ => return Ok(Err(format!("{domain} has no DMARC record (at _dmarc.{domain})"))),
        };
    }
}

fn policy_of(record: &[u8], owner: &str, of_parent: bool) -> Result<(Strictness, String), String> {
    let shown = || listed(&[String::from_utf8_lossy(record).into_owned()]);
    let parsed = Dmarc::parse(record)
        .map_err(|_| format!("the DMARC record at {owner} cannot be read: {}", shown()))?;
    let policy = match (of_parent, parsed.sp) {
        (true, sub @ (Policy::None | Policy::Quarantine | Policy::Reject)) => sub,
        _ => parsed.p,
    };
    let strictness = match policy {
        Policy::None => Strictness::None,
        Policy::Quarantine => Strictness::Quarantine,
        Policy::Reject => Strictness::Reject,
        Policy::Unspecified => {
            return Err(format!(
                "the DMARC record at {owner} sets no policy (`p=`): {}",
                shown()
            ));
        }
    };
    Ok((strictness, owner.to_owned()))
}

/// What is wrong with the names of an address; none when one of them leads back to it.
///
/// # Errors
/// When DNS does not answer.
pub async fn reverse_fault(asker: &Asker, address: IpAddr) -> Result<Option<String>, Fault> {
    let names = asker.names_of(address).await?;
    if names.is_empty() {
        return Ok(Some(format!(
            "{address} has no name in reverse DNS (no PTR record)"
        )));
    }
    for name in &names {
        if asker.leads_to(name, address).await? {
            return Ok(None);
        }
    }
    Ok(Some(format!(
        "the reverse DNS of {address} is not confirmed: {} does not lead back to it",
        listed(&plain_names(&names))
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_of_a_parent_may_differ_for_those_below() {
        for (record, of_parent, policy) in [
            ("v=DMARC1; p=reject", false, Ok(Strictness::Reject)),
            ("v=DMARC1; p=reject; sp=none", false, Ok(Strictness::Reject)),
            ("v=DMARC1; p=reject; sp=none", true, Ok(Strictness::None)),
            ("v=DMARC1; p=quarantine", true, Ok(Strictness::Quarantine)),
            ("v=DMARC1; rua=mailto:a@b.example", false, Err(())),
        ] {
            let found = policy_of(record.as_bytes(), "_dmarc.a.example", of_parent);
            assert_eq!(
                found.map(|(policy, _)| policy).map_err(|_| ()),
                policy,
                "{record}"
            );
        }
        assert!(Strictness::None < Strictness::Quarantine && Strictness::Quarantine < Strictness::Reject);
    }

    #[test]
    fn tags_are_found_whatever_white_space_there_is() {
        for (record, value) in [
            ("v=DKIM1; k=rsa; p=MIG f", Some("MIGf")),
            ("v=DKIM1;p=", Some("")),
            ("v=DKIM1; p = ", Some("")),
            ("v=DKIM1", None),
        ] {
            assert_eq!(tag(record.as_bytes(), "p").as_deref(), value, "{record}");
        }
    }
}
