//! What a component says of itself, checked. Pure.

use std::collections::HashSet;

use currant_core::executions::Kind;
use currant_core::ids::{FunctionName, ModuleName, QueueName};
use currant_core::modules::{FunctionDescription, ModuleDescription};
use currant_core::values::Json;

use crate::bindings::exports::currant::guest::entry as wit;
use crate::imports::types::{retry_policy, timeouts};
use crate::runtime::limits::{DESCRIPTION_BYTES, FUNCTIONS};

/// Turns a guest's answer into a description, or says what is wrong with it.
pub(super) fn check(answer: wit::ModuleDescription) -> Result<ModuleDescription, String> {
    if answer.functions.len() > FUNCTIONS {
        return Err(format!("it describes {} functions; a module may have {FUNCTIONS}: split it", answer.functions.len()));
    }
    let size = size(&answer);
    if size > DESCRIPTION_BYTES {
        return Err(too_large());
    }
    let mut names = HashSet::new();
    if let Some(twice) = answer.functions.iter().find(|function| !names.insert(function.name.as_str())) {
        return Err(format!("it describes two functions named `{}`: rename one", twice.name));
    }
    Ok(ModuleDescription {
        name: ModuleName::parse(&answer.name).map_err(|error| error.to_string())?,
        version: answer.version,
        sdk: answer.sdk,
        functions: answer.functions.into_iter().map(function).collect::<Result<_, _>>()?,
    })
}

pub(super) fn too_large() -> String {
    format!("it describes itself in more than {DESCRIPTION_BYTES} bytes: shorten its docstrings or schemas")
}

fn function(function: wit::FunctionDescription) -> Result<FunctionDescription, String> {
    let name = FunctionName::parse(&function.name).map_err(|error| error.to_string())?;
    let of = |error: &dyn std::fmt::Display| format!("function `{}`: {error}", function.name);
    let schema = |text: Option<String>| text.map(Json::parse).transpose();
    Ok(FunctionDescription {
        kind: match function.kind {
            wit::FunctionKind::Task => Kind::Task,
            wit::FunctionKind::Workflow => Kind::Workflow,
        },
        description: function.description,
        queue: function.queue.map(|queue| QueueName::parse(&queue)).transpose().map_err(|error| of(&error))?,
        priority: function.priority,
        retry: function.retry.map(retry_policy),
        timeouts: timeouts(function.timeouts),
        input_schema: schema(function.input_schema).map_err(|error| of(&format!("its input schema: {error}")))?,
        result_schema: schema(function.result_schema).map_err(|error| of(&format!("its result schema: {error}")))?,
        name,
    })
}

fn size(answer: &wit::ModuleDescription) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let functions = answer.functions.iter().map(|function| {
        let texts = [&function.description, &function.queue, &function.input_schema, &function.result_schema];
        function.name.len() + texts.into_iter().map(optional).sum::<usize>()
    });
    answer.name.len() + answer.version.len() + answer.sdk.len() + functions.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::currant::guest::types::Timeouts;

    fn described(functions: Vec<wit::FunctionDescription>) -> wit::ModuleDescription {
        wit::ModuleDescription { name: "orders".into(), version: "1".into(), sdk: "rust 0.1.0".into(), functions }
    }

    fn function_named(name: &str) -> wit::FunctionDescription {
        let timeouts = Timeouts { queue: None, attempt: None, heartbeat: None, total: None };
        wit::FunctionDescription {
            name: name.into(),
            kind: wit::FunctionKind::Task,
            description: None,
            queue: None,
            priority: None,
            retry: None,
            timeouts,
            input_schema: None,
            result_schema: None,
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = |answer| check(answer).unwrap_err();
        assert!(check(described(vec![function_named("a"), function_named("b")])).is_ok());
        assert!(refused(described(vec![function_named("a"), function_named("a")])).contains("two functions named `a`"));
        assert!(refused(described(vec![function_named("Check Out")])).contains("not a valid function name"));
        assert!(refused(wit::ModuleDescription { name: "A".into(), ..described(vec![]) }).contains("not a valid module name"));
        let many = (0..1_001).map(|n| function_named(&format!("f{n}"))).collect();
        assert!(refused(described(many)).contains("1001 functions"));
        let long = wit::FunctionDescription { description: Some("x".repeat(DESCRIPTION_BYTES)), ..function_named("a") };
        assert!(refused(described(vec![long])).contains("1048576 bytes"));
        let schema = wit::FunctionDescription { input_schema: Some("{".into()), ..function_named("a") };
        assert!(refused(described(vec![schema])).contains("function `a`: its input schema"));
    }
}
