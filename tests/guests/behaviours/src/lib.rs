//! Everything that a module can do and suffer, one small function each. The tests say what should come of it.
//!
//! Tasks: `outcomes` (how they end) · `misdeeds` (what the sandbox must survive) · `outside` and `network` (what they can reach) ·
//! `liveness`.
//! Workflows: `calls` · `waiting` · `recorded` (steps, clocks, random) · `sources` (all of these, by WASI) · `refused` (what a workflow must not) · `lifecycle`.
#![forbid(unsafe_code)]

mod calls;
mod lifecycle;
mod liveness;
mod misdeeds;
mod network;
mod outcomes;
mod outside;
mod recorded;
mod refused;
mod sources;
mod waiting;

currant::module!();
