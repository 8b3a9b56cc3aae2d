//! What guests import: Currant's own contract and WASI, one file per interface.
//!
//! Everything is always linked, so that any component instantiates; what a call does depends on where it is made:
//!
//! | | in a task, or inside a step | in a workflow, outside a step |
//! |---|---|---|
//! | [`clocks`] | the real time | the workflow's time; sleeping is a durable timer |
//! | [`random`] | real entropy | the stream of the execution, the same on replay |
//! | [`network`] | HTTP to the hosts that were granted | refused, in words |
//! | [`denied`] | refused | refused, in words |
//! | [`stdio`] | log lines | log lines, but silent during replay |
//! | environment | what was granted | what was granted |
//! | files | nothing is there | nothing is there |
//!
//! The contract's own: [`context`], [`workflow`], [`task`], [`telemetry`]; [`types`] translates their values.
//!
//! Invariant: no import writes to Postgres. What a workflow does reaches its run through [`WorkflowCalls`], which answers from the
//! journal or records the call.

pub(crate) mod clocks;
pub(crate) mod context;
pub(crate) mod denied;
pub(crate) mod network;
pub(crate) mod random;
pub(crate) mod stdio;
pub(crate) mod task;
pub(crate) mod telemetry;
pub(crate) mod types;
pub(crate) mod workflow;

use std::sync::Arc;

use crate::guest::{Role, WorkflowCalls};
use crate::limit::{Limit, LimitExceeded};

/// What a workflow is told that reaches for the network outside a step.
pub(crate) const NO_NETWORK: &str = "network is not available in a workflow: call a task or use a step";

/// Refuses a value that is larger than a value may be.
pub(crate) fn within(limit: usize, what: impl std::fmt::Display, bytes: usize) -> Result<(), LimitExceeded> {
    if bytes <= limit {
        return Ok(());
    }
    let what = format!("{what} has {bytes} bytes, and may have {limit}: store it elsewhere, and hand over its address");
    Err(LimitExceeded::new(Limit::Payload, what))
}

/// The run behind a workflow that is outside a step: there the world is that of the record. None: the world is the real one.
pub(crate) fn outside_a_step(role: &Role) -> Option<&Arc<dyn WorkflowCalls>> {
    match role {
        Role::Workflow(run) if !run.in_step() => Some(run),
        _ => None,
    }
}
