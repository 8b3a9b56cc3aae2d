//! Timers, signals, and what arrives while nobody looks, beside what `conformance` tests in every language.

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
