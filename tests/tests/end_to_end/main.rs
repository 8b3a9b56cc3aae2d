//! What needs all floors at once: real workers as processes, real components, a real database.

mod bench;
mod cancelling;
mod crashes;
mod deploying;
mod determinism;
mod examples;
mod faults;
mod isolation;
mod limits;
mod outcomes;
mod queues;
mod residency;
mod waiting;
