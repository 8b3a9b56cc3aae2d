//! Every bound on what a guest may use that cannot be set, with its reason, and the count of its memory. What can be set is in
//! `RuntimeSettings`; how a guest ends that went too far is in [`limit`](crate::limit). The worker goes on.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Bytes of stack for WebAssembly frames. Wasmtime's own default is half of this; interpreters (CPython, SpiderMonkey) recurse deeper.
pub const STACK_BYTES: usize = 1 << 20;

/// Bytes of a fiber's stack: the guest's frames, and what the host's own calls need on top of them (TLS handshakes, in debug builds too).
pub const FIBER_STACK_BYTES: usize = STACK_BYTES + (1 << 20);

/// Elements of one table. CPython's main table has about 20,000 functions, and its extension modules add to it.
pub const TABLE_ELEMENTS: usize = 60_000;

/// Core instances, memories and tables of one component. Python components link a core module for each native library.
pub const CORE_INSTANCES: u32 = 200;
/// See [`CORE_INSTANCES`].
pub const MEMORIES: u32 = 4;
/// See [`CORE_INSTANCES`].
pub const TABLES: u32 = 60;

/// Open handles in one instance, the guest's own resources included. A guest that leaks them is ended before it costs the host memory.
pub const HANDLES: usize = 20_000;

/// Open resources of the host in one instance: streams, pollables, requests, spans. Each may cost the host up to [`HEADER_BYTES`].
pub const RESOURCES: usize = 4_096;

/// Bytes of the headers of one request or response.
pub const HEADER_BYTES: usize = 64 << 10;

/// Bytes of the attributes of one span; what follows is dropped.
pub const SPAN_BYTES: usize = 16 << 10;

/// Bytes that one call of a guest may hand to the host, beyond the largest value. The host copies them.
pub const CALL_BYTES_BEYOND_PAYLOAD: usize = 1 << 20;

/// Bytes of random that one call may ask for. Nobody needs more at once, and the host makes them while nothing can interrupt it.
pub const RANDOM_BYTES: u64 = 4 << 20;

/// Bytes of one log line; the rest of a longer one is cut off.
pub const LINE_BYTES: usize = 16 << 10;

/// Bytes of stderr that are kept for the message of a trap: enough for a panic or the end of a traceback.
pub const STDERR_TAIL_BYTES: usize = 4 << 10;

/// How often the epoch advances: how soon a guest that computes makes room for others, or notices that it is to stop. Long enough
/// that yielding costs nothing, short against a lease.
pub const EPOCH: Duration = Duration::from_millis(10);

/// How long `describe` may take.
pub const DESCRIBE_TIME: Duration = Duration::from_secs(2);
/// Bytes of its answer.
pub const DESCRIPTION_BYTES: usize = 1 << 20;
/// Functions of a module.
pub const FUNCTIONS: usize = 1_000;

const _: () = assert!(FIBER_STACK_BYTES > STACK_BYTES, "host calls run on the guest's fiber");

/// Counts what one instance takes of the host's memory.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_limit: usize,
    /// Bytes of all its linear memories together.
    memory: usize,
    /// It was refused more memory. Many guests then abort, which looks like any other trap.
    pub(crate) refused_memory: bool,
    /// The same for a table.
    pub(crate) refused_table: bool,
}

impl Limiter {
    pub(crate) fn new(memory_limit: usize) -> Limiter {
        Limiter { memory_limit, memory: 0, refused_memory: false, refused_table: false }
    }

    pub(crate) fn memory_limit(&self) -> usize {
        self.memory_limit
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            self.refused_memory = true;
            return Ok(false);
        }
        if maximum.is_none_or(|maximum| desired <= maximum) {
            self.memory = total;
        }
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused_memory = true;
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.refused_table |= desired > TABLE_ELEMENTS;
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }
}
