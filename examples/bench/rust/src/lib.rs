//! What `currant-host bench` deploys: the least that a task, a step and a wait can do, so that what is measured is Currant.
//!
//! A module in another language that offers the same functions can be measured with `--module`.
#![forbid(unsafe_code)]

use currant::{Failure, Json};

/// Does nothing.
#[currant::task]
fn noop(_order: Option<Json>) -> Result<(), Failure> {
    Ok(())
}

/// So many steps, one after the other, each of which does nothing.
#[currant::workflow]
async fn steps(count: u32) -> Result<(), Failure> {
    steps_of(count).await
}

async fn steps_of(count: u32) -> Result<(), Failure> {
    for _ in 0..count {
        currant::step("step", || Ok(())).await?;
    }
    Ok(())
}

/// So many tasks, one after the other, each of which does nothing.
#[currant::workflow]
async fn tasks(count: u32) -> Result<(), Failure> {
    for _ in 0..count {
        noop(None).await?;
    }
    Ok(())
}

/// So many tasks at once.
#[currant::workflow]
async fn children(count: u32) -> Result<(), Failure> {
    currant::try_join_all((0..count).map(|_| noop(None))).await.map(drop)
}

/// So many steps, one after the other, and then the signal `go`.
#[currant::workflow]
async fn steps_and_wait(count: u32) -> Result<(), Failure> {
    steps_of(count).await?;
    currant::receive::<Option<Json>>("go").await.map(drop)
}

/// Waits for the signal `go`.
#[currant::workflow]
async fn wait() -> Result<Json, Failure> {
    currant::receive("go").await
}

currant::module!();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_in_order() {
        assert_eq!(steps(3).run(), Ok(()));
        assert_eq!(tasks(3).run(), Ok(()));
        assert_eq!(children(3).run(), Ok(()));
    }
}
