//! The attributes of the crate `currant`, which documents them by re-exporting them. Not to be used directly.
//!
//! `options` reads what stands in the parentheses, `function` checks the signature, `expand` writes the code.

use proc_macro::TokenStream;

mod durations;
mod expand;
mod function;
mod options;

/// Makes a function a task: it runs once per attempt, at least once, and may touch the outside world through what its module was
/// granted. An ordinary function that may block, with any number of arguments by value, which returns `Result<T, E>` with an `E`
/// that becomes a `Failure`. Its doc comment is its description.
///
/// Calling it gives a `Call`: await that in a workflow and it runs as an execution of its own, on its own queue. `.run()` runs the
/// body in place.
///
/// The input is the argument's JSON; `null` without arguments, an array with several.
///
/// | option | meaning | if not given |
/// |---|---|---|
/// | `name = "charge-card"` | the name for clients: `a-z`, `0-9`, `_`, `.`, `-` | the function's |
/// | `queue = "payments"` | where its executions wait | `default` |
/// | `priority = 10` | higher goes first | 0 |
/// | `retries = 5` | after the first attempt | 3 |
/// | `backoff = "1s"`, `multiplier = 2.0`, `max_backoff = "5m"` | the pause before a retry, how it grows, where it stops | as here |
/// | `timeout = "30s"` | of one attempt | none |
/// | `heartbeat = "10s"` | longest silence between two heartbeats | none |
/// | `queue_timeout = "1h"` | longest wait for the first attempt | none |
/// | `total_timeout = "7d"` | all attempts and pauses | none |
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options::Kind::Task, options.into(), item.into()).into()
}

/// Makes an `async fn` a workflow: deterministic, coordinating tasks, steps, timers and signals, and surviving crashes by replay.
/// Arguments, result, calling and options are those of a task, except that there is no `heartbeat`, and no retry unless asked for.
#[proc_macro_attribute]
pub fn workflow(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options::Kind::Workflow, options.into(), item.into()).into()
}
