//! UDP checks, against knot's DNS and against sockets that misbehave.

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::thread;

use crate::servers::{Server, program_of};
use crate::support::{Folder, run_all};

/// An authoritative DNS server for `test.example`.
fn knot() -> Server {
    Server::start(|port, dir| {
        let d = dir.display();
        let conf = dir.join("knot.conf");
        let lines = format!(
            "server:\n  rundir: {d}\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: {d}\n\
             zone:\n  - domain: test.example\n    storage: {d}\n    file: zone\n"
        );
        std::fs::write(&conf, lines).unwrap();
        let zone = "$ORIGIN test.example.\n$TTL 60\n@ SOA ns.test.example. who.test.example. 1 60 60 600 60\n@ NS ns\nns A 127.0.0.1\n@ TXT \"hello over udp\"\n";
        std::fs::write(dir.join("zone"), zone).unwrap();
        let mut command = Command::new(program_of("knotd"));
        command.arg("-c").arg(conf);
        command
    })
}

/// Answers every datagram with these.
fn answers(with: &[&[u8]]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let with: Vec<Vec<u8>> = with.iter().map(|bytes| bytes.to_vec()).collect();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            for bytes in &with {
                let _ = socket.send_to(bytes, from);
            }
        }
    });
    address
}

fn check(address: SocketAddr, settings: &str, rest: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 500ms\nudp: {{ address: \"{address}\", {settings} }}\n{rest}"),
    );
    let (code, said, _) = run_all(&folder);
    (code, said)
}

/// A DNS question for the TXT records of `test.example` (RFC 1035 §4.1).
const QUESTION: &str =
    "send_hex: \"be ef 01 00 00 01 00 00 00 00 00 00 04 74 65 73 74 07 65 78 61 6d 70 6c 65 00 00 10 00 01\"";

#[test]
fn a_real_server_is_asked_in_bytes() {
    let server = knot();
    let limit = "thresholds: { response_time: { critical: above 400ms } }\n";
    let (code, said) = check(
        server.address,
        QUESTION,
        &format!("expect: {{ contains: hello over udp, contains_hex: \"be ef\" }}\n{limit}"),
    );
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check(server.address, QUESTION, "expect: { contains_hex: \"ca fe\" }\n");
    assert!(
        code == Some(2) && said.contains("the answer does not contain the bytes ca fe"),
        "{said}"
    );
}

#[test]
fn an_answer_that_is_not_meant_is_waited_past() {
    let late = answers(&[b"noise", b"pong"]);
    let (code, said) = check(late, "send: ping", "expect: { contains: pong }\n");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check(
        late,
        "send: ping",
        "expect: { matches: \"^bye\", level: warning }\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("the last of 2 answers does not match ^bye"),
        "{said}"
    );
}

#[test]
fn any_answer_will_do_when_none_is_expected() {
    let (code, said) = check(answers(&[b""]), "send: ping", "");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn every_fault_is_told_as_what_it_is() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endless: Vec<&[u8]> = vec![b"noise"; 300];
    for (address, code, part) in [
        (
            closed,
            2,
            "nothing listens on that UDP port (ICMP port unreachable)",
        ),
        (
            silent.local_addr().unwrap(),
            2,
            "within 500ms (the datagram was sent",
        ),
        (answers(&endless), 2, "answers does not contain \"pong\""),
    ] {
        let (got, said) = check(address, "send: ping", "expect: { contains: pong }\n");
        assert!(
            got == Some(code) && said.contains(part),
            "wanted {part}: {got:?} {said}"
        );
    }
}
