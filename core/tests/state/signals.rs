//! Signals: kept in order from the moment of the start, told once.

use currant_core::Error;
use currant_core::executions::commit::{Fate, WorkflowWrites};
use currant_core::ids::ExecutionId;
use currant_core::inbox::{self, NewsKind};

use crate::world::{World, activation, completes, decides, json};

async fn signals(world: &World, id: ExecutionId) -> Vec<String> {
    let news = inbox::load(world.pool(), id, 0).await.unwrap();
    let text = |kind| match kind {
        NewsKind::Signal { name, payload } => format!("{name} {payload}"),
        other => panic!("{other:?}"),
    };
    news.into_iter().map(|news| text(news.kind)).collect()
}

#[tokio::test]
async fn signals_before_the_first_claim_are_kept_in_order() {
    let world = World::new().await;
    let id = world.start("checkout").await;
    for payload in ["1", "{\"b\": 1,  \"a\": 2}", "3"] {
        assert!(world.client.signal(&id, "go", &json(payload), None).await.unwrap());
    }
    let run = world.claimed(id).await;
    assert_eq!(signals(&world, run.id).await, ["go 1", "go {\"b\": 1,  \"a\": 2}", "go 3"]);
}

#[tokio::test]
async fn a_signal_with_a_dedup_id_counts_once() {
    let world = World::new().await;
    let (one, other) = (world.start("checkout").await, world.start("checkout").await);
    assert!(world.client.signal(&one, "go", &json("1"), Some("a")).await.unwrap());
    assert!(!world.client.signal(&one, "go", &json("2"), Some("a")).await.unwrap());
    assert!(world.client.signal(&one, "go", &json("3"), Some("b")).await.unwrap());
    assert!(world.client.signal(&other, "go", &json("4"), Some("a")).await.unwrap(), "ids are per execution");
    assert_eq!(signals(&world, one).await, ["go 1", "go 3"]);
}

#[tokio::test]
async fn unread_signals_follow_into_the_next_chain() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    world.client.signal(&run.id, "go", &json("1"), None).await.unwrap();
    world.written(decides(&run, WorkflowWrites::default(), Fate::ContinuesAsNew { input: json("2") })).await;
    let run = world.claimed(run.id).await;
    assert_eq!(run.chain, 2);
    assert_eq!(signals(&world, run.id).await, ["go 1"]);
}

#[tokio::test]
async fn a_signal_to_what_cannot_receive_it_is_an_error() {
    let world = World::new().await;
    let send = async |id| world.client.signal(&id, "go", &json("1"), None).await.unwrap_err();
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    assert!(matches!(send(nobody).await, Error::NotFound(_)));

    let task = world.run("charge").await;
    let error = send(task.id).await;
    assert!(error.to_string().contains("only workflows receive signals"), "{error}");
    world.written(activation(&task, Fate::Returned)).await;
    assert!(matches!(send(task.id).await, Error::Conflict { .. }));

    world.claimed(task.id).await;
    let workflow = world.run("checkout").await;
    world.written(completes(&workflow, "1")).await;
    let error = send(workflow.id).await;
    assert!(matches!(error, Error::Conflict { .. }));
    assert!(error.to_string().contains("completed"), "{error}");
}

#[tokio::test]
async fn what_is_no_signal_is_refused() {
    let world = World::new().await;
    let id = world.start("checkout").await;
    let empty = world.client.signal(&id, "", &json("1"), None).await.unwrap_err();
    assert!(matches!(empty, Error::Invalid { .. }));
    let refused = sqlx::query("select currant.signal($1, 'go', '\"\\u0000\"')").bind(id).execute(world.pool()).await;
    assert!(matches!(Error::from(refused.unwrap_err()), Error::Invalid { .. }));
}

#[tokio::test]
async fn a_signal_goes_with_the_senders_transaction() {
    let world = World::new().await;
    let run = world.suspended().await;
    let mut transaction = world.pool().begin().await.unwrap();
    sqlx::query("select currant.signal($1, 'go')").bind(run.id).execute(&mut *transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(world.status(run.id).await, "suspended");
    assert!(signals(&world, run.id).await.is_empty());
}
