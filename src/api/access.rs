//! Who asks, and whether they may.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};
use url::{Host, Url};

use crate::model::{Scope, Timestamp, Token, TokenDigest};
use crate::store::{Store, StoreError};

/// The cookie that the log-in page sets.
pub const COOKIE: &str = "haetae_token";
/// `last_used` of a token is kept to the hour: reading must not cost a write each time.
const USED_EVERY: std::time::Duration = std::time::Duration::from_hours(1);

/// Headers that a proxy adds. Who comes with one is not from this machine, wherever the
/// connection is from.
const FORWARDED: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
    "via",
];

/// Who may ask without a token.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccessRules {
    /// Everybody may do everything.
    pub insecure: bool,
    /// Loopback needs a token too.
    pub require_token: bool,
}

/// Who asks, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// A token's name, `local`, or `anonymous`.
    pub name: String,
    /// What they may do.
    pub scopes: Vec<Scope>,
    /// Where they are.
    pub address: String,
}

impl Caller {
    /// Whether they may do what any of these is for.
    #[must_use]
    pub fn may(&self, any_of: &[Scope]) -> bool {
        any_of.is_empty()
            || any_of
                .iter()
                .any(|needed| self.scopes.iter().any(|held| held.includes(*needed)))
    }
}

/// What a request says of who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Somebody on this machine.
    Local,
    /// Whoever has this token.
    Token(String),
    /// Nothing.
    Nobody,
}

/// What a request claims. A token that is sent counts on loopback too; a cookie there does
/// not, because it may be an old one.
#[must_use]
pub fn claim(rules: AccessRules, headers: &HeaderMap, peer: IpAddr) -> Claim {
    if let Some(token) = bearer(headers) {
        return Claim::Token(token);
    }
    if !rules.require_token && is_local(headers, peer) {
        return Claim::Local;
    }
    cookie(headers).map_or(Claim::Nobody, Claim::Token)
}

/// Whose requests are counted together: behind a proxy on this machine, the address that the
/// proxy itself saw, which nobody beyond it can choose.
#[must_use]
pub fn address(headers: &HeaderMap, peer: IpAddr) -> String {
    let seen_by_proxy = headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.rsplit(',').next())
        .and_then(|last| last.trim().parse::<IpAddr>().ok());
    match seen_by_proxy {
        Some(address) if peer.to_canonical().is_loopback() => address.to_string(),
        _ => peer.to_canonical().to_string(),
    }
}

fn is_local(headers: &HeaderMap, peer: IpAddr) -> bool {
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    peer.to_canonical().is_loopback() && !forwarded && names_loopback(headers)
}

/// Whether this machine was meant: a proxy that adds no header still passes on the name.
fn names_loopback(headers: &HeaderMap) -> bool {
    let host = text(headers, &header::HOST).unwrap_or_default();
    let Ok(url) = Url::parse(&format!("http://{host}/")) else {
        return false;
    };
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = text(headers, &header::AUTHORIZATION)?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The token that was made for this text, if it has not ended. Every token is compared, so
/// that the time it takes says nothing.
///
/// # Errors
/// When the store cannot be read.
pub async fn find_token(store: &dyn Store, text: &str, now: Timestamp) -> Result<Option<Token>, StoreError> {
    let digest = TokenDigest::of(text);
    let mut found = None;
    for (token, known) in store.tokens().await? {
        if known.is(&digest) {
            found = Some(token);
        }
    }
    let Some(token) = found.filter(|token| token.holds(now)) else {
        return Ok(None);
    };
    let is_noted = token.last_used.is_some_and(|at| now.since(at) < USED_EVERY);
    if !is_noted && let Err(error) = store.token_used(&token.name, now).await {
        tracing::warn!(%error, token = token.name, "the use of a token could not be noted");
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_proxy_on_loopback_makes_nobody_local() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        let outside: IpAddr = "192.0.2.7".parse().unwrap();
        let host = ("host", "127.0.0.1:8600");
        let rules = AccessRules::default();
        for (lines, peer, expected) in [
            (&[host][..], loopback, Claim::Local),
            (&[("host", "[::1]:8600")], mapped, Claim::Local),
            (&[host], outside, Claim::Nobody),
            (&[host, ("x-forwarded-for", "127.0.0.1")], loopback, Claim::Nobody),
            (&[host, ("forwarded", "for=10.0.0.1")], loopback, Claim::Nobody),
            (&[host, ("via", "1.1 proxy")], loopback, Claim::Nobody),
            (&[("host", "haetae.example")], loopback, Claim::Nobody),
            (&[], loopback, Claim::Nobody),
            (
                &[host, ("authorization", "Bearer x")],
                loopback,
                Claim::Token("x".into()),
            ),
            (&[host, ("cookie", "haetae_token=old")], loopback, Claim::Local),
            (
                &[host, ("cookie", "a=b; haetae_token=y")],
                outside,
                Claim::Token("y".into()),
            ),
            (&[host, ("authorization", "Basic eDp5")], outside, Claim::Nobody),
        ] {
            assert_eq!(
                claim(rules, &headers(lines), peer),
                expected,
                "{lines:?} from {peer}"
            );
        }
        let strict = AccessRules {
            require_token: true,
            ..rules
        };
        assert_eq!(claim(strict, &headers(&[host]), loopback), Claim::Nobody);
    }

    #[test]
    fn behind_a_proxy_the_address_is_the_one_that_the_proxy_saw() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        let forged = headers(&[("x-forwarded-for", "1.1.1.1, 192.0.2.9")]);
        assert_eq!(address(&forged, loopback), "192.0.2.9");
        assert_eq!(address(&forged, "192.0.2.7".parse().unwrap()), "192.0.2.7");
        assert_eq!(address(&HeaderMap::new(), loopback), "127.0.0.1");
    }
}
