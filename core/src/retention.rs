//! Retention: what has ended long enough ago is deleted, with everything that belongs to it.
//!
//! A pass walks through what has ended in the order of the ids, in batches of a transaction each: nobody waits for it, and nothing that it
//! finds locked. One worker at a time makes a pass; that is a row with a time, so nothing is held while it works.

use std::time::Duration;

use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::Error;
use crate::executions::Status;
use crate::ids::{ExecutionId, QueueName};
use crate::sql;

const DUTY: &str = "retention";

/// Between two passes.
const EVERY: Duration = Duration::from_secs(3600);

/// For so long a pass is one worker's, renewed with each batch; one that dies is followed by another then.
const TAKEN_FOR: Duration = Duration::from_secs(60);

/// Ended executions that one batch looks at: some milliseconds.
const EXAMINED: i64 = 2_000;

/// Executions that one batch deletes at most, children included: some tens of milliseconds, and no lock that anybody waits for.
const DELETED: i64 = 2_000;

/// What to delete, when not what the queues say.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Ended longer ago than this, at least a minute.
    pub older_than: Option<Duration>,
    /// In this status.
    pub status: Option<Status>,
    /// In this queue.
    pub queue: Option<QueueName>,
}

/// A pass over what has ended.
#[derive(Debug)]
pub struct Pass {
    filter: Filter,
    after: Uuid,
}

/// What a batch came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batch {
    /// Executions that were deleted, or would be.
    pub executions: u64,
    /// Whether that was the last one.
    pub is_last: bool,
}

impl Pass {
    /// From the beginning.
    pub fn new(filter: Filter) -> Pass {
        Pass { filter, after: Uuid::nil() }
    }

    /// Deletes a batch.
    pub async fn delete(&mut self, pool: &PgPool) -> Result<Batch, Error> {
        self.batch(pool, true, DELETED).await
    }

    /// Counts what a batch would delete.
    pub async fn count(&mut self, pool: &PgPool) -> Result<Batch, Error> {
        self.batch(pool, false, i64::MAX).await
    }

    async fn batch(&mut self, pool: &PgPool, delete: bool, at_most: i64) -> Result<Batch, Error> {
        let older_than = self.filter.older_than.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let row = sqlx::query(sql::RETENTION_SWEEP)
            .bind(self.after)
            .bind(EXAMINED)
            .bind(at_most)
            .bind(older_than)
            .bind(self.filter.status.map(Status::as_str))
            .bind(self.filter.queue.as_ref().map(QueueName::as_str))
            .bind(delete)
            .fetch_one(pool)
            .await?;
        let (deleted, found): (i64, i64) = (row.try_get("deleted")?, row.try_get("found")?);
        let (examined, is_full): (i64, bool) = (row.try_get("examined")?, row.try_get("is_full")?);
        let last: Option<ExecutionId> = row.try_get("last")?;
        // A family that is larger than a batch: the rest of it is found from the same place.
        let again = delete && is_full && deleted > 0;
        if let Some(last) = last.filter(|_| !again) {
            self.after = last.into();
        }
        let executions = u64::try_from(if delete { deleted } else { found }).unwrap_or(0);
        Ok(Batch { executions, is_last: !again && examined < EXAMINED })
    }
}

/// Takes the duty to make a pass, if one is due and nobody is at it.
pub async fn take_duty(pool: &PgPool) -> Result<bool, Error> {
    let milliseconds = |length: Duration| length.as_millis() as i64;
    Ok(sqlx::query_scalar(sql::RETENTION_TAKE_DUTY)
        .bind(DUTY)
        .bind(milliseconds(EVERY))
        .bind(milliseconds(TAKEN_FOR))
        .fetch_one(pool)
        .await?)
}

/// Still at it.
pub async fn renew_duty(pool: &PgPool) -> Result<(), Error> {
    sqlx::query(sql::RETENTION_RENEW_DUTY).bind(DUTY).bind(TAKEN_FOR.as_millis() as i64).execute(pool).await?;
    Ok(())
}

/// The pass is made: the next one is due in an hour.
pub async fn end_duty(pool: &PgPool) -> Result<(), Error> {
    sqlx::query(sql::RETENTION_END_DUTY).bind(DUTY).execute(pool).await?;
    Ok(())
}

/// Drops the bytes of components that nothing can need any more; answers of how many.
pub async fn forget_modules(pool: &PgPool) -> Result<u64, Error> {
    Ok(sqlx::query(sql::RETENTION_FORGET_MODULES).execute(pool).await?.rows_affected())
}

/// Deletes environments that nothing can need any more. Answers how many.
pub async fn forget_environments(pool: &PgPool) -> Result<u64, Error> {
    Ok(sqlx::query(sql::RETENTION_FORGET_ENVIRONMENTS).execute(pool).await?.rows_affected())
}
