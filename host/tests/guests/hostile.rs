//! What the sandbox must survive: each ends in a failure with a name, and the runtime goes on.

use std::sync::Arc;
use std::time::Duration;

use currant_host::guest::{Returned, Stop};
use currant_host::runtime::RuntimeSettings;
use serde_json::json;

use crate::bare::Bare;
use crate::world::{FakeRun, World, failure, guest, settings};

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
    assert!(message.contains("256 MiB") && message.contains("worker.memory_limit"), "{message}");
}

#[tokio::test]
async fn too_much_output_is_dropped_and_far_too_much_ends_it() {
    let world = World::with(RuntimeSettings { log_limit: 10_000, ..settings() }).await;
    world.completed("print", "100000").await;
    let lines = world.logs.all();
    assert!(lines.len() < 140, "{}", lines.len());
    assert!(lines.last().unwrap().1.contains("log_limit"), "{:?}", lines.last());
    let (code, message) = world.fails_and_goes_on("print", "200000000").await;
    assert_eq!(code, "output-limit");
    assert!(message.contains("worker.output_limit"), "{message}");
}

#[tokio::test]
async fn log_lines_count_as_output() {
    let world = World::of(guest("hostile"), RuntimeSettings { output_limit: 100_000, ..settings() }).await;
    world.completed("log_lines", "90").await;
    let failure = world.failed("log_lines", "110").await;
    assert_eq!(failure.code, "output-limit");
    assert!(failure.message.contains("worker.output_limit"), "{failure:?}");
}

#[tokio::test]
async fn too_large_a_result_names_the_setting() {
    let world = World::new().await;
    for bytes in ["4194304", "50000000"] {
        let (code, message) = world.fails_and_goes_on("big_result", bytes).await;
        assert_eq!(code, "payload-limit");
        assert!(message.contains("PAYLOAD_BYTES"), "{message}");
    }
    assert_eq!(world.completed("big_result", "4000000").await.as_str().unwrap().len(), 4_000_000);
}

#[tokio::test]
async fn a_value_is_bounded_wherever_a_guest_hands_one_over() {
    let settings = RuntimeSettings { payload_limit: 10_000, ..settings() };
    let world = World::of(guest("hostile"), settings.clone()).await;
    for function in ["big_input", "big_progress", "big_continuation"] {
        let failure = failure(world.workflow(function, "10001", &FakeRun::new(1)).await);
        assert_eq!(failure.code, "payload-limit", "{function}");
        assert!(failure.message.contains("PAYLOAD_BYTES") && !failure.retryable, "{failure:?}");
    }
    let step = failure(world.workflow("big_steps", "[10001, 1]", &FakeRun::new(1)).await);
    assert_eq!(step.code, "payload-limit");
    assert!(step.message.contains("the result of the step"), "{step:?}");
    let said = world.failed("fail_at_length", "10001").await;
    assert_eq!(said.code, "payload-limit");

    let input = format!("{:?}", "x".repeat(10_000));
    let (code, message) = World::with(settings).await.fails_and_goes_on("echo", &input).await;
    assert_eq!(code, "payload-limit");
    assert!(message.contains("the input"), "{message}");
}

#[tokio::test]
async fn one_hundred_thousand_calls_deep_is_too_deep() {
    let world = World::of(guest("hostile"), settings()).await;
    let failure = world.failed("recurse_to", "100000").await;
    assert_eq!(failure.code, "stack-limit");
    assert!(failure.message.contains("STACK_BYTES") && failure.message.contains("recursion"), "{failure:?}");
    world.completed("recurse_to", "1000").await;
}

#[tokio::test]
async fn a_panic_while_cleaning_up_is_a_trap_with_its_message() {
    let world = World::of(guest("hostile"), settings()).await;
    let failure = world.failed("panic_in_drop", "null").await;
    assert_eq!(failure.code, "trap");
    assert!(failure.message.contains("not even cleaning up works"), "{failure:?}");
}

#[tokio::test]
async fn a_table_and_open_handles_are_bounded() {
    let table = Bare {
        core: "(table $table 10 funcref)",
        run: "(drop (table.grow $table (ref.null func) (i32.const 70000))) unreachable",
        ..Bare::default()
    };
    let failure = World::of(table.build(), settings()).await.failed("anything", "null").await;
    assert_eq!(failure.code, "table-limit");
    assert!(failure.message.contains("TABLE_ELEMENTS"), "{failure:?}");

    let world = World::of(guest("hostile"), settings()).await;
    world.completed("keep_handles", "1000").await;
    let failure = world.failed("keep_handles", "30000").await;
    assert_eq!(failure.code, "handle-limit");
    assert!(failure.message.contains("RESOURCES"), "{failure:?}");
}

#[tokio::test]
async fn a_trap_while_it_is_instantiated_is_that_of_the_guest() {
    let early = Bare { core: "(func $early unreachable) (start $early)", ..Bare::default() };
    let failure = World::of(early.build(), settings()).await.failed("anything", "null").await;
    assert_eq!(failure.code, "trap");
}

/// An epoch has ended when it goes on; but it did not compute for one.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_waited_for_long_needs_no_thread_of_its_own() {
    let world = Arc::new(World::with(settings()).await);
    world.completed("sleep", "1").await;
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    for _ in 0..10 {
        let sleeping = (0..10).map(|_| world.clone()).map(|world| async move { world.completed("sleep", "30").await });
        futures_util::future::try_join_all(sleeping.map(tokio::spawn)).await.unwrap();
    }
    assert!(threads() <= before + 1, "{before} threads have become {}", threads());
}

#[tokio::test]
async fn who_computes_for_too_long_is_ended() {
    let limits =
        RuntimeSettings { cpu_limit: Duration::from_millis(100), workflow_cpu_limit: Duration::from_millis(100), ..settings() };
    let world = World::with(limits.clone()).await;
    let (code, message) = world.fails_and_goes_on("loop_forever", "null").await;
    assert_eq!(code, "cpu-limit");
    assert!(message.contains("100ms") && message.contains("worker.cpu_limit"), "{message}");
    // Waiting is not computing.
    world.completed("sleep", "200").await;
    let in_workflow = failure(world.workflow("loop_flow", "null", &FakeRun::new(1)).await);
    assert_eq!(in_workflow.code, "cpu-limit");
    assert!(in_workflow.message.contains("worker.workflow_cpu_limit"), "{in_workflow:?}");
    let in_step = failure(World::of(guest("hostile"), limits).await.workflow("loop_in_step", "null", &FakeRun::new(1)).await);
    assert_eq!(in_step.code, "cpu-limit");
    assert!(in_step.message.contains("worker.cpu_limit"), "{in_step:?}");
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
