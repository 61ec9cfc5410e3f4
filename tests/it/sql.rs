//! SQL checks against real databases and bad ones.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};
use serde_json::Value;
use sqlx::{Connection, Executor};

use crate::faults::{Authority, Bad, Certificate, WRONG, bad, issue, refused};
use crate::servers::{Server, program_of};
use crate::support::{Folder, PATIENCE, run_all};

const PASSWORD: &str = "a-password-of-the-test/with?signs";

/// One run of one check: exit code, all that was said, the first run's outcome.
fn run(folder: &Folder, lines: &str) -> (Option<i32>, String, Value) {
    folder.write("pw.txt", PASSWORD);
    folder.write("checks/a.yaml", &format!("every: 1m\n{lines}"));
    let (code, said, report) = run_all(folder);
    assert!(!said.contains(PASSWORD), "the password is shown: {said}");
    (code, said, report["runs"][0]["run"]["outcome"].clone())
}

fn sql(url: &str, query: &str, more: &str) -> String {
    format!(
        "timeout: 3s\nsql: {{ url: \"{url}\", password: \"${{file:pw.txt}}\", query: \"{query}\" }}\n{more}"
    )
}

fn number(outcome: &Value, name: &str) -> Option<f64> {
    outcome["measurements"][name]["value"].as_f64()
}

/// As the user that a server wants, when the tests are root.
fn as_user(user: &str, program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    command.arg(program);
    command
}

fn give_to(user: &str, paths: &[&Path]) {
    if rustix::process::geteuid().is_root() {
        let done = Command::new("chown").arg("-R").arg(user).args(paths).status();
        assert!(done.unwrap().success());
    }
}

fn done(command: &mut Command) {
    let answer = command.output().unwrap();
    assert!(
        answer.status.success(),
        "{command:?}:\n{}",
        String::from_utf8_lossy(&answer.stderr)
    );
}

fn postgres_program(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("postgresql is not installed; run scripts/install-test-servers.sh")
        .map(|entry| entry.unwrap().path())
        .collect();
    versions.sort();
    versions.pop().unwrap().join("bin").join(name)
}

fn postgres(authority: &Authority) -> Server {
    let issued = issue(authority, Certificate::Good);
    let server = Server::start(|port, dir| {
        let data = dir.join("data");
        std::fs::create_dir(&data).unwrap();
        done(Command::new("chmod").arg("755").arg(dir));
        give_to("postgres", &[&data]);
        done(
            as_user("postgres", &postgres_program("initdb"))
                .args([
                    "-A",
                    "scram-sha-256",
                    "-U",
                    "owner",
                    "--no-sync",
                    "--pwfile=/dev/stdin",
                    "-D",
                ])
                .arg(&data)
                .stdin(password_file(dir)),
        );
        std::fs::write(data.join("server.pem"), issued.chain_pem()).unwrap();
        std::fs::write(data.join("server.key"), issued.key_pem()).unwrap();
        done(Command::new("chmod").arg("600").arg(data.join("server.key")));
        give_to("postgres", &[&data]);
        let setup = format!(
            "CREATE ROLE checker LOGIN PASSWORD '{PASSWORD}'\nCREATE ROLE busy LOGIN CONNECTION LIMIT 0 PASSWORD '{PASSWORD}'\nCREATE TABLE jobs (id int, note text)\nINSERT INTO jobs SELECT n, 'job' FROM generate_series(1, 3) n\nGRANT ALL ON jobs TO checker\nCREATE TABLE hidden (id int)\n"
        );
        std::fs::write(dir.join("setup.sql"), setup).unwrap();
        done(
            as_user("postgres", &postgres_program("postgres"))
                .args(["--single", "-D"])
                .arg(&data)
                .arg("postgres")
                .stdin(std::fs::File::open(dir.join("setup.sql")).unwrap()),
        );
        let mut command = as_user("postgres", &postgres_program("postgres"));
        command.arg("-D").arg(&data);
        for setting in [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".into(),
            format!("unix_socket_directories={}", data.display()),
            "fsync=off".into(),
            "ssl=on".into(),
            "ssl_cert_file=server.pem".into(),
            "ssl_key_file=server.key".into(),
        ] {
            command.args(["-c", &setting]);
        }
        command
    });
    wait_until_ready(&format!(
        "postgres://checker@127.0.0.1:{}/postgres",
        server.address.port()
    ));
    server
}

fn password_file(dir: &Path) -> Stdio {
    std::fs::write(dir.join("pw"), PASSWORD).unwrap();
    std::fs::File::open(dir.join("pw")).unwrap().into()
}

/// A port that is open does not mean that logins are taken.
#[allow(
    clippy::disallowed_methods,
    reason = "another process says in no other way that it is ready"
)]
fn wait_until_ready(url: &str) {
    let folder = Folder::new();
    let mut left = PATIENCE;
    loop {
        let (code, said, _) = run(&folder, &sql(url, "SELECT 1", ""));
        if code == Some(0) {
            return;
        }
        assert!(!left.is_zero(), "the database is not ready: {said}");
        let pause = Duration::from_millis(50);
        thread::sleep(pause);
        left = left.saturating_sub(pause);
    }
}

fn mariadb(authority: &Authority) -> Server {
    let issued = issue(authority, Certificate::Good);
    let user = if rustix::process::geteuid().is_root() {
        "--user=root"
    } else {
        "--skip-name-resolve"
    };
    let server = Server::start(|port, dir| {
        let data = dir.join("data");
        done(
            Command::new(program_of("mariadb-install-db"))
                .args([
                    "--no-defaults",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                    user,
                ])
                .arg(format!("--datadir={}", data.display())),
        );
        std::fs::write(dir.join("server.pem"), issued.chain_pem()).unwrap();
        std::fs::write(dir.join("server.key"), issued.key_pem()).unwrap();
        let setup = format!(
            "CREATE DATABASE shop;\nCREATE TABLE shop.jobs (id int, price decimal(10,2));\nINSERT INTO shop.jobs VALUES (1, 12.34), (2, NULL);\nCREATE USER checker@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON shop.* TO checker@'%';\nCREATE USER busy@'%' IDENTIFIED BY '{PASSWORD}' WITH MAX_CONNECTIONS_PER_HOUR 1;\n"
        );
        std::fs::write(dir.join("setup.sql"), setup).unwrap();
        let mut command = Command::new(program_of("mariadbd"));
        command.args([
            "--no-defaults",
            user,
            "--bind-address=127.0.0.1",
            "--skip-log-bin",
        ]);
        for (key, value) in [
            ("datadir", &data),
            ("socket", &dir.join("s.sock")),
            ("pid-file", &dir.join("pid")),
            ("init-file", &dir.join("setup.sql")),
            ("ssl-cert", &dir.join("server.pem")),
            ("ssl-key", &dir.join("server.key")),
        ] {
            command.arg(format!("--{key}={}", value.display()));
        }
        command.arg(format!("--port={port}"));
        command
    });
    wait_until_ready(&format!(
        "mysql://checker@127.0.0.1:{}/shop",
        server.address.port()
    ));
    server
}

/// Runs each query, and looks for a part of what is said.
fn all_say(folder: &Folder, cases: &[(String, &str, i32, &str)]) {
    for (url, query, code, part) in cases {
        let (found, said, _) = run(folder, &sql(url, query, ""));
        assert!(
            said.contains(part) && found == Some(*code),
            "{query}: {found:?}, wanted {part}:\n{said}"
        );
    }
}

/// Runs each query, and compares its value and its number of rows.
fn all_give(folder: &Folder, url: &str, cases: &[(&str, Option<f64>, f64)]) {
    for (query, value, rows) in cases {
        let (code, said, outcome) = run(folder, &sql(url, query, ""));
        assert_eq!(code, Some(0), "{query}: {said}");
        assert_eq!(number(&outcome, "value"), *value, "{query}: {outcome}");
        assert_eq!(number(&outcome, "rows"), Some(*rows), "{query}: {outcome}");
        assert!(number(&outcome, "query_time").is_some() && number(&outcome, "connect_time").is_some());
    }
}

fn a_slow_query_does_not_go_on(folder: &Folder, url: &str) {
    let slow = sql(url, "SELECT pg_sleep(60)", "").replace("timeout: 3s", "timeout: 500ms");
    let (code, said, _) = run(folder, &slow);
    assert!(
        code == Some(2) && said.contains("the query took longer than 500ms"),
        "{said}"
    );
    let still =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    let (_, said, outcome) = run(folder, &sql(url, still, ""));
    assert_eq!(number(&outcome, "value"), Some(0.0), "the query goes on: {said}");
}

#[test]
fn postgresql_is_asked_and_its_refusals_are_told() {
    let authority = Authority::new();
    let server = postgres(&authority);
    let folder = Folder::new();
    let port = server.address.port();
    let url = format!("postgres://checker@127.0.0.1:{port}/postgres");
    let cases = [
        ("SELECT 41 + 1", Some(42.0), 1.0),
        ("SELECT 12.34::numeric, 'second'", Some(12.34), 1.0),
        ("SELECT -0.0001::numeric", Some(-0.0001), 1.0),
        ("SELECT true", Some(1.0), 1.0),
        ("SELECT 2.5::float4", Some(2.5), 1.0),
        ("SELECT interval '1 minute 1.5 seconds'", Some(61.5), 1.0),
        ("SELECT count(*) FROM jobs;", Some(3.0), 1.0),
        ("SELECT note FROM jobs", None, 3.0),
        ("SELECT NULL::int", None, 1.0),
        ("SELECT 'NaN'::float8", None, 1.0),
        ("SELECT id FROM jobs WHERE id > 5", None, 0.0),
        ("SELECT n FROM generate_series(1, 20000) n", Some(1.0), 10_000.0),
        ("SHOW transaction_read_only", None, 1.0),
    ];
    all_give(&folder, &url, &cases);
    let wrong = format!("postgres://nobody@127.0.0.1:{port}/postgres");
    let full = format!("postgres://busy@127.0.0.1:{port}/postgres");
    let none = format!("postgres://checker@127.0.0.1:{port}/nothing");
    all_say(
        &folder,
        &[
            (wrong, "SELECT 1", 2, "refuses the login of `nobody`"),
            (full, "SELECT 1", 2, "is not ready: too many connections for role"),
            (none, "SELECT 1", 2, "has no such database"),
            (
                url.clone(),
                "SELECT 1 FROM nothing",
                2,
                "the query failed: relation \"nothing\" does not exist (42P01)",
            ),
            (url.clone(), "SELECT nothing FROM jobs", 2, "(42703)"),
            (
                url.clone(),
                "SELECT 1 FROM hidden",
                2,
                "permission denied for table hidden (42501)",
            ),
            (
                url.clone(),
                "WITH a AS (DELETE FROM jobs RETURNING 1) SELECT * FROM a",
                2,
                "the query writes, and this check only reads",
            ),
            (
                url.clone(),
                "SELECT repeat('x', 20000000)",
                2,
                "is larger than 8 MiB",
            ),
        ],
    );
    a_slow_query_does_not_go_on(&folder, &url);
    let socket = format!(
        "postgres://checker@localhost:{port}/postgres?host={}/data",
        server.path().display()
    );
    let (code, said, _) = run(&folder, &sql(&socket, "SELECT 1", ""));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn expectations_thresholds_and_settings_hold_for_sql() {
    let authority = Authority::new();
    let server = postgres(&authority);
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let port = server.address.port();
    let url = format!("postgres://checker@localhost:{port}/postgres");
    for (query, more, code, part) in [
        ("SELECT 7", "expect: { rows: 1, value: { min: 5 } }\n", 0, ""),
        ("SELECT 'ready'", "expect: { value: ready }\n", 0, ""),
        (
            "SELECT 7",
            "expect: { value: { max: 5 } }\n",
            2,
            "value is 7, expected at most 5",
        ),
        (
            "SELECT 7",
            "expect: { rows: { min: 2 }, level: warning }\n",
            0,
            "the number of rows is 1, expected at least 2",
        ),
        (
            "SELECT NULL::int",
            "thresholds: { value: { critical: above 5 } }\n",
            2,
            "it is NULL",
        ),
        (
            "SELECT 7",
            "thresholds: { value: { critical: above 5 } }\n",
            2,
            "critical",
        ),
    ] {
        let (found, said, _) = run(&folder, &sql(&url, query, more));
        assert!(
            said.contains(part) && found.map(|code| code.min(2)) == Some(code),
            "{query}: {found:?}, wanted {part}:\n{said}"
        );
    }
    let with_ca = |url: &str| {
        sql(
            url,
            "SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",
            "expect: { value: 1 }\n",
        )
        .replace("password:", "ca: \"${file:ca.pem}\", password:")
    };
    let (code, said, _) = run(&folder, &with_ca(&url));
    assert_eq!(code, Some(0), "{said}");
    folder.write("haetae.yaml", "targets: { deny: [127.0.0.0/8] }\n");
    let (_, said, _) = run(
        &folder,
        &sql(&url.replace("localhost", "127.0.0.1"), "SELECT 1", ""),
    );
    assert!(said.contains("the settings deny the address 127.0.0.1"), "{said}");
}

#[test]
fn mariadb_is_asked_and_its_refusals_are_told() {
    let authority = Authority::new();
    let server = mariadb(&authority);
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    let port = server.address.port();
    let url = format!("mysql://checker@127.0.0.1:{port}/shop");
    let cases = [
        ("SELECT 41 + 1", Some(42.0), 1.0),
        ("SELECT price FROM jobs ORDER BY id", Some(12.34), 2.0),
        ("SELECT price FROM jobs WHERE id = 2", None, 1.0),
        ("SELECT CAST(7 AS UNSIGNED)", Some(7.0), 1.0),
        ("SELECT 2.5e0", Some(2.5), 1.0),
        ("SELECT 'text'", None, 1.0),
        ("SHOW GLOBAL STATUS LIKE 'Threads_connected'", None, 1.0),
    ];
    all_give(&folder, &url, &cases);
    let wrong = format!("mysql://nobody@127.0.0.1:{port}/shop");
    let none = format!("mysql://checker@127.0.0.1:{port}/nothing");
    let full = format!("mysql://busy@127.0.0.1:{port}/");
    let _ = run(&folder, &sql(&full, "SELECT 1", ""));
    all_say(
        &folder,
        &[
            (wrong, "SELECT 1", 2, "refuses the login of `nobody`"),
            (none, "SELECT 1", 2, "nothing"),
            (full, "SELECT 1", 2, "is not ready"),
            (url.clone(), "SELECT 1 FROM nothing", 2, "(1146)"),
            (url.clone(), "SELECT nothing FROM jobs", 2, "(1054)"),
            (url.clone(), "EXPLAIN SELECT 1 FROM nothing", 2, "(1146)"),
            (
                url.clone(),
                "WITH a AS (SELECT 1 AS n) DELETE FROM jobs",
                2,
                "the query failed",
            ),
        ],
    );
    let slow = sql(&url, "SELECT SLEEP(60)", "").replace("timeout: 3s", "timeout: 500ms");
    let (code, said, _) = run(&folder, &slow);
    assert!(
        code == Some(2) && said.contains("the query took longer than 500ms"),
        "{said}"
    );
    let over_tls = sql(
        &format!("mysql://checker@localhost:{port}/shop?sslmode=verify-full"),
        "SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
        "expect: { value: 1 }\n",
    )
    .replace("password:", "ca: \"${file:ca.pem}\", password:");
    let (code, said, _) = run(&folder, &over_tls);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_file_of_sqlite_is_only_read() {
    let folder = Folder::new();
    let path = folder.path().join("shop.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let setup = "CREATE TABLE jobs (id INTEGER, price REAL); INSERT INTO jobs VALUES (1, 2.5), (2, NULL)";
    connection.execute(sqlx::raw_sql(setup)).await.unwrap();
    connection.close().await.unwrap();
    folder.write(
        "text.db",
        "this is no database, but a text of some length that says so",
    );
    let url = "sqlite://shop.db".to_owned();
    let ask = |query: &str| run(&folder, &sql(&url, query, ""));
    for (query, value) in [
        ("SELECT count(*) FROM jobs", Some(2.0)),
        ("SELECT price FROM jobs", Some(2.5)),
        ("SELECT 'text'", None),
        ("PRAGMA query_only", Some(1.0)),
    ] {
        let (code, said, outcome) = ask(query);
        assert_eq!(code, Some(0), "{query}: {said}");
        assert_eq!(number(&outcome, "value"), value, "{query}: {outcome}");
    }
    all_say(
        &folder,
        &[
            (url.clone(), "SELECT 1 FROM nowhere", 2, "no such table: nowhere"),
            (
                url.clone(),
                "WITH a AS (SELECT 1) DELETE FROM jobs",
                2,
                "the query writes, and this check only reads",
            ),
            (
                "sqlite://none.db".into(),
                "SELECT 1",
                2,
                "there is no file `none.db`",
            ),
            ("sqlite://checks".into(), "SELECT 1", 2, "`checks` is a folder"),
            (
                "sqlite://text.db".into(),
                "SELECT 1 FROM sqlite_master",
                2,
                "file is not a database",
            ),
        ],
    );
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let (code, said, _) = run(
        &folder,
        &sql(&url, endless, "").replace("timeout: 3s", "timeout: 400ms"),
    );
    assert!(
        code == Some(2) && (said.contains("within 400ms") || said.contains("longer than 400ms")),
        "{said}"
    );
    assert!(!folder.path().join("none.db").exists());
}

#[test]
fn bad_servers_are_told_as_what_they_are() {
    let folder = Folder::new();
    let says = |schemes: &[&str], address: SocketAddr, part: &str| {
        for scheme in schemes {
            let url = format!("{scheme}://checker@{address}/shop?sslmode=disable");
            let timeout = if part.contains("larger") {
                "timeout: 9s"
            } else {
                "timeout: 400ms"
            };
            let lines = sql(&url, "SELECT 1", "").replace("timeout: 3s", timeout);
            let (code, said, _) = run(&folder, &lines);
            assert!(
                said.contains(part) && code == Some(2),
                "{scheme}: {code:?}, wanted {part}:\n{said}"
            );
        }
    };
    let (postgres, mysql) = (&["postgres"][..], &["mysql"][..]);
    let both = &["postgres", "mysql"][..];
    says(both, refused(), "connection refused");
    says(
        both,
        bad(Bad::Silent),
        "said nothing within 400ms (connected, no greeting yet)",
    );
    says(both, bad(Bad::Reset), "the connection");
    says(both, bad(Bad::Close), "the connection");
    says(
        both,
        bad(Bad::Half(b"R\0".to_vec())),
        "closed the connection during the login",
    );
    let late = "did not finish the login within 400ms (it has begun to answer)";
    says(postgres, bad(Bad::Drip(b"R\0\0\x10\0".to_vec(), 0)), late);
    says(mysql, bad(Bad::Drip(b"\0\x10\0\0\x0a".to_vec(), 0)), late);
    let http = bad(Bad::Half(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    says(
        postgres,
        http,
        "does not speak PostgreSQL's protocol: it says \"HTTP/1.1 400",
    );
    says(
        mysql,
        http,
        "does not speak MySQL's protocol: it says \"HTTP/1.1 400",
    );
    let zeros = bad(Bad::Half(vec![b'R', 0, 0, 0, 0]));
    says(postgres, zeros, "does not speak PostgreSQL's protocol");
    let nonsense = bad(Bad::Half(b"\x05\0\0\0\x0a5.5\0".to_vec()));
    says(mysql, nonsense, "does not speak MySQL's protocol");
    let endless = bad(Bad::Endless(b"R\x7f\0\0\0".to_vec(), vec![0; 65536]));
    says(postgres, endless, "is larger than 8 MiB");
}

/// Takes `PostgreSQL`'s request for TLS, shakes hands, and says nothing more.
fn tls_postgres(config: rustls::ServerConfig) -> SocketAddr {
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            thread::spawn(move || {
                let _ = stream.read_exact(&mut [0; 8]);
                let _ = stream.write_all(b"S");
                let mut stream = StreamOwned::new(connection, stream);
                while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
            });
        }
    });
    address
}

#[test]
fn wrong_certificates_are_told_as_what_they_are() {
    let authority = Authority::new();
    let folder = Folder::new();
    folder.write("ca.pem", &authority.pem);
    for (what, part) in WRONG {
        let port = tls_postgres(issue(&authority, *what).server_config()).port();
        let lines = sql(
            &format!("postgres://checker@localhost:{port}/shop"),
            "SELECT 1",
            "",
        )
        .replace("password:", "ca: \"${file:ca.pem}\", password:");
        let (code, said, _) = run(&folder, &lines);
        assert!(said.contains(part) && code == Some(2), "{what:?}: {said}");
    }
}
