//! What plain code sees of clocks, random and the outside, live and on replay.

use anyhow::Result;
use currant_tests::{Stack, behaviours};
use serde_json::json;

/// Puts a workflow into another environment, which no deployment can do.
const OTHER_ENVIRONMENT: &str = "
    with other as (
        insert into currant.environments (module, variables) values ('behaviours', $2::json) returning id
    )
    update currant.workflows set environment = other.id from other where workflows.id = $1";

#[tokio::test]
async fn two_executions_draw_different_numbers() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    assert_ne!(stack.result("read_random", json!(null)).await?, stack.result("read_random", json!(null)).await?);
    let (one, other) = (stack.result("random_and_clock", json!(10)).await?, stack.result("random_and_clock", json!(10)).await?);
    assert_ne!(one["draws_before"], other["draws_before"]);
    assert_ne!(one["draws_before"], one["draws_after"]);
    Ok(())
}

#[tokio::test]
async fn a_workflows_clock_moves_by_what_is_delivered() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let seen = stack.result("random_and_clock", json!(700)).await?;
    let passed = seen["after_ms"].as_u64().unwrap() - seen["before_ms"].as_u64().unwrap();
    assert!((700..800).contains(&passed), "{seen}");
    assert_eq!(stack.result("clock_stands_still", json!(null)).await?, json!(true));
    Ok(())
}

#[tokio::test]
async fn the_network_and_files_are_refused_in_a_workflow_with_a_sentence() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    for (function, input) in [("network_in_workflow", json!(["127.0.0.1", 80])), ("file_in_workflow", json!("/etc/passwd"))] {
        let id = stack.start(function, input).await?;
        let ended = stack.ended(id).await?;
        let said: String =
            stack.value(id, "select coalesce(string_agg(message, ' '), '') from currant.logs where execution_id = $1").await?;
        let words = format!("{} {} {said}", ended.result, ended.failure);
        let expected =
            if function == "network_in_workflow" { "network is not available in a workflow" } else { "No such file" };
        assert!(words.contains(expected), "{function}: {words}");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_granted_unless_it_was_granted() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    assert_eq!(stack.result("read_environment", json!(null)).await?, json!({}));
    assert_eq!(stack.run("connect", json!(["127.0.0.1", 9])).await?.status, "failed");
    assert_eq!(stack.run("read_file", json!("/etc/passwd")).await?.status, "failed");
    assert_eq!(stack.run("http_get", json!("http://127.0.0.1:9/")).await?.status, "failed");

    stack.deploy_with(&behaviours(), &["--env", "REGION=eu"]).await?;
    stack.until(uuid::Uuid::nil(), "select count(*) = 1 from currant.environments where $1 is not null").await?;
    // Grants are read anew every second.
    let granted = json!({"REGION": "eu"});
    for _ in 0..300 {
        if stack.result("read_environment", json!(null)).await? == granted {
            return Ok(());
        }
    }
    panic!("the grant does not reach the tasks")
}

#[tokio::test]
async fn a_workflow_stays_in_the_environment_that_it_began_in_and_the_next_one_begins_in_the_new_one() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.keeping_worker(&[("CURRANT_WORKER_RESIDENT_COUNT", "0")])?;
    stack.deploy_with(&behaviours(), &["--env", "BRANCH=first"]).await?;
    let id = stack.start("nondeterministic", json!(1_500)).await?;
    stack.until_status(id, "suspended").await?;

    stack.deploy_with(&behaviours(), &["--env", "BRANCH=other"]).await?;
    let ended = stack.ended(id).await?;
    assert_eq!((ended.status.as_str(), &ended.result), ("completed", &json!("first")), "it is replayed in its own");
    let seen = json!({"BRANCH": "other"});
    while stack.result("read_environment", json!(null)).await? != seen {}
    assert_eq!(stack.result("nondeterministic", json!(0)).await?, json!("other"));
    Ok(())
}

#[tokio::test]
async fn a_run_that_diverges_fails_with_both_sides_and_can_be_retried_once_that_is_mended() -> Result<()> {
    let (stack, worker) = Stack::with_behaviours().await?;
    let id = stack.start("nondeterministic", json!(1_500)).await?;
    stack.until_status(id, "suspended").await?;
    worker.kill()?;
    sqlx::query(OTHER_ENVIRONMENT).bind(id).bind(r#"{"BRANCH": "other"}"#).execute(stack.pool()).await?;
    let worker = stack.worker()?;
    let ended = stack.ended(id).await?;
    assert_eq!((ended.status.as_str(), ended.failure["code"].as_str()), ("failed", Some("nondeterminism")));
    let details = &ended.failure["details"];
    assert_eq!(details["position"], 1);
    assert!(details["recorded"].as_str().is_some_and(|text| text.contains("`echo`")), "{details}");
    assert!(details["called"].as_str().is_some_and(|text| text.contains("`fail_until_attempt`")), "{details}");
    let entries = stack.journal(id).await?;

    worker.kill()?;
    sqlx::query("update currant.outcomes set environment = 0 where id = $1").bind(id).execute(stack.pool()).await?;
    sqlx::query("select currant.retry($1)").bind(id).execute(stack.pool()).await?;
    let _worker = stack.worker()?;
    assert_eq!(stack.ended(id).await?.status, "completed");
    assert_eq!(stack.journal(id).await?[..entries.len()], entries, "what was on record stands");
    Ok(())
}

#[tokio::test]
async fn a_journal_that_was_changed_is_corrupt_where_it_was_changed_and_can_be_retried_once_it_is_restored() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("signal_after_giving_up", json!(["go", 1])).await?;
    stack.until(id, "select count(*) = 2 from currant.journal where workflow_id = $1 and kind = 'receive'").await?;
    stack.until_status(id, "suspended").await?;
    for (kind, damage, repair) in [("receive", "name = 'went'", "name = 'go'"), ("timer", "body = '2'", "body = '1'")] {
        let first =
            format!("workflow_id = $1 and position = (select min(position) from currant.journal where kind = '{kind}')");
        let update =
            |set: &str| sqlx::AssertSqlSafe(format!("update currant.journal set {set} where {first} returning position"));
        let position: i32 = sqlx::query_scalar(update(damage)).bind(id).fetch_one(stack.pool()).await?;
        // Woken while it waits, and retried once it has failed.
        if stack.signal(id, "nobody-asks-for-this", json!(null)).await.is_err() {
            sqlx::query("select currant.retry($1)").bind(id).execute(stack.pool()).await?;
        }
        let ended = stack.ended(id).await?;
        assert_eq!((ended.status.as_str(), ended.failure["code"].as_str()), ("failed", Some("journal-corrupt")), "{ended:?}");
        assert_eq!(ended.failure["details"]["position"], position);
        sqlx::query(update(repair)).bind(id).execute(stack.pool()).await?;
    }
    sqlx::query("select currant.retry($1)").bind(id).execute(stack.pool()).await?;
    stack.signal(id, "go", json!("late")).await?;
    assert_eq!(stack.ended(id).await?.result, json!([false, "late"]));
    Ok(())
}
