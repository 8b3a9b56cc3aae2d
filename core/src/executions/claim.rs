//! Claiming: what is ready becomes running, in one statement.
//!
//! Queues with limits are apart: the claim only names those in which something waits, and [`claim_limited`] claims from them, in one
//! transaction that locks the queue, counts, and takes tokens. So limits cost nothing where there are none, and a queue that is held back
//! delays no other.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::commit::Concerns;
use super::{Kind, RetryOverrides, RetryPolicy, Timeouts};
use crate::Error;
use crate::ids::{Digest, EnvironmentId, ExecutionId, FunctionName, QueueName, TaskId, WorkerId};
use crate::limits::{FULL_QUEUE, LEFT_TO_RESIDENT, TAKEN_QUEUE};
use crate::sql;
use crate::values::Json;

/// What a claim came to.
#[derive(Debug)]
pub struct Claims {
    /// The executions that are now this worker's.
    pub claimed: Vec<Claimed>,
    /// Whether other workers took some of what was found at the same moment: there may be more.
    pub contended: bool,
    /// How long until the next one that is known can be claimed; none when as many as asked for were found.
    pub next: Option<Duration>,
    /// Queues with limits in which something waits: for [`claim_limited`].
    pub limited: Vec<String>,
    /// Where something waits. Only a claim that looked everywhere knows.
    pub levels: Option<Vec<Level>>,
}

/// A queue and a priority: what waits there waits in one line.
pub type Level = (String, i16);

/// Where a claim looks.
#[derive(Clone, Debug, Default)]
pub enum Look {
    /// Wherever something waits.
    #[default]
    Everywhere,
    /// At these levels only, and at what became claimable at these times or later. The front of a line is where the dead rows are of all that
    /// was claimed before: a claim that knows how far it came need not walk past them.
    From(Vec<(Level, DateTime<Utc>)>),
}

impl Look {
    /// The levels, a column each; none for everywhere.
    fn queues(&self) -> Option<Vec<&str>> {
        self.places(|((queue, _), _)| queue.as_str())
    }

    fn priorities(&self) -> Option<Vec<i16>> {
        self.places(|((_, priority), _)| *priority)
    }

    fn times(&self) -> Option<Vec<DateTime<Utc>>> {
        self.places(|(_, since)| *since)
    }

    fn places<'a, T>(&'a self, column: impl Fn(&'a (Level, DateTime<Utc>)) -> T) -> Option<Vec<T>> {
        match self {
            Look::Everywhere => None,
            Look::From(places) => Some(places.iter().map(column).collect()),
        }
    }
}

/// What a claim from queues with limits came to.
#[derive(Debug, Default)]
pub struct LimitedClaims {
    /// The executions that are now this worker's.
    pub claimed: Vec<Claimed>,
    /// Queues that allow nothing more for so long, as far as is known now.
    pub held_back: Vec<(String, Duration)>,
}

/// A claimed execution, with everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Which.
    pub id: ExecutionId,
    /// The fence: every write names it.
    pub run: i32,
    /// From 1.
    pub attempt: i32,
    /// Failed attempts up to this one do not count.
    pub forgiven: i32,
    /// Times that it was rate-limited.
    pub rate_limited: i16,
    /// Task or workflow.
    pub kind: Kind,
    /// What to run.
    pub function: FunctionName,
    /// Where it waited.
    pub queue: QueueName,
    /// What to run it with.
    pub input: Json,
    /// In which line it waited.
    pub priority: i16,
    /// Since when.
    pub run_at: DateTime<Utc>,
    /// The caller's key.
    pub task_id: Option<TaskId>,
    /// The policy that holds: the request's, else the function's, else the default.
    pub retry: RetryPolicy,
    /// The limits that hold.
    pub timeouts: Timeouts,
    /// A workflow's pinned component, else the current one; none when nothing offers the function.
    pub digest: Option<Digest>,
    /// The module's name.
    pub module: Option<String>,
    /// The environment that a workflow stays in, once it is pinned.
    pub environment: Option<EnvironmentId>,
    /// The workflow's journal.
    pub chain: i32,
    /// The workflow that started it.
    pub parent: Option<ExecutionId>,
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// What travels with the trace.
    pub baggage: Vec<(String, String)>,
    /// What the previous attempt of a task said last.
    pub progress: Option<Json>,
    /// The database's time of this claim.
    pub claimed_at: DateTime<Utc>,
    /// When everything must have ended.
    pub deadline: Option<DateTime<Utc>>,
    /// Whether its cancellation was requested before.
    pub cancel_requested: bool,
    /// Of a workflow: how much had arrived for it by then, ever.
    pub arrivals: i32,
}

impl Claimed {
    /// Whom its end concerns.
    pub fn concerns(&self) -> Concerns {
        match (&self.task_id, self.parent) {
            (Some(_), _) => Concerns::Anybody,
            (None, Some(parent)) => Concerns::Parent(parent),
            (None, None) => Concerns::Nobody,
        }
    }
}

/// Claims up to `slots` executions of these queues, or of all of them: priority first; of the same priority all queues in turn, and in each
/// the one that waits longest. Of queues with
/// limits it claims none.
///
/// Its commit does not wait for the disk. A crash of the database may undo it: what was claimed is then claimed again, with the same run
/// number, and told apart by its time. Nothing can be written for a run before its claim is on disk, since that lies before it in the log.
pub async fn claim(
    pool: &PgPool,
    worker: WorkerId,
    queues: Option<&[QueueName]>,
    slots: u32,
    look: &Look,
) -> Result<Claims, Error> {
    let queues: Option<Vec<&str>> = queues.map(|queues| queues.iter().map(QueueName::as_str).collect());
    let rows = sqlx::query(sql::EXECUTIONS_CLAIM)
        .bind(worker)
        .bind(queues)
        .bind(i64::from(slots))
        .bind(LEFT_TO_RESIDENT.as_millis() as i64)
        .bind(None::<Vec<String>>)
        .bind(None::<DateTime<Utc>>)
        .bind(look.queues())
        .bind(look.priorities())
        .bind(look.times())
        .fetch_all(pool)
        .await?;
    let Some(first) = rows.first() else { return Err(Error::Unreadable("a claim without an answer".into())) };
    let candidates: i64 = first.try_get("candidates")?;
    let next_in_ms: Option<i64> = first.try_get("next_in_ms")?;
    let limited = first.try_get("limited")?;
    let levels = match look {
        Look::Everywhere => {
            let queues: Vec<String> = first.try_get::<Option<_>, _>("level_queues")?.unwrap_or_default();
            let priorities: Vec<i16> = first.try_get::<Option<_>, _>("level_priorities")?.unwrap_or_default();
            Some(queues.into_iter().zip(priorities).collect())
        }
        Look::From(_) => None,
    };
    let claimed = all_claimed(&rows)?;
    let contended = candidates > claimed.len() as i64;
    Ok(Claims { contended, next: next_in_ms.map(sql::duration), limited, levels, claimed })
}

/// Claims up to `slots` executions of these queues with limits, as many as those allow. A queue that another worker claims from at this
/// moment is left to it: nobody waits for a limit's lock.
pub async fn claim_limited(
    pool: &PgPool,
    worker: WorkerId,
    queues: &[String],
    slots: u32,
    look: &Look,
) -> Result<LimitedClaims, Error> {
    let mut transaction = pool.begin().await?;
    let locked: Vec<String> = sqlx::query_scalar(sql::QUEUES_LOCK_LIMITED).bind(queues).fetch_all(&mut *transaction).await?;
    let mut claims = LimitedClaims::default();
    claims.held_back.extend(queues.iter().filter(|queue| !locked.contains(queue)).map(|queue| (queue.clone(), TAKEN_QUEUE)));
    if locked.is_empty() {
        transaction.rollback().await?;
        return Ok(claims);
    }
    // The lock came first: this statement sees what those before it have claimed.
    let chosen = sqlx::query(sql::EXECUTIONS_CHOOSE)
        .bind(&locked)
        .bind(i64::from(slots))
        .bind(worker)
        .bind(LEFT_TO_RESIDENT.as_millis() as i64)
        .bind(FULL_QUEUE.as_millis() as i64)
        .bind(look.queues())
        .bind(look.priorities())
        .bind(look.times())
        .fetch_all(&mut *transaction)
        .await?;
    let mut places: Vec<String> = Vec::new();
    for row in &chosen {
        let of_queue: Vec<String> = row.try_get("places")?;
        let held_ms: Option<i64> = row.try_get("held_ms")?;
        let held = match held_ms {
            Some(held_ms) => Some(sql::duration(held_ms)),
            // Somebody is changing what waits there.
            None => of_queue.is_empty().then_some(TAKEN_QUEUE),
        };
        if let Some(held) = held {
            claims.held_back.push((row.try_get("queue")?, held));
        }
        places.extend(of_queue);
    }
    let Some(first) = chosen.first().filter(|_| !places.is_empty()) else {
        // Not left to the pool, which would let go of the locks in its own time.
        transaction.rollback().await?;
        return Ok(claims);
    };
    let rows = sqlx::query(sql::EXECUTIONS_CLAIM)
        .bind(worker)
        .bind(Vec::<String>::new())
        .bind(places.len() as i64)
        .bind(LEFT_TO_RESIDENT.as_millis() as i64)
        .bind(places)
        .bind(first.try_get::<DateTime<Utc>, _>("at")?)
        .bind(None::<Vec<&str>>)
        .bind(None::<Vec<i16>>)
        .bind(None::<Vec<DateTime<Utc>>>)
        .fetch_all(&mut *transaction)
        .await?;
    claims.claimed = all_claimed(&rows)?;
    transaction.commit().await?;
    Ok(claims)
}

fn all_claimed(rows: &[PgRow]) -> Result<Vec<Claimed>, Error> {
    rows.iter().filter_map(|row| claimed(row).transpose()).collect()
}

/// None is the row that only says how many were found.
fn claimed(row: &PgRow) -> Result<Option<Claimed>, Error> {
    let Some(id) = row.try_get::<Option<ExecutionId>, _>("id")? else { return Ok(None) };
    let kind = match row.try_get::<Option<String>, _>("kind")?.as_deref() {
        Some("workflow") => Kind::Workflow,
        _ => Kind::Task,
    };
    let function_retry = overrides(row.try_get("function_retry")?)?;
    let request_retry = overrides(row.try_get("request_retry")?)?;
    let timeouts: Option<Json> = row.try_get("timeouts")?;
    let baggage: Option<Json> = row.try_get("trace_context")?;
    let digest: Option<Vec<u8>> = row.try_get("digest")?;
    Ok(Some(Claimed {
        id,
        run: row.try_get("run")?,
        attempt: row.try_get("attempt")?,
        forgiven: row.try_get("forgiven")?,
        rate_limited: row.try_get("rate_limited")?,
        kind,
        function: row.try_get("function")?,
        queue: row.try_get("queue")?,
        input: row.try_get("input")?,
        priority: row.try_get("priority")?,
        run_at: row.try_get("run_at")?,
        task_id: row.try_get("task_id")?,
        retry: RetryPolicy::of(kind).with(function_retry).with(request_retry),
        timeouts: timeouts.map_or(Ok(Timeouts::default()), |text| serde_json::from_str(text.as_str()))?,
        digest: digest.map(Digest::try_from).transpose()?,
        module: row.try_get("module")?,
        environment: row.try_get("environment")?,
        chain: row.try_get("chain")?,
        parent: row.try_get("parent_workflow_id")?,
        trace_id: row.try_get::<Uuid, _>("trace_id")?.simple().to_string(),
        span_id: id.span_id(),
        baggage: baggage.map(|baggage| pairs(&baggage)).unwrap_or_default(),
        progress: row.try_get("progress")?,
        claimed_at: row.try_get("claimed_at")?,
        deadline: row.try_get("deadline")?,
        cancel_requested: row.try_get("cancel_requested")?,
        arrivals: row.try_get("arrivals")?,
    }))
}

fn overrides(policy: Option<Json>) -> Result<Option<RetryOverrides>, Error> {
    Ok(policy.map(|policy| serde_json::from_str(policy.as_str())).transpose()?)
}

/// The entries of a JSON object, texts without their quotes.
fn pairs(object: &Json) -> Vec<(String, String)> {
    let entries: serde_json::Map<String, serde_json::Value> = serde_json::from_str(object.as_str()).unwrap_or_default();
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    entries.into_iter().map(|(name, value)| (name, text(value))).collect()
}
