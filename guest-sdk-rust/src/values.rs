//! What crosses the border of a function: JSON text, by serde.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Failure;

/// A value that is passed on as it is: the same text, byte for byte, without being understood.
///
/// ```
/// let json: currant::Json = serde_json::from_str(r#"{"b": 1.10, "a": 2}"#)?;
/// assert_eq!(json.text(), r#"{"b": 1.10, "a": 2}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Any value, as JSON.
    ///
    /// ```
    /// assert_eq!(currant::Json::of(&[1, 2])?.text(), "[1,2]");
    /// # Ok::<(), currant::Failure>(())
    /// ```
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, Failure> {
        Ok(Self(RawValue::from_string(encode("a value", value)?)?))
    }

    /// The text.
    ///
    /// ```
    /// assert_eq!(currant::Json::of(&true)?.text(), "true");
    /// # Ok::<(), currant::Failure>(())
    /// ```
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// What the text means as a `T`.
    ///
    /// ```
    /// let pair: (u8, u8) = currant::Json::of(&[1, 2])?.read()?;
    /// assert_eq!(pair, (1, 2));
    /// # Ok::<(), currant::Failure>(())
    /// ```
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        decode("invalid-value", "a value", self.text())
    }
}

/// `what` names the value in the failure, such as ``the result of `charge` ``.
pub(crate) fn encode(what: &str, value: &(impl Serialize + ?Sized)) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::new("invalid-value", format!("{what} cannot be written as JSON: {error}")).not_retryable())
}

/// Not retryable: the same text gives the same error at every attempt.
pub(crate) fn decode<T: DeserializeOwned>(code: &str, what: &str, text: &str) -> Result<T, Failure> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.path().to_string() {
        path if path == "." => error.into_inner().to_string(),
        path => format!("{path}: {}", error.into_inner()),
    });
    value
        .and_then(|value| reader.end().map(|()| value).map_err(|error| error.to_string()))
        .map_err(|reason| Failure::new(code, format!("{what} is not what is expected: {reason}")).not_retryable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "only read by serde")]
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    struct Item {
        #[expect(dead_code, reason = "only read by serde")]
        count: u32,
    }

    #[test]
    fn a_value_that_does_not_fit_says_where() {
        let failure = decode::<Order>("invalid-input", "the input of `charge`", r#"{"items":[{"count":"x"}]}"#).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "invalid-input: the input of `charge` is not what is expected: items[0].count: invalid type: string \"x\", expected u32 at line 1 column 22"
        );
        assert!(!failure.is_retryable());
    }

    #[test]
    fn what_follows_the_value_is_an_error() {
        let failure = decode::<u8>("invalid-input", "x", "1 2").unwrap_err();
        assert!(failure.message().ends_with("trailing characters at line 1 column 3"), "{failure}");
    }

    #[test]
    fn a_map_whose_keys_are_no_texts_cannot_be_written() {
        let map = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert_eq!(encode("x", &map).unwrap_err().code(), "invalid-value");
    }
}
