//! What a run needs from whoever runs it: the `workflow` interface of the contract in this crate's own types.
//!
//! Two things can run a workflow: the worker, through the component's imports ([`component`]), and the test kit, which moves a
//! clock of its own ([`crate::testing`]). The executor knows neither.

use std::time::Duration;

use crate::functions::{Outcome, Target};
use crate::options::CallOptions;

#[cfg(target_arch = "wasm32")]
pub(crate) mod component;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native;

/// What tasks and workflows alike can ask and tell: which execution this is, heartbeats, telemetry. Two modules with the same
/// functions, of which one is compiled.
#[cfg(target_arch = "wasm32")]
pub(crate) use component as surroundings;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native as surroundings;

/// The number of an operation in its own run.
pub(crate) type Number = u32;

/// What can be started. Each gets the next number.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Task { function: Target, input: String, options: CallOptions },
    Workflow { function: Target, input: String, options: CallOptions, detached: bool },
    Timer(Duration),
    Signal(String),
}

/// What ended the wait.
pub(crate) enum Delivery {
    /// This operation ended so.
    Completed(Number, Outcome),
    /// Somebody asked for the cancellation of the workflow.
    Cancelled,
    /// Nothing that is waited for can ever happen; the sentence says why. Only the test kit can know this.
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "the worker waits as long as it takes"))]
    Never(String),
}

pub(crate) trait Host {
    fn start(&self, request: Request) -> Number;
    fn external(&self) -> (Number, String);
    fn wait(&self, numbers: &[Number]) -> Delivery;
    fn cancel(&self, number: Number);
    fn begin_step(&self, name: &str) -> Option<Outcome>;
    fn end_step(&self, outcome: &Outcome);
    fn version(&self, change: &str, min: u32, max: u32) -> u32;
    /// In a component it does not return.
    fn continue_as_new(&self, input: &str);
    fn publish(&self, progress: &str);
}
