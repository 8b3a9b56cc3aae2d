//! Retries of workflows by hand: what ended one is tried again, if that can be, and the answer says whether it can.

use chrono::{DateTime, Utc};
use currant_core::client::Retried;
use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Ending, Fate, WorkflowWrites};
use currant_core::ids::ExecutionId;
use currant_core::inbox;
use currant_core::journal::{self, JournalRow};

use crate::children::operations;
use crate::world::{World, activation, child, completes, decides, entry, fails, failure, json, starts, suspends};

fn row(position: i32, kind: &str, operation: Option<u32>) -> JournalRow {
    JournalRow { kind: kind.into(), operation, at: Some(DateTime::<Utc>::UNIX_EPOCH), body: Some(json("1")), ..entry(position) }
}

/// Writes these entries, from position 0 on, and ends with this code.
async fn ends(world: &World, run: &Claimed, entries: &[(&str, Option<u32>)], ending: Ending) {
    let entries = entries.iter().enumerate().map(|(index, (kind, operation))| row(index as i32, kind, *operation)).collect();
    let delivered = inbox::load(world.pool(), run.id, 0).await.unwrap().iter().map(|news| news.arrival).collect();
    world.written(decides(run, WorkflowWrites { entries, delivered, ..Default::default() }, Fate::Ends(ending))).await;
}

/// A workflow whose children, one for each operation from 1 on, have failed or completed.
async fn with_children(world: &World, succeed: &[bool]) -> Claimed {
    let parent = world.run("checkout").await;
    let children = (1..=succeed.len()).map(|operation| child(&parent, operation as u32, "charge")).collect();
    world.written(starts(&parent, children)).await;
    let mut claimed = world.claim(10).await;
    claimed.sort_by_key(|run| run.id);
    for (operation, succeeds) in (1..).zip(succeed) {
        let id = ExecutionId::of_child(parent.id, 1, operation);
        let run = claimed.iter().find(|run| run.id == id).unwrap();
        world.written(if *succeeds { completes(run, "7") } else { fails(run) }).await;
    }
    world.claimed(parent.id).await
}

async fn kinds(world: &World, id: ExecutionId) -> Vec<String> {
    journal::load(world.pool(), id, 1).await.unwrap().into_iter().map(|row| row.kind).collect()
}

#[tokio::test]
async fn the_child_whose_failure_ended_a_workflow_is_tried_again() {
    let world = World::new().await;
    let run = with_children(&world, &[true, false]).await;
    let record = [("started", None), ("task", Some(1)), ("completed", Some(1)), ("task", Some(2)), ("failed", Some(2))];
    ends(&world, &run, &record, Ending::Failed(failure("declined"))).await;
    assert_eq!(world.client.retry(&run.id, false).await.unwrap(), Retried::BeforeFailure);
    assert_eq!(kinds(&world, run.id).await, ["started", "task", "completed", "task"]);
    assert!(operations(&world, run.id).await.is_empty(), "nobody is told what is on record");
    let [first, second] = <[Claimed; 2]>::try_from(world.claim(10).await).unwrap();
    let (task, parent) = if first.id == run.id { (second, first) } else { (first, second) };
    assert_eq!((task.id, task.attempt), (ExecutionId::of_child(run.id, 1, 2), 2));
    world.written(suspends(&parent)).await;
    world.written(completes(&task, "8")).await;
    assert_eq!(operations(&world, run.id).await, [(2, true)]);
    let attempts = world.client.history(&run.id).await.unwrap().attempts;
    assert_eq!(attempts.len(), 1, "how it failed before is on record");
}

#[tokio::test]
async fn what_was_delivered_after_the_failure_is_delivered_again_and_what_was_given_up_is_needed_again() {
    let world = World::new().await;
    let run = with_children(&world, &[false, true]).await;
    let record = [
        ("started", None),
        ("task", Some(1)),
        ("task", Some(2)),
        ("task", Some(3)),
        ("timer", Some(4)),
        ("failed", Some(1)),
        ("completed", Some(2)),
        ("completed", Some(4)),
        ("cancel", Some(3)),
    ];
    ends(&world, &run, &record, Ending::Failed(failure("declined"))).await;
    assert_eq!(world.client.retry(&run.id, false).await.unwrap(), Retried::BeforeFailure);
    assert_eq!(kinds(&world, run.id).await, ["started", "task", "task", "task", "timer"]);
    assert_eq!(operations(&world, run.id).await, [(2, true)]);
    assert_eq!(world.status(ExecutionId::of_child(run.id, 1, 1)).await, "pending");
}

#[tokio::test]
async fn a_step_that_failed_last_runs_again() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    ends(&world, &run, &[("started", None), ("step", Some(1)), ("step-failed", Some(2))], Ending::Failed(failure("x"))).await;
    assert_eq!(world.client.retry(&run.id, false).await.unwrap(), Retried::BeforeFailure);
    assert_eq!(kinds(&world, run.id).await, ["started", "step"]);
}

#[tokio::test]
async fn a_cancellation_that_nothing_followed_is_taken_back() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let record = [("started", None), ("timer", Some(1)), ("cancelled", None), ("cancel", Some(1))];
    ends(&world, &run, &record, Ending::Cancelled(failure("cancelled"))).await;
    assert_eq!(world.client.retry(&run.id, false).await.unwrap(), Retried::BeforeFailure);
    assert_eq!(kinds(&world, run.id).await, ["started", "timer"]);
}

#[tokio::test]
async fn what_a_workflow_decided_after_a_failure_stands() {
    let world = World::new().await;
    for after in ["task", "version", "signal", "step", "external", "receive"] {
        let run = with_children(&world, &[false]).await;
        let record = [("started", None), ("task", Some(1)), ("failed", Some(1)), (after, Some(2))];
        ends(&world, &run, &record, Ending::Failed(failure("declined"))).await;
        assert_eq!(world.client.retry(&run.id, false).await.unwrap(), Retried::Replayed, "{after}");
        assert_eq!(kinds(&world, run.id).await.len(), 4, "{after}");
        world.client.cancel(&run.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_failure_of_the_host_leaves_the_record_as_it_is() {
    let world = World::new().await;
    for code in ["nondeterminism", "worker-lost", "limit-exceeded"] {
        let run = with_children(&world, &[false]).await;
        let record = [("started", None), ("task", Some(1)), ("failed", Some(1))];
        ends(&world, &run, &record, Ending::Failed(failure(code))).await;
        assert_eq!(world.client.retry(&run.id, false).await.unwrap(), Retried::Replayed, "{code}");
        assert_eq!(kinds(&world, run.id).await.len(), 3, "{code}");
        world.client.cancel(&run.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_failure_of_what_somebody_else_started_stands() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    ends(&world, &run, &[("started", None), ("task", Some(1)), ("failed", Some(1))], Ending::Failed(failure("x"))).await;
    assert_eq!(world.client.retry(&run.id, false).await.unwrap(), Retried::Replayed);
}

#[tokio::test]
async fn a_retry_goes_down_to_the_task_that_failed() {
    let world = World::new().await;
    let root = world.run("checkout").await;
    world.written(starts(&root, vec![child(&root, 1, "checkout")])).await;
    let middle = world.claimed(ExecutionId::of_child(root.id, 1, 1)).await;
    world.written(starts(&middle, vec![child(&middle, 1, "charge")])).await;
    let task = world.claim(1).await.remove(0);
    world.written(fails(&task)).await;
    let record = [("started", None), ("workflow", Some(1)), ("failed", Some(1))];
    let middle = world.claimed(middle.id).await;
    ends(&world, &middle, &record, Ending::Failed(failure("declined"))).await;
    let root = world.claimed(root.id).await;
    ends(&world, &root, &record, Ending::Failed(failure("declined"))).await;
    assert_eq!(world.client.retry(&root.id, false).await.unwrap(), Retried::BeforeFailure);
    assert_eq!(world.status(task.id).await, "pending");
}

#[tokio::test]
async fn a_task_and_a_workflow_from_its_start_go_on_anew() {
    let world = World::new().await;
    let task = world.run("charge").await;
    world.written(fails(&task)).await;
    assert_eq!(world.client.retry(&task.id, false).await.unwrap(), Retried::Anew);
    let task = world.claimed(task.id).await;
    world.written(activation(&task, Fate::Ends(Ending::Completed(json("1"))))).await;
    let run = world.run("checkout").await;
    ends(&world, &run, &[("started", None), ("step-failed", Some(1))], Ending::Failed(failure("x"))).await;
    assert_eq!(world.client.retry(&run.id, true).await.unwrap(), Retried::Anew);
    assert_eq!(kinds(&world, run.id).await.len(), 2, "the old journal is kept, and a new one begins");
}
