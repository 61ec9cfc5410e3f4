//! Block lists in DNS (RFC 5782).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::proto::rr::{Name, RecordType};

use super::asker::{Asker, Known};
use crate::check::dns::parse_name;
use crate::check::texts::listed;

/// What a list says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// It is not on the list.
    Clean,
    /// It is, with the list's reason.
    Listed(String),
    /// The list does not tell us, and why.
    Unknown(String),
}

/// Asks one list about one address, and whether the list is one: it must hold the test
/// address 127.0.0.2 and must not hold 127.0.0.1 (RFC 5782 §5).
pub async fn ask_list(asker: &Asker, zone: &str, address: IpAddr) -> Listing {
    let found = ask_entry(asker, zone, address).await;
    let (test, wanted) = match &found {
        Listing::Unknown(_) => return found,
        Listing::Clean => (2, true),
        Listing::Listed(_) => (1, false),
    };
    match ask_entry(asker, zone, test_point(address, test)).await {
        Listing::Listed(_) if wanted => found,
        Listing::Clean if !wanted => found,
        Listing::Listed(_) => Listing::Unknown("it lists even 127.0.0.1: everything is listed there".to_owned()),
        Listing::Clean => Listing::Unknown(
            "it does not hold the test address 127.0.0.2: it is out of service, or does not answer this resolver"
                .to_owned(),
        ),
        unknown @ Listing::Unknown(_) => unknown,
    }
}

fn test_point(address: IpAddr, last: u8) -> IpAddr {
    let v4 = Ipv4Addr::new(127, 0, 0, last);
    match address {
        IpAddr::V4(_) => v4.into(),
        IpAddr::V6(_) => v4.to_ipv6_mapped().into(),
    }
}

async fn ask_entry(asker: &Asker, zone: &str, address: IpAddr) -> Listing {
    let Some(name) = entry(zone, address) else {
        return Listing::Unknown(format!("{zone} does not make a name of DNS"));
    };
    let known = match asker.ask(name.clone(), RecordType::A).await {
        Ok(known) => known,
        Err(fault) => return Listing::Unknown(fault.what),
    };
    let codes: Vec<IpAddr> = known.addresses().collect();
    match codes.iter().find_map(|code| refusal(*code)) {
        Some(why) => Listing::Unknown(why),
        None if codes.is_empty() => Listing::Clean,
        None => Listing::Listed(reason(asker, name, &known).await),
    }
}

/// The list's own words, where it has some, with its codes.
async fn reason(asker: &Asker, name: Name, codes: &Known) -> String {
    let said = match asker.ask(name, RecordType::TXT).await {
        Ok(known) => known.texts(),
        Err(_) => Vec::new(),
    };
    let codes = listed(&codes.texts());
    match said.is_empty() {
        true => codes,
        false => format!("{codes}: {}", listed(&said)),
    }
}

/// Why an answer is not a listing: lists answer with 127.0.0.0/8, and several use
/// 127.255.255.0/24 to say that they do not answer this resolver.
fn refusal(code: IpAddr) -> Option<String> {
    match code {
        IpAddr::V4(code) if code.octets()[..3] == [127, 255, 255] => Some(format!(
            "it refuses to answer this resolver ({code}): public resolvers and heavy users are often refused"
        )),
        IpAddr::V4(code) if code.is_loopback() => None,
        other => Some(format!("it answers {other}, which no block list does")),
    }
}

/// The name that stands for an address in a list.
fn entry(zone: &str, address: IpAddr) -> Option<Name> {
    let labels = match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(address) => nibbles(address),
    };
    parse_name(&format!("{labels}.{}", zone.trim_matches('.')))
}

fn nibbles(address: Ipv6Addr) -> String {
    let digits: Vec<String> = address
        .octets()
        .iter()
        .rev()
        .flat_map(|octet| [octet & 15, octet >> 4])
        .map(|nibble| format!("{nibble:x}"))
        .collect();
    digits.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::net::ask::plain_name;

    #[test]
    fn addresses_are_reversed() {
        for (address, name) in [
            ("192.0.2.99", "99.2.0.192.list.test"),
            (
                "2001:db8:1:2:3:4:567:89ab",
                "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.list.test",
            ),
        ] {
            let entry = entry("list.test.", address.parse().unwrap()).unwrap();
            assert_eq!(plain_name(&entry), name);
        }
    }

    #[test]
    fn only_some_addresses_are_listings() {
        for (code, listing) in [
            ("127.0.0.2", true),
            ("127.0.1.2", true),
            ("127.255.255.254", false),
            ("203.0.113.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(refusal(code.parse().unwrap()).is_none(), listing, "{code}");
        }
    }
}
