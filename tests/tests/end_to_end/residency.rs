//! Waiting workflows that stay in memory: what changes is what it costs, and nothing else.

use anyhow::{Result, ensure};
use currant_tests::{PATIENCE, Stack, WorkerProcess, behaviours};
use serde_json::json;
use uuid::Uuid;

/// What a worker says when a workflow goes on without being replayed.
const IN_MEMORY: &str = "goes on in memory";

async fn stack_keeping(variables: &[(&str, &str)]) -> Result<(Stack, WorkerProcess)> {
    let stack = Stack::new().await;
    let worker = stack.keeping_worker(variables)?;
    stack.deploy(&behaviours()).await?;
    Ok((stack, worker))
}

/// How often a workflow went on in this worker's memory.
fn resumed(worker: &WorkerProcess) -> usize {
    worker.log().matches(IN_MEMORY).count()
}

async fn until_resident(stack: &Stack, id: Uuid) -> Result<()> {
    stack.until(id, "select status = 'suspended' and resident_on is not null from currant.status($1)").await
}

async fn until_not_resident(stack: &Stack, id: Uuid) -> Result<()> {
    stack.until(id, "select status = 'suspended' and resident_on is null from currant.status($1)").await
}

#[tokio::test]
async fn a_waiting_workflow_goes_on_in_memory() -> Result<()> {
    let (stack, worker) = stack_keeping(&[]).await?;
    let id = stack.start("wait_signal", json!("go")).await?;
    until_resident(&stack, id).await?;
    let shown = stack.currant_ok(&["status", &id.to_string()]).await?;
    assert!(shown.contains("suspended; resident in a worker's memory"), "{shown}");
    stack.signal(id, "go", json!(1)).await?;
    assert_eq!(stack.ended(id).await?.result, json!(1));
    assert_eq!(resumed(&worker), 1);
    Ok(())
}

#[tokio::test]
async fn who_waits_too_long_is_dropped_and_replayed() -> Result<()> {
    let (stack, worker) = stack_keeping(&[("CURRANT_WORKER_RESIDENT_TIME", "100ms")]).await?;
    let id = stack.start("wait_signal", json!("go")).await?;
    until_not_resident(&stack, id).await?;
    let shown = stack.currant_ok(&["status", &id.to_string()]).await?;
    assert!(shown.contains("suspended; will be replayed"), "{shown}");
    stack.signal(id, "go", json!(1)).await?;
    assert_eq!(stack.ended(id).await?.result, json!(1));
    assert_eq!(resumed(&worker), 0);
    Ok(())
}

#[tokio::test]
async fn when_there_are_too_many_the_first_make_room() -> Result<()> {
    let (stack, worker) = stack_keeping(&[("CURRANT_WORKER_RESIDENT_COUNT", "2")]).await?;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let id = stack.start("wait_signal", json!("go")).await?;
        until_resident(&stack, id).await?;
        waiting.push(id);
    }
    until_not_resident(&stack, waiting[0]).await?;
    for id in &waiting {
        stack.signal(*id, "go", json!(1)).await?;
    }
    for id in waiting {
        assert_eq!(stack.ended(id).await?.result, json!(1));
    }
    assert_eq!(resumed(&worker), 2);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_uses_too_much_memory_drops_them() -> Result<()> {
    let (stack, _worker) = stack_keeping(&[("CURRANT_WORKER_RESIDENT_MEMORY", "1MiB")]).await?;
    let id = stack.start("wait_signal", json!("go")).await?;
    until_not_resident(&stack, id).await?;
    stack.signal(id, "go", json!(1)).await?;
    assert_eq!(stack.ended(id).await?.result, json!(1));
    Ok(())
}

#[tokio::test]
async fn a_resident_holds_no_slot() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.keeping_worker(&[("CURRANT_WORKER_SLOTS", "1")])?;
    stack.deploy(&behaviours()).await?;
    let id = stack.start("wait_signal", json!("go")).await?;
    until_resident(&stack, id).await?;
    assert_eq!(stack.result("echo", json!(1)).await?, json!(1));
    stack.signal(id, "go", json!(1)).await?;
    assert_eq!(stack.ended(id).await?.result, json!(1));
    Ok(())
}

/// The worker that keeps it hangs, another one goes on, and the first one comes back with what it remembers.
#[tokio::test]
async fn a_resident_that_was_overtaken_elsewhere_is_not_used() -> Result<()> {
    let (stack, first) = stack_keeping(&[]).await?;
    let id = stack.start("two_signals_in_order", json!("go")).await?;
    until_resident(&stack, id).await?;
    let home: Uuid = stack.value(id, "select resident_on from currant.status($1)").await?;
    first.signal("STOP")?;
    let second = stack.keeping_worker(&[])?;
    stack.signal(id, "go", json!(1)).await?;
    stack.until(id, "select count(*) = 1 from currant.journal where workflow_id = $1 and kind = 'signal'").await?;
    until_resident(&stack, id).await?;
    let now: Uuid = stack.value(id, "select resident_on from currant.status($1)").await?;
    assert_ne!(now, home);
    second.kill()?;
    first.signal("CONT")?;
    stack.signal(id, "go", json!(2)).await?;
    assert_eq!(stack.ended(id).await?.result, json!([1, 2]));
    // A claim that was on its way when it was stopped was taken over: when it wakes it may still believe it, and cannot write anything.
    let overtaken: i64 = stack.value(id, "select count(*) from currant.attempts where id = $1").await?;
    assert!(resumed(&first) as i64 <= overtaken, "what it remembered was out of date");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_dies_takes_no_waiting_workflow_with_it() -> Result<()> {
    let (stack, worker) = stack_keeping(&[]).await?;
    let id = stack.start("wait_signal", json!("go")).await?;
    until_resident(&stack, id).await?;
    worker.kill()?;
    let other = stack.keeping_worker(&[])?;
    stack.signal(id, "go", json!(1)).await?;
    assert_eq!(stack.ended(id).await?.result, json!(1));
    let attempts: i64 = stack.value(id, "select count(*) from currant.attempts where id = $1").await?;
    assert_eq!((attempts, resumed(&other)), (0, 0), "nobody lost anything");
    Ok(())
}

#[tokio::test]
async fn a_shutdown_drops_them_at_once() -> Result<()> {
    let (stack, worker) = stack_keeping(&[]).await?;
    let id = stack.start("wait_signal", json!("go")).await?;
    until_resident(&stack, id).await?;
    let asked = std::time::Instant::now();
    worker.stop().await?;
    ensure!(asked.elapsed() < PATIENCE);
    stack.until(id, "select resident_on is null from currant.status($1)").await?;
    assert_eq!(stack.value::<String>(id, "select currant.status_of($1)").await?, "suspended");
    Ok(())
}

#[tokio::test]
async fn one_whose_module_may_call_somebody_else_now_is_replayed() -> Result<()> {
    let (stack, worker) = stack_keeping(&[]).await?;
    let id = stack.start("wait_signal", json!("go")).await?;
    until_resident(&stack, id).await?;
    stack.deploy_with(&behaviours(), &["--allow-http", "localhost:1"]).await?;
    // What was granted a second ago may still be believed.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    stack.signal(id, "go", json!(1)).await?;
    assert_eq!(stack.ended(id).await?.result, json!(1));
    assert_eq!(resumed(&worker), 0);
    Ok(())
}
