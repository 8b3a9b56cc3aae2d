//! The replay engine of one workflow run: entries in, decisions out.
//!
//! A run begins with the journal that earlier runs left behind. While entries remain, every call of the guest must be the next
//! one on record, and is answered from it (`Replaying`). After the last one the guest is where nobody has been before (`Live`):
//! its calls become new entries, which wait here until the run's next write takes them along.
//!
//! ```text
//!   guest calls ──► Journal ──► answers                    (replayed: from the record; live: numbers, news that arrived)
//!   inbox, time ──►    │
//!                      └──────► Writes, for the committer  (entries, children, deliveries)
//! ```
//!
//! Invariant: nothing in here does I/O, reads a clock, or draws a random number that does not follow from the execution's id. Same
//! record, same news, same calls: same answers.

mod arrivals;
mod budget;
mod codec;
mod divergence;
mod entry;
mod operations;
mod random;

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use currant_core::executions::{Kind, NewChild, StartOptions};
use currant_core::ids::{Digest, ExecutionId, FunctionName};
use currant_core::inbox::{News, NewsKind};
use currant_core::journal::JournalRow;
use currant_core::values::Json;

use self::arrivals::{Arrivals, Next};
use self::budget::Budget;
pub use self::budget::JournalLimits;
pub use self::codec::Corrupted;
use self::divergence::Did;
pub use self::divergence::{Divergence, Fault};
pub use self::entry::{Call, Entry, hash_of};
use self::operations::{Awaited, Operation, Operations};
use self::random::Stream;
use crate::guest::Outcome;

/// The replay engine of one run.
#[derive(Debug)]
pub struct Journal {
    execution: ExecutionId,
    chain: i32,
    /// What earlier runs recorded and this one has not yet passed.
    record: VecDeque<Entry>,
    /// What it passed last, and the step that it passed last with its position: a divergence tells them.
    passed: Option<Entry>,
    step_passed: Option<(i32, String)>,
    /// The position that the next entry, replayed or new, has.
    position: i32,
    operations: Operations,
    /// The workflow's time.
    now: DateTime<Utc>,
    random: Stream,
    /// The operation of the step whose closure runs now.
    step: Option<(u32, String)>,
    cancelled: bool,
    arrivals: Arrivals,
    /// The latest time that the database told: timers up to it are due.
    horizon: DateTime<Utc>,
    writes: Writes,
    budget: Budget,
}

/// What a run decided and has not yet written.
#[derive(Debug, Default)]
pub struct Writes {
    /// New entries, the first at `first_position`.
    pub entries: Vec<JournalRow>,
    /// The children that the entries start.
    pub children: Vec<NewChild>,
    /// Children that were given up.
    pub cancels: Vec<ExecutionId>,
    /// Arrivals whose news was delivered, or is of no use.
    pub delivered: Vec<i32>,
    /// What the workflow published last.
    pub publish: Option<Json>,
    /// That the journal is nearly full, said once for each of its limits.
    pub warning: Option<String>,
    /// The component to pin the workflow to, with its first entry.
    pub pin: Option<Digest>,
    /// Whether every child that it ever started has ended, or was cancelled when it was given up.
    pub children_are_closed: bool,
}

impl Writes {
    /// Whether there is anything to write.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.delivered.is_empty() && self.publish.is_none()
    }
}

/// What `wait` came to.
#[derive(Debug, PartialEq)]
pub enum Wait {
    /// This operation is delivered.
    Delivered {
        /// Its number.
        operation: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// The workflow is told that its cancellation was requested.
    Cancelled,
    /// Nothing has arrived: write, and wait for news.
    Blocked(Blocked),
}

/// When a blocked workflow goes on even without news.
#[derive(Debug, PartialEq, Default)]
pub struct Blocked {
    /// When the earliest timer that it waits for is due, among those on record.
    pub until: Option<DateTime<Utc>>,
    /// The shortest timer that it waits for, in milliseconds, among those that are not yet on record.
    pub shortest_new_timer: Option<u64>,
}

/// What a live or a recorded step begins with.
#[derive(Debug, PartialEq)]
pub enum BeganStep {
    /// It is on record.
    Recorded(Outcome),
    /// Its closure has to run, after everything decided before is written.
    Runs,
}

impl Journal {
    /// Opens the journal of a run on `record`, the rows of earlier runs in order; `claimed_at` is the database's time of the claim.
    pub fn open(
        execution: ExecutionId,
        chain: i32,
        digest: Digest,
        record: Vec<JournalRow>,
        claimed_at: DateTime<Utc>,
        limits: JournalLimits,
    ) -> Result<Journal, Corrupted> {
        let mut budget = Budget::of(limits, &record);
        let mut record = codec::decode(execution, chain, record)?;
        let mut writes = Writes::default();
        let (now, position) = match record.pop_front() {
            Some(Entry::Started { at, .. }) => (at, 1),
            Some(other) => return Err(Corrupted::new(0, format!("the first entry is `{other}`, not the start"))),
            None => {
                writes.pin = Some(digest);
                writes.entries.push(codec::encode(0, &Entry::Started { at: claimed_at, digest }));
                budget = Budget::of(limits, &writes.entries);
                (claimed_at, 1)
            }
        };
        Ok(Journal {
            execution,
            chain,
            record,
            passed: None,
            step_passed: None,
            position,
            operations: Operations::default(),
            now,
            random: Stream::of_start(execution, chain),
            step: None,
            cancelled: false,
            arrivals: Arrivals::default(),
            horizon: claimed_at,
            writes,
            budget,
        })
    }

    /// Whether the guest's next call is on record.
    pub fn replaying(&self) -> bool {
        !self.record.is_empty()
    }

    /// Whether the closure of a step runs.
    pub fn in_step(&self) -> bool {
        self.step.is_some()
    }

    /// The workflow's time: that of its start, or of what was delivered last.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// How many arrivals this run knows of.
    pub fn seen(&self) -> i32 {
        self.arrivals.seen()
    }

    /// The next bytes of the workflow's random stream.
    pub fn fill_random(&mut self, bytes: &mut [u8]) {
        self.random.fill(bytes);
    }

    /// Takes in what arrived, and the database's time at which it was looked up. `arrivals` is how much had arrived for certain by then, ever:
    /// of that, what is not among this news was delivered before, or is of no use any more.
    pub fn arrived(&mut self, news: impl IntoIterator<Item = News>, arrivals: i32, at: DateTime<Utc>) {
        for item in news {
            // Loaded a moment later than it was looked for: by then, timers may have become due before it.
            self.horizon = self.horizon.max(item.at);
            self.arrivals.add(item, self.chain, &self.operations, self.cancelled);
        }
        self.arrivals.saw(arrivals);
        self.horizon = self.horizon.max(at);
    }

    /// Whether everything decided so far is on its way.
    pub fn is_written(&self) -> bool {
        self.writes.is_empty()
    }

    /// Takes what is to be written next, all in one piece.
    pub fn take_writes(&mut self) -> Writes {
        self.writes.delivered.extend(self.arrivals.take_useless());
        // A run that ends while it still replays has not said yet what it started; an earlier chain has left to others what they share.
        let children_are_closed = !self.replaying() && self.chain == 1 && self.operations.open_children() == 0;
        Writes { children_are_closed, ..std::mem::take(&mut self.writes) }
    }

    /// What was taken is on record, since this time of the database.
    pub fn written(&mut self, at: DateTime<Utc>) {
        self.operations.recorded(at);
        self.horizon = self.horizon.max(at);
    }

    /// Starts a task or a child workflow.
    pub fn start(
        &mut self,
        kind: Kind,
        function: FunctionName,
        input: Json,
        options: StartOptions,
        detached: bool,
    ) -> Result<u32, Fault> {
        let hash = hash_of(&input, &options, detached);
        let call = match kind {
            Kind::Task => Call::Task { function: function.to_string(), hash },
            Kind::Workflow => Call::Workflow { function: function.to_string(), hash },
        };
        let live = self.call(call)?;
        let child = ExecutionId::of_child(self.execution, self.chain, self.operations.next());
        let shared = options.task_id.is_some();
        let operation = self.operations.add(Operation::Child { id: child, detached, shared });
        if live {
            self.writes.children.push(NewChild { id: child, operation, kind, function, input, options, detached });
        }
        Ok(operation)
    }

    /// Starts a timer.
    pub fn start_timer(&mut self, milliseconds: u64) -> Result<u32, Fault> {
        // None when the call is live: the timer counts from the time at which it will be recorded.
        let recorded_at = self.record.front().and_then(Entry::recorded_at);
        self.call(Call::Timer { milliseconds })?;
        Ok(self.operations.add(Operation::timer(milliseconds, recorded_at)))
    }

    /// Asks for a signal.
    pub fn receive_signal(&mut self, name: String) -> Result<u32, Fault> {
        self.call(Call::Receive { name: name.clone() })?;
        Ok(self.operations.add(Operation::Receive { name }))
    }

    /// Starts an operation that is completed from outside; answers its number and its token. `secret` makes the token of a live
    /// call unguessable: 32 hexadecimal digits of real entropy, since the workflow's own stream follows from an id that is public.
    pub fn external(&mut self, secret: String) -> Result<(u32, String), Fault> {
        let secret = match self.record.front() {
            Some(Entry::Called { call: Call::External { secret: recorded }, .. }) => recorded.clone(),
            _ => secret,
        };
        self.call(Call::External { secret: secret.clone() })?;
        let operation = self.operations.add(Operation::External);
        Ok((operation, format!("{}.{}.{operation}.{secret}", self.execution, self.chain)))
    }

    /// The side of a code change that this run is on.
    pub fn version(&mut self, change: String, min: u32, max: u32) -> Result<u32, Fault> {
        self.outside_steps("version")?;
        if min > max {
            return Err(Fault::Refused(format!("version `{change}`: min {min} is greater than max {max}")));
        }
        let chosen = match self.record.front() {
            Some(Entry::Called { call: Call::Version { change: recorded, chosen }, .. }) if *recorded == change => *chosen,
            _ => max,
        };
        if !(min..=max).contains(&chosen) {
            return Err(self.diverged(Did::AskedVersion { change: &change, min, max }));
        }
        self.call(Call::Version { change, chosen })?;
        Ok(chosen)
    }

    /// Gives an operation up. Nothing happens if it was delivered, or given up before.
    pub fn cancel(&mut self, operation: u32) -> Result<(), Fault> {
        if !self.operations.is_open(operation)? {
            return Ok(());
        }
        let live = self.call(Call::Cancel { operation })?;
        self.arrivals.operation_is_over(operation);
        if let Operation::Child { id, detached: false, .. } = *self.operations.give_up(operation)
            && live
        {
            self.writes.cancels.push(id);
        }
        Ok(())
    }

    /// Publishes progress; replayed, it says nothing.
    pub fn publish(&mut self, progress: Json) -> Result<(), Fault> {
        self.outside_steps("publish")?;
        if !self.replaying() {
            self.writes.publish = Some(progress);
        }
        Ok(())
    }

    /// Waits for one of these operations; `tell_cancellation` says whether this wait can be interrupted by a cancellation.
    pub fn wait(&mut self, operations: &[u32], tell_cancellation: bool) -> Result<Wait, Fault> {
        self.outside_steps("wait")?;
        if operations.is_empty() {
            return Err(Fault::Refused("wait: the list of operations is empty".into()));
        }
        let awaited = self.operations.begin_wait(operations, self.horizon)?;
        if self.replaying() {
            self.wait_replayed(operations, tell_cancellation)
        } else {
            self.wait_live(operations, awaited, tell_cancellation)
        }
    }

    /// Begins a step.
    pub fn begin_step(&mut self, name: String) -> Result<BeganStep, Fault> {
        self.outside_steps("begin-step")?;
        let Some(next) = self.record.front() else {
            self.budget.has_room().map_err(Fault::Exceeded)?;
            self.step = Some((self.operations.next(), name));
            return Ok(BeganStep::Runs);
        };
        match next {
            Entry::Step { name: recorded, outcome, .. } if *recorded == name => {
                let outcome = outcome.clone();
                self.pass();
                self.step = Some((self.operations.next(), name));
                self.leave_step();
                Ok(BeganStep::Recorded(outcome))
            }
            _ => Err(self.diverged(Did::BeganStep(&name))),
        }
    }

    /// Ends the step whose closure ran.
    pub fn end_step(&mut self, outcome: Outcome) -> Result<(), Fault> {
        let Some((operation, name)) = self.leave_step() else {
            return Err(Fault::Refused("end-step: no step has begun".into()));
        };
        self.record_new(Entry::Step { operation, name, outcome })
    }

    /// The guest returned: nothing on record may be left over.
    pub fn finish(&self, returned: &str) -> Result<(), Divergence> {
        if self.replaying() {
            return Err(self.divergence(Did::Returned(returned)));
        }
        Ok(())
    }

    /// One call of the guest, and the only place where it meets the record. Answers whether it is live.
    fn call(&mut self, call: Call) -> Result<bool, Fault> {
        self.outside_steps(call.verb())?;
        let operation = match call {
            Call::Cancel { operation } => operation,
            Call::Version { .. } => 0,
            _ => self.operations.next(),
        };
        match self.record.front() {
            None => {
                self.record_new(Entry::Called { operation, call, at: None })?;
                Ok(true)
            }
            Some(Entry::Called { operation: recorded_operation, call: recorded, .. })
                if *recorded == call && *recorded_operation == operation =>
            {
                self.pass();
                Ok(false)
            }
            Some(_) => Err(self.diverged(Did::Called(&call))),
        }
    }

    fn wait_replayed(&mut self, operations: &[u32], tell_cancellation: bool) -> Result<Wait, Fault> {
        match self.record.front() {
            Some(Entry::Delivered { operation, outcome, at, .. }) if self.operations.is_awaited(*operation) => {
                let (operation, outcome, at) = (*operation, outcome.clone(), *at);
                self.pass();
                self.deliver(operation, at);
                Ok(Wait::Delivered { operation, outcome })
            }
            Some(Entry::Cancelled { at }) if tell_cancellation => {
                let at = *at;
                self.pass();
                self.is_cancelled_at(at);
                Ok(Wait::Cancelled)
            }
            _ => Err(self.diverged(Did::Waited(operations))),
        }
    }

    /// The earliest of what has arrived and of the timers that are due, by the database's time.
    fn wait_live(&mut self, operations: &[u32], awaited: Awaited, tell_cancellation: bool) -> Result<Wait, Fault> {
        let next = self.arrivals.next(operations, &awaited, &self.operations, tell_cancellation);
        let news_at = next.as_ref().map(|next| self.arrivals.get(next, &self.operations).at);
        match (awaited.due, next) {
            (Some((due, operation)), _) if news_at.is_none_or(|at| due <= at) => {
                let outcome = Outcome::Completed("null".into());
                self.record_new(Entry::Delivered { operation, signal: None, outcome: outcome.clone(), at: due })?;
                self.deliver(operation, due);
                Ok(Wait::Delivered { operation, outcome })
            }
            (_, Some(next)) => self.take_news(&next),
            _ => Ok(Wait::Blocked(awaited.blocked)),
        }
    }

    fn take_news(&mut self, next: &Next) -> Result<Wait, Fault> {
        let News { arrival, kind, at } = self.arrivals.take(next, &self.operations);
        self.writes.delivered.push(arrival);
        let (signal, outcome) = match kind {
            NewsKind::Cancel => {
                self.record_new(Entry::Cancelled { at })?;
                self.is_cancelled_at(at);
                return Ok(Wait::Cancelled);
            }
            NewsKind::Completion { outcome, .. } => (None, outcome.into()),
            NewsKind::Signal { name, payload } => (Some(name), Outcome::Completed(payload.into_string())),
        };
        let operation = next.operation.expect("all but a cancellation is for an operation");
        self.record_new(Entry::Delivered { operation, signal, outcome: outcome.clone(), at })?;
        self.deliver(operation, at);
        Ok(Wait::Delivered { operation, outcome })
    }

    fn is_cancelled_at(&mut self, at: DateTime<Utc>) {
        self.now = self.now.max(at);
        self.cancelled = true;
        self.arrivals.cancellation_is_known();
    }

    fn deliver(&mut self, operation: u32, at: DateTime<Utc>) {
        self.arrivals.operation_is_over(operation);
        self.operations.close(operation);
        self.now = self.now.max(at);
    }

    /// Live and replayed alike, what follows a step draws from a stream of its own.
    fn leave_step(&mut self) -> Option<(u32, String)> {
        let (operation, name) = self.step.take()?;
        self.operations.add(Operation::Step);
        self.random = Stream::after_step(self.execution, self.chain, operation);
        Some((operation, name))
    }

    /// Every new entry passes here.
    fn record_new(&mut self, entry: Entry) -> Result<(), Fault> {
        let row = codec::encode(self.position, &entry);
        for warning in self.budget.take(&row).map_err(Fault::Exceeded)? {
            let said = self.writes.warning.take().map(|said| said + "\n");
            self.writes.warning = Some(said.unwrap_or_default() + &warning);
        }
        self.writes.entries.push(row);
        self.position += 1;
        Ok(())
    }

    fn pass(&mut self) {
        self.passed = self.record.pop_front();
        if let Some(Entry::Step { name, .. }) = &self.passed {
            self.step_passed = Some((self.position, name.clone()));
        }
        self.position += 1;
    }

    fn outside_steps(&self, what: &str) -> Result<(), Fault> {
        match &self.step {
            None => Ok(()),
            Some((_, name)) => Err(Fault::Refused(format!(
                "{what}: not inside the step `{name}`: a step's closure may touch the world, but start nothing durable"
            ))),
        }
    }

    fn diverged(&self, did: Did<'_>) -> Fault {
        Fault::Diverged(self.divergence(did))
    }

    fn divergence(&self, did: Did<'_>) -> Divergence {
        Divergence {
            position: self.position,
            recorded: self.record.front().map_or_else(|| "nothing".to_string(), Entry::to_string),
            called: did.to_string(),
            after: self.passed.as_ref().map(|entry| format!("{entry}, position {}", self.position - 1)),
            likely_cause: did.likely_cause(&self.record, self.step_passed.as_ref()),
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
