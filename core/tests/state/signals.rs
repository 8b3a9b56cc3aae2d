//! Signals: kept in order from the moment of the start, told once.

use currant_core::Error;
use currant_core::executions::commit::{Fate, WorkflowWrites};
use currant_core::ids::ExecutionId;
use currant_core::inbox::{self, NewsKind};
use currant_core::journal::JournalRow;
use sqlx::AssertSqlSafe;

use crate::world::{World, activation, completes, decides, entry, json, waits};

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
    for dedup_id in ["", &"x".repeat(256)] {
        let refused = world.client.signal(&id, "go", &json("1"), Some(dedup_id)).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid { .. }), "{refused:?}");
    }
    let large = json(&format!("\"{}\"", "x".repeat(5_000_000)));
    let refused = world.client.signal(&id, "go", &large, None).await.unwrap_err();
    assert!(refused.to_string().contains("the payload has 5000002 bytes"), "{refused}");
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

/// An external operation of a workflow that waits for it; answers its token.
async fn external(world: &World) -> (ExecutionId, String) {
    let run = world.run("checkout").await;
    let secret = "0".repeat(32);
    let row = JournalRow {
        operation: Some(1),
        kind: "external".into(),
        body: Some(json(&format!("{{\"secret\": \"{secret}\"}}"))),
        ..entry(0)
    };
    let writes = WorkflowWrites { entries: vec![row], ..Default::default() };
    world.written(decides(&run, writes, waits(0))).await;
    (run.id, format!("{}.{}.1.{secret}", run.id, run.chain))
}

#[tokio::test]
async fn what_comes_from_outside_can_be_read_by_the_workflow_or_is_refused() {
    let world = World::new().await;
    let (id, token) = external(&world).await;
    let call = async |call: &str| {
        let call = AssertSqlSafe(format!("select currant.{call}"));
        sqlx::query(call).bind(&token).execute(world.pool()).await.map_err(Error::from)
    };
    for refused in [
        "complete($1, '\"\\u0000\"')",
        "complete($1, to_json(repeat('x', 5000000)))",
        "fail($1, '{\"message\": \"no\", \"details\": [\"\\u0000\"]}')",
        "fail($1, '{\"message\": \"\\u0000\"}')",
        "fail($1, '{\"code\": \"no\"}')",
        "fail($1, json_build_object('message', 'no', 'code', repeat('x', 256)))",
    ] {
        let error = call(refused).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{refused}: {error:?}");
    }
    assert_eq!(world.status(id).await, "suspended");
    // Deeper than any value of a guest may be: it is told as text, and the workflow goes on.
    let deep = "fail($1, json_build_object('message', 'no', 'details', (repeat('[', 200) || repeat(']', 200))::json))";
    call(deep).await.unwrap();
    let news = inbox::load(world.pool(), id, 0).await.unwrap();
    let NewsKind::Completion { outcome: Err(failure), .. } = &news[0].kind else { panic!("{news:?}") };
    assert_eq!(failure.details.as_ref().unwrap().as_str(), format!("\"{}{}\"", "[".repeat(200), "]".repeat(200)));
}
