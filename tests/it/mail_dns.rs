//! Mail in DNS, against Knot DNS and against servers that misbehave.

use std::net::SocketAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{RData, RecordType};

use crate::dns::knot_with;
use crate::dns_server::{Reaction, a, record, serve};
use crate::faults::refused;
use crate::servers::Server;
use crate::support::{Folder, run_all};

/// A key as `opendkim-genkey` writes it.
const KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";

fn zones() -> Vec<(&'static str, String)> {
    let soa = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n";
    vec![
        (
            "shop.test",
            format!(
                "{soa}@ TXT \"v=spf1 ip4:192.0.2.25 include:_spf.shop.test -all\"
_spf TXT \"v=spf1 a:mail6.shop.test ~all\"
_dmarc TXT \"v=DMARC1; p=quarantine; sp=none; rua=mailto:d@shop.test\"
s1._domainkey TXT \"v=DKIM1; k=rsa; p=\" \"{KEY}\"
gone._domainkey TXT \"v=DKIM1; p=\"
odd._domainkey TXT \"v=DKIM1; k=rsa; p=!!!\"
mail A 192.0.2.25
mail6 AAAA 2001:db8::25
other A 192.0.2.77
two TXT \"v=spf1 -all\"
two TXT \"v=spf1 mx -all\"
typo TXT \"v=spf1 ipv4:192.0.2.25 -all\"
deep TXT \"v=spf1 a a a a a include:deep2.shop.test -all\"
deep2 TXT \"v=spf1 mx mx mx mx mx ip4:192.0.2.25 -all\"
loop TXT \"v=spf1 include:loop.shop.test -all\"
"
            ),
        ),
        (
            "2.0.192.in-addr.arpa",
            format!("{soa}25 PTR mail.shop.test.\n26 PTR other.shop.test.\n"),
        ),
        (
            "bl.test",
            format!(
                "{soa}2.0.0.127 A 127.0.0.2\n26.2.0.192 A 127.0.0.4\n26.2.0.192 TXT \"spam from here, see bl.test/26\"\n"
            ),
        ),
        ("dead.test", soa.to_owned()),
        ("world.test", format!("{soa}* A 127.0.0.2\n")),
        ("refusing.test", format!("{soa}* A 127.255.255.254\n")),
        ("sold.test", format!("{soa}* A 203.0.113.9\n")),
    ]
}

fn knot() -> Server {
    let zones = zones();
    let borrowed: Vec<(&str, &str)> = zones.iter().map(|(name, text)| (*name, text.as_str())).collect();
    knot_with(&borrowed)
}

fn run(server: SocketAddr, keys: &str, more: &str) -> (Option<i32>, String, serde_json::Value) {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 1200ms\nmail_dns: {{ server: \"{server}\", {keys} }}\n{more}"),
    );
    let (code, said, report) = run_all(&folder);
    (code, said, report["runs"][0]["run"]["outcome"].clone())
}

#[test]
fn a_sound_domain_has_no_finding() {
    let knot = knot();
    let at = knot.address;
    let (code, said, outcome) = run(
        at,
        "domain: Shop.Test., sending_ips: [192.0.2.25, \"2001:db8::25\"], dkim_selector: s1, dmarc: quarantine, block_lists: [bl.test]",
        "thresholds: { listed_on: { critical: above 0 }, spf_lookups: { warning: above 8, critical: above 10 } }\n",
    );
    // The list holds no test address for IPv6: what it says of that is not known.
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("whether 2001:db8::25 is on the block list bl.test is unknown"),
        "{said}"
    );
    assert_eq!(outcome["measurements"]["spf_lookups"]["value"], 2.0, "{outcome}");
    let one = |keys: &str, more: &str| run(at, &format!("domain: shop.test, {keys}"), more);
    let (code, said, outcome) = one(
        "sending_ips: 192.0.2.25, reverse_dns: true, block_lists: [bl.test], dmarc: none, dkim_selector: [s1]",
        "thresholds: { listed_on: { critical: above 0 } }\n",
    );
    assert_eq!(
        (code, outcome["measurements"]["listed_on"]["value"].as_f64()),
        (Some(0), Some(0.0)),
        "{said}"
    );
}

#[test]
fn each_mistake_is_told_as_what_it_is() {
    let knot = knot();
    let at = knot.address;
    let one = |keys: &str, more: &str| run(at, &format!("domain: shop.test, {keys}"), more);
    for (keys, part) in [
        (
            "sending_ips: 192.0.2.26",
            "SPF of shop.test does not cover the sending address 192.0.2.26: receivers see `fail`",
        ),
        (
            "sending_ips: 192.0.2.25, dkim_selector: gone",
            "the DKIM key at gone._domainkey.shop.test is revoked (its `p=` is empty)",
        ),
        (
            "sending_ips: 192.0.2.25, dkim_selector: odd",
            "the DKIM key at odd._domainkey.shop.test cannot be read",
        ),
        (
            "sending_ips: 192.0.2.25, dkim_selector: s9",
            "there is no DKIM key at s9._domainkey.shop.test",
        ),
        (
            "sending_ips: 192.0.2.25, dmarc: reject",
            "the DMARC policy of shop.test is quarantine, expected at least reject (at _dmarc.shop.test)",
        ),
        (
            "sending_ips: 192.0.2.26, reverse_dns: true",
            "the reverse DNS of 192.0.2.26 is not confirmed: other.shop.test does not lead back to it",
        ),
        (
            "sending_ips: 192.0.2.27, reverse_dns: true",
            "192.0.2.27 has no name in reverse DNS",
        ),
        (
            "sending_ips: 192.0.2.26, block_lists: [bl.test]",
            "192.0.2.26 is on the block list bl.test (127.0.0.4: spam from here, see bl.test/26)",
        ),
    ] {
        let (code, said, _) = one(keys, "");
        assert!(
            code == Some(2) && said.contains(part),
            "{code:?} {keys}, wanted {part}\n{said}"
        );
    }
    let (code, said, _) = one("sending_ips: 192.0.2.26", "expect: { level: warning }\n");
    assert!(
        code == Some(0) && said.contains("warning: SPF of shop.test does not cover"),
        "{said}"
    );
}

#[test]
fn a_list_that_does_not_tell_is_unknown_and_never_a_listing() {
    let knot = knot();
    let at = knot.address;
    let one = |keys: &str, more: &str| run(at, &format!("domain: shop.test, {keys}"), more);
    for (list, part) in [
        ("dead.test", "it does not hold the test address 127.0.0.2"),
        ("world.test", "it lists even 127.0.0.1"),
        (
            "refusing.test",
            "it refuses to answer this resolver (127.255.255.254)",
        ),
        ("sold.test", "it answers 203.0.113.9, which no block list does"),
        ("elsewhere.test", "with REFUSED"),
    ] {
        let keys = format!("sending_ips: 192.0.2.25, block_lists: [{list}]");
        let (code, said, outcome) = one(&keys, "");
        assert!(code == Some(0) && said.contains(part), "{list}: {code:?}\n{said}");
        assert!(outcome["measurements"].get("listed_on").is_none(), "{outcome}");
        let (code, said, _) = one(&keys, "thresholds: { listed_on: { critical: above 0 } }\n");
        assert_eq!(code, Some(3), "{said}");
    }
}

#[test]
fn what_receivers_see_as_an_error_in_spf_is_told_with_its_cause() {
    let knot = knot();
    let at = knot.address;
    for (domain, part) in [
        (
            "mail.shop.test",
            "SPF does not cover mail.shop.test: mail.shop.test has no SPF record",
        ),
        (
            "two.shop.test",
            "two.shop.test has 2 SPF records, and must have one",
        ),
        (
            "typo.shop.test",
            "the SPF record of typo.shop.test cannot be read: `ipv4:192.0.2.25` is not a valid term",
        ),
        (
            "deep.shop.test",
            "the SPF record of deep.shop.test takes 11 look-ups, and receivers allow 10 (RFC 7208 §4.6.4)",
        ),
        (
            "loop.shop.test",
            "SPF of loop.shop.test is broken, receivers see `permerror`",
        ),
        ("gone.test", "with REFUSED"),
    ] {
        let (code, said, _) = run(at, &format!("domain: {domain}, sending_ips: 192.0.2.25"), "");
        assert!(
            code == Some(2) && said.contains(part),
            "{code:?} {domain}, wanted {part}\n{said}"
        );
    }
    // A domain without a record of its own has its parent's policy for those below.
    let (code, said, _) = run(
        at,
        "domain: two.shop.test, sending_ips: 192.0.2.25, dmarc: reject",
        "",
    );
    assert!(
        code == Some(2) && said.contains("is none, expected at least reject (at _dmarc.shop.test)"),
        "{said}"
    );
}

#[test]
fn a_server_that_does_not_answer_is_told_as_such() {
    let keys = "domain: shop.test, sending_ips: 192.0.2.25, dmarc: none, dkim_selector: s1";
    let spf = |asked: &crate::dns_server::Asked<'_>| {
        asked.answer(vec![record(
            "shop.test",
            RData::TXT(TXT::new(vec!["v=spf1 +all".into()])),
        )])
    };
    let half = serve(move |asked| match asked.name().as_str() {
        "shop.test." => spf(asked),
        _ => Reaction::Nothing,
    });
    let failing = serve(move |asked| match asked.name().as_str() {
        "shop.test." => spf(asked),
        _ => asked.code(ResponseCode::ServFail),
    });
    for (server, part) in [
        (refused(), "connection refused by 127.0.0.1:"),
        (
            serve(|_| Reaction::Nothing),
            "did not answer `shop.test TXT` over UDP within",
        ),
        (
            serve(|_| Reaction::Raw(true, vec![0x80; 3])),
            "SPF of shop.test could not be evaluated: ",
        ),
        (
            half,
            "did not answer `s1._domainkey.shop.test TXT` over UDP within",
        ),
        (failing, "answers s1._domainkey.shop.test TXT with SERVFAIL"),
    ] {
        let (code, said, _) = run(server, keys, "");
        assert!(
            code == Some(2) && said.contains(part),
            "{code:?}, wanted {part}\n{said}"
        );
    }
}

#[test]
fn a_list_that_is_slow_makes_only_its_listing_unknown() {
    let server = serve(|asked| match asked.name() {
        name if name == "shop.test." => asked.answer(vec![record(
            "shop.test",
            RData::TXT(TXT::new(vec!["v=spf1 +all".into()])),
        )]),
        name if name.ends_with("slow.test.") => Reaction::Nothing,
        name if name == "25.2.0.192.quick.test." || name == "2.0.0.127.quick.test." => match asked.kind() {
            RecordType::A => asked.answer(vec![a(&name, "127.0.0.9")]),
            _ => asked.code(ResponseCode::NoError),
        },
        _ => asked.code(ResponseCode::NXDomain),
    });
    let (code, said, outcome) = run(
        server,
        "domain: shop.test, sending_ips: 192.0.2.25, block_lists: [slow.test, quick.test]",
        "",
    );
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("192.0.2.25 is on the block list quick.test (127.0.0.9)"),
        "{said}"
    );
    assert!(
        outcome["remarks"][0]
            .as_str()
            .unwrap()
            .contains("slow.test is unknown"),
        "{outcome}"
    );
}
