//! One attempt of a task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use currant_core::executions::Failure;
use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Activation, Fate};
use currant_core::values::Json;
use tokio::time::MissedTickBehavior;
use tracing::debug;

use super::logs::{FLUSH, Logs};
use super::run::{activation, after_failure, call, fate_of, settle};
use super::services::{Hands, Services};
use crate::error::causes;
use crate::guest::{Returned, Role, Stop, StopFlag, TaskCalls};
use crate::runtime::Module;

/// What the rest of the worker knows of a task that runs: how to tell it things, and what it said.
#[derive(Debug)]
pub(crate) struct TaskRun {
    pub(crate) run: i32,
    pub(crate) stop: StopFlag,
    cancelled: AtomicBool,
    shutting_down: AtomicBool,
    said: Mutex<Said>,
    last_progress: Option<Json>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    /// Progress that is not yet written.
    progress: Option<Json>,
}

impl TaskRun {
    fn new(claimed: &Claimed) -> TaskRun {
        TaskRun {
            run: claimed.run,
            stop: StopFlag::default(),
            cancelled: AtomicBool::new(claimed.cancel_requested),
            shutting_down: AtomicBool::new(false),
            said: Mutex::new(Said { at: Instant::now(), progress: None }),
            last_progress: claimed.progress.clone(),
        }
    }

    /// Its cancellation was requested. True the first time.
    pub(crate) fn request_cancellation(&self) -> bool {
        !self.cancelled.swap(true, Ordering::Relaxed)
    }

    /// The worker shuts down: the task may stop as if cancelled, and will then be run again elsewhere.
    pub(crate) fn shut_down(&self) {
        self.shutting_down.store(true, Ordering::Relaxed);
    }

    /// The progress to write with the next heartbeat.
    pub(crate) fn take_progress(&self) -> Option<Json> {
        self.said.lock().expect("no panic while held").progress.take()
    }

    fn silent_for(&self) -> Duration {
        self.said.lock().expect("no panic while held").at.elapsed()
    }
}

impl TaskCalls for TaskRun {
    fn heartbeat(&self, progress: Option<String>) -> bool {
        let mut said = self.said.lock().expect("no panic while held");
        said.at = Instant::now();
        // Progress that is no JSON is not worth failing a task for; the SDKs make it.
        if let Some(progress) = progress.and_then(|text| Json::parse(text).ok()) {
            said.progress = Some(progress);
        }
        self.is_cancelled()
    }

    fn last_progress(&self) -> Option<String> {
        self.last_progress.as_ref().map(|progress| progress.as_str().to_string())
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.shutting_down.load(Ordering::Relaxed)
    }
}

/// Runs one attempt and writes what came of it.
pub(super) async fn run(services: Arc<Services>, claimed: Claimed, mut hands: Hands, module: Arc<Module>) {
    let grants = match services.grants(claimed.module.as_deref()).await {
        Ok(grants) => grants,
        Err(error) if error.is_retryable() => {
            debug!(error = causes(&error), "its grants cannot be read now; it goes back");
            return settle(&services, activation(&claimed, Fate::Returned)).await;
        }
        Err(error) => {
            let failure = Failure::of_host("module-unavailable", format!("its grants cannot be read: {error}"), true);
            return settle(&services, activation(&claimed, after_failure(&claimed, failure))).await;
        }
    };
    let task = Arc::new(TaskRun::new(&claimed));
    let registered = services.tasks.enter(claimed.id, task.clone());
    let logs = Arc::new(Logs::new(claimed.claimed_at));
    let limit = time_limit(&claimed);
    let deadline = limit.and_then(|limit| {
        u64::try_from((claimed.claimed_at + chrono::TimeDelta::from_std(limit).ok()?).timestamp_millis()).ok()
    });
    let call = call(&claimed, &module, Role::Task(task.clone()), logs.clone(), task.stop.clone(), deadline, grants);
    let returned = {
        let running = services.runtime.run(&module, call);
        watch(&services, &claimed, &task, &logs, limit, running).await
    };
    drop(registered);
    hands.free_slot();
    let Some(returned) = returned else {
        debug!("taken over while it ran: its result is dropped");
        return;
    };
    let returned = match returned {
        // It stopped because the worker shuts down, not because anybody cancelled it: it runs again, at no cost.
        Returned::Cancelled if !task.cancelled.load(Ordering::Relaxed) && task.is_cancelled() => {
            Returned::Stopped(Stop::Abandoned)
        }
        other => other,
    };
    let fate = fate_of(&claimed, returned);
    settle(&services, Activation { logs: logs.take(), ..activation(&claimed, fate) }).await;
}

/// The attempt's limit, or what is left of the total, whichever is shorter.
fn time_limit(claimed: &Claimed) -> Option<Duration> {
    let attempt = claimed.timeouts.attempt_ms.map(Duration::from_millis);
    let total = claimed.deadline.map(|deadline| (deadline - claimed.claimed_at).to_std().unwrap_or_default());
    attempt.into_iter().chain(total).min()
}

/// Drives the guest: keeps its log lines flowing, and stops it when its time is over. None when the run was taken over.
async fn watch(
    services: &Services,
    claimed: &Claimed,
    task: &TaskRun,
    logs: &Logs,
    limit: Option<Duration>,
    running: impl Future<Output = Returned>,
) -> Option<Returned> {
    let mut running = std::pin::pin!(running);
    let started = tokio::time::Instant::now();
    let heartbeat = claimed.timeouts.heartbeat_ms.map(Duration::from_millis);
    let (end, too_late) = match limit {
        Some(limit) => (limit, Stop::TimedOut),
        // Heartbeats are its timeout.
        None if heartbeat.is_some() => (Duration::from_secs(365 * 24 * 3600), Stop::TimedOut),
        None => (services.settings.time_limit, Stop::TimeLimit),
    };
    let end = started + end;
    let mut flush = tokio::time::interval_at(started + FLUSH, heartbeat.map_or(FLUSH, |h| h.min(FLUSH)));
    flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopped_since: Option<tokio::time::Instant> = None;
    loop {
        tokio::select! {
            biased;
            returned = &mut running => return Some(returned),
            () = tokio::time::sleep_until(end), if task.stop.reason().is_none() => task.stop.stop(too_late),
            _ = flush.tick() => {
                if heartbeat.is_some_and(|allowed| task.silent_for() > allowed) {
                    task.stop.stop(Stop::TimedOut);
                }
                if !logs.is_empty() {
                    let lines = Activation { logs: logs.take(), ..activation(claimed, Fate::GoesOn) };
                    services.write_midway(lines).await?;
                }
                // A guest that computes sees its flag at the next epoch tick; one that waits in a host call never does, and is dropped.
                if let Some(reason) = task.stop.reason() {
                    let since = *stopped_since.get_or_insert_with(tokio::time::Instant::now);
                    if since.elapsed() > FLUSH {
                        return Some(Returned::Stopped(reason));
                    }
                }
            }
        }
    }
}
