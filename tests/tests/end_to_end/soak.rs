//! A short storm; `scripts/soak` makes a longer one.

use std::time::Duration;

use anyhow::{Result, ensure};
use currant_tests::Soak;
use uuid::Uuid;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test]
async fn in_a_storm_nothing_is_lost_nothing_is_done_twice_and_nothing_is_stuck() -> Result<()> {
    let seed = number("CURRANT_SOAK_SEED").unwrap_or_else(|| Uuid::now_v7().as_u64_pair().1);
    let length = Duration::from_secs(number("CURRANT_SOAK_SECONDS").unwrap_or(20));
    eprintln!("seed {seed}: CURRANT_SOAK_SEED={seed} makes the same choices again");
    let report = Soak { seed, length, workers: 3 }.run().await?;
    println!("{report}");
    ensure!(report.wrong.is_empty(), "{report}");
    Ok(())
}
