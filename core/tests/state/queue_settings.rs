//! Where a queue's settings come from, and which of two holds.

use std::collections::BTreeMap;
use std::time::Duration;

use currant_core::ids::{QueueName, WorkerId};
use currant_core::queues::{self, Answer, Difference, QueueSettings};
use currant_core::workers::{self, NewWorker};

use crate::world::World;

fn named(queue: &str) -> QueueName {
    QueueName::parse(queue).unwrap()
}

/// A worker whose file says this of the queue `mail`; answers what became of it.
async fn worker_with(world: &World, settings: &[(&str, &str)]) -> (WorkerId, Vec<(String, Answer)>) {
    let mut said = QueueSettings::default();
    for (name, value) in settings {
        said.set(name, value).unwrap();
    }
    let id = WorkerId::random();
    let worker = NewWorker {
        id,
        host: "here".into(),
        pid: 1,
        version: "0.1.0".into(),
        queues: None,
        slots: 10,
        lease: Duration::from_secs(15),
        queue_settings: BTreeMap::from([(named("mail"), said)]),
    };
    workers::register(world.pool(), &worker).await.unwrap();
    (id, apply(world, id).await)
}

async fn apply(world: &World, worker: WorkerId) -> Vec<(String, Answer)> {
    let shown = |difference: &Difference| {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        (format!("{}: {} -> {}", difference.setting, text(&difference.held), text(&difference.wanted)), difference.answer)
    };
    queues::apply_files(world.pool(), worker).await.unwrap().iter().map(shown).collect()
}

async fn holds(world: &World, setting: &str) -> String {
    let queues = world.client.queues().await.unwrap();
    let mail = queues.iter().find(|queue| queue.name == "mail").unwrap();
    let setting = queues::SETTINGS.iter().find(|known| known.name == setting).unwrap();
    let (value, origin) = mail.setting(setting);
    format!("{value} ({})", origin.as_str())
}

#[tokio::test]
async fn a_file_holds_when_its_worker_starts_and_a_command_goes_before_it() {
    let world = World::new().await;
    let (first, said) = worker_with(&world, &[("rate_limit", "10/sec"), ("burst", "3")]).await;
    assert_eq!(
        said,
        [("burst: none -> 3".to_string(), Answer::Applied), ("rate_limit: none -> 10/sec".to_string(), Answer::Applied)]
    );
    assert!(apply(&world, first).await.is_empty(), "said once");

    world.set("mail", &[("rate_limit", "5/min")]).await;
    assert_eq!(holds(&world, "rate_limit").await, "5/min (command)");
    workers::release(world.pool(), first).await.unwrap();
    let (second, said) = worker_with(&world, &[("rate_limit", "20/sec")]).await;
    assert_eq!(
        said,
        [("burst: 3 -> none".to_string(), Answer::Applied), ("rate_limit: 5/min -> 20/sec".to_string(), Answer::Commanded)]
    );
    assert_eq!(holds(&world, "rate_limit").await, "5/min (command)");
    assert_eq!(holds(&world, "burst").await, "one second's worth, at least 1 (default)");

    world.set("mail", &[("rate_limit", "none")]).await;
    assert_eq!(holds(&world, "rate_limit").await, "none (command)");
    world.client.reset_queue(&named("mail"), Some(&["rate_limit"])).await.unwrap();
    assert_eq!(holds(&world, "rate_limit").await, "20/sec (file)");
    assert!(apply(&world, second).await.is_empty());
}

#[tokio::test]
async fn of_two_files_that_of_the_worker_that_runs_longer_stands_while_it_runs() {
    let world = World::new().await;
    let (old, _) = worker_with(&world, &[("concurrency", "2")]).await;
    world.advance(1).await;
    let (new, said) = worker_with(&world, &[("concurrency", "9")]).await;
    assert_eq!(said, [("concurrency: 2 -> 9".to_string(), Answer::Conflict)]);
    assert_eq!(holds(&world, "concurrency").await, "2 (file)");
    workers::release(world.pool(), old).await.unwrap();
    assert_eq!(apply(&world, new).await, [("concurrency: 2 -> 9".to_string(), Answer::Applied)]);
    assert_eq!(holds(&world, "concurrency").await, "9 (file)");
}

/// Others have set a queue's budget back by registering it again (hatchet#1834).
#[tokio::test]
async fn saying_the_same_again_leaves_the_bucket_alone() {
    let world = World::new().await;
    world.set("mail", &[("rate_limit", "2/hour"), ("burst", "2")]).await;
    sqlx::query("select currant.enqueue_many('charge', array_fill('1'::json, array[5]), queue => 'mail')")
        .execute(world.pool())
        .await
        .unwrap();
    assert_eq!(world.claim(10).await.len(), 2);
    world.set("mail", &[("rate_limit", "2/hour"), ("burst", "2")]).await;
    let (_, said) = worker_with(&world, &[("rate_limit", "2/hour")]).await;
    assert!(said.is_empty(), "{said:?}");
    assert!(world.claim(10).await.is_empty());
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_not_reset() {
    let world = World::new().await;
    let error = world.client.reset_queue(&named("nowhere"), None).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no queue 'nowhere'");
}
