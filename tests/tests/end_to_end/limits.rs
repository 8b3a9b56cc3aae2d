//! Executions that go too far end by themselves, by a name; their worker and its other executions do not notice.

use anyhow::{Result, ensure};
use currant_tests::{Ended, PATIENCE, Stack, WorkerProcess, behaviours, guest};
use serde_json::{Value, json};
use uuid::Uuid;

/// What an innocent execution took, by the database's clock, in milliseconds: the median and the longest of so many, one after the other.
async fn latencies(stack: &Stack, count: u32) -> Result<(f64, f64)> {
    let mut ids = Vec::new();
    for number in 0..count {
        let id = stack.start("echo", json!(number)).await?;
        ensure!(stack.ended(id).await?.result == json!(number));
        ids.push(id);
    }
    Ok(sqlx::query_as(
        "select percentile_cont(0.5) within group (order by took), max(took)::float8 from (
             select extract(epoch from ended_at - created_at)::float8 * 1000 as took from currant.executions where id = any ($1)) as times",
    )
    .bind(ids)
    .fetch_one(stack.pool())
    .await?)
}

/// What a worker must survive: a function, its input, and the code and a word of what it comes to.
fn hostile() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    vec![
        ("recurse", json!(null), "trap", "recursion"),
        ("recurse_to", json!(100_000), "stack-limit", "STACK_BYTES"),
        ("allocate", json!(3_000), "out-of-memory", "worker.memory_limit"),
        ("panic_in_drop", json!(null), "trap", "not even cleaning up works"),
        ("print", json!(200_000_000), "output-limit", "worker.output_limit"),
        ("big_result", json!(50_000_000), "payload-limit", "PAYLOAD_BYTES"),
        ("exit", json!(3), "trap", "exit status"),
        ("keep_handles", json!(30_000), "handle-limit", "RESOURCES"),
    ]
}

/// Two guests that never end are there from before the first innocent execution to after the last, and all others misbehave meanwhile.
#[tokio::test]
async fn hostile_guests_end_as_failures_and_nobody_else_notices() -> Result<()> {
    const INNOCENT: u32 = 30;
    let stack = Stack::new().await;
    let worker =
        stack.limited_worker(&[("CURRANT_WORKER_CANCEL_GRACE", "100ms"), ("CURRANT_WORKER_WORKFLOW_CPU_LIMIT", "1h")])?;
    stack.deploy(&behaviours()).await?;
    stack.deploy(&guest("hostile")).await?;
    let alone = latencies(&stack, INNOCENT).await?;
    let before = worker.resident_bytes()?;

    let endless = [stack.start("loop_forever", json!(null)).await?, stack.start("loop_flow", json!(null)).await?];
    for id in endless {
        stack.until_status(id, "running").await?;
    }
    let mut misbehaving = Vec::new();
    for (function, input, code, word) in hostile().into_iter().cycle().take(2 * hostile().len()) {
        misbehaving.push((stack.start(function, input).await?, function, code, word));
    }
    let beside = latencies(&stack, INNOCENT).await?;
    for (id, function, code, word) in misbehaving {
        let ended = stack.ended(id).await?;
        assert_eq!((ended.status.as_str(), ended.failure["code"].as_str()), ("failed", Some(code)), "{function}: {ended:?}");
        assert!(ended.failure["message"].as_str().is_some_and(|message| message.contains(word)), "{function}: {ended:?}");
    }
    for id in endless {
        let status: String = stack.value(id, "select currant.status_of($1)").await?;
        assert_eq!(status, "running", "it ran beside all others, and its lease was kept");
    }
    // Read by people; what holds is that every innocent execution ended while the endless ones ran.
    println!(
        "an innocent execution, median and longest of {INNOCENT}: {alone:.1?} ms alone, {beside:.1?} ms beside hostile ones"
    );

    stack.currant_ok(&["cancel", &endless[0].to_string()]).await?;
    assert_eq!(stack.ended(endless[0]).await?.status, "cancelled");
    memory_comes_back(&worker, before).await
}

/// Not to the byte: allocators and the pool of instances keep something. What a hostile guest took was hundreds of megabytes.
async fn memory_comes_back(worker: &WorkerProcess, before: u64) -> Result<()> {
    let allowed = before + (96 << 20);
    let deadline = std::time::Instant::now() + PATIENCE;
    while worker.resident_bytes()? > allowed {
        ensure!(std::time::Instant::now() < deadline, "{} MiB before, {} after", before >> 20, worker.resident_bytes()? >> 20);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    println!("{} MiB before, {} after", before >> 20, worker.resident_bytes()? >> 20);
    Ok(())
}

/// The module is refused, whoever deploys it is told why, and the worker goes on.
#[tokio::test]
async fn a_module_that_traps_before_it_is_asked_anything_is_refused() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    for name in ["no-functions", "traps-in-start"] {
        let module = guest(name);
        let output = stack.currant(&["deploy", module.to_str().unwrap_or_default(), "--timeout", "120s"]).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("`describe` failed (trap)"), "{name}: {said}");
        assert_eq!(stack.result("echo", json!(name)).await?, json!(name));
    }
    Ok(())
}

/// A workflow that hangs in a step, and a task that does, are ended by the time that anything may hold a slot.
#[tokio::test]
async fn what_hangs_gives_its_slot_back() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.limited_worker(&[("CURRANT_WORKER_TIME_LIMIT", "1s")])?;
    stack.deploy(&behaviours()).await?;
    stack.deploy(&guest("hostile")).await?;
    for (function, input) in [("sleep", json!(3_600_000)), ("hang_in_step", json!(null))] {
        let Ended { status, failure, .. } = stack.run(function, input).await?;
        assert_eq!((status.as_str(), failure["code"].as_str()), ("timed_out", Some("timed-out")), "{function}: {failure}");
        assert!(failure["message"].as_str().is_some_and(|said| said.contains("worker.time_limit")), "{function}: {failure}");
    }
    // A workflow that only waits holds no slot, however long.
    assert_eq!(stack.run("sleep_flow", json!(2_000)).await?.status, "completed");
    Ok(())
}

/// One of each limit on a workflow's journal: a warning in its log and in `currant status` at four fifths, and a failure by name at the end.
#[tokio::test]
async fn a_full_journal_is_warned_of_and_ends_the_workflow() -> Result<()> {
    for (variable, limit, code, setting, what) in [
        ("CURRANT_WORKER_OPERATIONS_LIMIT", "10", "operations-limit", "worker.operations_limit", "of 10 operations"),
        (
            "CURRANT_WORKER_JOURNAL_LENGTH_LIMIT",
            "20",
            "journal-length-limit",
            "worker.journal_length_limit",
            "of 20 journal entries",
        ),
        (
            "CURRANT_WORKER_JOURNAL_BYTES_LIMIT",
            "1KiB",
            "journal-bytes-limit",
            "worker.journal_bytes_limit",
            "of 1024 journal bytes",
        ),
    ] {
        let stack = Stack::new().await;
        let worker = stack.limited_worker(&[(variable, limit)])?;
        stack.deploy(&guest("hostile")).await?;
        let id = stack.start("many_signals", json!(100)).await?;
        let mut sent = 0;
        while !warned(&stack, id).await? {
            ensure!(sent < 100, "it is not warned");
            // Long enough that the bytes come before the others.
            stack.signal(id, "next", json!("x".repeat(100))).await?;
            sent += 1;
            stack
                .until(
                    id,
                    &format!("select count(*) >= {sent} from currant.journal where workflow_id = $1 and kind = 'signal'"),
                )
                .await?;
        }
        let shown = stack.currant_ok(&["status", &id.to_string()]).await?;
        assert!(shown.contains("warning") && shown.contains(what), "{shown}");
        assert_eq!(shown.matches("warning").count(), 1, "{shown}");
        for _ in 0..20 {
            // The last ones find it ended.
            let _ = stack.signal(id, "next", json!("x".repeat(100))).await;
        }
        let ended = stack.ended(id).await?;
        assert_eq!((ended.status.as_str(), ended.failure["code"].as_str()), ("failed", Some(code)), "{ended:?}");
        assert!(ended.failure["message"].as_str().is_some_and(|message| message.contains(setting)), "{ended:?}");
        let logged = stack.currant_ok(&["logs", &id.to_string()]).await?;
        assert_eq!(logged.matches(what).count(), 1, "{logged}");
        assert_eq!(worker.log().matches("the workflow comes near a limit").count(), 1);
    }
    Ok(())
}

async fn warned(stack: &Stack, id: Uuid) -> Result<bool> {
    stack.value(id, "select warning is not null from currant.status($1)").await
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_where_it_is_sent() -> Result<()> {
    let stack = Stack::new().await;
    let bytes: i32 = sqlx::query_scalar("select currant.payload_bytes()").fetch_one(stack.pool()).await?;
    assert_eq!(bytes as usize, currant_core::limits::PAYLOAD_BYTES);
    let id = stack.start("wait_signal", json!("go")).await?;
    let large = json!("x".repeat(bytes as usize));
    for refused in [stack.start("echo", large.clone()).await.err(), stack.signal(id, "go", large).await.err()] {
        let refused = refused.map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(refused.contains("has 4194306 bytes, and may have 4194304"), "{refused}");
    }
    stack.start("echo", json!("x".repeat(bytes as usize - 2))).await?;
    Ok(())
}

/// A worker claims ahead at the pace of what it has just run. When slow work follows, what it has claimed and cannot begin is given back.
#[tokio::test]
async fn what_was_claimed_ahead_and_finds_no_slot_is_given_back_and_has_lost_no_attempt() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker_that(&["--lease", "30s", "--slots", "1"], &[])?;
    stack.deploy(&behaviours()).await?;
    // Nothing begins before all is there, so that there is no pause between the quick ones and the slow ones.
    sqlx::query("select currant.configure_queue('mixed', paused => true)").execute(stack.pool()).await?;
    sqlx::query("select currant.enqueue_many('echo', array_fill('1'::json, array[3000]), queue => 'mixed')")
        .execute(stack.pool())
        .await?;
    let slow: Vec<Uuid> =
        sqlx::query_scalar("select currant.enqueue_many('sleep', array_fill('3600000'::json, array[200]), queue => 'mixed')")
            .fetch_one(stack.pool())
            .await?;
    sqlx::query("select currant.resume_queue('mixed')").execute(stack.pool()).await?;
    stack.until_status(slow[0], "running").await?;
    stack.until(slow[1], "select exists (select from currant.ready where run > 0) and $1 is not null").await?;
    stack.until(slow[1], "select count(*) = 1 and $1 is not null from currant.running").await?;
    let attempts: i64 =
        sqlx::query_scalar("select count(*) from currant.ready where attempt <> 1").fetch_one(stack.pool()).await?;
    assert_eq!(attempts, 0);
    Ok(())
}
