//! Whether the database answers. When it does not, every loop of a worker finds out by itself, and all of them go on trying; one of them
//! says so, once, and one of them that it is over.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use currant_core::Error;
use tracing::{info, warn};

use crate::error::causes;

/// What was on its way when the database came back fails a moment later: that is no new outage.
const AFTERMATH: Duration = Duration::from_secs(2);

/// What a worker knows of its database.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<State>);

#[derive(Clone, Copy, Debug)]
enum State {
    /// It answers; none if it never was away.
    Answers {
        again_since: Option<Instant>,
    },
    Away {
        since: Instant,
    },
}

impl Default for State {
    fn default() -> State {
        State::Answers { again_since: None }
    }
}

impl Outage {
    /// Whether this error is that of a database that does not answer. Then everything is said that has to be.
    pub(crate) fn explains(&self, error: &Error) -> bool {
        if !error.is_outage() {
            return false;
        }
        let mut state = self.0.lock().expect("no panic while held");
        if let State::Answers { again_since } = *state
            && again_since.is_none_or(|since| since.elapsed() > AFTERMATH)
        {
            warn!(error = causes(error), "the database does not answer; waiting for it");
            *state = State::Away { since: Instant::now() };
        }
        true
    }

    /// It answered what it was asked at this time. What was asked before it went away may be answered after that was noticed.
    pub(crate) fn is_over(&self, asked: Instant) {
        let mut state = self.0.lock().expect("no panic while held");
        if let State::Away { since } = *state
            && asked > since
        {
            info!(after_s = since.elapsed().as_secs(), "the database answers again");
            *state = State::Answers { again_since: Some(Instant::now()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_of_a_database_that_is_away_is_explained_by_that() {
        let outage = Outage::default();
        assert!(!outage.explains(&Error::NotFound("there is no execution".into())));
        assert!(!outage.explains(&Error::Database(sqlx::Error::RowNotFound)));
        assert!(matches!(*outage.0.lock().unwrap(), State::Answers { again_since: None }));
        let before = Instant::now();
        outage.is_over(before);
        assert!(matches!(*outage.0.lock().unwrap(), State::Answers { again_since: None }), "it was never away");

        assert!(outage.explains(&Error::Database(sqlx::Error::PoolTimedOut)));
        outage.is_over(before);
        assert!(matches!(*outage.0.lock().unwrap(), State::Away { .. }), "that was asked before");
        outage.is_over(Instant::now());
        assert!(outage.explains(&Error::Database(sqlx::Error::PoolTimedOut)));
        assert!(matches!(*outage.0.lock().unwrap(), State::Answers { again_since: Some(_) }), "that was the aftermath");
    }
}
