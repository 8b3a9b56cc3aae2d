//! How workflows are cancelled, change and go on.

use std::time::Duration;

use currant::{Failure, Json};

/// Takes back what was done.
#[currant::task(queue = "undo")]
fn undo(what: String) -> Result<String, Failure> {
    Ok(format!("undid {what}"))
}

/// Waits for long. Cancelled, it takes back what it did, and then ends as cancelled.
#[currant::workflow]
async fn compensate(what: String) -> Result<(), Failure> {
    let done = currant::sleep(Duration::from_secs(3600)).await;
    if currant::is_cancelled() {
        let undone = undo(what).await?;
        currant::publish(&undone);
    }
    done
}

/// Cancelled, it takes so long to take back what it did.
#[currant::workflow]
async fn compensate_for(milliseconds: u64) -> Result<(), Failure> {
    let done = currant::sleep(Duration::from_secs(3600)).await;
    if currant::is_cancelled() {
        currant::publish(&"undoing");
        currant::sleep(Duration::from_millis(milliseconds)).await?;
    }
    done
}

/// Cancelled, it computes, and never yields.
#[currant::workflow]
async fn compute_when_cancelled() -> Result<(), Failure> {
    let done = currant::sleep(Duration::from_secs(3600)).await;
    currant::step("endless", || {
        let mut turns = 0_u64;
        while currant::is_cancelled() {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
        Ok(turns)
    })
    .await?;
    done
}

/// Cancelled, it ends well all the same, and answers what it saw.
#[currant::workflow]
async fn survive_cancellation() -> Result<String, Failure> {
    match currant::sleep(Duration::from_secs(3600)).await {
        Err(failure) if failure.is_cancelled() => {
            currant::sleep(Duration::from_millis(10)).await?;
            Ok("cancelled, and finished all the same".to_owned())
        }
        outcome => outcome.map(|()| "slept".to_owned()),
    }
}

/// Waits for long with a child workflow and a task under way.
#[currant::workflow]
async fn cancel_with_children(milliseconds: u64) -> Result<(), Failure> {
    let (child, task) = currant::join!(crate::waiting::sleep_flow(milliseconds), crate::liveness::sleep(milliseconds));
    child?;
    task.map(|_| ())
}

/// Answers which side of a change it is on, before and after a pause.
#[currant::workflow]
async fn versioned(pause_ms: u64) -> Result<(u32, u32), Failure> {
    let before = currant::version("a-change", 1, 2);
    currant::sleep(Duration::from_millis(pause_ms)).await?;
    Ok((before, currant::version("a-change", 1, 2)))
}

/// Publishes how far it is.
#[currant::workflow]
async fn published(rounds: u32, pause_ms: u64) -> Result<(), Failure> {
    for round in 0..rounds {
        currant::publish(&round);
        currant::sleep(Duration::from_millis(pause_ms)).await?;
    }
    Ok(())
}

/// Begins anew until nothing is left.
#[currant::workflow]
async fn count_down(from: u32) -> Result<String, Failure> {
    if from == 0 {
        return Ok("lift-off".to_owned());
    }
    currant::sleep(Duration::from_millis(10)).await?;
    currant::continue_as_new(&(from - 1)).await
}

/// Begins anew with signals unread: they must follow. Answers them in order.
#[currant::workflow]
async fn collect_signals(name: String, count: usize, seen: Vec<Json>) -> Result<Vec<Json>, Failure> {
    let mut seen = seen;
    seen.push(currant::receive(&name).await?);
    if seen.len() == count {
        return Ok(seen);
    }
    currant::continue_as_new(&(name, count, seen)).await
}
