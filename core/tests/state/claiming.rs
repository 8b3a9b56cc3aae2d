//! Claiming.

use std::collections::BTreeSet;

use currant_core::executions::claim::{Look, claim};
use currant_core::executions::commit::{Fate, WorkflowWrites};
use currant_core::executions::{Kind, NewExecution, RetryPolicy, Timeouts};
use currant_core::ids::{Digest, QueueName};
use currant_core::modules::FunctionDescription;
use sqlx::{Connection, Executor};

use crate::world::{World, activation, asked, decides, json, pin, suspends, task, waits, workflow};

fn prioritized(priority: i16) -> NewExecution {
    NewExecution { priority: Some(priority), ..asked("charge") }
}

#[tokio::test]
async fn the_more_urgent_goes_first_then_the_older() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for priority in [5, 0, -3] {
        let older = world.enqueue(prioritized(priority)).await.id;
        world.advance(1).await;
        expected.extend([older, world.enqueue(prioritized(priority)).await.id]);
    }
    let elsewhere = NewExecution { queue: Some(QueueName::parse("mail").unwrap()), ..prioritized(9) };
    expected.insert(0, world.enqueue(elsewhere).await.id);
    let mut claimed = Vec::new();
    while let [one] = &world.claim(1).await[..] {
        claimed.push(one.id);
    }
    assert_eq!(claimed, expected);
}

/// In both ways of claiming: from queues without limits, and from those with.
#[tokio::test]
async fn a_queue_with_a_long_line_does_not_keep_others_of_its_priority_waiting() {
    for limited in [false, true] {
        let world = World::new().await;
        for (queue, count) in [("long", 500), ("short", 1)] {
            if limited {
                sqlx::query("select currant.configure_queue($1, concurrency => 1000)")
                    .bind(queue)
                    .execute(world.pool())
                    .await
                    .unwrap();
            }
            sqlx::query("select currant.enqueue_many('charge', array_fill('1'::json, array[$2]), queue => $1)")
                .bind(queue)
                .bind(count)
                .execute(world.pool())
                .await
                .unwrap();
            world.advance(1).await;
        }
        let queues: BTreeSet<_> = world.claim(2).await.into_iter().map(|run| run.queue.to_string()).collect();
        assert_eq!(queues, ["long", "short"].map(String::from).into(), "limited: {limited}");

        // With a single slot it is drawn whose turn it is.
        sqlx::query("select currant.enqueue('charge', queue => 'short')").execute(world.pool()).await.unwrap();
        let mut claims = 0;
        while world.claim(1).await[0].queue.as_str() != "short" {
            claims += 1;
            assert!(claims < 60, "limited: {limited}: the long line goes first each time");
        }
    }
}

#[tokio::test]
async fn a_claim_tells_a_run_all_that_it_needs() {
    let world = World::empty().await;
    let described = FunctionDescription {
        retry: Some(RetryPolicy { retries: 7, backoff_ms: 10, multiplier: 3.0, max_backoff_ms: 90 }),
        timeouts: Timeouts { attempt_ms: Some(5_000), ..Default::default() },
        queue: Some(QueueName::parse("mail").unwrap()),
        ..task("send")
    };
    world.deploy("shop", &[described]).await;
    let new = NewExecution { input: json("[1,  2]"), retries: Some(2), ..asked("send") };
    let started = world.enqueue(new).await;
    let run = world.claimed(started.id).await;
    assert_eq!((run.run, run.attempt, run.forgiven, run.kind), (1, 1, 0, Kind::Task));
    assert_eq!((run.queue.as_str(), run.input.as_str()), ("mail", "[1,  2]"));
    assert_eq!(run.retry, RetryPolicy { retries: 2, backoff_ms: 10, multiplier: 3.0, max_backoff_ms: 90 });
    assert_eq!(run.timeouts.attempt_ms, Some(5_000));
    assert_eq!(run.module.as_deref(), Some("shop"));
    assert_eq!(run.digest, Some(Digest::of(b"component shop 1")));
    let shown = world.client.status(&run.id).await.unwrap().unwrap();
    assert_eq!((&run.trace_id, &run.span_id), (&shown.trace_id, &shown.span_id));
    assert_eq!(run.trace_id, run.id.as_uuid().simple().to_string(), "it begins a trace");
    assert_eq!(run.span_id, run.trace_id[16..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_at_once_claim_everything_once() {
    let world = World::new().await;
    sqlx::query("select currant.enqueue_many('charge', array_fill('1'::json, array[200]))")
        .execute(world.pool())
        .await
        .unwrap();
    let mut claiming = Vec::new();
    for _ in 0..4 {
        let worker = world.another_worker().await;
        let pool = world.pool().clone();
        claiming.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claims = claim(&pool, worker, None, 7, &Look::Everywhere).await.unwrap();
                if claims.claimed.is_empty() && !claims.contended {
                    return mine;
                }
                mine.extend(claims.claimed.into_iter().map(|run| (run.id, run.attempt)));
            }
        }));
    }
    let mut all = Vec::new();
    for claiming in claiming {
        all.extend(claiming.await.unwrap());
    }
    assert_eq!(all.len(), 200);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 200);
}

#[tokio::test]
async fn a_row_that_another_claims_now_is_left_to_it_and_said_so() {
    let world = World::new().await;
    let first = world.start("charge").await;
    let mut other = world.database.connect().await;
    let mut claiming = other.begin().await.unwrap();
    claiming.execute("select from currant.ready for update").await.unwrap();
    let claims = claim(world.pool(), world.worker, None, 1, &Look::Everywhere).await.unwrap();
    assert!(claims.claimed.is_empty());
    assert!(claims.contended, "so that the worker looks again");
    claiming.rollback().await.unwrap();
    world.claimed(first).await;
}

#[tokio::test]
async fn a_worker_claims_from_its_queues_only() {
    let world = World::new().await;
    for queue in ["mail", "media"] {
        world.enqueue(NewExecution { queue: Some(QueueName::parse(queue).unwrap()), ..asked("charge") }).await;
    }
    let claimed = world.claim_from(&["media", "nothing-ever"]).await;
    assert_eq!(claimed.iter().map(|run| run.queue.as_str()).collect::<Vec<_>>(), ["media"]);
}

#[tokio::test]
async fn a_pause_holds_first_claims_back_and_lets_woken_workflows_go_on() {
    let world = World::new().await;
    let waiting = world.suspended().await;
    let fresh = world.start("charge").await;
    let queue = QueueName::parse("default").unwrap();
    world.client.pause_queue(&queue).await.unwrap();
    world.client.signal(&waiting.id, "go", &json("1"), None).await.unwrap();
    world.claimed(waiting.id).await;
    world.client.resume_queue(&queue).await.unwrap();
    world.claimed(fresh).await;
}

#[tokio::test]
async fn a_workflow_stays_on_the_version_of_its_first_entry_and_a_task_does_not() {
    let world = World::new().await;
    let (old, new) = (Digest::of(b"component shop 1"), Digest::of(b"component shop 2"));
    let pinned = world.run("checkout").await;
    let pinning = WorkflowWrites { pin: pin(&pinned), ..Default::default() };
    world.written(decides(&pinned, pinning, waits(0))).await;
    let unpinned = world.run("checkout").await;
    world.written(activation(&unpinned, Fate::Returned)).await;
    let charge = world.start("charge").await;

    assert_eq!(world.deploy_version("shop", "2", &[task("charge"), workflow("checkout")], false).await, None);
    world.client.signal(&pinned.id, "go", &json("1"), None).await.unwrap();
    let claimed = world.claim(10).await;
    let digest = |id| claimed.iter().find(|run| run.id == id).unwrap().digest;
    assert_eq!(digest(pinned.id), Some(old));
    assert_eq!(digest(unpinned.id), Some(new), "before its first entry nothing binds it");
    assert_eq!(digest(charge), Some(new));
}

#[tokio::test]
async fn a_pinned_workflow_whose_function_is_gone_runs_on() {
    let world = World::new().await;
    let pinned = world.run("checkout").await;
    let pinning = WorkflowWrites { pin: pin(&pinned), ..Default::default() };
    world.written(decides(&pinned, pinning, waits(0))).await;
    assert_eq!(world.deploy_version("shop", "2", &[task("charge")], false).await, None);
    world.client.signal(&pinned.id, "go", &json("1"), None).await.unwrap();
    let run = world.claimed(pinned.id).await;
    assert_eq!((run.digest, run.kind, run.module.as_deref()), (pinned.digest, Kind::Workflow, Some("shop")));
}

#[tokio::test]
async fn a_pinned_workflow_keeps_the_grants_of_its_own_module() {
    let world = World::new().await;
    let pinned = world.run("checkout").await;
    let pinning = WorkflowWrites { pin: pin(&pinned), ..Default::default() };
    world.written(decides(&pinned, pinning, waits(0))).await;
    assert_eq!(world.deploy_version("store", "1", &[workflow("checkout")], true).await, None);
    world.client.signal(&pinned.id, "go", &json("1"), None).await.unwrap();
    assert_eq!(world.claimed(pinned.id).await.module.as_deref(), Some("shop"));
}

#[tokio::test]
async fn every_claim_draws_the_next_run() {
    let world = World::new().await;
    let mut run = world.run("checkout").await;
    for number in 2..5 {
        world.written(suspends(&run)).await;
        world.client.signal(&run.id, "go", &json("1"), None).await.unwrap();
        run = world.claimed(run.id).await;
        assert_eq!((run.run, run.attempt), (number, 1));
        let delivered = WorkflowWrites { delivered: vec![number - 1], ..Default::default() };
        world.written(decides(&run, delivered, Fate::GoesOn)).await;
    }
}

#[tokio::test]
async fn a_claim_that_knows_how_far_it_came_looks_no_further_back() {
    let world = World::new().await;
    let old = world.start("charge").await;
    world.advance(10).await;
    let urgent = world.enqueue(prioritized(5)).await.id;
    let new = world.start("charge").await;
    let since = world.value(new, "select run_at from currant.ready where id = $1").await;
    let look = |look: Look| {
        let world = &world;
        async move { claim(world.pool(), world.worker, None, 10, &look).await.unwrap() }
    };

    let claims = look(Look::From(vec![(("default".into(), 0), since)])).await;
    assert_eq!(claims.claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [new]);
    assert_eq!((claims.claimed[0].priority, claims.claimed[0].run_at), (0, since));
    assert!(claims.levels.is_none(), "it has not looked for other lines");

    let claims = look(Look::Everywhere).await;
    assert_eq!(claims.claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [urgent, old]);
    assert_eq!(claims.levels.unwrap(), [("default".to_string(), 0), ("default".to_string(), 5)]);
}
