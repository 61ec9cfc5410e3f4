//! Where redirects lead, and what does not go along.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::{assert_says, respond, serve};
use crate::support::{Folder, program, text};

fn to(status: &'static str, location: impl Into<String>) -> SocketAddr {
    let location = format!("location: {}\r\n", location.into());
    serve(move |_, _, out| respond(out, status, &location, ""))
}

fn lines(address: SocketAddr, more: &str) -> String {
    format!("timeout: 3s\nhttp: {{ url: \"http://{address}/\"{more} }}\n")
}

#[test]
fn circles_and_dead_ends_are_told() {
    let circle = to("302 Found", "/again");
    assert_says(
        &lines(circle, ", follow_redirects: 3"),
        2,
        "redirects more than 3 times, in a circle last to http://127.0.0.1",
    );
    let onward = serve(|asked, _, out| {
        let path = asked.split(' ').nth(1).unwrap_or_default();
        respond(
            out,
            "307 Temporary Redirect",
            &format!("location: {path}x\r\n"),
            "",
        );
    });
    assert_says(&lines(onward, ""), 2, "redirects more than 10 times, last to");
    assert_says(
        &lines(to("302 Found", "ftp://files.example/"), ""),
        2,
        "it redirects to `ftp://files.example/`, which is no http or https address",
    );
    assert_says(
        &lines(circle, ", follow_redirects: 0"),
        2,
        "status is 302, expected 200..299",
    );
}

#[test]
fn a_post_becomes_a_get_only_where_it_should() {
    let target = serve(|asked, _, out| {
        let method = asked.split(' ').next().unwrap_or_default();
        let body = asked.split("\r\n\r\n").nth(1).unwrap_or_default();
        respond(out, "200 OK", "", &format!("{method} {body}"));
    });
    for (status, seen) in [
        ("301 Moved Permanently", "GET "),
        ("302 Found", "GET "),
        ("303 See Other", "GET "),
        ("307 Temporary Redirect", "POST pay"),
        ("308 Permanent Redirect", "POST pay"),
    ] {
        let from = to(status, format!("http://{target}/"));
        let lines = format!(
            "{}expect: {{ body: \"{seen}\" }}\nthresholds: {{ redirects: {{ critical: outside 1..2 }} }}\n",
            lines(from, ", method: POST, body: pay")
        );
        assert_says(&lines, 0, "ok");
    }
}

#[test]
fn what_is_secret_does_not_go_to_another_host() {
    let seen = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&seen);
    let stranger = serve(move |asked, _, out| {
        asked.clone_into(&mut kept.lock().unwrap());
        respond(out, "200 OK", "", "");
    });
    let own = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&own);
    let first = serve(move |asked, n, out| {
        log.lock().unwrap().push(asked.to_owned());
        // To itself with a cookie, and then away.
        let location = match n % 2 {
            0 => "/next".to_owned(),
            _ => format!("http://localhost:{}/caught", stranger.port()),
        };
        let headers = format!("location: {location}\r\nset-cookie: s=cookie-9931; Path=/\r\n");
        respond(out, "307 Temporary Redirect", &headers, "");
    });
    let folder = Folder::new();
    let run = |more: &str| {
        folder.write(
            "checks/a.yaml",
            &format!(
                "every: 1m\ntimeout: 3s\nhttp:\n  url: http://{first}/\n  headers: {{ x-api-key: \"${{env:KEY}}\", x-own: \"${{env:KEY}}\", x-plain: fine }}\n  auth: {{ basic: {{ user: qa, password: \"${{env:KEY}}\" }} }}\n{more}"
            ),
        );
        let answer = program(folder.path())
            .arg("run")
            .env("KEY", "the-key-77120")
            .output()
            .unwrap();
        format!("{}{}", text(&answer.stdout), text(&answer.stderr))
    };
    let said = run("");
    let to_stranger = seen.lock().unwrap().to_lowercase();
    assert!(
        to_stranger.contains("get /caught") && to_stranger.contains("x-plain: fine"),
        "{said}"
    );
    for secret in ["authorization", "cookie", "x-api-key", "x-own", "the-key-77120"] {
        assert!(
            !to_stranger.contains(secret),
            "{secret} went along:\n{to_stranger}"
        );
    }
    let own = own.lock().unwrap().clone();
    assert!(
        own[1].contains("authorization: Basic") && own[1].contains("cookie: s=cookie-9931"),
        "{own:?}"
    );
    seen.lock().unwrap().clear();
    let said = run("  method: POST\n  form: { password: \"${env:KEY}\" }\n");
    assert!(
        said.contains("the secret in its body is not sent to another host"),
        "{said}"
    );
    assert_eq!(*seen.lock().unwrap(), "");
}
