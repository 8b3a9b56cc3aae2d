//! Currant's worker host. The path of one execution:
//!
//! 1. [`worker`]: the claim loop takes it from Postgres, with a free slot.
//! 2. [`runtime`]: its module is loaded by digest (memory, disk cache, Postgres), and a fresh instance made, limits set.
//! 3. [`imports`]: the guest's calls, by contract and by WASI, reach the run through [`guest`].
//! 4. [`journal`]: a workflow's calls are answered from its record, or become new entries. No I/O in there.
//! 5. [`worker`]: the committer writes what the run decided, in one transaction with what others decided.
//! 6. It ended, is retried later, or is suspended until a child, a timer or a signal wakes it.
//!
//! Beside it: [`maintenance`] does what any worker must do now and then; [`dev`] is the worker with a private Postgres; [`bench`]
//! measures it all.
//!
//! Invariant: what a guest does is an outcome. It never ends the worker, and no import writes to Postgres by itself.

mod backoff;
pub mod bench;
mod bindings;
pub mod dev;
pub mod error;
pub mod guest;
mod imports;
pub mod journal;
pub mod limit;
mod maintenance;
mod outage;
mod retention;
pub mod runtime;
mod schedules;
pub mod worker;

pub use self::error::HostError;
pub use self::worker::{ResidentSettings, Worker, WorkerSettings};
