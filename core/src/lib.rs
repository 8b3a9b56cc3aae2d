//! Executions as a state machine in Postgres: the floor under the host, the command line and Rust applications.
//!
//! ```text
//!                     enqueue
//!                        │
//!            ┌──────► pending ◄───────────────┐ retry later · worker lost · rate-limited
//!       woken│           │ claim              │
//!            │           ▼                    │
//!        suspended ◄── running ───────────────┘
//!                        │
//!                        ▼
//!       completed · failed · cancelled · timed_out ──► pending   (retry by hand, unless completed)
//! ```
//!
//! Clients start with [`Client`]; a worker with [`executions::claim`] and [`executions::commit`].
//!
//! Invariant: nothing in here knows WebAssembly, reads a clock of its own, or interprets a payload. What clients may do is SQL functions
//! in `migrations/`; what workers do is statements in `queries/`.

pub mod client;
pub mod config;
pub mod doctor;
pub mod durations;
pub mod env;
pub mod error;
pub mod executions;
pub mod ids;
pub mod inbox;
pub mod journal;
pub mod limits;
pub mod maintenance;
pub mod modules;
pub mod notify;
pub mod pool;
pub mod queues;
pub mod retention;
pub mod retry;
pub mod schedules;
pub mod schema;
pub mod sql;
pub mod values;
pub mod workers;

pub use self::client::Client;
pub use self::error::Error;
