//! TLS checks: certificates, names, versions, and how they come to be spoken.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use crate::faults::{Authority, Bad, Certificate, Issued, WRONG, bad, issue, refused};
use crate::peers::{PROTOCOLS, exim, nginx, openssl, peer, postgres};
use crate::servers::{Server, program_of};
use crate::support::{Folder, run_all};

struct Desk {
    folder: Folder,
    authority: Authority,
}

impl Desk {
    fn new() -> Self {
        let authority = Authority::new();
        let folder = Folder::new();
        folder.write("ca.pem", &authority.pem);
        Self { folder, authority }
    }

    fn issue(&self, what: Certificate) -> Issued {
        issue(&self.authority, what)
    }

    /// One run towards `localhost` at this port.
    fn check(&self, port: u16, settings: &str, rest: &str) -> (Option<i32>, String, Value) {
        self.folder.write(
            "checks/a.yaml",
            &format!(
                "every: 1m\ntimeout: 3s\ntls: {{ address: \"localhost:{port}\", ca: \"${{file:ca.pem}}\"{settings} }}\n{rest}"
            ),
        );
        run_all(&self.folder)
    }
}

fn facts(report: &Value) -> String {
    report["runs"][0]["run"]["outcome"]["evidence"]["facts"].to_string()
}

fn measured(report: &Value, name: &str) -> Option<f64> {
    report["runs"][0]["run"]["outcome"]["measurements"][name]["value"].as_f64()
}

#[test]
fn a_good_certificate_is_measured_and_described() {
    let desk = Desk::new();
    let server = nginx(&desk.issue(Certificate::Good), "ssl_protocols TLSv1.2 TLSv1.3;");
    let (code, said, report) = desk.check(
        server.address.port(),
        ", alpn: [h2, http/1.1]",
        "expect: { protocol_version: { min: 1.2 }, alpn: h2, names: { contains: localhost }, issuer: { contains: haetae test authority }, subject: { exists: true } }\n\
         thresholds: { certificate_left: { critical: below 7d }, protocol_version: { critical: below 1.2 }, handshake_time: { critical: above 2s }, connect_time: { critical: above 2s } }\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(measured(&report, "protocol_version"), Some(1.3), "{report:#}");
    let facts = facts(&report);
    for part in [
        "localhost, 127.0.0.1",
        "2049-01-01T00:00:00Z",
        "TLS13_",
        "haetae test authority",
        "h2",
    ] {
        assert!(facts.contains(part), "{part} in {facts}");
    }
}

#[test]
fn each_expectation_says_what_is_there() {
    let desk = Desk::new();
    let server = openssl(&desk.issue(Certificate::Good), &["-tls1_2"]);
    for (expect, part) in [
        (
            "protocol_version: 1.3",
            "the protocol version is 1.2, expected 1.3",
        ),
        (
            "names: { contains: shop.example }",
            "the list of names is [\"localhost\",\"127.0.0.1\"], expected to contain \"shop.example\"",
        ),
        (
            "issuer: { contains: Nobody }",
            "the issuer is \"CN=haetae test authority",
        ),
        ("alpn: h2", "the ALPN protocol is missing, expected \"h2\""),
    ] {
        let (code, said, _) = desk.check(
            server.address.port(),
            ", alpn: h2",
            &format!("expect: {{ {expect} }}\n"),
        );
        assert!(code == Some(2) && said.contains(part), "{part}: {code:?} {said}");
    }
}

#[test]
fn a_wrong_certificate_is_named_with_its_names_and_times() {
    let desk = Desk::new();
    for (what, part) in WRONG {
        let server = openssl(&desk.issue(*what), &[]);
        let left = "thresholds: { certificate_left: { warning: below 30d, critical: below 7d } }\n";
        let (code, said, report) = desk.check(server.address.port(), "", left);
        assert!(
            code == Some(2) && said.contains(part),
            "{what:?}: {code:?} {said}"
        );
        assert!(facts(&report).contains("valid until"), "{what:?}: {report:#}");
        let left = measured(&report, "certificate_left").unwrap();
        match what {
            Certificate::Expired => {
                assert!(left < 0.0, "{left}");
                assert!(said.contains("was valid until 2021-01-01T00:00:00Z"), "{said}");
                assert!(said.contains("certificate_left"), "{said}");
            }
            Certificate::NotYetValid => {
                assert!(said.contains("is valid from 2040-01-01T00:00:00Z on"), "{said}");
            }
            Certificate::OtherName => assert!(said.contains("other.example"), "{said}"),
            Certificate::SelfSigned => assert!(said.contains("vouches for itself"), "{said}"),
            _ => assert!(said.contains("is issued by `CN=haetae test authority"), "{said}"),
        }
    }
}

#[test]
fn an_accepted_certificate_that_has_expired_is_still_measured() {
    let desk = Desk::new();
    let server = openssl(&desk.issue(Certificate::Expired), &[]);
    let port = server.address.port();
    let (code, said, _) = desk.check(port, ", insecure_tls: true", "");
    assert_eq!(code, Some(0), "{said}");
    let left = "thresholds: { certificate_left: { critical: below 7d } }\n";
    let (code, said, _) = desk.check(port, ", insecure_tls: true", left);
    assert!(code == Some(2) && said.contains("certificate_left"), "{said}");
}

#[test]
fn what_openssl_signs_for_itself_is_told_to_be_an_authoritys() {
    let server = Server::start(|port, dir| {
        let file = |name: &str| dir.join(name).display().to_string();
        let (chain, key) = (file("cert.pem"), file("key.pem"));
        let made = Command::new(program_of("openssl"))
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args([
                "-nodes",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            .args(["-out", &chain, "-keyout", &key])
            .output()
            .unwrap();
        assert!(made.status.success());
        let mut command = Command::new(program_of("openssl"));
        command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
        command.args(["-cert", &chain, "-key", &key]);
        command
    });
    let (code, said, report) = Desk::new().check(server.address.port(), "", "");
    let part =
        "the certificate is an authority's (CA), which no server may show: `CN=localhost`, issued by itself";
    assert!(code == Some(2) && said.contains(part), "{said}");
    assert!(measured(&report, "certificate_left").is_some(), "{report:#}");
}

#[test]
fn the_name_can_be_another_than_the_address() {
    let desk = Desk::new();
    let server = openssl(&desk.issue(Certificate::OtherName), &[]);
    let port = server.address.port();
    let (code, said, _) = desk.check(port, ", server_name: other.example", "");
    assert_eq!(code, Some(0), "{said}");
    let (code, said, _) = desk.check(port, ", server_name: third.example", "");
    assert!(
        code == Some(2) && said.contains("the certificate is for another name: it names other.example"),
        "{said}"
    );
}

#[test]
fn every_starttls_is_spoken_with_a_real_server() {
    let desk = Desk::new();
    let good = desk.issue(Certificate::Good);
    for protocol in PROTOCOLS {
        let server = peer(protocol, &good);
        let (code, said, report) = desk.check(
            server.address.port(),
            &format!(", starttls: {protocol}"),
            "thresholds: { certificate_left: { critical: below 7d } }\n",
        );
        assert_eq!(code, Some(0), "{protocol}: {said}");
        assert!(facts(&report).contains("TLS 1."), "{protocol}: {report:#}");
    }
}

#[test]
fn a_server_that_offers_no_tls_is_said_to() {
    let desk = Desk::new();
    let says = |port: u16, protocol: &str, part: &str| {
        let (code, said, _) = desk.check(port, &format!(", starttls: {protocol}"), "");
        assert!(
            code == Some(2) && said.contains(part),
            "{protocol}: {code:?} {said}"
        );
    };
    says(postgres(None).address.port(), "postgres", "does not offer TLS");
    says(
        exim(None, false).address.port(),
        "smtp",
        "does not take STARTTLS: it says \"503 ",
    );
    let mail = bad(Bad::Stall(b"* PREAUTH ready\r\n".to_vec()));
    says(
        mail.port(),
        "imap",
        "greets with \"* PREAUTH ready\", expected \"* OK\"",
    );
}

#[test]
fn a_server_may_want_our_certificate() {
    let desk = Desk::new();
    let (ours, strange) = (
        desk.issue(Certificate::Good),
        desk.issue(Certificate::UnknownAuthority),
    );
    for (name, issued) in [("ours", &ours), ("strange", &strange)] {
        desk.folder.write(&format!("{name}.pem"), &issued.chain_pem());
        desk.folder.write(&format!("{name}.key"), &issued.key_pem());
    }
    let ca = desk.folder.path().join("ca.pem").display().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let server = openssl(
            &desk.issue(Certificate::Good),
            &["-Verify", "1", "-verify_return_error", "-CAfile", &ca, version],
        );
        let with = |name: &str| {
            let identity = format!(
                ", client_certificate: {{ certificate: \"${{file:{name}.pem}}\", key: \"${{file:{name}.key}}\" }}"
            );
            desk.check(server.address.port(), &identity, "")
        };
        let (code, said, _) = with("ours");
        assert_eq!(code, Some(0), "{version}: {said}");
        let (code, said, _) = with("strange");
        assert!(
            code == Some(2) && said.contains("refused TLS"),
            "{version}: {said}"
        );
    }
}

/// What a run of half a second towards this server must say.
fn says(address: SocketAddr, settings: &str, part: &str) {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 500ms\ntls: {{ address: \"{address}\"{settings} }}\n"),
    );
    let (code, said, _) = run_all(&folder);
    assert!(
        code == Some(2) && said.contains(part),
        "wanted {part}: {code:?} {said}"
    );
}

#[test]
fn every_fault_ends_in_time_and_is_told() {
    says(refused(), "", "connection refused");
    says(bad(Bad::Reset), "", "reset the connection");
    // What we have sent by then may make it a reset.
    says(bad(Bad::Close), "", "the connection");
    says(
        bad(Bad::Silent),
        "",
        "did not finish the TLS handshake within 500ms",
    );
    says(
        bad(Bad::Half(b"220 mail ready\r\n".to_vec())),
        "",
        "does not speak TLS here",
    );
    says(
        bad(Bad::Stall(vec![22, 3, 3, 0x40, 0])),
        "",
        "did not finish the TLS handshake within 500ms",
    );
    says(
        bad(Bad::Drip(vec![22, 3, 3, 0x40, 0], 0)),
        "",
        "did not finish the TLS handshake within 500ms",
    );
    says(
        bad(Bad::Endless(Vec::new(), vec![b'x'; 4096])),
        "",
        "does not speak TLS here",
    );
}

#[test]
fn every_fault_before_starttls_ends_in_time_and_is_told() {
    let smtp = ", starttls: smtp";
    says(
        bad(Bad::Silent),
        smtp,
        "did not say whether it takes TLS within 500ms",
    );
    says(
        bad(Bad::Half(b"220 ma".to_vec())),
        smtp,
        "closed the connection in the middle of its answer",
    );
    says(
        bad(Bad::Endless(Vec::new(), b"220-x\r\n".repeat(100))),
        smtp,
        "within 500ms",
    );
    says(
        bad(Bad::Endless(Vec::new(), vec![b'x'; 4096])),
        smtp,
        "bytes without a line break",
    );
    says(
        bad(Bad::Half(b"554 go away\r\n".to_vec())),
        smtp,
        "greets with \"554 go away\"",
    );
    let strange = bad(Bad::Stall(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    for protocol in ["imap", "pop3", "ftp"] {
        says(
            strange,
            &format!(", starttls: {protocol}"),
            "greets with \"HTTP/1.1 400 Bad Request\"",
        );
    }
    for (protocol, part) in [
        ("ldap", "does not speak LDAP"),
        ("postgres", "does not speak PostgreSQL's protocol"),
        ("mysql", "does not speak MySQL's protocol"),
    ] {
        says(strange, &format!(", starttls: {protocol}"), part);
    }
}
