//! DNS checks, against Knot DNS and against servers that misbehave.

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{CNAME, TXT};
use hickory_proto::rr::{RData, RecordType};

use crate::dns_server::{Asked, Reaction, a, name, record, serve};
use crate::faults::{Bad, bad, refused};
use crate::servers::{Server, program_of};
use crate::support::{Folder, run_all};

const ZONE: &str = r#"$ORIGIN shop.test.
$TTL 3600
@       SOA   ns1 hostmaster 2026112501 7200 3600 1209600 600
@       NS    ns1
@       NS    ns2
@       MX    10 mail
@       MX    20 mail.backup.test.
@       TXT   "v=spf1 mx " "-all"
@       CAA   0 issue "ca.example"
ns1     A     192.0.2.1
ns2     A     192.0.2.2
www 60  A     192.0.2.10
www 60  A     192.0.2.11
www     AAAA  2001:db8::10
Alias   CNAME WWW
mail    A     192.0.2.25
_sip._tcp SRV 5 10 5060 sip
big     TXT   ( "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" )
"#;

/// Knot DNS with the zone, and its reverse.
fn knot() -> Server {
    let mut zone = ZONE.to_owned();
    for n in 0..30 {
        zone.push_str(&format!("huge TXT \"{n} {}\"\n", "x".repeat(120)));
    }
    let reverse =
        "$TTL 60\n@ SOA ns1.shop.test. h.shop.test. 1 2 3 4 5\n@ NS ns1.shop.test.\n25 PTR Mail.Shop.Test.\n";
    knot_with(&[("shop.test", &zone), ("2.0.192.in-addr.arpa", reverse)])
}

/// Knot DNS with these zones, each a name and its text.
pub fn knot_with(zones: &[(&str, &str)]) -> Server {
    let server = Server::start(|port, dir| {
        let at = dir.display();
        let mut config = format!(
            "server:\n  rundir: \"{at}\"\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: \"{at}\"\nlog:\n  - target: stderr\n    any: info\ntemplate:\n  - id: default\n    storage: \"{at}\"\nzone:\n"
        );
        for (zone, text) in zones {
            std::fs::write(dir.join(format!("{zone}.zone")), text).unwrap();
            config.push_str(&format!("  - domain: {zone}\n    file: {zone}.zone\n"));
        }
        let file = dir.join("knot.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program_of("knotd"));
        command.arg("-c").arg(file);
        command
    });
    for (zone, _) in zones {
        wait_for_zone(server.address, zone);
    }
    server
}

/// The server listens before its zones are loaded.
#[allow(
    clippy::disallowed_methods,
    reason = "another process says in no other way that it is ready"
)]
fn wait_for_zone(server: SocketAddr, zone: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut message = Message::query();
    message.add_query(Query::query(name(zone), RecordType::SOA));
    let mut buffer = [0; 4096];
    for _ in 0..500 {
        socket.send_to(&message.to_vec().unwrap(), server).unwrap();
        let loaded = socket.recv(&mut buffer).is_ok_and(|length| {
            Message::from_vec(&buffer[..length]).is_ok_and(|answer| !answer.answers.is_empty())
        });
        if loaded {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("knotd does not serve {zone}");
}

struct Ran {
    code: Option<i32>,
    said: String,
    report: serde_json::Value,
}

impl Ran {
    fn measured(&self, name: &str) -> Option<f64> {
        self.report["runs"][0]["run"]["outcome"]["measurements"][name]["value"].as_f64()
    }

    fn facts(&self) -> String {
        self.report["runs"][0]["run"]["outcome"]["evidence"]["facts"].to_string()
    }
}

fn ask(server: SocketAddr, keys: &str, more: &str) -> Ran {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 400ms\ndns: {{ server: \"{server}\", {keys} }}\n{more}"),
    );
    let (code, said, report) = run_all(&folder);
    Ran { code, said, report }
}

fn good(server: SocketAddr, keys: &str, more: &str) -> Ran {
    let ran = ask(server, keys, more);
    assert_eq!(ran.code, Some(0), "{keys} {more}\n{}", ran.said);
    ran
}

fn bad_one(server: SocketAddr, keys: &str, more: &str, part: &str) {
    let ran = ask(server, keys, more);
    assert!(
        ran.code == Some(2) && ran.said.contains(part),
        "{:?}, wanted {part}\n{}",
        ran.code,
        ran.said
    );
}

#[test]
fn a_real_server_answers_every_type() {
    let knot = knot();
    let at = knot.address;
    for (keys, answers) in [
        ("name: www.shop.test", "[192.0.2.11, 192.0.2.10]"),
        ("name: WWW.shop.test., type: AAAA", "\"2001:db8::10\""),
        ("name: alias.shop.test", "[192.0.2.10, 192.0.2.11]"),
        ("name: alias.shop.test, type: CNAME", "WWW.shop.test."),
        ("name: shop.test, type: NS", "[ns2.shop.test, ns1.shop.test.]"),
        (
            "name: shop.test, type: MX",
            "[\"20 mail.backup.test\", \"10 mail.shop.test\"]",
        ),
        ("name: shop.test, type: TXT", "\"v=spf1 mx -all\""),
        ("name: shop.test, type: CAA", "'0 issue \"ca.example\"'"),
        (
            "name: shop.test, type: SOA",
            "ns1.shop.test hostmaster.shop.test 2026112501 7200 3600 1209600 600",
        ),
        ("name: _sip._tcp.shop.test, type: SRV", "5 10 5060 sip.shop.test"),
        ("name: 25.2.0.192.in-addr.arpa, type: PTR", "mail.shop.test"),
        ("name: 192.0.2.25, type: PTR", "mail.shop.test"),
        (
            "name: www.shop.test, transport: tcp",
            "{ length: 2, contains: 192.0.2.10 }",
        ),
        (
            "name: huge.shop.test, type: TXT",
            "{ length: 30, each: { matches: \"x{120}$\" } }",
        ),
    ] {
        good(at, keys, &format!("expect: {{ answers: {answers} }}\n"));
    }
    let ran = good(
        at,
        "name: alias.shop.test",
        "thresholds: { ttl: { critical: above 1m } }\n",
    );
    assert_eq!(
        (ran.measured("answers"), ran.measured("ttl")),
        (Some(2.0), Some(60_000.0))
    );
    assert!(ran.measured("response_time").unwrap() > 0.0);
    let facts = ran.facts();
    for part in [
        &format!("{at} over UDP"),
        "NOERROR",
        "alias.shop.test → www.shop.test",
        "192.0.2.11",
    ] {
        assert!(facts.contains(part), "{part}: {facts}");
    }
    let ran = good(at, "name: huge.shop.test, type: TXT", "");
    assert!(
        ran.facts().contains("over TCP, cut off over UDP"),
        "{}",
        ran.facts()
    );
}

#[test]
fn expectations_on_a_real_server() {
    let knot = knot();
    let at = knot.address;
    let www = "name: www.shop.test";
    bad_one(
        at,
        www,
        "expect: { answers: [192.0.2.10, 192.0.2.12] }\n",
        "the answers to www.shop.test A are not as expected; missing: 192.0.2.12; unexpected: 192.0.2.11; received: 192.0.2.10, 192.0.2.11",
    );
    bad_one(
        at,
        www,
        "expect: { answers: { length: { min: 3 } } }\n",
        "the length of the answers to www.shop.test A is 2, expected at least 3",
    );
    let ran = good(at, www, "expect: { answers: 192.0.2.9, level: warning }\n");
    assert!(ran.said.contains("warning: the answers to"), "{}", ran.said);
    bad_one(
        at,
        "name: gone.shop.test",
        "",
        "the name gone.shop.test does not exist",
    );
    good(at, "name: gone.shop.test", "expect: { rcode: NXDOMAIN }\n");
    bad_one(
        at,
        www,
        "expect: { rcode: [NXDOMAIN, REFUSED] }\n",
        "answers www.shop.test A with NOERROR, expected NXDOMAIN or REFUSED",
    );
    bad_one(
        at,
        "name: www.shop.test, type: MX",
        "",
        "www.shop.test has no MX record; the name itself exists",
    );
    good(
        at,
        "name: www.shop.test, type: MX",
        "expect: { answers: { length: 0 } }\n",
    );
    bad_one(
        at,
        "name: other.test",
        "",
        "refuses to answer other.test A: it answers REFUSED",
    );
    good(at, "name: other.test", "expect: { rcode: REFUSED }\n");
    bad_one(
        at,
        "name: www.shop.test, dnssec: true",
        "",
        "the answer to www.shop.test A is not validated (no AD flag): the zone is not signed, or",
    );
    // No answer has no TTL: a bound on it cannot be judged.
    let ran = ask(
        at,
        "name: gone.shop.test",
        "expect: { rcode: NXDOMAIN }\nthresholds: { ttl: { critical: below 1m } }\n",
    );
    assert_eq!((ran.code, ran.measured("ttl")), (Some(3), None), "{}", ran.said);
}

fn www(asked: &Asked<'_>) -> Reaction {
    asked.answer(vec![a("www.shop.test", "192.0.2.10")])
}

/// Cut off over UDP; over TCP as told.
fn cut_off(over_tcp: impl Fn(&Asked<'_>) -> Reaction + Send + Sync + 'static) -> SocketAddr {
    serve(move |asked| {
        if asked.over_tcp {
            return over_tcp(asked);
        }
        let mut message = asked.reply(ResponseCode::NoError);
        message.metadata.truncation = true;
        Reaction::Answer(Box::new(message))
    })
}

#[test]
fn a_resolver_says_whether_it_validated() {
    let validated = serve(|asked| {
        let mut message = asked.reply(ResponseCode::NoError);
        message.metadata.authentic_data = asked.message.metadata.authentic_data;
        message.add_answer(a("www.shop.test", "192.0.2.10"));
        Reaction::Answer(Box::new(message))
    });
    good(validated, "name: www.shop.test, dnssec: true", "");
    let bogus = serve(|asked| match asked.message.metadata.checking_disabled {
        true => www(asked),
        false => asked.code(ResponseCode::ServFail),
    });
    bad_one(
        bogus,
        "name: www.shop.test, dnssec: true",
        "",
        "the DNSSEC signatures of www.shop.test A are not valid",
    );
    bad_one(
        bogus,
        "name: www.shop.test",
        "",
        "could not find out www.shop.test A: it answers SERVFAIL",
    );
    good(bogus, "name: www.shop.test", "expect: { rcode: SERVFAIL }\n");
}

#[test]
fn every_run_really_asks() {
    let server = serve(|asked| asked.answer(vec![a("www.shop.test", &format!("192.0.2.{}", asked.nth))]));
    for n in 0..3 {
        good(
            server,
            "name: www.shop.test",
            &format!("expect: {{ answers: 192.0.2.{n} }}\n"),
        );
    }
}

#[test]
fn faults_over_udp_are_told_apart() {
    let keys = "name: www.shop.test";
    let says = |server: SocketAddr, part: &str| bad_one(server, keys, "", part);
    says(refused(), "connection refused by 127.0.0.1:");
    says(
        serve(|_| Reaction::Nothing),
        "did not answer `www.shop.test A` over UDP within 400ms",
    );
    says(
        serve(|_| Reaction::Raw(true, vec![0x80])),
        "with what is no DNS message: only 3 bytes",
    );
    says(
        serve(|_| Reaction::Raw(true, vec![0x80, 0, 0, 1, 0, 9, 0, 0, 0, 0, 0xff, 0xff])),
        "with what is no DNS message: ",
    );
    says(
        serve(|asked| Reaction::Raw(false, asked.message.to_vec().unwrap())),
        "with what is no DNS message: it is no response to the question",
    );
    // Not our id: perhaps forged, so that the wait goes on.
    says(
        serve(|_| Reaction::Raw(false, vec![0; 40])),
        "did not answer `www.shop.test A` over UDP within 400ms",
    );
    says(
        serve(|asked| {
            let mut message = asked.reply(ResponseCode::NoError);
            message.queries = vec![Query::query(name("other.test"), RecordType::A)];
            message.add_answer(a("other.test", "192.0.2.66"));
            Reaction::Answer(Box::new(message))
        }),
        "answered another question than `www.shop.test A`",
    );
    says(
        serve(|asked| {
            let mut message = asked.reply(ResponseCode::ServFail);
            let mut edns = Edns::new();
            let text = [&[0, 7][..], b"signature expired"].concat();
            edns.options_mut().insert(EdnsOption::Unknown(15, text));
            message.set_edns(edns);
            Reaction::Answer(Box::new(message))
        }),
        "it answers SERVFAIL (extended error 7: signature expired)",
    );
    says(
        serve(|asked| asked.code(ResponseCode::FormErr)),
        "answers www.shop.test A with FORMERR",
    );
    says(
        serve(|asked| {
            asked.answer(vec![record(
                "www.shop.test",
                RData::CNAME(CNAME(name("lost.test"))),
            )])
        }),
        "www.shop.test has no A record",
    );
}

#[test]
fn faults_over_tcp_are_told_apart() {
    let says = |server: SocketAddr, part: &str| {
        bad_one(server, "name: www.shop.test, transport: tcp", "", part);
    };
    says(refused(), "nothing listens there");
    says(bad(Bad::Reset), "reset the connection");
    says(bad(Bad::Close), "the connection");
    says(
        bad(Bad::Silent),
        "did not answer `www.shop.test A` over TCP within 400ms",
    );
    says(
        bad(Bad::Half(vec![0, 60, 1, 2, 3])),
        "closed the connection in the middle of its answer",
    );
    says(
        bad(Bad::Stall(vec![0, 60, 1, 2, 3])),
        "did not answer `www.shop.test A` over TCP within 400ms",
    );
    says(
        bad(Bad::Drip(vec![4, 0], 0)),
        "did not answer `www.shop.test A` over TCP within 400ms",
    );
    says(
        bad(Bad::Endless(Vec::new(), vec![0xff; 4096])),
        "with what is no DNS message",
    );
    says(
        bad(Bad::Half(vec![0, 0])),
        "with what is no DNS message: only 0 bytes",
    );
}

#[test]
fn an_answer_that_was_cut_off_is_asked_for_over_tcp() {
    let says = |server: SocketAddr, part: &str| bad_one(server, "name: www.shop.test", "", part);
    good(
        cut_off(www),
        "name: www.shop.test",
        "expect: { answers: 192.0.2.10 }\n",
    );
    says(
        cut_off(|_| Reaction::Nothing),
        "the answer over UDP was cut off, and over TCP: 127.0.0.1:",
    );
    says(cut_off(|_| Reaction::Silence), "and over TCP: 127.0.0.1:");
}

#[test]
fn a_lost_datagram_is_sent_again() {
    let server = serve(|asked| match asked.nth {
        0 => Reaction::Nothing,
        _ => www(asked),
    });
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 5s\ndns: {{ server: \"{server}\", name: www.shop.test }}\n"),
    );
    let (code, said, report) = run_all(&folder);
    assert_eq!(code, Some(0), "{said}");
    let took = &report["runs"][0]["run"]["outcome"]["measurements"]["response_time"]["value"];
    assert!((1_000.0..3_000.0).contains(&took.as_f64().unwrap()), "{took}");
}

#[test]
fn a_passing_failure_is_retried_and_a_denied_server_is_not_asked() {
    let server = serve(|asked| match asked.nth {
        0 => asked.code(ResponseCode::ServFail),
        _ => asked.answer(vec![record(
            "www.shop.test",
            RData::TXT(TXT::new(vec!["fine".into()])),
        )]),
    });
    let ran = good(
        server,
        "name: www.shop.test, type: TXT",
        "retry: { times: 1, wait: 10ms }\nexpect: { answers: fine }\n",
    );
    assert_eq!(
        ran.report["runs"][0]["run"]["outcome"]["attempts"], 2,
        "{}",
        ran.report
    );
    let folder = Folder::new();
    folder.write("haetae.yaml", "targets: { deny: [127.0.0.0/8] }\n");
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 400ms\ndns: {{ server: \"{server}\", name: www.shop.test }}\n"),
    );
    let (code, said, _) = run_all(&folder);
    assert!(
        code == Some(3) && said.contains("the settings deny the address 127.0.0.1"),
        "{said}"
    );
}
