//! The keys of browser checks: of `browser:`, of steps, of what stands in them.

use super::locator::ELEMENT;
use crate::check::expect::LEVEL_KEY;
use crate::check::matcher::MATCHES;
use crate::decode::{Key, Shape, Spec};

/// The keys of `browser:`.
pub static BROWSER: Spec = Spec {
    name: "browser",
    example: "browser: { url: https://shop.example }",
    keys: &[
        Key::new("url", Shape::Text, "What `open: /login` is relative to."),
        Key::or(
            "viewport",
            Shape::Plain,
            "1280x800",
            "Width and height in CSS pixels.",
        ),
        Key::new(
            "locale",
            Shape::Plain,
            "What the browser says it speaks: `ko-KR`.",
        ),
        Key::new("timezone", Shape::Plain, "The browser's clock: `Asia/Seoul`."),
        Key::planned("device"),
        Key::planned("measure_page"),
    ],
};

/// A list of steps.
pub static STEPS: Shape = Shape::List(&Shape::Either(&[
    Shape::Choice(&["back", "forward", "reload"]),
    Shape::Object(&STEP),
]));

/// The keys of a step: one verb, and what may stand beside it.
pub(super) static STEP: Spec = Spec {
    name: "a step",
    example: "- click: Log in",
    keys: &[
        Key::new(
            "open",
            Shape::Text,
            "Opens a page; a path is relative to `browser.url`.",
        ),
        Key::new("back", Shape::Any, "One page back."),
        Key::new("forward", Shape::Any, "One page forward."),
        Key::new("reload", Shape::Any, "The same page again."),
        Key::new("click", Shape::Ref(&ELEMENT), "Clicks an element."),
        Key::new("double_click", Shape::Ref(&ELEMENT), "Clicks it twice."),
        Key::new(
            "right_click",
            Shape::Ref(&ELEMENT),
            "Clicks it with the right button.",
        ),
        Key::new("hover", Shape::Ref(&ELEMENT), "Moves the mouse over it."),
        Key::new("type", Shape::Object(&TYPE), "Types into a field."),
        Key::new("clear", Shape::Ref(&ELEMENT), "Empties a field."),
        Key::new(
            "choose",
            Shape::Either(&[Shape::Text, Shape::Object(&CHOOSE)]),
            "Picks an option of a list.",
        ),
        Key::new("check", Shape::Ref(&ELEMENT), "Ticks a box."),
        Key::new("uncheck", Shape::Ref(&ELEMENT), "Unticks it."),
        Key::new("press", Shape::Plain, "Presses keys: `Enter`, `Control+S`."),
        Key::new("scroll_to", Shape::Ref(&ELEMENT), "Brings an element into view."),
        Key::new(
            "see",
            Shape::Ref(&ELEMENT),
            "It is visible within the step's time.",
        ),
        Key::new(
            "not_see",
            Shape::Ref(&ELEMENT),
            "It is not, or no longer, visible within the step's time.",
        ),
        Key::new(
            "expect",
            Shape::OneOrMany(&Shape::Object(&PAGE_EXPECT)),
            "Something holds within the step's time.",
        ),
        Key::new("wait_for", Shape::Object(&WAIT_FOR), "Waits for something."),
        Key::new("pause", Shape::Duration, "Waits; better wait for something."),
        Key::new(
            "remember",
            Shape::Map(&Shape::Any),
            "Keeps values for later steps.",
        ),
        Key::new("screenshot", Shape::Text, "Keeps a picture under this name."),
        Key::new(
            "step",
            Shape::Plain,
            "A named group: timed, and may have thresholds of its own.",
        ),
        Key::new(
            "inside",
            Shape::Either(&[Shape::Object(&INSIDE), Shape::Ref(&ELEMENT)]),
            "The steps happen in a frame or inside an element.",
        ),
        Key::new(
            "if_seen",
            Shape::Ref(&ELEMENT),
            "The steps happen only if this is visible.",
        ),
        Key::new("steps", Shape::Ref(&STEPS), "The steps of a group."),
        Key::new(
            "thresholds",
            Shape::Object(&STEP_THRESHOLDS),
            "With `step`: bounds on its time.",
        ),
        Key::new("within", Shape::Duration, "How long the step may take."),
        Key::or(
            "level",
            Shape::Choice(&["warning", "critical"]),
            "critical",
            "What a failure here makes of the run.",
        ),
        Key::or(
            "optional",
            Shape::Boolean,
            "false",
            "The scenario goes on when the step fails.",
        ),
        Key::new(
            "frame",
            Shape::Either(&[Shape::Text, Shape::Object(&super::locator::LOCATOR)]),
            "In which frame the step happens.",
        ),
        Key::new("note", Shape::Plain, "For the reader."),
        Key::planned("tab"),
        Key::planned("upload"),
        Key::planned("drag"),
        Key::planned("dialog"),
        Key::planned("flow"),
        Key::planned("with"),
        Key::planned("repeat"),
        Key::planned("cookies"),
        Key::planned("log_in_as"),
        Key::planned("http"),
        Key::planned("script"),
    ],
};

pub(super) static TYPE: Spec = Spec {
    name: "type",
    example: "type: { into: E-mail, text: qa@example.com }",
    keys: &[
        Key::required("into", Shape::Ref(&ELEMENT), "Which field."),
        Key::required("text", Shape::Text, "What."),
        Key::or("clear", Shape::Boolean, "false", "Empty the field first."),
        Key::new("press", Shape::Plain, "A key afterwards: `Enter`."),
    ],
};

pub(super) static CHOOSE: Spec = Spec {
    name: "choose",
    example: "choose: { option: Express, from: Delivery }",
    keys: &[
        Key::required("option", Shape::Text, "The option's text."),
        Key::new("from", Shape::Ref(&ELEMENT), "Which list."),
    ],
};

pub(super) static WAIT_FOR: Spec = Spec {
    name: "wait_for",
    example: "wait_for: { url: { contains: /orders/ } }",
    keys: &[
        Key::new("url", Shape::Ref(&MATCHES), "The address is like this."),
        Key::new("text", Shape::Text, "This text is visible."),
        Key::new("gone", Shape::Ref(&ELEMENT), "This is no longer visible."),
        Key::planned("request"),
        Key::planned("idle"),
    ],
};

pub(super) static INSIDE: Spec = Spec {
    name: "inside",
    example: "inside: { frame: Payment }",
    keys: &[
        Key::new(
            "frame",
            Shape::Either(&[Shape::Text, Shape::Object(&super::locator::LOCATOR)]),
            "A frame, by its title, label, name or id.",
        ),
        Key::new("element", Shape::Ref(&ELEMENT), "An element."),
    ],
};

pub(super) static STEP_THRESHOLDS: Spec = Spec {
    name: "thresholds",
    example: "thresholds: { warning: above 2s, critical: above 8s }",
    keys: &[
        Key::new("warning", Shape::Bound, "From here on it is a warning."),
        Key::new("critical", Shape::Bound, "From here on it is critical."),
    ],
};

/// The keys of `expect:` of a page.
pub static PAGE_EXPECT: Spec = Spec {
    name: "expect",
    example: "expect: { title: Checkout, url: { contains: /checkout } }",
    keys: &[
        Key::new("title", Shape::Ref(&MATCHES), "The page's title."),
        Key::new("url", Shape::Ref(&MATCHES), "Its address."),
        Key::new(
            "text",
            Shape::Ref(&MATCHES),
            "The text of the page, or of the element in `of`.",
        ),
        Key::new(
            "of",
            Shape::Ref(&ELEMENT),
            "The element that `text`, `value`, `count`, `checked` and `enabled` are about.",
        ),
        Key::new("value", Shape::Ref(&MATCHES), "The value of the field in `of`."),
        Key::new("count", Shape::Ref(&MATCHES), "How many elements fit `of`."),
        Key::new("checked", Shape::Boolean, "Whether `of` is ticked."),
        Key::new("enabled", Shape::Boolean, "Whether `of` can be used."),
        Key::new(
            "no_console_errors",
            Shape::Boolean,
            "The page wrote no error to its console.",
        ),
        LEVEL_KEY,
        Key::planned("attribute"),
        Key::planned("cookie"),
        Key::planned("storage"),
        Key::planned("download"),
        Key::planned("no_failed_requests"),
        Key::planned("accessible"),
    ],
};
