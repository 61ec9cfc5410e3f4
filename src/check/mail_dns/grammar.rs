//! The grammar of SPF records (RFC 7208 §12), strictly: what is wrong in a record is named.

use std::sync::LazyLock;

use regex::Regex;

/// Whether a TXT record is an SPF record of version 1 (RFC 7208 §4.5).
#[must_use]
pub fn is_spf(record: &[u8]) -> bool {
    let Some((version, rest)) = record.split_at_checked(6) else {
        return false;
    };
    version.eq_ignore_ascii_case(b"v=spf1") && matches!(rest.first(), None | Some(b' '))
}

/// Why a record breaks the grammar; none when it is sound.
#[must_use]
pub fn fault_of(record: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(record) {
        Ok(text) if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) => text,
        _ => return Some("it holds characters that are not printable ASCII".to_owned()),
    };
    let terms = text
        .get(6..)
        .unwrap_or_default()
        .split(' ')
        .filter(|term| !term.is_empty());
    let mut once = Vec::new();
    for term in terms {
        if !is_term(term) {
            return Some(format!("`{term}` is not a valid term"));
        }
        for modifier in ["redirect=", "exp="] {
            if term.len() > modifier.len()
                && term.is_char_boundary(modifier.len())
                && term[..modifier.len()].eq_ignore_ascii_case(modifier)
            {
                if once.contains(&modifier) {
                    return Some(format!("`{modifier}` stands in it twice"));
                }
                once.push(modifier);
            }
        }
    }
    None
}

static TERM: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let expand = r"%(?:\{[slodiphv][0-9]*r?[.\-+,/_=]*\}|%|_|-)";
    let letters = r"(?:[\x21-\x24\x26-\x7e]|EXPAND)*".replace("EXPAND", expand);
    let top = r"\.(?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])\.?";
    let brace = r"%\{[slodiphv][0-9]*r?[.\-+,/_=]*\}";
    let domain = format!("{letters}(?:{top}|{brace}|%%|%_|%-)");
    let v4 = "(?:/(?:[0-9]|[12][0-9]|3[0-2]))?";
    let bits6 = "(?:[0-9]|[1-9][0-9]|1[01][0-9]|12[0-8])";
    let v6 = format!("(?:/{bits6})?");
    let both = format!("{v4}(?://{bits6})?");
    let address4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}";
    let address6 = r"[0-9a-f:.]+";
    let name = r"[a-z][a-z0-9_.\-]*";
    let mechanism = format!(
        "[+?~-]?(?:all|include:{domain}|(?:a|mx)(?::{domain})?{both}|ptr(?::{domain})?|ip4:{address4}{v4}|ip6:{address6}{v6}|exists:{domain})"
    );
    let modifier = format!("(?:redirect|exp)={domain}|{name}={letters}");
    Regex::new(&format!("(?i)^(?:{mechanism}|{modifier})$")).ok()
});

fn is_term(term: &str) -> bool {
    // `redirect` and `exp` have a grammar of their own, which the one for any other modifier
    // would let pass.
    let lower = term.to_ascii_lowercase();
    let own = ["redirect=", "exp="]
        .iter()
        .any(|modifier| lower.starts_with(modifier));
    let fits = TERM.as_ref().is_some_and(|regex| regex.is_match(term));
    fits && (!own || is_domain(&term[term.find('=').map_or(0, |at| at + 1)..])) && addresses_are_sound(&lower)
}

/// Whether a domain-spec stands here: the mechanism `exists` is nothing else.
fn is_domain(text: &str) -> bool {
    TERM.as_ref()
        .is_some_and(|regex| regex.is_match(&format!("exists:{text}")))
}

fn addresses_are_sound(term: &str) -> bool {
    let bare = term.trim_start_matches(['+', '-', '?', '~']);
    let address = |rest: &str| rest.split('/').next().unwrap_or_default().to_owned();
    match (bare.strip_prefix("ip4:"), bare.strip_prefix("ip6:")) {
        (Some(rest), _) => address(rest).parse::<std::net::Ipv4Addr>().is_ok(),
        (_, Some(rest)) => address(rest).parse::<std::net::Ipv6Addr>().is_ok(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_from_other_texts() {
        for (record, spf) in [
            ("v=spf1", true),
            ("V=SPF1 -all", true),
            ("v=spf10 -all", false),
            ("v=spf2.0/pra", false),
            ("v=spf", false),
            ("google-site-verification=x", false),
        ] {
            assert_eq!(is_spf(record.as_bytes()), spf, "{record}");
        }
    }

    #[test]
    fn what_breaks_the_grammar_is_named() {
        for (record, fault) in [
            (
                "v=spf1 a mx:mail.example/24//64 ip4:192.0.2.0/24 ip6:2001:db8::/32 include:_spf.%{d2} ~all",
                None,
            ),
            (
                "v=spf1 exists:%{ir}.%{v}._spf.%{d} redirect=_spf.example moo.cow-x=1 ",
                None,
            ),
            ("v=spf1 -all exp=why.%{d}", None),
            (
                "v=spf1 ip4:192.0.2 -all",
                Some("`ip4:192.0.2` is not a valid term"),
            ),
            (
                "v=spf1 ip4:192.0.2.300 -all",
                Some("`ip4:192.0.2.300` is not a valid term"),
            ),
            (
                "v=spf1 ip4:192.0.2.0/33",
                Some("`ip4:192.0.2.0/33` is not a valid term"),
            ),
            (
                "v=spf1 ip6:2001:db8::/129",
                Some("`ip6:2001:db8::/129` is not a valid term"),
            ),
            ("v=spf1 a/024", Some("`a/024` is not a valid term")),
            ("v=spf1 include:", Some("`include:` is not a valid term")),
            (
                "v=spf1 incldue:x.example",
                Some("`incldue:x.example` is not a valid term"),
            ),
            ("v=spf1 a:127.0.0.1", Some("`a:127.0.0.1` is not a valid term")),
            (
                "v=spf1 exists:%{x}.example",
                Some("`exists:%{x}.example` is not a valid term"),
            ),
            ("v=spf1 redirect= ", Some("`redirect=` is not a valid term")),
            (
                "v=spf1 redirect=a.example redirect=b.example",
                Some("`redirect=` stands in it twice"),
            ),
            ("v=spf1 -all:x", Some("`-all:x` is not a valid term")),
            (
                "v=spf1 a\t-all",
                Some("it holds characters that are not printable ASCII"),
            ),
        ] {
            assert_eq!(fault_of(record.as_bytes()).as_deref(), fault, "{record}");
        }
    }
}
