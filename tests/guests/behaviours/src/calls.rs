//! Workflows that call.

use std::time::Duration;

use currant::{Failure, FuturesUnordered, Json, RetryPolicy, StreamExt};
use serde::{Deserialize, Serialize};

use crate::liveness::sleep;
use crate::outcomes::{Fault, echo, fail};

/// Calls `echo`.
#[currant::workflow]
pub async fn echo_flow(value: Json) -> Result<Json, Failure> {
    echo(value).await
}

/// Answers its input, byte for byte, and does nothing else.
#[currant::workflow]
async fn json_bytes(value: Json) -> Result<Json, Failure> {
    Ok(value)
}

/// Any task, by name.
#[derive(Serialize, Deserialize)]
struct Call {
    function: String,
    #[serde(default)]
    input: Option<Json>,
}

/// Calls a task by its name.
#[currant::workflow]
async fn call_task(call: Call) -> Result<Json, Failure> {
    currant::tasks::named(&call.function, &call.input).await
}

/// Calls a workflow by its name.
#[currant::workflow]
async fn call_workflow(call: Call) -> Result<Json, Failure> {
    currant::workflows::named(&call.function, &call.input).await
}

/// So many tasks, one after the other. Answers their sum.
#[currant::workflow]
async fn sequence(tasks: u32) -> Result<u32, Failure> {
    let mut sum = 0;
    for number in 0..tasks {
        sum += echo(Json::of(&number)?).await?.read::<u32>()?;
    }
    Ok(sum)
}

/// So many tasks at once. Answers their results in the order of their calls.
#[currant::workflow]
async fn fan_out(tasks: u32) -> Result<Vec<u32>, Failure> {
    let mut calls = Vec::new();
    for number in 0..tasks {
        calls.push(echo(Json::of(&number)?).start());
    }
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await?.read()?);
    }
    Ok(results)
}

/// The same by `try_join_all`, in which each result wakes its own call only.
#[currant::workflow]
async fn fan_out_joined(tasks: u32) -> Result<Vec<u32>, Failure> {
    let numbers: Result<Vec<_>, _> = (0..tasks).map(|number| Json::of(&number)).collect();
    let results = currant::try_join_all(numbers?.into_iter().map(echo)).await?;
    results.iter().map(Json::read).collect()
}

/// The same as a stream of outcomes, each of which is taken as it comes. Answers the sum.
#[currant::workflow]
async fn fan_out_streamed(tasks: u32) -> Result<u32, Failure> {
    let calls: Result<FuturesUnordered<_>, Failure> = (0..tasks).map(|number| Ok(echo(Json::of(&number)?))).collect();
    let (mut calls, mut sum) = (calls?, 0);
    while let Some(result) = calls.next().await {
        sum += result?.read::<u32>()?;
    }
    Ok(sum)
}

/// Sleeps in a task under a key: whoever calls with the same key waits for the same task.
#[currant::workflow]
async fn share(key: String, milliseconds: u64) -> Result<u64, Failure> {
    sleep(milliseconds).task_id(key).await
}

/// Two tasks at once, by `join!`.
#[currant::workflow]
async fn joined() -> Result<(Json, Json), Failure> {
    let (first, second) = currant::join!(echo(Json::of("a")?), echo(Json::of("b")?));
    Ok((first?, second?))
}

/// One call with everything that can be said about one.
#[currant::workflow]
async fn call_with_options(value: Json) -> Result<Json, Failure> {
    let policy = RetryPolicy { retries: 1, backoff: Duration::from_millis(10), ..RetryPolicy::default() };
    echo(value)
        .queue("aside")
        .priority(7)
        .delay(Duration::from_millis(50))
        .task_id(format!("{}-echo", currant::context().id))
        .retry(policy)
        .timeout(Duration::from_secs(10))
        .total_timeout(Duration::from_secs(60))
        .queue_timeout(Duration::from_secs(30))
        .concurrency_key("a-tenant")
        .tag("blue")
        .tag("round")
        .await
}

/// Calls a task twice under one id: the second call attaches to what the first one started.
#[currant::workflow]
async fn attach(value: Json) -> Result<(Json, Json), Failure> {
    let once = || echo(value.clone()).task_id(format!("{}-once", currant::context().id));
    currant::try_join!(once(), once())
}

/// A child workflow. Answers what it answers.
#[currant::workflow]
async fn child_flow(value: Json) -> Result<Json, Failure> {
    echo_flow(value).await
}

/// Starts a child that outlives it, and answers at once.
#[currant::workflow]
async fn detached_child(milliseconds: u64) -> Result<(), Failure> {
    crate::waiting::sleep_flow(milliseconds).detached().start().detach();
    Ok(())
}

/// Starts a child that does not outlive it, and answers when a task has run.
#[currant::workflow]
async fn attached_child(milliseconds: u64) -> Result<(), Failure> {
    crate::waiting::sleep_flow(milliseconds).start().detach();
    echo(Json::of(&0)?).await?;
    Ok(())
}

/// What a workflow sees of a failure.
#[derive(Serialize)]
struct Seen {
    code: String,
    message: String,
    details: Option<String>,
    cancelled: bool,
    timed_out: bool,
}

/// Calls a task that fails, and answers how.
#[currant::workflow]
async fn catch_failure(fault: Fault) -> Result<Json, Failure> {
    match fail(fault).await {
        Ok(()) => Json::of("it did not fail"),
        Err(failure) => seen(&failure),
    }
}

/// Calls a task that takes too long, and answers how that looks.
#[currant::workflow]
async fn catch_timeout(limit_ms: u64) -> Result<Json, Failure> {
    match sleep(60_000).timeout(Duration::from_millis(limit_ms)).await {
        Ok(_) => Json::of("it was quick enough"),
        Err(failure) => seen(&failure),
    }
}

/// Calls a task that fails, and fails with it.
#[currant::workflow]
async fn pass_failure_on(fault: Fault) -> Result<(), Failure> {
    fail(fault).await
}

fn seen(failure: &Failure) -> Result<Json, Failure> {
    Json::of(&Seen {
        code: failure.code().to_owned(),
        message: failure.message().to_owned(),
        details: failure.details_json().map(str::to_owned),
        cancelled: failure.is_cancelled(),
        timed_out: failure.is_timed_out(),
    })
}
