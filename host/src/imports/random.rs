//! `wasi:random`: real entropy, or the workflow's stream, which is the same on every replay.
//!
//! The seed of `insecure-seed` is drawn once, when the instance is made, inside steps too: languages keep it for the life of the
//! instance (Rust seeds its hash maps with it), so in a workflow it must not depend on where it is first asked for.

use rand::Rng;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::random as p2;
use wasmtime_wasi::p3::bindings::random as p3;

use super::outside_a_step;
use crate::guest::Role;
use crate::limit::{Limit, LimitExceeded};
use crate::runtime::limits::RANDOM_BYTES;
use crate::runtime::store::State;

/// Takes the place of WASI's own implementation, which would ask for each byte by itself.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    p2::random::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    p2::insecure::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    p3::random::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    p3::insecure::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

/// The seed of an instance's hash maps.
pub(crate) fn insecure_seed(role: &Role) -> u128 {
    let mut seed = [0; 16];
    fill(role, &mut seed);
    u128::from_le_bytes(seed)
}

fn fill(role: &Role, bytes: &mut [u8]) {
    match outside_a_step(role) {
        Some(run) => run.fill_random(bytes),
        None => rand::rng().fill_bytes(bytes),
    }
}

impl State {
    fn random_bytes(&self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > RANDOM_BYTES {
            let what = format!("{length} random bytes asked for in one call, of at most {RANDOM_BYTES}");
            return Err(LimitExceeded::new(Limit::Random, what).into());
        }
        let mut bytes = vec![0; length as usize];
        fill(&self.role, &mut bytes);
        Ok(bytes)
    }

    fn random_u64(&self) -> wasmtime::Result<u64> {
        let mut bytes = [0; 8];
        fill(&self.role, &mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
}

impl p2::random::Host for State {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_u64()
    }
}

impl p2::insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_u64()
    }
}

impl p3::random::Host for State {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        // In WASI 0.3 it may answer fewer than asked for.
        self.random_bytes(length.min(RANDOM_BYTES))
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_u64()
    }
}

impl p3::insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length.min(RANDOM_BYTES))
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_u64()
    }
}
