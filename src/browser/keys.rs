//! The keys of browser checks: of `browser:`, of steps, of what stands in them.

use super::locator::ELEMENT;
use crate::check::capture::CAPTURE;
use crate::check::expect::LEVEL_KEY;
use crate::check::http::{HTTP, HTTP_EXPECT};
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
        Key::new(
            "device",
            Shape::Plain,
            "A phone or tablet: `iPhone 15`. Sets size, touch and user agent.",
        ),
        Key::new(
            "headers",
            Shape::Map(&Shape::Text),
            "Sent with every request of the pages.",
        ),
        Key::new(
            "mask",
            Shape::OneOrMany(&ELEMENT),
            "Never to be seen in pictures and page sources.",
        ),
        Key::new(
            "measure_page",
            Shape::Plain,
            "The page at the end of this named step is measured, instead of the first.",
        ),
        Key::or("insecure_tls", Shape::Boolean, "false", "Accept any certificate."),
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
        Key::new(
            "tab",
            Shape::Text,
            "`new`, a number from 1, a part of a title or address, or `close`.",
        ),
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
        Key::new("upload", Shape::Object(&UPLOAD), "Puts files into a field."),
        Key::new("drag", Shape::Object(&DRAG), "Drags one element onto another."),
        Key::new("scroll_to", Shape::Ref(&ELEMENT), "Brings an element into view."),
        Key::new(
            "dialog",
            Shape::Either(&[Shape::Choice(&["accept", "dismiss"]), Shape::Object(&DIALOG)]),
            "Answers the dialog that is open, or the next one.",
        ),
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
        Key::new(
            "wait_for",
            Shape::Either(&[Shape::Choice(&["idle"]), Shape::Object(&WAIT_FOR)]),
            "Waits for something.",
        ),
        Key::new("pause", Shape::Duration, "Waits; better wait for something."),
        Key::new(
            "remember",
            Shape::Map(&Shape::Any),
            "Keeps values for later steps.",
        ),
        Key::new("screenshot", Shape::Text, "Keeps a picture under this name."),
        Key::new("cookies", Shape::Object(&COOKIES), "Sets and deletes cookies."),
        Key::new(
            "log_in_as",
            Shape::Plain,
            "Logs in by the flow `log-in/NAME`, or takes over what an earlier run has logged in.",
        ),
        Key::new(
            "network",
            Shape::Choice(&["offline", "online"]),
            "Cuts the pages off from the network, or back on.",
        ),
        Key::new(
            "http",
            Shape::Object(&HTTP_STEP),
            "A request of our own, to prepare or tidy data.",
        ),
        Key::new("script", Shape::Text, "JavaScript in the page; the last resort."),
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
        Key::new("flow", Shape::Plain, "The steps of `flows/NAME.yaml`."),
        Key::new(
            "repeat",
            Shape::Object(&REPEAT),
            "The steps happen again and again, until something is visible.",
        ),
        Key::new("steps", Shape::Ref(&STEPS), "The steps of a group."),
        Key::new(
            "with",
            Shape::Map(&Shape::Text),
            "With `flow`: values for its parameters.",
        ),
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
        Key::or(
            "keys",
            Shape::Boolean,
            "false",
            "Press a key for every character, for fields that listen to each.",
        ),
    ],
};

pub(super) static UPLOAD: Spec = Spec {
    name: "upload",
    example: "upload: { file: files/cat.png, to: Picture }",
    keys: &[
        Key::required(
            "file",
            Shape::OneOrMany(&Shape::Text),
            "Which file; from the project folder.",
        ),
        Key::required("to", Shape::Ref(&ELEMENT), "Into which field."),
    ],
};

pub(super) static DRAG: Spec = Spec {
    name: "drag",
    example: "drag: { from: Task 1, to: Done }",
    keys: &[
        Key::required("from", Shape::Ref(&ELEMENT), "What is dragged."),
        Key::required("to", Shape::Ref(&ELEMENT), "Where to."),
    ],
};

pub(super) static DIALOG: Spec = Spec {
    name: "dialog",
    example: "dialog: { type: Ada, accept: true }",
    keys: &[
        Key::new("type", Shape::Text, "What is typed into a prompt."),
        Key::or("accept", Shape::Boolean, "true", "OK, or Cancel."),
    ],
};

pub(super) static COOKIES: Spec = Spec {
    name: "cookies",
    example: "cookies: { set: { consent: \"yes\" } }",
    keys: &[
        Key::new(
            "set",
            Shape::Map(&Shape::Text),
            "Names and values, for the page that is shown, else for `browser.url`.",
        ),
        Key::new("delete", Shape::OneOrMany(&Shape::Plain), "Names, or `all`."),
    ],
};

pub(super) static REPEAT: Spec = Spec {
    name: "repeat",
    example: "repeat: { up_to: 10, until: End of list }",
    keys: &[
        Key::required("up_to", Shape::Integer(1, 1_000), "So many times at most."),
        Key::required("until", Shape::Ref(&ELEMENT), "Until this is visible."),
    ],
};

/// A flow's file.
pub static FLOW: Spec = Spec {
    name: "a flow",
    example: "params: { card: }\nsteps: [{ click: Pay }]",
    keys: &[
        Key::new(
            "params",
            Shape::Map(&Shape::Any),
            "Its parameters, `${params.NAME}` in its steps; an empty one must be given.",
        ),
        Key::new(
            "valid_for",
            Shape::Duration,
            "Of a log-in: for how long its state is kept, 30m without it.",
        ),
        Key::required("steps", Shape::Ref(&STEPS), "What is done."),
        Key::new("note", Shape::Plain, "For the reader."),
    ],
};

/// The keys of an http check, with what a step adds.
pub(super) static HTTP_STEP: Spec = Spec {
    name: "http",
    example: "http: { url: https://api.shop.example/orders, method: POST }",
    keys: &with_step_keys(),
};
static ANSWER: Shape = Shape::Object(&HTTP_EXPECT);
static CAPTURED: Shape = Shape::Object(&CAPTURE);
const HTTP_STEP_KEYS: usize = HTTP.keys.len() + 2;

const fn with_step_keys() -> [Key; HTTP_STEP_KEYS] {
    let mut keys = [Key::new(
        "expect",
        Shape::OneOrMany(&ANSWER),
        "What must hold for the answer.",
    ); HTTP_STEP_KEYS];
    let mut at = 0;
    while at < HTTP.keys.len() {
        keys[at] = HTTP.keys[at];
        at += 1;
    }
    keys[at + 1] = Key::new(
        "remember",
        Shape::Map(&CAPTURED),
        "Values for later steps: `{ id: { json: $.id } }`.",
    );
    keys
}

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
        Key::new(
            "request",
            Shape::Ref(&MATCHES),
            "A request to an address like this was answered.",
        ),
        Key::new(
            "idle",
            Shape::Boolean,
            "No request is on its way, for half a second.",
        ),
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
            "attribute",
            Shape::Map(&MATCHES),
            "Attributes of the element in `of`.",
        ),
        Key::new("cookie", Shape::Map(&MATCHES), "Cookies by name."),
        Key::new("storage", Shape::Map(&MATCHES), "Local storage by key."),
        Key::new(
            "download",
            Shape::Ref(&MATCHES),
            "The name of a file that the page gave.",
        ),
        Key::new(
            "no_failed_requests",
            Shape::Boolean,
            "Every request of the pages was answered below 400.",
        ),
        Key::new(
            "accessible",
            Shape::Boolean,
            "The page breaks none of a few rules of WCAG 2.",
        ),
        Key::new(
            "no_console_errors",
            Shape::Boolean,
            "The page wrote no error to its console.",
        ),
        LEVEL_KEY,
    ],
};
