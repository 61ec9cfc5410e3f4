//! Which element was meant: every way the recording knows, and which of them is likely to last.
//!
//! Invariant: a way is read and ranked, never made up.

use super::selector::{
    fold, from_css, from_id, from_name, from_xpath, is_id, is_test_attribute, last_step, looks_generated,
    tag_of,
};
use super::words::{is_steady, names_a_secret, words_of};

/// A longer selector describes the page's build more than the element.
const LONGEST_CSS: usize = 40;

/// Roles that can be looked for: others are not told from the page's tags.
const ROLES: &[&str] = &[
    "alert",
    "button",
    "cell",
    "checkbox",
    "combobox",
    "dialog",
    "form",
    "heading",
    "image",
    "img",
    "link",
    "list",
    "listbox",
    "listitem",
    "main",
    "menuitem",
    "navigation",
    "option",
    "radio",
    "row",
    "searchbox",
    "slider",
    "status",
    "switch",
    "tab",
    "table",
    "textbox",
];

/// One way to name an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The accessible name of a control: its label, its caption.
    Name(String),
    /// A text that is shown.
    Text(String),
    /// A role, with a name or without.
    Role(String, Option<String>),
    /// The hint in a field.
    Placeholder(String),
    /// The attribute `data-testid`.
    TestId(String),
    /// A CSS selector.
    Css(String),
    /// A path.
    XPath(String),
}

/// One way to name an element, inside another where that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locator {
    /// How it is named.
    pub way: Way,
    /// In which other element.
    pub inside: Option<Box<Locator>>,
}

/// An element with every way the recording knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Vec<Locator>);

/// What a step looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Anything on the page.
    Any,
    /// Fields alone, which are found by label and hint and not by a text nearby.
    Field,
}

/// What kind of control an element is, as far as the recording shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A field to type into.
    Text,
    /// A list to choose from.
    List,
    /// A box to tick.
    Box,
    /// One of several buttons.
    Radio,
    /// A field for files.
    File,
    /// Not to be told.
    Unknown,
}

/// From what lasts to what does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Words,
    Placeholder,
    TestId,
    Id,
    ShortCss,
    PoorWords,
    LongCss,
    XPath,
}

impl Way {
    /// The text it goes by.
    pub fn text(&self) -> &str {
        match self {
            Self::Name(text)
            | Self::Text(text)
            | Self::Placeholder(text)
            | Self::TestId(text)
            | Self::Css(text)
            | Self::XPath(text)
            | Self::Role(text, None)
            | Self::Role(_, Some(text)) => text,
        }
    }

    fn rank(&self, subject: Subject) -> Option<Rank> {
        Some(match self {
            Self::Text(_) if subject == Subject::Field => return None,
            Self::Name(words) | Self::Text(words) | Self::Role(_, Some(words)) => match is_steady(words) {
                true => Rank::Words,
                false => Rank::PoorWords,
            },
            Self::Role(_, None) => Rank::PoorWords,
            Self::Placeholder(words) if is_steady(words) => Rank::Placeholder,
            Self::Placeholder(_) => Rank::PoorWords,
            Self::TestId(id) if looks_generated(id) => Rank::LongCss,
            Self::TestId(_) => Rank::TestId,
            Self::Css(css) if looks_generated(css) => Rank::LongCss,
            Self::Css(css) if is_test_attribute(css) => Rank::TestId,
            Self::Css(css) if is_id(css) => Rank::Id,
            Self::Css(css) if css.chars().count() <= LONGEST_CSS && !css.contains(":nth-") => Rank::ShortCss,
            Self::Css(_) => Rank::LongCss,
            Self::XPath(_) => Rank::XPath,
        })
    }

    fn is_words(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Text(_))
    }

    /// The last step of a selector or path; empty for other ways.
    fn step(&self) -> &str {
        match self {
            Self::Css(path) | Self::XPath(path) => last_step(path),
            _ => "",
        }
    }

    fn kind(&self) -> Kind {
        if let Self::Role(role, _) = self {
            return match role.as_str() {
                "textbox" | "searchbox" => Kind::Text,
                "listbox" => Kind::List,
                "checkbox" | "switch" => Kind::Box,
                "radio" => Kind::Radio,
                _ => Kind::Unknown,
            };
        }
        let step = self.step().to_ascii_lowercase();
        let input = |kinds: &[&str]| {
            kinds.iter().any(|kind| {
                ["", "'", "\""]
                    .iter()
                    .any(|quote| step.contains(&format!("type={quote}{kind}")))
            })
        };
        match tag_of(&step) {
            "select" => Kind::List,
            "textarea" => Kind::Text,
            _ if input(&["checkbox"]) => Kind::Box,
            _ if input(&["radio"]) => Kind::Radio,
            _ if input(&["file"]) => Kind::File,
            _ if input(&["text", "email", "password", "search", "tel", "url", "number"]) => Kind::Text,
            _ => Kind::Unknown,
        }
    }

    /// A combobox may be a field with suggestions, and an id may only sound like a list.
    fn sounds_like_a_list(&self) -> bool {
        match self {
            Self::Role(role, _) => role == "combobox",
            Self::Css(_) | Self::TestId(_) => words_of(self.text())
                .iter()
                .any(|word| matches!(word.as_str(), "select" | "dropdown" | "combobox")),
            _ => false,
        }
    }

    fn names_a_secret(&self) -> bool {
        let text = match self {
            Self::Css(_) | Self::XPath(_) => self.step(),
            _ => self.text(),
        };
        names_a_secret(text)
    }
}

impl Locator {
    /// A way that holds on the whole page.
    pub fn new(way: Way) -> Self {
        Self { way, inside: None }
    }

    fn rank(&self, subject: Subject) -> Option<Rank> {
        let rank = self.way.rank(subject)?;
        // Words that need an element around them are not the only ones of their kind.
        Some(match self.inside {
            Some(_) if self.way.is_words() => rank.max(Rank::PoorWords),
            _ => rank,
        })
    }
}

impl Target {
    /// An element; none when there is no way to find it.
    pub fn new(ways: impl IntoIterator<Item = Locator>) -> Option<Self> {
        let mut kept: Vec<Locator> = Vec::new();
        for way in ways {
            if !way.way.text().is_empty() && !kept.contains(&way) {
                kept.push(way);
            }
        }
        (!kept.is_empty()).then_some(Self(kept))
    }

    /// The way that is likely to last longest. Weak words get a better way beside them, if there
    /// is one.
    pub fn best(&self, subject: Subject) -> Vec<&Locator> {
        let mut ranked: Vec<(Rank, &Locator)> = self
            .0
            .iter()
            .filter_map(|locator| Some((locator.rank(subject)?, locator)))
            .collect();
        // The order of the recording stays among equals.
        ranked.sort_by_key(|(rank, _)| *rank);
        let Some((_, best)) = ranked.first() else {
            return self.0.first().into_iter().collect();
        };
        let weak = best.way.is_words() && best.way.text().chars().count() <= 2;
        let second = ranked
            .iter()
            .find(|(rank, locator)| weak && *rank < Rank::PoorWords && !locator.way.is_words())
            .map(|(_, locator)| *locator);
        std::iter::once(*best).chain(second).collect()
    }

    /// Whether both are one element. Equal words alone do not say so: a field and the button
    /// beside it may both be called Search.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let shared = |locator: &Locator| {
            matches!(locator.way, Way::Css(_) | Way::XPath(_) | Way::TestId(_)) && other.0.contains(locator)
        };
        self == other || self.0.iter().any(shared)
    }

    /// What kind of control it is.
    pub fn kind(&self) -> Kind {
        let told = self
            .0
            .iter()
            .map(|locator| locator.way.kind())
            .find(|kind| *kind != Kind::Unknown);
        let sounds = || self.0.iter().any(|locator| locator.way.sounds_like_a_list());
        told.unwrap_or_else(|| if sounds() { Kind::List } else { Kind::Unknown })
    }

    /// Whether it is a field for a password or its like.
    pub fn is_secret(&self) -> bool {
        self.0.iter().any(|locator| locator.way.names_a_secret())
    }

    /// Whether it is the page's background, on which a click does nothing.
    pub fn is_background(&self) -> bool {
        self.steps_into(&["html", "body"])
    }

    /// Whether it is one option of a list, which is chosen and not clicked.
    pub fn is_option(&self) -> bool {
        self.steps_into(&["option"])
    }

    /// Drops every way that shows `secret`; whether another one is left.
    pub fn forget(&mut self, secret: &str) -> bool {
        let shows = |text: &str| match secret.chars().count() {
            0..4 => text == secret,
            _ => text.contains(secret),
        };
        self.0.retain(|locator| {
            let mut way = Some(locator);
            while let Some(outer) = way {
                if shows(outer.way.text()) {
                    return false;
                }
                way = outer.inside.as_deref();
            }
            true
        });
        !self.0.is_empty()
    }

    fn steps_into(&self, tags: &[&str]) -> bool {
        self.0
            .iter()
            .any(|locator| tags.contains(&tag_of(locator.way.step())))
    }
}

/// One selector of Chrome's recorder: `aria/Log in`, `text/Log in`, `#id`, `xpath///a`, `pierce/#id`.
pub fn from_recorder(selector: &str) -> Vec<Way> {
    match selector.split_once('/') {
        Some(("aria", name)) => from_aria(name).into_iter().collect(),
        Some(("text", text)) => vec![Way::Text(fold(text))],
        Some(("xpath", path)) => from_xpath(path),
        Some(("pierce", css)) => vec![from_css(css)],
        _ => vec![from_css(selector)],
    }
}

/// One locator of Selenium IDE: `id=q`, `css=.a`, `linkText=Log in`, `//a`.
pub fn from_selenium(locator: &str) -> Vec<Way> {
    if locator.starts_with("//") || locator.starts_with("(//") {
        return from_xpath(locator);
    }
    let Some((how, what)) = locator.split_once('=').filter(|(_, what)| !what.is_empty()) else {
        return Vec::new();
    };
    match how {
        "id" => vec![from_id(what)],
        "name" => vec![from_name(what)],
        "css" => vec![from_css(what)],
        "xpath" => from_xpath(what),
        "class" | "className" => vec![from_css(&format!(".{what}"))],
        "linkText" | "link" | "partialLinkText" => {
            vec![Way::Text(fold(what.strip_prefix("exact:").unwrap_or(what)))]
        }
        _ => Vec::new(),
    }
}

/// `Log in[role="button"]`; the role stands there when the name alone is not the only one.
fn from_aria(name: &str) -> Option<Way> {
    let split = name
        .split_once("[role=\"")
        .and_then(|(name, rest)| Some((name, rest.split_once('"')?.0)));
    let (name, role) = match split {
        Some((name, role)) => (fold(name), ROLES.contains(&role).then(|| role.to_owned())),
        None => (fold(name), None),
    };
    match (name.is_empty(), role) {
        (false, None) => Some(Way::Name(name)),
        (false, Some(role)) => Some(Way::Role(role, Some(name))),
        (true, Some(role)) => Some(Way::Role(role, None)),
        (true, None) => None,
    }
}
