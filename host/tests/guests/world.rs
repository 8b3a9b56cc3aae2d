//! What the tests share: the guests, a runtime for them, and a run that answers without a database.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use currant_core::executions::{Failure, StartOptions};
use currant_core::ids::Digest;
use currant_host::guest::{
    Call, Facts, Grants, Level, LogSink, Outcome, Refused, Returned, Role, StopFlag, TaskCalls, Waited, WorkflowCalls,
};
use currant_host::runtime::{Module, ModuleSource, Runtime, RuntimeSettings};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// A test guest that was built before.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = std::env::var_os("CURRANT_TEST_GUESTS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| workspace.join("target/guests/wasm32-wasip2/release"));
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; scripts/build-guests builds it", path.display()))
}

/// Components from memory.
#[derive(Default)]
pub(crate) struct Components(pub(crate) HashMap<Digest, Vec<u8>>, pub(crate) AtomicU32);

impl Components {
    pub(crate) fn with(bytes: Vec<u8>) -> (Arc<Components>, Digest) {
        let digest = Digest::of(&bytes);
        (Arc::new(Components([(digest, bytes)].into(), AtomicU32::new(0))), digest)
    }

    /// How often a component was asked for.
    pub(crate) fn reads(&self) -> u32 {
        self.1.load(Ordering::Relaxed)
    }
}

impl ModuleSource for Components {
    fn bytes<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, anyhow::Result<Vec<u8>>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        async move { self.0.get(digest).cloned().ok_or_else(|| anyhow::anyhow!("no such component")) }.boxed()
    }
}

/// Settings for a test: few instances, and a cache that lives as long as the build, so that each guest is compiled once.
pub(crate) fn settings() -> RuntimeSettings {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("modules");
    RuntimeSettings { cache_folder: Some(cache), instances: 8, ..RuntimeSettings::default() }
}

/// A runtime with the guest `behaviours`.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) module: Arc<Module>,
    pub(crate) grants: Grants,
    pub(crate) logs: Arc<Lines>,
    pub(crate) stop: StopFlag,
}

impl World {
    pub(crate) async fn new() -> World {
        World::with(settings()).await
    }

    pub(crate) async fn with(settings: RuntimeSettings) -> World {
        World::of(guest("behaviours"), settings).await
    }

    /// A runtime with this component.
    pub(crate) async fn of(component: Vec<u8>, settings: RuntimeSettings) -> World {
        let (source, digest) = Components::with(component);
        let runtime = Runtime::new(settings, source).unwrap();
        let module = runtime.load(&digest).await.unwrap();
        World { runtime, module, grants: Grants::default(), logs: Arc::default(), stop: StopFlag::default() }
    }

    pub(crate) fn granting_http(mut self, address: &str) -> World {
        self.grants.http.push(address.into());
        self
    }

    /// Runs a task. `input` is JSON.
    pub(crate) async fn task(&self, function: &str, input: &str) -> Returned {
        self.run(function, input, Role::Task(Arc::new(FakeTask::default()))).await
    }

    /// Runs a task that must succeed.
    pub(crate) async fn completed(&self, function: &str, input: &str) -> serde_json::Value {
        value(self.task(function, input).await)
    }

    /// Runs a task that must fail.
    pub(crate) async fn failed(&self, function: &str, input: &str) -> Failure {
        failure(self.task(function, input).await)
    }

    pub(crate) async fn workflow(&self, function: &str, input: &str, run: &Arc<FakeRun>) -> Returned {
        self.run(function, input, Role::Workflow(run.clone())).await
    }

    pub(crate) async fn run(&self, function: &str, input: &str, role: Role) -> Returned {
        self.runtime.run(&self.module, self.call(function, input, role)).await
    }

    pub(crate) fn call(&self, function: &str, input: &str, role: Role) -> Call {
        Call {
            function: function.into(),
            input: input.into(),
            facts: facts(function, &self.module),
            grants: Arc::new(self.grants.clone()),
            role,
            logs: self.logs.clone(),
            stop: self.stop.clone(),
        }
    }
}

fn facts(function: &str, module: &Module) -> Facts {
    Facts {
        id: "0198c0de-0000-7000-8000-000000000001".into(),
        task_id: Some("order-42".into()),
        function: function.into(),
        queue: "default".into(),
        attempt: 2,
        parent: None,
        module: module.digest().to_string(),
        deadline: Some(1_800_000_000_000),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        span_id: "b7ad6b7169203331".into(),
        baggage: vec![("tenant".into(), "acme".into())],
    }
}

pub(crate) fn value(returned: Returned) -> serde_json::Value {
    match returned {
        Returned::Completed(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("not completed: {other:?}"),
    }
}

pub(crate) fn failure(returned: Returned) -> Failure {
    match returned {
        Returned::Failed(failure) => failure,
        other => panic!("not failed: {other:?}"),
    }
}

/// The log lines of a run.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<(Level, String)>>);

impl Lines {
    pub(crate) fn all(&self) -> Vec<(Level, String)> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn text(&self) -> String {
        self.all().into_iter().map(|(level, message)| format!("{level} {message}\n")).collect()
    }
}

impl LogSink for Lines {
    fn log(&self, level: Level, message: String, _: Vec<(String, String)>) {
        self.0.lock().unwrap().push((level, message));
    }
}

#[derive(Default)]
pub(crate) struct FakeTask {
    pub(crate) beats: Mutex<Vec<Option<String>>>,
    pub(crate) last_progress: Option<String>,
    pub(crate) cancelled: AtomicBool,
}

impl TaskCalls for FakeTask {
    fn heartbeat(&self, progress: Option<String>) -> bool {
        self.beats.lock().unwrap().push(progress);
        self.is_cancelled()
    }

    fn last_progress(&self) -> Option<String> {
        self.last_progress.clone()
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// A workflow's run whose tasks answer their input, whose timers move its clock, and which writes down what it was asked.
pub(crate) struct FakeRun {
    now: AtomicU64,
    seed: u64,
    drawn: AtomicU64,
    in_step: AtomicBool,
    pub(crate) replaying: AtomicBool,
    /// Waits that never end.
    pub(crate) parks: AtomicBool,
    operations: Mutex<BTreeMap<u32, Operation>>,
    pub(crate) calls: Mutex<Vec<String>>,
}

#[derive(Clone)]
enum Operation {
    Answers(String),
    Rings(u64),
}

pub(crate) const START: u64 = 1_700_000_000_000;

impl FakeRun {
    pub(crate) fn new(seed: u64) -> Arc<FakeRun> {
        Arc::new(FakeRun {
            now: AtomicU64::new(START),
            seed,
            drawn: AtomicU64::new(0),
            in_step: AtomicBool::new(false),
            replaying: AtomicBool::new(false),
            parks: AtomicBool::new(false),
            operations: Mutex::default(),
            calls: Mutex::default(),
        })
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn said(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    fn start(&self, operation: Operation) -> u32 {
        let mut operations = self.operations.lock().unwrap();
        let number = operations.len() as u32 + 1;
        operations.insert(number, operation);
        number
    }
}

impl WorkflowCalls for FakeRun {
    fn start_task(&self, function: String, input: String, _: StartOptions) -> Result<u32, Refused> {
        self.said(format!("start-task {function} {input}"));
        Ok(self.start(Operation::Answers(input)))
    }

    fn start_workflow(&self, function: String, input: String, _: StartOptions, _: bool) -> Result<u32, Refused> {
        self.said(format!("start-workflow {function} {input}"));
        Ok(self.start(Operation::Answers(input)))
    }

    fn start_timer(&self, milliseconds: u64) -> Result<u32, Refused> {
        self.said(format!("start-timer {milliseconds}"));
        let at = self.now() + milliseconds;
        Ok(self.start(Operation::Rings(at)))
    }

    fn receive_signal(&self, name: String) -> Result<u32, Refused> {
        self.said(format!("receive-signal {name}"));
        Ok(self.start(Operation::Answers("\"a signal\"".into())))
    }

    fn external(&self) -> Result<(u32, String), Refused> {
        Ok((self.start(Operation::Answers("null".into())), "token".into()))
    }

    fn wait(&self, operations: Vec<u32>) -> BoxFuture<'_, Result<Waited, Refused>> {
        async move {
            self.said(format!("wait {operations:?}"));
            if self.parks.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            let operation = operations[0];
            let operation_started = self.operations.lock().unwrap()[&operation].clone();
            let value = match operation_started {
                Operation::Answers(value) => value,
                Operation::Rings(at) => {
                    self.now.fetch_max(at, Ordering::Relaxed);
                    "null".into()
                }
            };
            Ok(Waited::Completion { operation, outcome: Outcome::Completed(value) })
        }
        .boxed()
    }

    fn cancel(&self, operation: u32) -> Result<(), Refused> {
        self.said(format!("cancel {operation}"));
        Ok(())
    }

    fn begin_step(&self, name: String) -> BoxFuture<'_, Result<Option<Outcome>, Refused>> {
        self.said(format!("begin-step {name}"));
        self.in_step.store(true, Ordering::Relaxed);
        async { Ok(None) }.boxed()
    }

    fn end_step(&self, outcome: Outcome) -> Result<(), Refused> {
        self.said(format!("end-step {outcome:?}"));
        self.in_step.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn version(&self, _: String, _: u32, max: u32) -> Result<u32, Refused> {
        Ok(max)
    }

    fn continue_as_new(&self, input: String) -> Refused {
        Refused(format!("continues with {input}"))
    }

    fn publish(&self, progress: String) -> Result<(), Refused> {
        self.said(format!("publish {progress}"));
        Ok(())
    }

    fn in_step(&self) -> bool {
        self.in_step.load(Ordering::Relaxed)
    }

    fn replaying(&self) -> bool {
        self.replaying.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
            *byte = Digest::of(&[self.seed.to_le_bytes(), drawn.to_le_bytes()].concat()).as_bytes()[0];
        }
    }

    fn sleep(&self, milliseconds: u64) -> BoxFuture<'_, Result<(), Refused>> {
        async move {
            self.said(format!("sleep {milliseconds}"));
            tokio::task::yield_now().await;
            self.now.fetch_add(milliseconds, Ordering::Relaxed);
            Ok(())
        }
        .boxed()
    }
}
