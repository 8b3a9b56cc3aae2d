//! No worker: what the test kit pretends that there is.

use std::cell::RefCell;

use crate::context::Execution;
use crate::telemetry::{Attribute, Level, Metric};
use crate::trace::TraceContext;

thread_local! {
    /// The attempts that are being made, innermost last: the test kit runs a task inside the workflow that waits for it.
    static ATTEMPTS: RefCell<Vec<Attempt>> = const { RefCell::new(Vec::new()) };
}

struct Attempt {
    execution: Execution,
    progress: Option<String>,
    last_progress: Option<String>,
}

/// Runs `body` as an attempt of this execution. Also returns what it said last by `heartbeat`.
pub(crate) fn attempt<T>(execution: Execution, last_progress: Option<String>, body: impl FnOnce() -> T) -> (T, Option<String>) {
    let attempt = Attempt { execution, progress: last_progress.clone(), last_progress };
    ATTEMPTS.with_borrow_mut(|attempts| attempts.push(attempt));
    let result = body();
    let progress = ATTEMPTS.with_borrow_mut(|attempts| attempts.pop()).and_then(|attempt| attempt.progress);
    (result, progress)
}

/// An execution as it would be without a test kit around it.
pub(crate) fn execution_of(function: &str, number: u32) -> Execution {
    Execution {
        id: format!("00000000-0000-7000-8000-{number:012}"),
        task_id: None,
        function: function.to_owned(),
        queue: "default".to_owned(),
        attempt: 1,
        parent: None,
        module: "0".repeat(64),
        deadline: None,
    }
}

pub(crate) fn execution() -> Execution {
    ATTEMPTS
        .with_borrow(|attempts| attempts.last().map(|attempt| attempt.execution.clone()))
        .unwrap_or_else(|| execution_of("", 0))
}

pub(crate) fn trace() -> TraceContext {
    TraceContext { trace_id: "0".repeat(32), span_id: "0".repeat(16), baggage: Vec::new() }
}

pub(crate) fn is_cancelled() -> bool {
    false
}

pub(crate) fn heartbeat(progress: Option<&str>) -> bool {
    ATTEMPTS.with_borrow_mut(|attempts| {
        if let Some(attempt) = attempts.last_mut() {
            attempt.progress = progress.map(str::to_owned);
        }
    });
    false
}

pub(crate) fn last_progress() -> Option<String> {
    ATTEMPTS.with_borrow(|attempts| attempts.last().and_then(|attempt| attempt.last_progress.clone()))
}

pub(crate) fn log(level: Level, message: &str, attributes: &[Attribute]) {
    let attributes: String = attributes.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    eprintln!("{level:?}: {message}{attributes}");
}

pub(crate) fn measure(_metric: Metric, _name: &str, _value: f64, _attributes: &[Attribute]) {}

pub(crate) struct Span;

impl Span {
    pub(crate) fn new(_name: &str, _attributes: &[Attribute]) -> Self {
        Self
    }

    pub(crate) fn set(&self, _attribute: &Attribute) {}

    pub(crate) fn fail(&self, _message: &str) {}
}
