//! The check of Slack's Block Kit, as strict as the service: the limits of each kind of block, and no
//! unknown property, `null` or empty string anywhere.
//!
//! Known are the kinds that a message to a channel is made of; the service knows some more.

use std::collections::HashSet;

use serde_json::Value;

use super::addresses::{can_be_fetched, can_be_opened};
use super::fields::{Checked, Fields};

/// The most blocks in one list.
const MAX_BLOCKS: usize = 50;

const MAX_TEXT: usize = 3000;
const MAX_FIELD: usize = 2000;
const MAX_FIELDS: usize = 10;
const MAX_HEADER: usize = 150;
const MAX_CONTEXT_ELEMENTS: usize = 10;
const MAX_ACTIONS: usize = 25;
const MAX_BUTTON_TEXT: usize = 75;
const MAX_URL: usize = 3000;
const MAX_VALUE: usize = 2000;
const MAX_ID: usize = 255;
const MAX_ALT_TEXT: usize = 2000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    PlainOnly,
    PlainOrMarked,
}

/// Checks a list of blocks.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check(blocks: &[Value]) -> Checked {
    if blocks.len() > MAX_BLOCKS {
        return Err(format!("more than {MAX_BLOCKS} blocks"));
    }
    for (index, block) in blocks.iter().enumerate() {
        check_block(block).map_err(|why| format!("block {index}: {why}"))?;
    }
    unique(blocks, "block_id")
}

/// The length of all texts in `blocks`, in code points.
pub(super) fn text_length(blocks: &[Value]) -> usize {
    blocks.iter().map(length_within).sum()
}

fn length_within(value: &Value) -> usize {
    match value {
        Value::Object(object) => {
            let own = match (object.get("type").and_then(Value::as_str), object.get("text")) {
                (Some("plain_text" | "mrkdwn"), Some(Value::String(text))) => text.chars().count(),
                _ => 0,
            };
            own + object.values().map(length_within).sum::<usize>()
        }
        Value::Array(list) => text_length(list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn check_block(block: &Value) -> Checked {
    let block = Fields::of(block)?;
    let checked = match block.kind()? {
        "section" => check_section(&block),
        "header" => check_header(&block),
        "divider" => block.only(&["type", "block_id"]),
        "context" => check_context(&block),
        "actions" => check_actions(&block),
        "image" => check_image_block(&block),
        other => Err(format!("unknown type `{other}`")),
    };
    checked?;
    block.string("block_id", MAX_ID)?;
    Ok(())
}

fn check_section(block: &Fields<'_>) -> Checked {
    block.only(&["type", "block_id", "text", "fields", "accessory", "expand"])?;
    block.flag("expand")?;
    let text = block.get("text");
    if let Some(text) = text {
        check_text(text, MAX_TEXT, Style::PlainOrMarked)?;
    }
    if text.is_none() || block.get("fields").is_some() {
        for field in block.list("fields", MAX_FIELDS)? {
            check_text(field, MAX_FIELD, Style::PlainOrMarked)?;
        }
    }
    block.get("accessory").map_or(Ok(()), check_accessory)
}

fn check_accessory(accessory: &Value) -> Checked {
    let element = Fields::of(accessory)?;
    match element.kind()? {
        "button" => check_button(&element),
        "image" => check_image(&element),
        other => Err(format!("unknown accessory `{other}`")),
    }
}

fn check_header(block: &Fields<'_>) -> Checked {
    block.only(&["type", "block_id", "text"])?;
    check_text(block.required("text")?, MAX_HEADER, Style::PlainOnly)
}

fn check_context(block: &Fields<'_>) -> Checked {
    block.only(&["type", "block_id", "elements"])?;
    for element in block.list("elements", MAX_CONTEXT_ELEMENTS)? {
        let fields = Fields::of(element)?;
        if fields.kind()? == "image" {
            check_image(&fields)?;
        } else {
            check_text(element, MAX_TEXT, Style::PlainOrMarked)?;
        }
    }
    Ok(())
}

fn check_actions(block: &Fields<'_>) -> Checked {
    block.only(&["type", "block_id", "elements"])?;
    let elements = block.list("elements", MAX_ACTIONS)?;
    for element in elements {
        let element = Fields::of(element)?;
        match element.kind()? {
            "button" => check_button(&element)?,
            other => return Err(format!("unknown element `{other}`")),
        }
    }
    unique(elements, "action_id")
}

fn check_image_block(block: &Fields<'_>) -> Checked {
    block.only(&["type", "block_id", "image_url", "alt_text", "title"])?;
    if let Some(title) = block.get("title") {
        check_text(title, MAX_ALT_TEXT, Style::PlainOnly)?;
    }
    check_image_source(block)
}

fn check_image(element: &Fields<'_>) -> Checked {
    element.only(&["type", "image_url", "alt_text"])?;
    check_image_source(element)
}

fn check_image_source(image: &Fields<'_>) -> Checked {
    image.required("alt_text")?;
    image.string("alt_text", MAX_ALT_TEXT)?;
    image.required("image_url")?;
    let address = image.string("image_url", MAX_URL)?.unwrap_or_default();
    if can_be_fetched(address) {
        Ok(())
    } else {
        Err(format!("the image `{address}` can't be fetched"))
    }
}

fn check_button(button: &Fields<'_>) -> Checked {
    button.only(&[
        "type",
        "text",
        "action_id",
        "url",
        "value",
        "style",
        "accessibility_label",
    ])?;
    check_text(button.required("text")?, MAX_BUTTON_TEXT, Style::PlainOnly)?;
    button.string("action_id", MAX_ID)?;
    button.string("value", MAX_VALUE)?;
    button.string("accessibility_label", MAX_BUTTON_TEXT)?;
    if let Some(style) = button.string("style", MAX_ID)?
        && !matches!(style, "primary" | "danger")
    {
        return Err(format!("unknown button style `{style}`"));
    }
    match button.string("url", MAX_URL)? {
        Some(address) if !can_be_opened(address) => {
            Err(format!("the button's URL `{address}` has no scheme to open"))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_text(text: &Value, limit: usize, style: Style) -> Checked {
    let text = Fields::of(text)?;
    match (text.kind()?, style) {
        ("plain_text", Style::PlainOnly | Style::PlainOrMarked) => {
            text.only(&["type", "text", "emoji"])?;
            text.flag("emoji")?;
        }
        ("mrkdwn", Style::PlainOrMarked) => {
            text.only(&["type", "text", "verbatim"])?;
            text.flag("verbatim")?;
        }
        (other, _) => return Err(format!("text of type `{other}` may not stand here")),
    }
    text.required("text")?;
    text.string("text", limit)?;
    Ok(())
}

/// Ids that are given may not be given twice.
fn unique(elements: &[Value], key: &str) -> Checked {
    let mut seen = HashSet::new();
    for id in elements.iter().filter_map(|element| element.get(key)) {
        if !seen.insert(id.as_str()) {
            return Err(format!("`{key}` {id} is not unique"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(block: Value) -> String {
        match check(&[block]) {
            Ok(()) => "ok".to_owned(),
            Err(why) => why,
        }
    }

    fn plain(length: usize) -> Value {
        json!({"type": "plain_text", "text": "가".repeat(length)})
    }

    fn marked(length: usize) -> Value {
        json!({"type": "mrkdwn", "text": "x".repeat(length)})
    }

    fn button(extra: &Value) -> Value {
        let mut button = json!({"type": "button", "text": plain(75)});
        for (key, value) in extra.as_object().unwrap() {
            button[key] = value.clone();
        }
        json!({"type": "actions", "elements": [button]})
    }

    #[test]
    fn blocks_within_the_limits_are_taken() {
        let image = json!({"type": "image", "image_url": "https://a.example/x.png", "alt_text": "x"});
        let good = [
            json!({"type": "divider", "block_id": "d"}),
            json!({"type": "header", "text": plain(150)}),
            json!({"type": "section", "text": marked(3000), "expand": true}),
            json!({"type": "section", "fields": vec![marked(2000); 10]}),
            json!({"type": "section", "text": plain(1), "accessory": image}),
            json!({"type": "context", "elements": [marked(1), plain(1), image]}),
            button(&json!({"url": "https://a.example", "style": "danger", "action_id": "a"})),
            image,
        ];
        assert_eq!(check(&good), Ok(()));
    }

    #[test]
    fn every_limit_is_kept() {
        let cases = [
            (json!({"type": "header", "text": plain(151)}), "characters"),
            (json!({"type": "section", "text": marked(3001)}), "characters"),
            (json!({"type": "section", "fields": [marked(2001)]}), "characters"),
            (
                json!({"type": "section", "fields": vec![marked(1); 11]}),
                "elements",
            ),
            (
                json!({"type": "section", "text": marked(1), "fields": []}),
                "elements",
            ),
            (
                json!({"type": "context", "elements": vec![marked(1); 11]}),
                "elements",
            ),
            (json!({"type": "actions", "elements": []}), "elements"),
            (button(&json!({"text": plain(76)})), "characters"),
            (button(&json!({"value": "x".repeat(2001)})), "characters"),
            (
                json!({"type": "divider", "block_id": "x".repeat(256)}),
                "characters",
            ),
        ];
        for (block, word) in cases {
            let verdict = verdict(block);
            assert!(verdict.contains(word), "{verdict}");
        }
        let too_many = vec![json!({"type": "divider"}); 51];
        assert_eq!(check(&too_many), Err("more than 50 blocks".to_owned()));
    }

    #[test]
    fn a_wrong_shape_is_refused_with_its_reason() {
        let cases = [
            (json!("divider"), "block 0: not an object"),
            (json!({}), "block 0: `type` is missing"),
            (json!({"type": "poem"}), "block 0: unknown type `poem`"),
            (
                json!({"type": "divider", "color": "red"}),
                "block 0: unknown property `color`",
            ),
            (
                json!({"type": "divider", "block_id": null}),
                "block 0: `block_id` is null",
            ),
            (
                json!({"type": "divider", "block_id": ""}),
                "block 0: `block_id` is empty",
            ),
            (json!({"type": "section"}), "block 0: `fields` is missing"),
            (
                json!({"type": "section", "text": {"type": "mrkdwn", "text": ""}}),
                "block 0: `text` is empty",
            ),
            (
                json!({"type": "header", "text": marked(1)}),
                "block 0: text of type `mrkdwn` may not stand here",
            ),
            (
                json!({"type": "section", "text": {"type": "mrkdwn", "text": "x", "emoji": true}}),
                "block 0: unknown property `emoji`",
            ),
            (
                json!({"type": "image", "image_url": "https://a.example/x.png"}),
                "block 0: `alt_text` is missing",
            ),
        ];
        for (block, why) in cases {
            assert_eq!(verdict(block), why);
        }
    }

    #[test]
    fn addresses_that_lose_alerts_are_refused() {
        let cases = [
            (button(&json!({"url": "db.example:5432"})), "no scheme"),
            (
                json!({"type": "image", "image_url": "http://127.0.0.1/x.png", "alt_text": "x"}),
                "can't be fetched",
            ),
        ];
        for (block, word) in cases {
            let verdict = verdict(block);
            assert!(verdict.contains(word), "{verdict}");
        }
    }

    #[test]
    fn ids_are_unique() {
        let twice = [
            json!({"type": "divider", "block_id": "a"}),
            json!({"type": "divider", "block_id": "a"}),
        ];
        assert_eq!(check(&twice), Err("`block_id` \"a\" is not unique".to_owned()));
    }

    #[test]
    fn lengths_are_counted_over_all_texts() {
        let blocks = [
            json!({"type": "section", "text": marked(5), "fields": [plain(2), marked(3)]}),
            json!({"type": "header", "text": plain(4)}),
            json!({"type": "divider", "block_id": "text"}),
        ];
        assert_eq!(text_length(&blocks), 14);
    }
}
