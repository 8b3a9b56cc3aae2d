//! What breaks around a worker: the server, its connections, its clock, its transactions. Workers that die or stall are in `crashes`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use currant_tests::{OwnServer, Stack, behaviours, guest, library};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

const AWAY: &str = "the database does not answer";
const BACK: &str = "the database answers again";

/// Longer than every back-off, and than the lease: the worker has tried everything that it can try.
const ABSENCE: Duration = Duration::from_secs(6);

/// How many executions ended otherwise than completed in their first attempt.
async fn imperfect(stack: &Stack) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from currant.outcomes where status <> 'completed' or attempt <> 1")
        .fetch_one(stack.pool())
        .await?)
}

#[tokio::test]
async fn a_server_that_is_away_for_long_is_waited_for_and_mentioned_once() -> Result<()> {
    let server = OwnServer::start("-c fsync=off")?;
    let stack = Stack::on(&server).await;
    let worker = stack.worker()?;
    stack.deploy(&behaviours()).await?;
    let mut running = Vec::new();
    for _ in 0..5 {
        running.push((stack.start("sequence", json!(20)).await?, json!(190)));
    }
    let first = running[0].0;
    stack.until(first, "select count(*) >= 5 from currant.journal where workflow_id = $1 and kind = 'completed'").await?;
    running.push((stack.start("sleep", json!(10)).await?, Value::Null));

    server.stop_at_once()?;
    worker.says(AWAY).await?;
    tokio::time::sleep(ABSENCE).await;
    server.start_again()?;
    // The connections that the test itself held are broken.
    while stack.pool().execute("select").await.is_err() {}
    for (id, result) in running {
        let ended = stack.ended(id).await?;
        assert!(ended.status == "completed" && (result.is_null() || ended.result == result), "{ended:?}");
    }
    assert_eq!(imperfect(&stack).await?, 0, "it cost nobody an attempt");
    worker.says(BACK).await?;
    assert_eq!((worker.log().matches(AWAY).count(), worker.log().matches(BACK).count()), (1, 1), "{}", worker.log());
    Ok(())
}

#[tokio::test]
async fn a_server_without_a_free_connection_is_waited_for() -> Result<()> {
    let server = OwnServer::start("-c fsync=off -c max_connections=40 -c superuser_reserved_connections=0")?;
    let stack = Stack::on(&server).await;
    let worker = stack.worker()?;
    stack.deploy(&behaviours()).await?;
    assert_eq!(stack.result("echo", json!(1)).await?, json!(1));

    // Whatever connection the worker loses is somebody else's before it can have it back.
    let mut watching = stack.database.connect().await;
    let mut taken: Vec<PgConnection> = Vec::new();
    let workers = "select count(*) from pg_stat_activity where application_name = 'currant-worker'";
    while sqlx::query_scalar::<_, i64>(workers).fetch_one(&mut watching).await? > 0 {
        watching
            .execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'currant-worker'")
            .await?;
        while let Ok(connection) = PgConnection::connect(&stack.database.url()).await {
            taken.push(connection);
        }
    }
    worker.says(AWAY).await?;
    let id: Uuid = sqlx::query_scalar("select id from currant.enqueue('echo', '2')").fetch_one(&mut watching).await?;
    assert_eq!(
        sqlx::query_scalar::<_, String>("select currant.status_of($1)").bind(id).fetch_one(&mut watching).await?,
        "pending"
    );
    drop(taken);
    worker.says(BACK).await?;
    assert_eq!(stack.ended(id).await?.result, json!(2));
    Ok(())
}

/// Every so-many-th statement that claims, records or ends something is refused as one of two transactions in each other's way is.
#[tokio::test]
async fn deadlocks_and_serialisation_failures_are_tried_again() -> Result<()> {
    let (stack, worker) = Stack::with_behaviours().await?;
    stack.pool().execute("create sequence public.statements").await?;
    stack
        .pool()
        .execute(
            "create function public.get_in_the_way() returns trigger language plpgsql as $$
             declare
                 number bigint := nextval('public.statements');
             begin
                 if number % 4 = 0 then
                     raise exception 'in the way' using errcode = case when number % 8 = 0 then '40001' else '40P01' end;
                 end if;
                 return null;
             end; $$",
        )
        .await?;
    for table in ["running", "journal", "outcomes", "inbox"] {
        let trigger = format!(
            "create trigger in_the_way before insert on currant.{table} for each statement execute function public.get_in_the_way()"
        );
        stack.pool().execute(AssertSqlSafe(trigger)).await?;
    }
    let mut running = Vec::new();
    for _ in 0..5 {
        running.push(stack.start("sequence", json!(10)).await?);
    }
    for id in running {
        assert_eq!(stack.ended(id).await?.result, json!(45));
        assert_eq!(stack.value::<i64>(id, "select count(*) from currant.requests where parent_workflow_id = $1").await?, 10);
    }
    let refused: i64 = sqlx::query_scalar("select last_value / 4 from public.statements").fetch_one(stack.pool()).await?;
    assert!(refused > 10, "only {refused} statements were refused");
    assert_eq!(imperfect(&stack).await?, 0);
    assert!(!worker.log().contains(AWAY), "the database answered all the time");
    Ok(())
}

/// One commit is held up until many more executions want to write; three of those cannot be stored.
#[tokio::test]
async fn a_batch_with_bad_rows_is_halved_until_they_are_alone() -> Result<()> {
    const GOOD: usize = 60;
    let stack = Stack::new().await;
    let worker = stack.limited_worker(&[("CURRANT_LOG", "debug"), ("CURRANT_WORKER_SLOTS", "100")])?;
    stack.deploy(&behaviours()).await?;
    stack
        .pool()
        .execute("alter table currant.outcomes add constraint no_poison check (result::text is distinct from '\"poison\"')")
        .await?;
    let mut inputs: Vec<_> = (0..GOOD).map(|number| number.to_string()).collect();
    for place in [10, 30, 50] {
        inputs.insert(place, "\"poison\"".into());
    }
    let mut holding = stack.database.connect().await;
    let mut held = holding.begin().await?;
    held.execute("lock table currant.outcomes in share mode").await?;
    sqlx::query("select currant.enqueue_many('echo', $1::text[]::json[])").bind(&inputs).execute(stack.pool()).await?;
    let all_run = format!("select count(*) = {} and $1 is not null from currant.running", inputs.len());
    stack.until(Uuid::nil(), &all_run).await?;
    held.rollback().await?;

    let all_ended = format!("select count(*) = {} and $1 is not null from currant.outcomes", inputs.len());
    stack.until(Uuid::nil(), &all_ended).await?;
    let count = async |query: &'static str| sqlx::query_scalar::<_, i64>(query).fetch_one(stack.pool()).await;
    assert_eq!(count("select count(*) from currant.outcomes where status = 'completed' and run = 1").await?, GOOD as i64);
    assert_eq!(
        count("select count(*) from currant.outcomes where status = 'failed' and failure ->> 'code' = 'invalid-value' and failure ->> 'message' like '%no_poison%'").await?,
        3
    );
    assert!(worker.log().contains("it is halved"), "{}", worker.log());
    Ok(())
}

/// Its tasks see the wrong time, which shows that it is wrong. Nothing else does.
#[tokio::test]
async fn a_worker_whose_clock_is_a_day_wrong_decides_nothing_by_it() -> Result<()> {
    const DAY_MS: i64 = 24 * 3_600_000;
    let shim = library("faulty_libc")?;
    for wrong_by in [DAY_MS, -DAY_MS] {
        let stack = Stack::new().await;
        let seconds = (wrong_by / 1_000).to_string();
        let _worker = stack.limited_worker(&[("LD_PRELOAD", shim.to_str().context("UTF-8")?), ("WRONG_CLOCK_BY", &seconds)])?;
        stack.deploy(&behaviours()).await?;
        let seen = stack.result("read_clock", json!(null)).await?[0].as_i64().context("a time")?;
        let now_ms = async || {
            sqlx::query_scalar::<_, i64>("select (extract(epoch from currant.now()) * 1000)::bigint")
                .fetch_one(stack.pool())
                .await
        };
        let off_by = seen - now_ms().await?;
        assert!((off_by - wrong_by).abs() < DAY_MS / 2, "the shim does not work: {off_by}");

        // Its lease outlives itself, many times over, and a timer, a retry and a time-out come when they are due.
        let endless = stack.start("loop_forever", json!(null)).await?;
        stack.until_status(endless, "running").await?;
        for (function, input, status) in [
            ("sleep_often", json!([3, 50]), "completed"),
            ("fail_until_attempt", json!(3), "completed"),
            ("overrun", json!(60_000), "timed_out"),
            ("signal_or_timeout", json!(["never", 100]), "completed"),
        ] {
            let ended = stack.run(function, input).await?;
            assert_eq!(ended.status, status, "{function}: {ended:?}");
        }
        let before = now_ms().await?;
        let workflow = stack.result("random_and_clock", json!(20)).await?;
        let told = workflow["after_ms"].as_i64().context("a time")?;
        assert!((before..=now_ms().await?).contains(&told), "the workflow's time is the database's");
        let odd: i64 = sqlx::query_scalar(
            "select count(*) from currant.executions
             where started_at < created_at or ended_at < started_at or greatest(started_at, ended_at) > currant.now()",
        )
        .fetch_one(stack.pool())
        .await?;
        assert_eq!(odd, 0);
        let odd: i64 =
            sqlx::query_scalar("select count(*) from currant.logs where at > currant.now()").fetch_one(stack.pool()).await?;
        assert_eq!(odd, 0);
        assert_eq!(
            stack.value::<i32>(endless, "select run from currant.running where id = $1").await?,
            1,
            "nobody took it over"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_stop_under_load_gives_everything_back_and_costs_no_attempt() -> Result<()> {
    let stack = Stack::new().await;
    let first = stack.limited_worker(&[("CURRANT_WORKER_SHUTDOWN_GRACE", "200ms"), ("CURRANT_WORKER_SLOTS", "20")])?;
    stack.deploy(&behaviours()).await?;
    // Short ones, some that stop when they are asked to, some that do not, and workflows.
    for (function, input, count) in [
        ("sleep", "10", 300),
        ("watch_for_cancellation", "null", 5),
        ("ignore_cancellation", "2000", 5),
        ("sequence", "10", 10),
    ] {
        sqlx::query("select currant.enqueue_many($1, array_fill($2::text::json, array[$3]))")
            .bind(function)
            .bind(input)
            .bind(count)
            .execute(stack.pool())
            .await?;
    }
    let busy = "select count(*) >= 30 and $1 is not null from currant.outcomes";
    stack.until(Uuid::nil(), busy).await?;
    first.stop().await?;
    let count = async |query: &'static str| sqlx::query_scalar::<_, i64>(query).fetch_one(stack.pool()).await;
    assert_eq!(count("select count(*) from currant.running").await?, 0, "all of it was given back");
    assert_eq!(count("select count(*) from currant.attempts").await?, 0);
    assert!(count("select count(*) from currant.ready").await? > 0, "there was something to give back");

    sqlx::query("select currant.cancel(id) from currant.executions where function = 'watch_for_cancellation'")
        .execute(stack.pool())
        .await?;
    let _second = stack.worker()?;
    stack.until(Uuid::nil(), "select count(*) = 0 and $1 is not null from currant.executions where ended_at is null").await?;
    assert_eq!(count("select count(*) from currant.outcomes where attempt <> 1").await?, 0);
    assert_eq!(count("select count(*) from currant.outcomes where status = 'completed'").await?, 300 + 5 + 10 + 100);
    Ok(())
}

#[tokio::test]
async fn a_second_signal_ends_a_worker_at_once_and_loses_nothing() -> Result<()> {
    let stack = Stack::new().await;
    let mut worker = stack.limited_worker(&[("CURRANT_WORKER_SHUTDOWN_GRACE", "1h")])?;
    stack.deploy(&behaviours()).await?;
    let id = stack.start("ignore_cancellation", json!(1_000)).await?;
    let endless = stack.start("loop_forever", json!(null)).await?;
    stack.until_status(endless, "running").await?;
    stack.until_status(id, "running").await?;
    worker.signal("TERM")?;
    worker.says("stopping; once more to stop at once").await?;
    worker.signal("TERM")?;
    assert_eq!(worker.end().await?.code(), Some(130));
    let _other = stack.worker()?;
    let ended = stack.ended(id).await?;
    ensure!(ended.status == "completed", "{ended:?}");
    stack.until(endless, "select run > 1 and attempt = 1 from currant.running where id = $1").await
}

/// Its disk is full: it compiles at each start, and says why. What is in the cache is whole, or is not there.
#[tokio::test]
async fn a_full_disk_costs_the_cache_of_compiled_code_and_nothing_else() -> Result<()> {
    let (stack, cache) = (Stack::new().await, tempfile::tempdir()?);
    let elsewhere = stack.worker()?;
    stack.deploy(&guest("bench")).await?;
    elsewhere.stop().await?;

    let (shim, folder) = (library("faulty_libc")?, cache.path().to_str().context("UTF-8")?);
    let full = [("XDG_CACHE_HOME", folder), ("LD_PRELOAD", shim.to_str().context("UTF-8")?), ("FULL_DISK", folder)];
    for _ in 0..2 {
        let worker = stack.limited_worker(&full)?;
        assert_eq!(stack.run("noop", json!(null)).await?.status, "completed");
        worker.says("compiled code cannot be kept").await?;
        worker.says("No space left on device").await?;
        assert_eq!(files(cache.path())?, Vec::<PathBuf>::new());
        worker.stop().await?;
    }
    let _worker = stack.limited_worker(&full[..1])?;
    assert_eq!(stack.run("noop", json!(null)).await?.status, "completed");
    assert_eq!(files(cache.path())?.len(), 1, "there is room again");
    Ok(())
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            false => found.push(entry.path()),
        }
    }
    Ok(found)
}

/// Somebody's transaction that has signalled a workflow, or cancelled a task, and stays open: only those wait for it.
#[tokio::test]
async fn a_callers_transaction_that_stays_open_holds_up_nobody_else() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let held = stack.start("sequence", json!(500)).await?;
    stack.until(held, "select count(*) > 10 from currant.journal where workflow_id = $1").await?;
    let mut caller = stack.pool().begin().await?;
    sqlx::query("select currant.signal($1, 'unheard')").bind(held).execute(&mut *caller).await?;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push((stack.start("sequence", json!(20)).await?, json!(190)));
        others.push((stack.start("steps", json!(20)).await?, json!(190)));
        others.push((stack.start("echo", json!(7)).await?, json!(7)));
    }
    for (id, expected) in others {
        let ended = stack.ended(id).await?;
        assert_eq!((ended.status.as_str(), ended.result), ("completed", expected));
    }
    assert!(
        !stack.value::<bool>(held, "select exists (select from currant.outcomes where id = $1)").await?,
        "it could not go on"
    );
    caller.commit().await?;
    assert_eq!(stack.ended(held).await?.status, "completed");
    Ok(())
}
