//! Whether, and when, a failed attempt is followed by another.

use crate::executions::{Failure, RetryPolicy};

/// The part of a pause that may be taken off at random, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Another attempt, after so many milliseconds.
    Retry {
        /// The pause.
        after_ms: u64,
    },
    /// Nothing: the execution failed.
    Fail,
}

/// Decides after attempt number `attempt`, of which those up to `forgiven` do not count. `jitter` is random, from 0 to 1.
pub fn next(policy: &RetryPolicy, attempt: i32, forgiven: i32, failure: &Failure, jitter: f64) -> Next {
    let failed = u32::try_from(attempt.saturating_sub(forgiven)).unwrap_or(0);
    if !failure.retryable || failed > policy.retries {
        return Next::Fail;
    }
    let after_ms = failure.retry_after_ms.unwrap_or_else(|| back_off(policy, failed, jitter));
    Next::Retry { after_ms }
}

fn back_off(policy: &RetryPolicy, retry: u32, jitter: f64) -> u64 {
    let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
    let pause = policy.backoff_ms as f64 * policy.multiplier.max(1.0).powi(exponent);
    let pause = pause.min(policy.max_backoff_ms as f64);
    (pause * (1.0 - JITTER * jitter.clamp(0.0, 1.0))) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executions::Kind;

    fn failure() -> Failure {
        Failure::of_host("trap", "x", true)
    }

    #[test]
    fn a_task_is_tried_four_times_with_doubling_pauses() {
        let policy = RetryPolicy::of(Kind::Task);
        let pauses: Vec<_> = (1..=4).map(|attempt| next(&policy, attempt, 0, &failure(), 0.0)).collect();
        let retry = |after_ms| Next::Retry { after_ms };
        assert_eq!(pauses, [retry(1_000), retry(2_000), retry(4_000), Next::Fail]);
    }

    #[test]
    fn no_retries_means_none() {
        let policy = RetryPolicy { retries: 0, ..RetryPolicy::of(Kind::Task) };
        assert_eq!(next(&policy, 1, 0, &failure(), 0.0), Next::Fail);
        assert_eq!(next(&RetryPolicy::of(Kind::Workflow), 1, 0, &failure(), 0.0), Next::Fail);
    }

    #[test]
    fn the_pause_is_bounded_and_jitter_only_shortens_it() {
        let policy = RetryPolicy { retries: 100, ..RetryPolicy::of(Kind::Task) };
        assert_eq!(next(&policy, 90, 0, &failure(), 0.0), Next::Retry { after_ms: 300_000 });
        assert_eq!(next(&policy, 90, 0, &failure(), 1.0), Next::Retry { after_ms: 240_000 });
    }

    #[test]
    fn a_failure_may_say_when_and_may_forbid_it() {
        let policy = RetryPolicy::of(Kind::Task);
        let later = Failure { retry_after_ms: Some(7), ..failure() };
        assert_eq!(next(&policy, 1, 0, &later, 0.5), Next::Retry { after_ms: 7 });
        let never = Failure { retryable: false, ..later };
        assert_eq!(next(&policy, 1, 0, &never, 0.5), Next::Fail);
    }

    #[test]
    fn attempts_before_a_retry_by_hand_do_not_count() {
        let policy = RetryPolicy::of(Kind::Task);
        assert_eq!(next(&policy, 5, 4, &failure(), 0.0), Next::Retry { after_ms: 1_000 });
        assert_eq!(next(&policy, 8, 4, &failure(), 0.0), Next::Fail);
    }
}
