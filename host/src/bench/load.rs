//! The client: keeps workers supplied, as an application does, through `currant.enqueue_many`.

use std::time::Duration;

use anyhow::Result;
use currant_core::notify::ENDED;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgNotification};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::database::Database;

const ENQUEUE_MANY: &str = include_str!("queries/enqueue_many.sql");
const ENDED_SO_FAR: &str = include_str!("queries/ended_so_far.sql");

/// The input of a task: about what an application hands over.
pub(super) const ORDER: &str = r#"{"order": 42, "items": ["mug", "teapot"], "amount": 1250, "customer": "ada@example.org"}"#;
/// Steps or tasks of a workflow.
pub(super) const TEN: i32 = 10;

/// Executions in one call.
const BATCH: i64 = 500;
/// How long ends are gathered.
const GATHER: Duration = Duration::from_millis(10);
const FEED_EVERY: Duration = Duration::from_millis(100);
/// Tasks that are pending at least, from the beginning on: what is enqueued while it is measured is then about what is run. What has ended is
/// known up to a second late, so that at high rates there have to be more.
const PENDING: i64 = 20_000;

/// What is asked for, over and over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Load {
    /// Tasks that do nothing, more than can be run.
    Tasks,
    /// Nothing more than what is already there.
    Backlog,
    /// So many workflows at once, each of ten tasks.
    WorkflowsOfTasks(u32),
    /// So many workflows at once, each of ten steps.
    WorkflowsOfSteps(u32),
}

impl Load {
    /// The kind of what is counted.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Load::Tasks | Load::Backlog => "task",
            Load::WorkflowsOfTasks(_) | Load::WorkflowsOfSteps(_) => "workflow",
        }
    }

    /// Supplies it until dropped.
    pub(super) fn start(self, database: &Database) -> AbortOnDropHandle<Result<()>> {
        let pool = database.client.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            match self {
                Load::Tasks => keep_pending(&pool).await,
                Load::Backlog => std::future::pending().await,
                Load::WorkflowsOfTasks(at_once) => keep_in_flight(&pool, "tasks", at_once.into()).await,
                // As many again are pending, so that a slot never waits for the client.
                Load::WorkflowsOfSteps(at_once) => keep_in_flight(&pool, "steps", 2 * i64::from(at_once)).await,
            }
        }))
    }
}

/// Tasks are too many to be told of each one's end: the server's statistics say how many there were.
async fn keep_pending(pool: &PgPool) -> Result<()> {
    let before: i64 = sqlx::query_scalar(ENDED_SO_FAR).fetch_one(pool).await?;
    let (mut enqueued, mut ended_last, mut rate) = (0, 0, 0);
    let mut ticks = 0;
    loop {
        let ended = sqlx::query_scalar::<_, i64>(ENDED_SO_FAR).fetch_one(pool).await? - before;
        if ticks % 10 == 0 {
            (rate, ended_last) = (ended - ended_last, ended);
        }
        ticks += 1;
        let wanted = PENDING.max(2 * rate) - (enqueued - ended);
        if wanted > 0 {
            for _ in 0..(wanted as u64).div_ceil(BATCH as u64) {
                enqueue(pool, "noop", ORDER, BATCH, None).await?;
                enqueued += BATCH;
            }
        }
        tokio::time::sleep(FEED_EVERY).await;
    }
}

/// Starts a workflow for each that has ended.
async fn keep_in_flight(pool: &PgPool, function: &str, at_once: i64) -> Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(ENDED).await?;
    let input = TEN.to_string();
    enqueue(pool, function, &input, at_once, Some("flows")).await?;
    loop {
        let mut ended = told(&listener.recv().await?);
        // Replaced together: a statement for each would be a load of its own.
        let gathered = Instant::now() + GATHER;
        while let Ok(notification) = tokio::time::timeout_at(gathered, listener.recv()).await {
            ended += told(&notification?);
        }
        enqueue(pool, function, &input, ended, Some("flows")).await?;
    }
}

/// Of how many ends a notification tells.
fn told(notification: &PgNotification) -> i64 {
    notification.payload().split(',').count() as i64
}

/// Starts so many executions.
pub(super) async fn enqueue(pool: &PgPool, function: &str, input: &str, count: i64, queue: Option<&str>) -> Result<()> {
    let query = sqlx::query(ENQUEUE_MANY).bind(function).bind(input).bind(i32::try_from(count)?).bind(queue);
    query.execute(pool).await?;
    Ok(())
}
