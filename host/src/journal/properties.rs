//! What holds of any workflow, whatever it calls, in whatever order results arrive, and wherever its runs are cut.

use std::collections::{BTreeSet, VecDeque};

use currant_core::executions::Failure;
use proptest::prelude::*;
use proptest::sample::Index;

use super::tests::{World, execution, json, task};
use super::*;

/// An instruction of a random workflow.
#[derive(Clone, Debug)]
enum Instruction {
    Task,
    Workflow {
        detached: bool,
    },
    Timer(u64),
    Receive(u8),
    External,
    Step {
        fails: bool,
    },
    /// Cancels an open operation.
    GiveUp(Index),
    Draw,
    Version(u8),
    Publish,
    WaitForOne {
        tell_cancellation: bool,
    },
    WaitForAll,
    ContinueAsNew,
}

fn instruction() -> impl Strategy<Value = Instruction> {
    prop_oneof![
        3 => Just(Instruction::Task),
        1 => any::<bool>().prop_map(|detached| Instruction::Workflow { detached }),
        2 => (0..2_000u64).prop_map(Instruction::Timer),
        2 => (0..2u8).prop_map(Instruction::Receive),
        1 => Just(Instruction::External),
        1 => any::<bool>().prop_map(|fails| Instruction::Step { fails }),
        1 => any::<Index>().prop_map(Instruction::GiveUp),
        1 => Just(Instruction::Draw),
        1 => (0..3u8).prop_map(Instruction::Version),
        1 => Just(Instruction::Publish),
        2 => any::<bool>().prop_map(|tell_cancellation| Instruction::WaitForOne { tell_cancellation }),
        1 => Just(Instruction::WaitForAll),
        1 => Just(Instruction::ContinueAsNew),
    ]
}

/// What happens outside while a workflow waits.
#[derive(Clone, Debug)]
enum Event {
    /// What it started ends, with a value or with a failure. It may end more than once, as after a retry by hand.
    Ends(Index, bool),
    /// Of a chain that is over.
    EndsTooLate(Index),
    Signal(u8),
    Later(u16),
    Cancel,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (any::<Index>(), any::<bool>()).prop_map(|(which, well)| Event::Ends(which, well)),
        1 => any::<Index>().prop_map(Event::EndsTooLate),
        3 => (0..2u8).prop_map(Event::Signal),
        3 => (0..3_000u16).prop_map(Event::Later),
        1 => Just(Event::Cancel),
    ]
}

/// What becomes of a run that waits.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// It writes, and is replayed when it is claimed again.
    Suspends,
    /// It writes, and goes on in memory.
    Stays,
    /// It is lost, with all that it had not written.
    IsLost,
}

/// Why a run stopped.
#[derive(Clone, Debug, PartialEq)]
enum Stopped {
    AtItsEnd,
    /// The next chain begins with the instruction of this number.
    ContinuesAsNew(usize),
    Suspended,
    Lost,
}

/// A workflow's life: its program, what will happen to it, and what the guest has been told and will be told again.
struct Life {
    world: World,
    program: Vec<Instruction>,
    events: VecDeque<(Event, Then)>,
    /// The first instruction of this chain.
    from: usize,
    /// What was answered and rests on what is written: every later run must be answered the same.
    told: Vec<String>,
    /// What is random outside of these tests: each draw is another one.
    entropy: u32,
}

/// One run. Everything that the guest can see goes into `trace`; `calls_left` is when its worker is killed, if it is.
struct Run<'a> {
    life: &'a mut Life,
    journal: Journal,
    trace: Vec<String>,
    calls_left: Option<usize>,
}

impl Life {
    fn new(program: Vec<Instruction>, events: Vec<(Event, Then)>) -> Life {
        Life { world: World::new(), program, events: events.into(), from: 0, told: Vec::new(), entropy: 0 }
    }

    /// Runs on what is on record. What was told before is told again, from the first call to the last.
    fn run(&mut self, calls_left: Option<usize>) -> (Stopped, Vec<String>) {
        let journal = self.world.claim();
        let told = self.told.clone();
        let mut run = Run { life: self, journal, trace: Vec::new(), calls_left };
        let stopped = run.execute();
        if matches!(stopped, Stopped::AtItsEnd | Stopped::ContinuesAsNew(_)) {
            run.journal.finish("the end").expect("nothing on record is left over");
            run.write();
        }
        let trace = run.trace;
        let same = told.len().min(trace.len());
        assert_eq!(trace[..same], told[..same], "a later run is told something else");
        (stopped, trace)
    }

    /// Lives until the end of the program, with these cuts. Each chain that is over is run once more: on its record alone it comes to the
    /// same end by the same calls, and writes nothing.
    fn live(&mut self, cuts: Vec<usize>) {
        let mut cuts = VecDeque::from(cuts);
        loop {
            let (stopped, trace) = self.run(cuts.pop_front());
            if matches!(stopped, Stopped::Suspended | Stopped::Lost) {
                continue;
            }
            let recorded = self.world.rows.clone();
            assert_eq!(self.run(None), (stopped.clone(), trace));
            assert_eq!(self.world.rows, recorded);
            match stopped {
                Stopped::ContinuesAsNew(next) => self.begin_chain(next),
                _ => return,
            }
        }
    }

    fn begin_chain(&mut self, from: usize) {
        self.from = from;
        self.world.chain += 1;
        self.world.rows.clear();
        self.told.clear();
    }

    /// What is on record as started and can end outside.
    fn started(&self) -> Vec<u32> {
        let can_end = |row: &&JournalRow| matches!(row.kind.as_str(), "task" | "workflow" | "external");
        self.world.rows.iter().filter(can_end).filter_map(|row| row.operation).collect()
    }

    fn happens(&mut self, event: &Event) {
        let (chain, started) = (self.world.chain, self.started());
        let pick = |which: &Index| (!started.is_empty()).then(|| started[which.index(started.len())]);
        match event {
            Event::Ends(which, well) => self.ends(chain, pick(which), *well),
            Event::EndsTooLate(which) => self.ends(chain - 1, pick(which), true),
            Event::Signal(name) => {
                let payload = self.draw().to_string();
                self.world.signal(&name.to_string(), &payload);
            }
            Event::Later(milliseconds) => self.world.later((*milliseconds).into()),
            Event::Cancel => self.world.news(NewsKind::Cancel),
        }
    }

    fn ends(&mut self, chain: i32, operation: Option<u32>, well: bool) {
        let Some(operation) = operation else { return };
        let value = self.draw().to_string();
        let failed = || Failure::of_host("declined", value.as_str(), false);
        let outcome = if well { Ok(json(&value)) } else { Err(failed()) };
        self.world.news(NewsKind::Completion { chain, operation, outcome });
    }

    /// Whatever a workflow can wait for comes to pass.
    fn everything_happens(&mut self) {
        for operation in self.started() {
            self.ends(self.world.chain, Some(operation), true);
        }
        for name in 0..2 {
            self.happens(&Event::Signal(name));
        }
        self.world.later(24 * 3600 * 1000);
    }

    fn draw(&mut self) -> u32 {
        self.entropy += 1;
        self.entropy
    }
}

impl Run<'_> {
    fn execute(&mut self) -> Stopped {
        let mut open = BTreeSet::new();
        for number in self.life.from..self.life.program.len() {
            let instruction = self.life.program[number].clone();
            if let Instruction::ContinueAsNew = instruction {
                return Stopped::ContinuesAsNew(number + 1);
            }
            if let Err(stopped) = self.follow(&instruction, &mut open) {
                return stopped;
            }
        }
        Stopped::AtItsEnd
    }

    fn follow(&mut self, instruction: &Instruction, open: &mut BTreeSet<u32>) -> Result<(), Stopped> {
        self.counts()?;
        match instruction {
            Instruction::Task => {
                let operation = task(&mut self.journal, "1");
                self.started(operation, open);
            }
            Instruction::Workflow { detached } => {
                let name = FunctionName::parse("checkout").unwrap();
                let operation = self.journal.start(Kind::Workflow, name, json("{}"), StartOptions::default(), *detached);
                self.started(operation, open);
            }
            Instruction::Timer(milliseconds) => {
                let operation = self.journal.start_timer(*milliseconds);
                self.started(operation, open);
            }
            Instruction::Receive(name) => {
                let operation = self.journal.receive_signal(name.to_string());
                self.started(operation, open);
            }
            Instruction::External => {
                let secret = self.life.draw().to_string();
                let (operation, token) = self.journal.external(secret).unwrap();
                self.trace.push(token);
                open.insert(operation);
            }
            Instruction::Step { fails } => self.step(*fails)?,
            Instruction::GiveUp(which) if !open.is_empty() => {
                let operation = *which.get(&open.iter().copied().collect::<Vec<_>>());
                open.remove(&operation);
                self.journal.cancel(operation).unwrap();
            }
            Instruction::Draw => {
                let mut bytes = [0; 9];
                self.journal.fill_random(&mut bytes);
                self.trace.push(format!("{bytes:?} at {}", self.journal.now()));
            }
            Instruction::Version(change) => {
                let chosen = self.journal.version(change.to_string(), 0, 5).unwrap();
                self.trace.push(format!("version {chosen}"));
            }
            Instruction::Publish => self.journal.publish(json("\"here\"")).unwrap(),
            Instruction::WaitForOne { tell_cancellation } if !open.is_empty() => self.wait(open, *tell_cancellation)?,
            Instruction::WaitForAll => {
                while !open.is_empty() {
                    self.wait(open, true)?;
                }
            }
            Instruction::GiveUp(_) | Instruction::WaitForOne { .. } | Instruction::ContinueAsNew => {}
        }
        Ok(())
    }

    fn started(&mut self, operation: Result<u32, Fault>, open: &mut BTreeSet<u32>) {
        let operation = operation.unwrap();
        self.trace.push(format!("operation {operation}"));
        open.insert(operation);
    }

    fn step(&mut self, fails: bool) -> Result<(), Stopped> {
        let outcome = match self.journal.begin_step("step".into()).unwrap() {
            BeganStep::Recorded(outcome) => outcome,
            BeganStep::Runs => {
                self.write();
                self.counts()?;
                let drawn = self.life.draw().to_string();
                let outcome = match fails {
                    true => Outcome::Failed(Failure::of_host("declined", drawn, false)),
                    false => Outcome::Completed(drawn),
                };
                self.journal.end_step(outcome.clone()).unwrap();
                outcome
            }
        };
        self.trace.push(format!("{outcome:?}"));
        Ok(())
    }

    /// Waits until one of these is delivered, or the cancellation is told.
    fn wait(&mut self, open: &mut BTreeSet<u32>, tell_cancellation: bool) -> Result<(), Stopped> {
        let operations: Vec<u32> = open.iter().copied().collect();
        loop {
            match self.journal.wait(&operations, tell_cancellation).unwrap() {
                Wait::Delivered { operation, outcome } => {
                    open.remove(&operation);
                    self.trace.push(format!("{operation} {outcome:?} at {}", self.journal.now()));
                    return Ok(());
                }
                Wait::Cancelled => {
                    self.trace.push(format!("cancelled at {}", self.journal.now()));
                    return Ok(());
                }
                Wait::Blocked(_) => self.blocked()?,
            }
        }
    }

    fn blocked(&mut self) -> Result<(), Stopped> {
        let Some((event, then)) = self.life.events.pop_front() else {
            self.write();
            self.life.everything_happens();
            self.look();
            return Ok(());
        };
        if let Then::IsLost = then {
            self.life.happens(&event);
            return Err(Stopped::Lost);
        }
        self.write();
        self.life.happens(&event);
        match then {
            Then::Stays => {
                self.look();
                self.counts()
            }
            _ => Err(Stopped::Suspended),
        }
    }

    fn look(&mut self) {
        self.journal.arrived(self.life.world.inbox.clone(), self.life.world.arrivals, self.life.world.clock);
    }

    /// Nothing leaves a run before what it rests on is written: from here on every run is told what this one was told.
    fn write(&mut self) {
        self.life.world.commit(&mut self.journal);
        if self.trace.len() > self.life.told.len() {
            self.life.told.clone_from(&self.trace);
        }
    }

    /// One more call; none when the worker is killed here.
    fn counts(&mut self) -> Result<(), Stopped> {
        match &mut self.calls_left {
            Some(0) => Err(Stopped::Lost),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// A program, what happens, and after how many calls its runs are cut.
type Plan = (Vec<Instruction>, Vec<(Event, Then)>, Vec<usize>);

fn plan() -> impl Strategy<Value = Plan> {
    let then = prop_oneof![Just(Then::Suspends), Just(Then::Stays), Just(Then::IsLost)];
    let events = prop::collection::vec((event(), then), 0..60);
    (prop::collection::vec(instruction(), 1..40), events, prop::collection::vec(0..60usize, 0..12))
}

/// How a recorded row can come to be another one.
#[derive(Clone, Debug)]
enum Damage {
    Kind,
    Operation,
    Name,
    Hash,
    Body,
    Time,
    Sum,
    /// Its content stands where that of another row should be, and the other way round.
    Swapped(Index),
    /// It is that of the chain before.
    OfAnotherChain,
    Missing,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Kind),
        Just(Damage::Operation),
        Just(Damage::Name),
        Just(Damage::Hash),
        Just(Damage::Body),
        Just(Damage::Time),
        Just(Damage::Sum),
        any::<Index>().prop_map(Damage::Swapped),
        Just(Damage::OfAnotherChain),
        Just(Damage::Missing),
    ]
}

/// Damages a record at `at`; answers the first position at which it is not what was recorded, if there is one.
fn damaged(rows: &mut Vec<JournalRow>, at: usize, damage: &Damage, dice: u32, chain: i32) -> Option<i32> {
    const KINDS: [&str; 14] = [
        "started",
        "task",
        "workflow",
        "timer",
        "receive",
        "external",
        "cancel",
        "version",
        "step",
        "step-failed",
        "completed",
        "failed",
        "signal",
        "cancelled",
    ];
    let bit = |bits: u32| dice % bits;
    let vanishes = dice.is_multiple_of(5);
    let row = &mut rows[at];
    match damage {
        Damage::Kind => {
            let others: Vec<_> = KINDS.into_iter().filter(|kind| row.kind != *kind).collect();
            row.kind = others[dice as usize % others.len()].into();
        }
        Damage::Operation => {
            row.operation = row.operation.map_or(Some(dice), |operation| (!vanishes).then_some(operation ^ (1 << bit(31))))
        }
        Damage::Name => row.name = row.name.take().map_or(Some(String::new()), |name| (!vanishes).then_some(name + "x")),
        Damage::Hash => {
            row.hash = row.hash.map_or(Some([0; 16]), |mut hash| {
                hash[dice as usize % 16] ^= 1 << (dice / 16 % 8);
                Some(hash)
            });
        }
        // What is the same value to JSON is another one to a guest that is handed the text.
        Damage::Body => {
            row.body =
                row.body.take().map_or(Some(json("null")), |body| (!vanishes).then(|| json(&format!("{} ", body.as_str()))))
        }
        Damage::Time => row.at = row.at.map(|time| time + chrono::TimeDelta::microseconds(1 << bit(40))),
        Damage::Sum => row.sum = row.sum.map(|sum| sum ^ (1 << bit(31))),
        Damage::Swapped(with) => {
            let with = with.index(rows.len());
            if rows[at] == (JournalRow { position: rows[at].position, ..rows[with].clone() }) {
                return None;
            }
            rows.swap(at, with);
            for position in [at, with] {
                rows[position].position = position as i32;
            }
            return Some(at.min(with) as i32);
        }
        Damage::OfAnotherChain => row.sum = row.at.map(|time| row.checksum(execution(), chain - 1, time)),
        Damage::Missing => {
            rows.remove(at);
            // Without its last rows a record is a shorter one, as before they were written.
            return (at < rows.len()).then_some(at as i32 + 1);
        }
    }
    Some(at as i32)
}

proptest! {
    /// However a life is cut into runs, every run is told what the runs before it were told and had written, and goes on from there; at the
    /// end the record alone leads to the same end.
    #[test]
    fn a_workflow_cut_anywhere_goes_on_as_if_it_had_never_stopped((program, events, cuts) in plan()) {
        Life::new(program, events).live(cuts);
    }

    #[test]
    fn whatever_happens_to_a_recorded_row_is_detected_where_it_happened(
        (program, events, cuts) in plan(),
        at in any::<Index>(),
        damage in damage(),
        dice in any::<u32>(),
    ) {
        let mut life = Life::new(program, events);
        life.live(cuts);
        let (chain, clock, mut rows) = (life.world.chain, life.world.clock, life.world.rows);
        let at = at.index(rows.len());
        let opened = |rows| Journal::open(execution(), chain, Digest::of(b"a component"), rows, clock, JournalLimits::default());
        prop_assert!(opened(rows.clone()).is_ok());
        if let Some(position) = damaged(&mut rows, at, &damage, dice, chain) {
            prop_assert_eq!(opened(rows).map(drop).unwrap_err().position, position);
        }
    }
}
