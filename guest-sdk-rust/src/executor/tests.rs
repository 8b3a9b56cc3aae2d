//! What the executor asks of the host, in which order: that, and nothing else, is what a replay is compared with.

use std::time::Duration;

use super::*;
use crate::{Failure, external, join, receive, select, sleep, step, tasks, try_join, workflows};

/// A host that writes down what it is asked, and delivers what the test says, in that order.
struct Script {
    asked: RefCell<Vec<String>>,
    deliveries: RefCell<VecDeque<Delivery>>,
    started: RefCell<Number>,
    /// The outcomes of steps that are on record.
    steps: RefCell<VecDeque<Outcome>>,
}

impl Script {
    fn note(&self, line: String) {
        self.asked.borrow_mut().push(line);
    }

    fn next(&self) -> Number {
        *self.started.borrow_mut() += 1;
        *self.started.borrow()
    }
}

impl Host for Script {
    fn start(&self, request: Request) -> Number {
        let what = match request {
            Request::Task { function, input, .. } => format!("task {function:?} {input}"),
            Request::Workflow { function, input, detached, .. } => format!("workflow {function:?} {input} detached={detached}"),
            Request::Timer(length) => format!("timer {length:?}"),
            Request::Signal(name) => format!("signal {name}"),
        };
        let number = self.next();
        self.note(format!("{number}: {what}"));
        number
    }

    fn external(&self) -> (Number, String) {
        let number = self.next();
        self.note(format!("{number}: external"));
        (number, format!("token-{number}"))
    }

    fn wait(&self, numbers: &[Number]) -> Delivery {
        self.note(format!("wait {numbers:?}"));
        self.deliveries.borrow_mut().pop_front().unwrap_or(Delivery::Never("the script is over".to_owned()))
    }

    fn cancel(&self, number: Number) {
        self.note(format!("cancel {number}"));
    }

    fn begin_step(&self, name: &str) -> Option<Outcome> {
        self.note(format!("begin {name}"));
        self.steps.borrow_mut().pop_front()
    }

    fn end_step(&self, outcome: &Outcome) {
        self.note(format!("end {outcome:?}"));
    }

    fn version(&self, _change: &str, _min: u32, max: u32) -> u32 {
        max
    }

    fn continue_as_new(&self, input: &str) {
        self.note(format!("continue {input}"));
    }

    fn publish(&self, _progress: &str) {}
}

fn done(number: Number, value: &str) -> Delivery {
    Delivery::Completed(number, Ok(value.to_owned()))
}

/// Runs a workflow; answers what it asked, with its outcome as the last line.
fn run<F>(deliveries: impl IntoIterator<Item = Delivery>, flow: F) -> Vec<String>
where
    F: Future<Output = Result<String, Failure>> + 'static,
{
    run_with_steps(deliveries, [], flow)
}

fn run_with_steps<F>(
    deliveries: impl IntoIterator<Item = Delivery>,
    steps: impl IntoIterator<Item = Outcome>,
    flow: F,
) -> Vec<String>
where
    F: Future<Output = Result<String, Failure>> + 'static,
{
    let script = Rc::new(Script {
        asked: RefCell::default(),
        deliveries: RefCell::new(deliveries.into_iter().collect()),
        started: RefCell::default(),
        steps: RefCell::new(steps.into_iter().collect()),
    });
    let (outcome, cancelled) = drive(Rc::clone(&script) as Rc<dyn Host>, Box::pin(flow));
    let mut lines = script.asked.take();
    let cancelled = if cancelled { ", cancelled" } else { "" };
    lines.push(outcome.map_or_else(|failure| format!("{failure}{cancelled}"), |value| format!("= {value}{cancelled}")));
    lines
}

const HOUR: Duration = Duration::from_secs(3600);

fn task(name: &str) -> crate::TaskCall<String> {
    tasks::named(name, &())
}

#[test]
fn a_call_starts_when_it_is_first_polled() {
    let asked = run([done(1, "\"x\""), done(2, "\"y\"")], async {
        let (first, second) = (task("a"), task("b"));
        Ok(first.await? + &second.await?)
    });
    assert_eq!(asked, ["1: task a null", "wait [1]", "2: task b null", "wait [2]", "= xy"]);
}

#[test]
fn a_started_operation_is_waited_for_only_when_somebody_awaits_it() {
    let asked = run([done(2, "null"), done(1, "\"x\"")], async {
        let first = task("a").start();
        sleep(HOUR).await?;
        first.await
    });
    assert_eq!(asked, ["1: task a null", "2: timer 3600s", "wait [2]", "wait [1]", "= x"]);
}

#[test]
fn results_reach_joined_calls_in_the_order_of_their_delivery() {
    let asked = run([done(2, "\"y\""), done(1, "\"x\"")], async {
        let (first, second) = join!(task("a"), task("b"));
        Ok(first? + &second?)
    });
    assert_eq!(asked, ["1: task a null", "2: task b null", "wait [1, 2]", "wait [1]", "= xy"]);
}

#[test]
fn a_hundred_at_once_are_each_woken_by_their_own_result() {
    let deliveries: Vec<_> = (1..=100).rev().map(|number| done(number, &format!("\"{number}\""))).collect();
    let asked = run(deliveries, async {
        let outcomes = crate::join_all((1..=100).map(|_| task("a"))).await;
        let values: Result<Vec<_>, _> = outcomes.into_iter().collect();
        Ok(values?.join(" "))
    });
    let waits = asked.iter().filter(|line| line.starts_with("wait")).count();
    let expected: Vec<_> = (1..=100).map(|number| number.to_string()).collect();
    assert_eq!((waits, asked.last()), (100, Some(&format!("= {}", expected.join(" ")))));
}

#[test]
fn the_loser_of_a_select_is_given_up() {
    let asked = run([done(2, "null"), done(3, "null")], async {
        let winner = select! {
            _ = task("a") => "task",
            _ = sleep(HOUR) => "timer",
        };
        sleep(HOUR).await?;
        Ok(winner.to_owned())
    });
    assert_eq!(asked, ["1: task a null", "2: timer 3600s", "wait [1, 2]", "cancel 1", "3: timer 3600s", "wait [3]", "= timer"]);
}

#[test]
fn a_failed_child_ends_a_try_join_and_its_siblings() {
    let failed = Delivery::Completed(1, Err(Failure::new("broken", "it broke").details(&[1]).not_retryable()));
    let asked = run([failed], async { try_join!(task("a"), task("b")).map(|(first, second)| first + &second) });
    assert_eq!(asked, ["1: task a null", "2: task b null", "wait [1, 2]", "cancel 2", "broken: it broke"]);
}

#[test]
fn a_result_that_does_not_fit_says_so() {
    let asked = run([done(1, "7")], async { task("a").await });
    assert!(asked[2].starts_with("invalid-result: what the workflow was given is not what is expected"), "{asked:?}");
}

#[test]
fn a_step_runs_when_everything_else_is_parked() {
    let asked = run([done(1, "\"x\"")], async {
        let (step, task) = join!(step("pick", || Ok("y".to_owned())), task("a"));
        Ok(step? + &task?)
    });
    assert_eq!(asked, ["1: task a null", "begin pick", "end Ok(\"\\\"y\\\"\")", "wait [1]", "= yx"]);
}

#[test]
fn steps_take_turns() {
    let asked = run([], async {
        let (first, second) = join!(step("a", || Ok("x".to_owned())), step("b", || Ok("y".to_owned())));
        Ok(first? + &second?)
    });
    assert_eq!(asked, ["begin a", "end Ok(\"\\\"x\\\"\")", "begin b", "end Ok(\"\\\"y\\\"\")", "= xy"]);
}

#[test]
fn a_recorded_step_does_not_run() {
    let asked = run_with_steps([], [Ok("\"recorded\"".to_owned())], async {
        step("pick", || -> Result<String, Failure> { unreachable!("it is on record") }).await
    });
    assert_eq!(asked, ["begin pick", "= recorded"]);
}

#[test]
fn a_step_that_is_dropped_in_time_never_runs() {
    let asked = run([done(1, "\"x\"")], async {
        let outcome = {
            let at_once = futures_util::future::ready(Ok("at once".to_owned()));
            let (mut late, mut at_once) = (step("late", || Ok(String::new())), at_once);
            select! { late = late => late, at_once = at_once => at_once }
        };
        task("a").await?;
        outcome
    });
    assert_eq!(asked, ["1: task a null", "wait [1]", "= at once"]);
}

#[test]
fn cancellation_reaches_what_is_awaited_once_and_operations_work_afterwards() {
    let asked = run([Delivery::Cancelled, done(3, "\"undone\"")], async {
        let (pause, signal) = join!(sleep(HOUR), receive::<String>("go"));
        assert!(pause.unwrap_err().is_cancelled() && signal.unwrap_err().is_cancelled());
        assert!(crate::is_cancelled());
        task("undo").await?;
        Err(Failure::cancelled())
    });
    assert_eq!(
        asked,
        [
            "1: timer 3600s",
            "2: signal go",
            "wait [1, 2]",
            "cancel 1",
            "cancel 2",
            "3: task undo null",
            "wait [3]",
            "cancelled: cancellation was requested, cancelled"
        ]
    );
}

#[test]
fn detached_children_are_not_cancelled() {
    let asked = run([done(1, "null"), Delivery::Cancelled], async {
        select! { _ = sleep(HOUR) => {}, _ = workflows::named::<String>("child", &7).detached() => {} }
        workflows::named::<String>("other", &7).detached().await
    });
    assert_eq!(
        asked,
        [
            "1: timer 3600s",
            "2: workflow child 7 detached=true",
            "wait [1, 2]",
            "3: workflow other 7 detached=true",
            "wait [3]",
            "cancelled: cancellation was requested, cancelled"
        ]
    );
}

#[test]
fn what_is_held_after_it_was_polled_stays_waited_for() {
    let asked = run([done(1, "null"), done(2, "\"x\""), done(3, "null")], async {
        let mut held = task("a");
        select! { _ = sleep(HOUR) => {}, _ = held => {} }
        sleep(HOUR).await?;
        held.await
    });
    assert_eq!(asked, ["1: timer 3600s", "2: task a null", "wait [1, 2]", "3: timer 3600s", "wait [2, 3]", "wait [3]", "= x"]);
}

#[test]
fn a_detached_operation_goes_on_and_is_forgotten() {
    let asked = run([], async {
        task("audit").start().detach();
        Ok("done".to_owned())
    });
    assert_eq!(asked, ["1: task audit null", "= done"]);
}

#[test]
fn a_message_with_a_time_limit_gives_up_the_loser() {
    let asked = run([done(2, "null"), done(3, "\"go\"")], async {
        let early: Option<String> = receive("go").timeout(HOUR).await?;
        assert_eq!(early, None);
        let late: Option<String> = receive("go").timeout(HOUR).await?;
        Ok(late.unwrap_or_default())
    });
    assert_eq!(
        asked,
        [
            "1: signal go",
            "2: timer 3600s",
            "wait [1, 2]",
            "cancel 1",
            "3: signal go",
            "4: timer 3600s",
            "wait [3, 4]",
            "cancel 4",
            "= go"
        ]
    );
}

#[test]
fn an_external_result_is_started_at_once() {
    let asked = run([done(1, "\"yes\"")], async {
        let answer = external::<String>()?;
        assert_eq!(answer.token(), "token-1");
        answer.await
    });
    assert_eq!(asked, ["1: external", "wait [1]", "= yes"]);
}

#[test]
fn what_nothing_can_wake_is_a_failure_and_not_a_hang() {
    let asked = run([], async { std::future::pending().await });
    assert!(asked[0].starts_with("stuck: the workflow can never go on"), "{asked:?}");
}

#[test]
fn what_is_dropped_with_a_run_that_is_over_is_not_cancelled() {
    let asked = run([], async {
        let _pause = sleep(HOUR).start();
        std::future::pending().await
    });
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[test]
fn a_future_that_wakes_itself_is_polled_again() {
    let asked = run([], async {
        let mut turns = 0;
        std::future::poll_fn(|context| {
            turns += 1;
            context.waker().wake_by_ref();
            if turns < 3 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        Ok(turns.to_string())
    });
    assert_eq!(asked, ["= 3"]);
}

#[test]
fn a_run_that_continues_as_new_is_over() {
    let asked = run([], async { crate::continue_as_new(&7).await });
    assert_eq!(asked, ["continue 7", "= null"]);
}
