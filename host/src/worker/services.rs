//! What the parts of a worker share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Activation, Verdict};
use currant_core::ids::{EnvironmentId, ExecutionId, ModuleName, QueueName, WorkerId};
use currant_core::modules::{self, Granted};
use sqlx::PgPool;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::commit::{Committer, Written};
use super::held_back::HeldBack;
use super::pace::Pace;
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
/// database is slow to write, so many per slot are enough, with those that were claimed ahead: a crash would have them all done again.
const ROOM_PER_SLOT: usize = 8;
/// What waits for a slot for longer than this is given back: whoever has one free may begin it.
const WAITS_AT_MOST: Duration = Duration::from_secs(1);

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
    /// Executions that may still be claimed: those that wait for a slot or run, and those whose fate is being written.
    room: Arc<Semaphore>,
    /// Claimed, and without a slot so far.
    waiting: AtomicUsize,
    pace: Pace,
    /// There may be something to claim for.
    capacity: Notify,
    /// Nothing begins any more.
    draining: CancellationToken,
    /// Something may be claimable.
    pub(crate) work: Notify,
    /// Queues in which something waits for their limits.
    pub(crate) held_back: HeldBack,
    /// Lines in which something became ready, since the claim loop looked last.
    told: Mutex<HashSet<(String, Option<i16>)>>,
    /// A deployment may wait for its inspection.
    pub(crate) deployments: Notify,
    /// A time of a schedule may have come.
    pub(crate) schedules: Notify,
    /// A running task's cancellation may have been requested.
    pub(crate) cancellations: Notify,
    /// When the next timer of a suspended workflow is due.
    pub(crate) due: Timers,
    /// When the next execution can be claimed.
    pub(crate) claimable: Timers,
    /// The claims that this worker has in its hands, until they have written their fate.
    held: Mutex<HashSet<(ExecutionId, DateTime<Utc>)>>,
    pub(crate) tasks: Registry<Arc<TaskRun>>,
    pub(crate) workflows: Registry<StopFlag>,
    /// Workflows that wait in memory.
    pub(crate) residents: Residents,
    /// Every run, until it has written its fate.
    pub(crate) runs: TaskTracker,
    /// By module and environment: since when, and what.
    grants: Mutex<HashMap<Granting, (Instant, Arc<Grants>)>>,
}

/// A module, and the environment that a run of it is pinned to.
type Granting = (String, Option<EnvironmentId>);

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
            waiting: AtomicUsize::new(0),
            pace: Pace::default(),
            capacity: Notify::new(),
            draining: CancellationToken::new(),
            residents: Residents::new(residents),
            settings,
            work: Notify::new(),
            held_back: HeldBack::default(),
            told: Mutex::default(),
            deployments: Notify::new(),
            schedules: Notify::new(),
            cancellations: Notify::new(),
            due: Timers::default(),
            claimable: Timers::default(),
            held: Mutex::default(),
            tasks: Registry::default(),
            workflows: Registry::default(),
            runs: TaskTracker::new(),
            grants: Mutex::default(),
        }
    }

    /// Something of this priority, or of any, became ready in a queue.
    pub(crate) fn told(&self, queue: String, priority: Option<i16>) {
        let serves = |queues: &[QueueName]| queues.iter().any(|served| served.as_str() == queue);
        if self.settings.queues.as_deref().is_none_or(serves) {
            self.told.lock().expect("no panic while held").insert((queue, priority));
        }
    }

    /// The lines that were told since this was asked last.
    pub(crate) fn take_told(&self) -> HashSet<(String, Option<i16>)> {
        std::mem::take(&mut *self.told.lock().expect("no panic while held"))
    }

    /// Waits until there is something to claim for.
    pub(crate) async fn capacity(&self) {
        while self.wanted() == 0 {
            self.capacity.notified().await;
        }
    }

    /// How many executions to claim now: for the free slots, and ahead of them. None while half of those that were claimed ahead still wait.
    pub(crate) fn wanted(&self) -> usize {
        let (free, waiting) = (self.slots.available_permits(), self.waiting.load(Ordering::SeqCst));
        let ahead = self.pace.ahead();
        if 2 * waiting.saturating_sub(free) > ahead {
            return 0;
        }
        (free + ahead - waiting).min(self.room.available_permits())
    }

    /// A slot, or room, came free.
    fn freed(&self) {
        if self.wanted() > 0 {
            self.capacity.notify_one();
        }
    }

    /// Takes a claim into the worker's hands, until the answer is dropped.
    pub(crate) fn hold(self: &Arc<Services>, claimed: &Claimed) -> Hands {
        let this = (claimed.id, claimed.claimed_at);
        self.held.lock().expect("no panic while held").insert(this);
        let room = self.room.clone().try_acquire_owned().expect("only the claim loop takes permits, and it counted them");
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Hands { services: self.clone(), this, queue: claimed.queue.clone(), seat: Seat::Waiting, room: Some(room) }
    }

    /// The claims that are in the worker's hands.
    pub(crate) fn held(&self) -> HashSet<(ExecutionId, DateTime<Utc>)> {
        self.held.lock().expect("no panic while held").clone()
    }

    /// What a run may touch: whom its module may call now, and the environment that it is pinned to, or else the current one. No module,
    /// no grants.
    pub(crate) async fn grants(&self, claimed: &Claimed) -> Result<Arc<Grants>, currant_core::Error> {
        let Some(module) = &claimed.module else { return Ok(Arc::default()) };
        let key = (module.clone(), claimed.environment);
        if let Some((read, grants)) = self.grants.lock().expect("no panic while held").get(&key)
            && read.elapsed() < GRANTS_FRESH
        {
            return Ok(grants.clone());
        }
        let granted = modules::grants(&self.pool, &ModuleName::parse(module)?, claimed.environment).await?;
        let Granted { grants: currant_core::modules::Grants { http, env }, environment } = granted;
        let grants = Arc::new(Grants { http, env: env.into_iter().collect(), environment });
        let mut all = self.grants.lock().expect("no panic while held");
        all.retain(|_, (read, _)| read.elapsed() < GRANTS_FRESH);
        all.insert(key, (Instant::now(), grants.clone()));
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
        self.draining.cancel();
        self.residents.close();
        self.tasks.for_each(|task| task.shut_down());
    }

    /// Nothing that runs is ours any more.
    pub(crate) fn abandon_all(&self) {
        self.draining.cancel();
        self.residents.close();
        self.tasks.stop_all(Stop::Abandoned);
        self.workflows.stop_all(Stop::Abandoned);
    }
}

/// Keeps a run in its worker's hands.
pub(crate) struct Hands {
    services: Arc<Services>,
    this: (ExecutionId, DateTime<Utc>),
    queue: QueueName,
    seat: Seat,
    room: Option<OwnedSemaphorePermit>,
}

/// Where a run is with respect to the slots.
enum Seat {
    Waiting,
    Slot { _taken: OwnedSemaphorePermit },
    Left,
}

impl Hands {
    /// Waits for a slot. False when there will be none soon: the worker stops, or all of them are taken for longer than was foreseen.
    pub(crate) async fn take_slot(&mut self) -> bool {
        let slots = self.services.slots.clone();
        let slot = match slots.clone().try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => tokio::select! {
                biased;
                () = self.services.draining.cancelled() => return false,
                slot = slots.acquire_owned() => slot.expect("never closed"),
                () = tokio::time::sleep(WAITS_AT_MOST) => return false,
            },
        };
        self.sit(Seat::Slot { _taken: slot });
        !self.services.draining.is_cancelled()
    }

    /// The guest has returned: another one may run while this run's fate is written.
    pub(crate) fn free_slot(&mut self) {
        self.sit(Seat::Left);
    }

    fn sit(&mut self, seat: Seat) {
        match std::mem::replace(&mut self.seat, seat) {
            Seat::Waiting => drop(self.services.waiting.fetch_sub(1, Ordering::SeqCst)),
            Seat::Slot { .. } => self.services.pace.returned(),
            Seat::Left => {}
        }
        self.services.freed();
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        self.room = None;
        self.sit(Seat::Left);
        self.services.held.lock().expect("no panic while held").remove(&self.this);
        // It counted against its queue's limits, and somebody waits there.
        if self.services.held_back.release(self.queue.as_str()) {
            self.services.work.notify_one();
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
