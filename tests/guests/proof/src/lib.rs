//! What the proof of crash-safety runs: `witnessed` tells a witness outside of everything that it does; of `kept` the recorded histories are
//! kept, and must replay for ever.
#![forbid(unsafe_code)]

mod kept;
mod tell;
mod witnessed;

currant::module!();
