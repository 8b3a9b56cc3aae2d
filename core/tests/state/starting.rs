//! Starting, and the rule "allow duplicate, failed only".

use currant_core::Error;
use currant_core::client;
use currant_core::executions::{NewExecution, Started, Status};
use currant_core::ids::{QueueName, TaskId};
use currant_core::maintenance;
use sqlx::{AssertSqlSafe, Connection};

use crate::world::{World, activation, asked, completes, fails, failure, function, json, suspends, task};
use currant_core::executions::commit::{Ending, Fate};

fn keyed(name: &str) -> NewExecution {
    NewExecution { task_id: Some(TaskId::parse("order-42").unwrap()), ..asked(name) }
}

#[tokio::test]
async fn a_key_of_an_open_execution_answers_it() {
    let world = World::new().await;
    let first = world.enqueue(keyed("checkout")).await;
    assert!(first.created);

    let again = |status| Started { id: first.id, status, result: None, created: false, conflict: false };
    assert_eq!(world.enqueue(keyed("checkout")).await, again(Status::Pending));
    let run = world.claimed(first.id).await;
    assert_eq!(world.enqueue(keyed("checkout")).await, again(Status::Running));
    world.written(suspends(&run)).await;
    assert_eq!(world.enqueue(keyed("checkout")).await, again(Status::Suspended));
}

#[tokio::test]
async fn a_key_of_a_completed_execution_answers_its_result() {
    let world = World::new().await;
    let first = world.enqueue(keyed("charge")).await;
    let run = world.claimed(first.id).await;
    world.written(completes(&run, "{\"b\": 1.0,  \"a\":2}")).await;
    let again = world.enqueue(keyed("charge")).await;
    let result = Some(json("{\"b\": 1.0,  \"a\":2}"));
    assert_eq!(again, Started { id: first.id, status: Status::Completed, result, created: false, conflict: false });
}

#[tokio::test]
async fn a_key_of_an_execution_that_did_not_complete_starts_a_new_one() {
    let world = World::new().await;
    let endings =
        [Ending::Failed(failure("declined")), Ending::Cancelled(failure("cancelled")), Ending::TimedOut(failure("timed-out"))];
    let mut last = world.enqueue(keyed("charge")).await;
    for ending in endings {
        let run = world.claimed(last.id).await;
        world.written(activation(&run, Fate::Ends(ending))).await;
        let next = world.enqueue(keyed("charge")).await;
        assert!(next.created);
        assert_ne!(next.id, last.id);
        last = next;
    }
}

#[tokio::test]
async fn another_function_or_input_under_a_key_is_a_conflict() {
    let world = World::new().await;
    let first = world.enqueue(NewExecution { input: json("{\"a\": 1, \"b\": 2}"), ..keyed("charge") }).await;
    let other = world.enqueue(NewExecution { input: json("{\"a\": 1}"), ..keyed("charge") }).await;
    assert_eq!((other.id, other.created, other.conflict), (first.id, false, true));
    let other = world.enqueue(keyed("checkout")).await;
    assert_eq!((other.id, other.created, other.conflict), (first.id, false, true));
    let same = world.enqueue(NewExecution { input: json("{\"b\":2,\"a\":1}"), ..keyed("charge") }).await;
    assert!(!same.conflict, "the same value, written differently, is the same input");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_connections_that_hammer_one_key_make_one_execution() {
    let world = World::new().await;
    let asking = (0..16).map(|_| {
        let (client, new) = (world.client.clone(), keyed("charge"));
        tokio::spawn(async move { client.enqueue(new).await.unwrap() })
    });
    let mut started = Vec::new();
    for asking in asking.collect::<Vec<_>>() {
        started.push(asking.await.unwrap());
    }
    assert_eq!(started.iter().filter(|started| started.created).count(), 1);
    assert!(started.iter().all(|other| other.id == started[0].id));
    assert_eq!(world.claim(10).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_holder_failed_goes_to_one_of_many() {
    let world = World::new().await;
    let first = world.enqueue(keyed("charge")).await;
    let run = world.claimed(first.id).await;
    world.written(fails(&run)).await;
    let asking = (0..8).map(|_| {
        let (client, new) = (world.client.clone(), keyed("charge"));
        tokio::spawn(async move { client.enqueue(new).await.unwrap() })
    });
    let mut created = 0;
    for asking in asking.collect::<Vec<_>>() {
        created += usize::from(asking.await.unwrap().created);
    }
    assert_eq!(created, 1);
}

#[tokio::test]
async fn an_execution_starts_with_the_callers_own_transaction() {
    let world = World::new().await;
    let mut connection = world.database.connect().await;
    let mut transaction = connection.begin().await.unwrap();
    client::enqueue(&mut transaction, keyed("charge")).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(world.claim(1).await.is_empty());

    let mut transaction = connection.begin().await.unwrap();
    let started = client::enqueue(&mut transaction, keyed("charge")).await.unwrap();
    assert!(started.created, "the key went with the transaction that asked for it");
    assert!(world.claim(1).await.is_empty());
    transaction.commit().await.unwrap();
    world.claimed(started.id).await;
}

#[tokio::test]
async fn what_is_asked_for_can_say_when_where_and_how_urgently() {
    let world = World::new().await;
    let new = NewExecution {
        queue: Some(QueueName::parse("mail").unwrap()),
        delay_ms: Some(60_000),
        priority: Some(-7),
        retries: Some(0),
        tags: vec!["a".into(), "b".into()],
        ..asked("charge")
    };
    let started = world.enqueue(new).await;
    assert!(world.claim(1).await.is_empty(), "not before its time");
    let shown = world.client.status(&started.id).await.unwrap().unwrap();
    assert_eq!((shown.queue.as_str(), shown.priority, shown.tags), ("mail", -7, vec!["a".to_string(), "b".into()]));
    world.advance(61).await;
    let run = world.claimed(started.id).await;
    assert_eq!(run.retry.retries, 0, "no retries are no retries, and not the default");
}

#[tokio::test]
async fn wrong_arguments_are_refused_with_what_is_wrong() {
    let world = World::new().await;
    let refused = async |query: &'static str| {
        let error = Error::from(sqlx::query(query).execute(world.pool()).await.unwrap_err());
        assert!(matches!(error, Error::Invalid { .. }), "{query}: {error:?}");
    };
    refused("select currant.enqueue('Check Out')").await;
    refused("select currant.enqueue(null)").await;
    refused("select currant.enqueue('charge', queue => 'No')").await;
    refused("select currant.enqueue('charge', task_id => '')").await;
    refused("select currant.enqueue('charge', priority => 40000)").await;
    refused("select currant.enqueue('charge', retries => -1)").await;
    refused("select currant.enqueue('charge', timeout => '-1 s')").await;
    refused("select currant.enqueue('charge', '\"\\u0000\"')").await;
    refused("select currant.enqueue('charge', '{')").await;
    refused("select currant.enqueue('charge', trace_context => '{\"trace_id\": \"xyz\"}')").await;
    refused("select currant.enqueue('charge', trace_context => '{\"baggage\": {\"a\": \"\\u0000\"}}')").await;
    refused("select currant.enqueue('charge', run_at => 'infinity')").await;
    refused("select currant.enqueue('charge', run_at => '-infinity')").await;
    refused("select currant.enqueue('charge', run_at => '200000-01-01')").await;
    refused("select currant.enqueue('charge', concurrency_key => '')").await;
    refused("select currant.enqueue('charge', concurrency_key => repeat('x', 256))").await;
    refused("select currant.enqueue('charge', tags => array['a', null])").await;
    refused("select currant.enqueue('charge', tags => array['a', ''])").await;
    refused("select currant.enqueue('charge', tags => array[['a', 'b'], ['c', 'd']])").await;
    refused("select currant.enqueue('charge', tags => '[5:6]={a,b}')").await;
    refused("select currant.enqueue('charge', to_json(repeat('x', 5000000)))").await;
    refused("select currant.enqueue_many('Check Out', array['1']::json[])").await;
    refused("select currant.enqueue_many('charge', array['1']::json[], queue => 'No')").await;
    refused("select currant.enqueue_many('charge', array['1']::json[], priority => 40000)").await;
    refused("select currant.enqueue_many('charge', array['1']::json[], run_at => 'infinity')").await;
    refused("select currant.enqueue_many('charge', array['1']::json[], tags => array[null])").await;
    refused("select currant.enqueue_many('charge', array['\"\\u0000\"']::json[])").await;
    refused("select currant.enqueue_many('charge', array[['1', '2'], ['3', '4']]::json[])").await;
}

/// What is accepted from one must be readable for everybody: a claim, a list or a deployment that stumbled over it would stop all others.
#[tokio::test]
async fn the_strangest_request_that_is_accepted_stops_nobody() {
    let world = World::empty().await;
    let longest = "x".repeat(255);
    for request in [
        format!("select id from currant.enqueue('charge', concurrency_key => '{longest}', task_id => '{longest}')"),
        "select id from currant.enqueue('charge', run_at => currant.now() + interval '9999 years')".into(),
        "select id from currant.enqueue('charge', run_at => '4000-01-01 BC')".into(),
        "select id from currant.enqueue('charge', timeout => '170000000 years', queue_timeout => '170000000 years')".into(),
        "select id from currant.enqueue('charge', total_timeout => '170000000 years', retries => 2147483647)".into(),
        "select id from currant.enqueue('charge', (repeat('[', 5000) || repeat(']', 5000))::json)".into(),
        "select id from currant.enqueue('charge', '1e100000')".into(),
        "select id from currant.enqueue('charge', tags => '{a,b}', task_id => E'\\x1b[2J\\n', priority => -32768)".into(),
        "select id from currant.enqueue('charge', trace_context => '[1]')".into(),
        "select id from currant.enqueue('charge', trace_context => '{\"baggage\": {\"a\": {\"b\": [1]}}}')".into(),
    ] {
        sqlx::query(AssertSqlSafe(request.clone())).execute(world.pool()).await.expect(&request);
    }
    assert_eq!(world.deploy("shop", &[task("charge")]).await, None, "what was parked does not stand in its way");
    let claimed = world.claim(100).await;
    assert_eq!(claimed.len(), 9, "all but the one that lies ahead");
    assert!(world.claim(100).await.is_empty());
    let shown = world.client.list(&Default::default()).await.unwrap();
    assert_eq!(shown.len(), 10);
    serde_json::to_string(&shown).unwrap();
    assert_eq!(world.client.queues().await.unwrap().len(), 1);
    maintenance::look(world.pool(), std::time::Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn many_are_started_at_once_in_the_order_of_their_inputs() {
    let world = World::new().await;
    let ids: Vec<currant_core::ids::ExecutionId> =
        sqlx::query_scalar("select currant.enqueue_many('charge', array['1', '2', null]::json[])")
            .fetch_all(world.pool())
            .await
            .unwrap();
    let mut claimed = world.claim(10).await;
    claimed.sort_by_key(|run| ids.iter().position(|id| *id == run.id));
    let inputs: Vec<_> = claimed.iter().map(|run| run.input.as_str()).collect();
    assert_eq!(inputs, ["1", "2", "null"]);
    let none: i64 =
        sqlx::query_scalar("select count(*) from currant.enqueue_many('charge', '{}')").fetch_one(world.pool()).await.unwrap();
    assert_eq!(none, 0);
}

#[tokio::test]
async fn ids_sort_by_the_time_of_their_start() {
    let world = World::new().await;
    let first = world.start("charge").await;
    world.advance(1).await;
    let second = world.start("charge").await;
    assert!(first < second);
    assert_eq!(second.as_uuid().get_version_num(), 7);
    assert_eq!(world.client.list(&Default::default()).await.unwrap()[0].id, second);
    assert_eq!(function("charge").as_str(), world.client.status(&first).await.unwrap().unwrap().function);
}
