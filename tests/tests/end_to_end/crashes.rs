//! Workers that die, stall, or are told to stop; connections that break.

use anyhow::Result;
use currant_tests::{DevProcess, Plan, Proxy, Stack, behaviours};
use serde_json::json;

#[tokio::test]
async fn a_workflow_survives_the_kill_of_its_worker_and_records_everything_once() -> Result<()> {
    let (stack, worker) = Stack::with_behaviours().await?;
    let id = stack.start("sequence", json!(30)).await?;
    stack.until(id, "select count(*) >= 5 from currant.journal where workflow_id = $1 and kind = 'completed'").await?;
    worker.kill()?;
    let _worker = stack.worker()?;
    let ended = stack.ended(id).await?;
    // The sum of what the thirty tasks returned.
    assert_eq!((ended.status.as_str(), ended.result), ("completed", json!(435)));
    let count = |query| stack.value::<i64>(id, query);
    assert_eq!(count("select count(*) from currant.requests where parent_workflow_id = $1").await?, 30);
    assert_eq!(
        count("select count(*) from currant.outcomes join currant.requests using (id) where parent_workflow_id = $1").await?,
        30
    );
    assert_eq!(count("select count(*) from currant.journal where workflow_id = $1 and kind = 'completed'").await?, 30);
    assert_eq!(count("select count(*) from currant.inbox where workflow_id = $1").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_stalled_past_its_lease_writes_nothing_when_it_comes_back() -> Result<()> {
    let (stack, stalled) = Stack::with_behaviours().await?;
    let id = stack.start("sleep", json!(2_000)).await?;
    stack.until_status(id, "running").await?;
    let first_run: i32 = stack.value(id, "select run from currant.running where id = $1").await?;
    stalled.signal("STOP")?;
    let _other = stack.worker()?;
    stack.until(id, "select run > 1 from currant.running where id = $1").await?;
    stalled.signal("CONT")?;
    let ended = stack.ended(id).await?;
    assert_eq!(ended.status, "completed");
    assert_eq!(first_run, 1);
    assert!(stack.value::<i32>(id, "select run from currant.outcomes where id = $1").await? > 1);
    assert_eq!(
        stack.value::<i32>(id, "select attempt from currant.outcomes where id = $1").await?,
        1,
        "a lost worker costs no attempt"
    );
    // The one that stalled goes on under a new lease.
    stack
        .until(id, "select count(*) = 2 and $1 is not null from currant.worker_heartbeats where lease_until > currant.now()")
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_orderly_stop_gives_work_back_without_costing_an_attempt() -> Result<()> {
    let (stack, worker) = Stack::with_behaviours().await?;
    let id = stack.start("watch_for_cancellation", json!(null)).await?;
    stack.until_status(id, "running").await?;
    worker.stop().await?;
    assert_eq!(stack.value::<String>(id, "select currant.status_of($1)").await?, "pending");
    assert_eq!(stack.value::<i64>(id, "select count(*) from currant.attempts where id = $1").await?, 0);
    assert_eq!(stack.value::<i64>(id, "select count(*) from currant.worker_heartbeats where $1 is not null").await?, 0);
    Ok(())
}

#[tokio::test]
async fn broken_connections_cost_time_and_nothing_else() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let mut running = Vec::new();
    for _ in 0..5 {
        running.push(stack.start("sequence", json!(20)).await?);
    }
    for round in 1..=10 {
        // Whatever they were about at that moment: claims, commits, heartbeats.
        let progress =
            format!("select count(*) >= {round} * 8 and $1 is not null from currant.journal where kind = 'completed'");
        stack.until(uuid::Uuid::nil(), &progress).await?;
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'currant-worker' and datname = current_database()")
            .execute(stack.pool())
            .await?;
    }
    for id in running {
        let ended = stack.ended(id).await?;
        assert_eq!((ended.status.as_str(), ended.result), ("completed", json!(190)));
        assert_eq!(stack.value::<i64>(id, "select count(*) from currant.requests where parent_workflow_id = $1").await?, 20);
    }
    Ok(())
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_neither_lost_nor_done_twice() -> Result<()> {
    let stack = Stack::new().await;
    let proxy = Proxy::start(&stack.database.url(), Plan::CutEvery(5)).await?;
    let _worker = stack.worker_with(&["--lease", "3s", "--database-url", &proxy.url()?])?;
    stack.deploy(&behaviours()).await?;
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push((stack.start("sequence", json!(20)).await?, json!(190)));
        running.push((stack.start("steps", json!(20)).await?, json!(190)));
    }
    for (id, expected) in running {
        let ended = stack.ended(id).await?;
        assert_eq!((ended.status.as_str(), ended.result), ("completed", expected));
        let children: i64 = stack.value(id, "select count(*) from currant.requests where parent_workflow_id = $1").await?;
        let steps: i64 =
            stack.value(id, "select count(*) from currant.journal where workflow_id = $1 and kind = 'step'").await?;
        assert_eq!(children + steps, 20, "each was recorded once");
    }
    assert!(proxy.stops() > 5, "only {} commits were cut off", proxy.stops());
    Ok(())
}

#[tokio::test]
async fn two_workers_never_run_one_attempt_twice() -> Result<()> {
    let stack = Stack::new().await;
    let _workers = [stack.worker()?, stack.worker()?];
    stack.deploy(&behaviours()).await?;
    let inputs: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    sqlx::query("select currant.enqueue_many('echo', $1::text[]::json[])").bind(inputs).execute(stack.pool()).await?;
    stack
        .until(uuid::Uuid::nil(), "select count(*) = 300 and $1 is not null from currant.outcomes where status = 'completed'")
        .await?;
    let nil = uuid::Uuid::nil();
    assert_eq!(
        stack
            .value::<i64>(nil, "select count(*) from currant.outcomes where (run <> 1 or attempt <> 1) and $1 is not null")
            .await?,
        0
    );
    assert_eq!(stack.value::<i64>(nil, "select count(*) from currant.running where $1 is not null").await?, 0);
    Ok(())
}

#[tokio::test]
async fn postgres_crashes_and_recovers_under_a_working_worker() -> Result<()> {
    let dev = DevProcess::start(&behaviours()).await?;
    for _ in 0..5 {
        sqlx::query("select currant.enqueue('sequence', '20')").execute(&dev.pool).await?;
    }
    for progress in [
        "select count(*) >= 10 from currant.journal where kind = 'completed'",
        "select count(*) >= 50 from currant.journal where kind = 'completed'",
    ] {
        dev.until(progress).await?;
        let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&dev.pool).await?;
        // When one of its processes is killed, Postgres ends all others at once and recovers from its log.
        assert!(std::process::Command::new("kill").args(["-9", &backend.to_string()]).status()?.success());
    }
    dev.until("select count(*) = 5 from currant.outcomes join currant.requests using (id) where function = 'sequence'").await?;
    let results: Vec<String> =
        sqlx::query_scalar("select result::text from currant.executions where function = 'sequence' and status = 'completed'")
            .fetch_all(&dev.pool)
            .await?;
    assert_eq!(results, vec!["190"; 5]);
    let children: i64 = sqlx::query_scalar("select count(*) from currant.requests where parent_workflow_id is not null")
        .fetch_one(&dev.pool)
        .await?;
    assert_eq!(children, 100, "every child was started once");
    Ok(())
}
