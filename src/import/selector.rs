//! Reading selectors: what a CSS selector or a path says of an element, and whether it will last.
//!
//! Invariant: a selector that is not understood as a whole stays as it was recorded.

use super::locator::Way;

/// What programs put into names that change with the next build or the next visit.
const FRAMEWORKS: &[&str] = &[
    "__next",
    "_ngcontent",
    ".css-",
    ".jss",
    ".sc-",
    "cdk-overlay-",
    "data-v-",
    "ext-gen",
    "gwt-uid",
    "headlessui-",
    "j_idt",
    "mat-input-",
    "mui-",
    "ng-tns-",
    "radix-",
    "rc_select_",
    "react-select-",
    "stripes-",
    "svelte-",
    "yui_",
];

/// Attributes that testers give to elements; `data-testid` has a key of its own.
const TEST_ATTRIBUTES: &[&str] = &[
    "data-test",
    "data-test-id",
    "data-testid",
    "data-qa",
    "data-cy",
    "data-e2e",
    "data-automation-id",
    "data-automation",
];

/// Reads a CSS selector.
pub fn from_css(css: &str) -> Way {
    let css = css.trim();
    attribute_of(css)
        .and_then(|(tag, name, value)| from_attribute(tag, name, &value))
        .unwrap_or_else(|| Way::Css(css.to_owned()))
}

/// Reads a path. One that goes by a shown text gives the text, and the path as another way.
pub fn from_xpath(xpath: &str) -> Vec<Way> {
    let xpath = xpath.trim();
    let as_it_is = Way::XPath(xpath.to_owned());
    let Some((tag, predicate)) = single_step(xpath) else {
        return vec![as_it_is];
    };
    if let Some((name, value)) = predicate.strip_prefix('@').and_then(|rest| rest.split_once('='))
        && let Some(value) = literal(value)
        && let Some(way) = from_attribute(tag.trim_start_matches('*'), name.trim(), value)
    {
        return vec![way];
    }
    // A page that holds a text somewhere is not the element that shows it.
    match shown_in(predicate).filter(|_| !matches!(tag, "html" | "body")) {
        Some(words) => vec![Way::Text(fold(words)), as_it_is],
        None => vec![as_it_is],
    }
}

/// An id as a selector.
pub fn from_id(id: &str) -> Way {
    if is_identifier(id) {
        return Way::Css(format!("#{id}"));
    }
    Way::Css(format!("[id=\"{}\"]", id.replace('"', "\\\"")))
}

/// A name attribute as a selector.
pub fn from_name(name: &str) -> Way {
    from_attribute("", "name", name)
        .unwrap_or_else(|| Way::Css(format!("[name=\"{}\"]", name.replace('"', "\\\""))))
}

/// Whether the selector is one id and nothing else.
pub fn is_id(css: &str) -> bool {
    let Some(id) = css.strip_prefix('#') else {
        return false;
    };
    let mut plain = String::new();
    let mut rest = id.chars();
    while let Some(c) = rest.next() {
        // An escaped sign is part of the name, whatever it is.
        plain.push(if c == '\\' && rest.next().is_some() {
            'x'
        } else {
            c
        });
    }
    is_identifier(&plain)
}

/// Whether the selector goes by an attribute that testers gave.
pub fn is_test_attribute(css: &str) -> bool {
    attribute_of(css).is_some_and(|(_, name, _)| TEST_ATTRIBUTES.contains(&name))
}

/// Whether a program made this up: long digits, hashes, prefixes of frameworks.
pub fn looks_generated(text: &str) -> bool {
    let text = text.replace('\\', "").to_lowercase();
    FRAMEWORKS.iter().any(|mark| text.contains(mark))
        || is_react_id(&text)
        || text.split(|c: char| !c.is_alphanumeric()).any(is_made_up)
}

/// The last step of a selector or path: the element itself, without what is around it.
pub fn last_step(selector: &str) -> &str {
    let selector = selector.trim_start_matches('(');
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, c) in selector.char_indices() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            ' ' | '>' | '+' | '~' | '/' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    &selector[start..]
}

/// The name of the tag that a step of a selector begins with; empty without one.
pub fn tag_of(step: &str) -> &str {
    let end = step
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .unwrap_or(step.len());
    &step[..end]
}

/// White space as a person sees it.
pub fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text can stand behind `#` or `=` as it is.
fn is_identifier(text: &str) -> bool {
    text.chars()
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}

/// Whether it is made of what tags and attributes are commonly made of.
fn is_plain(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// `input[name='q']` → `input`, `name`, `q`; only when the selector is nothing but this.
fn attribute_of(css: &str) -> Option<(&str, &str, String)> {
    let (tag, rest) = css.split_once('[')?;
    let (name, value) = rest.strip_suffix(']')?.split_once('=')?;
    if tag != "*" && !is_plain(tag) {
        return None;
    }
    let value = literal(value).or_else(|| is_identifier(value).then_some(value))?;
    Some((tag.trim_start_matches('*'), name, value.replace('\\', "")))
}

/// None when the attribute says less than the selector it came from, or cannot be quoted.
fn from_attribute(tag: &str, name: &str, value: &str) -> Option<Way> {
    if value.contains(['"', '\\']) || !is_plain(name) {
        return None;
    }
    Some(match name {
        "id" => from_id(value),
        "data-testid" => Way::TestId(value.to_owned()),
        "placeholder" => Way::Placeholder(fold(value)),
        "aria-label" => Way::Name(fold(value)),
        _ if is_identifier(value) => Way::Css(format!("{tag}[{name}={value}]")),
        _ => Way::Css(format!("{tag}[{name}=\"{value}\"]")),
    })
}

/// A quoted text without its quotes.
fn literal(text: &str) -> Option<&str> {
    let text = text.trim();
    ['"', '\''].into_iter().find_map(|quote| {
        text.strip_prefix(quote)?
            .strip_suffix(quote)
            .filter(|inner| !inner.is_empty() && !inner.contains(quote))
    })
}

/// `(//a[…])[1]` → `a`, `…`; None for a path of several steps or conditions.
fn single_step(xpath: &str) -> Option<(&str, &str)> {
    let path = match xpath.strip_prefix('(') {
        Some(rest) => rest.strip_suffix(")[1]").or_else(|| rest.strip_suffix(')'))?,
        None => xpath,
    };
    let (tag, predicate) = path.strip_prefix("//")?.split_once('[')?;
    let predicate = predicate.strip_suffix(']')?;
    let single = (tag == "*" || tag_of(tag) == tag) && !predicate.contains(['[', ']']);
    single.then_some((tag, predicate))
}

/// The words in `contains(., 'Log in')`, `text()='Log in'` and their kin.
fn shown_in(predicate: &str) -> Option<&str> {
    let inner = predicate
        .strip_prefix("contains(")
        .and_then(|rest| rest.strip_suffix(')'));
    let (what, words) = match inner {
        Some(inner) => inner.split_once(',')?,
        None => predicate.split_once('=')?,
    };
    let by_text = matches!(
        what.trim(),
        "." | "text()" | "normalize-space()" | "normalize-space(.)" | "normalize-space(text())"
    );
    literal(words).filter(|_| by_text)
}

/// `:r1:` and `«r1»`, which React counts up.
fn is_react_id(text: &str) -> bool {
    [(":r", ':'), ("«r", '»')].iter().any(|(open, close)| {
        text.split(*open).skip(1).any(|rest| {
            rest.split_once(*close)
                .is_some_and(|(id, _)| id.len() <= 4 && id.chars().all(char::is_alphanumeric))
        })
    })
}

/// Judges a run of letters and digits in lower case.
fn is_made_up(part: &str) -> bool {
    let digits = |c: char| c.is_ascii_digit();
    let long_digits = part.split(|c: char| !digits(c)).any(|run| run.len() >= 4);
    let changes = part
        .chars()
        .zip(part.chars().skip(1))
        .filter(|(a, b)| digits(*a) != digits(*b))
        .count();
    let hash = part.len() >= 8 && changes > 0 && part.chars().all(|c| c.is_ascii_hexdigit());
    let ember = part
        .strip_prefix("ember")
        .is_some_and(|number| !number.is_empty() && number.chars().all(digits));
    long_digits || changes >= 3 || hash || ember
}
