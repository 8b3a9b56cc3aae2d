//! Cancelled workflows that undo what they did: how long they may take, and how somebody who cannot wait ends them.

use std::time::Duration;

use currant_core::executions::commit::{Ending, Fate, WorkflowWrites};
use currant_core::ids::ExecutionId;
use currant_core::{maintenance, workers};

use crate::world::{LEASE, World, activation, child, decides, failure, starts, suspends, waits};

/// How long a cancelled workflow may take.
pub(crate) const GRACE: Duration = Duration::from_secs(3600);

async fn cancel(world: &World, id: ExecutionId) -> String {
    world.client.cancel(&id).await.unwrap()
}

/// What any worker does now and then.
async fn end_cancelled(world: &World) -> u64 {
    maintenance::end_cancelled(world.pool(), GRACE, 100).await.unwrap()
}

async fn why(world: &World, id: ExecutionId) -> String {
    world.client.result(&id).await.unwrap().unwrap().failure.unwrap().message
}

#[tokio::test]
async fn one_that_waits_is_ended_by_a_second_cancellation() {
    let world = World::new().await;
    let run = world.suspended().await;
    assert_eq!(cancel(&world, run.id).await, "requested");
    let run = world.claimed(run.id).await;
    let told = WorkflowWrites { delivered: vec![1], ..Default::default() };
    world.written(decides(&run, told, waits(1))).await;
    assert_eq!(world.status(run.id).await, "suspended", "it undoes what it did");
    assert_eq!(cancel(&world, run.id).await, "cancelled");
    assert_eq!(world.status(run.id).await, "cancelled");
    assert!(why(&world, run.id).await.contains("cancelled again"));
}

#[tokio::test]
async fn one_that_is_pending_with_news_is_ended_by_a_second_cancellation() {
    let world = World::new().await;
    let run = world.suspended().await;
    assert_eq!((cancel(&world, run.id).await, cancel(&world, run.id).await), ("requested".into(), "cancelled".into()));
    assert!(world.claim(10).await.is_empty());
}

#[tokio::test]
async fn of_one_that_runs_the_worker_is_told() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    assert_eq!((cancel(&world, run.id).await, cancel(&world, run.id).await), ("requested".into(), "requested".into()));
    assert_eq!(workers::heartbeat(world.pool(), world.worker, &[]).await.unwrap(), [run.id]);
    world.written(activation(&run, Fate::Ends(Ending::Cancelled(failure("cancelled"))))).await;
    assert_eq!(world.status(run.id).await, "cancelled");
}

#[tokio::test]
async fn one_whose_worker_is_told_and_which_suspends_all_the_same_is_ended_by_the_next_pass() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    cancel(&world, run.id).await;
    cancel(&world, run.id).await;
    assert!(!maintenance::look(world.pool(), GRACE).await.unwrap().ungraceful, "its worker was told");
    let told = WorkflowWrites { delivered: vec![1], ..Default::default() };
    world.written(decides(&run, told, waits(1))).await;
    assert!(maintenance::look(world.pool(), GRACE).await.unwrap().ungraceful);
    assert_eq!(end_cancelled(&world).await, 1);
    assert_eq!(world.status(run.id).await, "cancelled");
    assert!(!maintenance::look(world.pool(), GRACE).await.unwrap().ungraceful);
}

#[tokio::test]
async fn one_that_is_given_back_or_lost_after_that_ends_with_its_children() {
    let world = World::new().await;
    for is_lost in [false, true] {
        let id = world.start("checkout").await;
        let worker = if is_lost { world.another_worker().await } else { world.worker };
        let run = world.claim_for(worker, 10).await.remove(0);
        let children = WorkflowWrites { children: vec![child(&run, 1, "checkout")], ..Default::default() };
        world.written(decides(&run, children, Fate::GoesOn)).await;
        cancel(&world, id).await;
        cancel(&world, id).await;
        if is_lost {
            world.advance(LEASE.as_secs() + 1).await;
            maintenance::return_expired(world.pool(), 10).await.unwrap();
        } else {
            world.written(activation(&run, Fate::Returned)).await;
        }
        assert_eq!(world.status(id).await, "cancelled");
        assert_eq!(world.status(ExecutionId::of_child(id, 1, 1)).await, "cancelled");
    }
}

#[tokio::test]
async fn one_that_takes_longer_than_its_grace_is_ended() {
    let world = World::new().await;
    let run = world.suspended().await;
    cancel(&world, run.id).await;
    let run = world.claimed(run.id).await;
    let told = WorkflowWrites { delivered: vec![1], ..Default::default() };
    world.written(decides(&run, told, waits(1))).await;
    world.advance(GRACE.as_secs() - 1).await;
    let todo = maintenance::look(world.pool(), GRACE).await.unwrap();
    assert!(!todo.ungraceful && todo.next.is_some_and(|next| next <= Duration::from_secs(1)), "{todo:?}");
    assert_eq!(end_cancelled(&world).await, 0);
    world.advance(1).await;
    assert!(maintenance::look(world.pool(), GRACE).await.unwrap().ungraceful);
    assert_eq!(end_cancelled(&world).await, 1);
    assert_eq!((world.status(run.id).await, why(&world, run.id).await.contains("within the 1h")), ("cancelled".into(), true));
}

#[tokio::test]
async fn the_grace_counts_from_the_request_whatever_becomes_of_its_workers() {
    let world = World::new().await;
    let id = world.start("checkout").await;
    let worker = world.another_worker().await;
    world.claim_for(worker, 1).await;
    cancel(&world, id).await;
    world.advance(LEASE.as_secs() + 1).await;
    maintenance::return_expired(world.pool(), 10).await.unwrap();
    assert_eq!(world.status(id).await, "pending", "it may still undo what it did");
    world.advance(GRACE.as_secs() - LEASE.as_secs() - 1).await;
    assert_eq!(end_cancelled(&world).await, 1);
    assert_eq!(world.status(id).await, "cancelled");
}

#[tokio::test]
async fn of_one_that_runs_beyond_its_grace_the_worker_is_told_once() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    cancel(&world, run.id).await;
    world.advance(GRACE.as_secs()).await;
    assert_eq!((end_cancelled(&world).await, end_cancelled(&world).await), (1, 0));
    assert_eq!(workers::heartbeat(world.pool(), world.worker, &[]).await.unwrap(), [run.id]);
}

#[tokio::test]
async fn a_child_that_undoes_what_it_did_is_not_hurried_by_the_end_of_its_parent() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![child(&parent, 1, "checkout")])).await;
    let child = ExecutionId::of_child(parent.id, 1, 1);
    let run = world.claimed(child).await;
    world.written(suspends(&run)).await;
    cancel(&world, parent.id).await;
    assert_eq!(cancel(&world, parent.id).await, "cancelled");
    assert_eq!(world.status(child).await, "pending", "it was told, and ends in its own time");
    assert_eq!(cancel(&world, child).await, "cancelled", "unless it is cancelled by hand");
}

#[tokio::test]
async fn what_undoes_something_goes_on_whatever_becomes_of_those_above() {
    for parent_is_cancelled in [true, false] {
        let world = World::new().await;
        let parent = world.run("checkout").await;
        let started = WorkflowWrites { children: vec![child(&parent, 1, "checkout")], ..Default::default() };
        world.written(decides(&parent, started, Fate::GoesOn)).await;
        let middle = world.claimed(ExecutionId::of_child(parent.id, 1, 1)).await;
        world.written(suspends(&middle)).await;
        assert_eq!(cancel(&world, middle.id).await, "requested");
        let middle = world.claimed(middle.id).await;
        let undoing = WorkflowWrites { children: vec![child(&middle, 1, "charge")], delivered: vec![1], ..Default::default() };
        world.written(decides(&middle, undoing, waits(1))).await;
        if parent_is_cancelled {
            assert_eq!(cancel(&world, parent.id).await, "requested");
        } else {
            world.written(activation(&parent, Fate::Ends(Ending::Failed(failure("declined"))))).await;
        }
        assert_eq!(world.status(ExecutionId::of_child(middle.id, 1, 1)).await, "pending");
        assert_eq!(world.status(middle.id).await, "suspended");
    }
}

#[tokio::test]
async fn one_that_is_retried_has_its_grace_anew() {
    let world = World::new().await;
    let run = world.suspended().await;
    cancel(&world, run.id).await;
    cancel(&world, run.id).await;
    world.client.retry(&run.id, false).await.unwrap();
    let run = world.claimed(run.id).await;
    assert!(!run.cancel_requested);
    assert_eq!(cancel(&world, run.id).await, "requested");
    assert_eq!(end_cancelled(&world).await, 0);
}
