//! The floor: what Postgres itself can do. Plain statements write the rows that the real system writes, in batches of its size, on the
//! real schema and with its planner settings, and nothing runs in between. The system cannot be faster; the question is how near it comes.

mod latency;
mod tasks;
mod workflows;

use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use currant_core::ids::{Digest, WorkerId};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use tokio_util::task::AbortOnDropHandle;

pub(super) use self::latency::start_to_result;
use super::database::Database;
use super::load::Load;

const CLAIM: &str = include_str!("queries/floor_claim.sql");

/// Who writes.
#[derive(Clone)]
struct Writer {
    pool: sqlx::PgPool,
    worker: WorkerId,
    digest: Digest,
    /// Executions at once.
    slots: u32,
}

/// What shares a transaction, as in the worker's committer.
const BATCH: usize = 256;

/// A row may become visible so much later than another one that is younger.
const OVERTAKEN: TimeDelta = TimeDelta::milliseconds(100);

/// Where claims have come to: they do not walk again past what was claimed before.
struct Claims {
    worker: WorkerId,
    digest: Digest,
    since: DateTime<Utc>,
}

impl Claims {
    fn new(worker: WorkerId, digest: Digest) -> Claims {
        Claims { worker, digest, since: DateTime::UNIX_EPOCH }
    }

    async fn next(&mut self, executor: impl PgExecutor<'_>, limit: i64) -> Result<Vec<PgRow>> {
        let claim = sqlx::query(CLAIM).bind(self.worker).bind(limit).bind(self.digest.as_bytes().as_slice()).bind(self.since);
        let claimed = claim.fetch_all(executor).await?;
        for row in &claimed {
            self.since = self.since.max(row.try_get::<DateTime<Utc>, _>("run_at")? - OVERTAKEN);
        }
        Ok(claimed)
    }
}

/// Writes what this load makes the system write, until dropped.
pub(super) fn start(database: &Database, load: Load, slots: u32) -> AbortOnDropHandle<Result<()>> {
    let writer = Arc::new(Writer {
        pool: database.floor.clone(),
        worker: WorkerId::random(),
        digest: Digest::of(b"the floor runs nothing"),
        slots,
    });
    AbortOnDropHandle::new(tokio::spawn(async move {
        match load {
            Load::Tasks | Load::Backlog => tasks::run(&writer, load == Load::Tasks).await,
            Load::WorkflowsOfTasks(at_once) => workflows::of_tasks(&writer, at_once).await,
            Load::WorkflowsOfSteps(at_once) => workflows::of_steps(&writer, at_once).await,
        }
    }))
}
