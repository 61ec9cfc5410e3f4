//! Who may ask what, what is written down of it, and how much may be asked.

use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::support::{Folder, Running, Site, output, program, text};

/// Somebody who is not on this machine, as a proxy in front of haetae tells it.
const FROM_OUTSIDE: (&str, &str) = ("x-forwarded-for", "192.0.2.7");

fn client() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

async fn ask(
    running: &Running,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> Response {
    let mut request = client()
        .request(method, format!("http://{}{path}", running.address))
        .header(FROM_OUTSIDE.0, FROM_OUTSIDE.1);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.unwrap()
}

/// Makes a token with the program, as people do, beside the running server.
fn token(folder: &Folder, args: &[&str]) -> String {
    let made = output(folder.path(), &[&["token", "create"], args].concat());
    assert!(made.status.success(), "{}", text(&made.stderr));
    text(&made.stdout).trim().to_owned()
}

fn project(site: &Site) -> Folder {
    let folder = Folder::new();
    folder.with_alerts(site).write(
        "checks/shop.yaml",
        &format!(
            "every: 1h\ntimeout: 2s\ntags: [smoke]\nhttp: {{ url: {}/shop/login }}\n",
            site.shop()
        ),
    );
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_each_scope_opens_what_it_is_for_and_nothing_else() {
    let site = Site::start().await;
    let folder = project(&site);
    let running = Running::start(&folder).await;
    let tokens =
        ["read", "trigger", "operate", "admin"].map(|scope| (scope, token(&folder, &["--scope", scope])));
    let silence = json!({ "match": { "check": "x" }, "for": "1h", "reason": "r", "by": "kim" });
    let deployment = json!({ "match": { "check": "x" }, "quiet_for": "1m", "note": "n" });
    let run = json!({ "select": ["shop"] });
    for (method, path, body, may) in [
        (Method::GET, "/api/v1/checks", None, "read operate admin"),
        (Method::GET, "/metrics", None, "read operate admin"),
        (Method::GET, "/", None, "read operate admin"),
        (Method::GET, "/api/v1/runs", None, "read trigger operate admin"),
        (Method::POST, "/api/v1/runs", Some(run), "trigger operate admin"),
        (
            Method::POST,
            "/api/v1/deployments",
            Some(deployment),
            "trigger operate admin",
        ),
        (Method::POST, "/api/v1/silences", Some(silence), "operate admin"),
        (Method::GET, "/api/v1/audit", None, "admin"),
        (Method::POST, "/-/reload", None, "admin"),
    ] {
        let nobody = ask(&running, method.clone(), path, None, body.clone()).await;
        assert_eq!(nobody.status(), 401, "{path}");
        assert_eq!(nobody.headers()["www-authenticate"], "Bearer realm=\"haetae\"");
        assert_eq!(nobody.headers()["content-type"], "application/problem+json");
        for (scope, token) in &tokens {
            let answer = ask(&running, method.clone(), path, Some(token), body.clone()).await;
            if may.split(' ').any(|word| word == *scope) {
                assert!(
                    answer.status().is_success(),
                    "{method} {path} with {scope}: {}",
                    answer.status()
                );
                continue;
            }
            assert_eq!(answer.status(), 403, "{method} {path} with {scope}");
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
            assert!(challenge.contains("insufficient_scope"), "{challenge}");
            let problem: Value = answer.json().await.unwrap();
            let needed = may.split(' ').next().unwrap();
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("it needs the scope `"), "{detail}");
            assert!(
                detail.contains(&format!("`{needed}`")) || path.ends_with("runs"),
                "{detail}"
            );
        }
    }
    // What is open stays so, and this machine needs no token.
    for path in ["/healthz", "/readyz", "/style.css", "/api/openapi.json", "/login"] {
        assert_eq!(
            ask(&running, Method::GET, path, None, None).await.status(),
            200,
            "{path}"
        );
    }
    assert_eq!(running.get("/api/v1/audit").await.0, 200);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_holds_at_once_and_no_longer_than_it_should() {
    let site = Site::start().await;
    let folder = project(&site);
    let running = Running::start(&folder).await;
    let jenkins = token(&folder, &["--scope", "read", "--name", "jenkins"]);
    let brief = token(
        &folder,
        &["--scope", "read", "--name", "brief", "--expires", "1s"],
    );
    let status = async |token: &str| {
        ask(&running, Method::GET, "/api/v1/checks", Some(token), None)
            .await
            .status()
    };
    assert_eq!(status(&jenkins).await, 200);
    let again = output(
        folder.path(),
        &["token", "create", "--scope", "read", "--name", "jenkins"],
    );
    assert_eq!(again.status.code(), Some(64));
    assert!(text(&again.stderr).contains("there is a token `jenkins` already"));
    let listed = text(&output(folder.path(), &["token", "list"]).stdout);
    assert!(
        listed.contains("jenkins") && listed.contains("brief") && !listed.contains(&jenkins),
        "{listed}"
    );
    let until = tokio::time::Instant::now() + crate::support::PATIENCE;
    while status(&brief).await != 401 {
        assert!(
            tokio::time::Instant::now() < until,
            "a token goes on after its end"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        output(folder.path(), &["token", "revoke", "jenkins"])
            .status
            .code(),
        Some(0)
    );
    let refused = ask(&running, Method::GET, "/api/v1/checks", Some(&jenkins), None).await;
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("invalid_token"), "{challenge}");
    assert_eq!(
        output(folder.path(), &["token", "revoke", "jenkins"])
            .status
            .code(),
        Some(64)
    );
    // The store knows no token, only digests.
    running.stop().await;
    for file in std::fs::read_dir(folder.path().join("data")).unwrap().flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        let found = bytes
            .windows(jenkins.len())
            .any(|window| window == jenkins.as_bytes());
        assert!(!found, "{} holds a token", file.path().display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_log_ins_are_bounded_and_lock_out_nobody_who_has_a_token() {
    let site = Site::start().await;
    let folder = project(&site);
    let running = Running::start(&folder).await;
    let good = token(&folder, &["--scope", "read"]);
    let mut statuses = Vec::new();
    for n in 0..15 {
        let guess = format!("haetae_{n}");
        let answer = ask(&running, Method::GET, "/api/v1/checks", Some(&guess), None).await;
        statuses.push(answer.status().as_u16());
        if statuses.last() == Some(&429) {
            assert!(answer.headers().contains_key("retry-after"));
        }
    }
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[14], 429, "{statuses:?}");
    assert_eq!(
        ask(&running, Method::GET, "/api/v1/checks", Some(&good), None)
            .await
            .status(),
        200
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_browser_a_token_is_typed_once_and_kept_from_scripts_and_other_sites() {
    let site = Site::start().await;
    let folder = project(&site);
    let running = Running::start(&folder).await;
    let token = token(&folder, &["--scope", "read"]);
    let base = format!("http://{}", running.address);
    let browser = client();
    let page = |path: &str| {
        browser
            .get(format!("{base}{path}"))
            .header(FROM_OUTSIDE.0, FROM_OUTSIDE.1)
            .header("accept", "text/html")
    };
    let sent = page("/checks/shop").send().await.unwrap();
    assert_eq!(sent.status(), 303);
    assert_eq!(sent.headers()["location"], "/login?next=%2Fchecks%2Fshop");
    let form = page("/login?next=%2Fchecks%2Fshop")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        form.contains("type=\"password\"") && form.contains("value=\"/checks/shop\""),
        "{form}"
    );
    let type_in = |token: &str| {
        browser
            .post(format!("{base}/login"))
            .header(FROM_OUTSIDE.0, FROM_OUTSIDE.1)
            .form(&[("token", token), ("next", "/checks/shop")])
            .send()
    };
    let wrong = type_in("haetae_wrong").await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(wrong.text().await.unwrap().contains("This token is not known"));
    let right = type_in(&token).await.unwrap();
    assert_eq!(
        (
            right.status().as_u16(),
            &right.headers()["location"].to_str().unwrap()
        ),
        (303, &"/checks/shop")
    );
    let cookie = right.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let pair = cookie.split(';').next().unwrap().to_owned();
    let shown = page("/checks/shop").header("cookie", &pair).send().await.unwrap();
    assert_eq!(shown.status(), 200);
    // A page of another site gets nothing done with it.
    let forged = browser
        .post(format!("{base}/api/v1/silences"))
        .header(FROM_OUTSIDE.0, FROM_OUTSIDE.1)
        .header("cookie", &pair)
        .header("origin", "https://evil.example")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(forged.status(), 403);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_written_down_with_who_what_and_from_where() {
    let site = Site::start().await;
    let folder = project(&site);
    let running = Running::start(&folder).await;
    let oncall = token(&folder, &["--scope", "operate", "--name", "kim-phone"]);
    let silence = json!({ "match": { "check": "x" }, "for": "1h", "reason": "bank moves", "by": "kim" });
    let made = ask(
        &running,
        Method::POST,
        "/api/v1/silences",
        Some(&oncall),
        Some(silence),
    )
    .await;
    let made: Value = made.json().await.unwrap();
    let id = made["silence"]["id"].as_str().unwrap().to_owned();
    let ended = client()
        .delete(format!("http://{}/api/v1/silences/{id}", running.address))
        .send()
        .await
        .unwrap();
    assert_eq!(ended.status(), 200);
    // What is refused changes nothing, and is not written down.
    let refused = ask(
        &running,
        Method::POST,
        "/api/v1/silences",
        Some(&oncall),
        Some(json!({ "by": "kim" })),
    )
    .await;
    assert_eq!(refused.status(), 400);
    let log = running.json("/api/v1/audit").await;
    let entries = log["entries"].as_array().unwrap();
    let line = |n: usize| {
        let entry = &entries[n];
        let word = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
        [
            word("who"),
            word("by"),
            word("address"),
            word("what"),
            word("target"),
        ]
        .join(" ")
    };
    assert_eq!(entries.len(), 3, "{log:#}");
    assert_eq!(
        line(0),
        format!("local - 127.0.0.1 end silence /api/v1/silences/{id}")
    );
    assert_eq!(line(1), "kim-phone kim 192.0.2.7 silence /api/v1/silences");
    assert_eq!(entries[1]["detail"]["reason"], "bank moves");
    assert!(
        line(2).starts_with("local ") && line(2).ends_with("- create token kim-phone"),
        "{}",
        line(2)
    );
    let page = running.json("/api/v1/audit?limit=2").await;
    let next = page["next"].as_str().unwrap();
    let rest = running.json(&format!("/api/v1/audit?limit=2&after={next}")).await;
    assert_eq!(rest["entries"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next"], Value::Null);
    running.stop().await;
}

#[test]
fn off_loopback_haetae_starts_only_with_a_token_or_when_told_so() {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        "every: 1h\ntimeout: 1s\nhttp: { url: \"http://127.0.0.1:1/\" }\n",
    );
    folder.write("alerts/a.yaml", "routes: [{ name: none, to: [] }]\n");
    let refused = output(folder.path(), &["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(64));
    let said = text(&refused.stderr);
    assert!(
        said.contains("haetae token create") && said.contains("--insecure"),
        "{said}"
    );
    let _ = token(&folder, &["--scope", "read"]);
    let mut child = program(folder.path())
        .args(["serve", "--listen", "0.0.0.0:0"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let started = std::io::BufRead::lines(stderr).any(|line| line.unwrap().contains("haetae is watching"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(started);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_on_have_tags_and_filters() {
    let site = Site::start().await;
    let folder = project(&site);
    for n in 0..5 {
        folder.write(
            &format!("checks/many/c{n}.yaml"),
            &format!(
                "every: 100ms\ntimeout: 2s\nhttp: {{ url: {}/shop/login }}\n",
                site.shop()
            ),
        );
    }
    let running = Running::start(&folder).await;
    let mut path = "/api/v1/checks?group=many&limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = running.json(&path).await;
        let ids = page["checks"].as_array().unwrap().iter();
        seen.extend(ids.map(|check| check["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/checks?group=many&limit=2&after={next}");
    }
    assert_eq!(seen, ["many/c0", "many/c1", "many/c2", "many/c3", "many/c4"]);
    assert_eq!(
        running.json("/api/v1/checks?tag=smoke").await["checks"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // Results: the pages together are what one page holds, and `since` cuts off.
    let all = running
        .wait("/api/v1/results?check=many/c0", "five runs", |answer| {
            answer["results"].as_array().unwrap().len() >= 5
        })
        .await;
    let newest = all["results"][0]["started"].as_str().unwrap().to_owned();
    let oldest = all["results"].as_array().unwrap().last().unwrap()["started"].clone();
    let first = running.json("/api/v1/results?check=many/c0&limit=3").await;
    let after = first["next"].as_str().unwrap();
    let second = running
        .json(&format!("/api/v1/results?check=many/c0&limit=1000&after={after}"))
        .await;
    let second = second["results"].as_array().unwrap();
    assert!(second[0]["started"].as_str() < first["results"][2]["started"].as_str());
    assert_eq!(second.last().unwrap()["started"], oldest);
    let since = running
        .json(&format!("/api/v1/results?check=many/c0&since={newest}"))
        .await;
    assert!(
        since["results"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["started"].as_str() >= Some(newest.as_str()))
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_has_not_changed_is_not_sent_again() {
    let site = Site::start().await;
    let folder = project(&site);
    let running = Running::start(&folder).await;
    let url = format!("http://{}/api/v1/silences", running.address);
    let first = client().get(&url).send().await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let again = client()
        .get(&url)
        .header("if-none-match", &tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    assert!(again.bytes().await.unwrap().is_empty());
    let silence = json!({ "match": { "check": "x" }, "for": "1h", "reason": "r", "by": "kim" });
    client().post(&url).json(&silence).send().await.unwrap();
    let changed = client()
        .get(&url)
        .header("if-none-match", &tag)
        .send()
        .await
        .unwrap();
    assert_eq!(changed.status(), 200);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_bounds_is_refused_with_a_reason() {
    let site = Site::start().await;
    let folder = project(&site);
    let running = Running::start(&folder).await;
    for (path, detail) in [
        ("/api/v1/checks?limit=0", "`limit` is 1 at least"),
        ("/api/v1/checks?limit=x", "invalid digit"),
        ("/api/v1/checks?level=bad", "is not a level"),
        ("/api/v1/results", "missing field `check`"),
        (
            "/api/v1/results?check=a&since=yesterday",
            "since: failed to parse",
        ),
    ] {
        let (status, said) = running.get(path).await;
        assert!(status == 400 && said.contains(detail), "{path}: {status} {said}");
    }
    let large = json!({ "select": ["x".repeat(300 * 1024)] });
    let refused = client()
        .post(format!("http://{}/api/v1/runs", running.address))
        .json(&large)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 413);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_much_is_told_when_to_come_back_and_others_are_answered() {
    let site = Site::start().await;
    let folder = project(&site);
    let running = Running::start(&folder).await;
    let (client, url) = (client(), format!("http://{}/login", running.address));
    let mut refused = None;
    for _ in 0..3_000 {
        let answer = client.get(&url).send().await.unwrap();
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("there is no limit");
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(wait >= 1);
    assert_eq!(
        ask(&running, Method::GET, "/login", None, None).await.status(),
        200,
        "others are not concerned"
    );
    assert_eq!(
        running.get("/healthz").await.0,
        200,
        "whoever watches haetae is always answered"
    );
    running.stop().await;
}
