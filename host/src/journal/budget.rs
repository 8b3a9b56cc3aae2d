//! How long a journal may grow. Replay costs what the journal holds, so it is bounded; who needs more continues as new.
//!
//! What is on record is always replayed, however long it is: a limit that was lowered since stops the next entry, not the replay.

use currant_core::journal::JournalRow;

use crate::limit::{Limit, LimitExceeded};

/// How much one journal may hold.
#[derive(Clone, Copy, Debug)]
pub struct JournalLimits {
    /// Operations.
    pub operations: u32,
    /// Entries.
    pub length: u32,
    /// Bytes of names and values.
    pub bytes: u64,
}

impl Default for JournalLimits {
    fn default() -> JournalLimits {
        JournalLimits { operations: 20_000, length: 50_000, bytes: 64 << 20 }
    }
}

/// What a journal holds, beside what it may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    limits: JournalLimits,
    operations: u64,
    length: u64,
    bytes: u64,
}

impl Budget {
    /// That of a journal which holds these rows.
    pub(super) fn of(limits: JournalLimits, rows: &[JournalRow]) -> Budget {
        let empty = Budget { limits, operations: 0, length: 0, bytes: 0 };
        rows.iter().fold(empty, |budget, row| budget.with(row))
    }

    /// Takes one more entry in. Answers a warning for each limit of which four fifths are used now, and were not before.
    pub(super) fn take(&mut self, row: &JournalRow) -> Result<Vec<String>, LimitExceeded> {
        let after = self.with(row);
        after.check()?;
        let before = std::mem::replace(self, after);
        let nearly = |used: u64, limit: u64| used >= limit - limit / 5;
        let crossed = before
            .measures()
            .into_iter()
            .zip(after.measures())
            .filter(|((_, before, limit, _), (_, after, ..))| nearly(*after, *limit) && !nearly(*before, *limit));
        Ok(crossed.map(|(_, (_, used, limit, what))| warning(used, limit, what)).collect())
    }

    /// Whether another operation may begin, before what it does is done.
    pub(super) fn has_room(&self) -> Result<(), LimitExceeded> {
        Budget { operations: self.operations + 1, length: self.length + 1, ..*self }.check()
    }

    fn with(&self, row: &JournalRow) -> Budget {
        let size = row.name.as_ref().map_or(0, String::len) + row.body.as_ref().map_or(0, |body| body.as_str().len());
        Budget {
            limits: self.limits,
            // Operations are numbered from 1, and every one has an entry that names it.
            operations: self.operations.max(row.operation.map_or(0, u64::from)),
            length: self.length + 1,
            bytes: self.bytes + size as u64,
        }
    }

    fn measures(&self) -> [(Limit, u64, u64, &'static str); 3] {
        let JournalLimits { operations, length, bytes } = self.limits;
        [
            (Limit::Operations, self.operations, operations.into(), "operations"),
            (Limit::JournalLength, self.length, length.into(), "journal entries"),
            (Limit::JournalBytes, self.bytes, bytes, "journal bytes"),
        ]
    }

    fn check(&self) -> Result<(), LimitExceeded> {
        match self.measures().into_iter().find(|(_, used, limit, _)| used > limit) {
            Some((which, _, limit, what)) => Err(LimitExceeded::new(
                which,
                format!("the workflow needs more than {limit} {what}: continue as new before that"),
            )),
            None => Ok(()),
        }
    }
}

fn warning(used: u64, limit: u64, what: &str) -> String {
    format!("the workflow has used {used} of {limit} {what}, and fails at the end of them: continue as new before that")
}
