//! Notifications from the database, handed to the loops that they concern. They save waiting, and nothing rests on them.

use std::sync::Arc;

use currant_core::notify::{Hint, Listener};
use tokio_util::sync::CancellationToken;

use super::services::Services;

/// Passes hints on until told to stop.
pub(super) async fn listen_until(services: Arc<Services>, stop: CancellationToken) {
    let mut listener = Listener::new(services.pool.clone());
    loop {
        let hint = tokio::select! {
            () = stop.cancelled() => return,
            hint = listener.next() => hint,
        };
        match hint {
            Hint::Ready { queue, priority } => {
                services.held_back.release(&queue);
                services.told(queue, priority);
                services.work.notify_one();
            }
            Hint::Cancel { .. } => services.cancellations.notify_one(),
            Hint::Deployment => services.deployments.notify_one(),
            Hint::Ended { .. } => {}
            // While nobody listened anything may have happened.
            Hint::Reconnected => {
                services.work.notify_one();
                services.cancellations.notify_one();
                services.deployments.notify_one();
            }
        }
    }
}
