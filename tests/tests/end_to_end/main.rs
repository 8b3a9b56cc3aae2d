//! What needs all floors at once: real workers as processes, real components, a real database.

mod audit;
mod bench;
mod cancelling;
mod crashes;
mod deploying;
mod determinism;
mod everywhere;
mod examples;
<<<<<<< HEAD
mod keys;
=======
mod histories;
>>>>>>> proof
mod limits;
mod outcomes;
mod queues;
mod residency;
<<<<<<< HEAD
mod schedules;
=======
mod soak;
>>>>>>> proof
mod waiting;
