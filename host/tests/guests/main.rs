//! Guests against the runtime: each import, each limit, the caches, and inspection. No Postgres: what a workflow's run would do is
//! [`world::FakeRun`], which is not under test here.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not know as such")]

mod bare;
mod cache;
mod hostile;
mod imports;
mod inspection;
mod isolation;
mod network;
mod wasi;
mod workflows;
mod world;
