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

/// A random UUID (version 4), by the same rules as [`random`].
///
/// ```
/// let id = currant::uuid();
/// assert_eq!((id.len(), &id[14..15]), (36, "4"));
/// ```
pub fn uuid() -> String {
    // The version takes four bits, the variant two.
    let (high, low) = (random() & !0xf000 | 0x4000, random() >> 2 | 0x8000_0000_0000_0000);
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}
