//! Worker processes, their leases, and what they say of the tasks that they run.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgConnection, PgPool};

use crate::Error;
use crate::ids::{ExecutionId, QueueName, WorkerId};
use crate::queues::{self, QueueSettings};
use crate::sql;
use crate::values::Json;

/// A worker that introduces itself.
#[derive(Clone, Debug)]
pub struct NewWorker {
    /// New with each lease.
    pub id: WorkerId,
    /// The machine's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The release.
    pub version: String,
    /// The queues that it serves; none means all.
    pub queues: Option<Vec<QueueName>>,
    /// Executions that it runs at once.
    pub slots: u32,
    /// How long what it claims stays its own after its last renewal.
    pub lease: Duration,
    /// What its file says of queues.
    pub queue_settings: BTreeMap<QueueName, QueueSettings>,
}

/// A worker, as others see it.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct Worker {
    /// Its id.
    pub id: WorkerId,
    /// The machine's name.
    pub host: String,
    /// The process.
    pub pid: i32,
    /// The release.
    pub version: String,
    /// The queues that it serves; none means all.
    pub queues: Option<Vec<String>>,
    /// Executions that it runs at once.
    pub slots: i32,
    /// Executions that it has claimed.
    pub running: i64,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// Until when what it claimed is its own.
    pub lease_until: DateTime<Utc>,
    /// Whether that lies ahead.
    pub alive: bool,
}

/// What a running task said since the last heartbeat.
#[derive(Clone, Debug)]
pub struct Beat {
    /// The task.
    pub id: ExecutionId,
    /// The fence.
    pub run: i32,
    /// Its progress, if it said any.
    pub progress: Option<Json>,
}

/// Takes a lease.
pub async fn register(pool: &PgPool, worker: &NewWorker) -> Result<(), Error> {
    let queues: Option<Vec<&str>> = worker.queues.as_ref().map(|queues| queues.iter().map(QueueName::as_str).collect());
    sqlx::query(sql::WORKERS_REGISTER)
        .bind(worker.id)
        .bind(&worker.host)
        .bind(worker.pid as i32)
        .bind(&worker.version)
        .bind(queues)
        .bind(worker.slots as i32)
        .bind(sql::milliseconds(worker.lease))
        .bind(queues::as_json(&worker.queue_settings))
        .execute(pool)
        .await?;
    Ok(())
}

/// Renews a lease. False when it is over: what the worker claimed may be somebody else's.
pub async fn renew(connection: &mut PgConnection, worker: WorkerId, lease: Duration) -> Result<bool, Error> {
    let renewed = sqlx::query(sql::WORKERS_RENEW).bind(worker).bind(sql::milliseconds(lease)).execute(connection).await?;
    Ok(renewed.rows_affected() > 0)
}

/// Gives a lease up. What the worker still had claimed is taken over by others.
pub async fn release(pool: &PgPool, worker: WorkerId) -> Result<(), Error> {
    sqlx::query(sql::WORKERS_RELEASE).bind(worker).execute(pool).await?;
    Ok(())
}

/// Writes what running tasks said; answers those of the worker whose cancellation was requested.
pub async fn heartbeat(pool: &PgPool, worker: WorkerId, beats: &[Beat]) -> Result<Vec<ExecutionId>, Error> {
    let mut connection = pool.acquire().await?;
    write_progress(&mut connection, beats).await?;
    Ok(sqlx::query_scalar(sql::WORKERS_CANCELLATIONS).bind(worker).fetch_all(&mut *connection).await?)
}

/// Writes the progress of those that said some.
pub(crate) async fn write_progress(connection: &mut PgConnection, beats: &[Beat]) -> Result<(), Error> {
    let said: Vec<_> = beats.iter().filter(|beat| beat.progress.is_some()).collect();
    if said.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::WORKERS_WRITE_PROGRESS)
        .bind(said.iter().map(|beat| beat.id).collect::<Vec<_>>())
        .bind(said.iter().map(|beat| beat.run).collect::<Vec<_>>())
        .bind(said.iter().map(|beat| beat.progress.clone()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// What a worker has claimed, with the runs, and when. When the answer to a claim is lost, this is how it learns of it.
pub async fn claimed(pool: &PgPool, worker: WorkerId) -> Result<Vec<(ExecutionId, i32, DateTime<Utc>)>, Error> {
    Ok(sqlx::query_as(sql::WORKERS_CLAIMED).bind(worker).fetch_all(pool).await?)
}

/// Workflows that the worker no longer keeps in memory: others need not leave them to it any more.
pub async fn evict(pool: &PgPool, worker: WorkerId, workflows: &[ExecutionId]) -> Result<(), Error> {
    sqlx::query(sql::WORKERS_EVICT).bind(worker).bind(workflows).execute(pool).await?;
    Ok(())
}

/// All workers that are known, the oldest first.
pub async fn list(pool: &PgPool) -> Result<Vec<Worker>, Error> {
    Ok(sqlx::query_as(sql::WORKERS_LIST).fetch_all(pool).await?)
}
