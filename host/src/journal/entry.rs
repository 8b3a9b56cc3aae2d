//! What a journal is made of.

use std::fmt;

use chrono::{DateTime, Utc};
use currant_core::executions::StartOptions;
use currant_core::ids::Digest;
use currant_core::values::Json;
use sha2::{Digest as _, Sha256};

use crate::guest::Outcome;

/// One entry of a journal. Its position is its place.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// The first entry: when the workflow's time begins, and the component that it is pinned to.
    Started {
        /// The database's time at the first claim.
        at: DateTime<Utc>,
        /// The component.
        digest: Digest,
    },
    /// The guest called for something.
    Called {
        /// The operation that it started, or that it gave up; 0 for a version.
        operation: u32,
        /// What it called for.
        call: Call,
        /// When it was recorded; none before.
        at: Option<DateTime<Utc>>,
    },
    /// A step ran.
    Step {
        /// Its number among the run's operations.
        operation: u32,
        /// The name that the user gave it.
        name: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// The guest was given the outcome of an operation.
    Delivered {
        /// The operation.
        operation: u32,
        /// The name of the signal, if it is one.
        signal: Option<String>,
        /// How it ended.
        outcome: Outcome,
        /// The workflow's time from here on.
        at: DateTime<Utc>,
    },
    /// The guest was told that its cancellation was requested.
    Cancelled {
        /// When it was requested.
        at: DateTime<Utc>,
    },
}

impl Entry {
    /// When a call was recorded.
    pub(super) fn recorded_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Entry::Called { at, .. } => *at,
            _ => None,
        }
    }
}

/// What a guest can call for.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Start a task.
    Task {
        /// Its function.
        function: String,
        /// Of its input and options.
        hash: [u8; 16],
    },
    /// Start a child workflow.
    Workflow {
        /// Its function.
        function: String,
        /// Of its input and options.
        hash: [u8; 16],
    },
    /// Start a timer.
    Timer {
        /// Its length.
        milliseconds: u64,
    },
    /// Ask for a signal.
    Receive {
        /// Its name.
        name: String,
    },
    /// Start an operation that is completed from outside.
    External {
        /// The part of its token that cannot be guessed.
        secret: String,
    },
    /// Give an operation up.
    Cancel {
        /// Which.
        operation: u32,
    },
    /// Ask which side of a code change this run is on.
    Version {
        /// The name of the change.
        change: String,
        /// The answer.
        chosen: u32,
    },
}

impl Call {
    /// Whether it is the same call but for what it is called with.
    pub(super) fn is_like(&self, other: &Call) -> bool {
        match (self, other) {
            (Call::Task { function, .. }, Call::Task { function: other, .. })
            | (Call::Workflow { function, .. }, Call::Workflow { function: other, .. }) => function == other,
            (Call::Timer { .. }, Call::Timer { .. }) | (Call::Receive { .. }, Call::Receive { .. }) => true,
            _ => false,
        }
    }

    /// The contract's name of the call.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Call::Task { .. } => "start-task",
            Call::Workflow { .. } => "start-workflow",
            Call::Timer { .. } => "start-timer",
            Call::Receive { .. } => "receive-signal",
            Call::External { .. } => "external",
            Call::Cancel { .. } => "cancel",
            Call::Version { .. } => "version",
        }
    }
}

/// Stands for a child's input and options in the journal: a replay must call with the same.
pub fn hash_of(input: &Json, options: &StartOptions, detached: bool) -> [u8; 16] {
    let options = serde_json::to_vec(options).expect("options are plain data");
    let mut hash = Sha256::new();
    hash.update((input.as_str().len() as u64).to_le_bytes());
    hash.update(input.as_str());
    hash.update(options);
    hash.update([u8::from(detached)]);
    hash.finalize()[..16].try_into().expect("a SHA-256 has 32 bytes")
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::Task { function, hash } => write!(f, "start task `{function}`, input {}…", short(hash)),
            Call::Workflow { function, hash } => write!(f, "start workflow `{function}`, input {}…", short(hash)),
            Call::Timer { milliseconds } => write!(f, "start timer of {milliseconds} ms"),
            Call::Receive { name } => write!(f, "receive signal `{name}`"),
            Call::External { .. } => write!(f, "start external operation"),
            Call::Cancel { operation } => write!(f, "cancel operation {operation}"),
            Call::Version { change, chosen } => write!(f, "version `{change}` = {chosen}"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Started { .. } => write!(f, "start of the workflow"),
            Entry::Called { call, .. } => call.fmt(f),
            Entry::Step { name, .. } => write!(f, "step `{name}`"),
            Entry::Delivered { operation, signal: Some(name), .. } => {
                write!(f, "delivery of signal `{name}` to operation {operation}")
            }
            Entry::Delivered { operation, .. } => write!(f, "delivery of operation {operation}"),
            Entry::Cancelled { .. } => write!(f, "delivery of the cancellation"),
        }
    }
}

fn short(hash: &[u8; 16]) -> String {
    hash[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}
