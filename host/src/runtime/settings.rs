//! What can be set about the runtime.

use std::path::PathBuf;
use std::time::Duration;

use currant_core::limits::PAYLOAD_BYTES;
use etcetera::BaseStrategy;

use crate::imports::network::Trust;

/// The settings of a [`Runtime`](super::Runtime).
#[derive(Clone, Debug)]
pub struct RuntimeSettings {
    /// Where compiled code is kept between starts; none means nowhere. It must be private: whoever can write to it can make the
    /// worker run anything.
    pub cache_folder: Option<PathBuf>,
    /// Bytes of that folder. A Python module compiles to some 60 MB, a Rust module to less than one.
    pub cache_folder_limit: u64,
    /// Bytes of compiled code in memory. Beyond it the least recently used modules are dropped; what runs keeps its own.
    pub cache_memory_limit: usize,
    /// Bytes of linear memory that one execution may use. Python starts at 20 MB, StarlingMonkey at 15, Rust at 1.
    pub memory_limit: usize,
    /// Instances at once; more wait for one to end. What it reserves is address space (some 4 GiB each, of 128 TiB), not memory.
    pub instances: u32,
    /// Bytes of a value: see [`PAYLOAD_BYTES`]. Only an inspection has another one.
    pub payload_limit: usize,
    /// Bytes of log lines that are kept of one execution, its stdout and stderr included. What follows is dropped.
    pub log_limit: usize,
    /// Bytes of stdout, stderr and log lines after which an execution fails, kept or not: it is then a loop, not a log.
    pub output_limit: u64,
    /// How long an attempt of a task, or a step, may compute. Waiting does not count.
    pub cpu_limit: Duration,
    /// How long a workflow may compute without waiting for anything. It only coordinates: what computes for longer is a loop without an
    /// end, or work that belongs into a task.
    pub workflow_cpu_limit: Duration,
    /// How long the inspection of a component may take. StarlingMonkey compiles for 36 s on a small machine.
    pub inspection_limit: Duration,
    /// The certificate authorities that HTTPS requests of guests rely on.
    pub trust: Trust,
}

impl Default for RuntimeSettings {
    fn default() -> RuntimeSettings {
        RuntimeSettings {
            cache_folder: etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("currant/modules")),
            cache_folder_limit: 4 << 30,
            cache_memory_limit: 1 << 30,
            memory_limit: 256 << 20,
            instances: 256,
            payload_limit: PAYLOAD_BYTES,
            log_limit: 1 << 20,
            output_limit: 32 << 20,
            cpu_limit: Duration::from_secs(3_600),
            workflow_cpu_limit: Duration::from_secs(60),
            inspection_limit: Duration::from_secs(120),
            trust: Trust::default(),
        }
    }
}
