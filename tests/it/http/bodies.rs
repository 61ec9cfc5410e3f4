//! Bodies that are packed, damaged, too large, or in another character set; and what is shown
//! of them.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Stdio;

use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::{Compress, Compression, FlushCompress};

use super::{assert_says, check, respond, serve};
use crate::faults::{Bad, bad};
use crate::support::{Folder, program};

/// Answers everybody with these headers and this body.
fn answering(headers: &'static str, body: Vec<u8>) -> SocketAddr {
    serve(move |_, _, out| {
        let length = body.len();
        let _ = write!(
            out,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n"
        );
        let _ = out.write_all(&body);
    })
}

fn lines(address: SocketAddr, expect: &str) -> String {
    format!("timeout: 3s\nhttp: {{ url: \"http://{address}/\" }}\nexpect: {expect}\n")
}

#[test]
fn packed_bodies_are_unpacked() {
    let text = b"all is well here";
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text).unwrap();
    let mut deflate = ZlibEncoder::new(Vec::new(), Compression::default());
    deflate.write_all(text).unwrap();
    let brotli = [&b"\x0b\x02\x80"[..], b"hello", b"\x03"].concat();
    for (headers, body, expect) in [
        (
            "content-encoding: gzip\r\n",
            gzip.finish().unwrap(),
            "{ body: all is well here }",
        ),
        (
            "content-encoding: deflate\r\n",
            deflate.finish().unwrap(),
            "{ body: all is well here }",
        ),
        ("content-encoding: br\r\n", brotli, "{ body: hello }"),
        (
            "content-encoding: identity\r\n",
            text.to_vec(),
            "{ body: all is well here }",
        ),
    ] {
        assert_says(&lines(answering(headers, body), expect), 0, "ok");
    }
    let head = serve(|_, _, out| {
        let _ = out.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 40\r\nconnection: close\r\n\r\n",
        );
    });
    let lines = format!("timeout: 3s\nhttp: {{ url: \"http://{head}/\", method: HEAD }}\n");
    assert_says(&lines, 0, "ok");
}

#[test]
fn a_body_that_is_not_packed_as_it_says_is_told() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&b"all is well here ".repeat(50)).unwrap();
    let mut short = gzip.finish().unwrap();
    short.truncate(short.len() - 12);
    for body in [b"this is plain text".to_vec(), short] {
        let lying = answering("content-encoding: gzip\r\n", body);
        assert_says(
            &lines(lying, "{ status: 200 }"),
            2,
            "is not packed as its Content-Encoding says, or is damaged",
        );
    }
    let unknown = answering("content-encoding: zstd\r\n", b"\x28\xb5\x2f\xfd\0\0\0\0".to_vec());
    assert_says(&lines(unknown, "{ body: well }"), 2, "no text: 8 bytes");
}

/// 1 GiB of zeros in 1 MB: the same block again and again.
fn bomb() -> Vec<u8> {
    let zeros = vec![0; 1024 * 1024];
    let mut deflate = Compress::new(Compression::default(), false);
    let mut block = Vec::with_capacity(64 * 1024);
    deflate
        .compress_vec(&zeros, &mut block, FlushCompress::Full)
        .unwrap();
    assert_eq!(deflate.total_in(), zeros.len() as u64);
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    [&header[..], &block.repeat(1024)].concat()
}

fn peak_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_gzip_bomb_ends_at_max_body_in_little_memory() {
    let packed = bomb();
    assert!((900_000..1_500_000).contains(&packed.len()), "{}", packed.len());
    let address = answering("content-encoding: gzip\r\n", packed);
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 20s\nhttp: {{ url: \"http://{address}/\" }}\n"),
    );
    let mut process = program(folder.path())
        .arg("run")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while process.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(process.id()).unwrap_or(0));
        std::thread::yield_now();
    }
    let answer = process.wait_with_output().unwrap();
    let said = crate::support::text(&answer.stdout);
    assert!(said.contains("larger than `max_body` (10485760 bytes)"), "{said}");
    assert!(peak > 0 && peak < 64 * 1024, "{peak} KiB");
    eprintln!("peak of the program while it reads the bomb: {peak} KiB");
}

#[test]
fn an_endless_packed_body_ends_too() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"x").unwrap();
    let start = [
        &b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n"[..],
        &gzip.finish().unwrap(),
    ]
    .concat();
    let endless = bad(Bad::Stall(start));
    let (code, said) = check(&format!(
        "timeout: 500ms\nhttp: {{ url: \"http://{endless}/\" }}\n"
    ));
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn korean_in_its_old_encoding_is_read_wherever_it_is_named() {
    let korean = |text: &str| encoding_rs::EUC_KR.encode(text).0.into_owned();
    for (headers, body) in [
        (
            "content-type: text/plain; charset=euc-kr\r\n",
            korean("안녕하세요"),
        ),
        (
            "content-type: text/html\r\n",
            korean("<meta charset=euc-kr><p>안녕하세요"),
        ),
        ("", "\u{feff}안녕하세요".into()),
    ] {
        let address = answering(headers, body);
        assert_says(&lines(address, "{ body: { contains: 안녕 } }"), 0, "ok");
    }
    let wrong = answering(
        "content-type: text/plain; charset=utf-8\r\n",
        korean("안녕하세요"),
    );
    assert_says(
        &lines(wrong, "{ status: 200 }"),
        0,
        "the answer is not UTF-8, which it says it is; it may be EUC-KR",
    );
}

#[test]
fn the_smallest_useful_excerpt_is_shown() {
    let json = serve(|_, _, out| {
        let body = format!(
            r#"{{"noise":"{}","db":{{"state":"DOWN","pool":3}}}}"#,
            "x".repeat(2_000)
        );
        respond(out, "200 OK", "content-type: application/json\r\n", &body);
    });
    assert_says(
        &lines(json, "{ json: { $.db.state: UP } }"),
        2,
        r#"$.db is {"pool": 3, "state": "DOWN"}"#,
    );
    let page = serve(|_, _, out| {
        let body = "<html><head><title>Shop</title></head><body><script>x()</script><h1>Back soon</h1></body></html>";
        respond(out, "503 Busy", "content-type: text/html\r\n", body);
    });
    assert_says(&lines(page, "{ status: 200 }"), 2, "Shop Back soon");
}
