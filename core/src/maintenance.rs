//! What any worker does now and then. Each is one bounded pass, and may be done by several at once.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool, Row};

use crate::Error;
use crate::durations;
use crate::executions::Failure;
use crate::ids::ExecutionId;
use crate::limits::LOSSES_IN_A_ROW;
use crate::sql;
use crate::values::Json;

/// Missed news in one pass. They are rare: two transactions have to meet within a moment.
const MISSED: i64 = 500;

/// What there is to do.
#[derive(Debug)]
pub struct Todo {
    /// Executions, or the lease, of a worker that is gone: [`return_expired`].
    pub lost: bool,
    /// Executions whose time is over before anybody claimed them: [`time_out_overdue`].
    pub overdue: bool,
    /// Cancelled workflows whose grace period is over: [`end_cancelled`].
    pub ungraceful: bool,
    /// Parked executions whose function is offered now: [`unpark`].
    pub unparkable: bool,
    /// Workflows whose timer is due: [`wake_due`].
    pub due: bool,
    /// Schedules whose time has come, or whose execution waits for the end of the one before: [`crate::schedules::tick`].
    pub scheduled: bool,
    /// Deployments that nobody inspects: [`crate::modules::next_requested`].
    pub undecided: bool,
    /// How long until the next timer, timeout, or time of a schedule that is known.
    pub next: Option<Duration>,
}

/// Looks what there is to do, in one statement. A cancelled workflow may take `grace` to end by itself.
pub async fn look(pool: &PgPool, grace: Duration) -> Result<Todo, Error> {
    let row = sqlx::query(sql::MAINTENANCE_LOOK).bind(sql::milliseconds(grace)).fetch_one(pool).await?;
    let next_in_ms: Option<i64> = row.try_get("next_in_ms")?;
    Ok(Todo {
        lost: row.try_get("lost")?,
        overdue: row.try_get("overdue")?,
        ungraceful: row.try_get("ungraceful")?,
        unparkable: row.try_get("unparkable")?,
        due: row.try_get("due")?,
        scheduled: row.try_get("scheduled")?,
        undecided: row.try_get("undecided")?,
        next: next_in_ms.map(sql::duration),
    })
}

/// Wakes workflows whose timer is due.
pub async fn wake_due(pool: &PgPool, limit: i64) -> Result<u64, Error> {
    let woken: i64 = sqlx::query_scalar(sql::MAINTENANCE_WAKE_DUE).bind(limit).fetch_one(pool).await?;
    Ok(u64::try_from(woken).unwrap_or(0))
}

/// Returns what workers without a live lease had claimed. An execution that loses its worker too often in a row fails.
pub async fn return_expired(pool: &PgPool, limit: i64) -> Result<u64, Error> {
    let mut connection = pool.acquire().await?;
    let lost: Vec<ExecutionId> = sqlx::query_scalar(sql::MAINTENANCE_FIND_LOST).bind(limit).fetch_all(&mut *connection).await?;
    if lost.is_empty() {
        sqlx::query(sql::MAINTENANCE_FORGET_WORKERS).execute(&mut *connection).await?;
        return Ok(0);
    }
    let failure = Failure::of_host("worker-lost", format!("its worker was lost {LOSSES_IN_A_ROW} times in a row"), false);
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, &lost).await?;
    let failed: Vec<ExecutionId> = sqlx::query_scalar(sql::MAINTENANCE_TAKE_OVER)
        .bind(&lost)
        .bind(LOSSES_IN_A_ROW)
        .bind(Json::of(&failure)?)
        .fetch_all(&mut *transaction)
        .await?;
    close(&mut transaction, &failed).await?;
    transaction.commit().await?;
    Ok(lost.len() as u64)
}

/// Ends what has waited longer than its queue or total timeout allows.
pub async fn time_out_overdue(pool: &PgPool, limit: i64) -> Result<u64, Error> {
    let mut connection = pool.acquire().await?;
    let overdue: Vec<ExecutionId> =
        sqlx::query_scalar(sql::MAINTENANCE_FIND_OVERDUE).bind(limit).fetch_all(&mut *connection).await?;
    if overdue.is_empty() {
        return Ok(0);
    }
    let failure = Failure::of_host("timed-out", "it waited longer than its timeouts allow", false);
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, &overdue).await?;
    let ended: i64 = sqlx::query_scalar(sql::MAINTENANCE_TIME_OUT)
        .bind(&overdue)
        .bind(Json::of(&failure)?)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(u64::try_from(ended).unwrap_or(0))
}

/// Ends cancelled workflows that did not end by themselves within `grace`; of one that runs, the worker is told.
pub async fn end_cancelled(pool: &PgPool, grace: Duration, limit: i64) -> Result<u64, Error> {
    let mut connection = pool.acquire().await?;
    let grace_ms = sql::milliseconds(grace);
    let found: Vec<ExecutionId> =
        sqlx::query_scalar(sql::MAINTENANCE_FIND_CANCELLED).bind(limit).bind(grace_ms).fetch_all(&mut *connection).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let reason = format!("it did not end within the {} that a cancelled workflow has", durations::format(grace));
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, &found).await?;
    let ended: i64 = sqlx::query_scalar(sql::MAINTENANCE_END_CANCELLED)
        .bind(&found)
        .bind(grace_ms)
        .bind(reason)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(u64::try_from(ended).unwrap_or(0))
}

/// Moves parked executions whose function is offered now.
pub async fn unpark(pool: &PgPool, limit: i64) -> Result<u64, Error> {
    let unparked: i64 = sqlx::query_scalar(sql::MAINTENANCE_UNPARK).bind(limit).fetch_one(pool).await?;
    Ok(u64::try_from(unparked).unwrap_or(0))
}

/// Tells workflows of executions that ended at the very moment when they attached to them.
pub async fn deliver_missed(pool: &PgPool) -> Result<u64, Error> {
    let missed: Vec<ExecutionId> = sqlx::query_scalar(sql::MAINTENANCE_FIND_MISSED).bind(MISSED).fetch_all(pool).await?;
    if !missed.is_empty() {
        sqlx::query(sql::COMMIT_ANNOUNCE_ATTACHED).bind(&missed).execute(pool).await?;
    }
    Ok(missed.len() as u64)
}

/// Locks the workflows among these, their parents and their children, in order.
async fn lock(connection: &mut PgConnection, ids: &[ExecutionId]) -> Result<(), Error> {
    sqlx::query(sql::COMMIT_LOCK_WORKFLOWS).bind(ids).bind(ids).execute(connection).await?;
    Ok(())
}

async fn close(connection: &mut PgConnection, ended: &[ExecutionId]) -> Result<(), Error> {
    if !ended.is_empty() {
        sqlx::query(sql::MAINTENANCE_CLOSE_WORKFLOWS).bind(ended).execute(&mut *connection).await?;
        sqlx::query(sql::MAINTENANCE_ANNOUNCE).bind(ended).execute(connection).await?;
    }
    Ok(())
}
