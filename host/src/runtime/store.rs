//! What belongs to one instance: the state that its imports work on, and the store around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use currant_core::durations;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::limits::{CALL_BYTES_BEYOND_PAYLOAD, EPOCH, HANDLES, HEADER_BYTES, Limiter, RESOURCES};
use super::settings::RuntimeSettings;
use crate::guest::{Call, Facts, Role, Stop, StopFlag};
use crate::imports::clocks::{Clock, Deadlines};
use crate::imports::network::Network;
use crate::imports::stdio::{Budget, Stdio};
use crate::imports::telemetry::Log;
use crate::imports::{outside_a_step, random};
use crate::limit::{Limit, LimitExceeded};

/// What the imports of one instance work on.
pub(crate) struct State {
    pub(crate) role: Role,
    pub(crate) facts: Facts,
    pub(crate) log: Log,
    /// The guest's handles: streams, pollables, requests, spans.
    pub(crate) table: ResourceTable,
    pub(crate) deadlines: Deadlines,
    /// How long the guest computed since it last waited, in a workflow; else in all.
    pub(crate) computed: Duration,
    pub(super) stopwatch: Stopwatch,
    pub(super) limiter: Limiter,
    pub(crate) output: Budget,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
    stop: StopFlag,
    pub(crate) payload_limit: usize,
    cpu_limit: Duration,
    workflow_cpu_limit: Duration,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    network: Network,
}

/// The guest is ended because its flag says so.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
pub(super) struct Stopped(pub(super) Stop);

impl State {
    fn new(call: &Call, settings: &RuntimeSettings) -> State {
        let log = Log::new(call.logs.clone(), call.role.clone(), settings.log_limit);
        let output = Budget::new(settings.output_limit);
        let stdout = Stdio::new("info", log.clone(), output.clone());
        let stderr = Stdio::new("warn", log.clone(), output.clone());
        let clock = Clock::new(call.role.clone());
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HEADER_BYTES);
        let wasi = WasiCtxBuilder::new()
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .envs(&call.grants.env)
            .wall_clock(clock.clone())
            .monotonic_clock(clock)
            .insecure_random_seed(random::insecure_seed(&call.role))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        State {
            role: call.role.clone(),
            facts: call.facts.clone(),
            network: Network::new(call.role.clone(), call.grants.clone(), settings.trust.clone(), log.clone()),
            log,
            table,
            deadlines: Deadlines::new(),
            computed: Duration::ZERO,
            stopwatch: Stopwatch::default(),
            limiter: Limiter::new(settings.memory_limit),
            output,
            stdout,
            stderr,
            stop: call.stop.clone(),
            payload_limit: settings.payload_limit,
            cpu_limit: settings.cpu_limit,
            workflow_cpu_limit: settings.workflow_cpu_limit,
            wasi,
            http,
        }
    }

    /// The epoch has advanced since the guest was asked last.
    fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if let Some(reason) = self.stop.reason() {
            return Err(Stopped(reason).into());
        }
        let lap = self.stopwatch.lap();
        self.computed += lap;
        let (limit, most, words) = match outside_a_step(&self.role) {
            Some(_) => {
                (Limit::WorkflowCpu, self.workflow_cpu_limit, "without waiting for anything: long work belongs into a task")
            }
            None => (Limit::Cpu, self.cpu_limit, "and did not end"),
        };
        if self.computed > most {
            return Err(LimitExceeded::new(limit, format!("the code computed for {} {words}", durations::format(most))).into());
        }
        if lap < EPOCH {
            // It ended while the guest waited, or soon after it went on.
            return Ok(UpdateDeadline::Continue(1));
        }
        self.stopwatch.computes.store(true, Ordering::Relaxed);
        // Makes room for whoever else is to run on this thread.
        Ok(UpdateDeadline::Yield(1))
    }
}

/// How long the guest has had a thread to itself. Waiting does not count, and computing for less than an epoch without being interrupted
/// does not either: it is asked at ticks.
#[derive(Clone)]
pub(super) struct Stopwatch {
    base: Instant,
    /// Nanoseconds after that.
    since: Arc<AtomicU64>,
    /// It has computed for an epoch since it went on.
    computes: Arc<AtomicBool>,
}

impl Default for Stopwatch {
    fn default() -> Stopwatch {
        Stopwatch { base: Instant::now(), since: Arc::default(), computes: Arc::default() }
    }
}

impl Stopwatch {
    /// The guest goes on.
    pub(super) fn start(&self) {
        self.since.store(self.now(), Ordering::Relaxed);
    }

    /// Whether it was interrupted when it went on last: it computes for longer than others should wait.
    pub(super) fn computes(&self) -> bool {
        self.computes.swap(false, Ordering::Relaxed)
    }

    /// The time since it went on, or since it was asked last.
    fn lap(&self) -> Duration {
        let now = self.now();
        Duration::from_nanos(now.saturating_sub(self.since.swap(now, Ordering::Relaxed)))
    }

    fn now(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }
}

/// A store for one call, with its limits set.
pub(super) fn store(engine: &Engine, settings: &RuntimeSettings, call: &Call) -> Store<State> {
    let mut store = Store::new(engine, State::new(call, settings));
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(settings.payload_limit.saturating_add(CALL_BYTES_BEYOND_PAYLOAD));
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store: StoreContextMut<'_, State>| store.data_mut().tick());
    store
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.network }
    }
}
