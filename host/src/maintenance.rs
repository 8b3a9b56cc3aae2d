//! What has to be done now and then by any worker. Each is one bounded, idempotent pass that returns what it did; several workers may
//! do the same at once.

use std::sync::Arc;
use std::time::Duration;

use currant_core::maintenance;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::error::causes;
use crate::worker::Services;

/// How often to look whether there is anything to do; sooner when something is known to be due.
const LOOK: Duration = Duration::from_secs(4);
/// Rows in one pass: enough to keep up, few enough that nobody waits for its locks.
const LIMIT: i64 = 500;

/// How often to look for missed news: that reads a row for each operation that waits under a task_id.
const MISSED: Duration = Duration::from_secs(15);

/// Does maintenance until told to stop.
pub(crate) async fn run_until(services: Arc<Services>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = look_and_do(&services) => {}
        () = deliver_missed(&services) => {}
    }
}

async fn deliver_missed(services: &Services) {
    loop {
        tokio::time::sleep(MISSED.mul_f64(rand::random_range(0.75..1.0))).await;
        match maintenance::deliver_missed(&services.pool).await {
            Ok(0) => {}
            Ok(_) => services.work.notify_one(),
            Err(error) => debug!(error = causes(&error), "missed news could not be looked up"),
        }
    }
}

async fn look_and_do(services: &Services) {
    loop {
        match pass(services).await {
            Ok(true) => services.work.notify_one(),
            Ok(false) => {}
            Err(error) => debug!(error = causes(&error), "maintenance could not be done"),
        }
        services.due.wait(LOOK.mul_f64(rand::random_range(0.75..1.0))).await;
    }
}

/// True when something became ready.
async fn pass(services: &Services) -> Result<bool, currant_core::Error> {
    let pool = &services.pool;
    let grace = services.settings.compensation_grace;
    let todo = maintenance::look(pool, grace).await?;
    let mut done = 0;
    if todo.due {
        done += maintenance::wake_due(pool, LIMIT).await?;
    }
    if todo.lost {
        let returned = maintenance::return_expired(pool, LIMIT).await?;
        if returned > 0 {
            info!(executions = returned, "taken over from workers that are gone");
        }
        done += returned;
    }
    if todo.overdue {
        done += maintenance::time_out_overdue(pool, LIMIT).await?;
    }
    if todo.ungraceful {
        done += maintenance::end_cancelled(pool, grace, LIMIT).await?;
    }
    if todo.unparkable {
        done += maintenance::unpark(pool, LIMIT).await?;
    }
    if todo.undecided {
        services.deployments.notify_one();
    }
    if todo.scheduled {
        services.schedules.notify_one();
    }
    // After a full pass there may be more.
    let next = if done >= LIMIT as u64 { Some(Duration::ZERO) } else { todo.next };
    if let Some(next) = next {
        services.due.expect_in(next);
    }
    Ok(done > 0)
}
