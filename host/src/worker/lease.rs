//! The worker's lease: one row that it renews, on a thread, a runtime and a connection of its own, so that neither a busy guest
//! nor a full pool can make it late.

use std::sync::Arc;
use std::time::{Duration, Instant};

use currant_core::Error;
use currant_core::ids::WorkerId;
use currant_core::workers::{self, NewWorker};
use sqlx::{ConnectOptions, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::settings::WorkerSettings;
use crate::backoff::Backoff;
use crate::error::{HostError, causes};
use crate::outage::Outage;

/// Renewals in the time of one lease: two may fail before it is lost.
const RENEWALS: u32 = 3;

/// A lease that is being renewed.
pub(super) struct Lease {
    lost: CancellationToken,
    release: CancellationToken,
    thread: std::thread::JoinHandle<()>,
}

impl Lease {
    /// Takes a lease, waiting for the database if it is away. None when told to stop meanwhile.
    pub(super) async fn take(
        pool: &PgPool,
        id: WorkerId,
        settings: &WorkerSettings,
        outage: &Arc<Outage>,
        shutdown: &CancellationToken,
    ) -> Result<Option<Lease>, HostError> {
        let worker = NewWorker {
            id,
            host: hostname(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            queues: settings.queues.clone(),
            slots: settings.slots,
            lease: settings.lease,
            queue_settings: settings.queue_settings.clone(),
        };
        let mut backoff = Backoff::default();
        let sent = loop {
            let sent = Instant::now();
            match workers::register(pool, &worker).await {
                Ok(()) => break sent,
                Err(error) if error.is_retryable() => {
                    if !outage.explains(&error) && backoff.first() {
                        warn!(error = causes(&error), "cannot take a lease; trying again");
                    }
                }
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(None),
                () = backoff.wait() => {}
            }
        };
        outage.is_over(sent);
        let (lost, release) = (CancellationToken::new(), CancellationToken::new());
        let (options, outage) = ((*pool.connect_options()).clone(), outage.clone());
        let renewal = Renewal { options, id, lease: settings.lease, outage, lost: lost.clone() };
        let released = release.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HostError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("currant-lease".into())
            .spawn(move || runtime.block_on(renewal.renew_until(released, sent)))
            .map_err(HostError::Thread)?;
        Ok(Some(Lease { lost, release, thread }))
    }

    /// Returns when the lease is, or may be, no longer ours.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Ends the renewals.
    pub(super) async fn release(self) {
        self.release.cancel();
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

struct Renewal {
    options: sqlx::postgres::PgConnectOptions,
    id: WorkerId,
    lease: Duration,
    outage: Arc<Outage>,
    lost: CancellationToken,
}

impl Renewal {
    /// The lease is counted from before the last good renewal was sent, less a margin, so that this worker stops before another
    /// may take over, also when it was itself asleep for a while.
    async fn renew_until(self, release: CancellationToken, mut sent: Instant) {
        let ours_for = self.lease.mul_f64(0.9);
        let mut connection: Option<PgConnection> = None;
        let mut pause = self.lease / RENEWALS;
        loop {
            tokio::select! {
                () = release.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let sending = Instant::now();
            let left = ours_for.saturating_sub(sent.elapsed());
            match tokio::time::timeout(left, self.renew(&mut connection)).await {
                Ok(Ok(true)) => {
                    sent = sending;
                    pause = self.lease / RENEWALS;
                }
                Ok(Ok(false)) | Err(_) => return self.lost.cancel(),
                Ok(Err(error)) => {
                    if !self.outage.explains(&error) {
                        warn!(error = causes(&error), "the lease could not be renewed; trying again");
                    }
                    connection = None;
                    pause = self.lease / (4 * RENEWALS);
                }
            }
        }
    }

    async fn renew(&self, connection: &mut Option<PgConnection>) -> Result<bool, Error> {
        if connection.is_none() {
            *connection = Some(self.options.connect().await?);
        }
        let connection = connection.as_mut().expect("connected just above");
        workers::renew(connection, self.id, self.lease).await
    }
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
