//! The worker, reached through the component's imports. Nothing but conversions.

use std::time::{Duration, UNIX_EPOCH};

use crate::Failure;
use crate::bindings::currant::guest::{context, task, telemetry, types, workflow};
use crate::bindings::exports::currant::guest::entry;
use crate::context::Execution;
use crate::functions::Outcome;
use crate::host::{Delivery, Host, Number, Request};
use crate::options::{CallOptions, RetryPolicy, Timeouts};
use crate::telemetry::{Attribute, Level, Metric};
use crate::timers::milliseconds;
use crate::trace::TraceContext;

/// The worker that this component runs in.
pub(crate) struct Worker;

impl Host for Worker {
    fn start(&self, request: Request) -> Number {
        match request {
            Request::Task { function, input, options } => workflow::start_task(&function.name, &input, &start_options(options)),
            Request::Workflow { function, input, options, detached } => {
                workflow::start_workflow(&function.name, &input, &start_options(options), detached)
            }
            Request::Timer(length) => workflow::start_timer(milliseconds(length)),
            Request::Signal(name) => workflow::receive_signal(&name),
        }
    }

    fn external(&self) -> (Number, String) {
        workflow::external()
    }

    fn wait(&self, numbers: &[Number]) -> Delivery {
        match workflow::wait(numbers) {
            Ok(completion) => Delivery::Completed(completion.operation, outcome(completion.outcome)),
            Err(workflow::Interruption::Cancelled) => Delivery::Cancelled,
        }
    }

    fn cancel(&self, number: Number) {
        workflow::cancel(number);
    }

    fn begin_step(&self, name: &str) -> Option<Outcome> {
        workflow::begin_step(name).map(outcome)
    }

    fn end_step(&self, outcome: &Outcome) {
        workflow::end_step(&match outcome {
            Ok(value) => types::Outcome::Completed(value.clone()),
            Err(reason) => types::Outcome::Failed(failure(reason)),
        });
    }

    fn version(&self, change: &str, min: u32, max: u32) -> u32 {
        workflow::version(change, min, max)
    }

    fn continue_as_new(&self, input: &str) {
        workflow::continue_as_new(input);
    }

    fn publish(&self, progress: &str) {
        workflow::publish(progress);
    }
}

pub(crate) fn execution() -> Execution {
    let now = context::current();
    Execution {
        id: now.id,
        task_id: now.task_id,
        function: now.function,
        queue: now.queue,
        attempt: now.attempt,
        parent: now.parent,
        module: now.module,
        deadline: now.deadline.map(|instant| UNIX_EPOCH + Duration::from_millis(instant)),
    }
}

pub(crate) fn trace() -> TraceContext {
    let context::TraceContext { trace_id, span_id, baggage } = context::trace();
    TraceContext { trace_id, span_id, baggage }
}

pub(crate) fn is_cancelled() -> bool {
    context::is_cancelled()
}

pub(crate) fn heartbeat(progress: Option<&str>) -> bool {
    task::heartbeat(progress)
}

pub(crate) fn last_progress() -> Option<String> {
    task::last_progress()
}

pub(crate) fn log(level: Level, message: &str, attributes: &[Attribute]) {
    let level = match level {
        Level::Trace => telemetry::Level::Trace,
        Level::Debug => telemetry::Level::Debug,
        Level::Info => telemetry::Level::Info,
        Level::Warn => telemetry::Level::Warn,
        Level::Error => telemetry::Level::Error,
    };
    telemetry::log(level, message, attributes);
}

pub(crate) fn measure(metric: Metric, name: &str, value: f64, attributes: &[Attribute]) {
    match metric {
        Metric::Counter => telemetry::counter(name, value, attributes),
        Metric::Histogram => telemetry::histogram(name, value, attributes),
        Metric::Gauge => telemetry::gauge(name, value, attributes),
    }
}

pub(crate) struct Span(telemetry::Span);

impl Span {
    pub(crate) fn new(name: &str, attributes: &[Attribute]) -> Self {
        Self(telemetry::Span::new(name, attributes))
    }

    pub(crate) fn set(&self, attribute: &Attribute) {
        self.0.set(attribute);
    }

    pub(crate) fn fail(&self, message: &str) {
        self.0.fail(message);
    }
}

/// Why a run has no result. `cancelled` is said only when somebody asked for the cancellation: the same code from a child that
/// was cancelled for other reasons is a failure.
pub(crate) fn run_error(reason: &Failure, cancelled: bool) -> entry::RunError {
    match reason.after() {
        Some(pause) if reason.is_rate_limited() => entry::RunError::RateLimited(milliseconds(pause)),
        _ if reason.is_cancelled() && cancelled => entry::RunError::Cancelled,
        _ => entry::RunError::Failed(failure(reason)),
    }
}

pub(crate) fn retry_policy(policy: RetryPolicy) -> types::RetryPolicy {
    types::RetryPolicy {
        retries: policy.retries,
        backoff: milliseconds(policy.backoff),
        multiplier: policy.multiplier,
        max_backoff: milliseconds(policy.max_backoff),
    }
}

pub(crate) fn timeouts(timeouts: Timeouts) -> types::Timeouts {
    types::Timeouts {
        queue: timeouts.queue.map(milliseconds),
        attempt: timeouts.attempt.map(milliseconds),
        heartbeat: timeouts.heartbeat.map(milliseconds),
        total: timeouts.total.map(milliseconds),
    }
}

fn start_options(options: CallOptions) -> workflow::StartOptions {
    workflow::StartOptions {
        queue: options.queue,
        priority: options.priority,
        delay: options.delay.map(milliseconds),
        retry: options.retry.map(retry_policy),
        timeouts: timeouts(options.timeouts),
        task_id: options.task_id,
        concurrency_key: options.concurrency_key,
        tags: options.tags,
    }
}

fn outcome(outcome: types::Outcome) -> Outcome {
    match outcome {
        types::Outcome::Completed(value) => Ok(value),
        types::Outcome::Failed(reason) => Err({
            let failure = Failure::new(reason.code, reason.message).with_details_json(reason.details);
            let failure = if reason.retryable { failure } else { failure.not_retryable() };
            reason.retry_after.map(Duration::from_millis).into_iter().fold(failure, Failure::retry_after)
        }),
    }
}

fn failure(reason: &Failure) -> types::Failure {
    types::Failure {
        code: reason.code().to_owned(),
        message: reason.message().to_owned(),
        details: reason.details_json().map(str::to_owned),
        retryable: reason.is_retryable(),
        retry_after: reason.after().map(milliseconds),
    }
}
