//! `wasi:clocks`, and `wasi:io/poll`, which waits for them: the real time, or the workflow's.
//!
//! A workflow's time stands still between two deliveries. When it polls, what is ready is answered at once; if nothing is, the
//! earliest deadline in the list becomes a durable timer, and the whole run waits for it. So `sleep`, `select` with a timeout, and an
//! event loop of a language that rests on `poll` all do what they say, and take one timer for each time that they really wait.
//!
//! In a workflow's step the monotonic clock runs on from the real time, and after it falls back to the workflow's: who measures across
//! the end of a step measures nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::clocks::{WallClock, WasiClocksView};
use wasmtime_wasi::p2::bindings::{clocks as p2, io::poll};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::p3::bindings::clocks as p3;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, async_trait};

use super::outside_a_step;
use crate::guest::{Refused, Role, WorkflowCalls};
use crate::runtime::store::State;

/// Takes the place of WASI's own sleeping and polling, which know only the real time.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    p2::monotonic_clock::add_to_linker::<_, Clocks>(linker, |state| state)?;
    p3::monotonic_clock::add_to_linker::<_, Clocks>(linker, |state| state)?;
    poll::add_to_linker::<_, Clocks>(linker, |state| state)
}

struct Clocks;

impl HasData for Clocks {
    type Data<'a> = &'a mut State;
}

/// Both clocks of one instance.
#[derive(Clone)]
pub(crate) struct Clock {
    role: Role,
    /// Where the monotonic clock began: at the wall clock's time, so that it is comparable with a workflow's.
    base: Duration,
    began: Instant,
}

impl Clock {
    pub(crate) fn new(role: Role) -> Clock {
        Clock { role, base: WallClock::new().now(), began: Instant::now() }
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        match outside_a_step(&self.role) {
            Some(run) => Duration::from_millis(run.now()),
            None => WallClock::new().now(),
        }
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        match outside_a_step(&self.role) {
            Some(run) => time_of(run.as_ref()),
            None => u64::try_from((self.base + self.began.elapsed()).as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

/// A workflow's time in nanoseconds.
fn time_of(run: &dyn WorkflowCalls) -> u64 {
    run.now().saturating_mul(1_000_000)
}

/// The deadlines that a workflow subscribed to, by their pollable.
pub(crate) type Deadlines = HashMap<u32, u64>;

/// Ready when the workflow's time has come to it. It never becomes so by waiting: `poll` below moves the time.
struct WorkflowDeadline {
    run: Arc<dyn WorkflowCalls>,
    at: u64,
}

#[async_trait]
impl Pollable for WorkflowDeadline {
    async fn ready(&mut self) {
        if time_of(self.run.as_ref()) < self.at {
            std::future::pending().await
        }
    }
}

impl p2::monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        p2::monotonic_clock::Host::now(&mut self.clocks())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        p2::monotonic_clock::Host::resolution(&mut self.clocks())
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = p2::monotonic_clock::Host::now(self)?;
        p2::monotonic_clock::Host::subscribe_duration(self, when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let Some(run) = outside_a_step(&self.role).cloned() else {
            return p2::monotonic_clock::Host::subscribe_duration(&mut self.clocks(), duration);
        };
        let at = time_of(run.as_ref()).saturating_add(duration);
        let deadline = self.table.push(WorkflowDeadline { run, at })?;
        let pollable = subscribe(&mut self.table, deadline)?;
        self.deadlines.insert(pollable.rep(), at);
        Ok(pollable)
    }
}

impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let Some(run) = outside_a_step(&self.role).cloned() else {
            return poll::Host::poll(&mut self.table, pollables).await;
        };
        let all: Vec<u32> = pollables.iter().map(Resource::rep).collect();
        loop {
            let again = all.iter().map(|rep| Resource::new_borrow(*rep)).collect();
            if let Some(ready) = poll::Host::poll(&mut self.table, again).now_or_never() {
                return ready;
            }
            self.sleep_until_the_first(&run, &all).await?;
        }
    }
}

impl poll::HostPollable for State {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(&mut self.table, pollable).await
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::Host::poll(self, vec![pollable]).await.map(drop)
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.deadlines.remove(&pollable.rep());
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}

impl State {
    async fn sleep_until_the_first(&mut self, run: &Arc<dyn WorkflowCalls>, pollables: &[u32]) -> wasmtime::Result<()> {
        let Some(first) = pollables.iter().filter_map(|rep| self.deadlines.get(rep)).min() else {
            // Something of a step that is over, for example a response: when it comes is on no record.
            return Err(Refused("a workflow can wait for nothing but time outside a step".into()).into());
        };
        self.computed = Duration::ZERO;
        let remaining = first.saturating_sub(time_of(run.as_ref()));
        run.sleep(remaining.div_ceil(1_000_000)).await?;
        Ok(())
    }
}

impl p3::monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        p2::monotonic_clock::Host::now(self)
    }

    fn get_resolution(&mut self) -> wasmtime::Result<u64> {
        p2::monotonic_clock::Host::resolution(self)
    }
}

impl<T> p3::monotonic_clock::HostWithStore<T> for Clocks {
    async fn wait_until(store: &Accessor<T, Self>, when: u64) -> wasmtime::Result<()> {
        let now = store.with(|mut access| p2::monotonic_clock::Host::now(access.get()))?;
        Self::wait_for(store, when.saturating_sub(now)).await
    }

    async fn wait_for(store: &Accessor<T, Self>, duration: u64) -> wasmtime::Result<()> {
        match store.with(|mut access| outside_a_step(&access.get().role).cloned()) {
            Some(run) => run.sleep(duration.div_ceil(1_000_000)).await?,
            None => tokio::time::sleep(Duration::from_nanos(duration)).await,
        }
        Ok(())
    }
}
