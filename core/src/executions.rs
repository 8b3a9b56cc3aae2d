//! Executions: what is asked for, what is known of one, and how it ends.

pub mod claim;
pub mod commit;
pub mod status;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::ids::{Digest, ExecutionId, FunctionName, QueueName, TaskId, WorkerId};
use crate::values::Json;

pub use self::commit::NewChild;
pub use self::status::Status;

/// Whether an execution runs once per attempt, or is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Kind {
    /// Runs at least once, once per attempt.
    Task,
    /// Deterministic; survives crashes by replay.
    Workflow,
}

impl Kind {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Task => "task",
            Kind::Workflow => "workflow",
        }
    }
}

/// Why user code did not succeed; the JSON of the columns `failure`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure, for programs.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// More about it, for example a traceback.
    #[serde(default, deserialize_with = "details", skip_serializing_if = "Option::is_none")]
    pub details: Option<Json>,
    /// Whether another attempt can help.
    #[serde(default)]
    pub retryable: bool,
    /// The pause before the next attempt, instead of the back-off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Details that are no value of ours, because they are nested too deeply for one, are still worth reading: as text. An error here would keep
/// the workflow that is told of this failure from ever going on.
fn details<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    let Some(raw) = Option::<Box<serde_json::value::RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    let text = raw.get();
    Json::parse(text.into()).or_else(|_| Json::of(&text)).map(Some).map_err(serde::de::Error::custom)
}

/// Codes that the host uses itself; see `wit/types.wit`.
const HOST_CODES: [&str; 19] = [
    "cancelled",
    "timed-out",
    "trap",
    "out-of-memory",
    "worker-lost",
    "nondeterminism",
    "journal-corrupt",
    "invalid-value",
    "limit-exceeded",
    "cpu-limit",
    "output-limit",
    "payload-limit",
    "operations-limit",
    "journal-length-limit",
    "journal-bytes-limit",
    "stack-limit",
    "table-limit",
    "handle-limit",
    "module-unavailable",
];

impl Failure {
    /// A failure that the host found.
    pub fn of_host(code: &str, message: impl Into<String>, retryable: bool) -> Failure {
        Failure { code: code.into(), message: message.into(), details: None, retryable, retry_after_ms: None }.storable()
    }

    /// Whether its code is one that the host uses itself.
    pub fn is_of_host(&self) -> bool {
        HOST_CODES.contains(&self.code.as_str())
    }

    /// Without what Postgres cannot store: U+0000 becomes U+FFFD, and the code is at most 255 bytes.
    pub fn storable(mut self) -> Failure {
        self.message = self.message.replace('\0', "\u{fffd}");
        self.code = self.code.replace('\0', "\u{fffd}");
        if self.code.len() > 255 {
            let end = (0..=255).rev().find(|index| self.code.is_char_boundary(*index)).unwrap_or(0);
            self.code.truncate(end);
        }
        self
    }
}

/// How often, and after how long, a failed attempt is tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Retries after the first attempt.
    pub retries: u32,
    /// The pause before the first retry.
    pub backoff_ms: u64,
    /// By which each further pause is longer.
    pub multiplier: f64,
    /// The longest pause.
    pub max_backoff_ms: u64,
}

impl RetryPolicy {
    /// What holds when nobody says anything: tasks are retried three times, workflows replay instead.
    pub fn of(kind: Kind) -> RetryPolicy {
        let retries = match kind {
            Kind::Task => 3,
            Kind::Workflow => 0,
        };
        RetryPolicy { retries, backoff_ms: 1_000, multiplier: 2.0, max_backoff_ms: 300_000 }
    }

    /// This policy, with what is said instead.
    fn with(self, said: Option<RetryOverrides>) -> RetryPolicy {
        let Some(said) = said else { return self };
        RetryPolicy {
            retries: said.retries.unwrap_or(self.retries),
            backoff_ms: said.backoff_ms.unwrap_or(self.backoff_ms),
            multiplier: said.multiplier.unwrap_or(self.multiplier),
            max_backoff_ms: said.max_backoff_ms.unwrap_or(self.max_backoff_ms),
        }
    }
}

/// A retry policy of which only a part is said.
#[derive(Clone, Debug, Default, Deserialize)]
struct RetryOverrides {
    retries: Option<u32>,
    backoff_ms: Option<u64>,
    multiplier: Option<f64>,
    max_backoff_ms: Option<u64>,
}

/// How long things may take; none means no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From when it could first be claimed to its first claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_ms: Option<u64>,
    /// One attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_ms: Option<u64>,
    /// Between two heartbeats of a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_ms: Option<u64>,
    /// All attempts and pauses together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<u64>,
}

impl Timeouts {
    /// Whether there is no limit at all.
    pub fn is_empty(&self) -> bool {
        *self == Timeouts::default()
    }
}

/// What a workflow can say about a child that it starts; none means what the function says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StartOptions {
    /// The queue.
    pub queue: Option<QueueName>,
    /// Higher goes first.
    pub priority: Option<i16>,
    /// Not claimed before this much time has passed.
    pub delay_ms: Option<u64>,
    /// The whole policy.
    pub retry: Option<RetryPolicy>,
    /// All limits, if any is said.
    pub timeouts: Timeouts,
    /// The caller's key.
    pub task_id: Option<TaskId>,
    /// Shares the queue's concurrency limit per key.
    pub concurrency_key: Option<String>,
    /// Free words to find it by.
    pub tags: Vec<String>,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct NewExecution {
    /// The function.
    pub function: FunctionName,
    /// Its input.
    pub input: Json,
    /// The queue; none means the function's own.
    pub queue: Option<QueueName>,
    /// The caller's key.
    pub task_id: Option<TaskId>,
    /// Not claimed before this much time has passed.
    pub delay_ms: Option<u64>,
    /// Not claimed before this time; wins over `delay_ms`.
    pub run_at: Option<DateTime<Utc>>,
    /// Higher goes first.
    pub priority: Option<i16>,
    /// Limits on the attempt, in the queue, and in total; the heartbeat's is the function's own.
    pub timeouts: Timeouts,
    /// Retries, if not those that the function says.
    pub retries: Option<u32>,
    /// Shares the queue's concurrency limit per key.
    pub concurrency_key: Option<String>,
    /// Free words to find it by.
    pub tags: Vec<String>,
}

impl NewExecution {
    /// This function with this input, and nothing else said.
    pub fn new(function: FunctionName, input: Json) -> NewExecution {
        NewExecution {
            function,
            input,
            queue: None,
            task_id: None,
            delay_ms: None,
            run_at: None,
            priority: None,
            timeouts: Timeouts::default(),
            retries: None,
            concurrency_key: None,
            tags: Vec::new(),
        }
    }
}

/// The answer to an enqueue.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Started {
    /// The execution that was started, or that the key stands for.
    pub id: ExecutionId,
    /// Its status.
    pub status: Status,
    /// Its result, when it was completed before.
    pub result: Option<Json>,
    /// Whether it is new.
    pub created: bool,
    /// Whether the key stands for another function or another input.
    pub conflict: bool,
}

/// An execution, as the view shows it.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// The caller's key, or the id's own text.
    pub task_id: String,
    /// None while nothing deployed offers its function.
    pub kind: Option<String>,
    /// Its function.
    pub function: String,
    /// Its queue.
    pub queue: String,
    /// None only between two of its states.
    pub status: Option<Status>,
    /// Pending because nothing deployed offers its function.
    pub parked: bool,
    /// Higher goes first.
    pub priority: i16,
    /// When it can be claimed, or when the timer that it waits for is due.
    pub run_at: Option<DateTime<Utc>>,
    /// From 1.
    pub attempt: i32,
    /// What it was given.
    pub input: Json,
    /// What it returned.
    pub result: Option<Json>,
    /// Why it did not.
    pub failure: Option<Json>,
    /// The workflow that started it.
    pub parent_workflow_id: Option<ExecutionId>,
    /// The worker that runs it, or that ended it.
    pub worker_id: Option<WorkerId>,
    /// The worker that keeps it in memory while it is suspended. Without one it is replayed when it goes on.
    pub resident_on: Option<WorkerId>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its last attempt was claimed.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What it said of its progress last.
    pub progress: Option<Json>,
    /// What its author should know while it is open: that its journal is nearly full.
    pub warning: Option<String>,
    /// Whether somebody asked for its cancellation.
    pub cancel_requested: bool,
    /// The digest of the component that ran it last.
    pub module: Option<String>,
    /// A workflow's journal, from 1.
    pub chain: Option<i32>,
    /// Shares the queue's concurrency limit per key.
    pub concurrency_key: Option<String>,
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// W3C baggage.
    pub trace_context: Option<Json>,
    /// Free words to find it by.
    pub tags: Vec<String>,
}

impl Execution {
    /// The failure, if it has one.
    pub fn failure(&self) -> Option<Failure> {
        serde_json::from_str(self.failure.as_ref()?.as_str()).ok()
    }

    /// The digest of its component.
    pub fn digest(&self) -> Option<Digest> {
        self.module.as_deref()?.parse().ok()
    }
}
