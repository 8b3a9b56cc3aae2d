//! Cancellation, beside what `conformance` tests in every language.

use anyhow::Result;
use currant_tests::{Stack, behaviours};
use serde_json::json;
use uuid::Uuid;

/// Asks for a cancellation, as any client would.
pub(crate) async fn cancel(stack: &Stack, id: Uuid) -> Result<String> {
    stack.value(id, "select currant.cancel($1)").await
}

#[tokio::test]
async fn a_task_that_never_listens_is_ended_after_the_grace_period() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.keeping_worker(&[("CURRANT_WORKER_CANCEL_GRACE", "300ms")])?;
    stack.deploy(&behaviours()).await?;
    let id = stack.start("loop_forever", json!(null)).await?;
    stack.until_status(id, "running").await?;
    assert_eq!(cancel(&stack, id).await?, "requested");
    let ended = stack.ended(id).await?;
    assert_eq!(ended.status, "cancelled");
    assert!(ended.failure["message"].as_str().is_some_and(|text| text.contains("grace period")), "{}", ended.failure);
    Ok(())
}
