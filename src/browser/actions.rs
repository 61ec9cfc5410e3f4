//! Mouse and keyboard, as WebDriver wants them.

use std::time::Duration;

use fantoccini::actions::{
    Actions, InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MOUSE_BUTTON_RIGHT, MouseActions,
    PointerAction,
};
use fantoccini::elements::Element;
use fantoccini::key::Key;

use super::scenario::{Chord, Press};

const KEYS: &[(&str, Key)] = &[
    ("Enter", Key::Enter),
    ("Tab", Key::Tab),
    ("Escape", Key::Escape),
    ("Backspace", Key::Backspace),
    ("Delete", Key::Delete),
    ("Space", Key::Space),
    ("Home", Key::Home),
    ("End", Key::End),
    ("PageUp", Key::PageUp),
    ("PageDown", Key::PageDown),
    ("ArrowUp", Key::Up),
    ("ArrowDown", Key::Down),
    ("ArrowLeft", Key::Left),
    ("ArrowRight", Key::Right),
    ("Control", Key::Control),
    ("Shift", Key::Shift),
    ("Alt", Key::Alt),
    ("Meta", Key::Meta),
    ("F1", Key::F1),
    ("F2", Key::F2),
    ("F3", Key::F3),
    ("F4", Key::F4),
    ("F5", Key::F5),
    ("F6", Key::F6),
    ("F7", Key::F7),
    ("F8", Key::F8),
    ("F9", Key::F9),
    ("F10", Key::F10),
    ("F11", Key::F11),
    ("F12", Key::F12),
];

/// Reads `Enter`, `Control+S`, `Shift+Tab`, `a`.
///
/// # Errors
/// In words, with the names that are known.
pub fn parse_chord(text: &str) -> Result<Chord, String> {
    let keys: Option<Vec<char>> = text
        .split('+')
        .map(|name| {
            let mut chars = name.chars();
            match (chars.next(), chars.next()) {
                (Some(single), None) => Some(single),
                _ => KEYS
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, key)| char::from(*key)),
            }
        })
        .collect();
    keys.filter(|keys| !keys.is_empty()).map(Chord).ok_or_else(|| {
        let known: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
        format!(
            "`{text}` is not a key: write a character, one of {}, or several with +",
            known.join(", ")
        )
    })
}

/// Presses all keys of a chord, and lets go in reverse.
#[must_use]
pub fn press_chord(chord: &Chord) -> Actions {
    let mut keys = KeyActions::new("keyboard".into());
    // A chord with Control or Meta means the key, not the letter it would type.
    let lower = |c: &char| {
        if chord.0.len() > 1 {
            c.to_ascii_lowercase()
        } else {
            *c
        }
    };
    for value in chord.0.iter().map(lower) {
        keys = keys.then(KeyAction::Down { value });
    }
    for value in chord.0.iter().rev().map(lower) {
        keys = keys.then(KeyAction::Up { value });
    }
    keys.into()
}

/// Moves the mouse over an element.
#[must_use]
pub fn hover(element: &Element) -> Actions {
    over(element).into()
}

/// Moves the mouse over an element and presses a button there.
#[must_use]
pub fn press_mouse(element: &Element, press: Press) -> Actions {
    let (button, times) = match press {
        Press::Once => (MOUSE_BUTTON_LEFT, 1),
        Press::Twice => (MOUSE_BUTTON_LEFT, 2),
        Press::Right => (MOUSE_BUTTON_RIGHT, 1),
    };
    let mut mouse = over(element);
    for _ in 0..times {
        mouse = mouse
            .then(PointerAction::Down { button })
            .then(PointerAction::Up { button });
    }
    mouse.into()
}

fn over(element: &Element) -> MouseActions {
    MouseActions::new("mouse".into()).then(PointerAction::MoveToElement {
        element: element.clone(),
        duration: Some(Duration::ZERO),
        x: 0.0,
        y: 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_names_people_know() {
        assert_eq!(parse_chord("a"), Ok(Chord(vec!['a'])));
        assert_eq!(parse_chord("Control+S").unwrap().0.len(), 2);
        assert!(parse_chord("Enterr").unwrap_err().contains("Enter, Tab"));
        assert!(parse_chord("").is_err());
    }
}
