//! E-mail by SMTP: TLS, and one thread per incident by `References` (RFC 5322, 3.6.4).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::{HeaderName, HeaderValue, MessageId};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};
use url::Url;

use super::message::{Paragraph, colour, cut, latest, line, paragraphs, summary};
use super::{ChannelKind, Desk, Sender};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{AttemptResult, Message, Secret};

/// The table's line.
pub static KIND: ChannelKind = ChannelKind {
    name: "email",
    doc: "E-mail by SMTP.",
    settings: &EMAIL,
    read: read_settings,
};

static EMAIL: Spec = Spec {
    name: "email",
    example: "email: { to: [ops@example.com], from: haetae@example.com, smtp: \"smtps://user:${env:SMTP_PASSWORD}@mail.example.com\" }",
    keys: &[
        Key::required("to", Shape::OneOrMany(&Shape::Plain), "Who gets it."),
        Key::required("from", Shape::Plain, "Who it is from."),
        Key::required(
            "smtp",
            Shape::Text,
            "The mail server: `smtps://` speaks TLS from the start, `smtp://` upgrades by STARTTLS; to this machine itself, in clear.",
        ),
        Key::new(
            "ca",
            Shape::Plain,
            "A file with the certificate authority of the mail server.",
        ),
    ],
};

const TIMEOUT: Duration = Duration::from_secs(20);
/// A subject is read in one line.
const LONGEST_SUBJECT: usize = 160;

type Mailer = AsyncSmtpTransport<Tokio1Executor>;

struct Email {
    to: Vec<Mailbox>,
    from: Mailbox,
    mailer: Option<Mailer>,
}

fn read_settings(node: &Node, reader: &mut Reader<'_>) -> Option<Arc<dyn Sender>> {
    let fields = Fields::open(node, &EMAIL, reader)?;
    let to = fields
        .get("to")
        .map(|node| reader.one_or_many(node, read_mailbox))
        .filter(|to| !to.is_empty());
    let from = fields.get("from").and_then(|node| read_mailbox(reader, node));
    let ca = match fields.get("ca") {
        Some(node) => Some(read_ca(node, reader)?),
        None => None,
    };
    let smtp = fields.get("smtp")?;
    let address = reader.text(smtp)?.constant().unwrap_or_default();
    if address.is_empty() {
        // Only looked at, without secrets.
        return Some(Arc::new(Email {
            to: to?,
            from: from?,
            mailer: None,
        }));
    }
    match mailer(&address, ca.as_ref()) {
        Ok((mailer, password)) => {
            if let Some(password) = password {
                if !smtp.scalar().is_some_and(|text| text.contains("${")) {
                    reader.refuse_literal_secret(smtp, "a password");
                }
                reader.learn_secret(Secret::new(password));
            }
            Some(Arc::new(Email {
                to: to?,
                from: from?,
                mailer: Some(mailer),
            }))
        }
        Err(why) => {
            reader.report(Problem::error(&smtp.place, why).without_line());
            None
        }
    }
}

fn read_mailbox(reader: &mut Reader<'_>, node: &Node) -> Option<Mailbox> {
    let text = reader.plain(node)?;
    let mailbox = text.parse().ok();
    if mailbox.is_none() {
        reader.error(node, format!("`{text}` is not a mail address"));
    }
    mailbox
}

fn read_ca(node: &Node, reader: &mut Reader<'_>) -> Option<Certificate> {
    let path = reader.plain(node)?;
    let pem = match reader.file(&path) {
        Ok(pem) => pem,
        Err(why) => {
            reader.error(node, format!("{path}: {why}"));
            return None;
        }
    };
    if let Ok(certificate) = Certificate::from_pem(pem.as_bytes()) {
        return Some(certificate);
    }
    reader.error(node, format!("{path} holds no certificate in PEM"));
    None
}

/// A mailer for `smtps://user:password@host:465`, and the password in it.
fn mailer(address: &str, ca: Option<&Certificate>) -> Result<(Mailer, Option<String>), String> {
    let malformed = || "this is not a mail server: write `smtps://user:${env:PASSWORD}@host`".to_owned();
    let url = Url::parse(address).map_err(|_| malformed())?;
    let host = url.host_str().ok_or_else(malformed)?.to_owned();
    let is_local = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
    let tls = || {
        let mut builder = TlsParameters::builder(host.clone());
        if let Some(ca) = ca {
            builder = builder.add_root_certificate(ca.clone());
        }
        builder
            .build_rustls()
            .map_err(|error| format!("TLS cannot be used: {error}"))
    };
    let (tls, usual_port) = match url.scheme() {
        "smtps" => (Tls::Wrapper(tls()?), 465),
        "smtp" if is_local => (Tls::Opportunistic(tls()?), 25),
        "smtp" => (Tls::Required(tls()?), 587),
        _ => return Err(malformed()),
    };
    let mut builder = Mailer::builder_dangerous(&host)
        .tls(tls)
        .port(url.port().unwrap_or(usual_port))
        .timeout(Some(TIMEOUT));
    let password = url.password().map(percent_decoded);
    if let Some(password) = password.clone().filter(|_| !url.username().is_empty()) {
        builder = builder.credentials(Credentials::new(percent_decoded(url.username()), password));
    }
    Ok((builder.build(), password))
}

/// `%40` → `@`; what is no escape stays.
fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

#[async_trait]
impl Sender for Email {
    async fn send(&self, message: &Message, _: &Desk<'_>) -> AttemptResult {
        let mail = match self.mail(message) {
            Ok(mail) => mail,
            Err(why) => return AttemptResult::Dead { why },
        };
        let Some(mailer) = &self.mailer else {
            return AttemptResult::Dead {
                why: "there is no mail server".into(),
            };
        };
        match mailer.send(mail).await {
            Ok(_) => AttemptResult::Sent,
            Err(error) => {
                let why = cut(&error.to_string(), 300);
                if error.is_permanent() {
                    AttemptResult::Dead { why }
                } else {
                    AttemptResult::Retry { after: None, why }
                }
            }
        }
    }

    fn preview(&self, message: &Message) -> String {
        self.mail(message).map_or_else(
            |why| why,
            |mail| String::from_utf8_lossy(&mail.formatted()).into_owned(),
        )
    }
}

impl Email {
    fn mail(&self, message: &Message) -> Result<Mail, String> {
        let all = paragraphs(message);
        let domain = self.from.email.domain();
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .subject(line(&summary(message), LONGEST_SUBJECT))
            .header(MessageId::from(format!("<{}@{domain}>", message.key)));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        // A message that was never sent stands for the incident: what refers to it is one
        // thread, whichever mail came first and whatever else was in it.
        let threads: Vec<String> = latest(message)
            .iter()
            .take(20)
            .map(|notice| format!("<incident.{}@{domain}>", notice.incident))
            .collect();
        for name in ["References", "In-Reply-To"] {
            let threads = if name == "References" {
                threads.join(" ")
            } else {
                threads.first().cloned().unwrap_or_default()
            };
            builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), threads));
        }
        builder = builder.raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".into(),
        ));
        builder
            .multipart(MultiPart::alternative_plain_html(
                plain(message, &all),
                html(message, &all),
            ))
            .map_err(|error| format!("the mail cannot be put together: {error}"))
    }
}

fn plain(message: &Message, all: &[Paragraph]) -> String {
    let mut text = format!("{}\n", summary(message));
    for paragraph in all {
        text.push_str(&format!("\n{}\n", paragraph.headline));
        for reason in &paragraph.reasons {
            text.push_str(&format!("  {reason}\n"));
        }
        let facts: Vec<String> = paragraph
            .facts
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        text.push_str(&format!("  {}\n", facts.join(" | ")));
        for (words, url) in &paragraph.links {
            text.push_str(&format!("  {words}: {url}\n"));
        }
    }
    text
}

fn html(message: &Message, all: &[Paragraph]) -> String {
    let mut text = format!("<p><b>{}</b></p>\n", escape(&summary(message)));
    for paragraph in all {
        text.push_str(&format!(
            "<div style=\"border-left:4px solid {};padding-left:10px;margin:12px 0\"><b>{}</b>",
            colour(paragraph.level),
            escape(&paragraph.headline)
        ));
        for reason in &paragraph.reasons {
            text.push_str(&format!("<br>{}", escape(reason)));
        }
        let facts: Vec<String> = paragraph
            .facts
            .iter()
            .map(|(name, value)| format!("{name} {}", escape(value)))
            .collect();
        let links: Vec<String> = paragraph
            .links
            .iter()
            .map(|(words, url)| format!("<a href=\"{}\">{words}</a>", escape(url)))
            .collect();
        let footer: Vec<String> = facts.into_iter().chain(links).collect();
        text.push_str(&format!(
            "<br><small>{}</small></div>\n",
            footer.join(" &middot; ")
        ));
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::message::tests::{message, notice};

    fn email() -> Email {
        Email {
            to: vec!["Ops <ops@example.com>".parse().unwrap()],
            from: "haetae@example.com".parse().unwrap(),
            mailer: None,
        }
    }

    #[test]
    fn mails_of_one_incident_refer_to_the_same_thread() {
        let mut second = message(vec![notice()]);
        second.key = "d2".into();
        let [first, second] = [message(vec![notice()]), second].map(|message| email().preview(&message));
        let line = |mail: &str, name: &str| {
            mail.lines()
                .find(|line| line.starts_with(name))
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            line(&first, "References:"),
            "References: <incident.4k2m9xq7ab@example.com>"
        );
        assert_eq!(line(&first, "References:"), line(&second, "References:"));
        assert_ne!(line(&first, "Message-ID:"), line(&second, "Message-ID:"));
    }

    #[test]
    fn foreign_text_is_neither_a_header_nor_markup() {
        let mut hostile = notice();
        hostile.name = "x\r\nBcc: evil@example.com".into();
        hostile.reasons = vec!["<script>alert(1)</script>".into()];
        let message = message(vec![hostile]);
        let mail = email().preview(&message);
        assert!(!mail.lines().any(|line| line.starts_with("Bcc:")), "{mail}");
        assert!(!html(&message, &paragraphs(&message)).contains("<script>"));
    }

    #[test]
    fn a_mail_server_is_asked_with_tls_unless_it_is_this_machine() {
        assert!(mailer("smtps://user:p%40ss@mail.example", None).unwrap().1 == Some("p@ss".into()));
        let (_, password) = mailer("smtps://user:a+b&c=d==@mail.example", None).unwrap();
        assert_eq!(password.as_deref(), Some("a+b&c=d=="));
        assert!(mailer("smtp://mail.example", None).is_ok());
        assert!(mailer("mail.example", None).is_err());
        assert!(mailer("http://mail.example", None).is_err());
    }
}
