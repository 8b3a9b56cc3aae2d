//! `currant:guest/task`: what only tasks may do.

use std::sync::Arc;

use crate::bindings::currant::guest::task::Host;
use crate::guest::{Refused, Role, TaskCalls};
use crate::runtime::store::State;

impl Host for State {
    fn heartbeat(&mut self, progress: Option<String>) -> wasmtime::Result<bool> {
        self.small_enough("the progress", progress.as_ref().map_or(0, String::len))?;
        Ok(self.task("heartbeat")?.heartbeat(progress))
    }

    fn last_progress(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.task("last-progress")?.last_progress())
    }
}

impl State {
    fn task(&self, function: &str) -> Result<&Arc<dyn TaskCalls>, Refused> {
        match &self.role {
            Role::Task(run) => Ok(run),
            Role::Workflow(_) => Err(Refused(format!("`{function}` is for tasks, and this is a workflow"))),
        }
    }
}
