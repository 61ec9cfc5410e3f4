//! The first column of the first row, as a number where it is one.

use serde_json::Value as Json;
use sqlx::mysql::MySqlRow;
use sqlx::postgres::{PgRow, PgValueFormat};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, TypeInfo, ValueRef};

/// What stands in a row's first column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL, or no column at all.
    Null,
    /// A number of any type; true is 1, an interval is its seconds.
    Number(f64),
    /// A text.
    Text(String),
    /// Something else: the name of its type.
    Other(String),
}

impl Cell {
    /// What a matcher looks at.
    #[must_use]
    pub fn as_json(&self) -> Option<Json> {
        match self {
            // 3.0 is shown as people write it.
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(Json::from(*number as i64))
            }
            Self::Number(number) => Some(Json::from(*number)),
            Self::Text(text) => Some(Json::from(text.as_str())),
            Self::Null => Some(Json::Null),
            Self::Other(_) => None,
        }
    }

    /// Why there is nothing to measure.
    #[must_use]
    pub fn why_no_number(cell: Option<&Self>) -> String {
        match cell {
            None => "there is no row".to_owned(),
            Some(Self::Null) => "it is NULL".to_owned(),
            Some(Self::Text(_)) => "it is a text".to_owned(),
            Some(Self::Number(_)) => "it is no finite number".to_owned(),
            Some(Self::Other(kind)) => format!("its type {kind} is no number"),
        }
    }

    fn number(number: Option<f64>, kind: &str) -> Self {
        number.map_or_else(|| Self::Other(kind.to_owned()), Self::Number)
    }

    fn text(text: Option<String>, kind: &str) -> Self {
        text.map_or_else(|| Self::Other(kind.to_owned()), Self::Text)
    }

    /// Of a `PostgreSQL` row.
    #[must_use]
    pub fn of_postgres(row: &PgRow) -> Self {
        let Ok(value) = row.try_get_raw(0) else {
            return Self::Null;
        };
        let Ok(bytes) = value.as_bytes() else {
            return Self::Null;
        };
        let info = value.type_info();
        let kind = info.name();
        if value.format() == PgValueFormat::Text {
            return Self::text(String::from_utf8(bytes.to_vec()).ok(), kind);
        }
        let number = match kind {
            "INT2" => bytes.try_into().ok().map(i16::from_be_bytes).map(f64::from),
            "INT4" => bytes.try_into().ok().map(i32::from_be_bytes).map(f64::from),
            "INT8" => bytes
                .try_into()
                .ok()
                .map(|bytes| i64::from_be_bytes(bytes) as f64),
            "OID" => bytes.try_into().ok().map(u32::from_be_bytes).map(f64::from),
            "FLOAT4" => bytes.try_into().ok().map(f32::from_be_bytes).map(f64::from),
            "FLOAT8" => bytes.try_into().ok().map(f64::from_be_bytes),
            "BOOL" => bytes.first().map(|byte| f64::from(*byte)),
            "NUMERIC" => numeric(bytes),
            "INTERVAL" => interval_s(bytes),
            "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "JSON" | "XML" => {
                return Self::text(String::from_utf8(bytes.to_vec()).ok(), kind);
            }
            _ => None,
        };
        Self::number(number.filter(|number| number.is_finite()), kind)
    }

    /// Of a `MySQL` row.
    #[must_use]
    pub fn of_mysql(row: &MySqlRow) -> Self {
        let Ok(value) = row.try_get_raw(0) else {
            return Self::Null;
        };
        if value.is_null() {
            return Self::Null;
        }
        let info = value.type_info();
        let kind = info.name();
        let number = match kind {
            _ if kind.ends_with("UNSIGNED") || kind == "YEAR" => {
                row.try_get_unchecked::<u64, _>(0).ok().map(|n| n as f64)
            }
            "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => {
                row.try_get_unchecked::<i64, _>(0).ok().map(|n| n as f64)
            }
            "FLOAT" => row.try_get_unchecked::<f32, _>(0).ok().map(f64::from),
            "DOUBLE" => row.try_get_unchecked::<f64, _>(0).ok(),
            "DECIMAL" => row
                .try_get_unchecked::<String, _>(0)
                .ok()
                .and_then(|text| text.parse().ok()),
            _ => return Self::text(row.try_get::<String, _>(0).ok(), kind),
        };
        Self::number(number.filter(|number| number.is_finite()), kind)
    }

    /// Of an `SQLite` row: each value has a type of its own.
    #[must_use]
    pub fn of_sqlite(row: &SqliteRow) -> Self {
        let Ok(value) = row.try_get_raw(0) else {
            return Self::Null;
        };
        if value.is_null() {
            return Self::Null;
        }
        let info = value.type_info();
        let kind = info.name();
        match kind {
            "INTEGER" | "BOOLEAN" => Self::number(
                row.try_get_unchecked::<i64, _>(0)
                    .ok()
                    .map(|number| number as f64),
                kind,
            ),
            "REAL" | "NUMERIC" => Self::number(
                row.try_get_unchecked::<f64, _>(0)
                    .ok()
                    .filter(|number| number.is_finite()),
                kind,
            ),
            "TEXT" => Self::text(row.try_get_unchecked::<String, _>(0).ok(), kind),
            _ => Self::Other(kind.to_owned()),
        }
    }
}

/// `PostgreSQL`'s `numeric` in binary form: digits of base 10,000 (`numeric_send` in its
/// `utils/adt/numeric.c`).
fn numeric(bytes: &[u8]) -> Option<f64> {
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let (count, weight, sign) = (word(0)?, word(2)?.cast_signed(), word(4)?);
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        _ => return None,
    };
    // Written as text and parsed, so that 0.1 is 0.1 and not a sum of rounded parts.
    let mut text = format!("{sign}0");
    for digit in 0..usize::from(count) {
        text.push_str(&format!("{:04}", word(8 + 2 * digit)?));
    }
    let exponent = 4 * (i32::from(weight) + 1 - i32::from(count));
    format!("{text}e{exponent}").parse().ok()
}

/// `PostgreSQL`'s `interval` in binary form; a month is 30 days, as in `extract(epoch …)`
/// but for whole years.
fn interval_s(bytes: &[u8]) -> Option<f64> {
    let us = i64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    let days = i32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?);
    let months = i32::from_be_bytes(bytes.get(12..16)?.try_into().ok()?);
    let (years, months) = (f64::from(months / 12), f64::from(months % 12));
    let days = f64::from(days) + months * 30.0 + years * 365.25;
    Some(us as f64 / 1_000_000.0 + days * 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numerics_are_read_exactly() {
        for (bytes, number) in [
            (words(&[0, 0, 0, 0]), Some(0.0)),
            (words(&[1, 0, 0, 0, 42]), Some(42.0)),
            (words(&[2, 0, 0x4000, 2, 12, 3400]), Some(-12.34)),
            (words(&[1, 0xffff, 0, 1, 1000]), Some(0.1)),
            (words(&[1, 2, 0, 0, 7]), Some(700_000_000.0)),
            (words(&[0, 0, 0xc000, 0]), None),
            (words(&[2, 0, 0, 0, 1]), None),
            (Vec::new(), None),
        ] {
            assert_eq!(numeric(&bytes), number, "{bytes:?}");
        }
    }

    #[test]
    fn intervals_are_seconds() {
        let bytes = |us: i64, days: i32, months: i32| {
            [
                us.to_be_bytes().to_vec(),
                days.to_be_bytes().to_vec(),
                months.to_be_bytes().to_vec(),
            ]
            .concat()
        };
        assert_eq!(interval_s(&bytes(1_500_000, 1, 0)), Some(86_401.5));
        assert_eq!(interval_s(&bytes(-1_000_000, 0, 1)), Some(30.0 * 86_400.0 - 1.0));
        assert_eq!(interval_s(&[0; 3]), None);
    }

    #[test]
    fn cells_are_matched_as_people_write_them() {
        assert_eq!(Cell::Number(3.0).as_json(), Some(Json::from(3)));
        assert_eq!(Cell::Number(0.5).as_json(), Some(Json::from(0.5)));
        assert_eq!(Cell::Null.as_json(), Some(Json::Null));
        assert_eq!(Cell::Other("POINT".into()).as_json(), None);
    }
}
