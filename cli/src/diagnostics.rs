//! How a command ends, and what it says when it does not end well.

use std::process::ExitCode;

use currant_core::config;
pub(crate) use currant_core::error::causes;

use crate::printer::Printer;

/// How the program ends. Documented in `--help`: scripts rely on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ExitStatus {
    /// Done.
    Done = 0,
    /// The user's failure: the execution failed, the module was refused, the state does not allow it.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// Ours: the database cannot be reached, nobody decided in time, a defect.
    NoAnswer = 3,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

/// Why a command did not do what it was asked, and what to do next.
#[derive(Debug)]
pub(crate) struct Problem {
    status: ExitStatus,
    message: String,
    hints: Vec<String>,
}

/// What commands return.
pub(crate) type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    pub(crate) fn failed(message: impl Into<String>) -> Problem {
        Problem::new(ExitStatus::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Problem {
        Problem::new(ExitStatus::Usage, message)
    }

    pub(crate) fn no_answer(message: impl Into<String>) -> Problem {
        Problem::new(ExitStatus::NoAnswer, message)
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hints.push(hint.into());
        self
    }

    /// Says it, and answers how the program is to end.
    pub(crate) fn report(&self, printer: &Printer) -> ExitStatus {
        printer.error(&self.message);
        for hint in &self.hints {
            printer.hint(hint);
        }
        self.status
    }

    fn new(status: ExitStatus, message: impl Into<String>) -> Problem {
        Problem { status, message: message.into(), hints: Vec::new() }
    }
}

impl From<currant_core::Error> for Problem {
    fn from(error: currant_core::Error) -> Problem {
        use currant_core::Error;
        match error {
            Error::Invalid { message, hint } => Problem { hints: hint.into_iter().collect(), ..Problem::usage(message) },
            Error::NotFound(message) => Problem::failed(message),
            Error::Conflict { message, hint } => Problem { hints: hint.into_iter().collect(), ..Problem::failed(message) },
            error => Problem::no_answer(causes(&error)),
        }
    }
}

impl From<config::Error> for Problem {
    fn from(error: config::Error) -> Problem {
        Problem::usage(causes(&error))
    }
}
