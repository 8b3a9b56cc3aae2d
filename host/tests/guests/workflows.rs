//! Workflows: outside a step the world is that of the record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use currant_host::guest::{Returned, Role, Stop};
use currant_host::runtime::RuntimeSettings;
use serde_json::{Value, json};

use crate::world::{FakeRun, FakeTask, START, World, failure, settings, value};

#[tokio::test]
async fn a_workflow_waits_for_its_task() {
    let world = World::new().await;
    let run = FakeRun::new(1);
    assert_eq!(world.workflow("echo_flow", "{\"a\":1}", &run).await, Returned::Completed("{\"a\":1}".into()));
    assert_eq!(run.calls(), ["start-task echo {\"a\":1}", "wait [1]"]);
}

#[tokio::test]
async fn the_clocks_stand_still_until_something_is_delivered() {
    let world = World::new().await;
    assert_eq!(value(world.workflow("clock_stands_still", "null", &FakeRun::new(1)).await), json!(true));
    let observed = value(world.workflow("random_and_clock", "250", &FakeRun::new(1)).await);
    assert_eq!(observed["before_ms"], START);
    assert_eq!(observed["after_ms"], START + 250);
    assert_eq!(observed["monotonic_ms"], 250);
}

#[tokio::test]
async fn the_same_execution_draws_the_same_and_another_does_not() {
    let world = World::new().await;
    let one = value(world.workflow("random_and_clock", "5", &FakeRun::new(1)).await);
    let again = value(world.workflow("random_and_clock", "5", &FakeRun::new(1)).await);
    let other = value(world.workflow("random_and_clock", "5", &FakeRun::new(2)).await);
    assert_eq!(one, again);
    for kind in ["system", "generator", "map_order"] {
        assert_ne!(one["draws_before"][kind], other["draws_before"][kind], "{kind}");
    }
}

#[tokio::test]
async fn sleeping_by_the_standard_library_is_a_durable_timer() {
    let world = World::new().await;
    let run = FakeRun::new(1);
    // An hour of the workflow's time passes at once.
    assert_eq!(value(world.workflow("std_sleep_flow", "3600000", &run).await), json!(3_600_000));
    assert_eq!(run.calls(), ["sleep 3600000"]);
}

#[tokio::test]
async fn inside_a_step_the_clock_is_real() {
    let world = World::new().await;
    let run = FakeRun::new(1);
    let slept = value(world.workflow("clock_in_step", "50", &run).await).as_u64().unwrap();
    assert!((50..2_000).contains(&slept), "{slept}");
    assert!(run.calls().iter().all(|call| !call.starts_with("sleep")));
}

#[tokio::test]
async fn inside_a_step_random_is_real_and_map_order_is_not() {
    let world = World::new().await;
    let one = value(world.workflow("step_with_random", "5", &FakeRun::new(1)).await);
    let again = value(world.workflow("step_with_random", "5", &FakeRun::new(1)).await);
    assert_ne!(one["step"], again["step"]);
    assert_eq!(one["before"], again["before"]);
    assert_eq!(one["after"]["map_order"], again["after"]["map_order"]);
}

#[tokio::test]
async fn a_replay_says_nothing_again() {
    let world = World::new().await;
    let run = FakeRun::new(1);
    run.replaying.store(true, Ordering::Relaxed);
    world.workflow("print_in_workflow", "5", &run).await;
    assert_eq!(world.logs.all(), []);
    world.workflow("print_in_workflow", "5", &FakeRun::new(1)).await;
    assert_eq!(world.logs.text(), "info before\ninfo before, by log\ninfo after\ninfo after, by log\n");
}

#[tokio::test]
async fn what_is_for_the_others_traps_with_a_sentence() {
    let world = World::new().await;
    let failed = failure(world.workflow("heartbeat_in_workflow", "null", &FakeRun::new(1)).await);
    assert_eq!((failed.code.as_str(), failed.message.as_str()), ("trap", "`heartbeat` is for tasks, and this is a workflow"));
    let failed = failure(world.run("echo_flow", "1", Role::Task(Arc::new(FakeTask::default()))).await);
    assert_eq!((failed.code.as_str(), failed.message.as_str()), ("trap", "`start-task` is for workflows, and this is a task"));
}

#[tokio::test]
async fn a_refusal_ends_the_workflow_with_its_words() {
    let world = World::new().await;
    let failed = failure(world.workflow("count_down", "3", &FakeRun::new(1)).await);
    assert_eq!((failed.code.as_str(), failed.message.as_str()), ("trap", "continues with 2"));
}

#[tokio::test]
async fn a_parked_workflow_can_be_dropped_and_leaves_its_place() {
    let world = World::with(RuntimeSettings { instances: 1, ..settings() }).await;
    for _ in 0..3 {
        let run = FakeRun::new(1);
        run.parks.store(true, Ordering::Relaxed);
        {
            let mut running = std::pin::pin!(world.workflow("echo_flow", "1", &run));
            tokio::select! {
                returned = &mut running => panic!("{returned:?}"),
                () = async { while run.calls().len() < 2 { tokio::task::yield_now().await } } => {}
            }
        }
        // The run is not held by a forgotten instance.
        assert_eq!(Arc::strong_count(&run), 1);
    }
    assert_eq!(world.completed("echo", "7").await, json!(7));
}

#[tokio::test]
async fn a_stopped_flag_ends_a_workflow_that_never_yields() {
    let world = World::new().await;
    let stop = world.stop.clone();
    tokio::spawn(async move { stop.stop(Stop::Abandoned) });
    // On this one thread the flag is only raised if the guest yields.
    assert_eq!(world.workflow("loop_flow", "null", &FakeRun::new(1)).await, Returned::Stopped(Stop::Abandoned));
}

#[tokio::test]
async fn files_and_network_are_refused() {
    let world = World::new().await;
    let said = value(world.workflow("network_in_workflow", r#"["example.com", 80]"#, &FakeRun::new(1)).await);
    assert!(said.as_str().unwrap().to_lowercase().contains("access"), "{said}");
    assert_eq!(
        world.logs.text(),
        "warn looking up `example.com` refused: network is not available in a workflow: call a task or use a step\n"
    );
    let said = value(world.workflow("file_in_workflow", "\"/etc/passwd\"", &FakeRun::new(1)).await);
    assert!(said != Value::Null && !said.as_str().unwrap().contains("root:"), "{said}");
    let said = value(world.workflow("http_in_workflow", "\"http://example.com/\"", &FakeRun::new(1)).await);
    assert!(said.as_str().unwrap().contains("network is not available in a workflow: call a task or use a step"), "{said}");
}
