//! Workflows run natively: what the test kit promises to those who test their modules with it.

use std::time::Duration;

use currant::testing::Run;
use currant::{Failure, select};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    number: u32,
}

/// Fails twice.
#[currant::task(retries = 3, backoff = "1s", multiplier = 2.0)]
fn flaky(order: Order) -> Result<(u32, u32), Failure> {
    match currant::context().attempt {
        attempt @ 1..=2 => Err(Failure::new("busy", format!("attempt {attempt}"))),
        attempt => Ok((order.number, attempt)),
    }
}

#[currant::task]
fn add(left: u32, mut right: u32) -> Result<u32, Failure> {
    right += left;
    Ok(right)
}

#[currant::task(name = "parse-number")]
fn parse(text: String) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

#[currant::workflow]
async fn call_flaky(order: Order) -> Result<(u32, u32), Failure> {
    flaky(order).await
}

#[currant::workflow]
async fn parent() -> Result<u32, Failure> {
    currant::sleep(Duration::from_secs(10)).await?;
    let (_, attempt) = call_flaky(Order { number: 1 }).await?;
    add(attempt, 1).await
}

#[currant::workflow]
async fn first_of_two() -> Result<String, Failure> {
    let mut second = currant::receive::<String>("b");
    let winner = select! {
        first = currant::receive::<String>("a") => first?,
        second = second => second?,
    };
    Ok(winner)
}

#[currant::workflow]
async fn cancellable() -> Result<u32, Failure> {
    match currant::sleep(Duration::from_secs(100)).await {
        Err(failure) if failure.is_cancelled() => add(1, 2).await,
        other => other.map(|()| 0),
    }
}

#[currant::task]
fn limited() -> Result<u32, Failure> {
    if currant::last_progress::<u32>().is_none() {
        currant::heartbeat(&7);
        return Err(Failure::rate_limited(Duration::from_secs(60)));
    }
    Ok(currant::context().attempt)
}

#[test]
fn retries_follow_the_attribute_and_take_the_workflows_time() {
    let mut run = Run::new();
    assert_eq!(run.call(call_flaky(Order { number: 5 })), Ok((5, 3)));
    assert_eq!(run.called("flaky"), 3);
    assert_eq!(run.elapsed(), Duration::from_secs(3));
}

#[test]
fn options_of_a_call_count() {
    let failure = Run::new().call(flaky(Order { number: 5 }).retries(1)).unwrap_err();
    assert_eq!(failure.message(), "attempt 2");
}

#[test]
fn children_begin_at_their_parents_time() {
    let mut run = Run::new();
    assert_eq!(run.call(parent()), Ok(4));
    assert_eq!(run.elapsed(), Duration::from_secs(13));
}

#[test]
fn the_earlier_message_wins() {
    let run = Run::new().signal_after(Duration::from_secs(9), "a", &"slow");
    assert_eq!(run.signal_after(Duration::from_secs(3), "b", &"quick").call(first_of_two()), Ok("quick".to_owned()));
}

#[test]
fn a_message_that_never_comes_is_named() {
    let failure = Run::new().call(first_of_two()).unwrap_err();
    assert_eq!(failure.code(), "stuck");
    assert!(failure.message().contains("the signal `a` or the signal `b`"), "{failure}");
}

#[test]
fn a_cancelled_workflow_can_go_on() {
    let mut run = Run::new().cancel_after(Duration::from_secs(1));
    assert_eq!(run.call(cancellable()), Ok(3));
    assert_eq!(run.elapsed(), Duration::from_secs(1));
}

#[test]
fn a_rate_limit_costs_no_attempt() {
    let mut run = Run::new();
    assert_eq!(run.call(limited()), Ok(1));
    assert_eq!(run.elapsed(), Duration::from_secs(60));
}

#[currant::workflow]
async fn in_a_hurry() -> Result<(), Failure> {
    currant::step("call", || Err(Failure::rate_limited(Duration::from_secs(60)))).await
}

#[test]
fn a_workflow_pauses_no_queue() {
    let mut run = Run::new();
    assert_eq!(run.call(in_a_hurry()).unwrap_err().code(), "rate-limited");
    assert_eq!((run.called("in_a_hurry"), run.elapsed()), (1, Duration::ZERO));
}

#[test]
fn a_functions_own_error_is_a_failure() {
    assert_eq!(parse("x".to_owned()).run().unwrap_err().code(), "ParseIntError");
    assert_eq!(parse("7".to_owned()).run(), Ok(7));
}

#[test]
fn a_mock_stands_for_a_function_of_the_same_name() {
    let mut run = Run::new().mock("flaky", |order: Order| Ok((order.number, 99)));
    assert_eq!(run.call(call_flaky(Order { number: 5 })), Ok((5, 99)));
}

#[test]
fn an_input_that_does_not_fit_names_the_function_and_the_place() {
    let failure = currant::tasks::named::<u32>("add", &("x", 1)).run().unwrap_err();
    assert!(!failure.is_retryable());
    assert_eq!(
        failure.to_string(),
        "invalid-input: the input of `add` is not what is expected: [0]: invalid type: string \"x\", expected u32 at line 1 column 4"
    );
}

#[test]
fn operations_are_refused_outside_a_workflow() {
    assert_eq!(currant::external::<u32>().unwrap_err().code(), "not-in-workflow");
}
