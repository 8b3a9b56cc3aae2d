//! Cancelling, in every status, downwards through the family, and never sideways.

use currant_core::Error;
use currant_core::executions::commit::{Ending, Fate, WorkflowWrites};
use currant_core::executions::{NewExecution, StartOptions};
use currant_core::ids::{ExecutionId, TaskId};
use currant_core::inbox::{self, NewsKind};

use crate::world::{World, activation, asked, child, completes, decides, failure, starts, suspends, waits};

async fn cancel(world: &World, id: ExecutionId) -> String {
    world.client.cancel(&id).await.unwrap()
}

#[tokio::test]
async fn what_has_not_begun_ends_at_once() {
    let world = World::new().await;
    for name in ["charge", "checkout", "unheard-of"] {
        let id = world.start(name).await;
        assert_eq!(cancel(&world, id).await, "cancelled", "{name}");
        assert_eq!(world.status(id).await, "cancelled");
        assert_eq!(world.failure_code(id).await, "cancelled");
        assert_eq!(cancel(&world, id).await, "cancelled", "and stays so");
    }
    assert!(world.claim(10).await.is_empty());
}

#[tokio::test]
async fn a_running_task_is_asked_to_stop() {
    let world = World::new().await;
    let run = world.run("charge").await;
    assert_eq!(cancel(&world, run.id).await, "requested");
    assert!(world.client.status(&run.id).await.unwrap().unwrap().cancel_requested);
    world.written(activation(&run, Fate::Ends(Ending::Cancelled(failure("cancelled"))))).await;
    assert_eq!(world.status(run.id).await, "cancelled");
}

#[tokio::test]
async fn a_workflow_that_has_begun_is_told_once() {
    let world = World::new().await;
    let running = world.run("checkout").await;
    assert_eq!(cancel(&world, running.id).await, "requested");
    let news = inbox::load(world.pool(), running.id, 0).await.unwrap();
    assert_eq!(news.iter().map(|news| &news.kind).collect::<Vec<_>>(), [&NewsKind::Cancel]);
    assert_eq!(world.status(running.id).await, "running");

    let told = WorkflowWrites { delivered: vec![1], ..Default::default() };
    world.written(decides(&running, told, waits(1))).await;
    assert_eq!(world.status(running.id).await, "suspended", "it knows, and compensates in its own time");
}

#[tokio::test]
async fn a_workflow_that_waits_is_woken_to_be_told() {
    let world = World::new().await;
    let run = world.suspended().await;
    assert_eq!(cancel(&world, run.id).await, "requested");
    let run = world.claimed(run.id).await;
    assert!(run.cancel_requested);
}

#[tokio::test]
async fn what_has_ended_stays_as_it_ended() {
    let world = World::new().await;
    let run = world.run("charge").await;
    world.written(completes(&run, "1")).await;
    assert_eq!(cancel(&world, run.id).await, "completed");
    assert_eq!(world.status(run.id).await, "completed");
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    assert!(matches!(world.client.cancel(&nobody).await.unwrap_err(), Error::NotFound(_)));
}

#[tokio::test]
async fn a_cancellation_goes_down_the_family_and_stops_at_what_is_detached() {
    let world = World::new().await;
    let root = world.run("checkout").await;
    let detached = currant_core::executions::NewChild { detached: true, ..child(&root, 3, "charge") };
    world.written(starts(&root, vec![child(&root, 1, "checkout"), child(&root, 2, "charge"), detached])).await;
    let claimed = world.claim(10).await;
    let of = |operation| {
        let id = ExecutionId::of_child(root.id, 1, operation);
        claimed.iter().find(|run| run.id == id).unwrap().clone()
    };
    let (middle, task, detached) = (of(1), of(2), of(3));
    world.written(starts(&middle, vec![child(&middle, 1, "charge"), child(&middle, 2, "checkout")])).await;
    let grandchild = ExecutionId::of_child(middle.id, 1, 1);
    let waiting = world.claim(10).await.into_iter().find(|run| run.id != grandchild).unwrap();
    world.written(suspends(&waiting)).await;

    assert_eq!(cancel(&world, root.id).await, "requested");
    let requested = async |id| world.client.status(&id).await.unwrap().unwrap().cancel_requested;
    assert!(
        requested(task.id).await && requested(middle.id).await && requested(waiting.id).await && requested(grandchild).await
    );
    assert!(!requested(detached.id).await);
}

#[tokio::test]
async fn children_that_have_not_begun_end_and_tell_their_parent() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![child(&parent, 1, "charge")])).await;
    cancel(&world, parent.id).await;
    assert_eq!(world.status(ExecutionId::of_child(parent.id, 1, 1)).await, "cancelled");
    let kinds: Vec<_> = inbox::load(world.pool(), parent.id, 0).await.unwrap().into_iter().map(|news| news.kind).collect();
    assert_eq!(kinds[0], NewsKind::Cancel, "it hears of its own cancellation first");
    assert!(
        matches!(&kinds[1], NewsKind::Completion { operation: 1, outcome: Err(failure), .. } if failure.code == "cancelled")
    );
}

#[tokio::test]
async fn children_end_with_their_parent() {
    let world = World::new().await;
    for ending in
        [Ending::Completed(crate::world::json("1")), Ending::Failed(failure("x")), Ending::Cancelled(failure("cancelled"))]
    {
        let parent = world.run("checkout").await;
        let children = vec![child(&parent, 1, "charge"), child(&parent, 2, "checkout")];
        let ends = decides(&parent, WorkflowWrites { children, ..Default::default() }, Fate::Ends(ending));
        world.written(ends).await;
        for operation in [1, 2] {
            assert_eq!(world.status(ExecutionId::of_child(parent.id, 1, operation)).await, "cancelled");
        }
    }
}

#[tokio::test]
async fn a_child_that_was_given_up_is_cancelled_in_the_same_commit() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world
        .written(decides(
            &parent,
            WorkflowWrites { children: vec![child(&parent, 1, "charge")], ..Default::default() },
            Fate::GoesOn,
        ))
        .await;
    let given_up = ExecutionId::of_child(parent.id, 1, 1);
    world.written(decides(&parent, WorkflowWrites { cancels: vec![given_up], ..Default::default() }, Fate::GoesOn)).await;
    assert_eq!(world.status(given_up).await, "cancelled");
}

#[tokio::test]
async fn a_shared_execution_outlives_one_of_the_workflows_that_wait_for_it() {
    let world = World::new().await;
    let shared = |parent| {
        let options = StartOptions { task_id: Some(TaskId::parse("order-42").unwrap()), ..Default::default() };
        currant_core::executions::NewChild { options, ..child(parent, 1, "charge") }
    };
    let creator = world.run("checkout").await;
    world.written(starts(&creator, vec![shared(&creator)])).await;
    let task = world.claim(1).await.remove(0);
    let other = world.run("checkout").await;
    world.written(starts(&other, vec![shared(&other)])).await;

    cancel(&world, creator.id).await;
    assert!(!world.client.status(&task.id).await.unwrap().unwrap().cancel_requested);
    let creator = world.claimed(creator.id).await;
    world.written(activation(&creator, Fate::Ends(Ending::Cancelled(failure("cancelled"))))).await;
    world.written(completes(&task, "5")).await;
    assert_eq!(world.claimed(other.id).await.run, 2);
}

#[tokio::test]
async fn a_claim_and_a_cancellation_at_once_do_not_lose_it() {
    let world = World::new().await;
    for _ in 0..10 {
        let id = world.start("charge").await;
        let (client, worker) = (world.client.clone(), world.claim(1));
        let cancelling = tokio::spawn(async move { client.cancel(&id).await.unwrap() });
        let claimed = worker.await;
        let answer = cancelling.await.unwrap();
        match (claimed.as_slice(), answer.as_str()) {
            ([run], "requested") => {
                assert!(world.client.status(&run.id).await.unwrap().unwrap().cancel_requested);
                world.written(completes(run, "1")).await;
            }
            ([], "cancelled") => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_key_is_free_after_a_cancellation() {
    let world = World::new().await;
    let keyed = || NewExecution { task_id: Some(TaskId::parse("order-42").unwrap()), ..asked("charge") };
    let first = world.enqueue(keyed()).await;
    cancel(&world, first.id).await;
    assert!(world.enqueue(keyed()).await.created);
}
