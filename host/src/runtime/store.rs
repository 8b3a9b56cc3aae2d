//! What belongs to one instance: the state that its imports work on, and the store around it.

use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::limits::{CALL_BYTES_BEYOND_RESULT, EPOCH, HANDLES, HEADER_BYTES, LimitExceeded, Limiter, RESOURCES};
use super::settings::RuntimeSettings;
use crate::guest::{Call, Facts, Role, Stop, StopFlag};
use crate::imports::clocks::{Clock, Deadlines};
use crate::imports::network::Network;
use crate::imports::stdio::{Budget, Stdio};
use crate::imports::telemetry::Log;
use crate::imports::{outside_a_step, random};

/// What the imports of one instance work on.
pub(crate) struct State {
    pub(crate) role: Role,
    pub(crate) facts: Facts,
    pub(crate) log: Log,
    /// The guest's handles: streams, pollables, requests, spans.
    pub(crate) table: ResourceTable,
    pub(crate) deadlines: Deadlines,
    /// Epochs in which the guest computed since it last waited.
    pub(crate) computed_ticks: u32,
    pub(super) limiter: Limiter,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
    stop: StopFlag,
    computation_limit: Duration,
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
        let stderr = Stdio::new("warn", log.clone(), output);
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
            computed_ticks: 0,
            limiter: Limiter::new(settings.memory_limit),
            stdout,
            stderr,
            stop: call.stop.clone(),
            computation_limit: settings.computation_limit,
            wasi,
            http,
        }
    }

    /// The epoch advanced while the guest computed.
    fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if let Some(reason) = self.stop.reason() {
            return Err(Stopped(reason).into());
        }
        self.computed_ticks += 1;
        if outside_a_step(&self.role).is_some() && self.computed_ticks * EPOCH > self.computation_limit {
            let what = format!("the workflow computed for {} s without waiting for anything", self.computation_limit.as_secs());
            return Err(LimitExceeded { what, setting: "computation_limit" }.into());
        }
        // Makes room for whoever else is to run on this thread.
        Ok(UpdateDeadline::Yield(1))
    }
}

/// A store for one call, with its limits set.
pub(super) fn store(engine: &Engine, settings: &RuntimeSettings, call: &Call) -> Store<State> {
    let mut store = Store::new(engine, State::new(call, settings));
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(settings.result_limit.saturating_add(CALL_BYTES_BEYOND_RESULT));
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
