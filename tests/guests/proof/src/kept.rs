//! Workflows whose recorded histories are kept in `tests/histories`. Nothing in here may change, not even the order of two calls: the code
//! is what the histories were recorded with. What a new version of the journal needs gets a new function.

use std::time::{Duration, Instant};

use currant::{Failure, Json};
use serde::{Deserialize, Serialize};

/// Answers what it is given.
#[currant::task]
fn kept_echo(value: Json) -> Result<Json, Failure> {
    Ok(value)
}

/// Fails for good.
#[currant::task]
fn kept_refuse(why: String) -> Result<(), Failure> {
    Err(Failure::new("refused", why).not_retryable())
}

/// A child.
#[currant::workflow]
async fn kept_child(value: Json) -> Result<Json, Failure> {
    kept_echo(value).await
}

/// What a workflow can see.
#[derive(Serialize, Deserialize)]
struct Seen {
    echo: Json,
    child: Json,
    refused: String,
    step: u64,
    failed_step: String,
    version: u32,
    signal: Json,
    late_signal: bool,
    external: Json,
    random: [u64; 3],
    slept_ms: u64,
    order: Vec<u32>,
}

/// Every operation once. The token of the external operation is published; the signal is `approved`.
#[currant::workflow]
async fn kept_everything(value: Json) -> Result<Seen, Failure> {
    let begin = Instant::now();
    let first = currant::random();
    let echo = kept_echo(value.clone()).await?;
    let child = kept_child(value.clone()).await?;
    kept_child(value.clone()).detached().start().detach();
    let refused = kept_refuse("no".into()).await.err().map_or_else(String::new, |failure| failure.to_string());
    let step = currant::step("draw", || Ok(currant::random() >> 12)).await?;
    let failed: Result<(), Failure> = currant::step("fail", || Err(Failure::new("broken", "it broke"))).await;
    let failed_step = failed.err().map_or_else(String::new, |failure| failure.to_string());
    let second = currant::random();
    let version = currant::version("a-change", 1, 3);
    let late_signal = currant::receive::<Json>("never").timeout(Duration::from_millis(5)).await?.is_some();
    let mut order = Vec::new();
    for outcome in currant::join_all((0..5_u32).map(|number| async move {
        currant::sleep(Duration::from_millis(u64::from(20 - 4 * number))).await.map(|()| number)
    }))
    .await
    {
        order.push(outcome?);
    }
    let external = currant::external::<Json>()?;
    currant::publish(&external.token());
    let (external, signal) = currant::join!(external, currant::receive::<Json>("approved"));
    let random = [first, second, currant::random()];
    Ok(Seen {
        echo,
        child,
        refused,
        step,
        failed_step,
        version,
        signal: signal?,
        late_signal,
        external: external?,
        random,
        slept_ms: begin.elapsed().as_millis() as u64,
        order,
    })
}

/// Many at once.
#[currant::workflow]
async fn kept_fan_out(many: u32) -> Result<Vec<Json>, Failure> {
    let values: Result<Vec<_>, _> = (0..many).map(|number| Json::of(&number)).collect();
    currant::try_join_all(values?.into_iter().map(kept_echo)).await
}

/// Waits until it is cancelled, and takes something back.
#[currant::workflow]
async fn kept_compensation(what: Json) -> Result<Json, Failure> {
    match currant::sleep(Duration::from_secs(3600)).await {
        Err(failure) if failure.is_cancelled() => kept_echo(what).await,
        outcome => outcome.map(|()| what),
    }
}

/// Begins anew once.
#[currant::workflow]
async fn kept_continuation(round: u32) -> Result<(u32, u64), Failure> {
    currant::sleep(Duration::from_millis(5)).await?;
    if round == 0 {
        currant::continue_as_new(&1).await
    } else {
        Ok((round, currant::random()))
    }
}
