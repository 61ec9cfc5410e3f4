//! Each way of not answering, through the program: it ends in time and says what it is.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{assert_says, check, check_in, plain_port, serve, wait};
use crate::faults::{Authority, Bad, Certificate, WRONG, bad, issue, refused, tls_echo};
use crate::support::{Folder, PATIENCE};

/// Reads the request, says this, and closes.
fn half(text: &str) -> SocketAddr {
    let text = text.to_owned();
    serve(move |_, _, out| drop(out.write_all(text.as_bytes())))
}

/// Reads the request, says this, and then the second again and again with a pause before each.
fn on_and_on(start: &str, again: Vec<u8>, pause: Duration) -> SocketAddr {
    let start = start.to_owned();
    serve(move |_, _, out| {
        let _ = out.write_all(start.as_bytes());
        loop {
            wait(pause);
            if out.write_all(&again).and_then(|()| out.flush()).is_err() {
                break;
            }
        }
    })
}

fn says(address: SocketAddr, part: &str) {
    // What ends by itself is given time, so that a busy machine does not end it.
    let timeout = if part.contains("within 1s") { "1s" } else { "5s" };
    assert_says(
        &format!("timeout: {timeout}\nhttp: {{ url: \"http://{address}/\", max_body: 1MiB }}\n"),
        2,
        part,
    );
}

#[test]
fn every_way_of_not_answering_has_its_own_words() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let reset = bad(Bad::Reset);
    for (address, part) in [
        (refused(), "connection refused by 127.0.0.1".to_owned()),
        (reset, format!("{reset}")),
        (
            bad(Bad::Silent),
            "did not answer within 1s (connected, no response yet)".into(),
        ),
        (half(""), "closed the connection before it answered".into()),
        (
            half("HTTP/1.1 200"),
            "closed the connection before it answered".into(),
        ),
        (
            half(&format!("{ok}content-length: 100\r\n\r\nhalf")),
            "closed the connection in the middle of its answer (after 4 bytes of the body)".into(),
        ),
        (
            half(&format!("{ok}transfer-encoding: chunked\r\n\r\n5\r\nhalf")),
            "closed the connection in the middle of its answer (after 4 bytes of the body)".into(),
        ),
        (
            on_and_on(
                &format!("{ok}content-length: 100\r\n\r\nhalf"),
                b"x".to_vec(),
                Duration::from_secs(5),
            ),
            "did not finish its answer within 1s (4 bytes of the body had come)".into(),
        ),
        (
            on_and_on(
                &format!("{ok}content-length: 9999\r\n\r\n"),
                b"x".to_vec(),
                Duration::from_millis(50),
            ),
            "did not finish its answer within 1s".into(),
        ),
        (
            on_and_on(ok, b"x".to_vec(), Duration::from_millis(50)),
            "did not answer within 1s".into(),
        ),
        (
            on_and_on(&format!("{ok}\r\n"), vec![b'x'; 16_000], Duration::ZERO),
            "the answer is larger than `max_body` (1048576 bytes)".into(),
        ),
        (
            on_and_on(ok, b"x-header: 0123456789\r\n".repeat(500), Duration::ZERO),
            "the headers of 127.0.0.1".into(),
        ),
        (half("SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP here".into()),
        (
            half("HTTP/1.1 two hundred\r\n\r\n"),
            "does not speak HTTP here".into(),
        ),
        (
            half("\x15\x03\x01\x00\x02\x02\x46"),
            "does not speak HTTP here".into(),
        ),
    ] {
        says(address, &part);
    }
    // One that speaks first, like a mail server or SSH.
    let first = bad(Bad::Stall(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()));
    says(first, "HTTP");
}

#[test]
fn a_fault_ends_within_its_time() {
    let began = Instant::now();
    let silent = bad(Bad::Silent);
    let (code, said) = check(&format!(
        "timeout: 300ms\nhttp: {{ url: \"http://{silent}/\" }}\n"
    ));
    assert_eq!(code, Some(2), "{said}");
    assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
}

#[test]
fn a_connection_that_nobody_takes_is_told() {
    // A backlog that is full: further connections hang.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let open = move || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(20));
            open()
        })
        .collect();
    says(address, &format!("no connection to {address} within 1s"));
    drop(waiting);
}

#[test]
fn six_wrong_certificates_are_told_apart() {
    let authority = Authority::new();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    for (certificate, part) in WRONG {
        let port = tls_echo(&issue(&authority, *certificate), b"").port();
        let (code, said) = check_in(
            &folder,
            &format!(
                "timeout: 2s\nhttp: {{ url: \"https://localhost:{port}/\", ca: \"${{file:ca.pem}}\" }}\n"
            ),
        );
        assert!(
            said.contains(part) && code == Some(2),
            "{certificate:?}: {part}\n{said}"
        );
    }
}

#[test]
fn tls_where_there_is_none_and_the_other_way_round() {
    let plain = plain_port();
    assert_says(
        &format!("timeout: 1s\nhttp: {{ url: \"https://127.0.0.1:{plain}/\", insecure_tls: true }}\n"),
        2,
        "does not speak TLS",
    );
    let silent = bad(Bad::Silent).port();
    assert_says(
        &format!("timeout: 500ms\nhttp: {{ url: \"https://localhost:{silent}/\", insecure_tls: true }}\n"),
        2,
        &format!("localhost:{silent} did not finish the TLS handshake within 500ms"),
    );
    let secure = tls_echo(&issue(&Authority::new(), Certificate::Good), b"").port();
    assert_says(
        &format!("timeout: 1s\nhttp: {{ url: \"http://127.0.0.1:{secure}/\" }}\n"),
        2,
        "127.0.0.1",
    );
}

#[test]
fn a_name_that_does_not_exist_is_told() {
    assert_says(
        "timeout: 5s\nhttp: { url: \"http://nowhere.invalid/\" }\n",
        2,
        "nowhere.invalid does not resolve",
    );
}

#[test]
fn a_post_that_got_no_answer_is_asked_again_only_where_the_user_wants_retries() {
    let once = serve(|_, _, _| {});
    let lines = format!("timeout: 2s\nhttp: {{ url: \"http://{once}/\", method: POST, body: pay }}\n");
    assert_says(&lines, 2, "closed the connection before it answered");
    let later = serve(|asked, n, out| {
        if n > 0 {
            assert!(asked.contains("x-retry-attempt: 1"), "{asked}");
            super::respond(out, "200 OK", "", "paid");
        }
    });
    assert_says(
        &format!(
            "timeout: 3s\nhttp: {{ url: \"http://{later}/\", method: POST, body: pay }}\nretry: {{ times: 1, wait: 10ms }}\n"
        ),
        0,
        "flaky: passed on a retry",
    );
}

#[test]
fn a_date_in_retry_after_is_waited_for() {
    let server = serve(|_, n, out| match n {
        0 => {
            let dates =
                "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
            super::respond(out, "503 Service Unavailable", dates, "");
        }
        _ => super::respond(out, "200 OK", "", ""),
    });
    let began = Instant::now();
    let lines =
        format!("timeout: 20s\nhttp: {{ url: \"http://{server}/\" }}\nretry: {{ times: 1, wait: 1ms }}\n");
    assert_says(&lines, 0, "flaky");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    for wish in [
        "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Mon, 07 Nov 1994 08:49:37 GMT\r\n",
        "retry-after: 18446744073709551615\r\n",
    ] {
        let far = serve(move |_, _, out| super::respond(out, "503 Service Unavailable", wish, ""));
        let lines =
            format!("timeout: 2s\nhttp: {{ url: \"http://{far}/\" }}\nretry: {{ times: 1, wait: 1ms }}\n");
        assert_says(&lines, 2, "status is 503");
    }
}

#[test]
fn the_certificate_of_the_chain_that_ends_first_counts() {
    let authority = Authority::new();
    let mut issued = issue(&authority, Certificate::Good);
    issued.chain.extend(issue(&authority, Certificate::Expired).chain);
    let port = super::serve_tls_with(&issued).port();
    assert_says(
        &format!(
            "timeout: 2s\nhttp: {{ url: \"https://localhost:{port}/\", insecure_tls: true }}\nthresholds: {{ certificate_left: {{ critical: below 7d }} }}\n"
        ),
        2,
        "certificate_left is -",
    );
}
