//! Where an execution stands in a distributed trace, and the spans that it adds. Silent while a workflow is replayed.

use std::fmt;

use serde::Serialize;

use crate::host::surroundings;
use crate::telemetry::Attributes;

/// Where an execution stands in a distributed trace (W3C Trace Context and Baggage).
///
/// ```
/// #[currant::task]
/// fn call() -> Result<String, currant::Failure> {
///     let trace = currant::trace::context();
///     Ok(format!("traceparent: 00-{}-{}-01", trace.trace_id, trace.span_id))
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TraceContext {
    /// 32 hexadecimal digits, shared by a workflow and everything that it starts.
    pub trace_id: String,
    /// 16 hexadecimal digits: the span of this execution.
    pub span_id: String,
    /// Key and value pairs that travel with the trace, such as a tenant.
    pub baggage: Vec<(String, String)>,
}

/// This execution's place in its trace.
///
/// ```
/// let trace = currant::trace::context();
/// assert_eq!(trace.trace_id.len(), 32);
/// ```
pub fn context() -> TraceContext {
    surroundings::trace()
}

/// A stretch of the execution's time in its trace: begins now, ends when it is dropped.
///
/// ```
/// use currant::telemetry::Attributes;
/// use currant::trace;
///
/// let span = trace::span("render", Attributes::new().with("pages", 3));
/// span.set("font", "Fraktur");
/// ```
pub fn span(name: &str, attributes: Attributes) -> Span {
    Span(surroundings::Span::new(name, attributes.as_slice()))
}

/// What [`span`] begins.
///
/// ```
/// let span: currant::trace::Span = currant::trace::span("render", Default::default());
/// # drop(span);
/// ```
pub struct Span(surroundings::Span);

impl Span {
    /// Adds an attribute, or replaces the one of that name.
    ///
    /// ```
    /// let span = currant::trace::span("render", Default::default());
    /// span.set("pages", 3);
    /// ```
    pub fn set(&self, name: &str, value: impl Serialize) {
        Attributes::new().with(name, value).as_slice().iter().for_each(|attribute| self.0.set(attribute));
    }

    /// Marks it as failed.
    ///
    /// ```
    /// let span = currant::trace::span("render", Default::default());
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
