//! Tasks that take a while.

use std::thread;
use std::time::{Duration, Instant};

use currant::Failure;

/// Blocks for so long.
#[currant::task(retries = 0)]
pub fn sleep(milliseconds: u64) -> Result<u64, Failure> {
    let begin = Instant::now();
    thread::sleep(Duration::from_millis(milliseconds));
    Ok(begin.elapsed().as_millis() as u64)
}

/// Says that it is alive until it is cancelled.
#[currant::task(retries = 0, heartbeat = "5s")]
fn heartbeat_loop(pause_ms: u64) -> Result<(), Failure> {
    for beat in 0_u64.. {
        if currant::heartbeat(&beat) {
            return Err(Failure::cancelled());
        }
        thread::sleep(Duration::from_millis(pause_ms));
    }
    Ok(())
}

/// Says that it is alive once, and never again.
#[currant::task(retries = 0, heartbeat = "200ms")]
fn fall_silent(milliseconds: u64) -> Result<(), Failure> {
    currant::heartbeat(&"last words");
    thread::sleep(Duration::from_millis(milliseconds));
    Ok(())
}

/// Waits for its cancellation without a heartbeat.
#[currant::task(retries = 0)]
fn watch_for_cancellation() -> Result<(), Failure> {
    while !currant::is_cancelled() {
        thread::sleep(Duration::from_millis(20));
    }
    Err(Failure::cancelled())
}

/// Is cancelled, and does not care.
#[currant::task(retries = 0)]
fn ignore_cancellation(milliseconds: u64) -> Result<String, Failure> {
    thread::sleep(Duration::from_millis(milliseconds));
    Ok("finished all the same".to_owned())
}

/// Fails half way at the first attempt, and goes on from there at the second. Answers where it began.
#[currant::task(retries = 1, backoff = "10ms")]
fn resume(rounds: u32) -> Result<u32, Failure> {
    let begin = currant::last_progress::<u32>().unwrap_or(0);
    for round in begin..rounds {
        currant::heartbeat(&round);
        if begin == 0 && round == rounds / 2 {
            return Err(Failure::new("half-way", format!("stopped at {round}")));
        }
    }
    Ok(begin)
}

/// Runs longer than its attempt may.
#[currant::task(retries = 0, timeout = "200ms")]
fn overrun(milliseconds: u64) -> Result<(), Failure> {
    thread::sleep(Duration::from_millis(milliseconds));
    Ok(())
}
