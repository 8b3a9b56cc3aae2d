//! Ends: the outcome is written, what is left of a workflow is cleared away, and whoever waits is told.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row};

use super::{Activation, Batch, Ending, Fate, Verdict};
use crate::Error;
use crate::error::connection_broke;
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
    fn push(&mut self, id: ExecutionId, ending: &Ending) -> Result<(), Error> {
        let (status, result, failure) = match ending {
            Ending::Completed(result) => ("completed", Some(result.clone()), None),
            Ending::Failed(failure) => ("failed", None, Some(Json::of(failure)?)),
            Ending::Cancelled(failure) => ("cancelled", None, Some(Json::of(failure)?)),
            Ending::TimedOut(failure) => ("timed_out", None, Some(Json::of(failure)?)),
        };
        self.ids.push(id);
        self.statuses.push(status);
        self.results.push(result);
        self.failures.push(failure);
        Ok(())
    }
}

/// The ends of a batch in which everybody is alone and ends, with nothing else to write; none of any other batch.
pub(super) fn alone(batch: &[Activation]) -> Option<Result<Ends, Error>> {
    let mut ends = Ends::default();
    for of in batch {
        let Fate::Ends(ending) = &of.fate else { return None };
        if !of.ends_alone() {
            return None;
        }
        if let Err(error) = ends.push(of.id, ending) {
            return Some(Err(error));
        }
    }
    Some(Ok(ends))
}

/// Ends them in one statement: it fences them itself, and is its own transaction.
pub(super) async fn end_alone(connection: &mut PgConnection, batch: &[Activation], ends: &Ends) -> Result<Vec<Verdict>, Error> {
    let written = sqlx::query(sql::COMMIT_END_ALONE)
        .bind(&ends.ids)
        .bind(batch.iter().map(|of| of.run).collect::<Vec<_>>())
        .bind(batch.iter().map(|of| of.claimed_at).collect::<Vec<_>>())
        .bind(&ends.statuses)
        .bind(&ends.results)
        .bind(&ends.failures)
        .fetch_all(connection)
        .await
        // It was its own COMMIT: when the connection breaks, nobody knows.
        .map_err(|error| if connection_broke(&error) { Error::UnknownCommit(error) } else { Error::from(error) })?;
    let written: BTreeMap<ExecutionId, DateTime<Utc>> =
        written.iter().map(|row| Ok((row.try_get("id")?, row.try_get("at")?))).collect::<Result<_, sqlx::Error>>()?;
    let verdict = |of: &Activation| written.get(&of.id).map_or(Verdict::Lost, |at| Verdict::Written { at: *at });
    Ok(batch.iter().map(verdict).collect())
}

/// Ends executions.
pub(super) async fn end(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let mut ends = Ends::default();
    for of in &batch.activations {
        if let Fate::Ends(ending) = &of.fate {
            ends.push(of.id, ending)?;
        }
    }
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
