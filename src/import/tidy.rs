//! From what a recorder notices to what a person would write.
//!
//! Invariant: no text of a field that holds a secret leaves this room.

use std::cmp::Reverse;

use url::Host;

use super::locator::{Kind, Target};
use super::scenario::{Act, Draft, Frame, Step, Typing, Verb};

/// A secret shorter than this is looked for as a whole only: as a part it would be found anywhere.
const SHORT_SECRET: usize = 6;

/// A recorded password, and the variable that stands for it.
struct Hidden {
    literal: String,
    variable: String,
}

/// Takes out what only a recorder says, hides secrets, and puts steps of a frame together.
pub fn tidy(mut draft: Draft) -> Draft {
    let mut steps = Vec::new();
    for step in std::mem::take(&mut draft.steps) {
        absorb(&mut steps, step);
    }
    empty_what_is_typed_again(&mut steps);
    let (mut steps, hidden) = hide_secrets(steps, &stem(&draft));
    for step in &mut steps {
        scrub(&mut step.act, &hidden);
    }
    for secret in &hidden {
        scrub_text(&mut draft.title, secret);
    }
    draft.steps = nest(steps, 0);
    draft
}

/// Adds a step to those before it: some make others needless, some are one.
fn absorb(steps: &mut Vec<Step>, step: Step) {
    if is_noise(&step.act) {
        return;
    }
    while steps
        .last()
        .is_some_and(|last| last.frames == step.frames && is_made_needless(&last.act, &step.act))
    {
        steps.pop();
    }
    if let Some(last) = steps.last_mut()
        && last.frames == step.frames
        && joins(&mut last.act, &step.act)
    {
        return;
    }
    steps.push(step);
}

/// Clicks on the page's background, and on options, which are chosen.
fn is_noise(act: &Act) -> bool {
    matches!(act, Act::On(Verb::Click | Verb::DoubleClick | Verb::Hover, target)
        if target.is_background() || target.is_option())
}

/// Whether `last` does nothing that `next` would not do by itself.
fn is_made_needless(last: &Act, next: &Act) -> bool {
    let (Act::Type { into: subject, .. }
    | Act::Choose { from: subject, .. }
    | Act::Upload { to: subject, .. }
    | Act::On(
        Verb::Clear
        | Verb::Check
        | Verb::Uncheck
        | Verb::Click
        | Verb::DoubleClick
        | Verb::RightClick
        | Verb::Hover,
        subject,
    )) = next
    else {
        return false;
    };
    let fills = !matches!(
        next,
        Act::On(
            Verb::Click | Verb::RightClick | Verb::DoubleClick | Verb::Hover,
            _
        )
    );
    let doubles = matches!(next, Act::On(Verb::DoubleClick, _));
    let written = match next {
        Act::Type {
            typing: Typing::Whole,
            text,
            ..
        } => Some(text),
        _ => None,
    };
    match last {
        // Every act on an element goes to it by itself.
        Act::Press(key) if key == "Tab" => true,
        Act::Press(key) => written.is_some_and(|text| is_editing(key, text)),
        Act::On(Verb::Clear, target) => written.is_some() && target.is_same_as(subject),
        Act::On(Verb::Click, target) if target.is_same_as(subject) => fills || doubles,
        // The focus that this click set has gone to another field.
        Act::On(Verb::Click, target) => fills && target.kind() == Kind::Text,
        _ => false,
    }
}

/// Whether the text that is recorded afterwards is what the key left behind.
fn is_editing(key: &str, text: &str) -> bool {
    match key {
        "Space" => text.contains(' '),
        "Backspace" | "Delete" | "Control+A" | "Control+V" | "Meta+A" | "Meta+V" => true,
        _ => key.chars().count() == 1 && text.contains(key),
    }
}

/// Takes `next` into `last` where both are one.
fn joins(last: &mut Act, next: &Act) -> bool {
    match (last, next) {
        (
            Act::Type {
                into, text, press, ..
            },
            Act::Type {
                into: again,
                text: more,
                typing,
                press: key,
            },
        ) if press.is_none() && into.is_same_as(again) => {
            if *typing == Typing::Behind {
                text.push_str(more);
            } else {
                text.clone_from(more);
            }
            press.clone_from(key);
            true
        }
        (Act::Type { press, .. }, Act::Press(key)) if press.is_none() && key == "Enter" => {
            *press = Some(key.clone());
            true
        }
        // Whoever clicks twice may mean it: a counter's plus. Looking twice is looking once.
        (last, next) => {
            let only_looks = match next {
                Act::On(verb, _) => !matches!(verb, Verb::Click | Verb::DoubleClick | Verb::RightClick),
                Act::Open(_)
                | Act::Choose { .. }
                | Act::Expect(..)
                | Act::WaitUrl(_)
                | Act::WaitGone(_)
                | Act::Remember(..)
                | Act::LeftOut(_) => true,
                _ => false,
            };
            only_looks && *last == *next
        }
    }
}

/// A recorder notes what a field holds in the end; typing into a full one adds to it.
fn empty_what_is_typed_again(steps: &mut [Step]) {
    let mut typed: Vec<Target> = Vec::new();
    for step in steps {
        match &mut step.act {
            Act::Open(_) | Act::Travel(_) | Act::Tab(_) | Act::WaitUrl(_) => typed.clear(),
            Act::On(Verb::Clear, cleared) => typed.retain(|target| !target.is_same_as(cleared)),
            Act::Type { into, typing, .. } => {
                if *typing == Typing::Whole && typed.iter().any(|target| target.is_same_as(into)) {
                    *typing = Typing::Anew;
                }
                typed.push(into.clone());
            }
            _ => {}
        }
    }
}

/// Puts variables in the place of what was typed into fields for secrets.
fn hide_secrets(steps: Vec<Step>, stem: &str) -> (Vec<Step>, Vec<Hidden>) {
    let mut hidden: Vec<Hidden> = Vec::new();
    let mut kept = Vec::new();
    for mut step in steps {
        if let Act::Type { into, text, .. } = &mut step.act
            && into.is_secret()
            && is_literal(text)
        {
            let known = hidden.iter().find(|secret| secret.literal == *text);
            let variable = if let Some(secret) = known {
                secret.variable.clone()
            } else {
                let variable = match hidden.len() {
                    0 => format!("{stem}_PASSWORD"),
                    others => format!("{stem}_PASSWORD_{}", others + 1),
                };
                kept.push(Step {
                    place: step.place.clone(),
                    frames: step.frames.clone(),
                    within_ms: None,
                    act: Act::LeftOut(format!(
                        "what was typed here is a secret and is not kept; set the environment variable `{variable}`"
                    )),
                });
                hidden.push(Hidden {
                    literal: text.clone(),
                    variable: variable.clone(),
                });
                variable
            };
            *text = format!("${{env:{variable}}}");
        }
        kept.push(step);
    }
    // A password that holds another one is looked for first.
    hidden.sort_by_key(|secret| Reverse(secret.literal.len()));
    (kept, hidden)
}

/// Whether nothing in it is filled in at run time.
fn is_literal(text: &str) -> bool {
    !text.is_empty() && !text.replace("$${", "").contains("${")
}

/// Takes secrets out of a step that shows one elsewhere: in an address, a result, a selector.
fn scrub(act: &mut Act, hidden: &[Hidden]) {
    for secret in hidden {
        for text in act.texts_mut() {
            scrub_text(text, secret);
        }
        let mut findable = true;
        for target in act.targets_mut() {
            findable &= target.forget(&secret.literal);
        }
        if !findable {
            *act = Act::LeftOut(format!(
                "its element was recorded by what `{}` holds alone; write the step with another locator",
                secret.variable
            ));
        }
    }
}

fn scrub_text(text: &mut String, secret: &Hidden) {
    // The variable's name may hold what was typed: a password can be PASSWORD.
    if text.contains(&secret.variable) {
        return;
    }
    let shows = match secret.literal.chars().count() {
        0..SHORT_SECRET => *text == secret.literal,
        _ => text.contains(&secret.literal),
    };
    if shows {
        *text = text.replace(&secret.literal, &format!("${{env:{}}}", secret.variable));
    }
}

/// What the variables of this site begin with: `shop.example` → SHOP.
fn stem(draft: &Draft) -> String {
    let host = draft.first_page.as_ref().and_then(|url| match url.host() {
        Some(Host::Domain(domain)) => domain
            .trim_start_matches("www.")
            .split('.')
            .next()
            .filter(|label| *label != "localhost" && !label.starts_with("xn--"))
            .and_then(variable),
        _ => None,
    });
    host.or_else(|| variable(&draft.title))
        .unwrap_or_else(|| "SITE".to_owned())
}

fn variable(text: &str) -> Option<String> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_uppercase)
        .collect();
    let name = words.join("_");
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        .then_some(name)
}

/// Gathers neighbours in one frame into one group.
fn nest(steps: Vec<Step>, depth: usize) -> Vec<Step> {
    let mut nested = Vec::new();
    let mut rest = steps.into_iter().peekable();
    while let Some(step) = rest.next() {
        let Some(frame) = step.frames.get(depth).cloned() else {
            nested.push(step);
            continue;
        };
        let mut inner = vec![step];
        while let Some(next) = rest.next_if(|next| next.frames.get(depth) == Some(&frame)) {
            inner.push(next);
        }
        if inner.iter().all(|step| matches!(step.act, Act::LeftOut(_))) {
            nested.append(&mut inner);
        } else {
            nested.push(in_frame(frame, nest(inner, depth + 1)));
        }
    }
    nested
}

fn in_frame(frame: Frame, steps: Vec<Step>) -> Step {
    Step {
        place: String::new(),
        frames: Vec::new(),
        within_ms: None,
        act: Act::Inside(frame, steps),
    }
}
