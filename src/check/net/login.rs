//! URLs that may hold a user and a password, read so that neither shows in any message.

use percent_encoding::percent_decode_str;

use crate::decode::{Node, Problem, Reader};
use crate::model::Text;

/// Reads a URL: a password in plain sight is refused, and what `look` says is wrong with the URL
/// is told without its line.
pub fn read_login_url(
    node: &Node,
    reader: &mut Reader<'_>,
    look: impl Fn(&str) -> Result<(), String>,
) -> Option<Text> {
    let text = reader.text(node)?;
    if reader.deny_literal_secrets && holds_literal_password(text.as_written()) {
        reader.report(
            Problem::error(&node.place, "a password must not stand in the URL")
                .hint("name it instead, as `${env:NAME}` in the URL or with the key `password:`; `secrets: { deny_literals: false }` in haetae.yaml allows it")
                .without_line(),
        );
        return None;
    }
    // A secret that is only looked at counts as empty, so that the URL can't be judged.
    let constant = text.constant().filter(|_| !text.holds_secret());
    if let Some(Err(why)) = constant.map(|url| look(&url)) {
        reader.report(Problem::error(&node.place, format!("this URL {why}")).without_line());
        return None;
    }
    Some(text)
}

/// A part of a URL without its `%…`.
///
/// # Errors
/// When that is no text.
pub fn decoded(text: &str) -> Result<String, String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| "has a part that is not UTF-8 once its `%…` are decoded".to_owned())
}

/// Whether a URL, as it is written in the configuration, holds a password in plain sight:
/// `${…}` is none.
#[must_use]
pub fn holds_literal_password(written: &str) -> bool {
    let mut plain = String::new();
    let mut rest = written;
    let mut named = 0;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}') else { break };
        plain.push_str(&rest[..start]);
        plain.push('\u{1}');
        named += 1;
        rest = &rest[start + end + 1..];
    }
    plain.push_str(rest);
    let Some((_, rest)) = plain.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else {
        return false;
    };
    let password = user.split_once(':').map_or("", |(_, password)| password);
    !(password.is_empty() || (named > 0 && password.contains('\u{1}')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_plain_sight_are_seen() {
        for (written, seen) in [
            ("postgres://me:pw@db/shop", true),
            ("postgres://me:p${env:X}@db/shop", false),
            ("postgres://me:${env:PW}@db/shop", false),
            ("postgres://me:${file:/run/pw}@db/shop", false),
            ("postgres://me:pw@${env:HOST}/shop", true),
            ("postgres://me@db/shop", false),
            ("postgres://db:5432/a@b", false),
            ("${env:URL}", false),
        ] {
            assert_eq!(holds_literal_password(written), seen, "{written}");
        }
    }
}
