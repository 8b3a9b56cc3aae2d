//! The examples, as their readers run them.

use anyhow::Result;
use currant_tests::{Stack, guest};
use serde_json::json;

#[tokio::test]
async fn hello_says_hello() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker()?;
    stack.deploy(&guest("hello")).await?;
    let said = stack.currant_ok(&["start", "hello", "--input", "\"World\"", "--wait"]).await?;
    assert_eq!(said.trim(), "\"Hello, World!\"");
    assert_eq!(stack.result("greet", json!(["Ann", "Bob"])).await?, json!(["Hello, Ann!", "Hello, Bob!"]));
    Ok(())
}

#[tokio::test]
async fn an_order_is_checked_out_although_its_worker_is_killed() -> Result<()> {
    let stack = Stack::new().await;
    let worker = stack.worker()?;
    stack.deploy(&guest("checkout")).await?;
    let input = r#"{"order": 42, "items": ["mug"], "amount": 1250, "pause_seconds": 1}"#;
    let started = stack.currant_ok(&["start", "checkout", "--id", "order-42", "--input", input]).await?;
    let id = started.trim().parse()?;
    // In the middle: charged, and not yet shipped.
    stack.until(id, "select count(*) > 0 from currant.journal where workflow_id = $1 and kind = 'step'").await?;
    worker.kill()?;
    let _worker = stack.worker()?;
    stack.currant_ok(&["signal", "order-42", "approved", "--payload", "\"ada\""]).await?;
    let ended = stack.ended(id).await?;
    assert_eq!(ended.status, "completed", "{ended:?}");

    let executed: Vec<(String, i64)> = sqlx::query_as(
        "select function, count(*) from currant.executions where parent_workflow_id = $1 and status = 'completed' group by function order by function",
    )
    .bind(id)
    .fetch_all(stack.pool())
    .await?;
    let once = |name: &str| (name.to_string(), 1);
    assert_eq!(executed, [once("charge"), once("reserve"), once("ship")]);
    assert_eq!(
        stack.value::<i64>(id, "select count(*) from currant.journal where workflow_id = $1 and kind = 'step'").await?,
        1
    );

    // Asked for again, it is answered, not run again.
    let again = stack.currant_ok(&["start", "checkout", "--id", "order-42", "--input", input, "--wait"]).await?;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&again)?, ended.result);
    Ok(())
}

#[tokio::test]
async fn each_task_of_the_checkout_can_be_started_alone() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker()?;
    stack.deploy(&guest("checkout")).await?;
    let ended = stack.run("reserve", json!({"order": 1, "items": ["mug"], "amount": 5})).await?;
    assert_eq!(ended.status, "completed", "{ended:?}");
    Ok(())
}
