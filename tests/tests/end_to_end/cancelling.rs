//! Cancellation, of what has not begun, of tasks, and of workflows.

use anyhow::Result;
use currant_tests::{Stack, behaviours};
use serde_json::json;
use uuid::Uuid;

/// Asks for a cancellation, as any client would.
pub(crate) async fn cancel(stack: &Stack, id: Uuid) -> Result<String> {
    stack.value(id, "select currant.cancel($1)").await
}

#[tokio::test]
async fn a_task_that_listens_stops_when_it_is_cancelled() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    for function in ["heartbeat_loop", "watch_for_cancellation"] {
        let input = if function == "heartbeat_loop" { json!(10) } else { json!(null) };
        let id = stack.start(function, input).await?;
        stack.until_status(id, "running").await?;
        assert_eq!(cancel(&stack, id).await?, "requested");
        assert_eq!(stack.ended(id).await?.status, "cancelled", "{function}");
    }
    Ok(())
}

#[tokio::test]
async fn a_task_that_never_listens_is_ended_after_the_grace_period() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.keeping_worker(&[("CURRANT_WORKER_CANCEL_GRACE", "300ms")])?;
    stack.deploy(&behaviours()).await?;
    let id = stack.start("loop_forever", json!(null)).await?;
    stack.until_status(id, "running").await?;
    cancel(&stack, id).await?;
    let ended = stack.ended(id).await?;
    assert_eq!(ended.status, "cancelled");
    assert!(ended.failure["message"].as_str().is_some_and(|text| text.contains("grace period")), "{}", ended.failure);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_workflow_takes_back_what_it_did() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("compensate", json!("the reservation")).await?;
    stack.until_status(id, "suspended").await?;
    assert_eq!(cancel(&stack, id).await?, "requested");
    let ended = stack.ended(id).await?;
    assert_eq!(ended.status, "cancelled", "{ended:?}");
    let undone: i64 = stack
        .value(id, "select count(*) from currant.executions where parent_workflow_id = $1 and function = 'undo' and status = 'completed'")
        .await?;
    assert_eq!(undone, 1);
    Ok(())
}

#[tokio::test]
async fn a_workflow_may_end_well_although_it_was_cancelled() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("survive_cancellation", json!(null)).await?;
    stack.until_status(id, "suspended").await?;
    cancel(&stack, id).await?;
    assert_eq!(stack.ended(id).await?.status, "completed");
    Ok(())
}

#[tokio::test]
async fn children_are_cancelled_with_their_workflow_unless_detached() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("cancel_with_children", json!(60_000)).await?;
    stack.until_status(id, "suspended").await?;
    cancel(&stack, id).await?;
    assert_eq!(stack.ended(id).await?.status, "cancelled");
    stack
        .until(id, "select bool_and(status in ('cancelled', 'failed')) from currant.executions where parent_workflow_id = $1")
        .await?;

    let id = stack.start("detached_child", json!(100)).await?;
    stack.ended(id).await?;
    stack.until(id, "select bool_and(status = 'completed') from currant.executions where parent_workflow_id = $1").await?;
    Ok(())
}
