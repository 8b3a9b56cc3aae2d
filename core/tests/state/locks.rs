//! The order of locks: keys, then workflows by their ids, then running by their ids, then the rest.
//!
//! Stepped by hand: somebody holds the first workflow of a family; whoever needs the whole family waits for it, and must not hold the
//! last one meanwhile.

use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Ending, Fate, WorkflowWrites, commit};
use currant_core::executions::{NewChild, NewExecution, StartOptions, Timeouts};
use currant_core::ids::{ExecutionId, TaskId};
use currant_core::{Client, Error, maintenance};
use sqlx::{Connection, PgPool};

use crate::world::{World, activation, asked, blocked, child, completes, decides, failure, json, starts, waits};

/// A workflow with a child and a grandchild, all of them workflows that are claimed.
struct Family {
    root: Claimed,
    members: Vec<ExecutionId>,
}

async fn family(world: &World) -> Family {
    let timeouts = Timeouts { total_ms: Some(60_000), ..Default::default() };
    let id = world.enqueue(NewExecution { timeouts, ..asked("checkout") }).await.id;
    let root = world.claimed(id).await;
    let start = |run: &Claimed| WorkflowWrites { children: vec![child(run, 1, "checkout")], ..Default::default() };
    world.written(decides(&root, start(&root), Fate::GoesOn)).await;
    let middle = world.claim(1).await.remove(0);
    world.written(decides(&middle, start(&middle), Fate::GoesOn)).await;
    let last = world.claim(1).await.remove(0);
    let mut members = vec![root.id, middle.id, last.id];
    members.sort_unstable();
    Family { root, members }
}

/// Starts `operation` while another holds the family's first row, and looks whether it holds the last one while it waits.
async fn keeps_the_order<F>(world: &World, family: &Family, operation: impl FnOnce(PgPool, Claimed) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (first, last) = (family.members[0], family.members[2]);
    let lock = "select from currant.workflows where id = $1 for update nowait";
    let mut holder = world.database.connect().await;
    let mut holding = holder.begin().await.unwrap();
    sqlx::query(lock).bind(first).execute(&mut *holding).await.unwrap();

    let mut operating = tokio::spawn(operation(world.pool().clone(), family.root.clone()));
    tokio::select! {
        () = blocked(world) => {}
        ended = &mut operating => panic!("it does not need the first row at all: {ended:?}"),
    }
    sqlx::query(lock).bind(last).execute(&mut *holding).await.expect("who waits for the first row holds no later one");
    let running = "select from currant.running where id = any ($1) for update nowait";
    sqlx::query(running).bind(&family.members).execute(&mut *holding).await.expect("nor any running row");
    holding.rollback().await.unwrap();
    operating.await.unwrap();
}

#[tokio::test]
async fn a_cancellation_keeps_the_order() {
    let world = World::new().await;
    let family = family(&world).await;
    keeps_the_order(&world, &family, |pool, root| async move {
        Client::new(pool).cancel(&root.id).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_workflow_keeps_the_order() {
    let world = World::new().await;
    let family = family(&world).await;
    keeps_the_order(&world, &family, |pool, root| async move {
        commit(&mut pool.acquire().await.unwrap(), &[completes(&root, "1")]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_new_chain_keeps_the_order() {
    let world = World::new().await;
    let family = family(&world).await;
    keeps_the_order(&world, &family, |pool, root| async move {
        let next = decides(&root, WorkflowWrites::default(), Fate::ContinuesAsNew { input: json("1") });
        commit(&mut pool.acquire().await.unwrap(), &[next]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn giving_a_child_up_keeps_the_order() {
    let world = World::new().await;
    let family = family(&world).await;
    keeps_the_order(&world, &family, |pool, root| async move {
        let cancels = vec![ExecutionId::of_child(root.id, 1, 1)];
        let gives_up = decides(&root, WorkflowWrites { cancels, ..Default::default() }, Fate::GoesOn);
        commit(&mut pool.acquire().await.unwrap(), &[gives_up]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_return_of_what_was_lost_keeps_the_order() {
    let world = World::new().await;
    let family = family(&world).await;
    world.execute(family.root.id, "delete from currant.worker_heartbeats where $1 is not null").await;
    keeps_the_order(&world, &family, |pool, _| async move {
        assert_eq!(maintenance::return_expired(&pool, 10).await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_timeout_keeps_the_order() {
    let world = World::new().await;
    let family = family(&world).await;
    world.written(decides(&family.root, WorkflowWrites::default(), waits(0))).await;
    world.advance(61).await;
    keeps_the_order(&world, &family, |pool, _| async move {
        assert_eq!(maintenance::time_out_overdue(&pool, 10).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_retry_locks_the_keys_of_a_family_in_their_order() {
    let world = World::new().await;
    let key = |key: &str| Some(TaskId::parse(key).unwrap());
    // Of bytes, not of any language: an upper-case letter comes first.
    let parent = world.enqueue(NewExecution { task_id: key("a-parent"), ..asked("checkout") }).await;
    let run = world.claimed(parent.id).await;
    let options = StartOptions { task_id: key("B-child"), ..Default::default() };
    let children = vec![NewChild { options, ..child(&run, 1, "charge") }];
    world.written(decides(&run, WorkflowWrites { children, ..Default::default() }, Fate::GoesOn)).await;
    world.written(activation(&run, Fate::Ends(Ending::Failed(failure("declined"))))).await;
    let child = ExecutionId::of_child(parent.id, 1, 1);
    assert_eq!(world.status(child).await, "cancelled", "it ended with its parent");

    let lock = "select from currant.keys where task_id = $1 for update nowait";
    let mut holder = world.database.connect().await;
    let mut holding = holder.begin().await.unwrap();
    sqlx::query(lock).bind("B-child").execute(&mut *holding).await.unwrap();
    let client = world.client.clone();
    let retrying = tokio::spawn(async move { client.retry(&parent.id, false).await.unwrap() });
    blocked(&world).await;
    sqlx::query(lock).bind("a-parent").execute(&mut *holding).await.expect("who waits for the first key holds no later one");
    holding.rollback().await.unwrap();
    retrying.await.unwrap();
    assert_eq!(world.status(child).await, "pending", "the child is started again with its parent");
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

fn keyed(parent: &Claimed, operation: u32, key: usize, name: &str) -> currant_core::executions::NewChild {
    let options = StartOptions { task_id: Some(TaskId::parse(&format!("key-{key}")).unwrap()), ..Default::default() };
    currant_core::executions::NewChild { options, ..child(parent, operation, name) }
}

/// What a run may do, at random; families grow, share children under keys, and end in every way.
fn something(run: &Claimed, dice: &mut Dice) -> currant_core::executions::commit::Activation {
    let is_task = run.kind == currant_core::executions::Kind::Task;
    match dice.roll(if is_task { 5 } else { 9 }) {
        0 | 1 => completes(run, "1"),
        2 => activation(run, Fate::Ends(Ending::Failed(failure("x")))),
        3 => activation(run, Fate::Retries { failure: failure("x"), after_ms: 0 }),
        4 => activation(run, Fate::Returned),
        5 => decides(run, WorkflowWrites::default(), Fate::ContinuesAsNew { input: json("1") }),
        6 => {
            // Operations are numbered by the run, so that a later run starts others.
            let first = run.run as u32 * 10;
            let children = vec![
                child(run, first, "charge"),
                keyed(run, first + 1, dice.roll(4), "charge"),
                child(run, first + 2, "checkout"),
            ];
            starts(run, children)
        }
        7 => {
            let cancels = (0..3).map(|n| ExecutionId::of_child(run.id, run.chain, (run.run as u32 - 1) * 10 + n)).collect();
            decides(run, WorkflowWrites { cancels, ..Default::default() }, waits(1_000))
        }
        _ => decides(run, WorkflowWrites::default(), waits(1_000)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_everything_never_deadlocks_and_leaves_everything_in_one_place() {
    let world = std::sync::Arc::new(World::new().await);
    for _ in 0..8 {
        world.start("checkout").await;
    }
    let mut storm = Vec::new();
    for number in 0..4 {
        let world = world.clone();
        storm.push(tokio::spawn(async move {
            let mut dice = Dice(number + 1);
            let mut connection = world.database.connect().await;
            for _ in 0..60 {
                let claimed = world.claim(5).await;
                let batch: Vec<_> = claimed.iter().map(|run| something(run, &mut dice)).collect();
                match commit(&mut connection, &batch).await {
                    Ok(_) => {}
                    Err(error) => panic!("{error:?}"),
                }
                let any: Option<ExecutionId> = sqlx::query_scalar("select id from currant.requests order by random() limit 1")
                    .fetch_optional(world.pool())
                    .await
                    .unwrap();
                let Some(id) = any else { continue };
                let done = match dice.roll(6) {
                    0 => world.client.cancel(&id).await.map(drop),
                    1 => world.client.signal(&id, "go", &json("1"), None).await.map(drop),
                    2 => world.client.retry(&id, dice.roll(2) == 0).await.map(drop),
                    3 => maintenance::deliver_missed(world.pool()).await.map(drop),
                    4 => maintenance::wake_due(world.pool(), 10).await.map(drop),
                    _ => world.client.enqueue(asked("checkout")).await.map(drop),
                };
                match done {
                    Ok(()) | Err(Error::Conflict { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }));
    }
    for storm in storm {
        storm.await.unwrap();
    }
    let misplaced: Vec<(ExecutionId, i64)> = sqlx::query_as(
        "select id, (select count(*) from currant.ready where ready.id = requests.id)
                  + (select count(*) from currant.running where running.id = requests.id)
                  + (select count(*) from currant.outcomes where outcomes.id = requests.id)
                  + (select count(*) from currant.workflows where workflows.id = requests.id and waiting) as places
         from currant.requests
         where (select count(*) from currant.ready where ready.id = requests.id)
             + (select count(*) from currant.running where running.id = requests.id)
             + (select count(*) from currant.outcomes where outcomes.id = requests.id)
             + (select count(*) from currant.workflows where workflows.id = requests.id and waiting) <> 1",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    assert!(misplaced.is_empty(), "{misplaced:?}");
    let orphans: i64 = sqlx::query_scalar(
        "select count(*) from currant.workflows where not exists (select from currant.requests where requests.id = workflows.id)
             or exists (select from currant.outcomes where outcomes.id = workflows.id)",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(orphans, 0);
}
