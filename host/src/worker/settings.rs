//! What can be set about a worker.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use currant_core::ids::QueueName;
use currant_core::queues::QueueSettings;

use crate::journal::JournalLimits;
use crate::runtime::RuntimeSettings;

/// The settings of a worker, with defaults for a small machine.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// The queues that it serves; none means every queue.
    pub queues: Option<Vec<QueueName>>,
    /// What its configuration says of queues; made to hold when it starts.
    pub queue_settings: BTreeMap<QueueName, QueueSettings>,
    /// Executions that run at once. A suspended workflow takes none.
    pub slots: u32,
    /// How long what it claimed stays its own after its last sign of life. Longer survives longer pauses of the machine; shorter
    /// hands over sooner.
    pub lease: Duration,
    /// How long it waits at most before it looks for work without a hint.
    pub poll_interval: Duration,
    /// How long a shutdown waits for what runs.
    pub shutdown_grace: Duration,
    /// How long a cancelled task may take to stop by itself. It has nothing to do any more but to leave.
    pub cancel_grace: Duration,
    /// How long a cancelled workflow may take to end by itself. It may have much to undo, by tasks that are tried again for minutes; cut
    /// short, it leaves things half undone.
    pub compensation_grace: Duration,
    /// How long an attempt may take that has no timeout of its own, and how long a workflow may hold its slot.
    pub time_limit: Duration,
    /// How much the journal of a workflow may hold.
    pub journal: JournalLimits,
    /// Workflows that wait in memory.
    pub residents: ResidentSettings,
    /// What runs the guests.
    pub runtime: RuntimeSettings,
    /// The program that inspects components, called with the argument `inspect`; none means this one.
    pub inspector: Option<PathBuf>,
}

impl Default for WorkerSettings {
    fn default() -> WorkerSettings {
        WorkerSettings {
            queues: None,
            queue_settings: BTreeMap::new(),
            slots: 64,
            lease: Duration::from_secs(15),
            poll_interval: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(10),
            cancel_grace: Duration::from_secs(10),
            compensation_grace: Duration::from_secs(3600),
            time_limit: Duration::from_secs(24 * 3_600),
            journal: JournalLimits::default(),
            residents: ResidentSettings::default(),
            runtime: RuntimeSettings::default(),
            inspector: None,
        }
    }
}

/// How many workflows that wait are kept in memory, and for how long. The others are replayed when they go on.
#[derive(Clone, Debug)]
pub struct ResidentSettings {
    /// Workflows at once; 0 keeps none. Each takes address space, and some of the memory maps that the kernel allows a process.
    pub count: u32,
    /// Beyond so many bytes of the whole process, the oldest are dropped. A Rust workflow takes 0.1 MB, a Python workflow 8.
    pub memory: u64,
    /// What has waited for so long will probably wait longer, and its memory is better used.
    pub time: Duration,
}

impl Default for ResidentSettings {
    fn default() -> ResidentSettings {
        ResidentSettings { count: 1_000, memory: 1 << 30, time: Duration::from_secs(600) }
    }
}
