//! What running tasks say of themselves, written in batches; the answer says which tasks are cancelled, and which workflows have to end.

use std::sync::Arc;
use std::time::Duration;

use currant_core::ids::ExecutionId;
use currant_core::workers::{self, Beat};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::services::Services;
use crate::error::causes;
use crate::guest::Stop;

/// Progress is written at most this often. A hint makes a cancellation arrive sooner.
const INTERVAL: Duration = Duration::from_secs(1);

/// Writes heartbeats until told to stop.
pub(super) async fn beat_until(services: Arc<Services>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = services.cancellations.notified() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let beats = services.tasks.map(|id, task| Beat { id, run: task.run, progress: task.hand_over_progress() });
        if beats.is_empty() && services.workflows.is_empty() {
            continue;
        }
        match workers::heartbeat(&services.pool, services.id, &beats).await {
            Ok(cancelled) => cancelled.into_iter().for_each(|id| request_cancellation(&services, id)),
            // Progress is told again with the next heartbeat; whether the worker lives is the lease's concern.
            Err(error) => {
                debug!(error = causes(&error), "heartbeats could not be written");
                services.tasks.for_each(|task| task.progress_was_lost());
            }
        }
    }
}

/// Tells a task that it is cancelled, and ends it when it has not stopped within the grace period. A workflow learns of its cancellation by
/// its inbox: one that is named here has had its time.
fn request_cancellation(services: &Arc<Services>, id: ExecutionId) {
    if let Some(workflow) = services.workflows.get(id) {
        return workflow.stop(Stop::Cancelled);
    }
    let Some(task) = services.tasks.get(id) else { return };
    if !task.request_cancellation() {
        return;
    }
    info!(execution.id = %id, "cancellation requested");
    let grace = services.settings.cancel_grace;
    tokio::spawn(async move {
        tokio::time::sleep(grace).await;
        task.stop.stop(Stop::Cancelled);
    });
}
