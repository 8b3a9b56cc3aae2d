//! Retention: what is deleted, when, what stays with whom, and what is left alone.

use std::time::Duration;

use currant_core::executions::commit::{Activation, Ending, Fate, Pin, WorkflowWrites};
use currant_core::executions::{NewExecution, Status};
use currant_core::ids::{ExecutionId, ModuleName, QueueName, TaskId};
use currant_core::modules;
use currant_core::retention::{self, Filter, Pass};
use sqlx::{Connection, Executor};

use crate::world::{
    World, activation, asked, child, completes, decides, entry, fails, json, pin, starts, suspends, task, waits, workflow,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A whole pass; answers how many executions it deleted.
async fn sweep(world: &World) -> u64 {
    sweep_of(world, Filter::default()).await
}

async fn sweep_of(world: &World, filter: Filter) -> u64 {
    let mut pass = Pass::new(filter);
    let mut deleted = 0;
    loop {
        let batch = pass.delete(world.pool()).await.unwrap();
        deleted += batch.executions;
        if batch.is_last {
            return deleted;
        }
    }
}

async fn ended(
    world: &World,
    function: &str,
    ends: impl Fn(&currant_core::executions::claim::Claimed) -> Activation,
) -> ExecutionId {
    let run = world.run(function).await;
    world.written(ends(&run)).await;
    run.id
}

/// Rows that still speak of an execution, in every table that could.
async fn traces(world: &World, id: ExecutionId) -> i64 {
    world
        .value(
            id,
            "select (select count(*) from currant.requests where id = $1) + (select count(*) from currant.outcomes where id = $1)
                  + (select count(*) from currant.attempts where id = $1) + (select count(*) from currant.keys where execution_id = $1)
                  + (select count(*) from currant.logs where execution_id = $1) + (select count(*) from currant.journal where workflow_id = $1)
                  + (select count(*) from currant.inbox where workflow_id = $1)
                  + (select count(*) from currant.signal_keys where workflow_id = $1)
                  + (select count(*) from currant.waiters where workflow_id = $1 or target_id = $1)",
        )
        .await
}

#[tokio::test]
async fn tasks_stay_a_week_and_workflows_a_month() {
    let world = World::new().await;
    let task = ended(&world, "charge", |run| completes(run, "1")).await;
    let workflow = ended(&world, "checkout", |run| completes(run, "1")).await;
    world.advance(7 * DAY - MINUTE).await;
    assert_eq!(sweep(&world).await, 0);
    world.advance(2 * MINUTE).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!((world.status(task).await, world.status(workflow).await), ("nowhere".into(), "completed".into()));
    world.advance(23 * DAY).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(world.status(workflow).await, "nowhere");
}

#[tokio::test]
async fn a_queue_keeps_what_it_is_told_to_keep() {
    let world = World::new().await;
    world.set("default", &[("retention", "0"), ("retention_failed", "90d"), ("retention_cancelled", "1h")]).await;
    let completed = ended(&world, "charge", |run| completes(run, "1")).await;
    let failed = ended(&world, "charge", fails).await;
    let cancelled = world.start("charge").await;
    world.client.cancel(&cancelled).await.unwrap();
    assert_eq!(sweep(&world).await, 0, "at least a minute");
    world.advance(MINUTE).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(world.status(completed).await, "nowhere");
    world.advance(HOUR).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(world.status(cancelled).await, "nowhere");
    world.advance(89 * DAY).await;
    assert_eq!(sweep(&world).await, 0);
    world.set("default", &[("retention_failed", "forever")]).await;
    world.advance(1_000 * DAY).await;
    assert_eq!(sweep(&world).await, 0);
    world.client.reset_queue(&QueueName::parse("default").unwrap(), None).await.unwrap();
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(world.status(failed).await, "nowhere");
}

#[tokio::test]
async fn nothing_of_a_deleted_execution_is_left() {
    let world = World::new().await;
    let new = NewExecution { task_id: Some(TaskId::parse("order-1").unwrap()), ..asked("checkout") };
    let id = world.enqueue(new.clone()).await.id;
    let run = world.claimed(id).await;
    world.written(decides(&run, WorkflowWrites { entries: vec![entry(0)], ..Default::default() }, waits(0))).await;
    world.client.signal(&id, "go", &json("1"), Some("once")).await.unwrap();
    let run = world.claimed(id).await;
    world
        .written(Activation { logs: vec![], ..activation(&run, Fate::Ends(Ending::Failed(crate::world::failure("x")))) })
        .await;
    assert!(traces(&world, id).await > 4);
    world.advance(31 * DAY).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(traces(&world, id).await, 0);
    assert!(world.enqueue(new).await.created, "its key is free");
}

#[tokio::test]
async fn a_key_goes_with_its_execution_only_if_it_stands_for_it() {
    let world = World::new().await;
    let new = NewExecution { task_id: Some(TaskId::parse("order-1").unwrap()), ..asked("charge") };
    let old = world.enqueue(new.clone()).await.id;
    let run = world.claimed(old).await;
    world.written(fails(&run)).await;
    let newer = world.enqueue(new.clone()).await.id;
    assert_ne!(old, newer);
    world.advance(8 * DAY).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(world.enqueue(new).await.id, newer);
}

#[tokio::test]
async fn children_stay_with_their_parent_and_go_with_it() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![child(&parent, 1, "charge"), child(&parent, 2, "checkout")])).await;
    for run in world.claim(10).await {
        world.written(completes(&run, "1")).await;
    }
    world.advance(40 * DAY).await;
    assert_eq!(sweep(&world).await, 0, "the parent is open: its children are its history");
    let parent = world.claim(1).await.remove(0);
    world.written(completes(&parent, "1")).await;
    world.advance(29 * DAY).await;
    assert_eq!(sweep(&world).await, 0, "the parent is kept: so are they");
    world.advance(2 * DAY).await;
    assert_eq!(sweep(&world).await, 3);
}

#[tokio::test]
async fn children_of_an_earlier_chain_need_not_stay() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![child(&parent, 1, "charge")])).await;
    let task = world.claim(1).await.remove(0);
    world.written(completes(&task, "1")).await;
    let parent = world.claim(1).await.remove(0);
    world.written(decides(&parent, WorkflowWrites::default(), Fate::ContinuesAsNew { input: json("2") })).await;
    world.advance(8 * DAY).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!((world.status(task.id).await, world.status(parent.id).await), ("nowhere".into(), "pending".into()));
}

#[tokio::test]
async fn a_detached_child_has_a_life_of_its_own() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let detached = currant_core::executions::NewChild { detached: true, ..child(&parent, 1, "charge") };
    world.written(starts(&parent, vec![detached.clone()])).await;
    let task = world.claimed(detached.id).await;
    world.written(completes(&task, "1")).await;
    world.advance(8 * DAY).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(world.status(detached.id).await, "nowhere");
}

/// More than one batch: the children go first, and the parent with the last of them.
#[tokio::test]
async fn a_family_larger_than_a_batch_goes_in_parts() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let children = (1..=4_500).map(|operation| child(&parent, operation, "charge")).collect();
    world.written(decides(&parent, WorkflowWrites { children, ..Default::default() }, Fate::GoesOn)).await;
    world
        .pool()
        .execute(
            "with gone as (delete from currant.ready returning id)
             insert into currant.outcomes (id, status, kind, result, attempt, run) select id, 'completed', 'task', '1', 1, 1 from gone",
        )
        .await
        .unwrap();
    world.written(completes(&parent, "1")).await;
    world.advance(31 * DAY).await;
    let mut pass = Pass::new(Filter::default());
    let first = pass.delete(world.pool()).await.unwrap();
    assert!(first.executions < 2_001 && !first.is_last, "{first:?}");
    assert_eq!(world.status(parent.id).await, "completed", "nobody is left without a parent");
    assert_eq!(first.executions + sweep(&world).await, 4_501);
}

#[tokio::test]
async fn what_somebody_holds_is_left_for_the_next_pass() {
    let world = World::new().await;
    let new = NewExecution { task_id: Some(TaskId::parse("order-1").unwrap()), ..asked("charge") };
    let keyed = world.enqueue(new).await.id;
    let run = world.claimed(keyed).await;
    world.written(completes(&run, "1")).await;
    let plain = ended(&world, "charge", fails).await;
    world.advance(8 * DAY).await;
    let mut other = world.database.connect().await;
    let mut holding = other.begin().await.unwrap();
    holding.execute("select from currant.keys for update").await.unwrap();
    sqlx::query("select from currant.outcomes where id = $1 for update").bind(plain).execute(&mut *holding).await.unwrap();
    assert_eq!(sweep(&world).await, 0, "and nobody waited");
    holding.rollback().await.unwrap();
    assert_eq!(sweep(&world).await, 2);
}

#[tokio::test]
async fn what_is_open_is_never_deleted() {
    let world = World::new().await;
    world.set("default", &[("retention", "0")]).await;
    let pending = world.start("charge").await;
    let running = world.claimed(pending).await;
    let suspended = world.run("checkout").await;
    world.written(suspends(&suspended)).await;
    let waiting = world.start("charge").await;
    world.advance(1_000 * DAY).await;
    assert_eq!(sweep(&world).await, 0);
    assert_eq!(world.status(waiting).await, "pending");
    world.written(completes(&running, "1")).await;
    assert_eq!(sweep(&world).await, 0, "it has ended just now, however long ago it was asked for");
}

#[tokio::test]
async fn by_hand_it_is_age_status_and_queue_that_decide_and_counting_deletes_nothing() {
    let world = World::new().await;
    for _ in 0..3 {
        ended(&world, "charge", fails).await;
    }
    let completed = ended(&world, "charge", |run| completes(run, "1")).await;
    world.advance(2 * HOUR).await;
    let failed = |hours| Filter {
        older_than: Some(Duration::from_secs(hours * HOUR)),
        status: Some(Status::Failed),
        queue: Some(QueueName::parse("default").unwrap()),
    };
    assert_eq!(Pass::new(failed(1)).count(world.pool()).await.unwrap().executions, 3);
    assert_eq!(Pass::new(failed(3)).count(world.pool()).await.unwrap().executions, 0);
    assert_eq!(sweep_of(&world, failed(1)).await, 3);
    assert_eq!(world.status(completed).await, "completed");
}

#[tokio::test]
async fn one_worker_at_a_time_makes_a_pass_every_hour() {
    let world = World::new().await;
    let pool = world.pool();
    assert!(retention::take_duty(pool).await.unwrap());
    assert!(!retention::take_duty(pool).await.unwrap(), "somebody is at it");
    world.advance(MINUTE).await;
    assert!(retention::take_duty(pool).await.unwrap(), "who was at it died");
    retention::end_duty(pool).await.unwrap();
    world.advance(59 * MINUTE).await;
    assert!(!retention::take_duty(pool).await.unwrap());
    world.advance(MINUTE).await;
    assert!(retention::take_duty(pool).await.unwrap());
}

#[tokio::test]
async fn the_bytes_of_a_module_go_when_nothing_can_need_them() {
    let world = World::new().await;
    let pinned = world.run("checkout").await;
    let pinning = WorkflowWrites { pin: pin(&pinned), ..Default::default() };
    world.written(decides(&pinned, pinning, waits(0))).await;
    assert_eq!(world.deploy_version("shop", "2", &[task("charge")], false).await, None);
    world.advance(2 * DAY).await;
    assert_eq!(retention::forget_modules(world.pool()).await.unwrap(), 0, "a workflow is pinned to it");
    world.client.cancel(&pinned.id).await.unwrap();
    let run = world.claimed(pinned.id).await;
    world.written(fails(&run)).await;
    assert_eq!(retention::forget_modules(world.pool()).await.unwrap(), 0, "it could be retried");
    world.advance(31 * DAY).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(retention::forget_modules(world.pool()).await.unwrap(), 1);
    assert_eq!(world.deploy_version("shop", "1", &[task("charge")], false).await, None, "deployed again it is stored again");
    let stored: bool = sqlx::query_scalar(
        "select bool_and(bytes is not null or digest <> sha256('component shop 1'))
                                           from currant.modules",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert!(stored);
}

#[tokio::test]
async fn an_environment_goes_when_another_has_followed_and_nothing_can_need_it() {
    let world = World::new().await;
    let deploy = async |value: &str| {
        let env = [("KEY".to_owned(), value.to_owned())].into();
        let grants = modules::Grants { env, ..Default::default() };
        let deployment = modules::upload(world.pool(), b"component shop 1", false, Some(&grants)).await.unwrap();
        modules::next_requested(world.pool(), world.worker).await.unwrap().unwrap();
        let description = modules::ModuleDescription {
            name: ModuleName::parse("shop").unwrap(),
            version: "1".into(),
            sdk: "test".into(),
            functions: vec![task("charge"), workflow("checkout")],
        };
        modules::decide(world.pool(), world.worker, deployment, modules::Verdict::Deployed(description)).await.unwrap();
        modules::grants(world.pool(), &ModuleName::parse("shop").unwrap(), None).await.unwrap().environment
    };
    let forgotten = async || retention::forget_environments(world.pool()).await.unwrap();
    let first = deploy("first").await;
    let run = world.run("checkout").await;
    let pinning = Pin { digest: run.digest.unwrap(), environment: first };
    let writes = WorkflowWrites { chain: run.chain, pin: Some(pinning), entries: vec![entry(0)], ..Default::default() };
    world.written(decides(&run, writes, waits(0))).await;
    let second = deploy("second").await;
    deploy("third").await;
    assert_eq!(forgotten().await, 0, "a run may still be in the former one");
    world.advance(2 * DAY).await;
    assert_eq!(forgotten().await, 1, "nobody stays in the second one");
    assert!(modules::grants(world.pool(), &ModuleName::parse("shop").unwrap(), Some(second)).await.is_err());
    world.client.cancel(&run.id).await.unwrap();
    let woken = world.claimed(run.id).await;
    world.written(fails(&woken)).await;
    assert_eq!(forgotten().await, 0, "it could be retried");
    world.advance(31 * DAY).await;
    sweep(&world).await;
    assert_eq!(forgotten().await, 1);
    assert_eq!(forgotten().await, 0, "the current one stays");
}
