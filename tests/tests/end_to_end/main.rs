//! What needs all floors at once: real workers as processes, real components, a real database.

mod audit;
mod bench;
mod cancelling;
mod crashes;
mod deploying;
mod determinism;
mod everywhere;
mod examples;
mod faults;
mod histories;
mod isolation;
mod keys;
mod limits;
mod outcomes;
mod queues;
mod residency;
mod schedules;
mod soak;
mod waiting;
mod workflows;
