//! What can go wrong in the host itself. What goes wrong in a guest is an outcome, never one of these.

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

/// An error and its causes in one line, for logs and for failures: each says only its own part.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
