//! Timers, signals, and what arrives while nobody looks.

use anyhow::Result;
use currant_tests::Stack;
use serde_json::json;

#[tokio::test]
async fn a_durable_pause_takes_no_worker() -> Result<()> {
    let (stack, worker) = Stack::with_behaviours().await?;
    let id = stack.start("sleep_flow", json!(1_500)).await?;
    stack.until_status(id, "suspended").await?;
    worker.kill()?;
    let _worker = stack.worker()?;
    let ended = stack.ended(id).await?;
    assert_eq!(ended.status, "completed");
    assert!(
        ended.result.as_u64().is_some_and(|slept| (1_500..1_600).contains(&slept)),
        "by the workflow's clock: {}",
        ended.result
    );
    Ok(())
}

#[tokio::test]
async fn sleeping_by_the_standard_library_is_a_durable_timer() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("std_sleep_flow", json!(300)).await?;
    let ended = stack.ended(id).await?;
    assert!(ended.result.as_u64().is_some_and(|slept| (300..400).contains(&slept)), "{ended:?}");
    assert_eq!(stack.journal(id).await?, ["started", "timer", "completed"]);
    Ok(())
}

#[tokio::test]
async fn a_signal_wakes_the_workflow_that_waits_for_it() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("wait_signal", json!("go")).await?;
    stack.until_status(id, "suspended").await?;
    stack.signal(id, "other", json!(0)).await?;
    stack.signal(id, "go", json!({"by": "ann"})).await?;
    assert_eq!(stack.ended(id).await?.result, json!({"by": "ann"}));
    Ok(())
}

#[tokio::test]
async fn signals_sent_before_the_first_claim_are_received_in_order() -> Result<()> {
    let stack = Stack::new().await;
    let id = stack.start("two_signals_in_order", json!("go")).await?;
    stack.signal(id, "go", json!(1)).await?;
    stack.signal(id, "go", json!(2)).await?;
    let _worker = stack.worker()?;
    stack.deploy(&currant_tests::behaviours()).await?;
    assert_eq!(stack.ended(id).await?.result, json!([1, 2]));
    Ok(())
}

#[tokio::test]
async fn a_receive_that_gave_up_consumes_no_signal() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("signal_after_giving_up", json!(["go", 50])).await?;
    stack.until(id, "select count(*) = 2 from currant.journal where workflow_id = $1 and kind = 'receive'").await?;
    stack.signal(id, "go", json!("late")).await?;
    assert_eq!(stack.ended(id).await?.result, json!([false, "late"]));
    Ok(())
}

#[tokio::test]
async fn the_loser_of_a_race_is_cancelled() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("race", json!([60_000, 100])).await?;
    assert_eq!(stack.ended(id).await?.result, json!("timer"));
    stack
        .until(id, "select bool_and(status in ('cancelled', 'failed')) from currant.executions where parent_workflow_id = $1")
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_external_operation_is_completed_by_whoever_holds_its_token() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("wait_external", json!(null)).await?;
    stack.until(id, "select progress is not null from currant.executions where id = $1").await?;
    let token: String = stack.value(id, "select progress #>> '{}' from currant.executions where id = $1").await?;
    sqlx::query("select currant.complete($1, '\"done\"')").bind(&token).execute(stack.pool()).await?;
    assert_eq!(stack.ended(id).await?.result, json!("done"));
    let again = sqlx::query("select currant.complete($1, '1')").bind(&token).execute(stack.pool()).await;
    assert!(again.is_err(), "a token is good once");
    Ok(())
}
