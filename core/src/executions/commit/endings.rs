//! Ends: the outcome is written, what is left of a workflow is cleared away, and whoever waits is told.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::records::{Entries, Lines};
use super::{Activation, Concerns, Ending, Fate, Statement, lock_timeout};
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
    fn of(batch: &[&Activation]) -> Result<Ends, Error> {
        let mut ends = Ends::default();
        for of in batch {
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

    fn bind<'a>(self, statement: Statement<'a>, batch: &[&Activation]) -> Statement<'a> {
        let statement = statement
            .bind(self.ids)
            .bind(batch.iter().map(|of| of.run).collect::<Vec<_>>())
            .bind(batch.iter().map(|of| of.claimed_at).collect::<Vec<_>>());
        statement.bind(self.statuses).bind(self.results).bind(self.failures)
    }
}

/// Ends tasks that concern nobody else's rows. Answers those that are written.
pub(super) async fn end_alone(
    connection: &mut PgConnection,
    batch: &[Activation],
    patience: Option<Duration>,
) -> Result<Vec<PgRow>, Error> {
    let mut batch: Vec<&Activation> = batch.iter().collect();
    batch.sort_unstable_by_key(|of| of.id);
    let statement = Ends::of(&batch)?.bind(sqlx::query(sql::COMMIT_END_ALONE), &batch);
    Ok(statement.bind(lock_timeout(patience)).fetch_all(connection).await?)
}

/// Ends executions, and tells the workflows that started them. Answers those that are written; `is_workflow` says which are workflows. What
/// becomes of their open children, and who waits under their keys, is another matter.
pub(super) async fn end(
    connection: &mut PgConnection,
    batch: &[&Activation],
    patience: Option<Duration>,
) -> Result<Vec<PgRow>, Error> {
    let mut batch: Vec<&Activation> = batch.iter().copied().filter(|of| matches!(of.fate, Fate::Ends(_))).collect();
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    batch.sort_unstable_by_key(|of| of.id);
    let concerned: BTreeSet<ExecutionId> = batch.iter().flat_map(|of| of.concerned()).collect();
    let statement = Ends::of(&batch)?.bind(sqlx::query(sql::COMMIT_END), &batch).bind(Vec::from_iter(concerned));
    let statement = Lines::of(&batch).bind(Entries::of(&batch).bind(statement));
    Ok(statement.bind(lock_timeout(patience)).fetch_all(connection).await?)
}

/// Cancels the open children of workflows that ended, and tells the workflows that wait for what ended under its key.
pub(super) async fn end_family(connection: &mut PgConnection, batch: &[&Activation], ended: &[PgRow]) -> Result<(), Error> {
    let mut workflows: Vec<ExecutionId> = Vec::new();
    for row in ended {
        if row.try_get("is_workflow")? {
            workflows.push(row.try_get("id")?);
        }
    }
    if !workflows.is_empty() {
        sqlx::query(sql::COMMIT_CANCEL_CHILDREN).bind(workflows).execute(&mut *connection).await?;
    }
    let ends = batch.iter().filter(|of| matches!(of.fate, Fate::Ends(_)) && of.concerns == Concerns::Anybody);
    let keyed: Vec<ExecutionId> = ends.map(|of| of.id).collect();
    if !keyed.is_empty() {
        sqlx::query(sql::COMMIT_ANNOUNCE_ATTACHED).bind(keyed).execute(connection).await?;
    }
    Ok(())
}
