//! Redis checks against a real server and bad ones.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use crate::faults::{Authority, Bad, Certificate, WRONG, bad, issue, refused, tls_echo};
use crate::servers::{Server, free_port, program_of};
use crate::support::{Folder, run_all};

const PASSWORD: &str = "a-password-of-the-test";

fn run(folder: &Folder, lines: &str) -> (Option<i32>, String, Value) {
    folder.write("pw.txt", PASSWORD);
    folder.write("checks/a.yaml", &format!("every: 1m\n{lines}"));
    let (code, said, report) = run_all(folder);
    assert!(!said.contains(PASSWORD), "the password is shown: {said}");
    (code, said, report["runs"][0]["run"]["outcome"].clone())
}

fn redis(authority: &Authority) -> (Server, u16) {
    let issued = issue(authority, Certificate::Good);
    let tls_port = free_port();
    let server = Server::start(|port, dir| {
        for (name, text) in [
            ("server.pem", issued.chain_pem()),
            ("server.key", issued.key_pem()),
            ("ca.pem", authority.pem.clone()),
        ] {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let mut command = Command::new(program_of("redis-server"));
        command
            .current_dir(dir)
            .args(["--bind", "127.0.0.1", "--save", ""]);
        command.args(["--port", &port.to_string(), "--tls-port", &tls_port.to_string()]);
        command.args(["--tls-cert-file", "server.pem", "--tls-key-file", "server.key"]);
        command.args(["--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no"]);
        command.args(["--requirepass", PASSWORD]);
        command
    });
    (server, tls_port)
}

#[test]
fn redis_is_asked_and_its_refusals_are_told() {
    let authority = Authority::new();
    let (server, _) = redis(&authority);
    let folder = Folder::new();
    folder.write("wrong.txt", "another-password");
    let address = server.address;
    let ask = |keys: &str, more: &str| {
        run(
            &folder,
            &format!("timeout: 2s\nredis: {{ url: \"redis://{address}\"{keys} }}\n{more}"),
        )
    };
    let known = ", password: \"${file:pw.txt}\"";
    for (keys, more, code, part) in [
        ("", "", 2, "wants a password: NOAUTH"),
        (
            ", password: \"${file:wrong.txt}\"",
            "",
            2,
            "refuses the login: WRONGPASS",
        ),
        (known, "expect: { value: PONG }\n", 0, ""),
        ("@, db: 3, command: [DBSIZE]", "expect: { value: 0 }\n", 0, ""),
        ("@, db: 99", "", 2, "refuses SELECT: ERR DB index is out of range"),
        (
            "@, command: [LLEN]",
            "",
            2,
            "refuses LLEN: ERR wrong number of arguments",
        ),
        (
            "@, command: [GET, nothing]",
            "expect: { value: { exists: false } }\n",
            0,
            "",
        ),
        (
            "@, command: [INFO], field: role",
            "expect: { value: master }\n",
            0,
            "",
        ),
        (
            "@, command: [INFO], field: nothing",
            "expect: { value: { min: 1 } }\n",
            2,
            "value is missing",
        ),
    ] {
        let (found, said, _) = ask(&keys.replace('@', known), more);
        assert!(
            said.contains(part) && found == Some(code),
            "{keys}: {found:?}, wanted {part}:\n{said}"
        );
    }
}

#[test]
fn numbers_are_measured_with_and_without_tls() {
    let authority = Authority::new();
    let (server, tls_port) = redis(&authority);
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let address = server.address;
    let ask = |keys: &str, more: &str| {
        run(
            &folder,
            &format!("timeout: 2s\nredis: {{ url: \"redis://{address}\"{keys} }}\n{more}"),
        )
    };
    let (code, said, outcome) = ask(
        ", password: \"${file:pw.txt}\", command: [INFO, memory], field: used_memory, unit: B",
        "thresholds: { value: { critical: above 1GB } }\n",
    );
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(outcome["measurements"]["value"]["unit"], "bytes", "{outcome}");
    assert!(outcome["measurements"]["value"]["value"].as_f64().unwrap() > 100_000.0);
    let (code, said, _) = ask(
        ", password: \"${file:pw.txt}\", command: [GET, nothing]",
        "thresholds: { value: { critical: above 1 } }\n",
    );
    assert!(code != Some(0) && said.contains("there is no such key"), "{said}");
    let (code, said, outcome) = run(
        &folder,
        &format!(
            "timeout: 2s\nredis: {{ url: \"rediss://:${{file:pw.txt}}@localhost:{tls_port}/1\", ca: \"${{file:ca.pem}}\" }}\n"
        ),
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(
        outcome["measurements"]["certificate_left"]["value"]
            .as_f64()
            .unwrap()
            > 0.0
    );
}

#[test]
fn bad_servers_are_told_as_what_they_are() {
    let folder = Folder::new();
    let says = |address: SocketAddr, part: &str| {
        let (code, said, _) = run(
            &folder,
            &format!(
                "timeout: {}\nredis: {{ url: \"redis://{address}\" }}\n",
                if part.contains("larger") { "5s" } else { "400ms" }
            ),
        );
        assert!(
            said.contains(part) && code == Some(2),
            "{code:?}, wanted {part}:\n{said}"
        );
    };
    says(refused(), "connection refused");
    says(bad(Bad::Silent), "did not answer PING within 400ms");
    says(bad(Bad::Reset), "the connection");
    says(bad(Bad::Close), "the connection");
    says(
        bad(Bad::Half(b"$100\r\nhalf".to_vec())),
        "closed the connection in the middle of its answer",
    );
    says(
        bad(Bad::Stall(b"$100\r\nhalf".to_vec())),
        "did not answer PING within 400ms",
    );
    says(
        bad(Bad::Drip(b"+".to_vec(), b'x')),
        "did not answer PING within 400ms",
    );
    says(
        bad(Bad::Endless(b"$999999999999\r\n".to_vec(), vec![b'x'; 4096])),
        "is larger than 1 MiB",
    );
    says(
        bad(Bad::Endless(b"*999999999\r\n".to_vec(), b":1\r\n".repeat(1000))),
        "is larger than 1 MiB",
    );
    says(
        bad(Bad::Half(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())),
        "does not speak Redis's protocol",
    );
    says(
        bad(Bad::Half(
            b"-LOADING Redis is loading the dataset in memory\r\n".to_vec(),
        )),
        "is not ready: LOADING",
    );
    says(
        bad(Bad::Half(b"-MISCONF Errors writing to disk\r\n".to_vec())),
        "refuses PING: MISCONF Errors writing to disk",
    );
}

#[test]
fn wrong_certificates_are_told_as_what_they_are() {
    let authority = Authority::new();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    for (what, part) in WRONG {
        let port = tls_echo(&issue(&authority, *what), b"+PONG\r\n").port();
        let (code, said, _) = run(
            &folder,
            &format!(
                "timeout: 2s\nredis: {{ url: \"rediss://localhost:{port}\", ca: \"${{file:ca.pem}}\" }}\n"
            ),
        );
        assert!(said.contains(part) && code == Some(2), "{what:?}: {said}");
    }
}
