//! Which database a URL names.

use std::path::PathBuf;

use url::Url;

use super::statement::Dialect;
use crate::check::net::dial::Peer;
use crate::check::net::login::decoded;

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// One that is asked over a connection.
    Server(Server),
    /// A file of `SQLite`, as it is written.
    File(String),
}

/// A database server, and who we are to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it is.
    pub peer: Peer,
    /// Its Unix socket, instead.
    pub socket: Option<PathBuf>,
    /// Who we are.
    pub user: Option<String>,
    /// How we prove it.
    pub password: Option<String>,
    /// The database's name.
    pub name: Option<String>,
    /// What is wanted of TLS, when the URL says.
    pub tls: Option<TlsMode>,
}

/// What is wanted of TLS, as libpq has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disable,
    /// When the server offers it; no certificate is verified.
    Prefer,
    /// Always; no certificate is verified.
    Require,
    /// Always, with a chain that is trusted.
    VerifyCa,
    /// The same, and for the right name.
    VerifyFull,
}

/// Both libpq's words and `MySQL`'s.
const TLS_MODES: &[(&str, TlsMode)] = &[
    ("disable", TlsMode::Disable),
    ("disabled", TlsMode::Disable),
    ("prefer", TlsMode::Prefer),
    ("preferred", TlsMode::Prefer),
    ("require", TlsMode::Require),
    ("required", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify_ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
    ("verify_identity", TlsMode::VerifyFull),
];

impl Database {
    /// Reads `postgres://user:password@host:port/name?sslmode=…`, `mysql://…`, `sqlite://file`.
    ///
    /// # Errors
    /// What is wrong with it, without any part of it that may be a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(file) = text.strip_prefix("sqlite:") {
            let file = file.strip_prefix("//").unwrap_or(file);
            return match file.is_empty() || file.contains('?') {
                true => Err("names no file: write for example `sqlite://data/shop.db`".into()),
                false => Ok(Self::File(file.to_owned())),
            };
        }
        let url = Url::parse(text).map_err(|error| {
            format!("is not a URL ({error}): write for example `postgres://user@db.example/shop`")
        })?;
        let (dialect, port) = match url.scheme() {
            "postgres" | "postgresql" => (Dialect::Postgres, 5432),
            "mysql" | "mariadb" => (Dialect::MySql, 3306),
            other => {
                return Err(format!(
                    "has the scheme `{other}:`, and `postgres:`, `mysql:` and `sqlite:` are known"
                ));
            }
        };
        let host = decoded(url.host_str().unwrap_or_default())?;
        let mut server = Server {
            dialect,
            peer: Peer {
                host: host.trim_matches(['[', ']']).to_owned(),
                port: url.port().unwrap_or(port),
            },
            socket: None,
            user: Some(decoded(url.username())?).filter(|user| !user.is_empty()),
            password: url.password().map(decoded).transpose()?,
            name: Some(decoded(url.path().trim_start_matches('/'))?).filter(|name| !name.is_empty()),
            tls: None,
        };
        for (key, value) in url.query_pairs() {
            server.take(&key, &value)?;
        }
        if server.peer.host.is_empty() && server.socket.is_none() {
            return Err("names no host: write for example `postgres://user@db.example/shop`".into());
        }
        Ok(Self::Server(server))
    }

    /// What it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Server(server) => server.dialect,
            Self::File(_) => Dialect::Sqlite,
        }
    }
}

impl Server {
    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "sslmode" | "ssl-mode" => {
                let lower = value.to_ascii_lowercase();
                let mode = TLS_MODES.iter().find(|(word, _)| *word == lower);
                self.tls = Some(mode.map(|(_, mode)| *mode).ok_or(
                    "has a `sslmode` that is not `disable`, `prefer`, `require`, `verify-ca` or `verify-full`",
                )?);
            }
            "host" if value.starts_with('/') && self.dialect == Dialect::Postgres => {
                self.socket = Some(PathBuf::from(format!("{value}/.s.PGSQL.{}", self.peer.port)));
            }
            "socket" if value.starts_with('/') && self.dialect == Dialect::MySql => {
                self.socket = Some(PathBuf::from(value));
            }
            _ => {
                return Err(format!(
                    "has the parameter `{key}`, which is not known here (`sslmode`, and `host=/…` or `socket=/…` for a Unix socket)"
                ));
            }
        }
        Ok(())
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.socket {
            Some(socket) => socket.display().to_string(),
            None => self.peer.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Server {
        match Database::parse(text) {
            Ok(Database::Server(server)) => server,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn urls_name_databases() {
        let full = server("postgres://me:p%40ss@db.example:6543/my%20shop?sslmode=verify-full");
        assert_eq!(full.peer.to_string(), "db.example:6543");
        assert_eq!(full.user.as_deref(), Some("me"));
        assert_eq!(full.password.as_deref(), Some("p@ss"));
        assert_eq!(full.name.as_deref(), Some("my shop"));
        assert_eq!(full.tls, Some(TlsMode::VerifyFull));
        assert_eq!(
            server("mysql://[::1]/?ssl-mode=REQUIRED").peer.to_string(),
            "[::1]:3306"
        );
        assert_eq!(
            server("postgres:///shop?host=/run/postgresql").place(),
            "/run/postgresql/.s.PGSQL.5432"
        );
        assert_eq!(
            Database::parse("sqlite://data/a.db"),
            Ok(Database::File("data/a.db".into()))
        );
        assert_eq!(
            Database::parse("sqlite:///srv/a.db"),
            Ok(Database::File("/srv/a.db".into()))
        );
    }

    #[test]
    fn what_names_none_is_told_without_the_url() {
        for (text, why) in [
            ("db.example", "is not a URL"),
            ("redis://me:secret-word@a", "scheme `redis:`"),
            ("postgres://me:secret-word@a/?sslmode=secret-word", "`sslmode`"),
            ("postgres://a/?connect_timeout=3", "`connect_timeout`"),
            ("postgres:///shop", "no host"),
            ("sqlite://", "no file"),
            ("postgres://me:secret-word@a:99999/", "is not a URL"),
        ] {
            let said = Database::parse(text).unwrap_err();
            assert!(
                said.contains(why) && !said.contains("secret-word"),
                "{text}: {said}"
            );
        }
    }
}
