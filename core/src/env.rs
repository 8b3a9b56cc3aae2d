//! The environment: every variable's name, and where its value is looked up.

use std::collections::BTreeMap;
use std::path::Path;

/// The connection URL of the database.
pub const DATABASE_URL: &str = "CURRANT_DATABASE_URL";
/// The same under the name that many tools share; `CURRANT_DATABASE_URL` goes before it.
pub const SHARED_DATABASE_URL: &str = "DATABASE_URL";
/// How many executions a worker runs at once.
pub const WORKER_SLOTS: &str = "CURRANT_WORKER_SLOTS";
/// The queues that a worker serves.
pub const WORKER_QUEUES: &str = "CURRANT_WORKER_QUEUES";
/// How long a worker that is not heard of keeps what it claimed.
pub const WORKER_LEASE: &str = "CURRANT_WORKER_LEASE";
/// How often a worker looks for work when nothing tells it that there is some.
pub const WORKER_POLL_INTERVAL: &str = "CURRANT_WORKER_POLL_INTERVAL";
/// How long a worker that was asked to stop waits for what it runs.
pub const WORKER_SHUTDOWN_GRACE: &str = "CURRANT_WORKER_SHUTDOWN_GRACE";
/// How long a cancelled task may take to stop.
pub const WORKER_CANCEL_GRACE: &str = "CURRANT_WORKER_CANCEL_GRACE";
/// How long a cancelled workflow may take to undo what it did.
pub const WORKER_COMPENSATION_GRACE: &str = "CURRANT_WORKER_COMPENSATION_GRACE";
/// How much memory one execution may use.
pub const WORKER_MEMORY_LIMIT: &str = "CURRANT_WORKER_MEMORY_LIMIT";
/// How long one execution may hold a slot.
pub const WORKER_TIME_LIMIT: &str = "CURRANT_WORKER_TIME_LIMIT";
/// How long a task or a step may compute.
pub const WORKER_CPU_LIMIT: &str = "CURRANT_WORKER_CPU_LIMIT";
/// How long a workflow may compute between two waits.
pub const WORKER_WORKFLOW_CPU_LIMIT: &str = "CURRANT_WORKER_WORKFLOW_CPU_LIMIT";
/// How much an execution may say.
pub const WORKER_OUTPUT_LIMIT: &str = "CURRANT_WORKER_OUTPUT_LIMIT";
/// How much of what an execution says is kept.
pub const WORKER_LOG_LIMIT: &str = "CURRANT_WORKER_LOG_LIMIT";
/// How many operations a workflow may start.
pub const WORKER_OPERATIONS_LIMIT: &str = "CURRANT_WORKER_OPERATIONS_LIMIT";
/// How many entries a workflow's journal may have.
pub const WORKER_JOURNAL_LENGTH_LIMIT: &str = "CURRANT_WORKER_JOURNAL_LENGTH_LIMIT";
/// How many bytes a workflow's journal may have.
pub const WORKER_JOURNAL_BYTES_LIMIT: &str = "CURRANT_WORKER_JOURNAL_BYTES_LIMIT";
/// How many waiting workflows a worker keeps in memory.
pub const WORKER_RESIDENT_COUNT: &str = "CURRANT_WORKER_RESIDENT_COUNT";
/// Beyond how much memory of its own a worker drops waiting workflows.
pub const WORKER_RESIDENT_MEMORY: &str = "CURRANT_WORKER_RESIDENT_MEMORY";
/// How long a waiting workflow stays in memory.
pub const WORKER_RESIDENT_TIME: &str = "CURRANT_WORKER_RESIDENT_TIME";
/// Whose certificates a worker's modules believe besides those of the public authorities.
pub const WORKER_CA_FILE: &str = "CURRANT_WORKER_CA_FILE";
/// What is logged.
pub const LOG: &str = "CURRANT_LOG";
/// When set and not empty, nothing is coloured (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";

/// The variables of the process, and behind them those of a `.env` file. An empty variable counts as one that is not set.
///
/// The file is read, not exported: changing the environment of a running process is unsound, and nothing that Currant starts
/// should see more than its caller gave it.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The process's environment, with the `.env` file of this folder behind it, if there is one.
    pub fn load(folder: &Path) -> Result<Environment, dotenvy::Error> {
        let mut variables = BTreeMap::new();
        let file = folder.join(".env");
        if file.is_file() {
            for line in dotenvy::from_path_iter(&file)? {
                let (name, value) = line?;
                variables.insert(name, value);
            }
        }
        // Names and values that are not UTF-8 cannot be ours.
        variables.extend(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .filter(|(_, value)| !value.is_empty()),
        );
        Ok(Environment { variables })
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(variables: T) -> Environment {
        Environment { variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }
}
