//! `currant:guest/workflow`: durable operations. Each one is a call of the run, which answers from the journal or records it.

use std::sync::Arc;

use super::types::{outcome_from_guest, outcome_to_guest, start_options};
use crate::bindings::currant::guest::types::Outcome;
use crate::bindings::currant::guest::workflow::{Completion, Host, Interruption, StartOptions};
use crate::guest::{Refused, Role, Waited, WorkflowCalls};
use crate::runtime::store::State;

impl Host for State {
    fn start_task(&mut self, function: String, input: String, options: StartOptions) -> wasmtime::Result<u32> {
        let run = self.workflow("start-task")?;
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
        self.computed_ticks = 0;
        let waited = self.workflow("wait")?.clone().wait(operations).await?;
        self.computed_ticks = 0;
        Ok(match waited {
            Waited::Completion { operation, outcome } => Ok(Completion { operation, outcome: outcome_to_guest(outcome) }),
            Waited::Cancelled => Err(Interruption::Cancelled),
        })
    }

    fn cancel(&mut self, operation: u32) -> wasmtime::Result<()> {
        Ok(self.workflow("cancel")?.cancel(operation)?)
    }

    async fn begin_step(&mut self, name: String) -> wasmtime::Result<Option<Outcome>> {
        self.computed_ticks = 0;
        let recorded = self.workflow("begin-step")?.clone().begin_step(name).await?;
        Ok(recorded.map(outcome_to_guest))
    }

    fn end_step(&mut self, outcome: Outcome) -> wasmtime::Result<()> {
        self.computed_ticks = 0;
        Ok(self.workflow("end-step")?.end_step(outcome_from_guest(outcome))?)
    }

    fn version(&mut self, change: String, min: u32, max: u32) -> wasmtime::Result<u32> {
        Ok(self.workflow("version")?.version(change, min, max)?)
    }

    fn continue_as_new(&mut self, input: String) -> wasmtime::Result<()> {
        Err(self.workflow("continue-as-new")?.continue_as_new(input).into())
    }

    fn publish(&mut self, progress: String) -> wasmtime::Result<()> {
        Ok(self.workflow("publish")?.publish(progress)?)
    }
}

impl State {
    fn workflow(&self, function: &str) -> Result<&Arc<dyn WorkflowCalls>, Refused> {
        match &self.role {
            Role::Workflow(run) => Ok(run),
            Role::Task(_) => Err(Refused(format!("`{function}` is for workflows, and this is a task"))),
        }
    }
}
