//! SMTP's commands and replies (RFC 5321 §4.2), each within the attempt's time.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::time::{Instant, timeout_at};

use crate::check::attempt::Limit;
use crate::check::net::dial::{Peer, Wire, closed};
use crate::check::net::fault::Fault;
use crate::check::net::starttls::read_line;

/// A reply has at most so many lines.
const MOST_LINES: usize = 200;

/// The server may take so long to say good-bye.
const LONGEST_GOOD_BYE: Duration = Duration::from_secs(1);

/// A conversation with one server.
pub(super) struct Talk<'a> {
    wire: BufReader<Wire>,
    peer: &'a Peer,
    limit: &'a Limit,
}

/// Who logs in.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// A reply: its code and the text of each line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Whether the server does what was asked for.
    pub(super) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Some servers repeat what they did not understand; it must not be a password.
    fn without(mut self, secret: &str) -> Self {
        for line in &mut self.lines {
            *line = line.replace(secret, "…");
        }
        self
    }

    /// This reply, when it is positive.
    ///
    /// # Errors
    /// That the server refuses `what`; one of 4xx may pass by itself.
    pub(super) fn must(self, what: &str, peer: &Peer) -> Result<Self, Fault> {
        if self.is_positive() {
            return Ok(self);
        }
        let said = format!("{peer} answers {what} with \"{self}\"");
        Err(match self.code {
            400..=499 => Fault::passing(said),
            _ => Fault::lasting(said),
        })
    }
}

/// In one line of bounded length.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        let text = self.lines.join(" ");
        let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        write!(f, "{} {}", self.code, text.trim())
    }
}

/// What a server offers in its answers to EHLO (RFC 5321 §4.1.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Capabilities(Vec<String>);

impl Capabilities {
    fn of(reply: &Reply) -> Self {
        // The first line is the server's name.
        Self(
            reply
                .lines
                .iter()
                .skip(1)
                .map(|line| line.trim().to_owned())
                .collect(),
        )
    }

    /// What is offered behind TLS counts beside what was offered before.
    pub(super) fn add(&mut self, later: Self) {
        // What needs TLS is said behind it, and may differ from before.
        let said_again = |line: &String| later.0.iter().any(|other| keyword(other) == keyword(line));
        self.0.retain(|line| !said_again(line));
        self.0.extend(later.0);
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.0
    }

    pub(super) fn keywords(&self) -> Vec<String> {
        self.0.iter().map(|line| keyword(line)).collect()
    }

    pub(super) fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|line| keyword(line) == wanted)
    }

    /// The mechanisms of AUTH (RFC 4954 §3).
    pub(super) fn auth(&self) -> Vec<String> {
        let line = self.0.iter().find(|line| keyword(line) == "AUTH");
        line.map(|line| line.split_whitespace().skip(1).map(str::to_uppercase).collect())
            .unwrap_or_default()
    }

    /// PLAIN, or LOGIN where only that is offered; or the one that is wanted, if it is.
    pub(super) fn mechanism(&self, wanted: Option<&'static str>) -> Option<&'static str> {
        let offered = self.auth();
        let choices = wanted.map_or(vec!["PLAIN", "LOGIN"], |wanted| vec![wanted]);
        choices
            .into_iter()
            .find(|choice| offered.iter().any(|offered| offered == choice))
    }

    /// The longest message (RFC 1870); none when it is not said or there is no limit.
    pub(super) fn size(&self) -> Option<u64> {
        let line = self.0.iter().find(|line| keyword(line) == "SIZE")?;
        line.split_whitespace()
            .nth(1)?
            .parse()
            .ok()
            .filter(|size| *size > 0)
    }
}

fn keyword(line: &str) -> String {
    line.split_whitespace().next().unwrap_or_default().to_uppercase()
}

impl<'a> Talk<'a> {
    pub(super) fn new(wire: Wire, peer: &'a Peer, limit: &'a Limit) -> Self {
        Self {
            wire: BufReader::new(wire),
            peer,
            limit,
        }
    }

    /// The connection, to speak TLS over it. What the server said too early is thrown away:
    /// it was not protected (RFC 3207 §5).
    pub(super) fn into_wire(self) -> Wire {
        self.wire.into_inner()
    }

    /// The server's first words.
    ///
    /// # Errors
    /// When it does not greet, or turns us away.
    pub(super) async fn greeting(&mut self) -> Result<Reply, Fault> {
        let peer = self.peer;
        let reply = self
            .limit
            .wait(reply(&mut self.wire, peer), |time| {
                format!("{peer} did not greet within {time} (connected)")
            })
            .await?;
        reply.must("the connection", peer)
    }

    /// Says who we are; what the server can do.
    ///
    /// # Errors
    /// When it does not take us.
    pub(super) async fn ehlo(&mut self, name: &str) -> Result<Capabilities, Fault> {
        let reply = self.command(&format!("EHLO {name}"), "EHLO").await?;
        Ok(Capabilities::of(&reply.must("EHLO", self.peer)?))
    }

    /// Sends a line and reads its reply; `what` names it in messages.
    ///
    /// # Errors
    /// When there is no reply.
    pub(super) async fn command(&mut self, line: &str, what: &str) -> Result<Reply, Fault> {
        let peer = self.peer;
        let asking = async {
            let line = format!("{line}\r\n");
            let written = self.wire.write_all(line.as_bytes()).await;
            written.map_err(|error| closed(&error, &peer.to_string()))?;
            let flushed = self.wire.flush().await;
            flushed.map_err(|error| closed(&error, &peer.to_string()))?;
            reply(&mut self.wire, peer).await
        };
        self.limit
            .wait(asking, |time| {
                format!("{peer} did not answer {what} within {time}")
            })
            .await
    }

    /// Logs in (RFC 4954; LOGIN is no standard, but many servers have nothing else).
    ///
    /// # Errors
    /// When there is no reply; a refusal is one.
    pub(super) async fn login(&mut self, mechanism: &str, who: &Credentials) -> Result<Reply, Fault> {
        if mechanism == "PLAIN" {
            let response = STANDARD.encode(format!("\0{}\0{}", who.user, who.password));
            let reply = self
                .command(&format!("AUTH PLAIN {response}"), "AUTH PLAIN")
                .await?;
            return Ok(reply.without(&response));
        }
        let mut reply = self.command("AUTH LOGIN", "AUTH LOGIN").await?;
        for part in [&who.user, &who.password] {
            if reply.code != 334 {
                break;
            }
            let response = STANDARD.encode(part);
            reply = self.command(&response, "AUTH LOGIN").await?.without(&response);
        }
        Ok(reply)
    }

    /// Takes leave. Whether the server says good-bye plays no part.
    pub(super) async fn quit(mut self) {
        let until = self.limit.until().min(Instant::now() + LONGEST_GOOD_BYE);
        let leaving = async {
            let _ = self.command("QUIT", "QUIT").await;
            let _ = self.wire.shutdown().await;
        };
        let _ = timeout_at(until, leaving).await;
    }
}

async fn reply(wire: &mut BufReader<Wire>, peer: &Peer) -> Result<Reply, Fault> {
    let mut lines = Vec::new();
    loop {
        let line = read_line(wire, peer).await?;
        let Some((code, more, text)) = split(&line) else {
            let said: String = line.chars().filter(|c| !c.is_control()).take(120).collect();
            return Err(Fault::lasting(format!(
                "{peer} does not speak SMTP: it says \"{said}\""
            )));
        };
        lines.push(text.to_owned());
        if !more {
            return Ok(Reply { code, lines });
        }
        if lines.len() >= MOST_LINES {
            return Err(Fault::lasting(format!(
                "{peer} gives a reply of more than {MOST_LINES} lines"
            )));
        }
    }
}

/// `250-SIZE 1000`: code, whether more lines follow, text.
fn split(line: &str) -> Option<(u16, bool, &str)> {
    let code = line
        .get(..3)
        .filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))?;
    let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
    match line.as_bytes().get(3) {
        None => Some((code, false, "")),
        Some(b' ') => Some((code, false, &line[4..])),
        Some(b'-') => Some((code, true, &line[4..])),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_lines_have_a_code_and_a_text() {
        for (line, parts) in [
            ("250-SIZE 10", Some((250, true, "SIZE 10"))),
            ("250 HELP", Some((250, false, "HELP"))),
            ("220", Some((220, false, ""))),
            ("250_x", None),
            ("99 x", None),
            ("999 x", None),
            ("HTTP/1.1 400", None),
            ("", None),
            ("2é0 x", None),
        ] {
            assert_eq!(split(line), parts, "{line}");
        }
    }

    #[test]
    fn capabilities_are_read_from_both_answers() {
        let reply = |lines: &[&str]| Reply {
            code: 250,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let mut found = Capabilities::of(&reply(&["mail.example", "starttls", "SIZE 1000"]));
        assert!(found.has("STARTTLS") && found.mechanism(None).is_none());
        found.add(Capabilities::of(&reply(&[
            "mail.example",
            "SIZE 2000",
            "AUTH login PLAIN",
        ])));
        assert_eq!(found.keywords(), ["STARTTLS", "SIZE", "AUTH"]);
        assert_eq!(
            (found.size(), found.mechanism(None)),
            (Some(2_000), Some("PLAIN"))
        );
        assert_eq!(found.mechanism(Some("LOGIN")), Some("LOGIN"));
        assert_eq!(Capabilities::of(&reply(&["m", "SIZE 0"])).size(), None);
    }
}
