//! What the parts of a worker share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use currant_core::executions::commit::{Activation, Verdict};
use currant_core::ids::{ExecutionId, ModuleName, QueueName, WorkerId};
use currant_core::modules;
use sqlx::PgPool;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::commit::{Committer, Written};
use super::held_back::HeldBack;
use super::registry::{Registry, Stoppable};
use super::residents::Residents;
use super::settings::{ResidentSettings, WorkerSettings};
use super::task::TaskRun;
use super::timers::Timers;
use crate::guest::{Grants, Stop, StopFlag};
use crate::outage::Outage;
use crate::runtime::Runtime;

/// Grants are read anew after this long, so that a change reaches tasks soon without a query for each.
const GRANTS_FRESH: Duration = Duration::from_secs(1);

/// A slot is free again as soon as its guest has returned, so that the next one runs while the end of this one is written. When the
/// database is slow to write, so many unwritten ends per slot are enough: a crash would have them all done again.
const ROOM_PER_SLOT: usize = 3;

/// What the parts of a worker share, for as long as it holds one lease.
pub(crate) struct Services {
    pub(crate) id: WorkerId,
    pub(crate) pool: PgPool,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) committer: Committer,
    pub(crate) outage: Arc<Outage>,
    pub(crate) settings: WorkerSettings,
    /// Guests that may still run.
    slots: Arc<Semaphore>,
    /// Executions that may still be claimed: those that run, and those whose fate is being written.
    room: Arc<Semaphore>,
    /// Something may be claimable.
    pub(crate) work: Arc<Notify>,
    /// Queues in which something waits for their limits.
    pub(crate) held_back: Arc<HeldBack>,
    /// A deployment may wait for its inspection.
    pub(crate) deployments: Notify,
    /// A running task's cancellation may have been requested.
    pub(crate) cancellations: Notify,
    /// When the next timer of a suspended workflow is due.
    pub(crate) due: Timers,
    /// When the next execution can be claimed.
    pub(crate) claimable: Timers,
    /// The runs that this worker has in its hands, from their claim until they have written their fate.
    held: Arc<Mutex<HashSet<(ExecutionId, i32)>>>,
    pub(crate) tasks: Registry<Arc<TaskRun>>,
    pub(crate) workflows: Registry<StopFlag>,
    /// Workflows that wait in memory.
    pub(crate) residents: Residents,
    /// Every run, until it has written its fate.
    pub(crate) runs: TaskTracker,
    grants: Mutex<HashMap<String, (Instant, Arc<Grants>)>>,
}

impl Services {
    pub(crate) fn new(
        id: WorkerId,
        pool: PgPool,
        runtime: Arc<Runtime>,
        committer: Committer,
        outage: Arc<Outage>,
        settings: WorkerSettings,
    ) -> Services {
        // Whoever runs has an instance, however many wait in theirs.
        let room = runtime.instances().saturating_sub(settings.slots);
        let residents = ResidentSettings { count: settings.residents.count.min(room), ..settings.residents };
        Services {
            id,
            pool,
            runtime,
            committer,
            outage,
            slots: Arc::new(Semaphore::new(settings.slots as usize)),
            room: Arc::new(Semaphore::new(settings.slots as usize * ROOM_PER_SLOT)),
            residents: Residents::new(residents),
            settings,
            work: Arc::new(Notify::new()),
            held_back: Arc::default(),
            deployments: Notify::new(),
            cancellations: Notify::new(),
            due: Timers::default(),
            claimable: Timers::default(),
            held: Arc::default(),
            tasks: Registry::default(),
            workflows: Registry::default(),
            runs: TaskTracker::new(),
            grants: Mutex::default(),
        }
    }

    /// Waits until there is a free slot, and room for who takes it.
    pub(crate) async fn free_slot(&self) {
        for free in [&self.room, &self.slots] {
            drop(free.acquire().await);
        }
    }

    /// How many executions may be claimed now.
    pub(crate) fn free_slots(&self) -> usize {
        self.slots.available_permits().min(self.room.available_permits())
    }

    /// Takes a claimed run into the worker's hands, until the answer is dropped.
    pub(crate) fn hold(&self, id: ExecutionId, run: i32, queue: QueueName) -> Hands {
        let take = |free: &Arc<Semaphore>| {
            free.clone().try_acquire_owned().expect("only the claim loop takes permits, and it counted them")
        };
        self.held.lock().expect("no panic while held").insert((id, run));
        let (held_back, work) = (self.held_back.clone(), self.work.clone());
        let (slot, _room) = (Some(take(&self.slots)), take(&self.room));
        Hands { all: self.held.clone(), this: (id, run), queue, held_back, work, slot, _room }
    }

    /// Whether a run is in the worker's hands.
    pub(crate) fn holds(&self, id: ExecutionId, run: i32) -> bool {
        self.held.lock().expect("no panic while held").contains(&(id, run))
    }

    /// What a module may touch now. No module, no grants.
    pub(crate) async fn grants(&self, module: Option<&str>) -> Result<Arc<Grants>, currant_core::Error> {
        let Some(module) = module else { return Ok(Arc::default()) };
        if let Some((read, grants)) = self.grants.lock().expect("no panic while held").get(module)
            && read.elapsed() < GRANTS_FRESH
        {
            return Ok(grants.clone());
        }
        let name = ModuleName::parse(module)?;
        let granted = modules::grants(&self.pool, &name).await?;
        let grants = Arc::new(Grants { http: granted.http, env: granted.env.into_iter().collect() });
        self.grants.lock().expect("no panic while held").insert(module.into(), (Instant::now(), grants.clone()));
        Ok(grants)
    }

    /// Writes something of a run that goes on. None when the run was taken over.
    pub(crate) async fn write_midway(&self, activation: Activation) -> Option<()> {
        match self.committer.write(activation).await {
            Written::Answered(Verdict::Lost) => None,
            // Log lines that cannot be written, or may have been, are not worth a run.
            _ => Some(()),
        }
    }

    /// The worker shuts down: tasks that listen stop early, workflows go back at their next wait at the latest.
    pub(crate) fn ask_all_to_stop(&self) {
        self.residents.close();
        self.tasks.for_each(|task| task.shut_down());
    }

    /// Nothing that runs is ours any more.
    pub(crate) fn abandon_all(&self) {
        self.residents.close();
        self.tasks.stop_all(Stop::Abandoned);
        self.workflows.stop_all(Stop::Abandoned);
    }
}

/// Keeps a run in its worker's hands, and in its slot.
pub(crate) struct Hands {
    all: Arc<Mutex<HashSet<(ExecutionId, i32)>>>,
    this: (ExecutionId, i32),
    queue: QueueName,
    held_back: Arc<HeldBack>,
    work: Arc<Notify>,
    slot: Option<OwnedSemaphorePermit>,
    _room: OwnedSemaphorePermit,
}

impl Hands {
    /// The guest has returned: another one may run while this run's fate is written.
    pub(crate) fn free_slot(&mut self) {
        self.slot = None;
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        self.all.lock().expect("no panic while held").remove(&self.this);
        // It counted against its queue's limits, and somebody waits there.
        if self.held_back.release(self.queue.as_str()) {
            self.work.notify_one();
        }
    }
}

impl Stoppable for Arc<TaskRun> {
    fn stop_flag(&self) -> &StopFlag {
        &self.stop
    }
}

impl Stoppable for StopFlag {
    fn stop_flag(&self) -> &StopFlag {
        self
    }
}
