//! What can be wrong with a call of the guest.

use std::collections::VecDeque;
use std::fmt;

use super::entry::{Call, Entry};
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
    /// What both did last alike, if anything but to begin.
    pub after: Option<String>,
    /// Where to look first.
    pub likely_cause: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at position {} the record says {}, the code did {}", self.position, self.recorded, self.called)
    }
}

/// What the guest did, where the record says something else.
#[derive(Clone, Copy)]
pub(super) enum Did<'a> {
    Called(&'a Call),
    BeganStep(&'a str),
    Waited(&'a [u32]),
    AskedVersion {
        change: &'a str,
        min: u32,
        max: u32,
    },
    /// How it ended.
    Returned(&'a str),
}

/// As many operations as a sentence names.
const NAMED: usize = 8;

impl fmt::Display for Did<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Did::Called(call) => call.fmt(f),
            Did::BeganStep(name) => write!(f, "step `{name}`"),
            Did::Waited(operations) => {
                let named: Vec<_> = operations.iter().take(NAMED).map(u32::to_string).collect();
                let more = operations.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                write!(f, "wait for operations {}{more}", named.join(", "))
            }
            Did::AskedVersion { change, min, max } => write!(f, "version `{change}` between {min} and {max}"),
            Did::Returned(how) => f.write_str(how),
        }
    }
}

impl Did<'_> {
    /// What is known of the two sides, and where a value can have come from that is not on record. Clocks, random, and the order of hash
    /// maps are the same on every replay, and a workflow stays on its version: what is left is what a step's closure changed beside its
    /// result, since a replay does not run it, and what was granted anew.
    pub(super) fn likely_cause(&self, record: &VecDeque<Entry>, step_passed: Option<&(i32, String)>) -> String {
        let what = match (record.front(), self) {
            (Some(Entry::Called { call: Call::Version { change, chosen }, .. }), Did::AskedVersion { change: asked, .. })
                if change == asked =>
            {
                return format!(
                    "the code no longer knows side {chosen} of the change `{change}`: `min` may rise only when no open workflow is older"
                );
            }
            (Some(Entry::Called { call: recorded, .. }), Did::Called(called)) if recorded.is_like(called) => {
                "what it calls with is made of something that is not recorded"
            }
            (_, Did::Returned(_)) => "the code ends where it went on before, by a branch on something that is not recorded",
            (_, did) if record.iter().any(|entry| did.is(entry)) => {
                "the record has that call later: its order follows from something that is not recorded"
            }
            _ => "a branch on something that is not recorded",
        };
        match step_passed {
            Some((position, name)) => format!(
                "{what}, perhaps on what the closure of step `{name}` (position {position}) changed beside its result: a replay does not run it"
            ),
            None => what.to_owned(),
        }
    }

    /// Whether an entry is the record of this.
    fn is(&self, entry: &Entry) -> bool {
        match (self, entry) {
            (Did::Called(called), Entry::Called { call, .. }) => call == *called,
            (Did::BeganStep(began), Entry::Step { name, .. }) => name == began,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use currant_core::executions::{Kind, StartOptions};
    use currant_core::ids::{Digest, ExecutionId, FunctionName};
    use currant_core::journal::JournalRow;
    use currant_core::values::Json;
    use uuid::Uuid;

    use super::*;
    use crate::guest::Outcome;
    use crate::journal::{BeganStep, Journal, JournalLimits, Wait};

    /// A run on the record of those before it.
    fn run(record: &mut Journal) -> Journal {
        let rows = record.take_writes().entries;
        open(rows.into_iter())
    }

    /// Recorded at once, as a commit would.
    fn open(rows: impl Iterator<Item = JournalRow>) -> Journal {
        let id = ExecutionId::from(Uuid::from_u128(7));
        let recorded = |row: JournalRow| {
            let at = row.at.unwrap_or(DateTime::UNIX_EPOCH);
            JournalRow { at: Some(at), sum: Some(row.checksum(id, 1, at)), ..row }
        };
        let (digest, limits) = (Digest::of(b"a component"), JournalLimits::default());
        Journal::open(id, 1, digest, rows.map(recorded).collect(), DateTime::UNIX_EPOCH, limits).unwrap()
    }

    fn call(journal: &mut Journal, function: &str, input: &str) -> Result<u32, Fault> {
        let input = Json::parse(input.into()).unwrap();
        journal.start(Kind::Task, FunctionName::parse(function).unwrap(), input, StartOptions::default(), false)
    }

    fn divergence<T: std::fmt::Debug>(fault: Result<T, Fault>) -> Divergence {
        match fault {
            Err(Fault::Diverged(divergence)) => divergence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_says_where_both_were_alike_last_and_what_a_replay_does_not_run() {
        let mut first = open(std::iter::empty());
        assert_eq!(first.begin_step("pick".into()), Ok(BeganStep::Runs));
        first.end_step(Outcome::Completed("1".into())).unwrap();
        call(&mut first, "charge", "1").unwrap();
        let mut again = run(&mut first);
        again.begin_step("pick".into()).unwrap();
        let found = divergence(call(&mut again, "refund", "1"));
        assert_eq!((found.position, found.after.as_deref()), (2, Some("step `pick`, position 1")));
        assert!(found.recorded.contains("`charge`") && found.called.contains("`refund`"), "{found:?}");
        assert!(found.likely_cause.contains("the closure of step `pick` (position 1)"), "{found:?}");
    }

    #[test]
    fn the_likely_cause_follows_from_how_the_sides_differ() {
        let mut first = open(std::iter::empty());
        call(&mut first, "charge", "1").unwrap();
        call(&mut first, "ship", "1").unwrap();
        let rows = first.take_writes().entries;
        let again = || open(rows.clone().into_iter());
        let cause = |fault| divergence(fault).likely_cause;
        assert!(cause(call(&mut again(), "charge", "2")).starts_with("what it calls with"));
        assert!(cause(call(&mut again(), "ship", "1")).starts_with("the record has that call later"));
        assert!(cause(call(&mut again(), "refund", "1")).starts_with("a branch on something"));
        assert!(
            again().finish("return of the workflow").unwrap_err().likely_cause.starts_with("the code ends where it went on")
        );
    }

    #[test]
    fn a_version_that_is_no_longer_known_says_when_that_may_be() {
        let mut first = open(std::iter::empty());
        assert_eq!(first.version("by-mail".into(), 1, 1), Ok(1));
        let found = divergence(run(&mut first).version("by-mail".into(), 2, 3));
        assert!(found.likely_cause.contains("no longer knows side 1 of the change `by-mail`"), "{found:?}");
    }

    #[test]
    fn a_wait_for_thousands_is_told_in_a_sentence() {
        let mut first = open(std::iter::empty());
        for number in 0..100 {
            call(&mut first, "charge", &number.to_string()).unwrap();
        }
        let mut again = run(&mut first);
        for number in 0..50 {
            call(&mut again, "charge", &number.to_string()).unwrap();
        }
        let all: Vec<u32> = (1..=50).collect();
        assert_eq!(divergence(again.wait(&all, true)).called, "wait for operations 1, 2, 3, 4, 5, 6, 7, 8 and 42 more");
        assert!(!matches!(again.wait(&all, true), Ok(Wait::Blocked(_))));
    }
}
