//! TCP checks.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::faults::{Authority, Bad, Certificate, WRONG, bad, issue, refused, tls_echo};
use crate::peers::{PROTOCOLS, peer};
use crate::support::{Folder, output, text};

fn mail_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.write_all(b"220 mail.example ready\r\n");
                let mut line = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
                    let answer: &[u8] = if line.starts_with("EHLO") {
                        b"250 hello\r\n"
                    } else {
                        b"221 bye\r\n"
                    };
                    let _ = stream.write_all(answer);
                    line.clear();
                }
            });
        }
    });
    address
}

fn check(lines: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    folder.write("checks/a.yaml", &format!("every: 1m\ntimeout: 800ms\n{lines}"));
    let answer = output(folder.path(), &["run"]);
    (
        answer.status.code(),
        format!("{}{}", text(&answer.stdout), text(&answer.stderr)),
    )
}

#[test]
fn a_dialogue_goes_turn_by_turn() {
    let address = mail_server();
    let dialogue = |turns: &str| {
        check(&format!(
            "tcp: {{ address: \"{address}\", dialogue: [{turns}] }}\n"
        ))
    };
    let (code, said) = dialogue(
        r#"{ expect: "220" }, { send: "EHLO me\r\n", expect: { matches: "^250 " } }, { send: "QUIT\r\n", expect: "221" }"#,
    );
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = dialogue(r#"{ expect: "220" }, { send: "EHLO me\r\n", expect: "354" }"#);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the reply does not contain \"354\""), "{said}");
}

#[test]
fn an_answer_can_be_expected() {
    let address = mail_server();
    let (code, said) = check(&format!(
        "tcp: {{ address: \"{address}\" }}\nexpect: {{ contains: ready }}\n"
    ));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check(&format!(
        "tcp: {{ address: \"{address}\" }}\nexpect: {{ contains: busy, level: warning }}\n"
    ));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("warning: the answer does not contain \"busy\""),
        "{said}"
    );
}

#[test]
fn every_fault_is_told_as_what_it_is() {
    let expect = "expect: { contains: ready }\n";
    let says = |address: SocketAddr, part: &str| {
        let (code, said) = check(&format!("tcp: {{ address: \"{address}\" }}\n{expect}"));
        assert!(
            said.contains(part) && code == Some(2),
            "{code:?}, wanted {part}:\n{said}"
        );
    };
    says(refused(), "connection refused");
    says(bad(Bad::Silent), "the answer does not contain \"ready\"");
    says(
        bad(Bad::Half(b"220 rea".to_vec())),
        "the answer does not contain \"ready\"",
    );
    says(
        bad(Bad::Drip(Vec::new(), b'.')),
        "the answer does not contain \"ready\"",
    );
    says(
        bad(Bad::Endless(Vec::new(), vec![b'x'; 4096])),
        "the answer does not contain \"ready\"",
    );
}

#[test]
fn tls_from_the_start_is_verified() {
    let authority = Authority::new();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let run = |what: Certificate| {
        let address = tls_echo(&issue(&authority, what), b"ready");
        let port = address.port();
        folder.write(
            "checks/a.yaml",
            &format!(
                "every: 1m\ntimeout: 2s\ntcp: {{ address: \"localhost:{port}\", tls: true, ca: \"${{file:ca.pem}}\" }}\nexpect: {{ contains: ready }}\nthresholds: {{ certificate_left: {{ critical: below 7d }} }}\n"
            ),
        );
        let answer = output(folder.path(), &["run"]);
        (
            answer.status.code(),
            format!("{}{}", text(&answer.stdout), text(&answer.stderr)),
        )
    };
    let (code, said) = run(Certificate::Good);
    assert_eq!(code, Some(0), "{said}");
    for (what, part) in WRONG {
        let (code, said) = run(*what);
        assert!(said.contains(part) && code == Some(2), "{what:?}: {said}");
    }
}

/// What is said to each protocol's real server behind the handshake, and what it answers.
const BEHIND_STARTTLS: &[(&str, &str, &str)] = &[
    ("smtp", "EHLO me\\r\\n", "250 "),
    ("imap", "a2 CAPABILITY\\r\\n", "a2 OK"),
    ("pop3", "CAPA\\r\\n", "SASL PLAIN"),
    ("ftp", "FEAT\\r\\n", "211 End"),
];

#[test]
fn starttls_is_spoken_with_a_real_server_of_each_protocol() {
    let authority = Authority::new();
    let good = issue(&authority, Certificate::Good);
    let stranger = issue(&authority, Certificate::UnknownAuthority);
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let run = |port: u16, protocol: &str, send: &str, rest: &str| {
        folder.write(
            "checks/a.yaml",
            &format!(
                "every: 1m\ntimeout: 4s\ntcp: {{ address: \"localhost:{port}\", starttls: {protocol}, ca: \"${{file:ca.pem}}\"{send} }}\n{rest}"
            ),
        );
        let answer = output(folder.path(), &["run"]);
        (
            answer.status.code(),
            format!("{}{}", text(&answer.stdout), text(&answer.stderr)),
        )
    };
    let left = "thresholds: { certificate_left: { critical: below 7d } }\n";
    for protocol in PROTOCOLS {
        let server = peer(protocol, &good);
        let port = server.address.port();
        let turn = BEHIND_STARTTLS.iter().find(|(name, _, _)| name == protocol);
        let (send, expect) = turn.map_or((String::new(), String::new()), |(_, send, expect)| {
            (
                format!(", send: \"{send}\""),
                format!("expect: {{ contains: \"{expect}\" }}\n"),
            )
        });
        let (code, said) = run(port, protocol, &send, &format!("{left}{expect}"));
        assert_eq!(code, Some(0), "{protocol}: {said}");
    }
    let server = peer("imap", &stranger);
    let (code, said) = run(server.address.port(), "imap", "", left);
    assert!(
        code == Some(2) && said.contains("the certificate's issuer is not trusted"),
        "{said}"
    );
}
