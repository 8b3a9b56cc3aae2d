//! Faults of a machine, for a process that loads this by `LD_PRELOAD`. Each is asked for by a variable of the environment.

#![expect(unsafe_code, reason = "it takes the place of functions of the C library")]

mod clock;
mod disk;
