//! Two things happen at once, stepped by hand on two connections: in either order the outcome is one of those that could have happened
//! without haste, and nothing is lost in between.
//!
//! A suspension against a child's end and against a signal: `waking`. A retry's locks, and everybody's: `locks`.

use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Fate, Verdict, WorkflowWrites, commit};
use currant_core::executions::{NewExecution, Started};
use currant_core::ids::{ExecutionId, TaskId};
use currant_core::inbox::NewsKind;
use currant_core::{Error, inbox, maintenance};
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tokio::task::JoinHandle;

use crate::waking::committing;
use crate::world::{LEASE, World, asked, blocked, child, completes, decides, fails, suspends, waits};

/// A transaction on a connection of its own.
async fn begin(connection: &mut PgConnection) -> Transaction<'_, Postgres> {
    connection.begin().await.unwrap()
}

/// A transaction that has locked a row, so that others line up behind it.
async fn hold<'a>(connection: &'a mut PgConnection, lock: &'static str, id: ExecutionId) -> Transaction<'a, Postgres> {
    let mut holding = begin(connection).await;
    sqlx::query(lock).bind(id).execute(&mut *holding).await.unwrap();
    holding
}

/// Waits until so many statements wait for locks.
async fn wait_for_locks(world: &World, many: i64) {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(world.pool()).await.unwrap() < many {
        tokio::task::yield_now().await;
    }
}

fn cancelling(world: &World, id: ExecutionId) -> JoinHandle<String> {
    let client = world.client.clone();
    tokio::spawn(async move { client.cancel(&id).await.unwrap() })
}

fn taking_over(world: &World) -> JoinHandle<u64> {
    let pool = world.pool().clone();
    tokio::spawn(async move { maintenance::return_expired(&pool, 10).await.unwrap() })
}

/// What a worker has claimed whose lease is over.
async fn abandoned(world: &World, function: &str) -> Claimed {
    world.start(function).await;
    let worker = world.another_worker().await;
    let run = world.claim_for(worker, 1).await.remove(0);
    world.advance(LEASE.as_secs() + 1).await;
    run
}

async fn count(world: &World, id: ExecutionId, query: &'static str) -> i64 {
    world.value(id, query).await
}

// Suspending, and a timer.

#[tokio::test]
async fn a_timer_that_falls_due_while_its_workflow_suspends_wakes_it_afterwards() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let sleeps = Fate::Suspends { until: None, shortest_new_timer_ms: Some(1_000), seen: 0, resident_on: None };
    let mut other = world.database.connect().await;
    let mut suspending = begin(&mut other).await;
    commit(&mut suspending, &[decides(&run, WorkflowWrites::default(), sleeps)]).await.unwrap();
    world.advance(2).await;
    assert_eq!(maintenance::wake_due(world.pool(), 10).await.unwrap(), 0, "it does not sleep yet, and nobody waits for it");
    suspending.commit().await.unwrap();
    assert_eq!(maintenance::wake_due(world.pool(), 10).await.unwrap(), 1);
    world.claimed(run.id).await;
}

#[tokio::test]
async fn a_workflow_that_suspends_when_its_timer_is_due_goes_on() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let until = Some(run.claimed_at + chrono::TimeDelta::seconds(1));
    world.advance(2).await;
    assert_eq!(maintenance::wake_due(world.pool(), 10).await.unwrap(), 0);
    let sleeps = Fate::Suspends { until, shortest_new_timer_ms: None, seen: 0, resident_on: None };
    let verdict = world.commit(decides(&run, WorkflowWrites::default(), sleeps)).await;
    assert!(matches!(verdict, Verdict::News { arrivals: 0, .. }));
    assert_eq!(world.status(run.id).await, "running");
}

// Suspending, and a cancellation.

#[tokio::test]
async fn a_cancellation_of_a_workflow_that_suspends_wakes_it_afterwards() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    world.written(decides(&run, WorkflowWrites::default(), Fate::GoesOn)).await;
    let mut other = world.database.connect().await;
    let mut suspending = begin(&mut other).await;
    commit(&mut suspending, &[suspends(&run)]).await.unwrap();
    let cancelling = cancelling(&world, run.id);
    blocked(&world).await;
    suspending.commit().await.unwrap();
    assert_eq!(cancelling.await.unwrap(), "requested");
    world.claimed(run.id).await;
    let news = inbox::load(world.pool(), run.id, 0).await.unwrap();
    assert!(matches!(news[..], [inbox::News { kind: NewsKind::Cancel, .. }]), "{news:?}");
}

#[tokio::test]
async fn a_workflow_that_suspends_while_it_is_cancelled_goes_on_and_is_told() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let mut other = world.database.connect().await;
    let mut cancelling = begin(&mut other).await;
    sqlx::query("select currant.cancel($1)").bind(run.id).execute(&mut *cancelling).await.unwrap();
    let suspending = committing(&world, suspends(&run)).await;
    blocked(&world).await;
    cancelling.commit().await.unwrap();
    assert!(matches!(suspending.await.unwrap(), Verdict::News { arrivals: 1, .. }), "it went to sleep over its cancellation");
    let news = inbox::load(world.pool(), run.id, 0).await.unwrap();
    assert!(matches!(news[..], [inbox::News { kind: NewsKind::Cancel, .. }]), "{news:?}");
}

// Suspending, and a takeover.

#[tokio::test]
async fn a_workflow_that_its_late_worker_has_just_suspended_is_not_taken_over() {
    let world = World::new().await;
    let run = abandoned(&world, "checkout").await;
    let mut other = world.database.connect().await;
    let mut suspending = begin(&mut other).await;
    commit(&mut suspending, &[suspends(&run)]).await.unwrap();
    let taking_over = taking_over(&world);
    blocked(&world).await;
    suspending.commit().await.unwrap();
    taking_over.await.unwrap();
    assert_eq!(world.status(run.id).await, "suspended");
    assert_eq!(count(&world, run.id, "select count(*) from currant.attempts where id = $1").await, 0);
}

#[tokio::test]
async fn a_worker_that_suspends_what_is_being_taken_over_is_told_that_it_lost_it() {
    let world = World::new().await;
    let run = abandoned(&world, "checkout").await;
    let mut other = world.database.connect().await;
    let holding = hold(&mut other, "select from currant.workflows where id = $1 for update", run.id).await;
    // In this order they wait, and in this order they go on.
    let taking_over = taking_over(&world);
    wait_for_locks(&world, 1).await;
    let suspending = committing(&world, suspends(&run)).await;
    wait_for_locks(&world, 2).await;
    holding.rollback().await.unwrap();
    assert_eq!(taking_over.await.unwrap(), 1);
    assert!(matches!(suspending.await.unwrap(), Verdict::Lost));
    assert_eq!(world.claimed(run.id).await.run, run.run + 1);
}

// Ending, and a cancellation.

#[tokio::test]
async fn what_completes_before_its_cancellation_is_completed() {
    for function in ["charge", "checkout"] {
        let world = World::new().await;
        let run = world.run(function).await;
        let mut other = world.database.connect().await;
        let mut completing = begin(&mut other).await;
        commit(&mut completing, &[completes(&run, "7")]).await.unwrap();
        let cancelling = cancelling(&world, run.id);
        blocked(&world).await;
        completing.commit().await.unwrap();
        assert_eq!(cancelling.await.unwrap(), "completed", "{function}");
        assert_eq!(world.status(run.id).await, "completed");
        assert_eq!(count(&world, run.id, "select count(*) from currant.inbox where workflow_id = $1").await, 0);
    }
}

#[tokio::test]
async fn what_completes_although_it_is_being_cancelled_is_completed() {
    for function in ["charge", "checkout"] {
        let world = World::new().await;
        let run = world.run(function).await;
        let mut other = world.database.connect().await;
        let mut cancelling = begin(&mut other).await;
        sqlx::query("select currant.cancel($1)").bind(run.id).execute(&mut *cancelling).await.unwrap();
        let completing = committing(&world, completes(&run, "7")).await;
        blocked(&world).await;
        cancelling.commit().await.unwrap();
        assert!(matches!(completing.await.unwrap(), Verdict::Written { .. }), "{function}");
        assert_eq!(world.status(run.id).await, "completed");
        assert_eq!(count(&world, run.id, "select count(*) from currant.inbox where workflow_id = $1").await, 0);
    }
}

#[tokio::test]
async fn a_child_that_ends_while_its_parent_is_cancelled_is_told_once_as_it_ended() {
    // The child's end holds the parent's lock: the cancellation finds a child that has ended, and a parent that is awake.
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let started = WorkflowWrites { children: vec![child(&parent, 1, "charge")], ..Default::default() };
    world.written(decides(&parent, started, waits(0))).await;
    let task = world.claim(1).await.remove(0);
    let mut other = world.database.connect().await;
    let mut ending = begin(&mut other).await;
    commit(&mut ending, &[completes(&task, "7")]).await.unwrap();
    let cancelling = cancelling(&world, parent.id);
    blocked(&world).await;
    ending.commit().await.unwrap();
    assert_eq!(cancelling.await.unwrap(), "requested");
    let news = inbox::load(world.pool(), parent.id, 0).await.unwrap();
    let kinds: Vec<_> = news.iter().map(|news| &news.kind).collect();
    assert!(matches!(kinds[..], [NewsKind::Completion { outcome: Ok(_), .. }, NewsKind::Cancel]), "{kinds:?}");
    assert_eq!(world.status(task.id).await, "completed");
    world.claimed(parent.id).await;
}

// A retry by hand, and a newer holder of the key.

fn keyed() -> NewExecution {
    NewExecution { task_id: Some(TaskId::parse("order-42").unwrap()), ..asked("charge") }
}

async fn failed_under_a_key(world: &World) -> ExecutionId {
    let id = world.enqueue(keyed()).await.id;
    let run = world.claimed(id).await;
    world.written(fails(&run)).await;
    id
}

#[tokio::test]
async fn a_retry_waits_for_whoever_takes_its_key_and_is_then_refused() {
    let world = World::new().await;
    let failed = failed_under_a_key(&world).await;
    let mut other = world.database.connect().await;
    let mut enqueueing = begin(&mut other).await;
    let newer = currant_core::client::enqueue(&mut enqueueing, keyed()).await.unwrap();
    assert!(newer.created);
    let client = world.client.clone();
    let retrying = tokio::spawn(async move { client.retry(&failed, false).await.map(drop) });
    blocked(&world).await;
    enqueueing.commit().await.unwrap();
    let refused = retrying.await.unwrap().unwrap_err();
    assert!(matches!(&refused, Error::Conflict { .. }) && refused.to_string().contains(&newer.id.to_string()), "{refused}");
    assert_eq!((world.status(failed).await.as_str(), world.status(newer.id).await.as_str()), ("failed", "pending"));
}

#[tokio::test]
async fn who_asks_for_a_key_that_is_being_retried_is_answered_the_retried_one() {
    let world = World::new().await;
    let failed = failed_under_a_key(&world).await;
    let mut other = world.database.connect().await;
    let mut retrying = begin(&mut other).await;
    sqlx::query("select currant.retry($1)").bind(failed).execute(&mut *retrying).await.unwrap();
    let client = world.client.clone();
    let enqueueing = tokio::spawn(async move { client.enqueue(keyed()).await.unwrap() });
    blocked(&world).await;
    retrying.commit().await.unwrap();
    let Started { id, created, .. } = enqueueing.await.unwrap();
    assert_eq!((id, created), (failed, false));
    assert_eq!(world.claim(10).await.len(), 1);
}

// Workers that are gone, and those who take over.

#[tokio::test]
async fn two_workers_that_take_over_one_dead_one_take_it_over_once() {
    for function in ["charge", "checkout"] {
        let world = World::new().await;
        let run = abandoned(&world, function).await;
        let mut other = world.database.connect().await;
        let holding = hold(&mut other, "select from currant.running where id = $1 for update", run.id).await;
        let both = [taking_over(&world), taking_over(&world)];
        wait_for_locks(&world, 2).await;
        holding.rollback().await.unwrap();
        for one in both {
            one.await.unwrap();
        }
        assert_eq!(count(&world, run.id, "select count(*) from currant.ready where id = $1").await, 1, "{function}");
        assert_eq!(count(&world, run.id, "select losses::bigint from currant.ready where id = $1").await, 1, "{function}");
        assert_eq!(count(&world, run.id, "select count(*) from currant.attempts where id = $1").await, 1, "{function}");
        assert_eq!(world.claimed(run.id).await.run, run.run + 1);
    }
}

#[tokio::test]
async fn what_its_late_worker_completes_first_is_not_taken_over() {
    for function in ["charge", "checkout"] {
        let world = World::new().await;
        let run = abandoned(&world, function).await;
        let mut other = world.database.connect().await;
        let mut completing = begin(&mut other).await;
        commit(&mut completing, &[completes(&run, "7")]).await.unwrap();
        let taking_over = taking_over(&world);
        blocked(&world).await;
        completing.commit().await.unwrap();
        taking_over.await.unwrap();
        assert_eq!(world.status(run.id).await, "completed", "{function}");
        assert!(world.claim(10).await.is_empty());
    }
}

#[tokio::test]
async fn what_is_being_taken_over_its_late_worker_completes_in_vain() {
    for function in ["charge", "checkout"] {
        let world = World::new().await;
        let run = abandoned(&world, function).await;
        let mut other = world.database.connect().await;
        let holding = hold(&mut other, "select from currant.running where id = $1 for update", run.id).await;
        let taking_over = taking_over(&world);
        wait_for_locks(&world, 1).await;
        let completing = committing(&world, completes(&run, "7")).await;
        wait_for_locks(&world, 2).await;
        holding.rollback().await.unwrap();
        assert_eq!(taking_over.await.unwrap(), 1, "{function}");
        assert!(matches!(completing.await.unwrap(), Verdict::Lost), "{function}");
        assert_eq!(world.claimed(run.id).await.run, run.run + 1);
    }
}
