//! `sql`: one query that only reads, to `PostgreSQL`, `MySQL`, `MariaDB` or an `SQLite` file.

mod cell;
mod relay;
mod session;
mod statement;
mod url;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;

use super::attempt::{Limit, Manners};
use super::capture::{Scale, UNIT};
use super::expect::{LEVEL_KEY, broken, read_blocks, refuse};
use super::http::{read_roots, scope};
use super::matcher::{MATCHER, Matcher};
use super::net::fault::Fault;
use super::net::login::read_login_url;
use super::net::secure::CA;
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, RunScope, Text, Unfilled, Unit};
use cell::Cell;
use session::{Answer, MOST_ROWS, Query, ask_file};
use statement::only_reads;
use url::Database;

/// The table's line.
pub static KIND: Kind = Kind {
    name: "sql",
    doc: "One query that only reads, to PostgreSQL, MySQL, MariaDB or an SQLite file.",
    settings: &SQL,
    expect: &SQL_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("connect_time", Unit::Ms),
        ("query_time", Unit::Ms),
        ("response_time", Unit::Ms),
        ("rows", Unit::Count),
    ],
    read,
};

static SQL: Spec = Spec {
    name: "sql",
    example: "sql: { url: \"postgres://haetae:${env:DB_PASSWORD}@db.example/shop\", query: SELECT 1 }",
    keys: &[
        Key::required(
            "url",
            Shape::Text,
            "`postgres://user@host/name`, `mysql://…` (MariaDB too), or `sqlite://file`, seen from the project's folder.",
        ),
        Key::required("query", Shape::Text, "One statement that only reads."),
        Key::new("user", Shape::Text, "Who we are, where the URL does not say."),
        Key::new(
            "password",
            Shape::Text,
            "Our password, where the URL does not hold it; nothing in it needs an escape.",
        ),
        CA,
        UNIT,
    ],
};

const VALUE: Shape = Shape::Either(&[Shape::Text, Shape::Object(&MATCHER)]);

static SQL_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { rows: { min: 1 } }",
    keys: &[
        Key::new("rows", VALUE, "What holds for the number of rows."),
        Key::new(
            "value",
            VALUE,
            "What holds for the first column of the first row.",
        ),
        LEVEL_KEY,
    ],
};

struct SqlProbe {
    url: Text,
    query: Text,
    user: Option<Text>,
    password: Option<Text>,
    roots_pem: Option<String>,
    scale: Option<Scale>,
    expects: Vec<(Level, SqlExpect)>,
    manners: Manners,
}

struct SqlExpect {
    rows: Option<Matcher>,
    value: Option<Matcher>,
}

struct Asked {
    answer: Answer,
    response_time: Duration,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &SQL, reader)?;
    let url = fields
        .get("url")
        .and_then(|node| read_login_url(node, reader, |url| Database::parse(url).map(drop)));
    let known = url.as_ref().and_then(known);
    let query = fields
        .get("query")
        .and_then(|node| read_query(node, known.as_ref(), reader));
    if let Some(node) = fields.get("password") {
        reader.refuse_literal_secret(node, "a password");
    }
    let roots_pem = fields.get(CA.name).and_then(|node| {
        read_roots(node, reader)?;
        reader.text(node)?.constant()
    });
    refuse(
        blocks.measure,
        "sql",
        "measure",
        "the first column of the first row is `value`",
        reader,
    );
    let expects = read_blocks(blocks.expect, &SQL_EXPECT, reader, |fields, reader| SqlExpect {
        rows: fields.get("rows").and_then(|node| Matcher::read(node, reader)),
        value: fields.get("value").and_then(|node| Matcher::read(node, reader)),
    });
    let host = match &known {
        Some(Database::Server(server)) => server.peer.host.clone(),
        _ => String::new(),
    };
    let probe = SqlProbe {
        user: fields.get("user").and_then(|node| reader.text(node)),
        password: fields.get("password").and_then(|node| reader.text(node)),
        scale: fields.get(UNIT.name).and_then(|node| Scale::read(node, reader)),
        manners: Manners::new(blocks, host),
        url: url?,
        query: query?,
        roots_pem,
        expects,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

/// The database, as far as it is known at load.
fn known(url: &Text) -> Option<Database> {
    Database::parse(&url.constant()?).ok()
}

fn read_query(node: &Node, database: Option<&Database>, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    let constant = text.constant().filter(|_| !text.holds_secret());
    if let (Some(sql), Some(database)) = (constant, database)
        && let Err(why) = only_reads(&sql, database.dialect())
    {
        reader.error(node, why);
        return None;
    }
    Some(text)
}

#[async_trait]
impl Probe for SqlProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(
                run,
                |limit| self.attempt(run, limit),
                |asked| {
                    self.look(run, &asked)
                        .unwrap_or_else(|unfilled| Outcome::not_measured(unfilled.to_string()))
                },
            )
            .await
    }

    fn extra_measures(&self) -> Vec<(String, Option<Unit>)> {
        vec![("value".to_owned(), Some(Scale::unit(self.scale)))]
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl SqlProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Asked, Fault> {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let ours = |unfilled: Unfilled| Fault::ours(unfilled.to_string());
        let url = self.url.fill(&scope).map_err(ours)?;
        let database = Database::parse(&url).map_err(|why| Fault::ours(format!("the URL {why}")))?;
        let sql = self.query.fill(&scope).map_err(ours)?;
        only_reads(&sql, database.dialect()).map_err(Fault::ours)?;
        let answer = match database {
            Database::File(file) => {
                let path = run.services.project_dir.join(&file);
                ask_file(&path, &file, &sql, &limit).await?
            }
            Database::Server(mut server) => {
                if let Some(user) = &self.user {
                    server.user = Some(user.fill(&scope).map_err(ours)?);
                }
                if let Some(password) = &self.password {
                    server.password = Some(password.fill(&scope).map_err(ours)?);
                }
                let query = Query {
                    server: &server,
                    sql: &sql,
                    roots_pem: self.roots_pem.clone(),
                    limit: &limit,
                };
                query.ask(&run.services).await?
            }
        };
        Ok(Asked {
            answer,
            response_time: limit.began.elapsed(),
        })
    }

    fn look(&self, run: &RunContext, asked: &Asked) -> Result<Outcome, Unfilled> {
        let answer = &asked.answer;
        let mut outcome = Outcome::seen();
        outcome.measure("connect_time", Quantity::time(answer.connect_time));
        outcome.measure("query_time", Quantity::time(answer.query_time));
        outcome.measure("response_time", Quantity::time(asked.response_time));
        outcome.measure("rows", Quantity::count(answer.rows as f64));
        outcome.fact("address", answer.address.clone());
        if let Some(Cell::Number(number)) = &answer.first {
            outcome.measure("value", Scale::apply(self.scale, *number));
        } else if run
            .check
            .thresholds
            .iter()
            .any(|bound| bound.measurement == "value")
        {
            let why = Cell::why_no_number(answer.first.as_ref());
            outcome.remarks.push(format!("`value` is not measured: {why}"));
        }
        if answer.more {
            outcome.remarks.push(format!(
                "there are more than {MOST_ROWS} rows; the rest was not read"
            ));
        }
        let captured = BTreeMap::new();
        self.expectations(answer, &scope(run, &captured), &mut outcome)?;
        Ok(outcome)
    }

    fn expectations(
        &self,
        answer: &Answer,
        scope: &RunScope<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Unfilled> {
        let rows = Json::from(answer.rows);
        let value = answer.first.as_ref().and_then(Cell::as_json);
        for (level, expect) in &self.expects {
            let mut lines = Vec::new();
            if let Some(matcher) = &expect.rows {
                lines.extend(matcher.broken("the number of rows", Some(&rows), scope)?);
            }
            if let Some(matcher) = &expect.value {
                lines.extend(matcher.broken("value", value.as_ref(), scope)?);
            }
            outcome
                .broken
                .extend(lines.into_iter().map(|what| broken(*level, what)));
        }
        Ok(())
    }
}
