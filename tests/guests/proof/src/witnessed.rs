//! A fan-out with signals and timers. Whatever it decides, something outside shows it.

use std::time::Duration;

use currant::Failure;
use serde::{Deserialize, Serialize};

use crate::tell::Witness;

/// Weighs one thing of the lot.
#[currant::task(queue = "weighing", retries = 20, backoff = "50ms")]
fn weigh(witness: Witness, lot: u64, number: u32) -> Result<u32, Failure> {
    witness.tell("weigh", &format!("{lot}-{number}"))?;
    Ok(number * 10)
}

/// Says what was decided.
#[currant::task(retries = 20, backoff = "50ms")]
fn announce(witness: Witness, lot: u64, decision: String) -> Result<(), Failure> {
    witness.tell("announce", &format!("{lot}-{decision}"))
}

/// A part of it, as a workflow of its own: weighs two things, with a pause between them.
#[currant::workflow]
async fn gather_part(witness: Witness, lot: u64, first: u32, pause_ms: u64) -> Result<u32, Failure> {
    let one = weigh(witness.clone(), lot, first).await?;
    currant::sleep(Duration::from_millis(pause_ms)).await?;
    Ok(one + weigh(witness, lot, first + 1).await?)
}

/// What it came to.
#[derive(Serialize, Deserialize)]
struct Gathered {
    lot: u64,
    winner: u32,
    sum: u32,
    approved_by: Option<String>,
    seal: u64,
}

/// Two race, and the loser is cancelled; many are weighed at once, beside a part, a pause, and a signal that somebody may send within
/// `patience_ms`. Both steps draw what is really random: run twice, they draw another number, and only the recorded one may be heard of.
#[currant::workflow]
async fn gather(address: String, many: u32, pause_ms: u64, patience_ms: u64) -> Result<Gathered, Failure> {
    let witness = Witness { address, root: currant::context().id };
    let lot = draw(&witness, "draw-lot").await?;
    let winner = currant::select! {
        zero = weigh(witness.clone(), lot, 0) => zero.map(|_| 0)?,
        one = weigh(witness.clone(), lot, 1) => one.map(|_| 1)?,
    };
    announce(witness.clone(), lot, format!("winner-{winner}")).await?;
    let (weights, part, pause, approved_by) = currant::join!(
        currant::try_join_all((2..2 + many).map(|number| weigh(witness.clone(), lot, number))),
        gather_part(witness.clone(), lot, 100, pause_ms),
        currant::sleep(Duration::from_millis(pause_ms)),
        currant::receive::<String>("approved").timeout(Duration::from_millis(patience_ms)),
    );
    pause?;
    let approved_by = approved_by?;
    let seal = draw(&witness, "draw-seal").await?;
    announce(witness, seal, format!("approved-by-{}", approved_by.as_deref().unwrap_or("nobody"))).await?;
    Ok(Gathered { lot, winner, sum: weights?.iter().sum::<u32>() + part?, approved_by, seal })
}

/// A step with an effect.
async fn draw(witness: &Witness, name: &str) -> Result<u64, Failure> {
    let number = || {
        // JSON of other languages keeps integers up to 2^53.
        let number = currant::random() >> 12;
        witness.tell(name, &number.to_string())?;
        Ok(number)
    };
    currant::step(name, number).await
}
