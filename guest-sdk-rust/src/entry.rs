//! What the component exports: `describe` and `run`.

use std::hash::RandomState;
use std::rc::Rc;

use crate::bindings::exports::currant::guest::entry::{FunctionDescription, FunctionKind, Guest, ModuleDescription, RunError};
use crate::functions::{self, Body, Function};
use crate::host::component::{self, Worker};
use crate::{context, executor};

struct Module;

#[expect(unsafe_code, reason = "an export has a fixed symbol name, which the generated macro writes")]
mod export {
    use super::Module;

    crate::bindings::export!(Module);
}

impl Guest for Module {
    fn describe() -> ModuleDescription {
        // A trap here refuses the module at deploy, and shows this sentence.
        let (module, functions) = functions::all().unwrap_or_else(|mistake| panic!("{mistake}"));
        ModuleDescription {
            name: module.name.to_owned(),
            version: module.version.to_owned(),
            sdk: concat!("rust ", env!("CARGO_PKG_VERSION")).to_owned(),
            functions: functions.into_iter().map(describe).collect(),
        }
    }

    fn run(function: String, input: String) -> Result<String, RunError> {
        // The standard library draws the seed of its hash maps once per instance. Drawn here it is part of the record; drawn first
        // inside a step, it would be real randomness that no replay sees, and the order of every later map with it.
        let _ = RandomState::new();
        let function = functions::find(&function).map_err(|failure| component::run_error(&failure, false))?;
        match function.body {
            Body::Task(body) => body(&input).map_err(|failure| component::run_error(&failure, context::is_cancelled())),
            Body::Workflow(body) => {
                let (outcome, cancelled) = executor::drive(Rc::new(Worker), body(&input));
                outcome.map_err(|failure| component::run_error(&failure.of_workflow(), cancelled))
            }
        }
    }
}

fn describe(function: &Function) -> FunctionDescription {
    FunctionDescription {
        name: function.name.to_owned(),
        kind: match function.body {
            Body::Task(_) => FunctionKind::Task,
            Body::Workflow(_) => FunctionKind::Workflow,
        },
        description: (!function.description.is_empty()).then(|| function.description.to_owned()),
        queue: function.queue.map(str::to_owned),
        priority: function.priority,
        retry: function.retry.map(component::retry_policy),
        timeouts: component::timeouts(function.timeouts),
        input_schema: None,
        result_schema: None,
    }
}
