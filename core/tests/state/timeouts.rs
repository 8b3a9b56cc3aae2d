//! Timeouts by the database's clock.

use currant_core::executions::commit::{Fate, WorkflowWrites};
use currant_core::executions::{NewExecution, Timeouts};
use currant_core::ids::ExecutionId;
use currant_core::{inbox, maintenance};

use crate::world::{World, activation, asked, child, completes, decides, failure, starts, waits};

const MINUTE: u64 = 60_000;

fn queue(milliseconds: u64) -> Timeouts {
    Timeouts { queue_ms: Some(milliseconds), ..Default::default() }
}

fn total(milliseconds: u64) -> Timeouts {
    Timeouts { total_ms: Some(milliseconds), ..Default::default() }
}

async fn overdue(world: &World) -> u64 {
    maintenance::time_out_overdue(world.pool(), 10).await.unwrap()
}

async fn start(world: &World, name: &str, timeouts: Timeouts) -> ExecutionId {
    world.enqueue(NewExecution { timeouts, ..asked(name) }).await.id
}

#[tokio::test]
async fn what_waits_too_long_in_its_queue_ends() {
    let world = World::new().await;
    for name in ["charge", "checkout", "unheard-of"] {
        let id = start(&world, name, queue(MINUTE)).await;
        assert_eq!(overdue(&world).await, 0);
        world.advance(61).await;
        assert_eq!(overdue(&world).await, 1, "{name}");
        assert_eq!(world.status(id).await, "timed_out");
        assert_eq!(world.failure_code(id).await, "timed-out");
    }
}

#[tokio::test]
async fn the_queue_timeout_counts_from_when_it_could_first_be_claimed() {
    let world = World::new().await;
    let new = NewExecution { timeouts: queue(MINUTE), delay_ms: Some(10 * MINUTE), ..asked("charge") };
    world.enqueue(new).await;
    world.advance(601).await;
    assert_eq!(overdue(&world).await, 0);
    world.advance(60).await;
    assert_eq!(overdue(&world).await, 1);
}

#[tokio::test]
async fn the_queue_timeout_ends_with_the_first_claim() {
    let world = World::new().await;
    let id = start(&world, "charge", queue(MINUTE)).await;
    let run = world.claimed(id).await;
    world.written(activation(&run, Fate::Retries { failure: failure("x"), after_ms: 0 })).await;
    world.advance(61).await;
    assert_eq!(overdue(&world).await, 0);
    world.claimed(id).await;
}

#[tokio::test]
async fn the_total_counts_over_all_attempts_and_pauses() {
    let world = World::new().await;
    let id = start(&world, "charge", total(MINUTE)).await;
    let run = world.claimed(id).await;
    assert_eq!((run.deadline.unwrap() - run.claimed_at).num_seconds(), 59);
    world.written(activation(&run, Fate::Retries { failure: failure("x"), after_ms: 10 * MINUTE })).await;
    world.advance(61).await;
    assert_eq!(overdue(&world).await, 1, "it need not wait for an attempt that comes too late");
    assert_eq!(world.status(id).await, "timed_out");
}

#[tokio::test]
async fn a_woken_workflow_that_nobody_claims_ends_when_its_total_is_over() {
    let world = World::new().await;
    let id = start(&world, "checkout", total(MINUTE)).await;
    let run = world.claimed(id).await;
    let fate = Fate::Suspends { until: None, shortest_new_timer_ms: Some(1_000), seen: 0, resident_on: None };
    world.written(decides(&run, WorkflowWrites::default(), fate)).await;
    world.advance(2).await;
    assert_eq!(maintenance::wake_due(world.pool(), 10).await.unwrap(), 1);
    world.advance(60).await;
    assert_eq!(overdue(&world).await, 1);
    assert_eq!(world.status(id).await, "timed_out");
}

#[tokio::test]
async fn a_workflow_that_times_out_cancels_its_children_and_tells_its_parent() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let options = currant_core::executions::StartOptions { timeouts: total(MINUTE), ..Default::default() };
    let limited = currant_core::executions::NewChild { options, ..child(&parent, 1, "checkout") };
    world.written(starts(&parent, vec![limited])).await;
    let middle = world.claim(1).await.remove(0);
    world.written(starts(&middle, vec![child(&middle, 1, "charge")])).await;
    world.advance(61).await;
    assert_eq!(overdue(&world).await, 1);
    assert_eq!(world.status(ExecutionId::of_child(middle.id, 1, 1)).await, "cancelled");
    let news = inbox::load(world.pool(), parent.id, 0).await.unwrap();
    assert!(format!("{news:?}").contains("timed-out"));
    world.claimed(parent.id).await;
}

#[tokio::test]
async fn a_worker_that_was_faster_keeps_what_it_claimed() {
    let world = World::new().await;
    let id = start(&world, "charge", queue(MINUTE)).await;
    world.advance(61).await;
    let run = world.claimed(id).await;
    assert_eq!(overdue(&world).await, 0);
    world.written(completes(&run, "1")).await;
}

#[tokio::test]
async fn a_timeout_longer_than_the_calendar_is_none() {
    let world = World::new().await;
    let id =
        start(&world, "checkout", Timeouts { queue_ms: Some(u64::MAX), total_ms: Some(u64::MAX), ..Default::default() }).await;
    let parent = world.claimed(id).await;
    let timeouts = Timeouts { queue_ms: Some(u64::MAX), total_ms: Some(u64::MAX), ..Default::default() };
    let options = currant_core::executions::StartOptions { timeouts, delay_ms: Some(u64::MAX), ..Default::default() };
    let patient = currant_core::executions::NewChild { options, ..child(&parent, 1, "charge") };
    world.written(decides(&parent, WorkflowWrites { children: vec![patient], ..Default::default() }, waits(0))).await;
    assert!(world.claim(10).await.is_empty());
}

#[tokio::test]
async fn a_retry_by_hand_gets_its_time_anew() {
    let world = World::new().await;
    let id = start(&world, "charge", total(MINUTE)).await;
    world.advance(61).await;
    overdue(&world).await;
    world.client.retry(&id, false).await.unwrap();
    assert_eq!(overdue(&world).await, 0);
    let run = world.claimed(id).await;
    assert!(run.deadline.unwrap() > run.claimed_at);
}

/// No limit is none, and not one in ten thousand years: its row is in no index of limits.
#[tokio::test]
async fn what_has_no_limit_has_no_deadline() {
    let world = World::new().await;
    let id = world.start("checkout").await;
    let limits: i64 = world
        .value(
            id,
            "select count(deadline) + count(expires_at) + (select count(deadline) from currant.workflows where id = $1)
             from currant.ready where id = $1",
        )
        .await;
    assert_eq!(limits, 0);
}
