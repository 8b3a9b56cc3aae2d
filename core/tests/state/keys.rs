//! The whole table of keys: what an enqueue under a task_id answers, by the status of the execution that has it; from Rust and from SQL.

use currant_core::executions::commit::{Ending, Fate};
use currant_core::executions::{NewExecution, Started, Status};
use currant_core::ids::{ExecutionId, TaskId};

use crate::world::{World, activation, asked, completes, fails, failure, json, suspends};

const KEY: &str = "order-42";

fn keyed(function: &str, input: &str) -> NewExecution {
    NewExecution { task_id: Some(TaskId::parse(KEY).unwrap()), input: json(input), ..asked(function) }
}

fn function_in(status: Status) -> &'static str {
    if status == Status::Suspended { "checkout" } else { "charge" }
}

impl World {
    /// An execution under the key in this status: of a task, or, because only workflows are suspended, of a workflow.
    async fn keyed_in(&self, status: Status) -> ExecutionId {
        let id = self.enqueue(keyed(function_in(status), "1")).await.id;
        if status == Status::Cancelled {
            self.client.cancel(&id).await.unwrap();
        } else if status != Status::Pending {
            let run = self.claimed(id).await;
            let written = match status {
                Status::Suspended => Some(suspends(&run)),
                Status::Completed => Some(completes(&run, "\"paid\"")),
                Status::Failed => Some(activation(&run, Fate::Ends(Ending::Failed(failure("declined"))))),
                Status::TimedOut => Some(activation(&run, Fate::Ends(Ending::TimedOut(failure("timed-out"))))),
                _ => None,
            };
            if let Some(written) = written {
                self.written(written).await;
            }
        }
        assert_eq!(self.status(id).await, status.as_str());
        id
    }

    /// As any language asks: id, status, result, created, conflict.
    async fn asked_in_sql(&self, function: &str, input: &str) -> (ExecutionId, String, Option<String>, bool, bool) {
        sqlx::query_as("select id, status, result::text, created, conflict from currant.enqueue($1, $2::json, task_id => $3)")
            .bind(function)
            .bind(input)
            .bind(KEY)
            .fetch_one(self.pool())
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn what_is_open_or_completed_is_answered_and_a_conflict_said() {
    for status in [Status::Pending, Status::Running, Status::Suspended, Status::Completed] {
        let world = World::new().await;
        let id = world.keyed_in(status).await;
        let result = (status == Status::Completed).then(|| "\"paid\"".to_owned());
        let (own, other) = (function_in(status), if status == Status::Suspended { "charge" } else { "checkout" });
        for (function, input, conflict) in [(own, "1", false), (own, "1.0", false), (own, "2", true), (other, "1", true)] {
            let answer = Started { id, status, result: result.as_deref().map(json), created: false, conflict };
            assert_eq!(world.enqueue(keyed(function, input)).await, answer, "{status}: {function}({input})");
            let answer = (id, status.as_str().to_owned(), result.clone(), false, conflict);
            assert_eq!(world.asked_in_sql(function, input).await, answer, "{status}: {function}({input})");
        }
        let asked: i64 = sqlx::query_scalar("select count(*) from currant.requests").fetch_one(world.pool()).await.unwrap();
        assert_eq!(asked, 1, "{status}: nothing else was started");
    }
}

#[tokio::test]
async fn what_did_not_complete_gives_its_key_to_whatever_is_asked_for_next() {
    for status in [Status::Failed, Status::Cancelled, Status::TimedOut] {
        for (function, input) in [("charge", "1"), ("charge", "2"), ("checkout", "1")] {
            let world = World::new().await;
            let first = world.keyed_in(status).await;
            let (id, now, result, created, conflict) = world.asked_in_sql(function, input).await;
            assert_ne!(id, first, "{status}: {function}({input})");
            assert_eq!((now.as_str(), result, created, conflict), ("pending", None, true, false));
            let again = world.enqueue(keyed(function, input)).await;
            assert_eq!(again, Started { id, status: Status::Pending, result: None, created: false, conflict: false });
            let error = world.client.retry(&first, false).await.unwrap_err().to_string();
            assert_eq!(error, format!("a newer execution, {id}, has the task_id 'order-42' of {first}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_connections_that_hammer_one_key_make_one_execution() {
    let world = World::new().await;
    let asking = (0..16).map(|_| {
        let (client, new) = (world.client.clone(), keyed("charge", "{}"));
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
    let first = world.enqueue(keyed("charge", "{}")).await;
    let run = world.claimed(first.id).await;
    world.written(fails(&run)).await;
    let asking = (0..8).map(|_| {
        let (client, new) = (world.client.clone(), keyed("charge", "{}"));
        tokio::spawn(async move { client.enqueue(new).await.unwrap() })
    });
    let mut created = 0;
    for asking in asking.collect::<Vec<_>>() {
        created += usize::from(asking.await.unwrap().created);
    }
    assert_eq!(created, 1);
}
