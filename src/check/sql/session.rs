//! A login, a query that only reads, and what came of it.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::database::HasStatementCache;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Database, Executor, IntoArguments, MySql, Postgres, Sqlite,
};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::cell::Cell;
use super::relay::{Relay, Watch};
use super::statement::Dialect;
use super::url::{Server, TlsMode};
use super::words::{Asked, Phase};
use crate::check::Services;
use crate::check::attempt::Limit;
use crate::check::net::dial::{closed, dial};
use crate::check::net::fault::Fault;

/// Rows are counted up to here.
pub const MOST_ROWS: u64 = 10_000;

/// What came of a query.
#[derive(Debug)]
pub struct Answer {
    /// Making the connection, or opening the file.
    pub connect_time: Duration,
    /// The query alone.
    pub query_time: Duration,
    /// The address that answered.
    pub address: String,
    /// How many rows there were, up to [`MOST_ROWS`].
    pub rows: u64,
    /// Whether there were more.
    pub more: bool,
    /// The first column of the first row; none without a row.
    pub first: Option<Cell>,
}

struct Rows {
    took: Duration,
    count: u64,
    more: bool,
    first: Option<Cell>,
}

/// One query to one server.
pub struct Query<'a> {
    /// Whom.
    pub server: &'a Server,
    /// What.
    pub sql: &'a str,
    /// Trusted besides the platform's certificates.
    pub roots_pem: Option<String>,
    /// By when.
    pub limit: &'a Limit,
}

impl Query<'_> {
    /// Connects, logs in, asks and leaves.
    ///
    /// # Errors
    /// Why there is no answer, in words for people.
    pub async fn ask(&self, services: &Services) -> Result<Answer, Fault> {
        let place = self.server.place();
        if let Some(socket) = &self.server.socket {
            let began = Instant::now();
            let far = self
                .limit
                .wait(
                    async {
                        UnixStream::connect(socket)
                            .await
                            .map_err(|error| closed(&error, &place))
                    },
                    |time| format!("no connection to {place} within {time}"),
                )
                .await?;
            let took = began.elapsed();
            let rows = Box::pin(self.over(far, &place)).await?;
            return Ok(rows.into_answer(took, place));
        }
        let (noted, far) = dial(&self.server.peer, services, self.limit).await?.split();
        let rows = Box::pin(self.over(far, &place)).await?;
        Ok(rows.into_answer(noted.connect_time, noted.remote.to_string()))
    }

    async fn over<S>(&self, far: S, place: &str) -> Result<Rows, Fault>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    {
        let relay = Relay::open(self.server.peer.port)?;
        let watch = Watch::default();
        let asked = Asked {
            dialect: self.server.dialect,
            place: place.to_owned(),
            user: self.server.user.clone().unwrap_or_default(),
            time: self.limit.text.clone(),
        };
        let dialect = self.server.dialect;
        if dialect == Dialect::Postgres {
            let options = self.postgres_options(&relay);
            let session = self.postgres(options, &asked, &watch);
            return relay
                .carry(far, place, dialect, &watch, self.limit, session)
                .await;
        }
        let options = self.mysql_options(&relay);
        let session = self.mysql(options, &asked, &watch);
        relay
            .carry(far, place, dialect, &watch, self.limit, session)
            .await
    }

    /// With roots of one's own nobody wants a certificate that is not looked at.
    fn tls_mode(&self) -> TlsMode {
        self.server.tls.unwrap_or(match self.roots_pem {
            Some(_) => TlsMode::VerifyFull,
            None => TlsMode::Prefer,
        })
    }

    fn postgres_options(&self, relay: &Relay) -> PgConnectOptions {
        let server = self.server;
        let user = server.user.as_deref().unwrap_or("postgres");
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&server.peer.host)
            .port(server.peer.port)
            .socket(relay.directory())
            .username(user)
            .password(server.password.as_deref().unwrap_or_default())
            .database(server.name.as_deref().unwrap_or(user))
            .application_name("haetae")
            // Poolers refuse what they do not know.
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .ssl_mode(match self.tls_mode() {
                TlsMode::Disable => PgSslMode::Disable,
                TlsMode::Prefer => PgSslMode::Prefer,
                TlsMode::Require => PgSslMode::Require,
                TlsMode::VerifyCa => PgSslMode::VerifyCa,
                TlsMode::VerifyFull => PgSslMode::VerifyFull,
            })
            .disable_statement_logging();
        if let Some(pem) = &self.roots_pem {
            options = options.ssl_root_cert_from_pem(pem.clone().into_bytes());
        }
        options
    }

    fn mysql_options(&self, relay: &Relay) -> MySqlConnectOptions {
        let server = self.server;
        let mut options = MySqlConnectOptions::new()
            .host(&server.peer.host)
            .port(server.peer.port)
            .socket(relay.socket(server.peer.port))
            .username(server.user.as_deref().unwrap_or("root"))
            // The user's query means what it means in the user's own client.
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .statement_cache_capacity(0)
            .ssl_mode(match self.tls_mode() {
                TlsMode::Disable => MySqlSslMode::Disabled,
                TlsMode::Prefer => MySqlSslMode::Preferred,
                TlsMode::Require => MySqlSslMode::Required,
                TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
                TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
            })
            .disable_statement_logging();
        if let Some(password) = &server.password {
            options = options.password(password);
        }
        if let Some(name) = &server.name {
            options = options.database(name);
        }
        if let Some(pem) = &self.roots_pem {
            options = options.ssl_ca_from_pem(pem.clone().into_bytes());
        }
        options
    }

    async fn postgres(&self, options: PgConnectOptions, asked: &Asked, watch: &Watch) -> Result<Rows, Fault> {
        let login = async {
            let connected = options.connect().await;
            connected.map_err(|error| asked.fault(&error, Phase::Login, watch))
        };
        let late = |time: &str| asked.late_login(time, watch);
        let mut connection = self.limit.wait(login, late).await?;
        let query = async {
            let may_take_ms = self.limit.left_for_peer().as_millis().max(1);
            let begin = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {may_take_ms}");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await?;
            fetch::<Postgres>(&mut connection, self.sql, Cell::of_postgres).await
        };
        let query = async {
            query
                .await
                .map_err(|error: sqlx::Error| asked.fault(&error, Phase::Query, watch))
        };
        let rows = self.limit.wait(query, |time| asked.late_query(time)).await?;
        // The answer is there; whether the server hears our goodbye changes nothing.
        let _ = connection.close().await;
        Ok(rows)
    }

    async fn mysql(&self, options: MySqlConnectOptions, asked: &Asked, watch: &Watch) -> Result<Rows, Fault> {
        let login = async {
            let connected = options.connect().await;
            connected.map_err(|error| asked.fault(&error, Phase::Login, watch))
        };
        let late = |time: &str| asked.late_login(time, watch);
        let mut connection = self.limit.wait(login, late).await?;
        let query = async {
            let may_take = self.limit.left_for_peer();
            // MariaDB's name for it, in seconds; MySQL knows the other, in milliseconds.
            let mariadb = format!("SET SESSION max_statement_time = {:.3}", may_take.as_secs_f64());
            let mysql = format!("SET SESSION max_execution_time = {}", may_take.as_millis().max(1));
            if connection
                .execute(sqlx::raw_sql(AssertSqlSafe(mariadb)))
                .await
                .is_err()
            {
                connection.execute(sqlx::raw_sql(AssertSqlSafe(mysql))).await?;
            }
            connection
                .execute(sqlx::raw_sql("START TRANSACTION READ ONLY"))
                .await?;
            fetch::<MySql>(&mut connection, self.sql, Cell::of_mysql).await
        };
        let query = async {
            query
                .await
                .map_err(|error: sqlx::Error| asked.fault(&error, Phase::Query, watch))
        };
        let rows = self.limit.wait(query, |time| asked.late_query(time)).await?;
        let _ = connection.close().await;
        Ok(rows)
    }
}

impl Rows {
    fn into_answer(self, connect_time: Duration, address: String) -> Answer {
        Answer {
            connect_time,
            query_time: self.took,
            address,
            rows: self.count,
            more: self.more,
            first: self.first,
        }
    }
}

/// Asks a file, opened for reading only.
///
/// # Errors
/// Why there is no answer, in words for people.
pub async fn ask_file(
    path: &std::path::Path,
    written: &str,
    sql: &str,
    limit: &Limit,
) -> Result<Answer, Fault> {
    let began = Instant::now();
    let place = format!("`{written}`");
    match tokio::fs::metadata(path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Fault::lasting(format!("there is no file {place}")));
        }
        Err(error) => return Err(Fault::ours(format!("{place} cannot be read: {error}"))),
        Ok(found) if found.is_dir() => return Err(Fault::lasting(format!("{place} is a folder"))),
        Ok(_) => {}
    }
    let asked = Asked {
        dialect: Dialect::Sqlite,
        place: place.clone(),
        user: String::new(),
        time: limit.text.clone(),
    };
    let watch = Watch::default();
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .create_if_missing(false)
        .pragma("query_only", "on")
        .busy_timeout(limit.left_for_peer())
        .statement_cache_capacity(0)
        .disable_statement_logging();
    let opening = async {
        let mut connection = options.connect().await?;
        // The library asks in a thread of its own, which must not go on when we gave up.
        let until = limit.until();
        connection
            .lock_handle()
            .await?
            .set_progress_handler(1_000, move || Instant::now() < until);
        Ok(connection)
    };
    let opening = async {
        opening
            .await
            .map_err(|error: sqlx::Error| asked.fault(&error, Phase::Login, &watch))
    };
    let late = |time: &str| format!("{place} was not opened within {time} (locked, or the disk is slow)");
    let mut connection = limit.wait(opening, late).await?;
    let connect_time = began.elapsed();
    let query = async {
        fetch::<Sqlite>(&mut connection, sql, Cell::of_sqlite)
            .await
            .map_err(|error| asked.fault(&error, Phase::Query, &watch))
    };
    let rows = limit.wait(query, |time| asked.late_query(time)).await?;
    let _ = connection.close().await;
    Ok(rows.into_answer(connect_time, written.to_owned()))
}

/// Asks as a prepared statement, which no database takes several of, and reads rows up to
/// [`MOST_ROWS`], keeping none but the first.
async fn fetch<DB>(
    connection: &mut DB::Connection,
    sql: &str,
    cell: fn(&DB::Row) -> Cell,
) -> Result<Rows, sqlx::Error>
where
    DB: Database + HasStatementCache,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let began = Instant::now();
    let query = sqlx::query::<DB>(AssertSqlSafe(sql.to_owned())).persistent(false);
    let mut stream = connection.fetch(query);
    let (mut rows, mut first) = (0, None);
    let mut more = false;
    while let Some(row) = stream.try_next().await? {
        if rows == MOST_ROWS {
            more = true;
            break;
        }
        first.get_or_insert_with(|| cell(&row));
        rows += 1;
    }
    Ok(Rows {
        took: began.elapsed(),
        count: rows,
        more,
        first,
    })
}
