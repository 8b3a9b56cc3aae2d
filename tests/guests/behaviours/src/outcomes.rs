//! How tasks end.

use std::time::Duration;

use currant::{Failure, Json};
use serde::{Deserialize, Serialize};

/// Answers its input, byte for byte.
#[currant::task(queue = "echo")]
pub fn echo(value: Json) -> Result<Json, Failure> {
    Ok(value)
}

/// What `fail` fails with.
#[derive(Clone, Serialize, Deserialize)]
pub struct Fault {
    pub code: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub details: Option<Json>,
    #[serde(default)]
    pub retryable: bool,
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let mut failure = Failure::new(fault.code, fault.message);
        if let Some(details) = fault.details {
            failure = failure.details(&details);
        }
        if let Some(after) = fault.retry_after_ms {
            failure = failure.retry_after(Duration::from_millis(after));
        }
        if fault.retryable { failure } else { failure.not_retryable() }
    }
}

/// Fails, at every attempt.
#[currant::task(retries = 2, backoff = "10ms")]
pub fn fail(fault: Fault) -> Result<(), Failure> {
    Err(fault.into())
}

/// Fails until this attempt, which answers its number.
#[currant::task(retries = 10, backoff = "10ms", max_backoff = "50ms")]
pub fn fail_until_attempt(attempt: u32) -> Result<u32, Failure> {
    match currant::context().attempt {
        now if now < attempt => Err(Failure::new("not-yet", format!("attempt {now} of {attempt}"))),
        now => Ok(now),
    }
}

/// Fails at its first attempt, and says when it wants the second, which answers its number.
#[currant::task(retries = 1, backoff = "1h")]
fn retry_later(after_ms: u64) -> Result<u32, Failure> {
    match currant::context().attempt {
        1 => Err(Failure::new("later", "not now").retry_after(Duration::from_millis(after_ms))),
        now => Ok(now),
    }
}

/// Fails with an error of the standard library, by `?`.
#[currant::task(retries = 0)]
fn fail_by_error(text: String) -> Result<i32, Failure> {
    Ok(text.parse::<i32>()?)
}

/// Finds its queue too fast at the first call within each `id`: the answer differs by attempt, but a pause costs none, so it
/// looks at its own heartbeat instead.
#[currant::task(queue = "limited")]
fn rate_limited_once(after_ms: u64) -> Result<String, Failure> {
    if currant::last_progress::<bool>().is_some() {
        return Ok("done".to_owned());
    }
    currant::heartbeat(&true);
    Err(Failure::rate_limited(Duration::from_millis(after_ms)))
}

/// Who am I?
#[derive(Serialize)]
struct Context {
    id: String,
    task_id: Option<String>,
    function: String,
    queue: String,
    attempt: u32,
    parent: Option<String>,
    module: String,
    deadline_ms: Option<u128>,
    trace_id: String,
    span_id: String,
    baggage: Vec<(String, String)>,
}

/// Answers its context.
#[currant::task(timeout = "1m")]
fn context() -> Result<Json, Failure> {
    let (now, trace) = (currant::context(), currant::trace::context());
    let deadline = now.deadline.and_then(|deadline| deadline.duration_since(std::time::UNIX_EPOCH).ok());
    Json::of(&Context {
        id: now.id,
        task_id: now.task_id,
        function: now.function,
        queue: now.queue,
        attempt: now.attempt,
        parent: now.parent,
        module: now.module,
        deadline_ms: deadline.map(|deadline| deadline.as_millis()),
        trace_id: trace.trace_id,
        span_id: trace.span_id,
        baggage: trace.baggage,
    })
}

/// Answers a text of this many bytes.
#[currant::task]
fn big_result(bytes: usize) -> Result<String, Failure> {
    Ok("x".repeat(bytes))
}

/// Answers nothing, after having said everything that telemetry can say.
#[currant::task]
fn telemetry(lines: u32) -> Result<(), Failure> {
    use currant::telemetry::Attributes;
    use currant::{metrics, trace};

    let span = trace::span("counting", Attributes::new().with("lines", lines));
    for line in 0..lines {
        currant::info!("line {line}", number = line);
    }
    currant::debug!("fine");
    currant::warn!("odd", reason = "a test");
    currant::error!("wrong");
    metrics::increment("lines", f64::from(lines), Attributes::new().with("kind", "test"));
    metrics::histogram("lines.length", 6.0, Attributes::new());
    metrics::gauge("lines.left", 0.0, Attributes::new());
    span.set("done", true);
    span.fail("only to see it");
    Ok(())
}
