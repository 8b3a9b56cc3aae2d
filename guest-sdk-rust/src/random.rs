//! Random numbers that need no care.

/// A random number from the host: real randomness in a task and inside a step; in a workflow one that is the same on every replay.
///
/// Crates that ask the system each time, such as `getrandom` and `uuid`, are as good. A generator that keeps a state of its own is
/// not: one that is seeded inside a step is not seeded there on a replay, where the step does not run. For `rand::rng()` the
/// feature `rand` of this crate sees to that.
///
/// ```
/// let die = currant::random() % 6 + 1;
/// assert!((1..=6).contains(&die));
/// ```
pub fn random() -> u64 {
    getrandom::u64().expect("the host always has randomness")
}
