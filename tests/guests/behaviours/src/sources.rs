//! Every source of time and of random numbers that a component has, read by its own interface and not by the standard library.

use std::collections::HashMap;
use std::time::Duration;

use currant::{Failure, Json};
use serde::Serialize;
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::{insecure, insecure_seed, random};

/// What all of them said.
#[derive(Serialize)]
struct Said {
    wall: (u64, u32),
    wall_resolution: (u64, u32),
    monotonic: u64,
    monotonic_resolution: u64,
    bytes: Vec<u8>,
    number: u64,
    insecure_bytes: Vec<u8>,
    insecure_number: u64,
    seed: (u64, u64),
    map_order: Vec<u32>,
}

fn listen() -> Said {
    let (now, resolution) = (wall_clock::now(), wall_clock::resolution());
    Said {
        wall: (now.seconds, now.nanoseconds),
        wall_resolution: (resolution.seconds, resolution.nanoseconds),
        monotonic: monotonic_clock::now(),
        monotonic_resolution: monotonic_clock::resolution(),
        bytes: random::get_random_bytes(9),
        number: random::get_random_u64(),
        insecure_bytes: insecure::get_insecure_random_bytes(9),
        insecure_number: insecure::get_insecure_random_u64(),
        seed: insecure_seed::insecure_seed(),
        map_order: (0..32).map(|key| (key, ())).collect::<HashMap<u32, ()>>().into_keys().collect(),
    }
}

/// What they say at the beginning and after a step that draws from all of them, which the first run publishes; and after a pause. A replay
/// publishes nothing: what it answers must be what was published.
#[currant::workflow]
async fn every_source(pause_ms: u64) -> Result<(Json, Json), Failure> {
    let before = listen();
    currant::step("draw", || Ok(listen().map_order)).await?;
    let heard = Json::of(&(before, listen()))?;
    currant::publish(&heard);
    currant::sleep(Duration::from_millis(pause_ms)).await?;
    Ok((heard, Json::of(&listen())?))
}
