//! Every call of WASI, and what it comes to: from a task without grants, and from a workflow outside a step.

use std::sync::Arc;

use currant_host::guest::{Returned, Role};
use currant_host::runtime::RuntimeSettings;
use serde_json::Value;

use crate::bare::Bare;
use crate::world::{FakeRun, FakeTask, World, guest, settings, value};

/// The rows that the guest answers, and the log that the refusals left.
fn table(world: &World, returned: Returned) -> String {
    let rows: Vec<(String, String)> = serde_json::from_value(value(returned)).unwrap();
    let rows: String = rows.into_iter().map(|(call, answer)| format!("{call:<72} {answer}\n")).collect();
    format!("{rows}\nlog\n{}", world.logs.text().replace('\0', "\\0"))
}

async fn world() -> World {
    World::of(guest("wasi_calls"), settings()).await
}

#[tokio::test]
async fn from_a_task_without_grants() {
    let world = world().await;
    let returned = world.task("call_all", "null").await;
    insta::assert_snapshot!("wasi_0_2_task", table(&world, returned));
}

#[tokio::test]
async fn from_a_workflow_outside_a_step() {
    let world = world().await;
    let returned = world.workflow("call_all_flow", "null", &FakeRun::new(1)).await;
    insta::assert_snapshot!("wasi_0_2_workflow", table(&world, returned));
}

#[tokio::test]
async fn a_workflow_that_makes_every_call_makes_the_same_of_it_again_and_another_one_does_not() {
    let world = world().await;
    let run = async |seed| value(world.workflow("call_all_flow", "null", &FakeRun::new(seed)).await);
    let (first, again, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(first, again);
    let differing = |row: &Value| first.as_array().unwrap().iter().all(|known| known != row);
    let differing: Vec<_> = other.as_array().unwrap().iter().filter(|row| differing(row)).map(|row| &row[0]).collect();
    assert_eq!(
        differing,
        [
            "random/random.get-random-bytes",
            "random/random.get-random-u64",
            "random/insecure.get-insecure-random-bytes",
            "random/insecure.get-insecure-random-u64",
            "random/insecure-seed.insecure-seed",
        ]
    );
}

#[tokio::test]
async fn exit_ends_the_guest_whatever_it_says() {
    let world = world().await;
    for (function, status) in [("exit_well", 0), ("exit_badly", 1)] {
        let failure = world.failed(function, "null").await;
        assert_eq!(
            (failure.code.as_str(), failure.message),
            ("trap", format!("the guest ended itself with exit status {status}"))
        );
    }
}

/// Reads the clocks and draws random numbers by WASI 0.3, and answers them in hexadecimal.
const WASI_0_3: Bare<'_> = Bare {
    describe: "",
    imports: r#"
        (import "wasi:clocks/system-clock@0.3.0" (instance $system-clock
            (type (record (field "seconds" s64) (field "nanoseconds" u32)))
            (export "instant" (type $instant (eq 0)))
            (export "now" (func (result $instant)))))
        (import "wasi:clocks/monotonic-clock@0.3.0" (instance $monotonic-clock
            (export "now" (func (result u64)))))
        (import "wasi:random/random@0.3.0" (instance $random
            (export "get-random-u64" (func (result u64)))))
        (import "wasi:random/insecure@0.3.0" (instance $insecure
            (export "get-insecure-random-u64" (func (result u64)))))
        (import "wasi:random/insecure-seed@0.3.0" (instance $seed
            (export "get-insecure-seed" (func (result (tuple u64 u64))))))
        (core func $now (canon lower (func $system-clock "now") (memory $memory)))
        (core func $mark (canon lower (func $monotonic-clock "now")))
        (core func $draw (canon lower (func $random "get-random-u64")))
        (core func $draw-insecurely (canon lower (func $insecure "get-insecure-random-u64")))
        (core func $seed (canon lower (func $seed "get-insecure-seed") (memory $memory)))"#,
    given: r#"(with "wasi" (instance
        (export "now" (func $now)) (export "mark" (func $mark)) (export "draw" (func $draw))
        (export "draw-insecurely" (func $draw-insecurely)) (export "seed" (func $seed))))"#,
    core: r#"
        (import "wasi" "now" (func $now (param i32)))
        (import "wasi" "mark" (func $mark (result i64)))
        (import "wasi" "draw" (func $draw (result i64)))
        (import "wasi" "draw-insecurely" (func $draw-insecurely (result i64)))
        (import "wasi" "seed" (func $seed (param i32)))
        (data (i32.const 100) "0123456789abcdef")
        ;; Where the answer is written: a JSON text of six numbers.
        (data (i32.const 1024) "\"                                                                                                     \"")
        (func $hexadecimal (param $at i32) (param $value i64)
            (local $digit i32)
            (loop $next
                (i32.store8
                    (i32.add (local.get $at) (local.get $digit))
                    (i32.load8_u (i32.add (i32.const 100) (i32.wrap_i64 (i64.and (i64.const 15)
                        (i64.shr_u (local.get $value)
                            (i64.extend_i32_u (i32.sub (i32.const 60) (i32.shl (local.get $digit) (i32.const 2))))))))))
                (local.set $digit (i32.add (local.get $digit) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $digit) (i32.const 16)))))"#,
    run: "
        (call $now (i32.const 256))
        (call $hexadecimal (i32.const 1025) (i64.load (i32.const 256)))
        (call $hexadecimal (i32.const 1042) (call $mark))
        (call $hexadecimal (i32.const 1059) (call $draw))
        (call $hexadecimal (i32.const 1076) (call $draw-insecurely))
        (call $seed (i32.const 256))
        (call $hexadecimal (i32.const 1093) (i64.load (i32.const 256)))
        (call $hexadecimal (i32.const 1110) (i64.load (i32.const 264)))
        ;; A result that is good: where its text is, and how long.
        (i32.store (i32.const 520) (i32.const 1024))
        (i32.store (i32.const 524) (i32.const 103))
        (i32.const 512)",
};

#[tokio::test]
async fn a_guest_made_for_wasi_0_3_reads_the_time_of_its_workflow_and_draws_its_random_numbers() {
    let world = World::of(WASI_0_3.build(), settings()).await;
    let workflow =
        async |seed| value(world.workflow("anything", "null", &FakeRun::new(seed)).await).as_str().unwrap().to_owned();
    let (first, again, other) = (workflow(1).await, workflow(1).await, workflow(2).await);
    assert_eq!(first, again);
    let numbers = |text: &str| text.split(' ').map(|number| u64::from_str_radix(number, 16).unwrap()).collect::<Vec<_>>();
    let (first, other) = (numbers(&first), numbers(&other));
    // The time of its start.
    assert_eq!(first[..2], [1_700_000_000, 1_700_000_000_000_000_000]);
    assert_eq!(first[..2], other[..2]);
    assert!(first[2..].iter().zip(&other[2..]).all(|(first, other)| first != other), "{first:?} {other:?}");

    let task = async || {
        numbers(value(world.run("anything", "null", Role::Task(Arc::new(FakeTask::default()))).await).as_str().unwrap())
    };
    let (one, two) = (task().await, task().await);
    // Real: after 2025.
    assert!(one[0] > 1_735_689_600, "{one:?}");
    assert!(one[2..].iter().zip(&two[2..]).all(|(one, two)| one != two), "{one:?} {two:?}");
}

/// The contract's `run` is an ordinary function, and such a function may not wait by the asynchronous calls of WASI 0.3. It is told so.
#[tokio::test]
async fn a_guest_made_for_wasi_0_3_cannot_sleep_by_it() {
    let sleeping = Bare {
        imports: r#"
            (import "wasi:clocks/monotonic-clock@0.3.0" (instance $monotonic-clock
                (export "wait-for" (func async (param "how-long" u64)))))
            (core func $wait-for (canon lower (func $monotonic-clock "wait-for")))"#,
        given: r#"(with "wasi" (instance (export "wait-for" (func $wait-for))))"#,
        core: r#"(import "wasi" "wait-for" (func $wait-for (param i64)))"#,
        run: "(call $wait-for (i64.const 1000000)) unreachable",
        ..Bare::default()
    };
    let world = World::of(sleeping.build(), RuntimeSettings { instances: 1, ..settings() }).await;
    let failure = world.failed("anything", "null").await;
    assert_eq!(failure.code, "trap");
    assert!(failure.message.contains("block"), "{failure:?}");
}
