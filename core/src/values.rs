//! Values: JSON text, kept byte for byte.
//!
//! A replay must read what the live run read, so nothing here ever reformats a value. What is checked on the way in is what Postgres
//! needs later, when the view `executions` shows a value as `jsonb`: that cast must never fail.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// Digits that a number may have, and the size of its exponent.
const NUMBER_DIGITS: usize = 10_000;

/// Both together: `numeric` holds 16,383 digits after its point.
const NUMBER_PLACES: usize = 16_000;

/// JSON text that Postgres accepts as `json`, and can show as `jsonb`.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(String);

/// Text that is not a value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(String);

impl Json {
    /// Checks a text. Refused are: what is not JSON, nesting deeper than 128 levels, the escape `\u0000`, unpaired surrogates,
    /// numbers greater than a double holds (1.8e308), and numbers of more than 10,000 digits.
    pub fn parse(text: String) -> Result<Json, InvalidValue> {
        serde_json::from_str::<Checked>(&text).map_err(|error| InvalidValue(format!("not a JSON value: {error}")))?;
        check_numbers(&text)?;
        Ok(Json(text))
    }

    /// `null`.
    pub fn null() -> Json {
        Json("null".into())
    }

    /// What serializes to JSON.
    pub fn of(value: &impl Serialize) -> Result<Json, InvalidValue> {
        Json::parse(serde_json::to_string(value).map_err(|error| InvalidValue(error.to_string()))?)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Json::parse(raw.get().to_string()).map_err(serde::de::Error::custom)
    }
}

impl Type<Postgres> for Json {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("json")
    }

    fn compatible(info: &PgTypeInfo) -> bool {
        *info == PgTypeInfo::with_name("json")
    }
}

impl PgHasArrayType for Json {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_json")
    }
}

impl Encode<'_, Postgres> for Json {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for Json {
    fn decode(value: PgValueRef<'r>) -> Result<Json, BoxDynError> {
        // Text and binary form of `json` are the same bytes; the binary form of `jsonb`, which the view has, begins with its version, 1.
        let text = value.as_str()?;
        Ok(Json(text.strip_prefix('\u{1}').unwrap_or(text).to_string()))
    }
}

/// Walks through a value and refuses what Postgres could not show.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Checked, D::Error> {
        deserializer.deserialize_any(Checked)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Checked, E> {
        if text.contains('\0') { Err(E::custom("text must not contain U+0000")) } else { Ok(Checked) }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Checked, A::Error> {
        while items.next_element::<Checked>()?.is_some() {}
        Ok(Checked)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Checked, A::Error> {
        while entries.next_key::<Checked>()?.is_some() {
            entries.next_value::<Checked>()?;
        }
        Ok(Checked)
    }
}

/// Numbers as they are written: the parser above has already made sure that this is JSON.
fn check_numbers(text: &str) -> Result<(), InvalidValue> {
    let mut bytes = text.bytes().peekable();
    let mut in_string = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_string => drop(bytes.next()),
            b'"' => in_string = !in_string,
            b'0'..=b'9' if !in_string => {
                let (mut digits, mut exponent) = (1, None::<usize>);
                while let Some(next) = bytes.next_if(|next| matches!(next, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
                    match (next, &mut exponent) {
                        (b'e' | b'E', _) => exponent = Some(0),
                        (b'0'..=b'9', None) => digits += 1,
                        (b'0'..=b'9', Some(value)) => {
                            *value = value.saturating_mul(10).saturating_add(usize::from(next - b'0'))
                        }
                        _ => {}
                    }
                }
                let exponent = exponent.unwrap_or(0);
                if digits > NUMBER_DIGITS || exponent > NUMBER_DIGITS || digits + exponent > NUMBER_PLACES {
                    return Err(InvalidValue(format!("a number of more than {NUMBER_DIGITS} digits")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a text is JSON at all; for messages about where it is not.
pub fn is_json(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(text).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Json::parse(text.into()).unwrap_err().to_string()
    }

    #[test]
    fn a_value_keeps_every_byte() {
        for text in
            [" {\"b\":1.0, \"a\" : 1e2}\n", "123456789012345678901234567890", "-0.10", "\"\\u00e9 é \\ud83d\\ude00\"", "null"]
        {
            assert_eq!(Json::parse(text.into()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_postgres_could_not_show_is_refused() {
        assert!(refused("{\"a\": \"\\u0000\"}").contains("U+0000"));
        assert!(refused("{\"\\u0000\": 1}").contains("U+0000"));
        assert!(refused("\"\\ud800\"").contains("not a JSON value"));
        assert!(refused("1e400").contains("number out of range"));
        assert!(refused("1e-10001").contains("digits"));
        assert!(refused(&format!("[0.{}]", "9".repeat(10_001))).contains("digits"));
        assert!(refused(&"[".repeat(200)).contains("recursion"));
        assert!(refused("NaN").contains("not a JSON value"));
        assert!(refused("{} x").contains("trailing"));
        assert!(refused("").contains("EOF"));
    }

    #[test]
    fn numbers_inside_strings_are_text() {
        assert!(Json::parse(format!("\"\\\" 1e99999 {}\"", "9".repeat(20_000))).is_ok());
    }
}
