//! What runs report: results, failures, retries, and commits of which nobody knows the answer.

use currant_core::Error;
use currant_core::executions::commit::{Activation, Concerns, Ending, Fate, LogLine, Verdict, WorkflowWrites, commit};
use currant_core::journal::{self, JournalRow};
use currant_core::retry::{self, Next};
use sqlx::{Executor, Row};

use crate::world::{World, activation, asked, child, completes, decides, entry, fails, failure, json, starts, waits};

const ODD: &str = " {\"z\": 1.0,\t\"a\": [123456789012345678901234567890, 1e2, -0.0], \"é\": \"\\u00e9\\n\", \"a\": null}\n";

#[tokio::test]
async fn values_keep_every_byte_from_the_enqueue_to_the_replay() {
    let world = World::new().await;
    let started = world.enqueue(currant_core::executions::NewExecution { input: json(ODD), ..asked("checkout") }).await;
    let parent = world.claimed(started.id).await;
    assert_eq!(parent.input.as_str(), ODD);
    let with_input = currant_core::executions::NewChild { input: json(ODD), ..child(&parent, 1, "charge") };
    world.written(starts(&parent, vec![with_input])).await;
    let task = world.claim(1).await.remove(0);
    assert_eq!(task.input.as_str(), ODD);
    world.written(completes(&task, ODD)).await;

    let parent = world.claimed(parent.id).await;
    let news = currant_core::inbox::load(world.pool(), parent.id, 0).await.unwrap();
    let currant_core::inbox::NewsKind::Completion { outcome: Ok(result), .. } = &news[0].kind else { panic!("{news:?}") };
    assert_eq!(result.as_str(), ODD);
    let delivered = JournalRow { body: Some(result.clone()), ..entry(0) };
    let writes = WorkflowWrites { entries: vec![delivered], delivered: vec![1], ..Default::default() };
    world.written(decides(&parent, writes, Fate::Ends(Ending::Completed(json(ODD))))).await;
    assert_eq!(journal::load(world.pool(), parent.id, 1).await.unwrap()[0].body.as_ref().unwrap().as_str(), ODD);
    let ended = world.client.result(&parent.id).await.unwrap().unwrap();
    assert_eq!(ended.result.unwrap().as_str(), ODD);
    let shown = world.client.status(&parent.id).await.unwrap().unwrap();
    assert!(shown.result.is_some(), "and the view shows it as jsonb");
}

#[tokio::test]
async fn the_pause_before_a_retry_is_what_the_policy_says() {
    let world = World::new().await;
    let mut run = world.run("charge").await;
    for expected in [1_000, 2_000, 4_000] {
        let Next::Retry { after_ms } = retry::next(&run.retry, run.attempt, run.forgiven, &failure("x"), 0.0) else { panic!() };
        assert_eq!(after_ms, expected);
        world.written(activation(&run, Fate::Retries { failure: failure("x"), after_ms })).await;
        let stored: i64 = world
            .value(
                run.id,
                "select (extract(epoch from ready.run_at - attempt.ended_at) * 1000)::bigint
                 from currant.ready join currant.attempts attempt using (id) where id = $1 order by attempt.run desc limit 1",
            )
            .await;
        assert_eq!(stored, expected as i64);
        assert!(world.claim(10).await.is_empty(), "not before");
        world.advance(expected / 1_000).await;
        run = world.claimed(run.id).await;
    }
    assert_eq!(run.attempt, 4);
    assert_eq!(retry::next(&run.retry, run.attempt, run.forgiven, &failure("x"), 0.0), Next::Fail);
    world.written(fails(&run)).await;
    let shown = world.client.status(&run.id).await.unwrap().unwrap();
    assert_eq!((shown.attempt, shown.failure().unwrap().code), (4, "declined".into()));
    assert_eq!(world.client.history(&run.id).await.unwrap().attempts.len(), 3);
}

#[tokio::test]
async fn no_retries_are_none_and_not_the_default() {
    let world = World::new().await;
    let new = currant_core::executions::NewExecution { retries: Some(0), ..asked("charge") };
    let id = world.enqueue(new).await.id;
    let run = world.claimed(id).await;
    assert_eq!(retry::next(&run.retry, run.attempt, run.forgiven, &failure("x"), 0.0), Next::Fail);
}

#[tokio::test]
async fn a_pause_longer_than_the_calendar_waits() {
    let world = World::new().await;
    let run = world.run("charge").await;
    world.written(activation(&run, Fate::Retries { failure: failure("x"), after_ms: u64::MAX })).await;
    assert_eq!(world.status(run.id).await, "pending");
}

#[tokio::test]
async fn a_rate_limited_task_comes_back_as_the_same_attempt() {
    let world = World::new().await;
    let run = world.run("charge").await;
    world.written(activation(&run, Fate::RateLimited { after_ms: 5_000 })).await;
    assert!(world.claim(10).await.is_empty());
    world.advance(6).await;
    let again = world.claimed(run.id).await;
    assert_eq!((again.run, again.attempt, again.rate_limited), (2, 1, 1));
}

#[tokio::test]
async fn what_a_worker_gives_back_costs_nothing() {
    let world = World::new().await;
    let run = world.run("charge").await;
    world.written(activation(&run, Fate::Returned)).await;
    let again = world.claimed(run.id).await;
    assert_eq!((again.run, again.attempt, again.rate_limited), (2, 1, 0));
    assert!(world.client.history(&run.id).await.unwrap().attempts.is_empty());
}

#[tokio::test]
async fn a_failed_attempt_of_a_cancelled_task_is_the_last() {
    let world = World::new().await;
    for fate in [Fate::Retries { failure: failure("x"), after_ms: 0 }, Fate::RateLimited { after_ms: 0 }] {
        let run = world.run("charge").await;
        world.client.cancel(&run.id).await.unwrap();
        world.written(activation(&run, fate)).await;
        assert_eq!(world.status(run.id).await, "cancelled");
    }
    let run = world.run("charge").await;
    world.client.cancel(&run.id).await.unwrap();
    world.written(completes(&run, "1")).await;
    assert_eq!(world.status(run.id).await, "completed", "one that completes all the same has completed");
}

#[tokio::test]
async fn a_cancelled_task_that_its_worker_gives_back_ends() {
    let world = World::new().await;
    let run = world.run("charge").await;
    world.client.cancel(&run.id).await.unwrap();
    world.written(activation(&run, Fate::Returned)).await;
    assert_eq!(world.status(run.id).await, "cancelled");
}

#[tokio::test]
async fn a_commit_that_is_repeated_is_written_once() {
    // Nobody knows whether the first was written: what takes the running row away can be repeated, and the fence tells.
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let started = WorkflowWrites { entries: vec![entry(0)], children: vec![child(&parent, 1, "charge")], ..Default::default() };
    let ending = decides(&parent, started, Fate::Returned);
    world.written(ending.clone()).await;
    assert!(matches!(world.commit(ending).await, Verdict::Lost));
    let requests: i64 = world.value(parent.id, "select count(*) from currant.requests where parent_workflow_id = $1").await;
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn a_child_that_is_started_again_is_the_same_child() {
    // A run that was replayed after an unknown commit starts the same children.
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let start = || WorkflowWrites { children: vec![child(&parent, 1, "charge")], ..Default::default() };
    world.written(decides(&parent, start(), Fate::GoesOn)).await;
    world.written(decides(&parent, start(), Fate::GoesOn)).await;
    let tasks = world.claim(10).await;
    assert_eq!(tasks.len(), 1);
    world.written(completes(&tasks[0], "1")).await;
    world.written(decides(&parent, start(), waits(1))).await;
    assert!(world.claim(10).await.is_empty(), "nor is it started after its end");
}

#[tokio::test]
async fn a_position_of_the_journal_is_written_once() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let append = || decides(&run, WorkflowWrites { entries: vec![entry(0)], ..Default::default() }, Fate::GoesOn);
    world.written(append()).await;
    let mut connection = world.database.connect().await;
    let error = commit(&mut connection, &[append()]).await.unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    assert!(matches!(error, Error::Database(_)));
}

#[tokio::test]
async fn one_bad_activation_spoils_the_batch_and_nothing_else() {
    let world = World::new().await;
    let (good, bad) = (world.run("charge").await, world.run("charge").await);
    let line = LogLine { line: 0, at: bad.claimed_at, level: "info".into(), message: "\0".into(), attributes: None };
    let bad_one = Activation { logs: vec![line], ..completes(&bad, "2") };
    let mut connection = world.database.connect().await;
    assert!(commit(&mut connection, &[completes(&good, "1"), bad_one.clone()]).await.is_err());
    assert_eq!(world.status(good.id).await, "running", "all or nothing: the caller splits the batch");
    assert!(matches!(commit(&mut connection, &[completes(&good, "1")]).await.unwrap()[..], [Verdict::Written { .. }]));
    assert!(commit(&mut connection, &[bad_one]).await.is_err());
    assert_eq!((world.status(good.id).await, world.status(bad.id).await), ("completed".into(), "running".into()));
}

#[tokio::test]
async fn log_lines_are_kept_with_their_run() {
    let world = World::new().await;
    let run = world.run("charge").await;
    let line = |line, message: &str| LogLine {
        line,
        at: run.claimed_at,
        level: "warn".into(),
        message: message.into(),
        attributes: Some(json("{\"order\": 42}")),
    };
    world.written(Activation { logs: vec![line(0, "a"), line(1, "b")], ..activation(&run, Fate::GoesOn) }).await;
    world.written(Activation { logs: vec![line(1, "b"), line(2, "c")], ..completes(&run, "1") }).await;
    let logs = world.client.logs(&run.id).await.unwrap();
    let lines: Vec<_> = logs.iter().map(|line| (line.run, line.line, line.message.as_str())).collect();
    assert_eq!(lines, [(1, 0, "a"), (1, 1, "b"), (1, 2, "c")]);
}

#[tokio::test]
async fn what_a_workflow_publishes_last_is_shown() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    for progress in ["{\"done\": 1}", "{\"done\": 2}"] {
        let writes = WorkflowWrites { publish: Some(json(progress)), ..Default::default() };
        world.written(decides(&run, writes, Fate::GoesOn)).await;
    }
    let shown = async || world.client.status(&run.id).await.unwrap().unwrap().progress.unwrap().into_string();
    assert_eq!(shown().await, "{\"done\": 2}");
    world.written(completes(&run, "1")).await;
    assert_eq!(shown().await, "{\"done\": 2}", "also when it has ended");
}

#[tokio::test]
async fn warnings_gather_until_the_workflow_continues_as_new() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let warns = |warning: Option<&str>| WorkflowWrites { warning: warning.map(Into::into), ..Default::default() };
    let shown = async || world.client.status(&run.id).await.unwrap().unwrap().warning;
    for (warning, expected) in [(Some("one"), "one"), (None, "one"), (Some("two"), "one\ntwo")] {
        world.written(decides(&run, WorkflowWrites { publish: Some(json("1")), ..warns(warning) }, Fate::GoesOn)).await;
        assert_eq!(shown().await.as_deref(), Some(expected));
    }
    world.written(decides(&run, warns(None), Fate::ContinuesAsNew { input: json("2") })).await;
    assert_eq!(shown().await, None, "its journal is empty again");
}

#[tokio::test]
async fn entries_without_a_time_get_that_of_their_commit() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let writes =
        WorkflowWrites { entries: vec![entry(0), JournalRow { at: Some(run.claimed_at), ..entry(1) }], ..Default::default() };
    let Verdict::Written { at } = world.commit(decides(&run, writes, Fate::GoesOn)).await else { panic!() };
    let times: Vec<_> = journal::load(world.pool(), run.id, 1).await.unwrap().iter().map(|entry| entry.at.unwrap()).collect();
    assert_eq!(times, [at, run.claimed_at]);
}

#[tokio::test]
async fn a_batch_of_all_fates_at_once_is_written_in_one_transaction() {
    let world = World::new().await;
    for _ in 0..6 {
        world.start("charge").await;
    }
    let runs = world.claim(10).await;
    let fates = [
        Fate::GoesOn,
        Fate::Ends(Ending::Completed(json("1"))),
        Fate::Ends(Ending::Failed(failure("x"))),
        Fate::Retries { failure: failure("x"), after_ms: 1 },
        Fate::Returned,
        Fate::Parked,
    ];
    let batch: Vec<_> = runs.iter().zip(fates).map(|(run, fate)| activation(run, fate)).collect();
    let mut connection = world.database.connect().await;
    let verdicts = commit(&mut connection, &batch).await.unwrap();
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Written { .. })));
    let mut statuses = Vec::new();
    for run in &runs {
        statuses.push(world.status(run.id).await);
    }
    assert_eq!(statuses, ["running", "completed", "failed", "pending", "pending", "pending"]);
    let transactions: i64 = sqlx::query("select count(distinct xmin::text) as n from currant.outcomes")
        .fetch_one(world.pool())
        .await
        .unwrap()
        .get("n");
    assert_eq!(transactions, 1);
}

#[tokio::test]
async fn tasks_that_concern_nobody_end_together_each_by_its_own_fence() {
    let world = World::new().await;
    let runs = [world.run("charge").await, world.run("charge").await, world.run("charge").await];
    assert!(runs.iter().all(|run| run.concerns() == Concerns::Nobody));
    world.execute(runs[1].id, "update currant.running set run = 2 where id = $1").await;
    let batch = [completes(&runs[0], "1"), completes(&runs[1], "2"), fails(&runs[2])];
    let mut connection = world.database.connect().await;
    let verdicts = commit(&mut connection, &batch).await.unwrap();
    assert!(matches!(verdicts[..], [Verdict::Written { .. }, Verdict::Lost, Verdict::Written { .. }]), "{verdicts:?}");
    let mut statuses = Vec::new();
    for run in &runs {
        statuses.push(world.status(run.id).await);
    }
    assert_eq!(statuses, ["completed", "running", "failed"]);
    let shown = world.client.status(&runs[0].id).await.unwrap().unwrap();
    assert_eq!((shown.attempt, shown.result), (1, Some(json("1"))));

    let again = commit(&mut connection, &batch[..1]).await.unwrap();
    assert!(matches!(again[..], [Verdict::Lost]), "what ended does not end again");
}

#[tokio::test]
async fn an_end_concerns_the_workflow_that_started_it_and_with_a_key_anybody() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    assert_eq!(parent.concerns(), Concerns::Nobody);
    world.written(starts(&parent, vec![child(&parent, 1, "charge")])).await;
    assert_eq!(world.claim(1).await[0].concerns(), Concerns::Parent(parent.id));
    let task_id = Some("k".parse().unwrap());
    let keyed = world.enqueue(currant_core::executions::NewExecution { task_id, ..asked("charge") }).await;
    assert_eq!(world.claimed(keyed.id).await.concerns(), Concerns::Anybody);
}

/// An operator's hand, a timeout and a standby that is being promoted say nothing against what was to be written.
#[tokio::test]
async fn what_the_server_breaks_off_is_tried_again_and_what_it_refuses_is_not() {
    let world = World::new().await;
    let mut connection = world.database.connect().await;
    let mut retried = async |settings: &'static str, statement: &'static str| {
        connection.execute(settings).await.unwrap();
        let error = currant_core::Error::from(connection.execute(statement).await.unwrap_err());
        connection.execute("reset all").await.unwrap();
        (error.is_retryable(), error)
    };
    let (again, error) = retried("set statement_timeout = '20ms'", "select pg_sleep(60)").await;
    assert!(again, "{error:?}");
    let (again, error) = retried("select", "select pg_cancel_backend(pg_backend_pid()), pg_sleep(60)").await;
    assert!(again, "{error:?}");
    let (again, error) = retried("set default_transaction_read_only = on", "delete from currant.ready").await;
    assert!(again, "{error:?}");
    let (again, error) = retried("select", "select '1e400000'::json::text::numeric").await;
    assert!(!again, "{error:?}");
    let (again, error) = retried("select", "insert into currant.queues (name) values ('No Name')").await;
    assert!(!again, "{error:?}");
}
