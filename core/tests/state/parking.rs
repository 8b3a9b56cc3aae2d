//! Executions whose function nothing deployed offers.

use currant_core::executions::commit::Fate;
use currant_core::executions::{NewExecution, Timeouts};
use currant_core::ids::QueueName;
use currant_core::{inbox, maintenance};
use sqlx::Executor;

use crate::world::{World, activation, asked, json, task, workflow};

#[tokio::test]
async fn what_nothing_offers_waits_for_its_deployment_and_is_shown_so() {
    let world = World::empty().await;
    let id = world.start("charge").await;
    let shown = world.client.status(&id).await.unwrap().unwrap();
    assert!(shown.parked && shown.kind.is_none());
    assert!(world.claim(10).await.is_empty());
    assert_eq!(world.deploy("shop", &[task("charge")]).await, None);
    let run = world.claimed(id).await;
    assert_eq!((run.run, run.attempt), (1, 1));
    let left: i64 = world.value(id, "select count(*) from currant.workflows where id = $1").await;
    assert_eq!(left, 0, "a task has no state of a workflow");
}

#[tokio::test]
async fn signals_to_what_becomes_a_workflow_are_kept_and_to_what_becomes_a_task_are_not() {
    let world = World::empty().await;
    let (later_workflow, later_task) = (world.start("checkout").await, world.start("charge").await);
    for id in [later_workflow, later_task] {
        assert!(world.client.signal(&id, "go", &json("1"), None).await.unwrap());
    }
    world.deploy("shop", &[task("charge"), workflow("checkout")]).await;
    assert_eq!(world.claim(10).await.len(), 2);
    assert_eq!(inbox::load(world.pool(), later_workflow, 0).await.unwrap().len(), 1);
    assert!(inbox::load(world.pool(), later_task, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_worker_parks_what_it_finds_without_a_module() {
    let world = World::new().await;
    let id = world.start("charge").await;
    world.deploy_version("shop", "2", &[workflow("checkout")], false).await;
    let run = world.claimed(id).await;
    assert_eq!(run.digest, None);
    world.written(activation(&run, Fate::Parked)).await;
    assert!(world.client.status(&id).await.unwrap().unwrap().parked);
    assert_eq!(maintenance::unpark(world.pool(), 10).await.unwrap(), 0);
    world.deploy_version("shop", "3", &[workflow("checkout"), task("charge")], false).await;
    let again = world.claimed(id).await;
    assert_eq!((again.run, again.attempt), (2, 1), "run numbers go on, so that no earlier run can ever write");
}

#[tokio::test]
async fn a_task_that_a_worker_has_parked_can_be_cancelled() {
    let world = World::new().await;
    let id = world.start("charge").await;
    world.deploy_version("shop", "2", &[workflow("checkout")], false).await;
    let run = world.claimed(id).await;
    world.written(activation(&run, Fate::Parked)).await;
    let mut connection = world.database.connect().await;
    // Looking for it in the wrong places, again and again, would go on for ever.
    connection.execute("set statement_timeout = '20s'").await.unwrap();
    let answer: String = sqlx::query_scalar("select currant.cancel($1)").bind(id).fetch_one(&mut connection).await.unwrap();
    assert_eq!((answer.as_str(), world.status(id).await.as_str()), ("cancelled", "cancelled"));
}

#[tokio::test]
async fn what_was_parked_while_its_function_was_deployed_is_found_by_maintenance() {
    // The enqueue does not see the deployment, and the deployment does not see the enqueue.
    let world = World::empty().await;
    // The first use of a queue's name is one that others wait for.
    world.client.resume_queue(&QueueName::parse("default").unwrap()).await.unwrap();
    let mut transaction = world.pool().begin().await.unwrap();
    let id = currant_core::client::enqueue(&mut transaction, asked("charge")).await.unwrap().id;
    world.deploy("shop", &[task("charge")]).await;
    transaction.commit().await.unwrap();
    assert!(world.claim(10).await.is_empty());
    assert_eq!(maintenance::unpark(world.pool(), 10).await.unwrap(), 1);
    assert_eq!(maintenance::unpark(world.pool(), 10).await.unwrap(), 0);
    world.claimed(id).await;
}

#[tokio::test]
async fn time_that_was_spent_parked_counts() {
    let world = World::empty().await;
    let timeouts = Timeouts { queue_ms: Some(60_000), total_ms: Some(120_000), ..Default::default() };
    let id = world.enqueue(NewExecution { timeouts, ..asked("charge") }).await.id;
    world.advance(50).await;
    world.deploy("shop", &[task("charge")]).await;
    world.advance(11).await;
    assert_eq!(maintenance::time_out_overdue(world.pool(), 10).await.unwrap(), 1);
    assert_eq!(world.status(id).await, "timed_out");
}

#[tokio::test]
async fn a_pass_is_bounded() {
    let world = World::empty().await;
    // The first use of a queue's name is one that others wait for.
    world.client.resume_queue(&QueueName::parse("default").unwrap()).await.unwrap();
    let mut transaction = world.pool().begin().await.unwrap();
    for _ in 0..5 {
        currant_core::client::enqueue(&mut transaction, asked("charge")).await.unwrap();
    }
    world.deploy("shop", &[task("charge")]).await;
    transaction.commit().await.unwrap();
    assert_eq!(maintenance::unpark(world.pool(), 3).await.unwrap(), 3);
    assert_eq!(maintenance::unpark(world.pool(), 3).await.unwrap(), 2);
}
