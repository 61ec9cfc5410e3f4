//! Through proxies: whose fault is it?

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::{respond, serve};
use crate::faults::{Authority, Bad, Certificate, bad, issue, refused};
use crate::support::{Folder, program, text};

/// `qa:proxy-secret-41` in base64.
const LET_IN: &str = "proxy-authorization: basic cwe6chjvehktc2vjcmv0ltqx";

fn carry(mut from: TcpStream, to: &TcpStream) {
    let (mut back, mut on) = (to.try_clone().unwrap(), to.try_clone().unwrap());
    let mut from_too = from.try_clone().unwrap();
    thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut from_too);
        let _ = from_too.shutdown(std::net::Shutdown::Both);
    });
    let _ = std::io::copy(&mut from, &mut on);
    let _ = on.shutdown(std::net::Shutdown::Both);
}

/// A proxy for absolute forms and CONNECT (RFC 9112 §3.2.2, RFC 9110 §9.3.6) that wants
/// credentials.
fn http_proxy() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || proxied(stream));
        }
    });
    address
}

fn proxied(mut stream: TcpStream) {
    let asked = super::read_request(&mut stream);
    if !asked.to_lowercase().contains(LET_IN) {
        respond(
            &mut stream,
            "407 Proxy Authentication Required",
            "",
            "who are you?",
        );
        return;
    }
    let mut words = asked.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    if method == "CONNECT" {
        match TcpStream::connect(target) {
            Ok(onward) => {
                let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
                carry(stream, &onward);
            }
            Err(_) => respond(&mut stream, "502 Bad Gateway", "", ""),
        }
        return;
    }
    let host = target.strip_prefix("http://").unwrap().split('/').next().unwrap();
    match TcpStream::connect(host) {
        Ok(mut onward) => {
            let line = asked.replacen(&format!("http://{host}"), "", 1);
            let _ = onward.write_all(line.as_bytes());
            carry(stream, &onward);
        }
        Err(_) => respond(&mut stream, "502 Bad Gateway", "", "no way to the target"),
    }
}

/// RFC 1928 with RFC 1929, IPv4 only.
fn socks_proxy() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drop(socks(stream)));
        }
    });
    address
}

fn socks(mut stream: TcpStream) -> std::io::Result<()> {
    let mut two = [0; 2];
    stream.read_exact(&mut two)?;
    stream.read_exact(&mut vec![0; usize::from(two[1])])?;
    stream.write_all(&[5, 2])?;
    stream.read_exact(&mut two)?;
    let mut user = vec![0; usize::from(two[1])];
    stream.read_exact(&mut user)?;
    let mut length = [0; 1];
    stream.read_exact(&mut length)?;
    let mut password = vec![0; usize::from(length[0])];
    stream.read_exact(&mut password)?;
    let good = user == b"qa" && password == b"proxy-secret-41";
    stream.write_all(&[1, u8::from(!good)])?;
    let mut request = [0; 10];
    stream.read_exact(&mut request)?;
    assert_eq!(request[..4], [5, 1, 0, 1]);
    let ip: [u8; 4] = request[4..8].try_into().unwrap();
    let port = u16::from_be_bytes([request[8], request[9]]);
    match TcpStream::connect(SocketAddr::from((ip, port))) {
        Ok(onward) => {
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
            carry(stream, &onward);
        }
        Err(_) => stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0])?,
    }
    Ok(())
}

struct Case {
    folder: Folder,
}

impl Case {
    fn run(&self, url: &str, proxy: &str) -> (Option<i32>, String) {
        self.folder.write(
            "checks/a.yaml",
            &format!(
                "every: 1m\ntimeout: 900ms\nhttp: {{ url: \"{url}\", proxy: \"{proxy}\", ca: \"${{file:ca.pem}}\" }}\n"
            ),
        );
        let answer = program(self.folder.path())
            .arg("run")
            .env("PROXY_PASSWORD", "proxy-secret-41")
            .output()
            .unwrap();
        let said = format!("{}{}", text(&answer.stdout), text(&answer.stderr));
        assert!(!said.contains("proxy-secret-41"), "{said}");
        (answer.status.code(), said)
    }

    fn says(&self, url: &str, proxy: &str, code: i32, part: &str) {
        let (got, said) = self.run(url, proxy);
        assert!(
            said.contains(part) && got == Some(code),
            "{url} by {proxy}: {part}\n{said}"
        );
    }
}

#[test]
fn requests_go_through_proxies_and_faults_are_put_where_they_belong() {
    let authority = Authority::new();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let case = Case { folder };
    let plain = serve(|asked, _, out| {
        assert!(asked.starts_with("GET /health HTTP/1.1"), "{asked}");
        respond(out, "200 OK", "", "");
    });
    let plain = format!("http://{plain}/health");
    let secure = super::serve_tls_with(&issue(&authority, Certificate::Good)).port();
    let secure = format!("https://127.0.0.1:{secure}/");
    let expired = super::serve_tls_with(&issue(&authority, Certificate::Expired)).port();
    let expired = format!("https://127.0.0.1:{expired}/");
    let gone = format!("https://{}/", refused());
    for (address, scheme) in [(http_proxy(), "http"), (socks_proxy(), "socks5")] {
        let proxy = format!("{scheme}://qa:${{env:PROXY_PASSWORD}}@{address}");
        case.says(&plain, &proxy, 0, "ok");
        case.says(&secure, &proxy, 0, "ok");
        case.says(&expired, &proxy, 2, "the certificate has expired");
        case.says(
            &gone,
            &proxy,
            2,
            &format!("the proxy {address} makes no connection to 127.0.0.1"),
        );
    }
    let strict = http_proxy();
    case.says(
        &plain,
        &format!("http://{strict}"),
        3,
        &format!("the proxy {strict} wants other credentials"),
    );
    case.says(
        &secure,
        &format!("http://{strict}"),
        2,
        &format!("the proxy {strict} makes no connection"),
    );
    let nobody = refused();
    let named = format!("connection refused by the proxy {nobody}");
    case.says(&plain, &format!("http://{nobody}"), 3, &named);
    case.says(&secure, &format!("http://{nobody}"), 3, &named);
    let silent = bad(Bad::Silent);
    case.says(
        &secure,
        &format!("http://{silent}"),
        2,
        &format!("the proxy {silent}"),
    );
}
