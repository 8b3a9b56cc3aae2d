//! What has to be done now and then by any worker. Each is one bounded, idempotent pass that returns what it did; several workers may
//! do the same at once.

use std::sync::Arc;
use std::time::Duration;

use currant_core::maintenance;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::error::causes;
use crate::worker::Services;

/// Due timers are looked up this often, and sooner when this worker knows of one.
const TIMERS: Duration = Duration::from_secs(1);
/// Everything else: lost workers, deadlines, parked executions, missed news.
const REST: Duration = Duration::from_secs(2);
/// Rows in one pass: enough to keep up, few enough that nobody waits for its locks.
const LIMIT: i64 = 500;

/// Does maintenance until told to stop.
pub(crate) async fn run_until(services: Arc<Services>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = wake_due(&services) => {}
        () = the_rest(&services) => {}
    }
}

async fn wake_due(services: &Services) {
    loop {
        match maintenance::wake_due(&services.pool, LIMIT).await {
            Ok(woken) => {
                if woken.count > 0 {
                    debug!(workflows = woken.count, "timers are due");
                    services.work.notify_one();
                }
                if let Some(next) = woken.next_due {
                    services.due.expect_in(next);
                }
            }
            Err(error) => debug!(error = causes(&error), "due timers could not be looked up"),
        }
        services.due.wait(TIMERS).await;
    }
}

async fn the_rest(services: &Services) {
    loop {
        match pass(services).await {
            Ok(true) => services.work.notify_one(),
            Ok(false) => {}
            Err(error) => debug!(error = causes(&error), "maintenance could not be done"),
        }
        tokio::time::sleep(REST.mul_f64(rand::random_range(0.75..1.0))).await;
    }
}

/// True when something became ready.
async fn pass(services: &Services) -> Result<bool, currant_core::Error> {
    let pool = &services.pool;
    let returned = maintenance::return_expired(pool, LIMIT).await?;
    if returned > 0 {
        info!(executions = returned, "taken over from workers that are gone");
    }
    let timed_out = maintenance::time_out_overdue(pool, LIMIT).await?;
    let unparked = maintenance::unpark(pool, LIMIT).await?;
    let delivered = maintenance::deliver_missed(pool).await?;
    Ok(returned + timed_out + unparked + delivered > 0)
}
