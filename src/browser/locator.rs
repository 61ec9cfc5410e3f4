//! Which element: as a person would say it, or precisely.

use serde_json::{Value as Json, json};

use crate::decode::{Fields, Key, Node, Reader, Shape, Spec, Value};
use crate::model::{RunScope, Text, Unfilled};

/// The keys of a precise locator.
pub static LOCATOR: Spec = Spec {
    name: "an element",
    example: "{ role: button, name: Save }",
    keys: &[
        Key::new("text", Shape::Text, "By the text it shows."),
        Key::new("label", Shape::Text, "A field by its label."),
        Key::new(
            "role",
            Shape::Plain,
            "By its role: button, link, textbox, checkbox, heading …",
        ),
        Key::new("name", Shape::Text, "With `role`: its accessible name."),
        Key::new("placeholder", Shape::Text, "A field by the hint in it."),
        Key::new("test_id", Shape::Text, "By its test id attribute."),
        Key::new("css", Shape::Text, "By a CSS selector."),
        Key::new("xpath", Shape::Text, "By an XPath."),
        Key::or(
            "exact",
            Shape::Boolean,
            "false",
            "Only a whole match, letter for letter.",
        ),
        Key::new("nth", Shape::Integer(1, 10_000), "Which of several, from 1."),
        Key::new("in", Shape::Ref(&ELEMENT), "Inside this element."),
        Key::new("near", Shape::Text, "In the row or box that holds this text."),
    ],
};

/// An element in a schema: a plain text, a precise form, or a list of them.
pub static ELEMENT: Shape = Shape::Either(&[
    Shape::Text,
    Shape::Object(&LOCATOR),
    Shape::List(&Shape::Either(&[Shape::Text, Shape::Object(&LOCATOR)])),
]);

/// One way to name an element.
#[derive(Debug, Clone)]
pub struct Locator {
    by: By,
    exact: bool,
    nth: Option<i64>,
    inside: Option<Target>,
    near: Option<Text>,
}

#[derive(Debug, Clone)]
enum By {
    Words(Text),
    Text(Text),
    Label(Text),
    Role(String, Option<Text>),
    Placeholder(Text),
    TestId(Text),
    Css(Text),
    XPath(Text),
    Frame(Text),
}

/// Makes a way out of its text.
type Way = fn(Text) -> By;

/// An element, tried one way after another.
#[derive(Debug, Clone)]
pub struct Target(pub Vec<Locator>);

/// Which elements plain words mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Controls and texts.
    Any,
    /// Fields only.
    Field,
    /// Fields for files, which pages often hide; else what stands for them.
    File,
}

impl Kind {
    /// As `page.js` calls it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Field => "field",
            Self::File => "file",
        }
    }
}

impl Target {
    /// Reads a text, a map or a list of them.
    pub fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let locators = reader.one_or_many(node, |reader, item| Locator::read(item, reader));
        (!locators.is_empty()).then_some(Self(locators))
    }

    /// Reads the name of a frame: plain words mean its title, label, name or id.
    pub fn read_frame(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(node.value, Value::Scalar { .. }) {
            let by = By::Frame(reader.text(node)?);
            return Some(Self(vec![Locator::plain(by)]));
        }
        Self::read(node, reader)
    }

    /// An option of a list that is no `<select>`.
    #[must_use]
    pub fn option(text: &Text) -> Self {
        Self(vec![Locator::plain(By::Role(
            "option".into(),
            Some(text.clone()),
        ))])
    }

    /// The query's `locators`.
    ///
    /// # Errors
    /// When a text uses a value that no earlier step captured.
    pub fn query(&self, scope: &RunScope<'_>, test_id_attribute: &str) -> Result<Json, Unfilled> {
        self.0
            .iter()
            .map(|locator| locator.query(scope, test_id_attribute))
            .collect()
    }

    /// What a person would say is looked for.
    #[must_use]
    pub fn described(&self, kind: Kind) -> String {
        let all: Vec<String> = self.0.iter().map(|locator| locator.described(kind)).collect();
        all.join(", or ")
    }

    /// The words to compare with what the page offers. A secret in them is masked where the
    /// run ends.
    #[must_use]
    pub fn words(&self, scope: &RunScope<'_>) -> String {
        self.0
            .first()
            .map(|locator| locator.words(scope))
            .unwrap_or_default()
    }
}

impl Locator {
    fn plain(by: By) -> Self {
        Self {
            by,
            exact: false,
            nth: None,
            inside: None,
            near: None,
        }
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            let text = reader.text(node)?;
            if text.constant().is_some_and(|text| text.trim().is_empty()) && !text.holds_secret() {
                reader.error(node, "an empty text names nothing");
                return None;
            }
            return Some(Self::plain(By::Words(text)));
        }
        let fields = Fields::open(node, &LOCATOR, reader)?;
        let mut ways: Vec<By> = Vec::new();
        let texts: [(&str, Way); 6] = [
            ("text", By::Text),
            ("label", By::Label),
            ("placeholder", By::Placeholder),
            ("test_id", By::TestId),
            ("css", By::Css),
            ("xpath", By::XPath),
        ];
        for (key, make) in texts {
            if let Some(text) = fields.get(key).and_then(|node| reader.text(node)) {
                ways.push(make(text));
            }
        }
        let name = fields.get("name").and_then(|node| reader.text(node));
        if let Some(role) = fields.get("role").and_then(|node| reader.plain(node)) {
            ways.push(By::Role(role, name));
        }
        if ways.len() != 1 {
            reader.error(
                node,
                "an element needs exactly one of `text`, `label`, `role`, `placeholder`, `test_id`, `css`, `xpath`",
            );
            return None;
        }
        let inside = fields.get("in").and_then(|node| Target::read(node, reader));
        Some(Self {
            by: ways.remove(0),
            exact: fields
                .get("exact")
                .and_then(|node| reader.boolean(node))
                .unwrap_or(false),
            nth: fields.get("nth").and_then(|node| reader.integer(node, 1, 10_000)),
            inside,
            near: fields.get("near").and_then(|node| reader.text(node)),
        })
    }

    fn query(&self, scope: &RunScope<'_>, test_id_attribute: &str) -> Result<Json, Unfilled> {
        let mut json = match &self.by {
            By::Words(text) => json!({ "words": text.fill(scope)? }),
            By::Text(text) => json!({ "text": text.fill(scope)? }),
            By::Label(text) => json!({ "label": text.fill(scope)? }),
            By::Role(role, None) => json!({ "role": role }),
            By::Role(role, Some(name)) => json!({ "role": role, "name": name.fill(scope)? }),
            By::Placeholder(text) => json!({ "placeholder": text.fill(scope)? }),
            By::TestId(text) => {
                json!({ "test_id": text.fill(scope)?, "test_id_attribute": test_id_attribute })
            }
            By::Css(text) => json!({ "css": text.fill(scope)? }),
            By::XPath(text) => json!({ "xpath": text.fill(scope)? }),
            By::Frame(text) => json!({ "frame": text.fill(scope)? }),
        };
        json["exact"] = json!(self.exact);
        if let Some(nth) = self.nth {
            json["nth"] = json!(nth);
        }
        if let Some(near) = &self.near {
            json["near"] = json!(near.fill(scope)?);
        }
        if let Some(inside) = &self.inside {
            json["in"] = inside.query(scope, test_id_attribute)?;
        }
        Ok(json)
    }

    fn words(&self, scope: &RunScope<'_>) -> String {
        match &self.by {
            By::Words(text)
            | By::Text(text)
            | By::Label(text)
            | By::Placeholder(text)
            | By::TestId(text)
            | By::Css(text)
            | By::XPath(text)
            | By::Frame(text)
            | By::Role(_, Some(text)) => text.fill(scope).unwrap_or_else(|_| text.as_written().to_owned()),
            By::Role(role, None) => role.clone(),
        }
    }

    fn described(&self, kind: Kind) -> String {
        let base = match &self.by {
            By::Words(text) if kind == Kind::Field => format!("a field called \"{text}\""),
            By::Words(text) => format!("a button, link or field called \"{text}\", or that text"),
            By::Text(text) => format!("the text \"{text}\""),
            By::Label(text) => format!("a field labelled \"{text}\""),
            By::Role(role, None) => format!("a {role}"),
            By::Role(role, Some(name)) => format!("a {role} called \"{name}\""),
            By::Placeholder(text) => format!("a field with the hint \"{text}\""),
            By::TestId(text) => format!("an element with the test id \"{text}\""),
            By::Css(text) => format!("the CSS selector `{text}`"),
            By::XPath(text) => format!("the XPath `{text}`"),
            By::Frame(text) => format!("a frame called \"{text}\""),
        };
        let inside = self
            .inside
            .as_ref()
            .map(|outer| format!(" inside {}", outer.described(Kind::Any)))
            .unwrap_or_default();
        let near = self
            .near
            .as_ref()
            .map(|text| format!(" near \"{text}\""))
            .unwrap_or_default();
        let nth = self.nth.map(|nth| format!(" (number {nth})")).unwrap_or_default();
        format!("{base}{inside}{near}{nth}")
    }
}
