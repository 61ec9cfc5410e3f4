//! gRPC health checks, against gRPC's own C core (through Python) and against servers that
//! misbehave.

use std::net::SocketAddr;

use crate::faults::{Authority, Bad, Certificate, WRONG, bad, issue, refused, tls_echo};
use crate::peers::{nginx, python};
use crate::servers::Server;
use crate::support::{Folder, run_all};

/// The health service written out: a request is one string (field 1), an answer one number.
const SERVER: &str = r#"
import sys, time
from concurrent import futures
import grpc

HEALTH = {"": 1, "shop.Orders": 1, "shop.Mail": 2, "shop.New": 0}

def check(request, context):
    name = request[2:].decode() if request else ""
    metadata = dict(context.invocation_metadata())
    if name == "shop.Secret" and metadata.get("authorization") != "Bearer open-sesame-77":
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
    if name == "shop.Secret":
        return b"\x08\x01"
    if name == "shop.Hangs":
        time.sleep(30)
    if name == "shop.Busy":
        context.abort(grpc.StatusCode.UNAVAILABLE, "draining")
    if name == "shop.Loud":
        return b"\x08\x01" + b"\x12\x80\x80\x08" + b"x" * 131072
    if name == "shop.Strange":
        return b"\xff\xff\xff"
    if name not in HEALTH:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return bytes([8, HEALTH[name]]) if HEALTH[name] else b""

server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
if len(sys.argv) < 5:
    handler = grpc.unary_unary_rpc_method_handler(check)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),))
address = "127.0.0.1:" + sys.argv[1]
if len(sys.argv) == 4:
    chain, key = open(sys.argv[2], "rb").read(), open(sys.argv[3], "rb").read()
    server.add_secure_port(address, grpc.ssl_server_credentials([(key, chain)]))
else:
    server.add_insecure_port(address)
server.start()
server.wait_for_termination()
"#;

fn server() -> Server {
    python(SERVER, &[])
}

fn check(address: SocketAddr, settings: &str, rest: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 800ms\nvars: {{ token: open-sesame-77 }}\ngrpc: {{ address: \"{address}\"{settings} }}\n{rest}"),
    );
    let (code, said, _) = run_all(&folder);
    (code, said)
}

#[test]
fn a_healthy_server_and_service_are_measured() {
    let server = server();
    let thresholds =
        "thresholds: { connect_time: { critical: above 500ms }, response_time: { critical: above 700ms } }\n";
    for settings in [
        "",
        ", service: shop.Orders",
        ", service: shop.Secret, metadata: { authorization: \"Bearer ${vars.token}\" }",
    ] {
        let (code, said) = check(server.address, settings, thresholds);
        assert_eq!(code, Some(0), "{settings}: {said}");
    }
}

#[test]
fn every_other_answer_is_told_as_what_it_is() {
    let server = server();
    for (service, part) in [
        (
            "shop.Mail",
            "the health of `shop.Mail` is NOT_SERVING, expected SERVING",
        ),
        (
            "shop.New",
            "the health of `shop.New` is UNKNOWN, expected SERVING",
        ),
        ("shop.None", "the server's health check does not know `shop.None`"),
        (
            "shop.Secret",
            "the health of `shop.Secret` is not told: UNAUTHENTICATED, who are you?",
        ),
        (
            "shop.Busy",
            "the health of `shop.Busy` is not told: UNAVAILABLE, draining",
        ),
        (
            "shop.Hangs",
            "did not answer grpc.health.v1.Health/Check within 800ms (connected)",
        ),
        ("shop.Loud", "the health of `shop.Loud` is not told: OUT_OF_RANGE"),
        (
            "shop.Strange",
            "the health of `shop.Strange` is not told: INTERNAL",
        ),
    ] {
        let (code, said) = check(server.address, &format!(", service: {service}"), "");
        assert!(
            code == Some(2) && said.contains(part),
            "wanted {part}: {code:?} {said}"
        );
    }
    let without = python(SERVER, &["no", "health", "service"]);
    let (code, said) = check(without.address, "", "");
    assert!(
        code == Some(2) && said.contains("the server has no health check (grpc.health.v1.Health)"),
        "{said}"
    );
}

#[test]
fn another_status_can_be_expected() {
    let server = server();
    let down = ", service: shop.Mail";
    let (code, said) = check(server.address, down, "expect: { status: NOT_SERVING }\n");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check(
        server.address,
        down,
        "expect: { status: { one_of: [SERVING, UNKNOWN] } }\n",
    );
    assert!(
        code == Some(2) && said.contains("the health of `shop.Mail` is \"NOT_SERVING\", expected one of"),
        "{said}"
    );
    let (code, said) = check(
        server.address,
        ", service: shop.None",
        "expect: { status: NOT_FOUND }\n",
    );
    assert_eq!(code, Some(0), "{said}");
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
                "every: 1m\ntimeout: 2s\ngrpc: {{ address: \"localhost:{port}\", tls: true, ca: \"${{file:ca.pem}}\" }}\n\
                 thresholds: {{ certificate_left: {{ critical: below 7d }} }}\n"
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
    // A web server that speaks HTTP/2, but not gRPC.
    let web = nginx(&good, "");
    let (code, said) = run(web.address.port());
    assert!(code == Some(2) && said.contains("404 Not Found"), "{said}");
}

#[test]
fn every_fault_ends_in_time_and_is_told() {
    let says = |address: SocketAddr, part: &str| {
        let (code, said) = check(address, "", "");
        assert!(
            code == Some(2) && said.contains(part),
            "wanted {part}: {code:?} {said}"
        );
    };
    let late = "did not answer grpc.health.v1.Health/Check within 800ms (connected)";
    says(refused(), "connection refused");
    says(bad(Bad::Reset), "127.0.0.1:");
    says(bad(Bad::Close), "127.0.0.1:");
    says(bad(Bad::Silent), late);
    // The beginning of an empty SETTINGS frame.
    says(bad(Bad::Half(vec![0, 0, 0, 4, 0])), "127.0.0.1:");
    says(bad(Bad::Stall(vec![0, 0, 0, 4, 0, 0, 0, 0, 0])), late);
    says(bad(Bad::Drip(vec![0, 0, 0], 4)), "127.0.0.1:");
    let http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec();
    says(
        bad(Bad::Stall(http.clone())),
        "does not speak gRPC (HTTP/2) as it should",
    );
    says(
        bad(Bad::Endless(Vec::new(), http)),
        "does not speak gRPC (HTTP/2) as it should",
    );
}
