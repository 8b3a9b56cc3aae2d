//! The worker: claims executions, runs them, writes what came of them.
//!
//! ```text
//!   claim ──► run ──► task | workflow ──► commit            one execution, from left to right
//!     ▲                                     │
//!   wakeup ◄── hints (notifications) ◄──────┘               why the claim loop looks again
//!   lease · heartbeats · deployments · maintenance          beside it, each a loop of its own
//! ```

mod claim;
mod commit;
mod deployments;
mod heartbeats;
mod held_back;
mod hints;
mod lease;
mod levels;
mod logs;
mod pace;
mod queue_settings;
mod registry;
mod residents;
mod run;
mod services;
mod settings;
mod task;
mod timers;
mod workflow;

use std::sync::Arc;
use std::time::Duration;

use currant_core::ids::WorkerId;
use currant_core::workers;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use self::commit::Committer;
pub(crate) use self::services::Services;
pub use self::settings::{ResidentSettings, WorkerSettings};
use crate::error::{HostError, causes};
use crate::guest::Stop;
use crate::maintenance;
use crate::outage::Outage;
use crate::retention;
use crate::runtime::Runtime;
use crate::schedules;

/// A worker process: claims and runs executions until it is told to stop.
pub struct Worker {
    pool: PgPool,
    settings: WorkerSettings,
    runtime: Arc<Runtime>,
    outage: Arc<Outage>,
}

impl Worker {
    /// A worker on a migrated database. `pool` needs a handful of connections; the lease keeps one of its own.
    pub fn new(pool: PgPool, settings: WorkerSettings) -> Result<Worker, HostError> {
        let source = Arc::new(deployments::Stored(pool.clone()));
        let runtime = Arc::new(Runtime::new(settings.runtime.clone(), source)?);
        Ok(Worker { pool, settings, runtime, outage: Arc::default() })
    }

    /// Works until `shutdown` is cancelled; then stops claiming, asks what runs to stop, waits for it up to the grace period, and
    /// gives the rest back. A worker that loses its lease drops what it runs, and goes on under a new id.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), HostError> {
        while !shutdown.is_cancelled() {
            self.run_under_one_lease(&shutdown).await?;
        }
        Ok(())
    }

    async fn run_under_one_lease(&self, shutdown: &CancellationToken) -> Result<(), HostError> {
        let id = WorkerId::random();
        let Some(lease) = lease::Lease::take(&self.pool, id, &self.settings, &self.outage, shutdown).await? else {
            return Ok(());
        };
        let (committer, committing) = Committer::start(self.pool.clone(), self.outage.clone());
        let services =
            Services::new(id, self.pool.clone(), self.runtime.clone(), committer, self.outage.clone(), self.settings.clone());
        let services = Arc::new(services);
        info!(worker.id = %id, slots = self.settings.slots, "worker started");

        // Before the first claim, so that it is made within what the file says.
        let settled = queue_settings::apply(&services).await;

        // Everything that is not an execution stops when the worker stops claiming.
        let stop = shutdown.child_token();
        let loops = TaskTracker::new();
        loops.spawn(claim::claim_until(services.clone(), stop.clone()));
        loops.spawn(hints::listen_until(services.clone(), stop.clone()));
        loops.spawn(deployments::decide_until(services.clone(), stop.clone()));
        loops.spawn(maintenance::run_until(services.clone(), stop.clone()));
        loops.spawn(schedules::fire_until(services.clone(), stop.clone()));
        if !settled {
            loops.spawn(queue_settings::apply_until(services.clone(), stop.clone()));
        }
        loops.spawn(retention::sweep_until(services.clone(), stop.clone()));
        loops.spawn(residents::tidy_until(services.clone(), stop.clone()));
        // Heartbeats go on while executions finish.
        let finish = CancellationToken::new();
        let heartbeats = tokio::spawn(heartbeats::beat_until(services.clone(), finish.clone()));

        let lost = tokio::select! {
            () = stop.cancelled() => false,
            () = lease.lost() => true,
        };
        stop.cancel();
        loops.close();
        loops.wait().await;
        if lost {
            warn!(worker.id = %id, "the lease is lost: what runs is dropped, and the worker starts anew");
            services.abandon_all();
            services.runs.close();
            services.runs.wait().await;
        } else {
            drain(&services, self.settings.shutdown_grace).await;
        }
        finish.cancel();
        let _ = heartbeats.await;
        drop(services);
        let _ = committing.await;
        lease.release().await;
        if !lost && let Err(error) = workers::release(&self.pool, id).await {
            warn!(error = causes(&error), "the lease could not be released; it will expire");
        }
        Ok(())
    }
}

/// Shutdown: what runs is asked to stop, waited for, and what is left is given back without costing it an attempt.
async fn drain(services: &Services, grace: Duration) {
    services.ask_all_to_stop();
    services.runs.close();
    if !services.runs.is_empty() {
        info!(running = services.runs.len(), grace_s = grace.as_secs(), "waiting for what runs");
    }
    if tokio::time::timeout(grace, services.runs.wait()).await.is_err() {
        warn!(running = services.runs.len(), "the grace period is over: the rest is given back");
        services.tasks.stop_all(Stop::Abandoned);
        services.workflows.stop_all(Stop::Abandoned);
        services.runs.wait().await;
    }
}
