//! Workflows that wait.

use std::thread;
use std::time::{Duration, Instant};

use currant::{Failure, FuturesUnordered, Json, StreamExt};

use crate::liveness::sleep;

/// A durable pause. Answers how long it was by the workflow's clock.
#[currant::workflow]
pub async fn sleep_flow(milliseconds: u64) -> Result<u64, Failure> {
    let begin = Instant::now();
    currant::sleep(Duration::from_millis(milliseconds)).await?;
    Ok(begin.elapsed().as_millis() as u64)
}

/// The same by the standard library, which knows nothing of durability.
#[currant::workflow]
async fn std_sleep_flow(milliseconds: u64) -> Result<u64, Failure> {
    let begin = Instant::now();
    thread::sleep(Duration::from_millis(milliseconds));
    Ok(begin.elapsed().as_millis() as u64)
}

/// So many pauses, one after the other.
#[currant::workflow]
async fn sleep_often(times: u32, milliseconds: u64) -> Result<(), Failure> {
    for _ in 0..times {
        currant::sleep(Duration::from_millis(milliseconds)).await?;
    }
    Ok(())
}

/// Waits for a signal, and answers its payload.
#[currant::workflow]
async fn wait_signal(name: String) -> Result<Json, Failure> {
    currant::receive(name).await
}

/// Waits for a signal, but not for ever.
#[currant::workflow]
async fn signal_or_timeout(name: String, milliseconds: u64) -> Result<Option<Json>, Failure> {
    currant::receive(name).timeout(Duration::from_millis(milliseconds)).await
}

/// Two signals of one name, in the order of their arrival.
#[currant::workflow]
async fn two_signals_in_order(name: String) -> Result<(Json, Json), Failure> {
    Ok((currant::receive(&name).await?, currant::receive(&name).await?))
}

/// Gives up waiting for a signal, and gets it when it asks again.
#[currant::workflow]
async fn signal_after_giving_up(name: String, milliseconds: u64) -> Result<(bool, Json), Failure> {
    let early: Option<Json> = currant::receive(&name).timeout(Duration::from_millis(milliseconds)).await?;
    Ok((early.is_some(), currant::receive(&name).await?))
}

/// A task against a timer: answers who won. The loser is cancelled.
#[currant::workflow]
async fn race(task_ms: u64, timer_ms: u64) -> Result<String, Failure> {
    let winner = currant::select! {
        slept = sleep(task_ms) => { slept?; "task" },
        rang = currant::sleep(Duration::from_millis(timer_ms)) => { rang?; "timer" },
    };
    Ok(winner.to_owned())
}

/// So many timers of the same length at once. Answers the order in which they were delivered.
#[currant::workflow]
async fn delivery_order(timers: usize, milliseconds: u64) -> Result<Vec<usize>, Failure> {
    let rest = |number| async move { currant::sleep(Duration::from_millis(milliseconds)).await.map(|()| number) };
    let pauses: FuturesUnordered<_> = (0..timers).map(rest).collect();
    in_the_order_of_their_ends(pauses).await
}

async fn in_the_order_of_their_ends<T>(
    mut pending: FuturesUnordered<impl Future<Output = Result<T, Failure>>>,
) -> Result<Vec<T>, Failure> {
    let mut order = Vec::new();
    while let Some(ended) = pending.next().await {
        order.push(ended?);
    }
    Ok(order)
}

/// Pauses, in the order in which they end.
#[currant::workflow]
async fn as_they_complete(pauses_ms: Vec<u64>) -> Result<Vec<u64>, Failure> {
    let rest = |pause| async move { currant::sleep(Duration::from_millis(pause)).await.map(|()| pause) };
    let pauses: FuturesUnordered<_> = pauses_ms.into_iter().map(rest).collect();
    in_the_order_of_their_ends(pauses).await
}

/// Waits for somebody outside, who finds the token in the workflow's progress.
#[currant::workflow]
async fn wait_external() -> Result<Json, Failure> {
    let result = currant::external::<Json>()?;
    currant::publish(&result.token());
    result.await
}

/// Awaits something that never happens.
#[currant::workflow]
async fn stuck() -> Result<(), Failure> {
    std::future::pending().await
}
