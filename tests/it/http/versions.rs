//! HTTP/2 and client certificates against nginx.

use std::path::Path;
use std::process::Command;

use super::check_in;
use crate::faults::{Authority, Certificate, issue};
use crate::servers::{Server, program_of};
use crate::support::{Folder, run_all};

/// nginx with a certificate by the authority; `more` stands in its server block.
pub fn nginx(authority: &Authority, listen: &str, more: &str) -> Server {
    let issued = issue(authority, Certificate::Good);
    Server::start(|port, dir: &Path| {
        std::fs::write(dir.join("chain.pem"), issued.chain_pem()).unwrap();
        std::fs::write(dir.join("key.pem"), issued.key_pem()).unwrap();
        std::fs::write(dir.join("ca.pem"), &authority.pem).unwrap();
        let folder = dir.display();
        let conf = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} {listen};
    ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
    {more}
  }}
}}
"
        );
        std::fs::write(dir.join("nginx.conf"), conf).unwrap();
        let mut command = Command::new(program_of("nginx"));
        command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf"));
        command
    })
}

fn version(folder: &Folder, url: &str, more: &str) -> String {
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 3s\nhttp: {{ url: \"{url}\", ca: \"${{file:ca.pem}}\"{more} }}\n"),
    );
    let (code, said, report) = run_all(folder);
    let facts = report["runs"][0]["run"]["outcome"]["evidence"]["facts"].clone();
    let status = facts
        .as_array()
        .into_iter()
        .flatten()
        .find(|fact| fact[0] == "status")
        .map(|fact| fact[1].as_str().unwrap().to_owned());
    status.unwrap_or_else(|| format!("{code:?} {said}"))
}

#[test]
fn http2_is_agreed_on_or_forced() {
    let authority = Authority::new();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let both = nginx(&authority, "ssl http2", "location / { return 200 fine; }");
    let old = nginx(&authority, "ssl", "location / { return 200 fine; }");
    let clear = nginx(&authority, "http2", "location / { return 200 fine; }");
    let url = |server: &Server| format!("https://localhost:{}/", server.address.port());
    assert_eq!(version(&folder, &url(&both), ""), "HTTP/2.0 200 OK");
    assert_eq!(
        version(&folder, &url(&both), ", http_version: 1.1"),
        "HTTP/1.1 200 OK"
    );
    assert_eq!(
        version(&folder, &url(&both), ", http_version: 2"),
        "HTTP/2.0 200 OK"
    );
    assert_eq!(version(&folder, &url(&old), ""), "HTTP/1.1 200 OK");
    let prior = format!("http://{}/", clear.address);
    assert_eq!(version(&folder, &prior, ", http_version: 2"), "HTTP/2.0 200 OK");
    let refused = version(&folder, &url(&old), ", http_version: 2");
    assert!(refused.contains("Some(2)"), "{refused}");
}

#[test]
fn client_certificates_are_shown_and_their_lack_is_told() {
    let authority = Authority::new();
    let server = nginx(
        &authority,
        "ssl",
        "ssl_client_certificate ca.pem; ssl_verify_client on; location / { return 200 $ssl_client_verify; }",
    );
    let folder = Folder::new();
    let own = issue(&authority, Certificate::Good);
    let strange = issue(&Authority::new(), Certificate::UnknownAuthority);
    folder
        .write("ca.pem", &authority.pem)
        .write("own.pem", &own.chain_pem())
        .write("own.key", &own.key_pem())
        .write("strange.pem", &strange.chain_pem())
        .write("strange.key", &strange.key_pem());
    let port = server.address.port();
    let run = |certificate: &str| {
        let lines = format!(
            "timeout: 3s\nhttp: {{ url: \"https://localhost:{port}/\", ca: \"${{file:ca.pem}}\"{certificate} }}\nexpect: {{ body: SUCCESS }}\n"
        );
        check_in(&folder, &lines)
    };
    let with = |name: &str| {
        format!(
            ", client_certificate: {{ certificate: \"${{file:{name}.pem}}\", key: \"${{file:{name}.key}}\" }}"
        )
    };
    let (code, said) = run(&with("own"));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run("");
    assert!(
        said.contains("No required SSL certificate was sent") && code == Some(2),
        "{said}"
    );
    let (code, said) = run(&with("strange"));
    assert!(
        said.contains("The SSL certificate error") && code == Some(2),
        "{said}"
    );
}
