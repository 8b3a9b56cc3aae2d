//! What can go wrong in the host itself. What goes wrong in a guest is an outcome, never one of these.

pub(crate) use currant_core::error::causes;

/// An error of the host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The database refused, or could not be reached.
    #[error("the database: {0}")]
    Database(#[from] currant_core::Error),
    /// The WebAssembly engine could not be set up.
    #[error("the WebAssembly engine cannot be set up: {0:#}")]
    Engine(#[from] anyhow::Error),
    /// A thread or its runtime could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}
