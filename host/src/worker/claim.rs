//! The claim loop: free slots are filled with what is ready.
//!
//! It looks again when a hint says that something became ready, when there is something to claim for after it had filled all slots, when the
//! next execution is due, and at the poll interval. Hints are only hints: what none of them told is found by polling. One hint may stand for
//! several transactions, of which some commit a little later (`currant.ring`): so after a hint it looks again, and again later.
//!
//! A claim whose answer was lost is a claim all the same: its executions are this worker's, and nobody runs them. So the loop looks now and
//! then for what it holds without knowing, and gives it back. Only here, between two claims, can the two be told apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use currant_core::executions::Kind;
use currant_core::executions::claim::{Claimed, Claims, LimitedClaims, Look, claim, claim_limited};
use currant_core::executions::commit::{Activation, Concerns, Fate};
use currant_core::ids::ExecutionId;
use currant_core::{inbox, workers};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::levels::Levels;
use super::run::run;
use super::services::{Hands, Services};
use crate::backoff::Backoff;
use crate::error::causes;

/// How often to look for executions that were claimed without our knowledge.
const RECONCILE: Duration = Duration::from_secs(5);
/// When to look again after a hint: as long as a commit takes that began before the one that was told.
const AFTER_HINT: Duration = Duration::from_millis(10);
/// How much longer the pause is each time, until it is the poll interval.
const LONGER: u32 = 8;

/// The longest pause before looking again at what others hold. Mostly they are workers, which let go in a moment; but a caller's transaction
/// that cancels something may stay open for as long as its author likes.
const HELD_BY_OTHERS: Duration = Duration::from_millis(128);

/// What the loop remembers from one claim to the next.
#[derive(Default)]
struct Looks {
    /// How far it came.
    levels: Levels,
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
    let mut after_hint = Duration::MAX;
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            () = services.capacity() => {}
        }
        // Whatever becomes ready from here on leaves its permit in `work`, and the loop looks again.
        if (!backoff.first() || reconciled.elapsed() > RECONCILE) && give_back_forgotten(&services).await.is_ok() {
            reconciled = Instant::now();
        }
        let asked = Instant::now();
        match claim_and_start(&services, &mut looks).await {
            Ok(pause) => {
                services.outage.is_over(asked);
                backoff.reset();
                if let Some(pause) = pause {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = services.work.notified() => after_hint = AFTER_HINT,
                        () = services.claimable.wait(pause.min(after_hint)) => after_hint = after_hint.saturating_mul(LONGER),
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
async fn claim_and_start(services: &Arc<Services>, looks: &mut Looks) -> Result<Option<Duration>, currant_core::Error> {
    looks.levels.told(services.take_told());
    let first = std::mem::take(&mut looks.turn);
    if !first.is_empty() {
        claim_within_limits(services, &first, &mut looks.levels).await?;
    }
    let wanted = services.wanted();
    if wanted == 0 {
        return Ok(None);
    }
    let queues = services.settings.queues.as_deref();
    let (look, began) = (looks.levels.look(), Instant::now());
    let claims = claim(&services.pool, services.id, queues, wanted as u32, &look).await?;
    looks.levels.learn(began, wanted, &claims);
    let Claims { claimed, contended, next, limited, levels: _ } = claims;
    let mut more = claimed.len() == wanted;
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
    if services.wanted() == 0 {
        looks.turn = open;
    } else if !open.is_empty() {
        more |= claim_within_limits(services, &open, &mut looks.levels).await?;
    }
    if let Look::From(_) = look {
        // What it has overlooked is found by the next look everywhere.
        services.claimable.expect_in(looks.levels.everywhere_in());
    }
    Ok((!more).then(|| services.settings.poll_interval.mul_f64(rand::random_range(0.75..1.0))))
}

/// Fills the free slots from queues with limits. True when there may be more at once.
async fn claim_within_limits(
    services: &Arc<Services>,
    queues: &[String],
    levels: &mut Levels,
) -> Result<bool, currant_core::Error> {
    let wanted = services.wanted();
    let releases = services.held_back.releases();
    let claims = claim_limited(&services.pool, services.id, queues, wanted as u32, &levels.look_within(queues)).await?;
    let LimitedClaims { claimed, held_back } = claims;
    levels.came_to(&claimed);
    let more = claimed.len() == wanted;
    start(services, claimed);
    for (queue, pause) in held_back {
        let pause = services.held_back.hold(queue, pause, releases);
        services.claimable.expect_in(pause);
    }
    Ok(more)
}

fn start(services: &Arc<Services>, claimed: Vec<Claimed>) {
    let (mut resident, mut seen) = (Vec::new(), Vec::new());
    for execution in claimed {
        let hands = services.hold(&execution);
        match services.residents.seen(execution.id) {
            Some(arrivals) if arrivals < execution.arrivals => {
                seen.push((execution.id, arrivals));
                resident.push((execution, hands));
            }
            // A timer is due.
            Some(_) => drop(services.runs.spawn(run(services.clone(), execution, hands, Some(Vec::new())))),
            None => drop(services.runs.spawn(run(services.clone(), execution, hands, None))),
        }
    }
    if !resident.is_empty() {
        services.runs.spawn(resume(services.clone(), resident, seen));
    }
}

/// What has arrived for workflows that wait in memory is loaded for all of them at once.
async fn resume(services: Arc<Services>, resident: Vec<(Claimed, Hands)>, seen: Vec<(ExecutionId, i32)>) {
    let mut news = match inbox::load_many(&services.pool, &seen).await {
        Ok(news) => Some(news),
        Err(error) => {
            debug!(error = causes(&error), "the news of workflows could not be read at once; each reads its own");
            None
        }
    };
    for (execution, hands) in resident {
        let news = news.as_mut().map(|news| news.remove(&execution.id).unwrap_or_default());
        services.runs.spawn(run(services.clone(), execution, hands, news));
    }
}

/// Gives back what is claimed under this worker's name and not in its hands.
async fn give_back_forgotten(services: &Services) -> Result<(), currant_core::Error> {
    // Before it is read what is claimed: what ends meanwhile was held.
    let held = services.held();
    for (id, run, claimed_at) in workers::claimed(&services.pool, services.id).await? {
        if !held.contains(&(id, claimed_at)) {
            info!(execution.id = %id, "claimed without our knowledge: given back");
            let (progress, fate) = (None, Fate::Returned);
            let (kind, concerns) = (Kind::Workflow, Concerns::Anybody);
            let given_back =
                Activation { id, run, claimed_at, kind, concerns, workflow: None, logs: Vec::new(), progress, fate };
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
