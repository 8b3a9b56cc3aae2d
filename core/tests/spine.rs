//! The path of one execution through this floor, without a guest: claim, write, suspend, wake, end.

#![allow(clippy::unwrap_used, reason = "what a test arranges has to work")]

use chrono::{DateTime, Utc};
use currant_core::Client;
use currant_core::executions::claim::{Claimed, Look, claim};
use currant_core::executions::commit::{Activation, Ending, Fate, NewChild, Pin, Verdict, WorkflowWrites, commit};
use currant_core::executions::{Failure, Kind, NewExecution, StartOptions, Status};
use currant_core::ids::{Digest, EnvironmentId, ExecutionId, FunctionName, ModuleName, QueueName, WorkerId};
use currant_core::inbox::NewsKind;
use currant_core::journal::JournalRow;
use currant_core::modules::{self, FunctionDescription, ModuleDescription};
use currant_core::values::Json;
use currant_core::{inbox, journal, maintenance, workers};
use currant_test_support::TestDatabase;
use std::time::Duration;

struct Bundle {
    database: TestDatabase,
    client: Client,
    worker: WorkerId,
}

fn json(text: &str) -> Json {
    Json::parse(text.into()).unwrap()
}

fn name(text: &str) -> FunctionName {
    FunctionName::parse(text).unwrap()
}

fn offered(function: &str, kind: Kind) -> FunctionDescription {
    FunctionDescription {
        name: name(function),
        kind,
        description: None,
        queue: Some(QueueName::parse("payments").unwrap()),
        priority: None,
        retry: None,
        timeouts: Default::default(),
        input_schema: None,
        result_schema: None,
    }
}

/// A database on which a worker lives and module `shop` offers the task `charge` and the workflow `checkout`.
async fn setup() -> Bundle {
    let database = TestDatabase::new().await;
    let client = Client::new(database.pool().clone());
    let worker = new_worker(&database).await;
    let deployment = modules::upload(database.pool(), b"a component", false, None).await.unwrap();
    let requested = modules::next_requested(database.pool(), worker).await.unwrap().unwrap();
    assert_eq!((requested.deployment, requested.bytes), (deployment, b"a component".to_vec()));
    let description = ModuleDescription {
        name: ModuleName::parse("shop").unwrap(),
        version: "1".into(),
        sdk: "test".into(),
        functions: vec![offered("charge", Kind::Task), offered("checkout", Kind::Workflow)],
    };
    let refused = modules::decide(database.pool(), worker, deployment, modules::Verdict::Deployed(description)).await.unwrap();
    assert_eq!(refused, None);
    Bundle { database, client, worker }
}

async fn new_worker(database: &TestDatabase) -> WorkerId {
    let id = WorkerId::random();
    let worker = workers::NewWorker {
        id,
        host: "test".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        slots: 4,
        lease: Duration::from_secs(10),
        queue_settings: Default::default(),
    };
    workers::register(database.pool(), &worker).await.unwrap();
    id
}

impl Bundle {
    async fn start(&self, function: &str, input: &str) -> ExecutionId {
        self.client.enqueue(NewExecution::new(name(function), json(input))).await.unwrap().id
    }

    async fn claim(&self) -> Vec<Claimed> {
        claim(self.database.pool(), self.worker, None, 10, &Look::Everywhere).await.unwrap().claimed
    }

    async fn claim_one(&self) -> Claimed {
        let mut claimed = self.claim().await;
        assert_eq!(claimed.len(), 1, "{claimed:?}");
        claimed.remove(0)
    }

    async fn write(&self, activation: Activation) -> Verdict {
        let mut connection = self.database.connect().await;
        commit(&mut connection, &[activation]).await.unwrap().remove(0)
    }

    async fn status(&self, id: ExecutionId) -> Option<Status> {
        self.client.status(&id).await.unwrap().unwrap().status
    }
}

fn ends(of: &Claimed, fate: Fate) -> Activation {
    let (id, run, claimed_at) = (of.id, of.run, of.claimed_at);
    let (kind, concerns) = (of.kind, of.concerns());
    Activation { id, run, claimed_at, kind, concerns, workflow: None, logs: Vec::new(), progress: None, fate }
}

fn writes(of: &Claimed, workflow: WorkflowWrites, fate: Fate) -> Activation {
    Activation { workflow: Some(WorkflowWrites { chain: of.chain, ..workflow }), ..ends(of, fate) }
}

fn entry(position: i32, kind: &str, at: Option<DateTime<Utc>>) -> JournalRow {
    JournalRow { position, kind: kind.into(), operation: None, name: None, hash: None, body: None, at, sum: None }
}

fn charge_child(parent: &Claimed, operation: u32, options: StartOptions) -> NewChild {
    let id = ExecutionId::of_child(parent.id, parent.chain, operation);
    NewChild { id, operation, kind: Kind::Task, function: name("charge"), input: json("7"), options, detached: false }
}

fn suspends(seen: i32) -> Fate {
    Fate::Suspends { until: None, shortest_new_timer_ms: None, seen, resident_on: None }
}

#[tokio::test]
async fn a_task_is_claimed_run_and_completed() {
    let bundle = setup().await;
    let id = bundle.start("charge", " {\"b\": 1.0,  \"a\":2}").await;
    let claimed = bundle.claim_one().await;
    assert_eq!((claimed.id, claimed.run, claimed.attempt, claimed.kind), (id, 1, 1, Kind::Task));
    assert_eq!(claimed.queue.as_str(), "payments");
    assert_eq!(claimed.input.as_str(), " {\"b\": 1.0,  \"a\":2}", "byte for byte");
    assert_eq!(claimed.retry.retries, 3);
    assert_eq!(claimed.digest, Some(Digest::of(b"a component")));
    assert_eq!(bundle.status(id).await, Some(Status::Running));

    let verdict = bundle.write(ends(&claimed, Fate::Ends(Ending::Completed(json(" 1.50 "))))).await;
    assert!(matches!(verdict, Verdict::Written { .. }));
    let ended = bundle.client.result(&id).await.unwrap().unwrap();
    assert_eq!(ended.result.unwrap().as_str(), " 1.50 ");
    assert!(bundle.claim().await.is_empty());
}

#[tokio::test]
async fn a_run_that_was_taken_over_writes_nothing() {
    let bundle = setup().await;
    let id = bundle.start("charge", "1").await;
    let lost = bundle.claim_one().await;
    bundle.database.clock().advance(Duration::from_secs(11)).await;
    assert_eq!(maintenance::return_expired(bundle.database.pool(), 10).await.unwrap(), 1);
    let other = Bundle { worker: new_worker(&bundle.database).await, ..bundle };
    let taken_over = other.claim_one().await;
    assert_eq!((taken_over.run, taken_over.attempt), (2, 1), "a lost worker costs no attempt");

    for fate in [
        Fate::Ends(Ending::Completed(json("1"))),
        Fate::Ends(Ending::Failed(Failure::of_host("trap", "x", true))),
        Fate::Retries { failure: Failure::of_host("trap", "x", true), after_ms: 0 },
        Fate::Returned,
    ] {
        assert!(matches!(other.write(ends(&lost, fate)).await, Verdict::Lost));
    }
    assert_eq!(other.status(id).await, Some(Status::Running));
    other.write(ends(&taken_over, Fate::Ends(Ending::Completed(json("2"))))).await;
    assert_eq!(other.client.result(&id).await.unwrap().unwrap().result.unwrap().as_str(), "2");
}

#[tokio::test]
async fn a_workflow_suspends_and_is_woken_by_its_child() {
    let bundle = setup().await;
    let id = bundle.start("checkout", "1").await;
    let run = bundle.claim_one().await;
    let started = WorkflowWrites {
        pin: run.digest.map(|digest| Pin { digest, environment: EnvironmentId::default() }),
        entries: vec![entry(0, "started", Some(run.claimed_at)), JournalRow { operation: Some(1), ..entry(1, "task", None) }],
        children: vec![charge_child(&run, 1, StartOptions::default())],
        ..WorkflowWrites::default()
    };
    assert!(matches!(bundle.write(writes(&run, started, suspends(0))).await, Verdict::Written { .. }));
    assert_eq!(bundle.status(id).await, Some(Status::Suspended));

    let child = bundle.claim_one().await;
    assert_eq!(child.parent, Some(id));
    assert_eq!(child.trace_id, run.trace_id, "parent and child share their trace");
    bundle.write(ends(&child, Fate::Ends(Ending::Completed(json("{\"x\":  1}"))))).await;
    assert_eq!(bundle.status(id).await, Some(Status::Pending));

    let run = bundle.claim_one().await;
    assert_eq!((run.id, run.run), (id, 2));
    assert_eq!(journal::load(bundle.database.pool(), id, 1).await.unwrap().len(), 2);
    let news = inbox::load(bundle.database.pool(), id, 0).await.unwrap();
    let NewsKind::Completion { operation: 1, outcome: Ok(value), .. } = &news[0].kind else { panic!("{news:?}") };
    assert_eq!(value.as_str(), "{\"x\":  1}", "byte for byte");
    let delivered = WorkflowWrites { delivered: vec![news[0].arrival], ..WorkflowWrites::default() };
    bundle.write(writes(&run, delivered, Fate::Ends(Ending::Completed(json("true"))))).await;
    assert_eq!(bundle.status(id).await, Some(Status::Completed));
    assert!(inbox::load(bundle.database.pool(), id, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_child_that_ends_before_its_parent_suspends_is_not_lost() {
    let bundle = setup().await;
    bundle.start("checkout", "1").await;
    let run = bundle.claim_one().await;
    let started =
        WorkflowWrites { children: vec![charge_child(&run, 1, StartOptions::default())], ..WorkflowWrites::default() };
    assert!(matches!(bundle.write(writes(&run, started, Fate::GoesOn)).await, Verdict::Written { .. }));
    let child = bundle.claim_one().await;
    bundle.write(ends(&child, Fate::Ends(Ending::Completed(json("1"))))).await;
    let verdict = bundle.write(writes(&run, WorkflowWrites::default(), suspends(0))).await;
    assert!(matches!(verdict, Verdict::News { arrivals: 1, .. }), "{verdict:?}");
    assert!(matches!(bundle.write(writes(&run, WorkflowWrites::default(), suspends(1))).await, Verdict::Written { .. }));
}

#[tokio::test]
async fn a_timer_wakes_its_workflow_by_the_databases_time() {
    let bundle = setup().await;
    let id = bundle.start("checkout", "1").await;
    let run = bundle.claim_one().await;
    let fate = Fate::Suspends { until: None, shortest_new_timer_ms: Some(60_000), seen: 0, resident_on: None };
    bundle.write(writes(&run, WorkflowWrites::default(), fate)).await;
    assert_eq!(maintenance::wake_due(bundle.database.pool(), 10).await.unwrap(), 0);
    bundle.database.clock().advance(Duration::from_secs(61)).await;
    assert_eq!(maintenance::wake_due(bundle.database.pool(), 10).await.unwrap(), 1);
    assert_eq!(bundle.status(id).await, Some(Status::Pending));
}

#[tokio::test]
async fn a_signal_wakes_and_a_cancellation_is_news() {
    let bundle = setup().await;
    let id = bundle.start("checkout", "1").await;
    assert!(bundle.client.signal(&id, "go", &json("1"), Some("a")).await.unwrap());
    assert!(!bundle.client.signal(&id, "go", &json("1"), Some("a")).await.unwrap());
    let run = bundle.claim_one().await;
    assert!(matches!(bundle.write(writes(&run, WorkflowWrites::default(), suspends(1))).await, Verdict::Written { .. }));
    assert_eq!(bundle.client.cancel(&id).await.unwrap(), "requested");
    let kinds: Vec<_> = inbox::load(bundle.database.pool(), id, 0).await.unwrap().into_iter().map(|news| news.kind).collect();
    assert_eq!(kinds, [NewsKind::Signal { name: "go".into(), payload: json("1") }, NewsKind::Cancel]);
    assert_eq!(bundle.status(id).await, Some(Status::Pending));
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_after_its_pause_and_can_be_retried_by_hand() {
    let bundle = setup().await;
    let id = bundle.start("charge", "1").await;
    let run = bundle.claim_one().await;
    let failure = Failure::of_host("trap", "x", true);
    bundle.write(ends(&run, Fate::Retries { failure: failure.clone(), after_ms: 5_000 })).await;
    assert!(bundle.claim().await.is_empty());
    bundle.database.clock().advance(Duration::from_secs(6)).await;
    let run = bundle.claim_one().await;
    assert_eq!((run.run, run.attempt), (2, 2));
    bundle.write(ends(&run, Fate::Ends(Ending::Failed(failure)))).await;
    bundle.client.retry(&id, false).await.unwrap();
    let run = bundle.claim_one().await;
    assert_eq!((run.run, run.attempt, run.forgiven), (3, 3, 2));
    assert_eq!(bundle.client.history(&id).await.unwrap().attempts.len(), 2);
}

#[tokio::test]
async fn children_end_with_their_workflow_and_continue_as_new_begins_a_chain() {
    let bundle = setup().await;
    let id = bundle.start("checkout", "1").await;
    let run = bundle.claim_one().await;
    let started =
        WorkflowWrites { children: vec![charge_child(&run, 1, StartOptions::default())], ..WorkflowWrites::default() };
    bundle.write(writes(&run, started, Fate::ContinuesAsNew { input: json("2") })).await;
    let child = ExecutionId::of_child(id, 1, 1);
    assert_eq!(bundle.status(child).await, Some(Status::Cancelled));
    let run = bundle.claim_one().await;
    assert_eq!((run.chain, run.run, run.input.as_str()), (2, 2, "2"));
    let started =
        WorkflowWrites { children: vec![charge_child(&run, 1, StartOptions::default())], ..WorkflowWrites::default() };
    bundle.write(writes(&run, started, Fate::Ends(Ending::Completed(json("1"))))).await;
    assert_eq!(bundle.status(ExecutionId::of_child(id, 2, 1)).await, Some(Status::Cancelled));
    assert_eq!(bundle.status(id).await, Some(Status::Completed));
}

#[tokio::test]
async fn a_call_with_the_task_id_of_another_execution_attaches_to_it() {
    let bundle = setup().await;
    let shared = NewExecution { task_id: Some("order-1".parse().unwrap()), ..NewExecution::new(name("charge"), json("7")) };
    let other = bundle.client.enqueue(shared).await.unwrap().id;
    let task = bundle.claim_one().await;
    bundle.start("checkout", "1").await;
    let run = bundle.claim_one().await;
    let options = StartOptions { task_id: Some("order-1".parse().unwrap()), ..StartOptions::default() };
    let started = WorkflowWrites { children: vec![charge_child(&run, 1, options.clone())], ..WorkflowWrites::default() };
    bundle.write(writes(&run, started, suspends(0))).await;
    bundle.write(ends(&task, Fate::Ends(Ending::Completed(json("5"))))).await;
    assert_eq!(task.id, other);
    let run = bundle.claim_one().await;
    assert_eq!(inbox::load(bundle.database.pool(), run.id, 0).await.unwrap().len(), 1);

    // Once more, when it has ended already.
    let started = WorkflowWrites { children: vec![charge_child(&run, 2, options)], ..WorkflowWrites::default() };
    let verdict = bundle.write(writes(&run, started, suspends(1))).await;
    assert!(matches!(verdict, Verdict::News { arrivals: 2, .. }), "{verdict:?}");
    let news = inbox::load(bundle.database.pool(), run.id, 1).await.unwrap();
    assert!(matches!(news[0].kind, NewsKind::Completion { operation: 2, .. }));
}

#[tokio::test]
async fn what_nothing_offers_is_parked_until_it_is_deployed() {
    let bundle = setup().await;
    let id = bundle.start("refund", "1").await;
    assert!(bundle.client.status(&id).await.unwrap().unwrap().parked);
    bundle.client.signal(&id, "early", &json("1"), None).await.unwrap();
    assert!(bundle.claim().await.is_empty());
    let deployment = modules::upload(bundle.database.pool(), b"another", false, None).await.unwrap();
    modules::next_requested(bundle.database.pool(), bundle.worker).await.unwrap().unwrap();
    let description = ModuleDescription {
        name: ModuleName::parse("refunds").unwrap(),
        version: "1".into(),
        sdk: "test".into(),
        functions: vec![offered("refund", Kind::Workflow)],
    };
    modules::decide(bundle.database.pool(), bundle.worker, deployment, modules::Verdict::Deployed(description)).await.unwrap();
    let run = bundle.claim_one().await;
    assert_eq!((run.id, run.kind), (id, Kind::Workflow));
    assert_eq!(inbox::load(bundle.database.pool(), id, 0).await.unwrap().len(), 1, "the signal was kept");
}

#[tokio::test]
async fn run_numbers_never_start_again_so_that_no_earlier_run_can_write() {
    let bundle = setup().await;
    let id = bundle.start("charge", "1").await;
    let first = bundle.claim_one().await;
    bundle.write(ends(&first, Fate::Retries { failure: Failure::of_host("trap", "x", true), after_ms: 60_000 })).await;
    assert_eq!(bundle.client.cancel(&id).await.unwrap(), "cancelled");
    bundle.client.retry(&id, false).await.unwrap();
    let again = bundle.claim_one().await;
    assert_eq!((again.run, again.attempt), (2, 3));
    assert!(matches!(bundle.write(ends(&first, Fate::Ends(Ending::Completed(json("1"))))).await, Verdict::Lost));
}

#[tokio::test]
async fn what_waits_too_long_in_its_queue_times_out() {
    let bundle = setup().await;
    let mut late = NewExecution::new(name("charge"), json("1"));
    late.timeouts.queue_ms = Some(5_000);
    let id = bundle.client.enqueue(late).await.unwrap().id;
    assert_eq!(maintenance::time_out_overdue(bundle.database.pool(), 10).await.unwrap(), 0);
    bundle.database.clock().advance(Duration::from_secs(6)).await;
    assert_eq!(maintenance::time_out_overdue(bundle.database.pool(), 10).await.unwrap(), 1);
    assert_eq!(bundle.status(id).await, Some(Status::TimedOut));
}

#[tokio::test]
async fn a_suspended_workflow_ends_when_its_total_is_over() {
    let bundle = setup().await;
    let mut late = NewExecution::new(name("checkout"), json("1"));
    late.timeouts.total_ms = Some(5_000);
    let id = bundle.client.enqueue(late).await.unwrap().id;
    let run = bundle.claim_one().await;
    assert!(run.deadline.is_some());
    bundle.write(writes(&run, WorkflowWrites::default(), suspends(0))).await;
    bundle.database.clock().advance(Duration::from_secs(6)).await;
    assert_eq!(maintenance::time_out_overdue(bundle.database.pool(), 10).await.unwrap(), 1);
    assert_eq!(bundle.status(id).await, Some(Status::TimedOut));
}

#[tokio::test]
async fn a_paused_queue_holds_first_claims_back_and_lets_go_on_what_has_begun() {
    let bundle = setup().await;
    let workflow = bundle.start("checkout", "1").await;
    let run = bundle.claim_one().await;
    bundle.write(writes(&run, WorkflowWrites::default(), suspends(0))).await;
    let configure = |paused: Option<bool>| {
        sqlx::query("select currant.configure_queue('payments', paused => $1)").bind(paused).execute(bundle.database.pool())
    };
    configure(Some(true)).await.unwrap();
    configure(None).await.unwrap();
    let task = bundle.start("charge", "1").await;
    bundle.client.signal(&workflow, "go", &json("1"), None).await.unwrap();
    assert_eq!(bundle.claim_one().await.id, workflow, "woken, and the task is held back");
    configure(Some(false)).await.unwrap();
    assert_eq!(bundle.claim_one().await.id, task);
    let refused = sqlx::query("select currant.configure_queue('Not A Name')").execute(bundle.database.pool()).await;
    assert!(refused.is_err());
}
