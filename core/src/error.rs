//! What can go wrong between us and Postgres. Failures of user code are values, never one of these.

use crate::ids;
use crate::values::InvalidValue;

/// An error of this floor.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments are wrong.
    #[error("{message}")]
    Invalid {
        /// What is wrong with them.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Its state does not allow it.
    #[error("{message}")]
    Conflict {
        /// Why not.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The connection broke between COMMIT and its answer: nobody knows whether it is written.
    #[error("the connection broke during a commit")]
    UnknownCommit(#[source] sqlx::Error),
    /// The database holds something that this version does not understand.
    #[error("{0}")]
    Unreadable(String),
    /// A migration failed.
    #[error("a migration failed")]
    Migration(#[source] Box<sqlx::migrate::MigrateError>),
    /// The database could not be reached, or refused.
    #[error("the database does not do it")]
    Database(#[source] sqlx::Error),
}

impl Error {
    /// Whether the same may succeed later, without anybody changing anything: the database is away, is starting, or asks to try again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Database(sqlx::Error::Database(error)) => error.code().is_some_and(|code| retryable_state(&code)),
            Error::Database(error) => connection_broke(error),
            _ => false,
        }
    }

    /// Whether a row was locked by somebody else for longer than there was patience.
    pub fn is_held(&self) -> bool {
        matches!(self, Error::Database(error) if error.as_database_error().and_then(|e| e.code()).as_deref() == Some(LOCK_TIMEOUT))
    }

    /// Whether nobody is there who could do it: the database is away, starts or stops, or has no connection left.
    pub fn is_outage(&self) -> bool {
        match self {
            Error::Database(error) | Error::UnknownCommit(error) => {
                connection_broke(error)
                    || error.as_database_error().and_then(|error| error.code()).as_deref() == Some(TOO_MANY_CONNECTIONS)
            }
            _ => false,
        }
    }
}

const TOO_MANY_CONNECTIONS: &str = "53300";
const LOCK_TIMEOUT: &str = "55P03";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        let Some(refusal) = error.as_database_error() else { return Error::Database(error) };
        let message = refusal.message().to_string();
        let hint = refusal.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().and_then(|e| e.hint()).map(String::from);
        match refusal.code().as_deref() {
            Some("CU400") => Error::Invalid { message, hint },
            Some("CU404") => Error::NotFound(message),
            Some("CU409") => Error::Conflict { message, hint },
            // What jsonb and text cannot hold: the escape \u0000, numbers and times out of range, text that is not JSON.
            Some("22P02" | "22P05" | "22003" | "22008") => Error::Invalid { message, hint },
            _ => Error::Database(error),
        }
    }
}

impl From<ids::Invalid> for Error {
    fn from(error: ids::Invalid) -> Error {
        Error::Invalid { message: error.to_string(), hint: None }
    }
}

impl From<InvalidValue> for Error {
    fn from(error: InvalidValue) -> Error {
        Error::Invalid { message: error.to_string(), hint: None }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Error {
        Error::Unreadable(format!("a value of the database is not what it should be: {error}"))
    }
}

/// An error and what led to it, in one line; each text once. Of what Postgres refuses only the words: where in its source they stand is of
/// no use to anybody here.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let refusal = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        let said = refusal.map_or_else(|| error.to_string(), |refusal| refusal.message().to_owned());
        if !text.contains(&said) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(said.trim_end());
        }
        next = error.source().filter(|_| refusal.is_none());
    }
    text
}

/// Whether a connection is of no more use, so that a commit on it may or may not have happened.
pub(crate) fn connection_broke(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
        _ => false,
    }
}

fn retryable_state(code: &str) -> bool {
    // 40001 serialization, 40P01 deadlock, 55P03 lock timeout, 25006 a standby that is being promoted, 53xxx out of resources, 57xxx an
    // operator or a timeout cancelled it, shutting down or starting, 58xxx the server's disk, 08xxx connection.
    matches!(code, "40001" | "40P01" | "55P03" | "25006")
        || ["53", "57", "58", "08"].iter().any(|class| code.starts_with(class))
}
