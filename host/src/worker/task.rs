//! One attempt of a task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Activation, Fate};
use currant_core::limits::LONGEST_MS;
use currant_core::values::Json;
use tokio::time::MissedTickBehavior;
use tracing::debug;

use super::logs::{FLUSH, Logs};
use super::run::{activation, call, fate_of, settle};
use super::services::{Hands, Services};
use crate::guest::{Grants, Returned, Role, Stop, StopFlag, TaskCalls};
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
    /// Its progress, as it said it last in this attempt.
    progress: Option<Json>,
    /// Whether that was handed to a heartbeat.
    handed_over: bool,
}

impl TaskRun {
    fn new(claimed: &Claimed) -> TaskRun {
        TaskRun {
            run: claimed.run,
            stop: StopFlag::default(),
            cancelled: AtomicBool::new(claimed.cancel_requested),
            shutting_down: AtomicBool::new(false),
            said: Mutex::new(Said { at: Instant::now(), progress: None, handed_over: true }),
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
    pub(crate) fn hand_over_progress(&self) -> Option<Json> {
        let mut said = self.said();
        if std::mem::replace(&mut said.handed_over, true) { None } else { said.progress.clone() }
    }

    /// That heartbeat could not be written.
    pub(crate) fn progress_was_lost(&self) {
        let mut said = self.said();
        said.handed_over = said.progress.is_none();
    }

    /// What the end of the attempt has to write: the heartbeat that took it may come too late.
    fn last_said(&self) -> Option<Json> {
        self.said().progress.clone()
    }

    fn silent_for(&self) -> Duration {
        self.said().at.elapsed()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().expect("no panic while held")
    }
}

impl TaskCalls for TaskRun {
    fn heartbeat(&self, progress: Option<String>) -> bool {
        let mut said = self.said();
        said.at = Instant::now();
        // Progress that is no JSON is not worth failing a task for; the SDKs make it.
        if let Some(progress) = progress.and_then(|text| Json::parse(text).ok()) {
            said.progress = Some(progress);
            said.handed_over = false;
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
pub(super) async fn run(services: Arc<Services>, claimed: Claimed, mut hands: Hands, module: Arc<Module>, grants: Arc<Grants>) {
    let task = Arc::new(TaskRun::new(&claimed));
    let registered = services.tasks.enter(claimed.id, task.clone());
    let logs = Arc::new(Logs::new(claimed.claimed_at));
    let limit = time_limit(claimed.timeouts.attempt_ms, claimed.deadline.map(|deadline| deadline - claimed.claimed_at));
    let deadline = limit.and_then(|limit| {
        let deadline = claimed.claimed_at.checked_add_signed(TimeDelta::from_std(limit).ok()?)?;
        u64::try_from(deadline.timestamp_millis()).ok()
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
    let progress = task.last_said();
    settle(&services, Activation { logs: logs.take(), progress, ..activation(&claimed, fate) }).await;
}

/// The attempt's limit, or what is left of the total, whichever is shorter. One that is longer than the calendar is none.
fn time_limit(attempt_ms: Option<u64>, left: Option<TimeDelta>) -> Option<Duration> {
    let attempt = attempt_ms.filter(|attempt| *attempt < LONGEST_MS).map(Duration::from_millis);
    let total = left.map(|left| left.to_std().unwrap_or_default());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_limit_holds_and_one_beyond_the_calendar_is_none() {
        let seconds = |seconds| Some(TimeDelta::seconds(seconds));
        assert_eq!(time_limit(None, None), None);
        assert_eq!(time_limit(Some(1_500), seconds(2)), Some(Duration::from_millis(1_500)));
        assert_eq!(time_limit(Some(2_500), seconds(2)), Some(Duration::from_secs(2)));
        assert_eq!(time_limit(Some(1_500), seconds(-1)), Some(Duration::ZERO), "the total is over");
        // 290,000 years: a duration like any other, and beyond the last date that there is.
        assert_eq!(time_limit(Some(9_151_488_000_000_000), None), None);
        assert_eq!(time_limit(Some(u64::MAX), seconds(2)), Some(Duration::from_secs(2)));
    }
}
