//! One suite for all languages. Each behaviour is written once in Rust, once in Python and once in JavaScript, under one name; a table says what comes of
//! it (`tests/conformance/*.toml`), and each language must come to that: the same result as JSON, the same entries in the journal, in the same order.
//! What differs between two executions, such as random numbers and times, a behaviour compares itself: what its live run told a task against what its
//! replay sees.
//!
//! Everything is run in three ways, and must come to the same:
//! - kept: waiting workflows stay in the worker's memory, and go on there
//! - replayed: nothing is kept, so that every wait ends in a replay
//! - killed: in the middle of each the worker is killed, and another one goes on
//!
//! ```text
//!   cases    the table       run      cases of one language, one way, on one worker
//!   guests   the components  expect   what came of a case against what was to come of it
//!   names    the SDKs' names parity   docs/sdk-parity.md
//! ```

mod cases;
mod expect;
mod guests;
mod names;
mod parity;
mod run;

use anyhow::Result;

use self::guests::Language::{JavaScript, Python, Rust};
use self::run::Way::{Kept, Killed, Replayed};
use self::run::conform;

#[tokio::test]
async fn rust_kept_in_memory() -> Result<()> {
    conform(Rust, Kept).await
}

#[tokio::test]
async fn rust_replayed_at_every_wait() -> Result<()> {
    conform(Rust, Replayed).await
}

#[tokio::test]
async fn rust_with_its_worker_killed_in_the_middle() -> Result<()> {
    conform(Rust, Killed).await
}

#[tokio::test]
async fn python_kept_in_memory() -> Result<()> {
    conform(Python, Kept).await
}

#[tokio::test]
async fn python_replayed_at_every_wait() -> Result<()> {
    conform(Python, Replayed).await
}

#[tokio::test]
async fn python_with_its_worker_killed_in_the_middle() -> Result<()> {
    conform(Python, Killed).await
}

#[tokio::test]
async fn javascript_kept_in_memory() -> Result<()> {
    conform(JavaScript, Kept).await
}

#[tokio::test]
async fn javascript_replayed_at_every_wait() -> Result<()> {
    conform(JavaScript, Replayed).await
}

#[tokio::test]
async fn javascript_with_its_worker_killed_in_the_middle() -> Result<()> {
    conform(JavaScript, Killed).await
}
