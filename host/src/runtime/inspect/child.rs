//! The child's side of an inspection.

use std::io::{BufRead, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use currant_core::ids::Digest;
use currant_core::modules::ModuleDescription;
use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::{Answer, Request, contract, description};
use crate::bindings::ModulePre;
use crate::guest::{Call, Facts, Grants, Level, LogSink, Returned, Role, StopFlag, TaskCalls};
use crate::limit::Limit;
use crate::runtime::limits::{DESCRIBE_TIME, DESCRIPTION_BYTES};
use crate::runtime::modules::DiskCache;
use crate::runtime::settings::RuntimeSettings;
use crate::runtime::store::store;
use crate::runtime::{engine, instance, linker};

/// Bytes that the child may write to beyond the guest's memory. Compiling the largest component that we know takes 390 MB. What
/// wasmtime only reserves does not count.
const MEMORY: u64 = 2 << 30;
/// CPU seconds for each second of wall time: compiling uses every core.
const CORES: u64 = 16;
/// Compiling can wait; what the worker runs meanwhile cannot.
const NICE: i32 = 10;

/// Inspects the component on stdin, and answers on stdout. The hidden subcommand `inspect` does nothing else.
pub fn inspect_child() -> ExitCode {
    let answer = match read_request() {
        Ok((request, component)) => answer(&request, &component),
        Err(error) => Answer::Failed(format!("{error:#}")),
    };
    let written = serde_json::to_vec(&answer).map_err(anyhow::Error::from).and_then(|answer| {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&answer)?;
        Ok(stdout.flush()?)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read_request() -> anyhow::Result<(Request, Vec<u8>)> {
    let mut stdin = std::io::stdin().lock();
    let mut line = Vec::new();
    stdin.read_until(b'\n', &mut line)?;
    let mut component = Vec::new();
    stdin.read_to_end(&mut component)?;
    Ok((serde_json::from_slice(&line)?, component))
}

fn answer(request: &Request, component: &[u8]) -> Answer {
    if let Err(error) = limit_ourselves(request) {
        return Answer::Failed(format!("its limits cannot be set: {error}"));
    }
    let engine = match engine::on_demand() {
        Ok(engine) => engine,
        Err(error) => return Answer::Failed(format!("{error:#}")),
    };
    match inspect(request, &engine, component) {
        Ok(description) => Answer::Described(description),
        Err(reason) => Answer::Refused(reason),
    }
}

fn limit_ourselves(request: &Request) -> rustix::io::Result<()> {
    let limit = |resource, most: u64| {
        let maximum = getrlimit(resource).maximum.map_or(most, |maximum| most.min(maximum));
        setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })
    };
    limit(Resource::Data, MEMORY + request.memory_limit as u64)?;
    limit(Resource::Cpu, request.inspection_limit.as_secs().max(1) * CORES)?;
    limit(Resource::Core, 0)?;
    let _ = nice(NICE);
    Ok(())
}

fn inspect(request: &Request, engine: &Engine, bytes: &[u8]) -> Result<ModuleDescription, String> {
    let settings = RuntimeSettings {
        cache_folder: request.cache_folder.clone(),
        cache_folder_limit: request.cache_folder_limit,
        memory_limit: request.memory_limit,
        payload_limit: DESCRIPTION_BYTES,
        ..RuntimeSettings::default()
    };
    let (digest, cache) = (Digest::of(bytes), DiskCache::open(engine, &settings));
    // What was compiled before is what it would be compiled to now: the worker, too, believes its cache.
    let kept = cache.as_ref().and_then(|cache| cache.load(engine, &digest)).map(|(component, _)| component);
    let is_kept = kept.is_some();
    let component = match kept {
        Some(component) => component,
        None => Component::new(engine, bytes).map_err(|error| contract::not_compiled(&error))?,
    };
    contract::check_interfaces(engine, &component)?;
    let description = describe(engine, &component, &settings)?;
    if let Some(cache) = cache.filter(|_| !is_kept) {
        keep(&cache, &digest, &component);
    }
    Ok(description)
}

/// Leaves the compiled code to the worker. It can do without.
fn keep(cache: &DiskCache, digest: &Digest, component: &Component) {
    if let Ok(compiled) = component.serialize()
        && let Err(error) = cache.store(digest, &compiled)
    {
        eprintln!("the compiled code cannot be kept: {error:#}");
    }
}

fn describe(engine: &Engine, component: &Component, settings: &RuntimeSettings) -> Result<ModuleDescription, String> {
    let linker = linker::linker(engine).map_err(|error| format!("{error:#}"))?;
    let pre = linker.instantiate_pre(component).map_err(|error| contract::not_linked(&error))?;
    let pre = ModulePre::new(pre).map_err(|error| contract::not_callable(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut store = store(engine, settings, &nobodys_call());
        let described = tokio::time::timeout(DESCRIBE_TIME, async {
            let instance = pre.instantiate_async(&mut store).await?;
            instance.currant_guest_entry().call_describe(&mut store).await
        });
        match described.await {
            Ok(Ok(answer)) => description::check(answer),
            Ok(Err(error)) => Err(trapped(instance::ended_early(&error, store.data(), settings))),
            Err(_) => Err(too_slow(DESCRIBE_TIME)),
        }
    })
}

fn too_slow(limit: Duration) -> String {
    format!(
        "its `describe` took more than {} s: it may only list functions; move work out of the top level of its modules",
        limit.as_secs()
    )
}

fn trapped(returned: Returned) -> String {
    match returned {
        Returned::Failed(failure) if failure.code == Limit::Payload.code() => description::too_large(),
        Returned::Failed(failure) => format!("its `describe` failed ({}): {}", failure.code, failure.message),
        _ => "its `describe` failed".into(),
    }
}

/// A call of nobody in particular: no grants, no run.
fn nobodys_call() -> Call {
    Call {
        function: String::new(),
        input: String::new(),
        facts: Facts {
            id: String::new(),
            task_id: None,
            function: "describe".into(),
            queue: String::new(),
            attempt: 1,
            parent: None,
            module: String::new(),
            deadline: None,
            trace_id: String::new(),
            span_id: String::new(),
            baggage: Vec::new(),
        },
        grants: Arc::new(Grants::default()),
        role: Role::Task(Arc::new(Nobody)),
        logs: Arc::new(Nobody),
        stop: StopFlag::default(),
    }
}

struct Nobody;

impl TaskCalls for Nobody {
    fn heartbeat(&self, _: Option<String>) -> bool {
        false
    }

    fn last_progress(&self) -> Option<String> {
        None
    }

    fn is_cancelled(&self) -> bool {
        false
    }
}

impl LogSink for Nobody {
    fn log(&self, _: Level, _: String, _: Vec<(String, String)>) {}
}
