//! The one way in which runs write: what any number of them decided, in one transaction.
//!
//! A run's *activation* is everything that it wants to write now: journal entries, children, what it has read from its inbox, and its
//! *fate*. Each activation is fenced by its run: if the `running` row is gone, nothing of it is written, and the others stand.
//!
//! The order inside is the order of locks that everybody keeps: keys → workflows (by id) → running (by id) → the rest, buckets last.

mod children;
mod endings;
mod records;
mod releases;
mod workflows;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Acquire, PgConnection, Postgres, Row};

use self::workflows::Decided;
use super::{Failure, Kind, StartOptions};
use crate::Error;
use crate::error::connection_broke;
use crate::ids::{Digest, EnvironmentId, ExecutionId, FunctionName, WorkerId};
use crate::journal::JournalRow;
use crate::limits::LONGEST_MS;
use crate::sql;
use crate::values::Json;
use crate::workers::{self, Beat};

/// What one run writes at once.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The execution.
    pub id: ExecutionId,
    /// The run: the fence.
    pub run: i32,
    /// When that run was claimed: the fence too. A claim that a crash of the database has undone may be made again, with the same number.
    pub claimed_at: DateTime<Utc>,
    /// What is not known counts as a workflow.
    pub kind: Kind,
    /// Whom its end concerns.
    pub concerns: Concerns,
    /// What only a workflow writes.
    pub workflow: Option<WorkflowWrites>,
    /// Log lines since the last one.
    pub logs: Vec<LogLine>,
    /// What a task said of its progress, if that may not be written yet: it belongs to the next attempt, however this one ends.
    pub progress: Option<Json>,
    /// What becomes of the run.
    pub fate: Fate,
}

/// Whom the end of an execution concerns, besides its own children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concerns {
    /// No workflow: none has started it, and it has no key by which one could have attached to it.
    Nobody,
    /// The workflow that started it, and no other.
    Parent(ExecutionId),
    /// Whoever is found.
    Anybody,
}

/// How much an activation writes. The most frequent ones are written by one statement, when they are among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The end of a task that concerns nobody, without a word.
    Ends,
    /// An end that cancels nothing, and concerns nobody but the workflow that started the execution.
    Closes,
    /// Nothing but journal entries of a run that goes on.
    Appends,
    /// What a workflow decided that goes on or suspends, and that touches no other workflow.
    Decides,
    /// Anything.
    Any,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 5] = [Shape::Ends, Shape::Closes, Shape::Appends, Shape::Decides, Shape::Any];
}

impl Activation {
    /// How much it writes.
    pub fn shape(&self) -> Shape {
        if self.progress.is_some() {
            return Shape::Any;
        }
        match (&self.workflow, &self.fate) {
            (None, Fate::Ends(_)) if self.is_alone() && self.logs.is_empty() => Shape::Ends,
            (None, Fate::Ends(_)) if self.kind == Kind::Task && self.concerns != Concerns::Anybody => Shape::Closes,
            (Some(writes), Fate::Ends(ending)) if self.concerns != Concerns::Anybody && writes.only_close(ending) => {
                Shape::Closes
            }
            (Some(writes), Fate::GoesOn) if self.logs.is_empty() && writes.only_append() => Shape::Appends,
            (Some(writes), Fate::GoesOn | Fate::Suspends { .. }) if writes.only_decide() => Shape::Decides,
            _ => Shape::Any,
        }
    }

    /// Whether it writes nothing but what is of the task itself, whatever becomes of it.
    fn is_alone(&self) -> bool {
        self.kind == Kind::Task && self.concerns == Concerns::Nobody
    }

    /// The workflows whose rows its end writes.
    fn concerned(&self) -> impl Iterator<Item = ExecutionId> {
        let parent = match self.concerns {
            Concerns::Parent(parent) => Some(parent),
            // Whom else it concerns was locked before.
            Concerns::Nobody | Concerns::Anybody => None,
        };
        (self.kind == Kind::Workflow).then_some(self.id).into_iter().chain(parent)
    }

    /// What it takes out of its inbox.
    fn delivered(&self) -> impl Iterator<Item = (ExecutionId, i32)> {
        self.workflow.iter().flat_map(|writes| &writes.delivered).map(|arrival| (self.id, *arrival))
    }
}

/// What a workflow decided.
#[derive(Clone, Debug, Default)]
pub struct WorkflowWrites {
    /// Its journal.
    pub chain: i32,
    /// What it is pinned to from now on, with its first entry.
    pub pin: Option<Pin>,
    /// With the first entries of a run: whose run it is.
    pub worker: Option<WorkerId>,
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
    /// Whether every child that it ever started has ended, or was given up before.
    pub children_are_closed: bool,
}

impl WorkflowWrites {
    fn only_append(&self) -> bool {
        !self.entries.is_empty()
            && self.children.is_empty()
            && self.delivered.is_empty()
            && !self.changes_its_row()
            && self.only_decide()
    }

    /// Whether no other workflow is touched: the end of what it attaches to, or gives up, may have to be told.
    fn only_decide(&self) -> bool {
        self.cancels.is_empty() && self.children.iter().all(|child| child.options.task_id.is_none())
    }

    /// Whether an end leaves nothing behind but these entries. What did not complete keeps the news that it has not read.
    fn only_close(&self, ending: &Ending) -> bool {
        let reads_nothing = self.delivered.is_empty() || matches!(ending, Ending::Completed(_));
        let starts_nothing = self.children.is_empty() && self.children_are_closed;
        reads_nothing && starts_nothing && self.cancels.is_empty() && !self.changes_its_row()
    }

    /// Whether something is kept in the workflow's own row.
    fn changes_its_row(&self) -> bool {
        self.pin.is_some() || self.publish.is_some() || self.warning.is_some()
    }
}

/// What a workflow stays on, through all deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Its component.
    pub digest: Digest,
    /// Its environment.
    pub environment: EnvironmentId,
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

impl Fate {
    /// Whether the same execution is claimed again after this, and not because there is news.
    fn runs_again(&self) -> bool {
        matches!(self, Fate::Retries { .. } | Fate::RateLimited { .. } | Fate::Returned | Fate::Parked)
    }
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
    /// It is written, but the workflow is not suspended: something has arrived, or a timer is due.
    News {
        /// The database's time.
        at: DateTime<Utc>,
        /// How much had arrived by then, ever.
        arrivals: i32,
    },
    /// The run was taken over: nothing of it is written.
    Lost,
}

/// A statement that is given its parameters.
type Statement<'a> = Query<'a, Postgres, PgArguments>;

/// Writes a batch, and waits for rows that others have locked for as long as it takes. As [`commit_within`] otherwise.
pub async fn commit(connection: &mut PgConnection, batch: &[Activation]) -> Result<Vec<Verdict>, Error> {
    commit_within(connection, batch, None).await
}

/// Writes a batch. At most one activation of an execution may be in it. When the database refuses one of them the whole batch fails, and
/// may be tried again in parts. So it does when somebody else holds one of the rows for longer than there is `patience`
/// ([`Error::is_held`]).
pub async fn commit_within(
    connection: &mut PgConnection,
    batch: &[Activation],
    patience: Option<Duration>,
) -> Result<Vec<Verdict>, Error> {
    let shape = batch.first().map_or(Shape::Any, Activation::shape);
    match shape {
        _ if batch.iter().any(|activation| activation.shape() != shape) => commit_any(connection, batch, patience).await,
        Shape::Ends => written_alone(batch, endings::end_alone(connection, batch, patience).await),
        Shape::Closes => {
            let all: Vec<&Activation> = batch.iter().collect();
            written_alone(batch, endings::end(connection, &all, patience).await)
        }
        Shape::Appends => written_alone(batch, workflows::append_alone(connection, batch, patience).await),
        Shape::Decides => {
            let decided = workflows::decide(connection, batch, patience).await.map_err(unknown_if_broken)?;
            Ok(batch.iter().map(|of| decided.get(&of.id).map_or(Verdict::Lost, Decided::verdict)).collect())
        }
        Shape::Any => commit_any(connection, batch, patience).await,
    }
}

/// As Postgres takes it.
fn lock_timeout(patience: Option<Duration>) -> String {
    patience.map_or("0".into(), |patience| format!("{}ms", patience.as_millis()))
}

/// Writes activations of any shape, in one transaction.
async fn commit_any(
    connection: &mut PgConnection,
    batch: &[Activation],
    patience: Option<Duration>,
) -> Result<Vec<Verdict>, Error> {
    let mut transaction = connection.begin().await?;
    if patience.is_some() {
        sqlx::query(sql::COMMIT_PATIENCE).bind(lock_timeout(patience)).execute(&mut *transaction).await?;
    }
    let all: Vec<&Activation> = batch.iter().collect();
    children::lock_keys(&mut transaction, &all).await?;
    lock_workflows(&mut transaction, batch).await?;
    let (held, at) = fence(&mut transaction, batch).await?;
    let mut fenced: Vec<Activation> =
        batch.iter().filter_map(|activation| held.get(&activation.id)?.apply(activation)).collect();

    children::attach(&mut transaction, &Vec::from_iter(&fenced)).await?;
    let decided = workflows::decide(&mut transaction, fenced.iter().filter(|of| of.workflow.is_some()), patience).await?;
    // What is decided is written, with its logs.
    for of in fenced.iter_mut().filter(|of| of.workflow.is_some()) {
        of.logs.clear();
        of.workflow.iter_mut().for_each(|writes| writes.entries.clear());
    }
    let written: Vec<&Activation> = fenced.iter().collect();
    records::write_logs(&mut transaction, &written).await?;
    write_progress(&mut transaction, &written).await?;
    releases::release(&mut transaction, &written, at).await?;
    workflows::continue_as_new(&mut transaction, &written).await?;
    let ended = endings::end(&mut transaction, &written, patience).await?;
    endings::end_family(&mut transaction, &written, &ended).await?;
    children::give_up(&mut transaction, &written).await?;
    releases::pause_buckets(&mut transaction, &written, at).await?;
    transaction.commit().await.map_err(|error| unknown_if_broken(error.into()))?;

    let verdict = |of: &Activation| match decided.get(&of.id) {
        _ if !held.contains_key(&of.id) => Verdict::Lost,
        Some(decided) => decided.verdict(),
        None => Verdict::Written { at },
    };
    Ok(batch.iter().map(verdict).collect())
}

/// What was its own COMMIT: when the connection breaks, nobody knows.
fn unknown_if_broken(error: Error) -> Error {
    match error {
        Error::Database(error) if connection_broke(&error) => Error::UnknownCommit(error),
        error => error,
    }
}

/// The verdicts on activations that were fenced and written by one statement, which answered those that are written.
fn written_alone(batch: &[Activation], answer: Result<Vec<PgRow>, Error>) -> Result<Vec<Verdict>, Error> {
    let rows = answer.map_err(unknown_if_broken)?;
    let mut written: BTreeMap<ExecutionId, DateTime<Utc>> = BTreeMap::new();
    for row in &rows {
        written.insert(row.try_get("id")?, row.try_get("at")?);
    }
    let verdict = |of: &Activation| written.get(&of.id).map_or(Verdict::Lost, |at| Verdict::Written { at: *at });
    Ok(batch.iter().map(verdict).collect())
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
        if self.cancel_requested && activation.fate.runs_again() {
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
        if activation.is_alone() {
            continue;
        }
        if workflow.is_some() || !matches!(fate, Fate::GoesOn) {
            written.push(*id);
        }
        // What would run again ends instead when its cancellation was requested.
        if fate.runs_again() || matches!(fate, Fate::Ends(_) | Fate::ContinuesAsNew { .. }) {
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
    let rows = sqlx::query(sql::COMMIT_FENCE)
        .bind(batch.iter().map(|activation| activation.id).collect::<Vec<_>>())
        .bind(batch.iter().map(|activation| activation.run).collect::<Vec<_>>())
        .bind(batch.iter().map(|activation| activation.claimed_at).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
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

async fn write_progress(connection: &mut PgConnection, batch: &[&Activation]) -> Result<(), Error> {
    let said = batch.iter().filter_map(|of| Some((of.id, of.run, of.progress.clone()?)));
    let said: Vec<_> = said.map(|(id, run, progress)| Beat { id, run, progress: Some(progress) }).collect();
    workers::write_progress(connection, &said).await
}

/// Milliseconds that Postgres can add to a time.
fn milliseconds(length: u64) -> i64 {
    length.min(LONGEST_MS) as i64
}
