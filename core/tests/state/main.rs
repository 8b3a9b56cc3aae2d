//! Executions as a state machine in Postgres: what may happen to one, what may not, and what happens when two things happen at once.
//!
//! One file per behaviour. Every test has a database of its own with one small module deployed; where two transactions have to meet, they
//! are stepped by hand on two connections. Not for: WebAssembly, the replay of journals, and how long anything takes.

#![allow(clippy::unwrap_used, reason = "what a test arranges has to work")]

mod cancelling;
mod children;
mod claiming;
mod client;
mod compensating;
mod deploying;
mod keys;
mod leases;
mod limits;
mod locks;
mod orders;
mod parking;
mod plans;
mod queue_settings;
mod reporting;
mod retention;
mod retrying;
mod schedules;
mod schema;
mod signals;
mod starting;
mod timeouts;
mod transitions;
mod values;
mod waking;
mod world;
