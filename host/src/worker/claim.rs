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

/// The longest pause before looking again at what others hold. Mostly they are workers, which let go in a moment; but a caller's transaction
/// that cancels something may stay open for as long as its author likes.
const HELD_BY_OTHERS: Duration = Duration::from_millis(128);

/// What the loop remembers from one claim to the next.
#[derive(Default)]
struct Looks {
    /// Queues with limits that come first the next time.
    turn: Vec<String>,
    /// Claims in a row that found only what others hold.
    in_vain: u32,
}

impl Looks {
    /// When to look again: at once the first time, and then each time later.
    fn again_after(&mut self) -> Duration {
        let pause = Duration::from_millis((1 << self.in_vain.min(10)) - 1);
        self.in_vain = self.in_vain.saturating_add(1);
        pause.min(HELD_BY_OTHERS)
    }
}

/// Claims and starts executions until told to stop.
pub(super) async fn claim_until(services: Arc<Services>, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut reconciled = Instant::now();
    let mut looks = Looks::default();
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
        match claim_and_start(&services, &mut looks).await {
            Ok(pause) => {
                if !backoff.first() {
                    info!("the database answers again");
                    backoff.reset();
                }
                if let Some(pause) = pause {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = services.work.notified() => {}
                        () = services.claimable.wait(pause) => {}
                    }
                }
            }
            Err(error) => {
                if backoff.first() {
                    warn!(error = causes(&error), "cannot claim; trying again until the database answers");
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
async fn claim_and_start(services: &Arc<Services>, looks: &mut Looks) -> Result<Option<Duration>, currant_core::Error> {
    let first = std::mem::take(&mut looks.turn);
    if !first.is_empty() {
        claim_within_limits(services, &first).await?;
    }
    let free = services.free_slots();
    if free == 0 {
        return Ok(None);
    }
    let queues = services.settings.queues.as_deref();
    let Claims { claimed, contended, next, limited } = claim(&services.pool, services.id, queues, free as u32).await?;
    let mut more = claimed.len() == free;
    if contended {
        looks.in_vain = if claimed.is_empty() { looks.in_vain } else { 0 };
        services.claimable.expect_in(looks.again_after());
    } else {
        looks.in_vain = 0;
    }
    start(services, claimed);
    let (open, next_open) = services.held_back.waiting(limited);
    for next in next.into_iter().chain(next_open) {
        services.claimable.expect_in(next);
    }
    if services.free_slots() == 0 {
        looks.turn = open;
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
            let given_back = Activation { id, run, workflow: None, logs: Vec::new(), progress: None, fate: Fate::Returned };
            services.committer.write(given_back).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_hold_is_looked_at_ever_more_seldom() {
        let mut looks = Looks::default();
        let pauses: Vec<_> = (0..40).map(|_| looks.again_after()).collect();
        assert_eq!(pauses[..4], [0, 1, 3, 7].map(Duration::from_millis));
        assert_eq!(pauses[39], HELD_BY_OTHERS);
    }
}
