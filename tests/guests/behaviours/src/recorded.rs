//! Steps, clocks and random: what must be the same on every replay. Each waits in between, so that it can be replayed.

use std::time::{Duration, Instant};

use currant::{Failure, Json};
use serde::Serialize;

use crate::outcomes::Fault;
use crate::outside::{Draws, draw, milliseconds};

/// So many steps, one after the other. Answers the sum of their results.
#[currant::workflow]
async fn steps(count: u32) -> Result<u32, Failure> {
    let mut sum = 0;
    for number in 0..count {
        sum += currant::step(format!("step-{number}"), || Ok(number)).await?;
    }
    Ok(sum)
}

/// A step that fails. Answers the failure that the workflow saw.
#[currant::workflow]
async fn failing_step(fault: Fault) -> Result<String, Failure> {
    let outcome: Result<(), Failure> = currant::step("broken", || Err(fault.into())).await;
    Ok(outcome.err().map_or_else(String::new, |failure| failure.to_string()))
}

/// A step that fails so often is tried again after a pause. Answers at which try it succeeded.
#[currant::workflow]
async fn retried_step(failures: u32) -> Result<u32, Failure> {
    for number in 1.. {
        let attempt = || if number > failures { Ok(number) } else { Err(Failure::new("not-yet", format!("try {number}"))) };
        match currant::step(format!("try-{number}"), attempt).await {
            Err(failure) if failure.code() == "not-yet" => currant::sleep(Duration::from_millis(10)).await?,
            outcome => return outcome,
        }
    }
    unreachable!("there is always another number")
}

/// A step beside a timer and a task: it runs when both are under way.
#[currant::workflow]
async fn step_among_others() -> Result<(u32, Json), Failure> {
    let (step, task, pause) = currant::join!(
        currant::step("among-others", || Ok(7)),
        crate::outcomes::echo(Json::of("x")?),
        currant::sleep(Duration::from_millis(10)),
    );
    pause?;
    Ok((step?, task?))
}

/// What was drawn in a step and outside it.
#[derive(Serialize)]
struct Drawn {
    before: Option<u64>,
    step: Vec<u64>,
    after: Draws,
    later: Draws,
}

/// Draws inside a step, then outside, then again after a pause. A replay must answer the same.
#[currant::workflow]
async fn step_with_random(pause_ms: u64) -> Result<Json, Failure> {
    let before = Some(currant::random());
    let step = currant::step("draw", || {
        let maps: usize = (0..8).collect::<std::collections::HashSet<usize>>().into_iter().take(1).sum();
        Ok(vec![currant::random(), rand::random(), maps as u64])
    });
    let step = step.await?;
    let after = draw();
    currant::sleep(Duration::from_millis(pause_ms)).await?;
    Json::of(&Drawn { before, step, after, later: draw() })
}

/// What the clocks and the generators said around a pause.
#[derive(Serialize)]
struct Observed {
    before_ms: u64,
    after_ms: u64,
    monotonic_ms: u64,
    draws_before: Draws,
    draws_after: Draws,
}

/// Looks at clocks and random before and after a pause.
#[currant::workflow]
async fn random_and_clock(pause_ms: u64) -> Result<Json, Failure> {
    let (before_ms, begin, draws_before) = (milliseconds(), Instant::now(), draw());
    currant::sleep(Duration::from_millis(pause_ms)).await?;
    let monotonic_ms = begin.elapsed().as_millis() as u64;
    Json::of(&Observed { before_ms, after_ms: milliseconds(), monotonic_ms, draws_before, draws_after: draw() })
}

/// Everything that a workflow can observe.
#[derive(Serialize)]
struct Observation {
    draws: Draws,
    random: u64,
    uuid: String,
    now_ms: u64,
}

fn observe() -> Result<Json, Failure> {
    let (random, uuid) = (currant::random(), currant::uuid());
    Json::of(&Observation { draws: draw(), random, uuid, now_ms: milliseconds() })
}

/// Observes everything, tells a task what it observed, runs a step that draws, and observes again. The task answers what the live run told
/// it: whatever a replay observes must be the same. Answers whether it is, and how many different observations there were.
#[currant::workflow]
async fn observed_twice(pause_ms: u64) -> Result<(bool, usize), Failure> {
    let (mut same, mut seen) = (true, std::collections::BTreeSet::new());
    for round in 0..3 {
        for after_step in [false, true] {
            if after_step {
                currant::step(format!("draw-{round}"), || Ok((draw(), currant::random()))).await?;
            }
            let observed = observe()?;
            let told = crate::outcomes::echo(observed.clone()).queue("told").await?;
            same &= told.text() == observed.text();
            seen.insert(observed.text().to_owned());
        }
        currant::sleep(Duration::from_millis(pause_ms)).await?;
    }
    Ok((same, seen.len()))
}

/// The order of a standard `HashMap`, which follows the host's seed, before and after a pause.
#[currant::workflow]
async fn hash_order(pause_ms: u64) -> Result<(Vec<u32>, Vec<u32>), Failure> {
    let order = || draw().map_order;
    let before = order();
    currant::sleep(Duration::from_millis(pause_ms)).await?;
    Ok((before, order()))
}

/// The same clock read a thousand times without waiting: the workflow's time stands still meanwhile.
#[currant::workflow]
async fn clock_stands_still() -> Result<bool, Failure> {
    let (now, begin) = (milliseconds(), Instant::now());
    Ok((0..1000).all(|_| milliseconds() == now && begin.elapsed().is_zero()))
}

/// The real clock inside a step, with real time passing there.
#[currant::workflow]
async fn clock_in_step(pause_ms: u64) -> Result<u64, Failure> {
    currant::step("look", || {
        let begin = Instant::now();
        std::thread::sleep(Duration::from_millis(pause_ms));
        Ok(begin.elapsed().as_millis() as u64)
    })
    .await
}
