//! The life of an execution, tried in SQL: every event on an execution in every status, against the pure function.

use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Ending, Fate, Verdict};
use currant_core::executions::status::Event;
use currant_core::executions::{Kind, NewExecution, Status, Timeouts};
use currant_core::ids::ExecutionId;
use currant_core::maintenance;

use crate::compensating::GRACE;
use crate::world::{World, activation, asked, failure, json, suspends};

/// An execution in some status, and its last run.
struct Subject {
    id: ExecutionId,
    run: Option<Claimed>,
}

/// Puts an execution of this kind into this status. None: a task is never suspended.
async fn bring(world: &World, kind: Kind, status: Status) -> Option<Subject> {
    let name = match kind {
        Kind::Task => "charge",
        Kind::Workflow => "checkout",
    };
    let timeouts = Timeouts { total_ms: Some(3_600_000), ..Default::default() };
    let id = world.enqueue(NewExecution { timeouts, ..asked(name) }).await.id;
    if status == Status::Pending {
        return Some(Subject { id, run: None });
    }
    let run = world.claimed(id).await;
    let ends = |ending| activation(&run, Fate::Ends(ending));
    match status {
        Status::Pending | Status::Running => {}
        Status::Suspended if kind == Kind::Task => return None,
        Status::Suspended => world.written(suspends(&run)).await,
        Status::Completed => world.written(ends(Ending::Completed(json("1")))).await,
        Status::Failed => world.written(ends(Ending::Failed(failure("declined")))).await,
        Status::Cancelled => world.written(ends(Ending::Cancelled(failure("cancelled")))).await,
        Status::TimedOut => world.written(ends(Ending::TimedOut(failure("timed-out")))).await,
    }
    assert_eq!(world.status(id).await, status.as_str());
    Some(Subject { id, run: Some(run) })
}

/// Lets an event happen; answers whether it did.
async fn try_event(world: &World, subject: &Subject, event: Event) -> bool {
    let Subject { id, run } = subject;
    let fate = match event {
        Event::Claim => return world.claim(10).await.iter().any(|run| run.id == *id),
        Event::Wake => {
            world.execute(*id, "select currant.wake(array[$1], array[0])").await;
            return world.value(*id, "select exists (select from currant.ready where id = $1 and resumes)").await;
        }
        Event::CancelUnbegun => return world.client.cancel(id).await.unwrap() == "cancelled",
        Event::TimeOut if !matches!(world.status(*id).await.as_str(), "running") => {
            world.advance(3_601).await;
            return maintenance::time_out_overdue(world.pool(), 10).await.unwrap() == 1;
        }
        Event::EndCancelled => {
            world.execute(*id, "update currant.workflows set cancel_requested_at = '-infinity' where id = $1").await;
            let before = world.status(*id).await;
            maintenance::end_cancelled(world.pool(), GRACE, 10).await.unwrap();
            return before != "cancelled" && world.status(*id).await == "cancelled";
        }
        Event::Retry => return world.client.retry(id, false).await.is_ok(),
        Event::Complete => Fate::Ends(Ending::Completed(json("2"))),
        Event::Fail => Fate::Ends(Ending::Failed(failure("declined"))),
        Event::TryAgain => Fate::Retries { failure: failure("declined"), after_ms: 0 },
        Event::Return => Fate::Returned,
        Event::Suspend => return written(world, run.as_ref(), suspends).await,
        Event::StopCancelled => Fate::Ends(Ending::Cancelled(failure("cancelled"))),
        Event::TimeOut => Fate::Ends(Ending::TimedOut(failure("timed-out"))),
    };
    written(world, run.as_ref(), |run| activation(run, fate)).await
}

async fn written(
    world: &World,
    run: Option<&Claimed>,
    of: impl FnOnce(&Claimed) -> currant_core::executions::commit::Activation,
) -> bool {
    let Some(run) = run else { return false };
    matches!(world.commit(of(run)).await, Verdict::Written { .. })
}

async fn try_all(kind: Kind, event: Event) {
    for status in Status::ALL {
        if kind == Kind::Task && matches!(event, Event::Suspend | Event::EndCancelled) {
            continue;
        }
        let world = World::new().await;
        let Some(subject) = bring(&world, kind, status).await else { continue };
        let next = status.next(event);
        let before: Option<String> = world.value(subject.id, "select result::text from currant.result($1)").await;
        let happened = try_event(&world, &subject, event).await;
        // Cancelling what has begun is a request and no transition; a workflow that waits is woken to be told.
        let asked_to_stop = event == Event::CancelUnbegun && next.is_err() && !status.is_final();
        match next {
            // One that ended so before is answered as what it is.
            Err(_) if event == Event::CancelUnbegun && status == Status::Cancelled => {}
            _ => assert_eq!(happened, next.is_ok(), "{kind:?} {status} {event:?}"),
        }
        let expected = match (next, status) {
            (Ok(next), _) => next,
            (Err(_), Status::Suspended) if asked_to_stop => Status::Pending,
            (Err(_), unchanged) => unchanged,
        };
        assert_eq!(world.status(subject.id).await, expected.as_str(), "{kind:?} {status} {event:?}");
        if status.is_final() && next.is_err() {
            let after: Option<String> = world.value(subject.id, "select result::text from currant.result($1)").await;
            assert_eq!(after, before);
        }
        let places: i64 = world
            .value(
                subject.id,
                "select (select count(*) from currant.ready where id = $1) + (select count(*) from currant.running where id = $1)
                      + (select count(*) from currant.outcomes where id = $1) + (select count(*) from currant.parked where id = $1)
                      + (select count(*) from currant.workflows where id = $1 and waiting)",
            )
            .await;
        assert_eq!(places, 1, "{kind:?} {status} {event:?}: it is in exactly one place");
    }
}

macro_rules! every_status {
    ($($name:ident: $event:ident;)*) => {
        $(#[tokio::test]
        async fn $name() {
            try_all(Kind::Task, Event::$event).await;
            try_all(Kind::Workflow, Event::$event).await;
        })*
    };
}

every_status! {
    only_what_is_pending_can_be_claimed: Claim;
    only_what_runs_completes: Complete;
    only_what_runs_fails: Fail;
    only_what_runs_is_tried_again: TryAgain;
    only_what_runs_is_returned: Return;
    only_what_runs_is_suspended: Suspend;
    only_what_waits_is_woken: Wake;
    only_what_has_not_begun_is_cancelled_at_once: CancelUnbegun;
    only_what_runs_stops_because_of_its_cancellation: StopCancelled;
    only_a_workflow_that_nobody_runs_is_ended_because_it_was_cancelled: EndCancelled;
    only_what_is_open_times_out: TimeOut;
    only_what_did_not_complete_is_retried: Retry;
}
