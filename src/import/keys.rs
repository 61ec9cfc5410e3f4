//! Keys: what browsers, Selenium and the scenario format call them.

/// What becomes of a key that was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Held while others are pressed.
    Modifier(&'static str),
    /// As the scenario format names it.
    Named(&'static str),
    /// A single character.
    Sign(char),
    /// Part of something else that is recorded too: composing Korean, Caps Lock.
    Silent,
    /// The scenario format has no such key.
    Unknown,
}

/// Names in browsers' events and in Selenium's `${KEY_…}`, in lower case and without `_`.
const NAMES: &[(&str, &str)] = &[
    ("enter", "Enter"),
    ("return", "Enter"),
    ("numpadenter", "Enter"),
    ("\r", "Enter"),
    ("\n", "Enter"),
    ("tab", "Tab"),
    ("escape", "Escape"),
    ("esc", "Escape"),
    ("backspace", "Backspace"),
    ("bksp", "Backspace"),
    ("delete", "Delete"),
    ("del", "Delete"),
    ("space", "Space"),
    (" ", "Space"),
    ("home", "Home"),
    ("end", "End"),
    ("pageup", "PageUp"),
    ("pgup", "PageUp"),
    ("pagedown", "PageDown"),
    ("pgdn", "PageDown"),
    ("arrowup", "ArrowUp"),
    ("up", "ArrowUp"),
    ("arrowdown", "ArrowDown"),
    ("down", "ArrowDown"),
    ("arrowleft", "ArrowLeft"),
    ("left", "ArrowLeft"),
    ("arrowright", "ArrowRight"),
    ("right", "ArrowRight"),
    ("f1", "F1"),
    ("f2", "F2"),
    ("f3", "F3"),
    ("f4", "F4"),
    ("f5", "F5"),
    ("f6", "F6"),
    ("f7", "F7"),
    ("f8", "F8"),
    ("f9", "F9"),
    ("f10", "F10"),
    ("f11", "F11"),
    ("f12", "F12"),
];

const MODIFIERS: &[(&str, &str)] = &[
    ("control", "Control"),
    ("controlleft", "Control"),
    ("controlright", "Control"),
    ("ctrl", "Control"),
    ("shift", "Shift"),
    ("shiftleft", "Shift"),
    ("shiftright", "Shift"),
    ("alt", "Alt"),
    ("altleft", "Alt"),
    ("altright", "Alt"),
    ("meta", "Meta"),
    ("metaleft", "Meta"),
    ("metaright", "Meta"),
    ("command", "Meta"),
];

const SILENT: &[&str] = &[
    "altgraph",
    "capslock",
    "dead",
    "hangulmode",
    "hanjamode",
    "numlock",
    "process",
    "scrolllock",
    "unidentified",
];

/// Reads a key's name: `Enter`, `KeyA`, `a`, or `KEY_ENTER` without the `KEY_`.
pub fn key(name: &str) -> Key {
    let lower = name.to_lowercase().replace('_', "");
    let find = |table: &[(&str, &'static str)]| {
        table
            .iter()
            .find(|(known, _)| *known == lower)
            .map(|(_, ours)| *ours)
    };
    if let Some(ours) = find(NAMES) {
        return Key::Named(ours);
    }
    if let Some(ours) = find(MODIFIERS) {
        return Key::Modifier(ours);
    }
    if SILENT.contains(&lower.as_str()) {
        return Key::Silent;
    }
    let physical = ["Key", "Digit", "Numpad"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .map(str::to_lowercase);
    let name = physical.as_deref().unwrap_or(name);
    let mut signs = name.chars();
    match (signs.next(), signs.next()) {
        // A plus joins keys, so that it cannot be one.
        (Some('+'), None) => Key::Unknown,
        (Some(sign), None) => Key::Sign(sign),
        _ => Key::Unknown,
    }
}

/// Keys pressed together: `Control+S`. None when the key types what is recorded as text.
pub fn chord(held: &[&str], key: &Key) -> Option<String> {
    let name = match key {
        Key::Named(name) => (*name).to_owned(),
        // With Shift alone the sign is the one that was typed.
        Key::Sign(sign) if held.iter().all(|modifier| *modifier == "Shift") => return Some(sign.to_string()),
        Key::Sign(sign) => sign.to_uppercase().to_string(),
        Key::Modifier(_) | Key::Silent | Key::Unknown => return None,
    };
    Some(
        held.iter()
            .copied()
            .chain([name.as_str()])
            .collect::<Vec<_>>()
            .join("+"),
    )
}
