//! Runs that end without ending their execution: it is tried again, given back, or parked.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Activation, Fate, milliseconds};
use crate::Error;
use crate::sql;
use crate::values::Json;

/// Takes the `running` rows away, and puts the executions where they wait.
pub(super) async fn release(connection: &mut PgConnection, batch: &[&Activation], at: DateTime<Utc>) -> Result<(), Error> {
    try_again(connection, batch, at).await?;
    give_back(connection, batch, at).await?;
    park(connection, batch, at).await
}

async fn try_again(connection: &mut PgConnection, batch: &[&Activation], at: DateTime<Utc>) -> Result<(), Error> {
    let failed: Vec<_> = batch
        .iter()
        .filter_map(|of| match &of.fate {
            Fate::Retries { failure, after_ms } => Some((of.id, failure, *after_ms)),
            _ => None,
        })
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let failures = failed.iter().map(|(_, failure, _)| Json::of(failure)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(sql::COMMIT_TRY_AGAIN)
        .bind(failed.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
        .bind(failures)
        .bind(failed.iter().map(|(.., after_ms)| milliseconds(*after_ms)).collect::<Vec<_>>())
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

async fn give_back(connection: &mut PgConnection, batch: &[&Activation], at: DateTime<Utc>) -> Result<(), Error> {
    let back: Vec<_> = batch
        .iter()
        .filter_map(|of| match of.fate {
            Fate::Returned => Some((of.id, 0, 0)),
            Fate::RateLimited { after_ms } => Some((of.id, milliseconds(after_ms), 1i16)),
            _ => None,
        })
        .collect();
    if back.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_GIVE_BACK)
        .bind(back.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
        .bind(back.iter().map(|(_, after_ms, _)| *after_ms).collect::<Vec<_>>())
        .bind(back.iter().map(|(.., limited)| *limited).collect::<Vec<_>>())
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

async fn park(connection: &mut PgConnection, batch: &[&Activation], at: DateTime<Utc>) -> Result<(), Error> {
    let parked: Vec<_> = batch.iter().filter(|of| matches!(of.fate, Fate::Parked)).map(|of| of.id).collect();
    if parked.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_PARK).bind(parked).bind(at).execute(connection).await?;
    Ok(())
}

/// Holds the buckets back of queues in which a task was told that it is too fast. The last locks of the transaction: a claim holds a bucket
/// for no longer than it takes, and waits for nothing meanwhile.
pub(super) async fn pause_buckets(
    connection: &mut PgConnection,
    batch: &[&Activation],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let limited: Vec<_> = batch
        .iter()
        .filter_map(|of| match of.fate {
            Fate::RateLimited { after_ms } => Some((of.id, milliseconds(after_ms))),
            _ => None,
        })
        .collect();
    if limited.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_PAUSE_BUCKETS)
        .bind(limited.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(limited.iter().map(|(_, after_ms)| *after_ms).collect::<Vec<_>>())
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}
