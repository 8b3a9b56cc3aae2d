//! The operations of a run by number: which of them are still open, and which are waited for.

use chrono::{DateTime, TimeDelta, Utc};
use currant_core::ids::ExecutionId;

use super::{Blocked, Fault};

/// What an operation stands for.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Shared is one with a key: other workflows may wait for it too.
    Child {
        id: ExecutionId,
        detached: bool,
        shared: bool,
    },
    Timer {
        milliseconds: u64,
        due: Option<DateTime<Utc>>,
    },
    Receive {
        name: String,
    },
    External,
    Step,
}

impl Operation {
    /// A timer counts from the time at which the database recorded its start.
    pub(super) fn timer(milliseconds: u64, recorded_at: Option<DateTime<Utc>>) -> Operation {
        Operation::Timer { milliseconds, due: recorded_at.map(|at| due(at, milliseconds)) }
    }
}

/// All operations of a run; number n stands at index n - 1.
#[derive(Debug, Default)]
pub(super) struct Operations {
    all: Vec<Slot>,
    /// Timers that are not yet on record.
    unrecorded: Vec<u32>,
    /// How many waits there were.
    waits: u32,
    open_children: u32,
}

#[derive(Debug)]
struct Slot {
    operation: Operation,
    open: bool,
    /// The last wait that named it.
    awaited_by: u32,
}

/// What there is to know of the operations that a wait names.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// The earliest timer that is due; of two at the same time the one that was started first.
    pub(super) due: Option<(DateTime<Utc>, u32)>,
    /// When it goes on without news.
    pub(super) blocked: Blocked,
    /// Those that ask for signals.
    pub(super) receivers: Vec<u32>,
}

impl Operations {
    /// The number that the next operation gets.
    pub(super) fn next(&self) -> u32 {
        self.all.len() as u32 + 1
    }

    pub(super) fn add(&mut self, operation: Operation) -> u32 {
        let number = self.next();
        if matches!(operation, Operation::Timer { due: None, .. }) {
            self.unrecorded.push(number);
        }
        let open = !matches!(operation, Operation::Step);
        self.open_children += u32::from(matches!(operation, Operation::Child { .. }));
        self.all.push(Slot { operation, open, awaited_by: 0 });
        number
    }

    pub(super) fn is_open(&self, number: u32) -> Result<bool, Fault> {
        let never_started = || Fault::Refused(format!("operation {number} was never started"));
        self.slot(number).map(|slot| slot.open).ok_or_else(never_started)
    }

    /// Given up: it is nobody's any more. A shared child is left alone as long as others wait for it.
    pub(super) fn give_up(&mut self, number: u32) -> &Operation {
        let left_alone =
            matches!(self.slot(number), Some(Slot { operation: Operation::Child { shared: true, .. }, open: true, .. }));
        self.open_children += u32::from(left_alone);
        self.close(number)
    }

    /// Delivered: it is nobody's any more.
    pub(super) fn close(&mut self, number: u32) -> &Operation {
        let slot = &mut self.all[number as usize - 1];
        let was_open = std::mem::replace(&mut slot.open, false);
        self.open_children -= u32::from(was_open && matches!(slot.operation, Operation::Child { .. }));
        &slot.operation
    }

    /// Children that may not have ended, and were not cancelled.
    pub(super) fn open_children(&self) -> u32 {
        self.open_children
    }

    /// What was new is on record now.
    pub(super) fn recorded(&mut self, at: DateTime<Utc>) {
        for number in self.unrecorded.drain(..) {
            if let Operation::Timer { milliseconds, due: none } = &mut self.all[number as usize - 1].operation {
                *none = Some(due(at, *milliseconds));
            }
        }
    }

    /// Begins a wait for these, in one pass over them. Until the next one, `is_awaited` speaks of it.
    pub(super) fn begin_wait(&mut self, among: &[u32], horizon: DateTime<Utc>) -> Result<Awaited, Fault> {
        self.waits = self.waits.wrapping_add(1).max(1);
        let mut awaited = Awaited::default();
        for number in among {
            if !self.is_open(*number)? {
                return Err(Fault::Refused(format!("wait: operation {number} was delivered or cancelled before")));
            }
            let slot = &mut self.all[*number as usize - 1];
            slot.awaited_by = self.waits;
            match &slot.operation {
                Operation::Timer { due: Some(due), .. } => awaited.add_timer(*number, *due, horizon),
                Operation::Timer { milliseconds, due: None } => {
                    let shortest = &mut awaited.blocked.shortest_new_timer;
                    *shortest = Some(shortest.map_or(*milliseconds, |shortest| shortest.min(*milliseconds)));
                }
                Operation::Receive { .. } => awaited.receivers.push(*number),
                Operation::Child { .. } | Operation::External | Operation::Step => {}
            }
        }
        Ok(awaited)
    }

    /// Whether the wait that began last names this operation.
    pub(super) fn is_awaited(&self, number: u32) -> bool {
        self.slot(number).is_some_and(|slot| slot.awaited_by == self.waits)
    }

    /// The name of the signal that an operation asks for.
    pub(super) fn signal_of(&self, number: u32) -> Option<&str> {
        match &self.slot(number)?.operation {
            Operation::Receive { name } => Some(name),
            _ => None,
        }
    }

    fn slot(&self, number: u32) -> Option<&Slot> {
        self.all.get(number.checked_sub(1)? as usize)
    }
}

impl Awaited {
    fn add_timer(&mut self, number: u32, due: DateTime<Utc>, horizon: DateTime<Utc>) {
        if due <= horizon && self.due.is_none_or(|earliest| (due, number) < earliest) {
            self.due = Some((due, number));
        }
        self.blocked.until = Some(self.blocked.until.map_or(due, |until| until.min(due)));
    }
}

/// A timer longer than the calendar waits until its end.
fn due(at: DateTime<Utc>, milliseconds: u64) -> DateTime<Utc> {
    // Postgres' timestamps reach the year 294276; chrono's end before. Ten thousand years are enough for both.
    let longest = TimeDelta::days(3_652_500);
    let length = i64::try_from(milliseconds).ok().and_then(TimeDelta::try_milliseconds).map_or(longest, |l| l.min(longest));
    at + length
}
