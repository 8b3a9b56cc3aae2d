//! The operations of a run by number, and which of them are still open.

use chrono::{DateTime, TimeDelta, Utc};
use currant_core::ids::ExecutionId;

use super::{Blocked, Fault};

/// What an operation stands for.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Child { id: ExecutionId, detached: bool },
    Timer { milliseconds: u64, due: Option<DateTime<Utc>> },
    Receive { name: String },
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
    all: Vec<(Operation, bool)>,
    /// Timers that are not yet on record.
    unrecorded: Vec<u32>,
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
        self.all.push((operation, open));
        number
    }

    pub(super) fn is_open(&self, number: u32) -> Result<bool, Fault> {
        match number.checked_sub(1).and_then(|index| self.all.get(index as usize)) {
            Some((_, open)) => Ok(*open),
            None => Err(Fault::Refused(format!("operation {number} was never started"))),
        }
    }

    /// Delivered or given up: it is nobody's any more.
    pub(super) fn close(&mut self, number: u32) -> &Operation {
        let slot = &mut self.all[number as usize - 1];
        slot.1 = false;
        &slot.0
    }

    /// What was new is on record now.
    pub(super) fn recorded(&mut self, at: DateTime<Utc>) {
        for number in self.unrecorded.drain(..) {
            if let (Operation::Timer { milliseconds, due: none }, _) = &mut self.all[number as usize - 1] {
                *none = Some(due(at, *milliseconds));
            }
        }
    }

    /// The earliest of these timers that is due; of two at the same time the one that was started first.
    pub(super) fn due(&self, among: &[u32], horizon: DateTime<Utc>) -> Option<(u32, DateTime<Utc>)> {
        among
            .iter()
            .filter_map(|number| match self.get(*number) {
                Operation::Timer { due: Some(due), .. } if *due <= horizon => Some((*number, *due)),
                _ => None,
            })
            .min_by_key(|(number, due)| (*due, *number))
    }

    /// When a workflow that waits for these goes on without news.
    pub(super) fn blocked(&self, among: &[u32]) -> Blocked {
        let mut blocked = Blocked::default();
        for number in among {
            match self.get(*number) {
                Operation::Timer { due: Some(due), .. } => {
                    blocked.until = Some(blocked.until.map_or(*due, |until| until.min(*due)));
                }
                Operation::Timer { milliseconds, due: None } => {
                    let shortest = blocked.shortest_new_timer.map_or(*milliseconds, |shortest| shortest.min(*milliseconds));
                    blocked.shortest_new_timer = Some(shortest);
                }
                _ => {}
            }
        }
        blocked
    }

    /// The first of these operations that asks for a signal of this name.
    pub(super) fn first_receiver(&self, signal: &str, among: &[u32]) -> Option<u32> {
        let receives = |number: &&u32| matches!(self.get(**number), Operation::Receive { name } if name == signal);
        among.iter().filter(receives).min().copied()
    }

    fn get(&self, number: u32) -> &Operation {
        &self.all[number as usize - 1].0
    }
}

/// A timer longer than the calendar waits until its end.
fn due(at: DateTime<Utc>, milliseconds: u64) -> DateTime<Utc> {
    // Postgres' timestamps reach the year 294276; chrono's end before. Ten thousand years are enough for both.
    let longest = TimeDelta::days(3_652_500);
    let length = i64::try_from(milliseconds).ok().and_then(TimeDelta::try_milliseconds).map_or(longest, |l| l.min(longest));
    at + length
}
