//! The sandbox alone: a fresh instance, one call, and its end, through the worker's own runtime, with no database behind it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use currant_core::executions::StartOptions;
use currant_core::ids::Digest;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::load::{ORDER, TEN};
use super::procfs;
use super::report::Latency;
use crate::guest::{Call, Facts, Level, LogSink, Outcome, Refused, Returned, Role, StopFlag, TaskCalls, Waited, WorkflowCalls};
use crate::runtime::{Module, ModuleSource, Runtime, RuntimeSettings};

/// What it costs to have a module ready.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Loaded {
    /// From its bytes: compiled.
    pub(super) compiled_ms: f64,
    /// From the disk cache, as at a worker's next start.
    pub(super) cached_ms: f64,
    /// Of the compiled code.
    pub(super) code_bytes: u64,
}

/// What one call costs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sandboxed {
    /// `noop`, `steps` or `tasks`.
    pub(super) name: &'static str,
    /// Microseconds of processor time; none where the kernel does not say.
    pub(super) cpu_us: Option<f64>,
    /// Microseconds that half of the calls exceed, one after the other.
    pub(super) p50_us: f64,
    /// Calls in a second, one after the other.
    pub(super) one_at_a_time_per_second: f64,
    /// Calls in a second, on every core.
    pub(super) all_cores_per_second: f64,
}

/// Measures a task that does nothing, and workflows of ten steps and of ten tasks whose answers are there at once.
pub(super) async fn measure(component: &[u8], cores: usize, time: Duration) -> Result<(Loaded, Vec<Sandboxed>)> {
    let folder = tempfile::tempdir()?;
    let (compiled_ms, first) = load(component, folder.path()).await?;
    drop(first);
    let (cached_ms, sandbox) = load(component, folder.path()).await?;
    let code_bytes = std::fs::read_dir(folder.path())?.flatten().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    let sandbox = Arc::new(sandbox);
    let mut measured = Vec::new();
    for name in ["noop", "steps", "tasks"] {
        // The first calls find no warm slots in the pool.
        sandbox.calls_for(name, time / 10).await?;
        let (calls, seconds, cpu) = sandbox.timed(name, time, 1).await?;
        let (on_all, seconds_of_all, _) = sandbox.timed(name, time, cores).await?;
        measured.push(Sandboxed {
            name,
            cpu_us: cpu.map(|cpu| cpu * 1e6 / calls.len() as f64),
            one_at_a_time_per_second: calls.len() as f64 / seconds,
            all_cores_per_second: on_all.len() as f64 / seconds_of_all,
            p50_us: Latency::of(name, calls).p50_ms * 1e3,
        });
    }
    Ok((Loaded { compiled_ms, cached_ms, code_bytes }, measured))
}

/// As a worker does it at its start, with this folder as its cache of compiled code.
async fn load(component: &[u8], cache: &Path) -> Result<(f64, Sandbox)> {
    let settings = RuntimeSettings { cache_folder: Some(cache.into()), ..RuntimeSettings::default() };
    let runtime = Runtime::new(settings, Arc::new(Given(component.to_vec())))?;
    let began = Instant::now();
    let module = runtime.load(&Digest::of(component)).await.context("the benchmark's module cannot be loaded")?;
    Ok((began.elapsed().as_secs_f64() * 1e3, Sandbox { runtime, module }))
}

struct Sandbox {
    runtime: Runtime,
    module: Arc<Module>,
}

impl Sandbox {
    /// How long each call took, in how many seconds they were made, and with how many seconds of processor time.
    async fn timed(
        self: &Arc<Sandbox>,
        name: &'static str,
        time: Duration,
        at_once: usize,
    ) -> Result<(Vec<Duration>, f64, Option<f64>)> {
        let (began, computed) = (Instant::now(), procfs::own_time());
        let callers = (0..at_once).map(|_| {
            let sandbox = self.clone();
            tokio::spawn(async move { sandbox.calls_for(name, time).await })
        });
        let calls = futures_util::future::try_join_all(callers).await?.into_iter().collect::<Result<Vec<_>>>()?.concat();
        let cpu = computed.zip(procfs::own_time()).map(|(before, after)| (after - before).as_secs_f64());
        Ok((calls, began.elapsed().as_secs_f64(), cpu))
    }

    async fn calls_for(&self, name: &str, time: Duration) -> Result<Vec<Duration>> {
        let began = Instant::now();
        let mut calls = Vec::new();
        while began.elapsed() < time || calls.is_empty() {
            let called = Instant::now();
            match self.runtime.run(&self.module, self.call(name)).await {
                Returned::Completed(_) => calls.push(called.elapsed()),
                other => bail!("`{name}` of the benchmark's module did not complete: {other:?}"),
            }
        }
        Ok(calls)
    }

    fn call(&self, name: &str) -> Call {
        let (input, role) = match name {
            "noop" => (ORDER.to_string(), Role::Task(Arc::new(Nobody))),
            _ => (TEN.to_string(), Role::Workflow(Arc::new(AtOnce::default()))),
        };
        Call {
            function: name.into(),
            input,
            facts: Facts {
                id: "0198c0de-0000-7000-8000-000000000001".into(),
                task_id: None,
                function: name.into(),
                queue: "default".into(),
                attempt: 1,
                parent: None,
                module: self.module.digest().to_string(),
                deadline: None,
                trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
                span_id: "b7ad6b7169203331".into(),
                baggage: Vec::new(),
            },
            grants: Arc::default(),
            role,
            logs: Arc::new(Nobody),
            stop: StopFlag::default(),
        }
    }
}

/// The component, as a source of modules.
struct Given(Vec<u8>);

impl ModuleSource for Given {
    fn bytes<'a>(&'a self, _: &'a Digest) -> BoxFuture<'a, anyhow::Result<Vec<u8>>> {
        async { Ok(self.0.clone()) }.boxed()
    }
}

/// Listens to nothing that a task says.
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

/// A run without a database: whatever is started has ended at once, and with null.
#[derive(Default)]
struct AtOnce {
    operations: AtomicU64,
}

impl AtOnce {
    fn next(&self) -> u32 {
        self.operations.fetch_add(1, Ordering::Relaxed) as u32 + 1
    }
}

impl WorkflowCalls for AtOnce {
    fn start_task(&self, _: String, _: String, _: StartOptions) -> Result<u32, Refused> {
        Ok(self.next())
    }

    fn start_workflow(&self, _: String, _: String, _: StartOptions, _: bool) -> Result<u32, Refused> {
        Ok(self.next())
    }

    fn start_timer(&self, _: u64) -> Result<u32, Refused> {
        Ok(self.next())
    }

    fn receive_signal(&self, _: String) -> Result<u32, Refused> {
        Ok(self.next())
    }

    fn external(&self) -> Result<(u32, String), Refused> {
        Ok((self.next(), String::new()))
    }

    fn wait(&self, operations: Vec<u32>) -> BoxFuture<'_, Result<Waited, Refused>> {
        let outcome = Outcome::Completed("null".into());
        async move {
            let operation = *operations.first().ok_or_else(|| Refused("waits for nothing".into()))?;
            Ok(Waited::Completion { operation, outcome })
        }
        .boxed()
    }

    fn cancel(&self, _: u32) -> Result<(), Refused> {
        Ok(())
    }

    fn begin_step(&self, _: String) -> BoxFuture<'_, Result<Option<Outcome>, Refused>> {
        async { Ok(None) }.boxed()
    }

    fn end_step(&self, _: Outcome) -> Result<(), Refused> {
        Ok(())
    }

    fn version(&self, _: String, _: u32, max: u32) -> Result<u32, Refused> {
        Ok(max)
    }

    fn continue_as_new(&self, _: String) -> Refused {
        Refused("nothing goes on here".into())
    }

    fn publish(&self, _: String) -> Result<(), Refused> {
        Ok(())
    }

    fn in_step(&self) -> bool {
        false
    }

    fn replaying(&self) -> bool {
        false
    }

    fn now(&self) -> u64 {
        0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn sleep(&self, _: u64) -> BoxFuture<'_, Result<(), Refused>> {
        async { Ok(()) }.boxed()
    }
}
