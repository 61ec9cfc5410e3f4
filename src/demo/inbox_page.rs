//! The inbox's page: one card per message, the newest first.

use std::sync::Arc;

use super::chat::Part;
use super::markup::{Markup, site_page};
use super::messages::{Message, Service};

/// The page with `messages`, the newest first, of one service or all.
pub(super) fn page(messages: &[Arc<Message>], service: Option<Service>) -> Markup {
    let cards: Markup = messages.iter().map(|message| card(message)).collect();
    let last = messages.first().map_or(0, |message| message.id);
    let shown = match service {
        None => "all messages".to_owned(),
        Some(service) => format!("messages to {}", service.name()),
    };
    let nothing = Markup::trusted(if messages.is_empty() {
        "<p class=\"soft\">Nothing has come in yet.</p>"
    } else {
        ""
    });
    let content = Markup::fill(
        include_str!("pages/inbox.html"),
        &[
            ("shown", shown.into()),
            ("last", last.to_string().into()),
            ("nothing", nothing),
            ("cards", cards),
        ],
    );
    site_page("Inbox · haetae demo", content)
}

fn card(message: &Message) -> Markup {
    let refusal = message.error.map_or_else(Markup::default, |error| {
        Markup::fill(
            r#"<p class="bad">Refused: {{status}} {{error}}</p>"#,
            &[
                ("status", message.status.as_u16().to_string().into()),
                ("error", error.into()),
            ],
        )
    });
    let class = if message.error.is_some() {
        "message refused"
    } else {
        "message"
    };
    Markup::fill(
        include_str!("pages/message.html"),
        &[
            ("class", Markup::trusted(class)),
            ("color", css_color(message.color()).into()),
            ("id", message.id.to_string().into()),
            ("service", message.service.name().into()),
            ("hook", message.hook.as_str().into()),
            ("time", message.received.to_string().into()),
            ("refusal", refusal),
            ("parts", message.parts().iter().map(Part::html).collect()),
            (
                "warnings",
                message.warnings.iter().map(|text| warning(text)).collect(),
            ),
        ],
    )
}

fn warning(text: &str) -> Markup {
    Markup::fill(
        r#"<p class="warning">Note: {{text}}</p>"#,
        &[("text", text.into())],
    )
}

/// A colour that may stand in a style; grey for what is none.
fn css_color(color: Option<&str>) -> String {
    let color = color.unwrap_or_default();
    let is_hex =
        |digits: &str| matches!(digits.len(), 3 | 6) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_name = |name: &str| {
        (3..=20).contains(&name.len()) && name.bytes().all(|letter| letter.is_ascii_alphabetic())
    };
    match color {
        "good" => "#2eb67d".to_owned(),
        "warning" => "#ecb22e".to_owned(),
        "danger" => "#e01e5a".to_owned(),
        _ if color.strip_prefix('#').is_some_and(is_hex) || is_name(color) => color.to_owned(),
        _ => "#9aa8a2".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_reach_the_style() {
        let cases = [
            (Some("good"), "#2eb67d"),
            (Some("#e01e5a"), "#e01e5a"),
            (Some("red"), "red"),
            (Some("red;background:url(x)"), "#9aa8a2"),
            (Some("#12345"), "#9aa8a2"),
            (Some(""), "#9aa8a2"),
            (None, "#9aa8a2"),
        ];
        for (color, css) in cases {
            assert_eq!(css_color(color), css, "{color:?}");
        }
    }
}
