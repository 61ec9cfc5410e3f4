//! WebSocket checks, against Python's websockets and against servers that misbehave.

use std::net::SocketAddr;

use crate::faults::{Authority, Bad, Certificate, WRONG, bad, issue, refused, tls_echo};
use crate::peers::python;
use crate::servers::Server;
use crate::support::{Folder, run_all};

/// Greets and echoes; `?token=` must be right where a header is not, `bye` closes with a reason,
/// `loud` says more than anybody reads.
const SERVER: &str = r#"
import asyncio, http, ssl, sys, websockets

async def talk(socket):
    await socket.send("welcome")
    async for message in socket:
        if message == "bye":
            await socket.close(1008, "not allowed here")
        elif message == "loud":
            for _ in range(20):
                await socket.send("x" * 10000)
        elif message == "huge":
            await socket.send("x" * 100000)
        else:
            await socket.send("echo " + message)

async def gate(path, headers):
    if path == "/closed" and headers.get("X-Ticket") != "valid":
        return http.HTTPStatus.FORBIDDEN, [], b"no\n"

async def main():
    context = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    async with websockets.serve(talk, "127.0.0.1", int(sys.argv[1]), ssl=context,
                                process_request=gate, subprotocols=["chat.v2", "chat.v1"]):
        await asyncio.Future()

asyncio.run(main())
"#;

fn server() -> Server {
    python(SERVER, &[])
}

fn check(url: &str, settings: &str, rest: &str) -> (Option<i32>, String, Folder) {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 800ms\nwebsocket: {{ url: \"{url}\"{settings} }}\n{rest}"),
    );
    let (code, said, _) = run_all(&folder);
    (code, said, folder)
}

#[test]
fn a_socket_is_opened_and_talked_over() {
    let server = server();
    let url = format!("ws://{}/closed?a=b", server.address);
    let open = format!("ws://{}/", server.address);
    let thresholds =
        "thresholds: { connect_time: { critical: above 500ms }, response_time: { critical: above 700ms } }\n";
    let (code, said, _) = check(&open, "", thresholds);
    assert_eq!(code, Some(0), "{said}");
    let (code, said, _) = check(
        &url,
        r#", ping: true, subprotocol: [chat.v1, chat.v9], headers: { X-Ticket: valid }, dialogue: [{ expect: welcome }, { send: hello, expect: { matches: "^echo hello$|^echo hello\n" } }]"#,
        "expect: { contains: welcome, subprotocol: chat.v1 }\n",
    );
    assert_eq!(code, Some(0), "{said}");
    let (code, said, _) = check(&open, ", send: hello", "expect: { contains: echo hello }\n");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_is_not_as_expected_is_told() {
    let server = server();
    let open = format!("ws://{}/", server.address);
    for (url, settings, rest, part) in [
        (
            open.clone(),
            ", dialogue: [{ expect: hello }]",
            "",
            "the reply does not contain \"hello\"",
        ),
        (
            open.clone(),
            ", dialogue: [{ send: bye, expect: ok }]",
            "",
            "the reply does not contain \"ok\" (it closed the WebSocket: 1008 not allowed here)",
        ),
        (
            open.clone(),
            ", send: loud",
            "expect: { contains: silence }\n",
            "the messages do not contain \"silence\" (it said more than 64 KiB)",
        ),
        (
            open.clone(),
            ", send: huge",
            "expect: { contains: silence }\n",
            "sends a message of more than 64 KiB",
        ),
        (
            open.clone(),
            ", subprotocol: chat.v9",
            "",
            "does not agree on a subprotocol: server sent no subprotocol",
        ),
        (
            open.clone(),
            ", subprotocol: chat.v1",
            "expect: { subprotocol: chat.v2 }\n",
            "the subprotocol is \"chat.v1\", expected \"chat.v2\"",
        ),
        (
            format!("{open}closed"),
            "",
            "",
            "answers the upgrade to WebSocket with 403 Forbidden",
        ),
    ] {
        let (code, said, _) = check(&url, settings, rest);
        assert!(
            code == Some(2) && said.contains(part),
            "wanted {part}: {code:?} {said}"
        );
    }
}

#[test]
fn tls_is_verified() {
    let authority = Authority::new();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let run = |port: u16| {
        folder.write(
            "checks/a.yaml",
            &format!(
                "every: 1m\ntimeout: 2s\nwebsocket: {{ url: \"wss://localhost:{port}/\", ca: \"${{file:ca.pem}}\", send: hello }}\n\
                 expect: {{ contains: echo hello }}\nthresholds: {{ certificate_left: {{ critical: below 7d }} }}\n"
            ),
        );
        let (code, said, _) = run_all(&folder);
        (code, said)
    };
    let good = issue(&authority, Certificate::Good);
    let files = Folder::new();
    files
        .write("cert.pem", &good.chain_pem())
        .write("key.pem", &good.key_pem());
    let file = |name: &str| files.path().join(name).display().to_string();
    let server = python(SERVER, &[&file("cert.pem"), &file("key.pem")]);
    let (code, said) = run(server.address.port());
    assert_eq!(code, Some(0), "{said}");
    for (what, part) in WRONG {
        let address = tls_echo(&issue(&authority, *what), b"");
        let (code, said) = run(address.port());
        assert!(code == Some(2) && said.contains(part), "{what:?}: {said}");
    }
}

#[test]
fn every_fault_ends_in_time_and_is_told() {
    let says = |address: SocketAddr, settings: &str, part: &str| {
        let (code, said, _) = check(&format!("ws://{address}/?token=hush-hush-44"), settings, "");
        assert!(
            code == Some(2) && said.contains(part),
            "wanted {part}: {code:?} {said}"
        );
    };
    let opened = |more: &[u8]| {
        // Nobody can know the key beforehand: this server's answer is always wrong.
        let mut bytes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n".to_vec();
        bytes.extend(more);
        bytes
    };
    says(refused(), "", "connection refused");
    says(bad(Bad::Reset), "", "reset the connection");
    // What we have sent by then may make it a reset.
    says(bad(Bad::Close), "", "the connection");
    says(
        bad(Bad::Silent),
        "",
        "did not answer the upgrade to WebSocket within 800ms",
    );
    says(
        bad(Bad::Half(b"HTTP/1.1 101 Swi".to_vec())),
        "",
        "in the middle of the upgrade to WebSocket",
    );
    says(
        bad(Bad::Drip(b"HTTP/1.1 101".to_vec(), b' ')),
        "",
        "did not answer the upgrade to WebSocket within 800ms",
    );
    says(
        bad(Bad::Endless(
            b"HTTP/1.1 101 Switching\r\n".to_vec(),
            b"X-A: b\r\n".repeat(50),
        )),
        "",
        "answers the upgrade to WebSocket with too many headers",
    );
    says(
        bad(Bad::Stall(b"220 mail.example ready\r\n".to_vec())),
        "",
        "does not speak WebSocket",
    );
    says(
        bad(Bad::Stall(opened(b""))),
        "",
        "does not speak WebSocket: key mismatch",
    );
    says(
        bad(Bad::Stall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        )),
        "",
        "with 200 OK",
    );
    says(
        bad(Bad::Stall(
            b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec(),
        )),
        "",
        "with 503 Service Unavailable",
    );
}
