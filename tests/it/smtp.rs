//! SMTP checks, against Exim and against servers that misbehave.

use std::net::SocketAddr;

use serde_json::Value;

use crate::faults::{Authority, Bad, Certificate, WRONG, bad, issue, refused};
use crate::peers::{MAILBOX, exim};
use crate::support::{Folder, program, run_all, text};

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

    fn write(&self, port: u16, settings: &str, rest: &str) {
        self.folder.write(
            "checks/a.yaml",
            &format!(
                "every: 1m\ntimeout: 3s\nsmtp: {{ address: \"localhost:{port}\", ca: \"${{file:ca.pem}}\"{settings} }}\n{rest}"
            ),
        );
    }

    fn check(&self, port: u16, settings: &str, rest: &str) -> (Option<i32>, String, Value) {
        self.write(port, settings, rest);
        run_all(&self.folder)
    }

    /// With a password in the environment.
    fn log_in(&self, port: u16, settings: &str, password: &str) -> (Option<i32>, String) {
        self.write(port, settings, "");
        let answer = program(self.folder.path())
            .env("MAIL_PASSWORD", password)
            .args(["run"])
            .output()
            .unwrap();
        let said = format!("{}{}", text(&answer.stdout), text(&answer.stderr));
        (answer.status.code(), said)
    }
}

#[test]
fn a_mail_server_is_talked_to_and_measured() {
    let desk = Desk::new();
    let server = exim(Some(&issue(&desk.authority, Certificate::Good)), false);
    let (code, said, report) = desk.check(
        server.address.port(),
        ", starttls: required, mail_from: probe@elsewhere.test, rcpt_to: [who@mail.test]",
        "expect: { greeting: { contains: mail.test }, capabilities: { contains: STARTTLS }, auth: { contains: PLAIN }, size: { min: 1000000 } }\n\
         thresholds: { response_time: { critical: above 2s }, connect_time: { critical: above 2s }, certificate_left: { critical: below 7d }, size_limit: { critical: below 10MiB } }\n",
    );
    assert_eq!(code, Some(0), "{said}");
    let facts = report["runs"][0]["run"]["outcome"]["evidence"]["facts"].to_string();
    for part in [
        "TLS 1.3",
        "220 mail.test",
        "who@mail.test: 250 Accepted",
        "STARTTLS",
    ] {
        assert!(facts.contains(part), "{part} in {facts}");
    }
}

#[test]
fn each_expectation_says_what_is_there() {
    let desk = Desk::new();
    let server = exim(None, false);
    let port = server.address.port();
    for (settings, expect, part) in [
        (
            "",
            "greeting: { contains: other.test }",
            "the greeting is \"220 mail.test",
        ),
        (
            "",
            "capabilities: { contains: STARTTLS }",
            "the list of capabilities is [\"SIZE\"",
        ),
        (
            "",
            "auth: { contains: PLAIN }",
            "the list of AUTH mechanisms is []",
        ),
        (
            "",
            "size: { min: 99000000 }",
            "the size limit is 10485760, expected at least 99000000",
        ),
        (
            ", mail_from: \"\", rcpt_to: who@mail.test",
            "recipient: { matches: \"^550 \" }",
            "the reply to RCPT TO:<who@mail.test> is \"250 Accepted\", expected to match ^550",
        ),
    ] {
        let (code, said, _) = desk.check(port, settings, &format!("expect: {{ {expect} }}\n"));
        assert!(code == Some(2) && said.contains(part), "{part}: {code:?} {said}");
    }
}

#[test]
fn an_open_relay_would_be_noticed() {
    let desk = Desk::new();
    let server = exim(None, false);
    let relay = ", mail_from: probe@elsewhere.test, rcpt_to: who@elsewhere.test";
    let (code, said, _) = desk.check(server.address.port(), relay, "");
    let part = "RCPT TO:<who@elsewhere.test> is refused: 550 relay not permitted";
    assert!(code == Some(2) && said.contains(part), "{said}");
    let refused = "expect: { recipient: { matches: \"^550 \" } }\n";
    let (code, said, _) = desk.check(server.address.port(), relay, refused);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn starttls_is_asked_for_as_wished() {
    let desk = Desk::new();
    let plain = exim(None, false);
    let (code, said, _) = desk.check(plain.address.port(), ", starttls: required", "");
    assert!(
        code == Some(2) && said.contains("does not offer STARTTLS"),
        "{said}"
    );
    let left = "thresholds: { certificate_left: { critical: below 7d } }\n";
    let (code, said, _) = desk.check(plain.address.port(), "", left);
    assert_eq!(code, Some(3), "a missing measurement is unknown: {said}");
    let strange = exim(
        Some(&issue(&desk.authority, Certificate::UnknownAuthority)),
        false,
    );
    let (code, said, _) = desk.check(strange.address.port(), ", starttls: false", "");
    assert_eq!(code, Some(0), "{said}");
    for (what, part) in WRONG {
        let server = exim(Some(&issue(&desk.authority, *what)), false);
        let (code, said, _) = desk.check(server.address.port(), "", "");
        assert!(code == Some(2) && said.contains(part), "{what:?}: {said}");
    }
}

#[test]
fn a_login_goes_over_tls_and_its_password_stays_secret() {
    let desk = Desk::new();
    let good = issue(&desk.authority, Certificate::Good);
    let (later, at_once) = (exim(Some(&good), false), exim(Some(&good), true));
    let (user, password) = MAILBOX;
    let auth = |more: &str| format!(", auth: {{ user: {user}, password: \"${{env:MAIL_PASSWORD}}\"{more} }}");
    for (port, settings) in [
        (later.address.port(), format!(", starttls: required{}", auth(""))),
        (
            at_once.address.port(),
            format!(", tls: true{}", auth(", mechanism: login")),
        ),
    ] {
        let (code, said) = desk.log_in(port, &settings, password);
        assert_eq!(code, Some(0), "{said}");
        let (code, said) = desk.log_in(port, &settings, "wrong-password-8841");
        assert!(code == Some(2) && said.contains("is refused: 535 "), "{said}");
        assert!(!said.contains("wrong-password-8841"), "{said}");
    }
}

/// What a run of half a second towards this server must say.
fn says(address: SocketAddr, settings: &str, part: &str) {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 500ms\nsmtp: {{ address: \"{address}\"{settings} }}\n"),
    );
    let (code, said, _) = run_all(&folder);
    assert!(
        code == Some(2) && said.contains(part),
        "wanted {part}: {code:?} {said}"
    );
}

fn stall(bytes: &[u8]) -> SocketAddr {
    bad(Bad::Stall(bytes.to_vec()))
}

#[test]
fn every_fault_ends_in_time_and_is_told() {
    says(refused(), "", "connection refused");
    says(bad(Bad::Reset), "", "reset the connection");
    says(bad(Bad::Close), "", "closed the connection");
    says(bad(Bad::Silent), "", "did not greet within 500ms (connected)");
    says(
        bad(Bad::Half(b"220 ma".to_vec())),
        "",
        "closed the connection in the middle of its answer",
    );
    says(
        bad(Bad::Drip(b"220-".to_vec(), b'x')),
        "",
        "did not greet within 500ms",
    );
    says(
        bad(Bad::Endless(Vec::new(), vec![b'x'; 4096])),
        "",
        "bytes without a line break",
    );
    says(
        bad(Bad::Endless(Vec::new(), b"220-x\r\n".repeat(100))),
        "",
        "a reply of more than 200 lines",
    );
}

#[test]
fn each_refusal_and_silence_is_told_with_its_command() {
    says(
        stall(b"554 go away\r\n"),
        "",
        "answers the connection with \"554 go away\"",
    );
    says(
        stall(b"421 too busy\r\n"),
        "",
        "answers the connection with \"421 too busy\"",
    );
    says(
        stall(b"HTTP/1.1 400 Bad Request\r\n"),
        "",
        "does not speak SMTP: it says \"HTTP/1.1 400 Bad Request\"",
    );
    says(stall(b"220 hello\r\n"), "", "did not answer EHLO within 500ms");
    says(
        stall(b"220 hello\r\n502 what\r\n"),
        "",
        "answers EHLO with \"502 what\"",
    );
    says(
        stall(b"220 hello\r\n250-me\r\n250 STARTTLS\r\n"),
        "",
        "did not answer STARTTLS within 500ms",
    );
    says(
        stall(b"220 hello\r\n250-me\r\n250 STARTTLS\r\n454 no TLS today\r\n"),
        "",
        "answers STARTTLS with \"454 no TLS today\"",
    );
    says(
        stall(b"220 hello\r\n250-me\r\n250 STARTTLS\r\n220 go\r\n"),
        "",
        "did not finish the TLS handshake within 500ms",
    );
    says(
        stall(b"220 hello\r\n250 me\r\n"),
        ", mail_from: \"\"",
        "did not answer MAIL FROM within 500ms",
    );
    says(stall(b"220 hello\r\n"), ", tls: true", "does not speak TLS here");
}

#[test]
fn who_says_no_good_bye_is_fine_all_the_same() {
    let folder = Folder::new();
    let address = bad(Bad::Stall(b"220 hello\r\n250 me\r\n".to_vec()));
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 400ms\nsmtp: {{ address: \"{address}\" }}\nthresholds: {{ response_time: {{ critical: above 300ms }} }}\n"),
    );
    let (code, said, _) = run_all(&folder);
    assert_eq!(code, Some(0), "{said}");
}
