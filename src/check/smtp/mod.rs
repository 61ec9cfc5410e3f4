//! `smtp`: greeting, EHLO, TLS, and as far towards a delivery as is wished, but never DATA.

mod read;
mod talk;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;

use super::attempt::{Limit, Manners};
use super::dialogue::fill;
use super::expect::broken;
use super::http::scope;
use super::matcher::Matcher;
use super::net::dial::{Address, Dialed, Peer, Wire, dial};
use super::net::fault::Fault;
use super::net::secure::TlsWish;
use super::{Kind, Pool, Probe, RunContext};
use crate::model::{Level, Outcome, Quantity, RunScope, Text, Unit};
use talk::{Capabilities, Credentials, Reply, Talk};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "smtp",
    doc: "Talks to a mail server: greeting, EHLO, TLS, login, and whether it takes a recipient.",
    settings: &read::SMTP,
    expect: &read::SMTP_EXPECT,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("response_time", Unit::Ms),
        ("connect_time", Unit::Ms),
        ("certificate_left", Unit::Ms),
        ("size_limit", Unit::Bytes),
    ],
    read: read::read,
};

struct SmtpProbe {
    address: Address,
    manners: Manners,
    encryption: Encryption,
    wish: TlsWish,
    /// What we call ourselves; our address without it.
    ehlo: Option<Text>,
    auth: Option<Auth>,
    mail_from: Option<Text>,
    rcpt_to: Vec<Text>,
    expects: Vec<(Level, Vec<(&'static str, Matcher)>)>,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// With the first byte (RFC 8314 §3.3).
    FromTheStart,
    /// By STARTTLS, which must be there (RFC 3207).
    Required,
    /// By STARTTLS where the server offers it.
    Opportunistic,
    /// Never.
    Never,
}

struct Auth {
    user: Text,
    password: Text,
    mechanism: Option<&'static str>,
}

/// What was seen of one conversation.
struct Seen {
    connection: Dialed<()>,
    response_time: Duration,
    greeting: Reply,
    capabilities: Capabilities,
    /// What was refused, in words for people, beside what was expected of recipients.
    refused: Vec<String>,
    /// The replies to RCPT TO, with the recipient.
    recipients: Vec<(String, Reply)>,
}

#[async_trait]
impl Probe for SmtpProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        self.manners
            .run(
                run,
                |limit| self.attempt(run, limit),
                |seen| self.look(run, &seen),
            )
            .await
    }

    fn target(&self) -> String {
        self.manners.host.clone()
    }
}

impl SmtpProbe {
    async fn attempt(&self, run: &RunContext, limit: Limit) -> Result<Seen, Fault> {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let peer = self.address.fill(&scope)?;
        let plain = dial(&peer, &run.services, &limit).await?;
        let ehlo = match &self.ehlo {
            Some(name) => fill(name, &scope).and_then(|name| word(&name, "ehlo"))?,
            None => own_name(&plain),
        };
        let (connection, wire) = if self.encryption == Encryption::FromTheStart {
            self.secure(plain, &peer, run, &limit).await?.split()
        } else {
            let (noted, stream) = plain.split();
            (noted, Wire::Plain(stream))
        };
        let mut talk = Talk::new(wire, &peer, &limit);
        let greeting = talk.greeting().await?;
        let mut capabilities = talk.ehlo(&ehlo).await?;
        let connection = match self.wants_starttls(&capabilities, &peer)? {
            true => {
                talk.command("STARTTLS", "STARTTLS")
                    .await?
                    .must("STARTTLS", &peer)?;
                let (stream, shown) = match talk.into_wire() {
                    Wire::Plain(stream) => {
                        self.wish
                            .secure(stream, &peer, &[], &run.services, &limit)
                            .await?
                    }
                    Wire::Tls(_) => return Err(Fault::ours("TLS is spoken already")),
                };
                talk = Talk::new(Wire::Tls(Box::new(stream)), &peer, &limit);
                capabilities.add(talk.ehlo(&ehlo).await?);
                connection.over((), Some(shown))
            }
            false => connection,
        };
        let (refused, recipients) = self.deliver(&mut talk, &capabilities, &scope).await?;
        let response_time = limit.began.elapsed();
        talk.quit().await;
        Ok(Seen {
            connection,
            response_time,
            greeting,
            capabilities,
            refused,
            recipients,
        })
    }

    async fn secure(
        &self,
        plain: Dialed<tokio::net::TcpStream>,
        peer: &Peer,
        run: &RunContext,
        limit: &Limit,
    ) -> Result<Dialed<Wire>, Fault> {
        let (noted, stream) = plain.split();
        let (stream, shown) = self.wish.secure(stream, peer, &[], &run.services, limit).await?;
        Ok(noted.over(Wire::Tls(Box::new(stream)), Some(shown)))
    }

    fn wants_starttls(&self, capabilities: &Capabilities, peer: &Peer) -> Result<bool, Fault> {
        let offered = capabilities.has("STARTTLS");
        match self.encryption {
            Encryption::Required if !offered => {
                Err(Fault::lasting(format!("{peer} does not offer STARTTLS")))
            }
            Encryption::Required => Ok(true),
            Encryption::Opportunistic => Ok(offered),
            Encryption::FromTheStart | Encryption::Never => Ok(false),
        }
    }

    /// Login, sender and recipients, as far as they are wished; what is refused ends it.
    async fn deliver(
        &self,
        talk: &mut Talk<'_>,
        capabilities: &Capabilities,
        scope: &RunScope<'_>,
    ) -> Result<(Vec<String>, Vec<(String, Reply)>), Fault> {
        if let Some(auth) = &self.auth {
            let credentials = Credentials {
                user: fill(&auth.user, scope)?,
                password: fill(&auth.password, scope)?,
            };
            let mechanism = capabilities.mechanism(auth.mechanism);
            let Some(mechanism) = mechanism else {
                let offered = capabilities.auth().join(" ");
                let wanted = auth.mechanism.unwrap_or("PLAIN or LOGIN");
                return Ok((
                    vec![format!(
                        "AUTH {wanted} is not offered (offered: {})",
                        or_none(&offered)
                    )],
                    Vec::new(),
                ));
            };
            let reply = talk.login(mechanism, &credentials).await?;
            if !reply.is_positive() {
                return Ok((vec![format!("AUTH {mechanism} is refused: {reply}")], Vec::new()));
            }
        }
        let Some(from) = &self.mail_from else {
            return Ok((Vec::new(), Vec::new()));
        };
        let from = fill(from, scope).and_then(|from| mailbox(&from))?;
        let reply = talk.command(&format!("MAIL FROM:<{from}>"), "MAIL FROM").await?;
        if !reply.is_positive() {
            return Ok((
                vec![format!("MAIL FROM:<{from}> is refused: {reply}")],
                Vec::new(),
            ));
        }
        let mut recipients = Vec::new();
        for to in &self.rcpt_to {
            let to = fill(to, scope).and_then(|to| mailbox(&to))?;
            let reply = talk.command(&format!("RCPT TO:<{to}>"), "RCPT TO").await?;
            recipients.push((to, reply));
        }
        talk.command("RSET", "RSET").await?;
        Ok((Vec::new(), recipients))
    }

    fn look(&self, run: &RunContext, seen: &Seen) -> Outcome {
        let mut outcome = Outcome::seen();
        seen.connection.measure(&mut outcome, run.started);
        outcome.measure("response_time", Quantity::time(seen.response_time));
        if let Some(size) = seen.capabilities.size() {
            outcome.measure("size_limit", Quantity::bytes(size));
        }
        outcome.fact("greeting", seen.greeting.to_string());
        outcome.fact("capabilities", seen.capabilities.lines().join(", "));
        for (to, reply) in &seen.recipients {
            outcome.fact("recipient", format!("{to}: {reply}"));
        }
        for what in &seen.refused {
            outcome.broken.push(broken(Level::Critical, what.clone()));
        }
        self.expect(run, seen, &mut outcome);
        outcome
    }

    fn expect(&self, run: &RunContext, seen: &Seen, outcome: &mut Outcome) {
        let captured = BTreeMap::new();
        let scope = scope(run, &captured);
        let mut says_of_recipients = false;
        for (level, matchers) in &self.expects {
            for (name, matcher) in matchers {
                says_of_recipients |= *name == "recipient";
                for (what, value) in seen.values(name) {
                    match matcher.broken(&what, value.as_ref(), &scope) {
                        Ok(lines) => outcome
                            .broken
                            .extend(lines.into_iter().map(|line| broken(*level, line))),
                        Err(unfilled) => {
                            *outcome = Outcome::not_measured(unfilled.to_string());
                            return;
                        }
                    }
                }
            }
        }
        if says_of_recipients {
            return;
        }
        for (to, reply) in seen.recipients.iter().filter(|(_, reply)| !reply.is_positive()) {
            let what = format!("RCPT TO:<{to}> is refused: {reply}");
            outcome.broken.push(broken(Level::Critical, what));
        }
    }
}

impl Seen {
    /// What an expectation looks at, each with its name for people.
    fn values(&self, name: &str) -> Vec<(String, Option<Json>)> {
        let one = |what: &str, value: Option<Json>| vec![(what.to_owned(), value)];
        match name {
            "greeting" => one("the greeting", Some(Json::from(self.greeting.to_string()))),
            "capabilities" => one(
                "the list of capabilities",
                Some(Json::from(self.capabilities.keywords())),
            ),
            "auth" => one(
                "the list of AUTH mechanisms",
                Some(Json::from(self.capabilities.auth())),
            ),
            "size" => one("the size limit", self.capabilities.size().map(Json::from)),
            _ => self
                .recipients
                .iter()
                .map(|(to, reply)| {
                    (
                        format!("the reply to RCPT TO:<{to}>"),
                        Some(Json::from(reply.to_string())),
                    )
                })
                .collect(),
        }
    }
}

fn or_none(text: &str) -> &str {
    match text.is_empty() {
        true => "none",
        false => text,
    }
}

/// Our own address as a name (RFC 5321 §4.1.3): true whatever this machine is called.
fn own_name(plain: &Dialed<tokio::net::TcpStream>) -> String {
    match plain.stream.local_addr().map(|own| own.ip().to_canonical()) {
        Ok(std::net::IpAddr::V4(own)) => format!("[{own}]"),
        Ok(std::net::IpAddr::V6(own)) => format!("[IPv6:{own}]"),
        Err(_) => "[127.0.0.1]".to_owned(),
    }
}

/// A text that fits into a command: without spaces and line breaks it cannot become two.
fn word(text: &str, what: &str) -> Result<String, Fault> {
    match text.is_empty() || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        true => Err(Fault::ours(format!("`{what}` does not make a single word"))),
        false => Ok(text.to_owned()),
    }
}

/// A mailbox for `<…>`; empty for the null sender.
fn mailbox(text: &str) -> Result<String, Fault> {
    match text.contains(|c: char| c.is_control() || matches!(c, '<' | '>' | ' ')) {
        true => Err(Fault::ours(
            "`mail_from` or `rcpt_to` does not make a mail address",
        )),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_becomes_a_second_command() {
        for text in ["a@b\r\nDATA", "a> RCPT", "<a@b>", "a b@c"] {
            assert!(mailbox(text).is_err(), "{text}");
        }
        assert_eq!(mailbox("").unwrap(), "");
        assert_eq!(mailbox("a+b@c.example").unwrap(), "a+b@c.example");
        for text in ["", "a b", "a\r\nMAIL"] {
            assert!(word(text, "ehlo").is_err(), "{text}");
        }
    }
}
