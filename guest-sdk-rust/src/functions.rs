//! What the attributes leave behind: one entry per task and workflow, found by name.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;

use crate::Failure;
use crate::options::{RetryPolicy, Timeouts};

/// JSON text, or why there is none.
pub type Outcome = Result<String, Failure>;

/// A workflow that has been called with an input and not been polled yet.
pub type Flow = Pin<Box<dyn Future<Output = Outcome>>>;

/// A task or workflow of this module, with the settings of its attribute.
pub struct Function {
    /// By which clients start it.
    pub name: &'static str,
    /// What it does.
    pub body: Body,
    /// The doc comment; may be empty.
    pub description: &'static str,
    /// None is `default`.
    pub queue: Option<&'static str>,
    /// None is 0.
    pub priority: Option<i16>,
    /// None is the host's policy for its kind.
    pub retry: Option<RetryPolicy>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Where it stands, for the message about two functions of the same name.
    pub place: (&'static str, u32),
}

/// What runs when the function is called. Input and outcome are JSON text.
pub enum Body {
    /// Returns when it is done.
    Task(fn(&str) -> Outcome),
    /// Returns a future, for the executor.
    Workflow(fn(&str) -> Flow),
}

/// What `module!` says.
pub struct Module {
    /// Grants and deployments belong to it.
    pub name: &'static str,
    /// For people.
    pub version: &'static str,
}

/// That a function is part of this module.
pub struct Registered(pub &'static Function);

inventory::collect!(Registered);
inventory::collect!(Module);

/// What a call is about: a function of this module, or the name of one that may be anybody's.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) name: Cow<'static, str>,
    own: Option<&'static Function>,
}

impl Target {
    pub(crate) fn of(function: &'static Function) -> Self {
        Self { name: Cow::Borrowed(function.name), own: Some(function) }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self { name: Cow::Owned(name.to_owned()), own: None }
    }

    /// The function itself, to be run here.
    pub(crate) fn function(&self) -> Result<&'static Function, Failure> {
        self.own.map_or_else(|| find(&self.name), Ok)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The function of this module with this name.
pub(crate) fn find(name: &str) -> Result<&'static Function, Failure> {
    registered()
        .find(|function| function.name == name)
        .ok_or_else(|| Failure::new("unknown-function", format!("this module has no function `{name}`")).not_retryable())
}

fn registered() -> impl Iterator<Item = &'static Function> {
    inventory::iter::<Registered>.into_iter().map(|registered| registered.0)
}

/// What the module says of itself, with its functions in the order of their names: `inventory` promises none, and a description
/// should not depend on it. The error is a sentence that tells the author what to mend.
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only a component describes itself"))]
pub(crate) fn all() -> Result<(&'static Module, Vec<&'static Function>), String> {
    let module = inventory::iter::<Module>
        .into_iter()
        .next()
        .ok_or("this component does not say what it is called: write `currant::module!();` at the root of the crate")?;
    Ok((module, ordered(module, registered().collect())?))
}

fn ordered(module: &Module, mut functions: Vec<&'static Function>) -> Result<Vec<&'static Function>, String> {
    functions.sort_by_key(|function| (function.name, function.place));
    if functions.is_empty() {
        let module = module.name;
        return Err(format!(
            "module `{module}` has no functions: mark at least one with `#[currant::task]` or `#[currant::workflow]`"
        ));
    }
    match functions.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => {
            let [(file, line), (other_file, other_line)] = [pair[0].place, pair[1].place];
            Err(format!("two functions are called `{}`: {file}:{line} and {other_file}:{other_line}", pair[0].name))
        }
        None => Ok(functions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: Module = Module { name: "shop", version: "1" };

    fn function(name: &'static str, line: u32) -> &'static Function {
        Box::leak(Box::new(Function {
            name,
            body: Body::Task(|_| Ok(String::new())),
            description: "",
            queue: None,
            priority: None,
            retry: None,
            timeouts: Timeouts::default(),
            place: ("src/lib.rs", line),
        }))
    }

    #[test]
    fn functions_come_in_the_order_of_their_names() {
        let functions = ordered(&MODULE, vec![function("b", 1), function("a", 2)]).unwrap();
        assert_eq!(functions.iter().map(|function| function.name).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn two_of_a_name_are_both_shown() {
        let error = ordered(&MODULE, vec![function("a", 7), function("b", 5), function("a", 3)]).err();
        assert_eq!(error.as_deref(), Some("two functions are called `a`: src/lib.rs:3 and src/lib.rs:7"));
    }

    #[test]
    fn a_module_without_functions_is_told_how_to_make_one() {
        let error = ordered(&MODULE, Vec::new()).err().unwrap();
        assert!(error.starts_with("module `shop` has no functions: mark at least one"), "{error}");
    }
}
