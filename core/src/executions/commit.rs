//! The one way in which runs write: what any number of them decided, in one transaction.
//!
//! A run's *activation* is everything that it wants to write now: journal entries, children, what it has read from its inbox, and its
//! *fate*. Each activation is fenced by its run: if the `running` row is gone, nothing of it is written, and the others stand.
//!
//! The order inside is the order of locks that everybody keeps: keys → workflows (by id) → running (by id) → the rest, buckets last.

mod children;
mod endings;
mod releases;
mod suspensions;
mod workflows;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{Acquire, PgConnection, Row};

use super::{Failure, Kind, StartOptions};
use crate::Error;
use crate::error::connection_broke;
use crate::ids::{Digest, ExecutionId, FunctionName, WorkerId};
use crate::inbox::News;
use crate::journal::JournalRow;
use crate::limits::LONGEST_MS;
use crate::sql;
use crate::values::Json;

/// What one run writes at once.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The execution.
    pub id: ExecutionId,
    /// The run: the fence.
    pub run: i32,
    /// What only a workflow writes.
    pub workflow: Option<WorkflowWrites>,
    /// Log lines since the last one.
    pub logs: Vec<LogLine>,
    /// What becomes of the run.
    pub fate: Fate,
}

/// What a workflow decided.
#[derive(Clone, Debug, Default)]
pub struct WorkflowWrites {
    /// Its journal.
    pub chain: i32,
    /// The component that it is pinned to from now on, with its first entry.
    pub pin: Option<Digest>,
    /// New entries; those without a time get that of this commit.
    pub entries: Vec<JournalRow>,
    /// Children that start.
    pub children: Vec<NewChild>,
    /// Children that it gives up.
    pub cancels: Vec<ExecutionId>,
    /// Arrivals that are delivered, and leave the inbox.
    pub delivered: Vec<i32>,
    /// What it published last.
    pub publish: Option<Json>,
    /// What its author should know.
    pub warning: Option<String>,
}

impl WorkflowWrites {
    /// Whether something is kept in the workflow's own row.
    fn changes_its_row(&self) -> bool {
        self.pin.is_some() || self.publish.is_some() || self.warning.is_some()
    }

    /// Whether the workflow's own row is written: by itself, or by what it attaches to or gives up, which may have ended.
    fn touches_its_row(&self) -> bool {
        self.changes_its_row() || !self.cancels.is_empty() || self.children.iter().any(|child| child.options.task_id.is_some())
    }
}

/// A child that a workflow starts.
#[derive(Clone, Debug)]
pub struct NewChild {
    /// Derived from the parent: the same start is the same id.
    pub id: ExecutionId,
    /// The parent's operation.
    pub operation: u32,
    /// What the caller takes it for; what the function is, is decided by what is deployed.
    pub kind: Kind,
    /// What to run.
    pub function: FunctionName,
    /// With what.
    pub input: Json,
    /// How.
    pub options: StartOptions,
    /// Whether it outlives its parent.
    pub detached: bool,
}

/// A log line of a run.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// From 0, per run.
    pub line: i32,
    /// When.
    pub at: DateTime<Utc>,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The text.
    pub message: String,
    /// A JSON object.
    pub attributes: Option<Json>,
}

/// What becomes of a run.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It keeps its `running` row.
    GoesOn,
    /// A workflow waits. Refused when there is news: the run then goes on.
    Suspends {
        /// When the earliest timer on record is due.
        until: Option<DateTime<Utc>>,
        /// The shortest timer that this very commit records.
        shortest_new_timer_ms: Option<u64>,
        /// The highest arrival that the run has loaded.
        seen: i32,
        /// The worker that keeps it in memory.
        resident_on: Option<WorkerId>,
    },
    /// The execution ends.
    Ends(Ending),
    /// The attempt failed, and there is another.
    Retries {
        /// Why.
        failure: Failure,
        /// The pause.
        after_ms: u64,
    },
    /// The same attempt again, later: what the task calls is too busy.
    RateLimited {
        /// The pause.
        after_ms: u64,
    },
    /// The same attempt again, at once: the worker gives it back.
    Returned,
    /// Nothing deployed offers its function.
    Parked,
    /// The workflow goes on with an empty journal, on the current deployment.
    ContinuesAsNew {
        /// The next chain's input.
        input: Json,
    },
}

/// How an execution ends.
#[derive(Clone, Debug)]
pub enum Ending {
    /// With a result.
    Completed(Json),
    /// With a failure.
    Failed(Failure),
    /// It stopped because of its cancellation.
    Cancelled(Failure),
    /// No attempt is left, or the total is over.
    TimedOut(Failure),
}

/// What became of an activation.
#[derive(Debug)]
pub enum Verdict {
    /// It is written.
    Written {
        /// The database's time.
        at: DateTime<Utc>,
    },
    /// It is written, but the workflow is not suspended: this has arrived, or a timer is due.
    News {
        /// The database's time.
        at: DateTime<Utc>,
        /// What the run has not seen yet.
        inbox: Vec<News>,
    },
    /// The run was taken over: nothing of it is written.
    Lost,
}

/// Activations whose fence holds, and the time of the commit.
struct Batch<'a> {
    activations: Vec<&'a Activation>,
    at: DateTime<Utc>,
}

impl<'a> Batch<'a> {
    /// The workflow part of each activation that has one.
    fn workflows(&self) -> impl Iterator<Item = (&'a Activation, &'a WorkflowWrites)> {
        self.activations.iter().filter_map(|activation| Some((*activation, activation.workflow.as_ref()?)))
    }
}

/// Writes a batch. At most one activation of an execution may be in it. When the database refuses one of them the whole batch fails, and
/// may be tried again in parts.
pub async fn commit(connection: &mut PgConnection, batch: &[Activation]) -> Result<Vec<Verdict>, Error> {
    let mut transaction = connection.begin().await?;
    children::lock_keys(&mut transaction, batch).await?;
    lock_workflows(&mut transaction, batch).await?;
    let (held, at) = fence(&mut transaction, batch).await?;
    let fenced: Vec<Activation> = batch.iter().filter_map(|activation| held.get(&activation.id)?.apply(activation)).collect();
    let written = Batch { activations: fenced.iter().collect(), at };

    workflows::append(&mut transaction, &written).await?;
    children::start(&mut transaction, &written).await?;
    workflows::deliver(&mut transaction, &written).await?;
    workflows::pin_and_publish(&mut transaction, &written).await?;
    write_logs(&mut transaction, &written).await?;
    let mut news = suspensions::suspend(&mut transaction, &written).await?;
    releases::release(&mut transaction, &written).await?;
    workflows::continue_as_new(&mut transaction, &written).await?;
    endings::end(&mut transaction, &written).await?;
    children::give_up(&mut transaction, &written).await?;
    releases::pause_buckets(&mut transaction, &written).await?;

    transaction
        .commit()
        .await
        .map_err(|error| if connection_broke(&error) { Error::UnknownCommit(error) } else { Error::from(error) })?;
    Ok(batch
        .iter()
        .map(|activation| match (held.contains_key(&activation.id), news.remove(&activation.id)) {
            (false, _) => Verdict::Lost,
            (true, Some(inbox)) => Verdict::News { at, inbox },
            (true, None) => Verdict::Written { at },
        })
        .collect())
}

/// What the fence says of a run that is still its worker's.
struct Held {
    run: i32,
    cancel_requested: bool,
}

impl Held {
    /// The activation, if it is that of the run that holds the row. A cancelled task does not run again.
    fn apply(&self, activation: &Activation) -> Option<Activation> {
        if activation.run != self.run {
            return None;
        }
        let mut activation = activation.clone();
        let runs_again =
            matches!(activation.fate, Fate::Retries { .. } | Fate::RateLimited { .. } | Fate::Returned | Fate::Parked);
        if self.cancel_requested && runs_again {
            let failure = Failure::of_host("cancelled", "its attempt ended after its cancellation was requested", false);
            activation.fate = Fate::Ends(Ending::Cancelled(failure));
        }
        Some(activation)
    }
}

/// Locks every workflow that this batch may touch, in the order of their ids.
async fn lock_workflows(connection: &mut PgConnection, batch: &[Activation]) -> Result<(), Error> {
    let mut written = Vec::new();
    let mut ending = Vec::new();
    for activation in batch {
        let Activation { id, workflow, fate, .. } = activation;
        let goes_on = matches!(fate, Fate::GoesOn);
        if !goes_on || workflow.as_ref().is_some_and(WorkflowWrites::touches_its_row) {
            written.push(*id);
        }
        if matches!(fate, Fate::Ends(_) | Fate::ContinuesAsNew { .. }) {
            ending.push(*id);
        }
        ending.extend(workflow.iter().flat_map(|writes| &writes.cancels));
    }
    if written.is_empty() && ending.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_LOCK_WORKFLOWS).bind(written).bind(ending).execute(connection).await?;
    Ok(())
}

/// Locks the `running` rows of the runs that still hold them, in the order of their ids.
async fn fence(
    connection: &mut PgConnection,
    batch: &[Activation],
) -> Result<(BTreeMap<ExecutionId, Held>, DateTime<Utc>), Error> {
    let (ids, runs): (Vec<_>, Vec<_>) = batch.iter().map(|activation| (activation.id, activation.run)).unzip();
    let rows = sqlx::query(sql::COMMIT_FENCE).bind(ids).bind(runs).fetch_all(&mut *connection).await?;
    let mut held = BTreeMap::new();
    for row in &rows {
        let of = Held { run: row.try_get("run")?, cancel_requested: row.try_get("cancel_requested")? };
        held.insert(row.try_get("id")?, of);
    }
    let at = match rows.first() {
        Some(row) => row.try_get("at")?,
        None => sqlx::query_scalar(sql::SCHEMA_NOW).fetch_one(connection).await?,
    };
    Ok((held, at))
}

async fn write_logs(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let lines: Vec<_> = batch.activations.iter().flat_map(|of| of.logs.iter().map(move |line| (of, line))).collect();
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_WRITE_LOGS)
        .bind(lines.iter().map(|(of, _)| of.id).collect::<Vec<_>>())
        .bind(lines.iter().map(|(of, _)| of.run).collect::<Vec<_>>())
        .bind(lines.iter().map(|(_, line)| line.line).collect::<Vec<_>>())
        .bind(lines.iter().map(|(_, line)| line.at).collect::<Vec<_>>())
        .bind(lines.iter().map(|(_, line)| line.level.as_str()).collect::<Vec<_>>())
        .bind(lines.iter().map(|(_, line)| line.message.as_str()).collect::<Vec<_>>())
        .bind(lines.iter().map(|(_, line)| line.attributes.clone()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Milliseconds that Postgres can add to a time.
fn milliseconds(length: u64) -> i64 {
    length.min(LONGEST_MS) as i64
}
