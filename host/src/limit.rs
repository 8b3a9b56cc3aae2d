//! The limits on one execution, by name: the code of the failure that ends it, and what to change.
//!
//! What can be set is in `currant.toml`; what cannot is a constant beside its reason, in [`runtime::limits`](crate::runtime::limits) or in
//! [`currant_core::limits`]. A code is the name of its setting.

use currant_core::executions::Failure;

/// What an execution has only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Linear memory.
    Memory,
    /// Computing, in one attempt of a task or in one step.
    Cpu,
    /// Computing in a workflow, between two waits.
    WorkflowCpu,
    /// Time in a slot.
    Time,
    /// What it says: stdout, stderr and log lines.
    Output,
    /// The size of a value.
    Payload,
    /// Random bytes in one call.
    Random,
    /// Operations of a workflow.
    Operations,
    /// Entries of a workflow's journal.
    JournalLength,
    /// Bytes of a workflow's journal.
    JournalBytes,
    /// The depth of calls.
    Stack,
    /// Elements of a table.
    Table,
    /// Open handles, whatever they stand for.
    Handles,
    /// Open resources of the host.
    Resources,
}

impl Limit {
    /// The code of the failure, and what says how much is allowed.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Limit::Memory => ("out-of-memory", "setting `worker.memory_limit`"),
            Limit::Cpu => ("cpu-limit", "setting `worker.cpu_limit`"),
            Limit::WorkflowCpu => ("cpu-limit", "setting `worker.workflow_cpu_limit`"),
            Limit::Time => ("timed-out", "setting `worker.time_limit`"),
            Limit::Output => ("output-limit", "setting `worker.output_limit`"),
            Limit::Payload => ("payload-limit", "bound `PAYLOAD_BYTES`"),
            Limit::Random => ("payload-limit", "bound `RANDOM_BYTES`"),
            Limit::Operations => ("operations-limit", "setting `worker.operations_limit`"),
            Limit::JournalLength => ("journal-length-limit", "setting `worker.journal_length_limit`"),
            Limit::JournalBytes => ("journal-bytes-limit", "setting `worker.journal_bytes_limit`"),
            Limit::Stack => ("stack-limit", "bound `STACK_BYTES`"),
            Limit::Table => ("table-limit", "bound `TABLE_ELEMENTS`"),
            Limit::Handles => ("handle-limit", "bound `HANDLES`"),
            Limit::Resources => ("handle-limit", "bound `RESOURCES`"),
        }
    }

    /// The code of the failure.
    pub const fn code(self) -> &'static str {
        self.names().0
    }

    /// Whether another attempt can help. What it needed of memory and time depends on the world, too; the rest on its code and input.
    const fn may_pass_next_time(self) -> bool {
        matches!(self, Limit::Memory | Limit::Time)
    }
}

/// An execution went beyond a limit.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what} (the {})", limit.names().1)]
pub struct LimitExceeded {
    /// Which.
    pub limit: Limit,
    /// What it did, and what it may.
    pub what: String,
}

impl LimitExceeded {
    /// That an execution went beyond this limit.
    pub fn new(limit: Limit, what: impl Into<String>) -> LimitExceeded {
        LimitExceeded { limit, what: what.into() }
    }

    /// How it ends.
    pub fn failure(&self) -> Failure {
        Failure::of_host(self.limit.code(), self.to_string(), self.limit.may_pass_next_time())
    }
}
