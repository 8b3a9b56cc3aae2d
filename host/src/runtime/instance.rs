//! One call of a guest in an instance of its own, and what it came to.

use std::future::poll_fn;
use std::pin::pin;
use std::task::ready;

use currant_core::executions::Failure;
use currant_core::values::Json;
use serde_json::json;
use wasmtime::component::ResourceTableError;
use wasmtime::error::Context;
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::limits::{HANDLES, RESOURCES, STACK_BYTES, TABLE_ELEMENTS};
use super::settings::RuntimeSettings;
use super::store::{State, Stopped, store};
use super::turns::Turn;
use crate::bindings::ModulePre;
use crate::bindings::exports::currant::guest::entry::RunError;
use crate::guest::{Call, Refused, Returned};
use crate::imports::types::{bytes_of, failure_from_guest};
use crate::imports::within;
use crate::limit::{Limit, LimitExceeded};

/// Frames of a trap that are shown.
const FRAMES: usize = 20;
/// Lines of stderr that are shown where nothing says which of them matter.
const LINES: usize = 20;
/// See [`last_words`].
const PYTHON_PANIC: &str = "Python function threw an unexpected exception";

/// The error came before the guest's `run` was called.
#[derive(Debug, thiserror::Error)]
#[error("the worker cannot make an instance of the module")]
struct NotInstantiated;

/// Runs a function. The future may be dropped at any time, and takes everything with it.
pub(super) async fn run(engine: &Engine, module: &ModulePre<State>, settings: &RuntimeSettings, call: Call) -> Returned {
    if let Some(reason) = call.stop.reason() {
        return Returned::Stopped(reason);
    }
    if let Err(exceeded) = within(settings.payload_limit, "the input", call.input.len()) {
        return Returned::Failed(exceeded.failure());
    }
    let mut store = store(engine, settings, &call);
    let stopwatch = store.data().stopwatch.clone();
    let result = {
        let mut running = pin!(instantiate_and_run(&mut store, module, &call));
        let mut turn = Turn::default();
        poll_fn(|context| {
            if stopwatch.computes() {
                turn.ask();
            }
            let taken = ready!(turn.poll(context));
            stopwatch.start();
            taken.spend(|| running.as_mut().poll(context))
        })
        .await
    };
    let state = store.data();
    state.stdout.finish();
    state.stderr.finish();
    match result {
        Ok(Ok(value)) => completed(value, settings),
        Ok(Err(RunError::Failed(failure))) => match within(settings.payload_limit, "the failure", bytes_of(&failure)) {
            Ok(()) => Returned::Failed(failure_from_guest(failure)),
            Err(exceeded) => Returned::Failed(exceeded.failure()),
        },
        Ok(Err(RunError::RateLimited(milliseconds))) => Returned::RateLimited(milliseconds),
        Ok(Err(RunError::Cancelled)) => Returned::Cancelled,
        Err(error) => ended_early(&error, state, settings),
    }
}

async fn instantiate_and_run(
    store: &mut Store<State>,
    module: &ModulePre<State>,
    call: &Call,
) -> wasmtime::Result<Result<String, RunError>> {
    let instance = module.instantiate_async(&mut *store).await.context(NotInstantiated)?;
    instance.currant_guest_entry().call_run(store, &call.function, &call.input).await
}

fn completed(value: String, settings: &RuntimeSettings) -> Returned {
    if let Err(exceeded) = within(settings.payload_limit, "the result", value.len()) {
        return Returned::Failed(exceeded.failure());
    }
    match Json::parse(value) {
        Ok(value) => Returned::Completed(value.into_string()),
        Err(invalid) => Returned::Failed(Failure::of_host("invalid-value", format!("the result: {invalid}"), false)),
    }
}

/// A trap, or an error of an import, which ends a guest like one.
pub(super) fn ended_early(error: &wasmtime::Error, state: &State, settings: &RuntimeSettings) -> Returned {
    if let Some(Stopped(reason)) = error.downcast_ref() {
        return Returned::Stopped(*reason);
    }
    let mut failure = failure(error, state, settings);
    failure.details = backtrace(error);
    Returned::Failed(failure)
}

fn failure(error: &wasmtime::Error, state: &State, settings: &RuntimeSettings) -> Failure {
    let said = last_words(&state.stderr.tail());
    if let Some(exceeded) = error.downcast_ref::<LimitExceeded>() {
        return exceeded.failure();
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return LimitExceeded::new(Limit::Resources, format!("more than {RESOURCES} open resources of the host")).failure();
    }
    if let Some(Refused(words)) = error.downcast_ref() {
        return Failure::of_host("trap", words, true);
    }
    if let Some(I32Exit(status)) = error.downcast_ref() {
        let message = said.unwrap_or_else(|| format!("the guest ended itself with exit status {status}"));
        return Failure::of_host("trap", message, true);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        let message = format!("the worker has no room for another instance: {error} (the setting `instances`)");
        return Failure::of_host("module-unavailable", message, true);
    }
    // Guests run while they are instantiated, too; but without a trap, a frame or a refusal of ours it was not the guest.
    let ours = !error.is::<Trap>() && !error.is::<WasmBacktrace>() && !state.limiter.refused_memory;
    if error.is::<NotInstantiated>() && ours {
        return Failure::of_host("module-unavailable", format!("{error:#}"), true);
    }
    // These errors of wasmtime have no public type.
    let caused_by = |words: &str| error.chain().any(|cause| cause.to_string().contains(words));
    if caused_by("fuel allocated for hostcalls has been exhausted") {
        let limit = settings.payload_limit;
        let what = format!("a value of more than {limit} bytes: store it elsewhere, and hand over its address");
        return LimitExceeded::new(Limit::Payload, what).failure();
    }
    if caused_by("store handle limit exceeded") {
        return LimitExceeded::new(Limit::Handles, format!("more than {HANDLES} open handles")).failure();
    }
    trap(error, state, said)
}

fn trap(error: &wasmtime::Error, state: &State, said: Option<String>) -> Failure {
    let trap = error.downcast_ref::<Trap>();
    if let Some(Trap::StackOverflow) = trap {
        let kib = STACK_BYTES >> 10;
        let what = format!("the call stack is deeper than {kib} KiB: is there a recursion too deep?");
        return LimitExceeded::new(Limit::Stack, what).failure();
    }
    // A guest that is refused memory may end in any way: by aborting, by a null pointer, or much later.
    if state.limiter.refused_memory {
        let limit = state.limiter.memory_limit() >> 20;
        let said = said.map(|said| format!(": {said}")).unwrap_or_default();
        return LimitExceeded::new(Limit::Memory, format!("more than {limit} MiB of memory needed{said}")).failure();
    }
    if state.limiter.refused_table {
        let what = format!("more than {TABLE_ELEMENTS} elements of a table needed");
        return LimitExceeded::new(Limit::Table, what).failure();
    }
    let message = match trap {
        // How a language aborts: what it said before says why.
        Some(Trap::UnreachableCodeReached) => said.unwrap_or_else(|| "the guest aborted".into()),
        // Languages that keep a stack of their own in linear memory put it at the bottom, where running out of it ends like this.
        Some(trap @ Trap::MemoryOutOfBounds) => {
            format!("{trap}; in Rust and C most often the end of the stack: is there a recursion too deep?")
        }
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    Failure::of_host("trap", message, true)
}

/// The end of what the guest wrote to stderr: from the panic or traceback on, where there is one, and without advice.
fn last_words(stderr: &str) -> Option<String> {
    let line_of = |at: usize| stderr[..at].rfind('\n').map_or(0, |end| end + 1);
    let panic = stderr.rfind(" panicked at ").map(line_of);
    let traceback = stderr.rfind("Traceback (most recent call last)").map(line_of);
    let words = match (panic, traceback) {
        // componentize-py ends an exception that nobody caught by a panic of its own, which says nothing more.
        (Some(panic), Some(traceback)) if traceback < panic && stderr[panic..].contains(PYTHON_PANIC) => {
            &stderr[traceback..panic]
        }
        (Some(start), _) | (None, Some(start)) => &stderr[start..],
        (None, None) => stderr.lines().rev().nth(LINES - 1).map_or(stderr, |line| &stderr[offset_of(stderr, line)..]),
    };
    let kept: Vec<_> = words.lines().filter(|line| !line.starts_with("note: run with `RUST_BACKTRACE")).collect();
    let words = kept.join("\n").trim().to_string();
    (!words.is_empty()).then_some(words)
}

/// Where a line of the text begins.
fn offset_of(text: &str, line: &str) -> usize {
    line.as_ptr() as usize - text.as_ptr() as usize
}

fn backtrace(error: &wasmtime::Error) -> Option<Json> {
    let backtrace = error.downcast_ref::<WasmBacktrace>()?;
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        // Without the hash that Rust appends.
        Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
        None => format!("function {}", frame.func_index()),
    };
    let frames: Vec<_> = backtrace.frames().iter().take(FRAMES).map(name).collect();
    Json::of(&json!({ "backtrace": frames })).ok()
}

#[cfg(test)]
mod tests {
    use super::last_words;

    #[test]
    fn a_panic_is_its_own_message() {
        let stderr = "starting\n\nthread 'main' panicked at src/lib.rs:4:5:\nno such order\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        assert_eq!(last_words(stderr).as_deref(), Some("thread 'main' panicked at src/lib.rs:4:5:\nno such order"));
    }

    #[test]
    fn a_python_exception_is_its_traceback() {
        let stderr = "before\nTraceback (most recent call last):\n  File \"app.py\", line 1\nKeyError: 'x'\n\nthread '<unnamed>' (1) panicked at runtime/src/lib.rs:1293:29:\nPython function threw an unexpected exception\n";
        let expected = "Traceback (most recent call last):\n  File \"app.py\", line 1\nKeyError: 'x'";
        assert_eq!(last_words(stderr).as_deref(), Some(expected));
    }

    #[test]
    fn without_a_panic_it_is_the_last_lines() {
        assert_eq!(last_words("Traceback …\nKeyError: 'x'\n").as_deref(), Some("Traceback …\nKeyError: 'x'"));
        let many: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert_eq!(last_words(&many).unwrap().lines().next(), Some("80"));
        assert_eq!(last_words(" \n"), None);
    }
}
