//! One test per rule of replay. That they hold together, whatever a workflow does and wherever it is cut, is in `properties`.

use chrono::TimeDelta;
use currant_core::executions::Failure;
use uuid::Uuid;

use super::*;
use crate::limit::{Limit, LimitExceeded};

const TASK: &str = "charge";

/// A workflow over several runs: what is on record, what waits in its inbox, and the database's clock.
pub(super) struct World {
    pub(super) chain: i32,
    pub(super) rows: Vec<JournalRow>,
    pub(super) inbox: Vec<News>,
    pub(super) arrivals: i32,
    pub(super) clock: DateTime<Utc>,
    pub(super) limits: JournalLimits,
}

impl World {
    pub(super) fn new() -> World {
        let clock = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let limits = JournalLimits::default();
        World { chain: 1, rows: Vec::new(), inbox: Vec::new(), arrivals: 0, clock, limits }
    }

    /// A run as a worker claims it: on the record, with the inbox.
    pub(super) fn claim(&self) -> Journal {
        let digest = Digest::of(b"a component");
        let mut journal = Journal::open(execution(), self.chain, digest, self.rows.clone(), self.clock, self.limits).unwrap();
        journal.arrived(self.inbox.clone(), self.arrivals, self.clock);
        journal
    }

    /// What the committer does with a run's writes; answers the children that start.
    pub(super) fn commit(&mut self, journal: &mut Journal) -> Vec<NewChild> {
        let clock = self.clock;
        let writes = journal.take_writes();
        self.inbox.retain(|news| !writes.delivered.contains(&news.arrival));
        self.record(writes.entries);
        journal.written(clock);
        writes.children
    }

    /// Puts entries on record; those without a time get that of the clock.
    fn record(&mut self, entries: Vec<JournalRow>) {
        let (chain, clock) = (self.chain, self.clock);
        self.rows.extend(entries.into_iter().map(|row| {
            let at = row.at.unwrap_or(clock);
            JournalRow { at: Some(at), sum: Some(row.checksum(execution(), chain, at)), ..row }
        }));
    }

    pub(super) fn news(&mut self, kind: NewsKind) {
        self.arrivals += 1;
        self.inbox.push(News { arrival: self.arrivals, kind, at: self.clock });
    }

    pub(super) fn completion(&mut self, operation: u32, value: &str) {
        self.news(NewsKind::Completion { chain: self.chain, operation, outcome: Ok(json(value)) });
    }

    pub(super) fn signal(&mut self, name: &str, value: &str) {
        self.news(NewsKind::Signal { name: name.into(), payload: json(value) });
    }

    pub(super) fn later(&mut self, milliseconds: i64) {
        self.clock += TimeDelta::milliseconds(milliseconds);
    }
}

pub(super) fn execution() -> ExecutionId {
    ExecutionId::from(Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001))
}

pub(super) fn json(text: &str) -> Json {
    Json::parse(text.to_string()).unwrap()
}

pub(super) fn task(journal: &mut Journal, input: &str) -> Result<u32, Fault> {
    journal.start(Kind::Task, FunctionName::parse(TASK).unwrap(), json(input), StartOptions::default(), false)
}

fn delivered(operation: u32, value: &str) -> Wait {
    Wait::Delivered { operation, outcome: Outcome::Completed(value.into()) }
}

fn kinds(world: &World) -> Vec<&str> {
    world.rows.iter().map(|row| row.kind.as_str()).collect()
}

#[test]
fn a_fresh_run_records_its_start_its_calls_and_its_deliveries() {
    let mut world = World::new();
    let mut run = world.claim();
    let charge = task(&mut run, "1").unwrap();
    assert!(matches!(run.wait(&[charge], true), Ok(Wait::Blocked(_))));
    world.commit(&mut run);
    world.completion(charge, "\"paid\"");

    let mut run = world.claim();
    assert!(run.replaying());
    assert_eq!(task(&mut run, "1"), Ok(charge));
    assert!(!run.replaying());
    assert_eq!(run.wait(&[charge], true), Ok(delivered(charge, "\"paid\"")));
    world.commit(&mut run);

    assert_eq!(kinds(&world), ["started", "task", "completed"]);
    assert!(world.inbox.is_empty());
}

#[test]
fn a_child_is_started_once_however_often_its_call_is_replayed() {
    let mut world = World::new();
    let mut run = world.claim();
    task(&mut run, "1").unwrap();
    let started = world.commit(&mut run);
    assert_eq!(started.len(), 1);

    let mut run = world.claim();
    task(&mut run, "1").unwrap();
    assert!(world.commit(&mut run).is_empty());
    assert_eq!(started[0].id, ExecutionId::of_child(execution(), 1, 1));
}

#[test]
fn values_come_back_byte_for_byte() {
    let text = "  {\"b\" : 1.0, \"a\":1e2, \"b\": 12345678901234567890 } ";
    let mut world = World::new();
    let mut run = world.claim();
    let charge = task(&mut run, "1").unwrap();
    world.commit(&mut run);
    world.completion(charge, text);
    for _ in 0..2 {
        let mut run = world.claim();
        task(&mut run, "1").unwrap();
        assert_eq!(run.wait(&[charge], true), Ok(delivered(charge, text)));
        world.commit(&mut run);
    }
}

#[test]
fn a_different_call_is_a_divergence_that_shows_both_sides_and_writes_nothing() {
    let mut world = World::new();
    let mut run = world.claim();
    task(&mut run, "1").unwrap();
    world.commit(&mut run);

    let mut run = world.claim();
    let Err(Fault::Diverged(divergence)) = run.start_timer(5) else { panic!("the record says otherwise") };
    assert_eq!(divergence.position, 1);
    assert!(divergence.recorded.starts_with("start task `charge`, input "), "{}", divergence.recorded);
    assert_eq!(divergence.called, "start timer of 5 ms");
    assert!(run.take_writes().is_empty());
}

#[test]
fn another_input_or_another_option_is_a_divergence() {
    let mut world = World::new();
    let mut run = world.claim();
    task(&mut run, "1").unwrap();
    world.commit(&mut run);

    assert!(matches!(task(&mut world.claim(), "2"), Err(Fault::Diverged(_))));
    let urgent = StartOptions { priority: Some(9), ..StartOptions::default() };
    let name = FunctionName::parse(TASK).unwrap();
    assert!(matches!(world.claim().start(Kind::Task, name, json("1"), urgent, false), Err(Fault::Diverged(_))));
}

#[test]
fn returning_before_the_record_ends_is_a_divergence() {
    let mut world = World::new();
    let mut run = world.claim();
    run.start_timer(5).unwrap();
    world.commit(&mut run);
    let divergence = world.claim().finish("return of the workflow").unwrap_err();
    assert_eq!(divergence.called, "return of the workflow");
}

#[test]
fn a_recorded_delivery_wins_over_what_has_arrived_since() {
    let mut world = World::new();
    let mut run = world.claim();
    let (a, b) = (task(&mut run, "1").unwrap(), task(&mut run, "2").unwrap());
    world.commit(&mut run);
    world.completion(b, "2");
    run.arrived(world.inbox.clone(), world.arrivals, world.clock);
    assert_eq!(run.wait(&[a, b], true), Ok(delivered(b, "2")));
    world.commit(&mut run);
    world.completion(a, "1");

    let mut run = world.claim();
    task(&mut run, "1").unwrap();
    task(&mut run, "2").unwrap();
    assert_eq!(run.wait(&[a, b], true), Ok(delivered(b, "2")));
    assert_eq!(run.wait(&[a], true), Ok(delivered(a, "1")));
}

#[test]
fn the_order_of_arrival_is_the_order_of_delivery() {
    let mut world = World::new();
    let mut run = world.claim();
    let (a, b) = (task(&mut run, "1").unwrap(), task(&mut run, "2").unwrap());
    world.completion(b, "2");
    world.completion(a, "1");
    run.arrived(world.inbox.clone(), world.arrivals, world.clock);
    assert_eq!(run.wait(&[a, b], true), Ok(delivered(b, "2")));
    assert_eq!(run.wait(&[a], true), Ok(delivered(a, "1")));
}

#[test]
fn a_timer_counts_from_the_time_at_which_it_was_recorded() {
    let mut world = World::new();
    let mut run = world.claim();
    let timer = run.start_timer(1_000).unwrap();
    assert_eq!(run.wait(&[timer], true), Ok(Wait::Blocked(Blocked { until: None, shortest_new_timer: Some(1_000) })));
    world.later(500);
    world.commit(&mut run);
    let due = world.clock + TimeDelta::milliseconds(1_000);
    assert_eq!(run.wait(&[timer], true), Ok(Wait::Blocked(Blocked { until: Some(due), shortest_new_timer: None })));
    world.later(3_000);
    run.arrived([], 0, world.clock);
    assert_eq!(run.wait(&[timer], true), Ok(delivered(timer, "null")));
    assert_eq!(run.now(), due, "the workflow's time is when the timer was due, not when somebody looked");
}

#[test]
fn of_a_timer_and_a_signal_the_earlier_is_delivered() {
    for (signal_after, first) in [(100, "signal"), (2_000, "timer")] {
        let mut world = World::new();
        let mut run = world.claim();
        let timer = run.start_timer(1_000).unwrap();
        let signal = run.receive_signal("go".into()).unwrap();
        world.commit(&mut run);
        world.later(signal_after);
        world.signal("go", "1");
        world.later(5_000);
        run.arrived(world.inbox.clone(), world.arrivals, world.clock);
        let expected = if first == "signal" { delivered(signal, "1") } else { delivered(timer, "null") };
        assert_eq!(run.wait(&[timer, signal], true), Ok(expected));
    }
}

#[test]
fn a_timer_that_became_due_while_news_was_loaded_comes_before_it() {
    let mut world = World::new();
    let mut run = world.claim();
    let timer = run.start_timer(1_000).unwrap();
    let signal = run.receive_signal("go".into()).unwrap();
    world.commit(&mut run);
    let looked = world.clock;
    world.later(1_500);
    world.signal("go", "1");
    run.arrived(world.inbox.clone(), 0, looked);
    assert_eq!(run.wait(&[timer, signal], true), Ok(delivered(timer, "null")));
}

#[test]
fn children_are_closed_when_each_is_known_to_have_ended() {
    let mut world = World::new();
    let mut run = world.claim();
    assert!(run.take_writes().children_are_closed, "there are none");
    let mut run = world.claim();
    let [first, second] = [task(&mut run, "1").unwrap(), task(&mut run, "2").unwrap()];
    world.commit(&mut run);
    world.completion(first, "1");

    let mut run = world.claim();
    assert!(!run.take_writes().children_are_closed, "a run that ends here has not said yet what it started");
    let mut run = world.claim();
    task(&mut run, "1").unwrap();
    task(&mut run, "2").unwrap();
    assert_eq!(run.wait(&[first, second], true), Ok(delivered(first, "1")));
    assert!(!run.take_writes().children_are_closed);
    run.cancel(second).unwrap();
    assert!(run.take_writes().children_are_closed, "what is given up is cancelled");
}

#[test]
fn a_shared_child_that_is_given_up_may_go_on() {
    let world = World::new();
    let mut run = world.claim();
    let options = StartOptions { task_id: Some("order-42".parse().unwrap()), ..StartOptions::default() };
    let child = run.start(Kind::Task, FunctionName::parse(TASK).unwrap(), json("1"), options, false).unwrap();
    run.cancel(child).unwrap();
    assert!(!run.take_writes().children_are_closed, "others may wait for it");
}

#[test]
fn signals_that_came_first_are_kept_in_order() {
    let mut world = World::new();
    world.signal("go", "1");
    world.signal("other", "0");
    world.signal("go", "2");
    let mut run = world.claim();
    let first = run.receive_signal("go".into()).unwrap();
    assert_eq!(run.wait(&[first], true), Ok(delivered(first, "1")));
    let second = run.receive_signal("go".into()).unwrap();
    assert_eq!(run.wait(&[second], true), Ok(delivered(second, "2")));
    world.commit(&mut run);
    assert_eq!(world.inbox.len(), 1, "the signal that nobody asked for is kept");
}

#[test]
fn a_cancelled_receive_consumes_no_signal() {
    let mut world = World::new();
    let mut run = world.claim();
    let given_up = run.receive_signal("go".into()).unwrap();
    run.cancel(given_up).unwrap();
    world.signal("go", "1");
    run.arrived(world.inbox.clone(), world.arrivals, world.clock);
    let receive = run.receive_signal("go".into()).unwrap();
    assert_eq!(run.wait(&[receive], true), Ok(delivered(receive, "1")));
    assert!(matches!(run.wait(&[given_up], true), Err(Fault::Refused(_))));
}

#[test]
fn a_cancellation_is_told_once_and_further_operations_work() {
    let mut world = World::new();
    let mut run = world.claim();
    let charge = task(&mut run, "1").unwrap();
    world.commit(&mut run);
    world.news(NewsKind::Cancel);
    world.completion(charge, "1");
    for _ in 0..2 {
        let mut run = world.claim();
        assert_eq!(task(&mut run, "1"), Ok(charge));
        assert_eq!(run.wait(&[charge], true), Ok(Wait::Cancelled));
        let undo = run.start_timer(1).unwrap();
        assert_eq!(run.wait(&[charge, undo], true), Ok(delivered(charge, "1")));
        world.commit(&mut run);
    }
    assert_eq!(kinds(&world), ["started", "task", "cancelled", "timer", "completed"]);
}

#[test]
fn a_sleep_of_the_language_is_not_told_of_a_cancellation() {
    let mut world = World::new();
    let mut run = world.claim();
    let timer = run.start_timer(1).unwrap();
    world.commit(&mut run);
    world.news(NewsKind::Cancel);
    world.later(10);
    run.arrived(world.inbox.clone(), world.arrivals, world.clock);
    assert_eq!(run.wait(&[timer], false), Ok(delivered(timer, "null")));
    let next = run.start_timer(1).unwrap();
    assert_eq!(run.wait(&[next], true), Ok(Wait::Cancelled));
}

#[test]
fn a_step_is_recorded_once_and_what_it_drew_changes_nothing_later() {
    let mut world = World::new();
    let mut after = Vec::new();
    for drawn_inside in [7, 0] {
        let mut run = world.claim();
        match run.begin_step("pick".into()).unwrap() {
            BeganStep::Runs => {
                run.fill_random(&mut vec![0; drawn_inside]);
                assert!(matches!(run.start_timer(1), Err(Fault::Refused(_))), "nothing durable inside a step");
                run.end_step(Outcome::Completed("4".into())).unwrap();
            }
            BeganStep::Recorded(outcome) => assert_eq!(outcome, Outcome::Completed("4".into())),
        }
        let mut draw = [0; 40];
        run.fill_random(&mut draw);
        after.push(draw);
        world.commit(&mut run);
    }
    assert_eq!(after[0], after[1]);
    assert_eq!(kinds(&world), ["started", "step"]);
}

#[test]
fn a_failed_step_is_recorded_as_failed() {
    let mut world = World::new();
    let failure = Failure { details: Some(json("[1]")), ..Failure::of_host("declined", "no", false) };
    let mut run = world.claim();
    run.begin_step("pay".into()).unwrap();
    run.end_step(Outcome::Failed(failure.clone())).unwrap();
    world.commit(&mut run);
    let recorded = world.claim().begin_step("pay".into());
    assert_eq!(recorded, Ok(BeganStep::Recorded(Outcome::Failed(failure))));
}

#[test]
fn random_follows_from_the_execution_and_differs_between_executions() {
    let draw = |execution: ExecutionId| {
        let mut run =
            Journal::open(execution, 1, Digest::of(b""), Vec::new(), World::new().clock, JournalLimits::default()).unwrap();
        let (mut one, mut whole) = ([0; 5], [0; 64]);
        run.fill_random(&mut one);
        run.fill_random(&mut whole);
        (one, whole)
    };
    let other = ExecutionId::from(Uuid::from_u128(2));
    assert_eq!(draw(execution()), draw(execution()));
    assert_ne!(draw(execution()), draw(other));
}

#[test]
fn a_version_is_the_newest_for_new_runs_and_the_recorded_one_afterwards() {
    let mut world = World::new();
    let mut run = world.claim();
    assert_eq!(run.version("fees".into(), 1, 2), Ok(2));
    world.commit(&mut run);
    assert_eq!(world.claim().version("fees".into(), 1, 3), Ok(2));
    assert!(matches!(world.claim().version("fees".into(), 3, 4), Err(Fault::Diverged(_))));
}

#[test]
fn news_of_an_earlier_chain_and_of_closed_operations_is_thrown_away() {
    let mut world = World::new();
    let mut run = world.claim();
    let charge = task(&mut run, "1").unwrap();
    world.news(NewsKind::Completion { chain: 0, operation: charge, outcome: Ok(json("0")) });
    world.completion(charge, "1");
    world.completion(charge, "again, after a retry by hand".to_string().as_str().len().to_string().as_str());
    run.arrived(world.inbox.clone(), world.arrivals, world.clock);
    assert_eq!(run.wait(&[charge], true), Ok(delivered(charge, "1")));
    let timer = run.start_timer(1).unwrap();
    run.wait(&[timer], true).unwrap();
    world.commit(&mut run);
    assert!(world.inbox.is_empty());
}

#[test]
fn what_breaks_the_contract_is_refused_in_words() {
    let mut run = World::new().claim();
    let texts = [run.wait(&[], true).unwrap_err(), run.wait(&[3], true).unwrap_err()];
    let Fault::Refused(nothing) = &texts[0] else { panic!() };
    let Fault::Refused(unknown) = &texts[1] else { panic!() };
    assert_eq!(nothing, "wait: the list of operations is empty");
    assert_eq!(unknown, "operation 3 was never started");
    assert!(matches!(run.end_step(Outcome::Completed("1".into())), Err(Fault::Refused(_))));
}

/// A workflow that asks for signals and gives up on them, and what ends it.
fn until_full(run: &mut Journal) -> Fault {
    loop {
        match run.receive_signal("x".repeat(40)).and_then(|receive| run.cancel(receive)) {
            Ok(()) => {}
            Err(fault) => return fault,
        }
    }
}

#[test]
fn a_full_journal_ends_the_run_and_names_what_is_full() {
    let limits = JournalLimits { operations: 10, length: 1_000, bytes: 10_000 };
    for (limits, expected) in [
        (limits, Limit::Operations),
        (JournalLimits { length: 15, ..limits }, Limit::JournalLength),
        (JournalLimits { bytes: 300, ..limits }, Limit::JournalBytes),
    ] {
        let mut world = World { limits, ..World::new() };
        let mut run = world.claim();
        let Fault::Exceeded(exceeded) = until_full(&mut run) else { panic!("it is something else") };
        assert_eq!(exceeded.limit, expected, "{exceeded}");
        world.commit(&mut run);
        let length = |text: Option<&str>| text.map_or(0, str::len);
        let size = |row: &JournalRow| length(row.name.as_deref()) + length(row.body.as_ref().map(Json::as_str));
        let size: usize = world.rows.iter().map(size).sum();
        let started = world.rows.iter().filter(|row| row.operation.is_some() && row.kind != "cancel").count();
        assert!(started <= limits.operations as usize && world.rows.len() <= limits.length as usize);
        assert!(size as u64 <= limits.bytes, "{size}");
    }
}

#[test]
fn a_step_does_not_run_that_could_not_be_recorded() {
    let limits = JournalLimits { operations: 1, ..JournalLimits::default() };
    let mut run = World { limits, ..World::new() }.claim();
    run.start_timer(1).unwrap();
    assert!(matches!(run.begin_step("charge".into()), Err(Fault::Exceeded(LimitExceeded { limit: Limit::Operations, .. }))));
}

#[test]
fn four_fifths_of_a_limit_are_warned_of_once() {
    let mut world = World { limits: JournalLimits { operations: 10, length: 1_000, bytes: 100_000 }, ..World::new() };
    let mut warnings = Vec::new();
    for started in 1..=9 {
        // Replayed every time.
        let mut run = world.claim();
        for _ in 0..started {
            run.start_timer(1).unwrap();
        }
        let writes = run.take_writes();
        warnings.extend(writes.warning.map(|warning| (started, warning)));
        world.record(writes.entries);
    }
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].0 == 8 && warnings[0].1.contains("8 of 10 operations"), "{warnings:?}");
}

#[test]
fn a_limit_that_was_lowered_stops_the_next_entry_and_not_the_replay() {
    let mut world = World::new();
    let mut run = world.claim();
    for _ in 0..20 {
        run.start_timer(1).unwrap();
    }
    world.commit(&mut run);
    world.limits.operations = 5;
    let mut run = world.claim();
    for _ in 0..20 {
        run.start_timer(1).unwrap();
    }
    assert!(!run.replaying());
    assert!(matches!(run.start_timer(1), Err(Fault::Exceeded(_))));
}

#[test]
fn a_gap_or_an_unknown_kind_is_reported_as_corruption() {
    let mut world = World::new();
    let mut run = world.claim();
    run.start_timer(1).unwrap();
    run.start_timer(2).unwrap();
    world.commit(&mut run);
    let open = |rows| {
        Journal::open(execution(), 1, Digest::of(b""), rows, World::new().clock, JournalLimits::default())
            .map(drop)
            .unwrap_err()
    };

    let mut gap = world.rows.clone();
    gap.remove(1);
    assert_eq!(open(gap), Corrupted { position: 2, reason: "position 1 is missing".into() });
    let mut unknown = world.rows.clone();
    unknown[1].kind = "wish".into();
    unknown[1].sum = unknown[1].at.map(|at| unknown[1].checksum(execution(), 1, at));
    assert_eq!(open(unknown), Corrupted { position: 1, reason: "the kind `wish` is not known".into() });
    assert_eq!(open(world.rows[1..].to_vec()).position, 1);
}
