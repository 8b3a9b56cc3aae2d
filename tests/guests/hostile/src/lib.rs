//! What no well-meaning module does. What every SDK's module can do too (loops, memory, output) is in `behaviours`.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::sync::Mutex;

use currant::{Failure, Json};

currant::module!();

/// What executions leave behind, as far as one finds it.
static TRACES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Leaves a word wherever one can be left, and answers all words that it finds there, and a random number.
#[currant::task(retries = 0)]
fn leave_traces(word: String) -> Result<(Vec<String>, u64), Failure> {
    println!("{word} out");
    eprintln!("{word} err");
    currant::info!("{word} log");
    let mut traces = TRACES.lock().map_err(|_| Failure::new("poisoned", "by whom?"))?;
    traces.extend(std::env::var("WORD"));
    traces.push(word);
    Ok((traces.clone(), currant::random()))
}

/// Calls itself so many times. What it keeps fits into registers: it is the engine's stack that ends, not the language's own.
#[currant::task(retries = 0)]
fn recurse_to(depth: u64) -> Result<u64, Failure> {
    Ok(deeper(black_box(depth)))
}

#[inline(never)]
fn deeper(depth: u64) -> u64 {
    if depth == 0 { 1 } else { deeper(depth - 1).rotate_left(7) ^ depth }
}

/// Panics while it cleans up.
#[currant::task(retries = 0)]
fn panic_in_drop() -> Result<(), Failure> {
    struct Trap;
    impl Drop for Trap {
        fn drop(&mut self) {
            panic!("not even cleaning up works");
        }
    }
    let _trap = Trap;
    Ok(())
}

/// Says so many lines of 1,000 bytes in its log.
#[currant::task(retries = 0)]
fn log_lines(lines: u32) -> Result<(), Failure> {
    let line = "=".repeat(1_000);
    for _ in 0..lines {
        currant::info!("{line}");
    }
    Ok(())
}

/// Opens so many handles of the host's, and keeps them.
#[currant::task(retries = 0)]
fn keep_handles(count: usize) -> Result<usize, Failure> {
    let spans: Vec<_> = (0..count).map(|_| currant::trace::span("kept", Default::default())).collect();
    Ok(black_box(spans).len())
}

/// Fails with a message of so many bytes.
#[currant::task(retries = 0)]
fn fail_at_length(bytes: usize) -> Result<(), Failure> {
    Err(Failure::new("long", "x".repeat(bytes)))
}

/// Gives a task so many bytes.
#[currant::workflow]
async fn big_input(bytes: usize) -> Result<Json, Failure> {
    currant::tasks::named::<Json>("echo", &"x".repeat(bytes)).await
}

/// Records a step that answers so many bytes, and that so many times.
#[currant::workflow]
async fn big_steps(bytes: usize, times: u32) -> Result<(), Failure> {
    for _ in 0..times {
        currant::step("big", || Ok("x".repeat(bytes))).await?;
    }
    Ok(())
}

/// Publishes so many bytes.
#[currant::workflow]
async fn big_progress(bytes: usize) -> Result<(), Failure> {
    currant::publish(&"x".repeat(bytes));
    currant::sleep(std::time::Duration::from_millis(1)).await
}

/// Continues with an input of so many bytes.
#[currant::workflow]
async fn big_continuation(bytes: usize) -> Result<(), Failure> {
    currant::continue_as_new(&"x".repeat(bytes)).await
}

/// A step whose work never ends, and never waits.
#[currant::workflow]
async fn loop_in_step() -> Result<(), Failure> {
    currant::step("loop", || {
        let mut turns = 0_u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    })
    .await
}

/// A step that only waits, for a very long time.
#[currant::workflow]
async fn hang_in_step() -> Result<(), Failure> {
    currant::step("hang", || {
        std::thread::sleep(std::time::Duration::from_secs(3_600));
        Ok(())
    })
    .await
}

/// Waits for so many signals, one after the other.
#[currant::workflow]
async fn many_signals(count: u32) -> Result<(), Failure> {
    for _ in 0..count {
        currant::receive::<Json>("next").await?;
    }
    Ok(())
}
