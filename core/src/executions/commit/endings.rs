//! Ends: the outcome is written, what is left of a workflow is cleared away, and whoever waits is told.

use sqlx::PgConnection;

use super::{Batch, Ending, Fate};
use crate::Error;
use crate::sql;
use crate::values::Json;

/// Ends executions.
pub(super) async fn end(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let mut ids = Vec::new();
    let (mut statuses, mut results, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for of in &batch.activations {
        let Fate::Ends(ending) = &of.fate else { continue };
        let (status, result, failure) = match ending {
            Ending::Completed(result) => ("completed", Some(result.clone()), None),
            Ending::Failed(failure) => ("failed", None, Some(Json::of(failure)?)),
            Ending::Cancelled(failure) => ("cancelled", None, Some(Json::of(failure)?)),
            Ending::TimedOut(failure) => ("timed_out", None, Some(Json::of(failure)?)),
        };
        ids.push(of.id);
        statuses.push(status);
        results.push(result);
        failures.push(failure);
    }
    if ids.is_empty() {
        return Ok(());
    }
    let workflows: Vec<_> = sqlx::query_scalar::<_, crate::ids::ExecutionId>(sql::COMMIT_END)
        .bind(&ids)
        .bind(statuses)
        .bind(results)
        .bind(failures)
        .bind(batch.at)
        .fetch_all(&mut *connection)
        .await?;
    if !workflows.is_empty() {
        sqlx::query(sql::COMMIT_CLOSE_WORKFLOWS).bind(workflows).execute(&mut *connection).await?;
    }
    sqlx::query(sql::COMMIT_ANNOUNCE).bind(ids).execute(connection).await?;
    Ok(())
}
