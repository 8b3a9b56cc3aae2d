//! What the worker's configuration says of queues: made to hold when it starts, and said in the log, setting by setting.
//!
//! A value that was set by command stands. Where a worker that has run for longer was configured otherwise, that stands while it lives: in a
//! rolling upgrade the new file holds once the last old worker is gone.

use std::sync::Arc;
use std::time::Duration;

use currant_core::queues::{self, Answer, Difference};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::services::Services;
use crate::error::causes;

/// How often to look whether a worker with another file is gone.
const AGAIN: Duration = Duration::from_secs(20);

/// Applies it once. False when some of it does not hold yet.
pub(super) async fn apply(services: &Services) -> bool {
    match try_to_apply(services).await {
        Some(differences) => {
            differences.iter().for_each(say);
            !conflicts(&differences)
        }
        None => false,
    }
}

/// Applies it again until all of it holds, or until told to stop. What is only still so is not said again.
pub(super) async fn apply_until(services: Arc<Services>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN.mul_f64(rand::random_range(0.75..1.0))) => {}
        }
        if let Some(differences) = try_to_apply(&services).await {
            differences.iter().filter(|difference| difference.answer == Answer::Applied).for_each(say);
            if !conflicts(&differences) {
                return;
            }
        }
    }
}

async fn try_to_apply(services: &Services) -> Option<Vec<Difference>> {
    if services.settings.queue_settings.is_empty() {
        return Some(Vec::new());
    }
    match queues::apply_files(&services.pool, services.id).await {
        Ok(differences) => Some(differences),
        Err(error) => {
            if !services.outage.explains(&error) {
                warn!(error = causes(&error), "the settings of queues cannot be applied; trying again");
            }
            None
        }
    }
}

fn conflicts(differences: &[Difference]) -> bool {
    differences.iter().any(|difference| difference.answer == Answer::Conflict)
}

fn say(difference: &Difference) {
    let Difference { queue, setting, answer, .. } = difference;
    let text = |value: &Option<String>| value.as_ref().map_or("none".to_owned(), |value| queues::shown(setting, value));
    let (held, wanted) = (text(&difference.held), text(&difference.wanted));
    match answer {
        Answer::Applied => info!(queue.name = queue, "[queues.{queue}] {setting}: {held} -> {wanted}"),
        Answer::Commanded => info!(
            queue.name = queue,
            "[queues.{queue}] {setting}: {held} was set by command and stands; the file says {wanted} (currant queues reset {queue})"
        ),
        Answer::Conflict => warn!(
            queue.name = queue,
            "[queues.{queue}] {setting}: {held} stands while a worker runs whose file says so; this file says {wanted}"
        ),
    }
}
