//! HTML that is safe by construction: text becomes markup only by being escaped.

use axum::response::{Html, IntoResponse, Response};

/// A piece of HTML that may stand in a page as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl Markup {
    /// Takes markup that we wrote ourselves.
    pub(super) fn trusted(html: &'static str) -> Self {
        Self(html.to_owned())
    }

    /// Puts values in the place of a template's `{{name}}` slots.
    ///
    /// Values are not searched for slots again, so text from outside can't reach another value.
    pub(super) fn fill(template: &'static str, values: &[(&str, Self)]) -> Self {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, slot, after)) = next_slot(rest) {
            let value = values.iter().find(|(name, _)| *name == slot);
            debug_assert!(value.is_some(), "no value for the slot `{slot}`");
            filled.push_str(before);
            if let Some((_, Self(html))) = value {
                filled.push_str(html);
            }
            rest = after;
        }
        filled.push_str(rest);
        Self(filled)
    }

    /// Adds `other` at the end.
    pub(super) fn push(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Markup {
    fn from(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        for letter in text.chars() {
            match letter {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                other => html.push(other),
            }
        }
        Self(html)
    }
}

impl From<String> for Markup {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl FromIterator<Markup> for Markup {
    fn from_iter<I: IntoIterator<Item = Self>>(pieces: I) -> Self {
        let mut whole = Self::default();
        for piece in pieces {
            whole.push(&piece);
        }
        whole
    }
}

impl IntoResponse for Markup {
    fn into_response(self) -> Response {
        Html(self.0).into_response()
    }
}

/// A whole document with the common head.
pub(super) fn document(title: &str, body: Markup) -> Markup {
    Markup::fill(
        include_str!("pages/document.html"),
        &[("title", title.into()), ("body", body)],
    )
}

/// A page of the demo itself (not of the shop): with links to the other ones.
pub(super) fn site_page(title: &str, content: Markup) -> Markup {
    let body = Markup::fill(include_str!("pages/site.html"), &[("content", content)]);
    document(title, body)
}

fn next_slot(template: &str) -> Option<(&str, &str, &str)> {
    let (before, opened) = template.split_once("{{")?;
    let (slot, after) = opened.split_once("}}")?;
    Some((before, slot, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_for_elements_and_attributes() {
        let markup = Markup::from(r#"<b title="a">'&'</b>"#);
        assert_eq!(
            markup.as_str(),
            "&lt;b title=&quot;a&quot;&gt;&#39;&amp;&#39;&lt;/b&gt;"
        );
    }

    #[test]
    fn a_value_that_looks_like_a_slot_stays_text() {
        let filled = Markup::fill(
            "<p>{{name}}</p><p>{{secret}}</p>",
            &[("name", "{{secret}}".into()), ("secret", "x".into())],
        );
        assert_eq!(filled.as_str(), "<p>{{secret}}</p><p>x</p>");
    }

    #[test]
    fn a_template_may_repeat_a_slot_and_end_without_one() {
        let filled = Markup::fill("{{a}}-{{a}} {{", &[("a", "1".into())]);
        assert_eq!(filled.as_str(), "1-1 {{");
    }
}
