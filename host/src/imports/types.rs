//! `currant:guest/types`: its values, and those of the crate that they stand for.

use currant_core::executions::{Failure, RetryPolicy, StartOptions, Timeouts};
use currant_core::ids::{QueueName, TaskId, word};
use currant_core::values::Json;

use crate::bindings::currant::guest::{types, workflow};
use crate::guest::{Outcome, Refused};
use crate::runtime::store::State;

impl types::Host for State {}

/// Bytes of a failure.
pub(crate) fn bytes_of(failure: &types::Failure) -> usize {
    failure.message.len() + failure.details.as_ref().map_or(0, String::len)
}

pub(crate) fn failure_from_guest(failure: types::Failure) -> Failure {
    Failure {
        code: failure.code,
        message: failure.message,
        // Details that are no JSON are still worth reading.
        details: failure.details.and_then(|text| Json::parse(text.clone()).or_else(|_| Json::of(&text)).ok()),
        retryable: failure.retryable,
        retry_after_ms: failure.retry_after,
    }
    .storable()
}

fn failure_to_guest(failure: Failure) -> types::Failure {
    types::Failure {
        code: failure.code,
        message: failure.message,
        details: failure.details.map(Json::into_string),
        retryable: failure.retryable,
        retry_after: failure.retry_after_ms,
    }
}

pub(crate) fn outcome_from_guest(outcome: types::Outcome) -> Outcome {
    match outcome {
        types::Outcome::Completed(value) => Outcome::Completed(value),
        types::Outcome::Failed(failure) => Outcome::Failed(failure_from_guest(failure)),
    }
}

pub(crate) fn outcome_to_guest(outcome: Outcome) -> types::Outcome {
    match outcome {
        Outcome::Completed(value) => types::Outcome::Completed(value),
        Outcome::Failed(failure) => types::Outcome::Failed(failure_to_guest(failure)),
    }
}

pub(crate) fn start_options(options: workflow::StartOptions) -> Result<StartOptions, Refused> {
    let refused = |error: currant_core::ids::Invalid| Refused(format!("start options: {error}"));
    Ok(StartOptions {
        queue: options.queue.map(|name| QueueName::parse(&name)).transpose().map_err(refused)?,
        priority: options.priority,
        delay_ms: options.delay,
        retry: options.retry.map(retry_policy),
        timeouts: timeouts(options.timeouts),
        task_id: options.task_id.map(|key| TaskId::parse(&key)).transpose().map_err(refused)?,
        concurrency_key: options.concurrency_key.map(|key| word("concurrency_key", &key)).transpose().map_err(refused)?,
        tags: options.tags.iter().map(|tag| word("tag", tag)).collect::<Result<_, _>>().map_err(refused)?,
    })
}

pub(crate) fn retry_policy(policy: types::RetryPolicy) -> RetryPolicy {
    RetryPolicy {
        retries: policy.retries,
        backoff_ms: policy.backoff,
        multiplier: policy.multiplier,
        max_backoff_ms: policy.max_backoff,
    }
}

pub(crate) fn timeouts(timeouts: types::Timeouts) -> Timeouts {
    Timeouts {
        queue_ms: timeouts.queue,
        attempt_ms: timeouts.attempt,
        heartbeat_ms: timeouts.heartbeat,
        total_ms: timeouts.total,
    }
}
