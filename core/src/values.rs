//! Values: JSON text, kept byte for byte.
//!
//! A replay must read what the live run read, so nothing here ever reformats a value. What is checked on the way in is what Postgres
//! needs later, when the view `executions` shows a value as `jsonb`: that cast must never fail.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// Levels of arrays and objects. Parsers of guests have limits of their own, and this is that of ours.
const DEPTH: i32 = 128;

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
        serde_json::from_str::<IgnoredAny>(&text).map_err(|error| InvalidValue(format!("not a JSON value: {error}")))?;
        check(&text)?;
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

/// Walks through a text that is JSON, and refuses what Postgres could not show. Numbers are never read as such: they may be larger than
/// any type of ours.
fn check(text: &str) -> Result<(), InvalidValue> {
    let mut rest = text.as_bytes();
    let mut depth = 0;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => check_string(after)?,
            b'0'..=b'9' => check_number(rest)?,
            _ => after,
        };
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth > DEPTH {
            return Err(InvalidValue(format!("nested deeper than {DEPTH} levels")));
        }
    }
    Ok(())
}

/// A string from behind its opening quote; answers what follows it.
fn check_string(mut rest: &[u8]) -> Result<&[u8], InvalidValue> {
    loop {
        match rest {
            [b'"', after @ ..] => return Ok(after),
            [b'\\', b'u', after @ ..] => {
                let (unit, after) = code_unit(after);
                rest = match unit {
                    0 => return Err(InvalidValue("text must not contain U+0000".into())),
                    0xd800..=0xdbff => match after {
                        [b'\\', b'u', low @ ..] if matches!(code_unit(low).0, 0xdc00..=0xdfff) => code_unit(low).1,
                        _ => return Err(InvalidValue("text must not contain an unpaired surrogate".into())),
                    },
                    0xdc00..=0xdfff => return Err(InvalidValue("text must not contain an unpaired surrogate".into())),
                    _ => after,
                };
            }
            [b'\\', _, after @ ..] | [_, after @ ..] => rest = after,
            [] => return Ok(rest),
        }
    }
}

/// The four hexadecimal digits of an escape, and what follows them.
fn code_unit(text: &[u8]) -> (u32, &[u8]) {
    let (digits, after) = text.split_at(text.len().min(4));
    let digit = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or(0);
    (digits.iter().fold(0, |unit, next| unit * 16 + digit(next)), after)
}

/// A number from its first digit on; answers what follows it.
fn check_number(text: &[u8]) -> Result<&[u8], InvalidValue> {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let (number, after) = text.split_at(text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len()));
    let mut parts = number.split(|byte| matches!(byte, b'e' | b'E'));
    let digits = parts.next().unwrap_or_default().iter().filter(|byte| byte.is_ascii_digit()).count();
    let exponent = parts.next().unwrap_or_default().iter().filter(|byte| byte.is_ascii_digit());
    let exponent = exponent.fold(0usize, |value, digit| value.saturating_mul(10).saturating_add(usize::from(digit - b'0')));
    if digits > NUMBER_DIGITS || exponent > NUMBER_DIGITS || digits + exponent > NUMBER_PLACES {
        return Err(InvalidValue(format!("a number of more than {NUMBER_DIGITS} digits")));
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Json::parse(text.into()).unwrap_err().to_string()
    }

    #[test]
    fn a_value_keeps_every_byte() {
        for text in [
            " {\"b\":1.0, \"a\" : 1e2}\n",
            "123456789012345678901234567890",
            "-0.10",
            "\"\\u00e9 é \\ud83d\\ude00\"",
            "null",
            "1e400",
            "[-1E-9999]",
        ] {
            assert_eq!(Json::parse(text.into()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_postgres_could_not_show_is_refused() {
        assert!(refused("{\"a\": \"\\u0000\"}").contains("U+0000"));
        assert!(refused("{\"\\u0000\": 1}").contains("U+0000"));
        assert!(refused("\"\\ud800\"").contains("surrogate"));
        assert!(refused("1e10001").contains("digits"));
        assert!(refused("1e-10001").contains("digits"));
        assert!(refused(&format!("[0.{}]", "9".repeat(10_001))).contains("digits"));
        assert!(refused(&format!("{}{}", "[".repeat(129), "]".repeat(129))).contains("deeper"));
        assert!(refused("\"\\udc00\"").contains("surrogate"));
        assert!(refused("\"\\ud800\\u0041\"").contains("surrogate"));
        assert!(refused("NaN").contains("not a JSON value"));
        assert!(refused("{} x").contains("trailing"));
        assert!(refused("").contains("EOF"));
    }

    #[test]
    fn numbers_inside_strings_are_text() {
        assert!(Json::parse(format!("\"\\\" 1e99999 {}\"", "9".repeat(20_000))).is_ok());
    }
}
