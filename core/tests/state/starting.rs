//! Starting: one, many, in the caller's transaction, and what is refused. What a key does is told in `keys`.

use currant_core::Error;
use currant_core::client;
use currant_core::executions::{NewExecution, Timeouts};
use currant_core::ids::{ExecutionId, QueueName, TaskId};
use currant_core::maintenance;
use currant_core::notify::{Hint, Listener, READY};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::world::{World, asked, function, json, task};

fn keyed(name: &str) -> NewExecution {
    NewExecution { task_id: Some(TaskId::parse("order-42").unwrap()), ..asked(name) }
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
    refused("select currant.enqueue_many('charge', array['1', '\"\\u0000\"']::json[])").await;
    refused("select currant.enqueue('charge', '[1e200000]')").await;
    refused("select currant.enqueue_many('charge', array['1', '[2E+200000]']::json[])").await;
    refused("select currant.enqueue_many('charge', array['1', '[\"\\ud800\"]']::json[])").await;
    refused("select currant.enqueue_many('charge', array['1', repeat('9', 140000)]::json[])").await;
    refused("select currant.enqueue('charge', ('[0.' || repeat('1', 16384) || ']')::json)").await;
    refused("select currant.enqueue_many('charge', '{}', retries => -1)").await;
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

/// More than one millisecond has ids for.
#[tokio::test]
async fn many_are_started_at_once_and_claimed_in_the_order_of_their_inputs() {
    let world = World::new().await;
    let inputs: Vec<_> = (0..9_000).map(|number| json(&number.to_string())).collect();
    let ids = world.client.enqueue_many(&asked("charge"), &inputs).await.unwrap();
    assert!(ids.is_sorted() && ids.len() == 9_000);
    assert!(ids.iter().all(|id| id.as_uuid().get_version_num() == 7));
    let claimed: Vec<_> = world.claim(9_000).await.into_iter().map(|run| (run.id, run.input)).collect();
    assert_eq!(claimed, ids.into_iter().zip(inputs).collect::<Vec<_>>());
    let answered: Vec<ExecutionId> = sqlx::query_scalar("select currant.enqueue_many('charge', array['1', null]::json[])")
        .fetch_one(world.pool())
        .await
        .unwrap();
    let inputs: Vec<_> = world.claim(10).await.into_iter().map(|run| (run.id, run.input.as_str().to_owned())).collect();
    assert_eq!(inputs, [(answered[0], "1".to_owned()), (answered[1], "null".into())]);
    let none: Vec<ExecutionId> =
        sqlx::query_scalar("select currant.enqueue_many('charge', '{}')").fetch_one(world.pool()).await.unwrap();
    assert_eq!(none, []);
}

#[tokio::test]
async fn what_is_said_of_many_holds_for_each() {
    let world = World::new().await;
    let all = NewExecution {
        queue: Some(QueueName::parse("mail").unwrap()),
        delay_ms: Some(60_000),
        priority: Some(-7),
        timeouts: Timeouts { attempt_ms: Some(5), total_ms: Some(3_600_000), ..Default::default() },
        retries: Some(0),
        concurrency_key: Some("ada".into()),
        tags: vec!["a".into()],
        ..asked("checkout")
    };
    let ids = world.client.enqueue_many(&all, &[json("1"), json("2")]).await.unwrap();
    assert!(world.claim(10).await.is_empty(), "not before its time");
    world.advance(61).await;
    let claimed = world.claim(10).await;
    for (run, id) in claimed.iter().zip(&ids) {
        assert_eq!((run.id, run.queue.as_str(), run.retry.retries, run.timeouts.attempt_ms), (*id, "mail", 0, Some(5)));
        assert!(run.deadline.is_some(), "the total timeout counts from the start");
        let shown = world.client.status(id).await.unwrap().unwrap();
        assert_eq!((shown.priority, shown.tags, shown.concurrency_key), (-7, vec!["a".to_owned()], Some("ada".to_owned())));
    }
    assert_eq!(claimed.len(), 2);
    world.advance(3_600).await;
    let overdue: i64 = sqlx::query_scalar("select count(*) from currant.workflows where deadline < currant.now()")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(overdue, 2);
}

/// A transaction that notifies keeps all others from committing: of those that commit together one does.
#[tokio::test]
async fn who_finds_another_telling_keeps_silent() {
    let world = World::new().await;
    let mut listener = Listener::to(world.pool().clone(), &[READY]);
    assert_eq!(listener.next().await, Hint::Reconnected);
    let told = async |listener: &mut Listener| match listener.next().await {
        Hint::Ready { queue, .. } => queue,
        other => panic!("{other:?}"),
    };
    let start = async |queue: &str| {
        world.enqueue(NewExecution { queue: Some(QueueName::parse(queue).unwrap()), ..asked("charge") }).await;
    };
    start("mail").await;
    assert_eq!(told(&mut listener).await, "mail");

    let mut other = world.database.connect().await;
    let mut telling = other.begin().await.unwrap();
    let lock = "select pg_advisory_xact_lock(hashtext('currant.ring'), hashtext('mail 0'))";
    telling.execute(lock).await.unwrap();
    start("mail").await;
    start("media").await;
    assert_eq!(told(&mut listener).await, "media", "of mail somebody else tells, of media nobody");
    telling.rollback().await.unwrap();
    world
        .client
        .enqueue_many(
            &NewExecution { queue: Some(QueueName::parse("mail").unwrap()), ..asked("charge") },
            &[json("1"), json("2")],
        )
        .await
        .unwrap();
    start("media").await;
    assert_eq!(told(&mut listener).await, "mail", "many are told of once");
    assert_eq!(told(&mut listener).await, "media");
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
