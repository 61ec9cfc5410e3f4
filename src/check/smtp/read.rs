//! The keys of an SMTP check, and how they are read.

use super::{Auth, Encryption, SmtpProbe};
use crate::check::attempt::Manners;
use crate::check::expect::{LEVEL_KEY, USE_THRESHOLDS, read_blocks, refuse};
use crate::check::matcher::{MATCHES, Matcher};
use crate::check::net::dial::Address;
use crate::check::net::secure::{CA, INSECURE_TLS, SERVER_NAME, TlsWish};
use crate::check::{Blocks, Probe};
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};

pub(super) static SMTP: Spec = Spec {
    name: "smtp",
    example: "smtp: { address: mail.example, starttls: required }",
    keys: &[
        Key::required(
            "address",
            Shape::Text,
            "Host and port: `mail.example:587`; without a port 25, or 465 with `tls: true`.",
        ),
        Key::or("tls", Shape::Boolean, "false", "Speak TLS from the start."),
        Key::or(
            "starttls",
            Shape::Choice(&["required", "opportunistic", "false"]),
            "opportunistic",
            "Ask for TLS: always, where it is offered, or never.",
        ),
        SERVER_NAME,
        CA,
        INSECURE_TLS,
        Key::new(
            "ehlo",
            Shape::Text,
            "What we call ourselves; our address (`[192.0.2.1]`) without it.",
        ),
        Key::new("auth", Shape::Object(&AUTH), "Log in; only over TLS."),
        Key::new(
            "mail_from",
            Shape::Text,
            "Ask whether mail from this address is taken; \"\" is the sender of bounces.",
        ),
        Key::new(
            "rcpt_to",
            Shape::OneOrMany(&Shape::Text),
            "Ask whether mail to these addresses is taken; nothing is sent.",
        ),
    ],
};

static AUTH: Spec = Spec {
    name: "auth",
    example: "auth: { user: probe, password: \"${env:MAIL_PASSWORD}\" }",
    keys: &[
        Key::required("user", Shape::Text, "The user's name."),
        Key::required("password", Shape::Text, "The password: `${env:MAIL_PASSWORD}`."),
        Key::new(
            "mechanism",
            Shape::Choice(&["plain", "login"]),
            "The one to use; PLAIN without it, or LOGIN where only that is offered.",
        ),
    ],
};

pub(super) static SMTP_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { capabilities: { contains: STARTTLS } }",
    keys: &[
        Key::new(
            "greeting",
            Shape::Ref(&MATCHES),
            "What holds for the greeting: `220 mail.example ESMTP`.",
        ),
        Key::new(
            "capabilities",
            Shape::Ref(&MATCHES),
            "What holds for the list of what EHLO offers: `STARTTLS`, `SIZE`, `8BITMIME`.",
        ),
        Key::new(
            "auth",
            Shape::Ref(&MATCHES),
            "What holds for the list of AUTH mechanisms.",
        ),
        Key::new(
            "size",
            Shape::Ref(&MATCHES),
            "What holds for the longest message, in bytes.",
        ),
        Key::new(
            "recipient",
            Shape::Ref(&MATCHES),
            "What holds for each reply to `rcpt_to`, in place of its being accepted: `{ matches: \"^550\" }`.",
        ),
        LEVEL_KEY,
    ],
};

const EXPECTED: &[&str] = &["greeting", "capabilities", "auth", "size", "recipient"];

/// Reads the blocks of an SMTP check.
pub(super) fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &SMTP, reader)?;
    let encryption = read_encryption(&fields, reader);
    let port = if encryption == Encryption::FromTheStart {
        465
    } else {
        25
    };
    let address = fields
        .get("address")
        .and_then(|node| Address::read(node, Some(port), reader));
    let auth = fields.get("auth").and_then(|node| {
        if matches!(encryption, Encryption::Never | Encryption::Opportunistic) {
            // The password may stand in the same line.
            reader.report(
                Problem::error(
                    &node.place,
                    "a password is sent over TLS only: `auth` needs `tls: true` or `starttls: required`",
                )
                .without_line(),
            );
        }
        read_auth(node, reader)
    });
    let mail_from = fields.get("mail_from").and_then(|node| reader.text(node));
    let rcpt_to = fields
        .get("rcpt_to")
        .map(|node| reader.one_or_many(node, Reader::text))
        .unwrap_or_default();
    if let (Some(node), None) = (fields.get("rcpt_to"), fields.get("mail_from")) {
        reader.error(
            node,
            "`rcpt_to` needs `mail_from`: SMTP asks for the sender first",
        );
    }
    refuse(blocks.measure, "smtp", "measure", USE_THRESHOLDS, reader);
    let expects = read_blocks(blocks.expect, &SMTP_EXPECT, reader, |block, reader| {
        if let (Some(node), None) = (block.get("recipient"), fields.get("rcpt_to")) {
            reader.error(node, "`recipient` needs `rcpt_to` in `smtp:`");
        }
        EXPECTED
            .iter()
            .filter_map(|name| Some((*name, Matcher::read(block.get(name)?, reader)?)))
            .collect()
    });
    let wish = TlsWish::read(&fields, reader);
    let ehlo = fields.get("ehlo").and_then(|node| reader.text(node));
    let address = address?;
    let probe = SmtpProbe {
        manners: Manners::new(blocks, address.host()),
        address,
        encryption,
        wish,
        ehlo,
        auth,
        mail_from,
        rcpt_to,
        expects,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_encryption(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Encryption {
    let words = [
        ("required", Encryption::Required),
        ("opportunistic", Encryption::Opportunistic),
        ("false", Encryption::Never),
    ];
    let starttls = fields
        .get("starttls")
        .and_then(|node| reader.choice(node, &words));
    let from_the_start = fields
        .get("tls")
        .and_then(|node| reader.boolean(node))
        .unwrap_or(false);
    if let (true, Some(Encryption::Required | Encryption::Opportunistic), Some(node)) =
        (from_the_start, starttls, fields.get("starttls"))
    {
        reader.error(
            node,
            "`tls: true` speaks TLS from the start, and `starttls` asks for it: use one",
        );
    }
    match from_the_start {
        true => Encryption::FromTheStart,
        false => starttls.unwrap_or(Encryption::Opportunistic),
    }
}

fn read_auth(node: &Node, reader: &mut Reader<'_>) -> Option<Auth> {
    let fields = Fields::open(node, &AUTH, reader)?;
    if let Some(password) = fields.get("password") {
        reader.refuse_literal_secret(password, "a password");
    }
    let words = [("plain", "PLAIN"), ("login", "LOGIN")];
    Some(Auth {
        user: reader.text(fields.get("user")?)?,
        password: reader.text(fields.get("password")?)?,
        mechanism: fields
            .get("mechanism")
            .and_then(|node| reader.choice(node, &words)),
    })
}
