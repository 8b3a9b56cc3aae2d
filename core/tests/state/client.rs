//! What programs and people ask.

use std::time::Duration;

use currant_core::Error;
use currant_core::client::Filter;
use currant_core::executions::commit::{Activation, Fate, WorkflowWrites};
use currant_core::executions::{NewExecution, Status};
use currant_core::ids::{ExecutionId, QueueName, TaskId};
use currant_core::notify::{Hint, Listener};

use crate::world::{World, activation, asked, child, completes, decides, entry, fails, failure, function, json, starts};

#[tokio::test]
async fn waiting_for_a_result_ends_with_it() {
    let world = World::new().await;
    let run = world.run("charge").await;
    let (client, id) = (world.client.clone(), run.id);
    let waiting = tokio::spawn(async move { client.wait_for_result(&id, Some(Duration::from_secs(60))).await });
    world.written(completes(&run, "{\"a\":  1}")).await;
    let ended = waiting.await.unwrap().unwrap().expect("it has ended");
    assert_eq!((ended.status, ended.result.unwrap().as_str()), (Status::Completed, "{\"a\":  1}"));
    let again = world.client.wait_for_result(&id, None).await.unwrap().unwrap();
    assert_eq!(again.status, Status::Completed);
}

#[tokio::test]
async fn waiting_for_a_result_ends_when_its_time_is_over() {
    let world = World::new().await;
    let id = world.start("charge").await;
    assert_eq!(world.client.wait_for_result(&id, Some(Duration::from_millis(20))).await.unwrap(), None);
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    let error = world.client.wait_for_result(&nobody, None).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)));
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for name in ["charge", "charge", "checkout"] {
        ids.push(world.start(name).await);
        world.advance(1).await;
    }
    let mail = NewExecution { queue: Some(QueueName::parse("mail").unwrap()), ..asked("charge") };
    ids.push(world.enqueue(mail).await.id);
    let list = async |filter: Filter| {
        world.client.list(&filter).await.unwrap().iter().map(|execution| execution.id).collect::<Vec<_>>()
    };
    let all = Filter::default;
    assert_eq!(list(all()).await, [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(list(Filter { limit: 2, ..all() }).await, [ids[3], ids[2]]);
    assert_eq!(list(Filter { limit: 2, before: Some(ids[2]), ..all() }).await, [ids[1], ids[0]]);
    assert_eq!(list(Filter { function: Some(function("checkout")), ..all() }).await, [ids[2]]);
    assert_eq!(list(Filter { queue: Some(QueueName::parse("mail").unwrap()), ..all() }).await, [ids[3]]);
    assert_eq!(list(Filter { status: Some(Status::Completed), ..all() }).await, []);
    let parent = world.claim(10).await.into_iter().find(|run| run.id == ids[2]).unwrap();
    world.written(starts(&parent, vec![child(&parent, 1, "charge")])).await;
    assert_eq!(list(Filter { parent: Some(parent.id), ..all() }).await, [ExecutionId::of_child(parent.id, 1, 1)]);
    assert_eq!(list(Filter { status: Some(Status::Suspended), ..all() }).await, [parent.id]);
}

#[tokio::test]
async fn a_key_leads_to_its_newest_execution() {
    let world = World::new().await;
    let keyed = || NewExecution { task_id: Some(TaskId::parse("order-42").unwrap()), ..asked("charge") };
    assert!(world.client.newest_with_task_id("order-42").await.unwrap().is_none());
    let first = world.enqueue(keyed()).await.id;
    let run = world.claimed(first).await;
    world.written(fails(&run)).await;
    let second = world.enqueue(keyed()).await.id;
    let found = world.client.newest_with_task_id("order-42").await.unwrap().unwrap();
    assert_eq!((found.id, found.task_id.as_str()), (second, "order-42"));
}

#[tokio::test]
async fn a_history_shows_every_chain_and_every_attempt() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let write = |position| WorkflowWrites { entries: vec![entry(position)], ..Default::default() };
    world.written(decides(&run, write(0), Fate::Retries { failure: failure("x"), after_ms: 0 })).await;
    let run = world.claimed(run.id).await;
    world.written(decides(&run, write(1), Fate::ContinuesAsNew { input: json("1") })).await;
    let run = world.claimed(run.id).await;
    world.written(decides(&run, write(0), Fate::GoesOn)).await;
    let history = world.client.history(&run.id).await.unwrap();
    let entries: Vec<_> = history.entries.iter().map(|of| (of.chain, of.run, of.entry.position)).collect();
    assert_eq!(entries, [(1, 1, 0), (1, 2, 1), (2, 3, 0)]);
    let attempts: Vec<_> = history.attempts.iter().map(|of| (of.run, of.attempt)).collect();
    assert_eq!(attempts, [(1, 1)]);
    assert!(serde_json::to_string(&history).is_ok());
}

#[tokio::test]
async fn queues_say_what_is_in_them() {
    let world = World::new().await;
    world.run("charge").await;
    world.start("charge").await;
    world.enqueue(NewExecution { delay_ms: Some(60_000), ..asked("charge") }).await;
    world.client.pause_queue(&QueueName::parse("mail").unwrap()).await.unwrap();
    let queues = world.client.queues().await.unwrap();
    let shown: Vec<_> = queues.iter().map(|queue| (queue.name.as_str(), queue.paused, queue.pending, queue.running)).collect();
    assert_eq!(shown, [("default", false, 2, 1), ("mail", true, 0, 0)]);
    assert!(queues[0].oldest.is_some() && queues[1].oldest.is_none());
}

#[tokio::test]
async fn hints_arrive_and_are_at_most_one_per_queue_and_commit() {
    let world = World::new().await;
    let mut listener = Listener::new(world.pool().clone());
    assert_eq!(listener.next().await, Hint::Reconnected, "while nobody listened anything may have happened");
    sqlx::query("select currant.enqueue_many('charge', array_fill('1'::json, array[50]))").execute(world.pool()).await.unwrap();
    assert_eq!(listener.next().await, Hint::Ready { queue: "default".into(), priority: Some(0) });

    let run = world.claim(1).await.remove(0);
    world.client.cancel(&run.id).await.unwrap();
    assert_eq!(listener.next().await, Hint::Cancel { worker: Some(world.worker) }, "fifty starts were one hint");
    currant_core::modules::upload(world.pool(), b"x", false, None).await.unwrap();
    assert_eq!(listener.next().await, Hint::Deployment);

    let mut ended = Listener::to(world.pool().clone(), &[currant_core::notify::ENDED]);
    ended.next().await;
    world.written(completes(&run, "1")).await;
    assert_eq!(ended.next().await, Hint::Ended { ids: vec![run.id] });
}

#[tokio::test]
async fn a_status_can_be_shown_and_written_as_json() {
    let world = World::new().await;
    let run = world.run("charge").await;
    let shown = world.client.status(&run.id).await.unwrap().unwrap();
    assert_eq!((shown.status, shown.worker_id, shown.attempt), (Some(Status::Running), Some(world.worker), 1));
    assert_eq!(shown.digest(), run.digest);
    let line: Activation = activation(&run, Fate::GoesOn);
    world.written(line).await;
    let written: serde_json::Value = serde_json::to_value(&shown).unwrap();
    assert_eq!(written["status"], "running");
    assert!(world.client.status(&ExecutionId::from(uuid::Uuid::now_v7())).await.unwrap().is_none());
}
