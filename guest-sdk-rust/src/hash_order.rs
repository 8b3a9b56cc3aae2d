//! Keeps the order of hash maps the same on a replay.
//!
//! The standard library draws the seed of its hash maps once, and counts it up with each map that is made. The closure of a step may make
//! maps, and a replay does not run it: the maps after it would be counted differently, and their order with them. So each step counts as so
//! many maps, whatever its closure made.

use std::hash::{BuildHasher, RandomState};

/// Maps that a step counts as. More than closures make, and few enough to be counted in a microsecond.
const PER_STEP: u64 = 1024;

/// Where the count stands before a step.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    /// The half of the seed that is counted.
    half: usize,
    count: u64,
}

/// Draws a state twice: the half that has gone up by one is the count. None if the standard library does it in another way.
pub(crate) fn mark() -> Option<Mark> {
    let (first, second) = (seed()?, seed()?);
    let half = (0..2).find(|half| second[*half] == first[*half].wrapping_add(1))?;
    Some(Mark { half, count: first[half] })
}

/// After the step: counts on to where every step ends. False if its closure has made too many maps for that.
pub(crate) fn settle(mark: Option<Mark>) -> bool {
    let Some(Mark { half, count }) = mark else { return true };
    let Some(now) = seed() else { return true };
    let drawn = now[half].wrapping_sub(count);
    for _ in drawn..PER_STEP {
        let _ = RandomState::new();
    }
    drawn <= PER_STEP
}

/// The two halves of the seed of the next map. The standard library shows them nowhere but where a hasher is printed for people.
fn seed() -> Option<[u64; 2]> {
    let shown = format!("{:?}", RandomState::new().build_hasher());
    let half = |name: &str| shown.split_once(name)?.1.split_once(',')?.0.parse().ok();
    Some([half("k0: ")?, half("k1: ")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(maps: u64) -> (bool, u64) {
        let before = mark();
        for _ in 0..maps {
            let _ = RandomState::new();
        }
        let settled = settle(before);
        let Mark { half, count } = before.unwrap();
        (settled, seed().unwrap()[half].wrapping_sub(count))
    }

    #[test]
    fn a_step_counts_the_same_whatever_its_closure_made() {
        let (_, of_none) = after(0);
        for maps in [1, 7, 1_000] {
            assert_eq!(after(maps), (true, of_none), "{maps}");
        }
        assert!(!after(PER_STEP).0);
    }
}
