//! Tokens by client credentials, from an endpoint of the test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{respond, serve};
use crate::faults::{Bad, bad, refused};
use crate::support::{Folder, program, text};

const SECRET: &str = "the-client-secret-5521";

/// Gives out tokens by number, and counts them; `look` judges the request.
fn endpoint(look: impl Fn(&str) + Send + Sync + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let address = serve(move |asked, _, out| {
        look(asked);
        let number = counted.fetch_add(1, Ordering::SeqCst);
        let body =
            format!(r#"{{"access_token":"issued-token-{number}","token_type":"Bearer","expires_in":3600}}"#);
        respond(out, "200 OK", "content-type: application/json\r\n", &body);
    });
    (address, count)
}

fn lines(api: SocketAddr, endpoint: SocketAddr, more: &str) -> String {
    format!(
        "every: 1m\ntimeout: 2s\nhttp:\n  url: http://{api}/\n  auth: {{ oauth2: {{ token_url: \"http://{endpoint}/token\", client_id: haetae, client_secret: \"${{env:CLIENT_SECRET}}\"{more} }} }}\n"
    )
}

fn run(folder: &Folder) -> (Option<i32>, String) {
    let json = folder.path().join("r.json");
    let answer = program(folder.path())
        .args(["run", "--json", json.to_str().unwrap()])
        .env("CLIENT_SECRET", SECRET)
        .output()
        .unwrap();
    let report = std::fs::read_to_string(json).unwrap_or_default();
    let said = format!("{}{}{report}", text(&answer.stdout), text(&answer.stderr));
    assert!(
        !said.contains("issued-token-") && !said.contains(SECRET),
        "{said}"
    );
    (answer.status.code(), said)
}

fn run_one(lines: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    folder.write("checks/a.yaml", lines);
    run(&folder)
}

#[test]
fn one_token_serves_many_checks_and_is_shown_nowhere() {
    let (endpoint, count) = endpoint(|asked| {
        // RFC 6749 §2.3.1 and §4.4.2; the header is that of haetae:the-client-secret-5521.
        assert!(asked.starts_with("POST /token HTTP/1.1\r\n"), "{asked}");
        let header = "authorization: Basic aGFldGFlOnRoZS1jbGllbnQtc2VjcmV0LTU1MjE=\r\n";
        assert!(asked.contains(header), "{asked}");
        assert!(
            asked.ends_with("grant_type=client_credentials&scope=read+write&audience=api&tenant=a%26b"),
            "{asked}"
        );
    });
    let api = serve(|asked, _, out| {
        let token = asked
            .lines()
            .find_map(|line| line.strip_prefix("authorization: Bearer "))
            .unwrap_or("none");
        // An API that shows what it got.
        respond(
            out,
            "500 Oh",
            "content-type: text/plain\r\n",
            &format!("I got {token}"),
        );
    });
    let folder = Folder::new();
    let more = ", scope: read write, audience: api, params: { tenant: a&b }";
    for name in ["a", "b", "c", "d", "e"] {
        folder.write(&format!("checks/{name}.yaml"), &lines(api, endpoint, more));
    }
    let (code, said) = run(&folder);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("I got •••"), "{said}");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refused_token_is_thrown_away_and_the_api_asked_once_more() {
    let (endpoint, count) = endpoint(|asked| {
        assert!(
            asked.contains("client_id=haetae&client_secret=the-client-secret-5521"),
            "{asked}"
        );
        assert!(!asked.contains("authorization:"), "{asked}");
    });
    let api = serve(|asked, _, out| match asked.contains("Bearer issued-token-0") {
        true => respond(out, "401 Unauthorized", "", ""),
        false => respond(out, "200 OK", "", ""),
    });
    let (code, said) = run_one(&lines(api, endpoint, ", credentials: body"));
    assert_eq!((code, count.load(Ordering::SeqCst)), (Some(0), 2), "{said}");
    let never = serve(|_, _, out| respond(out, "401 Unauthorized", "", ""));
    let (code, said) = run_one(&lines(never, endpoint, ", credentials: body"));
    assert!(said.contains("status is 401") && code == Some(2), "{said}");
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[test]
fn what_is_wrong_with_the_endpoint_is_told_as_its_fault() {
    let api = serve(|_, _, out| respond(out, "200 OK", "", ""));
    let answering = |status: &'static str, body: &'static str| {
        serve(move |_, _, out| respond(out, status, "content-type: application/json\r\n", body))
    };
    for (endpoint, part) in [
        (
            answering(
                "401 Unauthorized",
                r#"{"error":"invalid_client","error_description":"no such client"}"#,
            ),
            "it answers 401 `invalid_client` (no such client)",
        ),
        (answering("503 Busy", "<html>"), "it answers 503"),
        (answering("302 Found", ""), "it answers 302"),
        (answering("200 OK", "{}"), "its answer has no `access_token`"),
        (answering("200 OK", "no json"), "its answer has no `access_token`"),
        (
            answering("200 OK", r#"{"access_token":"x","token_type":"mac"}"#),
            "its token is of the type `mac`, and only `bearer` can be sent",
        ),
        (refused(), "connection refused by 127.0.0.1"),
        (bad(Bad::Silent), "did not answer within"),
        (bad(Bad::Close), "127.0.0.1"),
    ] {
        let lines = lines(api, endpoint, "").replace("timeout: 2s", "timeout: 700ms");
        let (code, said) = run_one(&lines);
        let named = format!("the token endpoint http://{endpoint}/token gives no token: ");
        assert!(
            said.contains(&named) && said.contains(part),
            "{named}{part}\n{said}"
        );
        assert_eq!(code, Some(2), "{said}");
    }
}
