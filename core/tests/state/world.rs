//! What most tests begin with: a database, a deployed module, a worker with a lease.

use std::time::Duration;

use currant_core::Client;
use currant_core::executions::claim::{Claimed, Look, claim, claim_limited};
use currant_core::executions::commit::{Activation, Ending, Fate, Pin, Verdict, WorkflowWrites, commit};
use currant_core::executions::{Failure, Kind, NewChild, NewExecution, Started};
use currant_core::ids::{ExecutionId, FunctionName, ModuleName, QueueName, WorkerId};
use currant_core::journal::JournalRow;
use currant_core::modules::{self, FunctionDescription, ModuleDescription};
use currant_core::values::Json;
use currant_core::workers::{self, NewWorker};
use currant_test_support::TestDatabase;
use sqlx::{Decode, PgPool, Postgres, Type};

/// The lease of workers other than the world's own, which lasts as long as any test moves the clock.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) client: Client,
    /// The worker that `claim` claims for.
    pub(crate) worker: WorkerId,
}

impl World {
    /// The module `shop` is deployed: the task `charge` and the workflow `checkout`.
    pub(crate) async fn new() -> World {
        let world = World::empty().await;
        world.deploy("shop", &[task("charge"), workflow("checkout")]).await;
        world
    }

    /// A worker, and nothing deployed.
    pub(crate) async fn empty() -> World {
        let database = TestDatabase::new().await;
        let client = Client::new(database.pool().clone());
        let worker = register(database.pool(), Duration::from_secs(365 * 24 * 3600)).await;
        World { database, client, worker }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// Another worker with a lease.
    pub(crate) async fn another_worker(&self) -> WorkerId {
        register(self.pool(), LEASE).await
    }

    pub(crate) async fn renew(&self, worker: WorkerId) -> bool {
        workers::renew(&mut self.database.connect().await, worker, LEASE).await.unwrap()
    }

    /// Deploys a version of a module; answers why it is refused, if it is.
    pub(crate) async fn deploy(&self, module: &str, functions: &[FunctionDescription]) -> Option<String> {
        self.deploy_version(module, "1", functions, false).await
    }

    pub(crate) async fn deploy_version(
        &self,
        module: &str,
        version: &str,
        functions: &[FunctionDescription],
        take_over: bool,
    ) -> Option<String> {
        let bytes = format!("component {module} {version}");
        let deployment = modules::upload(self.pool(), bytes.as_bytes(), take_over, None).await.unwrap();
        let description = ModuleDescription {
            name: ModuleName::parse(module).unwrap(),
            version: version.into(),
            sdk: "test".into(),
            functions: functions.to_vec(),
        };
        let requested = modules::next_requested(self.pool(), self.worker).await.unwrap().expect("it was just requested");
        assert_eq!(requested.deployment, deployment);
        let refusal =
            modules::decide(self.pool(), self.worker, deployment, modules::Verdict::Deployed(description)).await.unwrap();
        let decided = modules::deployment(self.pool(), deployment).await.unwrap();
        assert_eq!(decided.reason, refusal);
        refusal
    }

    pub(crate) async fn enqueue(&self, new: NewExecution) -> Started {
        self.client.enqueue(new).await.unwrap()
    }

    pub(crate) async fn start(&self, function: &str) -> ExecutionId {
        self.enqueue(asked(function)).await.id
    }

    /// Starts and claims.
    pub(crate) async fn run(&self, function: &str) -> Claimed {
        let id = self.start(function).await;
        self.claimed(id).await
    }

    /// Starts a workflow, claims it, and suspends it until there is news.
    pub(crate) async fn suspended(&self) -> Claimed {
        let run = self.run("checkout").await;
        self.written(suspends(&run)).await;
        assert_eq!(self.status(run.id).await, "suspended");
        run
    }

    pub(crate) async fn claim(&self, slots: u32) -> Vec<Claimed> {
        self.claim_for(self.worker, slots).await
    }

    /// As a worker's claim loop does it: first from queues without limits, then from the others.
    pub(crate) async fn claim_for(&self, worker: WorkerId, slots: u32) -> Vec<Claimed> {
        let claims = claim(self.pool(), worker, None, slots, &Look::Everywhere).await.unwrap();
        let mut claimed = claims.claimed;
        let free = slots - claimed.len() as u32;
        if !claims.limited.is_empty() && free > 0 {
            claimed.extend(claim_limited(self.pool(), worker, &claims.limited, free, &Look::Everywhere).await.unwrap().claimed);
        }
        claimed
    }

    pub(crate) async fn claim_from(&self, queues: &[&str]) -> Vec<Claimed> {
        let queues: Vec<_> = queues.iter().map(|name| QueueName::parse(name).unwrap()).collect();
        claim(self.pool(), self.worker, Some(&queues), 100, &Look::Everywhere).await.unwrap().claimed
    }

    /// Claims this one, and nothing else.
    pub(crate) async fn claimed(&self, id: ExecutionId) -> Claimed {
        let claimed = self.claim(10).await;
        let [one] = <[Claimed; 1]>::try_from(claimed).expect("exactly one can be claimed");
        assert_eq!(one.id, id);
        one
    }

    pub(crate) async fn commit(&self, activation: Activation) -> Verdict {
        let mut connection = self.database.connect().await;
        commit(&mut connection, &[activation]).await.unwrap().remove(0)
    }

    /// Commits what nobody contests.
    pub(crate) async fn written(&self, activation: Activation) {
        let verdict = self.commit(activation).await;
        assert!(matches!(verdict, Verdict::Written { .. }), "{verdict:?}");
    }

    pub(crate) async fn status(&self, id: ExecutionId) -> String {
        let status: Option<String> = self.value(id, "select currant.status_of($1)").await;
        status.unwrap_or_else(|| "nowhere".into())
    }

    /// One value of the database, by execution.
    pub(crate) async fn value<T>(&self, id: ExecutionId, query: &'static str) -> T
    where
        T: for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(query).bind(id).fetch_one(self.pool()).await.unwrap()
    }

    pub(crate) async fn execute(&self, id: ExecutionId, statement: &'static str) {
        sqlx::query(statement).bind(id).execute(self.pool()).await.unwrap();
    }

    pub(crate) async fn failure_code(&self, id: ExecutionId) -> String {
        self.client.result(&id).await.unwrap().unwrap().failure.unwrap().code
    }

    pub(crate) async fn advance(&self, seconds: u64) {
        self.database.clock().advance(Duration::from_secs(seconds)).await;
    }
}

/// Lets a statement of another connection run until it waits for a lock.
pub(crate) async fn blocked(world: &World) {
    loop {
        let waiting: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')",
        )
        .fetch_one(world.pool())
        .await
        .unwrap();
        if waiting {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn register(pool: &PgPool, lease: Duration) -> WorkerId {
    let id = WorkerId::from(uuid::Uuid::now_v7());
    let worker = NewWorker {
        id,
        host: "here".into(),
        pid: 1,
        version: "0.1.0".into(),
        queues: None,
        slots: 10,
        lease,
        queue_settings: Default::default(),
    };
    workers::register(pool, &worker).await.unwrap();
    id
}

pub(crate) fn function(name: &str) -> FunctionName {
    FunctionName::parse(name).unwrap()
}

pub(crate) fn json(text: &str) -> Json {
    Json::parse(text.into()).unwrap()
}

pub(crate) fn asked(name: &str) -> NewExecution {
    NewExecution::new(function(name), json("{}"))
}

fn described(name: &str, kind: Kind) -> FunctionDescription {
    FunctionDescription {
        name: function(name),
        kind,
        description: None,
        queue: None,
        priority: None,
        retry: None,
        timeouts: Default::default(),
        input_schema: None,
        result_schema: None,
    }
}

pub(crate) fn task(name: &str) -> FunctionDescription {
    described(name, Kind::Task)
}

pub(crate) fn workflow(name: &str) -> FunctionDescription {
    described(name, Kind::Workflow)
}

pub(crate) fn failure(code: &str) -> Failure {
    Failure { code: code.into(), message: "no".into(), details: None, retryable: true, retry_after_ms: None }
}

/// What a run writes when it writes nothing but its fate.
pub(crate) fn activation(run: &Claimed, fate: Fate) -> Activation {
    let Claimed { id, run: number, claimed_at, kind, .. } = *run;
    let concerns = run.concerns();
    Activation { id, run: number, claimed_at, kind, concerns, workflow: None, logs: Vec::new(), progress: None, fate }
}

/// What a workflow's run writes.
pub(crate) fn decides(run: &Claimed, writes: WorkflowWrites, fate: Fate) -> Activation {
    Activation { workflow: Some(WorkflowWrites { chain: run.chain, ..writes }), ..activation(run, fate) }
}

/// To what it was claimed with.
pub(crate) fn pin(run: &Claimed) -> Option<Pin> {
    run.digest.map(|digest| Pin { digest, environment: run.environment.unwrap_or_default() })
}

pub(crate) fn completes(run: &Claimed, result: &str) -> Activation {
    activation(run, Fate::Ends(Ending::Completed(json(result))))
}

pub(crate) fn fails(run: &Claimed) -> Activation {
    activation(run, Fate::Ends(Ending::Failed(failure("declined"))))
}

pub(crate) fn suspends(run: &Claimed) -> Activation {
    decides(run, WorkflowWrites::default(), waits(run.arrivals))
}

/// Waits for news after so many arrivals, without a timer.
pub(crate) fn waits(seen: i32) -> Fate {
    Fate::Suspends { until: None, shortest_new_timer_ms: None, seen, resident_on: None }
}

/// Starts children and waits for them.
pub(crate) fn starts(run: &Claimed, children: Vec<NewChild>) -> Activation {
    decides(run, WorkflowWrites { children, ..Default::default() }, waits(0))
}

/// The child that an operation of this run starts.
pub(crate) fn child(parent: &Claimed, operation: u32, name: &str) -> NewChild {
    NewChild {
        id: ExecutionId::of_child(parent.id, parent.chain, operation),
        operation,
        kind: Kind::Task,
        function: function(name),
        input: json("{}"),
        options: Default::default(),
        detached: false,
    }
}

pub(crate) fn entry(position: i32) -> JournalRow {
    JournalRow {
        position,
        kind: "version".into(),
        operation: None,
        name: Some("v".into()),
        hash: None,
        body: None,
        at: None,
        sum: None,
    }
}
