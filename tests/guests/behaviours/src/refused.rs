//! What a workflow must not do, or cannot do twice in the same way.

use std::time::Duration;

use currant::{Failure, Json};

use crate::network::talk;
use crate::outcomes::echo;

/// Connects outside a step. Answers what the error said.
#[currant::workflow]
async fn network_in_workflow(host: String, port: u16) -> Result<String, Failure> {
    Ok(talk(&host, port).unwrap_or_else(|failure| failure.to_string()))
}

/// Connects inside a step, where the module's grants hold.
#[currant::workflow]
async fn network_in_step(host: String, port: u16) -> Result<String, Failure> {
    currant::step("connect", || Ok(talk(&host, port).unwrap_or_else(|failure| failure.to_string()))).await
}

/// Reads a file outside a step. Answers what the error said.
#[currant::workflow]
async fn file_in_workflow(path: String) -> Result<String, Failure> {
    Ok(std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string()))
}

/// Writes to stdout and stderr before and after a pause: a replay must not say it again.
#[currant::workflow]
async fn print_in_workflow(pause_ms: u64) -> Result<(), Failure> {
    println!("before");
    currant::info!("before, by log");
    currant::sleep(Duration::from_millis(pause_ms)).await?;
    println!("after");
    currant::info!("after, by log");
    Ok(())
}

/// Calls another task if the environment variable `BRANCH` says `other`: what a test changes between two runs.
#[currant::workflow]
async fn nondeterministic(pause_ms: u64) -> Result<Json, Failure> {
    let branch = std::env::var("BRANCH").unwrap_or_default();
    if branch == "other" {
        currant::tasks::named::<u32>("fail_until_attempt", &1).await?;
    } else {
        echo(Json::of("usual")?).await?;
    }
    currant::sleep(Duration::from_millis(pause_ms)).await?;
    Json::of(&branch)
}

/// Says something about the current task, as only tasks may: traps.
#[currant::workflow]
async fn heartbeat_in_workflow() -> Result<(), Failure> {
    currant::heartbeat(&1);
    Ok(())
}

/// Panics after a pause.
#[currant::workflow]
async fn panic_flow(message: String) -> Result<(), Failure> {
    currant::sleep(Duration::from_millis(1)).await?;
    panic!("{message}")
}

/// Never ends, and never yields.
#[currant::workflow]
async fn loop_flow() -> Result<(), Failure> {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}
