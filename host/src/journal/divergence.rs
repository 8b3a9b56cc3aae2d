//! What can be wrong with a call of the guest.

use std::fmt;

use crate::limit::LimitExceeded;

/// Why a call of the guest is not answered. It ends the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The guest broke a rule of the contract; the text says which.
    Refused(String),
    /// The call is not the one on record.
    Diverged(Divergence),
    /// The journal is full.
    Exceeded(LimitExceeded),
}

/// A replayed run did something else than the run that was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// Where in the journal.
    pub position: i32,
    /// What the record says.
    pub recorded: String,
    /// What the guest did.
    pub called: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at position {} the record says {}, the code called {}", self.position, self.recorded, self.called)
    }
}
