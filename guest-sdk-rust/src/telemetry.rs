//! Logs, and the attributes that they share with [`trace`](crate::trace) and [`metrics`](crate::metrics). All are silent while a workflow is
//! replayed. Natively, log lines go to stderr and the rest nowhere.

use serde::Serialize;

use crate::host::surroundings;
use crate::values;

/// A name, and a value as JSON text.
pub(crate) type Attribute = (String, String);

/// How much a log line matters.
///
/// ```
/// use currant::telemetry::{Level, log};
///
/// log(Level::Error, "the printer is on fire", Default::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Every turn.
    Trace,
    /// For the author.
    Debug,
    /// For those who run it.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

#[derive(Clone, Copy)]
pub(crate) enum Metric {
    Counter,
    Histogram,
    Gauge,
}

/// Names and values that can be searched for, or by which a metric is told apart.
///
/// ```
/// use currant::metrics;
/// use currant::telemetry::Attributes;
///
/// metrics::increment("orders", 1.0, Attributes::new().with("country", "AQ").with("express", true));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Attributes(Vec<Attribute>);

impl Attributes {
    /// None.
    ///
    /// ```
    /// let none = currant::telemetry::Attributes::new();
    /// # drop(none);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// One more. What cannot be written as JSON is left out: telemetry never fails.
    ///
    /// ```
    /// let order = currant::telemetry::Attributes::new().with("order", 42).with("gift", true);
    /// # drop(order);
    /// ```
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.0.extend(values::encode(name, &value).ok().map(|value| (name.to_owned(), value)));
        self
    }

    pub(crate) fn as_slice(&self) -> &[Attribute] {
        &self.0
    }
}

/// Writes a log line of this execution: shown by `currant logs`. The macros [`info!`](crate::info) and its siblings are shorter.
///
/// ```
/// use currant::telemetry::{Attributes, Level, log};
///
/// log(Level::Warn, "the shelf is nearly empty", Attributes::new().with("left", 2));
/// ```
pub fn log(level: Level, message: &str, attributes: Attributes) {
    surroundings::log(level, message, &attributes.0);
}

/// A log line for the author: `debug!("message {variable}", name = value)`. See [`info!`](crate::info).
///
/// ```
/// let count = 7;
/// currant::debug!("looked at {count} shelves");
/// ```
#[macro_export]
macro_rules! debug {
    ($($line:tt)*) => { $crate::__log!(Debug, $($line)*) };
}

/// A log line for those who run it: a message with the variables in scope, then attributes that can be searched for.
///
/// ```
/// let (order, amount) = (42, 12.5);
/// currant::info!("charged {amount}", order = order, currency = "EUR");
/// ```
#[macro_export]
macro_rules! info {
    ($($line:tt)*) => { $crate::__log!(Info, $($line)*) };
}

/// A log line about something that is not as it should be. See [`info!`](crate::info).
///
/// ```
/// let left = 2;
/// currant::warn!("the shelf is nearly empty", left = left);
/// ```
#[macro_export]
macro_rules! warn {
    ($($line:tt)*) => { $crate::__log!(Warn, $($line)*) };
}

/// A log line about something that failed. See [`info!`](crate::info).
///
/// ```
/// let order = 42;
/// currant::error!("order {order} cannot be shipped", reason = "no address");
/// ```
#[macro_export]
macro_rules! error {
    ($($line:tt)*) => { $crate::__log!(Error, $($line)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $message:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::telemetry::log(
            $crate::telemetry::Level::$level,
            &::std::format!($message),
            $crate::telemetry::Attributes::new()$(.with(::core::stringify!($name), &$value))*,
        )
    };
}
