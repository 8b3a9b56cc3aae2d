//! How often and how long: the settings of a function, and those of one call.

use std::time::Duration;

/// How often, and after how long, a failed attempt is tried again.
///
/// The pause before retry n is `backoff × multiplier^(n-1)`, at most `max_backoff`.
///
/// ```
/// use currant::RetryPolicy;
///
/// let patient = RetryPolicy { retries: 10, ..RetryPolicy::default() };
/// # assert_eq!(patient.multiplier, 2.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Retries after the first attempt; 0 means one attempt and no retry.
    pub retries: u32,
    /// The pause before the first retry.
    pub backoff: Duration,
    /// By how much each pause is longer than the one before; at least 1.
    pub multiplier: f64,
    /// No pause is longer.
    pub max_backoff: Duration,
}

impl RetryPolicy {
    /// What the host applies to a task that says nothing: 3 retries, after 1 s, doubling, up to 5 min.
    pub(crate) const TASK: Self =
        Self { retries: 3, backoff: Duration::from_secs(1), multiplier: 2.0, max_backoff: Duration::from_secs(300) };

    /// The same for a workflow: it is replayed, and not retried.
    pub(crate) const WORKFLOW: Self = Self { retries: 0, ..Self::TASK };
}

impl Default for RetryPolicy {
    /// Three retries, after 1 s, 2 s and 4 s.
    fn default() -> Self {
        Self::TASK
    }
}

/// How long things may take; `None` is no limit of this kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timeouts {
    /// From the start to the first attempt.
    pub queue: Option<Duration>,
    /// One attempt.
    pub attempt: Option<Duration>,
    /// Between two heartbeats of a task.
    pub heartbeat: Option<Duration>,
    /// From the start to the end, all attempts and pauses included.
    pub total: Option<Duration>,
}

/// What is said about one call. `None` is what the function's own settings say.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallOptions {
    pub(crate) queue: Option<String>,
    pub(crate) priority: Option<i16>,
    pub(crate) delay: Option<Duration>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) timeouts: Timeouts,
    pub(crate) task_id: Option<String>,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) tags: Vec<String>,
}
