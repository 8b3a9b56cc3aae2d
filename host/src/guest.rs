//! The seam between a guest and the run that owns it: what the imports ask of a run, and what a call of the guest came to.
//!
//! `imports/` translates WIT calls into these traits; `worker/run` implements them. Neither knows the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use currant_core::executions::{Failure, StartOptions};
use currant_core::ids::EnvironmentId;
use currant_core::values::Json;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

/// The outcome of a step, a child, a timer or a signal, as the guest sees it. Values are JSON text.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It completed with this value.
    Completed(String),
    /// It failed.
    Failed(Failure),
}

impl From<Result<Json, Failure>> for Outcome {
    fn from(outcome: Result<Json, Failure>) -> Outcome {
        match outcome {
            Ok(value) => Outcome::Completed(value.into_string()),
            Err(failure) => Outcome::Failed(failure),
        }
    }
}

/// What `wait` answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Waited {
    /// This operation is delivered.
    Completion {
        /// Its number in the run.
        operation: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// The cancellation of this workflow was requested.
    Cancelled,
}

/// Ends the guest with a trap; the text says what it did wrong or why its run is over.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// What the `workflow` interface, the clocks and the random sources of a workflow ask of its run.
///
/// A function that waits for the database returns a future that stays pending for ever when the run is over (suspended,
/// taken over): whoever drives the run then drops the guest.
pub trait WorkflowCalls: Send + Sync + 'static {
    /// Starts a task.
    fn start_task(&self, function: String, input: String, options: StartOptions) -> Result<u32, Refused>;
    /// Starts a child workflow.
    fn start_workflow(&self, function: String, input: String, options: StartOptions, detached: bool) -> Result<u32, Refused>;
    /// Starts a timer of so many milliseconds.
    fn start_timer(&self, milliseconds: u64) -> Result<u32, Refused>;
    /// Asks for a signal.
    fn receive_signal(&self, name: String) -> Result<u32, Refused>;
    /// Starts an operation that is completed from outside; answers its number and token.
    fn external(&self) -> Result<(u32, String), Refused>;
    /// Waits for one of these operations.
    fn wait(&self, operations: Vec<u32>) -> BoxFuture<'_, Result<Waited, Refused>>;
    /// Gives an operation up.
    fn cancel(&self, operation: u32) -> Result<(), Refused>;
    /// Begins a step: its recorded outcome, or none if it has to run now.
    fn begin_step(&self, name: String) -> BoxFuture<'_, Result<Option<Outcome>, Refused>>;
    /// Ends the step that began.
    fn end_step(&self, outcome: Outcome) -> Result<(), Refused>;
    /// The side of a code change that this run is on.
    fn version(&self, change: String, min: u32, max: u32) -> Result<u32, Refused>;
    /// Ends this run in favour of a fresh one. Always refuses: the refusal ends the guest.
    fn continue_as_new(&self, input: String) -> Refused;
    /// Publishes progress.
    fn publish(&self, progress: String) -> Result<(), Refused>;
    /// Whether a step's closure runs: then clocks and random are real, and grants hold.
    fn in_step(&self) -> bool;
    /// Whether calls are answered from the journal: then logs and telemetry are silent.
    fn replaying(&self) -> bool;
    /// The workflow's time, in milliseconds since 1970.
    fn now(&self) -> u64;
    /// The next bytes of the workflow's random stream.
    fn fill_random(&self, bytes: &mut [u8]);
    /// A sleep by a clock outside the workflow interface: a durable timer, started and awaited.
    fn sleep(&self, milliseconds: u64) -> BoxFuture<'_, Result<(), Refused>>;
}

/// What the `task` interface asks of a task's run.
pub trait TaskCalls: Send + Sync + 'static {
    /// Says that the task is alive; answers whether its cancellation was requested.
    fn heartbeat(&self, progress: Option<String>) -> bool;
    /// What the previous attempt said last.
    fn last_progress(&self) -> Option<String>;
    /// Whether its cancellation was requested.
    fn is_cancelled(&self) -> bool;
}

/// The severity of a log line, in the words of the database.
pub type Level = &'static str;

/// Where an execution's log lines go, its stdout and stderr included.
pub trait LogSink: Send + Sync + 'static {
    /// Takes one line; attributes are names and JSON values.
    fn log(&self, level: Level, message: String, attributes: Vec<(String, String)>);
}

/// What kind of run a guest belongs to.
#[derive(Clone)]
pub enum Role {
    /// A task's attempt.
    Task(Arc<dyn TaskCalls>),
    /// A workflow's run.
    Workflow(Arc<dyn WorkflowCalls>),
}

/// Why a guest that does not end by itself is to be stopped. Read at every epoch tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stop {
    /// The attempt's time is over.
    TimedOut = 1,
    /// Its cancellation was requested, and the grace period is over.
    Cancelled = 2,
    /// The run is no longer ours, or the worker stops.
    Abandoned = 3,
    /// It held its slot for longer than anything may.
    TimeLimit = 4,
}

/// Asks a guest to stop, from any thread.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    reason: AtomicU8,
    raised: Notify,
}

impl StopFlag {
    /// Asks the guest to stop; the first reason stands.
    pub fn stop(&self, reason: Stop) {
        let _ = self.0.reason.compare_exchange(0, reason as u8, Ordering::Relaxed, Ordering::Relaxed);
        self.0.raised.notify_waiters();
    }

    /// Returns once somebody asked.
    pub async fn stopped(&self) -> Stop {
        loop {
            let raised = self.0.raised.notified();
            if let Some(reason) = self.reason() {
                return reason;
            }
            raised.await;
        }
    }

    /// The reason, if somebody asked.
    pub fn reason(&self) -> Option<Stop> {
        match self.0.reason.load(Ordering::Relaxed) {
            1 => Some(Stop::TimedOut),
            2 => Some(Stop::Cancelled),
            3 => Some(Stop::Abandoned),
            4 => Some(Stop::TimeLimit),
            _ => None,
        }
    }
}

/// The facts that `context` answers.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The execution's id, as text.
    pub id: String,
    /// The caller's key.
    pub task_id: Option<String>,
    /// The function that runs.
    pub function: String,
    /// The queue that it waited in.
    pub queue: String,
    /// From 1.
    pub attempt: u32,
    /// The workflow that started it.
    pub parent: Option<String>,
    /// The component's digest, in hexadecimal.
    pub module: String,
    /// When the attempt must have ended, in milliseconds since 1970.
    pub deadline: Option<u64>,
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// What travels with the trace.
    pub baggage: Vec<(String, String)>,
}

/// What a module may touch. Nothing by default.
#[derive(Clone, Default, PartialEq)]
pub struct Grants {
    /// `host:port` pairs that tasks and steps may call by HTTP.
    pub http: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Which environment that is.
    pub environment: EnvironmentId,
}

/// Without the values of variables: they may be secrets.
impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Grants").field("http", &self.http).field("env", &names).finish()
    }
}

/// One call of a guest's `run`.
pub struct Call {
    /// The function's name.
    pub function: String,
    /// JSON text, byte for byte what the caller gave.
    pub input: String,
    /// What `context` answers.
    pub facts: Facts,
    /// What the module may touch.
    pub grants: Arc<Grants>,
    /// The run behind the imports.
    pub role: Role,
    /// Where log lines go.
    pub logs: Arc<dyn LogSink>,
    /// Asks the guest to stop.
    pub stop: StopFlag,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Returned {
    /// JSON text, validated.
    Completed(String),
    /// User code failed, or the guest trapped: then with one of the host's codes and, as message, what it wrote to stderr last.
    Failed(Failure),
    /// The task asks for its queue to be slowed down, for so many milliseconds.
    RateLimited(u64),
    /// The guest stopped because its cancellation was requested.
    Cancelled,
    /// The guest was stopped by its flag.
    Stopped(Stop),
}
