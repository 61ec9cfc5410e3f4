//! What a database's errors mean, in words.
//!
//! Sources: `PostgreSQL` manual, appendix A (SQLSTATE); `MySQL` and `MariaDB` error numbers;
//! `SQLite` result codes.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

use super::relay::{Seen, Watch};
use super::statement::Dialect;
use crate::check::net::dial::closed;
use crate::check::net::fault::Fault;

/// How much of a database's own words is told.
const LONGEST_WORDS: usize = 300;

/// What was being done when an error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Greeting, TLS, user and password.
    Login,
    /// The query itself.
    Query,
}

/// Whom an error came from.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it is, for people.
    pub place: String,
    /// Who we are to it.
    pub user: String,
    /// How long the attempt may take, as the user set it.
    pub time: String,
}

impl Asked {
    /// What an error means; `watch` knows what was seen of the connection.
    #[must_use]
    pub fn fault(&self, error: &sqlx::Error, phase: Phase, watch: &Watch) -> Fault {
        if let sqlx::Error::Database(error) = error {
            return self.refusal(error.as_ref(), phase);
        }
        if let Some(trouble) = Seen::trouble(watch) {
            return trouble;
        }
        let place = &self.place;
        let protocol = self.dialect.name();
        match error {
            sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
                self.hung_up(phase, Seen::has_spoken(watch))
            }
            sqlx::Error::Io(io) => closed(io, place),
            sqlx::Error::Tls(cause) => Fault::from_chain(cause.as_ref(), place)
                .unwrap_or_else(|| Fault::lasting(format!("TLS with {place} failed: {cause}"))),
            sqlx::Error::Configuration(cause) if cause.to_string().contains("RSA") => {
                Fault::lasting(format!(
                    "{place} takes this user's password over TLS only: add `?sslmode=require` to the URL"
                ))
            }
            sqlx::Error::Protocol(what) if what.contains("authentication method") => Fault::lasting(format!(
                "{place} wants a way of logging in that is not known here: {}",
                one_line(what)
            )),
            sqlx::Error::Protocol(what) => Fault::lasting(format!(
                "{place} does not speak {protocol}'s protocol: {}",
                one_line(what)
            )),
            other => Fault::lasting(format!(
                "the exchange with {place} failed: {}",
                one_line(&other.to_string())
            )),
        }
    }

    fn hung_up(&self, phase: Phase, spoke: bool) -> Fault {
        let place = &self.place;
        Fault::passing(match (phase, spoke) {
            (Phase::Login, false) => format!("{place} closed the connection without a word"),
            (Phase::Login, true) => format!("{place} closed the connection during the login"),
            (Phase::Query, _) => format!("{place} closed the connection before the query was answered"),
        })
    }

    /// What the database itself says.
    fn refusal(&self, error: &dyn DatabaseError, phase: Phase) -> Fault {
        let number = error
            .try_downcast_ref::<MySqlDatabaseError>()
            .map(MySqlDatabaseError::number);
        let code = number.map_or_else(
            || error.code().unwrap_or_default().into_owned(),
            |number| number.to_string(),
        );
        let said = one_line(error.message());
        let (place, user) = (&self.place, &self.user);
        let meaning = meaning(self.dialect, &code);
        let what = match meaning {
            Meaning::Login => format!("{place} refuses the login of `{user}`: {said} ({code})"),
            Meaning::TooSlow => {
                return Fault::passing(format!(
                    "the query took longer than {}, and {place} was told to cancel it",
                    self.time
                ));
            }
            Meaning::Busy => return Fault::passing(format!("{place} is not ready: {said} ({code})")),
            Meaning::Writes => {
                format!("the query writes, and this check only reads: {said} ({code})")
            }
            Meaning::NoDatabase => format!("{place} has no such database: {said} ({code})"),
            Meaning::Other if phase == Phase::Login => format!("{place} refuses: {said} ({code})"),
            Meaning::Other => format!("the query failed: {said} ({code})"),
        };
        Fault::lasting(what)
    }

    /// What a login was waiting for when the time was up.
    #[must_use]
    pub fn late_login(&self, time: &str, watch: &Watch) -> String {
        let place = &self.place;
        match Seen::has_spoken(watch) {
            true => format!("{place} did not finish the login within {time} (it has begun to answer)"),
            false => format!("{place} said nothing within {time} (connected, no greeting yet)"),
        }
    }

    /// The same of a query.
    #[must_use]
    pub fn late_query(&self, time: &str) -> String {
        format!(
            "{} did not answer the query within {time} (logged in, no answer yet)",
            self.place
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Login,
    NoDatabase,
    Busy,
    TooSlow,
    Writes,
    Other,
}

fn meaning(dialect: Dialect, code: &str) -> Meaning {
    match (dialect, code) {
        (Dialect::Postgres, "28P01" | "28000") | (Dialect::MySql, "1045" | "1044" | "1698" | "4151") => {
            Meaning::Login
        }
        (Dialect::Postgres, "3D000") | (Dialect::MySql, "1049") => Meaning::NoDatabase,
        (Dialect::Postgres, "53300" | "57P03" | "57P01" | "57P02")
        | (Dialect::MySql, "1040" | "1203" | "1226" | "1129" | "1053")
        | (Dialect::Sqlite, "5" | "6" | "261" | "517") => Meaning::Busy,
        // 70100 has no number of its own: 1969 is MariaDB's, 3024 is MySQL's.
        (Dialect::Postgres, "57014") | (Dialect::MySql, "1969" | "3024") | (Dialect::Sqlite, "9") => {
            Meaning::TooSlow
        }
        (Dialect::Postgres, "25006") | (Dialect::MySql, "1792") | (Dialect::Sqlite, "8" | "264") => {
            Meaning::Writes
        }
        _ => Meaning::Other,
    }
}

/// The beginning of a text, without line breaks.
fn one_line(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").chars().take(LONGEST_WORDS).collect()
}
