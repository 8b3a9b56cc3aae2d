//! Children: started with their parent's decision, attached where a task_id exists, and told to their parent whatever happens.

use currant_core::executions::commit::{Ending, Fate, Verdict, WorkflowWrites};
use currant_core::executions::{NewChild, NewExecution, RetryPolicy, StartOptions, Timeouts};
use currant_core::ids::{ExecutionId, QueueName, TaskId};
use currant_core::inbox::{self, NewsKind};
use currant_core::maintenance;

use crate::world::{World, activation, asked, child, completes, decides, entry, fails, failure, json, pin, starts, suspends};

fn keyed(parent: &currant_core::executions::claim::Claimed, operation: u32) -> NewChild {
    let options = StartOptions { task_id: Some(TaskId::parse("order-42").unwrap()), ..Default::default() };
    NewChild { options, ..child(parent, operation, "charge") }
}

/// The operations of which a workflow has news, and whether they completed.
pub(crate) async fn operations(world: &World, id: ExecutionId) -> Vec<(u32, bool)> {
    let news = inbox::load(world.pool(), id, 0).await.unwrap();
    let completion = |kind| match kind {
        NewsKind::Completion { operation, outcome, .. } => Some((operation, outcome.is_ok())),
        _ => None,
    };
    news.into_iter().filter_map(|news| completion(news.kind)).collect()
}

#[tokio::test]
async fn a_child_carries_what_its_parent_said_and_its_trace() {
    let world = World::new().await;
    let id: ExecutionId = sqlx::query_scalar(
        "select id from currant.enqueue('checkout', trace_context =>
             '{\"trace_id\": \"0123456789abcdef0123456789abcdef\", \"baggage\": {\"tenant\": \"a\"}}')",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    let parent = world.claimed(id).await;
    let options = StartOptions {
        queue: Some(QueueName::parse("mail").unwrap()),
        priority: Some(7),
        delay_ms: Some(5_000),
        retry: Some(RetryPolicy { retries: 9, backoff_ms: 1, multiplier: 1.5, max_backoff_ms: 2 }),
        timeouts: Timeouts { attempt_ms: Some(3), ..Default::default() },
        concurrency_key: Some("k".into()),
        tags: vec!["a".into(), "ü \"x\"".into()],
        ..Default::default()
    };
    world.written(starts(&parent, vec![NewChild { options, ..child(&parent, 1, "charge") }])).await;
    assert!(world.claim(10).await.is_empty(), "its delay is not over");
    world.advance(6).await;
    let task = world.claim(10).await.remove(0);
    assert_eq!((task.queue.as_str(), task.retry.retries, task.timeouts.attempt_ms), ("mail", 9, Some(3)));
    assert_eq!((task.parent, task.trace_id.as_str()), (Some(id), "0123456789abcdef0123456789abcdef"));
    assert_eq!(task.baggage, [("tenant".to_string(), "a".to_string())]);
    assert_ne!(task.span_id, parent.span_id);
    let shown = world.client.status(&task.id).await.unwrap().unwrap();
    assert_eq!((&task.trace_id, &task.span_id), (&shown.trace_id, &shown.span_id));
    assert_eq!((shown.priority, shown.tags, shown.concurrency_key), (7, vec!["a".into(), "ü \"x\"".into()], Some("k".into())));
}

#[tokio::test]
async fn a_child_that_fails_for_good_tells_its_parent_and_one_that_is_tried_again_does_not() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![child(&parent, 1, "charge")])).await;
    let task = world.claim(1).await.remove(0);
    world.written(activation(&task, Fate::Retries { failure: failure("x"), after_ms: 0 })).await;
    assert!(operations(&world, parent.id).await.is_empty());
    let task = world.claimed(task.id).await;
    world.written(fails(&task)).await;
    assert_eq!(operations(&world, parent.id).await, [(1, false)]);
}

#[tokio::test]
async fn a_thousand_children_start_in_one_commit() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, (1..=1_000).map(|operation| child(&parent, operation, "charge")).collect())).await;
    assert_eq!(world.claim(2_000).await.len(), 1_000);
}

#[tokio::test]
async fn two_children_with_one_key_are_one_execution_and_both_are_told() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![keyed(&parent, 1), keyed(&parent, 2)])).await;
    let task = world.claim(10).await;
    assert_eq!(task.len(), 1);
    world.written(completes(&task[0], "5")).await;
    let mut told = operations(&world, parent.id).await;
    told.sort_unstable();
    assert_eq!(told, [(1, true), (2, true)]);
}

#[tokio::test]
async fn a_key_of_an_execution_that_failed_starts_a_new_child() {
    let world = World::new().await;
    let new = NewExecution { task_id: Some(TaskId::parse("order-42").unwrap()), ..asked("charge") };
    let first = world.enqueue(new).await.id;
    let run = world.claimed(first).await;
    world.written(fails(&run)).await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![keyed(&parent, 1)])).await;
    let task = world.claimed(ExecutionId::of_child(parent.id, 1, 1)).await;
    world.written(completes(&task, "1")).await;
    assert_eq!(operations(&world, parent.id).await, [(1, true)]);
}

#[tokio::test]
async fn what_ends_at_the_very_moment_of_attaching_is_told_later() {
    let world = World::new().await;
    let new = NewExecution { task_id: Some(TaskId::parse("order-42").unwrap()), ..asked("charge") };
    let shared = world.enqueue(new).await.id;
    let task = world.claimed(shared).await;
    let parent = world.run("checkout").await;
    // Neither sees the other's row: both commit, and nobody has told the parent.
    let mut other = world.database.connect().await;
    let mut ending = sqlx::Connection::begin(&mut other).await.unwrap();
    currant_core::executions::commit::commit(&mut ending, &[completes(&task, "1")]).await.unwrap();
    world.written(starts(&parent, vec![keyed(&parent, 1)])).await;
    ending.commit().await.unwrap();
    assert!(operations(&world, parent.id).await.is_empty());
    assert_eq!(world.status(parent.id).await, "suspended");

    assert_eq!(maintenance::deliver_missed(world.pool()).await.unwrap(), 1);
    assert_eq!(maintenance::deliver_missed(world.pool()).await.unwrap(), 0);
    assert_eq!(operations(&world, parent.id).await, [(1, true)]);
    world.claimed(parent.id).await;
}

#[tokio::test]
async fn completions_of_an_earlier_chain_are_not_told() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let detached = NewChild { detached: true, ..child(&parent, 1, "charge") };
    let writes = WorkflowWrites { children: vec![detached], ..Default::default() };
    world.written(decides(&parent, writes, Fate::ContinuesAsNew { input: json("2") })).await;
    let claimed = world.claim(10).await;
    let task = claimed.iter().find(|run| run.id != parent.id).unwrap();
    world.written(completes(task, "1")).await;
    assert!(operations(&world, parent.id).await.is_empty());
}

#[tokio::test]
async fn a_child_of_an_unknown_function_waits_for_its_deployment() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![child(&parent, 1, "refund")])).await;
    assert!(world.claim(10).await.is_empty());
    assert_eq!(world.deploy("refunds", &[crate::world::task("refund")]).await, None);
    let task = world.claimed(ExecutionId::of_child(parent.id, 1, 1)).await;
    world.written(completes(&task, "1")).await;
    assert_eq!(operations(&world, parent.id).await, [(1, true)]);
}

/// A workflow that failed with one child done and untold, one told, one cancelled with it, and one given up before.
async fn failed_family(world: &World) -> ExecutionId {
    let parent = world.run("checkout").await;
    let children = (1..=4).map(|operation| child(&parent, operation, "charge")).collect();
    let entries = (0..5).map(entry).collect();
    let started = WorkflowWrites { pin: pin(&parent), entries, children, ..Default::default() };
    world.written(decides(&parent, started, Fate::GoesOn)).await;
    let tasks = world.claim(10).await;
    for operation in [1, 2] {
        let id = ExecutionId::of_child(parent.id, 1, operation);
        let task = tasks.iter().find(|task| task.id == id).unwrap();
        world.written(completes(task, "1")).await;
    }
    for task in
        tasks.iter().filter(|task| [3, 4].map(|operation| ExecutionId::of_child(parent.id, 1, operation)).contains(&task.id))
    {
        world.written(activation(task, Fate::Returned)).await;
    }
    let told =
        currant_core::journal::JournalRow { kind: "completed".into(), operation: Some(1), body: Some(json("1")), ..entry(5) };
    let gave_up = currant_core::journal::JournalRow { kind: "cancel".into(), operation: Some(4), ..entry(6) };
    let news = inbox::load(world.pool(), parent.id, 0).await.unwrap();
    let arrival = news.iter().find(|news| matches!(news.kind, NewsKind::Completion { operation: 1, .. })).unwrap().arrival;
    let writes = WorkflowWrites {
        entries: vec![told, gave_up],
        delivered: vec![arrival],
        cancels: vec![ExecutionId::of_child(parent.id, 1, 4)],
        ..Default::default()
    };
    world.written(decides(&parent, writes, Fate::Ends(Ending::Failed(failure("trap"))))).await;
    assert_eq!(world.status(ExecutionId::of_child(parent.id, 1, 3)).await, "cancelled");
    parent.id
}

#[tokio::test]
async fn a_workflow_that_is_retried_goes_on_with_its_children() {
    let world = World::new().await;
    let id = failed_family(&world).await;
    world.client.retry(&id, false).await.unwrap();
    let claimed = world.claim(10).await;
    let run = claimed.iter().find(|run| run.id == id).unwrap();
    assert_eq!((run.chain, run.attempt, run.forgiven), (1, 2, 1));
    assert_eq!(operations(&world, id).await, [(2, true)], "the untold one is still news, the told one is not");
    let again = claimed.iter().find(|run| run.id != id).expect("what was cancelled with it runs again");
    assert_eq!(again.id, ExecutionId::of_child(id, 1, 3));
    assert_eq!(claimed.len(), 2, "what it had given up does not");
    world.written(completes(again, "1")).await;
    assert_eq!(operations(&world, id).await, [(2, true), (3, true)]);
}

#[tokio::test]
async fn a_retry_from_the_start_leaves_the_old_children_alone() {
    let world = World::new().await;
    let id = failed_family(&world).await;
    world.client.retry(&id, true).await.unwrap();
    let run = world.claimed(id).await;
    assert_eq!(run.chain, 2);
    assert!(operations(&world, id).await.is_empty());
    let verdict = world.commit(suspends(&run)).await;
    assert!(matches!(verdict, Verdict::Written { .. }));
}

#[tokio::test]
async fn what_ends_while_a_workflow_is_closed_is_told_when_it_is_retried() {
    let world = World::new().await;
    let new = NewExecution { task_id: Some(TaskId::parse("order-42").unwrap()), ..asked("charge") };
    let shared = world.enqueue(new).await.id;
    let task = world.claimed(shared).await;
    let parent = world.run("checkout").await;
    let detached = NewChild { detached: true, ..child(&parent, 2, "charge") };
    let children = vec![keyed(&parent, 1), detached];
    let writes = WorkflowWrites { entries: vec![entry(0)], children, ..Default::default() };
    world.written(decides(&parent, writes, Fate::Ends(Ending::Failed(failure("trap"))))).await;
    world.written(completes(&task, "1")).await;
    let detached = world.claim(10).await.remove(0);
    world.written(completes(&detached, "2")).await;
    assert_eq!(maintenance::deliver_missed(world.pool()).await.unwrap(), 0, "it is closed: nobody to tell");

    world.client.retry(&parent.id, false).await.unwrap();
    let mut told = operations(&world, parent.id).await;
    told.sort_unstable();
    assert_eq!(told, [(1, true), (2, true)]);
}

#[tokio::test]
async fn a_later_chain_is_retried_with_its_own_input() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    world.written(decides(&run, WorkflowWrites::default(), Fate::ContinuesAsNew { input: json("{\"page\":  2}") })).await;
    let run = world.claimed(run.id).await;
    let writes = WorkflowWrites { entries: vec![entry(0)], ..Default::default() };
    world.written(decides(&run, writes, Fate::Ends(Ending::Failed(failure("trap"))))).await;
    world.client.retry(&run.id, false).await.unwrap();
    let again = world.claimed(run.id).await;
    assert_eq!((again.chain, again.input.as_str()), (2, "{\"page\":  2}"));
}

#[tokio::test]
async fn a_retry_of_what_never_wrote_an_entry_takes_the_current_version() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    world.written(fails(&run)).await;
    assert_eq!(world.deploy_version("shop", "2", &[crate::world::workflow("checkout")], false).await, None);
    world.client.retry(&run.id, false).await.unwrap();
    let again = world.claimed(run.id).await;
    assert_ne!(again.digest, run.digest);
    assert_eq!(again.chain, 1);
}

#[tokio::test]
async fn a_retry_is_refused_when_a_newer_execution_has_the_key() {
    let world = World::new().await;
    let new = || NewExecution { task_id: Some(TaskId::parse("order-42").unwrap()), ..asked("charge") };
    let first = world.enqueue(new()).await.id;
    let run = world.claimed(first).await;
    world.written(fails(&run)).await;
    let newer = world.enqueue(new()).await.id;
    let error = world.client.retry(&first, false).await.unwrap_err();
    assert!(matches!(error, currant_core::Error::Conflict { .. }));
    assert!(error.to_string().contains(&newer.to_string()), "{error}");
    assert_eq!(world.status(first).await, "failed");
}
