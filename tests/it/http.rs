//! HTTP checks against servers that misbehave, over real sockets and real TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{Folder, output, provider, text};

mod bodies;
mod chain;
mod faults;
mod oauth;
mod phases;
mod proxies;
mod redirects;
mod versions;

/// Answers each connection by `answer`, which gets what was asked and its number from 0.
pub fn serve(answer: impl Fn(&str, usize, &mut dyn Write) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            thread::spawn(move || {
                let mut stream: TcpStream = stream;
                let asked = read_request(&mut stream);
                answer(&asked, count.fetch_add(1, Ordering::SeqCst), &mut stream);
            });
        }
    });
    address
}

/// Headers, and the body that they announce.
fn read_request(stream: &mut dyn Read) -> String {
    let mut asked = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&asked).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let announced = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= announced {
                break;
            }
        }
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => asked.extend_from_slice(&chunk[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&asked).into_owned()
}

pub fn respond(out: &mut dyn Write, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let _ = write!(
        out,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n{body}"
    );
}

/// A server that takes its time.
#[allow(
    clippy::disallowed_methods,
    reason = "the far end is slow on purpose; no test waits for it"
)]
pub fn wait(span: Duration) {
    thread::sleep(span);
}

/// Runs one check of these lines, and gives its exit code and what was printed.
fn check(lines: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    check_in(&folder, lines)
}

fn check_in(folder: &Folder, lines: &str) -> (Option<i32>, String) {
    folder.write("checks/a.yaml", &format!("every: 1m\n{lines}"));
    let answer = output(folder.path(), &["run", "--json", "out.json"]);
    let _ = std::fs::remove_file("out.json");
    (
        answer.status.code(),
        format!("{}{}", text(&answer.stdout), text(&answer.stderr)),
    )
}

fn assert_says(lines: &str, code: i32, part: &str) {
    let (got, said) = check(lines);
    assert!(said.contains(part), "expected `{part}` in:\n{said}");
    assert_eq!(got, Some(code), "{said}");
}

#[test]
fn expectations_say_what_was_there_and_what_was_wanted() {
    let server = serve(|_, _, out| {
        respond(
            out,
            "200 OK",
            "content-type: application/json\r\n",
            r#"{"status":"DOWN","n":7,"items":[{"p":1},{"p":9}]}"#,
        );
    });
    let says = |expect: &str, part: &str| {
        assert_says(
            &format!("timeout: 2s\nhttp: {{ url: \"http://{server}/\" }}\nexpect: {expect}\n"),
            2,
            part,
        );
    };
    says("{ status: 201 }", "status is 200, expected 201");
    says(
        "{ status: [201, 300..302] }",
        "status is 200, expected 201 or 300..302",
    );
    says(
        "{ json: { $.status: UP } }",
        "$.status is \"DOWN\", expected \"UP\"",
    );
    says("{ json: { $.n: { min: 8 } } }", "$.n is 7, expected at least 8");
    says(
        "{ json: { $.items: { length: { min: 3 } } } }",
        "the length of $.items is 2, expected at least 3",
    );
    says(
        "{ json: { \"$.items[*].p\": { each: { max: 5 } } } }",
        "item 2 of $.items[*].p is 9, expected at most 5",
    );
    says("{ json: { $.gone: { exists: true } } }", "$.gone is missing");
    says(
        "{ headers: { content-type: text/html } }",
        "header content-type is \"application/json\", expected \"text/html\"",
    );
    says(
        "{ body: { not_contains: DOWN } }",
        "expected not to contain \"DOWN\"",
    );
    let warns = format!(
        "timeout: 2s\nhttp: {{ url: \"http://{server}/\" }}\nexpect: {{ status: 201, level: warning }}\n"
    );
    assert_says(&warns, 0, "warning: status is 200, expected 201");
}

#[test]
fn a_status_that_is_not_2xx_is_critical_unless_it_is_expected() {
    let server = serve(|_, _, out| respond(out, "503 Service Unavailable", "", "sorry"));
    assert_says(
        &format!("timeout: 2s\nhttp: {{ url: \"http://{server}/\" }}\n"),
        2,
        "status is 503, expected 200..299",
    );
    assert_says(
        &format!("timeout: 2s\nhttp: {{ url: \"http://{server}/\" }}\nexpect: {{ status: 503 }}\n"),
        0,
        "ok",
    );
}

#[test]
fn a_missing_measurement_is_unknown() {
    let server = serve(|_, _, out| respond(out, "200 OK", "", "{}"));
    let lines = format!(
        "timeout: 2s\nhttp: {{ url: \"http://{server}/\" }}\nmeasure: {{ workers: {{ json: $.workers }} }}\nthresholds: {{ workers: {{ warning: below 3 }} }}\n"
    );
    assert_says(&lines, 3, "the answer has no workers");
}

#[test]
fn what_may_pass_is_retried_with_its_number_and_then_flaky() {
    let server = serve(|asked, n, out| match n {
        0 => respond(out, "503 Service Unavailable", "retry-after: 0\r\n", ""),
        _ if asked.to_lowercase().contains("x-retry-attempt: 1") => respond(out, "200 OK", "", "fine"),
        _ => respond(out, "500 Internal Server Error", "", ""),
    });
    let lines =
        format!("timeout: 5s\nhttp: {{ url: \"http://{server}/\" }}\nretry: {{ times: 2, wait: 10ms }}\n");
    assert_says(&lines, 0, "flaky: passed on a retry");
    let never = serve(|_, n, out| {
        respond(
            out,
            if n == 0 {
                "500 Internal Server Error"
            } else {
                "200 OK"
            },
            "",
            "",
        );
    });
    assert_says(
        &format!("timeout: 5s\nhttp: {{ url: \"http://{never}/\" }}\nretry: {{ times: 2, wait: 10ms }}\n"),
        2,
        "status is 500",
    );
    let unwanted = serve(|_, n, out| match n {
        0 => respond(out, "503 Service Unavailable", "x-should-retry: false\r\n", ""),
        _ => respond(out, "200 OK", "", ""),
    });
    assert_says(
        &format!("timeout: 5s\nhttp: {{ url: \"http://{unwanted}/\" }}\nretry: {{ times: 2, wait: 10ms }}\n"),
        2,
        "status is 503",
    );
}

#[test]
fn a_redirect_does_not_lead_where_the_settings_forbid() {
    let server = serve(|_, _, out| {
        respond(
            out,
            "302 Found",
            "location: http://169.254.169.254/latest/meta-data\r\n",
            "",
        );
    });
    assert_says(
        &format!("timeout: 3s\nhttp: {{ url: \"http://{server}/\" }}\n"),
        3,
        "the settings deny the address 169.254.169.254",
    );
    let folder = Folder::new();
    folder.write("haetae.yaml", "targets: { strict: true }\n");
    let (code, said) = check_in(
        &folder,
        &format!("timeout: 3s\nhttp: {{ url: \"http://{server}/\" }}\n"),
    );
    assert_eq!(code, Some(3), "{said}");
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "haetae test authority");
    let certificate = params.self_signed(&key).unwrap();
    Authority {
        pem: certificate.pem(),
        issuer: Issuer::new(params, key),
    }
}

/// An HTTPS server whose certificate names `name` and ends on the first of January of `until`.
fn serve_tls(authority: &Authority, name: &str, until: i32) -> SocketAddr {
    provider();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    serve_secure(Arc::new(config))
}

fn serve_secure(config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            thread::spawn(move || {
                let mut stream = StreamOwned::new(connection, stream);
                if !read_request(&mut stream).is_empty() {
                    respond(&mut stream, "200 OK", "", "secure");
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            });
        }
    });
    address
}

/// An HTTPS server with a certificate that was issued for it.
fn serve_tls_with(issued: &crate::faults::Issued) -> SocketAddr {
    serve_secure(Arc::new(issued.server_config()))
}

/// What a web server does when TLS comes to its plain port.
fn plain_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut hello = [0; 1024];
            let _ = stream.read(&mut hello);
            respond(&mut stream, "400 Bad Request", "", "this port speaks HTTP");
        }
    });
    port
}

#[test]
fn certificates_are_judged_and_their_faults_named() {
    let authority = authority();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let says = |port: u16, extra: &str, code: i32, part: &str| {
        let lines = format!(
            "timeout: 3s\nhttp: {{ url: \"https://localhost:{port}/\", {extra} }}\nthresholds: {{ certificate_left: {{ warning: below 30d, critical: below 7d }} }}\n"
        );
        let (got, said) = check_in(&folder, &lines);
        assert!(
            said.contains(part) && got == Some(code),
            "expected {code} and `{part}`:\n{said}"
        );
    };
    let ca = "ca: \"${file:ca.pem}\"";
    let good = serve_tls(&authority, "localhost", 2040).port();
    says(good, ca, 0, "ok");
    says(good, "", 2, "issuer is not trusted");
    says(good, "insecure_tls: true", 0, "ok");
    let expired = serve_tls(&authority, "localhost", 2021).port();
    says(expired, ca, 2, "the certificate has expired");
    says(expired, "insecure_tls: true", 2, "certificate_left is -");
    let other = serve_tls(&authority, "other.example", 2040).port();
    says(other, ca, 2, "the certificate is for another name");
    let plain = plain_port();
    says(plain, ca, 2, "does not speak TLS");
}

#[test]
fn phases_are_measured_and_do_not_overlap() {
    let authority = authority();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let port = serve_tls(&authority, "localhost", 2040).port();
    folder.write("checks/a.yaml", &format!("every: 1m\ntimeout: 3s\nhttp: {{ url: \"https://localhost:{port}/\", ca: \"${{file:ca.pem}}\" }}\n"));
    let json = folder.path().join("r.json");
    output(folder.path(), &["run", "--json", json.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let measured = &json["runs"][0]["run"]["outcome"]["measurements"];
    let ms = |name: &str| {
        measured[name]["value"]
            .as_f64()
            .unwrap_or_else(|| panic!("{name} is missing: {measured:#}"))
    };
    let sum =
        ms("dns_time") + ms("connect_time") + ms("tls_time") + ms("first_byte_time") + ms("download_time");
    assert!(sum <= ms("response_time"), "{measured:#}");
    assert!(ms("tls_time") > 0.0 && ms("connect_time") > 0.0, "{measured:#}");
    assert!(ms("certificate_left") > 0.0);
}
