//! Ends: the outcome is written, what is left of a workflow is cleared away, and whoever waits is told.

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::{Activation, Batch, Ending, Fate};
use crate::Error;
use crate::ids::ExecutionId;
use crate::sql;
use crate::values::Json;

/// What is written of ends, a column each.
#[derive(Default)]
pub(super) struct Ends {
    ids: Vec<ExecutionId>,
    statuses: Vec<&'static str>,
    results: Vec<Option<Json>>,
    failures: Vec<Option<Json>>,
}

impl Ends {
    /// Those of the activations that end something.
    fn of<'a>(activations: impl IntoIterator<Item = &'a Activation>) -> Result<Ends, Error> {
        let mut ends = Ends::default();
        for of in activations {
            let Fate::Ends(ending) = &of.fate else { continue };
            let (status, result, failure) = match ending {
                Ending::Completed(result) => ("completed", Some(result.clone()), None),
                Ending::Failed(failure) => ("failed", None, Some(Json::of(failure)?)),
                Ending::Cancelled(failure) => ("cancelled", None, Some(Json::of(failure)?)),
                Ending::TimedOut(failure) => ("timed_out", None, Some(Json::of(failure)?)),
            };
            ends.ids.push(of.id);
            ends.statuses.push(status);
            ends.results.push(result);
            ends.failures.push(failure);
        }
        Ok(ends)
    }
}

/// Ends tasks that concern nobody else's rows. Answers those that are written.
pub(super) async fn end_alone(connection: &mut PgConnection, batch: &[Activation]) -> Result<Vec<PgRow>, Error> {
    let mut batch: Vec<&Activation> = batch.iter().collect();
    batch.sort_unstable_by_key(|of| of.id);
    let ends = Ends::of(batch.iter().copied())?;
    let written = sqlx::query(sql::COMMIT_END_ALONE)
        .bind(ends.ids)
        .bind(batch.iter().map(|of| of.run).collect::<Vec<_>>())
        .bind(batch.iter().map(|of| of.claimed_at).collect::<Vec<_>>())
        .bind(ends.statuses)
        .bind(ends.results)
        .bind(ends.failures)
        .fetch_all(connection)
        .await?;
    Ok(written)
}

/// Ends executions.
pub(super) async fn end(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let ends = Ends::of(batch.activations.iter().copied())?;
    if ends.ids.is_empty() {
        return Ok(());
    }
    let workflows: Vec<_> = sqlx::query_scalar::<_, ExecutionId>(sql::COMMIT_END)
        .bind(&ends.ids)
        .bind(&ends.statuses)
        .bind(&ends.results)
        .bind(&ends.failures)
        .bind(batch.at)
        .fetch_all(&mut *connection)
        .await?;
    if !workflows.is_empty() {
        sqlx::query(sql::COMMIT_CLOSE_WORKFLOWS).bind(workflows).execute(&mut *connection).await?;
    }
    sqlx::query(sql::COMMIT_ANNOUNCE).bind(ends.ids).execute(connection).await?;
    Ok(())
}
