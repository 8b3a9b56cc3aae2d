//! What a workflow can do, one operation after the other, with a real worker: what comes of it, and what is on record.

use std::time::Duration;

use anyhow::{Context, Result};
use currant_tests::Stack;
use serde_json::{Value, json};

use crate::cancelling::cancel;

/// A hundred years.
const CENTURY_MS: u64 = 100 * 365 * 24 * 3_600_000;

#[tokio::test]
async fn timers_may_be_of_any_length() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    assert!(stack.result("sleep_flow", json!(0)).await?.is_u64(), "a timer of nothing is due at once");
    for length in [CENTURY_MS, u64::MAX] {
        let id = stack.start("sleep_flow", json!(length)).await?;
        stack.until_status(id, "suspended").await?;
        let waits: bool =
            stack.value(id, "select until > currant.now() + interval '99 years' from currant.workflows where id = $1").await?;
        assert!(waits, "{length}");
        assert_eq!((cancel(&stack, id).await?.as_str(), stack.ended(id).await?.status.as_str()), ("requested", "cancelled"));
    }
    Ok(())
}

#[tokio::test]
async fn a_signal_may_be_waited_for_with_a_timeout() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    assert_eq!(stack.result("signal_or_timeout", json!(["go", 50])).await?, json!(null));
    let id = stack.start("signal_or_timeout", json!(["go", 3_600_000])).await?;
    stack.until_status(id, "suspended").await?;
    stack.signal(id, "go", json!({"by": "ada"})).await?;
    assert_eq!(stack.ended(id).await?.result, json!({"by": "ada"}));
    assert_eq!(stack.journal(id).await?, ["started", "receive", "timer", "signal", "cancel"]);
    Ok(())
}

#[tokio::test]
async fn a_child_knows_its_parent_and_its_place_there() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("cancel_with_children", json!(60_000)).await?;
    stack.until_status(id, "suspended").await?;
    let children: Vec<(String, i32, i32)> = sqlx::query_as(
        "select function, parent_chain, parent_operation from currant.requests where parent_workflow_id = $1 order by parent_operation",
    )
    .bind(id)
    .fetch_all(stack.pool())
    .await?;
    assert_eq!(children, [("sleep_flow".to_owned(), 1, 1), ("sleep".to_owned(), 1, 2)]);
    Ok(())
}

#[tokio::test]
async fn the_side_of_a_change_is_on_record() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("versioned", json!(20)).await?;
    assert_eq!(stack.ended(id).await?.result, json!([2, 2]));
    let chosen: Vec<Value> =
        sqlx::query_scalar("select body::jsonb from currant.journal where workflow_id = $1 and kind = 'version'")
            .bind(id)
            .fetch_all(stack.pool())
            .await?;
    assert_eq!(chosen, [json!(2), json!(2)]);
    Ok(())
}

#[tokio::test]
async fn what_a_workflow_publishes_is_shown_while_it_waits() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("compensate_for", json!(3_600_000)).await?;
    stack.until_status(id, "suspended").await?;
    cancel(&stack, id).await?;
    stack.until(id, "select progress = '\"undoing\"' and status = 'suspended' from currant.status($1)").await?;
    let shown = stack.currant_ok(&["status", &id.to_string()]).await?;
    assert!(shown.contains("undoing"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_workflow_that_continues_as_new_keeps_its_id_and_shows_its_chain() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("count_down", json!(2)).await?;
    assert_eq!(stack.ended(id).await?.result, json!("lift-off"));
    let chains: Vec<(i32, i64)> =
        sqlx::query_as("select chain, count(*) from currant.journal where workflow_id = $1 group by chain order by chain")
            .bind(id)
            .fetch_all(stack.pool())
            .await?;
    assert_eq!(chains, [(1, 3), (2, 3), (3, 1)]);
    let told = stack.currant_ok(&["history", &id.to_string()]).await?;
    let begins: Vec<_> = told.lines().filter_map(|line| line.split_once("• ")).map(|(_, what)| what.trim()).collect();
    assert_eq!(begins, ["chain 1 of 3 begins", "chain 2 of 3 begins", "chain 3 of 3 begins"], "{told}");
    assert!(told.contains("  w1  worker "), "who wrote it is named below:\n{told}");
    let second = stack.currant_ok(&["history", &id.to_string(), "--chain", "2"]).await?;
    assert!(second.contains("chain 2 of 3") && !second.contains("chain 1 of 3"), "{second}");
    Ok(())
}

#[tokio::test]
async fn unread_signals_follow_a_workflow_that_continues_as_new() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("collect_signals", json!(["go", 3, []])).await?;
    for number in 1..=3 {
        stack.signal(id, "go", json!(number)).await?;
    }
    assert_eq!(stack.ended(id).await?.result, json!([1, 2, 3]));
    Ok(())
}

#[tokio::test]
async fn a_call_with_the_key_of_another_execution_waits_for_that_one() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let input = json!(["the same", 1_500]);
    let creator = stack.start("share", input.clone()).await?;
    stack
        .until(
            creator,
            "select count(*) = 1 from currant.running join currant.requests using (id) where parent_workflow_id = $1",
        )
        .await?;
    let attached = stack.start("share", input).await?;
    stack.until(attached, "select count(*) = 1 from currant.waiters where workflow_id = $1").await?;
    cancel(&stack, creator).await?;
    assert_eq!(stack.ended(creator).await?.status, "cancelled");
    let ended = stack.ended(attached).await?;
    assert_eq!(ended.status, "completed", "what it waited for went on: {ended:?}");
    let tasks: i64 =
        stack.value(creator, "select count(*) from currant.requests where task_id = 'the same' and $1 is not null").await?;
    assert_eq!(tasks, 1);
    Ok(())
}

#[tokio::test]
async fn an_external_operation_is_completed_or_failed_by_command() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    for (command, status) in
        [(["complete", "--result", "{\"by\": \"ada\"}"], "completed"), (["fail", "--code", "declined"], "failed")]
    {
        let id = stack.start("wait_external", json!(null)).await?;
        stack.until(id, "select progress is not null from currant.executions where id = $1").await?;
        let token: String = stack.value(id, "select progress #>> '{}' from currant.executions where id = $1").await?;
        let message = if status == "failed" { vec!["no, thank you"] } else { Vec::new() };
        stack.currant_ok(&[&[command[0], token.as_str()][..], &message[..], &command[1..]].concat()).await?;
        let ended = stack.ended(id).await?;
        assert_eq!(ended.status, status);
        match status {
            "completed" => assert_eq!(ended.result, json!({"by": "ada"})),
            _ => assert_eq!((&ended.failure["code"], &ended.failure["message"]), (&json!("declined"), &json!("no, thank you"))),
        }
        let again = stack.currant(&["complete", &token]).await?;
        assert_eq!(again.status.code(), Some(1), "a token is good once");
    }
    Ok(())
}

#[tokio::test]
async fn a_thousand_children_are_in_flight_at_once() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    assert_eq!(stack.result("fan_out_streamed", json!(1_000)).await?, json!(499_500));
    Ok(())
}

#[tokio::test]
async fn a_workflow_that_takes_too_long_to_undo_what_it_did_is_ended() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.keeping_worker(&[("CURRANT_WORKER_COMPENSATION_GRACE", "1s")])?;
    stack.deploy(&currant_tests::behaviours()).await?;
    for function in ["compensate_for", "compute_when_cancelled"] {
        let input = if function == "compensate_for" { json!(3_600_000) } else { json!(null) };
        let id = stack.start(function, input).await?;
        stack.until_status(id, "suspended").await?;
        cancel(&stack, id).await?;
        let ended = stack.ended(id).await?;
        assert_eq!(ended.status, "cancelled", "{function}: {ended:?}");
        let message = ended.failure["message"].as_str().context("it says why")?;
        assert!(message.contains("did not end"), "{function}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_cancellation_ends_a_workflow_wherever_it_is() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let waits = stack.start("compensate_for", json!(3_600_000)).await?;
    let computes = stack.start("compute_when_cancelled", json!(null)).await?;
    for id in [waits, computes] {
        stack.until_status(id, "suspended").await?;
        assert_eq!(cancel(&stack, id).await?, "requested");
    }
    stack.until(waits, "select progress = '\"undoing\"' and status = 'suspended' from currant.status($1)").await?;
    stack.until_status(computes, "running").await?;
    assert_eq!(cancel(&stack, waits).await?, "cancelled");
    assert_eq!(cancel(&stack, computes).await?, "requested");
    for id in [waits, computes] {
        assert_eq!(stack.ended(id).await?.status, "cancelled");
    }
    Ok(())
}

#[tokio::test]
async fn a_retry_by_hand_tries_the_task_again_that_failed() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    // The task is tried eleven times.
    let id = stack.start("call_task", json!({"function": "fail_until_attempt", "input": 12})).await?;
    assert_eq!(stack.ended(id).await?.status, "failed");
    let output = stack.currant(&["retry", &id.to_string()]).await?;
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("from before it failed"), "{said}");
    assert_eq!(stack.ended(id).await?.result, json!(12));
    Ok(())
}

#[tokio::test]
async fn a_retry_of_what_ends_the_same_again_names_the_way_out() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("stuck", json!(null)).await?;
    stack.ended(id).await?;
    let output = stack.currant(&["retry", &id.to_string()]).await?;
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("--from-start"), "{said}");
    Ok(())
}

#[tokio::test]
async fn every_source_of_time_and_random_says_the_same_on_a_replay() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("every_source", json!(300)).await?;
    let ended = stack.ended(id).await?;
    assert_eq!(ended.status, "completed", "{ended:?}");
    // Published when nothing was on record yet; answered by the run after the pause, in a fresh instance.
    let first: Value = stack.value(id, "select progress from currant.executions where id = $1").await?;
    assert_eq!(ended.result[0], first);
    let (before, later) = (&first[0], &ended.result[1]);
    for source in ["bytes", "number", "insecure_bytes", "insecure_number"] {
        assert_ne!(before[source], first[1][source], "{source} goes on after a step");
        assert_ne!(first[1][source], later[source], "{source} goes on after a pause");
    }
    let nanoseconds = |said: &Value| said["monotonic"].as_u64().unwrap_or_default();
    assert!(Duration::from_nanos(nanoseconds(later) - nanoseconds(before)) >= Duration::from_millis(300));
    let other = stack.result("every_source", json!(0)).await?;
    for source in ["bytes", "number", "insecure_bytes", "insecure_number", "seed", "map_order"] {
        assert_ne!(other[0][0][source], before[source], "another execution has another {source}");
    }
    Ok(())
}
