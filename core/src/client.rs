//! The façade that the command line, the host and Rust applications use.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use currant_core::{Client, executions::NewExecution, ids::FunctionName, values::Json};
//!
//! let client = Client::connect("postgres://localhost/shop").await?;
//! let order = NewExecution::new(FunctionName::parse("checkout")?, Json::parse(r#"{"order": 42}"#.into())?);
//! let started = client.enqueue(order).await?;
//! let ended = client.wait_for_result(&started.id, None).await?;
//! # Ok(()) }
//! ```

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgConnection, PgPool, Row};

use crate::Error;
use crate::executions::{Execution, Failure, NewExecution, Started, Status};
use crate::ids::{ExecutionId, FunctionName, QueueName, WorkerId};
use crate::journal::{self, JournalRow};
use crate::limits::{LONGEST_MS, RESULT_POLL};
use crate::modules::{self, Function, Module};
use crate::notify::{ENDED, Hint, Listener};
use crate::queues::{self, Queue, QueueSettings};
use crate::sql;
use crate::values::Json;

/// A client of one database.
#[derive(Clone, Debug)]
pub struct Client {
    pool: PgPool,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ended {
    /// `completed`, `failed`, `cancelled` or `timed_out`.
    pub status: Status,
    /// Of a completed one.
    pub result: Option<Json>,
    /// Of the others.
    pub failure: Option<Failure>,
}

/// Which executions to list.
#[derive(Clone, Debug)]
pub struct Filter {
    /// In this status.
    pub status: Option<Status>,
    /// Of this function.
    pub function: Option<FunctionName>,
    /// In this queue.
    pub queue: Option<QueueName>,
    /// With this tag.
    pub tag: Option<String>,
    /// Children of this workflow.
    pub parent: Option<ExecutionId>,
    /// Asked for before this one.
    pub before: Option<ExecutionId>,
    /// At most so many.
    pub limit: u32,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter { status: None, function: None, queue: None, tag: None, parent: None, before: None, limit: 50 }
    }
}

/// What happened to an execution.
#[derive(Clone, Debug, Serialize)]
pub struct History {
    /// The entries of its journals, in order.
    pub entries: Vec<HistoryEntry>,
    /// Attempts that ended and were not the end.
    pub attempts: Vec<Attempt>,
}

/// An entry of a journal, and who wrote it.
#[derive(Clone, Debug, Serialize)]
pub struct HistoryEntry {
    /// The journal, from 1.
    pub chain: i32,
    /// The run that wrote it.
    pub run: i32,
    /// The worker whose run it was.
    pub worker_id: Option<WorkerId>,
    /// The entry.
    #[serde(flatten)]
    pub entry: JournalRow,
}

/// An attempt that ended and was not the end.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct Attempt {
    /// Its run.
    pub run: i32,
    /// Its number.
    pub attempt: i32,
    /// Why it ended.
    pub failure: Json,
    /// The worker that ran it.
    pub worker_id: Option<WorkerId>,
    /// When it was claimed.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

/// A log line.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct LogLine {
    /// The run that wrote it.
    pub run: i32,
    /// Its number in the run.
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

/// Where an execution goes on that is retried by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type)]
#[serde(rename_all = "kebab-case")]
#[sqlx(rename_all = "kebab-case", type_name = "text")]
pub enum Retried {
    /// Anew: a task's next attempt, or a workflow with an empty journal.
    Anew,
    /// A workflow goes on before the failures, or the cancellation, at the end of its record: what failed is tried again.
    BeforeFailure,
    /// A workflow is replayed to the end of its record.
    Replayed,
}

impl Client {
    /// A client on these connections.
    pub fn new(pool: PgPool) -> Client {
        Client { pool }
    }

    /// Connects to a database.
    pub async fn connect(url: &str) -> Result<Client, Error> {
        Ok(Client { pool: PgPool::connect(url).await? })
    }

    /// Its connections.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Starts an execution.
    pub async fn enqueue(&self, new: NewExecution) -> Result<Started, Error> {
        let mut connection = self.pool.acquire().await?;
        enqueue(&mut connection, new).await
    }

    /// Starts an execution for each input, in one transaction: like `all`, whose own input and key are not looked at. Answers their ids in
    /// the order of the inputs, which is the order in which they are claimed.
    pub async fn enqueue_many(&self, all: &NewExecution, inputs: &[Json]) -> Result<Vec<ExecutionId>, Error> {
        Ok(sqlx::query_scalar(sql::EXECUTIONS_ENQUEUE_MANY)
            .bind(&all.function)
            .bind(inputs)
            .bind(&all.queue)
            .bind(all.run_at)
            .bind(milliseconds(all.delay_ms))
            .bind(all.priority.map(i32::from))
            .bind(milliseconds(all.timeouts.attempt_ms))
            .bind(milliseconds(all.timeouts.queue_ms))
            .bind(milliseconds(all.timeouts.total_ms))
            .bind(retries(all))
            .bind(&all.concurrency_key)
            .bind(&all.tags)
            .fetch_one(&self.pool)
            .await?)
    }

    /// The execution as it is now.
    pub async fn status(&self, id: &ExecutionId) -> Result<Option<Execution>, Error> {
        Ok(sqlx::query_as(sql::EXECUTIONS_STATUS).bind(id).fetch_optional(&self.pool).await?)
    }

    /// The newest execution that was asked for under this key.
    pub async fn newest_with_task_id(&self, task_id: &str) -> Result<Option<Execution>, Error> {
        let holder: Option<ExecutionId> =
            sqlx::query_scalar(sql::EXECUTIONS_HOLDER).bind(task_id).fetch_optional(&self.pool).await?;
        match holder {
            Some(id) => self.status(&id).await,
            None => Ok(None),
        }
    }

    /// Waits for the end: on a notification, with a poll behind it, and without a transaction. None when it takes longer than `timeout`.
    pub async fn wait_for_result(&self, id: &ExecutionId, timeout: Option<Duration>) -> Result<Option<Ended>, Error> {
        let began = Instant::now();
        let mut listener = Listener::to(self.pool.clone(), &[ENDED]);
        loop {
            if let Some(ended) = self.result(id).await? {
                return Ok(Some(ended));
            }
            let left = timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let poll = tokio::time::sleep(left.map_or(RESULT_POLL, |left| left.min(RESULT_POLL)));
            let mut poll = std::pin::pin!(poll);
            loop {
                tokio::select! {
                    () = &mut poll => break,
                    hint = listener.next() => match hint {
                        Hint::Ended { ids } if !ids.contains(id) => {}
                        _ => break,
                    }
                }
            }
        }
    }

    /// How it ended, if it has.
    pub async fn result(&self, id: &ExecutionId) -> Result<Option<Ended>, Error> {
        let Some(row) = sqlx::query(sql::EXECUTIONS_RESULT).bind(id).fetch_optional(&self.pool).await? else {
            return Err(Error::NotFound(format!("there is no execution {id}")));
        };
        let status: Option<Status> = row.try_get("status")?;
        let Some(status) = status.filter(|status| status.is_final()) else { return Ok(None) };
        let failure: Option<Json> = row.try_get("failure")?;
        let failure = failure.map(|failure| serde_json::from_str(failure.as_str())).transpose()?;
        Ok(Some(Ended { status, result: row.try_get("result")?, failure }))
    }

    /// Sends a signal; false if one with this dedup id was sent before.
    pub async fn signal(&self, id: &ExecutionId, name: &str, payload: &Json, dedup_id: Option<&str>) -> Result<bool, Error> {
        let query = sqlx::query_scalar(sql::EXECUTIONS_SIGNAL).bind(id).bind(name).bind(payload).bind(dedup_id);
        Ok(query.fetch_one(&self.pool).await?)
    }

    /// Cancels an execution and its children: `cancelled`, `requested`, or the status in which it had ended. A workflow that was asked to stop
    /// before is ended at once, and undoes nothing more.
    pub async fn cancel(&self, id: &ExecutionId) -> Result<String, Error> {
        Ok(sqlx::query_scalar(sql::EXECUTIONS_CANCEL).bind(id).fetch_one(&self.pool).await?)
    }

    /// Makes a failed, cancelled or timed out execution pending again.
    pub async fn retry(&self, id: &ExecutionId, from_start: bool) -> Result<Retried, Error> {
        Ok(sqlx::query_scalar(sql::EXECUTIONS_RETRY).bind(id).bind(from_start).fetch_one(&self.pool).await?)
    }

    /// Completes the external operation that the token was made for.
    pub async fn complete(&self, token: &str, result: &Json) -> Result<(), Error> {
        sqlx::query(sql::EXECUTIONS_COMPLETE).bind(token).bind(result).execute(&self.pool).await?;
        Ok(())
    }

    /// Fails the external operation that the token was made for. Whether that is retryable is the workflow's affair.
    pub async fn fail(&self, token: &str, failure: &Failure) -> Result<(), Error> {
        sqlx::query(sql::EXECUTIONS_FAIL).bind(token).bind(Json::of(failure)?).execute(&self.pool).await?;
        Ok(())
    }

    /// Executions, the newest first.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Execution>, Error> {
        Ok(sqlx::query_as(sql::EXECUTIONS_LIST)
            .bind(filter.status.map(Status::as_str))
            .bind(filter.function.as_ref().map(FunctionName::as_str))
            .bind(filter.queue.as_ref().map(QueueName::as_str))
            .bind(filter.parent)
            .bind(filter.before)
            .bind(i64::from(filter.limit))
            .bind(filter.tag.as_deref())
            .fetch_all(&self.pool)
            .await?)
    }

    /// What happened to an execution.
    pub async fn history(&self, id: &ExecutionId) -> Result<History, Error> {
        let rows = sqlx::query(sql::JOURNAL_HISTORY).bind(id).fetch_all(&self.pool).await?;
        let entry = |row: &sqlx::postgres::PgRow| {
            Ok::<_, Error>(HistoryEntry {
                chain: row.try_get("chain")?,
                run: row.try_get("run")?,
                worker_id: row.try_get("worker_id")?,
                entry: journal::read(row)?,
            })
        };
        let entries = rows.iter().map(entry).collect::<Result<_, _>>()?;
        let attempts = sqlx::query_as(sql::EXECUTIONS_ATTEMPTS).bind(id).fetch_all(&self.pool).await?;
        Ok(History { entries, attempts })
    }

    /// The log lines of an execution.
    pub async fn logs(&self, id: &ExecutionId) -> Result<Vec<LogLine>, Error> {
        Ok(sqlx::query_as(sql::EXECUTIONS_LOGS).bind(id).fetch_all(&self.pool).await?)
    }

    /// All queues, by name.
    pub async fn queues(&self) -> Result<Vec<Queue>, Error> {
        queues::list(&self.pool).await
    }

    /// Creates a queue, or changes those of its settings that are named. They stand before the workers' files, until they are reset.
    pub async fn configure_queue(&self, name: &QueueName, settings: &QueueSettings) -> Result<(), Error> {
        queues::configure(&self.pool, name, settings).await
    }

    /// Takes back what was set by command: these settings, or all of them.
    pub async fn reset_queue(&self, name: &QueueName, settings: Option<&[&str]>) -> Result<(), Error> {
        queues::reset(&self.pool, name, settings).await
    }

    /// Holds first claims of a queue back.
    pub async fn pause_queue(&self, name: &QueueName) -> Result<(), Error> {
        sqlx::query(sql::QUEUES_PAUSE).bind(name).execute(&self.pool).await?;
        Ok(())
    }

    /// Ends a pause.
    pub async fn resume_queue(&self, name: &QueueName) -> Result<(), Error> {
        sqlx::query(sql::QUEUES_RESUME).bind(name).execute(&self.pool).await?;
        Ok(())
    }

    /// Every version of every module, the newest deployment first.
    pub async fn modules(&self) -> Result<Vec<Module>, Error> {
        modules::list(&self.pool).await
    }

    /// Every function that is served now.
    pub async fn functions(&self) -> Result<Vec<Function>, Error> {
        modules::functions(&self.pool).await
    }

    /// The served function whose name is most like this one.
    pub async fn nearest(&self, name: &str) -> Result<Option<String>, Error> {
        modules::nearest(&self.pool, name).await
    }
}

/// Starts an execution on the caller's own connection, and in its transaction if one is open.
pub async fn enqueue(connection: &mut PgConnection, new: NewExecution) -> Result<Started, Error> {
    let retries = retries(&new);
    Ok(sqlx::query_as(sql::EXECUTIONS_ENQUEUE)
        .bind(new.function)
        .bind(new.input)
        .bind(new.queue)
        .bind(new.task_id)
        .bind(new.run_at)
        .bind(milliseconds(new.delay_ms))
        .bind(new.priority.map(i32::from))
        .bind(milliseconds(new.timeouts.attempt_ms))
        .bind(milliseconds(new.timeouts.queue_ms))
        .bind(milliseconds(new.timeouts.total_ms))
        .bind(retries)
        .bind(new.concurrency_key)
        .bind(new.tags)
        .fetch_one(connection)
        .await?)
}

fn milliseconds(length: Option<u64>) -> Option<i64> {
    length.map(|length| length.min(LONGEST_MS) as i64)
}

fn retries(new: &NewExecution) -> Option<i32> {
    new.retries.map(|retries| i32::try_from(retries).unwrap_or(i32::MAX))
}
