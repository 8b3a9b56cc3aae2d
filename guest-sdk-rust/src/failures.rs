//! Why something did not succeed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::values;

/// Why a task, workflow or step did not succeed: stored, shown to people, and handed to the workflow that waits for it.
///
/// Every `std::error::Error` becomes a failure by `?`: its type's name is the code, its chain of causes the message, and it is
/// retryable. For the same reason `Failure` is no `std::error::Error` itself.
///
/// ```
/// use currant::Failure;
///
/// fn amount(text: &str) -> Result<u64, Failure> {
///     let amount: u64 = text.parse()?;
///     if amount == 0 {
///         return Err(Failure::new("nothing-to-charge", "the amount is zero").not_retryable());
///     }
///     Ok(amount)
/// }
///
/// assert_eq!(amount("12").ok(), Some(12));
/// assert_eq!(amount("x").unwrap_err().code(), "ParseIntError");
/// assert!(!amount("0").unwrap_err().is_retryable());
/// ```
#[derive(Clone, PartialEq)]
pub struct Failure {
    code: String,
    message: String,
    /// JSON text: what a child said is handed on byte for byte.
    details: Option<String>,
    retryable: bool,
    retry_after: Option<Duration>,
    rate_limited: bool,
}

impl Failure {
    /// A failure that another attempt may cure. `code` is for programs (at most 255 bytes), `message` for people.
    ///
    /// ```
    /// let failure = currant::Failure::new("card-declined", "the bank said no");
    /// assert_eq!(failure.to_string(), "card-declined: the bank said no");
    /// ```
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            details: None,
            retryable: true,
            retry_after: None,
            rate_limited: false,
        }
    }

    /// What a task answers when its queue goes too fast for what it calls. The queue pauses for this long and the same attempt is
    /// made again; it costs no retry. From a workflow it is an ordinary failure with the code `rate-limited`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::Failure;
    /// fn call(status: u16) -> Result<(), Failure> {
    ///     if status == 429 { Err(Failure::rate_limited(Duration::from_secs(30))) } else { Ok(()) }
    /// }
    /// assert_eq!(call(429).unwrap_err().code(), "rate-limited");
    /// ```
    pub fn rate_limited(after: Duration) -> Self {
        Self { rate_limited: true, ..Self::new("rate-limited", "called too often").retry_after(after) }
    }

    /// What a function answers that stops because its cancellation was requested.
    ///
    /// ```
    /// # use currant::Failure;
    /// #[currant::task]
    /// fn crunch(rounds: u32) -> Result<u32, Failure> {
    ///     for round in 0..rounds {
    ///         if currant::heartbeat(&round) {
    ///             return Err(Failure::cancelled());
    ///         }
    ///     }
    ///     Ok(rounds)
    /// }
    /// # assert_eq!(crunch(3).run(), Ok(3));
    /// ```
    pub fn cancelled() -> Self {
        Self::new("cancelled", "cancellation was requested").not_retryable()
    }

    /// The same failure, which no other attempt can cure: the execution fails at once.
    ///
    /// ```
    /// assert!(!currant::Failure::new("no-such-order", "42").not_retryable().is_retryable());
    /// ```
    #[must_use]
    pub fn not_retryable(self) -> Self {
        Self { retryable: false, ..self }
    }

    /// The same failure; the next attempt is made no earlier than this, instead of after the back-off.
    ///
    /// ```
    /// # use std::time::Duration;
    /// currant::Failure::new("busy", "come back later").retry_after(Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn retry_after(self, after: Duration) -> Self {
        Self { retry_after: Some(after), ..self }
    }

    /// The same failure with more about it. What cannot be written as JSON is left out: a failure must not fail.
    ///
    /// ```
    /// let failure = currant::Failure::new("sold-out", "2 items").details(&["mug", "cup"]);
    /// assert_eq!(failure.details_json(), Some(r#"["mug","cup"]"#));
    /// ```
    #[must_use]
    pub fn details(self, details: &(impl Serialize + ?Sized)) -> Self {
        Self { details: values::encode("details", details).ok(), ..self }
    }

    /// What kind of failure it is.
    ///
    /// ```
    /// assert_eq!(currant::Failure::new("busy", "").code(), "busy");
    /// ```
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What happened, for people.
    ///
    /// ```
    /// assert_eq!(currant::Failure::new("busy", "line 3 is busy").message(), "line 3 is busy");
    /// ```
    pub fn message(&self) -> &str {
        &self.message
    }

    /// More about it, as JSON text.
    ///
    /// ```
    /// assert_eq!(currant::Failure::new("busy", "").details_json(), None);
    /// ```
    pub fn details_json(&self) -> Option<&str> {
        self.details.as_deref()
    }

    /// Whether another attempt can help.
    ///
    /// ```
    /// assert!(currant::Failure::new("busy", "").is_retryable());
    /// ```
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// Whether a cancellation is the reason: of the child that was awaited, or of this workflow
    /// ([`is_cancelled`](crate::is_cancelled) tells which).
    ///
    /// ```
    /// assert!(currant::Failure::cancelled().is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.code == "cancelled"
    }

    /// Whether a time limit is the reason.
    ///
    /// ```
    /// assert!(!currant::Failure::new("busy", "").is_timed_out());
    /// ```
    pub fn is_timed_out(&self) -> bool {
        self.code == "timed-out"
    }

    pub(crate) fn after(&self) -> Option<Duration> {
        self.retry_after
    }

    pub(crate) fn is_rate_limited(&self) -> bool {
        self.rate_limited
    }

    /// What it is when a workflow ends with it: workflows pause no queue.
    pub(crate) fn of_workflow(self) -> Self {
        Self { rate_limited: false, ..self }
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn with_details_json(self, details: Option<String>) -> Self {
        Self { details, ..self }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self::new(code_of(std::any::type_name::<E>()), message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retryable = if self.retryable { "" } else { " (not retryable)" };
        write!(f, "Failure({self}{retryable})")?;
        self.details.iter().try_for_each(|details| write!(f, " {details}"))
    }
}

/// `std::num::error::ParseIntError` → `ParseIntError`. Half of all crates call theirs just `Error`, so that one keeps what stands
/// before it: `std::io::error::Error` → `io::Error`.
fn code_of(type_name: &str) -> String {
    let path = type_name.split('<').next().unwrap_or(type_name);
    let mut segments = path.rsplit("::");
    let name = segments.next().unwrap_or(path).trim_start_matches('&');
    match segments.find(|segment| *segment != "error") {
        Some(owner) if name == "Error" => format!("{owner}::Error"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct OutOfStock(std::io::Error);

    impl fmt::Display for OutOfStock {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot reserve")
        }
    }

    impl Error for OutOfStock {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn an_error_gives_its_name_and_its_chain() {
        let failure = Failure::from(OutOfStock(std::io::Error::other("shelf 3 is empty")));
        assert_eq!(failure.to_string(), "OutOfStock: cannot reserve: shelf 3 is empty");
        assert!(failure.is_retryable());
    }

    #[test]
    fn errors_that_are_only_called_error_keep_what_stands_before() {
        assert_eq!(code_of("std::io::error::Error"), "io::Error");
        assert_eq!(code_of("serde_json::error::Error"), "serde_json::Error");
        assert_eq!(code_of("a::b::Lost<c::Error>"), "Lost");
    }
}
