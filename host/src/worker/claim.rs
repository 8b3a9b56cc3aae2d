//! The claim loop: free slots are filled with what is ready.
//!
//! It looks again when a hint says that something became ready, when a slot comes free after it had filled them all, when the next
//! execution is due, and at the poll interval. Hints are only hints: what none of them told is found by polling.
//!
//! A claim whose answer was lost is a claim all the same: its executions are this worker's, and nobody runs them. So the loop looks now and
//! then for what it holds without knowing, and gives it back. Only here, between two claims, can the two be told apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use currant_core::executions::claim::{Claimed, Claims, LimitedClaims, claim, claim_limited};
use currant_core::executions::commit::{Activation, Fate};
use currant_core::workers;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::run::run;
use super::services::Services;
use crate::backoff::Backoff;
use crate::error::causes;

/// How often to look for executions that were claimed without our knowledge.
const RECONCILE: Duration = Duration::from_secs(5);

/// Claims and starts executions until told to stop.
pub(super) async fn claim_until(services: Arc<Services>, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut reconciled = Instant::now();
    // Queues with limits that come first the next time.
    let mut turn = Vec::new();
    while !stop.is_cancelled() {
        // Without a free slot there is nothing to claim for.
        tokio::select! {
            () = stop.cancelled() => return,
            () = services.free_slot() => {}
        }
        // Whatever becomes ready from here on leaves its permit in `work`, and the loop looks again.
        if (!backoff.first() || reconciled.elapsed() > RECONCILE) && give_back_forgotten(&services).await.is_ok() {
            reconciled = Instant::now();
        }
        match claim_and_start(&services, &mut turn).await {
            Ok(pause) => {
                services.outage.is_over();
                backoff.reset();
                if let Some(pause) = pause {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = services.work.notified() => {}
                        () = services.claimable.wait(pause) => {}
                    }
                }
            }
            Err(error) => {
                if !services.outage.explains(&error) && backoff.first() {
                    warn!(error = causes(&error), "cannot claim; trying again");
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = backoff.wait() => {}
                }
            }
        }
    }
}

/// Fills the free slots. Answers how long there is nothing to do; none when there may be more at once.
///
/// Queues with limits come after the others, in a transaction of their own, so that those never wait for them. When the others have taken all
/// slots, it is their turn first the next time.
async fn claim_and_start(services: &Arc<Services>, turn: &mut Vec<String>) -> Result<Option<Duration>, currant_core::Error> {
    let first = std::mem::take(turn);
    if !first.is_empty() {
        claim_within_limits(services, &first).await?;
    }
    let free = services.free_slots();
    if free == 0 {
        return Ok(None);
    }
    let queues = services.settings.queues.as_deref();
    let Claims { claimed, contended, next, limited } = claim(&services.pool, services.id, queues, free as u32).await?;
    let mut more = contended || claimed.len() == free;
    start(services, claimed);
    let (open, next_open) = services.held_back.waiting(limited);
    for next in next.into_iter().chain(next_open) {
        services.claimable.expect_in(next);
    }
    if services.free_slots() == 0 {
        *turn = open;
    } else if !open.is_empty() {
        more |= claim_within_limits(services, &open).await?;
    }
    Ok((!more).then(|| services.settings.poll_interval.mul_f64(rand::random_range(0.75..1.0))))
}

/// Fills the free slots from queues with limits. True when there may be more at once.
async fn claim_within_limits(services: &Arc<Services>, queues: &[String]) -> Result<bool, currant_core::Error> {
    let free = services.free_slots();
    let releases = services.held_back.releases();
    let LimitedClaims { claimed, held_back } = claim_limited(&services.pool, services.id, queues, free as u32).await?;
    let more = claimed.len() == free;
    start(services, claimed);
    for (queue, pause) in held_back {
        let pause = services.held_back.hold(queue, pause, releases);
        services.claimable.expect_in(pause);
    }
    Ok(more)
}

fn start(services: &Arc<Services>, claimed: Vec<Claimed>) {
    for execution in claimed {
        let hands = services.hold(execution.id, execution.run, execution.queue.clone());
        services.runs.spawn(run(services.clone(), execution, hands));
    }
}

/// Gives back what is claimed under this worker's name and not in its hands.
async fn give_back_forgotten(services: &Services) -> Result<(), currant_core::Error> {
    for (id, run) in workers::claimed(&services.pool, services.id).await? {
        if !services.holds(id, run) {
            info!(execution.id = %id, "claimed without our knowledge: given back");
            let given_back = Activation { id, run, workflow: None, logs: Vec::new(), fate: Fate::Returned };
            services.committer.write(given_back).await;
        }
    }
    Ok(())
}
