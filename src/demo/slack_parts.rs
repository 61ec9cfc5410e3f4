//! Takes a Slack message apart for reading.

use serde_json::Value;

use super::chat::{Part, list, text};

/// The parts of a message in the order they are shown, whether or not it would be taken.
pub(super) fn read(payload: &Value) -> Vec<Part> {
    let blocks = list(payload, "blocks");
    let mut parts = Vec::new();
    if let Some(text) = text(payload, "text") {
        // Beside blocks the text is not part of the message any more.
        parts.push(if blocks.is_empty() {
            Part::Marked(text.to_owned())
        } else {
            Part::Notification(text.to_owned())
        });
    }
    parts.extend(blocks.iter().flat_map(block_parts));
    parts.extend(list(payload, "attachments").iter().flat_map(attachment_parts));
    parts
}

fn attachment_parts(attachment: &Value) -> Vec<Part> {
    let marked = |key| text(attachment, key).map(|source| Part::Marked(source.to_owned()));
    let plain = |key| text(attachment, key).map(|text| Part::Plain(text.to_owned()));
    let title = text(attachment, "title").map(|title| match text(attachment, "title_link") {
        Some(target) => link(title, target),
        None => Part::Marked(format!("*{title}*")),
    });
    let mut parts: Vec<Part> = [marked("pretext"), plain("author_name"), title, marked("text")]
        .into_iter()
        .flatten()
        .collect();
    parts.extend(list(attachment, "fields").iter().map(field_part));
    parts.extend(list(attachment, "blocks").iter().flat_map(block_parts));
    parts.extend(plain("footer"));
    if parts.is_empty() {
        parts.extend(plain("fallback"));
    }
    parts
}

fn field_part(field: &Value) -> Part {
    let title = text(field, "title").unwrap_or_default();
    let value = text(field, "value").unwrap_or_default();
    Part::Marked(format!("*{title}*\n{value}"))
}

fn block_parts(block: &Value) -> Vec<Part> {
    let own_text = block.get("text").into_iter();
    let mut parts: Vec<Part> = own_text
        .chain(list(block, "fields"))
        .chain(block.get("accessory"))
        .chain(list(block, "elements"))
        .filter_map(element_part)
        .collect();
    if text(block, "type") == Some("header") {
        for part in &mut parts {
            *part = Part::Heading(part.readable());
        }
    }
    parts.extend(text(block, "alt_text").map(image_part));
    parts
}

/// A text, an image or a button.
fn element_part(element: &Value) -> Option<Part> {
    match text(element, "type")? {
        "plain_text" => Some(Part::Plain(text(element, "text")?.to_owned())),
        "mrkdwn" => Some(Part::Marked(text(element, "text")?.to_owned())),
        "image" => text(element, "alt_text").map(image_part),
        "button" => {
            let label = text(element.get("text")?, "text")?;
            Some(match text(element, "url") {
                Some(target) => link(label, target),
                None => Part::Plain(format!("[{label}]")),
            })
        }
        _ => None,
    }
}

fn image_part(alt_text: &str) -> Part {
    Part::Plain(format!("[image: {alt_text}]"))
}

fn link(label: &str, target: &str) -> Part {
    Part::Link {
        label: label.to_owned(),
        target: target.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_is_read_from_top_to_bottom() {
        let section = json!({"type": "section", "text": {"type": "mrkdwn", "text": "xxx"}});
        let payload = json!({
            "text": "Payment is *critical*",
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": "Payment & cards"}},
                {"type": "divider"},
                {"type": "context", "elements": [{"type": "mrkdwn", "text": "p95 &gt; 1s"}]},
            ],
            "attachments": [
                {"color": "danger", "blocks": [section]},
                {"title": "Runbook", "title_link": "https://wiki.example/pay",
                 "fields": [{"title": "Since", "value": "09:00"}]},
            ],
        });
        let told: Vec<String> = read(&payload).iter().map(Part::readable).collect();
        assert_eq!(
            told,
            [
                "Payment is *critical*",
                "Payment & cards",
                "p95 > 1s",
                "xxx",
                "Runbook (https://wiki.example/pay)",
                "*Since*\n09:00",
            ]
        );
    }

    #[test]
    fn images_and_buttons_are_named() {
        let payload = json!({"blocks": [
            {"type": "image", "image_url": "https://a.example/x.png", "alt_text": "the page"},
            {"type": "actions", "elements": [
                {"type": "button", "text": {"type": "plain_text", "text": "Acknowledge"}},
                {"type": "button", "text": {"type": "plain_text", "text": "Open"},
                 "url": "https://a.example/1"},
            ]},
        ]});
        let told: Vec<String> = read(&payload).iter().map(Part::readable).collect();
        assert_eq!(
            told,
            ["[image: the page]", "[Acknowledge]", "Open (https://a.example/1)",]
        );
    }
}
