//! Slack's text format, as far as the inbox shows it: bold, links, mentions and entities.

use super::markup::Markup;

/// A piece of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Text(&'a str),
    /// `<https://…|label>`; the label is the target when none is given.
    Link {
        target: &'a str,
        label: &'a str,
    },
    /// `<!channel>`, `<@U…>` and their like: somebody's phone rings.
    Mention(&'a str),
    /// `<#C…>` and `<!date^…>`: a reference that rings nowhere.
    Reference(&'a str),
    /// A `<` that begins none of these and should have been written `&lt;`.
    StrayLess,
}

/// The text as a person reads it: entities decoded, links as `label (target)`.
pub(super) fn readable(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    for token in tokens(source) {
        match token {
            Token::Text(piece) | Token::Reference(piece) => text.push_str(&decoded(piece)),
            Token::Link { target, label } if target == label => text.push_str(&decoded(target)),
            Token::Link { target, label } => {
                text.push_str(&decoded(label));
                text.push_str(" (");
                text.push_str(&decoded(target));
                text.push(')');
            }
            Token::Mention(who) => text.push_str(who),
            Token::StrayLess => text.push('<'),
        }
    }
    text
}

/// The text as HTML.
pub(super) fn html(source: &str) -> Markup {
    let mut whole = Markup::default();
    for (index, line) in source.split('\n').enumerate() {
        if index > 0 {
            whole.push(&Markup::trusted("<br>"));
        }
        whole.push(&line_html(line));
    }
    whole
}

/// What the service would take, but not as the sender meant it.
pub(super) fn warnings(source: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for token in tokens(source) {
        let warning = match token {
            Token::StrayLess => "a raw `<` should be written as `&lt;`".to_owned(),
            Token::Mention(who) => format!("mentions people: `{who}`"),
            Token::Text(_) | Token::Link { .. } | Token::Reference(_) => continue,
        };
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings
}

fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some((before, opened)) = rest.split_once('<') {
        if !before.is_empty() {
            tokens.push(Token::Text(before));
        }
        if let Some((token, after)) = angled(opened) {
            tokens.push(token);
            rest = after;
        } else {
            tokens.push(Token::StrayLess);
            rest = opened;
        }
    }
    if !rest.is_empty() {
        tokens.push(Token::Text(rest));
    }
    tokens
}

/// Reads what stands between `<` and `>`, if Slack would understand it.
fn angled(opened: &str) -> Option<(Token<'_>, &str)> {
    let (inner, after) = opened.split_once('>')?;
    if inner.contains(['<', '\n']) {
        return None;
    }
    let (target, label) = inner.split_once('|').unwrap_or((inner, inner));
    let token = if let Some(user) = target.strip_prefix('@') {
        is_id(user, "UW").then_some(Token::Mention(target))?
    } else if let Some(channel) = target.strip_prefix('#') {
        is_id(channel, "CG").then_some(Token::Reference(label))?
    } else if let Some(command) = target.strip_prefix('!') {
        special(command, target, label)?
    } else {
        has_scheme(target).then_some(Token::Link { target, label })?
    };
    Some((token, after))
}

fn special<'a>(command: &str, target: &'a str, label: &'a str) -> Option<Token<'a>> {
    if matches!(command, "channel" | "here" | "everyone") || command.starts_with("subteam^") {
        Some(Token::Mention(target))
    } else if command.starts_with("date^") {
        Some(Token::Reference(label))
    } else {
        None
    }
}

fn is_id(text: &str, initials: &str) -> bool {
    text.starts_with(|initial: char| initials.contains(initial))
        && text.len() > 1
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn has_scheme(target: &str) -> bool {
    let Some((scheme, address)) = target.split_once(':') else {
        return false;
    };
    scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !address.is_empty()
}

fn line_html(line: &str) -> Markup {
    let tokens = tokens(line);
    let mut bold = Bold::of(&tokens);
    tokens
        .into_iter()
        .map(|token| match token {
            Token::Text(text) => bold.html(text),
            Token::Link { target, label } => link(target, label),
            Token::Mention(who) => who.into(),
            Token::Reference(label) => decoded(label).into(),
            Token::StrayLess => "<".into(),
        })
        .collect()
}

/// Pairs the asterisks of a line; one without a partner stays an asterisk.
struct Bold {
    stars_left: usize,
    is_on: bool,
}

impl Bold {
    fn of(line: &[Token<'_>]) -> Self {
        let stars: usize = line
            .iter()
            .map(|token| match token {
                Token::Text(text) => text.matches('*').count(),
                Token::Link { .. } | Token::Mention(_) | Token::Reference(_) | Token::StrayLess => 0,
            })
            .sum();
        Self {
            stars_left: stars - stars % 2,
            is_on: false,
        }
    }

    fn html(&mut self, text: &str) -> Markup {
        let mut html = Markup::default();
        for (index, piece) in text.split('*').enumerate() {
            if index > 0 {
                html.push(&self.star());
            }
            html.push(&decoded(piece).into());
        }
        html
    }

    fn star(&mut self) -> Markup {
        if self.stars_left == 0 {
            return "*".into();
        }
        self.stars_left -= 1;
        self.is_on = !self.is_on;
        Markup::trusted(if self.is_on { "<b>" } else { "</b>" })
    }
}

/// A link that can be followed, or just its text when following it could do harm.
pub(super) fn link(target: &str, label: &str) -> Markup {
    let target = decoded(target);
    let label = decoded(label);
    let is_harmless = ["http://", "https://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme));
    if !is_harmless {
        return format!("{label} ({target})").into();
    }
    Markup::fill(
        r#"<a href="{{target}}" rel="noreferrer">{{label}}</a>"#,
        &[("target", target.into()), ("label", label.into())],
    )
}

/// The three entities of the format; `&amp;` last, or `&amp;lt;` would become `<`.
fn decoded(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_links_and_entities_decoded() {
        let source =
            "*down* <https://a.example/?x=1&amp;y=2|Shop &amp; cart> p95 &gt; 1s\n<https://b.example>";
        assert_eq!(
            readable(source),
            "*down* Shop & cart (https://a.example/?x=1&y=2) p95 > 1s\nhttps://b.example"
        );
    }

    #[test]
    fn html_has_bold_links_and_line_breaks() {
        assert_eq!(
            html("*<https://a.example|A>* is *down* &lt;now&gt;\n2 * 3").as_str(),
            "<b><a href=\"https://a.example\" rel=\"noreferrer\">A</a></b> is <b>down</b> \
             &lt;now&gt;<br>2 * 3"
        );
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        for source in [
            "<script>alert(1)</script>",
            "<https://a.example|<b>x</b>>",
            "&lt;script&gt;",
            "\"><script>",
        ] {
            assert!(!html(source).as_str().contains("<script"), "{source}");
            assert!(!html(source).as_str().contains("<b>"), "{source}");
        }
        let harmful = html("<javascript:alert(1)|click>");
        assert_eq!(harmful.as_str(), "click (javascript:alert(1))");
    }

    #[test]
    fn mentions_and_raw_angles_are_warned_about_once() {
        let cases = [
            ("<!channel> <!channel>", "mentions people: `!channel`"),
            ("<!here|here>", "mentions people: `!here`"),
            ("<!everyone>", "mentions people: `!everyone`"),
            ("<@U024BE7LH>", "mentions people: `@U024BE7LH`"),
            ("<!subteam^S123|@ops>", "mentions people: `!subteam^S123`"),
            ("a < b and c < d", "a raw `<` should be written as `&lt;`"),
            ("<nobody>", "a raw `<` should be written as `&lt;`"),
        ];
        for (source, warning) in cases {
            assert_eq!(warnings(source), [warning], "{source}");
        }
    }

    #[test]
    fn what_is_written_properly_raises_no_warning() {
        for source in [
            "plain & simple > easy",
            "a &lt; b &lt;!channel&gt;",
            "<https://a.example|x> <mailto:a@b.example> <#C024BE7LR|ops>",
            "<!date^1392734382^{date}|18 February>",
        ] {
            assert_eq!(warnings(source), [""; 0], "{source}");
        }
    }
}
