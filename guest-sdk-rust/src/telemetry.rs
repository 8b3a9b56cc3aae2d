//! Logs, spans and metrics. Silent while a workflow is replayed. Natively, log lines go to stderr and the rest nowhere.

use std::fmt;

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
/// use currant::telemetry::{Attributes, counter};
///
/// counter("orders", 1.0, Attributes::new().with("country", "AQ").with("express", true));
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

/// Adds to a counter. `value` must not be negative.
///
/// ```
/// currant::telemetry::counter("orders", 1.0, Default::default());
/// ```
pub fn counter(name: &str, value: f64, attributes: Attributes) {
    surroundings::measure(Metric::Counter, name, value, &attributes.0);
}

/// Records one value of a distribution.
///
/// ```
/// currant::telemetry::histogram("basket.items", 7.0, Default::default());
/// ```
pub fn histogram(name: &str, value: f64, attributes: Attributes) {
    surroundings::measure(Metric::Histogram, name, value, &attributes.0);
}

/// Sets the current value of something.
///
/// ```
/// currant::telemetry::gauge("shelf.free", 12.0, Default::default());
/// ```
pub fn gauge(name: &str, value: f64, attributes: Attributes) {
    surroundings::measure(Metric::Gauge, name, value, &attributes.0);
}

/// A stretch of the execution's time in its trace: begins when it is made, ends when it is dropped.
///
/// ```
/// use currant::telemetry::{Attributes, Span};
///
/// let span = Span::new("render", Attributes::new().with("pages", 3));
/// span.set("font", "Fraktur");
/// ```
pub struct Span(surroundings::Span);

impl Span {
    /// Begins now.
    ///
    /// ```
    /// let span = currant::telemetry::Span::new("render", Default::default());
    /// # drop(span);
    /// ```
    pub fn new(name: &str, attributes: Attributes) -> Self {
        Self(surroundings::Span::new(name, &attributes.0))
    }

    /// Adds an attribute, or replaces the one of that name.
    ///
    /// ```
    /// let span = currant::telemetry::Span::new("render", Default::default());
    /// span.set("pages", 3);
    /// ```
    pub fn set(&self, name: &str, value: impl Serialize) {
        Attributes::new().with(name, value).0.iter().for_each(|attribute| self.0.set(attribute));
    }

    /// Marks it as failed.
    ///
    /// ```
    /// let span = currant::telemetry::Span::new("render", Default::default());
    /// span.fail("out of paper");
    /// ```
    pub fn fail(&self, message: &str) {
        self.0.fail(message);
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Span")
    }
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
