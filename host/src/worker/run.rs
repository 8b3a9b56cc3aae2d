//! One execution, from its claim to its fate.

use std::sync::Arc;
use std::time::Duration;

use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Activation, Ending, Fate, Verdict};
use currant_core::executions::{Failure, Kind};
use currant_core::inbox::News;
use currant_core::retry::{self, Next};
use tracing::{Instrument, debug, error, info_span, warn};

use super::commit::Written;
use super::logs::Logs;
use super::services::{Hands, Services};
use super::{task, workflow};
use crate::error::causes;
use crate::guest::{Call, Facts, Grants, Returned, Role, Stop, StopFlag};
use crate::limit::{Limit, LimitExceeded};
use crate::runtime::Module;

/// Times that a task may answer `rate-limited` before that is a failure: a queue that is always too fast is a mistake, not a pace.
const RATE_LIMITED_AT_MOST: i16 = 100;

/// Runs a claimed execution until it ended, failed, was suspended, or is no longer ours.
/// `news` is what has arrived for a workflow that waits in memory, if it was loaded.
pub(crate) async fn run(services: Arc<Services>, claimed: Claimed, mut hands: Hands, news: Option<Vec<News>>) {
    let span = info_span!(
        "run", execution.id = %claimed.id, execution.run = claimed.run, function.name = %claimed.function,
        queue.name = %claimed.queue, attempt = claimed.attempt
    );
    async {
        if !hands.take_slot().await {
            debug!("no slot comes free: given back");
            return settle(&services, activation(&claimed, Fate::Returned)).await;
        }
        let (claimed, hands) = match workflow::resume(&services, claimed, hands, news).await {
            Ok(()) => return,
            Err(to_start) => *to_start,
        };
        let Some(digest) = claimed.digest else {
            debug!("nothing deployed offers this function: parked");
            return settle(&services, activation(&claimed, Fate::Parked)).await;
        };
        let module = match services.runtime.load(&digest).await {
            Ok(module) => module,
            Err(unavailable) if unavailable.is_for_now => {
                debug!(module.digest = %digest, error = causes(&unavailable), "the module cannot be read now; it goes back");
                return settle(&services, activation(&claimed, Fate::Returned)).await;
            }
            Err(unavailable) => {
                warn!(module.digest = %digest, error = causes(&unavailable), "the module cannot be loaded");
                let failure = Failure::of_host("module-unavailable", format!("module {digest}: {unavailable}"), true);
                let fate = after_failure(&claimed, failure);
                return settle(&services, activation(&claimed, fate)).await;
            }
        };
        let grants = match services.grants(&claimed).await {
            Ok(grants) => grants,
            Err(error) if error.is_retryable() => {
                debug!(error = causes(&error), "its grants cannot be read now; it goes back");
                return settle(&services, activation(&claimed, Fate::Returned)).await;
            }
            Err(error) => {
                warn!(error = causes(&error), "its grants cannot be read");
                let failure = Failure::of_host("module-unavailable", format!("its grants cannot be read: {error}"), true);
                let fate = after_failure(&claimed, failure);
                return settle(&services, activation(&claimed, fate)).await;
            }
        };
        match claimed.kind {
            Kind::Task => task::run(services, claimed, hands, module, grants).await,
            Kind::Workflow => workflow::run(services, claimed, hands, module, grants).await,
        }
    }
    .instrument(span)
    .await;
}

/// An activation that writes nothing but its fate.
pub(super) fn activation(claimed: &Claimed, fate: Fate) -> Activation {
    Activation {
        id: claimed.id,
        run: claimed.run,
        claimed_at: claimed.claimed_at,
        kind: claimed.kind,
        concerns: claimed.concerns(),
        workflow: None,
        logs: Vec::new(),
        progress: None,
        fate,
    }
}

/// Writes a fate that ends the run, whatever it takes. Written twice it is written once: the first time takes the run's row away.
pub(super) async fn settle(services: &Services, activation: Activation) {
    let again_after = match activation.fate {
        Fate::Retries { after_ms, .. } | Fate::RateLimited { after_ms } => Some(Duration::from_millis(after_ms)),
        _ => None,
    };
    let written = loop {
        match services.committer.write(activation.clone()).await {
            Written::Unknown => debug!("written once more, since nobody knows whether it was"),
            written => break written,
        }
    };
    match written {
        Written::Rejected(rejected) => {
            error!(error = causes(&rejected), "the database rejects the end of this run");
            let failure =
                Failure::of_host("invalid-value", format!("the result cannot be stored: {}", causes(&rejected)), false);
            let fate = Fate::Ends(Ending::Failed(failure));
            let _ = services
                .committer
                .write(Activation { workflow: None, logs: Vec::new(), progress: None, fate, ..activation })
                .await;
        }
        Written::Answered(Verdict::Lost) => debug!("taken over, or written before"),
        _ => {
            if let Some(pause) = again_after {
                services.claimable.expect_in(pause);
            }
        }
    }
}

/// What a failed attempt is followed by.
pub(super) fn after_failure(claimed: &Claimed, failure: Failure) -> Fate {
    let jitter = rand::random_range(0.0..1.0);
    match retry::next(&claimed.retry, claimed.attempt, claimed.forgiven, &failure, jitter) {
        Next::Retry { after_ms } => Fate::Retries { failure, after_ms },
        Next::Fail if failure.code == "timed-out" => Fate::Ends(Ending::TimedOut(failure)),
        Next::Fail => Fate::Ends(Ending::Failed(failure)),
    }
}

/// What a run is followed by, when its guest came to an end.
pub(super) fn fate_of(claimed: &Claimed, returned: Returned) -> Fate {
    match returned {
        Returned::Completed(value) => match currant_core::values::Json::parse(value) {
            Ok(value) => Fate::Ends(Ending::Completed(value)),
            Err(invalid) => after_failure(claimed, Failure::of_host("invalid-value", format!("the result: {invalid}"), false)),
        },
        Returned::Failed(failure) => after_failure(claimed, failure.storable()),
        Returned::RateLimited(_) if claimed.rate_limited >= RATE_LIMITED_AT_MOST => {
            let message = format!("rate-limited {RATE_LIMITED_AT_MOST} times");
            Fate::Ends(Ending::Failed(Failure::of_host("limit-exceeded", message, false)))
        }
        Returned::RateLimited(after_ms) => Fate::RateLimited { after_ms },
        Returned::Cancelled => {
            Fate::Ends(Ending::Cancelled(Failure::of_host("cancelled", "stopped by its cancellation", false)))
        }
        Returned::Stopped(Stop::TimedOut) => {
            after_failure(claimed, Failure::of_host("timed-out", "the attempt took too long", true))
        }
        Returned::Stopped(Stop::TimeLimit) => {
            let what = "it took longer than anything without a timeout of its own may";
            after_failure(claimed, LimitExceeded::new(Limit::Time, what).failure())
        }
        Returned::Stopped(Stop::Cancelled) => {
            let message = "ended by the host: it did not stop within the grace period of its cancellation";
            Fate::Ends(Ending::Cancelled(Failure::of_host("cancelled", message, false)))
        }
        Returned::Stopped(Stop::Abandoned) => Fate::Returned,
    }
}

/// The call of the guest for a claimed execution.
pub(super) fn call(
    claimed: &Claimed,
    module: &Module,
    role: Role,
    logs: Arc<Logs>,
    stop: StopFlag,
    deadline: Option<u64>,
    grants: Arc<Grants>,
) -> Call {
    Call {
        function: claimed.function.to_string(),
        input: claimed.input.as_str().to_string(),
        facts: Facts {
            id: claimed.id.to_string(),
            task_id: claimed.task_id.as_ref().map(ToString::to_string),
            function: claimed.function.to_string(),
            queue: claimed.queue.to_string(),
            attempt: u32::try_from(claimed.attempt).unwrap_or(u32::MAX),
            parent: claimed.parent.map(|parent| parent.to_string()),
            module: module.digest().to_string(),
            deadline,
            trace_id: claimed.trace_id.clone(),
            span_id: claimed.span_id.clone(),
            baggage: claimed.baggage.clone(),
        },
        grants,
        role,
        logs,
        stop,
    }
}
