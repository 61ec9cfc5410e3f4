//! `redis`: one command that only reads, and the number in its answer.

mod commands;
mod talk;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use url::Url;

use super::attempt::{Limit, Manners};
use super::capture::{Scale, UNIT};
use super::expect::{LEVEL_KEY, broken, read_blocks, refuse};
use super::http::scope;
use super::matcher::{MATCHER, Matcher};
use super::net::dial::{Dialed, Peer, dial_wire};
use super::net::fault::Fault;
use super::net::login::{decoded, read_login_url};
use super::net::secure::{CA, INSECURE_TLS, SERVER_NAME, TlsWish};
use super::{Blocks, Kind, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Reader, Shape, Spec};
use crate::model::{Level, Outcome, Quantity, RunScope, Text, Unfilled, Unit};
use talk::{Login, Talk};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "redis",
    doc: "One command that only reads, to Redis or Valkey, and the number in its answer.",
    settings: &REDIS,
    expect: &REDIS_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("connect_time", Unit::Ms),
        ("response_time", Unit::Ms),
        ("certificate_left", Unit::Ms),
    ],
    read,
};

static REDIS: Spec = Spec {
    name: "redis",
    example: "redis: { url: redis://cache.example, command: [LLEN, jobs] }",
    keys: &[
        Key::required(
            "url",
            Shape::Text,
            "`redis://host:6379/0`, or `rediss://…` over TLS.",
        ),
        Key::new("user", Shape::Text, "Who we are, where the URL does not say."),
        Key::new(
            "password",
            Shape::Text,
            "Our password, where the URL does not hold it; nothing in it needs an escape.",
        ),
        Key::or(
            "db",
            Shape::Integer(0, 1_000_000),
            "0",
            "The database's number, where the URL does not say.",
        ),
        Key::or(
            "command",
            Shape::List(&Shape::Text),
            "[PING]",
            "A command that only reads, a word each.",
        ),
        Key::new(
            "field",
            Shape::Plain,
            "Which line of INFO is the value: `used_memory`.",
        ),
        UNIT,
        SERVER_NAME,
        CA,
        INSECURE_TLS,
    ],
};

static REDIS_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { value: PONG }",
    keys: &[
        Key::new(
            "value",
            Shape::Either(&[Shape::Text, Shape::Object(&MATCHER)]),
            "What holds for the answer, or for the line of it that `field` names.",
        ),
        LEVEL_KEY,
    ],
};

struct RedisProbe {
    url: Text,
    user: Option<Text>,
    password: Option<Text>,
    db: Option<i64>,
    command: Vec<Text>,
    field: Option<String>,
    scale: Option<Scale>,
    tls: TlsWish,
    expects: Vec<(Level, Option<Matcher>)>,
    manners: Manners,
}

/// Where a URL leads.
struct Place {
    peer: Peer,
    tls: bool,
    user: Option<String>,
    password: Option<String>,
    db: Option<i64>,
}

impl Place {
    /// Reads `redis://user:password@host:port/db`.
    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("is not a URL ({error}): write for example `redis://cache.example`"))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            other => {
                return Err(format!(
                    "has the scheme `{other}:`, and `redis:` and `rediss:` are known"
                ));
            }
        };
        let host = decoded(url.host_str().unwrap_or_default())?;
        if host.is_empty() {
            return Err("names no host: write for example `redis://cache.example`".into());
        }
        let db = match url.path().trim_matches('/') {
            "" => None,
            number => Some(
                number
                    .parse()
                    .map_err(|_| "has a path that is no database's number")?,
            ),
        };
        if url.query().is_some() {
            return Err("has parameters, and none are known here".into());
        }
        Ok(Self {
            peer: Peer {
                host: host.trim_matches(['[', ']']).to_owned(),
                port: url.port().unwrap_or(6379),
            },
            tls,
            user: Some(decoded(url.username())?).filter(|user| !user.is_empty()),
            password: url.password().map(decoded).transpose()?,
            db,
        })
    }
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &REDIS, reader)?;
    let url = fields
        .get("url")
        .and_then(|node| read_login_url(node, reader, |url| Place::parse(url).map(drop)));
    if let Some(node) = fields.get("password") {
        reader.refuse_literal_secret(node, "a password");
    }
    let command = match fields.get("command") {
        Some(node) => read_command(node, reader),
        None => vec![Text::literal("PING")],
    };
    if let Some(node) = fields.get("field")
        && !command
            .first()
            .is_some_and(|name| name.as_written().eq_ignore_ascii_case("info"))
    {
        reader.error(node, "`field` picks a line of INFO: add `command: [INFO]`");
    }
    refuse(
        blocks.measure,
        "redis",
        "measure",
        "the number in the answer is `value`",
        reader,
    );
    let host = url
        .as_ref()
        .and_then(|url| Place::parse(&url.constant()?).ok())
        .map(|place| place.peer.host);
    let probe = RedisProbe {
        user: fields.get("user").and_then(|node| reader.text(node)),
        password: fields.get("password").and_then(|node| reader.text(node)),
        db: fields
            .get("db")
            .and_then(|node| reader.integer(node, 0, 1_000_000)),
        command,
        field: fields.get("field").and_then(|node| reader.plain(node)),
        scale: fields.get(UNIT.name).and_then(|node| Scale::read(node, reader)),
        tls: TlsWish::read(&fields, reader),
        expects: read_blocks(blocks.expect, &REDIS_EXPECT, reader, |fields, reader| {
            fields.get("value").and_then(|node| Matcher::read(node, reader))
        }),
        manners: Manners::new(blocks, host.unwrap_or_default()),
        url: url?,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_command(node: &Node, reader: &mut Reader<'_>) -> Vec<Text> {
    let words = reader.list(node, Reader::text);
    let known: Vec<String> = words.iter().take(2).filter_map(Text::constant).collect();
    if let Err(why) = commands::only_reads(&known) {
        reader.error(node, why);
    }
    words
}

struct Asked {
    connection: Dialed<()>,
    response_time: Duration,
    reply: Json,
}

#[async_trait]
impl Probe for RedisProbe {
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

impl RedisProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Asked, Fault> {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let (place, command) = self
            .fill(&scope)
            .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
        let place = place.map_err(|why| Fault::ours(format!("the URL {why}")))?;
        commands::only_reads(&command).map_err(Fault::ours)?;
        let wish = place.tls.then_some(&self.tls);
        let dialed = dial_wire(&place.peer, wish, &[], &run.services, &limit).await?;
        let (connection, stream) = dialed.split();
        let mut talk = Talk::new(stream, &place.peer, &limit);
        talk.login(&Login {
            user: place.user.as_deref(),
            password: place.password.as_deref(),
            db: place.db.or(self.db).unwrap_or(0),
        })
        .await?;
        let reply = talk.ask(&command).await?;
        Ok(Asked {
            connection,
            response_time: limit.began.elapsed(),
            reply,
        })
    }

    fn fill(&self, scope: &RunScope<'_>) -> Result<(Result<Place, String>, Vec<String>), Unfilled> {
        let mut place = Place::parse(&self.url.fill(scope)?);
        if let Ok(place) = &mut place {
            if let Some(user) = &self.user {
                place.user = Some(user.fill(scope)?);
            }
            if let Some(password) = &self.password {
                place.password = Some(password.fill(scope)?);
            }
        }
        let command: Result<Vec<String>, Unfilled> =
            self.command.iter().map(|word| word.fill(scope)).collect();
        Ok((place, command?))
    }

    fn look(&self, run: &RunContext, asked: &Asked) -> Result<Outcome, Unfilled> {
        let mut outcome = Outcome::seen();
        asked.connection.measure(&mut outcome, run.started);
        outcome.measure("response_time", Quantity::time(asked.response_time));
        let value = match &self.field {
            Some(field) => asked.reply.as_str().and_then(|info| line_of_info(info, field)),
            None => Some(asked.reply.clone()),
        };
        match value.as_ref().and_then(number) {
            Some(number) => outcome.measure("value", Scale::apply(self.scale, number)),
            None => self.say_why_no_number(run, value.as_ref(), &mut outcome),
        }
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let there = value.filter(|value| !value.is_null());
        for (level, matcher) in &self.expects {
            let Some(matcher) = matcher else { continue };
            let lines = matcher.broken("value", there.as_ref(), &scope)?;
            outcome
                .broken
                .extend(lines.into_iter().map(|what| broken(*level, what)));
        }
        Ok(outcome)
    }

    fn say_why_no_number(&self, run: &RunContext, value: Option<&Json>, outcome: &mut Outcome) {
        if !run
            .check
            .thresholds
            .iter()
            .any(|bound| bound.measurement == "value")
        {
            return;
        }
        let why = match (&self.field, value) {
            (Some(field), None) => format!("INFO has no line `{field}`"),
            (None, None | Some(Json::Null)) => "there is no such key".to_owned(),
            _ => "the answer is no number".to_owned(),
        };
        outcome.remarks.push(format!("`value` is not measured: {why}"));
    }
}

/// One line of INFO: `used_memory:1048576`.
fn line_of_info(info: &str, field: &str) -> Option<Json> {
    let value = info
        .lines()
        .find_map(|line| line.trim_end().strip_prefix(field)?.strip_prefix(':'))?;
    Some(Json::from(value))
}

fn number(value: &Json) -> Option<f64> {
    let text = match value {
        Json::Number(number) => return number.as_f64(),
        Json::String(text) => text.trim().trim_end_matches('%'),
        _ => return None,
    };
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_servers() {
        let place = Place::parse("rediss://me:p%40ss@[::1]:7000/3").ok().unwrap();
        assert_eq!(place.peer.to_string(), "[::1]:7000");
        assert!(place.tls);
        assert_eq!(place.password.as_deref(), Some("p@ss"));
        assert_eq!(place.db, Some(3));
        for (text, why) in [
            ("cache:6379", "scheme"),
            ("redis://", "no host"),
            ("redis://cache/jobs", "number"),
            ("redis://cache?db=1", "parameters"),
        ] {
            let said = Place::parse(text).err().unwrap();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn numbers_are_found_in_answers() {
        let info = "# Memory\r\nused_memory:1048576\r\nused_memory_peak_perc:95.20%\r\nrole:master\r\n";
        for (field, wanted) in [
            ("used_memory", Some(1_048_576.0)),
            ("used_memory_peak_perc", Some(95.2)),
            ("role", None),
            ("used", None),
        ] {
            let found = line_of_info(info, field);
            assert_eq!(found.as_ref().and_then(number), wanted, "{field}");
        }
        assert_eq!(number(&Json::from("inf")), None);
        assert_eq!(number(&Json::Null), None);
    }
}
