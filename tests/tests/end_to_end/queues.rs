//! Limits, settings, schedules and retention, as worker processes keep them.

use std::time::Duration;

use anyhow::Result;
use currant_tests::{Stack, WorkerProcess, behaviours};
use serde_json::json;
use sqlx::Executor;
use uuid::Uuid;

/// Two workers, and the guest with all behaviours.
async fn two_workers(stack: &Stack) -> Result<[WorkerProcess; 2]> {
    let workers = [stack.worker()?, stack.worker()?];
    stack.deploy(&behaviours()).await?;
    Ok(workers)
}

async fn all_ended(stack: &Stack, function: &str) -> Result<()> {
    let condition = format!(
        "select bool_and(status = 'completed') from currant.executions where function = '{function}' and $1::uuid is not null"
    );
    stack.until(uuid::Uuid::nil(), &condition).await
}

/// How many ran at once, at most: by what is on record of their beginnings and ends.
async fn most_at_once(stack: &Stack, function: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select max(at_once) from (
             select (select count(*) from currant.executions other
                     where other.function = $1 and other.started_at <= one.started_at and other.ended_at > one.started_at) as at_once
             from currant.executions one where one.function = $1) as counted",
    )
    .bind(function)
    .fetch_one(stack.pool())
    .await?)
}

#[tokio::test]
async fn workers_together_run_as_many_at_once_as_a_file_says() -> Result<()> {
    let stack = Stack::new().await;
    stack.write("currant.toml", "[queues.narrow]\nconcurrency = 3\n")?;
    let workers = two_workers(&stack).await?;
    let said = workers.iter().filter(|worker| worker.log().contains("[queues.narrow] concurrency: none -> 3")).count();
    assert_eq!(said, 1, "the first one sets it, the other finds it set");
    sqlx::query("select currant.enqueue_many('sleep', array_fill('20'::json, array[40]), queue => 'narrow')")
        .execute(stack.pool())
        .await?;
    // Another queue goes on meanwhile.
    assert_eq!(stack.result("echo", json!("beside")).await?, json!("beside"));
    all_ended(&stack, "sleep").await?;
    assert_eq!(most_at_once(&stack, "sleep").await?, 3, "never more, and as many as may");
    Ok(())
}

/// By the times of the claims, which are those of the bucket: in no window more than it brings, and not much less.
#[tokio::test]
async fn workers_together_keep_a_rate_and_use_it() -> Result<()> {
    let stack = Stack::new().await;
    let _workers = two_workers(&stack).await?;
    stack.currant_ok(&["queues", "set", "paced", "rate_limit=40/sec", "burst=2"]).await?;
    sqlx::query("select currant.enqueue_many('echo', array_fill('1'::json, array[162]), queue => 'paced')")
        .execute(stack.pool())
        .await?;
    all_ended(&stack, "echo").await?;
    let (took, most): (f64, f64) = sqlx::query_as(
        "with claimed as (select started_at as at, row_number() over (order by started_at) as place from currant.executions
                          where queue = 'paced')
         select extract(epoch from max(at) - min(at))::double precision,
                (select max((last.place - first.place + 1) / (40 * extract(epoch from last.at - first.at) + 2))::double precision
                 from claimed first join claimed last on last.place >= first.place)
         from claimed",
    )
    .fetch_one(stack.pool())
    .await?;
    assert!(most <= 1.0 + 1e-6, "a window saw {most} of what it may");
    assert!((3.99..4.6).contains(&took), "160 after the first two took {took} s");
    Ok(())
}

/// The workflow's queue has no limit, and waits for none; its tasks wait in their own queue, under that queue's limits.
#[tokio::test]
async fn tasks_that_a_workflow_calls_keep_the_limits_of_their_own_queue() -> Result<()> {
    let stack = Stack::new().await;
    let _workers = two_workers(&stack).await?;
    stack.currant_ok(&["queues", "set", "echo", "rate_limit=20/sec", "burst=1", "concurrency=2"]).await?;
    let flow = stack.start("fan_out", json!(20)).await?;
    stack.result("sleep_flow", json!(1)).await?;
    let status: String = stack.value(flow, "select currant.status_of($1)").await?;
    assert_ne!(status, "completed", "another workflow of the same queue goes on meanwhile");
    assert_eq!(stack.ended(flow).await?.result, json!((0..20).collect::<Vec<_>>()));
    let (count, seconds): (i64, f64) = sqlx::query_as(
        "select count(*), extract(epoch from max(started_at) - min(started_at))::double precision
         from currant.executions where parent_workflow_id = $1 and queue = 'echo'",
    )
    .bind(flow)
    .fetch_one(stack.pool())
    .await?;
    assert_eq!(count, 20);
    assert!(seconds >= 0.95 - 1e-6, "19 after the first need 19 tokens: {seconds} s");
    assert!(most_at_once(&stack, "echo").await? <= 2);
    let queue: String = stack.value(flow, "select queue from currant.executions where id = $1").await?;
    assert_eq!(queue, "default");
    Ok(())
}

#[tokio::test]
async fn a_rate_that_is_changed_holds_within_two_seconds() -> Result<()> {
    let stack = Stack::new().await;
    let _workers = two_workers(&stack).await?;
    stack.currant_ok(&["queues", "set", "paced", "rate_limit=1/hour"]).await?;
    sqlx::query("select currant.enqueue_many('echo', array_fill('1'::json, array[20]), queue => 'paced')")
        .execute(stack.pool())
        .await?;
    stack.until(uuid::Uuid::nil(), "select count(*) = 1 from currant.outcomes where $1::uuid is not null").await?;
    let began = std::time::Instant::now();
    stack.currant_ok(&["queues", "set", "paced", "rate_limit=1000/sec", "burst=1000"]).await?;
    all_ended(&stack, "echo").await?;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_task_that_is_too_fast_pauses_its_queue() -> Result<()> {
    let stack = Stack::new().await;
    let _workers = two_workers(&stack).await?;
    stack.currant_ok(&["queues", "set", "limited", "rate_limit=1000/sec"]).await?;
    let id = stack.start("rate_limited_once", json!(4_000)).await?;
    let paused =
        "select paused_until > currant.now() + interval '1 second' from currant.rate_limits where $1::uuid is not null";
    stack.until(id, paused).await?;
    let until: String = sqlx::query_scalar("select paused_until::text from currant.rate_limits where queue = 'limited'")
        .fetch_one(stack.pool())
        .await?;
    let other =
        sqlx::query_scalar("select id from currant.enqueue('echo', '1', queue => 'limited')").fetch_one(stack.pool()).await?;
    stack.ended(other).await?;
    let waited: bool = sqlx::query_scalar("select started_at >= $2::timestamptz from currant.executions where id = $1")
        .bind::<uuid::Uuid>(other)
        .bind(until)
        .fetch_one(stack.pool())
        .await?;
    assert!(waited, "the others of its queue wait too");
    assert_eq!(stack.value::<i32>(id, "select attempt from currant.executions where id = $1").await?, 1);
    Ok(())
}

#[tokio::test]
async fn schedules_fire_and_what_is_old_is_deleted() -> Result<()> {
    let stack = Stack::new().await;
    let _workers = two_workers(&stack).await?;
    let old = stack.start("echo", json!("old")).await?;
    stack.ended(old).await?;
    stack.currant_ok(&["schedules", "create", "minutely", "echo", "--cron", "* * * * *", "--input", "\"hello\""]).await?;
    stack.until(old, "select done_at is not null from currant.duties where $1::uuid is not null").await?;
    stack.pool().execute("update currant.duties set done_at = done_at - interval '2 hours'").await?;
    stack.pool().execute("update currant.outcomes set ended_at = ended_at - interval '8 days'").await?;
    stack.pool().execute("select currant.configure_queue('echo', retention_tasks => '0')").await?;
    stack.database.clock().advance(Duration::from_secs(60)).await;
    stack.until(old, "select count(*) = 1 from currant.executions where 'schedule:minutely' = any (tags) and status = 'completed' and id <> $1").await?;
    stack.until(old, "select not exists (select from currant.requests where id = $1)").await?;
    Ok(())
}

/// One is paused, one may start one in an hour, one is full, and one has a line that takes the worker long to work off: the others notice none
/// of it.
#[tokio::test]
async fn nothing_that_a_queue_does_delays_the_ninety_six_others() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker_that(&["--lease", "30s", "--slots", "8"], &[])?;
    stack.deploy(&behaviours()).await?;
    let full = sqlx::query_scalar("select id from currant.enqueue('sleep', '3600000', queue => 'full')");
    let full: Uuid = full.fetch_one(stack.pool()).await?;
    stack.until_status(full, "running").await?;
    sqlx::raw_sql(
        "select currant.configure_queue('paused', paused => true), currant.configure_queue('limited', rate_limit => '1/hour'),
                currant.configure_queue('full', concurrency => 1);
         select currant.enqueue_many('echo', array_fill('1'::json, array[100]), queue => name)
         from unnest(array['paused', 'limited', 'full']) as name;
         select currant.enqueue_many('echo', array_fill('1'::json, array[30000]), queue => 'long')",
    )
    .execute(stack.pool())
    .await?;
    stack.until(full, "select $1 is not null and exists (select from currant.outcomes)").await?;
    let others: Vec<Uuid> = sqlx::query_scalar(
        "select asked.id from generate_series(1, 96) as number,
                lateral currant.enqueue('echo', '1', queue => 'other-' || number) as asked",
    )
    .fetch_all(stack.pool())
    .await?;
    for id in others {
        assert_eq!(stack.ended(id).await?.status, "completed");
    }
    let waiting: Vec<(String, i64)> =
        sqlx::query_as("select queue, least(count(*), 99) from currant.ready group by queue order by queue")
            .fetch_all(stack.pool())
            .await?;
    let expected = ["full", "limited", "long", "paused"].map(|queue| (queue.to_owned(), 99)).to_vec();
    assert_eq!(waiting, expected, "the others were done before the long line was");
    Ok(())
}
