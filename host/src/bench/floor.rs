//! The floor: what Postgres itself can do. Plain statements write the rows that the real system writes, in batches of its size, on the
//! real schema and with its planner settings, and nothing runs in between. The system cannot be faster; the question is how near it comes.

mod latency;
mod tasks;
mod workflows;

use std::sync::Arc;

use anyhow::Result;
use currant_core::ids::{Digest, WorkerId};
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
