//! The claim loop: free slots are filled with what is ready.
//!
//! It looks again when a hint says that something became ready, when there is something to claim for after it had filled all slots, when the
//! next execution is due, and at the poll interval. Hints are only hints: what none of them told is found by polling.
//!
//! A claim whose answer was lost is a claim all the same: its executions are this worker's, and nobody runs them. So the loop looks now and
//! then for what it holds without knowing, and gives it back. Only here, between two claims, can the two be told apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use currant_core::executions::claim::{Claimed, Claims, LimitedClaims, Look, claim, claim_limited};
use currant_core::executions::commit::{Activation, Fate};
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

/// Claims and starts executions until told to stop.
pub(super) async fn claim_until(services: Arc<Services>, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut reconciled = Instant::now();
    let mut levels = Levels::default();
    // Queues with limits that come first the next time.
    let mut turn = Vec::new();
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            () = services.capacity() => {}
        }
        // Whatever becomes ready from here on leaves its permit in `work`, and the loop looks again.
        if (!backoff.first() || reconciled.elapsed() > RECONCILE) && give_back_forgotten(&services).await.is_ok() {
            reconciled = Instant::now();
        }
        match claim_and_start(&services, &mut levels, &mut turn).await {
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
async fn claim_and_start(
    services: &Arc<Services>,
    levels: &mut Levels,
    turn: &mut Vec<String>,
) -> Result<Option<Duration>, currant_core::Error> {
    let first = std::mem::take(turn);
    if !first.is_empty() {
        claim_within_limits(services, &first).await?;
    }
    let wanted = services.wanted();
    if wanted == 0 {
        return Ok(None);
    }
    let queues = services.settings.queues.as_deref();
    let (look, began) = (levels.look(), Instant::now());
    let claims = claim(&services.pool, services.id, queues, wanted as u32, &look).await?;
    levels.learn(began, wanted, &claims);
    let Claims { claimed, contended, next, limited, levels: _ } = claims;
    let mut more = contended || claimed.len() == wanted;
    start(services, claimed);
    let (open, next_open) = services.held_back.waiting(limited);
    for next in next.into_iter().chain(next_open) {
        services.claimable.expect_in(next);
    }
    if services.wanted() == 0 {
        *turn = open;
    } else if !open.is_empty() {
        more |= claim_within_limits(services, &open).await?;
    }
    if let Look::From(_) = look {
        // What it has overlooked is found by the next look everywhere.
        services.claimable.expect_in(levels.everywhere_in());
    }
    Ok((!more).then(|| services.settings.poll_interval.mul_f64(rand::random_range(0.75..1.0))))
}

/// Fills the free slots from queues with limits. True when there may be more at once.
async fn claim_within_limits(services: &Arc<Services>, queues: &[String]) -> Result<bool, currant_core::Error> {
    let wanted = services.wanted();
    let releases = services.held_back.releases();
    let LimitedClaims { claimed, held_back } = claim_limited(&services.pool, services.id, queues, wanted as u32).await?;
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
            Some(arrival) => {
                seen.push((execution.id, arrival));
                resident.push((execution, hands));
            }
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
    for (id, run, claimed_at) in workers::claimed(&services.pool, services.id).await? {
        if !services.holds(id, claimed_at) {
            info!(execution.id = %id, "claimed without our knowledge: given back");
            let fate = Fate::Returned;
            let given_back = Activation { id, run, claimed_at, alone: false, workflow: None, logs: Vec::new(), fate };
            services.committer.write(given_back).await;
        }
    }
    Ok(())
}
