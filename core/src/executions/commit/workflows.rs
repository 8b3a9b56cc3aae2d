//! What a workflow writes of itself: its journal, its children, what it has read, what it published, and whether it sleeps.
//!
//! A workflow suspends under the lock of its row, so that nothing can arrive between the look for news and its sleep.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::children::Children;
use super::records::{Entries, Lines};
use super::{Activation, Fate, Statement, Verdict, lock_timeout, milliseconds};
use crate::Error;
use crate::ids::{EnvironmentId, ExecutionId, WorkerId};
use crate::sql;
use crate::values::Json;

/// Runs of workflows, a column each.
#[derive(Default)]
struct Runs<'a> {
    ids: Vec<ExecutionId>,
    runs: Vec<i32>,
    claimed: Vec<DateTime<Utc>>,
    suspend: Vec<bool>,
    until: Vec<Option<DateTime<Utc>>>,
    new_timers: Vec<Option<i64>>,
    seen: Vec<i32>,
    resident_on: Vec<Option<WorkerId>>,
    digests: Vec<Option<Vec<u8>>>,
    environments: Vec<Option<EnvironmentId>>,
    progress: Vec<Option<Json>>,
    warnings: Vec<Option<&'a str>>,
}

impl<'a> Runs<'a> {
    fn of(batch: &[&'a Activation]) -> Runs<'a> {
        let mut columns = Runs::default();
        for of in batch {
            let (suspends, until, new_timer, seen, resident_on) = match of.fate {
                Fate::Suspends { until, shortest_new_timer_ms, seen, resident_on } => {
                    (true, until, shortest_new_timer_ms, seen, resident_on)
                }
                _ => (false, None, None, 0, None),
            };
            let writes = of.workflow.as_ref();
            columns.ids.push(of.id);
            columns.runs.push(of.run);
            columns.claimed.push(of.claimed_at);
            columns.suspend.push(suspends);
            columns.until.push(until);
            columns.new_timers.push(new_timer.map(milliseconds));
            columns.seen.push(seen);
            columns.resident_on.push(resident_on);
            let pin = writes.and_then(|writes| writes.pin);
            columns.digests.push(pin.map(|pin| pin.digest.as_bytes().to_vec()));
            columns.environments.push(pin.map(|pin| pin.environment));
            columns.progress.push(writes.and_then(|writes| writes.publish.clone()));
            columns.warnings.push(writes.and_then(|writes| writes.warning.as_deref()));
        }
        columns
    }

    fn bind(self, statement: Statement<'a>) -> Statement<'a> {
        let statement = statement.bind(self.ids).bind(self.runs).bind(self.claimed).bind(self.suspend).bind(self.until);
        let statement = statement.bind(self.new_timers).bind(self.seen).bind(self.resident_on).bind(self.digests);
        statement.bind(self.environments).bind(self.progress).bind(self.warnings)
    }
}

/// What a decision came to.
pub(super) struct Decided {
    /// The database's time: that of the entries which have none of their own.
    pub(super) at: DateTime<Utc>,
    /// How much had arrived, if the run wanted to suspend and goes on.
    news: Option<i32>,
}

impl Decided {
    fn of(row: &PgRow, of: &Activation) -> Result<Decided, Error> {
        let sleeps: bool = row.try_get("sleeps")?;
        let news = matches!(of.fate, Fate::Suspends { .. }) && !sleeps;
        Ok(Decided { at: row.try_get("at")?, news: news.then_some(row.try_get("arrivals")?) })
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.news {
            Some(arrivals) => Verdict::News { at: self.at, arrivals },
            None => Verdict::Written { at: self.at },
        }
    }
}

/// Writes what workflows decided. Left out are those whose run was taken over: nothing of them is written.
pub(super) async fn decide(
    connection: &mut PgConnection,
    batch: impl IntoIterator<Item = &Activation>,
    patience: Option<Duration>,
) -> Result<BTreeMap<ExecutionId, Decided>, Error> {
    let mut batch: Vec<&Activation> = batch.into_iter().collect();
    batch.sort_unstable_by_key(|of| of.id);
    while !batch.is_empty() {
        let statement = Entries::of(&batch).bind(Runs::of(&batch).bind(sqlx::query(sql::COMMIT_DECIDE)));
        let (readers, arrivals): (Vec<_>, Vec<_>) = batch.iter().flat_map(|of| of.delivered()).unzip();
        let statement = Children::of(&batch).bind(statement.bind(readers).bind(arrivals));
        let statement = Lines::of(&batch).bind(statement).bind(lock_timeout(patience));
        let rows = statement.fetch_all(&mut *connection).await?;
        let mut decided = BTreeMap::new();
        for row in &rows {
            let id = row.try_get("id")?;
            if let Ok(index) = batch.binary_search_by_key(&id, |of| of.id) {
                decided.insert(id, Decided::of(row, batch[index])?);
            }
        }
        if decided.len() == batch.len() {
            return Ok(decided);
        }
        // Nothing is written as long as one of them is not this worker's any more.
        let before = batch.len();
        batch.retain(|of| decided.contains_key(&of.id));
        if batch.len() == before {
            return Err(Error::Unreadable("an execution was decided upon twice in a batch".into()));
        }
    }
    Ok(BTreeMap::new())
}

/// Appends to the journals of runs that only go on. Answers those that are written.
pub(super) async fn append_alone(
    connection: &mut PgConnection,
    batch: &[Activation],
    patience: Option<Duration>,
) -> Result<Vec<PgRow>, Error> {
    let mut batch: Vec<&Activation> = batch.iter().collect();
    batch.sort_unstable_by_key(|of| of.id);
    let statement = sqlx::query(sql::JOURNAL_APPEND_ALONE)
        .bind(batch.iter().map(|of| of.id).collect::<Vec<_>>())
        .bind(batch.iter().map(|of| of.run).collect::<Vec<_>>())
        .bind(batch.iter().map(|of| of.claimed_at).collect::<Vec<_>>());
    Ok(Entries::of(&batch).bind(statement).bind(lock_timeout(patience)).fetch_all(connection).await?)
}

/// Begins the next chain; the children of the last one end with it.
pub(super) async fn continue_as_new(connection: &mut PgConnection, batch: &[&Activation]) -> Result<(), Error> {
    let (ids, inputs): (Vec<_>, Vec<_>) = batch
        .iter()
        .filter_map(|of| match &of.fate {
            Fate::ContinuesAsNew { input } => Some((of.id, input.clone())),
            _ => None,
        })
        .unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_CONTINUE_AS_NEW).bind(&ids).bind(inputs).execute(&mut *connection).await?;
    sqlx::query(sql::COMMIT_CANCEL_CHILDREN).bind(ids).execute(connection).await?;
    Ok(())
}
