//! Leases: what a dead worker had claimed goes to others, what a worker that was thought dead writes is not written, and what kills its
//! workers does not go on for ever.

use std::time::Duration;

use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Activation, Ending, Fate, LogLine, Verdict, WorkflowWrites};
use currant_core::limits::LOSSES_IN_A_ROW;
use currant_core::{journal, maintenance, workers};

use crate::world::{LEASE, World, activation, child, completes, decides, entry, failure, json, pin, waits};

/// Claims one execution under a lease that then ends.
async fn lost(world: &World) -> Claimed {
    let worker = world.another_worker().await;
    let [run] = <[Claimed; 1]>::try_from(world.claim_for(worker, 10).await).expect("one can be claimed");
    world.advance(LEASE.as_secs() + 1).await;
    run
}

async fn returned(world: &World) -> u64 {
    maintenance::return_expired(world.pool(), 100).await.unwrap()
}

#[tokio::test]
async fn what_a_lost_worker_had_claimed_is_claimed_again_as_the_same_attempt() {
    let world = World::new().await;
    let id = world.start("charge").await;
    let first = lost(&world).await;
    assert_eq!(world.status(id).await, "running");
    assert_eq!(returned(&world).await, 1);
    assert_eq!(returned(&world).await, 0);
    let again = world.claimed(id).await;
    assert_eq!((again.run, again.attempt), (first.run + 1, first.attempt));
    let attempts = world.client.history(&id).await.unwrap().attempts;
    assert_eq!(attempts.len(), 1, "it is on record who lost it");
    assert!(attempts[0].failure.as_str().contains("worker-lost"));
}

#[tokio::test]
async fn a_live_lease_keeps_what_was_claimed() {
    let world = World::new().await;
    world.start("charge").await;
    let worker = world.another_worker().await;
    assert_eq!(world.claim_for(worker, 1).await.len(), 1);
    for _ in 0..3 {
        world.advance(10).await;
        assert!(world.renew(worker).await);
        assert_eq!(returned(&world).await, 0);
    }
}

#[tokio::test]
async fn a_lease_that_is_over_cannot_be_renewed_and_claims_nothing() {
    let world = World::new().await;
    world.start("charge").await;
    let worker = world.another_worker().await;
    world.advance(LEASE.as_secs() + 1).await;
    assert!(!world.renew(worker).await);
    assert!(world.claim_for(worker, 1).await.is_empty());
}

#[tokio::test]
async fn a_lease_that_was_given_up_returns_what_is_left() {
    let world = World::new().await;
    let id = world.start("charge").await;
    let worker = world.another_worker().await;
    world.claim_for(worker, 1).await;
    workers::release(world.pool(), worker).await.unwrap();
    assert_eq!(returned(&world).await, 1);
    world.claimed(id).await;
}

#[tokio::test]
async fn a_run_that_was_taken_over_writes_nothing_of_anything() {
    let world = World::new().await;
    let id = world.start("checkout").await;
    let zombie = lost(&world).await;
    returned(&world).await;
    let holder = world.claimed(id).await;

    let everything = WorkflowWrites {
        chain: zombie.chain,
        pin: pin(&zombie),
        entries: vec![entry(0)],
        children: vec![child(&zombie, 1, "charge")],
        publish: Some(json("1")),
        ..Default::default()
    };
    let at = zombie.claimed_at;
    let line = LogLine { line: 0, at, level: "info".into(), message: "I am alive".into(), attributes: None };
    let fates = [
        Fate::GoesOn,
        waits(0),
        Fate::Ends(Ending::Completed(json("1"))),
        Fate::Ends(Ending::Failed(failure("x"))),
        Fate::Retries { failure: failure("x"), after_ms: 0 },
        Fate::RateLimited { after_ms: 0 },
        Fate::Returned,
        Fate::Parked,
        Fate::ContinuesAsNew { input: json("1") },
    ];
    for fate in fates {
        let activation = Activation {
            id,
            run: zombie.run,
            claimed_at: zombie.claimed_at,
            kind: zombie.kind,
            concerns: zombie.concerns(),
            workflow: Some(everything.clone()),
            logs: vec![line.clone()],
            progress: Some(json("99")),
            fate: fate.clone(),
        };
        assert!(matches!(world.commit(activation).await, Verdict::Lost), "{fate:?}");
    }
    assert_eq!(world.status(id).await, "running");
    assert!(journal::load(world.pool(), id, 1).await.unwrap().is_empty());
    assert!(world.client.logs(&id).await.unwrap().is_empty());
    let shown = world.client.status(&id).await.unwrap().unwrap();
    assert!(shown.progress.is_none());
    assert!(world.claim(10).await.is_empty(), "and its child was not started");
    world.written(completes(&holder, "2")).await;
}

#[tokio::test]
async fn the_rest_of_a_batch_stands_when_one_run_was_taken_over() {
    let world = World::new().await;
    let gone = world.start("charge").await;
    let zombie = lost(&world).await;
    returned(&world).await;
    world.claimed(gone).await;
    let alive = world.run("charge").await;
    let mut connection = world.database.connect().await;
    let batch = [completes(&zombie, "1"), completes(&alive, "2")];
    let verdicts = currant_core::executions::commit::commit(&mut connection, &batch).await.unwrap();
    assert!(matches!(verdicts[..], [Verdict::Lost, Verdict::Written { .. }]));
    assert_eq!((world.status(gone).await, world.status(alive.id).await), ("running".into(), "completed".into()));
}

#[tokio::test]
async fn an_execution_that_loses_its_worker_again_and_again_fails() {
    let world = World::new().await;
    let id = world.start("charge").await;
    for loss in 1..=LOSSES_IN_A_ROW {
        lost(&world).await;
        assert_eq!(returned(&world).await, 1);
        let expected = if loss < LOSSES_IN_A_ROW { "pending" } else { "failed" };
        assert_eq!(world.status(id).await, expected, "after {loss} losses");
    }
    assert_eq!(world.failure_code(id).await, "worker-lost");
    let shown = world.client.status(&id).await.unwrap().unwrap();
    assert_eq!(shown.attempt, 1, "losses are no attempts");
}

#[tokio::test]
async fn a_workflow_that_makes_progress_may_lose_any_number_of_workers() {
    let world = World::new().await;
    let id = world.start("checkout").await;
    for position in 0..i32::from(LOSSES_IN_A_ROW) + 2 {
        let worker = world.another_worker().await;
        let run = world.claim_for(worker, 1).await.remove(0);
        let writes = WorkflowWrites { entries: vec![entry(position)], ..Default::default() };
        world.written(decides(&run, writes, Fate::GoesOn)).await;
        world.advance(LEASE.as_secs() + 1).await;
        assert_eq!(returned(&world).await, 1);
        assert_eq!(world.status(id).await, "pending");
    }
}

#[tokio::test]
async fn a_workflow_that_makes_none_fails_and_tells_its_parent() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(crate::world::starts(&parent, vec![child(&parent, 1, "checkout")])).await;
    for _ in 0..LOSSES_IN_A_ROW {
        lost(&world).await;
        assert_eq!(returned(&world).await, 1);
    }
    let run = world.claimed(parent.id).await;
    let news = currant_core::inbox::load(world.pool(), run.id, 0).await.unwrap();
    assert!(format!("{news:?}").contains("worker-lost"), "{news:?}");
}

#[tokio::test]
async fn a_task_whose_cancellation_was_requested_is_not_run_again() {
    let world = World::new().await;
    let id = world.start("charge").await;
    let worker = world.another_worker().await;
    world.claim_for(worker, 1).await;
    assert_eq!(world.client.cancel(&id).await.unwrap(), "requested");
    world.advance(LEASE.as_secs() + 1).await;
    returned(&world).await;
    assert_eq!(world.status(id).await, "cancelled");
}

#[tokio::test]
async fn heartbeats_write_progress_and_answer_with_cancellations() {
    let world = World::new().await;
    let run = world.run("charge").await;
    let beat = |number: i32, progress: &str| workers::Beat { id: run.id, run: number, progress: Some(json(progress)) };
    let pool = world.pool();
    assert!(workers::heartbeat(pool, world.worker, &[beat(run.run, "{\"done\":  3}")]).await.unwrap().is_empty());
    assert!(workers::heartbeat(pool, world.worker, &[beat(run.run + 1, "{\"done\": 99}")]).await.unwrap().is_empty());

    world.written(activation(&run, Fate::Returned)).await;
    let again = world.claimed(run.id).await;
    assert_eq!(again.progress.unwrap().as_str(), "{\"done\":  3}", "the next run reads what this one said, byte for byte");
    world.client.cancel(&run.id).await.unwrap();
    assert_eq!(workers::heartbeat(pool, world.worker, &[]).await.unwrap(), [run.id]);
}

#[tokio::test]
async fn what_a_task_said_last_reaches_the_next_attempt_however_this_one_ends() {
    let world = World::new().await;
    let id = world.start("charge").await;
    let fates = [
        Fate::Retries { failure: failure("declined"), after_ms: 0 },
        Fate::Returned,
        Fate::RateLimited { after_ms: 0 },
        Fate::Parked,
        Fate::Ends(Ending::Failed(failure("declined"))),
    ];
    for (number, fate) in fates.into_iter().enumerate() {
        let run = world.claimed(id).await;
        let parks = matches!(fate, Fate::Parked);
        let said = json(&format!("{{\"done\":  {number}}}"));
        world.written(Activation { progress: Some(said.clone()), ..activation(&run, fate) }).await;
        if world.status(id).await == "failed" {
            world.client.retry(&id, false).await.unwrap();
        }
        if parks {
            let shown = world.client.status(&id).await.unwrap().unwrap();
            assert_eq!(shown.progress.unwrap().as_str(), format!("{{\"done\": {number}}}"));
            assert_eq!(maintenance::unpark(world.pool(), 10).await.unwrap(), 1);
        }
        let next = world.claimed(id).await;
        assert_eq!(next.progress, Some(said), "after fate number {number}");
        world.written(activation(&next, Fate::Returned)).await;
    }
}

#[tokio::test]
async fn a_run_that_was_taken_over_says_nothing_of_its_progress() {
    let world = World::new().await;
    let run = world.run("charge").await;
    world.written(activation(&run, Fate::Returned)).await;
    let next = world.claimed(run.id).await;
    let late = Activation { progress: Some(json("99")), ..activation(&run, Fate::Returned) };
    assert!(matches!(world.commit(late).await, Verdict::Lost));
    world.written(activation(&next, Fate::Returned)).await;
    assert_eq!(world.claimed(run.id).await.progress, None);
}

#[tokio::test]
async fn workers_that_are_gone_are_forgotten() {
    let world = World::new().await;
    world.another_worker().await;
    assert_eq!(workers::list(world.pool()).await.unwrap().len(), 2);
    world.advance(LEASE.as_secs() + 1).await;
    let alive = |workers: &[workers::Worker]| workers.iter().filter(|worker| worker.alive).count();
    assert_eq!(alive(&workers::list(world.pool()).await.unwrap()), 1);
    returned(&world).await;
    assert_eq!(workers::list(world.pool()).await.unwrap().len(), 1);
    assert_eq!(LEASE, Duration::from_secs(15));
}

/// A claim does not wait for the disk. What a crash of the database leaves of one is nothing: no row in `running`, and the one in `ready` as
/// it was.
async fn undo(world: &World, claim: &Claimed) {
    world.execute(claim.id, "delete from currant.running where id = $1").await;
    world
        .execute(
            claim.id,
            "insert into currant.ready (id, queue, priority, run_at, attempt) values ($1, 'default', 0, currant.now(), 1)",
        )
        .await;
    world.advance(1).await;
}

#[tokio::test]
async fn a_claim_that_a_crash_has_undone_writes_nothing_though_its_run_has_the_number_of_the_next() {
    for function in ["checkout", "charge"] {
        let world = World::new().await;
        let before = world.run(function).await;
        undo(&world, &before).await;
        let after = world.claimed(before.id).await;
        assert_eq!((before.run, before.attempt), (after.run, after.attempt));

        for fate in [Fate::GoesOn, Fate::Returned, Fate::Ends(Ending::Completed(json("1")))] {
            assert!(matches!(world.commit(activation(&before, fate.clone())).await, Verdict::Lost), "{fate:?}");
        }
        world.written(completes(&after, "2")).await;
        assert_eq!(world.client.result(&after.id).await.unwrap().unwrap().result, Some(json("2")));
    }
}

/// As many as a large worker holds, and more than one pass takes: each pass is bounded, nobody is missed, and nothing runs twice.
#[tokio::test]
async fn all_that_a_dead_worker_held_is_taken_over_in_bounded_batches() {
    const HELD: u32 = 1_200;
    const BATCH: i64 = 500;
    let world = World::new().await;
    let inputs = vec![json("{}"); HELD as usize];
    world.client.enqueue_many(&crate::world::asked("charge"), &inputs).await.unwrap();
    let worker = world.another_worker().await;
    assert_eq!(world.claim_for(worker, HELD).await.len(), HELD as usize);
    world.advance(LEASE.as_secs() + 1).await;
    let mut passes = Vec::new();
    while maintenance::look(world.pool(), Duration::ZERO).await.unwrap().lost {
        passes.push(maintenance::return_expired(world.pool(), BATCH).await.unwrap());
    }
    assert_eq!(passes, [500, 500, 200, 0], "the last one forgets the worker");
    let again = world.claim(2 * HELD).await;
    assert_eq!(again.len(), HELD as usize);
    assert!(again.iter().all(|run| run.run == 2 && run.attempt == 1));
}
