//! `currant:guest/context`: which execution this is.

use crate::bindings::currant::guest::context::{Execution, Host, TraceContext};
use crate::guest::Role;
use crate::runtime::store::State;

impl Host for State {
    fn current(&mut self) -> wasmtime::Result<Execution> {
        let facts = self.facts.clone();
        Ok(Execution {
            id: facts.id,
            task_id: facts.task_id,
            function: facts.function,
            queue: facts.queue,
            attempt: facts.attempt,
            parent: facts.parent,
            module: facts.module,
            deadline: facts.deadline,
        })
    }

    fn trace(&mut self) -> wasmtime::Result<TraceContext> {
        let facts = &self.facts;
        Ok(TraceContext { trace_id: facts.trace_id.clone(), span_id: facts.span_id.clone(), baggage: facts.baggage.clone() })
    }

    fn is_cancelled(&mut self) -> wasmtime::Result<bool> {
        match &self.role {
            Role::Task(run) => Ok(run.is_cancelled()),
            Role::Workflow(_) => Ok(false),
        }
    }
}
