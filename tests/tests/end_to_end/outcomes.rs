//! How tasks and workflows end.

use anyhow::Result;
use currant_tests::Stack;
use serde_json::json;

#[tokio::test]
async fn a_task_returns_what_it_was_given() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let value = json!({"text": "ünïcode \" \\ \n", "numbers": [1, -2.5, 1e300], "nested": {"a": [null, true]}});
    assert_eq!(stack.result("echo", value.clone()).await?, value);
    Ok(())
}

#[tokio::test]
async fn values_are_kept_byte_for_byte_by_live_runs_and_replays() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let text = r#"{"b" : 1.0, "a":1e2,  "big":12345678901234567890123, "twice": 1, "twice":2}"#;
    for function in ["echo", "json_bytes", "echo_flow"] {
        let id: uuid::Uuid = sqlx::query_scalar("select id from currant.enqueue($1, $2::text::json)")
            .bind(function)
            .bind(text)
            .fetch_one(stack.pool())
            .await?;
        stack.ended(id).await?;
        let result: String = stack.value(id, "select result::text from currant.outcomes where id = $1").await?;
        assert_eq!(result, text, "{function}");
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_and_its_attempts_are_on_record() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("fail_until_attempt", json!(3)).await?;
    let ended = stack.ended(id).await?;
    assert_eq!((ended.status.as_str(), ended.result), ("completed", json!(3)));
    assert_eq!(stack.value::<i64>(id, "select count(*) from currant.attempts where id = $1").await?, 2);
    assert_eq!(stack.value::<i32>(id, "select attempt from currant.outcomes where id = $1").await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_failure_has_its_code_message_and_details_and_is_not_retried_when_that_cannot_help() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let fault = json!({"code": "declined", "message": "the card was declined", "details": {"card": "…42"}});
    let id = stack.start("fail", fault).await?;
    let ended = stack.ended(id).await?;
    assert_eq!(ended.status, "failed");
    assert_eq!(ended.failure["code"], "declined");
    assert_eq!(ended.failure["message"], "the card was declined");
    assert_eq!(ended.failure["details"], json!({"card": "…42"}));
    assert_eq!(stack.value::<i64>(id, "select count(*) from currant.attempts where id = $1").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_panic_is_a_failure_with_the_panics_own_message() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let ended = stack.run("panic", json!("the sky fell")).await?;
    assert_eq!((ended.status.as_str(), ended.failure["code"].as_str()), ("failed", Some("trap")));
    assert!(ended.failure["message"].as_str().is_some_and(|text| text.contains("the sky fell")), "{}", ended.failure);
    assert_eq!(stack.result("echo", json!(1)).await?, json!(1), "the worker goes on");
    Ok(())
}

#[tokio::test]
async fn input_that_the_function_does_not_take_is_a_failure_that_names_the_place() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let ended = stack.run("fail", json!({"code": 7})).await?;
    assert_eq!((ended.status.as_str(), ended.failure["code"].as_str()), ("failed", Some("invalid-input")));
    assert!(ended.failure["message"].as_str().is_some_and(|text| text.contains("code")), "{}", ended.failure);
    Ok(())
}

#[tokio::test]
async fn a_workflow_sees_why_its_child_failed() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let seen = stack.result("catch_failure", json!({"code": "declined", "message": "no"})).await?;
    assert_eq!((seen["code"].as_str(), seen["message"].as_str()), (Some("declined"), Some("no")));
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_times_out() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("overrun", json!(600_000)).await?;
    stack
        .until(
            id,
            "select count(*) > 0 from currant.outcomes where id = $1 or exists (select from currant.attempts where id = $1)",
        )
        .await?;
    let code: Option<String> = stack
        .value(id, "select coalesce((select failure ->> 'code' from currant.attempts where id = $1 limit 1), (select failure ->> 'code' from currant.outcomes where id = $1))")
        .await?;
    assert_eq!(code.as_deref(), Some("timed-out"));
    Ok(())
}

#[tokio::test]
async fn a_task_that_is_rate_limited_is_tried_again_without_losing_an_attempt() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("rate_limited_once", json!(10)).await?;
    assert_eq!(stack.ended(id).await?.status, "completed", "it knew by its heartbeat that it had asked once");
    let attempts: i64 = stack.value(id, "select count(*) from currant.attempts where id = $1").await?;
    assert_eq!(attempts, 0);
    Ok(())
}

#[tokio::test]
async fn what_a_task_said_last_before_it_failed_reaches_its_next_attempt() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    assert_eq!(
        stack.result("resume", json!(10)).await?,
        json!(5),
        "it goes on where it failed, some milliseconds after it began"
    );
    Ok(())
}

#[tokio::test]
async fn children_run_side_by_side_and_in_sequence() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    assert_eq!(stack.result("sequence", json!(5)).await?, json!(10), "the sum of what they returned");
    let results = stack.result("fan_out", json!(20)).await?;
    assert_eq!(results.as_array().map(Vec::len), Some(20));
    Ok(())
}

#[tokio::test]
async fn a_child_workflow_returns_to_its_parent() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    assert_eq!(stack.result("child_flow", json!({"x": 1})).await?, json!({"x": 1}));
    Ok(())
}

#[tokio::test]
async fn an_execution_is_parked_until_its_function_is_deployed() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker()?;
    let id = stack.start("echo", json!("patience")).await?;
    assert!(stack.value::<bool>(id, "select parked from currant.executions where id = $1").await?);
    stack.deploy(&currant_tests::behaviours()).await?;
    assert_eq!(stack.ended(id).await?.result, json!("patience"));
    Ok(())
}

#[tokio::test]
async fn log_lines_are_kept_once_though_the_workflow_is_replayed() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("print_in_workflow", json!(20)).await?;
    stack.ended(id).await?;
    let lines: Vec<String> = sqlx::query_scalar("select message from currant.logs where execution_id = $1 order by run, line")
        .bind(id)
        .fetch_all(stack.pool())
        .await?;
    let mut once = lines.clone();
    once.sort();
    once.dedup();
    assert_eq!(lines.len(), once.len(), "{lines:?}");
    assert!(lines.len() >= 4, "{lines:?}");
    Ok(())
}
