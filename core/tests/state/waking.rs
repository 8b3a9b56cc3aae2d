//! Suspending and waking: whatever arrives, in whatever order, is neither lost nor told twice.

use std::time::Duration;

use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Activation, Ending, Fate, NewChild, Verdict, WorkflowWrites, commit, commit_within};
use currant_core::inbox::{self, NewsKind};
use currant_core::{journal, maintenance};
use sqlx::{Connection, Executor, PgConnection};

use crate::compensating::GRACE;
use crate::world::{World, activation, blocked, child, completes, decides, entry, failure, json, starts, suspends, waits};

/// Commits on a connection of its own, beside the test.
pub(crate) async fn committing(world: &World, activation: Activation) -> tokio::task::JoinHandle<Verdict> {
    let mut connection: PgConnection = world.database.connect().await;
    tokio::spawn(async move { commit(&mut connection, &[activation]).await.unwrap().remove(0) })
}

#[tokio::test]
async fn a_child_that_ends_while_its_parent_suspends_wakes_it() {
    // The parent holds its lock and has looked; the child's end waits for that lock, and sees that the parent sleeps.
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let started = WorkflowWrites { children: vec![child(&parent, 1, "charge")], ..Default::default() };
    world.written(decides(&parent, started, Fate::GoesOn)).await;
    let task = world.claim(1).await.remove(0);

    let mut other = world.database.connect().await;
    let mut suspending = other.begin().await.unwrap();
    commit(&mut suspending, &[suspends(&parent)]).await.unwrap();
    let ending = committing(&world, completes(&task, "7")).await;
    blocked(&world).await;
    suspending.commit().await.unwrap();
    assert!(matches!(ending.await.unwrap(), Verdict::Written { .. }));
    assert_eq!(world.claimed(parent.id).await.run, 2);
}

#[tokio::test]
async fn a_parent_that_suspends_while_its_child_ends_goes_on_with_the_news() {
    // The other order: the child's end holds the parent's lock; the parent waits for it, and only then looks into its inbox.
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let started = WorkflowWrites { children: vec![child(&parent, 1, "charge")], ..Default::default() };
    world.written(decides(&parent, started, Fate::GoesOn)).await;
    let task = world.claim(1).await.remove(0);

    let mut other = world.database.connect().await;
    let mut ending = other.begin().await.unwrap();
    commit(&mut ending, &[completes(&task, "7")]).await.unwrap();
    let suspending = committing(&world, suspends(&parent)).await;
    blocked(&world).await;
    ending.commit().await.unwrap();
    let Verdict::News { arrivals, .. } = suspending.await.unwrap() else { panic!("it went to sleep over its news") };
    assert_eq!(arrivals, 1);
    assert_eq!(world.status(parent.id).await, "running");
}

#[tokio::test]
async fn a_signal_that_is_sent_while_the_workflow_suspends_wakes_it() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let mut other = world.database.connect().await;
    let mut suspending = other.begin().await.unwrap();
    commit(&mut suspending, &[suspends(&run)]).await.unwrap();
    let (client, id) = (world.client.clone(), run.id);
    let signalling = tokio::spawn(async move { client.signal(&id, "go", &json("1"), None).await.unwrap() });
    blocked(&world).await;
    suspending.commit().await.unwrap();
    assert!(signalling.await.unwrap());
    world.claimed(run.id).await;
}

#[tokio::test]
async fn a_workflow_that_suspends_while_a_signal_is_sent_goes_on_with_it() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let mut other = world.database.connect().await;
    let mut signalling = other.begin().await.unwrap();
    sqlx::query("select currant.signal($1, 'go')").bind(run.id).execute(&mut *signalling).await.unwrap();
    let suspending = committing(&world, suspends(&run)).await;
    blocked(&world).await;
    signalling.commit().await.unwrap();
    assert!(matches!(suspending.await.unwrap(), Verdict::News { arrivals: 1, .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_wakers_at_once_make_it_ready_once() {
    let world = World::new().await;
    let run = world.suspended().await;
    let mut waking = Vec::new();
    for number in 0..8 {
        let (client, id) = (world.client.clone(), run.id);
        waking.push(tokio::spawn(async move { client.signal(&id, "go", &json(&number.to_string()), None).await.unwrap() }));
    }
    for waking in waking {
        assert!(waking.await.unwrap());
    }
    let ready: i64 = world.value(run.id, "select count(*) from currant.ready where id = $1").await;
    assert_eq!(ready, 1);
    let arrivals: Vec<_> = inbox::load(world.pool(), run.id, 0).await.unwrap().iter().map(|news| news.arrival).collect();
    assert_eq!(arrivals, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn children_that_end_in_one_commit_arrive_in_their_order() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, (1..=3).map(|operation| child(&parent, operation, "charge")).collect())).await;
    let tasks = world.claim(10).await;
    let batch: Vec<_> = tasks.iter().rev().map(|task| completes(task, "1")).collect();
    let mut connection = world.database.connect().await;
    commit(&mut connection, &batch).await.unwrap();
    let arrived: Vec<_> = inbox::load(world.pool(), parent.id, 0).await.unwrap();
    assert_eq!(arrived.len(), 3);
    let operations = |kind: &NewsKind| match kind {
        NewsKind::Completion { operation, .. } => *operation,
        other => panic!("{other:?}"),
    };
    let mut operations: Vec<_> = arrived.iter().map(|news| operations(&news.kind)).collect();
    operations.sort_unstable();
    assert_eq!(operations, [1, 2, 3]);
    assert_eq!(world.claim(10).await.len(), 1, "three ends wake it once");
}

#[tokio::test]
async fn what_was_delivered_leaves_the_inbox_with_the_entry_that_says_so() {
    let world = World::new().await;
    let run = world.suspended().await;
    world.client.signal(&run.id, "a", &json("1"), None).await.unwrap();
    world.client.signal(&run.id, "b", &json("2"), None).await.unwrap();
    let run = world.claimed(run.id).await;
    let writes = WorkflowWrites { entries: vec![entry(0)], delivered: vec![2], ..Default::default() };
    world.written(decides(&run, writes, waits(2))).await;
    let left = inbox::load(world.pool(), run.id, 0).await.unwrap();
    assert_eq!(left.len(), 1, "the other is still to be delivered, and does not keep the workflow awake");
    assert_eq!(world.status(run.id).await, "suspended");
    assert_eq!(journal::load(world.pool(), run.id, 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_timer_that_is_due_keeps_its_workflow_awake() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let until = Some(run.claimed_at);
    let fate = Fate::Suspends { until, shortest_new_timer_ms: None, seen: 0, resident_on: None };
    let verdict = world.commit(decides(&run, WorkflowWrites::default(), fate)).await;
    assert!(matches!(verdict, Verdict::News { arrivals: 0, .. }));
    let fate = Fate::Suspends { until: None, shortest_new_timer_ms: Some(0), seen: 0, resident_on: None };
    let verdict = world.commit(decides(&run, WorkflowWrites::default(), fate)).await;
    assert!(matches!(verdict, Verdict::News { .. }), "a timer of no length is due when it is recorded");
}

#[tokio::test]
async fn the_earliest_of_new_and_old_timers_wakes() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let until = Some(run.claimed_at + chrono::TimeDelta::seconds(100));
    let fate = Fate::Suspends { until, shortest_new_timer_ms: Some(40_000), seen: 0, resident_on: None };
    world.written(decides(&run, WorkflowWrites::default(), fate)).await;
    let todo = maintenance::look(world.pool(), GRACE).await.unwrap();
    assert!(!todo.due);
    let next = todo.next.expect("a timer is known").as_secs();
    assert!((35..=40).contains(&next), "{next}");
    world.advance(41).await;
    assert!(maintenance::look(world.pool(), GRACE).await.unwrap().due);
    assert_eq!(maintenance::wake_due(world.pool(), 10).await.unwrap(), 1);
    assert_eq!(maintenance::wake_due(world.pool(), 10).await.unwrap(), 0);
    world.claimed(run.id).await;
}

#[tokio::test]
async fn a_timer_longer_than_the_calendar_waits() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let fate = Fate::Suspends { until: None, shortest_new_timer_ms: Some(u64::MAX), seen: 0, resident_on: None };
    world.written(decides(&run, WorkflowWrites::default(), fate)).await;
    assert_eq!(maintenance::wake_due(world.pool(), 10).await.unwrap(), 0);
}

#[tokio::test]
async fn a_timer_and_a_signal_at_once_wake_once() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let fate = Fate::Suspends { until: None, shortest_new_timer_ms: Some(1_000), seen: 0, resident_on: None };
    world.written(decides(&run, WorkflowWrites::default(), fate)).await;
    world.advance(2).await;
    let mut other = world.database.connect().await;
    let mut signalling = other.begin().await.unwrap();
    sqlx::query("select currant.signal($1, 'go')").bind(run.id).execute(&mut *signalling).await.unwrap();
    assert_eq!(maintenance::wake_due(world.pool(), 10).await.unwrap(), 0, "its row is in the signal's hands");
    signalling.commit().await.unwrap();
    assert_eq!(maintenance::wake_due(world.pool(), 10).await.unwrap(), 0);
    world.claimed(run.id).await;
}

#[tokio::test]
async fn nobody_else_makes_an_execution_ready() {
    // Rule 2 as a constraint: a second row cannot even be inserted.
    let world = World::new().await;
    let run = world.suspended().await;
    world.client.signal(&run.id, "go", &json("1"), None).await.unwrap();
    world.execute(run.id, "select currant.wake(array[$1], array[0])").await;
    let mut connection = world.database.connect().await;
    connection.execute("select currant.wake(array(select id from currant.requests), array[0])").await.unwrap();
    assert_eq!(world.claim(10).await.len(), 1);
}

// Statements that lock a row and write it see it as it was before they waited for the lock.

#[tokio::test]
async fn a_workflow_whose_row_changes_while_it_suspends_sleeps_all_the_same() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let mut other = world.database.connect().await;
    let mut changing = other.begin().await.unwrap();
    sqlx::query("update currant.workflows set warning = 'it is nearly full' where id = $1")
        .bind(run.id)
        .execute(&mut *changing)
        .await
        .unwrap();
    let suspending = committing(&world, suspends(&run)).await;
    blocked(&world).await;
    changing.commit().await.unwrap();
    assert!(matches!(suspending.await.unwrap(), Verdict::Written { .. }));
    assert_eq!(world.status(run.id).await, "suspended");
    let warning: String = world.value(run.id, "select warning from currant.workflows where id = $1").await;
    assert_eq!(warning, "it is nearly full");
}

#[tokio::test]
async fn children_that_end_at_the_same_moment_both_arrive() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![child(&parent, 1, "charge"), child(&parent, 2, "charge")])).await;
    let tasks = world.claim(10).await;
    let mut other = world.database.connect().await;
    let mut first = other.begin().await.unwrap();
    commit(&mut first, &[completes(&tasks[0], "1")]).await.unwrap();
    let second = committing(&world, completes(&tasks[1], "2")).await;
    blocked(&world).await;
    first.commit().await.unwrap();
    assert!(matches!(second.await.unwrap(), Verdict::Written { .. }));
    let arrivals: Vec<_> = inbox::load(world.pool(), parent.id, 0).await.unwrap().iter().map(|news| news.arrival).collect();
    assert_eq!(arrivals, [1, 2]);
    assert_eq!(world.claim(10).await.len(), 1, "the first has woken it");
}

#[tokio::test]
async fn what_workflows_decide_together_is_written_without_the_one_that_was_taken_over() {
    let world = World::new().await;
    let runs = [world.run("checkout").await, world.run("checkout").await, world.run("checkout").await];
    world.execute(runs[1].id, "update currant.running set run = 2 where id = $1").await;
    let batch = runs.each_ref().map(|run| starts(run, vec![child(run, 1, "charge")]));
    let verdicts = commit(&mut world.database.connect().await, &batch).await.unwrap();
    assert!(matches!(verdicts[..], [Verdict::Written { .. }, Verdict::Lost, Verdict::Written { .. }]), "{verdicts:?}");
    let mut statuses = Vec::new();
    for run in &runs {
        statuses.push(world.status(run.id).await);
    }
    assert_eq!(statuses, ["suspended", "running", "suspended"]);
    let parents: Vec<_> = world.claim(10).await.iter().filter_map(|task| task.parent).collect();
    assert_eq!(parents, [runs[0].id, runs[2].id], "each has its child, once");
}

#[tokio::test]
async fn who_ends_with_its_detached_child_is_told_nothing() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    let children = vec![NewChild { detached: true, ..child(&parent, 1, "charge") }];
    world.written(decides(&parent, WorkflowWrites { children, ..Default::default() }, Fate::GoesOn)).await;
    let task = world.claim(1).await.remove(0);
    let closes = WorkflowWrites { children_are_closed: true, ..Default::default() };
    let batch = [completes(&task, "1"), decides(&parent, closes, Fate::Ends(Ending::Completed(json("2"))))];
    let verdicts = commit(&mut world.database.connect().await, &batch).await.unwrap();
    assert!(matches!(verdicts[..], [Verdict::Written { .. }, Verdict::Written { .. }]), "{verdicts:?}");
    assert_eq!([world.status(task.id).await, world.status(parent.id).await], ["completed", "completed"]);
    assert!(inbox::load(world.pool(), parent.id, 0).await.unwrap().is_empty(), "news of nobody");
}

#[tokio::test]
async fn what_is_sent_at_the_moment_when_a_workflow_completes_is_not_kept() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let mut other = world.database.connect().await;
    let mut signalling = other.begin().await.unwrap();
    sqlx::query("select currant.signal($1, 'go')").bind(run.id).execute(&mut *signalling).await.unwrap();
    let closes = WorkflowWrites { children_are_closed: true, ..Default::default() };
    let ending = committing(&world, decides(&run, closes, Fate::Ends(Ending::Completed(json("1"))))).await;
    blocked(&world).await;
    signalling.commit().await.unwrap();
    assert!(matches!(ending.await.unwrap(), Verdict::Written { .. }));
    assert_eq!(world.status(run.id).await, "completed");
    assert!(inbox::load(world.pool(), run.id, 0).await.unwrap().is_empty(), "news of nobody");
}

#[tokio::test]
async fn a_workflow_that_is_retried_at_the_moment_when_its_child_ends_is_told() {
    let world = World::new().await;
    let failed = world.run("checkout").await;
    let children = vec![NewChild { detached: true, ..child(&failed, 1, "charge") }];
    world.written(decides(&failed, WorkflowWrites { children, ..Default::default() }, Fate::GoesOn)).await;
    let detached = world.claim(1).await.remove(0);
    world.written(activation(&failed, Fate::Ends(Ending::Failed(failure("declined"))))).await;
    let waiting = world.run("checkout").await;
    world.written(starts(&waiting, vec![child(&waiting, 1, "charge")])).await;
    let task = world.claim(1).await.remove(0);

    // The ends of both tasks wait for the workflow of one of them; meanwhile that of the other is open again.
    let mut other = world.database.connect().await;
    let mut signalling = other.begin().await.unwrap();
    sqlx::query("select currant.signal($1, 'go')").bind(waiting.id).execute(&mut *signalling).await.unwrap();
    let mut connection = world.database.connect().await;
    let batch = [completes(&task, "1"), completes(&detached, "2")];
    let ending = tokio::spawn(async move { commit(&mut connection, &batch).await.unwrap() });
    blocked(&world).await;
    world.client.retry(&failed.id, false).await.unwrap();
    signalling.commit().await.unwrap();
    assert!(ending.await.unwrap().iter().all(|verdict| matches!(verdict, Verdict::Written { .. })));
    for (id, arrived) in [(failed.id, 1), (waiting.id, 2)] {
        assert_eq!(inbox::load(world.pool(), id, 0).await.unwrap().len(), arrived);
    }
}

#[tokio::test]
async fn what_waited_for_a_lock_begins_when_it_has_it() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let mut other = world.database.connect().await;
    let mut holding = other.begin().await.unwrap();
    sqlx::query("select from currant.workflows where id = $1 for update").bind(run.id).execute(&mut *holding).await.unwrap();
    let starting = committing(&world, starts(&run, vec![child(&run, 1, "charge")])).await;
    blocked(&world).await;
    let later: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut *holding).await.unwrap();
    holding.commit().await.unwrap();
    let Verdict::Written { at } = starting.await.unwrap() else { panic!("nothing has arrived") };
    assert!(at > later);
    let run_at: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select run_at from currant.ready").fetch_one(world.pool()).await.unwrap();
    assert_eq!(run_at, at, "its time in the queue counts from then");
}

#[tokio::test]
async fn an_execution_is_not_decided_upon_twice_in_a_batch() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let undone = Claimed { claimed_at: run.claimed_at - chrono::TimeDelta::seconds(1), ..run.clone() };
    let refused = commit(&mut world.database.connect().await, &[suspends(&undone), suspends(&run)]).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(matches!(world.commit(suspends(&undone)).await, Verdict::Lost));
    assert!(matches!(world.commit(suspends(&run)).await, Verdict::Written { .. }));
}

#[tokio::test]
async fn who_has_no_patience_leaves_what_somebody_else_holds() {
    let world = World::new().await;
    let parent = world.run("checkout").await;
    world
        .written(decides(
            &parent,
            WorkflowWrites { children: vec![child(&parent, 1, "charge")], ..Default::default() },
            Fate::GoesOn,
        ))
        .await;
    let [told, alone] = [world.claim(1).await.remove(0), world.run("charge").await];
    let mut other = world.database.connect().await;
    let mut holding = other.begin().await.unwrap();
    sqlx::query("select currant.signal($1, 'go')").bind(parent.id).execute(&mut *holding).await.unwrap();
    sqlx::query("select currant.cancel($1)").bind(alone.id).execute(&mut *holding).await.unwrap();
    let mut connection = world.database.connect().await;
    let entries = WorkflowWrites { entries: vec![entry(0)], ..Default::default() };
    let any = Activation { progress: Some(json("1")), ..completes(&told, "1") };
    for activation in [suspends(&parent), completes(&told, "1"), completes(&alone, "1"), any] {
        let waited = commit_within(&mut connection, &[activation], Some(Duration::from_millis(1))).await;
        assert!(waited.as_ref().is_err_and(|error| error.is_held()), "{waited:?}");
    }
    let appended =
        commit_within(&mut connection, &[decides(&parent, entries, Fate::GoesOn)], Some(Duration::from_millis(1))).await;
    assert!(matches!(appended.unwrap()[..], [Verdict::Written { .. }]), "an entry concerns no row that is held");
    holding.commit().await.unwrap();
    for activation in [completes(&told, "1"), completes(&alone, "1")] {
        let verdicts = commit_within(&mut connection, &[activation], Some(Duration::from_millis(1))).await.unwrap();
        assert!(matches!(verdicts[..], [Verdict::Written { .. }]), "{verdicts:?}");
    }
}
