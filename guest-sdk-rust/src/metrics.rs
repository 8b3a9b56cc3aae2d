//! Numbers that are added up over executions. Silent while a workflow is replayed.

use crate::host::surroundings;
use crate::telemetry::{Attributes, Metric};

/// Adds to a counter. `value` must not be negative.
///
/// ```
/// currant::metrics::increment("orders", 1.0, Default::default());
/// ```
pub fn increment(name: &str, value: f64, attributes: Attributes) {
    surroundings::measure(Metric::Counter, name, value, attributes.as_slice());
}

/// Records one value of a distribution.
///
/// ```
/// currant::metrics::histogram("basket.items", 7.0, Default::default());
/// ```
pub fn histogram(name: &str, value: f64, attributes: Attributes) {
    surroundings::measure(Metric::Histogram, name, value, attributes.as_slice());
}

/// Sets the current value of something.
///
/// ```
/// currant::metrics::gauge("shelf.free", 12.0, Default::default());
/// ```
pub fn gauge(name: &str, value: f64, attributes: Attributes) {
    surroundings::measure(Metric::Gauge, name, value, attributes.as_slice());
}
