//! The properties of one JSON object, read strictly.

use serde_json::{Map, Value};

/// `Err` says what is wrong and where, for people.
pub(super) type Checked<T = ()> = Result<T, String>;

/// The properties of an object.
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The properties of `value`, which must be an object.
    pub(super) fn of(value: &'a Value) -> Checked<Self> {
        value
            .as_object()
            .map(Self)
            .ok_or_else(|| "not an object".to_owned())
    }

    /// A property, if given.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key)
    }

    /// A property that must be given.
    pub(super) fn required(&self, key: &str) -> Checked<&'a Value> {
        self.get(key).ok_or_else(|| format!("`{key}` is missing"))
    }

    /// What `type` says.
    pub(super) fn kind(&self) -> Checked<&'a str> {
        self.required("type")?
            .as_str()
            .ok_or_else(|| "`type` is not text".to_owned())
    }

    /// No other properties than these, and none without a value.
    pub(super) fn only(&self, known: &[&str]) -> Checked {
        for (key, value) in self.0 {
            if !known.contains(&key.as_str()) {
                return Err(format!("unknown property `{key}`"));
            }
            if value.is_null() {
                return Err(format!("`{key}` is null"));
            }
            if value.as_str() == Some("") {
                return Err(format!("`{key}` is empty"));
            }
        }
        Ok(())
    }

    /// Text of at most `limit` code points, if given.
    pub(super) fn string(&self, key: &str, limit: usize) -> Checked<Option<&'a str>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let Some(text) = value.as_str() else {
            return Err(format!("`{key}` is not text"));
        };
        let length = text.chars().count();
        if length > limit {
            return Err(format!("`{key}` has {length} characters, not {limit}"));
        }
        Ok(Some(text))
    }

    /// A property that is true or false, if given.
    pub(super) fn flag(&self, key: &str) -> Checked {
        match self.get(key) {
            None | Some(Value::Bool(_)) => Ok(()),
            Some(_) => Err(format!("`{key}` is neither true nor false")),
        }
    }

    /// A list that must be there, with one to `limit` elements.
    pub(super) fn list(&self, key: &str, limit: usize) -> Checked<&'a [Value]> {
        match self.required(key)?.as_array() {
            Some(list) if (1..=limit).contains(&list.len()) => Ok(list.as_slice()),
            Some(list) => Err(format!("`{key}` has {} elements, not 1–{limit}", list.len())),
            None => Err(format!("`{key}` is not a list")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_known_properties_with_a_value_pass() {
        let cases = [
            (json!({"a": 1, "b": "x"}), "ok"),
            (json!({"c": 1}), "unknown property `c`"),
            (json!({"a": null}), "`a` is null"),
            (json!({"b": ""}), "`b` is empty"),
            (json!([]), "not an object"),
        ];
        for (value, expected) in cases {
            let checked = Fields::of(&value).and_then(|fields| fields.only(&["a", "b"]));
            assert_eq!(checked.err().as_deref().unwrap_or("ok"), expected);
        }
    }

    #[test]
    fn text_is_measured_in_code_points() {
        let value = json!({"a": "대기시간"});
        let fields = Fields::of(&value).unwrap();
        assert_eq!(fields.string("a", 4), Ok(Some("대기시간")));
        assert_eq!(
            fields.string("a", 3),
            Err("`a` has 4 characters, not 3".to_owned())
        );
        assert_eq!(fields.string("b", 3), Ok(None));
    }
}
