//! `currant:guest/workflow`: durable operations. Each one is a call of the run, which answers from the journal or records it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use super::types::{bytes_of, outcome_from_guest, outcome_to_guest, start_options};
use super::within;
use crate::bindings::currant::guest::types::Outcome;
use crate::bindings::currant::guest::workflow::{Completion, Host, Interruption, StartOptions};
use crate::guest::{Refused, Role, Waited, WorkflowCalls};
use crate::limit::LimitExceeded;
use crate::runtime::store::State;

impl Host for State {
    fn start_task(&mut self, function: String, input: String, options: StartOptions) -> wasmtime::Result<u32> {
        let run = self.workflow("start-task")?;
        self.small_enough(format_args!("the input of `{function}`"), input.len())?;
        Ok(run.start_task(function, input, start_options(options)?)?)
    }

    fn start_workflow(
        &mut self,
        function: String,
        input: String,
        options: StartOptions,
        detached: bool,
    ) -> wasmtime::Result<u32> {
        let run = self.workflow("start-workflow")?;
        self.small_enough(format_args!("the input of `{function}`"), input.len())?;
        Ok(run.start_workflow(function, input, start_options(options)?, detached)?)
    }

    fn start_timer(&mut self, length: u64) -> wasmtime::Result<u32> {
        Ok(self.workflow("start-timer")?.start_timer(length)?)
    }

    fn receive_signal(&mut self, name: String) -> wasmtime::Result<u32> {
        Ok(self.workflow("receive-signal")?.receive_signal(name)?)
    }

    fn external(&mut self) -> wasmtime::Result<(u32, String)> {
        Ok(self.workflow("external")?.external()?)
    }

    async fn wait(&mut self, operations: Vec<u32>) -> wasmtime::Result<Result<Completion, Interruption>> {
        self.computed = Duration::ZERO;
        let waited = self.workflow("wait")?.clone().wait(operations).await?;
        self.computed = Duration::ZERO;
        Ok(match waited {
            Waited::Completion { operation, outcome } => Ok(Completion { operation, outcome: outcome_to_guest(outcome) }),
            Waited::Cancelled => Err(Interruption::Cancelled),
        })
    }

    fn cancel(&mut self, operation: u32) -> wasmtime::Result<()> {
        Ok(self.workflow("cancel")?.cancel(operation)?)
    }

    async fn begin_step(&mut self, name: String) -> wasmtime::Result<Option<Outcome>> {
        self.computed = Duration::ZERO;
        let recorded = self.workflow("begin-step")?.clone().begin_step(name).await?;
        Ok(recorded.map(outcome_to_guest))
    }

    fn end_step(&mut self, outcome: Outcome) -> wasmtime::Result<()> {
        self.computed = Duration::ZERO;
        let bytes = match &outcome {
            Outcome::Completed(value) => value.len(),
            Outcome::Failed(failure) => bytes_of(failure),
        };
        self.small_enough("the result of the step", bytes)?;
        Ok(self.workflow("end-step")?.end_step(outcome_from_guest(outcome))?)
    }

    fn version(&mut self, change: String, min: u32, max: u32) -> wasmtime::Result<u32> {
        Ok(self.workflow("version")?.version(change, min, max)?)
    }

    fn continue_as_new(&mut self, input: String) -> wasmtime::Result<()> {
        let run = self.workflow("continue-as-new")?;
        self.small_enough("the input of the next run", input.len())?;
        Err(run.continue_as_new(input).into())
    }

    fn publish(&mut self, progress: String) -> wasmtime::Result<()> {
        let run = self.workflow("publish")?;
        self.small_enough("the progress", progress.len())?;
        Ok(run.publish(progress)?)
    }
}

impl State {
    pub(super) fn small_enough(&self, what: impl Display, bytes: usize) -> Result<(), LimitExceeded> {
        within(self.payload_limit, what, bytes)
    }

    fn workflow(&self, function: &str) -> Result<&Arc<dyn WorkflowCalls>, Refused> {
        match &self.role {
            Role::Workflow(run) => Ok(run),
            Role::Task(_) => Err(Refused(format!("`{function}` is for workflows, and this is a task"))),
        }
    }
}
