//! Domain checks against a local server that answers as registries do.

use std::net::SocketAddr;
use std::time::Duration;

use crate::faults::{Authority, Bad, WRONG, bad, issue, refused, tls_echo};
use crate::http::{respond, serve, wait};
use crate::support::{Folder, output, text};

const REGISTERED: &str = r#"{
  "objectClassName": "domain", "ldhName": "SHOP.TEST", "status": ["active", "client transfer prohibited"],
  "events": [{ "eventAction": "registration", "eventDate": "1999-01-01T00:00:00Z" },
             { "eventAction": "expiration", "eventDate": "2049-01-01T00:00:00Z" }],
  "nameservers": [{ "ldhName": "NS1.SHOP.TEST" }, { "ldhName": "ns2.shop.test." }],
  "entities": [{ "roles": ["registrar"], "vcardArray": ["vcard", [["fn", {}, "text", "Registrar Ltd"]]] }]
}"#;

fn registry() -> SocketAddr {
    serve(|asked, _, out| {
        let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
        let host = asked
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .unwrap_or_default()
            .trim()
            .to_owned();
        let json = "content-type: application/rdap+json\r\n";
        match path.as_str() {
            "/v1/domain/shop.test" => respond(out, "200 OK", json, REGISTERED),
            "/v1/domain/moved.test" => {
                respond(out, "302 Found", "location: /v1/domain/shop.test\r\n", "");
            }
            "/v1/domain/ended.test" => respond(
                out,
                "200 OK",
                json,
                r#"{ "objectClassName": "domain", "events": [{ "eventAction": "expiration", "eventDate": "2020-01-01T00:00:00Z" }] }"#,
            ),
            "/v1/domain/silent.test" => respond(out, "200 OK", json, r#"{ "objectClassName": "domain" }"#),
            "/v1/domain/busy.test" => respond(out, "429 Too Many Requests", "", ""),
            "/v1/domain/broken.test" => {
                respond(
                    out,
                    "503 Service Unavailable",
                    json,
                    r#"{ "title": "maintenance" }"#,
                );
            }
            "/v1/domain/page.test" => respond(out, "200 OK", "", "<html>hello"),
            "/dns.json" => {
                let list =
                    format!(r#"{{ "version": "1.0", "services": [[["test"], ["http://{host}/v1/"]]] }}"#);
                respond(out, "200 OK", json, &list);
            }
            _ => respond(
                out,
                "404 Not Found",
                json,
                r#"{ "errorCode": 404, "title": "not found" }"#,
            ),
        }
    })
}

fn check(lines: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    let thresholds = "thresholds: { registration_left: { warning: below 45d, critical: below 14d } }\n";
    folder.write(
        "checks/a.yaml",
        &format!("every: 1h\ntimeout: 800ms\n{lines}{thresholds}"),
    );
    let answer = output(folder.path(), &["run"]);
    let said = format!("{}{}", text(&answer.stdout), text(&answer.stderr));
    (answer.status.code(), said)
}

fn ask(at: SocketAddr, name: &str, more: &str) -> (Option<i32>, String) {
    check(&format!(
        "domain: {{ name: {name}, server: \"http://{at}/v1\" }}\n{more}"
    ))
}

#[test]
fn a_registration_is_measured_and_its_details_can_be_expected() {
    let at = registry();
    let fine = "expect: { nameservers: [ns2.shop.test, ns1.shop.test], status: { contains: active }, registrar: Registrar Ltd }\n";
    for name in ["shop.test", "Shop.Test.", "moved.test"] {
        let (code, said) = ask(at, name, fine);
        let moved = name == "moved.test";
        let wanted = if moved {
            "was asked for `moved.test` and answers for `shop.test`"
        } else {
            ""
        };
        assert!(
            code == Some(if moved { 2 } else { 0 }) && said.contains(wanted),
            "{name}: {said}"
        );
    }
    let (code, said) = ask(at, "shop.test", "expect: { nameservers: [ns1.shop.test] }\n");
    assert!(
        code == Some(2) && said.contains("the name servers are not as expected; unexpected: ns2.shop.test"),
        "{said}"
    );
}

#[test]
fn the_server_is_found_by_the_ending() {
    let at = registry();
    let (code, said) = check(&format!(
        "domain: {{ name: shop.test, bootstrap: \"http://{at}/dns.json\" }}\n"
    ));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check(&format!(
        "domain: {{ name: shop.zz, bootstrap: \"http://{at}/dns.json\" }}\n"
    ));
    assert!(
        code == Some(3) && said.contains("no RDAP server is listed for `shop.zz`"),
        "{said}"
    );
    let (code, said) = check(&format!(
        "domain: {{ name: shop.test, bootstrap: \"http://{}/\" }}\n",
        refused()
    ));
    assert!(
        code == Some(3) && said.contains("the list of RDAP servers cannot be had: connection refused"),
        "{said}"
    );
}

#[test]
fn every_fault_is_told_as_what_it_is() {
    let at = registry();
    for (name, code, part) in [
        ("gone.test", 2, "`gone.test` is not registered"),
        ("ended.test", 2, "registration_left is -"),
        ("silent.test", 3, "the registry does not say when it ends"),
        ("busy.test", 3, "was asked too often (429)"),
        ("broken.test", 2, "answers 503: maintenance"),
        ("page.test", 2, "does not answer as RDAP describes a domain"),
    ] {
        let (got, said) = ask(at, name, "");
        assert!(got == Some(code) && said.contains(part), "{name}: {got:?} {said}");
    }
    let (code, said) = ask(bad(Bad::Silent), "shop.test", "");
    assert!(
        code == Some(2) && said.contains("did not answer within 800ms"),
        "{said}"
    );
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{";
    let whole = b"HTTP/1.1 200 OK\r\n\r\n";
    let cut = serve(|_, _, out| out.write_all(half).unwrap());
    let drip = serve(|_, _, out| {
        let _ = out.write_all(whole);
        while out.write_all(b" ").is_ok() {
            wait(Duration::from_millis(50));
        }
    });
    let endless = serve(|_, _, out| {
        let _ = out.write_all(whole);
        while out.write_all(&[b' '; 8_192]).is_ok() {}
    });
    for (at, part) in [
        (cut, "closed the connection in the middle"),
        (drip, "within 800ms"),
        (endless, "the answer is larger than"),
    ] {
        let (code, said) = ask(at, "shop.test", "");
        assert!(code == Some(2) && said.contains(part), "{part}: {said}");
    }
    let (code, said) = ask(refused(), "shop.test", "");
    assert!(code == Some(2) && said.contains("connection refused"), "{said}");
}

#[test]
fn wrong_certificates_are_told() {
    let authority = Authority::new();
    for (what, part) in WRONG {
        let port = tls_echo(&issue(&authority, *what), b"").port();
        let folder = Folder::new();
        folder.write("ca.pem", &authority.pem);
        folder.write(
            "checks/a.yaml",
            &format!("every: 1h\ntimeout: 1s\ndomain: {{ name: shop.test, server: \"https://localhost:{port}/\", ca: \"${{file:ca.pem}}\" }}\n"),
        );
        let answer = output(folder.path(), &["run"]);
        let said = format!("{}{}", text(&answer.stdout), text(&answer.stderr));
        assert!(
            answer.status.code() == Some(2) && said.contains(part),
            "{what:?}: {said}"
        );
    }
}
