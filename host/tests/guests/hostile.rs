//! What the sandbox must survive: each ends in a failure with a name, and the runtime goes on.

use std::time::Duration;

use currant_host::guest::{Returned, Stop};
use currant_host::runtime::RuntimeSettings;
use serde_json::json;

use crate::world::{World, settings};

impl World {
    async fn fails_and_goes_on(&self, function: &str, input: &str) -> (String, String) {
        let failure = self.failed(function, input).await;
        assert_eq!(self.completed("echo", "1").await, json!(1), "after {function}");
        (failure.code, failure.message)
    }
}

#[tokio::test]
async fn a_panic_is_a_trap_with_its_message() {
    let world = World::new().await;
    let failure = world.failed("panic", "\"no such order\"").await;
    assert_eq!(failure.code, "trap");
    assert!(failure.message.contains("no such order") && failure.message.contains("misdeeds.rs"), "{failure:?}");
    assert!(!failure.message.contains("RUST_BACKTRACE"), "{failure:?}");
    assert!(failure.retryable && failure.details.unwrap().as_str().contains("backtrace"));
}

#[tokio::test]
async fn a_loop_without_an_end_is_stopped_for_the_reason_given() {
    let world = World::new().await;
    for reason in [Stop::TimedOut, Stop::Cancelled, Stop::Abandoned] {
        let world = World { stop: Default::default(), logs: Default::default(), ..World::new().await };
        let stop = world.stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.stop(reason);
        });
        // On this one thread the timer above only fires if the guest yields.
        assert_eq!(world.task("loop_forever", "null").await, Returned::Stopped(reason));
    }
    assert_eq!(world.completed("echo", "1").await, json!(1));
}

#[tokio::test]
async fn endless_recursion_ends_with_the_stack() {
    let world = World::new().await;
    // Rust keeps a stack of its own in linear memory, and runs out of that one first.
    let (code, message) = world.fails_and_goes_on("recurse", "null").await;
    assert_eq!(code, "trap");
    assert!(message.contains("recursion"), "{message}");
}

#[tokio::test]
async fn too_much_memory_names_the_setting() {
    let world = World::new().await;
    let (code, message) = world.fails_and_goes_on("allocate", "3000").await;
    assert_eq!(code, "out-of-memory");
    assert!(message.contains("256 MiB") && message.contains("memory_limit"), "{message}");
}

#[tokio::test]
async fn too_much_output_is_dropped_and_far_too_much_ends_it() {
    let world = World::with(RuntimeSettings { log_limit: 10_000, ..settings() }).await;
    world.completed("print", "100000").await;
    let lines = world.logs.all();
    assert!(lines.len() < 140, "{}", lines.len());
    assert!(lines.last().unwrap().1.contains("log_limit"), "{:?}", lines.last());
    let (code, message) = world.fails_and_goes_on("print", "200000000").await;
    assert_eq!(code, "limit-exceeded");
    assert!(message.contains("output_limit"), "{message}");
}

#[tokio::test]
async fn too_large_a_result_names_the_setting() {
    let world = World::new().await;
    for bytes in ["4194304", "50000000"] {
        let (code, message) = world.fails_and_goes_on("big_result", bytes).await;
        assert_eq!(code, "limit-exceeded");
        assert!(message.contains("result_limit"), "{message}");
    }
    assert_eq!(world.completed("big_result", "4000000").await.as_str().unwrap().len(), 4_000_000);
}

#[tokio::test]
async fn exit_is_a_trap() {
    let world = World::new().await;
    let (code, message) = world.fails_and_goes_on("exit", "3").await;
    assert_eq!(code, "trap");
    assert!(message.contains("exit"), "{message}");
}

#[tokio::test]
async fn an_unknown_function_is_the_guests_own_failure() {
    let world = World::new().await;
    let (code, _) = world.fails_and_goes_on("no_such_function", "null").await;
    assert_eq!(code, "unknown-function");
}

#[tokio::test]
async fn more_executions_than_instances_wait_for_their_turn() {
    let world = World::with(RuntimeSettings { instances: 2, ..settings() }).await;
    let all = futures_util::future::join_all((0..20).map(|_| world.completed("sleep", "5"))).await;
    assert_eq!(all.len(), 20);
}
