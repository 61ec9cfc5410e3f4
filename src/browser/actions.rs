//! Mouse and keyboard, as the standard's action sequences (WebDriver BiDi, `input.performActions`).

use fantoccini::key::Key;
use serde_json::{Value as Json, json};

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
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
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
pub fn press_chord(chord: &Chord) -> Json {
    // A chord with Control or Meta means the key, not the letter it would type.
    let lower = |c: &char| match chord.0.len() {
        1 => *c,
        _ => c.to_ascii_lowercase(),
    };
    let down = chord.0.iter().map(lower).map(|c| key("keyDown", c));
    let up = chord.0.iter().rev().map(lower).map(|c| key("keyUp", c));
    keyboard(&down.chain(up).collect::<Vec<_>>())
}

/// Presses a key for every character, one after the other.
#[must_use]
pub fn press_each(text: &str) -> Json {
    let presses = text.chars().flat_map(|c| {
        let c = if c == '\n' { char::from(Key::Enter) } else { c };
        [key("keyDown", c), key("keyUp", c)]
    });
    keyboard(&presses.collect::<Vec<_>>())
}

fn key(what: &str, value: char) -> Json {
    json!({ "type": what, "value": value.to_string() })
}

fn keyboard(actions: &[Json]) -> Json {
    json!([{ "type": "key", "id": "keyboard", "actions": actions }])
}

/// Moves the mouse to a point.
#[must_use]
pub fn hover(point: (f64, f64)) -> Json {
    mouse(&[moved(point, 0)])
}

/// Moves the mouse to a point and presses a button there.
#[must_use]
pub fn press_mouse(point: (f64, f64), press: Press) -> Json {
    let (button, times) = match press {
        Press::Once => (0, 1),
        Press::Twice => (0, 2),
        Press::Right => (2, 1),
    };
    let mut actions = vec![moved(point, 0)];
    for _ in 0..times {
        actions.push(json!({ "type": "pointerDown", "button": button }));
        actions.push(json!({ "type": "pointerUp", "button": button }));
    }
    mouse(&actions)
}

/// Takes hold at one point and lets go at another, with moves that pages notice.
#[must_use]
pub fn drag(from: (f64, f64), to: (f64, f64)) -> Json {
    let beside = (from.0 + 8.0, from.1 + 8.0);
    let before = (to.0 - 3.0, to.1 - 3.0);
    mouse(&[
        moved(from, 0),
        json!({ "type": "pointerDown", "button": 0 }),
        moved(beside, 50),
        moved(before, 100),
        moved(to, 50),
        json!({ "type": "pause", "duration": 50 }),
        json!({ "type": "pointerUp", "button": 0 }),
    ])
}

fn moved((x, y): (f64, f64), duration_ms: u64) -> Json {
    json!({ "type": "pointerMove", "x": x.round(), "y": y.round(), "duration": duration_ms })
}

fn mouse(actions: &[Json]) -> Json {
    json!([{ "type": "pointer", "id": "mouse", "actions": actions }])
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
