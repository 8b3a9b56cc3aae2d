//! Tasks, and what they import.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use currant_host::guest::{Returned, Role};
use serde_json::{Value, json};

use crate::world::{FakeTask, World, settings};

#[tokio::test]
async fn a_task_answers_its_input_byte_for_byte() {
    let world = World::new().await;
    let input = r#"{"b": 1.0, "a":  [1e5, "ü\u00e9"]}"#;
    assert_eq!(world.task("echo", input).await, Returned::Completed(input.into()));
}

#[tokio::test]
async fn a_failure_keeps_everything_that_the_guest_said() {
    let world = World::new().await;
    let fault =
        r#"{"code": "declined", "message": "no funds", "details": {"card": 4}, "retryable": true, "retry_after_ms": 70}"#;
    let failure = world.failed("fail", fault).await;
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("declined", "no funds"));
    assert_eq!(failure.details.unwrap().as_str(), r#"{"card": 4}"#);
    assert!(failure.retryable && failure.retry_after_ms == Some(70));
}

#[tokio::test]
async fn a_task_may_ask_for_a_slower_queue() {
    let world = World::new().await;
    assert_eq!(world.task("rate_limited_once", "250").await, Returned::RateLimited(250));
}

#[tokio::test]
async fn context_says_which_execution_it_is() {
    let world = World::new().await;
    let context = world.completed("context", "null").await;
    let expected = json!({
        "id": "0198c0de-0000-7000-8000-000000000001", "task_id": "order-42", "function": "context", "queue": "default",
        "attempt": 2, "parent": null, "module": world.module.digest().to_string(), "deadline_ms": 1_800_000_000_000_u64,
        "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", "baggage": [["tenant", "acme"]],
    });
    assert_eq!(context, expected);
}

#[tokio::test]
async fn heartbeats_reach_the_run_and_bring_back_its_cancellation() {
    let world = World::new().await;
    let task = Arc::new(FakeTask::default());
    task.cancelled.store(true, Ordering::Relaxed);
    assert_eq!(world.run("heartbeat_loop", "1", Role::Task(task.clone())).await, Returned::Cancelled);
    assert_eq!(*task.beats.lock().unwrap(), [Some("0".to_string())]);
}

#[tokio::test]
async fn the_previous_attempts_progress_is_there() {
    let world = World::new().await;
    let task = FakeTask { last_progress: Some("3".into()), ..FakeTask::default() };
    let returned = world.run("resume", "6", Role::Task(Arc::new(task))).await;
    assert_eq!(returned, Returned::Completed("3".into()));
}

#[tokio::test]
async fn only_granted_variables_are_in_the_environment_and_no_arguments() {
    let mut world = World::new().await;
    assert_eq!(world.completed("read_environment", "null").await, json!({}));
    world.grants.env.push(("API_KEY".into(), "s3cret".into()));
    assert_eq!(world.completed("read_environment", "null").await, json!({ "API_KEY": "s3cret" }));
    assert_eq!(world.completed("read_arguments", "null").await, json!([]));
}

#[tokio::test]
async fn nothing_of_one_execution_is_in_the_next() {
    let mut world = World::with(currant_host::runtime::RuntimeSettings { instances: 1, ..settings() }).await;
    world.grants.env.push(("API_KEY".into(), "s3cret".into()));
    let first = world.completed("read_random", "null").await;
    world.completed("allocate", "64").await;
    world.grants.env.clear();
    assert_eq!(world.completed("read_env", "\"API_KEY\"").await, Value::Null);
    let second = world.completed("read_random", "null").await;
    for kind in ["system", "generator", "map_order"] {
        assert_ne!(first[kind], second[kind], "{kind}");
    }
}

#[tokio::test]
async fn a_tasks_clocks_are_real() {
    let world = World::new().await;
    let read = world.completed("read_clock", "null").await;
    // After 2025, and not far from this machine's time, which the test must not read: before 2100.
    assert!((1_735_689_600_000..4_102_444_800_000).contains(&read[0].as_u64().unwrap()));
    let slept = world.completed("sleep", "60").await.as_u64().unwrap();
    assert!((60..2_000).contains(&slept), "{slept}");
}

#[tokio::test]
async fn there_are_no_files() {
    let world = World::new().await;
    for (function, input) in [("read_file", "\"/etc/passwd\""), ("write_file", r#"["/tmp/x", "y"]"#), ("list_files", "\".\"")] {
        let failure = world.failed(function, input).await;
        assert!(failure.message.contains("pre-opened") || failure.message.contains("No such file"), "{failure:?}");
    }
}

#[tokio::test]
async fn stdout_and_stderr_are_log_lines() {
    let world = World::new().await;
    world.completed("print", "100").await;
    let lines = world.logs.all();
    let stdout: Vec<_> = lines.iter().filter(|(level, _)| *level == "info").map(|(_, line)| line.len()).collect();
    let stderr: Vec<_> = lines.iter().filter(|(level, _)| *level == "warn").map(|(_, line)| line.len()).collect();
    assert_eq!((stdout, stderr), (vec![79, 19], vec![79, 19]));
}

#[tokio::test]
async fn telemetry_logs_have_their_levels() {
    let world = World::new().await;
    world.completed("telemetry", "1").await;
    let lines = world.logs.all();
    assert_eq!(
        lines.iter().map(|(level, message)| (*level, message.as_str())).collect::<Vec<_>>(),
        [("info", "line 0"), ("debug", "fine"), ("warn", "odd"), ("error", "wrong")]
    );
}
